//! `baton check`: all findings of some files.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::{Exit, say};
use crate::dialplan::Dialplan;
use crate::questionnaire::Questionnaire;
use crate::settings::{Settings, SettingsError};
use crate::xml::{self, Finding, Position, Severity, checks};

/// Arguments of `baton check`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 no errors (there may be warnings), 1 errors, 2 a file cannot be read.")]
pub(super) struct Args {
    /// Questionnaires, dialplans, settings; recordings are looked for beside their questionnaire
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print one JSON document instead of lines
    #[arg(long)]
    json: bool,
}

/// Checks every file and says every finding.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let mut checked = Vec::new();
    let mut exit = Exit::Done;
    for file in &args.files {
        let name = file.display().to_string();
        match std::fs::read(file) {
            Ok(bytes) => checked.push(check(file, name, &bytes)),
            Err(error) => {
                say(&format!("baton: cannot read {name}: {error}"));
                exit = Exit::Usage;
            }
        }
    }
    if exit == Exit::Done && checked.iter().any(|file| file.summary.is_none()) {
        exit = Exit::Not;
    }
    to_stdout(&if args.json { json(&checked)? } else { lines(&checked) })?;
    Ok(exit)
}

/// Writes a result to stdout; who closes it early (`| head`) has seen enough.
pub(super) fn to_stdout(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// What came of one file.
struct Checked {
    name: String,
    /// What it holds, if nothing is an error.
    summary: Option<String>,
    findings: Vec<Finding>,
}

impl Checked {
    fn of<T>(
        name: String,
        loaded: Result<(T, Vec<Finding>), Vec<Finding>>,
        summary: fn(&T) -> String,
    ) -> Self {
        match loaded {
            Ok((it, findings)) => Self { name, summary: Some(summary(&it)), findings },
            Err(findings) => Self { name, summary: None, findings },
        }
    }
}

/// A file's kind is told by its name (`.toml`) or its root element.
fn check(file: &Path, name: String, bytes: &[u8]) -> Checked {
    if file.extension().is_some_and(|extension| extension == "toml") {
        let loaded = settings(&name, bytes);
        return Checked::of(name, loaded, |_| "settings".to_owned());
    }
    if xml::parse(&name, bytes).is_ok_and(|document| document.root.name == "dialplan") {
        let loaded = Dialplan::load(&name, bytes);
        return Checked::of(name, loaded, dialplan);
    }
    let directory = file.parent().unwrap_or(Path::new(""));
    let has_audio = |path: &str| directory.join(path).is_file();
    let loaded = Questionnaire::load_with(&name, bytes, &has_audio);
    Checked::of(name, loaded, questionnaire)
}

fn settings(name: &str, bytes: &[u8]) -> Result<(Settings, Vec<Finding>), Vec<Finding>> {
    let finding = |at, what, mend| {
        vec![Finding {
            file: name.to_owned(),
            at,
            severity: Severity::Error,
            check: &checks::WRONG_VALUE,
            what,
            mend,
        }]
    };
    let text = str::from_utf8(bytes)
        .map_err(|_| finding(Position::START, "the file is not in UTF-8".to_owned(), None))?;
    match Settings::parse(name, text) {
        Ok(settings) => Ok((settings, Vec::new())),
        Err(SettingsError::Wrong { line, column, what, mend, .. }) => {
            let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            Err(finding(Position { line: number(line), column: number(column) }, what, mend))
        }
        Err(error @ (SettingsError::Unreadable { .. } | SettingsError::TooLarge { .. })) => {
            Err(finding(Position::START, error.to_string(), None))
        }
    }
}

fn questionnaire(questionnaire: &Questionnaire) -> String {
    let (id, version) = (questionnaire.id(), questionnaire.version());
    let questions = questionnaire.questions().count();
    let languages = questionnaire.languages().join(", ");
    let plural = if questions == 1 { "" } else { "s" };
    format!("questionnaire `{id}` version {version}, {questions} question{plural}, in {languages}")
}

fn dialplan(dialplan: &Dialplan) -> String {
    let contexts: Vec<&str> = dialplan.contexts().collect();
    format!("dialplan with the context {}", contexts.join(", "))
}

/// A line for each finding; below the first of each kind, why it is looked for.
fn lines(checked: &[Checked]) -> String {
    let mut text = String::new();
    let mut explained: Vec<&str> = Vec::new();
    for file in checked {
        for finding in &file.findings {
            let check = finding.check;
            text.push_str(&format!("{finding} [{}]\n", check.code));
            if !explained.contains(&check.code) {
                text.push_str(&format!("    why: {}\n", check.why));
                explained.push(check.code);
            }
        }
        if let (Some(summary), true) = (&file.summary, file.findings.is_empty()) {
            text.push_str(&format!("{}: {summary}: no findings\n", file.name));
        }
    }
    text
}

/// The findings of all files as one document.
#[derive(Debug, serde::Serialize)]
struct Report<'a> {
    files: usize,
    errors: usize,
    warnings: usize,
    findings: Vec<Row<'a>>,
}

#[derive(Debug, serde::Serialize)]
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

fn json(checked: &[Checked]) -> anyhow::Result<String> {
    let findings: Vec<Row<'_>> = checked
        .iter()
        .flat_map(|file| &file.findings)
        .map(|finding| Row {
            file: &finding.file,
            line: finding.at.line,
            column: finding.at.column,
            severity: finding.severity,
            code: finding.check.code,
            what: &finding.what,
            why: finding.check.why,
            mend: finding.mend.as_deref(),
        })
        .collect();
    let count = |severity| findings.iter().filter(|row| row.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let report = Report { files: checked.len(), errors, warnings, findings };
    Ok(serde_json::to_string_pretty(&report)? + "\n")
}
