//! Addresses as a person writes them: one or several of ours, what a NAT shows, ranges of the peer's.

use std::fmt;
use std::net::{AddrParseError, IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};

use super::units::wrong;

/// Addresses that one instance listens on at most: each costs a thread.
const MAX_LISTEN: usize = 16;
/// Ranges of sources of one trunk at most: every datagram is held against them.
const MAX_SOURCES: usize = 64;

/// Where we listen for SIP, in order of preference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listen(Vec<SocketAddr>);

impl Listen {
    /// The addresses; none: the settings do not say.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.0
    }
}

impl From<SocketAddr> for Listen {
    fn from(address: SocketAddr) -> Self {
        Self(vec![address])
    }
}

impl FromStr for Listen {
    type Err = AddrParseError;

    fn from_str(text: &str) -> Result<Self, AddrParseError> {
        text.parse::<SocketAddr>().map(Self::from)
    }
}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = texts(deserializer, "0.0.0.0:5060")?;
        if texts.is_empty() || texts.len() > MAX_LISTEN {
            return Err(wrong(
                format_args!("{} addresses to listen on", texts.len()),
                format_args!("from 1 to {MAX_LISTEN}"),
            ));
        }
        let mut addresses = Vec::with_capacity(texts.len());
        for text in &texts {
            let address: SocketAddr = text.parse().map_err(|_| {
                wrong::<D::Error>(
                    format_args!("\"{text}\" is no address with a port"),
                    "such as \"0.0.0.0:5060\", \"192.0.2.10:5060\" or \"[2001:db8::10]:5060\"",
                )
            })?;
            if addresses.contains(&address) && address.port() != 0 {
                return Err(wrong(format_args!("\"{text}\" stands here twice"), "name each address once"));
            }
            addresses.push(address);
        }
        Ok(Self(addresses))
    }
}

/// Local addresses of RTP, for each family of addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MediaAddress {
    v4: Option<Ipv4Addr>,
    v6: Option<Ipv6Addr>,
}

impl MediaAddress {
    /// The one to use towards `peer`, if the settings name one of its family.
    #[must_use]
    pub fn facing(&self, peer: IpAddr) -> Option<IpAddr> {
        match peer {
            IpAddr::V4(_) => self.v4.map(IpAddr::V4),
            IpAddr::V6(_) => self.v6.map(IpAddr::V6),
        }
    }
}

impl From<IpAddr> for MediaAddress {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self { v4: Some(v4), v6: None },
            IpAddr::V6(v6) => Self { v4: None, v6: Some(v6) },
        }
    }
}

impl<'de> Deserialize<'de> for MediaAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut addresses = Self::default();
        for text in texts(deserializer, "192.0.2.10")? {
            let twice = match ip::<D::Error>(&text)? {
                // The unspecified address says nothing, and SDP cannot carry it (RFC 3264 §6: it means hold).
                any if any.is_unspecified() => false,
                IpAddr::V4(v4) => addresses.v4.replace(v4).is_some(),
                IpAddr::V6(v6) => addresses.v6.replace(v6).is_some(),
            };
            if twice {
                return Err(wrong(
                    "two media addresses of one family",
                    "one IPv4 address, one IPv6 address, or both",
                ));
            }
        }
        Ok(addresses)
    }
}

/// What a trunk sees of us where a NAT stands between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advertised {
    /// The address, in Via, Contact and SDP.
    pub ip: IpAddr,
    /// The port of SIP; absent: the one that we listen on. (Ports of RTP pass a NAT unchanged, or by symmetric RTP.)
    pub port: Option<u16>,
}

impl<'de> Deserialize<'de> for Advertised {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let with_port = text.parse().ok().map(|address: SocketAddr| (address.ip(), Some(address.port())));
        let read = with_port.or_else(|| Some((text.parse().ok()?, None)));
        match read {
            Some((ip, port)) if !ip.is_unspecified() && !ip.is_multicast() && port != Some(0) => {
                Ok(Self { ip, port })
            }
            Some(_) | None => Err(wrong(
                format_args!("\"{text}\" is no address that a trunk could reach"),
                "such as \"203.0.113.9\" or \"203.0.113.9:5060\"",
            )),
        }
    }
}

