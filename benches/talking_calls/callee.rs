//! The callee's side: answers every call, talks to each, and notes when each packet reached the machine.

use std::collections::BTreeMap;
use std::io::IoSliceMut;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use baton::rtp::{Header, Ssrc, parse_packet, write_packet};
use baton::sip::{HeaderName, Message, Request, parse};
use bytes::Bytes;
use nix::sys::socket::sockopt::ReceiveTimestampns;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, setsockopt};

const SLOTS: usize = 256;

/// What one call has heard in the window.
#[derive(Default)]
struct Heard {
    last: Option<(Duration, u16)>,
    gaps_us: Vec<u32>,
    packets: u64,
    sound: u64,
    lost: u64,
}

struct Shared {
    measuring: AtomicBool,
    sent: AtomicU64,
    peers: Mutex<Vec<SocketAddr>>,
    heard: Mutex<BTreeMap<SocketAddr, Heard>>,
}

/// Plays the part until the parent is gone. `talks`: sends to every call, too.
pub(crate) fn run(talks: bool) {
    super::pin(super::chosen_core());
    let sip = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let rtp = UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket2::SockRef::from(&rtp).set_recv_buffer_size(4 << 20).expect("a buffer");
    setsockopt(&rtp, ReceiveTimestampns, &true).expect("the kernel stamps datagrams");
    let shared = Arc::new(Shared {
        measuring: AtomicBool::new(false),
        sent: AtomicU64::new(0),
        peers: Mutex::default(),
        heard: Mutex::default(),
    });
    println!("port {}", sip.local_addr().expect("bound").port());
    let media = rtp.local_addr().expect("bound");
    let (hearing, talking, answering) = (Arc::clone(&shared), Arc::clone(&shared), Arc::clone(&shared));
    let mouth = rtp.try_clone().expect("a second handle");
    std::thread::spawn(move || hear(&rtp, &hearing));
    if talks {
        std::thread::spawn(move || talk(&mouth, &talking));
    }
    std::thread::spawn(move || answer(&sip, media, &answering));
    while let Some(line) = super::told() {
        match line.as_str() {
            "measure" => {
                shared.sent.store(0, Relaxed);
                shared.heard.lock().expect("no panic").clear();
                shared.measuring.store(true, Relaxed);
            }
            "report" => {
                shared.measuring.store(false, Relaxed);
                report(&shared);
            }
            "peers" => {
                let peers = shared.peers.lock().expect("no panic");
                let ports: Vec<String> = peers.iter().map(|peer| peer.port().to_string()).collect();
                println!("peers {}", ports.join(","));
            }
            _ => {}
        }
    }
}

