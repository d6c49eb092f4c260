//! Spoken words, noise, clicks and silence, and what a recorder makes of them.

use std::process::Command;

use super::*;
use crate::id::{CallId, Mint};
use crate::time::Timestamp;

const SECOND: Duration = Duration::from_secs(1);

/// Words as espeak-ng says them, at 8 kHz and with their loudest 20 ms at -16 dBFS.
fn spoken(text: &str) -> Vec<i16> {
    let said = Command::new("espeak-ng").args(["-v", "en", "--stdout", text]).output();
    let wav = said.expect("espeak-ng is installed (make test)").stdout;
    let at = wav.windows(4).position(|bytes| bytes == b"data").expect("a WAV file") + 8;
    let samples: Vec<f32> =
        wav[at..].chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]).into()).collect();
    // 22,050 Hz to 8 kHz: a mean over each step is a good enough low pass for a level detector.
    let count = samples.len() * 160 / 441;
    let mean = |index: usize| {
        let span = &samples[index * 441 / 160..((index + 1) * 441 / 160).max(index * 441 / 160 + 1)];
        span.iter().sum::<f32>() / span.len() as f32
    };
    let low: Vec<f32> = (0..count).map(mean).collect();
    let loudest =
        low.chunks(160).map(|block| block.iter().map(|s| s * s).sum::<f32>() / 160.0).fold(1.0, f32::max);
    let gain = 5_200.0 / loudest.sqrt();
    low.iter().map(|sample| to_sample(sample * gain)).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "clamped")]
fn to_sample(value: f32) -> i16 {
    value.clamp(-32_000.0, 32_000.0) as i16
}

/// A telephone line with noise of this power, in dBFS, on which things happen.
struct LineOf {
    recorder: Recorder,
    noise: Mint,
    height: f32,
    told: Vec<Untaken>,
    orders: Vec<Order>,
    blocks: u64,
    over_at: Option<u64>,
}

impl LineOf {
    fn noise(dbfs: f32) -> Self {
        let recorder = Recorder::new();
        let height = 32_768.0 * 10_f32.powf(dbfs / 20.0) * 3_f32.sqrt();
        let mut line = Self {
            recorder,
            noise: Mint::seeded(7),
            height,
            told: Vec::new(),
            orders: Vec::new(),
            blocks: 0,
            over_at: None,
        };
        line.quiet(3 * SECOND); // a prompt is played
        line
    }

    fn record(mut self, silence_end: Option<Duration>, max: Duration) -> Self {
        let recording = RecordingId(4);
        let item = "message".to_owned();
        let terms =
            Recording { recording, item, take: 2, beep: false, max, silence_end, no_input: 5 * SECOND };
        let call = CallId::mint(&mut Mint::seeded(1));
        let take = Take { call, item: "message".into(), number: 2, recording };
        self.recorder.begin(terms, Arc::new(take));
        self.blocks = 0;
        self
    }

    fn hear(&mut self, samples: &[i16]) {
        for piece in samples.chunks(BLOCK_SAMPLES) {
            let mut samples = [0; BLOCK_SAMPLES];
            for (index, sample) in samples.iter_mut().enumerate() {
                let [a, b, ..] = self.noise.number().to_le_bytes();
                let noise = f32::from(i16::from_le_bytes([a, b])) / 32_768.0 * self.height;
                *sample = to_sample(noise + f32::from(piece.get(index).copied().unwrap_or(0)));
            }
            self.blocks += 1;
            self.told.extend(self.recorder.hear(&Block { at: Timestamp::EPOCH, samples, missing: 0 }, false));
            self.orders.extend(std::iter::from_fn(|| self.recorder.poll_order()));
            let ended = !self.told.is_empty() || matches!(self.orders.last(), Some(Order::Finish { .. }));
            if ended && self.over_at.is_none() {
                self.over_at = Some(self.blocks * 20);
            }
        }
    }

