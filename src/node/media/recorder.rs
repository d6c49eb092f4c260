//! The recorder of a call: when a recording begins, what belongs to it, when it is over. Pure.
//!
//! ```text
//! beep │ waiting: the last 700 ms are held │ speaking: chunks of 2 s ─► Order::Chunk │ over ─► Order::Finish
//!      └ 300 ms of its echo               └ onset, with what was held   └ silence, maximum, or a stop; of nothing
//!        count for nothing                                                said or a store that stands: Told
//! ```
//! A file so begins about half a second before the first word and ends half a second after the last. Orders wait here
//! until the store takes them; when it takes none for too long the recording is given up, and the media goes on.

use std::collections::VecDeque;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use super::Clip;
use super::tap::{BLOCK_SAMPLES, Block};
use super::voice::Voice;
use crate::call::{Recording, RecordingId, Stop};
use crate::interview::RecordingEnd;
use crate::store::recordings::{Order, Take};

/// Samples of a chunk, which is stored while the callee speaks on: 2 s.
const CHUNK_SAMPLES: usize = 16_000;
const CHUNK_BLOCKS: u32 = 100;
/// Blocks that are kept behind the last word: 500 ms, so that no quiet sound of it is lost.
const TAIL_BLOCKS: u32 = 25;
/// Blocks that are held until it is known that they are the beginning of speech: 500 ms before the first word, and
/// those in which it is recognised.
const HELD_BLOCKS: usize = 25 + ONSET_OF;
/// Blocks from the beginning whose level counts for nothing: 300 ms, in which the tone's echo comes back.
const ECHO_BLOCKS: u32 = 15;
/// Voiced blocks among the last [`ONSET_OF`] that are the beginning of speech: 60 ms; a click has one or two.
const ONSET: usize = 3;
const ONSET_OF: usize = 10;
/// Voiced blocks without which nothing was said: 120 ms, the vowel of a short "no".
const LEAST_VOICED: u32 = 6;
/// Orders of a call that wait for the store; beyond them its recording is given up: 16 s of sound, 256 kB.
const MAX_WAITING: usize = 8;
/// How long the tone is: 200 ms.
const BEEP_SAMPLES: u16 = 1_600;
/// How high its wave is: 1 kHz at -16 dBFS.
const BEEP_HEIGHT: f32 = 7_300.0;

/// A recording that is over without a file to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Untaken {
    /// Which.
    pub(crate) recording: RecordingId,
    /// Why.
    pub(crate) why: Why,
}

/// Why no file comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// Nothing was said.
    Nothing,
    /// The store took nothing for too long.
    Stuck {
        /// How much it had taken, in milliseconds.
        saved_ms: u32,
    },
}

/// See the file's head. It hears the whole call, to know its noise.
#[derive(Debug)]
pub(super) struct Recorder {
    voice: Voice,
    current: Option<Current>,
    orders: VecDeque<Order>,
}

/// The recording that is being made.
#[derive(Debug)]
struct Current {
    terms: Recording,
    take: Arc<Take>,
    phase: Phase,
    /// Blocks since it began in which nobody spoke.
    waited: u32,
    /// The last blocks before somebody speaks, and whether each was voiced.
    held: VecDeque<([i16; BLOCK_SAMPLES], bool)>,
}

#[derive(Debug)]
enum Phase {
    /// The tone is still to be heard.
    Beeping,
    /// Nobody has spoken yet.
    Waiting,
    Speaking(Speech),
}

/// What was said so far.
#[derive(Debug, Default)]
struct Speech {
    /// What stands in no order yet.
    chunk: Vec<i16>,
    /// Blocks of all of it.
    blocks: u32,
    /// Blocks up to the last voiced one.
    spoken: u32,
    /// Voiced blocks.
    voiced: u32,
    /// Chunks that were ordered.
    chunks: u32,
}

