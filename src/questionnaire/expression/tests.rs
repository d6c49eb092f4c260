//! Expressions against an evaluator that is slow and obvious: each part is written down together with what it
//! is worth, in whole billionths.

use std::collections::BTreeMap;

use super::*;
use crate::id::Mint;

/// A part of a random expression: how it is written, how tightly it holds together (0: `or`), and what it is
/// worth.
struct Part<W> {
    text: String,
    rank: u8,
    worth: W,
}

impl<W> Part<W> {
    const ATOM: u8 = 7;

    fn atom(text: impl Into<String>, worth: W) -> Self {
        Self { text: text.into(), rank: Self::ATOM, worth }
    }

    /// In parentheses, unless it holds together tightly enough.
    fn at(&self, rank: u8) -> String {
        if self.rank >= rank { self.text.clone() } else { format!("({})", self.text) }
    }
}

const ONE: i128 = 1_000_000_000;

/// Facts of one round; `none` has no reply, `no` was refused.
struct Round<'m> {
    mint: &'m mut Mint,
    a: i128,
    b: i128,
    id: String,
    media: Vec<String>,
    birth: (i16, i8, Option<i8>),
    /// A number had more digits than fit: the round does not count.
    beyond: bool,
}

const MEDIA: [&str; 3] = ["radio", "tv", "web"];

impl<'m> Round<'m> {
    fn new(mint: &'m mut Mint) -> Self {
        let draw = |mint: &mut Mint, below: u16| usize::from(mint.number16() % below);
        let chosen = draw(mint, 8);
        let media = (0..3).filter(|bit| chosen & (1 << bit) != 0).map(|bit| MEDIA[bit].to_owned()).collect();
        let day = Some(9 + i8::try_from(draw(mint, 3)).unwrap()).filter(|_| draw(mint, 2) == 0);
        Self {
            a: i128::from(mint.number16() % 1_200) * ONE / 100,
            b: i128::from(mint.number16() % 12) * ONE,
            id: ["0042", "12.5", "x1", "", " 7 "][draw(mint, 5)].to_owned(),
            media,
            birth: (2023 + i16::try_from(draw(mint, 3)).unwrap(), 5, day),
            mint,
            beyond: false,
        }
    }

