//! Findings: what is wrong in a file, where, and how to mend it.
//!
//! ```text
//! clinic.xml:14:9: error: no item is called `callbak` (did you mean `callback`?)
//! └── file ─┘ │ └ column, in characters from 1
//!             └ line, from 1
//! ```

use std::fmt;

use serde::{Deserialize, Serialize};

use super::check::{Check, checks};

/// A place in a text: line and column, both from 1; columns count characters, not bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl Position {
    /// The first character of a text.
    pub const START: Self = Self { line: 1, column: 1 };

    /// The place after `text`, if `text` begins here.
    #[must_use]
    pub fn after(self, text: &str) -> Self {
        let characters = |text: &str| u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        let Some((before, last)) = text.rsplit_once('\n') else {
            return Self { column: self.column.saturating_add(characters(text)), ..self };
        };
        let lines = u32::try_from(memchr::memchr_iter(b'\n', before.as_bytes()).count() + 1);
        Self {
            line: self.line.saturating_add(lines.unwrap_or(u32::MAX)),
            column: characters(last).saturating_add(1),
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing starts on this file.
    Error,
    /// It works, and probably not as its author meant.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// One thing that is wrong in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file, as it was named to us.
    pub file: String,
    /// Where in it.
    pub at: Position,
    /// How much it weighs.
    pub severity: Severity,
    /// What was looked for: its code, and why.
    pub check: &'static Check,
    /// What is wrong, as a sentence without a full stop.
    pub what: String,
    /// What to do about it.
    pub mend: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.file, self.at, self.severity, self.what)?;
        match &self.mend {
            Some(mend) => write!(f, " ({mend})"),
            None => Ok(()),
        }
    }
}

/// A finding is one line, though what it quotes of the file may hold line ends.
fn one_line(text: String) -> String {
    if !text.contains(char::is_control) {
        return text;
    }
    let pieces: Vec<&str> = text.split(char::is_control).map(str::trim).filter(|it| !it.is_empty()).collect();
    pieces.join(" ")
}

/// Findings kept of one file; more are counted only.
const MAX_FINDINGS: usize = 200;

/// Gathers the findings of one file.
#[derive(Clone, Debug)]
pub struct Findings {
    file: String,
    kept: Vec<Finding>,
    /// Errors and warnings that are counted only.
    dropped: (usize, usize),
}

impl Findings {
    /// No findings yet about this file.
    #[must_use]
    pub fn of(file: &str) -> Self {
        Self { file: file.to_owned(), kept: Vec::new(), dropped: (0, 0) }
    }

    /// Something because of which nothing starts on this file.
    pub fn error(&mut self, at: Position, what: impl Into<String>, mend: impl Into<Option<String>>) {
        self.add(&checks::ERROR, at, what, mend);
    }

    /// Something that its author should look at.
    pub fn warning(&mut self, at: Position, what: impl Into<String>, mend: impl Into<Option<String>>) {
        self.add(&checks::WARNING, at, what, mend);
    }

    /// Something that was looked for.
    pub fn add(
        &mut self,
        check: &'static Check,
        at: Position,
        what: impl Into<String>,
        mend: impl Into<Option<String>>,
    ) {
        // No error is hidden by warnings: it takes the place of one.
        if self.kept.len() >= MAX_FINDINGS && check.severity == Severity::Error {
            let is_warning = |finding: &Finding| finding.severity == Severity::Warning;
            if let Some(last) = self.kept.iter().rposition(is_warning) {
                self.kept.remove(last);
                self.dropped.1 += 1;
            }
        }
        if self.kept.len() < MAX_FINDINGS {
            let (file, severity) = (self.file.clone(), check.severity);
            let (what, mend) = (one_line(what.into()), mend.into().map(one_line));
            self.kept.push(Finding { file, at, severity, check, what, mend });
            return;
        }
        match check.severity {
            Severity::Error => self.dropped.0 += 1,
            Severity::Warning => self.dropped.1 += 1,
        }
    }

    /// Whether there is an error among them.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.dropped.0 > 0 || self.kept.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// All findings, sorted by place; last what stands for those that are not shown.
    #[must_use]
    pub fn into_sorted(mut self) -> Vec<Finding> {
        self.kept.sort_by(|a, b| (a.at, a.severity, &a.what).cmp(&(b.at, b.severity, &b.what)));
        self.kept.dedup();
        let at = self.kept.last().map_or(Position::START, |last| last.at);
        let (check, what) = match self.dropped {
            (0, 0) => return self.kept,
            (0, warnings) => (&checks::MORE_WARNINGS, format!("{} not shown", more(warnings, "warning"))),
            (errors, 0) => (&checks::TOO_MUCH, format!("{} not shown", more(errors, "error"))),
            (errors, warnings) => {
                let all = more(errors + warnings, "finding");
                (&checks::TOO_MUCH, format!("{all} not shown, {errors} of them errors"))
            }
        };
        let (severity, mend) = (check.severity, Some("mend those above first".to_owned()));
        self.kept.push(Finding { file: self.file, at, severity, check, what, mend });
        self.kept
    }
}

/// `1 more warning is`, `2 more warnings are`
fn more(count: usize, name: &str) -> String {
    if count == 1 { format!("1 more {name} is") } else { format!("{count} more {name}s are") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: u32) -> Position {
        Position { line, column: 1 }
    }

    /// Lines 1 to `warnings` have a warning, those behind them an error.
    fn found(warnings: u32, errors: u32) -> (bool, Vec<Finding>) {
        let mut findings = Findings::of("f.xml");
        (1..=warnings).for_each(|line| findings.warning(at(line), "dull", None));
        (1..=errors).for_each(|line| findings.error(at(warnings + line), "bad", None));
        (findings.has_errors(), findings.into_sorted())
    }

    #[test]
    fn warnings_that_are_not_shown_are_no_error() {
        let (failed, findings) = found(203, 0);
        assert!(!failed && findings.iter().all(|finding| finding.severity == Severity::Warning));
        let last = findings.last().map(ToString::to_string);
        let expected = "f.xml:200:1: warning: 3 more warnings are not shown (mend those above first)";
        assert_eq!((findings.len(), last.as_deref()), (201, Some(expected)));
        assert_eq!(found(200, 0).1.len(), 200);
    }

    #[test]
    fn one_error_that_is_not_shown_is_an_error() {
        let (failed, findings) = found(0, 201);
        let last = findings.last().map(ToString::to_string);
        let expected = "f.xml:200:1: error: 1 more error is not shown (mend those above first)";
        assert_eq!((failed, findings.len(), last.as_deref()), (true, 201, Some(expected)));
        let (failed, findings) = found(150, 300);
        let last = findings.last().map(|finding| (finding.check.code, finding.what.as_str()));
        let expected = "250 more findings are not shown, 100 of them errors";
        assert_eq!((failed, last), (true, Some(("too-much", expected))));
    }

    #[test]
    fn no_error_is_hidden_by_warnings() {
        let (failed, findings) = found(300, 2);
        let shown: Vec<&Finding> =
            findings.iter().filter(|finding| finding.severity == Severity::Error).collect();
        assert!(failed);
        assert_eq!(shown.iter().map(|finding| finding.at.line).collect::<Vec<_>>(), [301, 302]);
        let last = findings.last().map(|finding| (finding.severity, finding.what.as_str()));
        assert_eq!(last, Some((Severity::Warning, "102 more warnings are not shown")));
    }
}
