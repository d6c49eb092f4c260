//! What members tell each other about themselves: beats and answers every 50 ms, votes and claims when one is absent.
//!
//! ```text
//!  owner ── Beat 17, echo of your last answer ──► peer      a promise, if the echo is younger than T
//!        ◄── Answer to 17, promised ─────────────
//! ```
//! The edge signs and checks them; who reads one here may take its sender for granted.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::registry::Claim;
use super::{Incarnation, Standing, Usage};
use crate::time::Timestamp;

/// Anything one member tells another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// I am here; promise me.
    Beat(Beat),
    /// An answer to a beat.
    Answer(Answer),
    /// Is somebody absent?
    Ask(Ask),
    /// An answer to that.
    Vote(Vote),
    /// You are among the successors.
    Word(Word),
    /// All that a claim gave me is saved under my name.
    Settled(Settled),
}

impl Message {
    /// Whose word it is.
    #[must_use]
    pub const fn from(&self) -> Incarnation {
        match self {
            Self::Beat(beat) => beat.from,
            Self::Answer(answer) => answer.from,
            Self::Ask(ask) => ask.from,
            Self::Vote(vote) => vote.from,
            Self::Word(word) => word.from,
            Self::Settled(settled) => settled.from,
        }
    }
}

/// A heartbeat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// Who beats.
    pub from: Incarnation,
    /// Its number; only grows within an incarnation.
    pub number: u64,
    /// The last answer of the addressee's that came, so that a link that works one way only is none.
    pub echo: Option<Echo>,
    /// The highest number of its stream of saves.
    pub saved: u64,
    /// Whether the addressee is to keep that stream.
    pub mirrored: bool,
    /// How long a promise it wants: the voter may not know yet that the terms have changed.
    pub promise: Duration,
    /// Whether it may send. A silent one is promised nothing.
    pub standing: Standing,
    /// What it has to do.
    pub usage: Usage,
}

/// An answer, told back to who gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Echo {
    /// Who gave it.
    pub from: Incarnation,
    /// When, by its clock; opaque to everybody else.
    pub stamp: Timestamp,
}

/// An answer to a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Who answers.
    pub from: Incarnation,
    /// Who beat.
    pub to: Incarnation,
    /// The beat's number.
    pub number: u64,
    /// When, by the answerer's clock.
    pub stamp: Timestamp,
    /// Whether it will not confirm an absence for T.
    pub promised: bool,
}

/// A claimant's question to all members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// Who asks.
    pub from: Incarnation,
    /// Its question's number.
    pub round: u64,
    /// Who may be absent.
    pub target: Incarnation,
    /// A majority has found it absent, so that it is silent for ever: no more of its saves are to be taken, also by who
    /// still hears it.
    pub seals: bool,
}

/// What a voter knows of an absence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Its promise holds.
    Present,
    /// Its promise ran out so long ago, by the voter's clock.
    Absent(Duration),
}

/// What a member holds of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Holding {
    /// It still takes saves: its promise to the owner holds.
    Open,
    /// It takes no more, and holds the whole up to this number.
    Through(u64),
    /// It takes no more, and should hold the whole, but has restarted or catches up.
    Part,
    /// It takes no more, and keeps no copy of this stream.
    Nothing,
}

/// An answer to a claimant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Who answers.
    pub from: Incarnation,
    /// To which question.
    pub round: u64,
    /// About whom.
    pub target: Incarnation,
    /// Whether it is absent.
    pub verdict: Verdict,
    /// What it holds of its stream.
    pub holding: Holding,
    /// The highest number of its stream of which it heard; `None`: it never heard its owner.
    pub heard: Option<u64>,
    /// The first run of the voter's process: what was told to nodes before that it does not know.
    pub since: u64,
    /// Whether the voter may send, and so can be a successor.
    pub standing: Standing,
    /// What the voter has to do.
    pub usage: Usage,
}

/// A successor's word that what it was given is safe with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// Who.
    pub from: Incarnation,
    /// Whose calls.
    pub target: Incarnation,
}

/// The word that a claim was won, from whoever sees to it that it is carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// Whose word.
    pub from: Incarnation,
    /// Whose calls are to be carried on.
    pub target: Incarnation,
    /// The engine's revision of the claim.
    pub revision: u64,
    /// The claim.
    pub claim: Claim,
}
