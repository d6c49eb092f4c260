//! Files by digest, from whichever member has them.
//!
//! ```text
//!  who lacks it ── Fetch: digest, offset ─► a member: pieces ─► held against the digest ─► named
//!                       ▲   broken off, or not there: the next member, from where it broke off
//!                       └── something else: that member gives no more of it; counted, and told
//! ```
//! Nothing that came is used before all of it has the digest that was asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use super::wire::files_client::FilesClient;
use super::wire::{FetchRequest, PartsRequest, PartsResponse, Piece};
use super::{Others, Service, wire};
use crate::engine::said_by;
use crate::id::{Digest, NodeId};
use crate::store::editions::{Editions, Parts};
use crate::store::files::{Content, FileError, Files, Part};

/// Bytes of one piece.
const PIECE: usize = 256 << 10;
/// Pieces that wait for their way.
const ROOM: usize = 4;
/// After each whole piece: 50 MB a second at most, so that who gives a new member everything has calls all the same.
const PACE: Duration = Duration::from_millis(5);
/// How long a member may take for its next piece, or to say of what an edition is made.
const PATIENCE: Duration = Duration::from_secs(5);

/// What an instance has for the others.
#[derive(Clone, Debug)]
pub struct Stock {
    /// By digest.
    pub files: Files,
    /// Whose parts may be asked for.
    pub editions: Editions,
}

#[tonic::async_trait]
impl wire::files_server::Files for Service {
    type FetchStream = ReceiverStream<Result<Piece, Status>>;

    async fn parts(&self, request: Request<PartsRequest>) -> Result<Response<PartsResponse>, Status> {
        self.check(&request)?;
        let edition = digest(&request.get_ref().edition)?;
        let Some(Stock { files, editions }) = self.desk.stock.clone() else {
            return Ok(Response::new(PartsResponse { parts: None }));
        };
        let shared = spawn_blocking(move || {
            if !editions.has(edition) {
                return None;
            }
            let shared = editions.share(edition, &files);
            shared
                .inspect_err(|error| tracing::warn!(%edition, %error, "an edition cannot be given to others"))
                .ok()
        });
        let parts = shared.await.ok().flatten();
        let parts = parts.map(|parts| serde_json::to_string(&parts).expect("all of it has a form in JSON"));
        Ok(Response::new(PartsResponse { parts }))
    }

    async fn fetch(&self, request: Request<FetchRequest>) -> Result<Response<Self::FetchStream>, Status> {
        self.check(&request)?;
        let FetchRequest { digest: wanted, mut offset } = request.into_inner();
        let wanted = digest(&wanted)?;
        let missing = || Status::not_found("it has no such file");
        let files = self.desk.stock.as_ref().map(|stock| stock.files.clone()).ok_or_else(missing)?;
        let (give, given) = mpsc::channel(ROOM);
        let first = {
            let files = files.clone();
            spawn_blocking(move || files.piece(wanted, offset, PIECE)).await
        };
        let mut piece = first.map_err(|_| missing())?.map_err(|_| missing())?;
        // A thread of its own: it waits for the disk and for who takes it.
        drop(spawn_blocking(move || {
            while !piece.is_empty() {
                offset += u64::try_from(piece.len()).unwrap_or(u64::MAX);
                if give.blocking_send(Ok(Piece { bytes: piece.into() })).is_err() {
                    return;
                }
                piece = match files.piece(wanted, offset, PIECE) {
                    Ok(piece) => piece,
                    Err(error) => {
                        drop(give.blocking_send(Err(Status::data_loss(error.to_string()))));
                        return;
                    }
                };
            }
        }));
        Ok(Response::new(ReceiverStream::new(given)))
    }
}

fn digest(text: &str) -> Result<Digest, Status> {
    text.parse().map_err(|_| Status::invalid_argument("it is no digest"))
}

/// What came from others since the start, for whoever looks.
#[derive(Clone, Debug, Default)]
pub struct Pulled(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    /// One file at a time: of two that add to the same part nothing would become whole.
    turn: tokio::sync::Mutex<()>,
    files: AtomicU64,
    bytes: AtomicU64,
    refused: AtomicU64,
}

impl Pulled {
    /// Files that came whole.
    #[must_use]
    pub fn files(&self) -> u64 {
        self.0.files.load(Relaxed)
    }

    /// Bytes that came.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.bytes.load(Relaxed)
    }

    /// Files that were something else than what was asked for.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Relaxed)
    }
}

/// Why a file did not come.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// No member gave it.
    #[error("no member gives the file {digest}: {tried}")]
    Nobody {
        /// Which.
        digest: Digest,
        /// What each said.
        tried: String,
    },
    /// It cannot be kept.
    #[error("a file of the cluster cannot be kept: {0}")]
    Unkept(#[source] FileError),
}

