//! One media thread: polls the sockets of its calls, turns their wheel, carries out commands.
//!
//! ```text
//! loop: poll (until the next slot is due) ─► turn the wheel ─► read what is ready ─► commands ─► tell shards
//! ```
//! The wheel comes first after each wait, and again after each socket: what is read may wait a little, what is sent
//! may not.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use crossbeam_channel::Receiver;
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token};

use super::Lateness;
use super::engine::{Command, MediaEvent, Opening, Outlet};
use super::line::{Line, Told};
use super::wheel::{SLOTS, Wheel};
use crate::id::CallId;
use crate::node::clock::Clock;
use crate::node::datagrams::{Reader, Wait};
use crate::node::faults::Faults;
use crate::node::ports::Lease;
use crate::node::right::Right;
use crate::node::turns::TurnOf;
use crate::store::recordings::{Order, Sink};
use crate::time::Timestamp;

/// Sockets that one poll may report; more are reported by the next.
const READY: usize = 1_024;
/// The longest wait of a thread without streams: by its turns it is known that it does not hang.
const IDLE: Duration = Duration::from_millis(250);
/// Datagrams of one read: a call gets 50 a second, so that more than one is rare.
const READ_SLOTS: usize = 8;
/// Bytes of a datagram that are read: an Ethernet frame, where G.711 needs 172.
const READ_BYTES: usize = 1_500;
/// Datagrams of one socket that are read before the others have their turn: a flood hurts its own call first.
const READ_BUDGET: usize = 32;
/// Datagrams that are looked at of those that wait on a port when it is opened: more than a receive buffer of the usual
/// size holds of them. What a flood brings beyond that is read like all else.
const MOST_WAITING: usize = 1_024;
/// Commands that are carried out before the wheel has its turn again.
const COMMAND_BATCH: usize = 64;
/// Events that wait for one shard which takes none. Each call has one or two at a time.
const MAX_UNTOLD: usize = 65_536;

/// Readiness of no socket: a command waits.
pub(super) const WAKE: Token = Token(usize::MAX);

/// A call's sockets and line.
struct Stream {
    call: CallId,
    shard: usize,
    slot: usize,
    rtp: UdpSocket,
    rtcp: UdpSocket,
    line: Line,
    /// Given back when the sockets are closed.
    _ports: Lease,
}

/// What a thread is given by its engine.
pub(super) struct Fittings {
    pub(super) clock: Clock,
    pub(super) poll: Poll,
    pub(super) commands: Receiver<Command>,
    pub(super) outlets: Vec<Outlet>,
    /// Streams of this thread, for the engine that spreads them.
    pub(super) count: Arc<AtomicUsize>,
    pub(super) lateness: Arc<Lateness>,
    pub(super) faults: Arc<Faults>,
    pub(super) recordings: Sink,
    pub(super) right: Right,
    pub(super) stopping: Arc<AtomicBool>,
    pub(super) turn: TurnOf,
}

/// See the file's head.
pub(super) struct Thread {
    clock: Clock,
    poll: Poll,
    commands: Receiver<Command>,
    outlets: Vec<Outlet>,
    /// Events that each shard has not been told yet.
    untold: Vec<Vec<MediaEvent>>,
    streams: Vec<Option<Box<Stream>>>,
    vacant: Vec<usize>,
    calls: HashMap<CallId, usize>,
    wheel: Wheel<usize>,
    /// Sockets with more to read than the budget allowed.
    unread: Vec<Token>,
    reader: Reader,
    packet: Vec<u8>,
    count: Arc<AtomicUsize>,
    lateness: Arc<Lateness>,
    faults: Arc<Faults>,
    recordings: Sink,
    right: Right,
    /// What streams that are closed had still to be stored.
    unstored: VecDeque<Order>,
    stopping: Arc<AtomicBool>,
    turn: TurnOf,
}

