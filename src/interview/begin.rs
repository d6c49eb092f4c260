//! The beginning of an interview: are the contact's fields those that the questionnaire needs?

use std::collections::BTreeMap;

use super::part::Draft;
use super::trail::Trail;
use super::{Interview, Stage};
use crate::questionnaire::{ContactField, Decimal, Questionnaire, time_zone};
use crate::time::Timestamp;
use crate::xml::did_you_mean;

/// Characters of a contact field's value; it is part of each save of a call.
const MAX_VALUE_CHARACTERS: usize = 120;
/// The field that chooses the language, declared or not.
const LANGUAGE: &str = "language";

/// The field with the contact's time zone, declared or not.
const TIME_ZONE: &str = "time_zone";
/// The time zone where neither the contact nor the questionnaire names one.
const UTC: &str = "UTC";

/// Why an interview cannot begin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BeginError {
    /// A contact field has no value.
    #[error("the contact field `{name}` has no value (set it, or give it a default= in the questionnaire)")]
    MissingField {
        /// Its name.
        name: String,
    },
    /// A value was given to a field that the questionnaire does not declare.
    #[error("the questionnaire has no contact field `{name}` ({mend})")]
    UnknownField {
        /// The name that was given.
        name: String,
        /// What may have been meant, or what to do.
        mend: String,
    },
    /// A value is not of its field's type, or too long.
    #[error("the contact field `{name}` cannot be `{value}`: {why}")]
    BadField {
        /// Its name.
        name: String,
        /// The value, shortened.
        value: String,
        /// What is wrong with it.
        why: String,
    },
    /// The field `time_zone` names no time zone.
    #[error("there is no time zone `{zone}` (write one such as Africa/Nairobi)")]
    UnknownTimeZone {
        /// What was given.
        zone: String,
    },
    /// The field `language` names a language that the questionnaire does not speak.
    #[error("the questionnaire does not speak `{language}` (it speaks {spoken})")]
    UnknownLanguage {
        /// The language that was asked for.
        language: String,
        /// The questionnaire's languages.
        spoken: String,
    },
}

impl Interview {
    /// Begins an interview. It starts in the language of the field `language`, if there is one, else in
    /// the questionnaire's first. Orders are drawn from the seed: each attempt of a case has the same.
    ///
    /// # Errors
    /// If the fields are not those that the questionnaire needs.
    pub fn begin(
        questionnaire: &Questionnaire,
        fields: &BTreeMap<String, String>,
        seed: u32,
    ) -> Result<Self, BeginError> {
        let declared = questionnaire.contact_fields();
        for name in fields.keys() {
            if name != LANGUAGE && name != TIME_ZONE && !declared.iter().any(|field| field.name == *name) {
                let mend = did_you_mean(name, declared.iter().map(|field| field.name.as_str()));
                let mend =
                    mend.unwrap_or_else(|| format!("declare it with <contact-field name=\"{name}\"/>"));
                return Err(BeginError::UnknownField { name: name.clone(), mend });
            }
        }
        let mut kept = BTreeMap::new();
        for field in declared {
            let value = fields.get(&field.name).or(field.default.as_ref());
            let value = value.ok_or_else(|| BeginError::MissingField { name: field.name.clone() })?;
            check(field, value)?;
            kept.insert(field.name.clone(), value.clone());
        }
        Ok(Self {
            digest: questionnaire.digest(),
            seed,
            language: language(questionnaire, fields)?,
            time_zone: zone(questionnaire, fields)?,
            began_at: Timestamp::EPOCH,
            fields: kept,
            stage: Stage::Ready,
            draft: Draft::default(),
            records: BTreeMap::new(),
            quotas: BTreeMap::new(),
            steps: 0,
            late_term_char: None,
            trail: Trail::default(),
        })
    }
}

/// Whether a contact's field can have this value. Of names that the questionnaire does not know nothing is
/// said: a file of contacts may have more columns.
///
/// # Errors
/// As [`Interview::begin`].
pub fn check_field(questionnaire: &Questionnaire, name: &str, value: &str) -> Result<(), BeginError> {
    if let Some(field) = questionnaire.contact_fields().iter().find(|field| field.name == name) {
        check(field, value)?;
    }
    let alone = BTreeMap::from([(name.to_owned(), value.to_owned())]);
    language(questionnaire, &alone)?;
    zone(questionnaire, &alone).map(drop)
}

fn check(field: &ContactField, value: &str) -> Result<(), BeginError> {
    let why = if value.chars().count() > MAX_VALUE_CHARACTERS {
        format!("it has more than {MAX_VALUE_CHARACTERS} characters")
    } else if value.chars().any(char::is_control) {
        "it has a control character".to_owned()
    } else if field.is_number && value.parse::<Decimal>().is_err() {
        "it is no number".to_owned()
    } else if let Some(why) = field.said_as.iter().find_map(|say_as| say_as.check(value).err()) {
        why
    } else {
        return Ok(());
    };
    let value = value.chars().take(40).collect();
    Err(BeginError::BadField { name: field.name.clone(), value, why })
}

/// The time zone of the contact, or else of the questionnaire.
fn zone(questionnaire: &Questionnaire, fields: &BTreeMap<String, String>) -> Result<String, BeginError> {
    let wanted = fields.get(TIME_ZONE).filter(|zone| !zone.is_empty()).map(String::as_str);
    let declared = questionnaire.contact_fields().iter().find(|field| field.name == TIME_ZONE);
    let default = declared.and_then(|field| field.default.as_deref());
    let zone = wanted.or(default).or(questionnaire.time_zone()).unwrap_or(UTC);
    match time_zone(zone) {
        Some(_) => Ok(zone.to_owned()),
        None => Err(BeginError::UnknownTimeZone { zone: zone.chars().take(40).collect() }),
    }
}

fn language(questionnaire: &Questionnaire, fields: &BTreeMap<String, String>) -> Result<String, BeginError> {
    let languages = questionnaire.languages();
    let Some(wanted) = fields.get(LANGUAGE).filter(|wanted| !wanted.is_empty()) else {
        return Ok(languages.first().cloned().unwrap_or_default());
    };
    languages.iter().find(|language| *language == wanted).cloned().ok_or_else(|| {
        BeginError::UnknownLanguage {
            language: wanted.chars().take(40).collect(),
            spoken: languages.join(", "),
        }
    })
}
