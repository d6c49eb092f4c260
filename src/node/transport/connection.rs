//! One TCP connection: what was read and is no message yet, what is to be written, and its deadlines.
//!
//! ```text
//! Connecting ──► Open ──► closed: by the peer, by an error, by a deadline
//!      └ refused, too late        └ what was not answered goes once more over a new connection
//! ```
//! A request stays here until the first response to it, because a peer that closes an idle connection and a
//! request that is written to it cross on the wire. The branch makes its repeat harmless (RFC 3261 §17.2.3).

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use mio::net::TcpStream;

use super::Of;
use crate::sip::stream::{Frame, Framer, StreamError};
use crate::sip::timers::PATIENCE;
use crate::sip::{Message, parse};
use crate::time::Timestamp;

/// Bytes that may wait for a peer which does not read: some hundred messages.
const MAX_QUEUED_BYTES: usize = 256 << 10;
/// Requests that wait for their first response, and would go again if the connection were lost.
const MAX_UNANSWERED: usize = 4_096;
/// Bytes that are read from one connection before the others have their turn.
const READ_BUDGET: usize = 64 << 10;

/// How long each thing may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Until a connection stands: two repeats of its SYN (after 1 and 3 s), well within timer B.
    pub(super) connect: Duration,
    /// Until a message that has begun is whole.
    pub(super) message: Duration,
    /// Until a peer reads on.
    pub(super) write: Duration,
    /// Until a connection that a peer opened has brought its first message.
    pub(super) first: Duration,
    /// After this much silence a connection that we opened is pinged (RFC 5626 §4.4.1), where no trunk says otherwise.
    pub(super) ping: Duration,
    /// Until the pong of a peer that has given one before (RFC 5626 §4.4.1: 10 s).
    pub(super) pong: Duration,
    /// Until a connection without messages is closed: ours later, because what the peer sends within a long call
    /// may come on it.
    pub(super) idle_ours: Duration,
    /// The same for connections that peers opened.
    pub(super) idle_theirs: Duration,
}

impl Pace {
    pub(super) const USUAL: Self = Self {
        connect: Duration::from_secs(4),
        message: Duration::from_secs(10),
        write: Duration::from_secs(10),
        first: Duration::from_secs(10),
        ping: Duration::from_secs(30),
        pong: Duration::from_secs(10),
        idle_ours: Duration::from_secs(3_600),
        idle_theirs: Duration::from_secs(900),
    };
}

/// A message on its way.
#[derive(Debug)]
pub(crate) struct Parcel {
    /// The local address that it leaves from, a number of `Ways`.
    pub(super) way: usize,
    pub(super) to: SocketAddr,
    /// Whose it is.
    pub(super) call: Option<Of>,
    bytes: Bytes,
    kind: Kind,
    /// Was it sent over a connection that was lost?
    attempt: Attempt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It is answered.
    Request,
    /// It is repeated if its response is.
    Ack,
    Response,
    /// A ping or a pong.
    Blank,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    First,
    Second,
}

impl Parcel {
    pub(super) fn new(way: usize, to: SocketAddr, call: Option<Of>, bytes: Bytes) -> Self {
        let kind = match bytes.as_ref() {
            [b'\r', ..] => Kind::Blank,
            begins if begins.starts_with(b"SIP/2.0 ") => Kind::Response,
            begins if begins.starts_with(b"ACK ") => Kind::Ack,
            _ => Kind::Request,
        };
        Self { way, to, call, bytes, kind, attempt: Attempt::First }
    }

    /// The same for another connection, if it is worth one.
    pub(super) fn again(self) -> Result<Self, Option<Of>> {
        match (self.kind, self.attempt) {
            (Kind::Request | Kind::Ack | Kind::Response, Attempt::First) if self.call.is_some() => {
                Ok(Self { attempt: Attempt::Second, ..self })
            }
            _ => Err(self.call),
        }
    }

    /// Where a response goes whose connection is gone (RFC 3261 §18.2.2): the address that its request came from,
    /// the port of its sent-by.
    pub(super) fn home(&self) -> Option<SocketAddr> {
        if self.kind != Kind::Response {
            return None;
        }
        let message = parse(self.bytes.clone()).ok()?;
        let via = message.headers().via().ok()?;
        let ip = via.received().or_else(|| via.host.ip())?;
        Some(SocketAddr::new(ip, via.port.unwrap_or(5060)))
    }
}

/// Who opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Ours,
    Theirs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Connecting,
    Open,
}

/// Why a connection is over.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error("no connection: {0}")]
    Refused(io::Error),
    #[error("no connection in time")]
    TooLate,
    #[error("the connection was lost: {0}")]
    Lost(io::Error),
    #[error("the peer closed the connection")]
    Closed,
    #[error("{0}")]
    Unreadable(StreamError),
    #[error("a message came too slowly")]
    SlowSender,
    #[error("the peer does not read what we send")]
    SlowReader,
    #[error("the connection brought no message")]
    Mute,
    #[error("a ping was not answered")]
    NoPong,
    #[error("nothing more was to be said")]
    Idle,
}

