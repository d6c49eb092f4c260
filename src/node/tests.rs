//! The node against a scripted telephone on loopback.

mod phone;
mod restart;
mod silence;
mod speech;
mod takeover;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;

use self::phone::Phone;
use super::clock::Clock;
use super::ports::own_loopback;
use super::{Earlier, Event, Node, NodeConfig, PlaceError, Placement, Pulse, Receipt, Right};
use crate::call::{Assets, Call, CallResult, Step};
use crate::id::Digest;
use crate::outcome::Disposition;
use crate::prompts::{Clip, PromptStore};
use crate::questionnaire::Questionnaire;
use crate::rtp::g711;
use crate::sdp::Codec;
use crate::settings::{Ports, Settings, Trunk};
use crate::sip::Request;
use crate::store::journal::{self, Journal};

const PATIENCE: Duration = Duration::from_secs(10);

const QUESTIONNAIRE: &str = r##"<questionnaire id="t" version="1" languages="en" xmlns="urn:baton:questionnaire:1">
  <contact-field name="name" default="you"/>
  <retry id="std" wait="3s" no-input="1" no-match="1" then="break-off"/>
  <section id="s">
    <statement id="hello" barge-in="no"><say lang="en" audio="hello.wav">Hello.</say></statement>
    <choice id="ready" retry="std">
      <say lang="en" audio="ready.wav">Press 1.</say>
      <option key="1" value="yes"/> <option key="2" value="no" go="piped"/>
    </choice>
  </section>
  <end id="done" outcome="complete"><say lang="en" audio="bye.wav">Goodbye.</say></end>
  <end id="piped" outcome="callback"><say lang="en">Goodbye {name}.</say></end>
</questionnaire>"##;

/// A tone of its own for each prompt: `frames` times 20 ms.
fn samples(pitch: f32, frames: usize) -> Vec<i16> {
    (0_u16..).map(|n| (f32::from(n) * pitch).sin() * 9_000.0).take(frames * 160).map(to_sample).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "within 9000 either way")]
fn to_sample(value: f32) -> i16 {
    value as i16
}

fn wav(path: &Path, samples: &[i16]) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    samples.iter().for_each(|&sample| writer.write_sample(sample).unwrap());
    writer.finalize().unwrap();
}

struct World {
    node: Node,
    events: mpsc::Receiver<Event>,
    phone: Phone,
    questionnaire: Digest,
    dir: TempDir,
    settings: Settings,
    text: String,
    limits: journal::Limits,
}

impl World {
    fn new(first_port: u16) -> Self {
        Self::with(first_port, journal::Limits::default(), 10)
    }

    fn with(first_port: u16, limits: journal::Limits, calls: usize) -> Self {
        Self::set(first_port, limits, "127.0.0.1".parse().unwrap(), |settings| settings.limits.calls = calls)
    }

    /// A world whose phone is at this address, with settings of its own.
    fn set(first_port: u16, limits: journal::Limits, phone: IpAddr, set: impl FnOnce(&mut Settings)) -> Self {
        // A speaker that says every text with the same voice.
        Self::asking((QUESTIONNAIRE, &["cat", "SPOKEN"]), first_port, limits, phone, set)
    }

    /// A world with a questionnaire and a speech command, in which `SPOKEN` stands for a WAV file.
    fn asking(
        questionnaire: (&str, &[&str]),
        first_port: u16,
        limits: journal::Limits,
        phone: IpAddr,
        set: impl FnOnce(&mut Settings),
    ) -> Self {
        Self::of_right(Right::default(), questionnaire, first_port, limits, phone, set)
    }

