//! `baton check`: all findings of some files.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::Exit;
use crate::questionnaire::Questionnaire;
use crate::xml::{Finding, Severity};

/// Arguments of `baton check`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Questionnaires to check; their recordings are looked for beside them
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print one JSON document instead of lines
    #[arg(long)]
    json: bool,
}

/// Checks every file, says every finding; 1 if one of them is an error.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let mut checked = Vec::new();
    for file in &args.files {
        checked.push(check(file)?);
    }
    let mut out = std::io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &json(&checked))?;
        writeln!(out)?;
    } else {
        for file in &checked {
            for finding in &file.findings {
                writeln!(out, "{finding}")?;
            }
            if let (Some(summary), true) = (&file.summary, file.findings.is_empty()) {
                writeln!(out, "{}: {summary}: no findings", file.name)?;
            }
        }
    }
    Ok(if checked.iter().any(|file| file.summary.is_none()) { Exit::Not } else { Exit::Done })
}

/// What came of one file.
struct Checked {
    name: String,
    /// What it holds, if nothing is an error.
    summary: Option<String>,
    findings: Vec<Finding>,
}

fn check(file: &Path) -> anyhow::Result<Checked> {
    let name = file.display().to_string();
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {name}"))?;
    let directory = file.parent().unwrap_or(Path::new(""));
    let has_audio = |path: &str| directory.join(path).is_file();
    Ok(match Questionnaire::load_with(&name, &bytes, &has_audio) {
        Ok((questionnaire, findings)) => {
            let summary = Some(summary(&questionnaire));
            Checked { name, summary, findings }
        }
        Err(findings) => Checked { name, summary: None, findings },
    })
}

fn summary(questionnaire: &Questionnaire) -> String {
    let (id, version) = (questionnaire.id(), questionnaire.version());
    let questions = questionnaire.questions().count();
    let languages = questionnaire.languages().join(", ");
    let plural = if questions == 1 { "" } else { "s" };
    format!("questionnaire `{id}` version {version}, {questions} question{plural}, in {languages}")
}

fn json(checked: &[Checked]) -> serde_json::Value {
    let findings: Vec<&Finding> = checked.iter().flat_map(|file| &file.findings).collect();
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let rows: Vec<serde_json::Value> = findings
        .iter()
        .map(|finding| {
            serde_json::json!({
                "file": finding.file,
                "line": finding.at.line,
                "column": finding.at.column,
                "severity": finding.severity,
                "what": finding.what,
                "mend": finding.mend,
            })
        })
        .collect();
    serde_json::json!({
        "files": checked.len(),
        "errors": count(Severity::Error),
        "warnings": count(Severity::Warning),
        "findings": rows,
    })
}