/// How a recording goes on after a block.
enum Turn {
    On,
    Chunk,
    Ended(RecordingEnd),
    /// What seemed to be speech was a click, or a door.
    Noise,
    Nothing,
}

impl Recorder {
    pub(super) fn new() -> Self {
        Self { voice: Voice::new(), current: None, orders: VecDeque::new() }
    }

    /// Begins a recording; with a beep it begins when [`Recorder::beeped`] is called.
    pub(super) fn begin(&mut self, terms: Recording, take: Arc<Take>) {
        self.leave();
        let phase = if terms.beep { Phase::Beeping } else { Phase::Waiting };
        self.current = Some(Current { terms, take, phase, waited: 0, held: VecDeque::new() });
    }

    /// The tone has been heard.
    pub(super) fn beeped(&mut self) {
        if let Some(Current { phase: phase @ Phase::Beeping, .. }) = &mut self.current {
            *phase = Phase::Waiting;
        }
    }

    /// The next 20 ms of the call; while the peer holds us (`held`) no time passes for a recording.
    pub(super) fn hear(&mut self, block: &Block, held: bool) -> Option<Untaken> {
        let voiced = self.voice.hears(block);
        let current = self.current.as_mut().filter(|_| !held)?;
        let recording = current.terms.recording;
        match current.hear(block, voiced) {
            Turn::On => return None,
            Turn::Chunk => self.order_chunk(),
            Turn::Ended(end) => self.finish(end),
            Turn::Noise => {
                self.discard_stored();
                if let Some(current) = &mut self.current {
                    current.phase = Phase::Waiting;
                }
            }
            Turn::Nothing => {
                self.current = None;
                return Some(Untaken { recording, why: Why::Nothing });
            }
        }
        (self.orders.len() > MAX_WAITING).then(|| self.give_up(recording)).flatten()
    }

    /// Stops a recording.
    pub(super) fn stop(&mut self, recording: RecordingId, stop: Stop) -> Option<Untaken> {
        // One that is over has told what became of it.
        let current = self.current.as_ref().filter(|current| current.terms.recording == recording)?;
        let said = matches!(&current.phase, Phase::Speaking(speech) if speech.voiced >= LEAST_VOICED);
        match stop {
            Stop::Keep(end) if said => {
                self.finish(end);
                return None;
            }
            Stop::Keep(_) | Stop::Discard => self.discard_stored(),
        }
        self.current = None;
        (stop != Stop::Discard).then_some(Untaken { recording, why: Why::Nothing })
    }

    /// The stream ends without anybody having said what is to be done: what was said stays for the next start.
    pub(super) fn leave(&mut self) {
        self.order_chunk();
        self.current = None;
    }

    fn finish(&mut self, ended_by: RecordingEnd) {
        self.order_chunk();
        let Some(Current { take, phase: Phase::Speaking(speech), .. }) = self.current.take() else { return };
        let kept = (speech.spoken + TAIL_BLOCKS).min(speech.blocks);
        self.orders.push_back(Order::Finish { take, keep_samples: Some(u64::from(kept) * 160), ended_by });
    }

    /// Takes back what was ordered of the current recording.
    fn discard_stored(&mut self) {
        if let Some(Current { take, phase: Phase::Speaking(speech), .. }) = &self.current
            && speech.chunks > 0
        {
            self.orders.push_back(Order::Discard { take: Arc::clone(take) });
        }
    }

    fn order_chunk(&mut self) {
        let Some(Current { take, phase: Phase::Speaking(speech), .. }) = &mut self.current else { return };
        if !speech.chunk.is_empty() {
            let samples = std::mem::take(&mut speech.chunk).into_boxed_slice();
            speech.chunks += 1;
            self.orders.push_back(Order::Chunk { take: Arc::clone(take), samples });
        }
    }

