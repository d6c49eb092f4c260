//! Audio as the tests need it: prompts that are easy to find again, and the comparison of what was heard
//! with what was to be said.
//!
//! Samples are 16-bit linear at 8000 Hz.

use std::path::Path;

/// Samples a second.
pub(crate) const RATE_HZ: u32 = 8000;

/// A burst of band-limited noise, `ms` long, different for each `seed`: it correlates with itself at one
/// place and with nothing else.
pub(crate) fn noise(seed: u32, ms: u32) -> Vec<i16> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    let mut white = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 8) / f64::from(1_u32 << 24) - 0.5
    };
    let count = ms * RATE_HZ / 1000;
    let (mut low, mut lower) = (0.0, 0.0);
    (0..count)
        .map(|_| {
            low += 0.45 * (white() - low);
            lower += 0.08 * (low - lower);
            to_sample((low - lower) * 30_000.0)
        })
        .collect()
}

fn to_sample(value: f64) -> i16 {
    #[expect(clippy::cast_possible_truncation, reason = "clamped on the line itself")]
    let sample = value.round().clamp(-32_768.0, 32_767.0) as i16;
    sample
}

/// A tone that glides from 300 to 1200 Hz in `ms`, at any rate: what a resampler should give is known exactly.
pub(crate) fn glide(ms: u32, rate_hz: u32) -> Vec<i16> {
    let seconds = f64::from(ms) / 1000.0;
    (0..ms * rate_hz / 1000)
        .map(|index| {
            let t = f64::from(index) / f64::from(rate_hz);
            let turns = 300.0 * t + (1200.0 - 300.0) * t * t / (2.0 * seconds);
            let fade = (t.min(seconds - t) / 0.01).min(1.0);
            to_sample(9000.0 * fade * (std::f64::consts::TAU * turns).sin())
        })
        .collect()
}

/// Writes samples at 8000 Hz, mono.
pub(crate) fn write_wav(file: &Path, samples: &[i16]) {
    write_wav_as(file, samples, RATE_HZ, 1);
}

