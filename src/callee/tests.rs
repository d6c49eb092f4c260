//! The crowd on loopback, called by Baton's own INVITE session and a plain RTP socket.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use super::ear::{Index, Label};
use super::script::{ChangedMedia, Script};
use super::testimony::{End, Event, Testimony};
use super::{Crowd, CrowdConfig};
use crate::id::{CallId, Mint};
use crate::node::clock::Clock;
use crate::rtp::{self, Anchor, Digit, EventReceiver, KeyEvent, Phase, g711};
use crate::sdp::{self, Direction, LocalMedia, Negotiated, Origin};
use crate::sip::local::Large;
use crate::sip::session::{self, Parameters, Session};
use crate::sip::{NameAddr, Uri};
use crate::time::Timestamp;

/// Longer than any of these calls takes.
const PATIENCE: Duration = Duration::from_secs(10);

fn crowd(script: &str, prompts: Index) -> Crowd {
    let script = Script::parse("people.toml", script).unwrap();
    let listen = "127.0.0.1:0".parse().unwrap();
    Crowd::start(CrowdConfig { listen, script, prompts: Arc::new(prompts), log: None, seed: [7; 32] })
        .unwrap()
}

/// A caller with a SIP socket and an RTP socket.
struct Caller {
    clock: Clock,
    mint: Mint,
    sip: UdpSocket,
    rtp: UdpSocket,
    session: Session,
    local: LocalMedia,
    media: Option<Negotiated>,
    seen: Vec<session::Event>,
    /// The direction of each offer, as it is for us.
    offered: Vec<Direction>,
    anchor: Anchor,
    tick: u64,
    to_play: Vec<u8>,
    keys: EventReceiver,
    heard: Vec<KeyEvent>,
}

impl Caller {
    fn call(user: &str, crowd: SocketAddr, seed: u64) -> Self {
        let (clock, mut mint) = (Clock::of_process(), Mint::seeded(seed));
        let (sip, rtp) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        sip.set_read_timeout(Some(Duration::from_millis(2))).unwrap();
        rtp.set_nonblocking(true).unwrap();
        let (sent_by, port) = (sip.local_addr().unwrap(), rtp.local_addr().unwrap().port());
        let local = LocalMedia::new(Origin::new(sent_by.ip(), &mut mint), sent_by.ip(), port);
        let target = Uri::sip_at(Some(user), crowd);
        let call_id = CallId::mint(&mut mint);
        let parameters = Parameters {
            call_id,
            number: 0,
            target: target.clone(),
            to: NameAddr::new(target),
            from: NameAddr::new(Uri::sip_at(Some("survey"), sent_by)),
            contact: Uri::sip_at(Some(call_id.as_str()), sent_by),
            destination: crowd.into(),
            large: Large::ByUdp,
            sent_by,
            route: Vec::new(),
            user_agent: String::new(),
            extra: Vec::new(),
            ring_timeout: PATIENCE,
            redirects: 0,
            session_expires: None,
        };
        let now = clock.now();
        let anchor = Anchor::start(now, &mut mint);
        let session = Session::invite(now, parameters, &sdp::offer(&local), &mut mint).unwrap();
        Self {
            clock,
            mint,
            sip,
            rtp,
            session,
            local,
            media: None,
            seen: Vec::new(),
            offered: Vec::new(),
            anchor,
            tick: 0,
            to_play: Vec::new(),
            keys: EventReceiver::new(None),
            heard: Vec::new(),
        }
    }