    fn quiet(&mut self, time: Duration) {
        self.hear(&vec![0; usize::try_from(time.as_millis()).unwrap() * 8]);
    }

    fn stop(&mut self, stop: Stop) {
        self.told.extend(self.recorder.stop(RecordingId(4), stop));
        self.orders.extend(std::iter::from_fn(|| self.recorder.poll_order()));
    }

    /// What the file would hold, in ms, and why it ended.
    #[track_caller]
    fn kept(&self) -> (u64, RecordingEnd) {
        assert_eq!(self.told, []);
        let mut all = 0;
        for order in &self.orders {
            match order {
                Order::Chunk { samples, .. } => {
                    assert!(samples.len() <= CHUNK_SAMPLES + HELD_BLOCKS * BLOCK_SAMPLES);
                    all += samples.len() as u64;
                }
                Order::Finish { keep_samples, ended_by, .. } => {
                    return (keep_samples.unwrap_or(all).min(all) / 8, *ended_by);
                }
                Order::Discard { .. } => all = 0,
            }
        }
        panic!("it was not finished: {} orders", self.orders.len());
    }
}

/// From a silent line to a street: 15 dB below speech.
const NOISES: [f32; 4] = [-90.0, -55.0, -42.0, -32.0];

#[test]
fn a_sentence_is_kept_from_before_its_first_word_to_after_its_last_whatever_the_noise() {
    let words = spoken("My daughter had a fever last week, and we walked to the clinic on Monday morning.");
    let spoken_ms = words.len() as u64 / 8;
    for noise in NOISES {
        let mut line = LineOf::noise(noise).record(Some(2 * SECOND), 60 * SECOND);
        line.quiet(SECOND);
        line.hear(&words);
        line.quiet(4 * SECOND);
        let (kept_ms, ended_by) = line.kept();
        assert_eq!(ended_by, RecordingEnd::Silence, "{noise}");
        // 500 ms before and behind; what espeak-ng is silent at either end, and quiet endings, are less.
        let least = spoken_ms + 1_000 - 500;
        assert!(
            (least..=spoken_ms + 1_050).contains(&kept_ms),
            "{kept_ms} of {spoken_ms} ms at {noise} dBFS"
        );
        let over = line.over_at.unwrap();
        let expected = 1_000 + spoken_ms + 2_000;
        assert!(over.abs_diff(expected) <= 500, "over after {over} ms, not {expected}, at {noise} dBFS");
    }
}

#[test]
fn pauses_within_a_story_do_not_end_it() {
    let (first, second) = (spoken("It began in March."), spoken("And then it got worse."));
    for noise in NOISES {
        let mut line = LineOf::noise(noise).record(Some(3 * SECOND), 60 * SECOND);
        for _ in 0..3 {
            line.hear(&first);
            line.quiet(2 * SECOND);
            line.hear(&second);
            line.quiet(2 * SECOND);
        }
        assert!(line.over_at.is_none(), "it was cut off at {noise} dBFS");
        line.stop(Stop::Keep(RecordingEnd::TermChar));
        let (kept_ms, _) = line.kept();
        let all = (first.len() + second.len()) as u64 * 3 / 8 + 5 * 2_000;
        assert!(kept_ms.abs_diff(all) < 900, "{kept_ms} of {all} ms at {noise} dBFS");
    }
}

#[test]
fn nothing_said_is_no_input_whatever_the_noise() {
    for noise in NOISES {
        let mut line = LineOf::noise(noise).record(Some(2 * SECOND), 60 * SECOND);
        line.quiet(8 * SECOND);
        assert_eq!(line.told, [Untaken { recording: RecordingId(4), why: Why::Nothing }], "{noise}");
        assert_eq!(line.over_at, Some(5_000));
        assert!(line.orders.iter().all(|order| !matches!(order, Order::Finish { .. })));
    }
}

