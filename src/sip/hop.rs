//! Where a message goes next, or where it came from: RFC 3261 §18. A transport protocol and an address.

use std::fmt;
use std::net::{AddrParseError, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::timers::Reliability;
use super::via::Transport;

/// Bytes of the largest request that goes by UDP where the path's MTU is not known and the peer takes TCP
/// too (RFC 3261 §18.1.1).
pub const LARGEST_UDP_REQUEST: usize = 1_300;

/// The transport protocols that this user agent speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Protocol {
    /// Datagrams; the transaction repeats what is lost.
    #[default]
    Udp,
    /// Connections; the transport repeats what is lost.
    Tcp,
}

impl Protocol {
    /// As a Via spells it (`UDP`).
    #[must_use]
    pub const fn via(self) -> Transport {
        match self {
            Self::Udp => Transport::UDP,
            Self::Tcp => Transport::TCP,
        }
    }

    /// As the `transport` parameter of a URI spells it (`udp`).
    #[must_use]
    pub const fn param(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }

    /// The protocol that a `transport` parameter names, if we speak it.
    #[must_use]
    pub fn from_param(param: &str) -> Option<Self> {
        [Self::Udp, Self::Tcp].into_iter().find(|known| param.eq_ignore_ascii_case(known.param()))
    }

    /// Whether it repeats by itself what is lost.
    #[must_use]
    pub const fn reliability(self) -> Reliability {
        match self {
            Self::Udp => Reliability::Unreliable,
            Self::Tcp => Reliability::Reliable,
        }
    }
}

/// One end of the way that a message takes. Over TCP the address of a peer that called us is that of its end
/// of the connection: what is sent there goes back on the same connection (§18.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Hop {
    /// What it is reached over.
    pub protocol: Protocol,
    /// Its address and port.
    pub address: SocketAddr,
}

impl Hop {
    /// Over TCP.
    #[must_use]
    pub const fn tcp(address: SocketAddr) -> Self {
        Self { protocol: Protocol::Tcp, address }
    }

    /// Over UDP.
    #[must_use]
    pub const fn udp(address: SocketAddr) -> Self {
        Self { protocol: Protocol::Udp, address }
    }

    /// Whether the way there repeats by itself what is lost.
    #[must_use]
    pub const fn reliability(self) -> Reliability {
        self.protocol.reliability()
    }
}

/// An address alone is one that UDP reaches, the default of `sip:` (RFC 3263 §4.1).
impl From<SocketAddr> for Hop {
    fn from(address: SocketAddr) -> Self {
        Self::udp(address)
    }
}

/// `192.0.2.1:5060` is UDP; `tcp:192.0.2.1:5060` says its protocol.
impl FromStr for Hop {
    type Err = AddrParseError;

    fn from_str(text: &str) -> Result<Self, AddrParseError> {
        let named = text.split_once(':').and_then(|(name, rest)| Some((Protocol::from_param(name)?, rest)));
        let (protocol, address) = named.unwrap_or((Protocol::Udp, text));
        Ok(Self { protocol, address: address.parse()? })
    }
}

/// As it is read: `192.0.2.1:5060`, `tcp:192.0.2.1:5060`.
impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.protocol {
            Protocol::Udp => self.address.fmt(f),
            Protocol::Tcp => write!(f, "{}:{}", self.protocol.param(), self.address),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hop_is_udp_unless_it_says_otherwise() {
        let hop = |text: &str| text.parse::<Hop>().unwrap();
        let address: SocketAddr = "[2001:db8::1]:5060".parse().unwrap();
        assert_eq!(hop("[2001:db8::1]:5060"), Hop::udp(address));
        assert_eq!(hop("tcp:[2001:db8::1]:5060"), Hop::tcp(address));
        assert_eq!(hop("UDP:192.0.2.1:5070").to_string(), "192.0.2.1:5070");
        assert_eq!(hop("tcp:192.0.2.1:5070").to_string(), "tcp:192.0.2.1:5070");
        assert!("tls:192.0.2.1:5061".parse::<Hop>().is_err() && "192.0.2.1".parse::<Hop>().is_err());
    }
}