    /// Runs the call until this holds.
    fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let give_up = self.clock.now() + PATIENCE;
        while !done(self) {
            assert!(self.clock.now() < give_up, "waited in vain for: {what}; seen: {:?}", self.seen);
            self.step();
        }
    }

    fn step(&mut self) {
        let now = self.clock.now();
        if self.session.poll_timeout().is_some_and(|due| due <= now) {
            self.session.timeout(now, &mut self.mint);
        }
        self.carry_out();
        let mut datagram = vec![0; 4_096];
        if let Ok((length, from)) = self.sip.recv_from(&mut datagram) {
            datagram.truncate(length);
            let message = crate::sip::parse(datagram.into()).unwrap();
            self.session.receive(now, &message, from.into(), &mut self.mint);
            self.carry_out();
        }
        self.speak();
        self.listen();
    }

    fn carry_out(&mut self) {
        while let Some(event) = self.session.poll_event() {
            if let session::Event::Transmit(transmit) = &event {
                self.sip.send_to(&transmit.bytes, transmit.to.address).unwrap();
            } else if let session::Event::Answered { body: Some(answer) } = &event {
                self.media = Some(sdp::negotiate(&self.local, answer).unwrap());
                self.anchor = Anchor::start(self.clock.now(), &mut self.mint);
            } else if let session::Event::Offered { body: Some(offer) } = &event {
                let (answer, media) = sdp::answer(&self.local, offer).unwrap();
                self.session.answer(self.clock.now(), Some(&answer), &mut self.mint);
                self.offered.push(media.direction);
            }
            self.seen.push(event);
        }
    }

    /// A continuous stream: what is to be played, then silence.
    fn speak(&mut self) {
        let Some(media) = &self.media else { return };
        while self.anchor.due(self.tick) <= self.clock.now() {
            let rest = self.to_play.split_off(self.to_play.len().min(160));
            let frame = std::mem::replace(&mut self.to_play, rest);
            let frame = if frame.len() == 160 { frame } else { g711::ULAW_SILENCE_FRAME.to_vec() };
            let mut packet = Vec::new();
            let header = rtp::Header {
                payload_type: media.send_payload_type,
                marker: self.tick == 0,
                sequence: self.anchor.sequence(self.tick),
                timestamp: self.anchor.timestamp(self.tick),
                ssrc: self.anchor.ssrc,
            };
            rtp::write_packet(&mut packet, &header, &frame);
            self.rtp.send_to(&packet, media.remote).unwrap();
            self.tick += 1;
        }
    }

    fn listen(&mut self) {
        let now = self.clock.now();
        let mut datagram = [0; 1_500];
        while let Ok((length, _)) = self.rtp.recv_from(&mut datagram) {
            let packet = rtp::parse_packet(&datagram[..length]).unwrap();
            let media = self.media.as_ref(); // none: RTP was faster than the answer
            let clock_hz = media.and_then(|media| media.event_clock_hz(packet.header.payload_type));
            if let Some(clock_hz) = clock_hz {
                self.keys.receive(now, &packet, clock_hz).unwrap();
            }
        }
        self.keys.timeout(now);
        self.heard.extend(std::iter::from_fn(|| self.keys.poll_event()));
    }

    fn pressed(&self) -> String {
        let down = self.heard.iter().filter(|key| key.phase == Phase::Pressed);
        down.map(|key| Digit::as_char(key.digit)).collect()
    }

    fn saw(&self, what: impl Fn(&session::Event) -> bool) -> bool {
        self.seen.iter().any(what)
    }

    fn is_answered(&self) -> bool {
        self.media.is_some()
    }

    fn hang_up(&mut self) {
        self.session.bye(self.clock.now(), None, &mut self.mint);
        self.until("the answer to our BYE", |caller| {
            caller.saw(|event| matches!(event, session::Event::ByeDone { status: Some(_) }))
        });
    }
}

/// Half a second of noise that no other seed makes.
fn prompt(seed: u64) -> Vec<u8> {
    let mut mint = Mint::seeded(seed);
    std::iter::repeat_with(|| mint.number().to_le_bytes()).flatten().take(25 * 160).collect()
}

fn only(mut testimonies: Vec<Testimony>) -> Testimony {
    assert_eq!(testimonies.len(), 1);
    testimonies.remove(0)
}

