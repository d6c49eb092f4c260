//! Whether somebody speaks: the level of each block against the noise of this line. Pure.
//!
//! ```text
//! dBFS  -20 │      ▄█▆▄ ▅█▅          speech: more than MARGIN above the floor, and louder than AUDIBLE
//!       -45 │▂▁▂▁▂▂████████▂▁▂▁▂▁    the floor: the quietest 100 ms of the last 5 s
//! ```
//! The detector listens from the beginning of the call, also while prompts are played, so that it knows the noise of
//! a street or a fan before anybody is asked to speak.

use std::collections::VecDeque;

use super::tap::{BLOCK_SAMPLES, Block, dbfs};

/// Speech stands out by this much above the noise, in dB. Noise of one kind wavers by 3 dB at most.
const MARGIN_DB: f32 = 8.0;
/// What is quieter than this is no speech on a telephone, in dBFS: speech is sent at -30 to -15.
const AUDIBLE_DBFS: f32 = -48.0;
/// Blocks of which the level is taken for the floor: 100 ms. A gap between two words is seldom so long.
const SMOOTHED: usize = 5;
const SMOOTHED_COUNT: u32 = 5;
/// Blocks of a part of the window: 500 ms.
const PART: usize = 25;
/// Parts of the window: 5 s. A breath is drawn in it; a noise that sets in is taken for speech no longer.
const PARTS: usize = 10;

/// Tells speech from noise. Give it every block of the call.
#[derive(Debug)]
pub(super) struct Voice {
    recent: VecDeque<u32>,
    /// The quietest level of each part of the window, the present one last.
    quietest: VecDeque<f32>,
    /// Blocks of the present part.
    part: usize,
}

impl Voice {
    pub(super) fn new() -> Self {
        Self { recent: VecDeque::new(), quietest: VecDeque::new(), part: PART }
    }

    /// Whether somebody speaks in this block.
    pub(super) fn hears(&mut self, block: &Block) -> bool {
        let power = block.power();
        // Nothing is said of the noise by packets that did not come.
        if usize::from(block.missing) < BLOCK_SAMPLES / 2 {
            self.learn(power);
        }
        let level = dbfs(power);
        level > AUDIBLE_DBFS && level > self.floor() + MARGIN_DB
    }

    fn learn(&mut self, power: u32) {
        self.recent.push_back(power);
        if self.recent.len() < SMOOTHED {
            return;
        }
        let mean = self.recent.iter().map(|&power| power / SMOOTHED_COUNT).sum::<u32>();
        self.recent.pop_front();
        if self.part >= PART {
            self.part = 0;
            self.quietest.push_back(0.0);
            if self.quietest.len() > PARTS {
                self.quietest.pop_front();
            }
        }
        self.part += 1;
        if let Some(quietest) = self.quietest.back_mut() {
            *quietest = quietest.min(dbfs(mean));
        }
    }

    /// The noise of the line, in dBFS; nothing is known of it in the first 100 ms.
    fn floor(&self) -> f32 {
        self.quietest.iter().copied().reduce(f32::min).unwrap_or(AUDIBLE_DBFS)
    }
}
