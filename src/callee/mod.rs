//! Scripted respondents: a SIP user agent server for demo, tests and load. Edge.
//!
//! ```text
//!            one thread: Crowd
//! SIP ◄────► Conversation ── Incoming (signalling)        Script: who does what
//! RTP ─────►      │   Judge (gaps, order, who sent)        Index: how each prompt sounds
//!                 │   Respondent ◄─ Ear (what is heard), Mind (what is asked)
//! RTP ◄───── Mouth ◄────┘ keys                             Testimony: what they can swear to
//! ```
//! A respondent knows nothing of Baton but what a phone hears, so what it testifies is evidence.

mod conversation;
pub mod crowd;
pub mod ear;
pub mod judge;
pub mod lesson;
pub mod mind;
pub mod mouth;
pub mod pattern;
mod phones;
pub mod respondent;
pub mod script;
pub mod sockets;
mod streams;
pub mod testimony;
#[cfg(test)]
mod tests;
pub mod watch;

pub use crowd::{Crowd, CrowdConfig};
