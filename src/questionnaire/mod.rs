//! Questionnaire XML, read to a checked definition. Pure.
//!
//! ```text
//! bytes ──► xml::parse ──► load (elements → items) ──► check (flow, keys, expressions) ──► Questionnaire
//!                 └──────────────┴───────────────────────────┴──► findings, all in one pass
//! ```
//! docs/questionnaire.md is the reference for people who write one.

mod answers;
mod calendar;
pub mod checks;
mod compute;
mod decimal;
mod expression;
mod key;
mod load;
mod model;
mod offer;
mod order;
mod parts;
mod prompt;
mod said;
mod samples;
mod section;
pub mod spoken;
mod value;

pub(crate) use answers::POINT;
pub use answers::{
    Answers, Appointment, AppointmentAsk, Choice, Confirm, DateEntry, DigitPattern, DigitString, HalfDay,
    Multi, MultiOption, MultiStyle, NonReply, NumberRange, Recording, Review, Scale, ScaleLabel, Slot,
    SlotDay, TimeEntry, WhyNot,
};
pub(crate) use calendar::time_zone;
pub use calendar::{Clock, DateFormat, DatePart, DayBound, Precision, TimeRange, minute_of_day};
pub use compute::{Case, Compute};
pub use decimal::{Decimal, NoDecimal};
pub use expression::{Expression, Facts, Fault, Known, Type, Variable, Variables};
pub use key::Key;
pub use model::{
    Command, ContactField, End, Go, Item, Kind, MoreTime, Outcome, Question, Questionnaire, Quota, Retry,
    Rung, Statement, Then,
};
pub use offer::Offer;
pub(crate) use offer::{KEY, OPTION};
pub use order::{Anchor, Order};
pub use parts::Part;
pub use prompt::{Piece, Prompt, Say, Sound, Utterance};
pub use said::Filling;
pub use section::{Member, Place, Section, Sections, Target};
pub use value::Value;

use crate::xml::Finding;

/// The namespace of questionnaires.
pub const NAMESPACE: &str = "urn:baton:questionnaire:1";

/// The rules of the language as an XML Schema for editors: docs/questionnaire.xsd.
#[must_use]
pub fn xsd() -> String {
    load::SCHEMA.xsd()
}

impl Questionnaire {
    /// Reads a questionnaire; recordings are not looked for.
    ///
    /// # Errors
    /// All findings of the file, errors and warnings, by place. Otherwise the warnings come with it.
    pub fn load(file_name: &str, bytes: &[u8]) -> Result<(Self, Vec<Finding>), Vec<Finding>> {
        Self::load_with(file_name, bytes, &|_| true)
    }

    /// Reads a questionnaire and asks `has_audio` for each recording, by its path relative to the file.
    ///
    /// # Errors
    /// As [`Questionnaire::load`]; a recording that is missing is an error.
    pub fn load_with(
        file_name: &str,
        bytes: &[u8],
        has_audio: &dyn Fn(&str) -> bool,
    ) -> Result<(Self, Vec<Finding>), Vec<Finding>> {
        load::load(file_name, bytes, has_audio)
    }
}
