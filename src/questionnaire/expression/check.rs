//! Types: what can be compared with what.

use std::collections::BTreeMap;

use super::{Fault, Node, Operator, Term, checks};
use crate::questionnaire::minute_of_day;
use crate::xml::did_you_mean;

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// A number.
    Number,
    /// Any text.
    Text,
    /// One of these texts.
    OneOf(Vec<String>),
    /// Some of these texts (`multi`).
    SomeOf(Vec<String>),
    /// A day or a month: `2026-11-23`, `2026-11`.
    Date,
    /// A time of day: `15:30`.
    Time,
    /// A recording.
    Voice,
}

/// What can be asked about: contact fields and questions by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables(pub BTreeMap<String, Variable>);

/// One thing that can be asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// The type of its values.
    pub of: Type,
    /// Index of the item, if it is a question.
    pub question: Option<usize>,
}

impl Variables {
    /// The variable of this name, or what is wrong with it.
    pub(crate) fn find(&self, name: &str) -> Result<&Variable, (String, Option<String>)> {
        self.0.get(name).ok_or_else(|| {
            let is_value = self.0.values().any(|variable| match &variable.of {
                Type::OneOf(values) | Type::SomeOf(values) => values.iter().any(|value| value == name),
                Type::Number | Type::Text | Type::Date | Type::Time | Type::Voice => false,
            });
            let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            let mend = match is_value {
                true => Some(format!("a text stands in quotes: '{name}'")),
                false => did_you_mean(name, self.0.keys().map(String::as_str))
                    .or_else(|| is_name.then(|| format!("declare it: <contact-field name=\"{name}\"/>"))),
            };
            (format!("no contact field, question or computed value is called `{name}`"), mend)
        })
    }
}

/// The type of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Truth,
    Value(Type),
}

impl Kind {
    fn describe(&self) -> &'static str {
        match self {
            Self::Truth => "true or false",
            Self::Value(Type::Number) => "a number",
            Self::Value(Type::Text | Type::OneOf(_)) => "a text",
            Self::Value(Type::SomeOf(_)) => "a set of answers",
            Self::Value(Type::Date) => "a date",
            Self::Value(Type::Time) => "a time of day",
            Self::Value(Type::Voice) => "a recording",
        }
    }
}

/// Checks that `node` is true or false.
pub(super) fn condition(node: &Node, variables: &Variables) -> Result<(), Fault> {
    match kind(node, variables)? {
        Kind::Truth => Ok(()),
        found @ Kind::Value(_) => {
            let fault = Fault::new(
                node.offset,
                format!("this is {}, but it must be true or false", found.describe()),
            );
            Err(fault.of(&checks::WRONG_TYPE).mend(match (&node.term, &found) {
                (Term::Name(name), Kind::Value(Type::SomeOf(values))) => values
                    .first()
                    .map(|value| format!("ask whether one was chosen: `selected({name}, '{value}')`")),
                (Term::Name(name), Kind::Value(Type::OneOf(values))) => {
                    values.first().map(|value| format!("compare it, as in `{name} = '{value}'`"))
                }
                (Term::Name(name), _) => Some(format!("compare it, or ask `answered({name})`")),
                (_, _) => None,
            }))
        }
    }
}

/// The type of a value.
pub(super) fn value(node: &Node, variables: &Variables) -> Result<Type, Fault> {
    Ok(match (kind(node, variables)?, &node.term) {
        (Kind::Truth, _) => Type::OneOf(vec!["yes".to_owned(), "no".to_owned()]),
        (Kind::Value(Type::SomeOf(_)), _) => {
            let fault = Fault::new(node.offset, "a set of answers is no single value");
            return Err(fault
                .of(&checks::WRONG_TYPE)
                .mend("use `selected()` or `count-selected()`".to_owned()));
        }
        (Kind::Value(_), Term::Text(text)) => Type::OneOf(vec![text.clone()]),
        (Kind::Value(of), _) => of,
    })
}

