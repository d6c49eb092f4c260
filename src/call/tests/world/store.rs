//! The recorder and the store of the world: two seconds of speech at a time become durable while the person speaks;
//! what is left of the last two is durable when its file is made.

use super::*;
use crate::call::{Kept, Recording, Stop, Taken};
use crate::id::Digest;

const CHUNK_MS: u32 = 2_000;

/// What is on disk, whether the person has left, and, until the process dies, what is being recorded.
#[derive(Default)]
pub(in crate::call::tests) struct Store {
    /// Who has hung up says no more.
    pub(super) is_gone: bool,
    /// When the recording that runs began, and how much is said in all.
    running: Option<(RecordingId, Timestamp, u32)>,
    /// Chunks that are durable, in milliseconds of speech.
    pub(in crate::call::tests) chunks: BTreeMap<RecordingId, u32>,
    /// Files, in milliseconds of speech.
    pub(in crate::call::tests) files: BTreeMap<RecordingId, (u32, RecordingEnd)>,
}

impl Store {
    pub(in crate::call::tests) fn name(recording: RecordingId) -> String {
        format!("{}.wav", recording.0)
    }

    /// The process died: what was not durable is lost.
    pub(super) fn lose(&mut self) {
        self.running = None;
    }

    pub(super) fn chunk(&mut self, recording: RecordingId) {
        *self.chunks.entry(recording).or_default() += CHUNK_MS;
    }

    /// Makes a file of what there is; `end`: why the recording is over, if it was this process that made it.
    pub(super) fn file(&mut self, recording: RecordingId, end: Option<RecordingEnd>) -> Taken {
        let made = self.files.get(&recording).copied();
        let file = made.unwrap_or_else(|| {
            let stored = self.chunks.get(&recording).copied().unwrap_or_default();
            let said = self.running.filter(|(running, ..)| *running == recording).map(|(.., said)| said);
            (end.and(said).unwrap_or(stored), end.unwrap_or(RecordingEnd::Gap))
        });
        if end.is_some() {
            self.running = None;
        }
        if file.0 == 0 {
            return Taken::Nothing;
        }
        self.files.insert(recording, file);
        let digest = Digest::of(b"speech");
        Taken::Kept(Kept { file: Self::name(recording), duration_ms: file.0, digest, ended_by: file.1 })
    }
}

impl World {
    /// The person is listened to.
    pub(super) fn record(&mut self, order: &Recording) {
        let recording = order.recording;
        assert!(!self.store.files.contains_key(&recording), "a number is used once");
        let (says, then) = match self.reaction(&order.item) {
            Reaction::Speak(says, then) if !self.store.is_gone => (says, then),
            Reaction::Speak(..)
            | Reaction::Press(_)
            | Reaction::Interrupt(_)
            | Reaction::Inform(_)
            | Reaction::Thrice(_)
            | Reaction::Silent
            | Reaction::HangUp => (0, ""),
        };
        let said = u32::try_from(says).unwrap();
        self.store.running = Some((recording, self.now, said));
        for chunk in 1..=said / CHUNK_MS {
            self.plan(Duration::from_millis(u64::from(chunk * CHUNK_MS)), Happening::Chunk(recording));
        }
        let ends = Duration::from_millis(says);
        match then {
            "" => {
                let silence = if says == 0 { order.no_input } else { order.silence_end.unwrap() };
                self.plan(ends + silence, Happening::Spoken(recording, RecordingEnd::Silence));
            }
            "h" => self.plan(ends, Happening::HangsUp),
            key => self.press(ends, key),
        }
    }

    pub(super) fn stop_recording(&mut self, recording: RecordingId, stop: Stop) {
        self.agenda.retain(|_, happening| !matches!(happening, Happening::Chunk(_) | Happening::Spoken(..)));
        match stop {
            Stop::Keep(end) => {
                if let Some((_, since, said)) = &mut self.store.running {
                    let until_now = u32::try_from(self.now.since(*since).as_millis()).unwrap();
                    *said = until_now.min(*said);
                }
                self.finish(recording, end);
            }
            Stop::Discard => self.store.running = None,
        }
    }

    pub(super) fn finish(&mut self, recording: RecordingId, end: RecordingEnd) {
        self.plan(WIRE, Happening::Taken(recording, Some(end)));
    }
}
