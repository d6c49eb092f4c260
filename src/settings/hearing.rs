//! Values that say what a call listens to.

use std::time::Duration;

use serde::de::IntoDeserializer;
use serde::{Deserialize, Deserializer};

use super::units::{Text, duration_within, wrong};
use crate::call::OnTone;
use crate::interview::Method;

/// The names of the ways by which a key reaches us.
const METHODS: [(&str, Method); 3] =
    [("rfc4733", Method::Rfc4733), ("info", Method::SipInfo), ("inband", Method::InBand)];
const ON_TONE: [(&str, OnTone); 3] =
    [("end", OnTone::End), ("note", OnTone::Note), ("ignore", OnTone::Ignore)];

pub(super) fn all_methods() -> Vec<Method> {
    METHODS.map(|(_, method)| method).to_vec()
}

/// The ways by which keys are taken.
pub(super) fn dtmf<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Method>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    let mut methods = Vec::with_capacity(METHODS.len());
    for name in &names {
        let (_, method) = METHODS.iter().find(|(known, _)| known == name).ok_or_else(|| {
            wrong::<D::Error>(
                format_args!("`{name}` is no way for keys"),
                METHODS.map(|(name, _)| name).join(", "),
            )
        })?;
        if methods.contains(method) {
            return Err(wrong(format_args!("`{name}` stands here twice"), "name each way once"));
        }
        methods.push(*method);
    }
    if methods.is_empty() {
        return Err(wrong("without keys nobody can answer", "dtmf = [\"rfc4733\", \"info\", \"inband\"]"));
    }
    Ok(methods)
}

/// What a tone of a machine or of the network leads to.
pub(super) fn on_tone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<OnTone, D::Error> {
    let name = String::deserialize(deserializer)?;
    ON_TONE.iter().find(|(known, _)| *known == name).map(|(_, on_tone)| *on_tone).ok_or_else(|| {
        wrong(format_args!("`{name}` says nothing of tones"), ON_TONE.map(|(name, _)| name).join(", "))
    })
}

pub(super) const fn usual_timeout() -> Duration {
    Duration::from_secs(30)
}

/// How long nothing may come in; `never` is zero.
pub(super) fn media_timeout<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = deserializer.deserialize_any(Text { example: "30s" })?;
    if text == "never" {
        return Ok(Duration::ZERO);
    }
    let text: serde::de::value::StringDeserializer<D::Error> = text.into_deserializer();
    duration_within(text, "30s", Duration::from_secs(1), Duration::from_secs(600))
}