impl Thread {
    /// A thread with nothing to do yet; made on the thread itself, whose read buffers stay there.
    pub(super) fn new(fittings: Fittings) -> Self {
        let Fittings { clock, poll, commands, outlets, count, lateness, faults, .. } = fittings;
        let Fittings { recordings, right, stopping, turn, .. } = fittings;
        Self {
            clock,
            poll,
            commands,
            untold: outlets.iter().map(|_| Vec::new()).collect(),
            outlets,
            streams: Vec::new(),
            vacant: Vec::new(),
            calls: HashMap::new(),
            wheel: Wheel::new(clock.now()),
            unread: Vec::new(),
            reader: Reader::new(READ_SLOTS, READ_BYTES),
            packet: Vec::with_capacity(READ_BYTES),
            count,
            lateness,
            faults,
            recordings,
            right,
            unstored: VecDeque::new(),
            stopping,
            turn,
        }
    }

    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(READY);
        while !self.stopping.load(Relaxed) {
            let wait = self.wait();
            if let Err(error) = self.poll.poll(&mut events, Some(wait))
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "a media thread cannot poll its sockets and ends");
                return;
            }
            self.turn();
            // A flood makes every socket ready at once: what is due is sent between two of them, not behind them all.
            for token in std::mem::take(&mut self.unread) {
                self.read(token);
                self.turn();
            }
            for event in &events {
                if event.token() != WAKE {
                    self.read(event.token());
                    self.turn();
                }
            }
            self.carry_out();
            self.store_rest();
            self.tell();
        }
        let calls: Vec<CallId> = self.streams.iter().flatten().map(|stream| stream.call).collect();
        for call in calls {
            self.close(call);
        }
        self.unstored.drain(..).for_each(|order| self.recordings.put(order));
        self.tell();
    }

    fn wait(&self) -> Duration {
        let busy = !self.unread.is_empty() || !self.commands.is_empty();
        match self.wheel.next_due() {
            _ if busy => Duration::ZERO,
            Some(due) => self.clock.until(due).min(IDLE),
            None => IDLE,
        }
    }

    /// Serves the slots that are due; one turn of the wheel at most, so that a thread with too many calls still reads
    /// and obeys. What it cannot serve the wheel skips.
    fn turn(&mut self) {
        for _ in 0..SLOTS {
            let now = self.clock.now();
            self.turn.turned(now); // a loop over many ready sockets may be long, and its calls are served
            let Some(turn) = self.wheel.turn(now) else { return };
            let late = now.since(turn.due);
            let may_send = self.right.holds();
            for &index in self.wheel.streams(turn.slot) {
                let stream = self.streams[index].as_mut().expect("the wheel holds only live streams");
                self.lateness.record(late);
                stream.tick(turn.due, &mut self.packet, may_send);
                stream.gather(&mut self.untold[stream.shard]);
                stream.store(&self.recordings);
            }
        }
    }

    fn read(&mut self, token: Token) {
        let Some(Some(stream)) = self.streams.get_mut(token.0 / 2) else { return };
        let is_rtp = token.0.is_multiple_of(2);
        let socket = if is_rtp { &stream.rtp } else { &stream.rtcp };
        let (line, faults) = (&mut stream.line, &self.faults);
        let now = self.clock.now();
        let mut budget = READ_BUDGET;
        loop {
            let read = self.reader.read(socket, Wait::No, |datagram, from| {
                let (kind, taken) = if is_rtp {
                    ("rtp", line.receive(now, from, datagram))
                } else {
                    ("rtcp", line.receive_control(now, from, datagram))
                };
                if let Err(reason) = taken {
                    faults.count(now, kind, reason, format_args!("call {}, from {from}", stream.call));
                }
            });
            match read {
                // Fewer than there was room for: the socket is empty, and new arrivals wake the poll.
                Ok(count) if count < self.reader.slots() => break,
                Ok(count) if count >= budget => {
                    self.unread.push(token);
                    break;
                }
                Ok(count) => budget -= count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        stream.gather(&mut self.untold[stream.shard]);
    }

    fn carry_out(&mut self) {
        for _ in 0..COMMAND_BATCH {
            let Ok(command) = self.commands.try_recv() else { return };
            match command {
                Command::Open(opening) => self.open(*opening),
                Command::Retune { call, plan } => self.with(call, |line| line.retune(*plan)),
                Command::Play { call, play, clips, skip } => {
                    self.with(call, |line| line.play(play, clips, skip));
                }
                Command::Rendered { call, play, clips } => self.with(call, |line| line.rendered(play, clips)),
                Command::Record { call, recording, take } => {
                    self.with(call, |line| line.record(*recording, take));
                }
                Command::StopRecording { call, recording, stop } => {
                    self.with(call, |line| line.stop_recording(recording, stop));
                }
                Command::Press { call, play, keys } => self.with(call, |line| line.press(play, &keys)),
                Command::Stop { call, play } => self.with(call, |line| line.stop(play)),
                Command::Close { call } => self.close(call),
            }
        }
    }

    /// Of a stream that was closed meanwhile nothing is known, and nothing needs to be.
    fn with(&mut self, call: CallId, act: impl FnOnce(&mut Line)) {
        if let Some(&index) = self.calls.get(&call)
            && let Some(stream) = self.streams[index].as_mut()
        {
            act(&mut stream.line);
            stream.gather(&mut self.untold[stream.shard]);
            stream.store(&self.recordings);
        }
    }

    fn open(&mut self, opening: Opening) {
        let line = opening.line(&self.clock);
        let Opening { call, shard, ports, .. } = opening;
        let index = self.vacant.pop().unwrap_or_else(|| {
            self.streams.push(None);
            self.streams.len() - 1
        });
        let slot = self.wheel.insert(index, line.begins());
        let rtp = UdpSocket::from_std(ports.rtp);
        let rtcp = UdpSocket::from_std(ports.rtcp);
        let mut stream = Box::new(Stream { call, shard, slot, rtp, rtcp, line, _ports: ports.lease });
        let registry = self.poll.registry();
        let registered = registry
            .register(&mut stream.rtp, Token(index * 2), Interest::READABLE)
            .and_then(|()| registry.register(&mut stream.rtcp, Token(index * 2 + 1), Interest::READABLE));
        if let Err(error) = registered {
            self.faults.count(self.clock.now(), "rtp", "register", format_args!("call {call}: {error}"));
        }
        self.streams[index] = Some(stream);
        self.calls.insert(call, index);
        self.drop_waiting(index);
    }

    /// Counts what waits on an RTP port that is opened: what came before the answer, or while nobody listened.
    fn drop_waiting(&mut self, index: usize) {
        let Some(Some(stream)) = self.streams.get_mut(index) else { return };
        let line = &mut stream.line;
        for _ in 0..MOST_WAITING / READ_SLOTS {
            let read = self.reader.read(&stream.rtp, Wait::No, |datagram, _| line.waited(datagram));
            if !matches!(read, Ok(count) if count == self.reader.slots()) {
                break;
            }
        }
    }

    fn close(&mut self, call: CallId) {
        let Some(index) = self.calls.remove(&call) else { return };
        let mut stream = self.streams[index].take().expect("a call's index is live");
        self.wheel.remove(index, stream.slot);
        self.vacant.push(index);
        self.count.fetch_sub(1, Relaxed);
        if let Some(to) = stream.line.bye(self.clock.now(), &mut self.packet)
            && self.right.holds()
        {
            stream.send_control(&self.packet, to);
        }
        stream.line.leave_recording();
        self.unstored.extend(std::iter::from_fn(|| stream.line.poll_order()));
        self.store_rest();
        let statistics = Box::new(stream.line.statistics());
        self.lateness.skip(statistics.skipped);
        let untold = &mut self.untold[stream.shard];
        stream.gather(untold);
        untold.push(MediaEvent { call, told: Told::Closed(statistics) });
        // Dropping the sockets takes them out of the poll (epoll(7)).
    }

    /// Hands the store what closed streams have left, as far as it has room.
    fn store_rest(&mut self) {
        while let Some(order) = self.unstored.pop_front() {
            if let Err(order) = self.recordings.offer(order) {
                return self.unstored.push_front(order);
            }
        }
    }

    /// Hands each shard what there is for it, all at once.
    fn tell(&mut self) {
        for (outlet, untold) in self.outlets.iter().zip(&mut self.untold) {
            if untold.is_empty() {
                continue;
            }
            if let Err(refused) = outlet(std::mem::take(untold)) {
                *untold = refused;
                if untold.len() > MAX_UNTOLD {
                    let now: Timestamp = self.clock.now();
                    self.faults.count(now, "events", "shard-stalled", "a shard takes no media events");
                    untold.truncate(MAX_UNTOLD);
                }
            }
        }
    }
}

impl Stream {
    /// Sends what is due, if anything may be sent at all: the stream's time goes on in any case.
    fn tick(&mut self, due: Timestamp, packet: &mut Vec<u8>, may_send: bool) {
        if let Some(to) = self.line.tick(due, packet)
            && may_send
            && self.rtp.send_to(packet, to).is_err()
        {
            self.line.unsent();
        }
        if let Some(to) = self.line.report(due, packet)
            && may_send
        {
            self.send_control(packet, to);
        }
    }

    /// A lost report is made good by the next one.
    fn send_control(&self, packet: &[u8], to: SocketAddr) {
        if let Err(error) = self.rtcp.send_to(packet, to) {
            tracing::debug!(call = %self.call, %error, "an RTCP report was not sent");
        }
    }

    /// Hands over what was recorded, as far as the store has room.
    fn store(&mut self, recordings: &Sink) {
        while let Some(order) = self.line.poll_order() {
            if let Err(order) = recordings.offer(order) {
                return self.line.put_back(order);
            }
        }
    }

    fn gather(&mut self, untold: &mut Vec<MediaEvent>) {
        let call = self.call;
        untold.extend(std::iter::from_fn(|| self.line.poll_told()).map(|told| MediaEvent { call, told }));
    }
}
