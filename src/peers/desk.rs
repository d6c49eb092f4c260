//! What instances ask of each other besides copies: what became of calls, and to place one.
//!
//! ```text
//!  who accepted it ── Begin: call, attempt, request, edition, not after ──► who is picked: placed, or why not
//!                  ── Find: calls ────────────────────────────────────────► everybody: how far, the result, or nothing
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use super::link::channel;
use super::wire::desk_client::DeskClient;
use super::wire::{
    self, AskRequest, AskResponse, BeginRequest, BeginResponse, FindRequest, FindResponse, HungUp,
};
use super::{Identity, Question, Reply, Service, Stock, incarnation};
use crate::engine::said_by;
use crate::id::{AttemptId, CallId, Digest, NodeId};
use crate::sync::Placement;

/// Calls that are asked for at once: their results fit into one message (4 MiB) many times over.
pub const MOST_ASKED: usize = 100;
/// How long others may take to tell what they know.
const PATIENCE: Duration = Duration::from_secs(2);
/// What a status says of a connection that was not made: nothing was sent (`hyper_util`'s words).
const UNREACHED: &str = "tcp connect error";
/// How far a call is that is only copied to a member.
const COPIED: &str = "copied";

/// What a member knows of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Which.
    pub call: CallId,
    /// How far it is.
    pub state: String,
    /// The question that was asked last.
    pub item: Option<String>,
    /// Its result, as JSON.
    pub result: Option<String>,
}

/// A start indication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Indication {
    /// Under which control it is sent; 0: nobody is.
    pub epoch: u64,
    /// Who is to place it, and until when.
    pub placement: Placement,
    /// The call.
    pub call: CallId,
    /// The attempt that it is.
    pub attempt: AttemptId,
    /// The request as it was written down, as JSON.
    pub request: String,
    /// The questionnaire that it is to ask.
    pub edition: Digest,
}

/// Why a node does not place a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declined {
    /// In words.
    pub why: String,
    /// What in the request is wrong: where (a JSON Pointer), and what. Then nobody would place it.
    pub mistakes: Vec<(String, String)>,
}

impl From<String> for Declined {
    fn from(why: String) -> Self {
        Self { why, mistakes: Vec::new() }
    }
}

/// An answer that takes its time.
pub type Answer<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Who answers for this instance.
#[derive(Clone)]
pub struct Desk {
    /// What it knows of these calls.
    pub find: Arc<dyn Fn(Vec<CallId>) -> Answer<Vec<Known>> + Send + Sync>,
    /// Places a call, or says why not.
    pub begin: Arc<dyn Fn(Indication) -> Answer<Result<(), Declined>> + Send + Sync>,
    /// Ends those of these calls that it carries.
    pub hang_up: Arc<dyn Fn(Vec<CallId>) -> Answer<()> + Send + Sync>,
    /// What others may have of its files.
    pub stock: Option<Stock>,
    /// Answers what control or another instance asks about starts.
    pub ask: Arc<dyn Fn(Question) -> Answer<Reply> + Send + Sync>,
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Desk")
    }
}

impl Desk {
    /// Of a member that carries no calls.
    #[must_use]
    pub fn of_witness() -> Self {
        Self {
            find: Arc::new(|_| Box::pin(std::future::ready(Vec::new()))),
            begin: Arc::new(|_| Box::pin(std::future::ready(Err("it is a witness".to_owned().into())))),
            hang_up: Arc::new(|_| Box::pin(std::future::ready(()))),
            stock: None,
            ask: Arc::new(|_| Box::pin(std::future::ready(Reply::Failed("it is a witness".to_owned())))),
        }
    }
}

#[tonic::async_trait]
impl wire::desk_server::Desk for Service {
    async fn find(&self, request: Request<FindRequest>) -> Result<Response<FindResponse>, Status> {
        self.check(&request)?;
        let calls = named(request.get_ref())?;
        let mut known = (self.desk.find)(calls.clone()).await;
        for call in calls {
            if self.table.has(call) && known.iter().all(|one| one.call != call) {
                known.push(Known { call, state: COPIED.to_owned(), item: None, result: None });
            }
        }
        let known = known.into_iter().map(|Known { call, state, item, result }| wire::Known {
            call: call.to_string(),
            state,
            item,
            result,
        });
        Ok(Response::new(FindResponse { known: known.collect() }))
    }

