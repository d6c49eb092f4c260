//! Who this end is on the wire, the same for all requests and responses of one session.

use std::net::SocketAddr;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::hop::{Hop, LARGEST_UDP_REQUEST, Protocol};
use super::transaction::MAGIC_COOKIE;
use super::{HeaderName, Method, Reason, Uri, Via, WriteError, Writer};
use crate::id::{CallId, Mint};

/// The methods this user agent takes within a dialog (RFC 3261 §20.5).
pub const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, UPDATE";
/// Bodies of INFO that are understood: keys, in their two common forms.
pub const INFO_TYPES: [&str; 2] = ["application/dtmf-relay", "application/dtmf"];
/// The only body this user agent reads.
pub const SDP: &str = "application/sdp";
/// Bodies that are taken: the description, alone or among other parts.
pub const ACCEPT: &str = "application/sdp, multipart/mixed";
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
    /// INVITE went to, or came from. Its protocol is also that of a next hop that names none.
    pub fallback: Hop,
    /// How requests travel that are too large for a datagram.
    pub large: Large,
}

/// What becomes of a request for UDP of more than [`LARGEST_UDP_REQUEST`] bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Large {
    /// It goes by UDP all the same, in fragments: the peer takes no TCP.
    #[default]
    ByUdp,
    /// It goes by TCP, and if no connection can be made by UDP (RFC 3261 §18.1.1).
    ByTcp,
}

impl Local {
    /// A new branch, `z9hG4bK{id}.{token}`.
    #[must_use]
    pub fn branch(&self, mint: &mut Mint) -> String {
        format!("{MAGIC_COOKIE}{}.{}", self.id, mint.token())
    }

    /// Our Via.
    #[must_use]
    pub fn via(&self, protocol: Protocol, branch: &str) -> Via {
        Via::own(protocol.via(), self.sent_by, branch)
    }

    /// The beginning of a request: request line, Via, Max-Forwards.
    #[must_use]
    pub fn request(&self, method: &Method, uri: &Uri, branch: &str, protocol: Protocol) -> Writer {
        let mut writer = Writer::request(method, uri);
        writer.header(HeaderName::Via, self.via(protocol, branch));
        writer.header(HeaderName::MaxForwards, MAX_FORWARDS);
        writer
    }

    /// Chooses the protocol of a request by its size (RFC 3261 §18.1.1): the hop, and the bytes with the Via
    /// that fits it.
    #[must_use]
    pub fn carry(&self, to: Hop, request: Bytes) -> (Hop, Bytes) {
        let is_large = to.protocol == Protocol::Udp && request.len() > LARGEST_UDP_REQUEST;
        if is_large && self.large == Large::ByTcp {
            return (Hop::tcp(to.address), with_via(&request, Protocol::Tcp));
        }
        (to, request)
    }
}

/// The same request of ours with another protocol in its Via, which is the first header.
#[must_use]
pub(super) fn with_via(request: &Bytes, protocol: Protocol) -> Bytes {
    const VIA: &[u8] = b"\r\nVia: SIP/2.0/";
    let mut bytes = request.to_vec();
    let name = protocol.via();
    let name = name.as_str().as_bytes();
    if let Some(at) = memchr::memmem::find(&bytes, VIA).map(|at| at + VIA.len())
        && let Some(old) = bytes.get_mut(at..at + name.len())
    {
        old.copy_from_slice(name); // both names have three letters
    }
    bytes.into()
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
