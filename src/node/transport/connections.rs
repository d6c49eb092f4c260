//! SIP over TCP: one thread owns every connection, those that peers open and those that we do.
//!
//! ```text
//! shards ── Parcel ──► connection to its hop: there is one, or one is opened ──► written as the peer reads
//! listener ─ accept ─► connection ─► Framer ─► Hand: the call's shard, or a stateless answer
//! lost ──► what was not answered goes once more over a new connection; then its call is told
//! ```
//! A connection is known by our way and the peer's address, so that a response leaves on the connection that its
//! request came on (RFC 3261 §18.2.2) and requests to one hop share one.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed, Ordering::SeqCst};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::Of;
use super::connection::{Connection, Ended, Pace, Side};
use super::gate::Standing;
use super::hand::{Desk, Hand};
use super::ways::Ways;
use crate::node::right::Right;
use crate::sip::Hop;
use crate::time::Timestamp;

pub(crate) use super::connection::Parcel;

/// Messages of all shards that wait for the thread.
const ORDERS: usize = 8_192;
/// Messages that are carried before sockets are read again.
const ORDER_BATCH: usize = 512;
/// Connections that are accepted before the open ones have their turn.
const ACCEPT_BATCH: usize = 64;
/// Connections that one address may have open to us: a proxy of many processes opens some.
const MAX_PER_PEER: usize = 16;
/// Connections that addresses of no trunk may have open to us, all together.
const MAX_STRANGERS: usize = 32;
/// How often deadlines are looked at.
const SWEEP: Duration = Duration::from_millis(250);
/// A right that may run out is looked at so often in the time of a promise.
const LOOKS_PER_PROMISE: u32 = 5;
/// Bytes of one read.
const READ_BYTES: usize = 16 << 10;
/// Readiness of no socket: an order waits, or the end.
const WAKE: Token = Token(usize::MAX);

/// The way to the thread of connections. Never waits.
#[derive(Clone, Debug)]
pub(crate) struct Carrier {
    orders: Sender<Parcel>,
    waker: Arc<Waker>,
    quiet: Arc<AtomicBool>,
}

impl Carrier {
    /// Hands over messages; gives back the calls of those that found no room.
    pub(super) fn take(&self, parcels: impl Iterator<Item = Parcel>) -> Vec<Of> {
        let refused = parcels.filter_map(|parcel| self.orders.try_send(parcel).err());
        let refused = refused.filter_map(|refused| refused.into_inner().call).collect();
        self.wake();
        refused
    }

    /// Whether nothing may be sent, and what waited is dropped.
    pub(super) fn is_quiet(&self) -> bool {
        self.quiet.load(SeqCst)
    }

    /// Ends the thread's wait.
    pub(super) fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "the thread of SIP connections cannot be woken");
        }
    }
}

/// The thread's end of a [`Carrier`].
#[derive(Debug)]
pub(super) struct Switch {
    poll: Poll,
    orders: Receiver<Parcel>,
    quiet: Arc<AtomicBool>,
}

/// Both ends of the way to the thread.
pub(super) fn carrier() -> io::Result<(Carrier, Switch)> {
    let poll = Poll::new()?;
    let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
    let (sender, orders) = bounded(ORDERS);
    let quiet = Arc::<AtomicBool>::default();
    Ok((Carrier { orders: sender, waker, quiet: Arc::clone(&quiet) }, Switch { poll, orders, quiet }))
}

/// How much the thread holds, how long it waits, and whether it may write.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    /// Connections at most. A quarter is kept for those that we open.
    pub(super) connections: usize,
    pub(super) pace: Pace,
    pub(super) right: Right,
}