#[test]
fn a_click_and_a_door_are_nothing_said_but_a_short_yes_is() {
    let click = [vec![9_000; 40], vec![0; 4_000]].concat();
    let mut line = LineOf::noise(-50.0).record(Some(2 * SECOND), 60 * SECOND);
    for _ in 0..4 {
        line.hear(&click);
    }
    line.quiet(9 * SECOND);
    assert_eq!(line.told, [Untaken { recording: RecordingId(4), why: Why::Nothing }]);
    for word in ["yes", "no", "ten"] {
        let mut line = LineOf::noise(-50.0).record(Some(2 * SECOND), 60 * SECOND);
        line.quiet(SECOND);
        line.hear(&spoken(word));
        line.quiet(3 * SECOND);
        assert_eq!(line.kept().1, RecordingEnd::Silence, "{word}");
    }
}

#[test]
fn it_is_stored_in_chunks_while_the_callee_speaks_and_ends_at_its_greatest_length() {
    let words =
        spoken("one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen");
    let mut line = LineOf::noise(-50.0).record(None, 5 * SECOND);
    line.hear(&words[..words.len().min(16_000 + 4_000)]);
    assert_eq!(line.orders.len(), 1, "after two and a half seconds the first two are stored");
    line.hear(&words);
    line.hear(&words);
    assert_eq!(line.kept(), (5_000, RecordingEnd::Max));
    let chunks = line.orders.iter().filter(|order| matches!(order, Order::Chunk { .. })).count();
    assert_eq!(chunks, 3);
}

#[test]
fn a_stop_keeps_what_was_said_or_throws_it_away() {
    let words = spoken("I would rather not say this on the telephone, thank you very much indeed.");
    let mut line = LineOf::noise(-50.0).record(None, 60 * SECOND);
    line.hear(&words);
    line.stop(Stop::Keep(RecordingEnd::HangUp));
    assert_eq!(line.kept().1, RecordingEnd::HangUp);
    let mut line = LineOf::noise(-50.0).record(None, 60 * SECOND);
    line.hear(&words);
    line.stop(Stop::Discard);
    assert!(matches!(line.orders.last(), Some(Order::Discard { .. })));
    assert_eq!(line.told, []);
    let mut line = LineOf::noise(-50.0).record(None, 60 * SECOND);
    line.quiet(SECOND);
    line.stop(Stop::Keep(RecordingEnd::TermChar));
    assert_eq!(line.told, [Untaken { recording: RecordingId(4), why: Why::Nothing }]);
}

#[test]
fn while_the_peer_holds_us_no_time_passes() {
    let mut line = LineOf::noise(-50.0).record(Some(SECOND), 60 * SECOND);
    let block = Block { at: Timestamp::EPOCH, samples: [0; BLOCK_SAMPLES], missing: 160 };
    for _ in 0..1_000 {
        assert_eq!(line.recorder.hear(&block, true), None);
    }
    line.hear(&spoken("Here I am again, and this is what I wanted to say."));
    line.quiet(2 * SECOND);
    assert_eq!(line.kept().1, RecordingEnd::Silence);
}

/// A store that takes nothing stops a recording after a while, not the call, and not the memory.
#[test]
fn a_store_that_stands_is_told_and_bounds_what_waits() {
    let words =
        spoken("one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen");
    let mut recorder = LineOf::noise(-50.0).record(None, 600 * SECOND).recorder;
    let mut told = None;
    let pieces = words.chunks_exact(BLOCK_SAMPLES).cycle().take(10_000);
    for (number, piece) in pieces.enumerate() {
        let block = Block { at: Timestamp::EPOCH, samples: piece.try_into().unwrap(), missing: 0 };
        told = told.or(recorder.hear(&block, false).map(|untaken| (number, untaken.why)));
    }
    let (number, why) = told.unwrap();
    assert_eq!(why, Why::Stuck { saved_ms: 0 });
    assert!(number * 20 < 20_000, "after {} ms", number * 20);
    assert!(recorder.orders.len() <= MAX_WAITING + 2);
}