    /// The same, in which the node has this right to send.
    fn of_right(
        right: Right,
        (text, command): (&str, &[&str]),
        first_port: u16,
        limits: journal::Limits,
        phone: IpAddr,
        set: impl FnOnce(&mut Settings),
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, pitch, frames) in
            [("hello", 0.3, 10), ("ready", 0.5, 15), ("bye", 0.7, 8), ("spoken", 0.9, 9), ("long", 0.11, 200)]
        {
            wav(&dir.path().join(format!("{name}.wav")), &samples(pitch, frames));
        }
        let phone = Phone::at(phone);
        let mut settings = Settings::default();
        settings.sip.listen = "127.0.0.1:0".parse().unwrap();
        settings.media.address = own_loopback().into();
        settings.media.ports = Ports { first: first_port, last: first_port + 19 };
        settings.trunks.insert("phone".into(), Trunk::direct(phone.address()));
        settings.limits.calls = 10;
        set(&mut settings);
        let spoken = dir.path().join("spoken.wav").display().to_string();
        settings.speech.command = command.iter().map(|part| part.replace("SPOKEN", &spoken)).collect();
        let (node, events, questionnaire) = start(dir.path(), text, limits, settings.clone(), right);
        Self { node, events, phone, questionnaire, dir, settings, text: text.to_owned(), limits }
    }

    /// The process dies, something happens meanwhile, and the next one starts at the same addresses.
    fn restart(mut self, meanwhile: impl FnOnce(&mut Phone)) -> Self {
        self.settings.sip.listen = self.node.listens_at()[0].into();
        let Self { node, phone, dir, settings, text, limits, .. } = self;
        drop(node);
        let mut phone = phone;
        meanwhile(&mut phone);
        let right = Right::default();
        let (node, events, questionnaire) = start(dir.path(), &text, limits, settings.clone(), right);
        Self { node, events, phone, questionnaire, dir, settings, text, limits }
    }

    fn placement(&self) -> Placement {
        Placement::new("+254712345678", "phone", self.questionnaire)
    }

    /// Places a call, whose INVITE comes.
    fn rings(&mut self) -> Request {
        self.node.place(self.placement()).unwrap();
        self.phone.request("INVITE")
    }

    fn saved(&self) -> Vec<journal::SavedCall> {
        journal::read(&self.dir.path().join("journal")).unwrap().calls
    }

    fn event(&mut self) -> Event {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.events.try_recv() {
                Ok(event) => return event,
                Err(TryRecvError::Empty) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                Err(error) => panic!("no event: {error}"),
            }
        }
    }

    /// Steps until the result.
    fn result(&mut self) -> (Vec<Step>, Box<CallResult>, Receipt) {
        let mut steps = Vec::new();
        loop {
            match self.event() {
                Event::Step { step, .. } => steps.push(step),
                Event::Ended { result, receipt, .. } => return (steps, result, receipt),
                Event::Failed { what } => panic!("{what}"),
                Event::Silenced { calls } => panic!("silenced with {calls} calls"),
            }
        }
    }
}

/// A process: it goes on with what the journal of the one before holds.
fn start(
    dir: &Path,
    text: &str,
    limits: journal::Limits,
    settings: Settings,
    right: Right,
) -> (Node, mpsc::Receiver<Event>, Digest) {
    let (questionnaire, _) = Questionnaire::load("t.xml", text.as_bytes()).unwrap();
    let prompts = Arc::new(PromptStore::new(&settings));
    prompts.load_questionnaire(&questionnaire, &dir.join("t.xml"), text.as_bytes()).unwrap();
    let mut assets = Assets::default();
    let questionnaire = assets.insert(Arc::new(questionnaire));
    let journal_dir = dir.join("journal");
    let (journal, replay) = Journal::open(&journal_dir, limits).unwrap();
    let pulse = Pulse::of(&journal_dir).unwrap();
    let clock = Clock::continued(&journal_dir, !replay.calls.is_empty(), pulse.last()).unwrap();
    let config = NodeConfig {
        shards: 2,
        media_threads: 1,
        clock,
        pulse: Some(pulse),
        resume: Earlier::read(replay.calls),
        right,
        ..NodeConfig::new(settings)
    };
    let (node, events) = Node::start(config, assets, prompts, journal).unwrap();
    (node, events, questionnaire)
}

