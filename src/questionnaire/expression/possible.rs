//! Whether a condition can be true, and whether it can be false, of anyone at all.
//!
//! ```text
//! age < 18 and age > 65          narrows age to 0..17, then to nothing: never true
//! plan = 'a' or plan = 'b'       of a choice of a and b: false only without a reply
//! ```
//! `Possible` may be wrong in one direction only: what is not understood is taken to be possible.

use std::collections::{BTreeMap, BTreeSet};

use super::{Expression, Node, Operator, Term};

/// Steps after which a condition is taken to be possible: bounds the time of a hostile file.
const MAX_STEPS: u32 = 5_000;

/// What a name can stand for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Domain {
    /// Whether it can be without a value: a question without a reply.
    pub(crate) nothing: bool,
    /// Its values.
    pub(crate) values: Values,
}

/// Values that a name can have.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Values {
    /// Any.
    Any,
    /// Numbers from one to another; `whole` ones alone, or with fractions.
    Numbers { least: f64, most: f64, whole: bool },
    /// One of these texts.
    Words(BTreeSet<String>),
    /// None: it stands without a value.
    None,
}

impl Domain {
    fn is_empty(&self) -> bool {
        let no_value = match &self.values {
            Values::Any => false,
            Values::Numbers { least, most, whole: true } => least.ceil() > most.floor(),
            Values::Numbers { least, most, whole: false } => least > most,
            Values::Words(words) => words.is_empty(),
            Values::None => true,
        };
        no_value && !self.nothing
    }

    /// Only with a value that compares so; false if there is none.
    fn narrow(&mut self, operator: Operator, value: &Value<'_>) -> bool {
        self.nothing = false;
        match (&mut self.values, value) {
            (Values::Numbers { least, most, .. }, Value::Number(number)) => match operator {
                Operator::Equal => (*least, *most) = (least.max(*number), most.min(*number)),
                Operator::Less => *most = most.min(number.next_down()),
                Operator::LessOrEqual => *most = most.min(*number),
                Operator::Greater => *least = least.max(number.next_up()),
                Operator::GreaterOrEqual => *least = least.max(*number),
                Operator::NotEqual if *least >= *number => *least = least.max(number.next_up()),
                Operator::NotEqual if *most <= *number => *most = most.min(number.next_down()),
                Operator::NotEqual
                | Operator::Or
                | Operator::And
                | Operator::Add
                | Operator::Subtract
                | Operator::Multiply
                | Operator::Divide
                | Operator::Modulo => {}
            },
            (Values::Words(words), Value::Text(text)) if operator == Operator::Equal => {
                words.retain(|word| word == text);
            }
            (Values::Words(words), Value::Text(text)) if operator == Operator::NotEqual => {
                words.remove(*text);
            }
            (values @ Values::Any, Value::Text(text)) if operator == Operator::Equal => {
                *values = Values::Words(BTreeSet::from([(*text).to_owned()]));
            }
            (_, _) => {}
        }
        !self.is_empty()
    }
}

/// What a name is compared with.
enum Value<'a> {
    Number(f64),
    Text(&'a str),
}

/// What conditions must be, all at once.
pub(crate) struct Wanted<'a>(Vec<(&'a Node, bool)>);

impl<'a> Wanted<'a> {
    /// All of these are true.
    pub(crate) fn all(conditions: impl IntoIterator<Item = &'a Expression>) -> Self {
        Self(conditions.into_iter().map(|condition| (&condition.node, true)).collect())
    }

    /// This one, too, is true, or is not.
    pub(crate) fn and(&mut self, condition: &'a Expression, is_true: bool) {
        self.0.push((&condition.node, is_true));
    }

    /// Whether that can be, if each name can stand for what its domain says.
    pub(crate) fn is_possible(&self, domains: &BTreeMap<String, Domain>) -> bool {
        let known = self.names_of(domains);
        solve(self.0.clone(), known, &mut 0)
    }

    /// The domains of the names that these conditions ask about.
    pub(crate) fn names_of(&self, domains: &BTreeMap<String, Domain>) -> BTreeMap<String, Domain> {
        let mut names = Vec::new();
        self.0.iter().for_each(|(node, _)| node.names(&mut names));
        names
            .into_iter()
            .filter_map(|(name, _)| Some((name.to_owned(), domains.get(name)?.clone())))
            .collect()
    }
}

