//! Framing: one datagram becomes one [`Message`] (RFC 3261 §7, §18.3, §25.1).
//!
//! ```text
//! (CRLF)*                         skipped (§7.5)
//! INVITE sip:b@example.com SIP/2.0 CRLF
//! Via: SIP/2.0/UDP …  CRLF        ─► Field { name, value } as offsets into the datagram
//!  ;branch=…          CRLF        ─► a folded line belongs to the field above (§7.3.1)
//! CRLF
//! v=0 …                           cut to Content-Length
//! ```
//! Strict where two readers could disagree about what was said (line ends, start line, body length),
//! lenient where they cannot. Nothing is copied: one allocation holds the index.

use bytes::{Buf as _, Bytes};

use super::headers::{Field, Headers, Name, Span};
use super::message::{Message, Request, Response};
use super::method::Method;
use super::name::{self, Known};
use super::status::StatusCode;
use super::text;

/// Bytes of the largest message: what a UDP datagram can hold, and what an offset of 16 bits reaches.
pub const MAX_MESSAGE_BYTES: usize = 65_535;
/// Header fields of a message. Real ones have 10 to 40; a proxy adds a few.
pub const MAX_HEADERS: usize = 256;
/// Bytes of one header field's value, folds included. An Identity token (RFC 8224) takes about 1 KB.
pub const MAX_VALUE_BYTES: usize = 8_192;
/// Fields for which the index has room at first: more cost a second allocation.
const USUAL_HEADERS: usize = 32;

/// Why a datagram is no SIP message. It is dropped and counted by [`ParseError::reason`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Only CR, LF or NUL: a peer keeps its NAT binding open (RFC 5626 §3.5.1). Not a fault.
    #[error("a keepalive, no message")]
    Keepalive,
    /// Larger than [`MAX_MESSAGE_BYTES`].
    #[error("{bytes} bytes; a message has at most {MAX_MESSAGE_BYTES}")]
    TooLarge {
        /// The datagram's size.
        bytes: usize,
    },
    /// The first line is neither a request line nor a status line.
    #[error("the start line is neither METHOD URI SIP/2.0 nor SIP/2.0 CODE REASON")]
    StartLine,
    /// A start line of another version than SIP/2.0.
    #[error("the start line is not of SIP/2.0")]
    Version,
    /// A status code outside 100 to 699.
    #[error("the status code is not from 100 to 699")]
    Status,
    /// A CR or LF alone, or a NUL that no quoted string escapes, among the header lines.
    #[error("line {line} holds a CR or LF alone, or a NUL")]
    LineEnd {
        /// The line, from 1.
        line: usize,
    },
    /// A header line without a name and a colon.
    #[error("line {line} is no header field")]
    HeaderLine {
        /// The line, from 1.
        line: usize,
    },
    /// More than [`MAX_HEADERS`] header fields.
    #[error("more than {MAX_HEADERS} header fields")]
    TooManyHeaders,
    /// A value of more than [`MAX_VALUE_BYTES`].
    #[error("the header field that ends in line {line} has more than {MAX_VALUE_BYTES} bytes")]
    ValueTooLong {
        /// The line, from 1.
        line: usize,
    },
    /// The empty line after the header fields is missing.
    #[error("the header fields do not end with an empty line")]
    NoEnd,
    /// Content-Length is no number, or two of them differ.
    #[error("Content-Length is not one number")]
    ContentLength,
    /// The body is shorter than Content-Length says (RFC 3261 §18.3).
    #[error("the body has {present} bytes, Content-Length says {declared}")]
    Truncated {
        /// Bytes by Content-Length.
        declared: usize,
        /// Bytes that came.
        present: usize,
    },
}

impl ParseError {
    /// A stable word for counters.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Keepalive => "keepalive",
            Self::TooLarge { .. } => "too_large",
            Self::StartLine => "start_line",
            Self::Version => "version",
            Self::Status => "status",
            Self::LineEnd { .. } => "line_end",
            Self::HeaderLine { .. } => "header_line",
            Self::TooManyHeaders => "too_many_headers",
            Self::ValueTooLong { .. } => "value_too_long",
            Self::NoEnd => "no_end",
            Self::ContentLength => "content_length",
            Self::Truncated { .. } => "truncated",
        }
    }
}