/// Receives the prompts of all calls, told apart by the address they come from.
fn hear(socket: &UdpSocket, shared: &Shared) {
    let mut headers =
        MultiHeaders::<SockaddrIn>::preallocate(SLOTS, Some(nix::cmsg_space!(nix::sys::time::TimeSpec)));
    let mut buffers = vec![[0_u8; 512]; SLOTS];
    loop {
        let mut slices: Vec<[IoSliceMut<'_>; 1]> =
            buffers.iter_mut().map(|buffer| [IoSliceMut::new(buffer)]).collect();
        let fd = socket.as_raw_fd();
        let Ok(messages) = recvmmsg(fd, &mut headers, slices.iter_mut(), MsgFlags::MSG_WAITFORONE, None)
        else {
            continue;
        };
        let mut heard = shared.heard.lock().expect("no panic");
        for message in messages {
            let at = message.cmsgs().ok().and_then(|mut cmsgs| {
                cmsgs.find_map(|cmsg| {
                    let ControlMessageOwned::ScmTimestampns(at) = cmsg else { return None };
                    Some(Duration::from(at))
                })
            });
            let (Some(at), Some(from), Some(datagram)) = (at, message.address, message.iovs().next()) else {
                continue;
            };
            let from = SocketAddr::V4(from.into());
            if let Ok(packet) = parse_packet(datagram)
                && shared.measuring.load(Relaxed)
            {
                let talks = packet.payload.iter().any(|&octet| octet != 0xFF);
                heard.entry(from).or_default().take(at, packet.header.sequence, talks);
            }
        }
    }
}

impl Heard {
    fn take(&mut self, at: Duration, sequence: u16, talks: bool) {
        if let Some((last, before)) = self.last {
            let gap = u32::try_from(at.saturating_sub(last).as_micros()).unwrap_or(u32::MAX);
            self.gaps_us.push(gap);
            self.lost += u64::from(sequence.wrapping_sub(before).wrapping_sub(1));
        }
        self.last = Some((at, sequence));
        self.packets += 1;
        self.sound += u64::from(talks);
    }
}

/// Sends 50 packets a second to every call, spread over the 20 ms.
fn talk(socket: &UdpSocket, shared: &Shared) {
    let begun = Instant::now();
    let mut packet = Vec::new();
    for ms in 0_u64.. {
        let due = begun + Duration::from_millis(ms);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let peers = shared.peers.lock().expect("no panic").clone();
        let tick = ms / 20;
        let header = Header {
            payload_type: 0,
            marker: tick == 0,
            sequence: u16::try_from(tick & 0xFFFF).expect("16 bits"),
            timestamp: u32::try_from((tick * 160) & 0xFFFF_FFFF).expect("32 bits"),
            ssrc: Ssrc(500),
        };
        packet.clear();
        write_packet(&mut packet, &header, &[0x7A; 160]);
        let slot = usize::try_from(ms % 20).expect("below 20");
        for peer in peers.iter().skip(slot).step_by(20) {
            if socket.send_to(&packet, peer).is_ok() {
                shared.sent.fetch_add(1, Relaxed);
            }
        }
    }
}

/// Answers every INVITE at once, and every BYE.
fn answer(socket: &UdpSocket, media: SocketAddr, shared: &Shared) {
    let mut buffer = vec![0; 65_535];
    while let Ok((length, from)) = socket.recv_from(&mut buffer) {
        let Ok(Message::Request(request)) = parse(Bytes::copy_from_slice(&buffer[..length])) else {
            continue;
        };
        let body = match request.method().as_str() {
            "INVITE" => {
                let offer = String::from_utf8_lossy(&request.body()).into_owned();
                let port = offer
                    .lines()
                    .find_map(|line| line.strip_prefix("m=audio ")?.split(' ').next()?.parse().ok());
                let peer = SocketAddr::new(from.ip(), port.expect("an offer of audio"));
                let mut peers = shared.peers.lock().expect("no panic");
                if !peers.contains(&peer) {
                    peers.push(peer);
                }
                sdp(media)
            }
            "ACK" => continue,
            _ => String::new(),
        };
        socket.send_to(reply(&request, &body, socket).as_bytes(), from).expect("loopback takes it");
    }
}

fn sdp(media: SocketAddr) -> String {
    format!(
        "v=0\r\no=callee 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0 101\r\n\
         a=rtpmap:101 telephone-event/8000\r\n",
        ip = media.ip(),
        port = media.port(),
    )
}

fn reply(request: &Request, body: &str, socket: &UdpSocket) -> String {
    let headers = request.headers();
    let of = |name| headers.get(name).expect("a request of ours has it");
    let to = of(HeaderName::To);
    let tag = if to.contains(";tag=") { "" } else { ";tag=callee" };
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "SIP/2.0 200 OK\r\nVia: {}\r\nFrom: {}\r\nTo: {to}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n\
         Contact: <sip:callee@{}>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
        of(HeaderName::Via),
        of(HeaderName::From),
        of(HeaderName::CallId),
        of(HeaderName::CSeq),
        socket.local_addr().expect("bound"),
        body.len(),
    )
}

fn report(shared: &Shared) {
    let mut heard = shared.heard.lock().expect("no panic");
    let mut all: Vec<u32> = Vec::new();
    let mut worst = 0;
    for call in heard.values_mut() {
        call.gaps_us.sort_unstable();
        worst = worst.max(quantile(&call.gaps_us, 0.99));
        all.extend(&call.gaps_us);
    }
    all.sort_unstable();
    let sum = |of: fn(&Heard) -> u64| heard.values().map(of).sum::<u64>();
    let ms = |us: u32| f64::from(us) / 1_000.0;
    println!(
        "report calls={} packets={} sound={} lost={} sent={} p50_ms={} p99_ms={} max_ms={} worst_p99_ms={}",
        heard.len(),
        sum(|call| call.packets),
        sum(|call| call.sound),
        sum(|call| call.lost),
        shared.sent.load(Relaxed),
        ms(quantile(&all, 0.5)),
        ms(quantile(&all, 0.99)),
        ms(all.last().copied().unwrap_or(u32::MAX)),
        ms(worst),
    );
}

/// Of sorted values.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "an index"
)]
fn quantile(sorted: &[u32], q: f64) -> u32 {
    let index = (sorted.len() as f64 * q) as usize;
    sorted.get(index.min(sorted.len().saturating_sub(1))).copied().unwrap_or(u32::MAX)
}
