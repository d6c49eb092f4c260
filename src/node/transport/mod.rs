//! SIP at the edge: UDP and TCP at each local address, readers for every call, and senders that shards own.
//!
//! ```text
//! UDP ─ recvmmsg ─► parse once ─┐
//! TCP ─ Framer ─────────────────┴► owner: top Via branch, or user part of the Request-URI ─► its shard
//!                        │ no call of ours named ─► stateless answer (sip::stray)
//!                        └ malformed, or a stranger's ─► counted, dropped; a stream of it is closed
//! shard ─► Outbox ─┬─► sendmmsg
//!                  └─► the thread of connections
//! ```

mod connection;
mod connections;
mod gate;
mod hand;
mod outbox;
#[cfg(test)]
mod tests;
mod ways;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;

use self::connection::Pace;
use self::connections::{Bounds, Carrier, Connections, Switch};
use self::hand::Hand;
use self::ways::Ways;
use super::datagrams::{Reader, Wait};
use super::right::Right;
use crate::call::TryNumber;
use crate::id::CallId;

pub(crate) use self::gate::{ANSWERS_A_SECOND, Budget, Gate};
pub(crate) use self::hand::{Arrived, Desk, Inlet, Mail, Otherwise, Scale};
pub(crate) use self::outbox::Outbox;

/// Whose a message is: the call, and the trunk of it.
pub(crate) type Of = (CallId, TryNumber);

/// Messages of one read. Only the pages that arrive are resident.
const SLOTS: usize = 64;
/// Bytes of a datagram: the most that UDP carries.
const DATAGRAM_BYTES: usize = 65_535;

/// The bound SIP addresses and their threads.
#[derive(Debug)]
pub(crate) struct Transport {
    ways: Arc<Ways>,
    carrier: Carrier,
    /// Until the threads are started.
    idle: Option<(Switch, Vec<TcpListener>)>,
    connections: usize,
    right: Right,
    stopping: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Transport {
    /// Binds `listen`; nothing is read before [`Transport::read_into`]. There are at most so many `connections`.
    ///
    /// # Errors
    /// The system's, with the address: it is in use or not ours.
    pub(crate) fn bind(
        listen: &[SocketAddr],
        connections: usize,
        right: &Right,
    ) -> Result<Self, (SocketAddr, io::Error)> {
        let (ways, listeners) = Ways::bind(listen)?;
        let first = ways.at(0).local;
        let (carrier, switch) = connections::carrier().map_err(|error| (first, error))?;
        Ok(Self {
            ways: Arc::new(ways),
            carrier,
            idle: Some((switch, listeners)),
            connections,
            right: right.clone(),
            stopping: Arc::default(),
            threads: Vec::new(),
        })
    }

    /// The local addresses.
    pub(crate) fn ways(&self) -> &Ways {
        &self.ways
    }

    /// What sends, for one thread; it is made there by [`Senders::open`].
    pub(crate) fn senders(&self) -> Senders {
        Senders { ways: Arc::clone(&self.ways), carrier: self.carrier.clone(), right: self.right.clone() }
    }

    /// The right to send has ended: connections end with what the system still holds for them.
    pub(crate) fn silence(&self) {
        self.carrier.wake();
    }

    /// Whether connections have ended since nothing may be sent.
    pub(crate) fn is_quiet(&self) -> bool {
        self.threads.is_empty() || self.carrier.is_quiet()
    }

    /// Starts the threads that read.
    ///
    /// # Errors
    /// When the system gives no thread, or polls no more sockets.
    pub(crate) fn read_into(&mut self, desk: &Desk) -> io::Result<()> {
        self.read_at(desk, Pace::USUAL)
    }

    fn read_at(&mut self, desk: &Desk, pace: Pace) -> io::Result<()> {
        for number in 0..self.ways.iter().count() {
            let (senders, desk, stopping) = (self.senders(), desk.clone(), Arc::clone(&self.stopping));
            let run = move || read_datagrams(number, senders, desk, &stopping);
            self.threads.push(std::thread::Builder::new().name(format!("sip-udp-{number}")).spawn(run)?);
        }
        let Some((switch, listeners)) = self.idle.take() else { return Ok(()) };
        let bounds = Bounds { connections: self.connections, pace, right: self.right.clone() };
        let connections = Connections::new(switch, Arc::clone(&self.ways), listeners, desk.clone(), bounds)?;
        let stopping = Arc::clone(&self.stopping);
        let run = move || connections.run(&stopping);
        self.threads.push(std::thread::Builder::new().name("sip-tcp".into()).spawn(run)?);
        Ok(())
    }
}

impl Drop for Transport {
    fn drop(&mut self) {
        self.stopping.store(true, Relaxed);
        self.carrier.wake();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a SIP reader did not end cleanly");
            }
        }
    }
}

/// What an [`Outbox`] is made of; unlike that, it can be sent to the thread that will use it.
#[derive(Clone, Debug)]
pub(crate) struct Senders {
    ways: Arc<Ways>,
    carrier: Carrier,
    right: Right,
}

impl Senders {
    /// On the thread that will use it.
    pub(crate) fn open(self) -> Outbox {
        Outbox::new(self.ways, self.carrier, self.right)
    }
}

/// Reads the datagrams of one way until the node stops.
fn read_datagrams(number: usize, senders: Senders, desk: Desk, stopping: &AtomicBool) {
    let ways = Arc::clone(&senders.ways);
    let socket = &ways.at(number).udp;
    let mut outbox = senders.open();
    let mut hand = Hand::new(desk);
    let mut reader = Reader::new(SLOTS, DATAGRAM_BYTES);
    while !stopping.load(Relaxed) {
        let read = reader.read(socket, Wait::First, |datagram, from| {
            if let Some(reply) = hand.datagram(datagram, from) {
                outbox.answer(number, reply);
            }
        });
        match read {
            Ok(_) => {
                outbox.flush(|_| {});
                hand.pass_on();
            }
            Err(error) if is_passing(&error) => {}
            Err(error) => hand.count("socket", format_args!("cannot read: {error}")),
        }
    }
}

/// Is this no more than "nothing came", or an ICMP error of an earlier send?
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock
            | io::ErrorKind::TimedOut
            | io::ErrorKind::Interrupted
            | io::ErrorKind::ConnectionRefused
    )
}
