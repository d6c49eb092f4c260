//! Media on one core: our packet writer beside rtp-rs's, reading with and without our checks, a key, the
//! negotiation of a call, a second of G.711. Run with `cargo bench --bench media`.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use baton::rtp::event::{EventReceiver, TelephoneEvent};
use baton::rtp::{Header, Packet, Reception, Ssrc, g711, parse_packet, write_packet};
use baton::sdp::{LocalMedia, Origin, answer, negotiate, offer};
use baton::time::Timestamp;
use criterion::{Criterion, Throughput};

const HEADER: Header =
    Header { payload_type: 0, marker: false, sequence: 7, timestamp: 1_600, ssrc: Ssrc(0xDEAD_BEEF) };
const FRAME: [u8; 160] = g711::ULAW_SILENCE_FRAME;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    packets(&mut criterion);
    keys(&mut criterion);
    negotiation(&mut criterion);
    codec(&mut criterion);
    criterion.final_summary();
}

fn packets(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rtp");
    group.throughput(Throughput::Elements(1));
    let mut out = Vec::with_capacity(200);
    group.bench_function("write", |bench| {
        bench.iter(|| {
            out.clear();
            write_packet(&mut out, black_box(&HEADER), black_box(&FRAME));
        });
    });
    let mut target = [0; 200];
    group.bench_function("write/rtp-rs", |bench| {
        bench.iter(|| {
            rtp_rs::RtpPacketBuilder::new()
                .payload_type(black_box(0))
                .sequence(rtp_rs::Seq::from(7))
                .timestamp(1_600)
                .ssrc(0xDEAD_BEEF)
                .payload(black_box(&FRAME))
                .build_into(&mut target)
        });
    });
    out.clear();
    write_packet(&mut out, &HEADER, &FRAME);
    group.bench_function("read", |bench| bench.iter(|| parse_packet(black_box(&out))));
    group.bench_function("read/rtp-rs", |bench| {
        bench.iter(|| rtp_rs::RtpReader::new(black_box(&out)).map(|reader| reader.payload().len()));
    });
    let mut reception = Reception::new();
    let mut sequence = 0_u16;
    group.bench_function("reception", |bench| {
        bench.iter(|| {
            sequence = sequence.wrapping_add(1);
            let header = Header { sequence, timestamp: u32::from(sequence) * 160, ..HEADER };
            reception.receive(Timestamp::from_millis(u64::from(sequence) * 20), &header, Some(8_000));
        });
    });
    group.finish();
}

fn keys(criterion: &mut Criterion) {
    let mut receiver = EventReceiver::new(None);
    let payload = |end| TelephoneEvent { code: 5, end, volume: 10, duration: 800 }.to_bytes();
    let (held, ended) = (payload(false), payload(true));
    let mut timestamp = 0_u32;
    criterion.bench_function("rtp/key of 7 packets", |bench| {
        bench.iter(|| {
            timestamp = timestamp.wrapping_add(4_000);
            for payload in [&held, &held, &held, &held, &ended, &ended, &ended] {
                let packet = Packet { header: Header { timestamp, ..HEADER }, payload };
                let _ = black_box(receiver.receive(Timestamp::EPOCH, &packet, 8_000));
            }
            while let Some(event) = receiver.poll_event() {
                black_box(event);
            }
        });
    });
}

fn negotiation(criterion: &mut Criterion) {
    let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 10));
    let local = LocalMedia::new(Origin { session_id: 42, version: 1, address }, address, 16_400);
    let offered = offer(&local);
    let (answered, _) = answer(&local, &offered).expect("our own ends agree");
    let mut group = criterion.benchmark_group("sdp");
    group.throughput(Throughput::Elements(1));
    group.bench_function("offer", |bench| bench.iter(|| offer(black_box(&local))));
    group.bench_function("negotiate", |bench| bench.iter(|| negotiate(&local, black_box(&answered))));
    group.bench_function("answer", |bench| bench.iter(|| answer(&local, black_box(&offered))));
    group.finish();
}

fn codec(criterion: &mut Criterion) {
    let second: Vec<i16> = (0..8_000_i16).map(|k| k.wrapping_mul(97)).collect();
    let octets = g711::ulaw_encode_all(&second);
    let mut group = criterion.benchmark_group("g711");
    group.throughput(Throughput::Elements(8_000));
    group.bench_function("ulaw/encode a second", |bench| {
        bench.iter(|| g711::ulaw_encode_all(black_box(&second)))
    });
    group.bench_function("alaw/encode a second", |bench| {
        bench.iter(|| g711::alaw_encode_all(black_box(&second)))
    });
    group.bench_function("ulaw/decode a second", |bench| {
        bench.iter(|| {
            black_box(&octets).iter().map(|octet| i64::from(g711::ulaw_decode(*octet))).sum::<i64>()
        });
    });
    group.finish();
}
