//! What can be answered, and how it is keyed: a shape for each kind of question.
//!
//! ```text
//! choice, yes-no    one of some strings of keys        number, scale   digits, `*` as the point
//! language          the same                           digits          a string of digits
//! multi             several keys, or one by one        date, time      digits in a fixed order
//! record            a voice                            appointment     a date and a time, or a slot
//! ```

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::calendar::{Clock, DateFormat, DayBound, TimeRange};
use super::decimal::Decimal;
use super::key::Key;
use super::prompt::Say;
use super::section::Target;
use super::value::Value;

/// The key that is the point of a decimal number.
pub(crate) const POINT: char = '*';

/// What can be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answers {
    /// One of some options (`choice`, `yes-no`).
    Choice(Vec<Choice>),
    /// A language to go on in (`language`); the options are said as part of the question.
    Language(Vec<Choice>),
    /// A number (`number`).
    Number(NumberRange),
    /// A place on a scale (`scale`).
    Scale(Scale),
    /// Digits that are no number: an id, a telephone number (`digits`).
    Digits(DigitString),
    /// Several of some options (`multi`).
    Multi(Multi),
    /// A date, a month or a year (`date`).
    Date(DateEntry),
    /// A time of day (`time`).
    Time(TimeEntry),
    /// What the callee says (`record`).
    Record(Recording),
    /// When to call again (`appointment`).
    Appointment(Appointment),
}

impl Answers {
    /// The options, where one of several is chosen.
    #[must_use]
    pub fn choices(&self) -> Option<&[Choice]> {
        match self {
            Self::Choice(choices) | Self::Language(choices) => Some(choices),
            Self::Number(_)
            | Self::Scale(_)
            | Self::Digits(_)
            | Self::Multi(_)
            | Self::Date(_)
            | Self::Time(_)
            | Self::Record(_)
            | Self::Appointment(_) => None,
        }
    }

    /// The options, where each is asked by itself.
    #[must_use]
    pub const fn asked_one_by_one(&self) -> Option<&[MultiOption]> {
        match self {
            Self::Multi(Multi { style: MultiStyle::OneByOne { .. }, options, .. }) => {
                Some(options.as_slice())
            }
            Self::Choice(_)
            | Self::Language(_)
            | Self::Number(_)
            | Self::Scale(_)
            | Self::Digits(_)
            | Self::Multi(_)
            | Self::Date(_)
            | Self::Time(_)
            | Self::Record(_)
            | Self::Appointment(_) => None,
        }
    }

    /// The range, where a number is keyed.
    #[must_use]
    pub const fn range(&self) -> Option<&NumberRange> {
        match self {
            Self::Number(range) | Self::Scale(Scale { range, .. }) => Some(range),
            Self::Choice(_)
            | Self::Language(_)
            | Self::Digits(_)
            | Self::Multi(_)
            | Self::Date(_)
            | Self::Time(_)
            | Self::Record(_)
            | Self::Appointment(_) => None,
        }
    }

    /// The key that ends an entry (VoiceXML `termchar`).
    #[must_use]
    pub const fn end(&self) -> Option<Key> {
        match self {
            Self::Number(range) | Self::Scale(Scale { range, .. }) => range.end,
            Self::Digits(DigitString { end, .. })
            | Self::Date(DateEntry { end, .. })
            | Self::Time(TimeEntry { end, .. })
            | Self::Multi(Multi { style: MultiStyle::Keys { end }, .. }) => *end,
            Self::Appointment(Appointment { ask: AppointmentAsk::DateAndTime { date, .. }, .. }) => date.end,
            Self::Choice(_) | Self::Language(_) | Self::Multi(_) | Self::Record(_) | Self::Appointment(_) => {
                None
            }
        }
    }
}

/// One option of a choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The keys that choose it, mostly one.
    pub keys: String,
    /// The value that is kept; a number if all options of the question have numbers.
    pub value: Value,
    /// How the value is said when it is piped, in all languages; empty: as it is written.
    pub say: Vec<Say>,
    /// The language that the interview goes on in.
    pub language: Option<String>,
    /// Where to go on; without it with the next item.
    pub go: Option<Target>,
}

/// Which numbers can be answered, and how they are keyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumberRange {
    /// The least number, in units of `10^-places`.
    pub min: u64,
    /// The greatest number, in units of `10^-places`.
    pub max: u64,
    /// Most digits behind the point, which is keyed as `*`; 0 for whole numbers.
    pub places: u8,
    /// The fewest digits that may be keyed (before the point).
    pub min_digits: u8,
    /// The most digits that may be keyed (before the point).
    pub max_digits: u8,
    /// The key that ends the entry (VoiceXML `termchar`).
    pub end: Option<Key>,
}

impl NumberRange {
    /// Whether a value is a number in it.
    #[must_use]
    pub fn holds(&self, value: &Value) -> bool {
        let (least, most) = (Value::Number(self.number(self.min)), Value::Number(self.number(self.max)));
        matches!(value, Value::Number(_)) && (least..=most).contains(value)
    }

    /// The number that stands in units of `10^-places` in this range.
    #[must_use]
    pub fn number(&self, scaled: u64) -> Decimal {
        Decimal::new(i64::try_from(scaled).unwrap_or(i64::MAX), self.places)
    }
}

