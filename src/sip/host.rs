//! The host of a URI or Via, and `host:port` (RFC 3261 §25.1; IPv6 as RFC 5118 asks).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::text::{self, ValueError};

/// The host of a URI or Via.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// A dotted quad.
    Ipv4(Ipv4Addr),
    /// Written in brackets.
    Ipv6(Ipv6Addr),
    /// A host name, as written.
    Name(String),
}

impl Host {
    /// The address, unless it is a name.
    #[must_use]
    pub const fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ipv4(ip) => Some(IpAddr::V4(*ip)),
            Self::Ipv6(ip) => Some(IpAddr::V6(*ip)),
            Self::Name(_) => None,
        }
    }

    /// Host names ignore case (RFC 3261 §19.1.4).
    #[must_use]
    pub fn equivalent(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(a), Self::Name(b)) => a.eq_ignore_ascii_case(b),
            (a, b) => a == b,
        }
    }

    /// Reads `host`, or `host:port` with white space around the colon.
    #[inline]
    pub(super) fn with_port(text: &str) -> Result<(Self, Option<u16>), ValueError> {
        let (host, port) = if text.starts_with('[') {
            let end = memchr::memchr(b']', text.as_bytes()).ok_or(ValueError::Host)? + 1;
            let (host, rest) = text.split_at(end);
            match text::trim(rest) {
                "" => (host, None),
                rest => (host, Some(rest.strip_prefix(':').ok_or(ValueError::Port)?)),
            }
        } else {
            let at = text.bytes().position(|b| b == b':').unwrap_or(text.len());
            (text.get(..at).unwrap_or_default(), text.get(at + 1..))
        };
        let port = port.map(|port| text::number(text::trim(port)).map_err(|_| ValueError::Port));
        Ok((text::trim(host).parse()?, port.transpose()?))
    }
}

impl From<IpAddr> for Host {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => Self::Ipv4(ip),
            IpAddr::V6(ip) => Self::Ipv6(ip),
        }
    }
}

impl FromStr for Host {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if let Some(inner) = text.strip_prefix('[') {
            let ip = inner.strip_suffix(']').ok_or(ValueError::Host)?;
            return read_ipv6(ip).map(Self::Ipv6).ok_or(ValueError::Host);
        }
        if text.starts_with(|c: char| c.is_ascii_digit()) {
            if let Some(ip) = read_ipv4(text) {
                return Ok(Self::Ipv4(ip));
            }
            if text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
                return Err(ValueError::Host);
            }
        }
        let is_name = is_name(text);
        if is_name { Ok(Self::Name(text.to_owned())) } else { Err(ValueError::Host) }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ipv4(ip) => ip.fmt(f),
            Self::Ipv6(ip) => write!(f, "[{ip}]"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// `hostname` of RFC 3261 §25.1; `_` is beyond it, but stands in real domains.
#[inline]
fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_wrong = |b: u8| !(b.is_ascii_alphanumeric() | (b == b'-') | (b == b'.') | (b == b'_'));
    // A label is not empty, and has no hyphen at its ends.
    let is_edge = |b: u8| (b == b'.') | (b == b'-');
    let bad_pair = |a: u8, b: u8| (is_edge(a) & (b == b'.')) | ((a == b'.') & (b == b'-'));
    !text::any(bytes, is_wrong)
        && !text::any_pair(bytes, bad_pair)
        && bytes.first().is_some_and(|b| !is_edge(*b))
        && bytes.last() != Some(&b'-')
        && bytes.len() <= LONGEST_NAME
}

/// Characters of a host name (RFC 1035 §2.3.4).
const LONGEST_NAME: usize = 255;

/// A dotted quad, as [`Ipv4Addr`] reads it: without leading zeros, which some read as octal.
fn read_ipv4(text: &str) -> Option<Ipv4Addr> {
    let mut octets = [0_u8; 4];
    let mut place = 0;
    let mut digits = 0;
    for byte in text.bytes() {
        let octet = octets.get_mut(place)?;
        if byte == b'.' && digits > 0 {
            place += 1;
            digits = 0;
        } else if byte.is_ascii_digit() && (digits == 0 || *octet != 0) {
            *octet = octet.checked_mul(10)?.checked_add(byte - b'0')?;
            digits += 1;
        } else {
            return None;
        }
    }
    (place == 3 && digits > 0).then(|| octets.into())
}

/// An IPv6 address without its brackets.
///
/// RFC 3261's grammar writes a third colon before an embedded IPv4 address (`2001:db8:::192.0.2.1`);
/// it must be tolerated (RFC 5118 §4.10).
fn read_ipv6(text: &str) -> Option<Ipv6Addr> {
    text.parse().ok().or_else(|| {
        let (groups, ipv4) = text.split_once(":::")?;
        ipv4.parse::<Ipv4Addr>().ok()?;
        format!("{groups}::{ipv4}").parse().ok()
    })
}

text::serde_as_text!(Host);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_read_and_write_back() {
        for text in ["192.0.2.1", "[2001:db8::1]", "[::ffff:192.0.2.10]", "example.com", "a-b.c_d.e", "x."] {
            assert_eq!(text.parse::<Host>().unwrap().to_string(), text);
        }
        assert_eq!("[2001:db8:::192.0.2.1]".parse(), "[2001:db8::192.0.2.1]".parse::<Host>());
        let record = postcard::to_stdvec(&"[2001:db8::1]".parse::<Host>().unwrap()).unwrap();
        assert_eq!(postcard::from_bytes::<Host>(&record).unwrap().ip(), "2001:db8::1".parse().ok());
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in [
            "",
            ".",
            "2001:db8::1",
            "[2001:db8::1",
            "[]",
            "[192.0.2.1]",
            "[fe80::1%eth0]",
            "[2001:db8:::1]",
            "300.1.1.1",
            "1.2.3",
            "a..b",
            "-a",
            "a-",
            "a b",
            "é",
            ".a",
        ] {
            assert_eq!(text.parse::<Host>(), Err(ValueError::Host), "{text}");
        }
    }

    #[test]
    fn ipv4_is_read_as_std_reads_it() {
        for text in
            ["0.0.0.0", "255.255.255.255", "10.20.30.40", "256.1.1.1", "1.2.3.4.5", "1.2.3", "01.2.3.4"]
        {
            assert_eq!(read_ipv4(text), text.parse().ok(), "{text}");
        }
        for text in
            ["1..2.3", ".1.2.3", "1.2.3.", "1.2.3.00", "1.2.3.0", "1.2.3.4 ", "", "1.2.3.1000", "0.0.0.10"]
        {
            assert_eq!(read_ipv4(text), text.parse().ok(), "{text}");
        }
    }

    #[test]
    fn a_port_stands_behind_the_brackets() {
        let read = |text| Host::with_port(text).map(|(host, port)| (host.to_string(), port));
        assert_eq!(read("[2001:db8::10:5070]"), Ok(("[2001:db8::10:5070]".to_owned(), None)));
        assert_eq!(read("[2001:db8::10]:5070"), Ok(("[2001:db8::10]".to_owned(), Some(5070))));
        assert_eq!(read("example.com : 5060"), Ok(("example.com".to_owned(), Some(5060))));
        assert_eq!(read("example.com:65536"), Err(ValueError::Port));
        assert_eq!(read("example.com:"), Err(ValueError::Port));
        assert_eq!(read("[::1]x"), Err(ValueError::Port));
    }
}
