//! A trunk: through whom calls go out.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;

use super::units;
use crate::sdp::Codec;
use crate::sip::Protocol;
use crate::sip::local::Large;

/// `[trunks.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trunk {
    /// Where its requests go.
    #[serde(deserialize_with = "units::trunk_address")]
    pub address: SocketAddr,
    /// What they go over.
    #[serde(default, deserialize_with = "units::transport")]
    pub transport: Protocol,
    /// How requests travel that are too large for a datagram, where `transport` is UDP.
    #[serde(default = "by_tcp", deserialize_with = "units::large_requests")]
    pub large_requests: Large,
    /// `From` of its calls; absent: `sip:baton@` and our own address.
    #[serde(default, deserialize_with = "units::from_header")]
    pub from: Option<String>,
    /// Number that stands as the user of `From` if the dialplan gives none.
    #[serde(default, deserialize_with = "units::caller_id")]
    pub caller_id: Option<String>,
    /// Codecs to offer, the preferred one first.
    #[serde(default = "all_codecs", deserialize_with = "units::codecs")]
    pub codecs: Vec<Codec>,
    /// How long a call may ring, if the dialplan says nothing else.
    #[serde(default = "ring_timeout", deserialize_with = "units::ring_timeout")]
    pub ring_timeout: Duration,
}

const fn by_tcp() -> Large {
    Large::ByTcp // RFC 3261 §18.1.1
}

fn all_codecs() -> Vec<Codec> {
    Codec::ALL.to_vec()
}

const fn ring_timeout() -> Duration {
    Duration::from_secs(35) // about seven rings
}

impl Trunk {
    /// The trunk of a call to an address that no settings name.
    #[must_use]
    pub fn direct(address: SocketAddr) -> Self {
        Self {
            address,
            transport: Protocol::Udp,
            large_requests: by_tcp(),
            from: None,
            caller_id: None,
            codecs: all_codecs(),
            ring_timeout: ring_timeout(),
        }
    }
}