/// A scale: whole numbers, some of which have a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scale {
    /// Its ends.
    pub range: NumberRange,
    /// The points that have a name.
    pub labels: Vec<ScaleLabel>,
}

/// The name of a point on a scale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScaleLabel {
    /// The point.
    pub value: u64,
    /// How it is said when it is piped, in all languages.
    pub say: Vec<Say>,
}

/// Strings of digits that can be answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigitString {
    /// The fewest digits.
    pub min: u8,
    /// The most digits.
    pub max: u8,
    /// The forms, of which it must have one; empty: any.
    pub patterns: Vec<DigitPattern>,
    /// The key that ends the entry.
    pub end: Option<Key>,
}

/// A form of a string of digits, such as `07xxxxxxxx` or `[12]xx`: which digits may stand at each place,
/// bit n for the digit n.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigitPattern(pub Vec<u16>);

/// Several of some options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Multi {
    /// The options, 32 at most.
    pub options: Vec<MultiOption>,
    /// How they are chosen.
    pub style: MultiStyle,
    /// The fewest that must be chosen.
    pub min: u8,
    /// The most that may be chosen.
    pub max: u8,
}

/// One option of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MultiOption {
    /// The keys that choose it; empty where the options are asked one by one.
    pub keys: String,
    /// The value that is kept.
    pub value: String,
    /// What is asked one by one, and how the value is said when it is piped, in all languages.
    pub say: Vec<Say>,
    /// Whether it excludes all others ("none of these").
    pub exclusive: bool,
}

/// How several options are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MultiStyle {
    /// Their keys are pressed one after the other.
    Keys {
        /// The key that ends the entry.
        end: Option<Key>,
    },
    /// Each option is said, and answered with yes or no.
    OneByOne {
        /// The key for yes.
        yes: Key,
        /// The key for no.
        no: Key,
    },
}

/// Dates that can be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DateEntry {
    /// The order of its digits.
    pub format: DateFormat,
    /// The earliest day.
    pub min: Option<DayBound>,
    /// The latest day.
    pub max: Option<DayBound>,
    /// The key that ends the entry.
    pub end: Option<Key>,
}

/// Times of day that can be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeEntry {
    /// 24 hours, or 12 and the half of the day.
    pub clock: Clock,
    /// From when to when.
    pub range: TimeRange,
    /// How the half of the day is asked for.
    pub half_day: HalfDay,
    /// The key that ends the entry.
    pub end: Option<Key>,
}

/// The question after a time on a clock of 12 hours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HalfDay {
    /// The key for the hours before noon.
    pub am: Key,
    /// The key for the hours after it.
    pub pm: Key,
    /// What is said, in all languages; empty on a clock of 24 hours.
    pub say: Vec<Say>,
}

/// A voice that is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// The longest recording.
    pub max: Duration,
    /// Silence that ends it; none: only a key, or its length.
    pub silence_end: Option<Duration>,
    /// Keys that end it.
    pub term_chars: Vec<Key>,
    /// Whether a tone says when to speak.
    pub beep: bool,
    /// Whether the callee can listen to it, and speak again.
    pub review: Option<Review>,
}

/// What can be done with a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// The key that plays it.
    pub listen: Key,
    /// The key that records it again.
    pub again: Key,
    /// The key that keeps it.
    pub keep: Key,
    /// What is said, in all languages.
    pub say: Vec<Say>,
}

/// When to call again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appointment {
    /// The least time from now.
    pub earliest: Duration,
    /// The most time from now.
    pub latest: Duration,
    /// The hours of the day, in the callee's time zone.
    pub hours: TimeRange,
    /// The days of the week, bit 0 for Monday.
    pub weekdays: u8,
    /// How it is asked for.
    pub ask: AppointmentAsk,
    /// Where to go on; without it the interview ends as `callback`.
    pub go: Option<Target>,
}

/// How an appointment is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppointmentAsk {
    /// A date, then a time.
    DateAndTime {
        /// The date.
        date: DateEntry,
        /// The time.
        time: TimeEntry,
        /// How the time is asked for, in all languages.
        say: Vec<Say>,
    },
    /// One of some times.
    Slots(Vec<Slot>),
}

/// A time that is offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The key that chooses it.
    pub key: Key,
    /// Its day.
    pub day: SlotDay,
    /// Minutes since midnight.
    pub minute: u16,
    /// How it is offered, in all languages.
    pub say: Vec<Say>,
}

/// The day of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotDay {
    /// So many days from today.
    In(u16),
    /// The next day of the week of this number, 0 for Monday; today counts.
    Weekday(u8),
}

/// An entry that is no reply: the callee refuses, or does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NonReply {
    /// Which of the two.
    pub why: WhyNot,
    /// Its keys, mostly one.
    pub keys: String,
    /// Where to go on; without it with the next item.
    pub go: Option<Target>,
}

/// Why there is no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyNot {
    /// The callee does not want to say (`refuse`).
    Refused,
    /// The callee does not know (`dont-know`).
    DontKnow,
}

/// An entry is read back before it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirm {
    /// The key for yes.
    pub yes: Key,
    /// The key for entering it again.
    pub no: Key,
    /// What is said, in all languages.
    pub say: Vec<Say>,
}
