//! Talk-off: how often speech is taken for a key, or for a tone of a machine or network.
//!
//! ```text
//! espeak-ng (voice, pitch, pace, text: seeded) ─► sox: 8 kHz ─► G.711 ─► DtmfDetector, SignalDetector
//! ```
//! `cargo test --release --test talk_off -- --ignored --nocapture` hears an hour. `TALK_OFF_SOUNDS=DIR` adds every
//! WAV file below DIR, such as the prompts of Debian's asterisk-core-sounds packages, unpacked.

#![expect(clippy::unwrap_used, reason = "a test fails by panic")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use baton::id::Mint;
use baton::rtp::tones::{DtmfDetector, SignalDetector};
use baton::rtp::{Phase, g711};

const CLOCK_HZ: usize = 8_000;

/// What people say to a machine that asks, and what else is said on the telephone.
const TEXTS: &[(&str, &str)] = &[
    (
        "en",
        "Yes? Hello? Who is calling? No, I have not been there since last Tuesday, seven or eight days ago.",
    ),
    ("en", "Press one to begin, two to be called later, nine to be left alone. Zero three four five six."),
    (
        "de",
        "Ja bitte, wer ist denn da? Siebenundzwanzig, oder nein, achtundzwanzig. Das weiß ich nicht genau.",
    ),
    (
        "fr",
        "Allô oui, bonjour, c'est à quel sujet ? Quatre-vingt-dix-sept, trente-six, je ne sais pas du tout.",
    ),
    (
        "es",
        "¿Diga? No le oigo bien, repita por favor. Cincuenta y cinco, sesenta y seis, muchísimas gracias.",
    ),
    ("pt", "Alô, quem fala? Um momento, por favor, já vou chamar. Vinte e três, quarenta e oito, obrigado."),
    ("sw", "Habari, nani anaongea? Subiri kidogo tafadhali. Moja, mbili, tatu, nne, tano, sita, saba, nane."),
    (
        "it",
        "Pronto, chi parla? Un attimo per favore, non ho capito bene. Ventidue, trentatré, quarantaquattro.",
    ),
    (
        "ru",
        "Алло, кто это говорит? Подождите минуту, пожалуйста. Двадцать один, тридцать семь, сорок девять.",
    ),
    ("hi", "नमस्ते, कौन बोल रहा है? एक मिनट रुकिए। बीस, पच्चीस, तीस, पैंतीस, चालीस।"),
];
const VARIANTS: &[&str] = &["", "+m1", "+m3", "+m5", "+m7", "+f1", "+f2", "+f4", "+f5", "+whisper", "+croak"];

/// What was taken for what in how much speech.
#[derive(Debug, Default)]
struct Heard {
    samples: usize,
    keys: Vec<String>,
    signals: Vec<String>,
}

impl Heard {
    fn hours(&self) -> f64 {
        self.samples as f64 / CLOCK_HZ as f64 / 3_600.0
    }

    fn listen(&mut self, name: &str, samples: &[i16]) {
        let (mut keys, mut signals) = (DtmfDetector::default(), SignalDetector::default());
        for block in samples.chunks(160) {
            let heard: Vec<i16> =
                block.iter().map(|one| g711::ulaw_decode(g711::ulaw_encode(*one))).collect();
            keys.hear(&heard);
            signals.hear(&heard);
            while let Some(key) = keys.poll_event() {
                if key.phase == Phase::Pressed {
                    self.keys.push(format!("{} in {name} at {} ms", key.digit, key.sample / 8));
                }
            }
            self.signals.extend(
                std::iter::from_fn(|| signals.poll_signal()).map(|signal| format!("{signal} in {name}")),
            );
        }
        self.samples += samples.len();
    }
}

/// Samples at 8 kHz of a WAV file, or of what `espeak-ng` writes.
fn at_8_khz(sox_input: &str, feed: Stdio) -> Vec<i16> {
    let sox = Command::new("sox")
        .args([
            "-q", "-t", "wav", sox_input, "-r", "8000", "-c", "1", "-e", "signed", "-b", "16", "-t", "raw",
            "-",
        ])
        .stdin(feed)
        .output()
        .expect("sox is not here: make test installs it");
    assert!(sox.status.success(), "sox: {}", String::from_utf8_lossy(&sox.stderr));
    sox.stdout.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

fn speak(voice: &str, text: &str, pitch: u16, pace: u16, loudness: u16) -> Vec<i16> {
    let mut espeak = Command::new("espeak-ng")
        .args(["-v", voice, "-p", &pitch.to_string(), "-s", &pace.to_string(), "-a", &loudness.to_string()])
        .args(["--stdout", "--", text])
        .stdout(Stdio::piped())
        .spawn()
        .expect("espeak-ng is not here: make test installs it");
    let samples = at_8_khz("-", espeak.stdout.take().unwrap().into());
    espeak.wait().unwrap();
    samples
}

/// Speaks until there are this many seconds.
fn hear_speech(heard: &mut Heard, seconds: usize, seed: u64) {
    let mut mint = Mint::seeded(seed);
    let until = heard.samples + seconds * CLOCK_HZ;
    while heard.samples < until {
        let mut draw = |count: usize| usize::from(mint.number16()) % count;
        let (language, text) = TEXTS[draw(TEXTS.len())];
        let voice = format!("{language}{}", VARIANTS[draw(VARIANTS.len())]);
        let number = |drawn: usize| u16::try_from(drawn).unwrap();
        let (pitch, pace, loudness) = (number(draw(100)), number(110 + draw(150)), number(60 + draw(140)));
        let text = format!("{text} {} {} {}", draw(100), draw(1_000), draw(10));
        let samples = speak(&voice, &text, pitch, pace, loudness);
        assert!(samples.len() > CLOCK_HZ, "{voice} says nothing");
        heard.listen(&format!("{voice} -p {pitch} -s {pace} -a {loudness}: {text}"), &samples);
    }
}

fn wav_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(wav_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "wav") {
            files.push(path);
        }
    }
    files.sort();
    files
}

#[test]
fn three_minutes_of_speech_hold_no_key_and_no_signal() {
    let mut heard = Heard::default();
    hear_speech(&mut heard, 180, 7);
    assert!(heard.keys.is_empty() && heard.signals.is_empty(), "{heard:#?}");
}

#[test]
#[ignore = "hears an hour of speech"]
fn an_hour_of_speech_holds_at_most_one_key() {
    let mut heard = Heard::default();
    hear_speech(&mut heard, 3_600, 4_711);
    println!("espeak-ng: {:.2} h, keys {:?}, signals {:?}", heard.hours(), heard.keys, heard.signals);
    if let Ok(dir) = std::env::var("TALK_OFF_SOUNDS") {
        for file in wav_files(Path::new(&dir)) {
            let samples = at_8_khz(&file.display().to_string(), Stdio::null());
            heard.listen(&file.display().to_string(), &samples);
        }
        println!("with {dir}: {:.2} h, keys {:?}, signals {:?}", heard.hours(), heard.keys, heard.signals);
    }
    assert!(heard.keys.len() as f64 <= heard.hours(), "more than one false key an hour: {heard:#?}");
    assert!(heard.signals.is_empty(), "{:?}", heard.signals);
}
