//! What a fuzzer throws bytes at: each reader of foreign bytes, and what must hold whatever they are.
//!
//! ```text
//! fuzz/fuzz_targets/NAME.rs ─┐
//! tests/fuzz/main.rs ────────┴─► NAME(data) ─► did it get beyond the reader's first refusal?
//! ```
//! A target asserts more than that nothing panics: what is read can be written and is read as the same; nothing
//! depends on how a stream was cut; a number that must never be dialled is not.

pub(crate) mod dialplan;
pub(crate) mod digest;
pub(crate) mod event;
mod feed;
pub(crate) mod message;
pub(crate) mod questionnaire;
pub(crate) mod rtcp;
pub(crate) mod rtp;
pub(crate) mod sdp;
pub(crate) mod stream;

/// A target: true if the bytes were taken for what they should be.
pub(crate) type Target = fn(&[u8]) -> bool;

/// Every target with its name, which is that of its corpus.
pub(crate) const ALL: [(&str, Target); 9] = [
    ("message", message::run),
    ("stream", stream::run),
    ("sdp", sdp::run),
    ("rtp", rtp::run),
    ("rtcp", rtcp::run),
    ("event", event::run),
    ("questionnaire", questionnaire::run),
    ("dialplan", dialplan::run),
    ("digest", digest::run),
];