/// Narrows what names can stand for by one goal after the other.
#[expect(clippy::wildcard_enum_match_arm, reason = "what is not looked into can be anything")]
fn solve(mut goals: Vec<(&Node, bool)>, mut domains: BTreeMap<String, Domain>, steps: &mut u32) -> bool {
    while let Some((node, wanted)) = goals.pop() {
        *steps += 1;
        if *steps > MAX_STEPS {
            return true;
        }
        match &node.term {
            Term::Not(inner) => goals.push((inner, !wanted)),
            Term::Binary(operator @ (Operator::And | Operator::Or), left, right) => {
                if (*operator == Operator::And) == wanted {
                    goals.extend([(&**right, wanted), (&**left, wanted)]);
                } else {
                    let with = |side| [goals.as_slice(), &[(side, wanted)]].concat();
                    return solve(with(&**left), domains.clone(), steps)
                        || solve(with(&**right), domains, steps);
                }
            }
            Term::Answered(name) => {
                let Some(domain) = domains.get_mut(name) else { continue };
                if wanted {
                    domain.nothing = false;
                } else {
                    domain.values = Values::None;
                }
                if domain.is_empty() {
                    return false;
                }
            }
            Term::Binary(operator, left, right) => {
                if let Some(is_true) = decided(*operator, left, right) {
                    if is_true != wanted {
                        return false;
                    }
                    continue;
                }
                let Some((name, operator, value)) = comparison(*operator, left, right) else { continue };
                let Some(domain) = domains.get(name) else { continue };
                let mut narrowed = domain.clone();
                if wanted {
                    if !narrowed.narrow(operator, &value) {
                        return false;
                    }
                } else {
                    // It is false of nothing, too.
                    let without = Domain { nothing: domain.nothing, values: Values::None };
                    if !without.is_empty() {
                        let mut domains = domains.clone();
                        domains.insert(name.to_owned(), without);
                        if solve(goals.clone(), domains, steps) {
                            return true;
                        }
                    }
                    if !narrowed.narrow(opposite(operator), &value) {
                        return false;
                    }
                }
                domains.insert(name.to_owned(), narrowed);
            }
            // What is not looked into can be anything.
            _ => {}
        }
    }
    true
}

/// A name that is compared with a constant, the name on the left.
#[expect(clippy::wildcard_enum_match_arm, reason = "what is not looked into can be anything")]
fn comparison<'a>(
    operator: Operator,
    left: &'a Node,
    right: &'a Node,
) -> Option<(&'a str, Operator, Value<'a>)> {
    if let (Term::Name(name), Some(value)) = (&left.term, constant(right)) {
        return is_comparison(operator).then_some((name, operator, value));
    }
    let (Some(value), Term::Name(name)) = (constant(left), &right.term) else { return None };
    let turned = match operator {
        Operator::Less => Operator::Greater,
        Operator::LessOrEqual => Operator::GreaterOrEqual,
        Operator::Greater => Operator::Less,
        Operator::GreaterOrEqual => Operator::LessOrEqual,
        other => other,
    };
    is_comparison(operator).then_some((name, turned, value))
}

/// What a comparison of two constants is.
#[expect(clippy::wildcard_enum_match_arm, reason = "what is not looked into can be anything")]
fn decided(operator: Operator, left: &Node, right: &Node) -> Option<bool> {
    let order = match (constant(left)?, constant(right)?) {
        (Value::Number(one), Value::Number(other)) => one.partial_cmp(&other)?,
        (Value::Text(one), Value::Text(other)) => one.cmp(other),
        (Value::Number(_), Value::Text(_)) | (Value::Text(_), Value::Number(_)) => return None,
    };
    match operator {
        Operator::Equal => Some(order.is_eq()),
        Operator::NotEqual => Some(order.is_ne()),
        Operator::Less => Some(order.is_lt()),
        Operator::LessOrEqual => Some(order.is_le()),
        Operator::Greater => Some(order.is_gt()),
        Operator::GreaterOrEqual => Some(order.is_ge()),
        _ => None,
    }
}

const fn is_comparison(operator: Operator) -> bool {
    matches!(
        operator,
        Operator::Equal
            | Operator::NotEqual
            | Operator::Less
            | Operator::LessOrEqual
            | Operator::Greater
            | Operator::GreaterOrEqual
    )
}

#[expect(clippy::wildcard_enum_match_arm, reason = "what is not looked into can be anything")]
const fn opposite(operator: Operator) -> Operator {
    match operator {
        Operator::Equal => Operator::NotEqual,
        Operator::NotEqual => Operator::Equal,
        Operator::Less => Operator::GreaterOrEqual,
        Operator::LessOrEqual => Operator::Greater,
        Operator::Greater => Operator::LessOrEqual,
        Operator::GreaterOrEqual => Operator::Less,
        other => other,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "what is not looked into can be anything")]
