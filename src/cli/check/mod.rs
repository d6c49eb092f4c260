//! `baton check`: all findings of some files, and what they measure.

mod report;

use std::fs::File;
use std::io::{ErrorKind, Read, Write as _};
use std::path::{Path, PathBuf};

use self::report::Report;
use super::{Exit, say};
use crate::contacts;
use crate::dialplan::Dialplan;
use crate::measure::Measures;
use crate::prompts::Recordings;
use crate::questionnaire::Questionnaire;
use crate::settings::{Limits, Settings, SettingsError};
use crate::xml::{self, Check, Finding, Position, Severity, checks};

/// Arguments of `baton check`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 no errors (there may be warnings), 1 errors, 2 a file cannot be read.\n\
                  docs/checks.md tells what is looked for, how times are measured, and the shape of the JSON."
)]
pub(super) struct Args {
    /// Questionnaires, dialplans, settings; `-` for stdin. Recordings are looked for beside their questionnaire
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A file of contacts, checked against the contact fields of each questionnaire
    #[arg(long, value_name = "FILE.csv")]
    contacts: Option<PathBuf>,
    /// Print one JSON document instead of lines
    #[arg(long)]
    json: bool,
}

/// Checks every file and says every finding.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let mut report = Report::default();
    let mut exit = Exit::Done;
    let mut read = |file: &Path, most: usize| {
        let name = name(file);
        read_file(file, most).map_err(|error| {
            say(&format!("baton: cannot read {name}: {error}"));
            exit = Exit::Usage;
        })
    };
    let contacts = match &args.contacts {
        Some(file) => read(file, contacts::MAX_BYTES).ok().map(|bytes| (name(file), bytes)),
        None => None,
    };
    for file in &args.files {
        let Ok(bytes) = read(file, xml::MAX_BYTES) else { continue };
        let (checked, questionnaire) = check(file, &bytes);
        report.files.push(checked);
        if let Some((contacts, (name, bytes))) = questionnaire.zip(contacts.as_ref()) {
            report.files.push(of_contacts(&contacts, name, bytes));
        }
    }
    if args.contacts.is_some() && !report.files.iter().any(|file| file.kind == Kind::Questionnaire) {
        anyhow::bail!("--contacts needs a questionnaire to check the contacts against");
    }
    if exit == Exit::Done && report.files.iter().any(Checked::has_errors) {
        exit = Exit::Not;
    }
    to_stdout(&if args.json { report.json()? } else { report.lines() })?;
    Ok(exit)
}

/// How a file is called in findings.
fn name(file: &Path) -> String {
    if file == Path::new("-") { "<stdin>".to_owned() } else { file.display().to_string() }
}

