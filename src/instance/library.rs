//! What an instance asks, and how it gets there: its settings, dialplan and questionnaires, checked together.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::{JoinHandle, spawn_blocking};

use super::manifest::{Manifest, ManifestError};
use super::state::State;
use crate::call::Assets;
use crate::dialplan::Dialplan;
use crate::engine::Index;
use crate::id::Digest;
use crate::peers::{Identity, Stock};
use crate::prompts::PromptStore;
use crate::questionnaire::Questionnaire;
use crate::routing::{self, DialplanError};
use crate::settings::{SecretError, Settings, SettingsError};
use crate::store::editions::{Edition, EditionError, Editions, Parts};
use crate::store::files::{Content, FileError, Files};
use crate::xml::Finding;

/// What new calls are placed with.
#[derive(Debug)]
pub(super) struct Library {
    /// The settings as they are written here.
    pub(super) own: Settings,
    /// Those that hold: of a member, with the cluster's trunks.
    pub(super) settings: Settings,
    /// What all members are to have alike, as it is here.
    pub(super) manifest: Manifest,
    /// Its digest: equal where calls would be placed alike.
    pub(super) content: Content,
    /// The cluster's index that it was taken by or published as; absent: these are this instance's own files.
    pub(super) index: Option<Index>,
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
    /// The trunks of the cluster do not go with this instance.
    #[error(transparent)]
    Trunks(#[from] SettingsError),
    /// A password is not there.
    #[error("{0}. Passwords do not travel: put the same one at every member")]
    Secret(#[from] SecretError),
    /// A password is another one.
    #[error(
        "the password of trunk `{trunk}` is another one than that of who published the cluster's trunks; put the same one at \
         every member (passwords do not travel), and run `baton cluster publish` where it is right"
    )]
    OtherPassword {
        /// Whose.
        trunk: String,
    },
    /// The manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// One of the cluster's files.
    #[error("a file of the cluster is not here: {0}")]
    File(#[from] FileError),
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
    /// Files by digest, of a member.
    pub(super) files: Files,
    pub(super) prompts: Arc<PromptStore>,
    /// Where it stands what was adopted last.
    pub(super) state: PathBuf,
    /// Of a member: by it passwords are told apart.
    identity: Option<Identity>,
    /// Of a member editions stay on disk for a while: calls of other instances may be pinned to them.
    is_member: bool,
}

/// A library that is being read.
type Reading = JoinHandle<Result<Library, LibraryError>>;

impl Shelf {
    /// The shelf of an instance, and what is asked, on its way from there: of a member what its cluster had last, of
    /// others what these settings name.
    pub(super) fn new(settings: &Settings, data: &Path) -> (Arc<Self>, Reading) {
        let kept = Editions::new(data.join("editions"), settings.limits.prompt_file);
        let assets = data.join("assets");
        let cluster = settings.cluster.as_ref();
        let shelf = Arc::new(Self {
            kept,
            files: Files::new(assets.join("files")),
            prompts: Arc::new(PromptStore::new(settings)),
            state: assets.join("adopted.json"),
            // What is wrong with it the membership says.
            identity: cluster.and_then(|cluster| Identity::load(&cluster.dir, cluster.name).ok()),
            is_member: cluster.is_some(),
        });
        let (at, settings) = (Arc::clone(&shelf), settings.clone());
        (shelf, spawn_blocking(move || at.first(settings)))
    }

    /// What other members may have of it.
    pub(super) fn stock(&self) -> Stock {
        Stock { files: self.files.clone(), editions: self.kept.clone() }
    }

    fn first(&self, settings: Settings) -> Result<Library, LibraryError> {
        let Some(index) = State::read(&self.state).adopted.filter(|_| self.is_member) else {
            return self.library(settings);
        };
        let adopted = self.manifest(&index).and_then(|manifest| self.of_cluster(&settings, manifest));
        match adopted {
            Ok(library) => Ok(Library { index: Some(index), ..library }),
            Err(error) => {
                tracing::error!(%error, "what the cluster had last cannot be used; this instance begins with its own files");
                self.library(settings)
            }
        }
    }

