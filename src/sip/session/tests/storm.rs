//! Messages at random: valid to look at, sent to either machine in any order, between any wishes.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;

use super::peer::line;
use super::trace::{PEER, US, parameters};
use crate::id::{CallId, Mint};
use crate::sip::digest::Credentials;
use crate::sip::incoming::{self, Incoming};
use crate::sip::session::{Event, Parameters, Session};
use crate::sip::{Message, Reason, StatusCode, Uri, parse};
use crate::time::Timestamp;

const METHODS: [&str; 16] = [
    "INVITE",
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "OPTIONS",
    "UPDATE",
    "PRACK",
    "INFO",
    "REFER",
    "NOTIFY",
    "MESSAGE",
    "SUBSCRIBE",
    "REGISTER",
    "PUBLISH",
    "NEWMETHOD",
];
const TAGS: [&str; 4] = ["", ";tag=b", ";tag=c", ";tag=d"];
pub(super) const EXTRAS: [&str; 10] = [
    "",
    "Require: 100rel\r\nRSeq: 1\r\n",
    "Require: 100rel\r\nRSeq: 2\r\nAllow: INVITE, UPDATE\r\n",
    "Session-Expires: 90;refresher=uac\r\nSupported: timer\r\nMin-SE: 1800\r\n",
    "Session-Expires: 90;refresher=uas\r\nSupported: timer\r\nAllow: UPDATE\r\n",
    "WWW-Authenticate: Digest realm=\"a\", nonce=\"n\", stale=true\r\nProxy-Authenticate: Digest realm=\"b\", nonce=\"m\"\r\n",
    "Require: 100rel\r\n",
    "Record-Route: <sip:203.0.113.1>, <sip:proxy.example;lr>\r\n",
    "Reason: Q.850;cause=16\r\nRetry-After: 5\r\n",
    "Contact: <tel:+1234>, <sip:b@h>;q=0.5, <sip:c@h>\r\n",
];

/// What a caller's INVITE says for reliable ringing and UPDATE.
const TAKES_ALL: &str = "Supported: 100rel\r\nAllow: INVITE, PRACK, UPDATE\r\n";

/// (status, method, CSeq, remote tag, branch, extra header, response?)
pub(super) type Drawn = (u16, usize, u32, usize, usize, usize, bool);

enum Machine {
    Caller(Box<Session>),
    Callee(Box<Incoming>),
}

struct Storm {
    machine: Machine,
    mint: Mint,
    now: Timestamp,
    /// Messages of the machine, to be answered.
    sent: Vec<String>,
    over: bool,
}

/// Runs one storm.
pub(super) fn weather(steps: &[(Drawn, u64, u8)], as_caller: bool) {
    let mut storm = Storm::new(as_caller);
    for (drawn, pause_ms, wish) in steps {
        storm.pass(*pause_ms);
        storm.give(*drawn);
        storm.wish(*wish);
    }
    // Left alone and told to end, it ends.
    storm.wish(0);
    storm.pass(400_000);
    storm.wish(0);
    storm.pass(400_000);
    let ended = match &storm.machine {
        Machine::Caller(session) => session.is_over(),
        Machine::Callee(incoming) => incoming.is_over(),
    };
    assert!(ended && storm.over, "still there");
}

impl Storm {
    fn new(as_caller: bool) -> Self {
        let mut mint = Mint::seeded(3);
        let now = Timestamp::EPOCH;
        let machine = if as_caller {
            let offer = Bytes::from_static(b"offer");
            let session_expires = Some(std::time::Duration::from_secs(90));
            let parameters = Parameters { redirects: 3, session_expires, ..parameters() };
            let mut session = Session::invite(now, parameters, &offer, &mut mint).unwrap();
            let (username, password) = ("baton".to_owned(), "s3cret".to_owned());
            session.know(Some(Arc::new(Credentials { username, password, realm: None })));
            Machine::Caller(Box::new(session))
        } else {
            let id: CallId = "0123456789abcdef".parse().unwrap();
            let sent_by: SocketAddr = US.parse().unwrap();
            let contact = Uri::sip_at(Some(id.as_str()), sent_by);
            let parameters =
                incoming::Parameters { id, sent_by, contact, user_agent: String::new(), timer: None };
            let invite = request("INVITE", 1, ";tag=b", 0, TAKES_ALL, "<sip:us@192.0.2.1>");
            let Message::Request(invite) = parse(invite).unwrap() else { panic!("an INVITE") };
            let from = PEER.parse().unwrap();
            Machine::Callee(Box::new(Incoming::new(now, &invite, from, parameters, &mut mint).unwrap()))
        };
        let mut storm = Self { machine, mint, now, sent: Vec::new(), over: false };
        storm.drain();
        storm
    }

