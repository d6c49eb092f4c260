//! What a respondent sends, as a capture file that SIPp replays (`play_pcap_audio`): voice, silence and keys.
//!
//! ```text
//! Speaker::new(101).voice(1300 ms).key('1', 160 ms).voice(900 ms) …  →  pcap: Ethernet IPv4 UDP RTP
//! ```
//! SIPp puts in its own addresses and ports and keeps the timing. RFC 3550, RFC 4733.

/// A 20 ms packet at 8000 Hz.
const FRAME: u32 = 160;
const FRAME_MS: u32 = 20;
/// The timestamp wraps within the first second.
const START: u32 = 0xFFFF_F000;
/// µ-law silence.
const SILENCE: u8 = 0xFF;

/// One RTP stream in the making.
pub(crate) struct Speaker {
    event_type: u8,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    packets: Vec<(u32, Vec<u8>)>, // when, in ms
}

/// How a key reaches the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    /// As it was sent.
    Good,
    /// The packets with the marker and the first durations are lost.
    LosesStart,
    /// No packet has the marker, and the three with the end bit are lost.
    LosesEnd,
    /// Every packet comes twice.
    Doubles,
}

impl Speaker {
    /// A stream that sends keys with this payload type, and voice as PCMU.
    pub(crate) fn new(event_type: u8) -> Self {
        Self { event_type, ssrc: 0x5157_0001, sequence: 1000, timestamp: START, packets: Vec::new() }
    }

    /// Sequence numbers begin so high that they wrap within the first second. (Asterisk drops the packet with
    /// number 0; Baton must not.)
    pub(crate) fn wrapping(mut self) -> Self {
        self.sequence = 65_500;
        self
    }

    /// Silence as PCMU packets.
    pub(crate) fn voice(mut self, ms: u32) -> Self {
        for _ in 0..ms / FRAME_MS {
            self.send(false, 0, self.timestamp, &[SILENCE; 160]);
            self.timestamp = self.timestamp.wrapping_add(FRAME);
        }
        self
    }

    /// These samples as PCMU packets; frames in `lost` (counted from 0) never reach the wire.
    pub(crate) fn say(mut self, samples: &[i16], lost: std::ops::Range<usize>) -> Self {
        for (index, frame) in samples.chunks_exact(160).enumerate() {
            let payload: Vec<u8> = frame.iter().map(|sample| ulaw(*sample)).collect();
            let kept = self.packets.len();
            self.send(false, 0, self.timestamp, &payload);
            if lost.contains(&index) {
                self.packets.truncate(kept);
            }
            self.timestamp = self.timestamp.wrapping_add(FRAME);
        }
        self
    }

    /// A key held for `ms`.
    pub(crate) fn key(self, digit: char, ms: u32) -> Self {
        self.key_on(digit, ms, Wire::Good)
    }

    /// A key held for `ms`, on a wire that treats it badly.
    pub(crate) fn key_on(mut self, digit: char, ms: u32, wire: Wire) -> Self {
        let event = u8::try_from("0123456789*#ABCD".find(digit).unwrap()).unwrap();
        let start = self.timestamp;
        let updates = ms / FRAME_MS;
        for update in 1..=updates + 2 {
            let end = update >= updates; // the last one and its two repeats
            let held = u16::try_from(update.min(updates) * FRAME).unwrap().to_be_bytes();
            let payload = [event, if end { 0x8A } else { 0x0A }, held[0], held[1]];
            let lost = match wire {
                Wire::LosesStart => !end && update <= 2,
                Wire::LosesEnd => end,
                Wire::Good | Wire::Doubles => false,
            };
            let marker = update == 1 && wire != Wire::LosesEnd;
            let copies = if lost { 0 } else { 1 + u8::from(wire == Wire::Doubles) };
            let kept = self.packets.len();
            self.send(marker, self.event_type, start, &payload);
            let packet = self.packets.pop().unwrap();
            debug_assert_eq!(kept, self.packets.len(), "one packet was sent and taken back");
            self.packets.extend((0..copies).map(|_| packet.clone()));
            self.timestamp = self.timestamp.wrapping_add(FRAME);
        }
        self
    }

    fn send(&mut self, marker: bool, payload_type: u8, timestamp: u32, payload: &[u8]) {
        let mut packet = vec![0x80, payload_type | if marker { 0x80 } else { 0 }];
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(timestamp.to_be_bytes());
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend(payload);
        let frames = self.timestamp.wrapping_sub(START) / FRAME;
        self.packets.push((frames * FRAME_MS, packet));
        self.sequence = self.sequence.wrapping_add(1);
    }

    /// The capture file.
    pub(crate) fn pcap(&self) -> Vec<u8> {
        let mut file = Vec::new();
        for word in [0xA1B2_C3D4_u32, 0x0004_0002, 0, 0, 65_535, 1] {
            file.extend(word.to_le_bytes()); // magic, version 2.4, zone, accuracy, snap length, Ethernet
        }
        for (at_ms, rtp) in &self.packets {
            let udp_bytes = u16::try_from(8 + rtp.len()).unwrap();
            let frame_bytes = u32::from(udp_bytes) + 34;
            for word in [1 + at_ms / 1000, at_ms % 1000 * 1000, frame_bytes, frame_bytes] {
                file.extend(word.to_le_bytes());
            }
            file.extend([0; 12]);
            file.extend([0x08, 0x00, 0x45, 0]);
            file.extend((udp_bytes + 20).to_be_bytes());
            file.extend([0, 0, 0x40, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1]);
            for half in [6000, 6000, udp_bytes, 0] {
                file.extend(half.to_be_bytes());
            }
            file.extend(rtp);
        }
        file
    }
}

/// G.711 µ-law, by the segment rule of the recommendation.
fn ulaw(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80_u8 } else { 0 };
    let magnitude = (u32::from(sample.unsigned_abs()).min(32_635)) + 132;
    let exponent = (24 - magnitude.leading_zeros()).min(7);
    let mantissa = (magnitude >> (exponent + 3)) & 0x0F;
    !(sign | u8::try_from(exponent << 4 | mantissa).unwrap())
}

#[test]
fn ulaw_is_that_of_the_recommendation() {
    let table = [(0, 0xFF), (-1, 0x7F), (32_767, 0x80), (-32_768, 0x00), (1000, 0xCE), (-1000, 0x4E)];
    assert_eq!(table.map(|(sample, _)| ulaw(sample)), table.map(|(_, code)| code));
}