    fn pick(&mut self, below: u16) -> usize {
        usize::from(self.mint.number16() % below)
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.pick(u16::try_from(of.len()).unwrap())]
    }

    fn truth(&mut self, depth: u16) -> Part<bool> {
        match self.pick(if depth == 0 { 6 } else { 9 }) {
            0 => {
                let name = self.one(&["a", "none", "no", "media", "id"]);
                Part::atom(format!("answered({name})"), !matches!(name, "none" | "no"))
            }
            1 => {
                let name = self.one(&["a", "none", "no"]);
                Part::atom(format!("refused( {name} )"), name == "no")
            }
            2 => {
                let option = self.one(&MEDIA);
                let worth = self.media.iter().any(|chosen| chosen == option);
                Part::atom(format!("selected(media, '{option}')"), worth)
            }
            3 => {
                let (option, operator) = (self.one(&["gold", "silver"]), self.one(&["=", "!="]));
                let worth = (option == "gold") == (operator == "=");
                Part { text: format!("plan {operator} '{option}'"), rank: 3, worth }
            }
            4 => self.dates(),
            5 => self.comparison(depth),
            6 => {
                let inner = self.truth(depth - 1);
                Part { text: format!("not {}", inner.at(2)), rank: 2, worth: !inner.worth }
            }
            7 => {
                let (left, right) = (self.truth(depth - 1), self.truth(depth - 1));
                let text = format!("{} and {}", left.at(1), right.at(2));
                Part { text, rank: 1, worth: left.worth && right.worth }
            }
            _ => {
                let (left, right) = (self.truth(depth - 1), self.truth(depth - 1));
                let text = format!("{} or {}", left.at(0), right.at(1));
                Part { text, rank: 0, worth: left.worth || right.worth }
            }
        }
    }

    fn comparison(&mut self, depth: u16) -> Part<bool> {
        let (left, right) = (self.number(depth), self.number(depth));
        let operator = self.one(&["=", "!=", "<", "<=", ">", ">="]);
        let worth = left.worth.zip(right.worth).is_some_and(|(left, right)| match operator {
            "=" => left == right,
            "!=" => left != right,
            "<" => left < right,
            "<=" => left <= right,
            ">" => left > right,
            _ => left >= right,
        });
        Part { text: format!("{} {operator} {}", left.at(4), right.at(4)), rank: 3, worth }
    }

    /// A month is earlier than another only by year and month, and equals no day.
    fn dates(&mut self) -> Part<bool> {
        let mut dates = Vec::new();
        for _ in 0..2 {
            dates.push(match self.pick(3) {
                0 => ("today()".to_owned(), (2024, 5, Some(10))),
                1 => ("birth".to_owned(), self.birth),
                _ if dates.is_empty() => ("today()".to_owned(), (2024, 5, Some(10))),
                _ => match self.pick(2) {
                    0 => ("'2024-05'".to_owned(), (2024, 5, None)),
                    _ => ("'2024-05-11'".to_owned(), (2024, 5, Some(11))),
                },
            });
        }
        let ((left, from), (right, to)) = (dates[0].clone(), dates[1].clone());
        let (earlier, later) = match ((from.0, from.1).cmp(&(to.0, to.1)), from.2.zip(to.2)) {
            (std::cmp::Ordering::Equal, Some((from, to))) => (from < to, from > to),
            (order, _) => (order.is_lt(), order.is_gt()),
        };
        let operator = self.one(&["=", "!=", "<", "<=", ">", ">="]);
        let worth = match operator {
            "=" => from == to,
            "!=" => from != to,
            "<" => earlier,
            "<=" => !later,
            ">" => later,
            _ => !earlier,
        };
        Part { text: format!("{left} {operator} {right}"), rank: 3, worth }
    }

    fn number(&mut self, depth: u16) -> Part<Option<i128>> {
        match self.pick(if depth == 0 { 5 } else { 9 }) {
            0 => {
                let tenths = self.pick(120);
                let text = format!("{}.{}", tenths / 10, tenths % 10);
                Part::atom(text, Some(i128::try_from(tenths).unwrap() * ONE / 10))
            }
            1 => Part::atom("a", Some(self.a)),
            2 => Part::atom("b", Some(self.b)),
            3 => match self.pick(3) {
                0 => Part::atom("none", None),
                1 => Part::atom("no", None),
                _ => {
                    Part::atom("count-selected(media)", Some(i128::try_from(self.media.len()).unwrap() * ONE))
                }
            },
            4 => {
                let worth = match self.id.as_str() {
                    "0042" => Some(42 * ONE),
                    "12.5" => Some(25 * ONE / 2),
                    " 7 " => Some(7 * ONE),
                    _ => None,
                };
                Part::atom("number(id)", worth)
            }
            5 => {
                let inner = self.number(depth - 1);
                Part { text: format!("-{}", inner.at(6)), rank: 6, worth: inner.worth.map(|worth| -worth) }
            }
            6 | 7 => {
                let (left, right) = (self.number(depth - 1), self.number(depth - 1));
                let operator = self.one(&["+", "-"]);
                let text = format!("{} {operator} {}", left.at(4), right.at(5));
                let sign = if operator == "+" { 1 } else { -1 };
                let worth = left.worth.zip(right.worth).map(|(left, right)| left + sign * right);
                self.fits(Part { text, rank: 4, worth })
            }
            _ => {
                let (left, right) = (self.number(depth - 1), self.number(depth - 1));
                let operator = self.one(&["*", "div", "mod"]);
                let text = format!("{} {operator} {}", left.at(5), right.at(6));
                let worth = left.worth.zip(right.worth).and_then(|(left, right)| match operator {
                    "*" => Some(rounded(left * right, ONE)),
                    "div" => (right != 0).then(|| rounded(left * ONE, right)),
                    _ => (right != 0).then(|| left - left / right * right),
                });
                self.fits(Part { text, rank: 5, worth })
            }
        }
    }

    fn fits(&mut self, part: Part<Option<i128>>) -> Part<Option<i128>> {
        self.beyond |= part.worth.is_some_and(|worth| i64::try_from(worth).is_err());
        Part { worth: part.worth.filter(|worth| i64::try_from(*worth).is_ok()), ..part }
    }

    fn known(&self, name: &str) -> Known {
        let decimal = |billionths: i128| Decimal::new(i64::try_from(billionths).unwrap(), 9);
        match name {
            "a" => Known::Number(decimal(self.a)),
            "b" => Known::Number(decimal(self.b)),
            "id" => Known::Text(self.id.clone()),
            "plan" => Known::Text("gold".to_owned()),
            "media" => Known::Set(self.media.clone()),
            "birth" => Known::Text(match self.birth {
                (year, month, Some(day)) => format!("{year}-{month:02}-{day:02}"),
                (year, month, None) => format!("{year}-{month:02}"),
            }),
            "no" => Known::Refused,
            _ => Known::Nothing,
        }
    }
}