    fn give(&mut self, (status, method, cseq, tag, branch, extra, is_response): Drawn) {
        let (tag, extra) = (TAGS[tag], EXTRAS[extra]);
        let bytes = if is_response {
            let Some(request) = self.sent.get(self.sent.len().saturating_sub(1 + branch)) else { return };
            let mut to = line(request, "To");
            if !to.contains(";tag=") {
                to.push_str(tag);
            }
            let head =
                ["Via", "From", "Call-ID", "CSeq"].map(|name| format!("{name}: {}\r\n", line(request, name)));
            Bytes::from(format!(
                "SIP/2.0 {status} X\r\n{}To: {to}\r\n{extra}Content-Length: 0\r\n\r\n",
                head.concat()
            ))
        } else {
            let us = self.us();
            request(METHODS[method], cseq, tag, branch, extra, &us)
        };
        let Ok(message) = parse(bytes) else { return };
        let from = PEER.parse().unwrap();
        match &mut self.machine {
            Machine::Caller(session) => session.receive(self.now, &message, from, &mut self.mint),
            Machine::Callee(incoming) => incoming.receive(self.now, &message, from, &mut self.mint),
        }
        self.drain();
    }

    fn us(&self) -> String {
        match &self.machine {
            Machine::Caller(_) => self.sent.first().map_or(String::new(), |invite| line(invite, "From")),
            Machine::Callee(incoming) => {
                format!("<sip:us@192.0.2.1>;tag={}", incoming.local_tag().unwrap_or_default())
            }
        }
    }

    fn wish(&mut self, wish: u8) {
        let (now, mint) = (self.now, &mut self.mint);
        let body = Bytes::from_static(b"sdp");
        match &mut self.machine {
            Machine::Caller(session) => match wish {
                0 => session.bye(now, Some(Reason::q850(16, "Normal")), mint),
                1 => session.cancel(now, None, mint),
                2 => session.answer(now, Some(&body), mint),
                3 => session.reject(now, StatusCode::NOT_ACCEPTABLE_HERE, mint),
                4 => session.resume(now, mint),
                5 => session.transport_failed(now, mint),
                6 => drop(session.reinvite(now, &body, mint)),
                7 => drop(session.probe(now, mint)),
                _ => {}
            },
            Machine::Callee(incoming) => match wish {
                0 => incoming.bye(now, None, mint),
                1 => incoming.ring(now, StatusCode::RINGING, Some(&body), mint),
                2 | 3 => incoming.accept(now, Some(&body), mint),
                4 => incoming.resume(now, mint),
                5 => incoming.transport_failed(now, mint),
                6 => incoming.refuse(now, StatusCode::BUSY_HERE, Vec::new(), mint),
                7 => drop(incoming.reinvite(now, Some(&body), mint)),
                8 => drop(incoming.ring_reliably(now, StatusCode::RINGING, Some(&body), mint)),
                9 => drop(incoming.update(now, Some(&body), mint)),
                _ => {}
            },
        }
        self.drain();
    }

    fn pass(&mut self, ms: u64) {
        let until = Timestamp::from_millis(self.now.as_millis() + ms);
        for turns in 0.. {
            let due = match &self.machine {
                Machine::Caller(session) => session.poll_timeout(),
                Machine::Callee(incoming) => incoming.poll_timeout(),
            };
            let Some(due) = due.filter(|due| *due <= until) else { break };
            assert!(turns < 2_000, "its timers never rest");
            self.now = self.now.max(due);
            match &mut self.machine {
                Machine::Caller(session) => session.timeout(self.now, &mut self.mint),
                Machine::Callee(incoming) => incoming.timeout(self.now, &mut self.mint),
            }
            self.drain();
        }
        self.now = until;
    }

    fn drain(&mut self) {
        loop {
            let event = match &mut self.machine {
                Machine::Caller(session) => session.poll_event(),
                Machine::Callee(incoming) => incoming.poll_event(),
            };
            let Some(event) = event else { break };
            if let Event::Transmit(transmit) = &event {
                let text = String::from_utf8(transmit.bytes.to_vec()).unwrap();
                parse(transmit.bytes.clone()).expect("what we write can be read");
                if !text.starts_with("SIP/2.0") {
                    self.sent.push(text);
                }
            } else {
                assert!(!self.over, "told after Over: {event:?}");
            }
            self.over |= event == Event::Over;
        }
    }
}

fn request(method: &str, cseq: u32, tag: &str, branch: usize, extra: &str, us: &str) -> Bytes {
    let body = if method == "INVITE" {
        "Content-Type: application/sdp\r\nContent-Length: 3\r\n\r\nsdp"
    } else {
        "Content-Length: 0\r\n\r\n"
    };
    Bytes::from(format!(
        "{method} sip:0123456789abcdef@192.0.2.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK{branch}.{cseq}\r\n\
         From: <sip:peer@198.51.100.7>{tag}\r\nTo: {us}\r\nCall-ID: 0123456789abcdef@192.0.2.1\r\n\
         CSeq: {cseq} {method}\r\n{extra}{body}"
    ))
}
