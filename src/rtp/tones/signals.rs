//! Tones of machines and of networks: what a telephone that was picked up by no person says.
//!
//! ```text
//! 20 ms blocks ─► which sound? ─► runs ─┬─► long enough: answer tones, V.21, CNG
//!                                       ├─► three in the right order: special information
//!                                       └─► on, off, on, off: busy, reorder (cadence)
//! ```
//! ITU-T T.30 §4 (CNG, CED), V.25 and V.8 (answer tones), V.21, E.180 and Q.35 (special information, busy,
//! congestion), and the segments of North America (GR-1162: low or high, short or long).

use std::collections::VecDeque;
use std::fmt;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::cadence::{Cadence, Sound};
use super::{Bank, Complex, mean_square};

/// Samples of a block: 20 ms, so that filters 50 Hz apart do not hear each other.
const BLOCK: usize = 160;
/// Milliseconds of a block.
const BLOCK_MS: u32 = 20;
/// The weakest tone, in dBm0. Q.35 has special information at −24, networks lose some of it.
const FLOOR_DBM0: f32 = -42.0;
/// The least part of a block's energy that a tone must have; a tone 15 Hz off keeps three quarters.
const PURE: f32 = 0.7;
/// The least part that lies in V.21's band.
const IN_BAND: f32 = 0.85;
/// Blocks within a run that may be impure: where a phase is reversed, or a packet was lost.
const ODD: u32 = 1;

/// CNG lasts 500 ms ±15 % (T.30 §4.2), in blocks.
const CNG: std::ops::RangeInclusive<u32> = 20..=30;
/// An answer tone of a second is none of a voice or a whistle of somebody; T.30 has 2.6 s, V.25 3.3 s.
const ANSWER: u32 = 50;
/// V.21's preamble is a second of flags (T.30 §5.3.1); two fifths of it are enough.
const PREAMBLE: u32 = 20;
/// A segment of special information: 330 ±70 ms (Q.35), 274 or 380 in North America; in blocks, with a margin.
const SEGMENT: std::ops::RangeInclusive<u32> = 11..=21;
/// The last segment is believed before it has ended.
const LAST_SEGMENT: u32 = 10;
/// Blocks between two segments: up to 30 ms (Q.35), and the blocks that they share with the tones.
const SEGMENT_GAP: u32 = 4;
/// From here on a segment is a long one: between 274 and 380 ms.
const LONG_MS: u32 = 327;
/// Signals that wait for the owner.
const QUEUE: usize = 16;

/// A tone of a machine or of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// 1100 Hz for half a second: a fax machine that calls (T.30).
    Cng,
    /// 2100 Hz: a fax machine or a modem that answers (T.30 CED, V.25 ANS).
    AnswerTone,
    /// 2100 Hz whose phase is reversed every 450 ms: a modem, or a fax machine of V.34 (V.8 ANSam).
    AnswerToneReversals,
    /// 2225 Hz: a modem of the Bell kind that answers.
    BellAnswerTone,
    /// Flags at 300 bit/s in the upper channel of V.21: a fax machine says what it can do.
    V21Preamble,
    /// Three rising tones of no stated category (E.180, Q.35).
    Sit,
    /// The same with the segments of an intercept: number changed, or not in service.
    SitIntercept,
    /// Vacant code: there is no such number.
    SitVacantCode,
    /// Reorder: the equipment failed.
    SitReorder,
    /// No circuit: the network is full.
    SitNoCircuit,
    /// Busy: a low tone, on and off about once a second or a little faster.
    Busy,
    /// Reorder or congestion: the same about twice as fast.
    Reorder,
}

impl Signal {
    /// Every signal.
    pub const ALL: [Self; 12] = [
        Self::Cng,
        Self::AnswerTone,
        Self::AnswerToneReversals,
        Self::BellAnswerTone,
        Self::V21Preamble,
        Self::Sit,
        Self::SitIntercept,
        Self::SitVacantCode,
        Self::SitReorder,
        Self::SitNoCircuit,
        Self::Busy,
        Self::Reorder,
    ];