fn kind(node: &Node, variables: &Variables) -> Result<Kind, Fault> {
    let find = |name| {
        variables
            .find(name)
            .map_err(|(what, mend)| Fault::new(node.offset, what).of(&checks::UNKNOWN_NAME).mend(mend))
    };
    match &node.term {
        Term::Number(_) => Ok(Kind::Value(Type::Number)),
        Term::Text(_) => Ok(Kind::Value(Type::Text)),
        Term::Name(name) => Ok(Kind::Value(find(name)?.of.clone())),
        Term::Answered(name) => find(name).map(|_| Kind::Truth),
        Term::Refused(name) => match find(name)?.question {
            Some(_) => Ok(Kind::Truth),
            None => Err(Fault::new(node.offset, format!("`{name}` is no question; it cannot be refused"))
                .of(&checks::WRONG_TYPE)),
        },
        Term::Selected(name, (at, value)) => selected(node.offset, (name, &find(name)?.of), (*at, value)),
        Term::CountSelected(name) => match &find(name)?.of {
            Type::SomeOf(_) => Ok(Kind::Value(Type::Number)),
            Type::Number | Type::Text | Type::OneOf(_) | Type::Date | Type::Time | Type::Voice => {
                let what = format!("`{name}` is no question of which several options can be chosen");
                Err(Fault::new(node.offset, what).of(&checks::WRONG_TYPE))
            }
        },
        Term::ToNumber(inner) => match kind(inner, variables)? {
            Kind::Value(Type::Text | Type::OneOf(_) | Type::Number) => Ok(Kind::Value(Type::Number)),
            found @ (Kind::Truth | Kind::Value(Type::SomeOf(_) | Type::Date | Type::Time | Type::Voice)) => {
                let what = format!("`number()` takes a text, but this is {}", found.describe());
                Err(Fault::new(inner.offset, what).of(&checks::WRONG_TYPE))
            }
        },
        Term::Today => Ok(Kind::Value(Type::Date)),
        Term::Not(inner) => condition(inner, variables).map(|()| Kind::Truth),
        Term::Negative(inner) => number(inner, "-", variables).map(|()| Kind::Value(Type::Number)),
        Term::Binary(operator, left, right) => binary(node.offset, *operator, left, right, variables),
    }
}

fn binary(
    offset: usize,
    operator: Operator,
    left: &Node,
    right: &Node,
    variables: &Variables,
) -> Result<Kind, Fault> {
    match operator {
        Operator::Or | Operator::And => {
            condition(left, variables)?;
            condition(right, variables)?;
            Ok(Kind::Truth)
        }
        Operator::Equal | Operator::NotEqual => {
            let (a, b) = (kind(left, variables)?, kind(right, variables)?);
            comparable(offset, (&a, left), (&b, right)).map(|()| Kind::Truth)
        }
        Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
            let (a, b) = (kind(left, variables)?, kind(right, variables)?);
            if [&a, &b].into_iter().any(|kind| matches!(kind, Kind::Value(Type::Date | Type::Time))) {
                return comparable(offset, (&a, left), (&b, right)).map(|()| Kind::Truth);
            }
            number(left, operator.as_str(), variables)?;
            number(right, operator.as_str(), variables)?;
            Ok(Kind::Truth)
        }
        Operator::Add | Operator::Subtract | Operator::Multiply | Operator::Divide | Operator::Modulo => {
            number(left, operator.as_str(), variables)?;
            number(right, operator.as_str(), variables)?;
            Ok(Kind::Value(Type::Number))
        }
    }
}

fn number(node: &Node, operator: &str, variables: &Variables) -> Result<(), Fault> {
    match kind(node, variables)? {
        Kind::Value(Type::Number) => Ok(()),
        found @ (Kind::Truth
        | Kind::Value(
            Type::Text | Type::OneOf(_) | Type::SomeOf(_) | Type::Date | Type::Time | Type::Voice,
        )) => {
            let what = format!("`{operator}` needs numbers, but this is {}", found.describe());
            Err(Fault::new(node.offset, what).of(&checks::WRONG_TYPE))
        }
    }
}

