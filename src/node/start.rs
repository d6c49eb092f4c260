//! How a node comes to life: threads, sockets and the channels between them.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::sync::mpsc;

use super::budgets::Budgets;
use super::clock::Clock;
use super::closed::Closed;
use super::event::Event;
use super::faults::Faults;
use super::load::Load;
use super::media::{Engine, Lateness, Outlet};
use super::ports::PortPools;
use super::pulse::Pulse;
use super::quotas::Quotas;
use super::render::Renderer;
use super::renew::{Current, with_settings};
use super::resume::Earlier;
use super::right::Right;
use super::shard::{Hands, HandsParts, INBOX, Post, Saves, Shard};
use super::transport::{Desk, Gate, Inlet, Mail, Scale, Transport};
use super::turns::Turns;
use super::{Node, ShardHandle, shard_of};
use crate::call::Assets;
use crate::id::{CallId, Digest, Epoch, Mint};
use crate::prompts::PromptStore;
use crate::settings::{Limits, SecretError, Settings, Trunk};
use crate::store::journal::{Ack, Journal};
use crate::store::recordings::{Recordings, Take};

/// Events that wait for the owner of the node. A call has a few dozen steps; results wait beyond it.
const EVENTS: usize = 16_384;
/// Acknowledgements that wait for a shard: more than a lane of the journal has unanswered.
const ACKS: usize = 64;
/// Open files besides the sockets of calls.
const OTHER_FILES: u64 = 64;
/// The longest conversation: a survey of an hour is none.
const LONGEST: Duration = Duration::from_secs(3_600);

/// What a node is made of.
#[derive(Debug)]
pub struct NodeConfig {
    /// Addresses, trunks and limits.
    pub settings: Settings,
    /// Loops that own calls.
    pub shards: usize,
    /// Threads that send and receive RTP.
    pub media_threads: usize,
    /// The longest conversation; a longer one is ended.
    pub longest: Duration,
    /// The time by which it goes: of this process, or of the one before whose calls it goes on with.
    pub clock: Clock,
    /// Where it notes that it lives; `None`: nowhere.
    pub pulse: Option<Pulse>,
    /// Calls of the process before that it goes on with.
    pub resume: Vec<Earlier>,
    /// Complete interviews of earlier processes, by questionnaire and quota.
    pub counted: Vec<(Digest, String, u32)>,
    /// Other calls that the journal holds: they stay there, and their recordings are left alone. A member of a cluster
    /// does not deny them before it knows whose they are.
    pub left: Vec<CallId>,
    /// Whether anything of any call may leave.
    pub right: Right,
    /// Under which ownership calls are placed: the incarnation's, in a cluster.
    pub epoch: Epoch,
}

