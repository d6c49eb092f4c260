//! Writing a message straight into its bytes (RFC 3261 §7).
//!
//! ```
//! use baton::sip::{HeaderName, StatusCode, Writer};
//!
//! let bytes = Writer::response(StatusCode::BUSY_HERE, "")
//!     .header(HeaderName::CallId, "a84b4c76e66710@192.0.2.1")
//!     .header(HeaderName::RetryAfter, 30)
//!     .finish()?;
//! assert_eq!(bytes, "SIP/2.0 486 Busy Here\r\nCall-ID: a84b4c76e66710@192.0.2.1\r\n\
//!                    Retry-After: 30\r\nContent-Length: 0\r\n\r\n");
//! # Ok::<(), baton::sip::WriteError>(())
//! ```

use std::borrow::Borrow;
use std::fmt::{self, Write as _};

use bytes::Bytes;

use super::headers::Headers;
use super::method::Method;
use super::name::HeaderName;
use super::parse::{MAX_HEADERS, MAX_MESSAGE_BYTES, MAX_VALUE_BYTES};
use super::status::StatusCode;
use super::text;
use super::uri::Uri;

/// Bytes for which a message has room at first.
const USUAL_BYTES: usize = 1_024;

/// Why a message cannot be written. Nothing of it may leave.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The start line would hold a control character, or a space inside its URI or method.
    #[error("the start line would hold a character that ends or splits it")]
    StartLine,
    /// A value would hold CR, LF or NUL: it could end its line and forge another.
    #[error("{name} would hold a CR, LF or NUL")]
    LineBreak {
        /// The header.
        name: HeaderName,
    },
    /// A header name is no token.
    #[error("{0:?} is no header name")]
    Name(String),
    /// Content-Length is written by [`Writer::finish`].
    #[error("Content-Length is written by the writer itself")]
    LengthGiven,
    /// A value of more than [`MAX_VALUE_BYTES`].
    #[error("{name} would have more than {MAX_VALUE_BYTES} bytes")]
    ValueTooLong {
        /// The header.
        name: HeaderName,
    },
    /// More than [`MAX_HEADERS`] header fields.
    #[error("more than {MAX_HEADERS} header fields")]
    TooManyHeaders,
    /// More than [`MAX_MESSAGE_BYTES`].
    #[error("the message would have {bytes} bytes, more than {MAX_MESSAGE_BYTES}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
}

/// Writes one message, top to bottom. The first error is kept and given by [`Writer::finish`].
#[derive(Debug)]
pub struct Writer {
    out: Vec<u8>,
    headers: usize,
    content: Vec<u8>,
    error: Option<WriteError>,
}

impl Writer {
    /// Begins a request.
    #[must_use]
    pub fn request(method: &Method, uri: &Uri) -> Self {
        let mut writer = Self::start(format_args!("{method} {uri} SIP/2.0"));
        // Both came from us or from a peer: a space or control character in them would forge the line.
        let line = writer.out.get(..writer.out.len().saturating_sub(2)).unwrap_or_default();
        let splits = line.iter().filter(|b| **b <= b' ').count();
        if splits != 2 || !text::is_token(method.as_str()) {
            writer.fail(WriteError::StartLine);
        }
        writer
    }

    /// Begins a response; an empty reason phrase stands for the code's own.
    #[must_use]
    pub fn response(status: StatusCode, reason: &str) -> Self {
        let reason = if reason.is_empty() { status.reason() } else { reason };
        Self::start(format_args!("SIP/2.0 {status} {reason}"))
    }

    fn start(line: fmt::Arguments<'_>) -> Self {
        let mut writer =
            Self { out: Vec::with_capacity(USUAL_BYTES), headers: 0, content: Vec::new(), error: None };
        if !writer.text(line) {
            writer.error = Some(WriteError::StartLine);
        }
        writer.out.extend_from_slice(b"\r\n");
        writer
    }

    /// Writes a header field.
    pub fn header(&mut self, name: impl Borrow<HeaderName>, value: impl fmt::Display) -> &mut Self {
        let name = name.borrow();
        if *name == HeaderName::ContentLength {
            return self.fail(WriteError::LengthGiven);
        }
        self.line(name, |writer| writer.text(format_args!("{value}")))
    }

    /// Writes a value that came from the peer, and goes back to it: a NUL that it wrote as a quoted pair too.
    pub fn echo(&mut self, name: impl Borrow<HeaderName>, value: &str) -> &mut Self {
        self.line(name.borrow(), |writer| {
            writer.out.extend_from_slice(value.as_bytes());
            memchr::memchr2(b'\r', b'\n', value.as_bytes()).is_none()
        })
    }

    /// Writes each field of this name as it stands in a message that came, unfolded: what a response
    /// takes from its request (RFC 3261 §8.2.6.2). A NUL that the peer itself wrote as a quoted pair
    /// goes back to it.
    pub fn copy(&mut self, headers: &Headers, name: impl Borrow<HeaderName>) -> &mut Self {
        let name = name.borrow();
        for value in headers.raw(name) {
            self.line(name, |writer| {
                writer.out.extend_from_slice(&value);
                memchr::memchr2(b'\r', b'\n', &value).is_none()
            });
        }
        self
    }

    /// Gives the message a body. It is written by [`Writer::finish`], Content-Type included.
    pub fn body(&mut self, content_type: &str, body: &[u8]) -> &mut Self {
        self.content.clear();
        self.content.extend_from_slice(body);
        self.header(HeaderName::ContentType, content_type)
    }

