//! What a member does for the others' links: takes their saves, and gives successors what it keeps.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_stream::Stream;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream, WatchStream};
use tonic::transport::{Certificate, Identity as TlsIdentity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};

use super::identity::shows;
use super::table::{Batch, Full};
use super::wire::desk_server::DeskServer;
use super::wire::files_server::FilesServer;
use super::wire::mirror_server::{Mirror, MirrorServer};
use super::wire::{self, Held, PullRequest};
use super::{Desk, Identity, OLDEST_SAVES_FORMAT, SAVES_FORMAT, Table, incarnation};
use crate::id::{Epoch, NodeId, Revision};
use crate::store::journal::Copied;
use crate::sync::Incarnation;

/// Saves of one batch of an answer to a pull.
const PULL_BATCH: usize = 256;
/// Batches of a pull that wait for their way.
const PULL_ROOM: usize = 8;
/// How often a silent link is tried, and how long it may take to answer.
const KEEP_ALIVE: Duration = Duration::from_secs(1);
/// A link that is being made has so long.
const HANDSHAKE: Duration = Duration::from_secs(2);

/// Why links are not served.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// TLS, or the address.
    #[error("links from other members cannot be served: {0}")]
    Transport(#[from] tonic::transport::Error),
}

/// What others are served.
#[derive(Clone, Debug)]
pub struct Service {
    pub(super) table: Table,
    pub(super) me: watch::Receiver<Option<Incarnation>>,
    members: Roll,
    pub(super) desk: Desk,
}

/// Who may make links: of a service, and of whoever learns of further members. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Roll(Arc<RwLock<BTreeSet<NodeId>>>);

impl Roll {
    /// These may, too.
    pub fn admit(&self, members: impl IntoIterator<Item = NodeId>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).extend(members);
    }

    fn of(&self, is_it: impl Fn(NodeId) -> bool) -> Option<NodeId> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).iter().copied().find(|member| is_it(*member))
    }
}

impl Service {
    /// Keeps saves in this table, under the name of whichever incarnation this member is.
    #[must_use]
    pub fn new(
        table: Table,
        me: watch::Receiver<Option<Incarnation>>,
        members: impl IntoIterator<Item = NodeId>,
        desk: Desk,
    ) -> Self {
        let roll = Roll::default();
        roll.admit(members);
        Self { table, me, members: roll, desk }
    }

    /// Who may make links here.
    #[must_use]
    pub fn roll(&self) -> Roll {
        self.members.clone()
    }

    /// Serves whoever shows a certificate of the cluster's, until it is dropped.
    ///
    /// # Errors
    /// If the certificates cannot be used.
    pub async fn serve(self, listener: TcpListener, identity: &Identity) -> Result<(), ServiceError> {
        let tls = ServerTlsConfig::new()
            .identity(TlsIdentity::from_pem(&identity.certificate, &identity.key))
            .client_ca_root(Certificate::from_pem(&identity.ca))
            .timeout(HANDSHAKE);
        Server::builder()
            .tls_config(tls)?
            .http2_keepalive_interval(Some(KEEP_ALIVE))
            .http2_keepalive_timeout(Some(KEEP_ALIVE))
            .tcp_nodelay(true)
            .add_service(DeskServer::new(self.clone()))
            .add_service(FilesServer::new(self.clone()))
            .add_service(MirrorServer::new(self))
            .serve_with_incoming(TcpListenerStream::new(listener))
            .await?;
        Ok(())
    }

    /// Whether who asks is this member, by its certificate.
    pub(super) fn check<T>(&self, request: &Request<T>) -> Result<Caller, Status> {
        let certificates = request.peer_certs();
        let certificate = certificates.as_ref().and_then(|all| all.first());
        let certificate = certificate.ok_or_else(|| Status::unauthenticated("no certificate"))?;
        let member = self.members.of(|member| shows(certificate, member));
        let member = member.ok_or_else(|| {
            Status::permission_denied("the certificate is of this cluster, but of no member in the settings")
        })?;
        Ok(Caller { member, address: request.remote_addr() })
    }
}

pub(super) struct Caller {
    member: NodeId,
    address: Option<SocketAddr>,
}

#[tonic::async_trait]
impl Mirror for Service {
    type FollowStream = WatchStream<Result<Held, Status>>;
    type PullStream = Pin<Box<dyn Stream<Item = Result<wire::Batch, Status>> + Send>>;

