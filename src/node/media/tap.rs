//! What the callee says, as one row of samples: decoded, put in order, gaps filled with silence. Pure.
//!
//! ```text
//! packets   ts 0    ts 160   (lost)   ts 480   ts 640 …        any packet time, some late, some twice
//! samples   │ 0..160 │ 160..320 │ silence │ 480..640 │         160 a block: 20 ms at 8 kHz
//!                                 └ when 100 ms behind it have come, or have passed
//! ```
//! There is a block for every 20 ms from the first moment on, whether or not the peer sends: silence suppression
//! and telephone-events in place of sound are silence here. A block whose samples are all there is given out at
//! once. The row follows the timestamps of the peer (RFC 3550 §5.1), so that loss keeps its length; where they
//! jump, or stand still in a pause, the row goes on by the clock, and nothing that came in order is left out.

use crate::rtp::{Header, Ssrc, g711};
use crate::sdp::Codec;
use crate::time::Timestamp;

/// Samples of a block.
pub(crate) const BLOCK_SAMPLES: usize = 160;
const BLOCK: u64 = 160;
/// A sample at 8 kHz, in µs.
const SAMPLE_MICROS: u64 = 125;
/// How long a packet is waited for beyond the time that one takes to be spoken, in samples: 100 ms. Nobody hears
/// the row in real time, so that this may be more than a telephone's.
const PATIENCE: u64 = 800;
/// The longest packet: 200 ms (RFC 3551 §4.2).
const LONGEST_PACKET: u64 = 1_600;
/// Samples that are held: a block, patience, and the longest packet twice are 4,160.
const HELD_SAMPLES: usize = 5_120;
const HELD: u64 = 5_120;
/// Packets in a row that are older than all before: the sender has begun to count anew.
const MAX_STALE: u8 = 10;
/// No sample of G.711 is this low: the place is empty.
const EMPTY: i16 = i16::MIN;

/// 20 ms of what the callee says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// When its first sample was heard, by the arrivals of the packets around it.
    pub(crate) at: Timestamp,
    /// 16-bit samples at 8 kHz.
    pub(crate) samples: [i16; BLOCK_SAMPLES],
    /// How many of them never came and are silence in their place.
    pub(crate) missing: u8,
}

impl Block {
    /// Mean square of its samples: 2³⁰ at full scale.
    pub(crate) fn power(&self) -> u32 {
        let sum: u64 = self.samples.iter().map(|&sample| u64::from(sample.unsigned_abs()).pow(2)).sum();
        u32::try_from(sum / BLOCK).expect("a mean of squares below 2^30")
    }
}

/// A mean square in dB below full scale, a square wave: 0 down to -90.
pub(crate) fn dbfs(power: u32) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "24 bits of a level are plenty")]
    let ratio = power.max(1) as f32 / (1_u32 << 30) as f32;
    10.0 * ratio.log10()
}

/// See the file's head. Positions count samples from the first moment.
#[derive(Debug)]
pub(crate) struct Tap {
    /// The sample at position `p` stands at `p % HELD`.
    held: Box<[i16; HELD_SAMPLES]>,
    /// The next sample that is given out.
    next: u64,
    /// Behind the last sample that came, when it came, and with how many others.
    end: u64,
    end_at: Timestamp,
    packet: u64,
    stream: Option<Stream>,
}

/// Where the peer's numbers lie in the row.
#[derive(Clone, Copy, Debug)]
struct Stream {
    ssrc: Ssrc,
    /// A timestamp and its position.
    timestamp: u32,
    position: u64,
    /// The highest sequence number so far.
    highest: u16,
    stale: u8,
}

