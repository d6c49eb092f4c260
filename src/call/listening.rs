//! What a call listens to, as its trunk's settings say.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::interview::Method;
use crate::sdp::Negotiated;

use super::message::Ears;

/// What a call listens to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listening {
    /// The ways by which keys are taken: telephone-events (which are offered then), INFO, tones in the audio.
    pub keys: Vec<Method>,
    /// What a tone of a machine or of the network leads to.
    pub on_tone: OnTone,
    /// Without RTP and RTCP for this long the peer is asked whether it is still there; zero: never.
    pub media_timeout: Duration,
}

/// What a tone of a machine or of the network leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnTone {
    /// The call ends with the disposition that the tone means, unless a key was pressed before.
    #[default]
    End,
    /// It is noted in the result.
    Note,
    /// Nobody listens for tones.
    Ignore,
}

impl Default for Listening {
    fn default() -> Self {
        Self {
            keys: vec![Method::Rfc4733, Method::SipInfo, Method::InBand],
            on_tone: OnTone::End,
            media_timeout: Duration::from_secs(30),
        }
    }
}

impl Listening {
    /// Whether keys by this method are taken.
    #[must_use]
    pub fn takes(&self, method: Method) -> bool {
        self.keys.contains(&method)
    }

    /// What the media engine listens for under these terms. Tones in the audio are keys only where telephone-events
    /// were not agreed to: speech must not become an answer where it need not.
    pub(super) fn ears(&self, negotiated: &Negotiated) -> Ears {
        let by_events = self.takes(Method::Rfc4733) && negotiated.send_event.is_some();
        // Who holds the call may play us music, or a tone that says so.
        let is_held = !negotiated.direction.sends();
        Ears {
            keys: self.takes(Method::InBand) && !by_events && !is_held,
            signals: self.on_tone != OnTone::Ignore && !is_held,
            silence_ms: u32::try_from(self.media_timeout.as_millis()).unwrap_or(u32::MAX),
        }
    }
}
