//! An owner's stream of saves to one mirror, for as long as both are there.
//!
//! ```text
//!  connect ─► hello ─► mirror's incarnation ─► snapshot ─► appends ─► …      broken, sealed, other incarnation: again
//!                                         ◄─ held ─────────────────
//! ```
//! What waits for a slow mirror is bounded by the journal's feed: one that takes too little loses it, and begins anew
//! with a snapshot. The owner never waits for a mirror here.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity as TlsIdentity};
use tonic::{Request, Status, Streaming};

use super::identity::domain;
use super::service::read;
use super::wire::mirror_client::MirrorClient;
use super::wire::{self, Held, PullRequest};
use super::{Identity, SAVES_FORMAT, incarnation};
use crate::engine::said_by;
use crate::id::NodeId;
use crate::store::journal::{Append, Copied, Mirrors, Snapshot};
use crate::sync::Incarnation;

/// From the end of a link to the next try.
const RETRY: Duration = Duration::from_millis(200);
/// How long a mirror may take to be reached and to say who it is.
const CONNECT: Duration = Duration::from_secs(1);
/// How often a silent link is tried, and how long it may take to answer.
const KEEP_ALIVE: Duration = Duration::from_secs(1);
/// Appends that may wait for a mirror: some seconds of a busy instance's.
const ROOM: usize = 4_096;
/// Batches on their way to the connection.
const ON_WAY: usize = 8;
/// Saves of one batch.
const BATCH: usize = 256;

/// The way to one mirror.
#[derive(Debug)]
pub struct Link {
    /// Which member.
    pub to: NodeId,
    /// Where it listens.
    pub address: SocketAddr,
    /// Who we are.
    pub identity: Arc<Identity>,
    /// What is to be kept there.
    pub mirrors: Mirrors,
    /// Which incarnation we are.
    pub me: watch::Receiver<Option<Incarnation>>,
}

impl Link {
    /// Keeps the mirror up to date for ever.
    pub async fn run(mut self) {
        let mut said: Option<String> = None;
        loop {
            let me = match self.me.wait_for(Option::is_some).await.map(|me| *me) {
                Ok(Some(me)) => me,
                Ok(None) | Err(_) => return,
            };
            let ended = match self.follow(me).await {
                Ok(()) => None,
                Err(status) => Some(said_by(&status)),
            };
            // What is said again and again is said once.
            if let Some(why) = &ended
                && said.as_ref() != Some(why)
            {
                tracing::warn!(member = %self.to, address = %self.address, why, "this member mirrors nothing");
            }
            said = ended;
            sleep(RETRY).await;
        }
    }

    async fn follow(&mut self, me: Incarnation) -> Result<(), Status> {
        let channel = channel(self.address, self.to, &self.identity)?;
        let (send, sent) = mpsc::channel(ON_WAY);
        let hello = wire::Batch { format: SAVES_FORMAT, owner: Some(me.into()), ..wire::Batch::default() };
        send.try_send(hello).map_err(|_| Status::internal("the first of eight has room"))?;
        let begun = async {
            let answer = MirrorClient::new(channel).follow(ReceiverStream::new(sent)).await?;
            let mut answers = answer.into_inner();
            let first = answers.message().await?;
            let by = first.as_ref().and_then(|held| incarnation(held.by.as_ref()));
            by.map(|by| (by, answers)).ok_or_else(|| Status::internal("it does not say who it is"))
        };
        let begun = timeout(CONNECT, begun).await;
        let (by, answers) = begun.map_err(|_| Status::unavailable("it does not answer"))??;
        if by.node != self.to {
            return Err(Status::internal("it is another member"));
        }
        let (snapshot, feed) = self.mirrors.join(by, ROOM);
        tracing::info!(mirror = %by, records = snapshot.calls.len(), "a mirror follows");
        let ended = tokio::select! {
            ended = tell(me, snapshot, feed, &send) => ended,
            ended = self.hear(by, answers) => ended,
            _ = Self::another(self.me.clone(), me) => Ok(()),
        };
        self.mirrors.lapsed(by);
        ended
    }

