//! The typed headers of a message, read when asked for (RFC 3261 §20 and the RFC named at each).

use std::str::FromStr;
use std::time::Duration;

use super::headers::{HeaderError, Headers};
use super::method::Method;
use super::name::Known;
use super::name_addr::NameAddr;
use super::text::{self, ValueError};
use super::values::{CSeq, MediaType, RAck, Reason, Replaces, SessionExpires, split_params};
use super::via::Via;

/// Reading a header value.
type Value<T> = Result<T, ValueError>;

impl Headers {
    /// The topmost Via.
    ///
    /// # Errors
    /// Missing or malformed.
    pub fn via(&self) -> Result<Via, HeaderError> {
        let field = self.fields_known(Known::Via).next().ok_or_else(|| missing(Known::Via))?;
        let line = self.text(field);
        let first = text::split(&line, b',').next().unwrap_or_default();
        first.parse().map_err(|source| malformed(Known::Via, source))
    }

    /// Every Via, the topmost first.
    ///
    /// # Errors
    /// One of them is malformed.
    pub fn vias(&self) -> Result<Vec<Via>, HeaderError> {
        self.values(Known::Via)
    }

    /// From.
    ///
    /// # Errors
    /// Missing, repeated or malformed.
    pub fn from(&self) -> Result<NameAddr, HeaderError> {
        self.mandatory(Known::From)
    }

    /// To.
    ///
    /// # Errors
    /// Missing, repeated or malformed.
    pub fn to(&self) -> Result<NameAddr, HeaderError> {
        self.mandatory(Known::To)
    }

    /// Call-ID. Compared byte by byte (RFC 3261 §20.8).
    ///
    /// # Errors
    /// Missing, repeated, or not one word.
    pub fn call_id(&self) -> Result<&str, HeaderError> {
        let mut fields = self.fields_known(Known::CallId);
        let field = fields.next().ok_or_else(|| missing(Known::CallId))?;
        if fields.next().is_some() {
            return Err(HeaderError::Repeated { name: Known::CallId.into() });
        }
        let value = std::str::from_utf8(self.span(field.value))
            .map_err(|_| malformed(Known::CallId, ValueError::Utf8))?;
        if value.is_empty() || text::any(value.as_bytes(), |b| (b <= b' ') | (b == 0x7f)) {
            return Err(malformed(Known::CallId, ValueError::Token));
        }
        Ok(value)
    }

    /// CSeq.
    ///
    /// # Errors
    /// Missing, repeated or malformed.
    pub fn cseq(&self) -> Result<CSeq, HeaderError> {
        self.mandatory(Known::CSeq)
    }

    /// Every Contact. `*`, which only a REGISTER may carry (RFC 3261 §10.2.2), is malformed here.
    ///
    /// # Errors
    /// One of them is malformed.
    pub fn contacts(&self) -> Result<Vec<NameAddr>, HeaderError> {
        self.values(Known::Contact)
    }

    /// Every Record-Route, the topmost first.
    ///
    /// # Errors
    /// One of them is malformed.
    pub fn record_routes(&self) -> Result<Vec<NameAddr>, HeaderError> {
        self.values(Known::RecordRoute)
    }

    /// Every Route, the topmost first.
    ///
    /// # Errors
    /// One of them is malformed.
    pub fn routes(&self) -> Result<Vec<NameAddr>, HeaderError> {
        self.values(Known::Route)
    }

    /// Every Path (RFC 3327), the topmost first.
    ///
    /// # Errors
    /// One of them is malformed.
    pub fn path(&self) -> Result<Vec<NameAddr>, HeaderError> {
        self.values(Known::Path)
    }

    /// Every P-Asserted-Identity (RFC 3325 §9.1).
    ///
    /// # Errors
    /// One of them is malformed.
    pub fn p_asserted_identity(&self) -> Result<Vec<NameAddr>, HeaderError> {
        self.values(Known::PAssertedIdentity)
    }

    /// Max-Forwards, 0 to 255 (RFC 3261 §20.22).
    ///
    /// # Errors
    /// Repeated or malformed.
    pub fn max_forwards(&self) -> Result<Option<u8>, HeaderError> {
        self.single(Known::MaxForwards, text::number)
    }

    /// Expires, in seconds (RFC 3261 §20.19).
    ///
    /// # Errors
    /// Repeated or malformed.
    pub fn expires(&self) -> Result<Option<u32>, HeaderError> {
        self.single(Known::Expires, text::number)
    }

    /// Min-Expires, in seconds (RFC 3261 §20.23).
    ///
    /// # Errors
    /// Repeated or malformed.
    pub fn min_expires(&self) -> Result<Option<u32>, HeaderError> {
        self.single(Known::MinExpires, text::number)
    }

    /// Retry-After without its comment and `duration` (RFC 3261 §20.33).
    ///
    /// # Errors
    /// Repeated or malformed.
    pub fn retry_after(&self) -> Result<Option<Duration>, HeaderError> {
        self.single(Known::RetryAfter, |value| {
            let end = value.find([' ', '\t', '(', ';']).unwrap_or(value.len());
            let seconds: u32 = text::number(value.get(..end).unwrap_or_default())?;
            Ok(Duration::from_secs(seconds.into()))
        })
    }

    /// Content-Type.
    ///
    /// # Errors
    /// Repeated or malformed.
    pub fn content_type(&self) -> Result<Option<MediaType>, HeaderError> {
        self.single(Known::ContentType, MediaType::from_str)
    }

