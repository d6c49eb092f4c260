//! A callee: the telephone, which is a real session of ours on the other side, and the person who holds it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use baton::id::{CallId, Mint};
use baton::rtp::{Header, Ssrc, write_packet};
use baton::sdp::{self, Codec, Direction, LocalMedia, Origin};
use baton::sip::incoming::{Incoming, Parameters};
use baton::sip::session::Event;
use baton::sip::{HeaderName, Hop, Message, Request, StatusCode, Uri};
use baton::time::Timestamp;
use bytes::Bytes;

use crate::scenario::{Act, Callee, Phone, Slip};

/// The payload type at which our telephone-events are wanted.
pub(crate) const EVENT_TYPE: u8 = 101;
/// Packets of a key while it is held.
pub(crate) const KEY_PACKET: Duration = Duration::from_millis(50);

/// The question that is answered by speaking.
pub(crate) const SPOKEN: &str = "comment";

/// What the person means at a question.
pub(crate) struct Meant {
    pub(crate) keys: &'static str,
    pub(crate) value: String,
}

impl Callee {
    pub(crate) fn meant(&self, question: &str) -> Meant {
        let (keys, value) = match question {
            "consent" => (self.consent, if self.consent == "1" { "yes" } else { "later" }),
            "age" => (self.age, self.age.trim_end_matches('#')),
            "well" => ("1", "yes"),
            "meter" => (self.meter, self.meter),
            "again" => ("2", "no"),
            other => panic!("the survey has no question {other}"),
        };
        Meant { keys, value: value.to_owned() }
    }
}

/// One callee.
#[derive(Clone, Debug)]
pub(crate) struct Telephone {
    pub(crate) terms: Callee,
    place: u16,
    mint: Mint,
    pub(crate) call_id: Option<String>,
    pub(crate) session: Option<Incoming>,
    media: LocalMedia,
    /// Slips that were made.
    slipped: usize,
    /// Until when the person is pressing keys.
    pub(crate) typing_until: Timestamp,
    /// Number of the last prompt that was heard: an older thought is forgotten.
    pub(crate) thought: u32,
    pressed: u32,
    sequence: u16,
    /// When the INVITE came, until it was refused.
    pub(crate) rings_since: Option<Timestamp>,
    /// Whether a message of it got through to us.
    pub(crate) is_heard: bool,
    /// Its Contacts, where it redirects.
    contacts: String,
    /// From when to when the person speaks.
    pub(crate) speech: Option<(Timestamp, Timestamp)>,
    /// Our re-INVITEs that it has accepted.
    pub(crate) reinvited: u64,
    answered: bool,
    /// The session ran out, because nobody refreshed it.
    pub(crate) expired: bool,
    /// Where its stream goes.
    pub(crate) speaks_to: Option<IpAddr>,
}

/// Where an instance listens: each stands at an address of its own.
pub(crate) fn instance(which: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1 + which], 5060))
}

/// Where the phone of this callee listens.
pub(crate) fn address(callee: usize) -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 1], port(callee)))
}

fn port(callee: usize) -> u16 {
    5_080 + u16::try_from(callee).expect("few callees")
}

impl Telephone {
    pub(crate) fn new(place: usize, terms: Callee, seed: u64) -> Self {
        let number = u16::try_from(place).expect("few callees");
        let host = address(place).ip();
        let origin = Origin { session_id: 7_000 + u64::from(number), version: 1, address: host };
        Self {
            terms,
            place: number,
            mint: Mint::seeded(seed ^ (u64::from(number) << 32)),
            call_id: None,
            session: None,
            media: LocalMedia::new(origin, host, 30_000 + 2 * number),
            slipped: 0,
            typing_until: Timestamp::EPOCH,
            thought: 0,
            pressed: 0,
            sequence: 0,
            rings_since: None,
            is_heard: false,
            contacts: String::new(),
            speech: None,
            reinvited: 0,
            answered: false,
            expired: false,
            speaks_to: None,
        }
    }

    /// It redirects to these, the first one first.
    pub(crate) fn redirects_to(mut self, phones: &[usize]) -> Self {
        let contact = |(at, phone): (usize, &usize)| {
            format!("<{}>;q=0.{}", Uri::sip_at(Some("callee"), address(*phone)), 9 - at)
        };
        let contacts: Vec<String> = phones.iter().enumerate().map(contact).collect();
        self.contacts = contacts.join(", ");
        self
    }

    /// A message for this phone. True if it is a new call.
    pub(crate) fn receive(&mut self, now: Timestamp, message: &Message, from: SocketAddr) -> bool {
        if self.terms.phone == Phone::Dead {
            // What comes again is no other call, though nobody hears it.
            self.call_id = message.headers().call_id().ok().map(str::to_owned);
            return false;
        }
        if let Some(session) = &mut self.session {
            session.receive(now, message, Hop::from(from), &mut self.mint);
            return false;
        }
        let Message::Request(request) = message else { return false };
        self.begin(now, request, from)
    }

