//! Tones of machines and networks.

use std::f64::consts::TAU;

use super::sound::{MS, Sound, Tone, peak};
use crate::id::Mint;
use crate::rtp::tones::{Signal, SignalDetector};

fn heard(sound: &Sound) -> Vec<Signal> {
    let mut detector = SignalDetector::default();
    let mut signals = Vec::new();
    for block in sound.heard(false).chunks(160) {
        detector.hear(block);
        signals.extend(std::iter::from_fn(|| detector.poll_signal()));
    }
    signals
}

fn bell() -> Mint {
    Mint::seeded(180)
}

#[test]
fn the_calling_tone_of_a_fax_machine() {
    let mut mint = bell();
    for (hertz, ms) in [(1_100.0, 500), (1_062.0, 430), (1_138.0, 570)] {
        // ±38 Hz is what T.30 allows; beyond ±15 Hz only part of the energy stays in the filter, so only nominal
        // frequencies and those near it are asked for.
        let near = f64::midpoint(f64::midpoint(hertz, 1_100.0), 1_100.0);
        let sound = Sound::default().silence(900).tones(ms, &[(near, -15.0)], &mut mint).silence(3_000 * MS);
        assert_eq!(heard(&sound), [Signal::Cng], "{near} Hz, {ms} ms");
    }
    let long = Sound::default().tones(1_500, &[(1_100.0, -15.0)], &mut mint).silence(8_000);
    assert_eq!(heard(&long), [], "1.5 s is no CNG");
}

#[test]
fn answer_tones_with_and_without_reversals() {
    let mut mint = bell();
    for hertz in [2_085.0, 2_100.0, 2_115.0] {
        let ced = Sound::default().silence(777).tones(2_600, &[(hertz, -12.0)], &mut mint).silence(4_000);
        assert_eq!(heard(&ced.with_noise(-35.0, &mut mint)), [Signal::AnswerTone], "{hertz}");
        // ANSam (V.8): 15 Hz, a fifth deep, the phase reversed every 450 ms.
        let ansam = (0..26_400).map(|sample| {
            let time = f64::from(sample) / 8_000.0;
            let sign = if (sample / 3_600) % 2 == 0 { 1.0 } else { -1.0 };
            let swell = 1.0 + 0.2 * (TAU * 15.0 * time).sin();
            sign * swell * peak(-12.0) * (TAU * hertz * time).sin()
        });
        let ansam = Sound::default().silence(1_234).then(ansam).silence(4_000);
        assert_eq!(heard(&ansam), [Signal::AnswerToneReversals], "{hertz}");
    }
    let bell_modem = Sound::default().tones(2_000, &[(2_225.0, -15.0)], &mut mint).silence(800);
    assert_eq!(heard(&bell_modem), [Signal::BellAnswerTone]);
    let short = Sound::default().tones(700, &[(2_100.0, -12.0)], &mut mint).silence(4_000);
    assert_eq!(heard(&short), []);
}

/// V.21's upper channel: 1650 Hz is 1, 1850 Hz is 0, 300 bit/s, the phase goes on.
fn v21(bits: impl Iterator<Item = bool>) -> Vec<f64> {
    let (mut phase, mut samples, mut time) = (0.0_f64, Vec::new(), 0.0);
    for (number, bit) in bits.enumerate() {
        let until = (number + 1) as f64 * 8_000.0 / 300.0;
        while time < until {
            phase += TAU * if bit { 1_650.0 } else { 1_850.0 } / 8_000.0;
            samples.push(peak(-14.0) * phase.sin());
            time += 1.0;
        }
    }
    samples
}

#[test]
fn the_flags_of_a_fax_machine() {
    let mut mint = bell();
    let flag = [false, true, true, true, true, true, true, false];
    let flags = flag.into_iter().cycle().take(300);
    let sound = Sound::default().silence(500).then(v21(flags)).silence(8_000);
    assert_eq!(heard(&sound.with_noise(-45.0, &mut mint)), [Signal::V21Preamble]);
}

fn tri_tone(segments: [(f64, usize); 3], gap: usize) -> Sound {
    let mut mint = bell();
    let sound = segments.into_iter().fold(Sound::default().silence(1_111), |sound, (hertz, ms)| {
        sound.tones(ms, &[(hertz, -24.0)], &mut mint).silence(gap * MS)
    });
    sound.silence(4_000).with_noise(-55.0, &mut mint)
}