/// Reads a file, or stdin for `-`: one byte more than `most` at most, so that no file fills the memory.
fn read_file(file: &Path, most: usize) -> std::io::Result<Vec<u8>> {
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes)?;
    } else {
        File::open(file)?.take(limit).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// Writes a result to stdout; who closes it early (`| head`) has seen enough.
pub(super) fn to_stdout(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// What kind of file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Questionnaire,
    Dialplan,
    Settings,
    Contacts,
}

/// What came of one file.
struct Checked {
    name: String,
    kind: Kind,
    /// What it holds, if nothing is an error.
    summary: Option<String>,
    findings: Vec<Finding>,
    /// What a questionnaire measures, if nothing is an error.
    measures: Option<Measures>,
}

impl Checked {
    fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    fn of<T>(
        name: String,
        kind: Kind,
        loaded: Result<(T, Vec<Finding>), Vec<Finding>>,
        summary: impl Fn(&T) -> String,
    ) -> Self {
        let (summary, findings) = match loaded {
            Ok((it, findings)) => (Some(summary(&it)), findings),
            Err(findings) => (None, findings),
        };
        Self { name, kind, summary, findings, measures: None }
    }
}

/// Checks a file. Its kind is told by its name (`.toml`), on stdin by its first character, and by its root
/// element. A questionnaire without errors comes with it.
fn check(file: &Path, bytes: &[u8]) -> (Checked, Option<Questionnaire>) {
    let name = name(file);
    let is_toml = file.extension().is_some_and(|extension| extension == "toml");
    let is_stdin = file == Path::new("-");
    let is_xml = bytes
        .iter()
        .find(|byte| !byte.is_ascii_whitespace())
        .is_none_or(|byte| b"<\xEF\xFE\xFF".contains(byte));
    if is_toml || (is_stdin && !is_xml) {
        let loaded = settings(&name, bytes);
        return (Checked::of(name, Kind::Settings, loaded, |_| "settings".to_owned()), None);
    }
    if xml::parse(&name, bytes).is_ok_and(|document| document.root.name == "dialplan") {
        let loaded = Dialplan::load(&name, bytes);
        return (Checked::of(name, Kind::Dialplan, loaded, dialplan), None);
    }
    let beside = if is_stdin { Path::new("") } else { file };
    of_questionnaire(name, beside, bytes)
}

fn of_questionnaire(name: String, file: &Path, bytes: &[u8]) -> (Checked, Option<Questionnaire>) {
    let directory = file.parent().unwrap_or(Path::new(""));
    let has_audio = |path: &str| directory.join(path).is_file();
    let (questionnaire, mut findings) = match Questionnaire::load_with(&name, bytes, &has_audio) {
        Ok((questionnaire, findings)) => (questionnaire, findings),
        Err(findings) => {
            let checked =
                Checked { name, kind: Kind::Questionnaire, summary: None, findings, measures: None };
            return (checked, None);
        }
    };
    let recordings = Recordings::of(&questionnaire, file, bytes, &Limits::default());
    findings.extend(recordings.findings.into_iter().map(|finding| Finding { file: name.clone(), ..finding }));
    findings.sort_by_key(|finding| finding.at);
    let mut checked = Checked { name, kind: Kind::Questionnaire, summary: None, findings, measures: None };
    if checked.has_errors() {
        return (checked, None);
    }
    checked.measures = Some(Measures::of(&questionnaire, &|path| recordings.lengths.get(path).copied()));
    checked.summary = Some(questionnaire_summary(&questionnaire));
    (checked, Some(questionnaire))
}

fn of_contacts(questionnaire: &Questionnaire, name: &str, bytes: &[u8]) -> Checked {
    let (count, findings) = contacts::check(questionnaire, name, bytes);
    let mut checked =
        Checked { name: name.to_owned(), kind: Kind::Contacts, summary: None, findings, measures: None };
    if !checked.has_errors() {
        let plural = if count == 1 { "" } else { "s" };
        checked.summary = Some(format!("{count} contact{plural} for `{}`", questionnaire.id()));
    }
    checked
}

fn settings(name: &str, bytes: &[u8]) -> Result<(Settings, Vec<Finding>), Vec<Finding>> {
    let finding = |check: &'static Check, at, what, mend| {
        vec![Finding { file: name.to_owned(), at, severity: Severity::Error, check, what, mend }]
    };
    let text = str::from_utf8(bytes).map_err(|error| {
        let valid = bytes.get(..error.valid_up_to()).and_then(|valid| str::from_utf8(valid).ok());
        let at = Position::START.after(valid.unwrap_or_default());
        finding(&checks::NOT_UTF8, at, "the file is not in UTF-8 from here on".to_owned(), None)
    })?;
    match Settings::parse(name, text) {
        Ok(settings) => Ok((settings, Vec::new())),
        Err(SettingsError::Wrong { line, column, what, mend, .. }) => {
            let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            let at = Position { line: number(line), column: number(column) };
            Err(finding(&checks::WRONG_VALUE, at, what, mend))
        }
        Err(error @ (SettingsError::Unreadable { .. } | SettingsError::TooLarge { .. })) => {
            Err(finding(&checks::TOO_MUCH, Position::START, error.to_string(), None))
        }
    }
}

fn questionnaire_summary(questionnaire: &Questionnaire) -> String {
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