/// The quotient, half away from zero.
fn rounded(dividend: i128, divisor: i128) -> i128 {
    let (whole, left) = (dividend / divisor, dividend % divisor);
    let up = i128::from(left.abs() * 2 >= divisor.abs());
    whole + up * dividend.signum() * divisor.signum()
}

const TODAY: jiff::civil::Date = jiff::civil::date(2024, 5, 10);

fn variables() -> Variables {
    let texts = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    let of = [
        ("a", Type::Number),
        ("b", Type::Number),
        ("none", Type::Number),
        ("no", Type::Number),
        ("id", Type::Text),
        ("plan", Type::OneOf(texts(&["gold", "silver"]))),
        ("media", Type::SomeOf(texts(&MEDIA))),
        ("birth", Type::Date),
    ];
    let variable = |(name, of): (&str, Type)| (name.to_owned(), Variable { of, question: Some(0) });
    Variables(of.into_iter().map(variable).collect::<BTreeMap<_, _>>())
}

#[test]
fn expressions_are_worth_what_the_slow_way_says() {
    let (mut counted, mut truths) = (0, 0);
    for seed in 0..20_000 {
        let mint = &mut Mint::seeded(seed);
        let mut round = Round::new(mint);
        let (truth, number) = (round.truth(3), round.number(3));
        if round.beyond {
            continue;
        }
        counted += 1;
        truths += u32::from(truth.worth);
        let facts = Facts { known: &|name| round.known(name), today: &|| TODAY };
        let condition = Expression::read(&truth.text, &variables());
        let condition = condition.unwrap_or_else(|fault| panic!("seed {seed}: {}: {fault:?}", truth.text));
        assert_eq!(condition.is_true(&facts), truth.worth, "seed {seed}: {}", truth.text);
        let (value, of) = Expression::read_value(&number.text, &variables())
            .unwrap_or_else(|fault| panic!("seed {seed}: {}: {fault:?}", number.text));
        assert_eq!(of, Type::Number, "{}", number.text);
        let worth = number.worth.map(|worth| Value::Number(Decimal::new(i64::try_from(worth).unwrap(), 9)));
        assert_eq!(value.value(&facts), worth, "seed {seed}: {}", number.text);
    }
    assert!(counted > 19_000 && (8_000..12_000).contains(&truths), "{counted} counted, {truths} true");
}