#[test]
fn special_information_by_its_segments() {
    const S: usize = 274;
    const L: usize = 380;
    let (low, high, last) = ([913.8, 1_370.6], [985.2, 1_428.5], (1_776.7, L));
    for (first, second, signal) in [
        ((low[0], S), (low[1], S), Signal::SitIntercept),
        ((high[0], L), (low[1], S), Signal::SitVacantCode),
        ((low[0], S), (high[1], L), Signal::SitReorder),
        ((high[0], S), (low[1], L), Signal::SitReorder),
        ((high[0], L), (high[1], L), Signal::SitNoCircuit),
        ((low[0], L), (low[1], L), Signal::SitNoCircuit),
        ((low[0], L), (high[1], S), Signal::Sit),
    ] {
        assert_eq!(heard(&tri_tone([first, second, last], 0)), [signal], "{first:?} {second:?}");
    }
}

#[test]
fn special_information_as_the_itu_has_it() {
    for (ms, gap) in [(330, 0), (330, 30), (270, 10), (400, 20)] {
        let sound = tri_tone([(950.0, ms), (1_400.0, ms), (1_800.0, ms)], gap);
        assert_eq!(heard(&sound), [Signal::Sit], "{ms} ms, {gap} ms between");
    }
    let backwards = tri_tone([(1_800.0, 330), (1_400.0, 330), (950.0, 330)], 0);
    assert_eq!(heard(&backwards), []);
}

fn cadence(tones: &[Tone], on: usize, off: usize, times: usize) -> Sound {
    let mut mint = bell();
    let sound = (0..times).fold(Sound::default().silence(3_210), |sound, _| {
        sound.tones(on, tones, &mut mint).silence(off * MS)
    });
    sound.with_noise(-60.0, &mut mint)
}

#[test]
fn busy_and_reorder_as_countries_have_them() {
    let europe: &[Tone] = &[(425.0, -13.0)];
    let america: &[Tone] = &[(480.0, -16.0), (620.0, -16.0)];
    let britain: &[Tone] = &[(400.0, -10.0)];
    let china: &[Tone] = &[(450.0, -10.0)];
    for (tones, on, off, signal) in [
        (europe, 500, 500, Signal::Busy),
        (europe, 480, 480, Signal::Busy),
        (britain, 375, 375, Signal::Busy),
        (china, 350, 350, Signal::Busy),
        (america, 500, 500, Signal::Busy),
        (europe, 250, 250, Signal::Reorder),
        (europe, 240, 240, Signal::Reorder),
        (america, 250, 250, Signal::Reorder),
    ] {
        assert_eq!(heard(&cadence(tones, on, off, 8)), [signal], "{tones:?} {on}/{off}");
    }
}

#[test]
fn ringing_dial_tone_and_keys_are_no_signals() {
    let mut mint = bell();
    let ringing: &[Tone] = &[(425.0, -13.0)];
    assert_eq!(heard(&cadence(ringing, 1_000, 4_000, 4)), []);
    let british: &[Tone] = &[(400.0, -13.0), (450.0, -13.0)];
    let rings = (0..4).fold(Sound::default(), |sound, _| {
        sound
            .tones(400, british, &mut mint)
            .silence(200 * MS)
            .tones(400, british, &mut mint)
            .silence(2_000 * MS)
    });
    assert_eq!(heard(&rings), []);
    let dial = Sound::default().tones(5_000, &[(425.0, -10.0)], &mut mint);
    assert_eq!(heard(&dial), []);
    for (low, high) in [(697.0, 1_209.0), (941.0, 1_477.0), (852.0, 1_633.0)] {
        let sound = (0..6).fold(Sound::default(), |sound, _| {
            sound.tones(300, &[(low, -8.0), (high, -8.0)], &mut mint).silence(300 * MS)
        });
        assert_eq!(heard(&sound), [], "{low} {high}");
    }
    let noise = Sound::default().silence(20 * 8_000).with_noise(-20.0, &mut mint);
    assert_eq!(heard(&noise), []);
}

#[test]
fn the_word_in_results_is_the_word_that_prints() {
    for signal in Signal::ALL {
        assert_eq!(serde_json::to_string(&signal).unwrap(), format!("\"{signal}\""));
    }
}