/// What a sound of these samples is on the wire.
fn frames(samples: &[i16]) -> Vec<u8> {
    let clip = Clip::encode(samples);
    clip.octets(Codec::Pcmu).to_vec()
}

#[test]
fn a_survey_from_invite_to_bye() {
    let mut world = World::new(21_500);
    let call = world.node.place(world.placement()).unwrap();
    let invite = world.phone.request("INVITE");
    assert_eq!(invite.uri_text(), format!("sip:+254712345678@{}", world.phone.address()));
    let saved = world.saved();
    assert_eq!((saved.len(), saved[0].call_id), (1, call), "the record is durable before the INVITE leaves");
    world.phone.pick_up(&invite);
    let answered = world.saved()[0].revision;
    assert!(answered > saved[0].revision, "and the answer before the ACK");
    world.phone.hear_out(&frames(&samples(0.3, 10)));
    world.phone.hear_out(&frames(&samples(0.5, 15)));
    assert!(world.phone.hear().iter().all(|&octet| octet == g711::ULAW_SILENCE), "silence while it waits");
    world.phone.press(1);
    world.phone.hear_out(&frames(&samples(0.7, 8)));
    let bye = world.phone.request("BYE");
    let call_at_bye = Call::restore(&world.saved()[0].record).unwrap();
    assert!(
        world.saved()[0].revision > answered && call_at_bye.id() == call,
        "and the outcome before the BYE"
    );
    assert!(bye.headers().to().unwrap().tag() == Some("phone"));
    world.phone.reply(&bye, "200 OK", None);

    let (steps, result, receipt) = world.result();
    assert_eq!(result.disposition, Disposition::Complete);
    assert_eq!((result.call_id, result.to.as_str(), result.sip_status), (call, "+254712345678", Some(200)));
    let json = serde_json::to_value(&result.responses).unwrap();
    assert_eq!((&json[0]["question"], &json[0]["status"]), (&"ready".into(), &"answered".into()), "{json}");
    assert_eq!(
        (&json[0]["digits"][0]["digit"], &json[0]["digits"][0]["duration_ms"]),
        (&"1".into(), &100.into())
    );
    assert!(matches!(steps.first(), Some(Step::Dialling { .. })), "{steps:?}");
    assert!(steps.iter().any(|step| matches!(step, Step::Key { digit: '1' })), "{steps:?}");
    let usage = world.node.usage();
    assert_eq!((usage.calls, usage.streams, usage.faults.len()), (0, 0, 0), "{usage:?}");
    assert_eq!(world.saved().len(), 1, "the result is nobody's yet");
    let keeper = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        receipt.stored();
    });
    assert_eq!(world.node.shutdown(PATIENCE), 0);
    keeper.join().unwrap();
    let saved = journal::read(&world.dir.path().join("journal")).unwrap().calls;
    assert_eq!(saved.len(), 0, "a shutdown waits until the result is kept; then the record goes");
}

#[test]
fn the_callee_may_hang_up_at_any_moment() {
    let mut world = World::new(21_520);
    let invite = world.rings();
    world.phone.pick_up(&invite);
    world.phone.hear();
    world.phone.hang_up(&invite);
    let (_, result, _receipt) = world.result();
    assert_eq!(result.disposition, Disposition::BreakOff);
    let answer = loop {
        if let crate::sip::Message::Response(response) = world.phone.recv() {
            break response.status().as_u16();
        }
    };
    assert_eq!(answer, 200);
}

#[test]
fn a_text_with_a_name_in_it_is_spoken_while_the_stream_goes_on() {
    let mut world = World::new(21_540);
    let fields = BTreeMap::from([("name".to_owned(), "Amina".to_owned())]);
    world.node.place(Placement { fields, ..world.placement() }).unwrap();
    let invite = world.phone.request("INVITE");
    world.phone.pick_up(&invite);
    world.phone.hear_out(&frames(&samples(0.5, 15)));
    world.phone.press(2);
    world.phone.hear_out(&frames(&samples(0.9, 9)));
    let bye = world.phone.request("BYE");
    world.phone.reply(&bye, "200 OK", None);
    assert_eq!(world.result().1.disposition, Disposition::Callback);
}

