//! Reading the settings anew while calls go on.
//!
//! ```text
//! settings ─► questionnaires, prompts, dialplan ─► the node ─► what nobody needs any more is forgotten
//!    └── wrong ──────────┴── wrong ────────────────┴── wrong ─► everything stays as it was
//! ```

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

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
}

impl Instance {
    /// Reads the settings file anew. Running calls go on as they began: with their editions, to their addresses.
    ///
    /// # Errors
    /// [`ReloadError`]; everything stays as it was then.
    pub async fn reload(&self, file: &Path) -> Result<Reloaded, ReloadError> {
        let written = Settings::load(file)?;
        let (settings, after_restart) = {
            let library = self.library.read().await;
            (taken(&library.settings, &written), after_restart(&library.settings, &written))
        };
        // Prompts may take long to be spoken; calls are placed with the old ones meanwhile.
        let (needed, shelf) = (self.needed().await?, Arc::clone(&self.shelf));
        let read = tokio::task::spawn_blocking(move || {
            let library = shelf.library(settings);
            library.map(|mut library| {
                shelf.add(&mut library, &needed);
                library
            })
        });
        let mut new = read.await.map_err(|_| ReloadError::Panicked)??;
        let mut library = self.library.write().await;
        // From here on none is placed: what those of the meantime need is known.
        new.take_over(&library, &self.needed().await?);
        let (node, settings, assets) = (Arc::clone(&self.node), new.settings.clone(), new.assets());
        let renewed = tokio::task::spawn_blocking(move || node.renew(settings, assets));
        renewed.await.map_err(|_| ReloadError::Panicked)??;
        self.shelf.retain(&new);
        let (questionnaires, older) = (new.questionnaires.len(), new.older.len());
        *library = new;
        drop(library);
        self.note_assets().await;
        Ok(Reloaded { questionnaires, older, after_restart })
    }

    /// Editions of calls that may still be running.
    async fn needed(&self) -> Result<BTreeSet<Digest>, RecordsError> {
        let open = self.records.open_calls().await?;
        let digests = open.iter().filter_map(|kept| kept.digest.parse().ok());
        Ok(digests.chain(self.pinned.iter().copied()).collect())
    }
}

/// The settings that hold from now on: what can change is taken from the file.
fn taken(running: &Settings, written: &Settings) -> Settings {
    let mut settings = running.clone();
    settings.trunks.clone_from(&written.trunks);
    settings.default_trunk.clone_from(&written.default_trunk);
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
    keys
}
