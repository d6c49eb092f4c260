//! The links between the instances of a cluster. Edge.
//!
//! ```text
//!  beats, votes, words ── signed datagrams, UDP ────────────────► datagram: Guard
//!  saves ── gRPC over mutual TLS, one stream for each pair ─────► service ─► table of mirrored records
//!        ◄─ how far they are held ─────────────────────────────
//!  starts, results ── gRPC, the same ───────────────────────────► desk, office
//!  files by digest ◄─ gRPC, the same ─ in pieces ─────────────── files
//! ```
//! Both use the same number of port, datagrams over UDP and links over TCP. `baton cluster init` makes what they need:
//! a CA, a certificate for each member, and a key for the datagrams ([`Identity`]).

mod datagram;
mod desk;
mod files;
mod identity;
mod link;
mod office;
mod service;
mod table;

#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    clippy::restriction,
    reason = "generated from proto/peers.proto"
)]
pub(crate) mod wire {
    tonic::include_proto!("baton.peers");
}

pub use datagram::{Guard, MAX_DATAGRAM_BYTES, Opened, Refusals, Refused};
pub use desk::{Answer, Begun, Declined, Desk, Indication, Known, MOST_ASKED, Others, Unasked};
pub use files::{PullError, Pulled, Stock};
pub use identity::{BeatKey, Identity, IdentityError, Issued, MakeError, add, init};
pub use link::{Link, pull};
pub use office::{PAGE, Question, Reply, Request, Told};
pub use service::{Roll, Service, ServiceError};
pub use table::{Full, Limits, Table};

use crate::sync::Incarnation;

/// The format of saves on links; a reader takes this one and the one before.
const SAVES_FORMAT: u32 = 1;
/// The oldest format of saves that is read.
const OLDEST_SAVES_FORMAT: u32 = 1;

impl From<Incarnation> for wire::Incarnation {
    fn from(one: Incarnation) -> Self {
        Self { node: one.node.to_string(), run: one.run }
    }
}

/// The incarnation that a message names, if it names one.
fn incarnation(named: Option<&wire::Incarnation>) -> Option<Incarnation> {
    let named = named?;
    Some(Incarnation { node: named.node.parse().ok()?, run: named.run })
}