    /// A manifest that is here.
    pub(super) fn manifest(&self, index: &Index) -> Result<Manifest, LibraryError> {
        let bytes = self.files.read(Content { digest: index.manifest, bytes: index.bytes })?;
        Ok(Manifest::read(&bytes)?)
    }

    /// Reads everything that these settings name. Warnings are logged.
    pub(super) fn library(&self, settings: Settings) -> Result<Library, LibraryError> {
        if settings.questionnaires.is_empty() && !self.is_member {
            return Err(LibraryError::Nothing);
        }
        let dialplan = dialplan(settings.dialplan.as_deref(), &settings)?;
        let mut questionnaires = Questionnaires::default();
        for file in &settings.questionnaires {
            let edition = self.kept.keep(file)?;
            warn(&edition.warnings);
            let parts = edition.parts.clone();
            questionnaires.add(file, Arc::new(self.sounding(edition, file)?), parts)?;
        }
        let manifest = self.described(&settings, &questionnaires.parts, dialplan.as_ref())?;
        manifest.check(&settings.limits)?;
        let dialplan = dialplan.map(|(dialplan, _)| dialplan);
        Ok(Library::new(settings.clone(), settings, dialplan, questionnaires.loaded, manifest))
    }

    /// What the own files are, without making anything of them.
    pub(super) fn look(&self, settings: &Settings) -> Result<Manifest, LibraryError> {
        let dialplan = dialplan(settings.dialplan.as_deref(), settings)?;
        let mut questionnaires = Questionnaires::default();
        for file in &settings.questionnaires {
            let Edition { questionnaire, parts, .. } = self.kept.look(file)?;
            questionnaires.add(file, Arc::new(questionnaire), parts)?;
        }
        self.described(settings, &questionnaires.parts, dialplan.as_ref())
    }

    fn described(
        &self,
        settings: &Settings,
        parts: &BTreeMap<String, Parts>,
        dialplan: Option<&(Arc<Dialplan>, Content)>,
    ) -> Result<Manifest, LibraryError> {
        let passwords = self.passwords(settings)?;
        let dialplan = dialplan.map(|(_, content)| *content);
        Ok(Manifest::new(parts.clone(), dialplan, settings.shared_trunks(), passwords))
    }

    /// What tells the passwords of trunks apart.
    fn passwords(&self, settings: &Settings) -> Result<BTreeMap<String, Digest>, SecretError> {
        let Some(identity) = &self.identity else { return Ok(BTreeMap::new()) };
        let mut passwords = BTreeMap::new();
        for (name, trunk) in &settings.trunks {
            if let Some(credentials) = trunk.credentials(name)? {
                let said = ["trunk", name, &credentials.username, &credentials.password];
                passwords.insert(name.clone(), identity.beat_key().fingerprint(&said));
            }
        }
        Ok(passwords)
    }

    /// Reads what the cluster has: all its files are here. Of the settings as they are written here the rest holds.
    pub(super) fn of_cluster(&self, own: &Settings, manifest: Manifest) -> Result<Library, LibraryError> {
        manifest.check(&own.limits)?;
        let settings = own.with_shared_trunks(&manifest.trunks)?;
        let passwords = self.passwords(&settings)?;
        if let Some((trunk, _)) =
            manifest.passwords.iter().find(|(name, said)| passwords.get(*name) != Some(*said))
        {
            return Err(LibraryError::OtherPassword { trunk: trunk.clone() });
        }
        let file = match manifest.dialplan {
            Some(content) => {
                self.files.read(content)?;
                Some(self.files.path(content.digest))
            }
            None => None,
        };
        let dialplan = dialplan(file.as_deref(), &settings)?.map(|(dialplan, _)| dialplan);
        let mut questionnaires = Questionnaires::default();
        for parts in manifest.questionnaires.values() {
            let edition = self.kept.assemble(parts, &self.files)?;
            let file = edition.file.clone();
            questionnaires.add(&file, Arc::new(self.sounding(edition, &file)?), parts.clone())?;
        }
        Ok(Library::new(own.clone(), settings, dialplan, questionnaires.loaded, manifest))
    }

