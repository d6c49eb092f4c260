//! Conditions: `age >= 18 and consent = 'yes'`. The operators and their ranks are those of XPath 1.0.
//!
//! ```text
//! loosest   or
//!           and
//!           not
//!           =  !=  <  <=  >  >=        (one, not a chain)
//!           +  -
//!           *  div  mod
//! tightest  - (sign)   ( )   number   'text'   name   answered(name)   refused(name)
//! ```
//! A question without a reply is *nothing*: arithmetic with it is nothing, each comparison with it is
//! false, as with the empty node-set of XPath.

mod check;
mod evaluate;
mod parse;
mod token;

pub use check::{Type, Variable, Variables};
pub use evaluate::Known;
pub(crate) use token::RESERVED;

use super::checks;
use crate::xml::Check;

/// An expression that is well-formed and of type truth value.
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
        Ok(Self { node, source: source.split_whitespace().collect::<Vec<_>>().join(" ") })
    }

    /// Whether it is true of an interview.
    #[must_use]
    pub fn is_true(&self, known: &dyn Fn(&str) -> Known) -> bool {
        evaluate::truth(&self.node, known)
    }

    /// As it is written, on one line.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The names it asks about, with their byte offsets in the source.
    #[must_use]
    pub fn names(&self) -> Vec<(&str, usize)> {
        let mut names = Vec::new();
        self.node.names(&mut names);
        names
    }
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
    Number(f64),
    Text(String),
    Name(String),
    Answered(String),
    Refused(String),
    Not(Box<Node>),
    Negative(Box<Node>),
    Binary(Operator, Box<Node>, Box<Node>),
}

impl Node {
    fn names<'a>(&'a self, into: &mut Vec<(&'a str, usize)>) {
        match &self.term {
            Term::Number(_) | Term::Text(_) => {}
            Term::Name(name) | Term::Answered(name) | Term::Refused(name) => into.push((name, self.offset)),
            Term::Not(inner) | Term::Negative(inner) => inner.names(into),
            Term::Binary(_, left, right) => {
                left.names(into);
                right.names(into);
            }
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
