//! Baton: an outbound-call gateway that survives the death of the machine that carries the call.
//!
//! The map of the rooms stands in ARCHITECTURE.md; this file is their list. Pure rooms know no clock,
//! no socket, no task and no randomness of the machine; edge rooms carry out what they say.

#[cfg(test)]
extern crate self as baton; // what is asked of readers by tests here, by those in tests/, and by fuzzers, is one text

pub mod id;
#[cfg(test)]
pub(crate) mod mutation;
pub mod time;

pub mod call;
pub mod chart;
pub mod contacts;
pub mod dialplan;
pub mod interview;
pub mod measure;
pub mod outcome;
pub mod questionnaire;
pub mod rtp;
pub mod sdp;
pub mod sip;
pub mod sync;
pub mod xml;

#[allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "edge: respondents live in real time")]
pub mod callee;
#[allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "edge: a person sits in front of it")]
pub mod cli;
#[allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "edge: sockets, threads, clock")]
pub mod cluster;
#[allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "edge: sockets and tasks")]
pub mod engine;
#[allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "edge: sockets and tasks")]
pub mod http;
#[allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "edge: tasks around a node")]
pub mod instance;
#[allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "edge: sockets, threads, clock")]
pub mod node;
#[allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "edge: sockets and tasks")]
pub mod peers;
#[allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "edge: files and commands")]
pub mod prompts;
#[allow(clippy::disallowed_methods, reason = "edge: files")]
pub mod routing;
pub mod settings;
#[allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "edge: files and a writer thread")]
pub mod store;
