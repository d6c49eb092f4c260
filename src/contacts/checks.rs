//! What is looked for in files of contacts: a code each, and why.

use crate::xml::{Check, error, warning};

/// A field that no contact brings.
#[rustfmt::skip]
pub(super) const MISSING_COLUMN: Check = error("missing-column", "no call could begin: the questionnaire needs the field of every contact");
/// Two columns of one name.
#[rustfmt::skip]
pub(super) const DOUBLE_COLUMN: Check = error("double-column", "only one of the two values could be used");
/// A field without a value.
#[rustfmt::skip]
pub(super) const EMPTY_VALUE: Check = error("empty-value", "the text would have a hole where the value is said, and conditions about it would not be true");
/// A value that its field cannot have.
#[rustfmt::skip]
pub(super) const UNFIT_VALUE: Check = error("unfit-value", "the call of this contact could not begin");
/// A row with more or fewer cells than the header.
#[rustfmt::skip]
pub(super) const TORN_ROW: Check = error("torn-row", "values would stand in the wrong columns, and the callee would hear another person's");
/// Quotes that do not match.
#[rustfmt::skip]
pub(super) const BROKEN_CSV: Check = error("broken-csv", "from there on nobody knows where a value ends");
/// No contact at all.
#[rustfmt::skip]
pub(super) const NO_CONTACTS: Check = warning("no-contacts", "there is nobody to call");

/// All checks of contacts.
pub const ALL: &[&Check] =
    &[&MISSING_COLUMN, &DOUBLE_COLUMN, &EMPTY_VALUE, &UNFIT_VALUE, &TORN_ROW, &BROKEN_CSV, &NO_CONTACTS];