impl Tap {
    /// Listens from now on.
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            held: Box::new([EMPTY; HELD_SAMPLES]),
            next: 0,
            end: 0,
            end_at: now,
            packet: BLOCK,
            stream: None,
        }
    }

    /// A packet of sound came in. Take out the blocks that are due before and after.
    pub(crate) fn receive(&mut self, now: Timestamp, header: &Header, codec: Codec, payload: &[u8]) {
        let samples = u64::try_from(payload.len()).unwrap_or(u64::MAX);
        if samples == 0 || samples > LONGEST_PACKET {
            return;
        }
        let Some(position) = self.place(now, header, samples) else { return };
        let decode = match codec {
            Codec::Pcmu => g711::ulaw_decode,
            Codec::Pcma => g711::alaw_decode,
        };
        for (position, &octet) in (position..).zip(payload).filter(|(position, _)| *position >= self.next) {
            self.held[slot(position)] = decode(octet);
        }
        if position + samples > self.end {
            (self.end, self.end_at, self.packet) = (position + samples, now, samples);
        }
    }

    /// The next block, if it is whole or need not be waited for; ask again until `None`.
    pub(crate) fn poll_block(&mut self, now: Timestamp) -> Option<Block> {
        let behind = self.next + BLOCK;
        let mut samples = [0; BLOCK_SAMPLES];
        for (position, sample) in (self.next..behind).zip(&mut samples) {
            *sample = self.held[slot(position)];
        }
        let missing = samples.iter().filter(|&&sample| sample == EMPTY).count();
        if missing > 0 && self.now(now) < behind + self.packet + PATIENCE {
            return None;
        }
        for (position, sample) in (self.next..behind).zip(&mut samples) {
            self.held[slot(position)] = EMPTY;
            *sample = if *sample == EMPTY { 0 } else { *sample };
        }
        let block =
            Block { at: self.time_of(self.next), samples, missing: u8::try_from(missing).unwrap_or(u8::MAX) };
        self.next = behind;
        Some(block)
    }

    /// Where a packet belongs; `None` if it comes too late.
    fn place(&mut self, now: Timestamp, header: &Header, samples: u64) -> Option<u64> {
        let here = self.now(now).saturating_sub(samples).max(self.next); // its last sample was spoken just now
        let Some(stream) = self.stream.as_mut().filter(|stream| stream.ssrc == header.ssrc) else {
            return Some(self.begin(header, here));
        };
        let is_newer = (1..0x8000).contains(&header.sequence.wrapping_sub(stream.highest));
        let step = header.timestamp.wrapping_sub(stream.timestamp).cast_signed();
        let position = stream.position.checked_add_signed(step.into());
        let room = self.next..=self.next + HELD - samples;
        let fitting = position.filter(|position| room.contains(position));
        if is_newer {
            stream.stale = 0;
            stream.highest = header.sequence;
            let Some(position) = fitting else {
                return Some(self.begin(header, here)); // a jump, a pause without a clock, or a long delay
            };
            (stream.timestamp, stream.position) = (header.timestamp, position);
            return fitting;
        }
        if fitting.is_some() {
            return fitting;
        }
        stream.stale += u8::from(header.sequence != stream.highest);
        (stream.stale >= MAX_STALE).then(|| self.begin(header, here))
    }

    /// The peer's numbers begin here, anew.
    fn begin(&mut self, header: &Header, position: u64) -> u64 {
        let Header { ssrc, timestamp, sequence: highest, .. } = *header;
        self.stream = Some(Stream { ssrc, timestamp, position, highest, stale: 0 });
        position
    }

    /// Where the row would be now if the peer had sent on.
    fn now(&self, now: Timestamp) -> u64 {
        self.end + now.as_micros().saturating_sub(self.end_at.as_micros()) / SAMPLE_MICROS
    }

    fn time_of(&self, position: u64) -> Timestamp {
        let micros = |samples: u64| samples.saturating_mul(SAMPLE_MICROS);
        let at = self.end_at.as_micros();
        let at = match position.checked_sub(self.end) {
            Some(after) => at.saturating_add(micros(after)),
            None => at.saturating_sub(micros(self.end - position)),
        };
        Timestamp::from_micros(at)
    }
}