impl NodeConfig {
    /// A node with these settings, with as many threads as the machine has use for: of every two cores one for media
    /// and one for the rest.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let each = (cores / 2).clamp(1, 8);
        Self {
            settings,
            shards: each,
            media_threads: each,
            longest: LONGEST,
            clock: Clock::of_process(),
            pulse: None,
            resume: Vec::new(),
            counted: Vec::new(),
            left: Vec::new(),
            right: Right::default(),
            epoch: Epoch::default(),
        }
    }
}

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The SIP address.
    #[error("cannot listen for SIP at {address}; is another process there? See [sip] listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The directory of the recordings.
    #[error("recordings cannot be kept in {}; see [recordings] dir", .dir.display())]
    Recordings {
        /// The directory.
        dir: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Threads or polls.
    #[error("the system gives no thread")]
    Thread(#[source] io::Error),
    /// Randomness.
    #[error("the system gives no randomness: {0}")]
    Random(getrandom::Error),
    /// The password of a trunk.
    #[error(transparent)]
    Secret(#[from] SecretError),
}

impl Node {
    /// Starts a node. `journal` is its own from now on; what happens in its calls is told through the receiver.
    ///
    /// # Errors
    /// [`NodeError`] if the machine does not give what it needs.
    pub fn start(
        config: NodeConfig,
        assets: Assets,
        prompts: Arc<PromptStore>,
        journal: Journal,
    ) -> Result<(Self, mpsc::Receiver<Event>), NodeError> {
        let NodeConfig { settings, shards, media_threads, longest, clock, pulse, resume, .. } = config;
        let NodeConfig { counted, mut left, right, epoch, .. } = config;
        let (shards, ahead) = (shards.max(1), settings.speech.ahead);
        let assets = with_settings(&settings, assets)?;
        let seed = drawn_seed()?;
        let others = if right.promise().is_some() { left.clone() } else { Vec::new() };
        left.extend(resume.iter().map(|saved| saved.call_id));
        let transport = bind(&settings, &right)?;
        let common = Common::new(clock, assets, &settings, right);
        common.quotas.count(counted);
        let (inboxes, waiting): (Vec<_>, Vec<_>) = (0..shards).map(|_| bounded(INBOX)).unzip();
        let recordings = common.recordings(&settings, left, &inboxes)?;
        let engine = common.engine(media_threads, &inboxes, &recordings).map_err(NodeError::Thread)?;
        let renderer = common.renderer(prompts, &engine, &recordings).map_err(NodeError::Thread)?;
        let (events, receiver) = mpsc::channel(EVENTS);
        let (turns, trunks) = (Turns::new(shards, clock.now()), Arc::new(settings.trunks.clone()));
        let mut handles = Vec::new();
        for (shard, posts) in waiting.into_iter().enumerate() {
            let parts = HandsParts {
                shard,
                clock,
                engine: Arc::clone(&engine),
                renderer: Arc::clone(&renderer),
                senders: transport.senders(),
                recordings: Arc::clone(&recordings),
                events: events.clone(),
                inbox: inboxes[shard].clone(),
                server: common.server.clone(),
                load: Arc::clone(&common.load),
                faults: Arc::clone(&common.faults),
                quotas: Arc::clone(&common.quotas),
                closed: Arc::clone(&common.closed),
                budgets: Arc::clone(&common.budgets),
                right: common.right.clone(),
                turn: turns.of(shard),
            };
            let (inbox, trunks) = (inboxes[shard].clone(), Arc::clone(&trunks));
            handles.push(common.shard(parts, trunks, inbox, posts, &journal).map_err(NodeError::Thread)?);
        }
        let gate = Arc::new(Gate::new(&settings));
        let desk = common.desk(inboxes, &gate);
        let mut node = Self {
            ports: PortPools::new(settings.media.ports, clock),
            current: Mutex::new(Current { settings: Arc::new(settings), assets: common.assets }),
            longest,
            ahead,
            clock,
            mint: Mutex::new(Mint::new(seed, Epoch(0))),
            quotas: common.quotas,
            closed: common.closed,
            budgets: common.budgets,
            right: common.right,
            epoch: AtomicU64::new(epoch.0),
            turns,
            gate,
            load: common.load,
            faults: common.faults,
            lateness: common.lateness,
            transport,
            shards: handles,
            renderer,
            engine,
            pulse: None,
            _recordings: recordings,
            journal,
        };
        node.leave(others);
        node.come_to_life(resume, pulse, &desk)?;
        tracing::info!(shards, media_threads, "node started");
        Ok((node, receiver))
    }

    /// Goes on with the calls of the process before, then listens: a message of a call that is not here yet would be
    /// answered with 481.
    fn come_to_life(
        &mut self,
        resume: Vec<Earlier>,
        pulse: Option<Pulse>,
        desk: &Desk,
    ) -> Result<(), NodeError> {
        self.resume(resume, pulse.as_ref().and_then(Pulse::last));
        self.pulse =
            pulse.map(|pulse| pulse.start(self.clock, &self.load)).transpose().map_err(NodeError::Thread)?;
        self.transport.read_into(desk).map_err(NodeError::Thread)?;
        for (_, way) in self.transport.ways().iter() {
            tracing::info!(address = %way.local, "listening for SIP over UDP and TCP");
        }
        Ok(())
    }
}

/// Binds the SIP addresses, once there may be files for all that they bring.
fn bind(settings: &Settings, right: &Right) -> Result<Transport, NodeError> {
    raise_open_files(settings.limits);
    Transport::bind(&settings.listens_at(), settings.limits.connections, right)
        .map_err(|(address, source)| NodeError::Listen { address, source })
}

/// What the node's mint is seeded with.
fn drawn_seed() -> Result<[u8; 32], NodeError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(NodeError::Random)?;
    Ok(seed)
}

/// What the parts of a node share.
struct Common {
    clock: Clock,
    quotas: Arc<Quotas>,
    closed: Arc<Closed>,
    budgets: Arc<Budgets>,
    assets: Arc<Assets>,
    load: Arc<Load>,
    faults: Arc<Faults>,
    lateness: Arc<Lateness>,
    right: Right,
    server: String,
}

impl Common {
    fn new(clock: Clock, assets: Assets, settings: &Settings, right: Right) -> Self {
        let assets = Arc::new(assets);
        Self {
            clock,
            quotas: Arc::new(Quotas::new(Arc::clone(&assets))),
            closed: Arc::default(),
            budgets: Arc::new(Budgets::of(&settings.trunks)),
            assets,
            load: Arc::new(Load::new(settings.limits.calls)),
            faults: Arc::default(),
            lateness: Arc::default(),
            right,
            server: settings.sip.user_agent.clone(),
        }
    }

    fn desk(&self, inboxes: Vec<Sender<Post>>, gate: &Arc<Gate>) -> Desk {
        Desk {
            inlet: inlet(inboxes),
            server: self.server.clone(),
            clock: self.clock,
            faults: Arc::clone(&self.faults),
            gate: Arc::clone(gate),
        }
    }

    fn engine(
        &self,
        threads: usize,
        inboxes: &[Sender<Post>],
        recordings: &Recordings,
    ) -> io::Result<Arc<Engine>> {
        let outlets = || inboxes.iter().cloned().map(outlet).collect();
        let sink = recordings.sink();
        let common = (&self.lateness, &self.faults, &self.right);
        Engine::start(threads, self.clock, outlets, common, &sink).map(Arc::new)
    }

    fn renderer(
        &self,
        prompts: Arc<PromptStore>,
        engine: &Arc<Engine>,
        recordings: &Recordings,
    ) -> io::Result<Arc<Renderer>> {
        Renderer::start(prompts, engine, self.clock, &self.faults, recordings.dir()).map(Arc::new)
    }

    /// The store of recordings. Where a questionnaire records, a directory that cannot be written is told now.
    fn recordings(
        &self,
        settings: &Settings,
        left: Vec<CallId>,
        inboxes: &[Sender<Post>],
    ) -> Result<Arc<Recordings>, NodeError> {
        let inboxes = inboxes.to_vec();
        let outlet = move |take: &Take, taken| {
            let Take { call, recording, .. } = *take;
            let shard = &inboxes[shard_of(call, inboxes.len())];
            // A shard that has stopped has no calls.
            drop(shard.send(Post::Taken { call, recording, taken }));
        };
        let terms = settings.recordings.clone();
        let recordings = Recordings::start(terms, left, Box::new(outlet)).map_err(NodeError::Thread)?;
        if self.assets.record() {
            let dir = || recordings.dir().to_owned();
            recordings.prepare().map_err(|source| NodeError::Recordings { dir: dir(), source })?;
        }
        Ok(Arc::new(recordings))
    }

    fn shard(
        &self,
        parts: HandsParts,
        trunks: Arc<BTreeMap<String, Trunk>>,
        inbox: Sender<Post>,
        posts: Receiver<Post>,
        journal: &Journal,
    ) -> io::Result<ShardHandle> {
        let (acknowledge, acks): (Sender<Ack>, _) = bounded(ACKS);
        // A lane has fewer unanswered appends than the channel has places, so that this never waits; a shard that
        // has stopped wants no answers.
        let saves = Saves::new(journal.lane(move |ack| drop(acknowledge.send(ack))));
        let (clock, assets) = (self.clock, Arc::clone(&self.assets));
        let alarm = Alarm { load: Arc::clone(&self.load), events: parts.events.clone() };
        let name = format!("shard-{}", parts.shard);
        let run = move || {
            let _alarm = alarm;
            Shard::new(clock, assets, trunks, posts, acks, saves, Hands::new(parts)).run();
        };
        let thread = std::thread::Builder::new().name(name).spawn(run)?;
        Ok(ShardHandle { inbox, thread: Some(thread) })
    }
}

/// Says so when the thread that holds it panics: its calls cannot go on, so no more are taken.
struct Alarm {
    load: Arc<Load>,
    events: mpsc::Sender<Event>,
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() && self.load.fail() {
            let what =
                "a shard panicked; its calls are in the journal. Restart, and please report it".to_owned();
            tracing::error!("{what}");
            drop(self.events.try_send(Event::Failed { what }));
        }
    }
}

