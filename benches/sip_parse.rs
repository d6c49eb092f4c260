//! Reading SIP messages, ours against rsip in one run: parse, then every typed header that a session
//! reads (Via, From, To, Call-ID, CSeq, Contact, Record-Route, Content-Type).
//!
//! The ratio is printed at the end; the run fails if it is below the floor.

#![allow(missing_docs, reason = "a benchmark has no readers of documentation")]
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panic")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(clippy::print_stdout, reason = "the ratio is what it is run for")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group};
use rsip::headers::ToTypedHeader as _;
use rsip::message::{HasHeaders as _, HeadersExt as _};

/// An INVITE and its 200 must be read at least this many times as fast as by rsip.
const FLOOR: f64 = 5.0;

/// An INVITE as a gateway sends it through one proxy, about 1 KB.
const INVITE: &str = "INVITE sip:+254711000001@198.51.100.20:5060;transport=udp SIP/2.0\r\n\
    Via: SIP/2.0/UDP 198.51.100.10:5060;branch=z9hG4bK1d32hash\r\n\
    Via: SIP/2.0/UDP 203.0.113.5:5062;rport=5062;received=203.0.113.5;branch=z9hG4bK4a1q2w3e4r5t6y7h.p0q1r2s3\r\n\
    Record-Route: <sip:198.51.100.10;lr;ftag=3a4b5c6d>\r\n\
    Max-Forwards: 69\r\n\
    From: \"Survey\" <sip:+254200000101@carrier.example.com>;tag=3a4b5c6d\r\n\
    To: <sip:+254711000001@carrier.example.com>\r\n\
    Call-ID: 4a1q2w3e4r5t6y7h@203.0.113.5\r\n\
    CSeq: 1 INVITE\r\n\
    Contact: <sip:4a1q2w3e4r5t6y7h@203.0.113.5:5062>\r\n\
    Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, NOTIFY\r\n\
    Supported: timer, replaces\r\n\
    User-Agent: Baton\r\n\
    Content-Type: application/sdp\r\n\
    Content-Length: 284\r\n\
    \r\n\
    v=0\r\no=- 3961234567 3961234567 IN IP4 203.0.113.5\r\ns=-\r\nc=IN IP4 203.0.113.5\r\nt=0 0\r\n\
    m=audio 20000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=maxptime:40\r\n\
    a=rtcp:20001 IN IP4 203.0.113.5\r\na=sendrecv\r\n";

/// Its answer.
const OK: &str = "SIP/2.0 200 OK\r\n\
    Via: SIP/2.0/UDP 203.0.113.5:5062;rport=5062;received=203.0.113.5;branch=z9hG4bK4a1q2w3e4r5t6y7h.p0q1r2s3\r\n\
    Record-Route: <sip:198.51.100.10;lr;ftag=3a4b5c6d>\r\n\
    From: \"Survey\" <sip:+254200000101@carrier.example.com>;tag=3a4b5c6d\r\n\
    To: <sip:+254711000001@carrier.example.com>;tag=as6151ad25\r\n\
    Call-ID: 4a1q2w3e4r5t6y7h@203.0.113.5\r\n\
    CSeq: 1 INVITE\r\n\
    Contact: <sip:+254711000001@198.51.100.20:5060>\r\n\
    Content-Type: application/sdp\r\n\
    Content-Length: 152\r\n\
    \r\n\
    v=0\r\no=- 1 1 IN IP4 198.51.100.20\r\ns=-\r\nc=IN IP4 198.51.100.20\r\nt=0 0\r\n\
    m=audio 30000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n";

/// A datagram in the buffer that the transport read it into.
fn received(text: &str) -> Bytes {
    let datagram = Bytes::copy_from_slice(text.as_bytes());
    drop(datagram.clone()); // from now on counted, as a part of a larger buffer is
    datagram
}

/// Each reader gets the datagram as it takes it: ours as the shared buffer that the transport read it
/// into, rsip as a slice.
fn ours(datagram: &Bytes) {
    let message = baton::sip::parse(datagram.clone()).unwrap();
    let headers = message.headers();
    black_box(headers.via().unwrap());
    black_box(headers.from().unwrap());
    black_box(headers.to().unwrap());
    black_box(headers.call_id().unwrap());
    black_box(headers.cseq().unwrap());
    black_box(headers.contacts().unwrap());
    black_box(headers.record_routes().unwrap());
    black_box(headers.content_type().unwrap());
    black_box(message.body());
}

fn theirs(datagram: &Bytes) {
    let message = rsip::SipMessage::try_from(&datagram[..]).unwrap();
    black_box(message.via_header().unwrap().typed().unwrap());
    black_box(message.from_header().unwrap().typed().unwrap());
    black_box(message.to_header().unwrap().typed().unwrap());
    black_box(message.call_id_header().unwrap());
    black_box(message.cseq_header().unwrap().typed().unwrap());
    black_box(message.contact_header().unwrap().typed().unwrap());
    black_box(message.record_route_header().unwrap().typed().unwrap());
    for header in message.headers().iter() {
        if let rsip::Header::ContentType(content_type) = header {
            black_box(content_type.typed().unwrap());
        }
    }
    black_box(message.body());
}

fn benchmark(criterion: &mut Criterion) {
    for (name, text) in [("INVITE", INVITE), ("200", OK)] {
        let mut group = criterion.benchmark_group(name);
        let datagram = received(text);
        group.throughput(Throughput::Elements(1));
        group.bench_function("baton", |b| b.iter(|| ours(&datagram)));
        group.bench_function("rsip", |b| b.iter(|| theirs(&datagram)));
        group.finish();
    }
    let mut group = criterion.benchmark_group("index only");
    group.throughput(Throughput::Elements(1));
    let datagram = received(INVITE);
    group.bench_function("baton", |b| b.iter(|| baton::sip::parse(datagram.clone()).unwrap()));
    group.finish();
}

/// Messages that are read in one turn of the ratio.
const TURN: u32 = 500;

/// What reading one message takes by ours and by rsip: of many turns by turns the shortest, so that the
/// other load of the machine hits both alike.
fn race(text: &str) -> (Duration, Duration) {
    let datagram = received(text);
    let turn = |read: fn(&Bytes)| {
        let begun = Instant::now();
        (0..TURN).for_each(|_| read(black_box(&datagram)));
        begun.elapsed() / TURN
    };
    let (mut own, mut other) = (Duration::MAX, Duration::MAX);
    for _ in 0..200 {
        own = own.min(turn(ours));
        other = other.min(turn(theirs));
    }
    let first = text.lines().next().unwrap();
    println!("{first} ({} bytes): baton {own:?}, rsip {other:?}, ratio {:.1}", text.len(), ratio(own, other));
    (own, other)
}

fn ratio(own: Duration, other: Duration) -> f64 {
    other.as_secs_f64() / own.as_secs_f64()
}

criterion_group!(benches, benchmark);

fn main() {
    benches();
    Criterion::default().configure_from_args().final_summary();
    // `cargo test --benches` and `--test` only try the code out, unoptimised.
    if std::env::args().any(|argument| argument == "--bench") {
        let (invite, ok) = (race(INVITE), race(OK));
        let both = ratio(invite.0 + ok.0, invite.1 + ok.1);
        println!("both: ratio {both:.1} (floor {FLOOR})");
        assert!(both >= FLOOR, "an INVITE and its 200 are read {both:.1} times as fast as by rsip");
    }
}
