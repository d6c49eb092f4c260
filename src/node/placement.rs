//! What is asked of a node: one call to place, and why it was not.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::ports::PortError;
use crate::call::StartError;
use crate::dialplan::{self, Failover, PostDial, RouteError};
use crate::id::{AttemptId, CallId, CaseId, Digest};
use crate::settings::Trunk;
use crate::sip::{NameAddr, Uri};

/// One call to place.
#[derive(Clone, Debug)]
pub struct Placement {
    /// Whom to call: a number, which the trunk routes, or a `sip:` URI, which becomes the Request-URI as it is.
    pub to: String,
    /// Name of the trunk in the settings.
    pub trunk: String,
    /// Those that are tried after it, in their order.
    pub others: Vec<String>,
    /// After which failures the next one is tried.
    pub failover: Failover,
    /// The questionnaire, by its digest; it stands in the node's assets.
    pub questionnaire: Digest,
    /// What is known of the contact, by the questionnaire's `contact-field` names.
    pub fields: BTreeMap<String, String>,
    /// The number to show; absent: the trunk's.
    pub caller_id: Option<String>,
    /// How long it may ring; absent: the trunk's.
    pub ring_timeout: Option<Duration>,
    /// Keys to send after the answer, before anything is said.
    pub post_dial: Option<PostDial>,
    /// The case and the attempt of a campaign; absent: an attempt of its own.
    pub attempt: Option<(CaseId, AttemptId)>,
    /// The ids of call and attempt where they were written down before, as [`Node::draw_names`](super::Node::draw_names)
    /// drew them; absent: they are drawn now.
    pub names: Option<(CallId, AttemptId)>,
    /// What the order of items and options is drawn from; absent: the case's own, or a drawn one.
    pub order_seed: Option<u32>,
}

impl Placement {
    /// A call to `to` over `trunk` about a questionnaire, with the trunk's own terms.
    #[must_use]
    pub fn new(to: impl Into<String>, trunk: impl Into<String>, questionnaire: Digest) -> Self {
        Self {
            to: to.into(),
            trunk: trunk.into(),
            others: Vec::new(),
            failover: Failover::usual(),
            questionnaire,
            fields: BTreeMap::new(),
            caller_id: None,
            ring_timeout: None,
            post_dial: None,
            attempt: None,
            names: None,
            order_seed: None,
        }
    }
}

/// What the order of items and options is drawn from: each attempt of a case has the same.
pub(super) fn order_seed(case: CaseId) -> u32 {
    let digest = Digest::of(format!("order/{case}").as_bytes()).to_string();
    u32::from_str_radix(digest.get(..8).unwrap_or_default(), 16).unwrap_or_default()
}

