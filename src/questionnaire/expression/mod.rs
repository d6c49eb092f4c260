//! Conditions: `age >= 18 and consent = 'yes'`.

/// A checked expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {}
