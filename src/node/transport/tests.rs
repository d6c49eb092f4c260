//! The transports against sockets whose every byte a test writes.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use crossbeam_channel::{Receiver, unbounded};

use super::connection::Pace;
use super::{Desk, Gate, Mail, Outbox, Transport};
use crate::call::TryNumber;
use crate::id::CallId;
use crate::node::clock::Clock;
use crate::node::faults::Faults;
use crate::node::right::Right;
use crate::settings::{Settings, Strangers, Trunk};
use crate::sip::transaction::Transmit;
use crate::sip::{Hop, Message};

const PATIENCE: Duration = Duration::from_secs(5);
const CALL: &str = "abcdefgh01234567";

/// A transport under test, and what it hands on.
struct World {
    transport: Transport,
    faults: Arc<Faults>,
    mail: Receiver<Mail>,
    outbox: Outbox,
}

impl World {
    fn new() -> Self {
        Self::with(Pace::USUAL, 16)
    }

    fn with(pace: Pace, connections: usize) -> Self {
        let mut settings = Settings::default();
        settings.trunks.insert("peer".into(), Trunk::direct("127.0.0.1:5060".parse().unwrap()));
        Self::of(&settings, pace, connections)
    }

    fn of(settings: &Settings, pace: Pace, connections: usize) -> Self {
        Self::of_right(&Right::default(), settings, pace, connections)
    }

    fn of_right(right: &Right, settings: &Settings, pace: Pace, connections: usize) -> Self {
        let mut transport = Transport::bind(&["127.0.0.1:0".parse().unwrap()], connections, right).unwrap();
        let (inlet, mail) = unbounded();
        let faults = Arc::new(Faults::default());
        let desk = Desk {
            inlet: Arc::new(move |mail| inlet.send(mail).map_err(|back| back.0.arrived.len())),
            server: "baton/test".into(),
            clock: Clock::of_process(),
            faults: Arc::clone(&faults),
            gate: Arc::new(Gate::new(settings)),
        };
        transport.read_at(&desk, pace).unwrap();
        let outbox = transport.senders().open();
        Self { transport, faults, mail, outbox }
    }

    fn address(&self) -> SocketAddr {
        self.transport.ways().at(0).local
    }

    fn connect(&self) -> TcpStream {
        patient(TcpStream::connect(self.address()).unwrap())
    }

    fn send(&mut self, to: SocketAddr, text: &str) {
        let transmit = Transmit::first(Hop::tcp(to), Bytes::from(text.to_owned()));
        self.outbox.put((CALL.parse().unwrap(), TryNumber(2)), 0, transmit);
        self.outbox.flush(|of| panic!("no room for a message of {of:?}"));
    }

    /// The next thing that the shards are told: a start line, or `undelivered`.
    fn told(&self) -> String {
        let mail = self.mail.recv_timeout(PATIENCE).expect("something to be told");
        match (mail.arrived.as_slice(), mail.undelivered.as_slice()) {
            ([one], []) => match one.message.as_ref() {
                Message::Request(request) => format!("{} from {}", request.method(), one.from),
                Message::Response(response) => format!("{} from {}", response.status(), one.from),
            },
            ([], [(call, TryNumber(2))]) if call.as_str() == CALL => "undelivered".to_owned(),
            other => panic!("{other:?}"),
        }
    }

    fn counted(&self, reason: &str) -> u64 {
        self.faults.snapshot().iter().find(|fault| fault.reason == reason).map_or(0, |fault| fault.count)
    }