/// Why a call was not placed. Nothing was sent then.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// As many calls as the node takes.
    #[error("this node has {limit} calls already; raise limits.calls or try again when some have ended")]
    Full {
        /// Its limit.
        limit: usize,
    },
    /// Its shard has too much to do.
    #[error("this node has too much to do at the moment; try again")]
    Busy,
    /// The node is shutting down.
    #[error("this node is shutting down and takes no calls")]
    Draining,
    /// The journal's disk is full; the calls under way go on from its reserve.
    #[error(
        "the disk of this node's journal is full; make room on it, calls are taken again by themselves then"
    )]
    DiskFull,
    /// The node may send nothing: other instances may speak for its calls.
    #[error("this instance may send nothing at the moment: it has lost touch with the others of its cluster")]
    Silent,
    /// The journal cannot be written, or a part of the node has ended: [`Event::Failed`](super::Event::Failed) said
    /// which.
    #[error("this node has failed and takes no calls; its log says why (most likely its journal's disk)")]
    Failed,
    /// No such trunk.
    #[error("no trunk is named `{name}`; the settings have {known}")]
    Trunk {
        /// The name that was given.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// Nobody can be called by this.
    #[error("`{to}` is neither a number nor a sip: URI")]
    To {
        /// What was given.
        to: String,
    },
    /// An emergency number: the last gate, for whoever places calls.
    #[error("`{to}` is not dialled")]
    Emergency {
        /// What was given.
        to: String,
        /// Why.
        #[source]
        source: RouteError,
    },
    /// The trunk's `from` cannot be written.
    #[error("trunk `{trunk}`: `from` is no SIP identity: `{from}`; write it as \"sip:survey@example.org\"")]
    From {
        /// The trunk.
        trunk: String,
        /// Its `from`.
        from: String,
    },
    /// No route leads to the trunk.
    #[error("no route leads to trunk `{trunk}` at {address}")]
    Route {
        /// The trunk.
        trunk: String,
        /// Its address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The trunk asked for quiet.
    #[error("trunk `{trunk}` asked for quiet (503 with Retry-After); try again in {seconds} s")]
    Closed {
        /// The trunk.
        trunk: String,
        /// How long it stays closed.
        seconds: u64,
    },
    /// As many calls as its settings allow.
    #[error(
        "trunk `{trunk}` has {channels} calls, as many as its `channels` allow; try again when one of them has ended"
    )]
    Channels {
        /// The trunk.
        trunk: String,
        /// Its setting.
        channels: u32,
    },
    /// Too many starts.
    #[error(
        "trunk `{trunk}` takes {cps} new calls a second (`cps`), and as many wait for it as may in {seconds} s; try \
         again"
    )]
    Starts {
        /// The trunk.
        trunk: String,
        /// Its setting.
        cps: u32,
        /// For how long starts wait at most.
        seconds: u64,
    },
    /// No RTP ports.
    #[error(transparent)]
    Ports(#[from] PortError),
    /// The call itself cannot begin: a contact field is missing, an unknown questionnaire.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// The Request-URI of what a person wants called: a URI as it is, a number at the trunk.
pub(super) fn target(to: &str, trunk: SocketAddr) -> Result<Uri, PlaceError> {
    dialplan::refuse_emergency(to).map_err(|source| PlaceError::Emergency { to: to.to_owned(), source })?;
    let wrong = || PlaceError::To { to: to.to_owned() };
    if to.contains(':') {
        let uri: Uri = to.parse().map_err(|_| wrong())?;
        return if uri.as_sip().is_some() { Ok(uri) } else { Err(wrong()) };
    }
    let digits = to.strip_prefix('+').unwrap_or(to);
    let dialled = |c: char| c.is_ascii_digit() || matches!(c, '*' | '#');
    if digits.is_empty() || !digits.chars().all(dialled) {
        return Err(wrong());
    }
    Ok(Uri::sip_at(Some(to), trunk))
}

/// Our identity towards a trunk: its `from`, with the caller id as the user.
pub(super) fn from(
    name: &str,
    trunk: &Trunk,
    caller_id: Option<&str>,
    sent_by: SocketAddr,
) -> Result<NameAddr, PlaceError> {
    let caller_id = caller_id.or(trunk.caller_id.as_deref());
    let Some(from) = &trunk.from else {
        return Ok(NameAddr::new(Uri::sip(Some(caller_id.unwrap_or("baton")), sent_by.ip())));
    };
    let wrong = || PlaceError::From { trunk: name.to_owned(), from: from.clone() };
    let mut from: NameAddr = from.parse().map_err(|_| wrong())?;
    if let Some(caller_id) = caller_id {
        let host = from.uri.host().cloned().ok_or_else(wrong)?;
        from.uri = Uri::sip(Some(caller_id), host);
    }
    Ok(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trunk() -> SocketAddr {
        "192.0.2.1:5060".parse().unwrap()
    }

    #[test]
    fn numbers_go_to_the_trunk_and_uris_stay_as_they_are() {
        let uri = |to: &str| target(to, trunk()).map(|uri| uri.to_string());
        assert_eq!(uri("+254712345678").unwrap(), "sip:+254712345678@192.0.2.1:5060");
        assert_eq!(uri("sip:bob@example.org").unwrap(), "sip:bob@example.org");
        for wrong in ["", "+", "bob", "07 12", "tel:+254712345678", "sip:", "http://x"] {
            assert!(matches!(uri(wrong), Err(PlaceError::To { .. })), "{wrong}");
        }
    }

    #[test]
    fn emergency_numbers_are_not_dialled_whoever_asks() {
        for emergency in ["112", "sip:112@example.org", "sip:%31-12;user=phone@example.org", "tel:999"] {
            assert!(matches!(target(emergency, trunk()), Err(PlaceError::Emergency { .. })), "{emergency}");
        }
    }

    #[test]
    fn the_caller_id_is_the_user_of_from() {
        let mut terms = Trunk::direct(trunk());
        let sent_by: SocketAddr = "198.51.100.1:5060".parse().unwrap();
        let shown = |terms: &Trunk, id| from("t", terms, id, sent_by).map(|from| from.to_string());
        assert_eq!(shown(&terms, None).unwrap(), "<sip:baton@198.51.100.1>");
        terms.from = Some("\"Survey\" <sip:survey@example.org>".into());
        assert_eq!(shown(&terms, None).unwrap(), "\"Survey\" <sip:survey@example.org>");
        terms.caller_id = Some("+254200000101".into());
        assert_eq!(shown(&terms, None).unwrap(), "\"Survey\" <sip:+254200000101@example.org>");
        let other = shown(&terms, Some("+254200000102")).unwrap();
        assert_eq!(other, "\"Survey\" <sip:+254200000102@example.org>");
    }
}
