//! Keys as pairs of tones in the audio (ITU-T Q.23, received as Q.24 asks).
//!
//! ```text
//! slices of 5 ms   │ │▓│▓│▓│▓│▓│▓│▓│ │ │      each: correlation with the 8 frequencies, energy
//! windows of 15 ms     └─────┘                a pair stands out: coarse, cheap, runs all the time
//! span of 30 ms        └───────────┘          least squares: frequencies, twist, what is left: decides
//! ```
//! Speech sounds like a key for a moment now and then. It is kept apart by what is left beside the two tones over
//! 30 ms, by how near both frequencies are to a key's, and by how steady both tones stand.

use std::collections::VecDeque;
use std::sync::LazyLock;

use super::fit::fit;
use super::{Bank, CLOCK_HZ, Complex, mean_square};
use crate::rtp::{Digit, Phase};

/// Samples of a slice: 5 ms.
const SLICE: usize = 40;
/// Slices of a window.
const WINDOW: usize = 3;
/// Slices over which it is decided: a tone of 40 ms holds seven whole ones, wherever it begins, so that there are two
/// chances; one of 20 ms holds never more than four (Q.24: tones below 23 ms are none).
const SPAN: usize = 6;
/// Windows in a row that show the same pair before it is looked at closely.
const RUN: u32 = u32_of(SPAN - WINDOW + 1);
/// Windows in a row without the pair after which the key is up: interruptions below 20 ms do not part a tone, pauses
/// of 40 ms do (Q.24).
const MISSING: u32 = 6;

/// The weakest sum of both tones, in dBm0. Q.24's administrations stop listening between −24 and −29 a tone.
const FLOOR_DBM0: f32 = -36.0;
/// The least part of a window's energy at a pair of frequencies: a tone that is 1.8 % off loses a good third.
const COARSE: f32 = 0.5;
/// The least part with which a key that is down is still down, also under noise or a voice.
const STILL: f32 = 0.35;
/// How much weaker than at its beginning it may become, as a factor of power: 9 dB.
const FADING: f32 = 0.125;
/// The most that may be left beside the two tones, of the energy: a noise 10 dB below them.
const MOST_REST: f64 = 0.1;
/// How far a frequency may be off. Q.24: ±1.5 % must be taken, ±3.5 % must not.
const OFF: f64 = 0.025;
/// The greatest difference of level between the two tones, as a factor of power: 10 dB, with ±8 dB to be taken.
const TWIST: f64 = 10.0;
/// How much a tone's power may change from the beginning to the end of a span, as a factor: 4 dB.
const STEADY: f32 = 2.5;
/// Events that wait for the owner, who drains them after each block.
const QUEUE: usize = 16;

/// The low frequencies, then the high ones (Q.23).
const HERTZ: [f32; 8] = [697.0, 770.0, 852.0, 941.0, 1_209.0, 1_336.0, 1_477.0, 1_633.0];
const KEYS: [[char; 4]; 4] =
    [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];

/// The two frequencies of a key, the low one first.
pub(super) fn hertz_of(digit: Digit) -> [f32; 2] {
    let of =
        |row: usize| KEYS[row].iter().position(|key| *key == digit.as_char()).map(|column| (row, column));
    let (row, column) = (0..4).find_map(of).expect("the table holds the sixteen keys");
    [HERTZ[row], HERTZ[column + 4]]
}

static BANK: LazyLock<Bank<8, SLICE>> = LazyLock::new(|| Bank::new(HERTZ));

#[expect(clippy::cast_possible_truncation, reason = "a few slices")]
const fn u32_of(count: usize) -> u32 {
    count as u32
}

/// A key heard in the audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyTone {
    /// Which.
    pub digit: Digit,
    /// Its tones began, or have ended.
    pub phase: Phase,
    /// The sample with which that happened, counted from the first one heard: earlier than it was told.
    pub sample: u64,
}

/// A row and a column, each 0 to 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pair {
    row: usize,
    column: usize,
}