    /// The word in results.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cng => "cng",
            Self::AnswerTone => "answer_tone",
            Self::AnswerToneReversals => "answer_tone_reversals",
            Self::BellAnswerTone => "bell_answer_tone",
            Self::V21Preamble => "v21_preamble",
            Self::Sit => "sit",
            Self::SitIntercept => "sit_intercept",
            Self::SitVacantCode => "sit_vacant_code",
            Self::SitReorder => "sit_reorder",
            Self::SitNoCircuit => "sit_no_circuit",
            Self::Busy => "busy",
            Self::Reorder => "reorder",
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

const HERTZ: [f32; 22] = [
    400.0, 425.0, 450.0, 480.0, 620.0, // busy, reorder; the last two together
    913.8, 950.0, 985.2, 1_370.6, 1_400.0, 1_428.5, 1_776.7, 1_800.0, // special information
    1_100.0, 2_100.0, 2_225.0, // CNG, answer tones
    1_600.0, 1_650.0, 1_700.0, 1_750.0, 1_850.0, 1_900.0, // V.21's band, with 1800
];

/// Filters of each sound: `HERTZ` by index.
const LOW: [usize; 4] = [0, 1, 2, 3];
const LOW_PAIR: [usize; 2] = [3, 4];
const FIRST: [usize; 3] = [5, 6, 7];
const SECOND: [usize; 3] = [8, 9, 10];
const THIRD: [usize; 2] = [11, 12];
const CALLING: usize = 13;
const ANSWERING: usize = 14;
const BELL: usize = 15;
const BAND: [usize; 7] = [16, 17, 18, 19, 12, 20, 21];
const MARK: usize = 17;
const SPACE: usize = 20;

static BANK: LazyLock<Bank<22, BLOCK>> = LazyLock::new(|| Bank::new(HERTZ));
static FLOOR: LazyLock<f32> = LazyLock::new(|| mean_square(FLOOR_DBM0));

/// A sound that goes on over several blocks.
#[derive(Clone, Copy, Debug)]
struct Run {
    sound: Sound,
    blocks: u32,
    /// Impure blocks since the last pure one.
    odd: u32,
    /// Correlations over the whole run: the longer, the finer.
    sums: [Complex; 22],
    phase: PhaseTrack,
}

/// Follows the phase of a tone, to notice when it is reversed.
#[derive(Clone, Copy, Debug, Default)]
struct PhaseTrack {
    last: Complex,
    /// How it turns from block to block, where it was steady.
    turn: Complex,
    /// Blocks since `last`.
    age: u32,
    reversals: u32,
}

/// What the special information tones have come to.
#[derive(Clone, Copy, Debug, Default)]
struct Segments {
    /// Of the first and the second: whether it is high, and how long it was in ms. `None`: neither high nor low.
    found: [Option<(Option<bool>, u32)>; 2],
    /// Blocks since the last segment ended.
    gap: u32,
}

/// Hears signals in the audio of one call. Soft.
#[derive(Debug)]
pub struct SignalDetector {
    block: [f32; BLOCK],
    filled: usize,
    /// Blocks heard so far.
    blocks: u64,
    run: Option<Run>,
    segments: Segments,
    cadence: Cadence,
    signals: VecDeque<Signal>,
}

impl Default for SignalDetector {
    fn default() -> Self {
        Self {
            block: [0.0; BLOCK],
            filled: 0,
            blocks: 0,
            run: None,
            segments: Segments::default(),
            cadence: Cadence::default(),
            signals: VecDeque::new(),
        }
    }
}

impl SignalDetector {
    /// Takes in the next samples, any number of them.
    pub fn hear(&mut self, samples: &[i16]) {
        for sample in samples {
            self.block[self.filled] = f32::from(*sample);
            self.filled += 1;
            if self.filled == BLOCK {
                self.filled = 0;
                self.next_block();
            }
        }
    }

    /// The next signal; drain until `None` after each block.
    pub fn poll_signal(&mut self) -> Option<Signal> {
        self.signals.pop_front()
    }

    fn next_block(&mut self) {
        let (sums, energy) = BANK.hear(&self.block, self.blocks * BLOCK as u64, *FLOOR * 160.0);
        self.blocks += 1;
        let sound = sound(&sums, energy);
        if let Some(signal) = self.cadence.next(sound) {
            self.tell(signal);
        }
        self.segments.gap += 1;
        match &mut self.run {
            Some(run) if run.sound == sound => run.go_on(&sums),
            Some(run) if run.odd < ODD && run.blocks > 1 => {
                run.odd += 1;
                run.phase.age += 1;
            }
            _ => {
                if let Some(run) = self.run.take() {
                    self.run_ended(&run);
                }
                self.run = sound.is_tone().then(|| Run::new(sound, &sums));
            }
        }
        if let Some(signal) = self.run.and_then(|run| self.told_by(&run)) {
            self.tell(signal);
        }
    }

    /// What a run says by having become this long; each length is reached once.
    fn told_by(&mut self, run: &Run) -> Option<Signal> {
        if run.odd > 0 {
            return None;
        }
        match (run.sound, run.blocks) {
            (Sound::Answering, ANSWER) if run.phase.reversals > 0 => Some(Signal::AnswerToneReversals),
            (Sound::Answering, ANSWER) => Some(Signal::AnswerTone),
            (Sound::Bell, ANSWER) => Some(Signal::BellAnswerTone),
            (Sound::V21, PREAMBLE) => {
                let (mark, space) = (run.sums[MARK].norm(), run.sums[SPACE].norm());
                (mark > 0.0 && space > 0.0).then_some(Signal::V21Preamble)
            }
            (Sound::Third, LAST_SEGMENT) => self.segments.category(),
            _ => None,
        }
    }