impl Ended {
    /// Kind and reason for counters; `None`: an ordinary end.
    pub(super) const fn fault(&self) -> Option<(&'static str, &'static str)> {
        Some(match self {
            Self::Refused(_) => ("tcp", "connect"),
            Self::TooLate => ("tcp", "connect_timeout"),
            Self::Unreadable(error) => ("sip", error.reason()),
            Self::SlowSender => ("tcp", "slow_sender"),
            Self::SlowReader => ("tcp", "slow_reader"),
            Self::Mute => ("tcp", "mute"),
            Self::NoPong => ("tcp", "no_pong"),
            Self::Lost(_) | Self::Closed | Self::Idle => return None,
        })
    }
}

/// What one read brought.
#[derive(Debug, Default)]
pub(super) struct Brought {
    pub(super) messages: Vec<Message>,
    /// The budget was used up; there may be more.
    pub(super) more: bool,
    /// The peer is gone; what came before counts.
    pub(super) ended: Option<Ended>,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) way: usize,
    pub(super) remote: SocketAddr,
    pub(super) side: Side,
    /// After this much silence it is pinged, if ever.
    ping: Option<Duration>,
    state: State,
    framer: Framer,
    outgoing: VecDeque<Parcel>,
    /// Bytes of the first parcel that are written.
    written: usize,
    queued_bytes: usize,
    unanswered: VecDeque<(Timestamp, Parcel)>,
    began: Timestamp,
    /// When the last message passed, either way.
    used_at: Option<Timestamp>,
    heard_at: Timestamp,
    /// Since when the beginning of a message waits for its rest.
    partial_since: Option<Timestamp>,
    /// Since when the peer reads nothing.
    stuck_since: Option<Timestamp>,
    pinged_at: Option<Timestamp>,
    /// Has the peer ever answered a ping?
    pongs: bool,
    /// Empty lines since the last message.
    blanks: u32,
}

impl Connection {
    pub(super) fn new(now: Timestamp, stream: TcpStream, way: usize, remote: SocketAddr, side: Side) -> Self {
        let state = if side == Side::Ours { State::Connecting } else { State::Open };
        Self {
            stream,
            way,
            remote,
            side,
            ping: None,
            state,
            framer: Framer::default(),
            outgoing: VecDeque::new(),
            written: 0,
            queued_bytes: 0,
            unanswered: VecDeque::new(),
            began: now,
            used_at: None,
            heard_at: now,
            partial_since: None,
            stuck_since: None,
            pinged_at: None,
            pongs: false,
            blanks: 0,
        }
    }

    /// The same, pinged after this much silence.
    pub(super) fn pinged(self, ping: Option<Duration>) -> Self {
        Self { ping, ..self }
    }

    pub(super) fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Puts a message behind those that wait; gives it back if too much waits.
    pub(super) fn enqueue(&mut self, parcel: Parcel) -> Result<(), Parcel> {
        if self.queued_bytes + parcel.bytes.len() > MAX_QUEUED_BYTES {
            return Err(parcel);
        }
        self.queued_bytes += parcel.bytes.len();
        self.outgoing.push_back(parcel);
        Ok(())
    }

    /// The system says that the connection may be ready to write.
    pub(super) fn writable(&mut self, now: Timestamp) -> Result<(), Ended> {
        if self.state == State::Connecting {
            match self.stream.take_error() {
                Ok(None) => {}
                Ok(Some(error)) | Err(error) => return Err(Ended::Refused(error)),
            }
            match self.stream.peer_addr() {
                Ok(_) => self.state = State::Open,
                Err(error) if error.kind() == io::ErrorKind::NotConnected => return Ok(()),
                Err(error) => return Err(Ended::Refused(error)),
            }
        }
        self.write(now)
    }

    /// Writes what waits, as far as the peer takes it.
    pub(super) fn write(&mut self, now: Timestamp) -> Result<(), Ended> {
        while self.state == State::Open
            && let Some(parcel) = self.outgoing.front()
        {
            let rest = parcel.bytes.get(self.written..).unwrap_or_default();
            match self.stream.write(rest) {
                Ok(count) if count < rest.len() => {
                    self.written += count;
                    self.stuck_since = None;
                }
                Ok(_) => {
                    self.stuck_since = None;
                    self.has_left(now);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.stuck_since.get_or_insert(now);
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Ended::Lost(error)),
            }
        }
        Ok(())
    }

