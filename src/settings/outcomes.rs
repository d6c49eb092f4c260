//! What endings mean: hanging up early, and the refusals of a trunk.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use super::units::wrong;
use crate::outcome::{Disposition, OF_REFUSALS, Overrides};
use crate::xml::did_you_mean;

/// What a cause of Q.850 begins with, as a key.
const CAUSE: &str = "q850-";

/// `[outcomes]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Outcomes {
    /// What it is if somebody hangs up before anything is answered but the language.
    #[serde(deserialize_with = "hang_up")]
    pub hang_up_before_consent: Disposition,
}

impl Default for Outcomes {
    fn default() -> Self {
        Self { hang_up_before_consent: Disposition::BreakOff }
    }
}

fn hang_up<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Disposition, D::Error> {
    one_of(&String::deserialize(deserializer)?, &[Disposition::BreakOff, Disposition::Refusal])
}

/// What refusals of a trunk mean: `{ 480 = "temporarily_out", q850-21 = "call_blocked" }`.
pub(super) fn of_refusals<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Overrides, D::Error> {
    let mut overrides = Overrides::default();
    for (refusal, word) in BTreeMap::<String, String>::deserialize(deserializer)? {
        let disposition = one_of(&word, &OF_REFUSALS)?;
        let cause = refusal.strip_prefix(CAUSE).map(str::parse::<u8>);
        let is_known = match (cause, refusal.parse::<u16>()) {
            (Some(Ok(cause @ 1..=127)), _) => overrides.causes.insert(cause, disposition).is_none(),
            (None, Ok(status @ 300..=699)) => overrides.statuses.insert(status, disposition).is_none(),
            _ => {
                let mend = "a SIP status from 300 to 699, such as 480, or a Q.850 cause, such as q850-21";
                return Err(wrong(format_args!("`{refusal}` is no refusal"), mend));
            }
        };
        if !is_known {
            return Err(wrong(
                format_args!("`{refusal}` stands here twice"),
                "write its number without zeros",
            ));
        }
    }
    Ok(overrides)
}

fn one_of<E: serde::de::Error>(word: &str, all: &[Disposition]) -> Result<Disposition, E> {
    let words = || all.iter().map(|disposition| disposition.as_str());
    all.iter().copied().find(|disposition| disposition.as_str() == word).ok_or_else(|| {
        let mend = did_you_mean(word, words()).unwrap_or_else(|| words().collect::<Vec<_>>().join(", "));
        wrong(format_args!("`{word}` is no outcome here"), mend)
    })
}
