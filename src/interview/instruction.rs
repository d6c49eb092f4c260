//! What an interview wants done, and what it wants to hear of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use jiff::civil::Date;

use crate::questionnaire::{
    Clock, Command, DateFormat, DigitString, Key, NumberRange, Outcome, Prompt, TimeRange,
};
use crate::time::Timestamp;

/// The next thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Instruction {
    /// Say this, then come back with [`Heard::Said`].
    Say {
        /// Id of the statement.
        item: String,
        /// What is said.
        prompt: Prompt,
        /// Whether a key cuts it short. The key then belongs to the next question.
        barge_in: bool,
        /// What becomes of keys that were pressed ahead.
        type_ahead: TypeAhead,
    },
    /// Say this and gather an entry with a [`Collector`](super::Collector).
    Ask {
        /// Id of the question.
        item: String,
        /// What is said.
        prompt: Prompt,
        /// What to listen for.
        collect: Collect,
    },
    /// Say this and record what the callee says, then come back with [`Heard::Recorded`], or with
    /// [`Heard::Silence`] if nothing was said.
    Record {
        /// Id of the question.
        item: String,
        /// What is said.
        prompt: Prompt,
        /// What to record.
        take: Take,
    },
    /// Ask whether these quotas have room and keep a place in each, or in none if one is full; then come
    /// back with [`Heard::Quota`].
    AskQuota {
        /// Their names.
        quotas: Vec<String>,
    },
    /// Say this and hang up.
    End {
        /// Id of the end, or the outcome's name where the questionnaire has no such end.
        item: String,
        /// What is said; may be empty.
        prompt: Prompt,
        /// How the interview ended.
        outcome: Outcome,
        /// Whom the callee is to be handed to instead of being hung up on: a number or a SIP URI.
        transfer: Option<String>,
    },
}

impl Instruction {
    /// Id of the item it comes from; empty: of none.
    #[must_use]
    pub fn item(&self) -> &str {
        match self {
            Self::Say { item, .. }
            | Self::Ask { item, .. }
            | Self::Record { item, .. }
            | Self::End { item, .. } => item,
            Self::AskQuota { .. } => "",
        }
    }

    /// What is said.
    #[must_use]
    pub const fn prompt(&self) -> &Prompt {
        match self {
            Self::Say { prompt, .. }
            | Self::Ask { prompt, .. }
            | Self::Record { prompt, .. }
            | Self::End { prompt, .. } => prompt,
            Self::AskQuota { .. } => const { &Prompt(Vec::new()) },
        }
    }
}

/// What to listen for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collect {
    /// Which entries are answers.
    pub grammar: Grammar,
    /// Entries that are an answer besides: refused, not known.
    pub codes: Vec<String>,
    /// Which keys are commands.
    pub commands: Vec<(Key, Command)>,
    /// Whether keys count while the prompt still plays.
    pub barge_in: bool,
    /// What becomes of keys that were pressed ahead.
    pub type_ahead: TypeAhead,
    /// Silence after the prompt that counts as no input (VoiceXML `timeout`).
    pub no_input: Duration,
    /// Silence after a key that ends the entry (VoiceXML `interdigittimeout`).
    pub inter_digit: Duration,
    /// Silence after an entry that is complete before its last possible key (VoiceXML `termtimeout`): a key in it
    /// makes the entry another one. None: it is taken at once.
    pub term_timeout: Duration,
    /// The key that ends an entry (VoiceXML `termchar`).
    pub term_char: Option<Key>,
    /// The end key of the entry before, which was complete without it: if it comes first here, it is
    /// dropped instead of being taken for an answer to this question.
    pub late_term_char: Option<Key>,
}

/// What becomes of keys that were pressed before a question was asked, or a statement said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TypeAhead {
    /// They do not count, nor do those that follow them in a row.
    Dropped,
    /// They count, if a key cuts the prompt short.
    Taken,
    /// They count; also those that come while the prompt cannot be cut short, as soon as it has ended.
    Kept,
}

impl TypeAhead {
    /// Whether keys that were pressed ahead outlast a prompt.
    #[must_use]
    pub const fn keeps(self, barge_in: bool) -> bool {
        match self {
            Self::Dropped => false,
            Self::Taken => barge_in,
            Self::Kept => true,
        }
    }
}