    /// Puts all files of a library where other members can have them, and its manifest. Waits for the disk.
    pub(super) fn share(&self, what: Shareable) -> Result<(), LibraryError> {
        for edition in what.editions {
            self.kept.share(edition, &self.files)?;
        }
        if let Some((file, content)) = what.dialplan {
            let read = std::fs::read(&file).map_err(|source| FileError::Disk { path: file, source })?;
            if self.files.keep(&read)? != content {
                return Err(FileError::Other { wanted: content }.into());
            }
        }
        self.files.keep(&what.manifest)?;
        Ok(())
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
        let Edition { questionnaire, file, bytes, .. } = edition;
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
        if self.is_member {
            return;
        }
        self.kept.retain(&all.iter().map(|questionnaire| questionnaire.digest()).collect());
    }
}

/// What of a library other members may have.
pub(super) struct Shareable {
    editions: Vec<Digest>,
    dialplan: Option<(PathBuf, Content)>,
    manifest: Vec<u8>,
}

/// Questionnaires as they are read, each with the files that it is made of.
#[derive(Default)]
struct Questionnaires {
    loaded: BTreeMap<String, Arc<Questionnaire>>,
    parts: BTreeMap<String, Parts>,
    from: BTreeMap<String, PathBuf>,
}

impl Questionnaires {
    fn add(
        &mut self,
        file: &Path,
        questionnaire: Arc<Questionnaire>,
        parts: Parts,
    ) -> Result<(), LibraryError> {
        let id = questionnaire.id().to_owned();
        if let Some(other) = self.from.insert(id.clone(), file.to_owned()) {
            return Err(LibraryError::Twice { id, files: [other, file.to_owned()] });
        }
        self.parts.insert(id.clone(), parts);
        self.loaded.insert(id, questionnaire);
        Ok(())
    }
}

impl Library {
    fn new(
        own: Settings,
        settings: Settings,
        dialplan: Option<Arc<Dialplan>>,
        questionnaires: BTreeMap<String, Arc<Questionnaire>>,
        manifest: Manifest,
    ) -> Self {
        let content = Content::of(&manifest.bytes());
        Self {
            own,
            settings,
            dialplan,
            questionnaires,
            older: BTreeMap::new(),
            manifest,
            content,
            index: None,
        }
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Questionnaire>> {
        self.questionnaires.values().chain(self.older.values())
    }

    /// What of it other members may have: all that this instance's own files are.
    pub(super) fn shareable(&self) -> Shareable {
        Shareable {
            editions: self.questionnaires.values().map(|questionnaire| questionnaire.digest()).collect(),
            dialplan: self.own.dialplan.clone().zip(self.manifest.dialplan),
            manifest: self.manifest.bytes(),
        }
    }

    /// All editions in it.
    pub(super) fn editions(&self) -> impl Iterator<Item = Digest> {
        self.all().map(|questionnaire| questionnaire.digest())
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

    /// An edition by its digest.
    pub(super) fn edition(&self, digest: &str) -> Option<&Arc<Questionnaire>> {
        self.all().find(|questionnaire| questionnaire.digest().to_string() == digest)
    }
}

/// A dialplan, if there is one, and what its file is. Its warnings are logged.
fn dialplan(
    file: Option<&Path>,
    settings: &Settings,
) -> Result<Option<(Arc<Dialplan>, Content)>, LibraryError> {
    let Some(file) = file else { return Ok(None) };
    let (dialplan, warnings) = routing::load_file(file, settings)?;
    warn(&warnings);
    let disk = |source| FileError::Disk { path: file.to_owned(), source };
    let bytes = std::fs::metadata(file).map_err(disk)?.len();
    let content = Content { digest: dialplan.digest(), bytes };
    Ok(Some((Arc::new(dialplan), content)))
}

fn warn(findings: &[Finding]) {
    for finding in findings {
        tracing::warn!("{finding}");
    }
}