/// `selected()` asks for an option that the question has.
fn selected(offset: usize, (name, of): (&str, &Type), (at, value): (usize, &String)) -> Result<Kind, Fault> {
    match of {
        Type::OneOf(values) | Type::SomeOf(values) if values.contains(value) => Ok(Kind::Truth),
        Type::OneOf(values) | Type::SomeOf(values) => Err(no_such_value(at, name, value, values)),
        Type::Number | Type::Text | Type::Date | Type::Time | Type::Voice => {
            let fault = Fault::new(offset, format!("`{name}` has no options with a text as value"));
            Err(fault.of(&checks::WRONG_TYPE).mend("compare it, as in `x = 1`".replace('x', name)))
        }
    }
}

fn no_such_value(at: usize, name: &str, text: &str, values: &[String]) -> Fault {
    let mend = did_you_mean(text, values.iter().map(String::as_str))
        .unwrap_or_else(|| format!("it can be {}", values.join(", ")));
    Fault::new(at, format!("`{name}` is never '{text}'")).of(&checks::NO_SUCH_VALUE).mend(mend)
}

fn comparable(offset: usize, left: (&Kind, &Node), right: (&Kind, &Node)) -> Result<(), Fault> {
    match (left.0, right.0) {
        (Kind::Value(Type::Number), Kind::Value(Type::Number)) => Ok(()),
        (Kind::Value(Type::Text | Type::OneOf(_)), Kind::Value(Type::Text | Type::OneOf(_))) => {
            is_option(left, right.1)?;
            is_option(right, left.1)
        }
        (Kind::Value(Type::Date), Kind::Value(Type::Date))
        | (Kind::Value(Type::Time), Kind::Value(Type::Time)) => Ok(()),
        (Kind::Value(of @ (Type::Date | Type::Time)), Kind::Value(Type::Text)) => written(of, right.1),
        (Kind::Value(Type::Text), Kind::Value(of @ (Type::Date | Type::Time))) => written(of, left.1),
        (a, b) => {
            let what = format!("{} is never equal to {}", a.describe(), b.describe());
            Err(Fault::new(offset, what)
                .of(&checks::WRONG_TYPE)
                .mend(unquoted(left, right).or_else(|| unquoted(right, left))))
        }
    }
}

/// A text that is compared with a choice must be one of its options.
fn is_option((kind, choice): (&Kind, &Node), other: &Node) -> Result<(), Fault> {
    let (Kind::Value(Type::OneOf(values)), Term::Text(text)) = (kind, &other.term) else { return Ok(()) };
    if values.contains(text) {
        return Ok(());
    }
    let name = if let Term::Name(name) = &choice.term { name.as_str() } else { "the choice" };
    Err(no_such_value(other.offset, name, text, values))
}

/// What a date or a time is compared with must be written as one.
fn written(of: &Type, other: &Node) -> Result<(), Fault> {
    let Term::Text(text) = &other.term else { return Ok(()) };
    let (is_one, what, example) = match of {
        Type::Date => (is_date(text), "date", "'2026-11-23' or '2026-11'"),
        Type::Number | Type::Text | Type::OneOf(_) | Type::SomeOf(_) | Type::Time | Type::Voice => {
            (minute_of_day(text).is_some(), "time of day", "'15:30'")
        }
    };
    match is_one {
        true => Ok(()),
        false => {
            let fault = Fault::new(other.offset, format!("'{text}' is no {what}"));
            Err(fault.of(&checks::NO_SUCH_VALUE).mend(format!("write it as {example}")))
        }
    }
}

/// Whether a text is a day or a month of ISO 8601.
fn is_date(text: &str) -> bool {
    let day = if text.len() == 7 { format!("{text}-01") } else { text.to_owned() };
    day.len() == 10 && day.parse::<jiff::civil::Date>().is_ok()
}

/// `age = '5'` means `age = 5`.
fn unquoted((kind, _): (&Kind, &Node), (_, other): (&Kind, &Node)) -> Option<String> {
    match (kind, &other.term) {
        (Kind::Value(Type::Number), Term::Text(text)) if text.parse::<f64>().is_ok() => {
            Some(format!("write {text} without quotes"))
        }
        (Kind::Value(Type::Text | Type::OneOf(_)), Term::Number(number)) => {
            Some(format!("write '{number}' in quotes"))
        }
        (_, _) => None,
    }
}