fn slot(position: u64) -> usize {
    usize::try_from(position % HELD).expect("a remainder of a few thousand fits")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const T0: Timestamp = Timestamp::from_millis(1_000_000);

    fn ms(ms: u64) -> Timestamp {
        T0 + Duration::from_millis(ms)
    }

    /// A peer that says 1000, 2000, 3000, … , one value a packet, and a tap that listens.
    struct World {
        tap: Tap,
        heard: Vec<i16>,
        missing: usize,
        ats: Vec<Timestamp>,
    }

    impl World {
        fn new() -> Self {
            Self { tap: Tap::new(T0), heard: Vec::new(), missing: 0, ats: Vec::new() }
        }

        fn drain(&mut self, at: u64) {
            while let Some(block) = self.tap.poll_block(ms(at)) {
                self.heard.extend(block.samples);
                self.missing += usize::from(block.missing);
                self.ats.push(block.at);
            }
        }

        /// Packet `n` of `ptime` ms, all of one value, arrives at `at`.
        fn packet(&mut self, at: u64, header: Header, ptime: usize, value: i16) {
            self.drain(at);
            self.tap.receive(ms(at), &header, Codec::Pcmu, &vec![g711::ulaw_encode(value); ptime * 8]);
            self.drain(at);
        }

        /// The row as runs of equal samples, silence as 0, each with its length in ms.
        fn runs(&self) -> Vec<(i16, usize)> {
            let mut runs: Vec<(i16, usize)> = Vec::new();
            for sample in self.heard.iter().map(|sample| (sample + 500) / 1_000) {
                match runs.last_mut() {
                    Some((value, count)) if *value == sample => *count += 1,
                    _ => runs.push((sample, 1)),
                }
            }
            runs.into_iter().map(|(value, count)| (value, count / 8)).collect()
        }
    }

    fn header(sequence: u16, timestamp: u32) -> Header {
        Header { payload_type: 0, marker: false, sequence, timestamp, ssrc: Ssrc(7) }
    }

    fn nth(n: u16, ptime: u32) -> Header {
        header(65_530_u16.wrapping_add(n), (u32::MAX - 300).wrapping_add(u32::from(n) * ptime * 8))
    }

    fn value(n: u16) -> i16 {
        (i16::try_from(n).unwrap() % 20 + 1) * 1_000
    }

    /// Packets of 20 ms that arrive at these times, in this order.
    fn world(arrivals: &[(u64, u16)], until: u64) -> World {
        let mut world = World::new();
        for &(at, n) in arrivals {
            world.packet(at, nth(n, 20), 20, value(n));
        }
        world.drain(until);
        world
    }

    #[test]
    fn steady_packets_come_out_at_once_and_whole_over_the_wraps() {
        let arrivals: Vec<_> = (0..15).map(|n| (u64::from(n) * 20 + 25, n)).collect();
        let world = world(&arrivals, 305);
        let expected: Vec<_> = (0..15).map(|n| (value(n) / 1_000, 20)).collect();
        let runs = world.runs();
        assert_eq!(runs[0], (0, 5), "from the first moment to the first packet");
        assert_eq!(runs[1..15], expected[..14]);
        assert_eq!(world.missing, 40);
        assert_eq!(world.ats[3], ms(60), "a block says when it was heard");
    }

    #[test]
    fn any_packet_time_makes_blocks_of_20_ms() {
        for ptime in [10_u16, 30, 60, 200] {
            let mut world = World::new();
            for n in 0..600 / ptime {
                let at = u64::from((n + 1) * ptime);
                world.packet(at, nth(n, ptime.into()), ptime.into(), value(n));
            }
            world.drain(600);
            let spoken: Vec<_> = (0..600 / ptime).map(|n| (value(n) / 1_000, usize::from(ptime))).collect();
            let runs = world.runs();
            let silence = usize::from(runs[0].0 == 0); // before the first packet
            assert_eq!(runs[silence..], spoken, "{ptime}");
        }
    }

    #[test]
    fn reordered_and_repeated_packets_are_put_in_order_and_loss_keeps_its_length() {
        let world =
            world(&[(0, 0), (20, 1), (60, 3), (61, 2), (61, 2), (80, 4), (130, 6), (140, 7), (200, 10)], 400);
        let runs = world.runs();
        let silent: Vec<_> = runs.iter().filter(|(value, _)| *value == 0).collect();
        assert_eq!(
            runs[..9],
            [(1, 20), (2, 20), (3, 20), (4, 20), (5, 20), (0, 20), (7, 20), (8, 20), (0, 40)]
        );
        assert_eq!(silent[..2], [&(0, 20), &(0, 40)]);
    }

    #[test]
    fn what_comes_after_its_place_was_given_out_is_left_out() {
        let world = world(&[(0, 0), (40, 2), (60, 3), (80, 4), (100, 5), (120, 6), (140, 7), (150, 1)], 160);
        assert_eq!(world.runs()[..3], [(1, 20), (0, 20), (3, 20)]);
    }

    #[test]
    fn silence_goes_on_by_the_clock_and_a_pause_keeps_its_length() {
        // Silence suppression: the timestamp has gone on.
        let paused = world(&[(0, 0), (20, 1), (540, 27), (560, 28)], 700);
        assert_eq!(paused.runs()[..4], [(1, 20), (2, 20), (0, 500), (8, 20)]);
        // A sender whose timestamp stands still in a pause: by the clock.
        let stood = world(&[(0, 0), (20, 1), (540, 2), (560, 3)], 700);
        assert_eq!(stood.runs()[..5], [(1, 20), (2, 20), (0, 500), (3, 20), (4, 20)]);
        // Nobody sends anything.
        let silent = world(&[], 1_000);
        assert_eq!(silent.runs(), [(0, 880)]);
    }

    #[test]
    fn nothing_is_left_out_when_everything_is_late() {
        // The network stands still for 400 ms, then all comes at once.
        let mut arrivals: Vec<(u64, u16)> = (0..5).map(|n| (u64::from(n) * 20, n)).collect();
        arrivals.extend((5..25).map(|n| (500, n)));
        arrivals.extend((25..30).map(|n| (u64::from(n) * 20, n)));
        let world = world(&arrivals, 800);
        let spoken: Vec<i16> = world.runs().iter().map(|run| run.0).filter(|value| *value != 0).collect();
        let all: Vec<i16> = (0..30).map(|n| value(n) / 1_000).collect();
        assert_eq!(spoken, all);
    }

    #[test]
    fn a_new_stream_and_a_sender_that_counts_anew_go_on_where_the_row_is() {
        let mut world = World::new();
        for n in 0..5_u16 {
            world.packet(u64::from(n) * 20, nth(n, 20), 20, value(n));
        }
        for n in 0..5_u16 {
            let other = Header { ssrc: Ssrc(8), ..header(n, 99 + u32::from(n) * 160) };
            world.packet(100 + u64::from(n) * 20, other, 20, 10_000);
        }
        for n in 0..20_u16 {
            let back = Header { ssrc: Ssrc(8), ..header(n.wrapping_sub(20_000), u32::from(n) * 160) };
            world.packet(200 + u64::from(n) * 20, back, 20, 20_000);
        }
        world.drain(1_000);
        let runs = world.runs();
        assert_eq!(runs[5], (10, 100));
        assert_eq!(runs[6..8], [(0, 180), (20, 220)], "taken up after ten packets");
    }

    /// Whatever comes, whenever: as many blocks as time has passed (and packets brought), none of them made up.
    #[test]
    fn hostile_numbers_cost_nothing_and_break_nothing() {
        let mut mint = crate::id::Mint::seeded(0x7A9);
        let mut world = World::new();
        let mut at = 0;
        for _ in 0..20_000 {
            let bits = mint.number();
            at += bits % 30;
            let [a, b, c, d, e, f, g, _] = bits.to_be_bytes();
            let wild = mint.number16().is_multiple_of(4);
            let sequence = if wild { u16::from_be_bytes([a, b]) } else { u16::from(a) };
            let timestamp = if wild { u32::from_be_bytes([c, d, e, f]) } else { u32::from(c) * 40 };
            let header = Header { ssrc: Ssrc(u32::from(g % 2)), ..header(sequence, timestamp) };
            world.packet(at, header, usize::from(b), 5_000);
        }
        world.drain(at + 200);
        let blocks = u64::try_from(world.heard.len() / BLOCK_SAMPLES).unwrap();
        assert!(blocks >= at / 20, "{blocks} blocks in {at} ms");
        assert!(world.heard.iter().all(|&sample| sample == 0 || (4_800..5_200).contains(&sample)));
    }
}