#[test]
fn recognises_the_question_and_presses_its_keys() {
    let mut index = Index::default();
    for (item, asks) in [("hello", false), ("age", true)] {
        let (item, language) = (item.to_owned(), "en".to_owned());
        let sound = prompt(u64::from(asks));
        index.add(Label { item, language, asks, ..Label::default() }, &sound, &sound);
    }
    let script = "[[party]]\nreact_after = \"200ms\"\n[[party.turn]]\nquestion = \"age\"\npress = \"4#\"\n";
    let crowd = crowd(script, index);
    let mut caller = Caller::call("1001", crowd.address(), 1);
    caller.until("the answer", Caller::is_answered);
    assert!(
        caller
            .saw(|event| matches!(event, session::Event::Progress { status, .. } if status.as_u16() == 180))
    );
    caller.to_play = [prompt(0), prompt(1)].concat();
    caller.until("both keys", |caller| {
        caller.heard.iter().filter(|key| matches!(key.phase, Phase::Released { .. })).count() == 2
    });
    assert_eq!(caller.pressed(), "4#");
    let held = caller.heard.iter().filter_map(|key| match key.phase {
        Phase::Released { duration_ms } => Some(duration_ms),
        Phase::Pressed => None,
    });
    assert_eq!(held.collect::<Vec<_>>(), [120, 120]);
    caller.hang_up();

    let testimony = only(crowd.stop());
    assert_eq!((testimony.user.as_str(), testimony.end), ("1001", End::CallerHungUp));
    let prompts: Vec<&str> = testimony.prompts().map(|prompt| prompt.item.as_str()).collect();
    assert_eq!(prompts, ["hello", "age"]);
    let entries: Vec<_> =
        testimony.entries().map(|entry| (entry.question.as_deref(), &*entry.keys)).collect();
    assert_eq!(entries, [(Some("age"), "4#")]);
    let stream = testimony.stream;
    assert_eq!((stream.lost, stream.duplicates, stream.timestamp_faults, stream.overlaps), (0, 0, 0, 0));
    assert_eq!(stream.sources[0].address, caller.rtp.local_addr().unwrap());
    assert!(stream.packets > 50, "{stream:?}");
}

#[test]
fn keys_without_their_first_or_last_packets_still_count_once() {
    let script = "[[party]]\nusers = \"1\"\nlose = [\"start\", \"end\"]\nsilence = \"300ms\"\n\
                  [[party.turn]]\nsilence = 1\npress = \"77\"\n";
    let crowd = crowd(script, Index::default());
    let mut caller = Caller::call("1", crowd.address(), 2);
    caller.until("the answer", Caller::is_answered);
    caller.to_play = prompt(3);
    caller.until("the second release", |caller| {
        caller.heard.iter().filter(|key| matches!(key.phase, Phase::Released { .. })).count() == 2
    });
    assert_eq!(caller.pressed(), "77");
    caller.hang_up();
    let _open = crowd.stop();
}

#[test]
fn refuses_is_unknown_and_hangs_up_as_the_script_says() {
    let script = "[[party]]\nusers = \"busy\"\nrefuse = 486\n\
                  [[party]]\nusers = \"short\"\nhang_up_after = \"300ms\"\n";
    let crowd = crowd(script, Index::default());
    let status = |user: &str, seed| {
        let mut caller = Caller::call(user, crowd.address(), seed);
        let failed = |event: &session::Event| matches!(event, session::Event::Failed { .. });
        caller.until("a refusal", |caller| caller.saw(failed));
        assert!(!caller.saw(|event| matches!(event, session::Event::Progress { .. })), "it does not ring");
        caller.seen.iter().find_map(|event| {
            if let session::Event::Failed { failure, .. } = event {
                failure.status().map(|code| code.as_u16())
            } else {
                None
            }
        })
    };
    assert_eq!(status("busy", 3), Some(486));
    assert_eq!(status("nobody", 4), Some(404));
    let mut caller = Caller::call("short", crowd.address(), 5);
    let left = |event: &session::Event| matches!(event, session::Event::PeerBye { .. });
    caller.until("the callee's BYE", |caller| caller.saw(left));
    let ends: Vec<End> = crowd.stop().into_iter().map(|testimony| testimony.end).collect();
    assert_eq!(ends, [End::Refused(486), End::HungUp], "who is unknown testifies nothing");
}

