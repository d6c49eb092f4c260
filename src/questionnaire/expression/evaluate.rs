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
    /// Its value is a number.
    Number(f64),
    /// Its value is a text.
    Text(String),
}

impl From<&Value> for Known {
    fn from(value: &Value) -> Self {
        match value {
            Value::Number(number) => Self::Number(float(*number)),
            Value::Text(text) => Self::Text(text.clone()),
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
            Known::Nothing | Known::Refused => Worth::Nothing,
            Known::Text(text) => Worth::Text(text),
            Known::Number(number) => Worth::Number(number),
        },
        Term::Answered(name) => Worth::Truth(matches!(known(name), Known::Number(_) | Known::Text(_))),
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

/// Replies have at most 15 digits, which a double holds exactly.
fn float(number: u64) -> f64 {
    let (high, low) = (number >> 32, number & 0xFFFF_FFFF);
    let part = |bits| f64::from(u32::try_from(bits).expect("32 bits remain"));
    part(high) * 4_294_967_296.0 + part(low)
}
