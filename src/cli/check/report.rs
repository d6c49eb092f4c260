//! What `baton check` prints: lines for people, or one JSON document of a stable shape (docs/checks.md).

use std::fmt::Write as _;
use std::time::Duration;

use super::{Checked, Kind};
use crate::measure::Measures;
use crate::xml::Severity;

/// The shape of the JSON. A change that old readers cannot bear raises it; new fields do not.
const FORMAT: u32 = 1;

/// All files that were checked.
#[derive(Default)]
pub(super) struct Report {
    pub(super) files: Vec<Checked>,
}

impl Report {
    /// A line for each finding; below the first of each kind, why it is looked for. Below a questionnaire
    /// without errors, what it measures.
    pub(super) fn lines(&self) -> String {
        let mut text = String::new();
        let mut explained: Vec<&str> = Vec::new();
        for file in &self.files {
            for finding in &file.findings {
                let check = finding.check;
                line(&mut text, &format!("{finding} [{}]", check.code));
                if !explained.contains(&check.code) {
                    line(&mut text, &format!("    why: {}", check.why));
                    explained.push(check.code);
                }
            }
            if let Some(summary) = &file.summary {
                line(&mut text, &format!("{}: {summary}: {}", file.name, file.in_words()));
            } else {
                line(&mut text, &format!("{}: {}", file.name, file.in_words()));
            }
            if let Some(measures) = &file.measures {
                measured(&mut text, measures);
            }
        }
        text
    }

    /// One document.
    pub(super) fn json(&self) -> anyhow::Result<String> {
        let findings: Vec<Row<'_>> = self.files.iter().flat_map(Checked::rows).collect();
        let count = |severity| findings.iter().filter(|row| row.severity == severity).count();
        let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
        let checked: Vec<FileRow<'_>> = self.files.iter().map(Checked::row).collect();
        let document = Document { format: FORMAT, files: checked.len(), errors, warnings, checked, findings };
        Ok(serde_json::to_string_pretty(&document)? + "\n")
    }
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("a string takes all");
}

impl Checked {
    /// `no findings`, `2 errors, 1 warning`.
    fn in_words(&self) -> String {
        let count = |severity, name: &str| match self.count(severity) {
            0 => None,
            1 => Some(format!("1 {name}")),
            many => Some(format!("{many} {name}s")),
        };
        let counts = [count(Severity::Error, "error"), count(Severity::Warning, "warning")];
        let counts: Vec<String> = counts.into_iter().flatten().collect();
        if counts.is_empty() { "no findings".to_owned() } else { counts.join(", ") }
    }

    fn row(&self) -> FileRow<'_> {
        FileRow {
            file: &self.name,
            kind: self.kind,
            errors: self.count(Severity::Error),
            warnings: self.count(Severity::Warning),
            measures: self.measures.as_ref().map(MeasuresRow::of),
        }
    }

    fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.findings.iter().map(|finding| Row {
            file: &finding.file,
            line: finding.at.line,
            column: finding.at.column,
            severity: finding.severity,
            code: finding.check.code,
            what: &finding.what,
            why: finding.check.why,
            mend: finding.mend.as_deref(),
        })
    }
}

/// ```text
///     ways 48, orders 1, loops 0
///     language   typical   longest   at most   relative
///     en           1m04s     1m20s     5m02s       1.00
/// ```
fn measured(text: &mut String, measures: &Measures) {
    let Measures { paths, orders, loops, languages } = measures;
    let (paths, orders) = (paths.rounded(), orders.rounded());
    line(text, &format!("    ways through it: {paths} at most; orders: {orders}; loops: {loops}"));
    line(text, "    language    typical   longest   at most  relative");
    for times in languages {
        let estimated = match times.estimated {
            share if share > 0.995 => "   (estimated from the texts)".to_owned(),
            share if share > 0.005 => format!("   ({:.0} % estimated from texts)", share * 100.0),
            _ => String::new(),
        };
        line(
            text,
            &format!(
                "    {:<8} {:>10} {:>9} {:>9} {:>9.2}{estimated}",
                times.language,
                minutes(times.typical),
                minutes(times.longest),
                minutes(times.at_most),
                times.relative,
            ),
        );
    }
}

/// `1.4 min`.
fn minutes(time: Duration) -> String {
    format!("{:.1} min", time.as_secs_f64() / 60.0)
}

/// The whole document.
#[derive(serde::Serialize)]
struct Document<'a> {
    format: u32,
    files: usize,
    errors: usize,
    warnings: usize,
    checked: Vec<FileRow<'a>>,
    findings: Vec<Row<'a>>,
}

#[derive(serde::Serialize)]
struct FileRow<'a> {
    file: &'a str,
    kind: Kind,
    errors: usize,
    warnings: usize,
    measures: Option<MeasuresRow<'a>>,
}

/// Numbers without a limit are texts: JSON readers round them.
#[derive(serde::Serialize)]
struct MeasuresRow<'a> {
    paths: String,
    orders: String,
    loops: usize,
    languages: Vec<TimesRow<'a>>,
}

#[derive(serde::Serialize)]
struct TimesRow<'a> {
    language: &'a str,
    typical_s: f64,
    longest_s: f64,
    at_most_s: f64,
    relative: f64,
    estimated: f64,
}

impl<'a> MeasuresRow<'a> {
    fn of(measures: &'a Measures) -> Self {
        let languages = measures.languages.iter().map(|times| TimesRow {
            language: &times.language,
            typical_s: seconds(times.typical),
            longest_s: seconds(times.longest),
            at_most_s: seconds(times.at_most),
            relative: thousandths(times.relative),
            estimated: thousandths(times.estimated),
        });
        Self {
            paths: measures.paths.to_string(),
            orders: measures.orders.to_string(),
            loops: measures.loops,
            languages: languages.collect(),
        }
    }
}

fn seconds(time: Duration) -> f64 {
    thousandths(time.as_secs_f64())
}

fn thousandths(number: f64) -> f64 {
    (number * 1_000.0).round() / 1_000.0
}

#[derive(serde::Serialize)]
struct Row<'a> {
    file: &'a str,
    line: u32,
    column: u32,
    severity: Severity,
    code: &'a str,
    what: &'a str,
    why: &'a str,
    mend: Option<&'a str>,
}