    fn run_ended(&mut self, run: &Run) {
        if run.sound == Sound::Calling && CNG.contains(&run.blocks) {
            self.tell(Signal::Cng);
        } else if run.sound == Sound::First && SEGMENT.contains(&run.blocks) {
            self.segments = Segments { found: [Some(run.segment(&FIRST)), None], gap: run.odd };
        } else if run.sound == Sound::Second && SEGMENT.contains(&run.blocks) {
            let follows = self.segments.gap <= run.blocks + run.odd + SEGMENT_GAP;
            let first = self.segments.found[0].filter(|_| follows);
            let second = first.map(|_| run.segment(&SECOND));
            self.segments = Segments { found: [first, second], gap: run.odd };
        }
    }

    fn tell(&mut self, signal: Signal) {
        if self.signals.len() < QUEUE {
            self.signals.push_back(signal);
        }
    }
}

/// Which sound a block is.
fn sound(sums: &[Complex; 22], energy: f32) -> Sound {
    let samples = f32::from(u16::try_from(BLOCK).expect("160"));
    if energy < *FLOOR * samples {
        return Sound::Silence;
    }
    let part = |filter: usize| 2.0 * sums[filter].norm() / (samples * energy);
    let strongest = |filters: &[usize]| filters.iter().map(|&filter| part(filter)).fold(0.0, f32::max);
    let pure = [
        (Sound::Low, strongest(&LOW)),
        (Sound::Low, LOW_PAIR.map(part).iter().sum()),
        (Sound::First, strongest(&FIRST)),
        (Sound::Second, strongest(&SECOND)),
        (Sound::Third, strongest(&THIRD)),
        (Sound::Calling, part(CALLING)),
        (Sound::Answering, part(ANSWERING)),
        (Sound::Bell, part(BELL)),
    ];
    let (sound, purest) = pure.into_iter().fold((Sound::Other, 0.0), |a, b| if b.1 > a.1 { b } else { a });
    if purest >= PURE {
        return sound;
    }
    let in_band: f32 = BAND.map(part).iter().sum();
    if in_band >= IN_BAND { Sound::V21 } else { Sound::Other }
}

impl Run {
    fn new(sound: Sound, sums: &[Complex; 22]) -> Self {
        let phase = PhaseTrack { last: sums[ANSWERING], age: 1, ..PhaseTrack::default() };
        Self { sound, blocks: 1, odd: 0, sums: *sums, phase }
    }

    fn go_on(&mut self, sums: &[Complex; 22]) {
        // The odd block between belongs to it after all.
        self.blocks += 1 + std::mem::take(&mut self.odd);
        for (sum, part) in self.sums.iter_mut().zip(sums) {
            *sum += *part;
        }
        self.phase.next(sums[ANSWERING]);
    }

    /// Of a segment of special information: high, low or neither, and its length in ms.
    fn segment(&self, filters: &[usize; 3]) -> (Option<bool>, u32) {
        let [low, middle, high] = filters.map(|filter| self.sums[filter].norm());
        let category = if low > middle && low > high {
            Some(false)
        } else {
            (high > middle && high > low).then_some(true)
        };
        // The first and the last block are shared with what is beside it.
        (category, self.blocks * BLOCK_MS + BLOCK_MS / 2)
    }
}

impl PhaseTrack {
    fn next(&mut self, sum: Complex) {
        let turned = sum.times(self.last.conjugate());
        if self.age == 1 {
            let (turned, before) = (unit(turned), self.turn);
            if before != Complex::default() && dot(turned, before) < 0.0 {
                self.reversals += 1;
            } else {
                self.turn = turned;
            }
        } else if self.age == 2 && dot(unit(turned), self.turn.times(self.turn)) < 0.0 {
            self.reversals += 1;
        }
        (self.last, self.age) = (sum, 1);
    }
}

fn unit(number: Complex) -> Complex {
    let length = number.norm().sqrt();
    if length > 0.0 { Complex { re: number.re / length, im: number.im / length } } else { number }
}

fn dot(a: Complex, b: Complex) -> f32 {
    a.re * b.re + a.im * b.im
}

impl Segments {
    /// What the two segments before the third say, if there are two and the third follows at once.
    fn category(&mut self) -> Option<Signal> {
        let [Some((first, first_ms)), Some((second, second_ms))] = self.found else { return None };
        let follows = self.gap <= LAST_SEGMENT + SEGMENT_GAP;
        *self = Self::default();
        let (Some(first), Some(second)) = (first, second) else { return follows.then_some(Signal::Sit) };
        let signal = match ((first, second), (first_ms >= LONG_MS, second_ms >= LONG_MS)) {
            ((false, false), (false, false)) => Signal::SitIntercept,
            ((true, false), (true, false)) => Signal::SitVacantCode,
            ((false | true, true | false), (false, true)) if first != second => Signal::SitReorder,
            ((false, false) | (true, true), (true, true)) => Signal::SitNoCircuit,
            _ => Signal::Sit,
        };
        follows.then_some(signal)
    }
}