/// What is wrong with what one member gave.
enum Failed {
    /// Another may do better.
    Next(String),
    /// This disk refuses.
    Here(FileError),
}

impl Others {
    /// Has a file here, if it is not: from one member after another.
    ///
    /// # Errors
    /// If none of them gives it, or this disk refuses. To ask again goes on where it broke off.
    pub async fn pull(&self, files: &Files, wanted: Content, pulled: &Pulled) -> Result<(), PullError> {
        let _turn = pulled.0.turn.lock().await;
        if files.has(wanted) {
            return Ok(());
        }
        let mut tried = Vec::new();
        for (member, channel) in self.in_turn(wanted.digest) {
            match self.pull_from(member, channel, files, wanted, pulled).await {
                Ok(()) => {
                    pulled.0.files.fetch_add(1, Relaxed);
                    return Ok(());
                }
                Err(Failed::Next(why)) => tried.push(format!("{member}: {why}")),
                Err(Failed::Here(error)) => return Err(PullError::Unkept(error)),
            }
        }
        let tried = if tried.is_empty() { "there is no other member".to_owned() } else { tried.join("; ") };
        Err(PullError::Nobody { digest: wanted.digest, tried })
    }

    async fn pull_from(
        &self,
        member: NodeId,
        channel: Channel,
        files: &Files,
        wanted: Content,
        pulled: &Pulled,
    ) -> Result<(), Failed> {
        let mut part = files.begin(wanted).map_err(Failed::Here)?;
        if !part.is_long_enough() {
            let request = FetchRequest { digest: wanted.digest.to_string(), offset: part.have() };
            let mut client = FilesClient::new(channel);
            let asked = timeout(PATIENCE, client.fetch(request)).await;
            let mut pieces = said(asked)?.into_inner();
            while !part.is_long_enough()
                && let Some(piece) = said(timeout(PATIENCE, pieces.message()).await)?
            {
                pulled.0.bytes.fetch_add(u64::try_from(piece.bytes.len()).unwrap_or(u64::MAX), Relaxed);
                part.add(&piece.bytes).map_err(|error| judged(error, member, pulled))?;
                if piece.bytes.len() >= PIECE {
                    sleep(PACE).await;
                }
            }
            if !part.is_long_enough() {
                return Err(Failed::Next("it has only a part of it".to_owned()));
            }
        }
        let finished = spawn_blocking(move || Part::finish(part)).await;
        finished.expect("nothing in it panics").map_err(|error| judged(error, member, pulled))
    }

    /// Of which files an edition is made, by whoever keeps it; `None`: nobody who answers does.
    pub async fn parts(&self, edition: Digest) -> Option<Parts> {
        for (member, channel) in self.in_turn(edition) {
            let request = PartsRequest { edition: edition.to_string() };
            let asked = timeout(PATIENCE, FilesClient::new(channel).parts(request)).await;
            let Ok(Ok(answer)) = asked else { continue };
            let Some(parts) = answer.into_inner().parts else { continue };
            match serde_json::from_str::<Parts>(&parts) {
                Ok(parts) if parts.edition() == edition => return Some(parts),
                Ok(_) | Err(_) => {
                    tracing::warn!(%member, %edition, "a member says of an edition what does not make it")
                }
            }
        }
        None
    }

    /// All of them, each time from another one on: not all files come from the same.
    fn in_turn(&self, digest: Digest) -> impl Iterator<Item = (NodeId, Channel)> {
        let mut ways: Vec<(NodeId, Channel)> = self.ways().into_iter().collect();
        let first = usize::from(digest.as_bytes()[0]) % ways.len().max(1);
        ways.rotate_left(first);
        ways.into_iter()
    }
}

/// A file that is something else is counted and told; a disk that refuses is ours.
fn judged(error: FileError, member: NodeId, pulled: &Pulled) -> Failed {
    match error {
        FileError::Other { wanted } => {
            pulled.0.refused.fetch_add(1, Relaxed);
            tracing::error!(%member, digest = %wanted.digest, "what a member gave is not the file that was asked for: refused");
            Failed::Next("what it gave is something else".to_owned())
        }
        FileError::Disk { .. } => Failed::Here(error),
    }
}

/// An answer, if it came in time.
fn said<T>(answer: Result<Result<T, Status>, tokio::time::error::Elapsed>) -> Result<T, Failed> {
    match answer {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(status)) => Err(Failed::Next(said_by(&status))),
        Err(_) => Err(Failed::Next("it does not answer".to_owned())),
    }
}