#[test]
fn rings_until_the_caller_gives_up() {
    let crowd = crowd("[[party]]\nanswer = false\nring = 183\n", Index::default());
    let mut caller = Caller::call("1", crowd.address(), 6);
    caller.until("ringing", |caller| {
        caller.saw(|event| matches!(event, session::Event::Progress { status, .. } if status.as_u16() == 183))
    });
    caller.session.cancel(caller.clock.now(), None, &mut caller.mint);
    caller.until("the 487", |caller| caller.saw(|event| matches!(event, session::Event::Cancelled { .. })));
    assert_eq!(only(crowd.stop()).end, End::Cancelled);
}

#[test]
fn a_stopped_crowd_hangs_up_on_everyone() {
    let crowd = crowd("[[party]]\n", Index::default());
    let mut caller = Caller::call("1", crowd.address(), 8);
    caller.until("the answer", Caller::is_answered);
    caller.until("a while", |caller| caller.tick > 10);
    let stopped = std::thread::spawn(move || crowd.stop());
    let left = |event: &session::Event| matches!(event, session::Event::PeerBye { .. });
    caller.until("the BYE", |caller| caller.saw(left));
    let testimony = only(stopped.join().unwrap());
    assert_eq!(testimony.end, End::HungUp);
    assert!(testimony.events.iter().any(|(_, event)| matches!(event, Event::Over { .. })));
    assert!(testimony.ended_at.unwrap_or(Timestamp::EPOCH) > testimony.invited_at);
}

#[test]
fn rings_reliably_and_changes_the_session_before_and_after_its_answer() {
    let script = "[[party]]\nring = 183\nreliable = \"answer\"\nanswer_after = \"400ms\"\n\
                  [[party.change]]\nsince = \"ringing\"\nafter = \"100ms\"\n\
                  [[party.change]]\nafter = \"50ms\"\nmedia = \"hold\"\n\
                  [[party.change]]\nafter = \"150ms\"\nby = \"re-invite\"\nmedia = \"resume\"\n\
                  [[party.change]]\nafter = \"250ms\"\nmedia = \"none\"\n";
    let crowd = crowd(script, Index::default());
    let mut caller = Caller::call("1", crowd.address(), 9);
    let early = |event: &session::Event| matches!(event, session::Event::Progress { status, body: Some(_) } if status.as_u16() == 183);
    caller.until("an answer with the ringing", |caller| caller.saw(early));
    caller.until("the early UPDATE", |caller| caller.offered.len() == 1);
    assert!(!caller.is_answered());
    caller.until("the answer", Caller::is_answered);
    caller.until("the resume", |caller| caller.offered.len() == 3);
    caller.until("a while", |caller| caller.tick > 30);
    assert_eq!(caller.offered, [Direction::SendRecv, Direction::RecvOnly, Direction::SendRecv]);
    caller.hang_up();
    let testimony = only(crowd.stop());
    let told = testimony.events.iter().filter_map(|(_, event)| {
        if let Event::Changed { media, status, .. } = event { Some((*media, *status)) } else { None }
    });
    let all = [ChangedMedia::Same, ChangedMedia::Hold, ChangedMedia::Resume, ChangedMedia::None];
    assert_eq!(told.collect::<Vec<_>>(), all.map(|media| (media, Some(200))));
    let rang = Event::Rang { status: 183, reliable: true };
    assert!(testimony.events.iter().any(|(_, event)| *event == rang), "{:?}", testimony.events);
}
