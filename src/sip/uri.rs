//! URIs: `sip:` and `sips:` (RFC 3261 §19.1), `tel:` (RFC 3966), any other scheme as it is.
//!
//! ```text
//! sip:+254711000001;phone-context=x:secret@[2001:db8::1]:5060;transport=udp;lr?Subject=hi
//! └┬┘ └────────────┬──────────────┘└──┬──┘ └─────┬─────┘ └┬─┘└──────┬────────┘└────┬────┘
//! scheme         user             password      host     port     params        headers
//! ```
//! Parts are kept as written, escapes included, because a route or target must go back as it came.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use super::host::Host;
use super::params::Params;
use super::text::{self, ValueError};

/// A URI as SIP uses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Uri {
    /// `sip:` or `sips:`.
    Sip(Box<SipUri>),
    /// `tel:`.
    Tel(Box<TelUri>),
    /// Another scheme: what follows its colon is not looked into.
    Other {
        /// The scheme, as written.
        scheme: String,
        /// All that follows the colon.
        rest: String,
    },
}

/// A `sip:` or `sips:` URI (RFC 3261 §19.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SipUri {
    /// `sips:`?
    pub secure: bool,
    /// The user part, escaped as on the wire.
    pub user: Option<String>,
    /// The password, escaped as on the wire. Its use is not recommended (RFC 3261 §19.1.1).
    pub password: Option<String>,
    /// The host.
    pub host: Host,
    /// The port, if one is written.
    pub port: Option<u16>,
    /// The URI's own parameters.
    pub params: Params,
    /// What follows the `?`, without it.
    pub headers: Option<String>,
}

/// A `tel:` URI (RFC 3966).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TelUri {
    /// The number as written, visual separators included.
    pub number: String,
    /// `phone-context`, `ext`, …
    pub params: Params,
}

impl Uri {
    /// `sip:user@host`; what the user part may not carry is escaped.
    #[must_use]
    pub fn sip(user: Option<&str>, host: impl Into<Host>) -> Self {
        Self::Sip(Box::new(SipUri {
            secure: false,
            user: user.map(|user| escape(user, b"-_.!~*'()&=+$,;?/")), // `user-unreserved` too
            password: None,
            host: host.into(),
            port: None,
            params: Params::new(),
            headers: None,
        }))
    }

    /// `sip:user@address:port`.
    #[must_use]
    pub fn sip_at(user: Option<&str>, address: SocketAddr) -> Self {
        Self::sip(user, address.ip()).with_port(address.port())
    }

    /// The same URI with a port, if it is a `sip:` or `sips:` URI.
    #[must_use]
    pub fn with_port(mut self, port: u16) -> Self {
        if let Self::Sip(uri) = &mut self {
            uri.port = Some(port);
        }
        self
    }

    /// The same URI with a parameter without a value (`lr`), if its scheme has any.
    #[must_use]
    pub fn with_flag(mut self, name: &str) -> Self {
        if let Some(params) = self.params_mut() {
            params.set_flag(name);
        }
        self
    }

    /// The same URI with a parameter, if its scheme has any; what a value may not carry is escaped.
    #[must_use]
    pub fn with_param(mut self, name: &str, value: impl fmt::Display) -> Self {
        if let Some(params) = self.params_mut() {
            params.set(name, escape(&value.to_string(), b"-_.!~*'+[]/:"));
        }
        self
    }

    /// The scheme.
    #[must_use]
    pub fn scheme(&self) -> &str {
        match self {
            Self::Sip(uri) if uri.secure => "sips",
            Self::Sip(_) => "sip",
            Self::Tel(_) => "tel",
            Self::Other { scheme, .. } => scheme,
        }
    }

    /// The `sip:` or `sips:` URI.
    #[must_use]
    pub fn as_sip(&self) -> Option<&SipUri> {
        match self {
            Self::Sip(uri) => Some(uri),
            Self::Tel(_) | Self::Other { .. } => None,
        }
    }

