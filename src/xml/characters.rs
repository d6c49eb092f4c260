//! Characters: which are allowed, what references mean, where they stand.

use quick_xml::Error;
use quick_xml::errors::IllFormedError;

use super::finding::Position;

/// Char of XML 1.0 §2.2.
pub(super) const fn is_allowed(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | '\u{20}'..='\u{FFFD}' | '\u{10000}'..)
}

/// NameStartChar of XML 1.0 §2.3, without the colon.
pub(super) fn starts_name(character: char) -> bool {
    character == '_' || character.is_alphabetic()
}

/// NameChar of XML 1.0 §2.3, without the colon.
pub(super) fn continues_name(character: char) -> bool {
    starts_name(character) || character.is_numeric() || matches!(character, '-' | '.' | '·')
}

/// What `&name;` stands for: one of the five of XML §4.6, or a character by number (§4.1).
pub(super) fn reference(name: &str) -> Option<char> {
    let number = match name {
        "lt" => return Some('<'),
        "gt" => return Some('>'),
        "amp" => return Some('&'),
        "apos" => return Some('\''),
        "quot" => return Some('"'),
        _ => name.strip_prefix('#')?,
    };
    let code = match number.strip_prefix('x') {
        Some(hex) if hex.bytes().all(|b| b.is_ascii_hexdigit()) => u32::from_str_radix(hex, 16).ok()?,
        None if number.bytes().all(|b| b.is_ascii_digit()) => number.parse().ok()?,
        Some(_) | None => return None,
    };
    char::from_u32(code).filter(|character| is_allowed(*character))
}

/// What to tell of a reference that means nothing.
pub(super) fn no_such_entity(name: &str) -> String {
    let name: String = name.chars().take(24).collect();
    format!(
        "`&{name};` is not known; only &lt; &gt; &amp; &apos; &quot; and numbers such as &#233; are; a plain `&` is written `&amp;`"
    )
}

/// A syntax error in our words.
pub(super) fn explain(error: &Error) -> String {
    if let Error::IllFormed(IllFormedError::MismatchedEndTag { expected, found }) = error {
        return format!("`</{}>` stands where `</{}>` should", short(found), short(expected));
    }
    if let Error::IllFormed(IllFormedError::UnmatchedEndTag(found)) = error {
        return format!("`</{}>` closes nothing", short(found));
    }
    if matches!(error, Error::IllFormed(IllFormedError::UnclosedReference)) {
        return "a `&` stands alone; write it `&amp;`".to_owned();
    }
    let text = error.to_string();
    let text = text.split_once("syntax error: ").map_or(text.as_str(), |(_, text)| text);
    text.chars().take(160).collect()
}

fn short(name: &str) -> String {
    name.chars().take(40).collect()
}

/// Follows the reading of a text and knows line and column. Only goes forward.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    offset: usize,
    at: Position,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, offset: 0, at: Position::START }
    }

    /// The place of this byte offset; the current place if it lies behind.
    pub(super) fn to(&mut self, offset: u64) -> Position {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX).min(self.text.len());
        if let Some(passed) = self.text.get(self.offset..offset) {
            self.at = self.at.after(passed);
            self.offset = offset;
        }
        self.at
    }
}