/// Reads one datagram. Bytes beyond Content-Length are cut off; without a Content-Length the body
/// reaches to the end of the datagram (RFC 3261 §18.3).
///
/// # Errors
/// The datagram is no SIP message; see [`ParseError`]. Header values are not read here: a wrong one
/// shows when it is asked for.
pub fn parse(mut datagram: Bytes) -> Result<Message, ParseError> {
    if datagram.iter().all(|b| matches!(b, b'\r' | b'\n' | b'\0')) {
        return Err(ParseError::Keepalive);
    }
    while datagram.starts_with(b"\r\n") {
        datagram.advance(2);
    }
    if datagram.len() > MAX_MESSAGE_BYTES {
        return Err(ParseError::TooLarge { bytes: datagram.len() });
    }
    let mut lines = Lines { bytes: &datagram, at: 0, line: 0 };
    let start = start_line(&datagram, lines.next()?)?;
    let fields = index(&mut lines)?;
    let body = lines.at;
    if let Some(declared) = content_length(&datagram, &fields)? {
        let present = datagram.len() - body;
        if declared > present {
            return Err(ParseError::Truncated { declared, present });
        }
        if declared < present {
            datagram.truncate(body + declared);
        }
    }
    let headers = Headers::new(datagram, fields, body);
    Ok(match start {
        Start::Request { method, uri } => Message::Request(Request::new(method, uri, headers)),
        Start::Status { status, reason } => Message::Response(Response::new(status, reason, headers)),
    })
}

/// The lines of the head: each ends with CRLF and holds no other CR or LF, and a NUL only behind a
/// backslash (a `quoted-pair` of RFC 3261 §25.1).
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
}

impl Lines<'_> {
    /// The next line without its CRLF.
    fn next(&mut self) -> Result<Span, ParseError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        self.line += 1;
        let mut len = memchr::memchr3(b'\r', b'\n', b'\0', rest).ok_or(ParseError::NoEnd)?;
        while rest.get(len) == Some(&b'\0') && rest.get(..len).is_some_and(|line| line.ends_with(b"\\")) {
            let after = rest.get(len + 1..).unwrap_or_default();
            len += 1 + memchr::memchr3(b'\r', b'\n', b'\0', after).ok_or(ParseError::NoEnd)?;
        }
        if !rest.get(len..).is_some_and(|end| end.starts_with(b"\r\n")) {
            // A CR as the last byte is a datagram cut short rather than a wrong line.
            let cut = rest.get(len..) == Some(b"\r");
            return Err(if cut { ParseError::NoEnd } else { ParseError::LineEnd { line: self.line } });
        }
        let start = self.at;
        self.at += len + 2;
        Ok(Span::new(start, start + len))
    }

    /// Does the next line go on with this one (RFC 3261 §7.3.1)?
    fn is_folded(&self) -> bool {
        matches!(self.bytes.get(self.at), Some(b' ' | b'\t'))
    }
}

enum Start {
    Request { method: Method, uri: Span },
    Status { status: StatusCode, reason: Span },
}

/// `Request-Line` and `Status-Line` of RFC 3261 §25.1: single spaces, no white space around.
///
/// One leniency: a status line may lack the space before an empty reason phrase.
fn start_line(bytes: &[u8], line: Span) -> Result<Start, ParseError> {
    let text = std::str::from_utf8(line.of(bytes)).map_err(|_| ParseError::StartLine)?;
    let (first, rest) = text::split_first(text, b' ');
    let rest = rest.ok_or(ParseError::StartLine)?;
    if first.as_bytes().get(..4).is_some_and(|name| name.eq_ignore_ascii_case(b"SIP/")) {
        if !first.eq_ignore_ascii_case("SIP/2.0") {
            return Err(ParseError::Version);
        }
        let (code, reason) = text::split_first(rest, b' ');
        let code = if code.len() == 3 { text::number(code).ok() } else { None };
        let status = code.and_then(|code| StatusCode::new(code).ok()).ok_or(ParseError::Status)?;
        let reason = reason.unwrap_or_default();
        return Ok(Start::Status { status, reason: Span::new(line.end() - reason.len(), line.end()) });
    }
    let method = first.parse().map_err(|_| ParseError::StartLine)?;
    let (uri, version) = text::split_first(rest, b' ');
    let version = version.ok_or(ParseError::StartLine)?;
    if !version.eq_ignore_ascii_case("SIP/2.0") {
        let other = version.as_bytes().get(..4).is_some_and(|name| name.eq_ignore_ascii_case(b"SIP/"));
        let other = other && !version.contains(' ');
        return Err(if other { ParseError::Version } else { ParseError::StartLine });
    }
    if uri.is_empty() || text::any(uri.as_bytes(), |b| (b <= b' ') | (b == 0x7f)) {
        return Err(ParseError::StartLine);
    }
    let start = line.start() + first.len() + 1;
    Ok(Start::Request { method, uri: Span::new(start, start + uri.len()) })
}