/// A media thread's way to one shard.
fn outlet(inbox: Sender<Post>) -> Outlet {
    Box::new(move |events| {
        inbox.try_send(Post::Media(events)).map_err(|refused| match refused.into_inner() {
            Post::Media(events) => events,
            Post::Place { .. }
            | Post::Resume(_)
            | Post::Hold { .. }
            | Post::Ready { .. }
            | Post::Sip(_)
            | Post::HangUp(_)
            | Post::HangUpAll
            | Post::Stored(_)
            | Post::Renew { .. }
            | Post::Taken { .. }
            | Post::Silence { .. }
            | Post::TakeOver(_)
            | Post::Left(_)
            | Post::Disown { .. }
            | Post::Stop => Vec::new(),
        })
    })
}

/// The SIP reader's way to all shards: each message to the one that owns its call.
fn inlet(inboxes: Vec<Sender<Post>>) -> Inlet {
    let scales: Vec<Scale> = inboxes.iter().map(|_| Scale::default()).collect();
    Arc::new(move |mail: Mail| {
        let mut sorted: Vec<Mail> = inboxes.iter().map(|_| Mail::default()).collect();
        for one in mail.arrived {
            sorted[shard_of(one.owner, inboxes.len())].arrived.push(one);
        }
        for of in mail.undelivered {
            sorted[shard_of(of.0, inboxes.len())].undelivered.push(of);
        }
        let mut lost = 0;
        for ((inbox, scale), mail) in inboxes.iter().zip(&scales).zip(sorted) {
            let count = mail.arrived.len() + mail.undelivered.len();
            if count == 0 {
                continue;
            }
            // A shard that has stopped has no calls to lose anything.
            let taken = scale
                .weigh(mail)
                .is_ok_and(|mail| !matches!(inbox.try_send(Post::Sip(mail)), Err(TrySendError::Full(_))));
            if !taken {
                lost += count;
            }
        }
        if lost == 0 { Ok(()) } else { Err(lost) }
    })
}

/// Raises the soft limit of open files as far as calls and connections need and the hard limit allows.
fn raise_open_files(limits: Limits) {
    let wanted = limits.calls.saturating_mul(2).saturating_add(limits.connections);
    let wanted = u64::try_from(wanted).unwrap_or(u64::MAX).saturating_add(OTHER_FILES);
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        if soft < wanted {
            setrlimit(Resource::RLIMIT_NOFILE, wanted.min(hard), hard)?;
        }
        Ok(hard)
    });
    match raised {
        Ok(hard) if hard < wanted => {
            tracing::warn!(hard, wanted, "the limit of open files allows fewer calls than limits.calls");
        }
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "the limit of open files stays as it is"),
    }
}
