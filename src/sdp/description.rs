//! A description as it came in (RFC 8866), read leniently: equipment writes what it likes.
//!
//! ```text
//! v= o= s= c= t= a=…          session: defaults
//! m=audio 4000 RTP/AVP 0 101  ┐ media: overrides
//! c= a=rtpmap:… a=sendrecv    ┘ (any number of sections)
//! ```
//! Lines end in CRLF, LF or CR; lines that are no `x=value`, not UTF-8 or malformed are skipped and
//! counted. Only what offer and answer stand on is demanded: version 0, well-formed `m=` lines, bounds.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Direction;

/// The longest description that is read, in bytes: browsers with ICE and video reach about 10 kB.
pub const MAX_BYTES: usize = 32 * 1024;
/// The most lines of a description.
pub const MAX_LINES: usize = 1_000;
/// The most `m=` lines of a description; each one has to be answered.
pub const MAX_MEDIA: usize = 16;
/// The most formats of an `m=` line that are looked at: there are 128 payload types.
const MAX_FORMATS: usize = 128;
/// The longest token of an `m=` line, in bytes: refused sections are kept in a call's record.
const MAX_TOKEN: usize = 48;

/// Why a body is no description.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DescriptionError {
    /// More than [`MAX_BYTES`].
    #[error("the description has {0} bytes, more than {MAX_BYTES}")]
    TooLong(usize),
    /// More than [`MAX_LINES`].
    #[error("the description has more than {MAX_LINES} lines")]
    TooManyLines,
    /// More than [`MAX_MEDIA`].
    #[error("the description has more than {MAX_MEDIA} m= lines")]
    TooManyMedia,
    /// Another version than 0.
    #[error("line {line}: SDP version is not 0")]
    Version {
        /// The line, from 1.
        line: usize,
    },
    /// An `m=` line that cannot be read, so that it could not be answered either.
    #[error("line {line}: this is no m= line: m=<media> <port> <protocol> <format> ...")]
    Media {
        /// The line, from 1.
        line: usize,
    },
    /// No `m=` line.
    #[error("the body has no m= line, so it is no description of a session")]
    NoMedia,
}

/// An `a=` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Before the colon.
    pub name: &'a str,
    /// After it; empty for a property (`a=sendrecv`).
    pub value: &'a str,
}

/// The host of a `c=` line or an `a=rtcp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host<'a> {
    /// An address.
    Address(IpAddr),
    /// A name, which would have to be looked up.
    Name(&'a str),
}

impl Host<'_> {
    /// The old form of hold: `0.0.0.0` (RFC 3264 §8.4), `::`, or a name in `.invalid` (RFC 6157).
    #[must_use]
    pub fn is_unspecified(&self) -> bool {
        match self {
            Self::Address(address) => address.is_unspecified(),
            Self::Name(name) => name
                .trim_end_matches('.')
                .rsplit('.')
                .next()
                .is_some_and(|top| top.eq_ignore_ascii_case("invalid")),
        }
    }
}

/// What an `a=rtpmap` says of a payload type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtpMap<'a> {
    /// The encoding, in the peer's case.
    pub encoding: &'a str,
    /// Its clock in Hz.
    pub clock_hz: u32,
    /// Its channels.
    pub channels: u8,
}

/// One `m=` line and what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media<'a> {
    /// `audio`, `video`, `image`, ...
    pub media: &'a str,
    /// 0: the section is refused or disabled.
    pub port: u16,
    /// `RTP/AVP`, `RTP/SAVP`, `udptl`, ...
    pub protocol: &'a str,
    /// For RTP: payload types.
    pub formats: Vec<&'a str>,
    /// The section's own `c=`.
    pub connection: Option<Host<'a>>,
    /// The section's own `a=` lines.
    pub attributes: Vec<Attribute<'a>>,
}

/// A description.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description<'a> {
    /// The value of `o=`, as it came.
    pub origin: Option<&'a str>,
    /// The session's `c=`.
    pub connection: Option<Host<'a>>,
    /// The value of the first `t=`; an answer repeats it (RFC 3264 §6).
    pub time: Option<&'a str>,
    /// The session's `a=` lines.
    pub attributes: Vec<Attribute<'a>>,
    /// The sections, in order.
    pub media: Vec<Media<'a>>,
    /// Lines that were skipped because they made no sense.
    pub skipped: usize,
}

