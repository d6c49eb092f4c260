//! The checked definition: what a questionnaire is once nothing is wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::answers::{Answers, AppointmentAsk, Confirm, Multi, MultiStyle, NonReply};
use super::compute::Compute;
use super::expression::Expression;
use super::key::Key;
use super::offer::Offer;
use super::prompt::Say;
use super::section::{Place, Sections, Target};
use super::spoken::SayAs;
use crate::id::Digest;

/// How an interview ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// All that the questionnaire wants to know is answered.
    Complete,
    /// Enough is answered to be counted (`partial when=`).
    Partial,
    /// Screened out: the callee is not of those who are asked.
    Ineligible,
    /// Enough people like this one have answered.
    QuotaFull,
    /// The callee said no, or pressed the opt-out key.
    Refusal,
    /// The callee left, or stayed silent, in the middle.
    BreakOff,
    /// The callee wants to be called at another time.
    Callback,
    /// The callee is handed to a person, or to another service.
    Transfer,
    /// The interview went beyond a limit of ours.
    Technical,
}

impl Outcome {
    /// All outcomes, as a questionnaire names them.
    pub const ALL: [Self; 9] = [
        Self::Complete,
        Self::Partial,
        Self::Ineligible,
        Self::QuotaFull,
        Self::Refusal,
        Self::BreakOff,
        Self::Callback,
        Self::Transfer,
        Self::Technical,
    ];

    /// Its name in a questionnaire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Ineligible => "ineligible",
            Self::QuotaFull => "quota-full",
            Self::Refusal => "refusal",
            Self::BreakOff => "break-off",
            Self::Callback => "callback",
            Self::Transfer => "transfer",
            Self::Technical => "technical",
        }
    }
}

/// What a key does that is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// Say the question again.
    Repeat,
    /// Ask the question before this one again.
    Back,
    /// Wait longer for an answer.
    MoreTime,
    /// Stop, and do not call again.
    OptOut,
}

impl Command {
    /// All commands, in the order of the language's description.
    pub const ALL: [Self; 4] = [Self::Repeat, Self::Back, Self::MoreTime, Self::OptOut];

    /// Its name in a questionnaire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Repeat => "repeat",
            Self::Back => "back",
            Self::MoreTime => "more-time",
            Self::OptOut => "opt-out",
        }
    }
}

/// A checked questionnaire. Whoever holds one can run interviews without errors.
///
/// ```text
/// items:  0 statement hello      a section is its items; `go` names the index it leads to;
///         1 choice consent       the item after the last one that is asked is the next in the list
///         2 number age
///         3 end done
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Questionnaire {
    pub(crate) digest: Digest,
    pub(crate) id: String,
    pub(crate) version: String,
    pub(crate) languages: Vec<String>,
    pub(crate) time_zone: Option<String>,
    /// Whether keys that are pressed while nothing can be answered are kept for the next questions.
    pub(crate) type_ahead: bool,
    pub(crate) more_time: MoreTime,
    pub(crate) contact_fields: Vec<ContactField>,
    pub(crate) computed: Vec<Compute>,
    pub(crate) quotas: Vec<Quota>,
    pub(crate) complete_when: Option<Expression>,
    pub(crate) partial_when: Option<Expression>,
    pub(crate) items: Vec<Item>,
    pub(crate) sections: Sections,
    /// The items by id.
    pub(crate) names: BTreeMap<String, usize>,
}

impl Questionnaire {
    /// SHA-256 of the file: what an interview is pinned to. See [`Questionnaire::with_recordings`].
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The recordings that it names, by their paths below its directory.
    #[must_use]
    pub fn recordings(&self) -> BTreeSet<String> {
        self.utterances().into_iter().filter_map(|said| said.audio).collect()
    }

    /// The same questionnaire, pinned to its recordings too: a prompt that is recorded anew makes another digest, so
    /// that interviews that go on hear the old one. One without recordings keeps the digest of its file.
    #[must_use]
    pub fn with_recordings(mut self, recordings: &BTreeMap<String, Digest>) -> Self {
        self.digest = Self::pinned(self.digest, recordings);
        self
    }

    /// The digest of one whose file has this digest, with these recordings.
    #[must_use]
    pub fn pinned(file: Digest, recordings: &BTreeMap<String, Digest>) -> Digest {
        if recordings.is_empty() {
            return file;
        }
        let lines = recordings.iter().map(|(path, digest)| format!("{digest} {path}\n"));
        let all: String = std::iter::once(format!("{file}\n")).chain(lines).collect();
        Digest::of(all.as_bytes())
    }

    /// Its `id`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its `version`, as written.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Its languages; the first is the one to begin in.
    #[must_use]
    pub fn languages(&self) -> &[String] {
        &self.languages
    }

    /// The time zone (IANA) of those contacts that bring none of their own.
    #[must_use]
    pub fn time_zone(&self) -> Option<&str> {
        self.time_zone.as_deref()
    }

