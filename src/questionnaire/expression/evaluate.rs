//! What an expression is worth in an interview.

use super::{Node, Operator, Term};
use crate::questionnaire::Value;

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
    Number(f64),
    /// Its value is a text.
    Text(String),
    /// Its value is a set of texts.
    Set(Vec<String>),
}

impl From<&Value> for Known {
    fn from(value: &Value) -> Self {
        match value {
            Value::Number(number) => Self::Number(number.as_f64()),
            Value::Text(text) => Self::Text(text.clone()),
            Value::Set(values) => Self::Set(values.clone()),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Worth {
    Nothing,
    Truth(bool),
    Number(f64),
    Text(String),
}

pub(super) fn truth(node: &Node, known: &dyn Fn(&str) -> Known) -> bool {
    matches!(worth(node, known), Worth::Truth(true))
}

fn worth(node: &Node, known: &dyn Fn(&str) -> Known) -> Worth {
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
        Term::Not(inner) => Worth::Truth(!truth(inner, known)),
        Term::Negative(inner) => match worth(inner, known) {
            Worth::Number(number) => Worth::Number(-number),
            Worth::Nothing | Worth::Truth(_) | Worth::Text(_) => Worth::Nothing,
        },
        Term::Binary(Operator::Or, left, right) => Worth::Truth(truth(left, known) || truth(right, known)),
        Term::Binary(Operator::And, left, right) => Worth::Truth(truth(left, known) && truth(right, known)),
        Term::Binary(operator, left, right) => binary(*operator, worth(left, known), worth(right, known)),
    }
}

fn binary(operator: Operator, left: Worth, right: Worth) -> Worth {
    match (left, right) {
        (Worth::Nothing, _) | (_, Worth::Nothing) => match operator {
            Operator::Add | Operator::Subtract | Operator::Multiply | Operator::Divide | Operator::Modulo => {
                Worth::Nothing
            }
            Operator::Or
            | Operator::And
            | Operator::Equal
            | Operator::NotEqual
            | Operator::Less
            | Operator::LessOrEqual
            | Operator::Greater
            | Operator::GreaterOrEqual => Worth::Truth(false),
        },
        (Worth::Number(left), Worth::Number(right)) => numbers(operator, left, right),
        (Worth::Text(left), Worth::Text(right)) => texts(operator, &left, &right),
        (left, right) => Worth::Truth(match operator {
            Operator::Equal => left == right,
            Operator::NotEqual => left != right,
            Operator::Or
            | Operator::And
            | Operator::Less
            | Operator::LessOrEqual
            | Operator::Greater
            | Operator::GreaterOrEqual
            | Operator::Add
            | Operator::Subtract
            | Operator::Multiply
            | Operator::Divide
            | Operator::Modulo => false,
        }),
    }
}

/// Dates and times of day stand in the order of their texts; a month is compared with the month of a day.
fn texts(operator: Operator, left: &str, right: &str) -> Worth {
    let order = match (operator, left.len().min(right.len())) {
        (Operator::Equal | Operator::NotEqual, _) => left.cmp(right),
        (_, shorter) => left.get(..shorter).cmp(&right.get(..shorter)),
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

#[expect(clippy::float_cmp, reason = "whole numbers are exact; `=` on others means what it says")]
fn numbers(operator: Operator, left: f64, right: f64) -> Worth {
    match operator {
        Operator::Equal => Worth::Truth(left == right),
        Operator::NotEqual => Worth::Truth(left != right),
        Operator::Less => Worth::Truth(left < right),
        Operator::LessOrEqual => Worth::Truth(left <= right),
        Operator::Greater => Worth::Truth(left > right),
        Operator::GreaterOrEqual => Worth::Truth(left >= right),
        Operator::Add => finite(left + right),
        Operator::Subtract => finite(left - right),
        Operator::Multiply => finite(left * right),
        Operator::Divide => finite(left / right),
        Operator::Modulo => finite(left % right),
        Operator::Or | Operator::And => Worth::Truth(false),
    }
}

/// Division by zero is nothing.
const fn finite(number: f64) -> Worth {
    if number.is_finite() { Worth::Number(number) } else { Worth::Nothing }
}