/// See the file's head.
pub(super) struct Connections {
    poll: Poll,
    orders: Receiver<Parcel>,
    quiet: Arc<AtomicBool>,
    ways: Arc<Ways>,
    listeners: Vec<TcpListener>,
    slots: Vec<Option<Box<Connection>>>,
    vacant: Vec<usize>,
    by_peer: BTreeMap<(usize, SocketAddr), usize>,
    /// Connections with more to read than the budget allowed.
    unread: Vec<usize>,
    /// Messages of a lost connection, for a new one.
    again: VecDeque<Parcel>,
    bounds: Bounds,
    hand: Hand,
    scratch: Vec<u8>,
    swept: Timestamp,
    /// To which promise all connections are bound.
    bound: Option<Duration>,
}

impl Connections {
    /// A thread's work, with nothing to do yet.
    ///
    /// # Errors
    /// When the system polls no more sockets.
    pub(super) fn new(
        switch: Switch,
        ways: Arc<Ways>,
        listeners: Vec<StdListener>,
        desk: Desk,
        bounds: Bounds,
    ) -> io::Result<Self> {
        let Switch { poll, orders, quiet } = switch;
        let mut listeners: Vec<TcpListener> = listeners.into_iter().map(TcpListener::from_std).collect();
        for (number, listener) in listeners.iter_mut().enumerate() {
            poll.registry().register(listener, Token(number), Interest::READABLE)?;
        }
        Ok(Self {
            poll,
            orders,
            quiet,
            ways,
            listeners,
            slots: Vec::new(),
            vacant: Vec::new(),
            by_peer: BTreeMap::new(),
            unread: Vec::new(),
            again: VecDeque::new(),
            bounds,
            swept: desk.clock.now(),
            hand: Hand::new(desk),
            scratch: vec![0; READ_BYTES],
            bound: None,
        })
    }

