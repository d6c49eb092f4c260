//! Via (RFC 3261 §18.1.1, §18.2, §20.42; `rport` RFC 3581).

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use super::host::Host;
use super::params::Params;
use super::text::{self, ValueError};

/// One hop: `SIP/2.0/UDP host:port;branch=…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    /// What the message travelled over.
    pub transport: Transport,
    /// The host of sent-by.
    pub host: Host,
    /// The port of sent-by, if one is written.
    pub port: Option<u16>,
    /// `branch`, `received`, `rport`, …
    pub params: Params,
}

/// A transport, spelt as it came; compared without regard to case.
#[derive(Clone, Debug)]
pub struct Transport(Cow<'static, str>);

impl Transport {
    /// `UDP`
    pub const UDP: Self = Self(Cow::Borrowed("UDP"));
    /// `TCP`
    pub const TCP: Self = Self(Cow::Borrowed("TCP"));
    /// `TLS`
    pub const TLS: Self = Self(Cow::Borrowed("TLS"));
    /// `SCTP`
    pub const SCTP: Self = Self(Cow::Borrowed("SCTP"));
    /// `WS` (RFC 7118)
    pub const WS: Self = Self(Cow::Borrowed("WS"));
    /// `WSS` (RFC 7118)
    pub const WSS: Self = Self(Cow::Borrowed("WSS"));

    /// The transport as it was spelt.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Transport {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Transport {}

impl FromStr for Transport {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        Ok(match text {
            "UDP" => Self::UDP,
            "TCP" => Self::TCP,
            "TLS" => Self::TLS,
            "SCTP" => Self::SCTP,
            "WS" => Self::WS,
            "WSS" => Self::WSS,
            other if text::is_token(other) => Self(Cow::Owned(other.to_owned())),
            _ => return Err(ValueError::Token),
        })
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Via {
    /// Our own Via, asking for `rport` (RFC 3581 §3).
    #[must_use]
    pub fn own(transport: Transport, sent_by: SocketAddr, branch: &str) -> Self {
        let mut params = Params::new();
        params.set_flag("rport");
        params.set("branch", branch);
        Self { transport, host: sent_by.ip().into(), port: Some(sent_by.port()), params }
    }

    /// The branch; it names the transaction if it begins with `z9hG4bK` (RFC 3261 §8.1.1.7).
    #[must_use]
    pub fn branch(&self) -> Option<&str> {
        self.params.get("branch").filter(|branch| !branch.is_empty())
    }

    /// The address that the next hop saw; an IPv6 address with or without brackets (RFC 5118 §4.5).
    #[must_use]
    pub fn received(&self) -> Option<IpAddr> {
        let text = self.params.get("received")?;
        let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
        bare.parse().ok()
    }

    /// The port that the next hop saw (RFC 3581 §4).
    #[must_use]
    pub fn rport(&self) -> Option<u16> {
        self.params.get("rport").and_then(|port| text::number(port).ok())
    }

    /// Does the sender ask for `rport` (RFC 3581 §3)?
    #[must_use]
    pub fn wants_rport(&self) -> bool {
        self.params.has("rport") && self.rport().is_none()
    }

    /// Writes down where the request came from: `received` if sent-by says something else or `rport`
    /// is asked for (RFC 3261 §18.2.1, RFC 3581 §4).
    pub fn mark_source(&mut self, from: SocketAddr) {
        let wants_rport = self.wants_rport();
        if wants_rport || self.host.ip() != Some(from.ip()) {
            self.params.set("received", from.ip());
        }
        if wants_rport {
            self.params.set("rport", from.port());
        }
    }

    /// Where a response over UDP goes (RFC 3261 §18.2.2, RFC 3581 §4): `maddr`, else `received` and
    /// `rport`, else sent-by. `None` if that is a name, which would have to be looked up.
    #[must_use]
    pub fn response_address(&self) -> Option<SocketAddr> {
        let port = self.port.unwrap_or(5060);
        if let Some(maddr) = self.params.get("maddr").and_then(|maddr| maddr.parse::<Host>().ok()) {
            return maddr.ip().map(|ip| SocketAddr::new(ip, port));
        }
        match self.received() {
            Some(ip) => Some(SocketAddr::new(ip, self.rport().unwrap_or(port))),
            None => self.host.ip().map(|ip| SocketAddr::new(ip, port)),
        }
    }
}

impl FromStr for Via {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let text = text::trim(text);
        let rest = match text.strip_prefix("SIP/2.0/") {
            Some(rest) => rest,
            None => spaced_protocol(text).ok_or(ValueError::Protocol)?,
        };
        let (transport, rest) = text::split_white(rest);
        if rest.is_empty() {
            return Err(ValueError::Protocol);
        }
        let end = memchr::memchr(b';', rest.as_bytes()).unwrap_or(rest.len());
        let (sent_by, params) = rest.split_at(end);
        let (host, port) = Host::with_port(text::trim(sent_by))?;
        Ok(Self { transport: transport.parse()?, host, port, params: Params::read(params)? })
    }
}

/// What follows `SIP / 2.0 /`, in any case and with white space around the slashes.
fn spaced_protocol(text: &str) -> Option<&str> {
    let (name, rest) = text::split_first(text, b'/');
    let (version, rest) = text::split_first(rest?, b'/');
    let is_sip = text::trim(name).eq_ignore_ascii_case("SIP") && text::trim(version) == "2.0";
    rest.filter(|_| is_sip).map(text::trim)
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0/{} {}", self.transport, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        self.params.fmt(f)
    }
}

text::serde_as_text!(Via);

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Via {
        text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    #[test]
    fn a_response_goes_back_through_the_nat_it_came_through() {
        let from: SocketAddr = "203.0.113.7:40000".parse().unwrap();
        let mut via = read("SIP/2.0/UDP 10.0.0.1:5070;rport;branch=z9hG4bK1");
        assert_eq!(via.response_address(), "10.0.0.1:5070".parse().ok());
        via.mark_source(from);
        assert_eq!(
            via.to_string(),
            "SIP/2.0/UDP 10.0.0.1:5070;rport=40000;branch=z9hG4bK1;received=203.0.113.7"
        );
        assert_eq!(via.response_address(), Some(from));

        let mut via = read("SIP/2.0/UDP pc33.example.com;branch=z9hG4bK1"); // no rport: its port (§18.2.2)
        assert_eq!(via.response_address(), None);
        via.mark_source(from);
        assert_eq!(via.response_address(), "203.0.113.7:5060".parse().ok());
        assert_eq!(via.rport(), None);

        let mut via = read("SIP/2.0/UDP 203.0.113.7:5062;branch=z9hG4bK1");
        via.mark_source(from);
        assert_eq!(via.received(), None, "sent-by says the same address");
        assert_eq!(via.response_address(), "203.0.113.7:5062".parse().ok());
    }

    #[test]
    fn our_own_via_asks_for_rport() {
        let via = Via::own(Transport::UDP, "[2001:db8::1]:5060".parse().unwrap(), "z9hG4bKx");
        assert_eq!(via.to_string(), "SIP/2.0/UDP [2001:db8::1]:5060;rport;branch=z9hG4bKx");
        assert!(via.wants_rport());
        assert_eq!(read(&via.to_string()), via);
    }

    #[test]
    fn the_transport_keeps_its_spelling_and_compares_without_case() {
        let via = read("sip/2.0/udp host;branch=1");
        assert_eq!(via.transport, Transport::UDP);
        assert_eq!(via.to_string(), "SIP/2.0/udp host;branch=1");
    }

    #[test]
    fn what_is_no_via_is_refused() {
        for text in
            ["", "SIP/2.0/UDP", "SIP/2.0 host", "SIP/3.0/UDP host", "HTTP/2.0/TCP host", "SIP/2.0/U(P host"]
        {
            assert!(text.parse::<Via>().is_err(), "{text}");
        }
        assert_eq!("SIP/2.0/UDP ho st".parse::<Via>(), Err(ValueError::Host));
    }
}
