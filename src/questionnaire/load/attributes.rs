//! Attributes with a type: durations, counts, keys, ids.

use std::time::Duration;

use crate::questionnaire::{Key, expression};
use crate::xml::{Attribute, Element, Findings, Position, did_you_mean};

/// Characters of an id.
const MAX_ID_CHARACTERS: usize = 40;

/// Where the value of an attribute begins.
pub(super) fn value_at(attribute: &Attribute) -> Position {
    attribute.value.place(0)
}

/// The value of an attribute that the schema requires; empty if it is missing, which is a finding already.
pub(super) fn text<'e>(element: &'e Element, name: &str) -> &'e str {
    element.attribute(name).map(|attribute| attribute.value.value.as_str()).unwrap_or_default()
}

/// One of some words.
pub(super) fn word<T: Copy>(
    element: &Element,
    name: &str,
    words: &[(&str, T)],
    findings: &mut Findings,
) -> Option<T> {
    let attribute = element.attribute(name)?;
    let value = attribute.value.value.as_str();
    let found = words.iter().find(|(word, _)| *word == value).map(|(_, meaning)| *meaning);
    if found.is_none() {
        let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let mend = did_you_mean(value, all.iter().copied())
            .or_else(|| Some(format!("it can be {}", all.join(", "))));
        findings.error(value_at(attribute), format!("`{name}` cannot be `{value}`"), mend);
    }
    found
}

/// `yes` or `no`.
pub(super) fn yes_no(element: &Element, name: &str, otherwise: bool, findings: &mut Findings) -> bool {
    word(element, name, &[("yes", true), ("no", false)], findings).unwrap_or(otherwise)
}

/// A whole number within limits.
pub(super) fn count<T>(
    element: &Element,
    name: &str,
    limits: std::ops::RangeInclusive<T>,
    findings: &mut Findings,
) -> Option<T>
where
    T: std::str::FromStr + PartialOrd + std::fmt::Display,
{
    let attribute = element.attribute(name)?;
    let value = attribute.value.value.as_str();
    let number = Some(value).filter(|value| value.bytes().all(|b| b.is_ascii_digit()));
    let found = number.and_then(|value| value.parse().ok()).filter(|number| limits.contains(number));
    if found.is_none() {
        let what = format!("`{name}` cannot be `{value}`");
        let mend = format!("it is a whole number from {} to {}", limits.start(), limits.end());
        findings.error(value_at(attribute), what, mend);
    }
    found
}

/// A length of time within limits, such as `5s` or `1500ms`.
pub(super) fn duration(
    element: &Element,
    name: &str,
    limits: std::ops::RangeInclusive<Duration>,
    findings: &mut Findings,
) -> Option<Duration> {
    let attribute = element.attribute(name)?;
    let value = attribute.value.value.as_str();
    let parsed = value.parse::<jiff::SignedDuration>().ok().and_then(|span| Duration::try_from(span).ok());
    let found = parsed.filter(|duration| limits.contains(duration));
    if found.is_none() {
        let what = format!("`{name}` cannot be `{value}`");
        let mend =
            format!("it is a time such as `5s` or `1500ms`, from {:?} to {:?}", limits.start(), limits.end());
        findings.error(value_at(attribute), what, mend);
    }
    found
}

/// One key.
pub(super) fn key(element: &Element, name: &str, findings: &mut Findings) -> Option<Key> {
    let attribute = element.attribute(name)?;
    let value = attribute.value.value.as_str();
    let mut characters = value.chars();
    let found = characters.next().and_then(Key::new).filter(|_| characters.next().is_none());
    if found.is_none() {
        let what = format!("`{name}` cannot be `{value}`");
        findings.error(value_at(attribute), what, "it is one key: 0-9, *, #, A-D".to_owned());
    }
    found
}

/// Checks a name that expressions and pipes may use.
pub(super) fn check_id(id: &str, at: Position, findings: &mut Findings) {
    let starts = id.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if expression::is_reserved(id) {
        let what = format!("`{id}` cannot be a name; it is a word of expressions");
        findings.error(at, what, None);
    } else if !starts || !id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        let mended: String = id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let mend = Some(mended).filter(|_| starts).map(|mended| format!("write `{mended}`"));
        let what = format!("`{id}` is no name; a name has letters, digits and `_`, and begins with no digit");
        findings.error(at, what, mend);
    } else if id.len() > MAX_ID_CHARACTERS {
        findings.error(at, format!("a name of more than {MAX_ID_CHARACTERS} characters"), None);
    }
}
