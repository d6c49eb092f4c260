//! Shards that own calls, SIP transports, media engine. Edge (DESIGN §5).
//!
//! ```text
//!            place, hang_up                     Event (steps, results)
//!                  │                                  ▲
//!   SIP socket     ▼                                  │
//!   ─► reader ─► shard: inputs → Call::handle → outputs ─► SIP socket
//!                │  ▲      (parked until saved)  │  ▲
//!           saves│  │acknowledged    Open, Play │  │ Key, PromptEnded, Closed
//!                ▼  │                            ▼  │
//!              journal                       media thread (20 ms wheel) ◄─► RTP, RTCP
//! ```
//! A few named threads do everything; a call is a value in a shard's map and a stream in a media thread's.
//! No task, thread or socket-reading future belongs to one call.

pub mod clock;
pub mod masked;

mod budgets;
mod closed;
mod datagrams;
mod event;
mod faults;
mod inherit;
mod load;
mod media;
mod placement;
mod placing;
mod ports;
mod pulse;
mod quotas;
mod render;
mod renew;
mod resume;
mod right;
mod shard;
mod start;
mod transport;
mod turns;

#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, TrySendError};

use self::budgets::{Budgets, Channel};
use self::clock::Clock;
use self::closed::Closed;
use self::faults::Faults;
use self::load::Load;
use self::media::{Engine, Lateness};
use self::ports::{PortPair, PortPools};
use self::pulse::Beating;
use self::quotas::Quotas;
use self::render::{Errand, Renderer};
use self::renew::Current;
use self::shard::Post;
use self::transport::{Gate, Transport};
use self::turns::Turns;
use crate::call::{Assets, Call, Start};
use crate::id::{AttemptId, CallId, Epoch, Mint};
use crate::sdp::Origin;
use crate::store::journal::{Counts, Journal};
use crate::store::recordings::Recordings;

pub use budgets::TrunkUsage;
pub use event::{Event, Receipt};
pub use faults::FaultCount;
pub use inherit::{Inheritance, Inherited, OnSettled, Settled};
pub use load::Refusal;
pub use media::LatenessCounts;
pub(crate) use media::beep;
pub use placement::{PlaceError, Placement};
pub use ports::PortError;
pub use pulse::Pulse;
pub use resume::{Earlier, Regained};
pub use right::Right;
pub use start::{NodeConfig, NodeError};

/// How long streams and connections may take to end when nothing may be sent: they look up many times a second.
const LONGEST_END: Duration = Duration::from_secs(5);

/// The local address that each trunk of a call is called from, by their numbers.
type Ways = Vec<usize>;

/// A running node: it places calls and carries them to their end.
///
/// Made by [`Node::start`]. Dropping it without [`Node::shutdown`] stops it at once: streams end with an RTCP BYE,
/// dialogs are left to the peers' timers, and the journal keeps the calls.
#[derive(Debug)]
pub struct Node {
    current: Mutex<Current>,
    longest: Duration,
    /// Values of a reply that are spoken before a call.
    ahead: usize,
    clock: Clock,
    mint: Mutex<Mint>,
    quotas: Arc<Quotas>,
    right: Right,
    /// Under which ownership calls are placed.
    epoch: AtomicU64,
    turns: Turns,
    gate: Arc<Gate>,
    load: Arc<Load>,
    faults: Arc<Faults>,
    lateness: Arc<Lateness>,
    ports: PortPools,
    closed: Arc<Closed>,
    budgets: Arc<Budgets>,
    // In the order in which they end.
    transport: Transport,
    shards: Vec<ShardHandle>,
    renderer: Arc<Renderer>,
    engine: Arc<Engine>,
    pulse: Option<Beating>,
    /// Closed when the media threads have handed over what they recorded.
    _recordings: Arc<Recordings>,
    /// Closed last: it acknowledges what shards wrote at their end.
    journal: Journal,
}

/// What was taken for a call before it is placed.
#[derive(Debug)]
pub(crate) struct Reserved {
    /// The local addresses that its trunks are called from.
    ways: Ways,
    /// Its bound ports.
    ports: PortPair,
    /// Its place on its first trunk.
    channel: Channel,
}

#[derive(Debug)]
struct ShardHandle {
    inbox: Sender<Post>,
    thread: Option<JoinHandle<()>>,
}

