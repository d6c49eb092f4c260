//! Attributes as values. Whether they have the right form the table has said already (`schema`); what has not
//! is here as if it were missing.

use std::time::Duration;

use super::schema::SCHEMA;
use crate::questionnaire::Key;
use crate::xml::{Attribute, Element, Position, schema};

/// Where the value of an attribute begins.
pub(super) fn value_at(attribute: &Attribute) -> Position {
    attribute.value.place(0)
}

/// The value of an attribute that the schema requires; empty if it is missing, which is a finding already.
pub(super) fn text<'e>(element: &'e Element, name: &str) -> &'e str {
    element.attribute(name).map(|attribute| attribute.value.value.as_str()).unwrap_or_default()
}

/// The value of an attribute, if it is there and has the form that it must have.
pub(super) fn value<'e>(element: &'e Element, name: &str) -> Option<&'e str> {
    SCHEMA.value(element, name).map(|attribute| attribute.value.value.as_str())
}

/// What one of some words means.
pub(super) fn word<T: Copy>(element: &Element, name: &str, words: &[(&str, T)]) -> Option<T> {
    let value = value(element, name)?;
    words.iter().find(|(word, _)| *word == value).map(|(_, meaning)| *meaning)
}

/// `yes` or `no`.
pub(super) fn yes_no(element: &Element, name: &str, otherwise: bool) -> bool {
    word(element, name, &[("yes", true), ("no", false)]).unwrap_or(otherwise)
}

/// A whole number.
pub(super) fn count<T: std::str::FromStr>(element: &Element, name: &str) -> Option<T> {
    value(element, name)?.trim().parse().ok()
}

/// A length of time.
pub(super) fn duration(element: &Element, name: &str) -> Option<Duration> {
    schema::time(value(element, name)?)
}

/// One key.
pub(super) fn key(element: &Element, name: &str) -> Option<Key> {
    value(element, name)?.chars().next().and_then(Key::new)
}