impl<'a> Description<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// When there is nothing in it that could be agreed to or refused section by section.
    pub fn parse(body: &'a [u8]) -> Result<Self, DescriptionError> {
        if body.len() > MAX_BYTES {
            return Err(DescriptionError::TooLong(body.len()));
        }
        let mut description = Self::default();
        let lines = body.split(|byte| matches!(byte, b'\r' | b'\n')).map(<[u8]>::trim_ascii);
        for (index, line) in lines.filter(|line| !line.is_empty()).enumerate() {
            if index == MAX_LINES {
                return Err(DescriptionError::TooManyLines);
            }
            if description.take(line, index + 1)?.is_none() {
                description.skipped += 1;
            }
        }
        if description.media.is_empty() { Err(DescriptionError::NoMedia) } else { Ok(description) }
    }

    /// Takes in one line; `None` if it makes no sense.
    fn take(&mut self, line: &'a [u8], number: usize) -> Result<Option<()>, DescriptionError> {
        let Some((kind, value)) = line_of(line) else { return Ok(None) };
        match kind {
            'v' if value != "0" => return Err(DescriptionError::Version { line: number }),
            'm' => {
                if self.media.len() == MAX_MEDIA {
                    return Err(DescriptionError::TooManyMedia);
                }
                self.media.push(media(value).ok_or(DescriptionError::Media { line: number })?);
            }
            'o' => self.origin = self.origin.or(Some(value)),
            't' => self.time = self.time.or_else(|| is_time(value).then_some(value)),
            'c' => {
                let Some(host) = connection(value) else { return Ok(None) };
                let place = self.media.last_mut().map_or(&mut self.connection, |media| &mut media.connection);
                *place = place.or(Some(host));
            }
            'a' => {
                let (name, value) = value.split_once(':').unwrap_or((value, ""));
                let attribute = Attribute { name: name.trim(), value: value.trim() };
                self.media
                    .last_mut()
                    .map_or(&mut self.attributes, |media| &mut media.attributes)
                    .push(attribute);
            }
            'v' | 's' | 'i' | 'u' | 'e' | 'p' | 'b' | 'r' | 'z' | 'k' => {}
            _ => return Ok(None),
        }
        Ok(Some(()))
    }

    /// The host of a section: its own, else the session's.
    #[must_use]
    pub fn host(&self, media: &Media<'a>) -> Option<Host<'a>> {
        media.connection.or(self.connection)
    }

    /// The value of an attribute of a section, else of the session.
    #[must_use]
    pub fn attribute(&self, media: &Media<'a>, name: &str) -> Option<&'a str> {
        find(&media.attributes, name).or_else(|| find(&self.attributes, name))
    }

    /// The direction of a section from the peer's side, else of the session, else both ways.
    #[must_use]
    pub fn direction(&self, media: &Media<'a>) -> Direction {
        let of =
            |attributes: &[Attribute<'_>]| attributes.iter().find_map(|one| Direction::from_name(one.name));
        of(&media.attributes).or_else(|| of(&self.attributes)).unwrap_or_default()
    }

    /// A packet time in ms: `ptime` or `maxptime`.
    #[must_use]
    pub fn milliseconds(&self, media: &Media<'a>, name: &str) -> Option<u16> {
        let value = self.attribute(media, name)?;
        value.split(['.', ' ']).next()?.parse().ok()
    }
}

impl<'a> Media<'a> {
    /// The payload types among the formats, each once, in order.
    pub fn payload_types(&self) -> impl Iterator<Item = u8> {
        let numbers =
            self.formats.iter().map(|format| format.parse::<u8>().ok().filter(|number| *number < 128));
        let mut seen = [false; 128];
        numbers.flatten().filter(move |number| !std::mem::replace(&mut seen[usize::from(*number)], true))
    }

    /// What `a=rtpmap` says of a payload type; a clock that it leaves out is 8000.
    #[must_use]
    pub fn rtpmap(&self, payload_type: u8) -> Option<RtpMap<'a>> {
        let value = self.of_format("rtpmap", payload_type)?;
        let mut parts = value.split('/').map(str::trim);
        let encoding = parts.next().filter(|encoding| !encoding.is_empty())?;
        let clock_hz = parts.next().map_or(Some(8_000), |clock| clock.parse().ok())?;
        let channels = parts.next().map_or(Some(1), |channels| channels.parse().ok())?;
        Some(RtpMap { encoding, clock_hz, channels })
    }

    /// The value of `a=fmtp` for a payload type.
    #[must_use]
    pub fn fmtp(&self, payload_type: u8) -> Option<&'a str> {
        self.of_format("fmtp", payload_type)
    }

    /// `a=rtcp` (RFC 3605 §2.1): a port, and a host if it is another one.
    #[must_use]
    pub fn rtcp(&self) -> Option<(u16, Option<Host<'a>>)> {
        let value = find(&self.attributes, "rtcp")?;
        let (port, host) = value.split_once(' ').unwrap_or((value, ""));
        Some((port.parse().ok()?, connection(host)))
    }

    fn of_format(&self, name: &str, payload_type: u8) -> Option<&'a str> {
        let named = self.attributes.iter().filter(|attribute| attribute.name.eq_ignore_ascii_case(name));
        named
            .filter_map(|attribute| attribute.value.split_once([' ', '\t']))
            .find(|(number, _)| number.parse() == Ok(payload_type))
            .map(|(_, value)| value.trim())
    }
}

