//! Traces: `send!` gives the machine a message at a time, `recv!` says all that it says at a time, in
//! order. Nothing may be said that no `recv!` expects. The peer's messages are made from plain text,
//! not with the code under test, and the machine goes through its record between any two steps.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::peer::{Asked, Written, line, response};
use crate::id::{CallId, Mint};
use crate::sip::digest::Credentials;
use crate::sip::incoming::{self, Incoming};
use crate::sip::local::Large;
use crate::sip::session::{Event, Parameters, Session};
use crate::sip::transaction::Transmit;
use crate::sip::{HeaderName, Hop, Message, NameAddr, Reason, SessionExpires, StatusCode, parse};
use crate::time::Timestamp;

pub(crate) const PEER: &str = "198.51.100.7:5060";
pub(crate) const US: &str = "192.0.2.1:5060";

/// The machine under test, seen from its peer.
pub(crate) struct Trace {
    machine: Machine,
    pub(crate) mint: Mint,
    now_ms: u64,
    /// What the machine has said and no `recv!` has named.
    heard: VecDeque<(u64, String)>,
    /// Requests it has sent, the latest last.
    pub(crate) sent: Vec<Transmit>,
    pub(super) branches: u32,
    /// Where the peer's messages come from.
    pub(super) peer: Hop,
    credentials: Option<Arc<Credentials>>,
}

#[expect(clippy::large_enum_variant, reason = "one per test")]
enum Machine {
    Caller(Session),
    Callee(Incoming),
}

/// `send!(s, time 100, message)`: the peer's message reaches the machine.
macro_rules! send {
    ($trace:expr, time $ms:expr, $message:expr) => {{
        let (trace, message) = (&mut $trace, $message);
        trace.run_until($ms);
        trace.nothing_more();
        trace.give(message);
    }};
}

/// `recv!(s, time 100, ["ACK 1"])`: this and nothing else was said since, all of it at this time.
macro_rules! recv {
    ($trace:expr, time $ms:expr, [$($line:expr),* $(,)?]) => {{
        let trace = &mut $trace;
        trace.run_until($ms);
        let expected: Vec<(u64, String)> = vec![$(($ms, String::from($line))),*];
        assert_eq!(trace.take_heard(), expected, "at {} ms", $ms);
    }};
}

/// `quiet!(s, until 32_000)`: nothing is said until then.
macro_rules! quiet {
    ($trace:expr, until $ms:expr) => {{
        let trace = &mut $trace;
        trace.run_until($ms);
        trace.nothing_more();
    }};
}

pub(crate) use {quiet, recv, send};

/// A call id for tests.
pub(crate) fn call_id() -> CallId {
    "0123456789abcdef".parse().unwrap()
}

/// The parameters of an ordinary call.
pub(crate) fn parameters() -> Parameters {
    Parameters {
        call_id: call_id(),
        number: 0,
        target: "sip:+254711000001@198.51.100.7".parse().unwrap(),
        to: "<sip:+254711000001@198.51.100.7>".parse().unwrap(),
        from: "\"Survey\" <sip:+254200000101@192.0.2.1>".parse::<NameAddr>().unwrap(),
        contact: "sip:0123456789abcdef@192.0.2.1:5060".parse().unwrap(),
        destination: PEER.parse().unwrap(),
        large: Large::ByUdp,
        sent_by: US.parse().unwrap(),
        route: Vec::new(),
        user_agent: "Baton".into(),
        extra: Vec::new(),
        ring_timeout: Duration::from_secs(40),
        redirects: 0,
        session_expires: None,
    }
}

impl Trace {
    /// A session that has just sent its INVITE, at 0 ms; the INVITE is still to be received.
    pub(crate) fn calling() -> Self {
        Self::calling_with(parameters())
    }

    pub(crate) fn calling_with(parameters: Parameters) -> Self {
        let mut mint = Mint::seeded(1);
        let offer = Bytes::from_static(b"offer");
        let session = Session::invite(Timestamp::EPOCH, parameters, &offer, &mut mint).unwrap();
        Self::of(Machine::Caller(session), mint, 0)
    }

    /// A session whose call was answered at 1,000 ms by the peer with tag `b`.
    pub(crate) fn answered() -> Self {
        let mut trace = Self::calling();
        recv!(trace, time 0, ["INVITE 1"]);
        send!(trace, time 10, response("INVITE", 100));
        send!(trace, time 1_000, response("INVITE", 200).tag("b").body("answer"));
        recv!(trace, time 1_000, ["Answered answer", "ACK 1"]);
        trace
    }

    /// A callee that the INVITE has just reached, at 0 ms.
    pub(crate) fn called(invite: &Asked) -> Self {
        Self::called_with(invite, None)
    }

