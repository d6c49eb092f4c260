//! From the settings to a member: certificates, sockets, a key in the engine, then its thread and tasks.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::errands::{Constants, Errands};
use super::member::{Begin, Thread};
use super::status::Board;
use super::terms::Renewal;
use super::{Cluster, Event, Parts, View};
use crate::engine::{Access, AccessError, Engine, Own, Tls, User};
use crate::peers::{Guard, Identity, IdentityError, Limits, Others, Service, Table};
use crate::settings::{self, ClusterEngine, SecretError};

/// Errands, keys and events that wait for their turn.
const ROOM: usize = 1_024;
/// The file that remembers how far the engine was.
const SEEN: &str = "engine-revision";

/// Why an instance is no member.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its certificate or keys.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// What is said of the engine.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The engine's password.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A certificate for the engine.
    #[error("cannot read {} for the engine: {source}", .path.display())]
    Certificate {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Its address.
    #[error(
        "the other members cannot reach this one at {address}: {source}; see [cluster] listen and members"
    )]
    Address {
        /// Which.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The links.
    #[error("links to the other members cannot be made: {0}")]
    Links(String),
    /// The machine.
    #[error("the member's thread cannot be started: {0}")]
    Thread(#[source] io::Error),
}

impl Cluster {
    /// Makes an instance a member. Waits for the engine as long as it takes, and says so. Whoever asks for it holds the
    /// lock of the instance's journal: what is left of its earlier incarnations is claimed.
    ///
    /// # Errors
    /// What is wrong with the settings or the machine; that the engine is away is none.
    pub async fn start(
        settings: &settings::Cluster,
        parts: Parts,
    ) -> Result<(Self, mpsc::Receiver<Event>), StartError> {
        let identity = Arc::new(Identity::load(&settings.dir, settings.name)?);
        let seen = parts.dir.join(SEEN);
        let engine = Engine::new(&access(&settings.engine)?, remembered(&seen))?;
        let address = settings.listens_at();
        let refused = |source| StartError::Address { address, source };
        let socket = std::net::UdpSocket::bind(address).map_err(refused)?;
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let table = Table::new(Limits::default());
        let others = others(settings, &identity)?;
        let (me, of_links) = watch::channel(None);
        let mut tasks = JoinSet::new();
        let service =
            Service::new(table.clone(), of_links, settings.members.keys().copied(), parts.desk.clone());
        let renewal = Renewal::new(settings, others.clone(), service.roll(), Arc::clone(&identity));
        tasks.spawn(serve(service, listener, Arc::clone(&identity)));
        warn_of(settings);
        let constants = Constants {
            node: settings.name,
            role: settings.role,
            known: renewal.known.clone(),
            acks: settings.mirror.acks,
            copies: settings.mirror.copies,
            identity: Arc::clone(&identity),
            engine: engine.clone(),
            table,
            seen,
        };
        let (asked, key) = constants.register().await;
        me.send_replace(Some(key.incarnation));
        let (errands, waiting) = mpsc::channel(ROOM);
        let (events, happened) = mpsc::channel(ROOM);
        let (tell, told) = mpsc::channel(ROOM);
        let (index, indexed) = watch::channel(None);
        let (own, board, stopping) = (Own::default(), Arc::<Board>::default(), Arc::<AtomicBool>::default());
        board.begins(key.incarnation, constants.acks > 0);
        let (mirrors, table) = (parts.mirrors.clone(), constants.table.clone());
        let view = View { board: Arc::clone(&board), table: table.clone(), mirrors: mirrors.clone() };
        let begin = Begin {
            key,
            asked,
            known: renewal.known.clone(),
            guard: Guard::new(identity.beat_key(), settings.name, settings.members.keys().copied()),
            table,
            own: own.clone(),
            parts,
            errands,
            board: Arc::clone(&board),
            stopping: Arc::clone(&stopping),
        };
        let (thread, inputs) = Thread::new(begin, socket).map_err(StartError::Thread)?;
        let thread = thread.spawn().map_err(StartError::Thread)?;
        tasks.spawn(engine.clone().watch(own, tell));
        let run = Errands {
            constants,
            inputs: inputs.clone(),
            mirrors,
            me,
            events,
            index,
            board,
            roles: BTreeMap::new(),
            links: BTreeMap::new(),
            laid_down: false,
            running: JoinSet::new(),
        };
        tasks.spawn(run.run(waiting, told));
        let thread = Some(thread);
        Ok((Self { inputs, view, engine, others, indexed, renewal, stopping, thread, tasks }, happened))
    }
}

async fn serve(service: Service, listener: TcpListener, identity: Arc<Identity>) {
    if let Err(error) = service.serve(listener, &identity).await {
        tracing::error!(%error, "other members find no link here");
    }
}

/// The way to the desks of the other members.
fn others(settings: &settings::Cluster, identity: &Identity) -> Result<Others, StartError> {
    let links = settings.members.iter().filter(|(member, _)| **member != settings.name);
    Others::new(identity, links.map(|(member, address)| (*member, *address)))
        .map_err(|status| StartError::Links(status.message().to_owned()))
}

fn warn_of(settings: &settings::Cluster) {
    if settings.voters().is_none() {
        tracing::warn!(
            members = settings.members.len(),
            "nobody votes in this cluster: records are mirrored, and nobody takes calls over; three members, one of \
             which may be a witness, would"
        );
    }
}

/// How far the engine was when this machine looked last; 0: it never did.
fn remembered(file: &Path) -> u64 {
    std::fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// The way to the engine that the settings describe.
fn access(settings: &ClusterEngine) -> Result<Access, StartError> {
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path);
        text.map_err(|source| StartError::Certificate { path: path.clone(), source })
    };
    let ca = settings.ca.as_ref().map(read).transpose()?;
    let identity = match (&settings.certificate, &settings.key) {
        (Some(certificate), Some(key)) => Some((read(certificate)?, read(key)?)),
        _ => None,
    };
    let user = settings.user()?.map(|(name, password)| User { name, password });
    Ok(Access {
        endpoints: settings.endpoints.clone(),
        tls: Tls { ca, identity },
        user,
        cluster: settings.namespace.clone(),
    })
}
