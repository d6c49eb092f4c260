//! What a person who watches a call is told as it happens.

use std::fmt;

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
    /// Nobody pressed anything in time.
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
            Self::Silent { item } => write!(f, "{item}: no input"),
            Self::ToneHeard { tone } => write!(f, "hears a tone: {tone}"),
            Self::Ended { disposition } => write!(f, "ended: {disposition} ({})", disposition.aapor()),
        }
    }
}
