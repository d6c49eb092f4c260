//! The header fields of a message: an index into its bytes (RFC 3261 §7.3).
//!
//! ```text
//! bytes   INVITE sip:… SIP/2.0␍␊v: SIP/2.0/UDP …␍␊ ;branch=…␍␊…
//! fields                        ╰name ╰────── value ─────────╯   known: Via, folded
//! ```
//! Names are known by their canonical meaning; values are unfolded and read when asked for (the typed
//! ones stand in `typed.rs`).

use std::borrow::{Borrow, Cow};

use bytes::Bytes;

use super::name::{HeaderName, Known};
use super::text::{self, ValueError};

/// A header that is missing or wrong. The peer is told with a 400 that carries this text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// A mandatory header is not there.
    #[error("{name} is missing")]
    Missing {
        /// The header.
        name: HeaderName,
    },
    /// A header that may stand once stands more often.
    #[error("{name} stands more than once")]
    Repeated {
        /// The header.
        name: HeaderName,
    },
    /// The value cannot be read.
    #[error("{name}: {source}")]
    Malformed {
        /// The header.
        name: HeaderName,
        /// What is wrong.
        source: ValueError,
    },
    /// The Request-URI cannot be read.
    #[error("Request-URI: {source}")]
    RequestUri {
        /// What is wrong.
        source: ValueError,
    },
}

/// A piece of the message: offsets from its start. A message has fewer than 2^16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    start: u16,
    end: u16,
}

impl Span {
    #[inline]
    pub(super) fn new(start: usize, end: usize) -> Self {
        let offset = |at| u16::try_from(at).expect("the parser refuses more than 65535 bytes");
        Self { start: offset(start), end: offset(end) }
    }

    pub(super) fn start(self) -> usize {
        self.start.into()
    }

    pub(super) fn end(self) -> usize {
        self.end.into()
    }

    pub(super) fn len(self) -> usize {
        self.end().saturating_sub(self.start())
    }

    pub(super) fn is_empty(self) -> bool {
        self.len() == 0
    }

    #[inline]
    pub(super) fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.start()..self.end()).unwrap_or_default()
    }

    /// Without white space and folds around.
    #[inline]
    pub(super) fn trimmed(self, bytes: &[u8]) -> Self {
        let is_white = |b: &u8| matches!(b, b' ' | b'\t' | b'\r' | b'\n');
        let value = self.of(bytes);
        let Some(first) = value.iter().position(|b| !is_white(b)) else {
            return Self { start: self.end, end: self.end };
        };
        let last = value.iter().rposition(|b| !is_white(b)).unwrap_or(first);
        Self::new(self.start() + first, self.start() + last + 1)
    }
}

/// The name of a field: where it stands, and which known name it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Name {
    pub(super) known: Option<Known>,
    pub(super) span: Span,
}

/// One header field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) name: Name,
    pub(super) value: Span,
    /// Does the value hold a fold?
    pub(super) folded: bool,
}

/// The header fields of a message, in their order.
#[derive(Clone, Debug)]
pub struct Headers {
    bytes: Bytes,
    fields: Vec<Field>,
    /// Where the body begins.
    body: usize,
}

impl Headers {
    pub(super) const fn new(bytes: Bytes, fields: Vec<Field>, body: usize) -> Self {
        Self { bytes, fields, body }
    }

    pub(super) const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    pub(super) fn body(&self) -> Bytes {
        self.bytes.slice(self.body..)
    }

    pub(super) fn span(&self, span: Span) -> &[u8] {
        span.of(&self.bytes)
    }

    /// How many fields there are; a field may hold several values.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.fields.len()
    }

    /// Are there none?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Every field in its order: name as written, value unfolded. Bytes that are not UTF-8 read as
    /// U+FFFD.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
        self.fields.iter().map(|field| {
            let name = std::str::from_utf8(self.span(field.name.span)).unwrap_or_default();
            (name, self.text(field))
        })
    }

    /// Is there a field of this name?
    pub fn has(&self, name: impl Borrow<HeaderName>) -> bool {
        self.fields_of(name.borrow()).next().is_some()
    }

    /// The value of the first field of this name, unfolded, commas and all.
    pub fn get(&self, name: impl Borrow<HeaderName>) -> Option<Cow<'_, str>> {
        self.fields_of(name.borrow()).next().map(|field| self.text(field))
    }

    /// The value of each field of this name, unfolded: one per line.
    pub fn all(&self, name: impl Borrow<HeaderName>) -> Vec<Cow<'_, str>> {
        self.fields_of(name.borrow()).map(|field| self.text(field)).collect()
    }

    /// The values of all fields of this name, split at the commas outside quotes and brackets; empty
    /// ones are left out. For headers that are lists by RFC 3261 §7.3.1.
    pub fn list(&self, name: impl Borrow<HeaderName>) -> Vec<Cow<'_, str>> {
        let mut values = Vec::new();
        for field in self.fields_of(name.borrow()) {
            match self.text(field) {
                Cow::Borrowed(line) => {
                    values.extend(text::split(line, b',').filter(|v| !v.is_empty()).map(Cow::Borrowed));
                }
                Cow::Owned(line) => {
                    let pieces = text::split(&line, b',').filter(|v| !v.is_empty());
                    values.extend(pieces.map(|v| Cow::Owned(v.to_owned())));
                }
            }
        }
        values
    }

    /// The value of each field of this name as its bytes, unfolded.
    pub(super) fn raw(&self, name: &HeaderName) -> impl Iterator<Item = Cow<'_, [u8]>> {
        self.fields_of(name).map(|field| {
            let value = self.span(field.value);
            if field.folded { Cow::Owned(unfold(value)) } else { Cow::Borrowed(value) }
        })
    }

    /// The fields of a known name.
    pub(super) fn fields_known(&self, known: Known) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(move |field| field.name.known == Some(known))
    }

    fn fields_of(&self, name: &HeaderName) -> impl Iterator<Item = &Field> {
        let known = name.known();
        self.fields.iter().filter(move |field| {
            field.name.known == known
                && (known.is_some()
                    || self.span(field.name.span).eq_ignore_ascii_case(name.as_str().as_bytes()))
        })
    }

    /// The unfolded value; bytes that are not UTF-8 read as U+FFFD.
    #[inline]
    pub(super) fn text(&self, field: &Field) -> Cow<'_, str> {
        let value = self.span(field.value);
        if field.folded {
            Cow::Owned(String::from_utf8_lossy(&unfold(value)).into_owned())
        } else {
            std::str::from_utf8(value).map_or_else(|_| String::from_utf8_lossy(value), Cow::Borrowed)
        }
    }
}