    /// Whether keys that are pressed while nothing can be answered are kept for the next questions.
    #[must_use]
    pub const fn type_ahead(&self) -> bool {
        self.type_ahead
    }

    /// What the more-time key leads to.
    #[must_use]
    pub const fn more_time(&self) -> &MoreTime {
        &self.more_time
    }

    /// What must be known of a contact before the call.
    #[must_use]
    pub fn contact_fields(&self) -> &[ContactField] {
        &self.contact_fields
    }

    /// What is computed from contact fields and replies; each from those above it.
    #[must_use]
    pub fn computed(&self) -> &[Compute] {
        &self.computed
    }

    /// Quotas, counted by the campaign.
    #[must_use]
    pub fn quotas(&self) -> &[Quota] {
        &self.quotas
    }

    /// All items in document order.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The item of this id.
    #[must_use]
    pub fn item(&self, id: &str) -> Option<&Item> {
        self.items.get(self.index_of(id)?)
    }

    /// The index of the item of this id.
    pub(crate) fn index_of(&self, id: &str) -> Option<usize> {
        self.names.get(id).copied()
    }

    /// Index of the first end with this outcome: where a break-off or an opt-out is said goodbye to.
    #[must_use]
    pub(crate) fn end_of(&self, outcome: Outcome) -> Option<usize> {
        end_of(&self.items, outcome)
    }

    /// The sections; the first one is the questionnaire itself.
    #[must_use]
    pub const fn sections(&self) -> &Sections {
        &self.sections
    }

    /// The item to begin with; behind the last one if there is none.
    pub(crate) fn first(&self, seed: u32) -> usize {
        self.sections.first(0, Some(seed)).unwrap_or(self.items.len())
    }

    /// The item after this one in the order of a case; behind the last one if there is none.
    pub(crate) fn after(&self, item: usize, seed: u32) -> usize {
        let after = self.items.get(item).and_then(|item| self.sections.after(item.place, Some(seed)));
        after.unwrap_or(self.items.len())
    }

    /// The item that a `go` leads to in the order of a case.
    pub(crate) fn entry(&self, target: Target, seed: u32) -> usize {
        target.section.and_then(|section| self.sections.first(section, Some(seed))).unwrap_or(target.item)
    }

    /// All items in the order of a case.
    pub(crate) fn sequence(&self, seed: u32) -> Vec<usize> {
        let after = |item: &usize| Some(self.after(*item, seed)).filter(|item| *item < self.items.len());
        std::iter::successors(Some(self.first(seed)).filter(|item| *item < self.items.len()), after).collect()
    }

    /// The questions in document order: id and question.
    pub fn questions(&self) -> impl Iterator<Item = (&str, &Question)> {
        self.items.iter().filter_map(|item| item.question().map(|question| (item.id.as_str(), question)))
    }
}

/// Index of the first end with this outcome.
pub(super) fn end_of(items: &[Item], outcome: Outcome) -> Option<usize> {
    items.iter().position(|item| matches!(&item.kind, Kind::End(end) if end.outcome == outcome))
}

/// Something that is known of a contact before the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactField {
    /// Its name.
    pub name: String,
    /// Whether its values are numbers.
    pub is_number: bool,
    /// The value of those contacts that bring none; without it the field must be given.
    pub default: Option<String>,
    /// The forms in which it is said; each of its values must fit them.
    pub said_as: Vec<SayAs>,
}

/// At most `max` interviews of a kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Quota {
    /// Its name.
    pub id: String,
    /// How many.
    pub max: u32,
    /// Who counts.
    pub when: Expression,
    /// Where to go on when it is full.
    pub full: Target,
}

/// One step of a questionnaire.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Its id; a `go` without one has an empty id.
    pub id: String,
    /// The section it stands in (the innermost one), and which part of it it is.
    pub place: Place,
    /// Its own `ask-if` and those of its sections: passed over unless all are true.
    pub ask_if: Vec<Expression>,
    /// What it does.
    pub kind: Kind,
}

impl Item {
    /// Its question, if it is one.
    #[must_use]
    pub fn question(&self) -> Option<&Question> {
        match &self.kind {
            Kind::Question(question) => Some(question),
            Kind::Statement(_) | Kind::Go(_) | Kind::End(_) => None,
        }
    }
}

/// What an item does.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Says something.
    Statement(Statement),
    /// Asks something.
    Question(Box<Question>),
    /// Goes on elsewhere.
    Go(Go),
    /// Ends the interview.
    End(End),
}

/// Something said that asks nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// What is said, in all languages.
    pub say: Vec<Say>,
    /// Whether a key cuts it short.
    pub barge_in: bool,
}

/// Goes on elsewhere, if its condition is true.
#[derive(Clone, Debug, PartialEq)]
pub struct Go {
    /// The condition; without one it is always taken.
    pub when: Option<Expression>,
    /// Where to go on.
    pub to: Target,
}