    fn has_left(&mut self, now: Timestamp) {
        let Some(parcel) = self.outgoing.pop_front() else { return };
        self.written = 0;
        self.queued_bytes -= parcel.bytes.len();
        if parcel.kind != Kind::Blank {
            self.used_at = Some(now);
        }
        if parcel.kind == Kind::Request {
            if self.unanswered.len() == MAX_UNANSWERED {
                self.unanswered.pop_front();
            }
            self.unanswered.push_back((now, parcel));
        }
    }

    /// Reads what is there, within the budget.
    pub(super) fn read(&mut self, now: Timestamp, scratch: &mut [u8]) -> Brought {
        let mut brought = Brought::default();
        let mut budget = READ_BUDGET;
        while brought.ended.is_none() {
            if budget == 0 {
                brought.more = true;
                break;
            }
            match self.stream.read(scratch) {
                Ok(0) => brought.ended = Some(Ended::Closed),
                Ok(count) => {
                    budget = budget.saturating_sub(count);
                    self.framer.push(scratch.get(..count).unwrap_or_default());
                    self.heard_at = now;
                    self.pinged_at = None;
                    brought.ended = self.frames(now, &mut brought.messages).err();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => brought.ended = Some(Ended::Lost(error)),
            }
        }
        brought
    }

    fn frames(&mut self, now: Timestamp, messages: &mut Vec<Message>) -> Result<(), Ended> {
        loop {
            match self.framer.poll_frame().map_err(Ended::Unreadable)? {
                Some(Frame::Message(message)) => {
                    self.blanks = 0;
                    self.used_at = Some(now);
                    self.partial_since = None;
                    self.answered(&message);
                    messages.push(message);
                }
                Some(Frame::Blank) => self.blank(),
                None => break,
            }
        }
        if self.framer.is_partial() {
            self.partial_since.get_or_insert(now);
        } else {
            self.partial_since = None;
        }
        Ok(())
    }

    /// An empty line: the second in a row is a ping, and gets its pong (RFC 5626 §4.4.1). While something waits to
    /// be written that is answer enough, so that pings alone fill no queue.
    fn blank(&mut self) {
        self.blanks += 1;
        self.pongs |= self.side == Side::Ours;
        if self.side == Side::Theirs && self.blanks.is_multiple_of(2) && self.outgoing.is_empty() {
            drop(self.enqueue(Parcel::new(self.way, self.remote, None, Bytes::from_static(b"\r\n"))));
        }
    }

    /// A response came: its request needs no other connection any more.
    fn answered(&mut self, message: &Message) {
        if message.as_response().is_some()
            && let Ok(via) = message.headers().via()
            && let Some(branch) = via.branch()
        {
            let finder = memchr::memmem::Finder::new(branch.as_bytes());
            self.unanswered.retain(|(_, parcel)| finder.find(&parcel.bytes).is_none());
        }
    }

    /// Looks at the deadlines.
    pub(super) fn check(&mut self, now: Timestamp, pace: &Pace) -> Result<(), Ended> {
        let passed = |since: Option<Timestamp>, limit| since.is_some_and(|since| now.since(since) >= limit);
        if self.state == State::Connecting {
            return if passed(Some(self.began), pace.connect) { Err(Ended::TooLate) } else { Ok(()) };
        }
        if passed(self.partial_since, pace.message) {
            return Err(Ended::SlowSender);
        }
        if passed(self.stuck_since, pace.write) {
            return Err(Ended::SlowReader);
        }
        if self.side == Side::Theirs && self.used_at.is_none() && passed(Some(self.began), pace.first) {
            return Err(Ended::Mute);
        }
        if self.pongs && passed(self.pinged_at, pace.pong) {
            return Err(Ended::NoPong);
        }
        let (idle, since) = match self.side {
            Side::Ours => (pace.idle_ours, self.used_at.unwrap_or(self.began)),
            Side::Theirs => (pace.idle_theirs, self.heard_at), // pings count: the peer wants it kept (§3.5.1)
        };
        if self.outgoing.is_empty() && passed(Some(since), idle) {
            return Err(Ended::Idle);
        }
        self.unanswered.retain(|(sent, _)| now.since(*sent) < PATIENCE);
        // Again and again: a peer that answers none may still be behind a NAT that forgets.
        let quiet_since = self.pinged_at.unwrap_or(self.heard_at);
        if self.ping.is_some_and(|ping| passed(Some(quiet_since), ping)) {
            self.pinged_at = Some(now);
            drop(self.enqueue(Parcel::new(self.way, self.remote, None, Bytes::from_static(b"\r\n\r\n"))));
            return self.write(now);
        }
        Ok(())
    }

    /// What was not brought to the peer for certain.
    pub(super) fn into_parcels(self) -> impl Iterator<Item = Parcel> {
        self.unanswered.into_iter().map(|(_, parcel)| parcel).chain(self.outgoing)
    }
}