    fn give_up(&mut self, recording: RecordingId) -> Option<Untaken> {
        let Some(Current { take, phase: Phase::Speaking(speech), .. }) = self.current.take() else {
            return None;
        };
        let waiting = u32::try_from(self.orders.len()).unwrap_or(u32::MAX);
        let saved_ms = speech.chunks.saturating_sub(waiting) * CHUNK_BLOCKS * 20;
        // What the store takes after all becomes a file, though no result names it.
        self.orders.push_back(Order::Finish { take, keep_samples: None, ended_by: RecordingEnd::Fault });
        Some(Untaken { recording, why: Why::Stuck { saved_ms } })
    }

    /// The next order to the store; one that it does not take is put back.
    pub(super) fn poll_order(&mut self) -> Option<Order> {
        self.orders.pop_front()
    }

    /// The store has no room now.
    pub(super) fn put_back(&mut self, order: Order) {
        self.orders.push_front(order);
    }
}

impl Current {
    fn hear(&mut self, block: &Block, voiced: bool) -> Turn {
        match &mut self.phase {
            Phase::Beeping => Turn::On,
            Phase::Waiting => self.wait(block, voiced),
            Phase::Speaking(speech) => {
                speech.add(&block.samples, voiced);
                self.go_on()
            }
        }
    }

    fn wait(&mut self, block: &Block, voiced: bool) -> Turn {
        self.waited += 1;
        // The echo of the tone is no word, but a word in it is not lost.
        self.held.push_back((block.samples, voiced && self.waited > ECHO_BLOCKS));
        if self.held.len() > HELD_BLOCKS {
            self.held.pop_front();
        }
        let recent = self.held.iter().rev().take(ONSET_OF);
        if recent.filter(|(_, voiced)| *voiced).count() >= ONSET {
            let mut speech = Speech::default();
            self.held.drain(..).for_each(|(samples, voiced)| speech.add(&samples, voiced));
            self.phase = Phase::Speaking(speech);
            return self.go_on();
        }
        if self.waited >= to_blocks(self.terms.no_input) { Turn::Nothing } else { Turn::On }
    }

    fn go_on(&mut self) -> Turn {
        let Phase::Speaking(speech) = &self.phase else { return Turn::On };
        let silent = speech.blocks - speech.spoken;
        let pause = self.terms.silence_end.is_some_and(|silence| silent >= to_blocks(silence));
        if pause && speech.voiced < LEAST_VOICED {
            self.waited += speech.blocks;
            return if self.waited >= to_blocks(self.terms.no_input) { Turn::Nothing } else { Turn::Noise };
        }
        if pause {
            return Turn::Ended(RecordingEnd::Silence);
        }
        if speech.blocks >= to_blocks(self.terms.max) {
            return Turn::Ended(RecordingEnd::Max);
        }
        if speech.chunk.len() >= CHUNK_SAMPLES { Turn::Chunk } else { Turn::On }
    }
}

impl Speech {
    fn add(&mut self, samples: &[i16; BLOCK_SAMPLES], voiced: bool) {
        self.chunk.extend_from_slice(samples);
        self.blocks += 1;
        if voiced {
            self.spoken = self.blocks;
            self.voiced += 1;
        }
    }
}

fn to_blocks(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis() / 20).unwrap_or(u32::MAX)
}

/// The tone that says when to speak, its ends rounded.
pub(crate) fn beep() -> Arc<Clip> {
    static BEEP: LazyLock<Arc<Clip>> = LazyLock::new(|| {
        let sample = |n: u16| {
            let edge = f32::from(n.min(BEEP_SAMPLES - 1 - n).min(80)) / 80.0;
            let wave = (f32::from(n) * std::f32::consts::TAU / 8.0).sin() * BEEP_HEIGHT * edge;
            #[expect(clippy::cast_possible_truncation, reason = "7,300 at most")]
            let sample = wave as i16;
            sample
        };
        Arc::new(Clip::encode(&(0..BEEP_SAMPLES).map(sample).collect::<Vec<i16>>()))
    });
    Arc::clone(&BEEP)
}

#[cfg(test)]
mod tests;