    /// The user part as written; of a `tel:` URI the number.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        match self {
            Self::Sip(uri) => uri.user.as_deref(),
            Self::Tel(uri) => Some(&uri.number),
            Self::Other { .. } => None,
        }
    }

    /// The user part with its escapes resolved.
    #[must_use]
    pub fn user_unescaped(&self) -> Option<String> {
        self.user().map(unescape)
    }

    /// The host of a `sip:` or `sips:` URI.
    #[must_use]
    pub fn host(&self) -> Option<&Host> {
        self.as_sip().map(|uri| &uri.host)
    }

    /// The port as written.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.as_sip().and_then(|uri| uri.port)
    }

    /// The address and port to send to, if the host is an IP address; the port of the scheme if none
    /// is written: 5060, `sips` 5061 (RFC 3261 §19.1.2).
    #[must_use]
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        let uri = self.as_sip()?;
        let port = uri.port.unwrap_or(if uri.secure { 5061 } else { 5060 });
        uri.host.ip().map(|ip| SocketAddr::new(ip, port))
    }

    /// The value of a URI parameter, as written.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params().and_then(|params| params.get(name))
    }

    /// The URI's own parameters, if its scheme has any.
    #[must_use]
    pub fn params(&self) -> Option<&Params> {
        match self {
            Self::Sip(uri) => Some(&uri.params),
            Self::Tel(uri) => Some(&uri.params),
            Self::Other { .. } => None,
        }
    }

    fn params_mut(&mut self) -> Option<&mut Params> {
        match self {
            Self::Sip(uri) => Some(&mut uri.params),
            Self::Tel(uri) => Some(&mut uri.params),
            Self::Other { .. } => None,
        }
    }

    /// Is it a loose router's URI (RFC 3261 §19.1.1, `lr`)?
    #[must_use]
    pub fn lr(&self) -> bool {
        self.as_sip().is_some_and(|uri| uri.params.has("lr"))
    }

    /// The `transport` parameter, as written.
    #[must_use]
    pub fn transport(&self) -> Option<&str> {
        self.as_sip().and_then(|uri| uri.params.get("transport"))
    }

    /// Do these name the same resource (RFC 3261 §19.1.4, without header comparison by meaning)?
    ///
    /// Host and parameter names and values ignore case, the user part does not; `user`, `ttl`,
    /// `method`, `maddr` and `transport` must stand on both sides or on none, other parameters only
    /// have to agree where both sides have them.
    #[must_use]
    pub fn equivalent(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Sip(a), Self::Sip(b)) => a.equivalent(b),
            (Self::Tel(a), Self::Tel(b)) => {
                digits(&a.number).eq(digits(&b.number)) && agree(&a.params, &b.params)
            }
            (a, b) => a == b,
        }
    }
}

impl SipUri {
    fn equivalent(&self, other: &Self) -> bool {
        let same_user = match (&self.user, &other.user) {
            (Some(a), Some(b)) => unescape(a) == unescape(b),
            (a, b) => a == b,
        };
        let everywhere = ["user", "ttl", "method", "maddr", "transport"];
        self.secure == other.secure
            && same_user
            && self.password == other.password
            && self.host.equivalent(&other.host)
            && self.port == other.port
            && everywhere.iter().all(|name| self.params.has(name) == other.params.has(name))
            && agree(&self.params, &other.params)
            && self.headers == other.headers
    }
}

/// Do all parameters agree that stand on both sides? Of a repeated one the first counts.
fn agree(a: &Params, b: &Params) -> bool {
    let value = |params: &Params, name| params.get(name).unwrap_or_default().to_ascii_lowercase();
    a.iter().all(|(name, _)| !b.has(name) || value(a, name) == value(b, name))
}

/// A `tel:` number without its visual separators (RFC 3966 §4).
fn digits(number: &str) -> impl Iterator<Item = char> {
    number.chars().filter(|c| !matches!(c, '-' | '.' | '(' | ')')).map(|c| c.to_ascii_lowercase())
}

impl FromStr for Uri {
    type Err = ValueError;

    #[inline]
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let marks = Marks::of(text)?;
        let (scheme, rest) = text.split_at_checked(marks.colon).ok_or(ValueError::Scheme)?;
        let rest = rest.strip_prefix(':').ok_or(ValueError::Scheme)?;
        if scheme.eq_ignore_ascii_case("sip") {
            return read_sip(false, text, &marks);
        }
        if scheme.eq_ignore_ascii_case("sips") {
            return read_sip(true, text, &marks);
        }
        if scheme.eq_ignore_ascii_case("tel") {
            return read_tel(rest).map(|uri| Self::Tel(Box::new(uri)));
        }
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
        if !is_scheme {
            return Err(ValueError::Scheme);
        }
        Ok(Self::Other { scheme: scheme.to_owned(), rest: rest.to_owned() })
    }
}

