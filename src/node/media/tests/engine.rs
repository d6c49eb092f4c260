//! The engine in real time, heard by a telephone on loopback.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, unbounded};

use super::super::line::Told;
use super::super::playout::End;
use super::super::{Clip, Command, Engine, Lateness, MediaEvent, Opening, Outlet, PlayId};
use super::{clip, key, plan};
use crate::id::{CallId, Mint};
use crate::node::clock::Clock;
use crate::node::faults::Faults;
use crate::node::ports::{PortPool, own_loopback};
use crate::node::right::Right;
use crate::rtp::rtcp::{Part, parse_compound};
use crate::rtp::{Header, Phase, Ssrc, parse_packet, write_packet};
use crate::sdp::Codec;
use crate::store::recordings::Recordings;

const PATIENCE: Duration = Duration::from_secs(10);

/// A telephone: a pair of sockets and what it has heard.
struct Phone {
    rtp: UdpSocket,
    rtcp: UdpSocket,
    sequence: u16,
}

impl Phone {
    fn new() -> Self {
        for _ in 0..100 {
            let rtp = UdpSocket::bind("127.0.0.1:0").unwrap();
            let mut above = rtp.local_addr().unwrap();
            above.set_port(above.port().wrapping_add(1));
            let Ok(rtcp) = UdpSocket::bind(above) else { continue };
            for socket in [&rtp, &rtcp] {
                socket.set_read_timeout(Some(PATIENCE)).unwrap();
            }
            return Self { rtp, rtcp, sequence: 0 };
        }
        panic!("no pair of ports");
    }

    fn hear(&self) -> (Header, Vec<u8>) {
        let mut buffer = [0; 400];
        let length = self.rtp.recv(&mut buffer).expect("a packet every 20 ms");
        let packet = parse_packet(&buffer[..length]).unwrap();
        (packet.header, packet.payload.to_vec())
    }

    fn key(&mut self, to: u16, code: u8) {
        for (marker, flags, duration) in
            [(true, 0, 160_u16), (false, 0, 320), (false, 0x80, 800), (false, 0x80, 800)]
        {
            let [high, low] = duration.to_be_bytes();
            let header = Header {
                payload_type: 101,
                marker,
                sequence: self.sequence,
                timestamp: u32::from(code) * 16_000,
                ssrc: Ssrc(9),
            };
            self.sequence += 1;
            let mut packet = Vec::new();
            write_packet(&mut packet, &header, &[code, flags | 10, high, low]);
            self.rtp.send_to(&packet, (own_loopback(), to)).unwrap();
        }
    }
}

struct World {
    engine: Engine,
    events: Receiver<Vec<MediaEvent>>,
    ports: Arc<PortPool>,
    clock: Clock,
    mint: Mint,
    lateness: Arc<Lateness>,
}

impl World {
    fn new(ports: std::ops::RangeInclusive<u16>) -> Self {
        let clock = Clock::of_process();
        let (outlet, events) = unbounded();
        let outlets = || {
            let outlet = outlet.clone();
            vec![Box::new(move |batch| outlet.send(batch).map_err(|back| back.0)) as Outlet]
        };
        let lateness = Arc::default();
        let recordings = Recordings::start(Default::default(), [], Box::new(|_, _| {})).unwrap();
        let faults = Arc::<Faults>::default();
        let engine =
            Engine::start(1, clock, outlets, (&lateness, &faults, &Right::default()), &recordings.sink())
                .unwrap();
        let ports = PortPool::new(own_loopback(), &ports, clock);
        Self { engine, events, ports, clock, mint: Mint::seeded(3), lateness }
    }

    /// Opens a call to a phone; returns its id and our RTP port.
    fn open(&mut self, phone: &Phone) -> (CallId, u16) {
        let call = CallId::mint(&mut self.mint);
        let ports = self.ports.bind().unwrap();
        let port = ports.lease.port();
        let plan = plan(phone.rtp.local_addr().unwrap(), self.clock.now());
        let opening = Opening { call, shard: 0, ports, plan };
        self.engine.send(0, Command::Open(Box::new(opening)));
        (call, port)
    }

    fn play(&self, call: CallId, play: u32, clips: Vec<Arc<Clip>>) {
        self.engine.send(0, Command::Play { call, play: PlayId(play), clips: Some(clips), skip: 0 });
    }

    /// Waits for the next thing that is told.
    fn told(&self) -> Vec<Told> {
        let batch = self.events.recv_timeout(PATIENCE).expect("an event");
        batch.into_iter().map(|event| event.told).collect()
    }
}

/// Every packet follows the one before: sequence and timestamp go together, markers only after a gap.
fn assert_continuous(heard: &[(Header, Vec<u8>)]) {
    assert!(heard[0].0.marker);
    for pair in heard.windows(2) {
        let step = pair[1].0.sequence.wrapping_sub(pair[0].0.sequence);
        assert!(step >= 1, "in order");
        let samples = pair[1].0.timestamp.wrapping_sub(pair[0].0.timestamp);
        assert_eq!(samples, u32::from(step) * 160);
        assert_eq!(pair[1].0.marker, step > 1, "a busy machine may skip, and says so");
    }
}

