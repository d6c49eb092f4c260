//! Results in the forms that people and their tools read: pictures in the terminal, CSV, a summary.
//!
//! docs/results.md describes what is written.

pub(super) mod csv;
pub(super) mod picture;
pub(super) mod tally;