#[test]
fn values_have_a_type() {
    let texts = |values: &[&str]| Type::OneOf(values.iter().map(|value| (*value).to_owned()).collect());
    for (source, of) in [
        ("a + 1", Type::Number),
        ("'high'", texts(&["high"])),
        ("plan", texts(&["gold", "silver"])),
        ("a > 1 or selected(media, 'tv')", texts(&["yes", "no"])),
        ("id", Type::Text),
        ("number(id)", Type::Number),
        ("today()", Type::Date),
        ("birth", Type::Date),
    ] {
        assert_eq!(Expression::read_value(source, &variables()).map(|(_, of)| of), Ok(of), "{source}");
    }
    assert!(Expression::read_value("media", &variables()).is_err());
}

#[test]
fn what_does_not_fit_is_told_where_it_stands() {
    for (source, offset, what) in [
        ("selected(media, 'tvv')", 16, "`media` is never 'tvv' (did you mean `tv`?)"),
        ("selected(media)", 14, "`selected()` takes a question and the value of one of its options"),
        ("selected(a, '1')", 0, "`a` has no options with a text as value"),
        ("media", 0, "this is a set of answers, but it must be true or false (ask whether one was"),
        ("count-selected(plan) = 1", 0, "`plan` is no question of which several options can be chosen"),
        (
            "count_selected(media) = 1",
            0,
            "there is no function `count_selected()` (did you mean `count-selected`?)",
        ),
        ("number(birth) = 1", 7, "`number()` takes a text, but this is a date"),
        ("number(id, 2) = 1", 9, "`)` is missing before `,`"),
        ("a, b", 1, "`,` is not expected here"),
        ("today(1) < birth", 6, "`)` is missing before `1`"),
        ("birth < '2024-13'", 8, "'2024-13' is no date"),
        ("birth < a", 6, "a date is never equal to a number"),
        ("1.2.3 = a", 0, "`1.2.3` is no number"),
    ] {
        let fault = Expression::read(source, &variables()).expect_err(source);
        let mend = fault.mend.map(|mend| format!(" ({mend})")).unwrap_or_default();
        let told = format!("{}{mend}", fault.what);
        assert!(fault.offset == offset && told.starts_with(what), "{source}: {} {told}", fault.offset);
    }
}

/// Ranks of operators: the same with and without the parentheses that say so.
#[test]
fn operators_have_their_ranks() {
    for (plain, explicit) in [
        ("a = 1 or b = 1 and a = 2", "(a = 1) or ((b = 1) and (a = 2))"),
        ("not a = 1 and b = 2", "(not (a = 1)) and (b = 2)"),
        ("not not a = 1", "not (not (a = 1))"),
        ("a - b - 1 = 2", "((a - b) - 1) = 2"),
        ("a + b * 2 > 3", "(a + (b * 2)) > 3"),
        ("a div b mod 3 = 1", "((a div b) mod 3) = 1"),
        ("-a + b < - -2", "((-a) + b) < (-(-2))"),
        ("answered(a) or refused(b)", "(answered(a)) or (refused(b))"),
    ] {
        let [plain, explicit] =
            [plain, explicit].map(|source| Expression::read(source, &variables()).unwrap());
        for (a, b) in (0..5).flat_map(|a| (0..5).map(move |b| (Decimal::from(a), Decimal::from(b)))) {
            let known = |name: &str| if name == "a" { Known::Number(a) } else { Known::Number(b) };
            let facts = Facts { known: &known, today: &|| TODAY };
            assert_eq!(plain.is_true(&facts), explicit.is_true(&facts), "a {a}, b {b}: {plain:?}");
        }
    }
}

#[test]
fn hostile_expressions_are_refused() {
    for hostile in [
        "(".repeat(4_000),
        "not ".repeat(4_000),
        "- ".repeat(4_000),
        "a = 1 or ".repeat(400),
        "9".repeat(4_000),
    ] {
        assert!(Expression::read(&hostile, &variables()).is_err());
    }
    let deepest = format!("{}a = 1{}", "(".repeat(31), ")".repeat(31));
    assert!(Expression::read(&deepest, &variables()).is_ok());
}
