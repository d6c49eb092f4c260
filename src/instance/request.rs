//! A request for one call, as it comes from outside: every mistake with its place, a JSON Pointer (RFC 6901).
//!
//! ```json
//! { "to": "+254712345678", "questionnaire": "clinic", "fields": {"first_name": "Asha"} }
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::dialplan::{PostDial, RING_TIMEOUT, is_caller_id};
use crate::id::Digest;
use crate::xml;

/// Bytes of a text.
const MAX_TEXT: usize = 512;
/// Contact fields.
const MAX_FIELDS: usize = 256;
/// Bytes of the value of one; the interview has its own limits below it.
const MAX_FIELD: usize = 4_096;

/// Its members.
const MEMBERS: [&str; 10] = [
    "to",
    "questionnaire",
    "fields",
    "trunk",
    "context",
    "caller_id",
    "ring_timeout",
    "post_dial",
    "seed",
    "case",
];

/// One call that somebody wants. Serialised it is the same text for the same request, however it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRequest {
    /// Whom to call: a number, or a `sip:` URI at the trunk.
    pub to: String,
    /// Id of the questionnaire.
    pub questionnaire: String,
    /// What is known of the contact.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
    /// Past the dialplan, through this trunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trunk: Option<String>,
    /// The context of the dialplan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// The number to show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller_id: Option<String>,
    /// How long it may ring, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ring_timeout_ms: Option<u64>,
    /// Keys to send after the answer, as they were written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post_dial: Option<String>,
    /// What orders are drawn from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u32>,
    /// The case that it is an attempt of, by the name that its owner gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case: Option<String>,
}

/// What is wrong at a place of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mistake {
    /// Where: a JSON Pointer.
    pub pointer: String,
    /// What, and what to do.
    pub detail: String,
}

impl Mistake {
    /// At a member of the request.
    #[must_use]
    pub fn at(member: &str, detail: impl Into<String>) -> Self {
        Self { pointer: format!("/{}", escaped(member)), detail: detail.into() }
    }

    /// At a contact field.
    #[must_use]
    pub fn at_field(name: &str, detail: impl Into<String>) -> Self {
        Self { pointer: format!("/fields/{}", escaped(name)), detail: detail.into() }
    }
}

/// RFC 6901 §3.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

impl CallRequest {
    /// Reads a request.
    ///
    /// # Errors
    /// All mistakes that can be seen without the questionnaire.
    pub fn read(value: &Value) -> Result<Self, Vec<Mistake>> {
        let Value::Object(members) = value else {
            let detail = "the request is an object: {\"to\": …, \"questionnaire\": …}".to_owned();
            return Err(vec![Mistake { pointer: String::new(), detail }]);
        };
        let mut reading = Reading { members, mistakes: Vec::new() };
        reading.unknown();
        let request = Self {
            to: reading.required("to", "a number such as \"+254712345678\""),
            questionnaire: reading.required("questionnaire", "the id of a questionnaire"),
            fields: reading.fields(),
            trunk: reading.text("trunk"),
            context: reading.text("context"),
            caller_id: reading.caller_id(),
            ring_timeout_ms: reading.ring_timeout(),
            post_dial: reading.post_dial(),
            seed: reading.seed(),
            case: reading.text("case"),
        };
        if reading.mistakes.is_empty() { Ok(request) } else { Err(reading.mistakes) }
    }

    /// What orders are drawn from: all attempts of a case hear the same.
    #[must_use]
    pub fn order_seed(&self) -> Option<u32> {
        let of_case = || {
            let [a, b, c, d, ..] = *Digest::of(self.case.as_ref()?.as_bytes()).as_bytes();
            Some(u32::from_be_bytes([a, b, c, d]))
        };
        self.seed.or_else(of_case)
    }

    /// How long it may ring.
    #[must_use]
    pub fn ring_timeout(&self) -> Option<Duration> {
        self.ring_timeout_ms.map(Duration::from_millis)
    }

    /// Keys to send after the answer.
    #[must_use]
    pub fn post_dial(&self) -> Option<PostDial> {
        self.post_dial.as_ref().and_then(|keys| keys.parse().ok())
    }

    /// The contact fields of a request as [`CallRequest`] serialises; none of one that is not.
    #[must_use]
    pub fn fields_of(text: &str) -> BTreeMap<String, String> {
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        let fields = value.get("fields").cloned().unwrap_or_default();
        serde_json::from_value(fields).unwrap_or_default()
    }
}

struct Reading<'a> {
    members: &'a Map<String, Value>,
    mistakes: Vec<Mistake>,
}