    /// The disposition of Content-Disposition, as written, without its parameters (RFC 3261 §20.11).
    ///
    /// # Errors
    /// Repeated or malformed.
    pub fn content_disposition(&self) -> Result<Option<String>, HeaderError> {
        self.single(Known::ContentDisposition, |value| token(split_params(value).0))
    }

    /// Session-Expires (RFC 4028 §4).
    ///
    /// # Errors
    /// Repeated or malformed.
    pub fn session_expires(&self) -> Result<Option<SessionExpires>, HeaderError> {
        self.single(Known::SessionExpires, SessionExpires::from_str)
    }

    /// Min-SE, in seconds (RFC 4028 §5).
    ///
    /// # Errors
    /// Repeated or malformed.
    pub fn min_se(&self) -> Result<Option<u32>, HeaderError> {
        self.single(Known::MinSe, |value| text::number(split_params(value).0))
    }

    /// RSeq (RFC 3262 §7.1).
    ///
    /// # Errors
    /// Repeated or malformed.
    pub fn rseq(&self) -> Result<Option<u32>, HeaderError> {
        self.single(Known::RSeq, text::number)
    }

    /// RAck (RFC 3262 §7.2).
    ///
    /// # Errors
    /// Repeated or malformed.
    pub fn rack(&self) -> Result<Option<RAck>, HeaderError> {
        self.single(Known::RAck, RAck::from_str)
    }

    /// Replaces (RFC 3891 §6.1).
    ///
    /// # Errors
    /// Repeated or malformed.
    pub fn replaces(&self) -> Result<Option<Replaces>, HeaderError> {
        self.single(Known::Replaces, Replaces::from_str)
    }

    /// Refer-To (RFC 3515 §2.1).
    ///
    /// # Errors
    /// Repeated or malformed.
    pub fn refer_to(&self) -> Result<Option<NameAddr>, HeaderError> {
        self.single(Known::ReferTo, NameAddr::from_str)
    }

    /// Every Reason (RFC 3326) that can be read. A wrong one is left out, because nothing else depends
    /// on it.
    #[must_use]
    pub fn reason(&self) -> Vec<Reason> {
        self.readable(Known::Reason, Reason::from_str)
    }

    /// The methods of Allow; what is no token is left out.
    #[must_use]
    pub fn allow(&self) -> Vec<Method> {
        self.readable(Known::Allow, Method::from_str)
    }

    /// The option tags of Supported; what is no token is left out.
    #[must_use]
    pub fn supported(&self) -> Vec<String> {
        self.readable(Known::Supported, token)
    }

    /// The option tags of Unsupported; what is no token is left out.
    #[must_use]
    pub fn unsupported(&self) -> Vec<String> {
        self.readable(Known::Unsupported, token)
    }

    /// The option tags of Require.
    ///
    /// # Errors
    /// One of them is no token: what is required cannot be known.
    pub fn require(&self) -> Result<Vec<String>, HeaderError> {
        let mut tags = Vec::new();
        self.each(Known::Require, |tag| {
            tags.push(token(tag)?);
            Ok(())
        })?;
        Ok(tags)
    }

    /// The words of Privacy (RFC 3323 §4.2), which separates them with `;`.
    #[must_use]
    pub fn privacy(&self) -> Vec<String> {
        let lines = self.fields_known(Known::Privacy).map(|field| self.text(field));
        let words: Vec<_> = lines
            .flat_map(|line| {
                line.split(';').filter_map(|word| token(text::trim(word)).ok()).collect::<Vec<_>>()
            })
            .collect();
        words
    }

    /// The one value that must be there.
    fn mandatory<T: FromStr<Err = ValueError>>(&self, known: Known) -> Result<T, HeaderError> {
        self.single(known, T::from_str)?.ok_or_else(|| missing(known))
    }

    /// The one value that may be there.
    fn single<T>(&self, known: Known, read: impl Fn(&str) -> Value<T>) -> Result<Option<T>, HeaderError> {
        let mut fields = self.fields_known(known);
        let Some(field) = fields.next() else { return Ok(None) };
        if fields.next().is_some() {
            return Err(HeaderError::Repeated { name: known.into() });
        }
        read(&self.text(field)).map(Some).map_err(|source| malformed(known, source))
    }

    /// All values of a list header.
    fn values<T: FromStr<Err = ValueError>>(&self, known: Known) -> Result<Vec<T>, HeaderError> {
        let mut values = Vec::new();
        self.each(known, |value| {
            values.push(value.parse()?);
            Ok(())
        })?;
        Ok(values)
    }

    /// All values of a list header that can be read.
    fn readable<T>(&self, known: Known, read: impl Fn(&str) -> Value<T>) -> Vec<T> {
        let mut values = Vec::new();
        let walked = self.each(known, |value| {
            values.extend(read(value));
            Ok(())
        });
        debug_assert!(walked.is_ok(), "the closure never fails");
        values
    }

    /// Walks over the values of a list header; empty ones are left out.
    fn each(&self, known: Known, mut take: impl FnMut(&str) -> Value<()>) -> Result<(), HeaderError> {
        for field in self.fields_known(known) {
            let line = self.text(field);
            for value in text::split(&line, b',').filter(|value| !value.is_empty()) {
                take(value).map_err(|source| malformed(known, source))?;
            }
        }
        Ok(())
    }
}

fn token(text: &str) -> Value<String> {
    if text::is_token(text) { Ok(text.to_owned()) } else { Err(ValueError::Token) }
}

fn missing(known: Known) -> HeaderError {
    HeaderError::Missing { name: known.into() }
}

fn malformed(known: Known, source: ValueError) -> HeaderError {
    HeaderError::Malformed { name: known.into(), source }
}
