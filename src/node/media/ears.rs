//! What is listened for in the callee's voice, and whether anything comes in at all. Pure.
//!
//! ```text
//! Block of 20 ms ─┬─► DtmfDetector ──► Told::ToneKey
//!                 └─► SignalDetector ─► Told::Signal
//! no RTP, no RTCP for a while, and nobody holds the call ─► Told::Silent(1), (2) …
//! ```

use std::collections::VecDeque;
use std::time::Duration;

use super::line::Told;
use super::tap::Block;
use crate::call;
use crate::rtp::tones::{DtmfDetector, SignalDetector};
use crate::sdp::Direction;
use crate::time::Timestamp;

/// A sample at 8 kHz, in µs.
const SAMPLE_MICROS: u64 = 125;

/// The listening side of one line.
#[derive(Debug)]
pub(super) struct Ears {
    keys: Option<Box<DtmfDetector>>,
    signals: Option<Box<SignalDetector>>,
    /// Samples that the key detector has heard.
    fed: u64,
    silence: Duration,
    /// When something of the peer came last, or when nothing was waited for.
    heard_at: Timestamp,
    /// Times that silence was told since then.
    told: u32,
}

impl Ears {
    /// Listens from now on.
    pub(super) fn new(now: Timestamp, ears: call::Ears) -> Self {
        let (keys, signals, silence) = (None, None, Duration::ZERO);
        let mut new = Self { keys, signals, fed: 0, silence, heard_at: now, told: 0 };
        new.retune(ears);
        new
    }

    /// Goes on under new terms; what is half heard stays.
    pub(super) fn retune(&mut self, ears: call::Ears) {
        if ears.keys != self.keys.is_some() {
            (self.keys, self.fed) = (ears.keys.then(Box::default), 0);
        }
        if ears.signals != self.signals.is_some() {
            self.signals = ears.signals.then(Box::default);
        }
        self.silence = Duration::from_millis(ears.silence_ms.into());
    }

    /// The next 20 ms of the callee's voice.
    pub(super) fn listen(&mut self, block: &Block, told: &mut VecDeque<Told>) {
        if let Some(keys) = &mut self.keys {
            keys.hear(&block.samples);
            while let Some(key) = keys.poll_event() {
                let at = time_of(block.at, self.fed, key.sample);
                told.push_back(Told::ToneKey { digit: key.digit, phase: key.phase, at });
            }
            self.fed += block.samples.len() as u64;
        }
        if let Some(signals) = &mut self.signals {
            signals.hear(&block.samples);
            told.extend(std::iter::from_fn(|| signals.poll_signal()).map(Told::Signal));
        }
    }

    /// RTP or RTCP of the peer has come.
    pub(super) fn heard(&mut self, now: Timestamp) {
        (self.heard_at, self.told) = (now, 0);
    }

    /// Tells of silence, each time that it has lasted as long again. Who holds the call, or is held, may be silent.
    pub(super) fn tick(&mut self, now: Timestamp, direction: Direction, told: &mut VecDeque<Told>) {
        if direction != Direction::SendRecv || self.silence.is_zero() {
            return self.heard(now);
        }
        let due = self.silence.saturating_mul(self.told.saturating_add(1));
        if now.since(self.heard_at) >= due {
            self.told += 1;
            told.push_back(Told::Silent { times: self.told });
        }
    }
}

/// When a sample was heard, of which the block that begins at `at` holds number `fed`.
fn time_of(at: Timestamp, fed: u64, sample: u64) -> Timestamp {
    let micros = at.as_micros();
    Timestamp::from_micros(match sample.checked_sub(fed) {
        Some(later) => micros.saturating_add(later * SAMPLE_MICROS),
        None => micros.saturating_sub((fed - sample) * SAMPLE_MICROS),
    })
}
