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

/// Findings kept of one file; more are counted only.
const MAX_FINDINGS: usize = 200;

/// Gathers the findings of one file.
#[derive(Clone, Debug)]
pub struct Findings {
    file: String,
    kept: Vec<Finding>,
    dropped: usize,
}

impl Findings {
    /// No findings yet about this file.
    #[must_use]
    pub fn of(file: &str) -> Self {
        Self { file: file.to_owned(), kept: Vec::new(), dropped: 0 }
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
        if self.kept.len() < MAX_FINDINGS {
            let (file, severity) = (self.file.clone(), check.severity);
            self.kept.push(Finding { file, at, severity, check, what: what.into(), mend: mend.into() });
        } else {
            self.dropped += 1;
        }
    }

    /// Whether there is an error among them.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.dropped > 0 || self.kept.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// All findings, sorted by place.
    #[must_use]
    pub fn into_sorted(mut self) -> Vec<Finding> {
        if let Some(last) = self.kept.last().filter(|_| self.dropped > 0) {
            let (at, dropped) = (last.at, self.dropped);
            let what = format!("{dropped} more findings are not shown");
            let mend = Some("mend those above first".to_owned());
            let (check, severity) = (&checks::TOO_MUCH, Severity::Error);
            self.kept.push(Finding { file: self.file, at, severity, check, what, mend });
        }
        self.kept.sort_by(|a, b| (a.at, a.severity, &a.what).cmp(&(b.at, b.severity, &b.what)));
        self.kept.dedup();
        self.kept
    }
}
