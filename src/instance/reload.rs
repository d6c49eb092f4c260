//! Reading the settings anew while calls go on.
//!
//! ```text
//! settings ─► questionnaires, prompts, dialplan ─► (publish) ─► the node ─► what nobody needs any more is forgotten
//!    └── wrong ──────────┴── wrong ────────────────┴── wrong ────┴── wrong ─► everything stays as it was
//! ```
//! A member publishes what it read, for all of its cluster (`publish`), and then takes members, voters and T.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::library::{Library, Shelf};
use super::publish::{Publication, PublishError};
use super::{Instance, LibraryError};
use crate::id::Digest;
use crate::settings::{SecretError, Settings, SettingsError};
use crate::store::records::RecordsError;

/// Why everything stayed as it was.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Questionnaires, prompts, dialplan.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// A password.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Which editions are needed cannot be read.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// It is not for all members of the cluster.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// A bug.
    #[error("reading them panicked; please report this")]
    Panicked,
}

/// What was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reloaded {
    /// Questionnaires that can be asked for.
    pub questionnaires: usize,
    /// Older editions that running calls are pinned to.
    pub older: usize,
    /// Settings that changed in the file and are taken at the next start.
    pub after_restart: Vec<&'static str>,
    /// Of a member: what became of its files.
    pub publication: Option<Publication>,
}

impl Instance {
    /// Reads the settings file anew. Running calls go on as they began: with their editions, to their addresses.
    ///
    /// # Errors
    /// [`ReloadError`]; everything stays as it was then.
    pub async fn reload(&self, file: &Path) -> Result<Reloaded, ReloadError> {
        let written = Settings::load(file)?;
        if let Some(member) = &self.member {
            let cluster = written.cluster.clone();
            let reloaded = self.publish(written, false).await?;
            cluster.into_iter().for_each(|cluster| member.renewal.renew(&cluster));
            return Ok(reloaded);
        }
        let (own, after_restart) = self.taken(&written).await;
        let new = self.read(move |shelf| shelf.library(own)).await?;
        let (questionnaires, older) = self.put(new).await?;
        Ok(Reloaded { questionnaires, older, after_restart, publication: None })
    }

    /// The settings that hold from now on, and what has changed in the file besides.
    pub(super) async fn taken(&self, written: &Settings) -> (Settings, Vec<&'static str>) {
        let library = self.library.read().await;
        (taken(&library.own, written), after_restart(&library.own, written))
    }

    /// Reads a library, with the editions of running calls. Prompts may take long to be spoken; calls are placed with the
    /// old ones meanwhile.
    pub(super) async fn read(
        &self,
        how: impl FnOnce(&Shelf) -> Result<Library, LibraryError> + Send + 'static,
    ) -> Result<Library, ReloadError> {
        let (needed, shelf) = (self.needed().await?, Arc::clone(&self.shelf));
        let read = tokio::task::spawn_blocking(move || {
            let mut library = how(&shelf)?;
            shelf.add(&mut library, &needed);
            Ok(library)
        });
        read.await.map_err(|_| ReloadError::Panicked)?.map_err(ReloadError::Library)
    }

    /// From now on calls are placed with this library; how many questionnaires it has, and older editions.
    pub(super) async fn put(&self, mut new: Library) -> Result<(usize, usize), ReloadError> {
        let mut library = self.library.write().await;
        // From here on none is placed: what those of the meantime need is known.
        new.take_over(&library, &self.needed().await?);
        let (node, settings, assets) = (Arc::clone(&self.node), new.settings.clone(), new.assets());
        let renewed = tokio::task::spawn_blocking(move || node.renew(settings, assets));
        renewed.await.map_err(|_| ReloadError::Panicked)??;
        self.shelf.retain(&new);
        let counts = (new.questionnaires.len(), new.older.len());
        *library = new;
        drop(library);
        self.note_assets().await;
        Ok(counts)
    }

    /// Editions of calls that may still be running.
    pub(super) async fn needed(&self) -> Result<BTreeSet<Digest>, RecordsError> {
        let open = self.records.open_calls().await?;
        let digests = open.iter().filter_map(|kept| kept.digest.parse().ok());
        Ok(digests.chain(self.pinned.iter().copied()).collect())
    }
}

/// The settings that hold from now on: what can change is taken from the file.
fn taken(running: &Settings, written: &Settings) -> Settings {
    let mut settings = running.clone();
    settings.take_trunks(written);
    settings.dialplan.clone_from(&written.dialplan);
    settings.questionnaires.clone_from(&written.questionnaires);
    settings.drain = written.drain;
    settings.sip.strangers = written.sip.strangers;
    // Who listens beyond loopback keeps its tokens: a file that listens elsewhere may have none.
    if running.http.listen.ip().is_loopback() || !written.http.tokens.is_empty() {
        settings.http.tokens.clone_from(&written.http.tokens);
    }
    settings
}

/// What changed in the file and needs a restart, by its key.
fn after_restart(running: &Settings, written: &Settings) -> Vec<&'static str> {
    let mut keys = Vec::new();
    let mut differs = |key, differs: bool| keys.extend(differs.then_some(key));
    differs("[sip] listen", running.listens_at() != written.listens_at());
    differs("[sip] user_agent", running.sip.user_agent != written.sip.user_agent);
    differs("[media]", running.media != written.media);
    differs("[http] listen", running.http.listen != written.http.listen);
    differs("[data]", running.data != written.data);
    differs("[journal]", running.journal != written.journal);
    differs("[recordings]", running.recordings != written.recordings);
    differs("[speech]", running.speech != written.speech);
    differs("[prompts]", running.prompts != written.prompts);
    differs("[limits]", running.limits != written.limits);
    match (&running.cluster, &written.cluster) {
        (Some(running), Some(written)) => keys.extend(running.after_restart(written)),
        (None, None) => {}
        (Some(_), None) | (None, Some(_)) => keys.push("[cluster]"),
    }
    keys
}
