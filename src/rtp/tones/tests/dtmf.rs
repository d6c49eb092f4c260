//! Keys in the audio, as ITU-T Q.24 asks of a receiver.

use super::sound::{MS, Sound, uniform};
use crate::id::Mint;
use crate::rtp::tones::{DtmfDetector, KeyTone};
use crate::rtp::{Digit, Phase};

const LOW: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
const HIGH: [f64; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
const KEYS: &str = "123A456B789C*0#D";

/// The two frequencies of a key.
fn hertz(key: char) -> (f64, f64) {
    let place = KEYS.find(key).unwrap();
    (LOW[place / 4], HIGH[place % 4])
}

/// How a key is sent.
#[derive(Clone, Copy, Debug)]
struct Sending {
    key: char,
    /// Level of the stronger tone in dBm0.
    level: f64,
    /// Level of the high tone less that of the low one, in dB.
    twist: f64,
    ms: usize,
    /// Samples before it begins: its place between the slices.
    at: usize,
    /// How far both frequencies are off, in percent.
    off: (f64, f64),
    /// Noise below both tones together, in dB.
    snr: Option<f64>,
    a_law: bool,
}

const PLAIN: Sending =
    Sending { key: '5', level: -10.0, twist: 0.0, ms: 60, at: 400, off: (0.0, 0.0), snr: None, a_law: false };

impl Sending {
    fn tones(&self) -> [(f64, f64); 2] {
        let (low, high) = hertz(self.key);
        [
            (low * (1.0 + self.off.0 / 100.0), self.level - self.twist.max(0.0)),
            (high * (1.0 + self.off.1 / 100.0), self.level + self.twist.min(0.0)),
        ]
    }

    fn noise(&self) -> Option<f64> {
        let power: f64 = self.tones().iter().map(|(_, dbm0)| 10_f64.powf(dbm0 / 10.0)).sum();
        self.snr.map(|snr| 10.0 * power.log10() - snr)
    }

    fn heard(&self, mint: &mut Mint) -> Vec<i16> {
        let sound = Sound::default().silence(self.at).tones(self.ms, &self.tones(), mint).silence(100 * MS);
        let sound = match self.noise() {
            Some(dbm0) => sound.with_noise(dbm0, mint),
            None => sound,
        };
        sound.heard(self.a_law)
    }
}

/// Feeds samples in blocks of 20 ms, as they come in.
fn hear(detector: &mut DtmfDetector, samples: &[i16]) -> Vec<KeyTone> {
    let mut events = Vec::new();
    for block in samples.chunks(160) {
        detector.hear(block);
        events.extend(std::iter::from_fn(|| detector.poll_event()));
    }
    events
}

/// The keys that were pressed.
fn pressed(events: &[KeyTone]) -> String {
    let pressed = events.iter().filter(|event| event.phase == Phase::Pressed);
    pressed.map(|event| event.digit.as_char()).collect()
}

fn keys(samples: &[i16]) -> String {
    pressed(&hear(&mut DtmfDetector::default(), samples))
}

#[test]
fn every_key_is_told_once_with_its_beginning_and_its_duration() {
    let mut mint = Mint::seeded(1);
    for key in KEYS.chars() {
        let sending = Sending { key, ms: 100, at: 1_000, ..PLAIN };
        let events = hear(&mut DtmfDetector::default(), &sending.heard(&mut mint));
        let [down, up] = events.as_slice() else { panic!("{key}: {events:?}") };
        assert_eq!((down.digit, up.digit), (Digit::from_char(key).unwrap(), down.digit));
        assert_eq!(down.phase, Phase::Pressed);
        assert!(down.sample.abs_diff(1_000) <= 80, "{key} began at {}", down.sample);
        let Phase::Released { duration_ms } = up.phase else { panic!("{up:?}") };
        assert!((90..=110).contains(&duration_ms), "{key}: {duration_ms} ms");
    }
}

/// All keys, −3 to −30 dBm0, twist up to ±8 dB, 40 to 100 ms, frequencies up to 1.5 % off, noise up to 15 dB below,
/// both laws, at any place between the blocks: at least 99.5 % found, and nothing else.
#[test]
fn the_whole_range_is_heard() {
    // Unoptimised, a second of sound costs a tenth of a second.
    const ROUNDS: u32 = if cfg!(debug_assertions) { 32 } else { 2_000 };
    let mut mint = Mint::seeded(23);
    let (mut sent, mut found, mut missed) = (0, 0, Vec::new());
    for round in 0..ROUNDS {
        for key in KEYS.chars() {
            let mut between = |least: f64, most: f64| least + (most - least) * uniform(&mut mint);
            // Every fourth round holds an end of each range.
            let end = |least: f64, most: f64, drawn: f64| {
                if round % 4 != 0 {
                    drawn
                } else if drawn < f64::midpoint(least, most) {
                    least
                } else {
                    most
                }
            };
            let level = end(-30.0, -3.0, between(-30.0, -3.0));
            let twist = end(-8.0, 8.0, between(-8.0, 8.0));
            let ms = end(40.0, 100.0, between(40.0, 100.0));
            let off = (end(-1.5, 1.5, between(-1.5, 1.5)), end(-1.5, 1.5, between(-1.5, 1.5)));
            let snr = end(15.0, 40.0, between(15.0, 40.0));
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
            let (ms, at) = (ms as usize, between(0.0, 1_000.0) as usize);
            let sending = Sending { key, level, twist, ms, at, off, snr: Some(snr), a_law: round % 2 == 1 };
            sent += 1;
            let heard = keys(&sending.heard(&mut mint));
            if heard == key.to_string() {
                found += 1;
            } else {
                missed.push(format!("{heard:?} {sending:?}"));
            }
        }
    }
    let rate = f64::from(found) / f64::from(sent);
    println!("{found} of {sent}: {:.3} %", rate * 100.0);
    assert!(rate >= 0.995, "{found} of {sent}:\n{}", missed.join("\n"));
}

#[test]
fn a_tone_too_short_or_too_far_off_or_alone_is_none() {
    let mut mint = Mint::seeded(2);
    for key in KEYS.chars() {
        for at in (0..160).step_by(7) {
            let short = Sending { key, ms: 20, at, ..PLAIN };
            assert_eq!(keys(&short.heard(&mut mint)), "", "20 ms: {short:?}");
        }
        for off in [(3.5, 0.0), (-3.5, 0.0), (0.0, 3.5), (0.0, -3.5)] {
            let far = Sending { key, ms: 100, off, ..PLAIN };
            assert_eq!(keys(&far.heard(&mut mint)), "", "{far:?}");
        }
        let (low, high) = hertz(key);
        for alone in [low, high] {
            let sound = Sound::default().tones(500, &[(alone, -6.0)], &mut mint).silence(800);
            assert_eq!(keys(&sound.heard(false)), "", "{alone} Hz alone");
        }
        let faint = Sending { key, level: -45.0, ms: 100, ..PLAIN };
        assert_eq!(keys(&faint.heard(&mut mint)), "");
        let third = Sound::default()
            .tones(200, &[(low, -10.0), (high, -10.0), (2_300.0, -12.0)], &mut mint)
            .silence(800);
        assert_eq!(keys(&third.heard(false)), "", "a third tone");
    }
}

#[test]
fn a_tone_that_breaks_for_10_ms_is_one_and_a_pause_of_40_ms_parts_two() {
    let mut mint = Mint::seeded(3);
    for at in 0..40 {
        let tones = Sending { level: -12.0, ..PLAIN }.tones();
        let twice = |pause: usize, mint: &mut Mint| {
            let sound = Sound::default().silence(at).tones(60, &tones, mint).silence(pause * MS);
            keys(&sound.tones(60, &tones, mint).silence(800).heard(false))
        };
        assert_eq!(twice(10, &mut mint), "5");
        assert_eq!(twice(40, &mut mint), "55", "{at} samples");
    }
}

#[test]
fn keys_without_a_pause_between_them_are_told_apart() {
    let mut mint = Mint::seeded(4);
    let mut sound = Sound::default().silence(33);
    for key in "1470*".chars() {
        let tones = Sending { key, ..PLAIN }.tones();
        sound = sound.tones(60, &tones, &mut mint);
    }
    assert_eq!(keys(&sound.silence(800).heard(true)), "1470*");
}

#[test]
fn a_long_hold_is_one_key_also_with_a_voice_over_it() {
    let mut mint = Mint::seeded(5);
    let tones = Sending { key: '9', level: -8.0, ..PLAIN }.tones();
    let sound = Sound::default().tones(10_000, &tones, &mut mint).silence(800).with_noise(-16.0, &mut mint);
    let events = hear(&mut DtmfDetector::default(), &sound.heard(false));
    assert_eq!(pressed(&events), "9");
    let Some(KeyTone { phase: Phase::Released { duration_ms }, .. }) = events.last() else {
        panic!("{events:?}")
    };
    assert!((9_950..=10_050).contains(duration_ms), "{duration_ms}");
}

#[test]
fn noise_alone_is_no_key() {
    let mut mint = Mint::seeded(6);
    let noise = Sound::default().silence(30 * 8_000).with_noise(-15.0, &mut mint);
    assert_eq!(keys(&noise.heard(false)), "");
}

#[test]
fn blocks_of_any_size_are_heard_the_same() {
    let mut mint = Mint::seeded(7);
    let samples = Sending { ms: 80, ..PLAIN }.heard(&mut mint);
    for size in [1, 39, 40, 80, 240, 1_000] {
        let mut detector = DtmfDetector::default();
        let mut events = Vec::new();
        for block in samples.chunks(size) {
            detector.hear(block);
            events.extend(std::iter::from_fn(|| detector.poll_event()));
        }
        assert_eq!(pressed(&events), "5", "blocks of {size}");
    }
}

#[test]
fn the_tones_that_we_send_are_heard() {
    for key in KEYS.chars() {
        let digit = Digit::from_char(key).unwrap();
        let mut samples = crate::rtp::tones::key_samples(digit, 0, 500);
        samples.extend(crate::rtp::tones::key_samples(digit, 500, 460));
        samples.extend([0; 800]);
        assert_eq!(keys(&samples), key.to_string());
    }
}
