//! XML documents as trees that know line and column, and findings about them. Pure.
//!
//! XML 1.0 in UTF-8 with namespaces, without DTDs and without entities beyond the five of XML.
//!
//! ```text
//! file name, bytes ──► parse ──► Document (elements, attributes, text; each with its place)
//!                          └───► findings (file:line:column: error: what (mend))
//! ```

mod characters;
mod check;
mod document;
mod finding;
mod nearest;
mod parse;
pub mod schema;
mod tag;

pub use check::{Check, checks, error, warning};
pub use document::{Attribute, Document, Element, Node, Text};
pub use finding::{Finding, Findings, Position, Severity};
pub use nearest::{did_you_mean, nearest};
pub use parse::{MAX_BYTES, parse};