    async fn begin(&self, request: Request<BeginRequest>) -> Result<Response<BeginResponse>, Status> {
        self.check(&request)?;
        let indication =
            read(request.into_inner()).ok_or_else(|| Status::invalid_argument("it is no start"))?;
        if *self.me.borrow() != Some(indication.placement.to) {
            let refused = Some("another incarnation was meant".to_owned());
            return Ok(Response::new(BeginResponse { refused, mistakes: None }));
        }
        let declined = (self.desk.begin)(indication).await.err();
        let mistakes = declined.as_ref().filter(|declined| !declined.mistakes.is_empty());
        let mistakes = mistakes.and_then(|declined| serde_json::to_string(&declined.mistakes).ok());
        let refused = declined.map(|declined| declined.why);
        Ok(Response::new(BeginResponse { refused, mistakes }))
    }

    async fn ask(&self, request: Request<AskRequest>) -> Result<Response<AskResponse>, Status> {
        self.check(&request)?;
        let question: Question = serde_json::from_str(&request.get_ref().question)
            .map_err(|error| Status::invalid_argument(format!("not a question of this Baton's: {error}")))?;
        let reply = (self.desk.ask)(question).await;
        let reply = serde_json::to_string(&reply).map_err(|error| Status::internal(error.to_string()))?;
        Ok(Response::new(AskResponse { reply }))
    }

    async fn hang_up(&self, request: Request<FindRequest>) -> Result<Response<HungUp>, Status> {
        self.check(&request)?;
        (self.desk.hang_up)(named(request.get_ref())?).await;
        Ok(Response::new(HungUp {}))
    }
}

/// The calls of a question.
fn named(request: &FindRequest) -> Result<Vec<CallId>, Status> {
    if request.calls.len() > MOST_ASKED {
        return Err(Status::invalid_argument(format!("at most {MOST_ASKED} calls at once")));
    }
    let calls = request.calls.iter().map(|call| call.parse());
    calls.collect::<Result<_, _>>().map_err(|_| Status::invalid_argument("one of them is no call"))
}

fn read(request: BeginRequest) -> Option<Indication> {
    let BeginRequest { to, call, attempt, request, edition, not_after_ms, epoch, number, placed_under } =
        request;
    let to = incarnation(to.as_ref())?;
    Some(Indication {
        epoch,
        placement: Placement { epoch: placed_under, number, to, not_after_ms },
        call: call.parse().ok()?,
        attempt: attempt.parse().ok()?,
        request,
        edition: edition.parse().ok()?,
    })
}

/// What came of a start indication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It is placed.
    Placed,
    /// It was not, and will not be.
    Refused(Declined),
    /// It was not told: of this indication nothing is placed. Of an earlier one of the same placement it may be.
    Unreached(String),
    /// No answer came: it may have been placed.
    Unknown(String),
}

/// Why there is no reply to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unasked {
    /// It never came there.
    Unreached(String),
    /// It may have.
    Unknown(String),
}

/// The way to the desks of the other members. Copies share their connections.
#[derive(Clone, Debug)]
pub struct Others(Arc<RwLock<BTreeMap<NodeId, (SocketAddr, Channel)>>>);

impl Others {
    /// Connections are made when they are needed.
    ///
    /// # Errors
    /// If certificates or addresses cannot be used.
    pub fn new(
        identity: &Identity,
        members: impl IntoIterator<Item = (NodeId, SocketAddr)>,
    ) -> Result<Self, Status> {
        let others = Self(Arc::default());
        others.renew(identity, members)?;
        Ok(others)
    }

    /// From now on it is these. Whoever was there before, at the same address, keeps its connection.
    ///
    /// # Errors
    /// As for [`new`](Self::new); everything stays as it was then.
    pub fn renew(
        &self,
        identity: &Identity,
        members: impl IntoIterator<Item = (NodeId, SocketAddr)>,
    ) -> Result<(), Status> {
        let before = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        let way = |(member, address)| match before.get(&member) {
            Some((same, channel)) if *same == address => Ok((member, (address, channel.clone()))),
            Some(_) | None => Ok((member, (address, channel(address, member, identity)?))),
        };
        let now = members.into_iter().map(way).collect::<Result<_, Status>>()?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = now;
        Ok(())
    }

    /// All of them, as they are now.
    pub(super) fn ways(&self) -> BTreeMap<NodeId, Channel> {
        let ways = self.0.read().unwrap_or_else(PoisonError::into_inner);
        ways.iter().map(|(member, (_, channel))| (*member, channel.clone())).collect()
    }

    fn way(&self, to: NodeId) -> Option<Channel> {
        let ways = self.0.read().unwrap_or_else(PoisonError::into_inner);
        ways.get(&to).map(|(_, channel)| channel.clone())
    }

