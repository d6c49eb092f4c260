//! Parts of a question: most questions are one entry; some ask on, and are answered when all parts are.
//!
//! ```text
//! time, 12 hours   Entry 930 ─► HalfDay 1 ─────────────┐
//! multi, one by one   Option 0 ─► Option 1 ─► … ───────┤
//! appointment      Entry 2811 ─► Time 330 ─► HalfDay ──┼─► Confirm (where the question has one) ─► answered
//! record           Entry (a voice) ─► Review ──────────┤              │ no
//! all others       Entry ──────────────────────────────┘              └──► the first part again
//! ```
//! A part is hard state: an interview that goes on elsewhere asks the same part again. What was entered in
//! the parts before stands in the [`Draft`].

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::instruction::{KeyPress, Recorded};
use super::{Asking, Turn};
use crate::questionnaire::{Question, Value};

/// Which part of a question is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Part {
    /// The entry, or the recording.
    Entry,
    /// An option of a `multi` whose options are asked one by one.
    Option {
        /// Which one, as written.
        index: u8,
        /// Those that were chosen, bit n for the n-th as written.
        chosen: u32,
    },
    /// The time of an appointment.
    Time {
        /// Its day.
        day: Date,
    },
    /// The half of the day, on a clock of 12 hours.
    HalfDay {
        /// The day of an appointment.
        day: Option<Date>,
        /// The time before noon that was keyed, in minutes since midnight.
        minute: u16,
    },
    /// The entry is read back.
    Confirm,
    /// What is to become of the recording is asked; `playing`: it is played first.
    Review {
        /// Whether the recording is played first.
        playing: bool,
    },
}

impl Part {
    /// The part that a question begins with.
    pub(super) const fn first(question: &Question) -> Self {
        match question.answers.asked_one_by_one() {
            Some(_) => Self::Option { index: 0, chosen: 0 },
            None => Self::Entry,
        }
    }

    /// Whether a question begins with it.
    pub(super) const fn is_first(self) -> bool {
        matches!(self, Self::Entry | Self::Option { index: 0, chosen: 0 })
    }

    /// Whether it is the question itself that is asked, or the next of its options; what follows has words
    /// of its own, and the question's prompts for keys that are no answer do not fit it.
    pub(super) const fn is_question(self) -> bool {
        matches!(self, Self::Entry | Self::Option { .. })
    }

    /// Whether the callee can refuse, or not know, here.
    pub(super) const fn takes_codes(self) -> bool {
        matches!(self, Self::Entry | Self::Option { .. } | Self::Time { .. } | Self::HalfDay { .. })
    }
}

/// What was entered of the open question and does not count yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Draft {
    /// The value, once all parts but the last are answered.
    pub(super) value: Option<Value>,
    /// The keys so far.
    pub(super) digits: Vec<KeyPress>,
    /// The take that was recorded.
    pub(super) recorded: Option<Recorded>,
}

impl Asking {
    /// A question whose turn it is.
    pub(super) const fn first(item: u16, question: &Question) -> Self {
        Self {
            item,
            part: Part::first(question),
            turn: Turn::Plain,
            no_input: 0,
            no_match: 0,
            repeats: 0,
            rejected: 0,
        }
    }

    /// The next part of the same question: it has its own tries.
    pub(super) const fn then(self, part: Part) -> Self {
        Self { part, turn: Turn::Plain, no_input: 0, no_match: 0, repeats: 0, ..self }
    }
}
