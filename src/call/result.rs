//! What is known of an attempt when it is over: one JSON object a call.
//!
//! ```json
//! { "call_id": "…", "attempt_id": "…", "to": "+254712345678", "disposition": "complete", "aapor": "1.1",
//!   "sip_status": 200, "cause": null, "ended_by": "caller", "started_at": "2026-11-23T06:43:37.120Z", …,
//!   "questionnaire": {"id": "clinic", "version": "3", "digest": "…"}, "language": "en",
//!   "responses": [{"question": "consent", "status": "answered", "value": "yes", "digits": [ … ], …}] }
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{AttemptId, CallId, CaseId, Digest};
use crate::interview::{QuotaAsked, Response, Value};
use crate::outcome::Disposition;
use crate::rtp::MediaReport;
use crate::time::{Timestamp, rfc3339};

use super::hearing::ToneHeard;
use super::recording::RecordingResult;
use super::trunks::Tried;

/// Who ended the attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// Baton: the interview was over, nobody answered in time, or an operator stopped the call.
    Caller,
    /// The person, or the person's network: refused, or hung up.
    Callee,
    /// Nobody: the trunk was silent or the call broke.
    Fault,
}

/// Who or what answered, by what was heard; the more exact first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnsweredBy {
    /// Somebody who pressed a key.
    Person,
    /// A fax machine.
    Fax,
    /// A modem.
    Modem,
    /// A fax machine or a modem: both answer with 2100 Hz.
    FaxOrModem,
    /// The network: special information, busy, reorder.
    Network,
}

/// What broke a call that had been answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Neither RTP nor RTCP came for twice the media timeout, though the peer still answered OPTIONS.
    MediaTimeout,
    /// Neither RTP nor RTCP came, and the peer did not answer OPTIONS, or no longer had the dialog.
    PeerGone,
    /// The session timer ran out (RFC 4028), or a refresh found no session at the peer's.
    SessionExpired,
    /// Its process died, and when the next one went on with the call another program had its RTP ports; or the instance
    /// that took it over had none free.
    PortsLost,
    /// Its instance died before anybody answered. Another one cancelled the call: what rings cannot be moved.
    RingingLost,
    /// When another instance took the call over the callee's side did not know it any more: they had hung up.
    GoneAtTakeover,
    /// The same, and a newer record of the call than the one that was left may have existed: what was said last, or
    /// whether the interview was done, is not known.
    StaleRecord,
    /// Another instance took the call over, and the callee's side did not answer it.
    TakeoverUnanswered,
    /// Another instance took the call over, and the callee's side refused that.
    TakeoverRefused,
}

/// The outcome of one attempt and every reply given in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallResult {
    /// The call.
    pub call_id: CallId,
    /// The attempt; a result is kept once per attempt.
    pub attempt_id: AttemptId,
    /// The case, where a campaign asked for the call.
    pub case_id: Option<CaseId>,
    /// Who was called, as given.
    pub to: String,
    /// Trunk that carried the call, or was tried last.
    pub trunk: String,
    /// Every trunk by which the callee was tried, in order; the last one is `trunk`.
    #[serde(default)]
    pub tries: Vec<Tried>,
    /// The one outcome.
    pub disposition: Disposition,
    /// AAPOR code of the disposition.
    pub aapor: String,
    /// Final SIP status of the INVITE; `null` if none came.
    pub sip_status: Option<u16>,
    /// Q.850 cause (RFC 3326), where the peer gave one.
    pub cause: Option<u8>,
    /// Seconds that the trunk or the callee asked us to wait (Retry-After); `null` if neither did.
    pub retry_after_s: Option<u32>,
    /// Who ended it.
    pub ended_by: EndedBy,
    /// What broke it, where `ended_by` is `fault` after an answer.
    pub fault: Option<Fault>,
    /// How often another instance went on with the call because the one that carried it was gone.
    #[serde(default)]
    pub takeovers: u32,
    /// Who or what answered, as far as it was heard.
    pub answered_by: Option<AnsweredBy>,
    /// The tones of machines and of the network that were heard, in order.
    pub tones: Vec<ToneHeard>,
    /// What passed over the RTP stream; `null` if there was none, or the process that knew it died.
    pub media: Option<MediaReport>,
    /// When the call was placed.
    #[serde(with = "rfc3339")]
    pub started_at: Timestamp,
    /// When the first 18x came.
    #[serde(with = "rfc3339::option")]
    pub ringing_at: Option<Timestamp>,
    /// When the 2xx came.
    #[serde(with = "rfc3339::option")]
    pub answered_at: Option<Timestamp>,
    /// When it was over.
    #[serde(with = "rfc3339")]
    pub ended_at: Timestamp,
    /// What was asked.
    pub questionnaire: AskedQuestionnaire,
    /// Language in which the interview ended (or would have begun).
    pub language: String,
    /// What the order of items and options was drawn from; give it to the next attempt of the case.
    pub seed: u32,
    /// The quotas that were asked about.
    pub quotas: Vec<QuotaAsked>,
    /// Whom the callee was to be handed to, where the disposition is `transferred`: a number or a SIP URI.
    pub transfer: Option<String>,
    /// What was computed, by name, as it stood at the end; `null`: nothing.
    pub computed: BTreeMap<String, Option<Value>>,
    /// Every question of the questionnaire, in its order.
    pub responses: Vec<Response>,
    /// Every take that was recorded, in the order in which they were.
    pub recordings: Vec<RecordingResult>,
}

/// Which questionnaire, to the byte.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedQuestionnaire {
    /// Its `id`.
    pub id: String,
    /// Its `version`.
    pub version: String,
    /// SHA-256 of its file.
    pub digest: Digest,
}