#[test]
fn busy_is_acknowledged_and_gives_its_ports_back() {
    let mut world = World::new(21_560);
    let invite = world.rings();
    world.phone.reply(&invite, "486 Busy Here", None);
    world.phone.request("ACK");
    let (_, result, receipt) = world.result();
    assert_eq!((result.disposition, result.sip_status), (Disposition::Busy, Some(486)));
    let body = String::from_utf8(invite.body().to_vec()).unwrap();
    let port = body.lines().find_map(|line| line.strip_prefix("m=audio ")).unwrap();
    let port: u16 = port.split(' ').next().unwrap().parse().unwrap();
    std::net::UdpSocket::bind((own_loopback(), port)).expect("no call has it any more");
    assert_eq!(world.saved().len(), 1, "its result is nobody's yet");
    receipt.stored();
}

#[test]
fn a_shutdown_cancels_what_rings() {
    let World { node, mut events, mut phone, questionnaire, dir, .. } = World::new(21_580);
    node.place(Placement::new("+254712345678", "phone", questionnaire)).unwrap();
    let invite = phone.request("INVITE");
    phone.reply(&invite, "180 Ringing", None);
    let ringing = std::thread::spawn(move || {
        let cancel = phone.request("CANCEL");
        phone.reply(&cancel, "200 OK", None);
        phone.reply(&invite, "487 Request Terminated", None);
        phone.request("ACK");
    });
    let keeping = std::thread::spawn(move || {
        while let Some(event) = events.blocking_recv() {
            if let Event::Ended { result, receipt, .. } = event {
                receipt.stored();
                return result.disposition;
            }
        }
        panic!("no result came");
    });
    std::thread::sleep(Duration::from_millis(100)); // the 180 has been taken in
    assert_eq!(node.shutdown(PATIENCE), 0);
    ringing.join().unwrap();
    assert_eq!(keeping.join().unwrap(), Disposition::NotAttempted);
    drop(dir);
}

#[test]
fn what_cannot_be_placed_says_why_and_takes_no_room() {
    let world = World::with(21_600, journal::Limits::default(), 1);
    let place = |placement| world.node.place(placement).unwrap_err();
    let unknown = place(Placement { trunk: "mno".into(), ..world.placement() });
    assert_eq!(unknown.to_string(), "no trunk is named `mno`; the settings have phone");
    assert!(matches!(place(Placement { to: "bob".into(), ..world.placement() }), PlaceError::To { .. }));
    let other = Placement { questionnaire: Digest::of(b"another"), ..world.placement() };
    assert!(matches!(place(other), PlaceError::Start(_)));
    world.node.place(world.placement()).expect("the refused ones took no room");
    assert!(matches!(place(world.placement()), PlaceError::Full { limit: 1 }));
}

#[test]
fn when_the_journal_fails_nothing_more_is_said() {
    let limits = journal::Limits { segment_bytes: 1, ..journal::Limits::default() };
    let mut world = World::with(21_620, limits, 10);
    let invite = world.rings();
    // The next segment cannot be made.
    std::fs::remove_dir_all(world.dir.path().join("journal")).unwrap();
    world.phone.reply(&invite, "200 OK", None);
    loop {
        match world.event() {
            Event::Failed { what } => break assert!(what.contains("journal"), "{what}"),
            Event::Step { .. } | Event::Silenced { .. } => {}
            Event::Ended { result, .. } => panic!("{result:?}"),
        }
    }
    assert!(matches!(world.node.place(world.placement()), Err(PlaceError::Failed)));
    assert_eq!(world.node.usage().held, 0);
}

