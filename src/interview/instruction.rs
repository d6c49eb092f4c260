//! What an interview wants done, and what it wants to hear of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::questionnaire::{Command, Key, NumberRange, Outcome, Prompt};
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
    /// Say this and hang up.
    End {
        /// Id of the end, or the outcome's name where the questionnaire has no such end.
        item: String,
        /// What is said; may be empty.
        prompt: Prompt,
        /// How the interview ended.
        outcome: Outcome,
    },
}

impl Instruction {
    /// Id of the item it comes from.
    #[must_use]
    pub fn item(&self) -> &str {
        match self {
            Self::Say { item, .. } | Self::Ask { item, .. } | Self::End { item, .. } => item,
        }
    }

    /// What is said.
    #[must_use]
    pub const fn prompt(&self) -> &Prompt {
        match self {
            Self::Say { prompt, .. } | Self::Ask { prompt, .. } | Self::End { prompt, .. } => prompt,
        }
    }
}

/// What to listen for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collect {
    /// Which entries are answers.
    pub grammar: Grammar,
    /// Which keys are commands.
    pub commands: Vec<(Key, Command)>,
    /// Whether keys count while the prompt still plays.
    pub barge_in: bool,
    /// Silence after the prompt that counts as no input (VoiceXML `timeout`).
    pub no_input: Duration,
    /// Silence after a key that ends the entry (VoiceXML `interdigittimeout`).
    pub inter_digit: Duration,
    /// The key that ends an entry (VoiceXML `termchar`).
    pub term_char: Option<Key>,
    /// The end key of the entry before, which was complete without it: if it comes first here, it is
    /// dropped instead of being taken for an answer to this question.
    pub late_term_char: Option<Key>,
}

/// Which entries are answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Grammar {
    /// One of these strings of keys.
    Choice(Vec<String>),
    /// A number.
    Number(NumberRange),
}

/// What came of the last instruction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Heard {
    /// Nothing yet: the call was answered. The first thing an interview hears.
    Begin,
    /// The prompt of a `Say` ended, or a key cut it short.
    Said,
    /// An entry is complete.
    Keys(Vec<KeyPress>),
    /// No key came in time.
    Silence,
    /// A command key was pressed.
    Command(Command, KeyPress),
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
