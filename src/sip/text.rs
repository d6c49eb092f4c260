//! The lexical ground of SIP values (RFC 3261 §25.1): tokens, white space, quoted strings, lists.
//!
//! Values come here unfolded: one line, no CR or LF.

use std::borrow::Cow;

/// What a header value or URI is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Nothing stands where a value should.
    #[error("the value is empty")]
    Empty,
    /// The scheme of a URI is missing or malformed.
    #[error("the URI has no scheme")]
    Scheme,
    /// A character that no URI may carry unescaped, or a broken `%` escape.
    #[error("the URI holds a character that must be escaped, or a broken escape")]
    UriCharacter,
    /// The user part of a URI is empty.
    #[error("the URI has an empty user part")]
    User,
    /// Neither an IPv4 address, a bracketed IPv6 address nor a host name.
    #[error("the host is neither an IP address (IPv6 in brackets) nor a host name")]
    Host,
    /// Not a port number.
    #[error("the port is not a number from 0 to 65535")]
    Port,
    /// A parameter without a name, or with a value that is neither token nor quoted string.
    #[error("a parameter is malformed")]
    Parameter,
    /// A quoted string that does not end.
    #[error("a quoted string does not end")]
    Quote,
    /// `<` without `>`, or text after `>`.
    #[error("the angle brackets do not enclose a URI")]
    Brackets,
    /// A display name that had to be quoted.
    #[error("the display name must be quoted")]
    DisplayName,
    /// A number is missing, malformed or out of its range.
    #[error("a number is missing or out of range")]
    Number,
    /// A token (RFC 3261 §25.1) is missing or holds another character.
    #[error("a token is missing or malformed")]
    Token,
    /// A mandatory parameter is missing.
    #[error("a mandatory parameter is missing")]
    MissingParameter,
    /// Not `SIP/2.0/transport sent-by`.
    #[error("the sent-protocol is not SIP/2.0/transport")]
    Protocol,
    /// Bytes that are not UTF-8 where text is needed.
    #[error("the value is not UTF-8")]
    Utf8,
}

/// A set of bytes, looked up in one step.
pub(super) struct ByteSet([bool; 256]);

impl ByteSet {
    /// Letters, digits and these.
    pub(super) const fn alphanumeric_and(others: &[u8]) -> Self {
        let mut set = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            #[expect(clippy::cast_possible_truncation, reason = "below 256")]
            let character = byte as u8;
            set[byte] = character.is_ascii_alphanumeric();
            byte += 1;
        }
        let mut at = 0;
        while at < others.len() {
            set[others[at] as usize] = true;
            at += 1;
        }
        Self(set)
    }

    #[inline]
    pub(super) fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte)]
    }

    #[inline]
    pub(super) fn has_all(&self, text: &str) -> bool {
        text.bytes().all(|byte| self.has(byte))
    }
}

/// The bytes of a token (RFC 3261 §25.1).
pub(super) static TOKEN: ByteSet = ByteSet::alphanumeric_and(b"-.!%*_+`'~");

/// Is this true of any byte? Without a branch per byte, so that the compiler takes many at a time.
#[inline]
pub(super) fn any(bytes: &[u8], is: impl Fn(u8) -> bool) -> bool {
    bytes.iter().fold(0, |found, &byte| found | u8::from(is(byte))) != 0
}

/// Is this true of any two bytes that stand side by side? See [`any`].
#[inline]
pub(super) fn any_pair(bytes: &[u8], is: impl Fn(u8, u8) -> bool) -> bool {
    let next = bytes.get(1..).unwrap_or_default();
    bytes.iter().zip(next).fold(0, |found, (&a, &b)| found | u8::from(is(a, b))) != 0
}

/// Is this a token (RFC 3261 §25.1)?
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && TOKEN.has_all(text)
}

/// Without space and tab around.
#[inline]
pub(super) fn trim(text: &str) -> &str {
    let is_white = |b: Option<&u8>| matches!(b, Some(b' ' | b'\t'));
    let bytes = text.as_bytes();
    if is_white(bytes.first()) || is_white(bytes.last()) { text.trim_matches([' ', '\t']) } else { text }
}