/// The header fields up to and with the empty line.
fn index(lines: &mut Lines<'_>) -> Result<Vec<Field>, ParseError> {
    let mut fields = Vec::with_capacity(USUAL_HEADERS);
    loop {
        let first = lines.next()?;
        if first.is_empty() {
            return Ok(fields);
        }
        let number = lines.line;
        let mut end = first.end();
        let mut folded = false;
        while lines.is_folded() {
            end = lines.next()?.end();
            folded = true;
        }
        if fields.len() == MAX_HEADERS {
            return Err(ParseError::TooManyHeaders);
        }
        let field = field(lines.bytes, first, end, folded).ok_or(ParseError::HeaderLine { line: number })?;
        if field.value.len() > MAX_VALUE_BYTES {
            return Err(ParseError::ValueTooLong { line: lines.line });
        }
        fields.push(field);
    }
}

/// `name HCOLON value`: white space may stand before the colon (RFC 3261 §25.1), not before the name.
fn field(bytes: &[u8], first: Span, end: usize, folded: bool) -> Option<Field> {
    let line = first.of(bytes);
    let len = line.iter().position(|b| !text::TOKEN.has(*b))?;
    let after = line.get(len..)?;
    let colon =
        after.iter().position(|b| !matches!(b, b' ' | b'\t')).filter(|at| after.get(*at) == Some(&b':'))?;
    if len == 0 {
        return None;
    }
    let name = Span::new(first.start(), first.start() + len);
    let value = Span::new(name.end() + colon + 1, end).trimmed(bytes);
    let known = name::lookup(name.of(bytes));
    let folded = folded && memchr::memchr(b'\n', value.of(bytes)).is_some();
    Some(Field { name: Name { known, span: name }, value, folded })
}

