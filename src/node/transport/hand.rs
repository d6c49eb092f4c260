//! What becomes of each message that came in: whose it is, or what it is answered with.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;

use crate::id::CallId;
use crate::node::clock::Clock;
use crate::node::faults::Faults;
use crate::sip::transaction::Transmit;
use crate::sip::{Hop, Message, ParseError, parse, stray};

/// A message that came in for a call of ours.
#[derive(Debug)]
pub(crate) struct Arrived {
    /// The call that it names; it may be long over.
    pub(crate) owner: CallId,
    /// The message.
    pub(crate) message: Arc<Message>,
    /// Where it came from.
    pub(crate) from: Hop,
}

/// What transports have for the shards.
#[derive(Debug, Default)]
pub(crate) struct Mail {
    /// Messages for calls.
    pub(crate) arrived: Vec<Arrived>,
    /// Calls of which a message could not be brought to its peer, by a connection that was lost or never made.
    pub(crate) undelivered: Vec<CallId>,
}

impl Mail {
    fn is_empty(&self) -> bool {
        self.arrived.is_empty() && self.undelivered.is_empty()
    }
}

/// The way to the shards: takes mail, or says how much of it they have no room for. Never waits.
pub(crate) type Inlet = Arc<dyn Fn(Mail) -> Result<(), usize> + Send + Sync>;

/// What every reader needs to sort what it reads.
#[derive(Clone)]
pub(crate) struct Desk {
    /// The way to the shards.
    pub(crate) inlet: Inlet,
    /// Server header of answers to strays.
    pub(crate) server: String,
    /// The process clock.
    pub(crate) clock: Clock,
    /// Counters.
    pub(crate) faults: Arc<Faults>,
}

/// Sorts the messages of one reader thread.
pub(super) struct Hand {
    pub(super) desk: Desk,
    mail: Mail,
}

impl Hand {
    pub(super) fn new(desk: Desk) -> Self {
        Self { desk, mail: Mail::default() }
    }

    /// A datagram came; gives back the answer that it gets at once.
    pub(super) fn datagram(&mut self, datagram: &[u8], from: SocketAddr) -> Option<Transmit> {
        match parse(Bytes::copy_from_slice(datagram)) {
            Ok(message) => self.message(message, from.into()),
            Err(ParseError::Keepalive) => None,
            Err(error) => {
                self.count(error.reason(), format_args!("from {from}: {error}"));
                None
            }
        }
    }

    /// A message came; gives back the answer that it gets at once, if it is no call's.
    pub(super) fn message(&mut self, message: Message, from: Hop) -> Option<Transmit> {
        match stray::owner(&message) {
            Some(owner) => {
                self.mail.arrived.push(Arrived { owner, message: Arc::new(message), from });
                None
            }
            None => answer_stray(&message, from, &self.desk.server),
        }
    }

    /// A message of this call did not leave.
    pub(super) fn undelivered(&mut self, call: CallId) {
        self.mail.undelivered.push(call);
    }

    /// Hands what was sorted to the shards.
    pub(super) fn pass_on(&mut self) {
        if self.mail.is_empty() {
            return;
        }
        if let Err(lost) = (self.desk.inlet)(std::mem::take(&mut self.mail)) {
            self.count("overload", format_args!("{lost} messages are lost; a shard has too much to do"));
        }
    }

    /// Counts a fault.
    pub(super) fn count(&self, reason: &'static str, detail: std::fmt::Arguments<'_>) {
        self.desk.faults.count(self.desk.clock.now(), "sip", reason, detail);
    }
}

/// The stateless answer to a message that belongs to no call, if it gets one.
pub(super) fn answer_stray(message: &Message, from: Hop, server: &str) -> Option<Transmit> {
    match message {
        Message::Request(request) => stray::reply(request, from, server),
        // A response to a transaction that is over (RFC 3261 §18.1.2: silently discarded).
        Message::Response(_) => None,
    }
}