#[test]
fn two_prompts_back_to_back_have_no_hole_in_the_stream() {
    let mut world = World::new(21_100..=21_119);
    let phone = Phone::new();
    let (call, _) = world.open(&phone);
    let (one, two) = (clip(15), clip(20));
    world.play(call, 1, vec![one.clone()]);
    assert_eq!(world.told(), [Told::PlayEnded { play: PlayId(1), end: End::Played }]);
    world.play(call, 2, vec![two.clone(), one.clone()]);
    let heard: Vec<_> = (0..80).map(|_| phone.hear()).collect();
    assert_continuous(&heard);
    let sound: Vec<u8> =
        heard.iter().flat_map(|(_, payload)| payload).copied().filter(|&o| o != 0xFF).collect();
    let played = [&one, &two, &one].map(|clip| clip.octets(Codec::Pcmu)).concat();
    assert_eq!(sound, played, "every frame of every prompt, once and in order");
    let silent = |frame: &(Header, Vec<u8>)| frame.1[0] == 0xFF;
    let between =
        heard.iter().skip_while(|frame| silent(frame)).skip(15).take_while(|frame| silent(frame)).count();
    // As long as this thread takes to ask for the next prompt: a tick, or more on a busy machine.
    assert!(between <= 25, "{between} silent frames between the end of one prompt and the next");
    assert!(world.lateness.snapshot().below.iter().map(|(_, count)| count).sum::<u64>() >= 80);
}

#[test]
fn a_stop_is_heard_at_once() {
    let mut world = World::new(21_120..=21_129);
    let phone = Phone::new();
    let (call, _) = world.open(&phone);
    world.play(call, 1, vec![clip(100)]);
    while phone.hear().1[0] == 0xFF {}
    world.engine.send(0, Command::Stop { call, play: PlayId(1) });
    let after = (0..60).map(|_| phone.hear()).take_while(|(_, payload)| payload[0] != 0xFF).count();
    // Frames that had left before; how soon a stop takes effect is shown without a clock in `line`.
    assert!(after <= 25, "{after} more frames after the stop");
    assert!(world.events.is_empty(), "a stopped prompt does not end");
}

#[test]
fn keys_are_told_and_the_end_is_a_bye() {
    let mut world = World::new(21_130..=21_139);
    let mut phone = Phone::new();
    let (call, port) = world.open(&phone);
    phone.hear();
    phone.key(port, 7);
    let mut keys = Vec::new();
    while keys.len() < 2 {
        keys.extend(world.told().into_iter().map(|told| key(&told)));
    }
    assert_eq!(keys, [('7', Phase::Pressed), ('7', Phase::Released { duration_ms: 100 })]);
    world.engine.send(0, Command::Close { call });
    let told = world.told();
    let [Told::Closed(statistics)] = &told[..] else { panic!("{told:?}") };
    assert!(statistics.sent >= 1 && statistics.received == 4, "{statistics:?}");
    let mut buffer = [0; 400];
    let last = loop {
        let length = phone.rtcp.recv(&mut buffer).expect("an RTCP packet");
        if let Some(part) = parse_compound(&buffer[..length]).unwrap().last() {
            break part;
        }
    };
    assert!(matches!(last, Part::Bye { .. }), "{last:?}");
    assert_eq!(world.engine.streams(), 0);
    UdpSocket::bind((own_loopback(), port)).expect("the port is free again");
}

#[test]
fn a_hundred_calls_are_spread_and_each_is_continuous() {
    let mut world = World::new(21_200..=21_499);
    let phones: Vec<Phone> = (0..100).map(|_| Phone::new()).collect();
    let sounds = clip(30);
    for phone in &phones {
        let (call, _) = world.open(phone);
        world.play(call, 1, vec![sounds.clone()]);
    }
    let mut ended = BTreeMap::new();
    while ended.len() < 100 {
        for event in world.events.recv_timeout(PATIENCE).unwrap() {
            assert!(matches!(event.told, Told::PlayEnded { end: End::Played, .. }));
            assert_eq!(ended.insert(event.call, ()), None);
        }
    }
    for phone in &phones {
        let heard: Vec<_> = (0..30).map(|_| phone.hear()).collect();
        assert_continuous(&heard);
    }
}

#[test]
fn what_waits_on_a_port_when_it_is_opened_is_counted_and_not_heard() {
    let mut world = World::new(21_140..=21_149);
    let mut phone = Phone::new();
    let call = CallId::mint(&mut world.mint);
    let ports = world.ports.bind().unwrap();
    phone.key(ports.lease.port(), 7); // four packets, before anybody has answered
    let port = ports.lease.port();
    let plan = plan(phone.rtp.local_addr().unwrap(), world.clock.now());
    world.engine.send(0, Command::Open(Box::new(Opening { call, shard: 0, ports, plan })));
    phone.hear();
    phone.key(port, 5);
    let mut keys = Vec::new();
    while keys.len() < 2 {
        keys.extend(world.told().iter().map(|told| key(told).0));
    }
    assert_eq!(keys, ['5', '5']);
    world.engine.send(0, Command::Close { call });
    let told = world.told();
    let Some(Told::Closed(statistics)) = told.last() else { panic!("{told:?}") };
    let report = statistics.report.as_ref().unwrap();
    assert_eq!((report.early, report.received, report.lost, report.strangers), (4, 4, 0, 0));
}
