//! The hostile side: bad datagrams at SIP and at every call's RTP and RTCP ports, slow TCP writers, and connections
//! without end.
//!
//! ```text
//! each ms: 20 datagrams  10 at SIP: malformed, valid but strange, huge, naming calls; a quarter as if from the trunk
//!                        10 at RTP and RTCP: noise, and packets that look right, from who is no peer
//! each 10 ms: a connection is opened and left; each 100 ms: a byte more from every slow writer
//! ```

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use baton::id::{CallId, Mint};
use baton::rtp::{Header, Ssrc, write_packet};
use socket2::{Domain, Protocol, Socket, Type};

/// Datagrams in a millisecond.
const A_MS: usize = 20;
/// Datagrams that are made beforehand, of each kind of place.
const MADE: usize = 4_096;
/// Connections that are held open at most.
const HELD: usize = 200;
/// Connections that dribble.
const SLOW: usize = 24;

/// A datagram, the number of the socket that sends it, and where it goes.
struct Shot {
    from: usize,
    to: SocketAddr,
    bytes: Vec<u8>,
}

#[derive(Default)]
struct Shared {
    on: AtomicBool,
    sent: AtomicU64,
    refused: AtomicU64,
    opened: AtomicU64,
}

/// Plays the part until the parent is gone.
pub(crate) fn run(sip: u16, rtp: &str) {
    super::pin(super::chosen_core());
    let rtp: Vec<u16> = rtp.split(',').map(|port| port.parse().expect("a port")).collect();
    let shared = Arc::new(Shared::default());
    let (shooting, connecting) = (Arc::clone(&shared), Arc::clone(&shared));
    std::thread::spawn(move || shoot(sip, &rtp, &shooting));
    std::thread::spawn(move || connect(sip, &connecting));
    println!("ready now");
    while let Some(line) = super::told() {
        match line.as_str() {
            "on" | "off" => shared.on.store(line == "on", Relaxed),
            "report" => println!(
                "report sent={} refused={} opened={}",
                shared.sent.swap(0, Relaxed),
                shared.refused.swap(0, Relaxed),
                shared.opened.swap(0, Relaxed),
            ),
            _ => break,
        }
    }
}

/// The trunk's own address first, then strangers'.
fn sockets() -> Vec<UdpSocket> {
    (1..=9).map(|host| UdpSocket::bind((Ipv4Addr::new(127, 0, 0, host), 0)).expect("a port")).collect()
}

fn shoot(sip: u16, rtp: &[u16], shared: &Shared) {
    let sockets = sockets();
    let mut mint = Mint::seeded(20_000);
    let at_sip: Vec<Shot> = (0..MADE).map(|number| sip_shot(number, sip, &mut mint)).collect();
    let at_rtp: Vec<Shot> = (0..MADE).map(|number| rtp_shot(number, rtp, &mut mint)).collect();
    let mut shots = at_sip.iter().zip(&at_rtp).flat_map(|(one, other)| [one, other]).cycle();
    let mut due = Instant::now();
    loop {
        due += Duration::from_millis(1);
        // Who was held up does not make up for more than 100 ms: the rate is that of the report.
        due = due.max(Instant::now() - Duration::from_millis(100));
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if !shared.on.load(Relaxed) {
            continue;
        }
        for _ in 0..A_MS {
            let shot = shots.next().expect("it goes round");
            let sent = sockets[shot.from].send_to(&shot.bytes, shot.to).is_ok();
            (if sent { &shared.sent } else { &shared.refused }).fetch_add(1, Relaxed);
        }
    }
}

