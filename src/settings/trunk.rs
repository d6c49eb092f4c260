//! A trunk: through whom calls go out.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::addresses::{self, Advertised, Prefix};
use super::{hearing, outcomes, units};
use crate::call::OnTone;
use crate::interview;
use crate::outcome::Overrides;
use crate::sdp::Codec;
use crate::sip::local::Large;
use crate::sip::{Method, Protocol};

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
    /// After this much silence a TCP connection to it is pinged (RFC 5626 §4.4.1); `None` ("off"): never.
    #[serde(default = "ping_interval", deserialize_with = "units::ping_interval")]
    pub ping_interval: Option<Duration>,
    /// The local address that it is called from, one of `[sip] listen`; absent: the first of its family.
    #[serde(default, deserialize_with = "addresses::local")]
    pub local: Option<IpAddr>,
    /// What it sees of us where a NAT stands between; absent: the local address.
    #[serde(default)]
    pub advertise: Option<Advertised>,
    /// Addresses that it may speak from besides its own; absent: whoever knows a call's tags may speak in that
    /// call, as RFC 3261 has it.
    #[serde(default, deserialize_with = "some_sources")]
    pub sources: Option<Vec<Prefix>>,
    /// Requests that it may send besides ACK, BYE and CANCEL; absent: all that we understand.
    #[serde(default, deserialize_with = "units::requests")]
    pub requests: Option<Vec<Method>>,
    /// `From` of its calls; absent: `sip:baton@` and our own address.
    #[serde(default, deserialize_with = "units::from_header")]
    pub from: Option<String>,
    /// Number that stands as the user of `From` if the dialplan gives none.
    #[serde(default, deserialize_with = "units::caller_id")]
    pub caller_id: Option<String>,
    /// Codecs to offer, the preferred one first.
    #[serde(default = "all_codecs", deserialize_with = "units::codecs")]
    pub codecs: Vec<Codec>,
    /// The ways by which keys are taken.
    #[serde(default = "hearing::all_methods", deserialize_with = "hearing::dtmf")]
    pub dtmf: Vec<interview::Method>,
    /// What a tone of a machine or of the network leads to.
    #[serde(default, deserialize_with = "hearing::on_tone")]
    pub on_tone: OnTone,
    /// After this time without RTP and RTCP the peer is asked whether it is still there; zero: never.
    #[serde(default = "hearing::usual_timeout", deserialize_with = "hearing::media_timeout")]
    pub media_timeout: Duration,
    /// How long a call may ring, if the dialplan says nothing else.
    #[serde(default = "ring_timeout", deserialize_with = "units::ring_timeout")]
    pub ring_timeout: Duration,
    /// Most calls through it at once; absent: as many as `[limits] calls`.
    #[serde(default, deserialize_with = "units::some_count")]
    pub channels: Option<u32>,
    /// Most INVITEs to it in any second; absent: as many as come.
    #[serde(default, deserialize_with = "units::some_count")]
    pub cps: Option<u32>,
    /// Calls of another instance that are moved here in a second, when that one is gone.
    #[serde(default = "takeover_cps", deserialize_with = "units::count")]
    pub takeover_cps: u32,
    /// What its refusals mean, where they mean something else than usual.
    #[serde(default, deserialize_with = "outcomes::of_refusals")]
    pub outcomes: Overrides,
    /// How many other targets are tried that 3xx responses name; 0: none.
    #[serde(default = "redirects", deserialize_with = "units::redirects")]
    pub redirects: u8,
    /// Session interval to ask for (RFC 4028); `None` ("off"): none is asked for.
    #[serde(default = "session_expires", deserialize_with = "units::session_expires")]
    pub session_expires: Option<Duration>,
    /// Name that challenges are answered with (digest, RFC 3261 §22); absent: a challenge fails the call.
    #[serde(default, deserialize_with = "units::digest_text")]
    pub username: Option<String>,
    /// File that holds the password, one line.
    #[serde(default, deserialize_with = "units::some_path")]
    pub password_file: Option<PathBuf>,
    /// Environment variable that holds the password.
    #[serde(default, deserialize_with = "units::digest_text")]
    pub password_env: Option<String>,
    /// The only realm whose challenges are answered; absent: any.
    #[serde(default, deserialize_with = "units::digest_text")]
    pub realm: Option<String>,
}

