//! What every command that calls needs: a questionnaire with its prompts, contact fields of `--set`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;

use crate::call::Assets;
use crate::id::Digest;
use crate::interview::Interview;
use crate::prompts::PromptStore;
use crate::questionnaire::Questionnaire;
use crate::settings::Settings;
use crate::xml::{Finding, Severity};

/// A checked questionnaire whose prompts are ready.
pub(super) struct Survey {
    pub(super) questionnaire: Arc<Questionnaire>,
    pub(super) prompts: Arc<PromptStore>,
}

impl Survey {
    /// Reads a questionnaire and makes its prompts ready. Warnings are said; errors are returned, all of
    /// them in one text.
    pub(super) fn load(file: &Path, settings: &Settings) -> anyhow::Result<Self> {
        let name = file.display().to_string();
        let bytes = std::fs::read(file).with_context(|| format!("cannot read the questionnaire {name}"))?;
        let directory = file.parent().unwrap_or(Path::new(""));
        let has_audio = |path: &str| directory.join(path).is_file();
        let loaded = Questionnaire::load_with(&name, &bytes, &has_audio);
        let (questionnaire, warnings) = loaded.map_err(|findings| broken(&name, &findings))?;
        say_findings(&name, &warnings)?;
        let prompts = PromptStore::new(settings);
        let made = prompts.load_questionnaire(&questionnaire, file, &bytes);
        made.map_err(|findings| broken(&name, &findings))?;
        Ok(Self { questionnaire: Arc::new(questionnaire), prompts: Arc::new(prompts) })
    }

    /// Whether these contact fields are those that the questionnaire needs.
    pub(super) fn check_fields(&self, fields: &BTreeMap<String, String>) -> anyhow::Result<()> {
        Interview::begin(&self.questionnaire, fields, 0).context("the interview cannot begin (see --set)")?;
        Ok(())
    }

    /// The assets of a node that asks this alone, and the digest to ask for.
    pub(super) fn assets(&self) -> (Assets, Digest) {
        let mut assets = Assets::default();
        let digest = assets.insert(Arc::clone(&self.questionnaire));
        (assets, digest)
    }
}

/// Says warnings; errors are returned, all of them in one text.
pub(super) fn say_findings(what: &str, findings: &[Finding]) -> anyhow::Result<()> {
    if findings.iter().any(|finding| finding.severity == Severity::Error) {
        return Err(broken(what, findings));
    }
    findings.iter().for_each(|finding| super::say(&finding.to_string()));
    Ok(())
}

/// All findings of a file as one error.
pub(super) fn broken(name: &str, findings: &[Finding]) -> anyhow::Error {
    let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
    anyhow::anyhow!("{name} cannot be used:\n{}", lines.join("\n"))
}

/// Reads `field=value` of `--set`.
pub(super) fn field(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        Some(_) | None => Err("write it as field=value".to_owned()),
    }
}

/// The fields of all `--set`; the last one of a name counts.
pub(super) fn fields(set: &[(String, String)]) -> BTreeMap<String, String> {
    set.iter().cloned().collect()
}
