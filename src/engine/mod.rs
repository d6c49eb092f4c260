//! The engine of a cluster: etcd, where what is rare and decisive stands. Edge.
//!
//! ```text
//! /baton/NAME/generation                       how often the engine was restored from a backup; absent: never
//! /baton/NAME/control                          who places the cluster's calls; its revision is the epoch of control
//! /baton/NAME/ticket                           written for nothing but its revision, which names a new incarnation
//! /baton/NAME/assets                           what all members are to have alike, by the digest of its manifest
//! /baton/NAME/members/NODE/RUN/alive           the incarnation owns its calls, under these terms
//! /baton/NAME/members/NODE/RUN/claimed         its calls are others'
//! ```
//! Values are JSON with the number of their format, so that `etcdctl get --prefix /baton/` can be read by a person. A
//! claim deletes `alive` and writes `claimed` in one transaction: that an incarnation is alive is that its key is there,
//! which the engine can compare.
//!
//! It is spoken to by gRPC and a few messages of its own (`proto/etcd.proto`), not by its JSON gateway: the gateway is
//! a client of its own beside each member, which adds a hop, writes keys in base 64, has a watch of its own and no word
//! for "the answer is lost"; tonic is here for the links between instances anyway.
//!
//! **Generations.** etcd that was restored from a backup counts on from the backup's revision, so that runs and epochs
//! would be given twice. Whoever sees the revision go back raises the generation by compare-and-set; what is a revision
//! to the rest of Baton is `generation << 40 | revision`, which only grows.

mod client;
mod index;
mod keys;
mod requests;
mod watch;

#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::restriction,
    reason = "generated from proto/etcd.proto"
)]
pub(crate) mod wire {
    tonic::include_proto!("etcdserverpb");
}

pub(crate) use client::said_by;
pub use client::{Access, AccessError, Tls, User};
pub use index::{Index, Publishing};
pub use keys::ValueError;
pub use requests::Engine;
pub use watch::{Event, Own};

/// Why the engine did not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EngineError {
    /// No endpoint answered in time. What was asked may have been done nevertheless.
    #[error("no engine answers: {tried}")]
    Away {
        /// What each endpoint said, or that it said nothing.
        tried: String,
    },
    /// An endpoint refused it; another one would, too.
    #[error("the engine at {endpoint} refuses: {message}")]
    Refused {
        /// Which.
        endpoint: String,
        /// Its reason.
        message: String,
    },
    /// A value that this program does not understand.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// An answer that etcd never gives.
    #[error("what answers at the engine's address is no etcd v3: {what}")]
    NotEtcd {
        /// What was odd.
        what: &'static str,
    },
}
