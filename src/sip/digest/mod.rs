//! Digest authentication of our requests: RFC 3261 §22 with RFC 7616 and RFC 8760.
//!
//! ```text
//! 401, 407 ─► Challenge* ─► the strongest of each realm ─► Ring (nonce, count) ─► Authorization,
//!                                     Credentials ────────────────┘               Proxy-Authorization
//! ```
//! The [`Ring`] is part of a session's record: it holds nonces and counts, never a password. Name and
//! password are [`Credentials`], which the owner hands in anew in each process.

mod challenge;
mod response;
mod ring;

pub use challenge::{Algorithm, Challenge, Hash, MAX_CHALLENGE_BYTES, Qop};
pub use response::{Credentials, Given};
pub use ring::{By, Ring, Tried, Verdict};

#[cfg(test)]
mod tests;
