//! The person on the phone: what they do when they are rung, and when they are asked.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::sip::StatusCode;

/// What the phone does with the INVITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phone {
    /// Says nothing at all.
    Dead,
    /// Answers 481 to everything: it has restarted.
    Forgetful,
    /// Refuses.
    Refuses(u16),
    /// Rings and is never picked up.
    Rings,
    /// Rings, and is picked up after this long.
    PickedUp(Duration),
    /// Something is heard before anybody answers; it is picked up after this long, or never.
    Announces(Option<Duration>),
}

impl Phone {
    pub(super) fn refusal(self) -> Option<StatusCode> {
        match self {
            Self::Refuses(status) => StatusCode::new(status).ok(),
            Self::Dead | Self::Forgetful | Self::Rings | Self::PickedUp(_) | Self::Announces(_) => None,
        }
    }
}

/// What a person does when a question was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reaction {
    /// Presses these keys, after the prompt.
    Press(&'static str),
    /// Presses these keys while the prompt still plays.
    Interrupt(&'static str),
    /// Presses these keys, after the prompt; the phone tells each by INFO alone.
    Inform(&'static str),
    /// Presses these keys, after the prompt; each reaches us as an event, as tones, and by INFO.
    Thrice(&'static str),
    /// Speaks for so many milliseconds, and then presses a key, hangs up (`h`), or falls silent.
    Speak(u64, &'static str),
    /// Stays silent.
    Silent,
    /// Hangs up.
    HangUp,
}

/// A person: what to do at each asking of each question; the last entry holds for all later ones.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) phone: Phone,
    pub(super) reactions: BTreeMap<&'static str, Vec<Reaction>>,
    /// Offers another codec order at this question, before pressing anything.
    pub(super) reinvites_at: Option<&'static str>,
    /// Holds the call for three seconds at this question, before pressing anything.
    pub(super) holds_at: Option<&'static str>,
    /// What is said when the call asks whether its quotas have room.
    pub(super) quota: Room,
    /// Prompts with this text in them cannot be said.
    pub(super) unsaid: Option<&'static str>,
}

/// How a quota is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// There is room.
    Left,
    /// All are full.
    None,
    /// Nobody answers.
    Unknown,
}

impl Person {
    pub(super) fn new(phone: Phone) -> Self {
        Self {
            phone,
            reactions: BTreeMap::new(),
            reinvites_at: None,
            holds_at: None,
            quota: Room::Left,
            unsaid: None,
        }
    }

    /// A person who picks up after a second.
    pub(super) fn picks_up() -> Self {
        Self::new(Phone::PickedUp(Duration::from_secs(1)))
    }

    pub(super) fn at(mut self, question: &'static str, reactions: &[Reaction]) -> Self {
        self.reactions.insert(question, reactions.to_vec());
        self
    }

    /// Nothing with this text in it can be said to them.
    pub(super) fn unsaid(self, text: &'static str) -> Self {
        Self { unsaid: Some(text), ..self }
    }

    /// What they do when this question was asked and went wrong `failed` times before.
    pub(super) fn reaction(&self, question: &str, failed: usize) -> Reaction {
        let reactions = self.reactions.get(question).map(Vec::as_slice).unwrap_or_default();
        reactions.get(failed).or(reactions.last()).copied().unwrap_or(Reaction::Silent)
    }
}
