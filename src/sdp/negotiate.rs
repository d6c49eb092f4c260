//! Offer and answer (RFC 3264): what two descriptions agree on.

use bytes::Bytes;

use super::{LocalMedia, Negotiated};

/// Why a description cannot be agreed to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NegotiateError {
    /// No usable audio section.
    #[error("no audio section")]
    NoAudio,
}

impl NegotiateError {
    /// The SIP status that refuses such an offer.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::NoAudio => 488,
        }
    }

    /// A stable word for counters.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NoAudio => "no-audio",
        }
    }
}

/// Our offer.
#[must_use]
pub fn offer(local: &LocalMedia) -> Bytes {
    let mut writer = super::write::Writer::session(local.origin, local.address, "0 0");
    writer.attribute(format_args!("{}", local.direction.name()));
    writer.finish()
}

/// What the peer's answer to our offer agrees on.
///
/// # Errors
/// When there is nothing to talk with.
pub fn negotiate(_local: &LocalMedia, _answer: &[u8]) -> Result<Negotiated, NegotiateError> {
    Err(NegotiateError::NoAudio)
}

/// Our answer to the peer's offer, and what both then agree on.
///
/// # Errors
/// When there is nothing to talk with: refuse the offer with [`NegotiateError::status`].
pub fn answer(_local: &LocalMedia, _offer: &[u8]) -> Result<(Bytes, Negotiated), NegotiateError> {
    Err(NegotiateError::NoAudio)
}