impl Reading<'_> {
    fn wrong(&mut self, member: &str, detail: impl Into<String>) {
        self.mistakes.push(Mistake::at(member, detail));
    }

    fn unknown(&mut self) {
        for name in self.members.keys().filter(|name| !MEMBERS.contains(&name.as_str())) {
            let mend = xml::did_you_mean(name, MEMBERS.iter().copied());
            let mend = mend.unwrap_or_else(|| format!("there are {}", MEMBERS.join(", ")));
            self.mistakes.push(Mistake::at(name, format!("there is no such member ({mend})")));
        }
    }

    /// A member that is there; `null` is as if it were not.
    fn member(&self, name: &str) -> Option<&Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    fn text(&mut self, name: &str) -> Option<String> {
        match self.member(name)? {
            Value::String(text) if is_text(text, MAX_TEXT) => Some(text.clone()),
            Value::String(_) => {
                self.wrong(name, format!("1 to {MAX_TEXT} bytes without control characters"));
                None
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                self.wrong(name, "this is a text, in quotation marks");
                None
            }
        }
    }

    fn required(&mut self, name: &str, what: &str) -> String {
        if self.member(name).is_none() {
            self.wrong(name, format!("it is missing; write {what}"));
        }
        self.text(name).unwrap_or_default()
    }

    fn fields(&mut self) -> BTreeMap<String, String> {
        let fields = match self.member("fields") {
            None => return BTreeMap::new(),
            Some(Value::Object(fields)) if fields.len() <= MAX_FIELDS => fields.clone(),
            Some(Value::Object(_)) => {
                self.wrong("fields", format!("at most {MAX_FIELDS} contact fields"));
                return BTreeMap::new();
            }
            Some(_) => {
                self.wrong("fields", "this is an object: {\"first_name\": \"Asha\"}");
                return BTreeMap::new();
            }
        };
        let mut read = BTreeMap::new();
        for (name, value) in fields {
            match value {
                Value::String(text) if text.len() <= MAX_FIELD => drop(read.insert(name, text)),
                Value::String(_) => {
                    self.mistakes.push(Mistake::at_field(&name, format!("at most {MAX_FIELD} bytes")));
                }
                Value::Number(number) => drop(read.insert(name, number.to_string())),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                    self.mistakes.push(Mistake::at_field(&name, "a contact field is a text or a number"));
                }
            }
        }
        read
    }

    fn caller_id(&mut self) -> Option<String> {
        let text = self.text("caller_id")?;
        if is_caller_id(&text) {
            return Some(text);
        }
        self.wrong("caller_id", "this is no number: digits, such as \"+254200000101\"");
        None
    }

    fn ring_timeout(&mut self) -> Option<u64> {
        let text = self.text("ring_timeout")?;
        let read = text.parse::<jiff::SignedDuration>().ok().and_then(|read| Duration::try_from(read).ok());
        match read {
            Some(read) if RING_TIMEOUT.contains(&read) => u64::try_from(read.as_millis()).ok(),
            Some(_) => {
                self.wrong("ring_timeout", "from \"1s\" to \"180s\"");
                None
            }
            None => {
                self.wrong("ring_timeout", "this is no duration: such as \"35s\"");
                None
            }
        }
    }

    fn post_dial(&mut self) -> Option<String> {
        let text = self.text("post_dial")?;
        if let Err(error) = text.parse::<PostDial>() {
            self.wrong("post_dial", error.to_string());
            return None;
        }
        Some(text)
    }

    fn seed(&mut self) -> Option<u32> {
        let seed = self.member("seed")?.as_u64().and_then(|seed| u32::try_from(seed).ok());
        if seed.is_none() {
            self.wrong("seed", "a whole number from 0 to 4294967295: the `seed` of an earlier result");
        }
        seed
    }
}

fn is_text(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len()) && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_mistake_is_told_at_its_place() {
        let mistakes = CallRequest::read(&json!({
            "too": "1", "fields": {"a/b": true}, "trunk": 7, "ring_timeout": "5m", "post_dial": "x", "seed": -1,
            "caller_id": "me", "questionnaire": ""
        }));
        let mistakes = mistakes.unwrap_err();
        let pointers: Vec<&str> = mistakes.iter().map(|mistake| mistake.pointer.as_str()).collect();
        assert_eq!(
            pointers,
            [
                "/too",
                "/to",
                "/questionnaire",
                "/fields/a~1b",
                "/trunk",
                "/caller_id",
                "/ring_timeout",
                "/post_dial",
                "/seed"
            ]
        );
        assert!(mistakes[0].detail.contains("did you mean `to`"), "{:?}", mistakes[0]);
        assert_eq!(CallRequest::read(&json!([])).unwrap_err()[0].pointer, "");
    }

    #[test]
    fn the_attempts_of_a_case_hear_one_order_and_those_of_another_one_another() {
        let seed = |request: Value| CallRequest::read(&request).unwrap().order_seed();
        let of = |case: &str| seed(json!({"to": "1", "questionnaire": "q", "case": case}));
        assert!(of("a").is_some() && of("a") == of("a") && of("a") != of("b"));
        assert_eq!(seed(json!({"to": "1", "questionnaire": "q", "case": "a", "seed": 5})), Some(5));
        assert_eq!(seed(json!({"to": "1", "questionnaire": "q"})), None);
    }

    #[test]
    fn the_same_request_is_the_same_text() {
        let text = |json: &str| {
            let value = serde_json::from_str(json).unwrap();
            serde_json::to_string(&CallRequest::read(&value).unwrap()).unwrap()
        };
        let one =
            text(r#"{"to": "1", "questionnaire": "q", "ring_timeout": "1m", "fields": {"b": 2, "a": "1"}}"#);
        let other = text(
            r#"{"fields": {"a": "1", "b": "2"}, "trunk": null, "ring_timeout": "60s", "questionnaire": "q", "to": "1"}"#,
        );
        assert_eq!(one, other);
        assert_eq!(
            CallRequest::fields_of(&one),
            BTreeMap::from([("a".into(), "1".into()), ("b".into(), "2".into())])
        );
    }
}
