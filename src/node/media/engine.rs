//! The handle to the media threads: what may be asked of them and what they tell.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};
use mio::{Poll, Waker};

use super::line::{Line, Told};
use super::thread::{Fittings, Thread, WAKE};
use super::{Clip, Lateness, MediaPlan, PlayId};
use crate::call::{Recording, RecordingId, Stop};
use crate::dialplan::PostDial;
use crate::id::CallId;
use crate::node::clock::Clock;
use crate::node::faults::Faults;
use crate::node::ports::PortPair;
use crate::node::right::Right;
use crate::node::turns::Turns;
use crate::store::recordings::{Sink, Take};
use crate::time::Timestamp;

/// Commands that wait for one thread. A shard that finds it full waits: a media thread never waits for a shard.
const COMMANDS: usize = 4_096;

/// What a shard asks of a media thread.
#[derive(Debug)]
pub(crate) enum Command {
    /// Begin the stream of a call.
    Open(Box<Opening>),
    /// Go on under new terms.
    Retune { call: CallId, plan: Box<MediaPlan> },
    /// Play these clips, or (`None`) those that `Rendered` will bring; without the first `skip` frames.
    Play { call: CallId, play: PlayId, clips: Option<Vec<Arc<Clip>>>, skip: usize },
    /// The clips of an awaited play; `None`: they could not be rendered.
    Rendered { call: CallId, play: PlayId, clips: Option<Vec<Arc<Clip>>> },
    /// Record what the callee says.
    Record { call: CallId, recording: Box<Recording>, take: Arc<Take> },
    /// Stop a recording.
    StopRecording { call: CallId, recording: RecordingId, stop: Stop },
    /// Send these keys; `play` names that as it names a prompt.
    Press { call: CallId, play: PlayId, keys: PostDial },
    /// Stop a play.
    Stop { call: CallId, play: PlayId },
    /// End the stream: RTCP BYE, sockets closed, ports given back.
    Close { call: CallId },
}

/// A stream to begin.
#[derive(Debug)]
pub(crate) struct Opening {
    /// Whose.
    pub(crate) call: CallId,
    /// The shard that owns the call: an index into the outlets.
    pub(crate) shard: usize,
    /// Its bound sockets.
    pub(crate) ports: PortPair,
    /// Its terms.
    pub(crate) plan: MediaPlan,
}

impl Opening {
    pub(super) fn line(&self, clock: &Clock) -> Line {
        // RFC 7022 asks for a name that is unique and says nothing: the call's id is both.
        Line::new(clock.now(), format!("{}@baton", self.call), self.plan.clone())
    }
}

/// What the media of a call tells.
#[derive(Debug)]
pub(crate) struct MediaEvent {
    /// Whose.
    pub(crate) call: CallId,
    /// What.
    pub(crate) told: Told,
}

/// The way to one shard: takes a batch of events, or gives it back if the shard has no room. Never waits.
pub(crate) type Outlet = Box<dyn Fn(Vec<MediaEvent>) -> Result<(), Vec<MediaEvent>> + Send>;

/// The media threads of a node.
#[derive(Debug)]
pub(crate) struct Engine {
    threads: Vec<Handle>,
    stopping: Arc<AtomicBool>,
    turns: Turns,
}

#[derive(Debug)]
struct Handle {
    commands: Sender<Command>,
    waker: Arc<Waker>,
    streams: Arc<AtomicUsize>,
    joined: Option<JoinHandle<()>>,
}

impl Engine {
    /// Starts `threads` threads; each calls `outlets` for its own ways to the shards. `recordings` takes what they
    /// record.
    ///
    /// # Errors
    /// When the system gives no poll or no thread.
    pub(crate) fn start(
        threads: usize,
        clock: Clock,
        outlets: impl Fn() -> Vec<Outlet>,
        (lateness, faults, right): (&Arc<Lateness>, &Arc<Faults>, &Right),
        recordings: &Sink,
    ) -> io::Result<Self> {
        let stopping = Arc::new(AtomicBool::new(false));
        let turns = Turns::new(threads.max(1), clock.now());
        let mut engine = Self { threads: Vec::new(), stopping: Arc::clone(&stopping), turns };
        for number in 0..threads.max(1) {
            let (commands, inbox) = bounded(COMMANDS);
            let streams = Arc::new(AtomicUsize::new(0));
            let poll = Poll::new()?;
            let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
            let fittings = Fittings {
                clock,
                poll,
                commands: inbox,
                outlets: outlets(),
                count: Arc::clone(&streams),
                lateness: Arc::clone(lateness),
                faults: Arc::clone(faults),
                recordings: recordings.clone(),
                right: right.clone(),
                stopping: Arc::clone(&stopping),
                turn: engine.turns.of(number),
            };
            let joined = std::thread::Builder::new()
                .name(format!("media-{number}"))
                .spawn(move || Thread::new(fittings).run())?;
            engine.threads.push(Handle { commands, waker, streams, joined: Some(joined) });
        }
        Ok(engine)
    }

    /// The thread that should take the next stream: the one with the fewest.
    pub(crate) fn least_loaded(&self) -> usize {
        (0..self.threads.len())
            .min_by_key(|&number| self.threads[number].streams.load(Relaxed))
            .expect("there is at least one thread")
    }

    /// Hands a command to the thread that has the call's stream. Waits while that has too many. False: the thread is
    /// gone, which only a fault of this program can bring about.
    pub(crate) fn send(&self, thread: usize, command: Command) -> bool {
        let handle = &self.threads[thread];
        if let Command::Open(_) = command {
            handle.streams.fetch_add(1, Relaxed); // at once, so that a burst is spread
        }
        let taken = handle.commands.send(command).is_ok();
        taken && handle.waker.wake().is_ok()
    }

    /// How long ago the slowest thread turned last; they turn at least four times a second.
    pub(crate) fn turned(&self, now: Timestamp) -> Duration {
        self.turns.slowest(now)
    }

    /// Streams of all threads.
    pub(crate) fn streams(&self) -> usize {
        self.threads.iter().map(|handle| handle.streams.load(Relaxed)).sum()
    }
}

impl Drop for Engine {
    /// Ends every stream with an RTCP BYE and joins the threads.
    fn drop(&mut self) {
        self.stopping.store(true, Relaxed);
        for handle in &mut self.threads {
            if handle.waker.wake().is_err()
                || handle.joined.take().is_some_and(|joined| joined.join().is_err())
            {
                tracing::error!("a media thread did not end cleanly");
            }
        }
    }
}
