//! Conditions: `age >= 18 and consent = 'yes'`. The operators and their ranks are those of XPath 1.0.
//!
//! ```text
//! loosest   or
//!           and
//!           not
//!           =  !=  <  <=  >  >=        (one, not a chain)
//!           +  -
//!           *  div  mod
//! tightest  - (sign)   ( )   number   'text'   name   function( )
//!
//! answered(q)  refused(q)  selected(q, 'value')     true or false
//! count-selected(q)  number(text)                   a number
//! today()                                           a date
//! ```
//! A question without a reply is *nothing*: arithmetic with it is nothing, each comparison with it is
//! false, as with the empty node-set of XPath. Numbers are exact decimals; a quotient is rounded to nine
//! places.

mod check;
mod evaluate;
mod parse;
mod possible;
mod token;

pub use check::{Type, Variable, Variables};
pub use evaluate::{Facts, Known};
pub(crate) use possible::{Domain, Values, Wanted};
pub(crate) use token::RESERVED;

use super::{Decimal, Value, checks};
use crate::xml::Check;

/// An expression that is well-formed, and whose parts fit together: a condition, or a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    node: Node,
    source: String,
}

impl Expression {
    /// Reads a condition and checks it against what can be asked about.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn read(source: &str, variables: &Variables) -> Result<Self, Fault> {
        let node = parse::parse(source)?;
        check::condition(&node, variables)?;
        Ok(Self { node, source: on_one_line(source) })
    }

    /// Reads a value and checks it as [`Expression::read`] does. What is true or false is the text `yes` or
    /// `no`.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn read_value(source: &str, variables: &Variables) -> Result<(Self, Type), Fault> {
        let node = parse::parse(source)?;
        let of = check::value(&node, variables)?;
        Ok((Self { node, source: on_one_line(source) }, of))
    }

    /// Whether it is true of an interview.
    #[must_use]
    pub fn is_true(&self, facts: &Facts<'_>) -> bool {
        evaluate::truth(&self.node, facts)
    }

    /// What it is worth in an interview; none: nothing.
    #[must_use]
    pub fn value(&self, facts: &Facts<'_>) -> Option<Value> {
        evaluate::value(&self.node, facts)
    }

    /// As it is written, on one line.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether it is nothing as soon as one of its names is.
    #[must_use]
    pub(crate) fn needs_all_names(&self) -> bool {
        self.node.is_arithmetic()
    }

    /// Whether it is another one tomorrow.
    #[must_use]
    pub(crate) fn is_of_today(&self) -> bool {
        self.node.is_of_today()
    }

    /// The names it asks about, with their byte offsets in the source.
    #[must_use]
    pub fn names(&self) -> Vec<(&str, usize)> {
        let mut names = Vec::new();
        self.node.names(&mut names);
        names
    }
}

fn on_one_line(source: &str) -> String {
    source.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What is wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What was looked for.
    pub check: &'static Check,
    /// Byte offset in the source.
    pub offset: usize,
    /// What is wrong.
    pub what: String,
    /// How to mend it.
    pub mend: Option<String>,
}

impl Fault {
    fn new(offset: usize, what: impl Into<String>) -> Self {
        Self { check: &checks::BROKEN_CONDITION, offset, what: what.into(), mend: None }
    }

    /// Not a broken condition, but this.
    fn of(mut self, check: &'static Check) -> Self {
        self.check = check;
        self
    }

    fn mend(mut self, mend: impl Into<Option<String>>) -> Self {
        self.mend = mend.into();
        self
    }
}

/// A part of an expression and where it stands.
#[derive(Clone, Debug, PartialEq)]
struct Node {
    offset: usize,
    term: Term,
}

#[derive(Clone, Debug, PartialEq)]
enum Term {
    Number(Decimal),
    Text(String),
    Name(String),
    Answered(String),
    Refused(String),
    /// Whether an option was chosen: the question, and the option's value with its offset.
    Selected(String, (usize, String)),
    CountSelected(String),
    /// The number that a text is.
    ToNumber(Box<Node>),
    Today,
    Not(Box<Node>),
    Negative(Box<Node>),
    Binary(Operator, Box<Node>, Box<Node>),
}

impl Node {
    fn names<'a>(&'a self, into: &mut Vec<(&'a str, usize)>) {
        match &self.term {
            Term::Number(_) | Term::Text(_) | Term::Today => {}
            Term::Name(name)
            | Term::Answered(name)
            | Term::Refused(name)
            | Term::Selected(name, _)
            | Term::CountSelected(name) => into.push((name, self.offset)),
            Term::Not(inner) | Term::Negative(inner) | Term::ToNumber(inner) => inner.names(into),
            Term::Binary(_, left, right) => {
                left.names(into);
                right.names(into);
            }
        }
    }

    fn is_of_today(&self) -> bool {
        match &self.term {
            Term::Today => true,
            Term::Not(inner) | Term::Negative(inner) | Term::ToNumber(inner) => inner.is_of_today(),
            Term::Binary(_, left, right) => left.is_of_today() || right.is_of_today(),
            Term::Number(_)
            | Term::Text(_)
            | Term::Name(_)
            | Term::Answered(_)
            | Term::Refused(_)
            | Term::Selected(..)
            | Term::CountSelected(_) => false,
        }
    }

    fn is_arithmetic(&self) -> bool {
        match &self.term {
            Term::Number(_) | Term::Text(_) | Term::Name(_) | Term::CountSelected(_) | Term::Today => true,
            Term::Negative(inner) | Term::ToNumber(inner) => inner.is_arithmetic(),
            Term::Binary(operator, left, right) => {
                operator.is_arithmetic() && left.is_arithmetic() && right.is_arithmetic()
            }
            Term::Answered(_) | Term::Refused(_) | Term::Selected(..) | Term::Not(_) => false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

impl Operator {
    /// Whether it makes a number of numbers.
    const fn is_arithmetic(self) -> bool {
        matches!(self, Self::Add | Self::Subtract | Self::Multiply | Self::Divide | Self::Modulo)
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Or => "or",
            Self::And => "and",
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "div",
            Self::Modulo => "mod",
        }
    }
}

#[cfg(test)]
mod tests;
