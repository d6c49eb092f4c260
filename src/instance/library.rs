//! What an instance asks, and how it gets there: its settings, dialplan and questionnaires, checked together.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::{JoinHandle, spawn_blocking};

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
    pub(super) kept: Editions,
    pub(super) prompts: Arc<PromptStore>,
    /// Editions stay on disk: calls of other instances may be pinned to them.
    pub(super) keeps_all: bool,
}

/// A library that is being read.
type Reading = JoinHandle<Result<Library, LibraryError>>;

impl Shelf {
    /// The shelf of an instance, and what these settings name on its way from there.
    pub(super) fn new(settings: &Settings, data: &Path) -> (Arc<Self>, Reading) {
        let kept = Editions::new(data.join("editions"), settings.limits.prompt_file);
        let prompts = Arc::new(PromptStore::new(settings));
        let shelf = Arc::new(Self { kept, prompts, keeps_all: settings.cluster.is_some() });
        let (at, settings) = (Arc::clone(&shelf), settings.clone());
        (shelf, spawn_blocking(move || at.library(settings)))
    }

    /// Reads everything that these settings name. Warnings are logged.
    pub(super) fn library(&self, settings: Settings) -> Result<Library, LibraryError> {
        if settings.questionnaires.is_empty() {
            return Err(LibraryError::Nothing);
        }
        let dialplan = dialplan(&settings)?;
        let mut questionnaires: BTreeMap<String, (PathBuf, Arc<Questionnaire>)> = BTreeMap::new();
        for file in &settings.questionnaires {
            let edition = self.kept.keep(file)?;
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
        let loaded = self.editions(&library.lacks(needed));
        library.older.extend(loaded.into_iter().map(|one| (one.digest(), one)));
    }

    /// Editions of running calls; one that cannot be had any more is told in the log.
    pub(super) fn editions(&self, needed: &BTreeSet<Digest>) -> Vec<Arc<Questionnaire>> {
        let mut loaded = Vec::new();
        for &digest in needed {
            match self.older(digest) {
                Ok(questionnaire) => loaded.push(Arc::new(questionnaire)),
                Err(error) => tracing::error!(
                    %error,
                    "running calls are pinned to an edition that cannot be had any more; they will be ended"
                ),
            }
        }
        loaded
    }

    fn older(&self, digest: Digest) -> Result<Questionnaire, LibraryError> {
        let edition = self.kept.load(digest)?;
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
        if self.keeps_all {
            return;
        }
        self.kept.retain(&all.iter().map(|questionnaire| questionnaire.digest()).collect());
    }
}

impl Library {
    fn all(&self) -> impl Iterator<Item = &Arc<Questionnaire>> {
        self.questionnaires.values().chain(self.older.values())
    }

    /// Those of these editions that it does not hold.
    pub(super) fn lacks(&self, needed: &BTreeSet<Digest>) -> BTreeSet<Digest> {
        let known: BTreeSet<Digest> = self.all().map(|it| it.digest()).collect();
        needed.difference(&known).copied().collect()
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

    /// What calls are placed with, as one digest: equal where they would be placed alike.
    pub(super) fn digest(&self) -> Digest {
        let questionnaires = self.questionnaires.iter().map(|(id, it)| format!("{id} {}\n", it.digest()));
        let dialplan = self.dialplan.iter().map(|dialplan| format!("dialplan {}\n", dialplan.digest()));
        let trunks = self.settings.trunks.iter();
        let trunks = trunks.map(|(name, trunk)| format!("{name} {:?} {}\n", trunk.transport, trunk.address));
        let default = self.settings.default_trunk.iter().map(|name| format!("default {name}\n"));
        let all: String = questionnaires.chain(dialplan).chain(trunks).chain(default).collect();
        Digest::of(all.as_bytes())
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