    fn until_counted(&self, reason: &str, count: u64) {
        let begun = std::time::Instant::now();
        while self.counted(reason) < count {
            assert!(begun.elapsed() < PATIENCE, "{reason}: {:?}", self.faults.snapshot());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn patient(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

fn accept(listener: &TcpListener) -> TcpStream {
    patient(listener.accept().unwrap().0)
}

/// What comes until this has come.
fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = Vec::new();
    while !text.ends_with(end.as_bytes()) {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap_or_else(|error| {
            panic!("{error} after {:?}", String::from_utf8_lossy(&text));
        });
        text.extend(byte);
    }
    String::from_utf8(text).unwrap()
}

fn is_closed(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

fn message(start: &str, via: &str, cseq: &str) -> String {
    format!(
        "{start}\r\nVia: {via}\r\nMax-Forwards: 70\r\nFrom: <sip:a@127.0.0.1>;tag=1\r\nTo: <sip:b@127.0.0.1>\r\n\
         Call-ID: c@127.0.0.1\r\nCSeq: {cseq}\r\nContact: <sip:a@127.0.0.1>\r\nContent-Length: 0\r\n\r\n"
    )
}

fn request(line: &str, sent_by: &str) -> String {
    let method = line.split(' ').next().unwrap();
    let transport = if sent_by.starts_with("udp:") { "UDP" } else { "TCP" };
    let sent_by = sent_by.trim_start_matches("udp:");
    let via = format!("SIP/2.0/{transport} {sent_by};branch=z9hG4bKabc;rport");
    message(&format!("{line} SIP/2.0"), &via, &format!("1 {method}"))
}

/// A request of ours as the session writes it.
fn ours(method: &str, token: &str) -> String {
    let via = format!("SIP/2.0/TCP 127.0.0.1:5060;rport;branch=z9hG4bK{CALL}.{token}");
    message(&format!("{method} sip:b@127.0.0.1 SIP/2.0"), &via, &format!("1 {method}"))
}

fn answer_to(request: &str) -> String {
    request.replacen(request.lines().next().unwrap(), "SIP/2.0 200 OK", 1)
}

const TO_CALL: &str = "BYE sip:abcdefgh01234567@127.0.0.1";

#[test]
fn messages_find_their_call_strays_their_answer_and_noise_its_count() {
    let world = World::new();
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    let (to, from) = (world.address(), peer.local_addr().unwrap());
    peer.send_to(b"\r\n\r\n", to).unwrap();
    peer.send_to(b"hello", to).unwrap();
    peer.send_to(request("OPTIONS sip:baton@127.0.0.1", &format!("udp:{from}")).as_bytes(), to).unwrap();
    let mut buffer = [0; 4_096];
    let length = peer.recv(&mut buffer).expect("an answer");
    let answer = String::from_utf8(buffer[..length].to_vec()).unwrap();
    assert!(answer.starts_with("SIP/2.0 200 ") && answer.contains("Allow: "), "{answer}");
    peer.send_to(request(TO_CALL, &format!("udp:{from}")).as_bytes(), to).unwrap();
    assert_eq!(world.told(), format!("BYE from {from}"));
    let counts = world.faults.snapshot();
    assert_eq!((counts.len(), counts[0].kind, counts[0].count), (1, "sip", 1), "{counts:?}");
}

#[test]
fn a_call_is_told_that_its_datagram_cannot_leave() {
    let mut world = World::new();
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    let (good, bad): (CallId, CallId) = (CALL.parse().unwrap(), "bbcdefgh01234567".parse().unwrap());
    let bytes = Bytes::from_static(b"x");
    world.outbox.put((bad, TryNumber(0)), 0, Transmit::first("127.0.0.1:0".parse().unwrap(), bytes.clone()));
    world.outbox.put(
        (good, TryNumber(0)),
        0,
        Transmit::first(peer.local_addr().unwrap().into(), bytes.clone()),
    );
    world.outbox.put((bad, TryNumber(0)), 0, Transmit::first("[::1]:5060".parse().unwrap(), bytes));
    let mut failed = Vec::new();
    world.outbox.flush(|call| failed.push(call));
    assert_eq!(
        failed,
        [(bad, TryNumber(0)); 2],
        "port 0, and an address of a family that we do not listen in"
    );
    let mut buffer = [0; 8];
    assert_eq!(peer.recv(&mut buffer).unwrap(), 1);
}

#[test]
fn a_peers_connection_carries_requests_answers_and_pings() {
    let world = World::new();
    let mut peer = world.connect();
    let from = Hop::tcp(peer.local_addr().unwrap());
    let sent_by = peer.local_addr().unwrap().to_string();
    let both = request("OPTIONS sip:baton@127.0.0.1", &sent_by) + &request(TO_CALL, &sent_by);
    for piece in both.as_bytes().chunks(100) {
        peer.write_all(piece).unwrap();
    }
    let answer = read_until(&mut peer, "\r\n\r\n");
    assert!(answer.starts_with("SIP/2.0 200 ") && answer.contains("rport="), "{answer}");
    assert_eq!(world.told(), format!("BYE from {from}"));
    peer.write_all(b"\r\n\r\n").unwrap();
    let mut pong = [0; 2];
    peer.read_exact(&mut pong).unwrap();
    assert_eq!(&pong, b"\r\n", "RFC 5626 §4.4.1");
    peer.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert!(is_closed(&mut peer));
    assert_eq!(world.counted("start_line"), 1);
}

#[test]
fn requests_to_one_hop_share_a_connection_and_a_closed_one_is_made_anew() {
    let mut world = World::new();
    let trunk = listener();
    let to = trunk.local_addr().unwrap();
    let invite = ours("INVITE", "1");
    world.send(to, &invite);
    let mut peer = accept(&trunk);
    assert_eq!(read_until(&mut peer, "\r\n\r\n"), invite);
    peer.write_all(answer_to(&invite).as_bytes()).unwrap();
    assert_eq!(world.told(), format!("200 from tcp:{to}"));
    world.send(to, &ours("ACK", "2"));
    assert!(read_until(&mut peer, "\r\n\r\n").starts_with("ACK "));
    drop(peer);
    std::thread::sleep(Duration::from_millis(50)); // the end has been noticed
    let bye = ours("BYE", "3");
    world.send(to, &bye);
    assert_eq!(read_until(&mut accept(&trunk), "\r\n\r\n"), bye, "the answered INVITE does not come again");
}

#[test]
fn a_request_whose_connection_is_lost_goes_once_more_and_then_its_call_is_told() {
    let mut world = World::new();
    let trunk = listener();
    let to = trunk.local_addr().unwrap();
    let bye = ours("BYE", "3");
    world.send(to, &bye);
    let mut first = accept(&trunk);
    assert_eq!(read_until(&mut first, "\r\n\r\n"), bye);
    drop(first);
    let mut second = accept(&trunk);
    assert_eq!(read_until(&mut second, "\r\n\r\n"), bye, "byte for byte");
    drop(second);
    assert_eq!(world.told(), "undelivered");
}

#[test]
fn a_hop_that_takes_no_connection_is_told_at_once_or_in_time() {
    let mut world = World::with(Pace { connect: Duration::from_millis(300), ..Pace::USUAL }, 16);
    let gone = listener().local_addr().unwrap();
    world.send(gone, &ours("INVITE", "1"));
    assert_eq!(world.told(), "undelivered");
    assert_eq!(world.counted("connect"), 1);
    // A backlog that is full answers no SYN.
    let full = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    full.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    full.listen(0).unwrap();
    let to = full.local_addr().unwrap().as_socket().unwrap();
    let _waiting: Vec<_> =
        (0..2).map(|_| TcpStream::connect_timeout(&to, Duration::from_millis(100))).collect();
    world.send(to, &ours("INVITE", "2"));
    assert_eq!(world.told(), "undelivered");
    assert_eq!(world.counted("connect_timeout"), 1);
}

#[test]
fn a_response_whose_connection_is_gone_goes_to_the_sent_by() {
    let mut world = World::new();
    let home = listener(); // RFC 3261 §18.2.2
    let mut peer = world.connect();
    let from = peer.local_addr().unwrap();
    peer.write_all(request(TO_CALL, &home.local_addr().unwrap().to_string()).as_bytes()).unwrap();
    assert_eq!(world.told(), format!("BYE from tcp:{from}"));
    let port = home.local_addr().unwrap().port();
    let via =
        format!("SIP/2.0/TCP 127.0.0.1:{port};branch=z9hG4bKabc;received=127.0.0.1;rport={}", from.port());
    let response = message("SIP/2.0 200 OK", &via, "1 BYE");
    world.send(from, &response);
    assert_eq!(read_until(&mut peer, "\r\n\r\n"), response, "while it stands, the connection is the way");
    drop(peer);
    std::thread::sleep(Duration::from_millis(50));
    world.send(from, &response);
    assert_eq!(read_until(&mut accept(&home), "\r\n\r\n"), response);
}

#[test]
fn who_sends_too_slowly_or_nothing_is_let_go() {
    let quick = Duration::from_millis(200);
    let world = World::with(Pace { message: quick, first: quick * 2, ..Pace::USUAL }, 16);
    let mut mute = world.connect();
    let mut slow = world.connect();
    slow.write_all(b"OPTIONS sip:baton@127.0.0.1 SIP/2.0\r\n").unwrap();
    assert!(is_closed(&mut slow) && is_closed(&mut mute));
    assert_eq!((world.counted("slow_sender"), world.counted("mute")), (1, 1));
}

/// Sends to a peer that does not read until nothing more is taken for it: its window and our socket's buffer take some MB,
/// then the queue its share. Its end of the connection.
#[track_caller]
fn choke(world: &mut World, trunk: &TcpListener) -> TcpStream {
    let to = trunk.local_addr().unwrap();
    let large = format!("{}{}", ours("INVITE", "1"), "x".repeat(60_000));
    world.send(to, &large);
    let peer = accept(trunk);
    let begun = std::time::Instant::now();
    while world.counted("slow_reader") == 0 {
        assert!(begun.elapsed() < PATIENCE, "{:?}", world.faults.snapshot());
        world.send(to, &large);
    }
    peer
}

#[test]
fn a_peer_that_does_not_read_costs_a_bounded_queue_and_its_connection() {
    let mut world = World::with(Pace { write: Duration::from_millis(300), ..Pace::USUAL }, 16);
    let trunk = listener();
    let _peer = choke(&mut world, &trunk);
    let mut told = 0;
    while told < 3 {
        told += world.mail.recv_timeout(PATIENCE).expect("the calls are told").undelivered.len();
    }
}

#[test]
fn connections_are_bounded_for_each_peer_and_for_all() {
    let world = World::with(Pace::USUAL, 64);
    let mut held: Vec<TcpStream> = (0..17).map(|_| world.connect()).collect();
    world.until_counted("peer_connections", 1);
    assert!(is_closed(&mut held.pop().unwrap()), "the seventeenth of one address");
    let small = World::with(Pace::USUAL, 4);
    let mut held: Vec<TcpStream> = (0..4).map(|_| small.connect()).collect();
    small.until_counted("connections", 1);
    assert!(is_closed(&mut held.pop().unwrap()), "a quarter is kept for ours");
}

#[test]
fn a_silent_connection_of_ours_is_pinged_and_one_that_stopped_answering_is_lost() {
    let quick = Duration::from_millis(200);
    let mut world = World::with(Pace { ping: quick, pong: quick, ..Pace::USUAL }, 16);
    let trunk = listener();
    let ack = ours("ACK", "1");
    world.send(trunk.local_addr().unwrap(), &ack);
    let mut peer = accept(&trunk);
    read_until(&mut peer, &ack);
    let mut ping = [0; 4];
    peer.read_exact(&mut ping).unwrap();
    assert_eq!(&ping, b"\r\n\r\n", "RFC 5626 §4.4.1");
    // A peer that never answers pings keeps its connection, and gets more: it need not know them.
    peer.read_exact(&mut ping).unwrap();
    peer.read_exact(&mut ping).unwrap();
    assert_eq!(world.counted("no_pong"), 0);
    peer.write_all(b"\r\n").unwrap();
    world.until_counted("no_pong", 1);
}

/// The settings of a trunk at this listener, whose connections are pinged so.
fn pinged(trunk: &TcpListener, ping_interval: Option<Duration>) -> Settings {
    let address = trunk.local_addr().unwrap();
    let mut settings = Settings::default();
    settings.trunks.insert("peer".into(), Trunk { ping_interval, ..Trunk::direct(address) });
    settings
}

#[test]
fn a_trunk_is_pinged_at_its_own_pace_or_never() {
    let ack = ours("ACK", "1");
    let quick = Duration::from_millis(200);
    for (ping_interval, usual) in [(Some(quick), Pace::USUAL.ping), (None, quick)] {
        let trunk = listener();
        let pace = Pace { ping: usual, ..Pace::USUAL };
        let mut world = World::of(&pinged(&trunk, ping_interval), pace, 16);
        world.send(trunk.local_addr().unwrap(), &ack);
        let mut peer = accept(&trunk);
        read_until(&mut peer, &ack);
        peer.set_read_timeout(Some(Duration::from_millis(900))).unwrap();
        let mut ping = [0; 4];
        let came = peer.read_exact(&mut ping).is_ok();
        assert_eq!(came, ping_interval.is_some(), "{ping_interval:?}");
        assert!(!came || &ping == b"\r\n\r\n");
    }
}

fn strangers(sources: Option<Vec<crate::settings::Prefix>>, policy: Strangers) -> World {
    let mut settings = Settings::default();
    let trunk = Trunk { sources, ..Trunk::direct("192.0.2.1:5060".parse().unwrap()) };
    settings.trunks.insert("elsewhere".into(), trunk);
    settings.sip.strangers = policy;
    World::of(&settings, Pace::USUAL, 64)
}

#[test]
fn strangers_are_dropped_unless_they_name_a_call_or_are_to_be_answered() {
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let from = peer.local_addr().unwrap();
    let options = request("OPTIONS sip:baton@127.0.0.1", &format!("udp:{from}"));
    let bye = request(TO_CALL, &format!("udp:{from}"));
    let open = strangers(None, Strangers::Drop);
    peer.send_to(options.as_bytes(), open.address()).unwrap();
    peer.send_to(bye.as_bytes(), open.address()).unwrap();
    assert_eq!(open.told(), format!("BYE from {from}"), "a call's peer may speak from anywhere");
    open.until_counted("stranger", 1);
    peer.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut buffer = [0; 2_048];
    assert!(peer.recv(&mut buffer).is_err(), "whoever looks for a SIP server finds none");

    let closed = strangers(Some(Vec::new()), Strangers::Drop);
    peer.send_to(bye.as_bytes(), closed.address()).unwrap();
    peer.send_to(b"noise", closed.address()).unwrap();
    closed.until_counted("stranger", 2);
    assert!(closed.mail.is_empty() && closed.counted("start_line") == 0, "it is not even read");
    assert!(is_closed(&mut closed.connect()));

    let answering = strangers(Some(Vec::new()), Strangers::Answer);
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    peer.send_to(options.as_bytes(), answering.address()).unwrap();
    let length = peer.recv(&mut buffer).expect("an answer");
    assert!(buffer[..length].starts_with(b"SIP/2.0 200 "));
}

#[test]
fn a_flood_of_strangers_costs_no_more_than_its_budget() {
    let world = strangers(None, Strangers::Answer);
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let from = peer.local_addr().unwrap();
    let bye = request(TO_CALL, &format!("udp:{from}"));
    for _ in 0..2_000 {
        peer.send_to(bye.as_bytes(), world.address()).unwrap();
    }
    world.until_counted("flood", 900);
    let passed: usize = world.mail.try_iter().map(|mail| mail.arrived.len()).sum();
    assert!((500..1_100).contains(&passed), "{passed} of 2000");
}

#[test]
fn a_trunk_is_answered_only_so_often() {
    let world = World::new();
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let from = peer.local_addr().unwrap();
    let options = request("OPTIONS sip:baton@127.0.0.1", &format!("udp:{from}"));
    for _ in 0..3_000 {
        peer.send_to(options.as_bytes(), world.address()).unwrap();
    }
    world.until_counted("answers", 500);
}

/// RFC 3261 §18.3, §21.5.7: whoever sends a damaged request is told, as far as it can be.
#[test]
fn a_damaged_request_is_answered_and_a_damaged_response_is_not() {
    let world = World::new();
    let peer = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    let via = format!("SIP/2.0/UDP {};branch=z9hG4bKx", peer.local_addr().unwrap());
    let request = message("OPTIONS sip:b@127.0.0.1 SIP/2.0", &via, "1 OPTIONS");
    let response = message("SIP/2.0 999 Whatever", &via, "1 OPTIONS");
    for (damaged, status) in [
        (request.replace("Content-Length: 0", "Content-Length: 99"), "400"),
        (request.replace("SIP/2.0", "SIP/7.0"), "505"),
    ] {
        peer.send_to(response.as_bytes(), world.address()).unwrap();
        peer.send_to(damaged.as_bytes(), world.address()).unwrap();
        let mut buffer = [0; 2_000];
        let length = peer.recv(&mut buffer).unwrap();
        let answer = String::from_utf8_lossy(&buffer[..length]).into_owned();
        assert!(answer.starts_with(&format!("SIP/2.0 {status} ")), "{answer}");
        assert!(answer.contains("Call-ID: c@127.0.0.1\r\n"), "{answer}");
    }
    world.until_counted("status", 2);
}

/// What a peer has not taken is tried for as long as a promise lasts, also when promises become shorter meanwhile.
#[test]
fn connections_are_bound_to_promises_that_become_shorter() {
    let (long, short) = (Duration::from_secs(60), Duration::from_millis(150));
    let right = Right::of_member(long);
    let mut settings = Settings::default();
    settings.trunks.insert("peer".into(), Trunk::direct("127.0.0.1:5060".parse().unwrap()));
    let mut world = World::of_right(&right, &settings, Pace { write: long, ..Pace::USUAL }, 16);
    assert!(right.speak_always());
    let trunk = listener();
    let _peer = choke(&mut world, &trunk);
    assert!(right.is_within(long) && !right.is_within(short));
    right.promises_last(short);
    // The system has given the first one up, and what it had goes once more over another one.
    let begun = std::time::Instant::now();
    trunk.set_nonblocking(true).unwrap();
    while trunk.accept().is_err() {
        assert!(begun.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(right.is_within(short));
}

#[test]
fn when_the_right_to_send_ends_connections_are_reset_and_what_waits_is_dropped() {
    let right = Right::of_member(Duration::from_millis(250));
    let mut settings = Settings::default();
    settings.trunks.insert("peer".into(), Trunk::direct("127.0.0.1:5060".parse().unwrap()));
    let mut world = World::of_right(&right, &settings, Pace::USUAL, 16);
    assert!(right.speak_always());
    let listener = listener();
    world.send(listener.local_addr().unwrap(), &ours("INVITE", "a"));
    let mut stream = patient(accept(&listener));
    let mut buffer = [0; 4_096];
    assert!(stream.read(&mut buffer).unwrap() > 0);
    assert!(right.silence());
    world.transport.silence();
    world.send(listener.local_addr().unwrap(), &ours("INVITE", "b"));
    let ended = stream.read(&mut buffer).unwrap_err();
    assert_eq!(ended.kind(), std::io::ErrorKind::ConnectionReset, "linger 0");
    let begun = std::time::Instant::now();
    while !world.transport.is_quiet() {
        assert!(begun.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(1));
    }
    // Who connects to somebody silent gets no answer.
    let mut stranger = world.connect();
    stranger.write_all(request("OPTIONS sip:baton@127.0.0.1", "127.0.0.1:9").as_bytes()).unwrap();
    stranger.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(!matches!(stranger.read(&mut buffer), Ok(count) if count > 0));
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "no new connection for what was dropped");
}
