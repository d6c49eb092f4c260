//! What a person who watches a call is told as it happens.

use std::fmt;

use crate::interview::RecordingEnd;
use crate::outcome::Disposition;
use crate::rtp::tones::Signal;
use crate::sip::StatusCode;

/// One step of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The INVITE leaves.
    Dialling {
        /// Whom we call.
        to: String,
    },
    /// Nothing was sent, and nothing will be.
    Withdrawn {
        /// Why.
        why: String,
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
    /// The call was refused, or nobody answered at the trunk.
    Refused {
        /// The final status; `None`: silence.
        status: Option<StatusCode>,
        /// The Q.850 cause that came with it.
        cause: Option<u8>,
        /// Whether the trunk has name and password: then a challenge says that they are wrong.
        has_password: bool,
    },
    /// The call goes on through the next trunk.
    NextTrunk {
        /// Its name.
        trunk: String,
    },
    /// Keys are being sent, before anything is said.
    Dialled {
        /// They and their pauses, as written.
        keys: String,
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
    /// The callee holds the call.
    Held,
    /// The callee is back from a hold.
    Resumed,
    /// A redirection names an emergency number, and is not followed.
    NotFollowed {
        /// The URI.
        target: String,
    },
    /// Another instance goes on with the call: the one that carried it is gone.
    TakenOver,
    /// What was to be said could not be said.
    Unsaid,
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
            Self::Withdrawn { why } => write!(f, "not dialled: {why}"),
            Self::Progress { status: 180 } => f.write_str("ringing"),
            Self::Progress { status } => write!(f, "progress {status}"),
            Self::Answered { codec } => write!(f, "answered, {codec}"),
            Self::Refused { status, cause, has_password } => refused(f, *status, *cause, *has_password),
            Self::NextTrunk { trunk } => write!(f, "goes on through trunk {trunk}"),
            Self::Dialled { keys } => write!(f, "sends {keys}"),
            Self::Said { item, text } => write!(f, "says {item}: {text}"),
            Self::Asked { item, text } => write!(f, "asks {item}: {text}"),
            Self::Held => {
                f.write_str("the callee holds the call; what is open is asked again when they are back")
            }
            Self::Resumed => f.write_str("the callee is back"),
            Self::NotFollowed { target } => write!(
                f,
                "redirected to {target}, an emergency number: it is not followed. Ask the trunk's engineer why"
            ),
            Self::TakenOver => f.write_str("another instance goes on with the call"),
            Self::Unsaid => f.write_str("this could not be said"),
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

/// `refused 486 Busy Here, Q.850 cause 17`
fn refused(
    f: &mut fmt::Formatter<'_>,
    status: Option<StatusCode>,
    cause: Option<u8>,
    has_password: bool,
) -> fmt::Result {
    let Some(status) = status else { return f.write_str("refused: nobody answers at the trunk's address") };
    write!(f, "refused {status} {}", status.reason())?;
    if let Some(cause) = cause {
        write!(f, ", Q.850 cause {cause}")?;
    }
    match (status, has_password) {
        (StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED, true) => f.write_str(
            ": the trunk does not take the name and password of its settings (or asks for another realm)",
        ),
        (StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED, false) => f.write_str(
            ": the trunk asks for a password, and its settings have none (username, password_file)",
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_to_do_about_it() {
        let said = |status: u16, cause, has_password| {
            let status = StatusCode::new(status).ok();
            Step::Refused { status, cause, has_password }.to_string()
        };
        assert_eq!(said(486, Some(17), false), "refused 486 Busy Here, Q.850 cause 17");
        assert!(said(407, None, false).ends_with("its settings have none (username, password_file)"));
        assert!(said(401, None, true).contains("does not take the name and password"));
        assert_eq!(said(0, None, true), "refused: nobody answers at the trunk's address");
    }
}
