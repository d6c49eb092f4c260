//! The early dialogs of our INVITE: RFC 3261 §12.1.2; their reliable provisional responses: RFC 3262 §4.
//!
//! ```text
//! 183 (RSeq 1) ─► PRACK     183 (RSeq 1) again ─► nothing     183 (RSeq 3) before 2 ─► nothing: it comes again
//! ```

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::sdp_of_response;
use super::turn::Turn;
use super::usage::{Side, Usage};
use crate::sip::dialog::Dialog;
use crate::sip::{CSeq, Method, RAck, Response};

/// The option tag of reliable provisional responses.
pub(in crate::sip) const RELIABLE: &str = "100rel";
/// Early dialogs that one INVITE may make; a fork beyond that is heard, but has no dialog before its 2xx.
pub(super) const MAX_EARLY: usize = 8;

/// A dialog that a provisional response made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Early {
    pub(super) usage: Usage,
    /// The number of its last reliable response.
    rseq: Option<u32>,
    /// The last description that came in it.
    pub(super) body: Option<Bytes>,
    /// The offer of its UPDATE, until it is answered.
    pub(super) offered: Option<Bytes>,
}

/// What a provisional response is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Worth {
    /// It says something.
    News,
    /// It repeats a reliable one, or came before the one in front of it.
    Nothing,
}

impl Early {
    pub(super) fn new(dialog: Dialog) -> Self {
        Self { usage: Usage::new(dialog, Side::Caller), rseq: None, body: None, offered: None }
    }

    /// A provisional response of this dialog, to the INVITE with this number.
    pub(super) fn receive(&mut self, turn: &mut Turn<'_>, response: &Response, cseq: u32) -> Worth {
        let headers = response.headers();
        let requires = |tags: &[String]| tags.iter().any(|tag| tag.eq_ignore_ascii_case(RELIABLE));
        let reliable = headers.require().is_ok_and(|tags| requires(&tags));
        let rseq = headers.rseq().ok().flatten().filter(|_| reliable);
        if let Some(rseq) = rseq {
            if self.rseq.is_some_and(|last| last.checked_add(1) != Some(rseq)) {
                return Worth::Nothing;
            }
            self.rseq = Some(rseq);
            let rack = RAck { rseq, cseq: CSeq { number: cseq, method: Method::Invite } };
            self.usage.acknowledge(turn, rack);
        }
        if let Some(body) = sdp_of_response(response) {
            self.body = Some(body);
            if rseq.is_some() {
                self.usage.exchanged(); // a reliable response answers the offer (RFC 3262 §5)
            }
        }
        Worth::News
    }
}