fn find<'a>(attributes: &[Attribute<'a>], name: &str) -> Option<&'a str> {
    attributes
        .iter()
        .find(|attribute| attribute.name.eq_ignore_ascii_case(name))
        .map(|attribute| attribute.value)
}

fn line_of(line: &[u8]) -> Option<(char, &str)> {
    let (kind, value) = std::str::from_utf8(line).ok()?.split_once('=')?;
    let mut characters = kind.trim_end().chars();
    let kind = characters.next().filter(char::is_ascii_lowercase)?;
    (characters.next().is_none() && !value.contains('\0')).then(|| (kind, value.trim()))
}

/// `audio 49170/2 RTP/AVP 0 8 101`. A section without formats is read (it can only be refused).
fn media(value: &str) -> Option<Media<'_>> {
    let mut parts = value.split_ascii_whitespace();
    let media = parts.next().filter(|token| is_token(token))?;
    let port = parts.next()?;
    let port = port.split_once('/').map_or(port, |(port, _)| port).parse().ok()?;
    let protocol = parts.next().filter(|protocol| protocol.split('/').all(is_token))?;
    let formats = parts.filter(|format| is_token(format)).take(MAX_FORMATS).collect();
    Some(Media { media, port, protocol, formats, connection: None, attributes: Vec::new() })
}

/// `IN IP4 192.0.2.1`, with a multicast's `/ttl` cut off; an IPv6 literal may stand in brackets.
fn connection(value: &str) -> Option<Host<'_>> {
    let mut parts = value.split_ascii_whitespace();
    let is = |part: Option<&str>, names: &[&str]| {
        part.is_some_and(|part| names.iter().any(|name| part.eq_ignore_ascii_case(name)))
    };
    if !is(parts.next(), &["IN"]) || !is(parts.next(), &["IP4", "IP6"]) {
        return None;
    }
    let host = parts.next()?;
    let host = host.split_once('/').map_or(host, |(host, _)| host);
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    let address = literal
        .parse::<Ipv4Addr>()
        .map(IpAddr::from)
        .or_else(|_| literal.parse::<Ipv6Addr>().map(IpAddr::from));
    match address {
        Ok(address) => Some(Host::Address(address)),
        Err(_) => is_name(host).then_some(Host::Name(host)),
    }
}

fn is_name(host: &str) -> bool {
    host.len() <= 253
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
        && host.bytes().any(|byte| byte.is_ascii_alphabetic())
}

fn is_time(value: &str) -> bool {
    let numbers =
        value.split(' ').filter(|part| part.len() <= 20 && part.bytes().all(|byte| byte.is_ascii_digit()));
    numbers.filter(|part| !part.is_empty()).count() == 2 && value.split(' ').count() == 2
}

/// A token of RFC 8866 §9.
fn is_token(text: &str) -> bool {
    (1..=MAX_TOKEN).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`{|}~".contains(&byte))
}