#[test]
fn a_trunk_at_ipv6_is_called_and_heard_there() {
    let limits = journal::Limits::default();
    let mut world = World::set(21_640, limits, "::1".parse().unwrap(), |settings| {
        settings.sip.listen = Default::default(); // as the trunks need it
    });
    let invite = world.rings();
    let (headers, body) = (invite.headers(), String::from_utf8(invite.body().to_vec()).unwrap());
    assert_eq!(headers.via().unwrap().host.to_string(), "[::1]");
    assert_eq!(headers.contacts().unwrap()[0].uri.host().unwrap().to_string(), "[::1]");
    assert!(body.contains("c=IN IP6 ::1\r\n") && body.contains(" IN IP6 ::1\r\ns="), "{body}");
    world.phone.pick_up(&invite);
    world.phone.hear_out(&frames(&samples(0.5, 15)));
    world.phone.press(1);
    let bye = world.phone.request("BYE");
    world.phone.reply(&bye, "200 OK", None);
    assert_eq!(world.result().1.disposition, Disposition::Complete);
}

#[test]
fn a_trunk_has_its_own_local_address_and_sees_the_advertised_one() {
    let limits = journal::Limits::default();
    let listen: crate::settings::Listen =
        toml::from_str::<crate::settings::Sip>("listen = [\"127.0.0.1:0\", \"127.0.0.2:0\"]").unwrap().listen;
    let mut world = World::set(21_660, limits, "127.0.0.1".parse().unwrap(), |settings| {
        settings.sip.listen = listen;
        let trunk = settings.trunks.get_mut("phone").unwrap();
        trunk.local = Some("127.0.0.2".parse().unwrap());
        trunk.advertise =
            Some(crate::settings::Advertised { ip: "203.0.113.9".parse().unwrap(), port: Some(5070) });
    });
    let invite = world.rings();
    assert_eq!(world.phone.caller(), world.node.listens_at()[1], "it came from the second address");
    let via = invite.headers().via().unwrap();
    assert_eq!(
        (via.host.to_string().as_str(), via.port, via.wants_rport()),
        ("203.0.113.9", Some(5070), true)
    );
    assert_eq!(invite.headers().contacts().unwrap()[0].uri.socket_addr(), "203.0.113.9:5070".parse().ok());
    let body = String::from_utf8(invite.body().to_vec()).unwrap();
    assert!(body.contains("c=IN IP4 203.0.113.9\r\n"), "{body}");
    // The answer reaches it all the same (RFC 3581): to where the INVITE came from.
    world.phone.reply(&invite, "486 Busy Here", None);
    assert_eq!(world.result().1.disposition, Disposition::Busy);
}

#[test]
fn a_trunk_that_lists_its_sources_is_heard_from_nowhere_else() {
    let limits = journal::Limits::default();
    let mut world = World::set(21_680, limits, "127.0.0.1".parse().unwrap(), |settings| {
        let trunk = settings.trunks.get_mut("phone").unwrap();
        trunk.sources = Some(vec!["127.0.0.4".parse().unwrap()]);
        trunk.requests = Some(Vec::new());
    });
    let invite = world.rings();
    world.phone.pick_up(&invite);
    let elsewhere = |ip: &str| std::net::UdpSocket::bind((ip, 0)).unwrap();
    let options = world.phone.in_dialog(&invite, "OPTIONS", 1);
    world.phone.send(&options);
    let refused = loop {
        if let crate::sip::Message::Response(response) = world.phone.recv() {
            break response.status().as_u16();
        }
    };
    assert_eq!(refused, 403, "the settings allow no OPTIONS");
    let bye = world.phone.in_dialog(&invite, "BYE", 2);
    elsewhere("127.0.0.3").send_to(bye.as_bytes(), world.phone.caller()).unwrap();
    for _ in 0..10 {
        world.phone.hear(); // the call goes on
    }
    let counted = |node: &Node, reason: &str| node.usage().faults.iter().any(|fault| fault.reason == reason);
    assert!(counted(&world.node, "stranger") && counted(&world.node, "request"), "{:?}", world.node.usage());
    elsewhere("127.0.0.4").send_to(bye.as_bytes(), world.phone.caller()).unwrap();
    assert_eq!(world.result().1.disposition, Disposition::BreakOff);
}
