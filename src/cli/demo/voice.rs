//! What people of the demo say in their own words: something like speech, other each time.

use std::time::Duration;

use crate::callee::script::Speech;
use crate::id::Mint;
use crate::rtp::g711;
use crate::sdp::Codec;

/// Samples of a syllable: 200 ms, and of the pause after it: 60 ms.
const SYLLABLE: usize = 1_600;
const PAUSE: usize = 480;
/// The height of its loudest wave.
const HEIGHT: f64 = 6_000.0;

/// Syllables of a voice for so long: vowels of a drawn pitch with their overtones.
pub(super) fn say(length: Duration, mint: &mut Mint) -> Speech {
    let wanted = usize::try_from(length.as_millis()).unwrap_or(usize::MAX).saturating_mul(8);
    let mut samples: Vec<i16> = Vec::with_capacity(wanted);
    while samples.len() < wanted {
        let pitch = 100.0 + f64::from(mint.number16() % 120);
        let tilt = 1.0 + f64::from(mint.number16() % 100) / 100.0;
        for n in 0..SYLLABLE + PAUSE {
            samples.push(if n < SYLLABLE { vowel(n, pitch, tilt) } else { 0 });
        }
    }
    samples.truncate(wanted);
    Speech { file: "(in its own words)".to_owned(), samples: samples.into() }
}

/// A sample of a vowel: six overtones, swelling and fading.
fn vowel(n: usize, pitch: f64, tilt: f64) -> i16 {
    let place = f64::from(u32::try_from(n).unwrap_or(0));
    let length = f64::from(u32::try_from(SYLLABLE).unwrap_or(1));
    let swell = (std::f64::consts::PI * place / length).sin();
    let wave = |overtone: f64| {
        (std::f64::consts::TAU * pitch * overtone * place / 8_000.0).sin() / overtone.powf(tilt)
    };
    let sum: f64 = (1..=6).map(|overtone| wave(f64::from(overtone))).sum();
    #[expect(clippy::cast_possible_truncation, reason = "a float is cut off at the ends of an i16")]
    let sample = (sum / 2.0 * HEIGHT * swell) as i16;
    sample
}

/// Samples that are compared to find where something begins.
const WINDOW: usize = 240;
/// Of a hundred samples, those that must be what was said: a packet may be lost.
const ENOUGH: usize = 95;

/// Whether a recording holds what was said, as it comes over a telephone line: from its first syllable to its last.
pub(super) fn holds(recorded: &[i16], said: &[i16], codec: Codec) -> bool {
    let heard: Vec<i16> = said.iter().map(|sample| by_telephone(*sample, codec)).collect();
    let loud = |sample: &i16| sample.unsigned_abs() > 1_000;
    let (Some(first), Some(last)) = (heard.iter().position(loud), heard.iter().rposition(loud)) else {
        return false;
    };
    let Some(words) = heard.get(first..=last).filter(|words| words.len() >= WINDOW) else { return false };
    let begins = recorded.windows(WINDOW).position(|window| window == &words[..WINDOW]);
    let Some(rest) = begins.and_then(|at| recorded.get(at..at + words.len())) else { return false };
    let same = rest.iter().zip(words).filter(|(kept, said)| kept == said).count();
    same * 100 >= words.len() * ENOUGH
}

fn by_telephone(sample: i16, codec: Codec) -> i16 {
    match codec {
        Codec::Pcmu => g711::ulaw_decode(g711::ulaw_encode(sample)),
        Codec::Pcma => g711::alaw_decode(g711::alaw_encode(sample)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_holds_what_was_said_and_nothing_else() {
        let mut mint = Mint::seeded(1);
        let (said, other) = (say(Duration::from_secs(1), &mut mint), say(Duration::from_secs(1), &mut mint));
        assert_eq!(said.duration(), Duration::from_secs(1));
        let line = |sample: &i16| by_telephone(*sample, Codec::Pcma);
        let mut recorded = vec![0; 4_000];
        recorded.extend(said.samples.iter().map(line));
        recorded.extend([0; 4_000]);
        assert!(holds(&recorded, &said.samples, Codec::Pcma));
        assert!(!holds(&recorded, &other.samples, Codec::Pcma), "another voice");
        assert!(!holds(&recorded[..9_000], &said.samples, Codec::Pcma), "its end is missing");
        recorded.drain(6_000..6_160);
        assert!(!holds(&recorded, &said.samples, Codec::Pcma), "a piece is missing");
        assert!(!holds(&[], &said.samples, Codec::Pcma));
    }
}