    async fn follow(
        &self,
        request: Request<Streaming<wire::Batch>>,
    ) -> Result<Response<Self::FollowStream>, Status> {
        let caller = self.check(&request)?;
        let me = *self.me.borrow();
        let by = me.ok_or_else(|| Status::unavailable("this member has no incarnation yet"))?;
        let held = move |through| Held { by: Some(by.into()), through };
        let (tell, told) = watch::channel(Ok(held(None)));
        let (service, mut batches) = (self.clone(), request.into_inner());
        tokio::spawn(async move {
            let followed = service.follow_on(&caller, by, &mut batches, |through| {
                drop(tell.send(Ok(held(through))));
            });
            let ended = followed.await;
            if let Err(status) = ended {
                let (member, address) = (caller.member, caller.address.map(|address| address.to_string()));
                tracing::info!(%member, address, why = status.message(), "a stream of saves is taken no more");
                drop(tell.send(Err(status)));
                // What was not read is lost with its sender: it is waited for.
                tell.closed().await;
            }
        });
        Ok(Response::new(WatchStream::new(told)))
    }

    async fn pull(&self, request: Request<PullRequest>) -> Result<Response<Self::PullStream>, Status> {
        self.check(&request)?;
        let owner = incarnation(request.get_ref().owner.as_ref());
        let owner = owner.ok_or_else(|| Status::invalid_argument("whose records?"))?;
        let (held, kept) = (self.table.held(owner), self.table.of(owner));
        let (give, given) = mpsc::channel(PULL_ROOM);
        tokio::spawn(async move {
            let saves: Vec<wire::Save> = kept
                .into_iter()
                .map(|Copied { call_id, epoch, revision, record }| wire::Save {
                    call: call_id.to_string(),
                    epoch: epoch.0,
                    revision: revision.0,
                    record,
                })
                .collect();
            let batch = |saves: &[wire::Save]| wire::Batch {
                format: SAVES_FORMAT,
                owner: Some(owner.into()),
                saves: saves.to_vec(),
                ..wire::Batch::default()
            };
            for saves in saves.chunks(PULL_BATCH) {
                if give.send(Ok(batch(saves))).await.is_err() {
                    return;
                }
            }
            // Only who has heard all of it may take it for whole.
            drop(give.send(Ok(wire::Batch { through: held, ..batch(&[]) })).await);
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(given))))
    }
}

impl Service {
    /// Takes a stream until it ends, or this member is another incarnation.
    async fn follow_on(
        &self,
        caller: &Caller,
        by: Incarnation,
        batches: &mut Streaming<wire::Batch>,
        tell: impl Fn(Option<u64>),
    ) -> Result<(), Status> {
        let mut me = self.me.clone();
        let mut connection = None;
        loop {
            let batch = tokio::select! {
                batch = batches.message() => batch?,
                changed = me.wait_for(|now| *now != Some(by)) => {
                    drop(changed);
                    return Err(Status::unavailable("this member has ended, or goes on as another incarnation"));
                }
            };
            let Some(batch) = batch else { return Ok(()) };
            let (owner, batch) = read(batch).map_err(Status::invalid_argument)?;
            if owner.node != caller.member {
                return Err(Status::permission_denied("the certificate is another member's"));
            }
            let connection = match connection {
                Some((of, connection)) if of == owner => connection,
                Some(_) => return Err(Status::invalid_argument("a stream is one incarnation's")),
                None => {
                    let begun = self.table.begin(owner).map_err(refused)?;
                    connection = Some((owner, begun));
                    begun
                }
            };
            let is_told = batch.through.is_some();
            let held = self.table.take(owner, connection, batch).map_err(refused)?;
            if is_told {
                tell(held);
            }
        }
    }
}

fn refused(full: Full) -> Status {
    match full {
        Full::Sealed | Full::Elsewhere => Status::failed_precondition(full.to_string()),
        Full::Records => Status::resource_exhausted(full.to_string()),
    }
}

/// A batch as it came.
pub(super) fn read(batch: wire::Batch) -> Result<(Incarnation, Batch), String> {
    let wire::Batch { format, owner, anew, saves, through } = batch;
    if !(OLDEST_SAVES_FORMAT..=SAVES_FORMAT).contains(&format) {
        return Err(format!(
            "saves of format {format}: this Baton reads {OLDEST_SAVES_FORMAT} to {SAVES_FORMAT}; update it first"
        ));
    }
    let owner = incarnation(owner.as_ref()).ok_or("whose saves?")?;
    let saves = saves.into_iter().map(|save| {
        let call_id = save.call.parse().map_err(|_| format!("`{}` is no call", save.call))?;
        let (epoch, revision) = (Epoch(save.epoch), Revision(save.revision));
        Ok(Copied { call_id, epoch, revision, record: save.record })
    });
    let saves = saves.collect::<Result<_, String>>()?;
    Ok((owner, Batch { anew, saves, through }))
}
