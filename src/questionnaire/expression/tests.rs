//! Expressions against an evaluator that is slow and obvious: it works on text, innermost parts first.

use std::collections::BTreeMap;

use super::*;
use crate::id::Mint;

/// A random condition, fully in parentheses, with as many as possible left out again.
fn condition(mint: &mut Mint, depth: u16) -> String {
    match mint.number16() % if depth == 0 { 3 } else { 6 } {
        0 => format!("answered({})", name(mint)),
        1 => format!(
            "{} {} {}",
            sum(mint, depth),
            ["=", "!=", "<", "<=", ">", ">="][pick(mint, 6)],
            sum(mint, depth)
        ),
        2 => format!("plan {} '{}'", ["=", "!="][pick(mint, 2)], ["gold", "silver"][pick(mint, 2)]),
        3 => format!("not ({})", condition(mint, depth - 1)),
        4 => format!("({}) and ({})", condition(mint, depth - 1), condition(mint, depth - 1)),
        _ => format!("({}) or ({})", condition(mint, depth - 1), condition(mint, depth - 1)),
    }
}

fn sum(mint: &mut Mint, depth: u16) -> String {
    match mint.number16() % if depth == 0 { 2 } else { 4 } {
        0 => (mint.number16() % 12).to_string(),
        1 => name(mint),
        2 => format!("(-{})", sum(mint, depth - 1)),
        _ => {
            let operator = ["+", "-", "*", "div", "mod"][pick(mint, 5)];
            format!("({} {operator} {})", sum(mint, depth - 1), sum(mint, depth - 1))
        }
    }
}

fn name(mint: &mut Mint) -> String {
    ["a", "b", "none"][pick(mint, 3)].to_owned()
}

fn pick(mint: &mut Mint, below: u16) -> usize {
    usize::from(mint.number16() % below)
}

fn variables() -> Variables {
    let number = || Variable { of: Type::Number, question: Some(0) };
    let plan = Variable { of: Type::OneOf(vec!["gold".into(), "silver".into()]), question: Some(0) };
    Variables(BTreeMap::from([
        ("a".to_owned(), number()),
        ("b".to_owned(), number()),
        ("none".to_owned(), number()),
        ("plan".to_owned(), plan),
    ]))
}

/// The slow way: reduces the text step by step. Values are written `#T`, `#F`, `#12.5`, `#?` (nothing).
mod slow {
    /// The innermost part in parentheses is reduced to its value until none is left.
    pub(super) fn evaluate(source: &str, a: f64, b: f64) -> bool {
        let mut text =
            source.replace("answered(none)", "#F").replace("answered(a)", "#T").replace("answered(b)", "#T");
        while let Some(close) = text.find(')') {
            let (before, _) = text.split_at(close);
            let (_, inside) = before.rsplit_once('(').unwrap();
            let (value, open) = (flat(inside, a, b), close - inside.len() - 1);
            text.replace_range(open..=close, &value);
        }
        flat(&text, a, b) == "#T"
    }

    fn flat(text: &str, a: f64, b: f64) -> String {
        let mut words: Vec<String> = text.replace('-', " - ").split_whitespace().map(str::to_owned).collect();
        // A minus of a value like `#-3` has been torn off above.
        while let Some(i) = words.iter().position(|word| word == "#") {
            let joined = words[i..=i + 2].concat();
            words.splice(i..=i + 2, [joined]);
        }
        for word in &mut words {
            *word = match word.as_str() {
                "a" => format!("#{a}"),
                "b" => format!("#{b}"),
                "none" => "#?".to_owned(),
                "plan" => "'gold'".to_owned(),
                number if number.parse::<f64>().is_ok() => format!("#{number}"),
                other => other.to_owned(),
            };
        }
        if let [minus, value] = words.as_slice()
            && minus == "-"
        {
            return number(value).map_or("#?".to_owned(), |number| format!("#{}", -number));
        }
        for rank in [
            &["*", "div", "mod"][..],
            &["+", "-"],
            &["=", "!=", "<", "<=", ">", ">="],
            &["not"],
            &["and"],
            &["or"],
        ] {
            while let Some(i) = words.iter().position(|word| rank.contains(&word.as_str())) {
                if words[i] == "not" {
                    let value = truth(words[i + 1] != "#T");
                    words.splice(i..=i + 1, [value]);
                } else {
                    let value = binary(&words[i - 1], &words[i], &words[i + 1]);
                    words.splice(i - 1..=i + 1, [value]);
                }
            }
        }
        words.concat()
    }

    fn number(word: &str) -> Option<f64> {
        word.strip_prefix('#').and_then(|word| word.parse().ok())
    }

    fn truth(value: bool) -> String {
        if value { "#T".into() } else { "#F".into() }
    }

    fn binary(left: &str, operator: &str, right: &str) -> String {
        let arithmetic = |value: f64| if value.is_finite() { format!("#{value}") } else { "#?".into() };
        match (operator, number(left), number(right)) {
            ("and", ..) => truth(left == "#T" && right == "#T"),
            ("or", ..) => truth(left == "#T" || right == "#T"),
            ("+", Some(l), Some(r)) => arithmetic(l + r),
            ("-", Some(l), Some(r)) => arithmetic(l - r),
            ("*", Some(l), Some(r)) => arithmetic(l * r),
            ("div", Some(l), Some(r)) => arithmetic(l / r),
            ("mod", Some(l), Some(r)) => arithmetic(l % r),
            ("+" | "-" | "*" | "div" | "mod", ..) => "#?".into(),
            ("=", Some(l), Some(r)) => truth(l == r),
            ("!=", Some(l), Some(r)) => truth(l != r),
            ("<", Some(l), Some(r)) => truth(l < r),
            ("<=", Some(l), Some(r)) => truth(l <= r),
            (">", Some(l), Some(r)) => truth(l > r),
            (">=", Some(l), Some(r)) => truth(l >= r),
            ("=", None, None) if left.starts_with('\'') => truth(left == right),
            ("!=", None, None) if left.starts_with('\'') => truth(left != right),
            _ => truth(false),
        }
    }
}

#[test]
fn expressions_are_worth_what_the_slow_way_says() {
    for seed in 0..4_000 {
        let mint = &mut Mint::seeded(seed);
        let source = condition(mint, 3);
        let (a, b) = (f64::from(mint.number16() % 12), f64::from(mint.number16() % 12));
        let known = |name: &str| match name {
            "a" => Known::Number(a),
            "b" => Known::Number(b),
            "plan" => Known::Text("gold".to_owned()),
            _ => Known::Nothing,
        };
        let expression = match Expression::read(&source, &variables()) {
            Ok(expression) => expression,
            Err(fault) => panic!("seed {seed}: {source}: {fault:?}"),
        };
        assert_eq!(
            expression.is_true(&known),
            slow::evaluate(&source, a, b),
            "seed {seed}: {source}, a {a}, b {b}"
        );
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
        for (a, b) in (0..5).flat_map(|a| (0..5).map(move |b| (f64::from(a), f64::from(b)))) {
            let known = |name: &str| if name == "a" { Known::Number(a) } else { Known::Number(b) };
            assert_eq!(plain.is_true(&known), explicit.is_true(&known), "a {a}, b {b}: {plain:?}");
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
