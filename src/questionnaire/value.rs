//! Values of replies and contact fields.

use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::decimal::Decimal;

/// The value of a reply or a contact field.
///
/// Dates, times and appointments are texts in the forms of ISO 8601 and RFC 3339: `2026-11-23`, `2026-11`,
/// `15:30`, `2026-11-23T15:30:00+03:00`. Those of one kind are in the order of their texts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// A number.
    Number(Decimal),
    /// The value of an option, digits, a date, a time, the name of a recording.
    Text(String),
    /// The values of all options that were chosen (`multi`), in the order of the questionnaire.
    Set(Vec<String>),
}

impl Value {
    /// The values that were chosen, if it is a set.
    #[must_use]
    pub fn set(&self) -> Option<&[String]> {
        match self {
            Self::Set(values) => Some(values),
            Self::Number(_) | Self::Text(_) => None,
        }
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(Decimal::from(number))
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
            Self::Set(values) => f.write_str(&values.join(";")),
        }
    }
}

/// The form of a value in a record, where a reader must be told what comes.
#[derive(Serialize, Deserialize)]
enum Tagged<'a> {
    Number(Decimal),
    Text(std::borrow::Cow<'a, str>),
    Set(std::borrow::Cow<'a, [String]>),
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let people = serializer.is_human_readable();
        match self {
            Self::Number(number) if people => match number.integer() {
                Some(whole) => serializer.serialize_i64(whole),
                None => serializer.serialize_f64(number.as_f64()),
            },
            Self::Text(text) if people => serializer.serialize_str(text),
            Self::Set(values) if people => values.serialize(serializer),
            Self::Number(number) => Tagged::Number(*number).serialize(serializer),
            Self::Text(text) => Tagged::Text(text.into()).serialize(serializer),
            Self::Set(values) => Tagged::Set(values.into()).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return deserializer.deserialize_any(Plain);
        }
        Ok(match Tagged::deserialize(deserializer)? {
            Tagged::Number(number) => Self::Number(number),
            Tagged::Text(text) => Self::Text(text.into_owned()),
            Tagged::Set(values) => Self::Set(values.into_owned()),
        })
    }
}

/// Reads a number, a text or a list of texts as people write them.
struct Plain;

impl<'de> Visitor<'de> for Plain {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a number, a text or a list of texts")
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(Decimal::new(number, 0)))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Value, E> {
        number.to_string().parse().map(Value::Number).map_err(E::custom)
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = sequence.next_element()? {
            values.push(value);
        }
        Ok(Value::Set(values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_from_json_and_from_a_record() {
        let number = |text: &str| Value::Number(text.parse().unwrap());
        let texts = |values: &[&str]| Value::Set(values.iter().map(|value| (*value).to_owned()).collect());
        for (value, json) in [
            (number("42"), "42"),
            (number("36.6"), "36.6"),
            (number("0.1"), "0.1"),
            (number("-2.5"), "-2.5"),
            (number("-2"), "-2"),
            (number("123456789.012345"), "123456789.012345"),
            (Value::Text("0042".to_owned()), "\"0042\""),
            (texts(&["radio", "tv"]), "[\"radio\",\"tv\"]"),
            (texts(&[]), "[]"),
        ] {
            assert_eq!(serde_json::to_string(&value).unwrap(), json);
            assert_eq!(serde_json::from_str::<Value>(json).unwrap(), value);
            let record = postcard::to_stdvec(&value).unwrap();
            assert_eq!(postcard::from_bytes::<Value>(&record).unwrap(), value);
        }
    }
}
