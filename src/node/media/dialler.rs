//! Keys that we send: an extension behind a switchboard. Pure.
//!
//! ```text
//! w    1                        2
//! ···· e e e e e e E E ·····    e e e …       e telephone-event, E its end (three times), · silence
//!      └── 120 ms ──┘ 100 ms
//! ```
//! As telephone-events (RFC 4733) where the peer agreed to them, else as tones in the audio. The stream goes on
//! underneath: each event packet takes the place, and the sequence number, of the audio of its tick.

use std::collections::VecDeque;

use super::PlayId;
use crate::dialplan::{PostDial, PostDialStep};
use crate::rtp::event::EventPacket;
use crate::rtp::{Digit, EventSender};

/// How long a key is held.
const HOLD_MS: u16 = 120;
const HOLD_TICKS: u32 = 6;
/// Silence after a key; switchboards ask for 40 to 100 ms.
const GAP_TICKS: u32 = 5;
/// Ticks of `w`.
const HALF_SECOND_TICKS: u32 = 25;

/// What a tick sends in place of a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    Silence,
    Event(EventPacket),
    /// The tones of a key, from this tick of the press on.
    Tones {
        digit: Digit,
        tick: u32,
    },
}

#[derive(Debug)]
enum Doing {
    Pausing { ticks: u32 },
    Sending(EventSender),
    Sounding { digit: Digit, tick: u32 },
}

/// See the file's head.
#[derive(Debug)]
pub(super) struct Dialler {
    play: PlayId,
    steps: VecDeque<PostDialStep>,
    doing: Doing,
}

impl Dialler {
    /// Sends these from the next tick on; `play` names this in `PlayEnded`.
    pub(super) fn new(play: PlayId, keys: &PostDial) -> Self {
        Self { play, steps: keys.steps().iter().copied().collect(), doing: Doing::Pausing { ticks: 0 } }
    }

    pub(super) const fn play(&self) -> PlayId {
        self.play
    }

    /// What the tick with this timestamp of the stream sends; `None`: everything was sent. `by_events`: the peer takes
    /// telephone-events.
    pub(super) fn next(&mut self, timestamp: u32, by_events: bool) -> Option<Sent> {
        loop {
            match &mut self.doing {
                Doing::Pausing { ticks: 0 } => {
                    let step = self.steps.pop_front()?;
                    self.doing = Doing::of(step, timestamp, by_events);
                    continue;
                }
                Doing::Pausing { ticks } => {
                    *ticks -= 1;
                    return Some(Sent::Silence);
                }
                Doing::Sending(sender) => {
                    if let Some(packet) = sender.next_packet() {
                        return Some(Sent::Event(packet));
                    }
                }
                Doing::Sounding { digit, tick } if *tick < HOLD_TICKS => {
                    *tick += 1;
                    return Some(Sent::Tones { digit: *digit, tick: *tick - 1 });
                }
                Doing::Sounding { .. } => {}
            }
            self.doing = Doing::Pausing { ticks: GAP_TICKS };
        }
    }
}

impl Doing {
    fn of(step: PostDialStep, timestamp: u32, by_events: bool) -> Self {
        match step {
            PostDialStep::HalfSecond => Self::Pausing { ticks: HALF_SECOND_TICKS },
            PostDialStep::Second => Self::Pausing { ticks: 2 * HALF_SECOND_TICKS },
            PostDialStep::Key(key) => {
                let digit = Digit::from_char(key).expect("both rooms know the sixteen keys of a telephone");
                if by_events {
                    Self::Sending(EventSender::new(digit, timestamp, HOLD_MS))
                } else {
                    Self::Sounding { digit, tick: 0 }
                }
            }
        }
    }
}