fn sip_shot(number: usize, port: u16, mint: &mut Mint) -> Shot {
    // As if from the trunk itself, or from one of eight strangers.
    let from = if number.is_multiple_of(4) { 0 } else { 1 + number % 8 };
    let stranger = mint.token();
    let owner = CallId::mint(mint);
    let head = |start: &str, method: &str| {
        format!(
            "{start} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.9:5060;branch=z9hG4bK{stranger}\r\n\
             From: <sip:{stranger}@example.com>;tag={stranger}\r\nTo: <sip:baton@example.com>\r\n\
             Call-ID: {stranger}\r\nCSeq: {number} {method}\r\nMax-Forwards: 70\r\n"
        )
    };
    let end = "Content-Length: 0\r\n\r\n";
    let text = match number / 4 % 8 {
        0 => head("OPTIONS sip:baton@127.0.0.1", "OPTIONS") + end,
        1 => head("INVITE sip:100@127.0.0.1", "INVITE") + end,
        2 => head(&format!("BYE sip:{owner}@127.0.0.1"), "BYE") + end,
        3 => head("INVITE sip:100@127.0.0.1", "INVITE") + "Content-Length: 400\r\n\r\nv=0\r\n",
        4 => head("REGISTER sip:127.0.0.1", "REGISTER").replace(": ", " ") + end,
        5 => format!("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK{owner}.{stranger}\r\n{end}"),
        6 => format!("{}X-Long: {}\r\n{end}", head("OPTIONS sip:a@b", "OPTIONS"), "x".repeat(9_000)),
        _ if number.is_multiple_of(64) => {
            head("OPTIONS sip:a@b", "OPTIONS") + &"v:a\r\n ,b\r\n".repeat(6_000)
        }
        _ => format!("{stranger}\0\r\n{stranger}"),
    };
    Shot { from, to: (Ipv4Addr::LOCALHOST, port).into(), bytes: text.into_bytes() }
}

fn rtp_shot(number: usize, ports: &[u16], mint: &mut Mint) -> Shot {
    let from = number % 9;
    // Every fourth at the RTCP port.
    let port = ports[number % ports.len()] + u16::from(number.is_multiple_of(4));
    let mut bytes = Vec::new();
    if number.is_multiple_of(2) {
        let header = Header {
            payload_type: [0, 8, 101, 77][number / 2 % 4],
            marker: false,
            sequence: mint.number16(),
            timestamp: mint.number32(),
            ssrc: Ssrc(mint.number32()),
        };
        write_packet(&mut bytes, &header, &[0x55; 160]);
    } else {
        let length = usize::from(mint.number16() % 1_400);
        bytes.extend(std::iter::repeat_with(|| mint.number().to_be_bytes()).flatten().take(length));
    }
    Shot { from, to: (Ipv4Addr::LOCALHOST, port).into(), bytes }
}

/// Opens connections, and lets some of them dribble.
fn connect(port: u16, shared: &Shared) {
    let begin = format!("OPTIONS sip:a@b SIP/2.0\r\nX-Slow: {}", "slow ".repeat(1_000));
    let mut held: VecDeque<TcpStream> = VecDeque::new();
    let mut slow: Vec<Option<(TcpStream, usize)>> = (0..SLOW).map(|_| None).collect();
    for turn in 0_u32.. {
        std::thread::sleep(Duration::from_millis(10));
        if !shared.on.load(Relaxed) {
            held.clear();
            continue;
        }
        let host = u8::try_from(50 + turn % 150).expect("below 200");
        if let Some(stream) = open(host, port) {
            shared.opened.fetch_add(1, Relaxed);
            held.push_back(stream);
        }
        if held.len() > HELD {
            held.pop_front();
        }
        for (number, place) in slow.iter_mut().enumerate().filter(|_| turn.is_multiple_of(10)) {
            let host = u8::try_from(20 + number).expect("below 50");
            let alive = place.as_mut().is_some_and(|(stream, at)| {
                *at += 1;
                stream.write(&begin.as_bytes()[*at % begin.len()..][..1]).is_ok()
                    && !matches!(stream.read(&mut [0; 64]), Ok(0))
            });
            if !alive {
                *place = open(host, port).map(|stream| (stream, 0));
                shared.opened.fetch_add(u64::from(place.is_some()), Relaxed);
            }
        }
    }
}

/// A connection from this host of the loopback network; it waits for nothing.
fn open(host: u8, port: u16) -> Option<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).ok()?;
    socket.set_nonblocking(true).ok()?;
    socket.bind(&SocketAddr::from((Ipv4Addr::new(127, 0, 0, host), 0)).into()).ok()?;
    // In progress or not: the system goes on with it.
    drop(socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into()));
    Some(socket.into())
}
