//! What an instance asks, and how it gets there: its settings, dialplan and questionnaires, checked together.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::call::Assets;
use crate::dialplan::Dialplan;
use crate::id::Digest;
use crate::prompts::PromptStore;
use crate::questionnaire::Questionnaire;
use crate::routing::{self, DialplanError};
use crate::settings::Settings;
use crate::store::editions::{Edition, EditionError, Editions};
use crate::xml::Finding;

/// What new calls are placed with.
#[derive(Debug)]
pub(super) struct Library {
    pub(super) settings: Settings,
    pub(super) dialplan: Option<Arc<Dialplan>>,
    /// By their ids.
    pub(super) questionnaires: BTreeMap<String, Arc<Questionnaire>>,
    /// Editions that running calls are pinned to, besides those.
    pub(super) older: BTreeMap<Digest, Arc<Questionnaire>>,
}

/// Why a library cannot be used. Every text is whole: file, line and column where there is one.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// A questionnaire or its recordings cannot be read or kept.
    #[error(transparent)]
    Edition(#[from] EditionError),
    /// Something in a file is wrong.
    #[error("{} cannot be used:\n{}", .file.display(), lines(.findings))]
    Findings {
        /// The file.
        file: PathBuf,
        /// All its findings.
        findings: Vec<Finding>,
    },
    /// Two files have one id: a call that names it could mean either.
    #[error("{} and {} both have the id `{id}`; give each questionnaire an id of its own", .files[0].display(), .files[1].display())]
    Twice {
        /// The id.
        id: String,
        /// The files.
        files: [PathBuf; 2],
    },
    /// The dialplan cannot be used.
    #[error(transparent)]
    Dialplan(#[from] DialplanError),
    /// There is nothing to ask.
    #[error("the settings list no questionnaire; add questionnaires = [\"clinic.xml\"] at their top")]
    Nothing,
}

fn lines(findings: &[Finding]) -> String {
    findings.iter().map(Finding::to_string).collect::<Vec<_>>().join("\n")
}

/// Where libraries come from.
#[derive(Debug)]
pub(super) struct Shelf {
    pub(super) editions: Editions,
    pub(super) prompts: Arc<PromptStore>,
}

impl Shelf {
    /// Reads everything that these settings name. Warnings are logged.
    pub(super) fn library(&self, settings: Settings) -> Result<Library, LibraryError> {
        if settings.questionnaires.is_empty() {
            return Err(LibraryError::Nothing);
        }
        let dialplan = dialplan(&settings)?;
        let mut questionnaires: BTreeMap<String, (PathBuf, Arc<Questionnaire>)> = BTreeMap::new();
        for file in &settings.questionnaires {
            let edition = self.editions.keep(file)?;
            warn(&edition.warnings);
            let questionnaire = Arc::new(self.sounding(edition, file)?);
            let id = questionnaire.id().to_owned();
            if let Some((other, _)) = questionnaires.insert(id.clone(), (file.clone(), questionnaire)) {
                return Err(LibraryError::Twice { id, files: [other, file.clone()] });
            }
        }
        let questionnaires: BTreeMap<_, _> =
            questionnaires.into_iter().map(|(id, (_, questionnaire))| (id, questionnaire)).collect();
        Ok(Library { settings, dialplan, questionnaires, older: BTreeMap::new() })
    }

    /// Adds the editions of running calls to a library; one that cannot be had any more is told in the log.
    pub(super) fn add(&self, library: &mut Library, needed: &BTreeSet<Digest>) {
        let known: BTreeSet<Digest> = library.all().map(|it| it.digest()).collect();
        for &digest in needed.difference(&known) {
            match self.older(digest) {
                Ok(questionnaire) => drop(library.older.insert(digest, Arc::new(questionnaire))),
                Err(error) => tracing::error!(
                    %error,
                    "running calls are pinned to an edition that cannot be had any more; they will be ended"
                ),
            }
        }
    }

    fn older(&self, digest: Digest) -> Result<Questionnaire, LibraryError> {
        let edition = self.editions.load(digest)?;
        let file = edition.file.clone();
        self.sounding(edition, &file)
    }

    /// Makes the prompts of an edition ready. Findings name the file that people know.
    fn sounding(&self, edition: Edition, known: &Path) -> Result<Questionnaire, LibraryError> {
        let Edition { questionnaire, file, bytes, warnings: _ } = edition;
        match self.prompts.load_questionnaire(&questionnaire, &file, &bytes) {
            Ok(_) => Ok(questionnaire),
            Err(findings) => {
                let name = known.display().to_string();
                let named = |finding: Finding| Finding { file: name.clone(), ..finding };
                let findings = findings.into_iter().map(named).collect();
                Err(LibraryError::Findings { file: known.to_owned(), findings })
            }
        }
    }

    /// Forgets what this library does not hold.
    pub(super) fn retain(&self, library: &Library) {
        let all: Vec<&Questionnaire> = library.all().map(Arc::as_ref).collect();
        self.prompts.retain(&all);
        self.editions.retain(&all.iter().map(|questionnaire| questionnaire.digest()).collect());
    }
}

impl Library {
    fn all(&self) -> impl Iterator<Item = &Arc<Questionnaire>> {
        self.questionnaires.values().chain(self.older.values())
    }

    /// Keeps those of these editions that the library before has and this one has not.
    pub(super) fn take_over(&mut self, before: &Self, needed: &BTreeSet<Digest>) {
        for questionnaire in before.all() {
            let digest = questionnaire.digest();
            if needed.contains(&digest) && !self.all().any(|known| known.digest() == digest) {
                self.older.insert(digest, Arc::clone(questionnaire));
            }
        }
    }

    /// All of them, for the node.
    pub(super) fn assets(&self) -> Assets {
        let mut assets = Assets::default();
        if let Some(dialplan) = &self.dialplan {
            assets.set_dialplan(Arc::clone(dialplan));
        }
        for questionnaire in self.all() {
            assets.insert(Arc::clone(questionnaire));
        }
        assets
    }

    /// An edition by its digest.
    pub(super) fn edition(&self, digest: &str) -> Option<&Arc<Questionnaire>> {
        self.all().find(|questionnaire| questionnaire.digest().to_string() == digest)
    }
}

/// The dialplan, if the settings name one. Its warnings are logged.
fn dialplan(settings: &Settings) -> Result<Option<Arc<Dialplan>>, DialplanError> {
    let loaded = routing::load(settings)?;
    Ok(loaded.map(|(dialplan, warnings)| {
        warn(&warnings);
        Arc::new(dialplan)
    }))
}

fn warn(findings: &[Finding]) {
    for finding in findings {
        tracing::warn!("{finding}");
    }
}