    /// Ends the header fields with Content-Length and adds the body.
    ///
    /// # Errors
    /// What was given could not be written safely; see [`WriteError`].
    pub fn finish(&mut self) -> Result<Bytes, WriteError> {
        let length = self.content.len();
        self.line(&HeaderName::ContentLength, |writer| writer.text(format_args!("{length}")));
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let mut out = std::mem::take(&mut self.out);
        out.extend_from_slice(b"\r\n");
        out.append(&mut self.content);
        if out.len() > MAX_MESSAGE_BYTES {
            return Err(WriteError::TooLarge { bytes: out.len() });
        }
        Ok(out.into())
    }

    /// `name: value`; `write` says whether its value may stand.
    fn line(&mut self, name: &HeaderName, write: impl FnOnce(&mut Self) -> bool) -> &mut Self {
        if self.error.is_some() {
            return self;
        }
        self.headers += 1;
        if self.headers > MAX_HEADERS {
            return self.fail(WriteError::TooManyHeaders);
        }
        if !text::is_token(name.as_str()) {
            return self.fail(WriteError::Name(name.as_str().to_owned()));
        }
        self.out.extend_from_slice(name.as_str().as_bytes());
        self.out.extend_from_slice(b": ");
        let start = self.out.len();
        if !write(self) {
            return self.fail(WriteError::LineBreak { name: name.clone() });
        }
        if self.out.len() - start > MAX_VALUE_BYTES {
            return self.fail(WriteError::ValueTooLong { name: name.clone() });
        }
        self.out.extend_from_slice(b"\r\n");
        self
    }

    /// Appends text; false if it breaks the line.
    fn text(&mut self, text: fmt::Arguments<'_>) -> bool {
        let start = self.out.len();
        let written = Appender(&mut self.out).write_fmt(text);
        written.is_ok() && !has_line_break(self.out.get(start..).unwrap_or_default())
    }

    fn fail(&mut self, error: WriteError) -> &mut Self {
        self.error.get_or_insert(error);
        self
    }
}

/// Formats into bytes.
struct Appender<'a>(&'a mut Vec<u8>);

impl fmt::Write for Appender<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

fn has_line_break(value: &[u8]) -> bool {
    memchr::memchr3(b'\r', b'\n', b'\0', value).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::parse;

    fn uri() -> Uri {
        "sip:b@example.com".parse().unwrap()
    }

    #[test]
    fn a_request_ends_with_its_length_and_body() {
        let bytes = Writer::request(&Method::Invite, &uri())
            .header(HeaderName::MaxForwards, 70)
            .body("application/sdp", b"v=0\r\n")
            .finish()
            .unwrap();
        assert_eq!(
            bytes,
            "INVITE sip:b@example.com SIP/2.0\r\nMax-Forwards: 70\r\nContent-Type: application/sdp\r\n\
             Content-Length: 5\r\n\r\nv=0\r\n"
        );
    }

    #[test]
    fn the_first_fault_is_told_and_nothing_is_written() {
        let mut writer = Writer::request(&Method::Bye, &uri());
        writer.header(HeaderName::Subject, "a\r\nRoute: <sip:evil>").header(HeaderName::ContentLength, 1);
        assert_eq!(writer.finish(), Err(WriteError::LineBreak { name: HeaderName::Subject }));
        let given = Writer::request(&Method::Bye, &uri()).header(HeaderName::ContentLength, 1).finish();
        assert_eq!(given, Err(WriteError::LengthGiven));
        let name = HeaderName::Other("X Y".into());
        let error = Writer::request(&Method::Bye, &uri()).header(name, 1).finish().unwrap_err();
        assert_eq!(error, WriteError::Name("X Y".to_owned()));
        let target = Uri::sip(None, crate::sip::Host::Name("a SIP/2.0".to_owned()));
        assert_eq!(Writer::request(&Method::Bye, &target).finish(), Err(WriteError::StartLine));
    }

    #[test]
    fn what_is_written_keeps_to_the_parsers_caps() {
        let value = "x".repeat(MAX_VALUE_BYTES);
        let fits = Writer::request(&Method::Bye, &uri()).header(HeaderName::Subject, &value).finish();
        assert!(parse(fits.unwrap()).is_ok());
        let long = Writer::request(&Method::Bye, &uri()).header(HeaderName::Subject, value + "x").finish();
        assert_eq!(long, Err(WriteError::ValueTooLong { name: HeaderName::Subject }));
        let mut writer = Writer::request(&Method::Bye, &uri());
        for _ in 0..MAX_HEADERS {
            writer.header(HeaderName::Subject, "");
        }
        assert_eq!(writer.finish(), Err(WriteError::TooManyHeaders));
        let body = vec![b'x'; MAX_MESSAGE_BYTES];
        let large = Writer::request(&Method::Bye, &uri()).body("text/plain", &body).finish();
        assert!(matches!(large, Err(WriteError::TooLarge { .. })));
    }

    #[test]
    fn a_response_takes_its_lines_from_the_request_unfolded_and_in_order() {
        let request = parse(Bytes::from_static(
            b"BYE sip:b@x SIP/2.0\r\nv: SIP/2.0/UDP a\r\n ;branch=1\r\nVia: SIP/2.0/UDP b, SIP/2.0/UDP c\r\n\r\n",
        ));
        let response = Writer::response(StatusCode::OK, "Fine")
            .copy(request.unwrap().headers(), HeaderName::Via)
            .finish()
            .unwrap();
        assert_eq!(
            response,
            "SIP/2.0 200 Fine\r\nVia: SIP/2.0/UDP a ;branch=1\r\nVia: SIP/2.0/UDP b, SIP/2.0/UDP c\r\n\
             Content-Length: 0\r\n\r\n"
        );
    }
}