/// What a node has to do at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Calls without an outcome.
    pub calls: usize,
    /// Calls in memory: also those whose last transactions run out, or whose result nobody has kept yet.
    pub held: usize,
    /// Most calls without an outcome that it takes.
    pub limit: usize,
    /// RTP streams.
    pub streams: usize,
    /// How late its media threads serve them.
    pub lateness: LatenessCounts,
    /// What went wrong outside of calls.
    pub faults: Vec<FaultCount>,
    /// What the journal has done, and what it holds.
    pub journal: Counts,
    /// Why no call is taken at all.
    pub closed: Option<Refusal>,
    /// How many calls each trunk has, and may have.
    pub trunks: Vec<TrunkUsage>,
    /// How long ago the slowest shard turned last; they turn at least once a second.
    pub turned: Duration,
    /// The same of its media threads.
    pub media_turned: Duration,
    /// For how long the journal has been at its present write; zero: it has nothing to write.
    pub writes_for: Duration,
}

impl Node {
    /// Places a call. What it says with the contact's fields is spoken, its record is made durable, then its INVITE
    /// leaves; what happens is told as [`Event`]s. A call whose texts cannot be spoken is not dialled: its result
    /// says so.
    ///
    /// # Errors
    /// [`PlaceError`]; nothing was sent then.
    pub fn place(&self, placement: Placement) -> Result<CallId, PlaceError> {
        match self.closed() {
            Some(Refusal::DiskFull) => return Err(PlaceError::DiskFull),
            Some(Refusal::Silent) => return Err(PlaceError::Silent),
            Some(Refusal::Full | Refusal::Draining | Refusal::Failed) | None => {}
        }
        self.load.reserve().map_err(|refusal| match refusal {
            Refusal::Full => PlaceError::Full { limit: self.load.limit() },
            Refusal::Draining => PlaceError::Draining,
            Refusal::DiskFull => PlaceError::DiskFull,
            Refusal::Silent => PlaceError::Silent,
            Refusal::Failed => PlaceError::Failed,
        })?;
        let current = self.current();
        self.place_reserved(placement, &current).inspect_err(|_| {
            self.load.ended();
            self.load.forgotten();
        })
    }

    /// Hands a call to the shard that will own it: at once, or when what it says by name is spoken.
    fn hand_over(&self, start: Start, reserved: Reserved, assets: &Assets) -> Result<CallId, PlaceError> {
        let call_id = start.call_id;
        let shard = &self.shards[shard_of(call_id, self.shards.len())];
        let post = |post| {
            shard.inbox.try_send(post).map_err(|refused| match refused {
                TrySendError::Full(_) => PlaceError::Busy,
                TrySendError::Disconnected(_) => PlaceError::Failed,
            })
        };
        let questionnaire = start.questionnaire;
        let call = Box::new(Call::new(self.clock.now(), start.clone(), assets)?);
        let texts = call.known_texts(assets, self.ahead);
        let texts = self.renderer.missing(texts, questionnaire);
        let is_paced = reserved.channel.is_paced();
        if texts.is_empty() && !is_paced {
            post(Post::Place { call, reserved })?;
            return Ok(call_id);
        }
        // It is made anew when they are spoken and its trunk may be called: its timers run from then on.
        post(Post::Hold { start: Box::new(start), reserved })?;
        if texts.is_empty() {
            self.post(shard_of(call_id, self.shards.len()), Post::Ready { call: call_id, spoken: Ok(()) });
            return Ok(call_id);
        }
        let held = Some((call_id, shard.inbox.clone()));
        if !self.renderer.prepare(Errand { texts, questionnaire, held }) {
            let spoken = Err("too many texts wait to be spoken".to_owned());
            self.post(shard_of(call_id, self.shards.len()), Post::Ready { call: call_id, spoken });
        }
        Ok(call_id)
    }

    /// Names and randomness of a new call.
    fn draw(&self, address: IpAddr) -> ((CallId, AttemptId), [u8; 32], Origin) {
        let mut mint = self.mint.lock().unwrap_or_else(PoisonError::into_inner);
        let mut seed = [0; 32];
        for word in seed.chunks_exact_mut(8) {
            word.copy_from_slice(&mint.number().to_be_bytes());
        }
        let names = (CallId::mint(&mut mint), AttemptId::mint(&mut mint));
        (names, seed, Origin::new(address, &mut mint))
    }

    /// Ids for a call that is written down before it is placed: see [`Placement::names`].
    #[must_use]
    pub fn draw_names(&self) -> (CallId, AttemptId) {
        let mut mint = self.mint.lock().unwrap_or_else(PoisonError::into_inner);
        (CallId::mint(&mut mint), AttemptId::mint(&mut mint))
    }

    /// Ends a call in order: CANCEL or BYE, and the outcome so far. Of a call that is over nothing happens.
    pub fn hang_up(&self, call: CallId) {
        self.post(shard_of(call, self.shards.len()), Post::HangUp(call));
    }