    /// The same with a wish of the callee's about the session timer.
    pub(crate) fn called_with(invite: &Asked, timer: Option<SessionExpires>) -> Self {
        let mut mint = Mint::seeded(2);
        let parameters = incoming::Parameters {
            id: call_id(),
            sent_by: US.parse().unwrap(),
            contact: "sip:0123456789abcdef@192.0.2.1:5060".parse().unwrap(),
            user_agent: String::new(),
            timer,
        };
        let bytes = invite.write(1, "<sip:callee@192.0.2.1>");
        let Message::Request(invite) = parse(bytes).unwrap() else { panic!("an INVITE is a request") };
        let from = PEER.parse().unwrap();
        let incoming = Incoming::new(Timestamp::EPOCH, &invite, from, parameters, &mut mint).unwrap();
        Self::of(Machine::Callee(incoming), mint, 1)
    }

    fn of(machine: Machine, mint: Mint, branches: u32) -> Self {
        let (heard, sent, peer) = (VecDeque::new(), Vec::new(), PEER.parse().unwrap());
        let mut trace = Self { machine, mint, now_ms: 0, heard, sent, branches, peer, credentials: None };
        trace.drain();
        trace
    }

    /// With what the caller answers challenges from now on.
    pub(crate) fn knows(&mut self, credentials: Option<Arc<Credentials>>) {
        self.credentials = credentials;
        self.machine.through_its_record(self.credentials.as_ref());
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now_ms)
    }

    /// Lets the timers run up to this time.
    pub(crate) fn run_until(&mut self, ms: u64) {
        assert!(self.now_ms <= ms, "a trace goes forward");
        while let Some(due) = self.machine.poll_timeout().filter(|due| due.as_millis() <= ms) {
            self.now_ms = self.now_ms.max(due.as_millis());
            let due = self.now();
            match &mut self.machine {
                Machine::Caller(session) => session.timeout(due, &mut self.mint),
                Machine::Callee(incoming) => incoming.timeout(due, &mut self.mint),
            }
            self.drain();
        }
        self.now_ms = ms;
    }

    pub(crate) fn take_heard(&mut self) -> Vec<(u64, String)> {
        self.heard.drain(..).collect()
    }

    pub(crate) fn nothing_more(&self) {
        assert!(self.heard.is_empty(), "said, but not expected: {:?}", self.heard);
    }

    /// The peer's message arrives.
    pub(crate) fn give(&mut self, message: impl Written) {
        let bytes = message.bytes(self);
        self.give_bytes(bytes);
    }

    pub(crate) fn give_bytes(&mut self, bytes: Bytes) {
        let message = parse(bytes).unwrap();
        let (now, from) = (self.now(), self.peer);
        match &mut self.machine {
            Machine::Caller(session) => session.receive(now, &message, from, &mut self.mint),
            Machine::Callee(incoming) => incoming.receive(now, &message, from, &mut self.mint),
        }
        self.drain();
    }

    /// The owner's wish, to a caller.
    pub(crate) fn caller(&mut self, ms: u64, wish: impl FnOnce(&mut Session, Timestamp, &mut Mint)) {
        self.run_until(ms);
        self.nothing_more();
        let now = self.now();
        let Machine::Caller(session) = &mut self.machine else { panic!("this trace has a callee") };
        wish(session, now, &mut self.mint);
        self.drain();
    }

    /// The owner's wish, to a callee.
    pub(crate) fn callee(&mut self, ms: u64, wish: impl FnOnce(&mut Incoming, Timestamp, &mut Mint)) {
        self.run_until(ms);
        self.nothing_more();
        let now = self.now();
        let Machine::Callee(incoming) = &mut self.machine else { panic!("this trace has a caller") };
        wish(incoming, now, &mut self.mint);
        self.drain();
    }

    /// The process is gone until `ms`; then the record is read back and resumed.
    pub(crate) fn away_until(&mut self, ms: u64) {
        self.now_ms = ms;
        self.resume();
    }

    /// Nobody is there until `ms`; then its owner has a wish before any timer fires.
    pub(crate) fn gone_until(&mut self, ms: u64, wish: impl FnOnce(&mut Session, Timestamp, &mut Mint)) {
        self.now_ms = ms;
        let now = self.now();
        let Machine::Caller(session) = &mut self.machine else { panic!("this trace has a callee") };
        wish(session, now, &mut self.mint);
        self.drain();
    }

    pub(crate) fn resume(&mut self) {
        let now = self.now();
        match &mut self.machine {
            Machine::Caller(session) => session.resume(now, &mut self.mint),
            Machine::Callee(incoming) => incoming.resume(now, &mut self.mint),
        }
        self.drain();
    }

    /// Bytes of the record.
    pub(crate) fn record(&self) -> Vec<u8> {
        match &self.machine {
            Machine::Caller(session) => postcard::to_stdvec(session).unwrap(),
            Machine::Callee(incoming) => postcard::to_stdvec(incoming).unwrap(),
        }
    }

    /// The latest request of this method that the machine sent (to the dialog with this tag).
    pub(crate) fn request(&self, method: &str, tag: Option<&str>) -> String {
        let texts = self.sent.iter().rev().map(|sent| String::from_utf8(sent.bytes.to_vec()).unwrap());
        let mut of_method = texts.filter(|text| text.starts_with(&format!("{method} ")));
        let found =
            of_method.find(|text| method != "BYE" || tag.is_none_or(|tag| line(text, "To").contains(tag)));
        found.unwrap_or_else(|| panic!("no {method} was sent"))
    }

    /// Where the latest request went.
    pub(crate) fn destination(&self) -> String {
        self.sent.last().unwrap().to.to_string()
    }

    /// Our tag, as the peer has read it.
    pub(super) fn our_address(&self) -> String {
        match &self.machine {
            Machine::Caller(_) => line(&self.request("INVITE", None), "From"),
            Machine::Callee(incoming) => {
                let tag = incoming.local_tag().unwrap_or_default();
                format!("<sip:callee@192.0.2.1>;tag={tag}")
            }
        }
    }

    fn drain(&mut self) {
        while let Some(event) = self.machine.poll_event() {
            self.heard.push_back((self.now_ms, told_line(&event)));
            if let Event::Transmit(transmit) = event {
                self.sent.push(transmit);
            }
        }
        self.machine.through_its_record(self.credentials.as_ref());
    }
}