/// The one number that every Content-Length field says (RFC 3261 §20.14).
fn content_length(bytes: &[u8], fields: &[Field]) -> Result<Option<usize>, ParseError> {
    let mut declared = None;
    for field in fields.iter().filter(|field| field.name.known == Some(Known::ContentLength)) {
        let text = std::str::from_utf8(field.value.of(bytes)).map_err(|_| ParseError::ContentLength)?;
        let length: usize = text::number(text).map_err(|_| ParseError::ContentLength)?;
        if *declared.get_or_insert(length) != length {
            return Err(ParseError::ContentLength);
        }
    }
    Ok(declared)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "OPTIONS sip:b@example.com SIP/2.0\r\nCall-ID: x\r\n";

    fn reason(text: impl Into<Bytes>) -> &'static str {
        match parse(text.into()) {
            Ok(_) => "read",
            Err(error) => error.reason(),
        }
    }

    #[test]
    fn keepalives_are_told_from_damage() {
        for text in ["", "\r\n", "\r\n\r\n", "\0", "\0\0\0\0", "\n"] {
            assert_eq!(reason(text), "keepalive", "{text:?}");
        }
        assert_eq!(reason(format!("\r\n\r\n{HEAD}\r\n")), "read");
        assert_eq!(reason(" \r\n"), "start_line");
    }

    #[test]
    fn the_caps_hold_and_what_just_fits_is_read() {
        let with_header = |value: usize| format!("{HEAD}X: {}\r\n\r\n", "x".repeat(value));
        assert_eq!(reason(with_header(MAX_VALUE_BYTES)), "read");
        assert_eq!(reason(with_header(MAX_VALUE_BYTES + 1)), "value_too_long");
        let with_headers = |count: usize| format!("{HEAD}{}\r\n", "X: 1\r\n".repeat(count - 1));
        assert_eq!(reason(with_headers(MAX_HEADERS)), "read");
        assert_eq!(reason(with_headers(MAX_HEADERS + 1)), "too_many_headers");
        let with_size = |size: usize| format!("{HEAD}\r\n{}", "x".repeat(size - HEAD.len() - 2));
        assert_eq!(reason(with_size(MAX_MESSAGE_BYTES)), "read");
        assert_eq!(reason(with_size(MAX_MESSAGE_BYTES + 1)), "too_large");
        let folds = "\r\n ".repeat(MAX_VALUE_BYTES);
        assert_eq!(reason(format!("{HEAD}X: 1{folds}1\r\n\r\n")), "value_too_long");
    }

    #[test]
    fn two_readers_could_disagree_about_these() {
        assert_eq!(reason(format!("{HEAD}X: a\nY: b\r\n\r\n")), "line_end"); // is Y a field?
        assert_eq!(reason(format!("{HEAD}X: a\rY: b\r\n\r\n")), "line_end");
        assert_eq!(reason(format!("{HEAD}X: a\0b\r\n\r\n")), "line_end");
        assert_eq!(reason(format!("{HEAD}X: \"a\\\0b\"\r\n\r\n")), "read"); // a quoted pair
        assert_eq!(reason(format!("{HEAD}X Y: a\r\n\r\n")), "header_line");
        assert_eq!(reason(format!("{HEAD}: a\r\n\r\n")), "header_line");
        assert_eq!(reason(format!("{HEAD}X\r\n : a\r\n\r\n")), "header_line");
        assert_eq!(reason("OPTIONS sip:b@c SIP/2.0\r\n X: a\r\n\r\n"), "header_line"); // folds nothing
        assert_eq!(reason(format!("{HEAD}Content-Length: 1, 1\r\n\r\nx")), "content_length");
        assert_eq!(reason(format!("{HEAD}Content-Length: +1\r\n\r\nx")), "content_length");
        assert_eq!(reason(format!("{HEAD}Content-Length:\r\n\r\nx")), "content_length");
        assert_eq!(reason(format!("{HEAD}Content-Length: 1\r\nl: 2\r\n\r\nxx")), "content_length");
        assert_eq!(reason(format!("{HEAD}Content-Length: 1\r\nl: 01\r\n\r\nx")), "read");
        assert_eq!(reason(format!("{HEAD}l: 99999999999999999999\r\n\r\nx")), "content_length");
    }

    #[test]
    fn a_datagram_cut_short_is_told_from_a_wrong_one() {
        assert_eq!(reason("OPTIONS sip:b@c SIP/2.0"), "no_end");
        assert_eq!(reason("OPTIONS sip:b@c SIP/2.0\r"), "no_end");
        assert_eq!(reason(HEAD), "no_end");
        assert_eq!(reason(format!("{HEAD}l: 2\r\n\r\nx")), "truncated");
    }

    #[test]
    fn start_lines_are_strict_in_form_and_free_in_version_case() {
        let start = |line: &str| reason(format!("{line}\r\n\r\n"));
        assert_eq!(start("OPTIONS sip:b@c sip/2.0"), "read");
        assert_eq!(start("sip/2.0 200 OK"), "read");
        assert_eq!(start("SIP/2.0 200"), "read");
        assert_eq!(start("SIP/2.0 099 x"), "status");
        assert_eq!(start("SIP/2.0 700 x"), "status");
        assert_eq!(start("SIP/2.0 20 x"), "status");
        assert_eq!(start("SIP/2.0"), "start_line");
        assert_eq!(start("SIP/3.0 200 OK"), "version");
        assert_eq!(start("OPTIONS sip:b@c HTTP/1.1"), "start_line");
        assert_eq!(start("OPTIONS sip:b@c"), "start_line");
        assert_eq!(start("OPT(IONS sip:b@c SIP/2.0"), "start_line");
        assert_eq!(start("OPTIONS sip:b\t@c SIP/2.0"), "start_line");
        assert_eq!(start(" OPTIONS sip:b@c SIP/2.0"), "start_line");
    }

    #[test]
    fn errors_say_which_line() {
        let error = parse(format!("{HEAD}X: a\r\n b\r\nno colon\r\n\r\n").into()).unwrap_err();
        assert_eq!(error, ParseError::HeaderLine { line: 5 });
        assert_eq!(error.to_string(), "line 5 is no header field");
    }

    #[test]
    fn the_body_shares_the_datagram() {
        let datagram = Bytes::from(format!("{HEAD}l: 4\r\n\r\nbodysurplus"));
        let message = parse(datagram.clone()).unwrap();
        assert_eq!(message.body(), "body");
        assert!(datagram.as_ptr_range().contains(&message.body().as_ptr()), "no copy was made");
        assert!(message.bytes().ends_with(b"body"));
    }
}