    /// Asks a member something about starts, and waits for its reply for up to `patience`.
    ///
    /// # Errors
    /// Why there is no reply.
    pub async fn ask(&self, to: NodeId, question: &Question, patience: Duration) -> Result<Reply, Unasked> {
        let unreached = |why: &str| Unasked::Unreached(why.to_owned());
        let channel = self.way(to).ok_or_else(|| unreached("it is no member"))?;
        let question = serde_json::to_string(question).map_err(|error| unreached(&error.to_string()))?;
        match timeout(patience, DeskClient::new(channel).ask(AskRequest { question })).await {
            Ok(Ok(answer)) => serde_json::from_str(&answer.into_inner().reply)
                .map_err(|error| Unasked::Unknown(format!("its reply cannot be read: {error}"))),
            Ok(Err(status)) if said_by(&status).contains(UNREACHED) => Err(unreached(&said_by(&status))),
            Ok(Err(status)) => Err(Unasked::Unknown(said_by(&status))),
            Err(_) => Err(Unasked::Unknown("it does not answer".to_owned())),
        }
    }

    /// Asks several at once; what each replied, if it did.
    pub async fn ask_all(
        &self,
        whom: impl IntoIterator<Item = NodeId>,
        question: &Question,
        patience: Duration,
    ) -> BTreeMap<NodeId, Result<Reply, Unasked>> {
        let mut asked = JoinSet::new();
        for to in whom {
            let (others, question) = (self.clone(), question.clone());
            asked.spawn(async move { (to, others.ask(to, &question, patience).await) });
        }
        asked.join_all().await.into_iter().collect()
    }

    /// What the others know of these calls, at most [`MOST_ASKED`], and who has not answered.
    pub async fn find(&self, calls: &[CallId]) -> (Vec<(NodeId, Known)>, BTreeSet<NodeId>) {
        let calls: Vec<String> = calls.iter().map(ToString::to_string).collect();
        let mut asked = JoinSet::new();
        let ways = self.ways();
        let mut silent: BTreeSet<NodeId> = ways.keys().copied().collect();
        for (member, channel) in ways {
            let request = FindRequest { calls: calls.clone() };
            asked.spawn(async move {
                let found = timeout(PATIENCE, DeskClient::new(channel).find(request)).await;
                (member, found.ok().and_then(Result::ok))
            });
        }
        let mut known = Vec::new();
        while let Some(answer) = asked.join_next().await {
            let Ok((member, Some(found))) = answer else { continue };
            silent.remove(&member);
            known.extend(found.into_inner().known.into_iter().filter_map(|one| {
                let wire::Known { call, state, item, result } = one;
                Some((member, Known { call: call.parse().ok()?, state, item, result }))
            }));
        }
        (known, silent)
    }

    /// Has whoever carries this call end it; whether each of them has heard of it.
    pub async fn hang_up(&self, call: CallId) -> bool {
        let mut told = JoinSet::new();
        for channel in self.ways().into_values() {
            let request = FindRequest { calls: vec![call.to_string()] };
            told.spawn(async move {
                let heard = timeout(PATIENCE, DeskClient::new(channel).hang_up(request)).await;
                matches!(heard, Ok(Ok(_)))
            });
        }
        told.join_all().await.into_iter().all(|heard| heard)
    }

    /// Asks a member to place a call.
    pub async fn begin(&self, indication: Indication) -> Begun {
        let Indication { epoch, placement, call, attempt, request, edition } = indication;
        let Placement { to, not_after_ms, number, epoch: placed_under } = placement;
        let Some(channel) = self.way(to.node) else {
            return Begun::Refused("it is no member".to_owned().into());
        };
        let request = BeginRequest {
            to: Some(to.into()),
            call: call.to_string(),
            attempt: attempt.to_string(),
            request,
            edition: edition.to_string(),
            not_after_ms,
            epoch,
            number,
            placed_under,
        };
        match timeout(PATIENCE, DeskClient::new(channel).begin(request)).await {
            Ok(Ok(answer)) => {
                let BeginResponse { refused, mistakes } = answer.into_inner();
                let mistakes = mistakes.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
                refused.map_or(Begun::Placed, |why| Begun::Refused(Declined { why, mistakes }))
            }
            // It was never told, and the next one is asked at once: who is dead has no time to lose for others.
            Ok(Err(status)) if said_by(&status).contains(UNREACHED) => Begun::Unreached(said_by(&status)),
            Ok(Err(status)) => Begun::Unknown(said_by(&status)),
            Err(_) => Begun::Unknown("it does not answer".to_owned()),
        }
    }
}