impl Machine {
    fn poll_timeout(&self) -> Option<Timestamp> {
        match self {
            Self::Caller(session) => session.poll_timeout(),
            Self::Callee(incoming) => incoming.poll_timeout(),
        }
    }

    fn poll_event(&mut self) -> Option<Event> {
        match self {
            Self::Caller(session) => session.poll_event(),
            Self::Callee(incoming) => incoming.poll_event(),
        }
    }

    fn through_its_record(&mut self, credentials: Option<&Arc<Credentials>>) {
        match self {
            Self::Caller(session) => {
                let record = postcard::to_stdvec(session).unwrap();
                let mut restored: Session = postcard::from_bytes(&record).unwrap();
                restored.know(credentials.cloned());
                session.know(credentials.cloned());
                assert_eq!(&restored, session);
                *session = restored;
            }
            Self::Callee(incoming) => {
                let record = postcard::to_stdvec(incoming).unwrap();
                let restored: Incoming = postcard::from_bytes(&record).unwrap();
                assert_eq!(&restored, incoming);
                *incoming = restored;
            }
        }
    }
}

/// `INVITE 1`, `200 1 INVITE`; with ` again` for a pure repeat.
pub(crate) fn summary(transmit: &Transmit) -> String {
    let text = String::from_utf8_lossy(&transmit.bytes).into_owned();
    let mut words = text.split(' ');
    let first = words.next().unwrap();
    let cseq = line(&text, "CSeq");
    let what = if first == "SIP/2.0" {
        format!("{} {cseq}", words.next().unwrap())
    } else {
        format!("{first} {}", cseq.split(' ').next().unwrap())
    };
    if transmit.again { format!("{what} again") } else { what }
}

fn told_line(event: &Event) -> String {
    let with_body = |name: &str, body: &Option<Bytes>| match body {
        Some(body) => format!("{name} {}", String::from_utf8_lossy(body)),
        None => name.to_owned(),
    };
    let with_reasons = |name: &str, reasons: &[Reason]| {
        reasons.iter().fold(name.to_owned(), |line, reason| format!("{line} {reason}"))
    };
    let status = |status: &Option<StatusCode>| status.map_or("silence".into(), |code| code.to_string());
    match event {
        Event::Transmit(transmit) => summary(transmit),
        Event::Progress { status, body } => with_body(&format!("Progress {status}"), body),
        Event::Answered { body } => with_body("Answered", body),
        Event::CancelCrossed => "CancelCrossed".into(),
        Event::Failed { failure, reasons, retry_after, contacts, any_provisional } => {
            let mut line = with_reasons(&format!("Failed {}", status(&failure.status())), reasons);
            if let Some(after) = retry_after {
                line.push_str(&format!(" after {} s", after.as_secs()));
            }
            for contact in contacts {
                line.push_str(&format!(" {}", contact.uri));
            }
            if *any_provisional {
                line.push_str(" heard");
            }
            line
        }
        Event::Cancelled { reasons } => with_reasons("Cancelled", reasons),
        Event::Offered { body } => with_body("Offered", body),
        Event::Acked { body } => with_body("Acked", body),
        Event::Unacked => "Unacked".into(),
        Event::ReinviteAnswered { body } => with_body("ReinviteAnswered", body),
        Event::ReinviteRefused { status: code, .. } => format!("ReinviteRefused {}", status(code)),
        Event::RefreshDue => "RefreshDue".into(),
        Event::Expired => "Expired".into(),
        Event::Info { content_type, body } => with_body(&format!("Info {content_type}"), &Some(body.clone())),
        Event::Probed { status: code } => format!("Probed {}", status(code)),
        Event::PeerBye { reasons } => with_reasons("PeerBye", reasons),
        Event::ByeDone { status: code } => format!("ByeDone {}", status(code)),
        Event::Over => "Over".into(),
    }
}

/// One extra header for parameters.
pub(crate) fn extra(value: &str) -> (HeaderName, String) {
    (HeaderName::PAssertedIdentity, value.to_owned())
}