/// Where the parts of a URI meet; the text's length where there is none.
struct Marks {
    /// The first `:`, behind the scheme.
    colon: usize,
    /// The first `@`, behind the userinfo.
    at: Option<usize>,
    /// The first `;` or `?` behind the host and port.
    host_end: usize,
    /// The first `?` behind the host.
    question: usize,
}

impl Marks {
    /// Only printable ASCII without `<`, `>`, `"`, and whole escapes.
    #[inline]
    fn of(text: &str) -> Result<Self, ValueError> {
        static PLAIN: text::ByteSet = text::ByteSet::alphanumeric_and(b"!#$&'()*+,-./=[\\]^_`{|}~");
        let bytes = text.as_bytes();
        let is_hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
        let none = bytes.len();
        let mut marks = Self { colon: none, at: None, host_end: none, question: none };
        for (at, &byte) in bytes.iter().enumerate() {
            if PLAIN.has(byte) {
                continue;
            }
            match byte {
                b':' => marks.colon = marks.colon.min(at),
                // What stood before it was no end of the host, but part of the user.
                b'@' if marks.at.is_none() => {
                    marks = Self { at: Some(at), host_end: none, question: none, ..marks };
                }
                b'@' => {}
                b';' => marks.host_end = marks.host_end.min(at),
                b'?' => {
                    marks.host_end = marks.host_end.min(at);
                    marks.question = marks.question.min(at);
                }
                b'%' if is_hex(at + 1) && is_hex(at + 2) => {}
                _ => return Err(ValueError::UriCharacter),
            }
        }
        Ok(marks)
    }
}

#[inline]
fn read_sip(secure: bool, text: &str, marks: &Marks) -> Result<Uri, ValueError> {
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    let (mut user, mut password) = (None, None);
    if let Some(at) = marks.at {
        let (name, secret) = text::split_first(part(marks.colon + 1, at), b':');
        if name.is_empty() {
            return Err(ValueError::User);
        }
        user = Some(name.to_owned());
        password = secret.map(str::to_owned);
    }
    let host = marks.at.unwrap_or(marks.colon) + 1;
    let (host, port) = Host::with_port(part(host, marks.host_end))?;
    let params = Params::read(part(marks.host_end, marks.question))?;
    let headers = text.get(marks.question + 1..).map(str::to_owned);
    Ok(Uri::Sip(Box::new(SipUri { secure, user, password, host, port, params, headers })))
}

/// RFC 3966 §3: a global number is `+` and digits, a local one may hold `*`, `#` and hexadecimals.
fn read_tel(text: &str) -> Result<TelUri, ValueError> {
    let end = memchr::memchr(b';', text.as_bytes()).unwrap_or(text.len());
    let (number, params) = text.split_at(end);
    let local = number.strip_prefix('+').unwrap_or(number);
    let is_digit = |b: u8| b.is_ascii_hexdigit() || matches!(b, b'*' | b'#');
    if !local.bytes().any(is_digit)
        || !local.bytes().all(|b| is_digit(b) || matches!(b, b'-' | b'.' | b'(' | b')'))
    {
        return Err(ValueError::Number);
    }
    Ok(TelUri { number: number.to_owned(), params: Params::read(params)? })
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sip(uri) => uri.fmt(f),
            Self::Tel(uri) => write!(f, "tel:{}{}", uri.number, uri.params),
            Self::Other { scheme, rest } => write!(f, "{scheme}:{rest}"),
        }
    }
}

impl fmt::Display for SipUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.secure { "sips:" } else { "sip:" })?;
        if let Some(user) = &self.user {
            f.write_str(user)?;
            if let Some(password) = &self.password {
                write!(f, ":{password}")?;
            }
            f.write_str("@")?;
        }
        self.host.fmt(f)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        self.params.fmt(f)?;
        match &self.headers {
            Some(headers) => write!(f, "?{headers}"),
            None => Ok(()),
        }
    }
}

/// Escapes all but letters, digits and these (RFC 3261 §25.1 `escaped`).
fn escape(text: &str, unescaped: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || unescaped.contains(&byte) {
            out.push(char::from(byte));
        } else {
            use fmt::Write as _;
            write!(out, "%{byte:02X}").expect("writing to a String cannot fail");
        }
    }
    out
}