fn constant(node: &Node) -> Option<Value<'_>> {
    match &node.term {
        Term::Number(number) => Some(Value::Number(number.as_f64())),
        Term::Text(text) => Some(Value::Text(text)),
        Term::Negative(inner) => match constant(inner) {
            Some(Value::Number(number)) => Some(Value::Number(-number)),
            Some(Value::Text(_)) | None => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Mint;
    use crate::questionnaire::{Facts, Known, Type, Variable, Variables};

    fn variables() -> Variables {
        let of = |of| Variable { of, question: Some(0) };
        let plan = Type::OneOf(vec!["gold".to_owned(), "silver".to_owned()]);
        let names = ["a", "b", "none"].map(|name| (name.to_owned(), of(Type::Number)));
        Variables(names.into_iter().chain([("plan".to_owned(), of(plan))]).collect())
    }

    fn domains() -> BTreeMap<String, Domain> {
        let number = Domain { nothing: true, values: Values::Numbers { least: 0.0, most: 3.0, whole: true } };
        let plan = Values::Words(BTreeSet::from(["gold".to_owned(), "silver".to_owned()]));
        let names = ["a", "b", "none"].map(|name| (name.to_owned(), number.clone()));
        names.into_iter().chain([("plan".to_owned(), Domain { nothing: true, values: plan })]).collect()
    }

    fn condition(mint: &mut Mint, depth: u16) -> String {
        let mut pick = |below: u16| usize::from(mint.number16() % below);
        let name = ["a", "b", "none"][pick(3)];
        match pick(if depth == 0 { 4 } else { 8 }) {
            0 => format!("answered({name})"),
            1 | 2 => format!("{name} {} {}", ["=", "!=", "<", "<=", ">", ">="][pick(6)], pick(6)),
            3 => format!("plan {} '{}'", ["=", "!="][pick(2)], ["gold", "silver"][pick(2)]),
            4 => format!("not ({})", condition(mint, depth - 1)),
            5 | 6 => format!("({}) and ({})", condition(mint, depth - 1), condition(mint, depth - 1)),
            _ => format!("({}) or ({})", condition(mint, depth - 1), condition(mint, depth - 1)),
        }
    }

    fn read(source: &str) -> Expression {
        Expression::read(source, &variables()).unwrap_or_else(|fault| panic!("{source}: {fault:?}"))
    }

    /// Every way in which all four can be.
    fn all() -> Vec<BTreeMap<&'static str, Known>> {
        let numbers = || (0..4_u64).map(|n| Known::Number(n.into())).chain([Known::Nothing]);
        let plans = || {
            ["gold", "silver"].map(|plan| Known::Text(plan.to_owned())).into_iter().chain([Known::Nothing])
        };
        let mut all = Vec::new();
        for a in numbers() {
            for b in numbers() {
                for none in numbers() {
                    for plan in plans() {
                        all.push(BTreeMap::from([
                            ("a", a.clone()),
                            ("b", b.clone()),
                            ("none", none.clone()),
                            ("plan", plan),
                        ]));
                    }
                }
            }
        }
        all
    }

    #[test]
    fn what_can_be_is_never_called_impossible() {
        let (mint, all) = (&mut Mint::seeded(3), all());
        let mut impossible = 0;
        for _ in 0..3_000 {
            let source = condition(mint, 3);
            let Ok(expression) = Expression::read(&source, &variables()) else { continue };
            for wanted in [true, false] {
                let mut goals = Wanted::all([]);
                goals.and(&expression, wanted);
                let said = goals.is_possible(&domains());
                let is_true = |them: &BTreeMap<&str, Known>| {
                    let known = |name: &str| them.get(name).cloned().unwrap_or(Known::Nothing);
                    expression.is_true(&Facts { known: &known, today: &|| jiff::civil::date(2026, 11, 26) })
                };
                let can_be = all.iter().any(|them| is_true(them) == wanted);
                assert!(said || !can_be, "`{source}` can be {wanted}");
                impossible += u32::from(!said);
            }
        }
        assert!(impossible > 20, "{impossible} were found impossible");
    }

    #[test]
    fn contradictions_are_seen() {
        for (source, can_be_true, can_be_false) in [
            ("a < 2 and a > 1", false, true),
            ("a < 2 and a >= 1", true, true),
            ("a > 3", false, true),
            ("not(a <= 3)", true, true), // without a reply
            ("answered(a) and not(a <= 3)", false, true),
            ("plan = 'gold' and plan = 'silver'", false, true),
            ("plan = 'gold' or plan = 'silver' or not(answered(plan))", true, false),
            ("1 = 2 and a = 1", false, true),
            ("3 < a or a != 3 and a > 2", false, true),
            ("(a = 1 or a = 2) and (a = 0 or a = 3)", false, true),
            ("-1 < a", true, true),
            ("a + 1 > 7", true, true), // sums are not looked into
        ] {
            let expression = read(source);
            for (wanted, can_be) in [(true, can_be_true), (false, can_be_false)] {
                let mut goals = Wanted::all([]);
                goals.and(&expression, wanted);
                assert_eq!(goals.is_possible(&domains()), can_be, "`{source}` {wanted}");
            }
        }
    }
}