/// A range of addresses, `198.51.100.0/28`, or a single one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    ip: IpAddr,
    length: u8,
}

impl Prefix {
    /// The range of this address alone.
    #[must_use]
    pub const fn of(ip: IpAddr) -> Self {
        let length = if ip.is_ipv4() { 32 } else { 128 };
        Self { ip, length }
    }

    /// Is this address in it?
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        match (self.ip, ip) {
            (IpAddr::V4(ours), IpAddr::V4(other)) => {
                let differ = u32::from(ours) ^ u32::from(other);
                differ.leading_zeros() >= u32::from(self.length)
            }
            (IpAddr::V6(ours), IpAddr::V6(other)) => {
                let differ = u128::from(ours) ^ u128::from(other);
                differ.leading_zeros() >= u32::from(self.length)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let (ip, length) = text.split_once('/').map_or((text, None), |(ip, length)| (ip, Some(length)));
        let whole = Self::of(ip.parse().map_err(|_| PrefixError)?);
        let length = length.map_or(Ok(whole.length), str::parse).map_err(|_| PrefixError)?;
        if length <= whole.length { Ok(Self { length, ..whole }) } else { Err(PrefixError) }
    }
}

/// No address and no range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no IP address, and no range of them")]
pub struct PrefixError;

/// The sources of a trunk.
pub(super) fn sources<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Prefix>, D::Error> {
    let texts = texts(deserializer, "198.51.100.0/28")?;
    if texts.len() > MAX_SOURCES {
        return Err(wrong(format_args!("{} sources", texts.len()), format_args!("at most {MAX_SOURCES}")));
    }
    let read = |text: &String| {
        text.parse().map_err(|_| {
            wrong::<D::Error>(
                format_args!("\"{text}\" is no address and no range of addresses"),
                "such as \"198.51.100.7\", \"198.51.100.0/28\" or \"2001:db8::/64\"",
            )
        })
    };
    texts.iter().map(read).collect()
}

/// The local address of a trunk.
pub(super) fn local<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<IpAddr>, D::Error> {
    ip::<D::Error>(&String::deserialize(deserializer)?).map(Some)
}

fn ip<E: serde::de::Error>(text: &str) -> Result<IpAddr, E> {
    text.parse().map_err(|_| {
        wrong(format_args!("\"{text}\" is no IP address"), "such as \"192.0.2.10\" or \"2001:db8::10\"")
    })
}

/// One text, or a list of them.
fn texts<'de, D: Deserializer<'de>>(deserializer: D, example: &'static str) -> Result<Vec<String>, D::Error> {
    deserializer.deserialize_any(Texts { example })
}

struct Texts {
    example: &'static str,
}

impl<'de> Visitor<'de> for Texts {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "text such as \"{}\", or a list of them", self.example)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Vec<String>, E> {
        Ok(vec![text.to_owned()])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<String>, A::Error> {
        let mut texts = Vec::new();
        while let Some(text) = list.next_element()? {
            texts.push(text);
        }
        Ok(texts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_its_addresses() {
        let holds = |range: &str, ip: &str| range.parse::<Prefix>().unwrap().contains(ip.parse().unwrap());
        assert!(holds("198.51.100.0/28", "198.51.100.15") && !holds("198.51.100.0/28", "198.51.100.16"));
        assert!(holds("198.51.100.7", "198.51.100.7") && !holds("198.51.100.7", "198.51.100.6"));
        assert!(holds("0.0.0.0/0", "203.0.113.1") && !holds("0.0.0.0/0", "::1"));
        assert!(holds("2001:db8::/64", "2001:db8::ffff") && !holds("2001:db8::/64", "2001:db8:0:1::"));
        for wrong in
            ["", "198.51.100.0/33", "2001:db8::/129", "198.51.100.0/", "sip.example.org", "/8", "1.2.3.4/-1"]
        {
            assert!(wrong.parse::<Prefix>().is_err(), "{wrong}");
        }
    }
}
