//! A gateway for the length of one command: journal, node, events.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::MachineError;
use super::survey::Survey;
use crate::node::{Event, Node, NodeConfig};
use crate::routing;
use crate::settings::Settings;
use crate::store::journal::{Journal, Limits};

/// A running node and what keeps it alive.
pub(super) struct Gateway {
    pub(super) node: Node,
    pub(super) events: mpsc::Receiver<Event>,
    /// The journal's directory where the settings name none; removed when this is dropped.
    pub(super) keep: Option<TempDir>,
}

impl Gateway {
    /// Starts a node that asks this survey.
    pub(super) fn start(settings: Settings, survey: &Survey) -> anyhow::Result<Self> {
        let temporary = match &settings.journal.dir {
            Some(_) => None,
            None => Some(temporary("baton-journal-")?),
        };
        let here = temporary.as_ref().map(|dir| dir.path().to_owned());
        let dir: PathBuf = settings.journal.dir.clone().or(here).expect("one of both");
        let limits = Limits { segment_bytes: settings.journal.segment, ..Limits::default() };
        let (journal, replay) = Journal::open(&dir, limits).map_err(machine)?;
        if !replay.calls.is_empty() {
            let (calls, dir) = (replay.calls.len(), dir.display());
            super::say(&format!("{dir} holds {calls} calls of an earlier run; they are left as they are"));
        }
        let (mut assets, _) = survey.assets();
        if let Some((dialplan, _)) = routing::load(&settings)? {
            assets.set_dialplan(Arc::new(dialplan));
        }
        let prompts = Arc::clone(&survey.prompts);
        let left = replay.calls.iter().map(|saved| saved.call_id).collect();
        let config = NodeConfig { left, ..NodeConfig::new(settings) };
        let started = Node::start(config, assets, prompts, journal);
        let (node, events) = started.map_err(machine)?;
        Ok(Self { node, events, keep: temporary })
    }
}

/// A directory that is gone at the end.
pub(super) fn temporary(prefix: &str) -> anyhow::Result<TempDir> {
    let made = tempfile::Builder::new().prefix(prefix).tempdir();
    let made = made.with_context(|| format!("no temporary directory in {}", std::env::temp_dir().display()));
    Ok(made.map_err(MachineError)?)
}

/// An error that no file and no argument is to blame for.
pub(super) fn machine(error: impl std::error::Error + Send + Sync + 'static) -> anyhow::Error {
    MachineError(error.into()).into()
}