    fn begin(&mut self, now: Timestamp, request: &Request, from: SocketAddr) -> bool {
        let at = address(usize::from(self.place));
        let parameters = Parameters {
            id: CallId::mint(&mut self.mint),
            sent_by: at,
            contact: Uri::sip_at(Some("callee"), at),
            user_agent: "Phone".into(),
            timer: self.terms.timer.theirs,
        };
        let Some(mut session) = Incoming::new(now, request, Hop::from(from), parameters, &mut self.mint)
        else {
            return false; // a CANCEL or BYE of a call that it knows nothing of any more
        };
        match self.terms.phone {
            Phone::Dead => {}
            Phone::Refuses(status) => {
                let status = StatusCode::new(status).expect("a status");
                session.refuse(now, status, Vec::new(), &mut self.mint);
            }
            Phone::Redirects => {
                let contacts = vec![(HeaderName::Contact, self.contacts.clone())];
                session.refuse(now, StatusCode::MOVED_TEMPORARILY, contacts, &mut self.mint);
            }
            Phone::Tries => session.ring(now, StatusCode::TRYING, None, &mut self.mint),
            Phone::Rings | Phone::PicksUp { .. } | Phone::RingsThenRefuses { .. } => {
                session.ring(now, StatusCode::RINGING, None, &mut self.mint);
            }
        }
        self.call_id = request.headers().call_id().ok().map(str::to_owned);
        self.session = Some(session);
        self.rings_since = Some(now);
        true
    }

    /// What the phone sends, and where to; and what it is told.
    pub(crate) fn drain(&mut self, now: Timestamp) -> Vec<(SocketAddr, Bytes)> {
        let mut sent = Vec::new();
        while let Some(event) = self.session.as_mut().and_then(Incoming::poll_event) {
            match event {
                Event::Transmit(transmit) => {
                    let is_final = transmit.bytes.get(..9).is_some_and(|begins| {
                        begins.starts_with(b"SIP/2.0 ") && begins.last().is_some_and(|class| *class > b'2')
                    });
                    if is_final {
                        self.rings_since = None;
                    }
                    sent.push((transmit.to.address, self.as_it_is(transmit.bytes)));
                }
                Event::Offered { body } => {
                    self.reinvited += 1;
                    let session = self.session.as_mut().expect("it told us");
                    let answer = match &body {
                        Some(offer) => sdp::answer(&self.media, offer).ok().map(|(answer, negotiated)| {
                            self.speaks_to = Some(negotiated.remote.ip());
                            answer
                        }),
                        None => Some(sdp::offer(&self.media)),
                    };
                    session.accept(now, answer.as_ref(), &mut self.mint);
                }
                // Our answer to its own offer: where its stream goes from now on.
                Event::ReinviteAnswered { body: Some(body) } => {
                    let settled = sdp::negotiate(&self.media, &body).ok();
                    self.speaks_to = settled.map(|negotiated| negotiated.remote.ip()).or(self.speaks_to);
                }
                Event::Expired => self.expired = true,
                Event::Progress { .. }
                | Event::Answered { .. }
                | Event::CancelCrossed
                | Event::Failed { .. }
                | Event::Cancelled { .. }
                | Event::Acked { .. }
                | Event::Unacked
                | Event::RefreshDue
                | Event::ReinviteAnswered { body: None }
                | Event::ReinviteRefused { .. }
                | Event::Info { .. }
                | Event::Probed { .. }
                | Event::PeerBye { .. }
                | Event::ByeDone { .. }
                | Event::Over => {}
            }
        }
        sent
    }

    /// An old phone says that it takes no UPDATE.
    fn as_it_is(&self, bytes: Bytes) -> Bytes {
        let allowed = b", UPDATE";
        let line = bytes.windows(7).position(|part| part == b"\r\nAllow");
        let Some(line) = line.filter(|_| self.terms.timer.by_reinvite) else { return bytes };
        let is_it = |at: &usize| bytes.get(*at..at + allowed.len()) == Some(allowed.as_slice());
        let Some(at) = (line..bytes.len()).find(is_it) else { return bytes };
        [&bytes[..at], &bytes[at + allowed.len()..]].concat().into()
    }

    pub(crate) fn picks_up(&mut self, now: Timestamp, offer: Option<&Bytes>) {
        let Some(session) = &mut self.session else { return };
        let answered = offer.and_then(|offer| sdp::answer(&self.media, offer).ok());
        self.speaks_to = answered.as_ref().map(|(_, negotiated)| negotiated.remote.ip());
        session.accept(now, answered.as_ref().map(|(answer, _)| answer), &mut self.mint);
        self.answered = !session.is_over();
    }