    /// What the node has to do at the moment.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let (calls, held) = self.load.counts();
        Usage {
            calls,
            held,
            limit: self.load.limit(),
            streams: self.engine.streams(),
            lateness: self.lateness.snapshot(),
            faults: self.faults.snapshot(),
            journal: self.journal.counts(),
            closed: self.closed(),
            trunks: self.budgets.usage(),
            turned: self.turns.slowest(self.clock.now()),
            media_turned: self.engine.turned(self.clock.now()),
            writes_for: self.journal.busy_for(),
        }
    }

    /// Why no call is taken at all, if none is.
    fn closed(&self) -> Option<Refusal> {
        let silent = || (!self.right.holds()).then_some(Refusal::Silent);
        let full = || self.journal.is_full().then_some(Refusal::DiskFull);
        self.load.closed().or_else(silent).or_else(full)
    }

    /// The right to send has ended, or is to end: nothing leaves any more, connections are reset, and calls are
    /// dropped. Told once ([`Event::Silenced`]), however often it is asked for.
    pub fn silence(&self) {
        if let Some(calls) = self.fall_silent() {
            tracing::error!(
                calls,
                "this instance has lost the right to send: it drops its calls, others may go on with them"
            );
        }
    }

    /// Falls silent because it gives its calls away. Waits until nothing of them is left that could be sent or saved.
    pub fn lay_down(&self) {
        if let Some(calls) = self.fall_silent() {
            tracing::info!(calls, "this instance gives its calls to the others");
        }
        self.drop_calls();
    }

    /// Sends nothing any more; how many calls it had. `None`: it was silent.
    fn fall_silent(&self) -> Option<usize> {
        if !self.right.silence() {
            return None;
        }
        let (calls, _) = self.load.counts();
        self.transport.silence();
        for shard in 0..self.shards.len() {
            let tell = (shard == 0).then_some(calls);
            self.post(shard, Post::Silence { tell, done: None });
        }
        Some(calls)
    }

    /// Goes on as another incarnation, without calls: places calls under this ownership as soon as the right to send is
    /// given again. Waits until nothing of the former one is left that could be sent, a few turns of its threads.
    pub fn begin_anew(&self, epoch: Epoch) {
        self.silence();
        self.drop_calls();
        self.epoch.store(epoch.0, SeqCst);
        self.right.begin();
    }

    /// Waits until every shard has dropped its calls, and nothing of them is on its way out.
    fn drop_calls(&self) {
        let (done, dropped) = crossbeam_channel::unbounded();
        for shard in 0..self.shards.len() {
            self.post(shard, Post::Silence { tell: None, done: Some(done.clone()) });
        }
        drop(done);
        while dropped.recv().is_ok() {} // until each has
        // A thread that has ended keeps its streams for ever, and sends nothing.
        let until = Instant::now() + LONGEST_END;
        while (self.engine.streams() > 0 || !self.transport.is_quiet()) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Takes no more calls; those that there are go on.
    pub fn drain(&self) {
        self.load.drain();
    }

    /// Where the node listens for SIP, over UDP and TCP.
    #[must_use]
    pub fn listens_at(&self) -> Vec<SocketAddr> {
        self.transport.ways().iter().map(|(_, way)| way.local).collect()
    }

    /// Takes no more calls and ends those that there are, each in order; then stops.
    ///
    /// Waits for their outcomes up to `limit` and returns how many have none: those stay in the journal. Take the
    /// events meanwhile, on another thread or task.
    pub fn shutdown(self, limit: Duration) -> usize {
        self.end_all(limit)
    }

    /// As [`Node::shutdown`], for a node that others hold too.
    pub fn end_all(&self, limit: Duration) -> usize {
        self.load.drain();
        for shard in 0..self.shards.len() {
            self.post(shard, Post::HangUpAll);
        }
        self.load.wait_until_ended(limit)
    }

    /// Hands a post to a shard; waits while that has too many.
    fn post(&self, shard: usize, post: Post) {
        // A shard that has stopped has said why.
        drop(self.shards[shard].inbox.send(post));
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        for shard in &mut self.shards {
            drop(shard.inbox.send(Post::Stop));
            if shard.thread.take().is_some_and(|thread| thread.join().is_err()) {
                tracing::error!("a shard panicked; its calls are in the journal");
            }
        }
        self.renderer.stop();
        drop(self.pulse.take());
    }
}

/// The shard that owns a call: the same for every message of it.
fn shard_of(call: CallId, shards: usize) -> usize {
    // FNV-1a: ids are random, any mixing will do.
    let mixed = call
        .as_str()
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    usize::try_from(mixed).expect("32 bits fit") % shards
}
