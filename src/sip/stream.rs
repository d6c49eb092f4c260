//! Framing of a connection: its bytes become messages (RFC 3261 §7.5, §18.3; RFC 5626 §3.5.1).
//!
//! ```text
//! … CRLF CRLF  INVITE … Content-Length: 4 CRLF CRLF body  SIP/2.0 200 OK … CRLF  ACK …
//!   └ Blank ┘  └──────────── Message ──────────────────┘  └── Message ──┘        └ more is to come
//! ```
//! A message is read by [`parse`] alone, so that this and the reader of datagrams can never disagree about
//! where it ends. The buffer holds at most one message and what one read brought beyond it.

use bytes::{Buf as _, Bytes, BytesMut};

use super::message::Message;
use super::name::HeaderName;
use super::parse::{MAX_MESSAGE_BYTES, ParseError, parse};
use super::text;

/// What stands next in a stream.
#[derive(Clone, Debug)]
pub enum Frame {
    /// A whole message.
    Message(Message),
    /// An empty line between messages: two in a row are a ping, one is a pong (RFC 5626 §4.4.1).
    Blank,
}

/// Why a stream cannot be read any further: where the next message would begin is not known any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// What came is no message.
    #[error(transparent)]
    Message(#[from] ParseError),
    /// Without Content-Length nobody knows where the message ends (RFC 3261 §20.14).
    #[error("a message without Content-Length in a stream")]
    NoLength,
}

impl StreamError {
    /// A stable word for counters.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Message(error) => error.reason(),
            Self::NoLength => "no_length",
        }
    }
}

/// The bytes of one connection that have not become messages yet.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: BytesMut,
    /// No end of the head begins before this place.
    searched: usize,
    /// Bytes of the message whose head has been read, with its body.
    whole: Option<usize>,
}

impl Framer {
    /// Takes in what was read. Ask for frames until there are none before the next read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// True while the beginning of a message waits for the rest.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// The next frame, if all of it is there.
    ///
    /// # Errors
    /// [`StreamError`]; close the connection then.
    pub fn poll_frame(&mut self) -> Result<Option<Frame>, StreamError> {
        if let Some(whole) = self.whole {
            return self.message(whole);
        }
        if self.buffer.starts_with(b"\r\n") {
            self.buffer.advance(2);
            self.searched = 0;
            return Ok(Some(Frame::Blank));
        }
        if let Some(first) = self.buffer.first()
            && !text::TOKEN.has(*first)
            && self.buffer.as_ref() != b"\r"
        {
            return Err(ParseError::StartLine.into()); // TLS, noise: no need to wait for more of it
        }
        let rest = self.buffer.get(self.searched..).unwrap_or_default();
        let Some(end) = memchr::memmem::find(rest, b"\r\n\r\n") else {
            if self.buffer.len() > MAX_MESSAGE_BYTES {
                return Err(ParseError::TooLarge { bytes: self.buffer.len() }.into());
            }
            self.searched = self.buffer.len().saturating_sub(3);
            return Ok(None);
        };
        let head = self.searched + end + 4;
        let whole = head + self.body_bytes(head)?;
        if whole > MAX_MESSAGE_BYTES {
            return Err(ParseError::TooLarge { bytes: whole }.into());
        }
        self.whole = Some(whole);
        self.message(whole)
    }

    /// How many bytes of body follow this head.
    fn body_bytes(&self, head: usize) -> Result<usize, StreamError> {
        let head = self.buffer.get(..head).unwrap_or_default();
        match parse(Bytes::copy_from_slice(head)) {
            Ok(message) if message.headers().has(HeaderName::ContentLength) => Ok(0),
            Ok(_) => Err(StreamError::NoLength),
            Err(ParseError::Truncated { declared, .. }) => Ok(declared),
            Err(error) => Err(error.into()),
        }
    }

    fn message(&mut self, whole: usize) -> Result<Option<Frame>, StreamError> {
        if self.buffer.len() < whole {
            return Ok(None);
        }
        let bytes = self.buffer.split_to(whole).freeze();
        (self.searched, self.whole) = (0, None);
        Ok(Some(Frame::Message(parse(bytes)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "OPTIONS sip:b@example.com SIP/2.0\r\nCall-ID: x\r\n";

    fn options(body: &str) -> String {
        format!("{HEAD}Content-Length: {}\r\n\r\n{body}", body.len())
    }

    /// What a stream comes to, read in pieces of this size: bodies, `|` for an empty line, and the error.
    fn read(stream: &str, piece: usize) -> String {
        let mut framer = Framer::default();
        let mut seen = String::new();
        for piece in stream.as_bytes().chunks(piece) {
            framer.push(piece);
            loop {
                match framer.poll_frame() {
                    Ok(Some(Frame::Message(message))) => {
                        seen.push_str(&format!("<{}>", String::from_utf8_lossy(&message.body())));
                    }
                    Ok(Some(Frame::Blank)) => seen.push('|'),
                    Ok(None) => break,
                    Err(error) => return format!("{seen}{}", error.reason()),
                }
            }
        }
        if framer.is_partial() { format!("{seen}…") } else { seen }
    }

    #[test]
    fn messages_are_found_however_the_stream_is_cut() {
        let stream = format!("\r\n\r\n{}{}\r\n{}", options("body"), options(""), options("a\r\n\r\nb"));
        for piece in 1..stream.len() {
            assert_eq!(read(&stream, piece), "||<body><>|<a\r\n\r\nb>", "in pieces of {piece}");
        }
        assert_eq!(read(stream.trim_end_matches('b'), 100), "||<body><>|…");
    }

    #[test]
    fn a_stream_that_cannot_be_framed_ends_at_once() {
        assert_eq!(read(&format!("{HEAD}\r\nbody"), 7), "no_length");
        assert_eq!(read(&format!("{HEAD}Content-Length: 1\r\nl: 2\r\n\r\nab"), 7), "content_length");
        assert_eq!(read(&format!("{}GET / HTTP/1.1\r\nHost: a\r\n\r\n", options("")), 7), "<>start_line");
        assert_eq!(read("\u{16}\u{3}\u{1}", 1), "start_line", "TLS shows with its first byte");
        assert_eq!(read(" OPTIONS", 1), "start_line");
    }

    #[test]
    fn what_waits_is_bounded() {
        let endless = format!("{HEAD}X: {}", "x".repeat(MAX_MESSAGE_BYTES));
        assert_eq!(read(&endless, 4_096), "too_large");
        let long = format!("{HEAD}Content-Length: {MAX_MESSAGE_BYTES}\r\n\r\n");
        assert_eq!(read(&long, 4_096), "too_large", "refused with its head, before the body is kept");
        let most = MAX_MESSAGE_BYTES - HEAD.len() - "Content-Length: 65000\r\n\r\n".len();
        assert!(read(&options(&"x".repeat(most)), 4_096).ends_with("x>"));
    }

    #[test]
    fn a_head_that_dribbles_in_is_searched_once() {
        // 60 kB a byte at a time: quadratic work would take minutes.
        assert_eq!(read(&format!("{HEAD}X: {}", "x".repeat(60_000)), 1), "…");
    }
}