fn some_sources<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Prefix>>, D::Error> {
    addresses::sources(deserializer).map(Some)
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

#[expect(clippy::unnecessary_wraps, reason = "the default of a field that may be off")]
const fn ping_interval() -> Option<Duration> {
    Some(Duration::from_secs(30))
}

/// A PBX took 200 re-INVITEs at once and had answered all after 120 ms.
const fn takeover_cps() -> u32 {
    1_000
}

const fn redirects() -> u8 {
    5
}

#[expect(clippy::unnecessary_wraps, reason = "the default of a field that may be off")]
const fn session_expires() -> Option<Duration> {
    Some(Duration::from_secs(1_800)) // what RFC 4028 §4 recommends
}

impl Trunk {
    /// The trunk of a call to an address that no settings name.
    #[must_use]
    pub fn direct(address: SocketAddr) -> Self {
        Self {
            address,
            transport: Protocol::Udp,
            large_requests: by_tcp(),
            ping_interval: ping_interval(),
            local: None,
            advertise: None,
            sources: None,
            requests: None,
            from: None,
            caller_id: None,
            codecs: all_codecs(),
            dtmf: hearing::all_methods(),
            on_tone: OnTone::default(),
            media_timeout: hearing::usual_timeout(),
            ring_timeout: ring_timeout(),
            channels: None,
            cps: None,
            takeover_cps: takeover_cps(),
            outcomes: Overrides::default(),
            redirects: redirects(),
            session_expires: session_expires(),
            username: None,
            password_file: None,
            password_env: None,
            realm: None,
        }
    }

    /// May messages of this trunk's calls come from there?
    #[must_use]
    pub fn may_speak_from(&self, ip: IpAddr) -> bool {
        let listed = |sources: &Vec<Prefix>| sources.iter().any(|source| source.contains(ip));
        ip == self.address.ip() || self.sources.as_ref().is_none_or(listed)
    }

    /// May its peer send this request? What ends a call, and ACK, may always come.
    #[must_use]
    pub fn may_request(&self, method: &Method) -> bool {
        matches!(method, Method::Ack | Method::Bye | Method::Cancel)
            || self.requests.as_ref().is_none_or(|requests| requests.contains(method))
    }

    /// Why its addresses do not go with these that we listen on, and what to do.
    pub(super) fn misfit(&self, listen: &[SocketAddr]) -> Option<(String, String)> {
        let family = if self.address.is_ipv4() { "IPv4" } else { "IPv6" };
        let other = |ip: IpAddr| ip.is_ipv4() != self.address.is_ipv4();
        if let Some(ip) = self.local.into_iter().chain(self.advertise.map(|it| it.ip)).find(|ip| other(*ip)) {
            return Some((
                format!("is at an {family} address, and `{ip}` is none"),
                "give `local` and `advertise` the family of `address`".to_owned(),
            ));
        }
        if let Some(local) = self.local
            && !listen.iter().any(|address| address.ip() == local)
        {
            let mend = format!("add \"{}\" to [sip] listen", SocketAddr::new(local, 5060));
            return Some((format!("is to be called from {local}, where nobody listens"), mend));
        }
        if !listen.is_empty() && listen.iter().all(|address| other(address.ip())) {
            let any = if self.address.is_ipv4() { "0.0.0.0:5060" } else { "[::]:5060" };
            return Some((
                format!("is at an {family} address, and [sip] listen has none"),
                format!("add \"{any}\" to it"),
            ));
        }
        None
    }
}