/// Each fold becomes one space (RFC 3261 §7.3.1).
fn unfold(value: &[u8]) -> Vec<u8> {
    let is_white = |b: &u8| matches!(b, b' ' | b'\t' | b'\r');
    let mut out: Vec<u8> = Vec::with_capacity(value.len());
    for (number, line) in value.split(|b| *b == b'\n').enumerate() {
        let start = line.iter().position(|b| !is_white(b)).unwrap_or(line.len());
        let end = line.iter().rposition(|b| !is_white(b)).map_or(start, |last| last + 1);
        if number > 0 && out.last() != Some(&b' ') {
            out.push(b' ');
        }
        out.extend_from_slice(line.get(start..end).unwrap_or_default());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::parse;

    fn headers(lines: &str) -> Headers {
        let text = format!("OPTIONS sip:b@example.com SIP/2.0\r\n{lines}\r\n");
        parse(text.into_bytes().into()).unwrap().headers().clone()
    }

    #[test]
    fn lists_split_at_commas_outside_quotes_and_brackets() {
        let headers = headers(
            "Contact: \"Bell, A\" <sip:a,b@x>;q=1 , <sip:c@x>,,\r\nm: sip:d@x\r\nX-List: a,\r\n b , c\r\n",
        );
        assert_eq!(
            headers.list(HeaderName::Contact),
            ["\"Bell, A\" <sip:a,b@x>;q=1", "<sip:c@x>", "sip:d@x"]
        );
        assert_eq!(headers.all(HeaderName::Contact).len(), 2);
        let name: HeaderName = "x-list".parse().unwrap();
        assert_eq!(headers.list(&name), ["a", "b", "c"]);
        assert_eq!(headers.get(&name).unwrap(), "a, b , c");
        assert!(headers.list(HeaderName::Route).is_empty());
    }

    #[test]
    fn values_are_unfolded_and_trimmed() {
        let headers = headers("Subject:\r\n \t one  two \t\r\n\t three \r\n");
        assert_eq!(headers.get(HeaderName::Subject).unwrap(), "one  two three");
        assert_eq!(headers.len(), 1);
    }

    #[test]
    fn bytes_that_are_not_utf8_do_not_lose_the_message() {
        let text = b"OPTIONS sip:b@example.com SIP/2.0\r\nFrom: \"M\xfcller\" <sip:a@b>;tag=1\r\n\r\n";
        let message = parse(Bytes::from_static(text)).unwrap();
        let from = message.headers().from().unwrap();
        assert_eq!(from.display.as_deref(), Some("M\u{fffd}ller"));
        assert_eq!(from.tag(), Some("1"));
        let reply = crate::sip::Writer::response(crate::sip::StatusCode::OK, "")
            .copy(message.headers(), HeaderName::From)
            .finish()
            .unwrap();
        assert!(memchr::memmem::find(&reply, b"\"M\xfcller\"").is_some(), "it goes back as it came");
    }

    #[test]
    fn errors_name_the_header() {
        let headers = headers("Via: SIP/2.0/UDP\r\nCSeq: 1\r\nCall-ID: a b\r\nRequire: a b\r\n");
        let said = |error: HeaderError| error.to_string();
        assert_eq!(said(headers.from().unwrap_err()), "From is missing");
        assert_eq!(said(headers.via().unwrap_err()), "Via: the sent-protocol is not SIP/2.0/transport");
        assert_eq!(said(headers.cseq().unwrap_err()), "CSeq: a token is missing or malformed");
        assert_eq!(said(headers.call_id().unwrap_err()), "Call-ID: a token is missing or malformed");
        assert!(headers.require().is_err());
        assert_eq!(headers.expires(), Ok(None));
    }
}