    pub(super) fn run(mut self, stopping: &AtomicBool) {
        let mut events = Events::with_capacity(256);
        while !stopping.load(Relaxed) {
            let busy = !self.unread.is_empty() || !self.again.is_empty() || !self.orders.is_empty();
            let wait = if busy { Duration::ZERO } else { self.longest_wait() };
            if let Err(error) = self.poll.poll(&mut events, Some(wait))
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "SIP connections cannot be polled any more; TCP ends");
                return;
            }
            let may_write = self.bounds.right.holds();
            if !may_write {
                self.abort();
            }
            self.quiet.store(!may_write, SeqCst);
            self.bind();
            for slot in std::mem::take(&mut self.unread) {
                self.read(slot);
            }
            for event in &events {
                match event.token() {
                    WAKE => {}
                    Token(number) if number < self.listeners.len() => self.accept(number),
                    Token(token) => {
                        let slot = token - self.listeners.len();
                        if event.is_writable() {
                            self.act(slot, |connection, now| connection.writable(now));
                        }
                        if event.is_readable() {
                            self.read(slot);
                        }
                    }
                }
            }
            self.carry();
            self.sweep();
            self.hand.pass_on();
        }
        if self.bounds.right.holds() {
            self.carry();
        }
    }

    fn now(&self) -> Timestamp {
        self.hand.desk.clock.now()
    }

    /// A right that may run out is looked at more often.
    fn longest_wait(&self) -> Duration {
        self.bounds.right.promise().map_or(SWEEP, |promise| SWEEP.min(promise / LOOKS_PER_PROMISE))
    }

    /// Nothing may be sent any more: what waits is dropped, and connections are reset, so that not even what the system
    /// holds for them leaves later.
    fn abort(&mut self) {
        self.again.clear();
        while self.orders.try_recv().is_ok() {}
        for slot in 0..self.slots.len() {
            if let Some(mut connection) = self.slots[slot].take() {
                drop(SockRef::from(&connection.stream).set_linger(Some(Duration::ZERO)));
                drop(self.poll.registry().deregister(&mut connection.stream));
                self.by_peer.remove(&(connection.way, connection.remote));
                self.vacant.push(slot);
            }
        }
        self.unread.clear();
    }

    /// Takes the connections that peers have opened.
    fn accept(&mut self, number: usize) {
        for _ in 0..ACCEPT_BATCH {
            match self.listeners[number].accept() {
                Ok((stream, remote)) => self.admit(number, stream, remote),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => return self.count("tcp", "accept", format_args!("cannot accept: {error}")),
            }
        }
    }

    fn admit(&mut self, way: usize, stream: TcpStream, remote: SocketAddr) {
        let gate = &self.hand.desk.gate;
        let is_stranger = |ip| gate.standing(ip) == Standing::Stranger;
        if is_stranger(remote.ip()) && gate.is_deaf() {
            return self.count("tcp", "stranger", format_args!("{remote}, which no trunk names"));
        }
        let theirs = || self.slots.iter().flatten().filter(|connection| connection.side == Side::Theirs);
        let of_peer = theirs().filter(|connection| connection.remote.ip() == remote.ip()).count();
        if of_peer >= MAX_PER_PEER {
            return self.count("tcp", "peer_connections", format_args!("{remote} has {of_peer} already"));
        }
        let strangers = || theirs().filter(|connection| is_stranger(connection.remote.ip())).count();
        if is_stranger(remote.ip()) && strangers() >= MAX_STRANGERS {
            return self.count("tcp", "strangers", format_args!("{remote}: strangers have {MAX_STRANGERS}"));
        }
        let count = theirs().count();
        if count >= self.bounds.connections - self.bounds.connections / 4 {
            return self.count("tcp", "connections", format_args!("{remote}: peers have opened {count}"));
        }
        if !self.bounds.right.holds() {
            return; // it could not be answered
        }
        // Messages are whole: nothing is gained by waiting for more. A connection that refuses works without.
        drop(stream.set_nodelay(true));
        self.limit(&SockRef::from(&stream));
        let connection = Connection::new(self.now(), stream, way, remote, Side::Theirs);
        if let Err(error) = self.insert(connection) {
            self.count("tcp", "accept", format_args!("{remote}: {error}"));
        }
    }

    /// What the peer has not taken in the time of a promise is not to reach it later.
    fn limit(&self, socket: &SockRef<'_>) {
        if let Some(promise) = self.bound {
            drop(socket.set_tcp_user_timeout(Some(promise)));
        }
    }

    /// Binds all connections to another promise, as soon as there is one.
    fn bind(&mut self) {
        let promise = self.bounds.right.promise();
        if self.bound == promise {
            return;
        }
        self.bound = promise;
        for connection in self.slots.iter().flatten() {
            self.limit(&SockRef::from(&connection.stream));
        }
        if let Some(promise) = promise {
            self.bounds.right.binds(promise);
        }
    }

    fn insert(&mut self, mut connection: Connection) -> io::Result<usize> {
        let slot = self.vacant.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        let token = Token(slot + self.listeners.len());
        let interest = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = self.poll.registry().register(&mut connection.stream, token, interest) {
            self.vacant.push(slot);
            return Err(error);
        }
        self.by_peer.insert((connection.way, connection.remote), slot);
        self.slots[slot] = Some(Box::new(connection));
        Ok(slot)
    }

    /// Carries what shards have given, and what a lost connection left.
    fn carry(&mut self) {
        for _ in 0..self.again.len() {
            if let Some(parcel) = self.again.pop_front() {
                self.send(parcel);
            }
        }
        for _ in 0..ORDER_BATCH {
            let Ok(parcel) = self.orders.try_recv() else { return };
            self.send(parcel);
        }
    }

    fn send(&mut self, mut parcel: Parcel) {
        let known = |way, to| self.by_peer.get(&(way, to)).copied();
        let mut slot = known(parcel.way, parcel.to);
        if slot.is_none()
            && let Some(home) = parcel.home()
        {
            parcel.to = home;
            slot = known(parcel.way, home);
        }
        let slot = match slot {
            Some(slot) => slot,
            None => match self.connect(parcel.way, parcel.to) {
                Ok(slot) => slot,
                Err(error) => {
                    self.count("tcp", "connect", format_args!("to {}: {error}", parcel.to));
                    return self.undelivered(parcel.call);
                }
            },
        };
        let Some(connection) = self.slots[slot].as_mut() else { return };
        match connection.enqueue(parcel) {
            Ok(()) => self.act(slot, |connection, now| connection.write(now)),
            Err(parcel) => {
                self.count("tcp", "slow_reader", format_args!("{} takes too little", parcel.to));
                self.undelivered(parcel.call);
            }
        }
    }

    fn undelivered(&mut self, call: Option<Of>) {
        if let Some(call) = call {
            self.hand.undelivered(call);
        }
    }

    /// Begins a connection; what it will carry waits in it.
    fn connect(&mut self, way: usize, to: SocketAddr) -> io::Result<usize> {
        if self.by_peer.len() >= self.bounds.connections {
            return Err(io::Error::other("there are too many connections (limits.connections)"));
        }
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        self.limit(&SockRef::from(&socket));
        let local = self.ways.at(way).local.ip();
        if !local.is_unspecified() {
            socket.bind(&SocketAddr::new(local, 0).into())?;
        }
        match socket.connect(&to.into()) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(nix::errno::Errno::EINPROGRESS as i32) => {}
            Err(error) => return Err(error),
        }
        let stream = TcpStream::from_std(socket.into());
        let ping = self.hand.desk.gate.ping(to, self.bounds.pace.ping);
        self.insert(Connection::new(self.now(), stream, way, to, Side::Ours).pinged(ping))
    }

    /// Does something with a connection, which may end it.
    fn act(&mut self, slot: usize, act: impl FnOnce(&mut Connection, Timestamp) -> Result<(), Ended>) {
        let now = self.now();
        if let Some(Some(connection)) = self.slots.get_mut(slot)
            && let Err(ended) = act(connection, now)
        {
            self.close(slot, &ended);
        }
    }

    fn read(&mut self, slot: usize) {
        let now = self.now();
        let Some(Some(connection)) = self.slots.get_mut(slot) else { return };
        if !connection.is_open() {
            return;
        }
        let brought = connection.read(now, &mut self.scratch);
        let (way, remote) = (connection.way, connection.remote);
        for message in brought.messages {
            if let Some(reply) = self.hand.message(message, Hop::tcp(remote))
                && connection.enqueue(Parcel::new(way, remote, None, reply.bytes)).is_err()
            {
                break; // who does not read its answers needs no more of them
            }
        }
        let written = connection.write(now);
        if brought.more {
            self.unread.push(slot);
        }
        if let Some(ended) = brought.ended.or(written.err()) {
            self.close(slot, &ended);
        }
    }

    fn close(&mut self, slot: usize, ended: &Ended) {
        let Some(mut connection) = self.slots[slot].take() else { return };
        let (way, remote) = (connection.way, connection.remote);
        drop(self.poll.registry().deregister(&mut connection.stream)); // it is gone with its socket anyway
        self.vacant.push(slot);
        if self.by_peer.get(&(way, remote)) == Some(&slot) {
            self.by_peer.remove(&(way, remote));
        }
        match ended.fault() {
            Some((kind, reason)) => self.count(kind, reason, format_args!("{remote}: {ended}")),
            None => tracing::debug!(%remote, %ended, "a SIP connection is over"),
        }
        let stood = connection.is_open();
        for parcel in connection.into_parcels() {
            match if stood { parcel.again() } else { Err(parcel.call) } {
                Ok(parcel) => self.again.push_back(parcel),
                Err(call) => self.undelivered(call),
            }
        }
    }

    /// Looks at every deadline, and at the listeners, where a connection may have been left for want of files.
    fn sweep(&mut self) {
        let now = self.now();
        if now.since(self.swept) < SWEEP {
            return;
        }
        self.swept = now;
        for number in 0..self.listeners.len() {
            self.accept(number);
        }
        let pace = self.bounds.pace;
        for slot in 0..self.slots.len() {
            self.act(slot, |connection, now| connection.check(now, &pace));
        }
    }

    fn count(&self, kind: &'static str, reason: &'static str, detail: std::fmt::Arguments<'_>) {
        self.hand.desk.faults.count(self.now(), kind, reason, detail);
    }
}