/// Writes samples of this rate, the same on each channel.
pub(crate) fn write_wav_as(file: &Path, samples: &[i16], sample_rate: u32, channels: u16) {
    let spec = hound::WavSpec {
        channels,
        sample_rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(file, spec).unwrap();
    for sample in samples {
        for _ in 0..channels {
            writer.write_sample(*sample).unwrap();
        }
    }
    writer.finalize().unwrap();
}

pub(crate) fn read_wav(file: &Path) -> Vec<i16> {
    let mut reader =
        hound::WavReader::open(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let spec = reader.spec();
    assert_eq!(
        (spec.channels, spec.sample_rate, spec.bits_per_sample),
        (1, RATE_HZ, 16),
        "{}",
        file.display()
    );
    // The recorder is stopped in the middle of things: what can be read is the recording.
    reader.samples::<i16>().map_while(Result::ok).collect()
}

/// One prompt found in a recording.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    /// Sample of the recording at which it begins.
    pub(crate) at: usize,
    /// Normalised cross-correlation there, at most 1.
    pub(crate) correlation: f64,
    /// Level heard minus level said, in dB.
    pub(crate) level_db: f64,
    /// The longest stretch inside it that is not the prompt, in ms.
    pub(crate) dropout_ms: usize,
}

impl Found {
    /// Is it there, whole, as loud as it was recorded?
    pub(crate) fn is_clean(self) -> bool {
        self.correlation > 0.98 && self.level_db.abs() < 1.0 && self.dropout_ms <= 20
    }

    /// It is there, whole, as loud as it was recorded.
    #[track_caller]
    pub(crate) fn assert_clean(self, name: &str) {
        assert!(self.correlation > 0.98, "{name}: heard something else: {self:?}");
        assert!(self.level_db.abs() < 1.0, "{name}: another level: {self:?}");
        assert!(self.dropout_ms <= 20, "{name}: a hole: {self:?}");
    }
}

/// Where in `recording` the prompt stands, and how well it came over.
#[track_caller]
pub(crate) fn find(prompt: &[i16], recording: &[i16]) -> Found {
    find_at_each(1, prompt, recording)
}

/// The same where a prompt can begin only at multiples of so many samples.
#[track_caller]
pub(crate) fn find_at_each(step: usize, prompt: &[i16], recording: &[i16]) -> Found {
    assert!(recording.len() >= prompt.len(), "recorded {} samples, said {}", recording.len(), prompt.len());
    let said: Vec<f64> = prompt.iter().map(|sample| f64::from(*sample)).collect();
    let heard: Vec<f64> = recording.iter().map(|sample| f64::from(*sample)).collect();
    // The beginning finds the place, so that a hole later on does not move it; its first 20 ms say where it is
    // worth looking.
    let (head, start) = (&said[..said.len().min(1600)], &said[..160]);
    let likeness = |at: usize| {
        let rough = similarity(start, &heard[at..]);
        if rough < 0.5 { rough } else { 1.0 + similarity(head, &heard[at..]) }
    };
    let last = heard.len() - said.len();
    let places = (0..=last).step_by(step);
    let (at, _) = places.map(|at| (at, likeness(at))).max_by(|(_, a), (_, b)| a.total_cmp(b)).unwrap();
    let place = &heard[at..at + said.len()];
    let level_db = 10.0 * (energy(place) / energy(&said)).log10();
    Found { at, correlation: similarity(&said, place), level_db, dropout_ms: dropout_ms(&said, place) }
}

fn energy(samples: &[f64]) -> f64 {
    samples.iter().map(|sample| sample * sample).sum::<f64>().max(1.0)
}

/// Normalised correlation of `a` with the beginning of `b`.
fn similarity(a: &[f64], b: &[f64]) -> f64 {
    let b = &b[..a.len()];
    let product: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
    product / (energy(a) * energy(b)).sqrt()
}

/// The longest run of 5 ms blocks whose sound is not the one that was said.
fn dropout_ms(said: &[f64], heard: &[f64]) -> usize {
    const BLOCK: usize = 40;
    const BLOCK_MS: usize = 5;
    let floor = energy(said) / 1000.0 * f64::from(u32::try_from(BLOCK).unwrap())
        / f64::from(u32::try_from(said.len()).unwrap());
    let (mut run, mut longest) = (0, 0);
    for (said, heard) in said.chunks_exact(BLOCK).zip(heard.chunks_exact(BLOCK)) {
        let audible = energy(said) > floor;
        let good = similarity(said, heard) > 0.7;
        run = if audible && !good { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest * BLOCK_MS
}

#[test]
fn the_comparison_sees_what_it_is_for() {
    let prompt = noise(1, 900);
    let other = noise(2, 900);
    let around = |middle: &[i16]| [noise(3, 333).as_slice(), middle, &noise(4, 500)].concat();

    let clean = find(&prompt, &around(&prompt));
    clean.assert_clean("clean");
    assert_eq!(clean.at, 333 * 8);

    assert!(find(&prompt, &around(&other)).correlation < 0.5);

    let quiet: Vec<i16> = prompt.iter().map(|sample| sample / 2).collect();
    assert!((find(&prompt, &around(&quiet)).level_db + 6.0).abs() < 0.2);

    let mut holed = prompt.clone();
    holed[4000..4000 + 240].fill(0);
    let holed = find(&prompt, &around(&holed));
    assert!((25..=35).contains(&holed.dropout_ms), "{holed:?}");

    let mut shifted = prompt.clone();
    shifted.splice(4000..4000, [0; 160]);
    shifted.truncate(prompt.len());
    assert!(find(&prompt, &around(&shifted)).dropout_ms > 100);
}

/// Sines of these frequencies in Hz at once, `ms` long, each of this amplitude.
pub(crate) fn tones(hertz: &[f64], amplitude: f64, ms: u32) -> Vec<i16> {
    let wave = |sample: u32, hertz: &f64| (std::f64::consts::TAU * hertz * f64::from(sample) / 8_000.0).sin();
    let sample = |sample| to_sample(hertz.iter().map(|hertz| amplitude * wave(sample, hertz)).sum());
    (0..ms * RATE_HZ / 1000).map(sample).collect()
}

/// The two tones of a key (ITU-T Q.23).
pub(crate) fn key_tones(key: char, ms: u32) -> Vec<i16> {
    let place = "123A456B789C*0#D".find(key).expect("a key");
    let low = [697.0, 770.0, 852.0, 941.0][place / 4];
    let high = [1_209.0, 1_336.0, 1_477.0, 1_633.0][place % 4];
    tones(&[low, high], 6_000.0, ms)
}
