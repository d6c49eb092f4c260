//! What a call is made of before it begins.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::dialplan::{Failover, PostDial};
use crate::id::{AttemptId, CallId, CaseId, Digest, Epoch, Mint, Revision};
use crate::interview::{BeginError, Interview};
use crate::sdp;
use crate::sip::WriteError;
use crate::time::Timestamp;

use super::taken_over::Takeovers;
use super::trunks::{Terms, Tried, Trunks, TryNumber, invite};
use super::{Assets, Call, Stage, Subject, Times};

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
    /// What the call through the first trunk is made of.
    pub terms: Terms,
    /// The same for those that are tried after it, in their order.
    pub others: Vec<Terms>,
    /// After which failures the next one is tried.
    pub failover: Failover,
    /// Trunks that come before these and were passed over.
    pub passed_over: Vec<Tried>,
    /// Keys to send after the answer, before anything is said.
    pub post_dial: Option<PostDial>,
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
        let offer = sdp::offer(&start.terms.local);
        let write = |terms: &Terms, number, mint: &mut Mint| {
            let names = (start.call_id, TryNumber(number));
            invite(now, names, terms.clone(), (&start.user_agent, &offer), mint).map_err(StartError::Write)
        };
        for other in &start.others {
            write(other, u8::MAX, &mut mint.clone())?; // what could not be sent later is known now
        }
        let number = u8::try_from(start.passed_over.len()).unwrap_or(u8::MAX);
        let session = write(&start.terms, number, &mut mint)?;
        let Terms { trunk, local, listening, .. } = start.terms;
        let trunks =
            Trunks::new(now, trunk, start.passed_over, start.others, start.failover, start.user_agent);
        Ok(Self {
            subject: Subject {
                call_id: start.call_id,
                attempt_id: start.attempt_id,
                case_id: start.case_id,
                to: start.to,
                questionnaire: start.questionnaire,
            },
            epoch: start.epoch,
            revision: Revision(0),
            mint,
            described: Digest::of(&offer),
            local,
            listening,
            trunks,
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
            takeovers: Takeovers::default(),
            outputs: VecDeque::new(),
        })
    }
}
