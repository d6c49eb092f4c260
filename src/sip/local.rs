//! Who this end is on the wire, the same for all requests and responses of one session.

use std::net::SocketAddr;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::timers::Reliability;
use super::transaction::MAGIC_COOKIE;
use super::{HeaderName, Method, Reason, Uri, Via, WriteError, Writer};
use crate::id::{CallId, Mint};

/// The methods this user agent takes within a dialog (RFC 3261 §20.5).
pub const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO";
/// Bodies of INFO that are understood: keys, in their two common forms.
pub const INFO_TYPES: [&str; 2] = ["application/dtmf-relay", "application/dtmf"];
/// The only body this user agent reads.
pub const SDP: &str = "application/sdp";
/// Hops a request may take (RFC 3261 §8.1.1.6).
pub const MAX_FORWARDS: u8 = 70;

/// Who this end is. A takeover from another address replaces `sent_by` and `contact`; all else stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Local {
    /// First part of every branch and user part of the Contact: what leads a message to its owner.
    pub id: CallId,
    /// Address and port of our Via.
    pub sent_by: SocketAddr,
    /// Where in-dialog requests reach us.
    pub contact: Uri,
    /// Value of User-Agent (requests) and Server (responses); empty: neither is sent.
    pub user_agent: String,
    /// Where a request goes whose next hop is a name and not an address: to the hop that the first
    /// INVITE went to, or came from.
    pub fallback: SocketAddr,
    /// Whether the transport repeats what is lost.
    pub reliability: Reliability,
}

impl Local {
    /// A new branch, `z9hG4bK{id}.{token}`.
    #[must_use]
    pub fn branch(&self, mint: &mut Mint) -> String {
        format!("{MAGIC_COOKIE}{}.{}", self.id, mint.token())
    }

    /// The beginning of a request: request line, Via, Max-Forwards.
    #[must_use]
    pub fn request(&self, method: &Method, uri: &Uri, branch: &str) -> Writer {
        let mut writer = Writer::request(method, uri);
        writer.header(HeaderName::Via, Via::udp(self.sent_by, branch));
        writer.header(HeaderName::MaxForwards, MAX_FORWARDS);
        writer
    }
}

/// The call id and branch token that a branch of ours carries.
#[must_use]
pub fn id_of_branch(branch: &str) -> Option<CallId> {
    let (id, _token) = branch.strip_prefix(MAGIC_COOKIE)?.split_once('.')?;
    id.parse().ok()
}

/// Writes a Reason header (RFC 3326), if there is one.
pub(super) fn with_reason(writer: &mut Writer, reason: Option<&Reason>) {
    if let Some(reason) = reason {
        writer.header(HeaderName::Reason, reason);
    }
}

/// Ends a message, with an SDP body if there is one.
pub(super) fn finish(mut writer: Writer, body: Option<&Bytes>) -> Result<Bytes, WriteError> {
    if let Some(body) = body {
        writer.body(SDP, body);
    }
    writer.finish()
}
