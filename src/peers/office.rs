//! What control and the others ask of each other about starts.
//!
//! ```text
//!  any instance ── Place ──► control ── Calls (who knows the key?) ──► all
//!                                    ── Store, Withdraw ─────────────► all
//!  who becomes control ── Open ──► all
//!  who has a result ── Keep ──► all
//! ```
//! Questions and replies are JSON: they are rare beside saves, and a person can read them.

use serde::{Deserialize, Serialize};

use crate::id::{CallId, Digest};
use crate::store::records::{Accepted, Kept, Row};
use crate::time::Timestamp;

/// Open calls of one reply to [`Question::Open`].
pub const PAGE: u32 = 200;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// What is known of the calls with this key, or these ids.
    Calls {
        /// A key of a request.
        key: Option<String>,
        /// Ids.
        calls: Vec<CallId>,
    },
    /// The calls that are open in the records, after this number: at most [`PAGE`].
    Open {
        /// 0: from the first.
        after: i64,
    },
    /// A call is placed so: it is to be on disk before its start indication leaves.
    Store {
        /// The epoch of who asks.
        epoch: u64,
        /// The call.
        row: Box<Row>,
    },
    /// A call was not placed after all, and never will be.
    Withdraw {
        /// The epoch of who asks.
        epoch: u64,
        /// The call.
        call: CallId,
    },
    /// A request was made: control is to place it.
    Place {
        /// As it is to be accepted.
        accepted: Box<Accepted>,
        /// The initialisation data by which it was checked, as one digest.
        assets: Digest,
        /// It was asked before, and no answer came.
        again: bool,
    },
    /// A call is over.
    Keep {
        /// Its result, as JSON.
        result: String,
    },
}

/// What is replied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// To [`Question::Calls`] and [`Question::Open`].
    Calls(Vec<Told>),
    /// It is done: stored, withdrawn, kept.
    Done,
    /// The call has its result already.
    Over,
    /// Another member is control.
    Superseded,
    /// To [`Question::Place`].
    Placed(Request),
    /// It could not be done; why.
    Failed(String),
}

/// What became of a request that control was asked to place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// It is a new call.
    New(CallId),
    /// It was made before with the same key, and is this call.
    Known(CallId),
    /// Another request has its key.
    Conflict,
    /// Something in it is wrong: where (a JSON Pointer), and what.
    Wrong(Vec<(String, String)>),
    /// Nobody takes it; why.
    Busy(String),
    /// Nothing was done, and it can be asked again: why.
    NotNow(String),
}

/// A call as an instance has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Its row in the records.
    pub kept: Kept,
    /// How far it is, if the instance carries it: the state, since when, and the question that was asked last.
    pub carried: Option<(String, Timestamp, Option<String>)>,
    /// Its result, as JSON.
    pub result: Option<String>,
}
