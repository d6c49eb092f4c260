//! A message: start line, headers, body (RFC 3261 §7).

use bytes::Bytes;

use super::headers::{HeaderError, Headers, Span};
use super::method::Method;
use super::status::StatusCode;
use super::uri::Uri;

/// What came in one datagram; made by [`parse`](super::parse()).
#[derive(Clone, Debug)]
pub enum Message {
    /// A request.
    Request(Request),
    /// A response.
    Response(Response),
}

/// A request. Cloning shares its bytes.
#[derive(Clone, Debug)]
pub struct Request {
    method: Method,
    uri: Span,
    headers: Headers,
}

/// A response. Cloning shares its bytes.
#[derive(Clone, Debug)]
pub struct Response {
    status: StatusCode,
    reason: Span,
    headers: Headers,
}

impl Message {
    /// The header fields.
    #[must_use]
    pub const fn headers(&self) -> &Headers {
        match self {
            Self::Request(request) => &request.headers,
            Self::Response(response) => &response.headers,
        }
    }

    /// The body, cut to Content-Length.
    #[must_use]
    pub fn body(&self) -> Bytes {
        self.headers().body()
    }

    /// The message as it came, without keepalive lines before it and bytes beyond its body.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        self.headers().bytes()
    }

    /// The request.
    #[must_use]
    pub const fn as_request(&self) -> Option<&Request> {
        match self {
            Self::Request(request) => Some(request),
            Self::Response(_) => None,
        }
    }

    /// The response.
    #[must_use]
    pub const fn as_response(&self) -> Option<&Response> {
        match self {
            Self::Response(response) => Some(response),
            Self::Request(_) => None,
        }
    }
}

impl Request {
    pub(super) const fn new(method: Method, uri: Span, headers: Headers) -> Self {
        Self { method, uri, headers }
    }

    /// The method.
    #[must_use]
    pub const fn method(&self) -> &Method {
        &self.method
    }

    /// The Request-URI.
    ///
    /// # Errors
    /// It is no URI (answered with 400), see [`HeaderError::RequestUri`].
    pub fn uri(&self) -> Result<Uri, HeaderError> {
        self.uri_text().parse().map_err(|source| HeaderError::RequestUri { source })
    }

    /// The Request-URI as it came.
    #[must_use]
    pub fn uri_text(&self) -> &str {
        std::str::from_utf8(self.headers.span(self.uri)).expect("the parser checked the start line")
    }

    /// The header fields.
    #[must_use]
    pub const fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The body, cut to Content-Length.
    #[must_use]
    pub fn body(&self) -> Bytes {
        self.headers.body()
    }

    /// The message as it came; see [`Message::bytes`].
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        self.headers.bytes()
    }
}

impl Response {
    pub(super) const fn new(status: StatusCode, reason: Span, headers: Headers) -> Self {
        Self { status, reason, headers }
    }

    /// The status code.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The reason phrase as it came; may be empty.
    #[must_use]
    pub fn reason_phrase(&self) -> &str {
        std::str::from_utf8(self.headers.span(self.reason)).expect("the parser checked the start line")
    }

    /// The header fields.
    #[must_use]
    pub const fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The body, cut to Content-Length.
    #[must_use]
    pub fn body(&self) -> Bytes {
        self.headers.body()
    }

    /// The message as it came; see [`Message::bytes`].
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        self.headers.bytes()
    }
}