impl Pair {
    fn digit(self) -> Digit {
        Digit::from_char(KEYS[self.row][self.column]).expect("the table holds the sixteen keys")
    }
}

/// One slice, or the sum of several.
#[derive(Clone, Copy, Debug, Default)]
struct Slice {
    sums: [Complex; 8],
    energy: f32,
}

/// A key that is down.
#[derive(Clone, Copy, Debug)]
struct Held {
    pair: Pair,
    began: u64,
    /// Where the last window with its tones ended.
    ended: u64,
    /// Of its first window, at the two nominal frequencies.
    power: f32,
    missing: u32,
}

/// Hears keys in the audio of one call. Soft: after a restart it is made anew.
#[derive(Debug)]
pub struct DtmfDetector {
    /// The last samples: a span, and behind it the slice that is being filled.
    samples: [f32; SPAN * SLICE + SLICE],
    filled: usize,
    slices: [Slice; SPAN],
    /// Samples in whole slices so far.
    heard: u64,
    run: Option<(Pair, u32)>,
    held: Option<Held>,
    events: VecDeque<KeyTone>,
}

impl Default for DtmfDetector {
    fn default() -> Self {
        Self {
            samples: [0.0; SPAN * SLICE + SLICE],
            filled: 0,
            slices: [Slice::default(); SPAN],
            heard: 0,
            run: None,
            held: None,
            events: VecDeque::new(),
        }
    }
}

impl DtmfDetector {
    /// Takes in the next samples, any number of them.
    pub fn hear(&mut self, samples: &[i16]) {
        for sample in samples {
            self.samples[SPAN * SLICE + self.filled] = f32::from(*sample);
            self.filled += 1;
            if self.filled == SLICE {
                self.filled = 0;
                self.slice();
            }
        }
    }

    /// The next key that went down or up; drain until `None` after each block.
    pub fn poll_event(&mut self) -> Option<KeyTone> {
        self.events.pop_front()
    }

    /// Samples heard so far, without those that wait for their slice to be full.
    #[must_use]
    pub const fn heard(&self) -> u64 {
        self.heard
    }

    fn slice(&mut self) {
        let newest = self.samples.last_chunk::<SLICE>().expect("the buffer is longer than a slice");
        let (sums, energy) = BANK.hear(newest, self.heard, *FLOOR);
        self.heard += SLICE as u64;
        self.samples.copy_within(SLICE.., 0);
        self.slices.rotate_left(1);
        self.slices[SPAN - 1] = Slice { sums, energy };
        let window = self.window(SPAN - WINDOW);
        self.follow_held(&window);
        let pair = pair(&window);
        self.run = match (self.run, pair) {
            (Some((before, windows)), Some(pair)) if before == pair => Some((pair, windows + 1)),
            (_, pair) => pair.map(|pair| (pair, 1)),
        };
        if let Some((pair, windows)) = self.run
            && windows >= RUN
            && self.held.is_none_or(|held| held.pair != pair)
            && self.is_key(pair)
        {
            self.press(pair, windows, &window);
        }
    }

    /// The sum of `WINDOW` slices from this one on.
    fn window(&self, first: usize) -> Slice {
        let mut window = Slice::default();
        for slice in self.slices.iter().skip(first).take(WINDOW) {
            window.energy += slice.energy;
            for (sum, part) in window.sums.iter_mut().zip(slice.sums) {
                *sum += part;
            }
        }
        window
    }

    fn press(&mut self, pair: Pair, windows: u32, window: &Slice) {
        self.release();
        // A window shows the pair from about two thirds on.
        let slices = u64::from(windows) + WINDOW as u64 - 2;
        let began = self.heard.saturating_sub(slices * SLICE as u64);
        self.held = Some(Held { pair, began, ended: self.heard, power: window.power(pair), missing: 0 });
        self.tell(KeyTone { digit: pair.digit(), phase: Phase::Pressed, sample: began });
    }

