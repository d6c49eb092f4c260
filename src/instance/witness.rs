//! A witness: it promises and votes, and carries no call.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::StartError;
use crate::cluster::{Cluster, Event, Look, Parts, View};
use crate::node::Right;
use crate::node::clock::boottime;
use crate::peers::Desk;
use crate::settings;
use crate::store::journal::{self, Journal, Mirrors};
use crate::sync::Usage;

/// A running witness.
#[derive(Debug)]
pub struct Witness {
    cluster: Cluster,
    events: mpsc::Receiver<Event>,
    /// Its lock keeps a second process out.
    _journal: Arc<Journal>,
}

impl Witness {
    /// Starts one; waits for the engine for as long as it takes.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(
        settings: &settings::Settings,
        cluster: &settings::Cluster,
    ) -> Result<Self, StartError> {
        let dir = settings.journal.dir.clone().ok_or(StartError::NoData)?;
        let (journal, _) = Journal::open(&dir, journal::Limits::default())?;
        let parts = Parts {
            right: Right::of_member(cluster.promise),
            mirrors: Mirrors::new(0, cluster.promise, boottime),
            look: Box::new(|| Look { usage: Usage::NONE, hangs: None }),
            desk: Desk::of_witness(),
            dir,
        };
        let (cluster, events) = Cluster::start(cluster, parts).await?;
        Ok(Self { cluster, events, _journal: Arc::new(journal) })
    }

    /// How it stands.
    #[must_use]
    pub fn view(&self) -> View {
        self.cluster.view()
    }

    /// Takes members, voters and T from these settings.
    pub fn renew(&self, written: &settings::Cluster) {
        self.cluster.renewal().renew(written);
    }

    /// Goes on until its membership ends. It has no calls: whatever happens, nothing is to be dropped.
    pub async fn run(&mut self) {
        while let Some(event) = self.events.recv().await {
            drop(event);
        }
    }

    /// Leaves the cluster.
    pub async fn end(self) {
        self.cluster.end(false).await;
    }
}