/// Which entries are answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Grammar {
    /// One of these strings of keys.
    Choice(Vec<String>),
    /// A number; the key `*` is its point.
    Number(NumberRange),
    /// A string of digits.
    Digits(DigitString),
    /// The keys of several options.
    Several(Several),
    /// A date.
    Date(Days),
    /// A time of day.
    Time(Times),
}

/// The keys of several options, one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Several {
    /// The keys of each option.
    pub options: Vec<String>,
    /// Options that exclude all others, bit n for the n-th.
    pub exclusive: u32,
    /// The fewest options.
    pub min: u8,
    /// The most options.
    pub max: u8,
}

/// The days that can be keyed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Days {
    /// The order of the digits.
    pub format: DateFormat,
    /// The earliest day.
    pub min: Option<Date>,
    /// The latest day.
    pub max: Option<Date>,
    /// Today, where the callee is.
    pub today: Date,
}

/// The times of day that can be keyed, `HHMM` or `HMM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// 24 hours, or 12.
    pub clock: Clock,
    /// From when to when.
    pub range: TimeRange,
}

/// One try to record what the callee says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Take {
    /// Which take of this item, from 0; each is a recording of its own.
    pub number: u8,
    /// The longest recording.
    pub max: Duration,
    /// Silence that ends it; none: only a key, or its length.
    pub silence_end: Option<Duration>,
    /// Silence after the prompt that counts as no input.
    pub no_input: Duration,
    /// Keys that end it.
    pub term_chars: Vec<Key>,
    /// Keys that are an answer in place of a recording (refused, not known): to be heard as
    /// [`Heard::Keys`], whatever was recorded. Never one that ends it.
    pub answers: Vec<Key>,
    /// Which keys are commands. Never one that ends it.
    pub commands: Vec<(Key, Command)>,
    /// The end key of the entry before, which was complete without it: if it comes first, and while the prompt
    /// plays, it is dropped instead of cutting the prompt short.
    pub late_term_char: Option<Key>,
    /// Whether a key cuts the prompt short, and recording begins.
    pub barge_in: bool,
    /// Whether a tone says when to speak.
    pub beep: bool,
}

/// A take that was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// Which take of the item.
    pub take: u8,
    /// How long the callee spoke, in milliseconds.
    pub duration_ms: u32,
    /// Why it is over.
    pub ended_by: RecordingEnd,
}

impl Recorded {
    /// What a take is called in results and files: `comment-0`.
    #[must_use]
    pub fn name(item: &str, take: u8) -> String {
        format!("{item}-{take}")
    }
}

/// Why a recording is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingEnd {
    /// A key that ends it was pressed.
    TermChar,
    /// The callee had finished.
    Silence,
    /// It had its greatest length.
    Max,
    /// The callee hung up; what was said until then is kept. Comes before
    /// [`Interview::hung_up`](super::Interview::hung_up).
    HangUp,
    /// A part is missing: it is asked for again, as another take.
    Gap,
    /// It could not be stored: what was stored until then is kept, and it is not asked for again.
    Fault,
}

/// What came of the last instruction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Heard {
    /// Nothing yet: the call was answered. The first thing an interview hears.
    Begin,
    /// The prompt of a `Say` ended, or a key cut it short.
    Said,
    /// What the instruction says could not be said: its speech failed, or its recording is missing. Nobody is asked
    /// what was not heard, so the interview ends as [`Outcome::Technical`].
    Unsaid,
    /// An entry is complete.
    Keys(Vec<KeyPress>),
    /// An entry was ended by its term char.
    Ended(Vec<KeyPress>),
    /// No key came in time; of a recording: nothing was said.
    Silence,
    /// A command key was pressed.
    Command(Command, KeyPress),
    /// What the callee said is recorded.
    Recorded(Recorded),
    /// Which of the quotas that were asked about are full.
    Quota {
        /// Their names.
        full: Vec<String>,
    },
}

/// A key that was pressed once: the evidence of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPress {
    /// Which key.
    #[serde(rename = "digit")]
    pub key: Key,
    /// How it reached us.
    pub method: Method,
    /// When it was pressed.
    #[serde(with = "crate::time::rfc3339")]
    pub at: Timestamp,
    /// How long it was held, in milliseconds; not known before it is released.
    pub duration_ms: Option<u32>,
}

/// How a key reached us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// A telephone-event in RTP (RFC 4733).
    Rfc4733,
    /// Tones in the audio.
    InBand,
    /// A SIP INFO request.
    SipInfo,
    /// Typed at a terminal, in a rehearsal.
    Typed,
}
