//! What a respondent can swear to: the log, line by line, and the whole of one call.
//!
//! A line of the log is one JSON object:
//! ```json
//! {"at":"2026-11-23T06:43:37.120Z","call":"7f…@127.0.0.1","user":"1001","party":"busy","event":"refused","status":486}
//! ```
//! The words of `event` and their fields are those of [`Event`]; docs/callee-script.md lists them.

use std::net::SocketAddr;

use serde::Serialize;

use super::ear::{Label, Part};
use super::judge::{Gaps, StreamReport};
use super::script::{By, ChangedMedia};
use crate::time::{Timestamp, rfc3339};

/// Something that happened at a respondent's phone.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// An INVITE came.
    Invited {
        /// The caller's From URI.
        from: String,
    },
    /// It rings.
    Rang {
        /// 180 or 183.
        status: u16,
        /// It is repeated until its PRACK comes.
        reliable: bool,
    },
    /// The respondent refused.
    Refused {
        /// The final status.
        status: u16,
    },
    /// The caller gave up.
    Cancelled,
    /// The respondent picked up.
    Answered {
        /// Encoding name of the codec.
        codec: String,
        /// Where the respondent's voice goes.
        media: SocketAddr,
    },
    /// The caller moved its media or its address.
    Moved {
        /// Where the re-INVITE came from.
        signalling: SocketAddr,
        /// Where the respondent's voice goes now.
        media: SocketAddr,
    },
    /// A change of the session that the respondent asked for has its answer.
    Changed {
        /// How it was asked for.
        by: By,
        /// What was wanted.
        media: ChangedMedia,
        /// The answer; none: it could not be asked for, or nobody answered.
        status: Option<u16>,
    },
    /// A known prompt began.
    Began {
        /// What it is.
        #[serde(flatten)]
        prompt: Label,
        /// Its first frame (20 ms) that was recognised.
        frame: usize,
    },
    /// A known prompt went on at another frame than the next one.
    Jumped {
        /// What it is.
        #[serde(flatten)]
        prompt: Label,
        /// The frame that should have come.
        expected: usize,
        /// The frame that came.
        frame: usize,
    },
    /// A known prompt ended.
    Ended {
        /// What it is.
        #[serde(flatten)]
        prompt: Label,
        /// Frames heard, counted from its start.
        frame: usize,
        /// Heard to its last frame.
        whole: bool,
    },
    /// Talk that is no known prompt began.
    Talk,
    /// It is quiet after a prompt or talk.
    Quiet {
        /// Counted from 1.
        nth: u32,
    },
    /// An entry is about to be keyed.
    Keying(Entry),
    /// Something is about to be said.
    Said {
        /// The question that it answers, where it was recognised.
        question: Option<String>,
        /// The file.
        file: String,
        /// How long it is, in ms.
        ms: u64,
    },
    /// A key went down.
    Pressed {
        /// Which.
        digit: char,
        /// How long it stays down, in ms.
        duration_ms: u16,
    },
    /// No packet for a while.
    Gap {
        /// How long, in ms.
        ms: f64,
        /// Who sent the packet that ended it.
        from: SocketAddr,
    },
    /// The respondent hung up.
    HungUp,
    /// The caller hung up.
    CallerHungUp {
        /// The text of its Reason header.
        reason: Option<String>,
    },
    /// The call is over: what was heard of its stream.
    Over {
        /// The stream.
        stream: Box<StreamReport>,
    },
}

/// One entry of keys, as the respondent meant it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The question it answers, where it was recognised.
    pub question: Option<String>,
    /// Which part of it.
    pub part: Part,
    /// The option, or the reply that was read back, that the part is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// The n-th time that the respondent comes to this turn, from 1.
    pub nth: u32,
    /// The keys; empty for deliberate silence.
    pub keys: String,
}

/// A line of the log.
#[derive(Clone, Debug, Serialize)]
pub struct Line<'a> {
    /// When.
    #[serde(serialize_with = "rfc3339::serialize")]
    pub at: Timestamp,
    /// The SIP Call-ID.
    pub call: &'a str,
    /// The user part of the Request-URI.
    pub user: &'a str,
    /// The party's name in the script.
    pub party: &'a str,
    /// What happened.
    #[serde(flatten)]
    pub event: &'a Event,
}

/// How a call ended, as the respondent saw it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// It has not ended.
    #[default]
    Open,
    /// The respondent refused with this status.
    Refused(u16),
    /// The caller gave up before an answer.
    Cancelled,
    /// The respondent hung up.
    HungUp,
    /// The caller hung up.
    CallerHungUp,
}

/// One call, as its respondent can tell it.
#[derive(Clone, Debug)]
pub struct Testimony {
    /// The SIP Call-ID.
    pub call: String,
    /// The user part of the Request-URI.
    pub user: String,
    /// The party's name in the script.
    pub party: String,
    /// When the INVITE came.
    pub invited_at: Timestamp,
    /// When the respondent picked up.
    pub answered_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// When the first packet came after the caller had died ([`Watch`](super::watch::Watch)).
    pub heard_again_at: Option<Timestamp>,
    /// How it ended.
    pub end: End,
    /// Everything else that happened, in order.
    pub events: Vec<(Timestamp, Event)>,
    /// Events that no longer fitted into `events`.
    pub events_left_out: u64,
    /// The stream that was heard.
    pub stream: StreamReport,
    /// Its gaps, to be merged with those of others.
    pub gaps: Gaps,
}

impl Testimony {
    /// The testimony of a call that begins now.
    #[must_use]
    pub fn new(now: Timestamp, call: String, user: String, party: String) -> Self {
        Self {
            call,
            user,
            party,
            invited_at: now,
            answered_at: None,
            ended_at: None,
            heard_again_at: None,
            end: End::Open,
            events: Vec::new(),
            events_left_out: 0,
            stream: StreamReport::default(),
            gaps: Gaps::default(),
        }
    }

    /// What was keyed, in order, deliberate silence left out.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.events.iter().filter_map(|(_, event)| {
            if let Event::Keying(entry) = event {
                Some(entry).filter(|entry| !entry.keys.is_empty())
            } else {
                None
            }
        })
    }

    /// How often something was said to this question.
    #[must_use]
    pub fn said(&self, question: &str) -> usize {
        let here = |event: &Event| matches!(event, Event::Said { question: Some(to), .. } if to == question);
        self.events.iter().filter(|(_, event)| here(event)).count()
    }

    /// The encoding name of the codec that was agreed on.
    #[must_use]
    pub fn codec(&self) -> Option<&str> {
        self.events.iter().find_map(|(_, event)| {
            if let Event::Answered { codec, .. } = event { Some(codec.as_str()) } else { None }
        })
    }

    /// The known prompts that were heard, in order.
    pub fn prompts(&self) -> impl Iterator<Item = &Label> {
        self.events.iter().filter_map(|(_, event)| {
            if let Event::Began { prompt, .. } = event { Some(prompt) } else { None }
        })
    }
}