/// Splits at the first `separator`; the separator belongs to neither side.
#[inline]
pub(super) fn split_first(text: &str, separator: u8) -> (&str, Option<&str>) {
    match memchr::memchr(separator, text.as_bytes()) {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + 1..)),
        None => (text, None),
    }
}

/// Splits at the first white space, and trims what follows.
pub(super) fn split_white(text: &str) -> (&str, &str) {
    let at = text.bytes().position(|b| matches!(b, b' ' | b'\t')).unwrap_or(text.len());
    let (first, rest) = text.split_at(at);
    (first, trim(rest))
}

/// A decimal number of digits alone.
pub(super) fn number<T: TryFrom<u64>>(text: &str) -> Result<T, ValueError> {
    let digit = |b: u8| if b.is_ascii_digit() { Some(u64::from(b - b'0')) } else { None };
    let number = text.bytes().try_fold(0_u64, |number, b| number.checked_mul(10)?.checked_add(digit(b)?));
    let number = number.filter(|_| !text.is_empty()).ok_or(ValueError::Number)?;
    T::try_from(number).map_err(|_| ValueError::Number)
}

/// The length of the quoted string that `text` opens with, quotes included (RFC 3261 §25.1).
pub(super) fn quoted_len(text: &str) -> Result<usize, ValueError> {
    let bytes = text.as_bytes();
    let mut at = 1;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found;
        if bytes.get(at) == Some(&b'"') {
            return Ok(at + 1);
        }
        at += 2; // a backslash takes the next byte with it
    }
    Err(ValueError::Quote)
}

/// The text that a quoted string stands for; other text as it is.
pub(super) fn unquote(text: &str) -> Cow<'_, str> {
    let Some(inner) = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) else {
        return Cow::Borrowed(text);
    };
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut out = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        out.extend(if character == '\\' { characters.next() } else { Some(character) });
    }
    Cow::Owned(out)
}

/// Appends `text` as a quoted string.
pub(super) fn quote(out: &mut impl std::fmt::Write, text: &str) -> std::fmt::Result {
    out.write_char('"')?;
    for piece in text.split_inclusive(['"', '\\']) {
        match piece.strip_suffix(['"', '\\']) {
            Some(plain) => {
                out.write_str(plain)?;
                out.write_char('\\')?;
                out.write_str(if piece.ends_with('"') { "\"" } else { "\\" })?;
            }
            None => out.write_str(piece)?,
        }
    }
    out.write_char('"')
}

/// The pieces of `text` between `separator`s that stand outside quoted strings and angle brackets,
/// trimmed; empty pieces too.
pub(super) const fn split(text: &str, separator: u8) -> Split<'_> {
    Split { rest: Some(text), separator }
}

/// See [`split`].
pub(super) struct Split<'a> {
    rest: Option<&'a str>,
    separator: u8,
}

impl<'a> Iterator for Split<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest?;
        let at = find_outside(rest, self.separator);
        self.rest = at.and_then(|at| rest.get(at + 1..));
        Some(trim(at.map_or(rest, |at| rest.get(..at).unwrap_or_default())))
    }
}

/// Where the first `separator` outside quoted strings and angle brackets stands.
///
/// A quote or bracket that does not close hides all that follows.
pub(super) fn find_outside(text: &str, separator: u8) -> Option<usize> {
    let bytes = text.as_bytes();
    memchr::memchr(separator, bytes)?; // mostly there is none
    let mut at = 0;
    loop {
        let rest = bytes.get(at..)?;
        at += memchr::memchr3(separator, b'"', b'<', rest)?;
        at += match bytes.get(at) {
            Some(b'"') => quoted_len(text.get(at..)?).ok()?,
            Some(b'<') => memchr::memchr(b'>', bytes.get(at..)?)? + 1,
            Some(_) | None => return Some(at),
        };
    }
}

/// A value read from and written as its text, in records too.
macro_rules! serde_as_text {
    ($($type:ty),*) => {$(
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
pub(super) use serde_as_text;
