//! What becomes of each message that came in: whose it is, or what it is answered with.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bytes::Bytes;

use super::Of;
use super::gate::{ANSWERS_A_SECOND, Budget, Gate, STRANGERS_A_SECOND, Standing};
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
    /// What it gets if that call is not here.
    pub(crate) otherwise: Otherwise,
}

/// What becomes of a message whose call is not here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Otherwise {
    /// It is answered: a trunk's message that comes too late.
    Answer,
    /// It is dropped: a stranger has guessed.
    Drop,
}

/// What transports have for the shards.
#[derive(Debug, Default)]
pub(crate) struct Mail {
    /// Messages for calls.
    pub(crate) arrived: Vec<Arrived>,
    /// Calls of which a message could not be brought to its peer, by a connection that was lost or never made.
    pub(crate) undelivered: Vec<Of>,
    /// Its weight on the shard's scale, while it waits there.
    pub(crate) weight: Option<Weight>,
}

/// Bytes of messages that wait for a shard at most: posts alone do not bound them, because one holds many messages.
const MAX_WAITING_BYTES: usize = 32 << 20;

/// How much mail waits for a shard, in bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scale(Arc<AtomicUsize>);

/// The weight of one piece of mail; taken off the scale when it is dropped.
#[derive(Debug)]
pub(crate) struct Weight {
    scale: Arc<AtomicUsize>,
    bytes: usize,
}

impl Scale {
    /// Puts mail on the scale; gives it back if too much waits.
    pub(crate) fn weigh(&self, mail: Mail) -> Result<Mail, Mail> {
        let bytes = mail.arrived.iter().map(|one| one.message.bytes().len()).sum();
        if self.0.fetch_add(bytes, Relaxed) + bytes > MAX_WAITING_BYTES {
            self.0.fetch_sub(bytes, Relaxed);
            return Err(mail);
        }
        Ok(Mail { weight: Some(Weight { scale: Arc::clone(&self.0), bytes }), ..mail })
    }
}

impl Drop for Weight {
    fn drop(&mut self) {
        self.scale.fetch_sub(self.bytes, Relaxed);
    }
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
    /// Who may speak.
    pub(crate) gate: Arc<Gate>,
}

/// Sorts the messages of one reader thread.
pub(super) struct Hand {
    pub(super) desk: Desk,
    mail: Mail,
    strangers: Budget,
    answers: Budget,
}

impl Hand {
    pub(super) fn new(desk: Desk) -> Self {
        let now = desk.clock.now();
        let (strangers, answers) = (Budget::new(now, STRANGERS_A_SECOND), Budget::new(now, ANSWERS_A_SECOND));
        Self { desk, mail: Mail::default(), strangers, answers }
    }

    /// A datagram came; gives back the answer that it gets at once.
    pub(super) fn datagram(&mut self, datagram: &[u8], from: SocketAddr) -> Option<Transmit> {
        let standing = self.admit(from.ip())?;
        let datagram = Bytes::copy_from_slice(datagram);
        match parse(datagram.clone()) {
            Ok(message) => self.sort(message, from.into(), standing),
            Err(ParseError::Keepalive) => None,
            Err(error) => {
                self.count(error.reason(), format_args!("from {from}: {error}"));
                if standing != Standing::Known && !self.desk.gate.answers_strangers() {
                    return None;
                }
                let answer = stray::reject(&datagram, error, from.into(), &self.desk.server)?;
                self.afford(answer)
            }
        }
    }

    /// An answer without state, if there have not been too many.
    fn afford(&mut self, answer: Transmit) -> Option<Transmit> {
        if self.answers.take(self.desk.clock.now()) {
            return Some(answer);
        }
        self.count("answers", format_args!("{} asks for more answers than are given", answer.to));
        None
    }

    /// A message came over a connection; gives back the answer that it gets at once.
    pub(super) fn message(&mut self, message: Message, from: Hop) -> Option<Transmit> {
        let standing = self.admit(from.address.ip())?;
        self.sort(message, from, standing)
    }

    /// Who speaks from there; `None`: whoever it is, it is not listened to (now).
    fn admit(&mut self, ip: IpAddr) -> Option<Standing> {
        let standing = self.desk.gate.standing(ip);
        if standing == Standing::Known {
            return Some(standing);
        }
        if self.desk.gate.is_deaf() {
            self.count("stranger", format_args!("from {ip}, which no trunk names"));
            return None;
        }
        if !self.strangers.take(self.desk.clock.now()) {
            self.count("flood", format_args!("from {ip}: strangers say more than is listened to"));
            return None;
        }
        Some(standing)
    }

    fn sort(&mut self, message: Message, from: Hop, standing: Standing) -> Option<Transmit> {
        let is_heard = standing == Standing::Known || self.desk.gate.answers_strangers();
        let otherwise = if is_heard { Otherwise::Answer } else { Otherwise::Drop };
        if let Some(owner) = stray::owner(&message) {
            self.mail.arrived.push(Arrived { owner, message: Arc::new(message), from, otherwise });
            return None;
        }
        if otherwise == Otherwise::Drop {
            self.count("stranger", format_args!("from {from}, which no trunk names"));
            return None;
        }
        let answer = answer_stray(&message, from, &self.desk.server)?;
        self.afford(answer)
    }

    /// A message of this call did not leave.
    pub(super) fn undelivered(&mut self, call: Of) {
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