    async fn another(mut me: watch::Receiver<Option<Incarnation>>, was: Incarnation) {
        drop(me.wait_for(|now| *now != Some(was)).await);
    }

    async fn hear(&self, by: Incarnation, mut answers: Streaming<Held>) -> Result<(), Status> {
        while let Some(held) = answers.message().await? {
            if let Some(through) = held.through {
                self.mirrors.acknowledged(by, through);
            }
        }
        Ok(())
    }
}

/// Sends the snapshot, then each append; ends with its feed.
async fn tell(
    me: Incarnation,
    snapshot: Snapshot,
    mut feed: mpsc::Receiver<Arc<Append>>,
    send: &mpsc::Sender<wire::Batch>,
) -> Result<(), Status> {
    let gone = |_| Status::unavailable("the link has ended");
    let Snapshot { as_of, calls } = snapshot;
    for batch in batches(me, true, &calls, as_of) {
        send.send(batch).await.map_err(gone)?;
    }
    while let Some(append) = feed.recv().await {
        for batch in batches(me, false, &append.changes, append.number) {
            send.send(batch).await.map_err(gone)?;
        }
    }
    Err(Status::resource_exhausted("it takes saves too slowly, or this instance began anew"))
}

/// Changes in batches, the last of which says how far they reach.
fn batches(me: Incarnation, anew: bool, changes: &[Copied], through: u64) -> Vec<wire::Batch> {
    let save = |copied: &Copied| wire::Save {
        call: copied.call_id.to_string(),
        epoch: copied.epoch.0,
        revision: copied.revision.0,
        record: copied.record.clone(),
    };
    let batch = |saves: &[Copied]| wire::Batch {
        format: SAVES_FORMAT,
        owner: Some(me.into()),
        anew: false,
        saves: saves.iter().map(save).collect(),
        through: None,
    };
    let mut all: Vec<wire::Batch> = changes.chunks(BATCH).map(batch).collect();
    if all.is_empty() {
        all.push(batch(&[]));
    }
    if let Some(first) = all.first_mut() {
        first.anew = anew;
    }
    if let Some(last) = all.last_mut() {
        last.through = Some(through);
    }
    all
}

/// All that a member keeps of an incarnation, and up to which number of its stream that is whole.
///
/// # Errors
/// If it cannot be reached, or breaks off.
pub async fn pull(
    address: SocketAddr,
    from: NodeId,
    identity: &Identity,
    owner: Incarnation,
) -> Result<(Option<u64>, Vec<Copied>), Status> {
    let channel = channel(address, from, identity)?;
    let request = Request::new(PullRequest { owner: Some(owner.into()) });
    let mut batches = MirrorClient::new(channel).pull(request).await?.into_inner();
    let (mut held, mut pulled) = (None, Vec::new());
    while let Some(batch) = batches.message().await? {
        let (of, batch) = read(batch).map_err(Status::internal)?;
        if of != owner {
            return Err(Status::internal("it tells another one's records"));
        }
        pulled.extend(batch.saves);
        held = held.max(batch.through);
    }
    Ok((held, pulled))
}

pub(super) fn channel(address: SocketAddr, to: NodeId, identity: &Identity) -> Result<Channel, Status> {
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(&identity.ca))
        .identity(TlsIdentity::from_pem(&identity.certificate, &identity.key))
        .domain_name(domain(to));
    let wrong = |error: tonic::transport::Error| Status::internal(error.to_string());
    let way = Endpoint::from_shared(format!("https://{address}")).map_err(wrong)?;
    let way = way
        .connect_timeout(CONNECT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .keep_alive_while_idle(true)
        .tls_config(tls)
        .map_err(wrong)?;
    Ok(way.connect_lazy())
}