/// Resolves `%` escapes (RFC 3261 §19.1.2); bytes that are not UTF-8 then become U+FFFD.
fn unescape(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut pieces = text.split('%');
    out.extend_from_slice(pieces.next().unwrap_or_default().as_bytes());
    for piece in pieces {
        let escaped = piece.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (escaped, piece.get(2..)) {
            (Some(byte), Some(rest)) => {
                out.push(byte);
                out.extend_from_slice(rest.as_bytes());
            }
            _ => {
                out.push(b'%');
                out.extend_from_slice(piece.as_bytes());
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

text::serde_as_text!(Uri);

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Uri {
        text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    #[test]
    fn uris_are_written_as_they_came() {
        for text in [
            "sip:alice@atlanta.com",
            "sip:alice:secretword@atlanta.com;transport=tcp",
            "sips:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:+1-212-555-1212:1234@gateway.com;user=phone",
            "sips:1212@gateway.com",
            "sip:alice@192.0.2.4",
            "sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com",
            "sip:alice;day=tuesday@atlanta.com",
            "sip:a@[2001:db8::1]:5070;transport=UDP;lr;Foo=%41",
            "tel:+254-711-000001;phone-context=example.com",
            "tel:7042;phone-context=example.com",
            "isbn:2983792873",
        ] {
            assert_eq!(read(text).to_string(), text);
        }
        assert_eq!(read("SIP:a@b;Transport=TCP").transport(), Some("TCP"), "the case of a value is kept");
    }

    #[test]
    fn what_is_no_uri_is_refused() {
        for (text, error) in [
            ("", ValueError::Scheme),
            ("alice@atlanta.com", ValueError::Scheme),
            ("1x:y", ValueError::Scheme),
            ("sip:", ValueError::Host),
            ("sip:@b", ValueError::User),
            ("sip:a@", ValueError::Host),
            ("sip:a@b:x", ValueError::Port),
            ("sip:a@b:99999", ValueError::Port),
            ("sip:a b@c", ValueError::UriCharacter),
            ("sip:a%4@c", ValueError::UriCharacter),
            ("sip:a%zz@c", ValueError::UriCharacter),
            ("sip:<a@c>", ValueError::UriCharacter),
            ("sip:ä@c", ValueError::UriCharacter),
            ("sip:2001:db8::10", ValueError::Host),
            ("tel:", ValueError::Number),
            ("tel:+", ValueError::Number),
            ("tel:x", ValueError::Number),
        ] {
            assert_eq!(text.parse::<Uri>(), Err(error), "{text}");
        }
    }

    /// The examples of RFC 3261 §19.1.4.
    #[test]
    fn equivalence_follows_the_rfc() {
        let same = |a: &str, b: &str| read(a).equivalent(&read(b)) && read(b).equivalent(&read(a));
        assert!(same("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"));
        assert!(same("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"));
        assert!(same("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"));
        assert!(same("tel:+1-201-555-0123", "tel:+12015550123"));
        assert!(!same("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"));
        assert!(!same("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"));
        assert!(!same("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"));
        assert!(!same("sip:bob@biloxi.com:6000;transport=tcp", "sip:bob@biloxi.com"));
        assert!(!same("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"));
        assert!(!same("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"));
        assert!(!same("sip:a@b", "sips:a@b"));
    }

    #[test]
    fn what_we_make_can_be_read() {
        let uri = Uri::sip_at(Some("+254 711#1"), "[2001:db8::1]:5062".parse().unwrap())
            .with_param("transport", "udp")
            .with_param("x", "a;b=c")
            .with_flag("lr");
        assert_eq!(uri.to_string(), "sip:+254%20711%231@[2001:db8::1]:5062;transport=udp;x=a%3Bb%3Dc;lr");
        assert_eq!(read(&uri.to_string()), uri);
        assert_eq!(uri.user_unescaped().unwrap(), "+254 711#1");
        assert_eq!(uri.socket_addr(), "[2001:db8::1]:5062".parse().ok());
        assert_eq!(read("sips:a@192.0.2.1").socket_addr(), "192.0.2.1:5061".parse().ok());
        assert!(uri.lr());
    }
}