/// The end of an interview.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// What is said before hanging up, in all languages; may be empty.
    pub say: Vec<Say>,
    /// How the interview ended.
    pub outcome: Outcome,
    /// Whom the callee is handed to, where the outcome is a transfer: a number or a SIP URI.
    pub transfer: Option<String>,
}

/// What the more-time key leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoreTime {
    /// Silence that counts as no input, from then on.
    pub wait: Duration,
    /// What is said, in all languages; may be empty.
    pub say: Vec<Say>,
}

/// A question.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The question itself, in all languages.
    pub say: Vec<Say>,
    /// Whether a key cuts the prompt short (and counts).
    pub barge_in: bool,
    /// Whether it takes keys that were pressed before it was asked.
    pub type_ahead: bool,
    /// Which keys are commands here.
    pub commands: Vec<(Key, Command)>,
    /// What can be answered.
    pub answers: Answers,
    /// How its options are offered.
    pub offer: Offer,
    /// Entries that are no reply: refused, not known.
    pub non_replies: Vec<NonReply>,
    /// Whether the entry is read back before it counts.
    pub confirm: Option<Confirm>,
    /// What happens when nothing or nonsense comes.
    pub retry: Retry,
    /// Where to go after a reply, by condition, in order; the first that is true is taken.
    pub screen_outs: Vec<Go>,
}

/// What happens when nothing or nonsense comes.
///
/// ```text
/// ask ── silence ──► no_input prompt 1 + question ── silence ──► prompt 2 + question ── silence ──► then
///                    └────────────── `no_input_again` times ──────────────────────┘
/// ```
/// A rung with a way of its own says its prompt and leaves there, before the others.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// Silence after the prompt that counts as no input.
    pub wait: Duration,
    /// Silence between two keys of one entry that ends it.
    pub inter_digit: Duration,
    /// How often the question is asked again after silence.
    pub no_input_again: u8,
    /// How often the question is asked again after keys that are no answer.
    pub no_match_again: u8,
    /// What is said at the first, second, … silence; the last one stays.
    pub no_input: Vec<Rung>,
    /// What is said at the first, second, … entry that is no answer; the last one stays.
    pub no_match: Vec<Rung>,
    /// What comes after the last time.
    pub then: Then,
}

/// What is said at one step of a ladder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rung {
    /// What is said, in all languages.
    pub say: Vec<Say>,
    /// Whether the question itself follows.
    pub reprompt: bool,
    /// Whether a key cuts it short; none: as it is with the question.
    pub barge_in: Option<bool>,
    /// Where it leads after its prompt; none: the question is asked again.
    pub then: Option<Then>,
}

/// What comes after the last time that a question was asked in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Go on with the next item; the question stays without a reply.
    Skip,
    /// Go on with the next item; the question counts as refused.
    Refuse,
    /// End the interview.
    BreakOff,
    /// End the interview where the callee is handed to a person.
    Transfer,
    /// Go on there.
    Go(Target),
}

impl Retry {
    /// Every way that leaves the question without a reply.
    pub(crate) fn ways(&self) -> impl Iterator<Item = Then> {
        let rungs = self.no_input.iter().chain(&self.no_match);
        rungs.filter_map(|rung| rung.then).chain([self.then])
    }
}

impl Question {
    /// Everything that may be said at it, in all languages.
    pub fn spoken(&self) -> impl Iterator<Item = &Say> {
        let rungs = self.retry.no_input.iter().chain(&self.retry.no_match);
        let asked = self.asked().into_iter().flatten();
        asked.chain(rungs.flat_map(|rung| &rung.say))
    }

    /// What may be said to ask it, and to ask what follows from the first entry; in all languages. What its options
    /// are offered by comes besides.
    pub(crate) fn asked(&self) -> Vec<&[Say]> {
        let mut says: Vec<&[Say]> = vec![&self.say];
        match &self.answers {
            Answers::Choice(_) | Answers::Number(_) | Answers::Scale(_) => {}
            Answers::Digits(_) | Answers::Date(_) => {}
            Answers::Language(options) => says.extend(options.iter().map(|option| option.say.as_slice())),
            Answers::Multi(Multi { style: MultiStyle::Keys { .. }, .. }) => {}
            Answers::Multi(_) if !self.offer.say.is_empty() => {}
            Answers::Multi(multi) => says.extend(multi.options.iter().map(|option| option.say.as_slice())),
            Answers::Time(time) => says.push(&time.half_day.say),
            Answers::Record(recording) => {
                says.extend(recording.review.as_ref().map(|review| review.say.as_slice()));
            }
            Answers::Appointment(appointment) => match &appointment.ask {
                AppointmentAsk::DateAndTime { time, say, .. } => {
                    says.extend([say.as_slice(), &time.half_day.say])
                }
                AppointmentAsk::Slots(slots) => says.extend(slots.iter().map(|slot| slot.say.as_slice())),
            },
        }
        says.extend(self.confirm.as_ref().map(|confirm| confirm.say.as_slice()));
        says
    }
}
