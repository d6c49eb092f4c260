//! What a session says to its owner, and what it is told at its beginning.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use crate::id::CallId;
use crate::sip::hop::Hop;
use crate::sip::local::Large;
use crate::sip::transaction::Transmit;
use crate::sip::{HeaderName, NameAddr, Reason, StatusCode, Uri};

/// What a [`Session`](super::Session) or an [`Incoming`](crate::sip::incoming::Incoming) tells its owner.
/// Drain it after each call of the session; save the session's record before carrying a `Transmit` out
/// that is not `again`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Send this.
    Transmit(Transmit),
    /// Caller: 101-199 came. 100 is not told: it says only that a hop has the INVITE.
    Progress {
        /// The status.
        status: StatusCode,
        /// Early SDP, if any.
        body: Option<Bytes>,
    },
    /// Caller: the first 2xx came; the ACK follows as `Transmit`.
    Answered {
        /// The SDP answer, if there is one.
        body: Option<Bytes>,
    },
    /// Caller: our CANCEL and the callee's 2xx crossed. The session sends ACK and BYE itself; `ByeDone`
    /// follows.
    CancelCrossed,
    /// Caller: a final failure, no dialog.
    Failed {
        /// What came instead of an answer.
        failure: Failure,
        /// The Reason headers (RFC 3326), as a carrier gives its Q.850 cause.
        reasons: Vec<Reason>,
        /// Retry-After (RFC 3261 §20.33).
        retry_after: Option<Duration>,
        /// The Contacts of a 3xx.
        contacts: Vec<NameAddr>,
        /// Whether any 1xx came before, 100 included: the next hop was alive.
        any_provisional: bool,
    },
    /// Caller: the INVITE ended by CANCEL, ours or that of the ring timeout: 487 came, or nothing in
    /// 64*T1 after it (RFC 3261 §9.1). Callee: the caller gave up; 487 was sent.
    Cancelled {
        /// The Reason headers of the 487 (caller) or of the CANCEL or BYE (callee).
        reasons: Vec<Reason>,
    },
    /// The peer's re-INVITE, or its UPDATE, also in an early dialog, waits for `answer` or `reject`, which should
    /// follow at once (within 200 ms: no 100 is sent).
    Offered {
        /// The peer's offer; `None`: the peer wants ours.
        body: Option<Bytes>,
    },
    /// The ACK of our 200 came.
    Acked {
        /// The peer's answer, if the offer was ours.
        body: Option<Bytes>,
    },
    /// The ACK of our 200 did not come within 64*T1. The session sends BYE itself (RFC 3261 §13.3.1.4);
    /// `ByeDone` follows.
    Unacked,
    /// The session timer (RFC 4028) wants a refresh, and the peer takes no UPDATE: send a re-INVITE with the
    /// description as it stands, by `reinvite`.
    RefreshDue,
    /// The session timer ran out, or a refresh found no session at the peer's. The session sends BYE itself;
    /// `ByeDone` follows.
    Expired,
    /// Our re-INVITE was accepted; the ACK follows as `Transmit`.
    ReinviteAnswered {
        /// The SDP answer.
        body: Option<Bytes>,
    },
    /// Our re-INVITE was refused; the session stands as it was (RFC 3261 §14.1), but for 481 and 408 and
    /// silence, after which it should be ended with `bye`.
    ReinviteRefused {
        /// The status; `None`: nobody answered.
        status: Option<StatusCode>,
        /// Retry-After.
        retry_after: Option<Duration>,
    },
    /// The peer's INFO came within the session, with a body of one of
    /// [`INFO_TYPES`](crate::sip::local::INFO_TYPES); the session has answered 200.
    Info {
        /// Its type without parameters, as written (it ignores case): `application/dtmf-relay`.
        content_type: String,
        /// The body, never empty.
        body: Bytes,
    },
    /// What came of [`Session::probe`](super::Session::probe).
    Probed {
        /// The answer's status: any but 481 and 408 says that the peer still has the dialog. `None`: nobody answered
        /// in 64*T1.
        status: Option<StatusCode>,
    },
    /// The peer hung up; the session has answered 200.
    PeerBye {
        /// The Reason headers of the BYE.
        reasons: Vec<Reason>,
    },
    /// Our BYE was answered, or nobody answered it: `None`.
    ByeDone {
        /// The status.
        status: Option<StatusCode>,
    },
    /// Every transaction has ended and nothing is owed: the session may be forgotten. Told once.
    Over,
}

/// How an INVITE came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// By this status.
    Refused(StatusCode),
    /// Nobody answered: timer B (RFC 3261 §17.1.1.2).
    Unanswered,
    /// The transport failed (§17.1.4).
    Unsent,
}

impl Failure {
    /// The status that came, if one did.
    #[must_use]
    pub const fn status(self) -> Option<StatusCode> {
        match self {
            Self::Refused(status) => Some(status),
            Self::Unanswered | Self::Unsent => None,
        }
    }

    /// The status that it counts as: RFC 3261 §8.1.3.1.
    #[must_use]
    pub const fn counts_as(self) -> StatusCode {
        match self {
            Self::Refused(status) => status,
            Self::Unanswered => StatusCode::REQUEST_TIMEOUT,
            Self::Unsent => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// What an INVITE of ours is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// Our call; the SIP Call-ID is `{call_id}@{IP address of sent_by}`, and `{call_id}.{number}@…` from 1 on.
    pub call_id: CallId,
    /// Which INVITE of this call it is, where one after another goes to other trunks: from 0. To SIP each is a call of
    /// its own.
    pub number: u8,
    /// The Request-URI.
    pub target: Uri,
    /// The To, without tag.
    pub to: NameAddr,
    /// The From; the session adds its tag.
    pub from: NameAddr,
    /// Our Contact, with the call id as user part.
    pub contact: Uri,
    /// Where the INVITE is sent: the trunk's address.
    pub destination: Hop,
    /// The address and port of our Via.
    pub sent_by: SocketAddr,
    /// How requests travel that are too large for a datagram.
    pub large: Large,
    /// Route headers to begin with (RFC 3261 §8.1.1.1), as for an outbound proxy.
    pub route: Vec<NameAddr>,
    /// Value of User-Agent; empty: none.
    pub user_agent: String,
    /// More headers of the INVITE, as P-Asserted-Identity.
    pub extra: Vec<(HeaderName, String)>,
    /// How long the callee's phone may ring: counted from the first 18x, and until one comes from the
    /// INVITE. So a peer that says nothing but 100 has this long, one that rings late gets its full
    /// ringing, and [`longest_setup`](Self::longest_setup) bounds both.
    pub ring_timeout: Duration,
    /// How many other targets are tried that 3xx responses name (RFC 3261 §8.1.3.4); 0: none.
    pub redirects: u8,
    /// The session interval to ask for (RFC 4028); `None`: none is asked for, but one that the peer asks for is
    /// kept.
    pub session_expires: Option<Duration>,
}

impl Parameters {
    /// The longest time from INVITE to the CANCEL of the ring timeout: an 18x at the last moment, then
    /// the full ringing. Whoever must be sure that the callee rings no more adds 64*T1 to it.
    #[must_use]
    pub const fn longest_setup(&self) -> Duration {
        self.ring_timeout.saturating_mul(2)
    }
}