    /// A trunk that let it ring refuses.
    pub(crate) fn refuses(&mut self, now: Timestamp, status: u16) {
        if let Some(session) = &mut self.session {
            session.refuse(now, StatusCode::new(status).expect("a status"), Vec::new(), &mut self.mint);
        }
    }

    /// False if another offer is under way: it is to be tried again.
    pub(crate) fn acts(&mut self, now: Timestamp, act: Act) -> bool {
        let Some(session) = &mut self.session else { return true };
        let before = self.media.clone();
        self.media.origin.version += 1;
        match act {
            Act::HangUp => {
                session.bye(now, None, &mut self.mint);
                return true;
            }
            Act::Hold => self.media.direction = Direction::SendOnly,
            Act::Resume => self.media.direction = Direction::SendRecv,
            Act::Move => {
                self.media.port += 100;
                self.media.codecs.reverse();
            }
        }
        let offer = sdp::offer(&self.media);
        let goes = session.reinvite(now, Some(&offer), &mut self.mint);
        if !goes {
            self.media = before;
        }
        goes || session.is_over()
    }

    /// Whether it holds the call: whoever owns it talks to somebody else.
    pub(crate) fn holds(&self) -> bool {
        self.media.direction == Direction::SendOnly
    }

    pub(crate) fn timeout(&mut self, now: Timestamp) {
        if let Some(session) = &mut self.session {
            session.timeout(now, &mut self.mint);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        self.session.as_ref().and_then(Incoming::poll_timeout)
    }

    /// The person has stopped speaking.
    pub(crate) fn falls_silent(&mut self, now: Timestamp) {
        if let Some((_, until)) = &mut self.speech {
            *until = now.min(*until);
        }
    }

    /// Whether the call got as far as an answer.
    pub(crate) const fn was_answered(&self) -> bool {
        self.answered
    }

    /// Whether the phone still takes itself to be in a call.
    pub(crate) fn is_open(&self) -> bool {
        self.session.as_ref().is_some_and(|session| !session.is_over())
    }

    /// What the person presses after having heard a question.
    pub(crate) fn decides(&mut self, question: &str) -> &'static str {
        let keys = self.terms.meant(question).keys;
        let slip = self.slip();
        match slip {
            Some(Slip::Silence) => "",
            Some(Slip::Wrong) => "7",
            Some(Slip::Half) => keys.get(..keys.trim_end_matches('#').len() / 2).unwrap_or_default(),
            None => keys,
        }
    }

    fn slip(&mut self) -> Option<Slip> {
        self.slipped += 1;
        self.terms.slips.get(self.slipped - 1).copied()
    }

    /// How long the person speaks after having been asked to.
    pub(crate) fn speaks(&mut self, now: Timestamp) -> Duration {
        let length = match self.slip() {
            Some(Slip::Silence) => 0,
            Some(Slip::Half) => self.terms.speech.ms / 2,
            Some(Slip::Wrong) | None => self.terms.speech.ms,
        };
        let length = Duration::from_millis(length);
        self.speech = Some((now, now + length));
        length
    }

    /// The packets of a key that goes down now (RFC 4733): after how long each leaves. The end is told thrice.
    pub(crate) fn key(&mut self, digit: char) -> Vec<(Duration, Vec<u8>)> {
        let code = match digit {
            '*' => 10,
            '#' => 11,
            digit => u8::try_from(digit.to_digit(10).expect("a key")).expect("a digit"),
        };
        self.pressed += 1;
        let timestamp = self.pressed * 16_000;
        let hold = Duration::from_millis(self.terms.hold_ms);
        let mut packets = Vec::new();
        let mut after = Duration::ZERO;
        while after < hold {
            packets.push((after, self.packet(code, 0, timestamp, after + KEY_PACKET)));
            after += KEY_PACKET;
        }
        for n in 0..3 {
            packets.push((hold + Duration::from_millis(20) * n, self.packet(code, 0x80, timestamp, hold)));
        }
        packets
    }

    fn packet(&mut self, code: u8, end: u8, timestamp: u32, lasted: Duration) -> Vec<u8> {
        self.sequence += 1;
        let units = u16::try_from(lasted.as_millis() * 8).unwrap_or(u16::MAX);
        let [high, low] = units.to_be_bytes();
        let header = Header {
            payload_type: EVENT_TYPE,
            marker: lasted == KEY_PACKET,
            sequence: self.sequence,
            timestamp,
            ssrc: Ssrc(u32::from(self.place) + 1),
        };
        let mut packet = Vec::new();
        write_packet(&mut packet, &header, &[code, end | 10, high, low]);
        packet
    }
}

/// Codecs of the instance.
pub(crate) const CODECS: [Codec; 2] = [Codec::Pcmu, Codec::Pcma];