    /// Is the key that is down still down?
    fn follow_held(&mut self, window: &Slice) {
        let Some(held) = &mut self.held else { return };
        let power = window.power(held.pair);
        let stands = power >= held.power * FADING && power >= window.level() * STILL;
        if stands && pair_of_strongest(window) == held.pair {
            (held.ended, held.missing) = (self.heard, 0);
            return;
        }
        held.missing += 1;
        if held.missing >= MISSING {
            self.release();
        }
    }

    fn release(&mut self) {
        let Some(held) = self.held.take() else { return };
        // The last window with the tones is about half full of them.
        let ended = held.ended.saturating_sub((WINDOW * SLICE / 2) as u64).max(held.began);
        let samples = ended - held.began;
        let duration_ms = u32::try_from(samples * 1_000 / u64::from(CLOCK_HZ)).unwrap_or(u32::MAX);
        let phase = Phase::Released { duration_ms };
        self.tell(KeyTone { digit: held.pair.digit(), phase, sample: ended });
    }

    fn tell(&mut self, event: KeyTone) {
        debug_assert!(self.events.len() < QUEUE, "the owner drains key tones after each block");
        if self.events.len() < QUEUE {
            self.events.push_back(event);
        }
    }

    /// Looks closely at the last span.
    fn is_key(&self, pair: Pair) -> bool {
        let span = &self.samples[..SPAN * SLICE];
        let filters = [pair.row, pair.column + 4];
        let windows: [Slice; SPAN - WINDOW + 1] = std::array::from_fn(|first| self.window(first));
        let nominal = filters.map(|filter| f64::from(HERTZ[filter]));
        let guess = filters.map(|filter| f64::from(HERTZ[filter]) + offset_hz(&windows, filter));
        let steady = filters.iter().all(|&filter| {
            let (first, last) =
                (windows[0].sums[filter].norm(), windows[windows.len() - 1].sums[filter].norm());
            first <= last * STEADY && last <= first * STEADY
        });
        let Some(fit) = fit(span, guess).filter(|_| steady) else { return false };
        let near = fit.hertz.iter().zip(nominal).all(|(hertz, nominal)| (hertz / nominal - 1.0).abs() <= OFF);
        let [low, high] = fit.power;
        near && low <= high * TWIST && high <= low * TWIST && fit.rest <= MOST_REST
    }
}

impl Slice {
    /// Mean square of a window.
    fn level(&self) -> f32 {
        self.energy / f32::from(u16::try_from(WINDOW * SLICE).expect("a few hundred"))
    }

    /// Mean square at the two frequencies of a pair, over a window.
    fn power(&self, pair: Pair) -> f32 {
        let samples = f32::from(u16::try_from(WINDOW * SLICE).expect("a few hundred"));
        let sums = self.sums[pair.row].norm() + self.sums[pair.column + 4].norm();
        2.0 * sums / (samples * samples)
    }
}

/// The strongest row and the strongest column.
fn pair_of_strongest(window: &Slice) -> Pair {
    let strongest = |sums: &[Complex]| {
        let norms = sums.iter().map(|sum| sum.norm());
        norms.enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(index, _)| index)
    };
    let (rows, columns) = window.sums.split_at(4);
    Pair { row: strongest(rows), column: strongest(columns) }
}

/// The pair that stands out in a window.
fn pair(window: &Slice) -> Option<Pair> {
    let level = window.level();
    if level < *FLOOR {
        return None;
    }
    let pair = pair_of_strongest(window);
    (window.power(pair) >= level * COARSE).then_some(pair)
}

static FLOOR: LazyLock<f32> = LazyLock::new(|| mean_square(FLOOR_DBM0));

/// How far a tone's frequency is from nominal, by how its phase turns over two slices.
fn offset_hz(windows: &[Slice], filter: usize) -> f64 {
    let mut turned = Complex::default();
    for (earlier, later) in windows.iter().zip(windows.iter().skip(2)) {
        turned += later.sums[filter].times(earlier.sums[filter].conjugate());
    }
    let turns = turned.im.atan2(turned.re) / std::f32::consts::TAU;
    f64::from(turns) * f64::from(CLOCK_HZ) / (2.0 * SLICE as f64)
}
