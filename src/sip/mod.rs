//! SIP (RFC 3261): messages, transactions, dialog, INVITE session. Pure.
//!
//! ```text
//! datagram ─► parse ─► Message { start line, Headers (an index into the datagram), body }
//!                        │ lazily: via() from() to() cseq() contacts() …  ─► Via NameAddr Uri CSeq Reason
//! bytes    ◄─ Writer ◄───┘
//! ```
//! What a peer sends wrong ends here: as a [`ParseError`] for the whole datagram, or as a
//! [`HeaderError`] of the one header that is asked for.

pub mod dialog;
pub mod digest;
pub mod headers;
pub mod hop;
pub mod host;
#[cfg(test)]
mod hostile;
pub mod incoming;
pub mod local;
pub mod message;
pub mod method;
pub mod multipart;
pub mod name;
pub mod name_addr;
pub mod params;
pub mod parse;
pub mod reply;
#[cfg(test)]
mod roundtrip;
pub mod session;
pub mod status;
pub mod stray;
pub mod stream;
mod text;
pub mod timers;
#[cfg(test)]
mod torture;
pub mod transaction;
mod typed;
pub mod uri;
pub mod values;
pub mod via;
pub mod writer;

pub use headers::{HeaderError, Headers};
pub use hop::{Hop, Protocol};
pub use host::Host;
pub use message::{Message, Request, Response};
pub use method::Method;
pub use name::HeaderName;
pub use name_addr::NameAddr;
pub use params::Params;
pub use parse::{ParseError, parse};
pub use status::StatusCode;
pub use text::ValueError;
pub use uri::{SipUri, TelUri, Uri};
pub use values::{CSeq, MediaType, RAck, Reason, Refresher, Replaces, SessionExpires};
pub use via::{Transport, Via};
pub use writer::{WriteError, Writer};
