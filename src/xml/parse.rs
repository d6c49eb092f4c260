//! Bytes → tree.

use super::document::Document;
use super::finding::{Finding, Findings, Position};

/// Reads a document.
///
/// # Errors
/// Findings, if it is not well-formed, not UTF-8, has a DTD or goes beyond a limit.
pub fn parse(file: &str, bytes: &[u8]) -> Result<Document, Vec<Finding>> {
    let mut findings = Findings::of(file);
    findings.error(Position::START, format!("{} bytes are not read yet", bytes.len()), None);
    Err(findings.into_sorted())
}
