//! Values that are computed from replies and contact fields, wherever they are used.
//!
//! ```text
//! <compute id="household" value="adults + children"/>         nothing, until both are known
//! <compute id="group">
//!   <case when="score >= 9" value="'promoter'"/>              the first that is true
//!   <case when="score >= 7" value="'passive'"/>
//!   <case when="answered(score)" value="'detractor'"/>
//! </compute>
//! ```
//! A computed value is never stored: it follows the replies, also where one is changed later.

use super::expression::{Expression, Facts};
use super::prompt::Say;
use super::value::Value;

/// A computed value.
#[derive(Clone, Debug, PartialEq)]
pub struct Compute {
    /// Its name.
    pub id: String,
    /// What it may be; the first case that is true decides.
    pub cases: Vec<Case>,
    /// The contact fields and questions that it comes from, also by way of others.
    pub sources: Vec<String>,
}

/// One case of a computed value.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// When it holds; without a condition: always.
    pub when: Option<Expression>,
    /// The value.
    pub value: Expression,
    /// How the value is said when it is piped, in all languages; empty: as it is.
    pub say: Vec<Say>,
}

impl Compute {
    /// Its value.
    #[must_use]
    pub fn value(&self, facts: &Facts<'_>) -> Option<Value> {
        self.case(facts)?.value.value(facts)
    }

    /// The case that holds.
    #[must_use]
    pub fn case(&self, facts: &Facts<'_>) -> Option<&Case> {
        self.cases.iter().find(|case| case.when.as_ref().is_none_or(|when| when.is_true(facts)))
    }
}
