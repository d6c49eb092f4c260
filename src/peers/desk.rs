//! What instances ask of each other besides copies: what became of calls, and to place one.
//!
//! ```text
//!  who accepted it ── Begin: call, attempt, request, edition, not after ──► who is picked: placed, or why not
//!                  ── Find: calls ────────────────────────────────────────► everybody: how far, the result, or nothing
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use super::link::channel;
use super::wire::desk_client::DeskClient;
use super::wire::{self, BeginRequest, BeginResponse, FindRequest, FindResponse, HungUp};
use super::{Identity, Service, Stock, incarnation};
use crate::engine::said_by;
use crate::id::{AttemptId, CallId, Digest, NodeId};
use crate::sync::Incarnation;

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
    /// Who is to place it.
    pub to: Incarnation,
    /// The call.
    pub call: CallId,
    /// The attempt that it is.
    pub attempt: AttemptId,
    /// The request as it was written down, as JSON.
    pub request: String,
    /// The questionnaire that it is to ask.
    pub edition: Digest,
    /// Not after this, in ms since 1970 by the clock of who accepted it.
    pub not_after_ms: u64,
}

/// An answer that takes its time.
pub type Answer<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Who answers for this instance.
#[derive(Clone)]
pub struct Desk {
    /// What it knows of these calls.
    pub find: Arc<dyn Fn(Vec<CallId>) -> Answer<Vec<Known>> + Send + Sync>,
    /// Places a call, or says why not.
    pub begin: Arc<dyn Fn(Indication) -> Answer<Result<(), String>> + Send + Sync>,
    /// Ends those of these calls that it carries.
    pub hang_up: Arc<dyn Fn(Vec<CallId>) -> Answer<()> + Send + Sync>,
    /// What others may have of its files.
    pub stock: Option<Stock>,
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
            begin: Arc::new(|_| Box::pin(std::future::ready(Err("it is a witness".to_owned())))),
            hang_up: Arc::new(|_| Box::pin(std::future::ready(()))),
            stock: None,
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
        if *self.me.borrow() != Some(indication.to) {
            return Ok(Response::new(BeginResponse {
                refused: Some("another incarnation was meant".to_owned()),
            }));
        }
        let refused = (self.desk.begin)(indication).await.err();
        Ok(Response::new(BeginResponse { refused }))
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
    let BeginRequest { to, call, attempt, request, edition, not_after_ms } = request;
    Some(Indication {
        to: incarnation(to.as_ref())?,
        call: call.parse().ok()?,
        attempt: attempt.parse().ok()?,
        request,
        edition: edition.parse().ok()?,
        not_after_ms,
    })
}

/// What came of a start indication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It is placed.
    Placed,
    /// It was not, and will not be.
    Refused(String),
    /// No answer came: it may have been placed.
    Unknown(String),
}

/// The way to the desks of the other members. Copies share their connections.
#[derive(Clone, Debug)]
pub struct Others(pub(super) Arc<BTreeMap<NodeId, Channel>>);

impl Others {
    /// Connections are made when they are needed.
    ///
    /// # Errors
    /// If certificates or addresses cannot be used.
    pub fn new(
        identity: &Identity,
        members: impl IntoIterator<Item = (NodeId, SocketAddr)>,
    ) -> Result<Self, Status> {
        let way = |(member, address)| Ok((member, channel(address, member, identity)?));
        members.into_iter().map(way).collect::<Result<_, Status>>().map(|ways| Self(Arc::new(ways)))
    }

    /// What the others know of these calls, at most [`MOST_ASKED`], and whether each of them has answered.
    pub async fn find(&self, calls: &[CallId]) -> (Vec<(NodeId, Known)>, bool) {
        let calls: Vec<String> = calls.iter().map(ToString::to_string).collect();
        let mut asked = JoinSet::new();
        for (&member, channel) in self.0.iter() {
            let (channel, request) = (channel.clone(), FindRequest { calls: calls.clone() });
            asked.spawn(async move {
                let found = timeout(PATIENCE, DeskClient::new(channel).find(request)).await;
                (member, found.ok().and_then(Result::ok))
            });
        }
        let (mut all, mut known) = (true, Vec::new());
        while let Some(answer) = asked.join_next().await {
            let Ok((member, Some(found))) = answer else {
                all = false;
                continue;
            };
            known.extend(found.into_inner().known.into_iter().filter_map(|one| {
                let wire::Known { call, state, item, result } = one;
                Some((member, Known { call: call.parse().ok()?, state, item, result }))
            }));
        }
        (known, all)
    }

    /// Has whoever carries this call end it; whether each of them has heard of it.
    pub async fn hang_up(&self, call: CallId) -> bool {
        let mut told = JoinSet::new();
        for channel in self.0.values() {
            let (channel, request) = (channel.clone(), FindRequest { calls: vec![call.to_string()] });
            told.spawn(async move {
                let heard = timeout(PATIENCE, DeskClient::new(channel).hang_up(request)).await;
                matches!(heard, Ok(Ok(_)))
            });
        }
        told.join_all().await.into_iter().all(|heard| heard)
    }

    /// Asks a member to place a call.
    pub async fn begin(&self, indication: Indication) -> Begun {
        let Indication { to, call, attempt, request, edition, not_after_ms } = indication;
        let Some(channel) = self.0.get(&to.node).cloned() else {
            return Begun::Refused("it is no member".to_owned());
        };
        let request = BeginRequest {
            to: Some(to.into()),
            call: call.to_string(),
            attempt: attempt.to_string(),
            request,
            edition: edition.to_string(),
            not_after_ms,
        };
        match timeout(PATIENCE, DeskClient::new(channel).begin(request)).await {
            Ok(Ok(answer)) => answer.into_inner().refused.map_or(Begun::Placed, Begun::Refused),
            // It was never told, and the next one is asked at once: who is dead has no time to lose for others.
            Ok(Err(status)) if said_by(&status).contains(UNREACHED) => Begun::Refused(said_by(&status)),
            Ok(Err(status)) => Begun::Unknown(said_by(&status)),
            Err(_) => Begun::Unknown("it does not answer".to_owned()),
        }
    }
}
