//! What a call is made of before it begins.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use crate::dialplan::PostDial;
use crate::id::{AttemptId, CallId, CaseId, Digest, Epoch, Mint, Revision};
use crate::interview::{BeginError, Interview};
use crate::sdp::{self, LocalMedia};
use crate::sip::local::Large;
use crate::sip::session::{Parameters, Session};
use crate::sip::{Hop, NameAddr, Protocol, Uri, WriteError};
use crate::time::Timestamp;

use super::{Assets, Call, Listening, Stage, Subject, Times};

/// The start indication: everything that a node needs to place one call.
#[derive(Clone, Debug)]
pub struct Start {
    /// Its id.
    pub call_id: CallId,
    /// The attempt that it is.
    pub attempt_id: AttemptId,
    /// The case it belongs to, in a campaign.
    pub case_id: Option<CaseId>,
    /// Under which ownership.
    pub epoch: Epoch,
    /// Seed of the call's mint: 32 random bytes from the edge.
    pub seed: [u8; 32],
    /// Whom to call, as given by the person who asked.
    pub to: String,
    /// Name of the trunk.
    pub trunk: String,
    /// Request-URI.
    pub target: Uri,
    /// Our identity towards the callee; without tag.
    pub from: NameAddr,
    /// Where requests go.
    pub destination: Hop,
    /// How requests travel that are too large for a datagram.
    pub large: Large,
    /// Our address in Via and Contact.
    pub sent_by: SocketAddr,
    /// Our side of the session description; its ports are bound.
    pub local: LocalMedia,
    /// What it listens to.
    pub listening: Listening,
    /// Keys to send after the answer, before anything is said.
    pub post_dial: Option<PostDial>,
    /// How long it may ring.
    pub ring_timeout: Duration,
    /// How many other targets are tried that 3xx responses name.
    pub redirects: u8,
    /// The session interval to ask for (RFC 4028); `None`: none.
    pub session_expires: Option<Duration>,
    /// The longest conversation.
    pub longest: Duration,
    /// User-Agent header.
    pub user_agent: String,
    /// Which questionnaire.
    pub questionnaire: Digest,
    /// What is known of the contact.
    pub fields: BTreeMap<String, String>,
    /// What the order of items and options is drawn from: the same for each attempt of a case.
    pub order_seed: u32,
}

/// Why a call cannot be placed.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The questionnaire is not loaded here.
    #[error("questionnaire {digest} is not loaded on this node")]
    Questionnaire {
        /// The digest that was asked for.
        digest: Digest,
    },
    /// The interview cannot begin with what is known of the contact.
    #[error("the interview cannot begin")]
    Begin(#[source] BeginError),
    /// A part of the INVITE would break the message.
    #[error("the INVITE cannot be written")]
    Write(#[source] WriteError),
}

impl Call {
    /// A call that is about to be placed. Tell it [`Input::Started`](super::Input::Started) next.
    ///
    /// # Errors
    /// [`StartError`] if the questionnaire is unknown or the contact lacks what it needs.
    pub fn new(now: Timestamp, start: Start, assets: &Assets) -> Result<Self, StartError> {
        let questionnaire = assets
            .questionnaire(start.questionnaire)
            .ok_or(StartError::Questionnaire { digest: start.questionnaire })?;
        let mut mint = Mint::new(start.seed, start.epoch);
        let interview =
            Interview::begin(questionnaire, &start.fields, start.order_seed).map_err(StartError::Begin)?;
        let contact = contact(start.call_id, start.sent_by, start.destination.protocol);
        let parameters = Parameters {
            call_id: start.call_id,
            target: start.target.clone(),
            to: NameAddr::new(start.target),
            from: start.from,
            contact,
            destination: start.destination,
            large: start.large,
            sent_by: start.sent_by,
            route: Vec::new(),
            user_agent: start.user_agent,
            extra: Vec::new(),
            ring_timeout: start.ring_timeout,
            redirects: start.redirects,
            session_expires: start.session_expires,
        };
        let offer = sdp::offer(&start.local);
        let session = Session::invite(now, parameters, &offer, &mut mint).map_err(StartError::Write)?;
        Ok(Self {
            subject: Subject {
                call_id: start.call_id,
                attempt_id: start.attempt_id,
                case_id: start.case_id,
                to: start.to,
                trunk: start.trunk,
                questionnaire: start.questionnaire,
            },
            epoch: start.epoch,
            revision: Revision(0),
            mint,
            described: Digest::of(&offer),
            local: start.local,
            listening: start.listening,
            post_dial: start.post_dial,
            longest_s: u32::try_from(start.longest.as_secs()).unwrap_or(u32::MAX),
            session,
            interview,
            stage: Stage::Calling,
            times: Times { started: now, ringing: None, answered: None },
            sip_status: None,
            cause: None,
            tones: Vec::new(),
            early: None,
            has_pressed: false,
            fault: None,
            streaming: false,
            media: None,
            retry_after_s: None,
            recordings: Vec::new(),
            outputs: VecDeque::new(),
        })
    }
}

/// Where in-dialog requests reach us: over the transport that we call by (RFC 3261 §8.1.1.8).
fn contact(call: CallId, sent_by: SocketAddr, protocol: Protocol) -> Uri {
    let uri = Uri::sip_at(Some(call.as_str()), sent_by);
    match protocol {
        Protocol::Udp => uri, // the default of sip: (RFC 3263 §4.1)
        Protocol::Tcp => uri.with_param("transport", protocol.param()),
    }
}
