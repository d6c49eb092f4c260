//! What a person who watches a call is told as it happens.

use std::fmt;

use crate::interview::RecordingEnd;
use crate::outcome::Disposition;
use crate::rtp::tones::Signal;

/// One step of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The INVITE leaves.
    Dialling {
        /// Whom we call.
        to: String,
    },
    /// A provisional response came.
    Progress {
        /// Its status, 101–199.
        status: u16,
    },
    /// The callee answered and offer and answer agree.
    Answered {
        /// Encoding name of the codec, as in SDP.
        codec: &'static str,
    },
    /// A statement or a closing is being said.
    Said {
        /// Id of the item.
        item: String,
        /// What is said.
        text: String,
    },
    /// A question is being asked.
    Asked {
        /// Id of the item.
        item: String,
        /// What is said.
        text: String,
    },
    /// A key was counted.
    Key {
        /// `0`–`9`, `*`, `#`, `A`–`D`.
        digit: char,
    },
    /// An entry is complete; the flow goes on from it.
    Entered {
        /// Id of the question.
        item: String,
        /// The keys.
        digits: String,
    },
    /// The callee may speak: what is said is recorded.
    Recording {
        /// Id of the question.
        item: String,
    },
    /// What the callee said is recorded.
    Recorded {
        /// Id of the question.
        item: String,
        /// How long, in milliseconds.
        duration_ms: u32,
        /// Why it is over.
        ended_by: RecordingEnd,
    },
    /// Nobody pressed anything, or said anything, in time.
    Silent {
        /// Id of the question.
        item: String,
    },
    /// A machine or the network was heard.
    ToneHeard {
        /// Which tone.
        tone: Signal,
    },
    /// The attempt is over.
    Ended {
        /// Its one outcome.
        disposition: Disposition,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dialling { to } => write!(f, "dialling {to}"),
            Self::Progress { status: 180 } => f.write_str("ringing"),
            Self::Progress { status } => write!(f, "progress {status}"),
            Self::Answered { codec } => write!(f, "answered, {codec}"),
            Self::Said { item, text } => write!(f, "says {item}: {text}"),
            Self::Asked { item, text } => write!(f, "asks {item}: {text}"),
            Self::Key { digit } => write!(f, "key {digit}"),
            Self::Entered { item, digits } => write!(f, "{item}: entered {digits}"),
            Self::Recording { item } => write!(f, "{item}: recording"),
            Self::Recorded { item, duration_ms, ended_by } => {
                let ended = match ended_by {
                    RecordingEnd::TermChar => "ended by a key",
                    RecordingEnd::Silence => "ended by silence",
                    RecordingEnd::Max => "at its greatest length",
                    RecordingEnd::HangUp => "ended by hanging up",
                    RecordingEnd::Gap => "broken off",
                    RecordingEnd::Fault => "not stored",
                };
                write!(f, "{item}: recorded {:.1} s, {ended}", f64::from(*duration_ms) / 1_000.0)
            }
            Self::Silent { item } => write!(f, "{item}: no input"),
            Self::ToneHeard { tone } => write!(f, "hears a tone: {tone}"),
            Self::Ended { disposition } => write!(f, "ended: {disposition} ({})", disposition.aapor()),
        }
    }
}
