//! What an expression is worth in an interview.

use jiff::civil::Date;

use super::{Node, Operator, Term};
use crate::questionnaire::{Decimal, Value};

/// What an interview knows.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// What is known under a name.
    pub known: &'a dyn Fn(&str) -> Known,
    /// Today, where the callee is; asked for only where it is needed.
    pub today: &'a dyn Fn() -> Date,
}

/// What is known of a contact field or question.
#[derive(Clone, Debug, PartialEq)]
pub enum Known {
    /// It has no value.
    Nothing,
    /// It is a question that was refused.
    Refused,
    /// It is a question that the callee did not know an answer to.
    DontKnow,
    /// Its value is a number.
    Number(Decimal),
    /// Its value is a text.
    Text(String),
    /// Its value is a set of texts.
    Set(Vec<String>),
}

impl From<&Value> for Known {
    fn from(value: &Value) -> Self {
        match value {
            Value::Number(number) => Self::Number(*number),
            Value::Text(text) => Self::Text(text.clone()),
            Value::Set(values) => Self::Set(values.clone()),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Worth {
    Nothing,
    Truth(bool),
    Number(Decimal),
    Text(String),
}

pub(super) fn truth(node: &Node, facts: &Facts<'_>) -> bool {
    matches!(worth(node, facts), Worth::Truth(true))
}

pub(super) fn value(node: &Node, facts: &Facts<'_>) -> Option<Value> {
    match worth(node, facts) {
        Worth::Nothing => None,
        Worth::Truth(is_true) => Some(Value::Text(if is_true { "yes" } else { "no" }.to_owned())),
        Worth::Number(number) => Some(Value::Number(number)),
        Worth::Text(text) => Some(Value::Text(text)),
    }
}

fn worth(node: &Node, facts: &Facts<'_>) -> Worth {
    let known = |name: &String| (facts.known)(name);
    match &node.term {
        Term::Number(number) => Worth::Number(*number),
        Term::Text(text) => Worth::Text(text.clone()),
        Term::Name(name) => match known(name) {
            Known::Nothing | Known::Refused | Known::DontKnow | Known::Set(_) => Worth::Nothing,
            Known::Text(text) => Worth::Text(text),
            Known::Number(number) => Worth::Number(number),
        },
        Term::Answered(name) => {
            Worth::Truth(matches!(known(name), Known::Number(_) | Known::Text(_) | Known::Set(_)))
        }
        Term::Refused(name) => Worth::Truth(known(name) == Known::Refused),
        Term::Selected(name, (_, value)) => Worth::Truth(match known(name) {
            Known::Set(values) => values.contains(value),
            Known::Text(text) => text == *value,
            Known::Nothing | Known::Refused | Known::DontKnow | Known::Number(_) => false,
        }),
        Term::CountSelected(name) => match known(name) {
            Known::Set(values) => {
                Worth::Number(Decimal::from(u64::try_from(values.len()).unwrap_or(u64::MAX)))
            }
            Known::Nothing | Known::Refused | Known::DontKnow | Known::Number(_) | Known::Text(_) => {
                Worth::Nothing
            }
        },
        Term::ToNumber(inner) => match worth(inner, facts) {
            Worth::Text(text) => text.trim().parse().map_or(Worth::Nothing, Worth::Number),
            number @ Worth::Number(_) => number,
            Worth::Nothing | Worth::Truth(_) => Worth::Nothing,
        },
        Term::Today => Worth::Text((facts.today)().to_string()),
        Term::Not(inner) => Worth::Truth(!truth(inner, facts)),
        Term::Negative(inner) => match worth(inner, facts) {
            Worth::Number(number) => Worth::Number(number.negative()),
            Worth::Nothing | Worth::Truth(_) | Worth::Text(_) => Worth::Nothing,
        },
        Term::Binary(Operator::Or, left, right) => Worth::Truth(truth(left, facts) || truth(right, facts)),
        Term::Binary(Operator::And, left, right) => Worth::Truth(truth(left, facts) && truth(right, facts)),
        Term::Binary(operator, left, right) => binary(*operator, &worth(left, facts), &worth(right, facts)),
    }
}

fn binary(operator: Operator, left: &Worth, right: &Worth) -> Worth {
    let order = match (left, right) {
        (Worth::Number(left), Worth::Number(right)) if operator.is_arithmetic() => {
            return arithmetic(operator, *left, *right).map_or(Worth::Nothing, Worth::Number);
        }
        (Worth::Number(left), Worth::Number(right)) => left.cmp(right),
        (Worth::Text(left), Worth::Text(right)) => texts(operator, left, right),
        _ if operator.is_arithmetic() => return Worth::Nothing,
        _ => return Worth::Truth(false),
    };
    Worth::Truth(match operator {
        Operator::Equal => order.is_eq(),
        Operator::NotEqual => order.is_ne(),
        Operator::Less => order.is_lt(),
        Operator::LessOrEqual => order.is_le(),
        Operator::Greater => order.is_gt(),
        Operator::GreaterOrEqual => order.is_ge(),
        Operator::Or
        | Operator::And
        | Operator::Add
        | Operator::Subtract
        | Operator::Multiply
        | Operator::Divide
        | Operator::Modulo => false,
    })
}

/// Dates and times of day stand in the order of their texts; a month is compared with the month of a day.
fn texts(operator: Operator, left: &str, right: &str) -> std::cmp::Ordering {
    match (operator, left.len().min(right.len())) {
        (Operator::Equal | Operator::NotEqual, _) => left.cmp(right),
        (_, shorter) => left.get(..shorter).cmp(&right.get(..shorter)),
    }
}

/// Division by zero is nothing, and so is what has too many digits.
fn arithmetic(operator: Operator, left: Decimal, right: Decimal) -> Option<Decimal> {
    match operator {
        Operator::Add => left.plus(right),
        Operator::Subtract => left.plus(right.negative()),
        Operator::Multiply => left.times(right),
        Operator::Divide => left.divided_by(right),
        Operator::Modulo => left.modulo(right),
        Operator::Or
        | Operator::And
        | Operator::Equal
        | Operator::NotEqual
        | Operator::Less
        | Operator::LessOrEqual
        | Operator::Greater
        | Operator::GreaterOrEqual => None,
    }
}
