//! What is heard before anybody answers: early media (RFC 3261 §13.2.1, RFC 3960) that a provisional response
//! describes.
//!
//! ```text
//! 18x with SDP ──► OpenMedia, receive only ──► special information, busy, fax ──► CANCEL, and the outcome they mean
//!                        └─ 2xx: the same stream begins to send        └─ refused, cancelled: it is closed
//! ```
//! Nobody has answered: nothing is sent, no key counts, and silence is nobody's fault.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::rtp::Anchor;
use crate::sdp::{self, Direction, Negotiated};
use crate::time::Timestamp;

use super::listening::OnTone;
use super::message::{Ears, MediaPlan, Output};
use super::{Call, Stage, Turn};

/// A stream that is listened to before the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Early {
    negotiated: Negotiated,
    /// Of the stream that the answer lets begin.
    anchor: Anchor,
}

impl Early {
    pub(super) fn is_heard(&self) -> bool {
        self.negotiated.direction.receives()
    }

    fn media(&self) -> Output {
        // Keys and silence mean nothing yet; what comes from a trunk that was left means nothing at all.
        let ears = Ears { keys: false, signals: self.is_heard(), silence_ms: 0 };
        Output::OpenMedia(Box::new(MediaPlan {
            negotiated: self.negotiated.clone(),
            anchor: self.anchor,
            ears,
        }))
    }
}

impl Call {
    /// A provisional response described media. A fork that describes its own is listened to from then on: it is the
    /// last to have said anything.
    pub(super) fn early_media(&mut self, now: Timestamp, body: &Bytes, turn: &mut Turn) {
        if let Ok(negotiated) = sdp::negotiate(&self.local, body) {
            self.listen_early(now, negotiated, turn);
        }
    }

    /// Listens under these terms, as far as they let anything come in.
    pub(super) fn listen_early(&mut self, now: Timestamp, negotiated: Negotiated, turn: &mut Turn) {
        if self.listening.on_tone == OnTone::Ignore || !matches!(self.stage, Stage::Calling) {
            return;
        }
        let direction = negotiated.direction.and(Direction::RecvOnly);
        let negotiated = Negotiated { direction, ..negotiated };
        if self.early.as_ref().is_some_and(|early| early.negotiated == negotiated) {
            return;
        }
        let anchor =
            self.early.take().map_or_else(|| Anchor::start(now, &mut self.mint), |early| early.anchor);
        let early = Early { negotiated, anchor };
        turn.outputs.push(early.media());
        self.streaming = true;
        self.early = Some(early);
    }

    /// The numbers of the stream that begins with the answer: those of the early one, if there was one.
    pub(super) fn stream(&mut self, now: Timestamp) -> Anchor {
        self.early.take().map_or_else(|| Anchor::start(now, &mut self.mint), |early| early.anchor)
    }

    /// The record was read back while it rang: listens again.
    pub(super) fn restore_early(&mut self, turn: &mut Turn) {
        match &self.early {
            Some(early) if matches!(self.stage, Stage::Calling) => {
                turn.outputs.push(early.media());
                self.streaming = true;
            }
            Some(_) | None => self.early = None,
        }
    }

    /// Another trunk is tried: the stream stays open for what that one says, and nothing of this one's is heard.
    pub(super) fn hush_early(&mut self, turn: &mut Turn) {
        if let Some(early) = &mut self.early {
            early.negotiated.direction = Direction::Inactive;
            turn.outputs.push(early.media());
        }
    }

    /// Nobody will answer any more.
    pub(super) fn close_early(&mut self, turn: &mut Turn) {
        if self.early.take().is_some() {
            turn.outputs.push(Output::CloseMedia);
        }
    }
}
