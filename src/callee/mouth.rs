//! What a respondent sends: one continuous stream, keys in it as telephone-events (RFC 4733).

use std::sync::Arc;

use super::script::{Loss, Talk};
use crate::id::Mint;
use crate::rtp::{self, Anchor, Digit, EventSender, Header, g711};
use crate::sdp::{Codec, Negotiated};
use crate::time::Timestamp;

/// Ticks that are sent late after a hold-up of this process; older ones are left out.
const MAX_CATCH_UP: u64 = 10;
/// Packets of a key that `lose = ["start"]` keeps back: the marked one and its first repeat.
const LOST_STARTS: u32 = 2;

/// The sending side of a phone.
#[derive(Clone, Debug)]
pub struct Mouth {
    anchor: Anchor,
    /// The next tick.
    tick: u64,
    sequence: u16,
    talk: Talk,
    loss: Loss,
    pressing: Option<Pressing>,
    /// What is being said, and how much of it has been.
    saying: Option<(Arc<[i16]>, usize)>,
    /// The next audio packet begins a talkspurt.
    begins: bool,
    noise: Mint,
}

#[derive(Clone, Debug)]
struct Pressing {
    sender: EventSender,
    sent: u32,
}

impl Mouth {
    /// A stream that begins now.
    #[must_use]
    pub fn new(now: Timestamp, talk: Talk, loss: Loss, mint: &mut Mint) -> Self {
        let anchor = Anchor::start(now, mint);
        let noise = Mint::seeded(mint.number());
        Self {
            anchor,
            tick: 0,
            sequence: anchor.seq0,
            talk,
            loss,
            pressing: None,
            saying: None,
            begins: true,
            noise,
        }
    }

    /// When the next packet is due.
    #[must_use]
    pub fn due(&self) -> Timestamp {
        self.anchor.due(self.tick)
    }

    /// Presses a key from the next tick on.
    pub fn press(&mut self, digit: Digit, duration_ms: u16) {
        let sender = EventSender::new(digit, self.anchor.timestamp(self.tick), duration_ms);
        self.pressing = Some(Pressing { sender, sent: 0 });
    }

    /// Says this from the next tick on.
    pub fn say(&mut self, samples: Arc<[i16]>) {
        self.saying = Some((samples, 0));
    }

    /// The packet of the next tick that is due, written to `out`. False when none is due; `out` is empty
    /// when this tick sends nothing.
    pub fn packet(&mut self, now: Timestamp, media: &Negotiated, out: &mut Vec<u8>) -> bool {
        out.clear();
        if self.due() > now {
            return false;
        }
        let behind = self.anchor.tick_at(now).saturating_sub(self.tick);
        if behind > MAX_CATCH_UP {
            self.tick += behind;
            self.begins = true;
        }
        let tick = self.tick;
        self.tick += 1;
        if media.direction.sends() {
            self.fill(tick, media, out);
        }
        true
    }

    fn fill(&mut self, tick: u64, media: &Negotiated, out: &mut Vec<u8>) {
        if let (Some(pressing), Some(payload_type)) = (&mut self.pressing, media.send_event) {
            if let Some(event) = pressing.sender.next_packet() {
                pressing.sent += 1;
                let ends = event.payload[1] & 0x80 != 0;
                let lost = self.loss.end && ends || self.loss.start && pressing.sent <= LOST_STARTS && !ends;
                let header = self.header(payload_type, event.marker, event.timestamp);
                if !lost {
                    rtp::write_packet(out, &header, &event.payload);
                }
                return;
            }
            self.pressing = None;
            self.begins = true;
        }
        let frame = match (self.said(media.codec), self.talk, media.codec) {
            (Some(said), _, _) => said,
            (None, Talk::Nothing, _) => return,
            (None, Talk::Silence, Codec::Pcmu) => g711::ULAW_SILENCE_FRAME,
            (None, Talk::Silence, Codec::Pcma) => g711::ALAW_SILENCE_FRAME,
            (None, Talk::Murmur, codec) => self.murmur(codec),
        };
        let marker = std::mem::take(&mut self.begins);
        let header = self.header(media.send_payload_type, marker, self.anchor.timestamp(tick));
        rtp::write_packet(out, &header, &frame);
    }

    const fn header(&mut self, payload_type: u8, marker: bool, timestamp: u32) -> Header {
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        Header { payload_type, marker, sequence, timestamp, ssrc: self.anchor.ssrc }
    }

    /// The next 20 ms of what is being said.
    fn said(&mut self, codec: Codec) -> Option<[u8; 160]> {
        let (samples, at) = self.saying.as_mut()?;
        let rest = samples.get(*at..).filter(|rest| !rest.is_empty());
        let Some(rest) = rest else {
            self.saying = None;
            return None;
        };
        let frame = std::array::from_fn(|index| {
            let sample = rest.get(index).copied().unwrap_or(0);
            match codec {
                Codec::Pcmu => g711::ulaw_encode(sample),
                Codec::Pcma => g711::alaw_encode(sample),
            }
        });
        *at += frame.len();
        Some(frame)
    }

    /// Noise at about -40 dBFS.
    fn murmur(&mut self, codec: Codec) -> [u8; 160] {
        let mut bits = 0_u64;
        std::array::from_fn(|place| {
            if place % 8 == 0 {
                bits = self.noise.number();
            }
            let [noise, ..] = bits.to_le_bytes();
            bits >>= 8;
            let sample = (i16::from(noise) - 128) * 4;
            match codec {
                Codec::Pcmu => g711::ulaw_encode(sample),
                Codec::Pcma => g711::alaw_encode(sample),
            }
        })
    }
}
