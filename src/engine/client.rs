//! The way to the engine: several endpoints, the next one on failure or after a short wait, TLS, user and password.
//!
//! ```text
//!  preferred ──150 ms──► next ──150 ms──► next       the first answer counts; who gave it is asked first from then on
//! ```
//! To ask a second endpoint while the first is silent is safe: all that is written is compared with exact revisions, so
//! that what was done once is refused the second time.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Request, Response, Status};

use super::EngineError;
use super::wire::auth_client::AuthClient;
use super::wire::kv_client::KvClient;
use super::wire::{
    AuthenticateRequest, PutRequest, PutResponse, RangeRequest, RangeResponse, TxnRequest, TxnResponse,
};

/// An endpoint that has not answered for so long is helped by the next: a healthy one takes a few milliseconds.
const HEDGE: Duration = Duration::from_millis(150);
/// How long anything is waited for: longer than etcd is without a leader at an election time of 250 ms.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_millis(500);
/// How often an idle connection is tried; etcd refuses those who try more often than every 5 s.
const KEEP_ALIVE: Duration = Duration::from_secs(6);
/// Most endpoints: an etcd has at most seven members.
const MOST_ENDPOINTS: usize = 16;

/// Where the engine is, and how we are let in.
#[derive(Clone, Debug)]
pub struct Access {
    /// `http://HOST:PORT` or `https://HOST:PORT`, the preferred one first.
    pub endpoints: Vec<String>,
    /// For `https`.
    pub tls: Tls,
    /// For an engine with authentication.
    pub user: Option<User>,
    /// Which cluster: the name below `/baton/`, so that several share an engine.
    pub cluster: String,
}

/// Certificates, as PEM.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// Who may have signed the engine's certificate; absent: nobody, and `https` fails.
    pub ca: Option<String>,
    /// Our certificate and its key, where the engine wants one.
    pub identity: Option<(String, String)>,
}

/// A user of the engine's.
#[derive(Clone)]
pub struct User {
    /// Its name.
    pub name: String,
    /// Its password.
    pub password: String,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "User({})", self.name)
    }
}

/// What is wrong with an [`Access`].
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// How many endpoints.
    #[error("{count} endpoints of the engine; name 1 to {MOST_ENDPOINTS}")]
    Endpoints {
        /// How many are named.
        count: usize,
    },
    /// One of them.
    #[error("`{endpoint}` is no endpoint of the engine: write http://HOST:PORT or https://HOST:PORT")]
    Endpoint {
        /// As written.
        endpoint: String,
    },
    /// The certificates.
    #[error("the certificates for the engine cannot be used: {message}")]
    Tls {
        /// What TLS says.
        message: String,
    },
}

/// The connections to all endpoints; they are made when they are needed.
#[derive(Clone, Debug)]
pub(super) struct Client(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    endpoints: Vec<(String, Channel)>,
    preferred: AtomicUsize,
    user: Option<User>,
    /// What the engine gave for the user's password.
    token: Mutex<Option<MetadataValue<Ascii>>>,
}

/// What an endpoint said, if it was no answer.
enum Failure {
    /// Another endpoint may do better.
    Next(String),
    /// None would.
    Final(String),
}

impl Client {
    pub(super) fn new(access: &Access) -> Result<Self, AccessError> {
        let count = access.endpoints.len();
        if !(1..=MOST_ENDPOINTS).contains(&count) {
            return Err(AccessError::Endpoints { count });
        }
        let channels = access.endpoints.iter().map(|endpoint| channel(endpoint, &access.tls));
        Ok(Self(Arc::new(Inner {
            endpoints: channels.collect::<Result<_, _>>()?,
            preferred: AtomicUsize::new(0),
            user: access.user.clone(),
            token: Mutex::default(),
        })))
    }

    pub(super) async fn range(&self, request: RangeRequest) -> Result<RangeResponse, EngineError> {
        self.ask(request, |channel, request| async move { KvClient::new(channel).range(request).await }).await
    }

    pub(super) async fn put(&self, request: PutRequest) -> Result<PutResponse, EngineError> {
        self.ask(request, |channel, request| async move { KvClient::new(channel).put(request).await }).await
    }

    pub(super) async fn txn(&self, request: TxnRequest) -> Result<TxnResponse, EngineError> {
        self.ask(request, |channel, request| async move { KvClient::new(channel).txn(request).await }).await
    }

    /// A channel for a stream, with what lets us in; each time that of the next endpoint, `turn` by `turn`.
    pub(super) async fn stream<M>(
        &self,
        turn: usize,
        message: M,
    ) -> Result<(String, Channel, Request<M>), EngineError> {
        let (name, channel) = self.endpoint(turn);
        let mut request = Request::new(message);
        match self.token(channel.clone()).await {
            Ok(token) => {
                token.map(|token| request.metadata_mut().insert("token", token));
                Ok((name.to_owned(), channel, request))
            }
            Err(Failure::Next(message)) => Err(EngineError::Away { tried: format!("{name}: {message}") }),
            Err(Failure::Final(message)) => Err(EngineError::Refused { endpoint: name.to_owned(), message }),
        }
    }

    /// Whether a stream's end was for want of a token that is still good: the next one gets a new one.
    pub(super) fn ended(&self, status: &Status) {
        if is_token_void(status) {
            self.0.set_token(None);
        }
    }

    fn endpoint(&self, turn: usize) -> (&str, Channel) {
        let endpoints = &self.0.endpoints;
        let at = (self.0.preferred.load(Relaxed) + turn) % endpoints.len();
        let (name, channel) = &endpoints[at];
        (name, channel.clone())
    }

    /// Asks the endpoints until one answers.
    async fn ask<M, A, F, Asked>(&self, message: M, how: F) -> Result<A, EngineError>
    where
        M: Clone + Send + 'static,
        A: Send + 'static,
        F: Fn(Channel, Request<M>) -> Asked + Copy + Send + 'static,
        Asked: Future<Output = Result<Response<A>, Status>> + Send + 'static,
    {
        let endpoints = self.0.endpoints.len();
        let first = self.0.preferred.load(Relaxed);
        let end = Instant::now() + PATIENCE;
        let (mut asked, mut next) = (0, Instant::now());
        let mut running = JoinSet::new();
        let mut said = vec!["no answer".to_owned(); endpoints];
        loop {
            let is_more = asked < endpoints;
            tokio::select! {
                () = sleep_until(end) => break,
                () = sleep_until(next), if is_more => {
                    let (client, at, message) = (self.clone(), (first + asked) % endpoints, message.clone());
                    running.spawn(async move { (at, client.ask_one(at, message, how).await) });
                    (asked, next) = (asked + 1, Instant::now() + HEDGE);
                }
                Some(Ok((at, answer))) = running.join_next() => match answer {
                    Ok(answer) => {
                        self.0.preferred.store(at, Relaxed);
                        return Ok(answer);
                    }
                    Err(Failure::Final(message)) => {
                        return Err(EngineError::Refused { endpoint: self.0.endpoints[at].0.clone(), message });
                    }
                    Err(Failure::Next(message)) => {
                        said[at] = message;
                        next = Instant::now();
                        if !is_more && running.is_empty() {
                            break;
                        }
                    }
                },
            }
        }
        let said = self.0.endpoints.iter().zip(said).map(|((name, _), said)| format!("{name}: {said}"));
        Err(EngineError::Away { tried: said.collect::<Vec<_>>().join("; ") })
    }

    async fn ask_one<M, A, F, Asked>(&self, at: usize, message: M, how: F) -> Result<A, Failure>
    where
        M: Clone,
        F: Fn(Channel, Request<M>) -> Asked,
        Asked: Future<Output = Result<Response<A>, Status>>,
    {
        let channel = &self.0.endpoints[at].1;
        for is_last in [false, true] {
            let mut request = Request::new(message.clone());
            let token = self.token(channel.clone()).await?;
            token.map(|token| request.metadata_mut().insert("token", token));
            match how(channel.clone(), request).await {
                Ok(answer) => return Ok(answer.into_inner()),
                Err(status) if is_token_void(&status) && !is_last => self.0.set_token(None),
                Err(status) => return Err(failure(&status)),
            }
        }
        Err(Failure::Next("it takes no token".to_owned()))
    }

    /// What lets us in, if we have a user.
    async fn token(&self, channel: Channel) -> Result<Option<MetadataValue<Ascii>>, Failure> {
        let Some(User { name, password }) = &self.0.user else { return Ok(None) };
        let known = self.0.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if known.is_some() {
            return Ok(known);
        }
        let request = AuthenticateRequest { name: name.clone(), password: password.clone() };
        match AuthClient::new(channel).authenticate(request).await {
            Ok(answer) => {
                let token = answer.into_inner().token.parse();
                let token = token.map_err(|_| Failure::Next("its token is no text".to_owned()))?;
                self.0.set_token(Some(token));
                Ok(self.0.token.lock().unwrap_or_else(PoisonError::into_inner).clone())
            }
            // A user may be given to an engine that asks for none.
            Err(status) if status.message().contains("authentication is not enabled") => Ok(None),
            Err(status) => Err(failure(&status)),
        }
    }
}

impl Inner {
    fn set_token(&self, token: Option<MetadataValue<Ascii>>) {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = token;
    }
}

fn is_token_void(status: &Status) -> bool {
    status.code() == Code::Unauthenticated || status.message().contains("invalid auth token")
}

/// What a status of gRPC says, with what is behind it: tonic says "transport error", and that says why.
pub(crate) fn said_by(status: &Status) -> String {
    let sources = std::iter::successors(std::error::Error::source(status), |error| error.source());
    let mut said = status.message().to_owned();
    for source in sources.map(ToString::to_string) {
        if !said.contains(&source) {
            said = format!("{said}: {source}");
        }
    }
    said
}

fn failure(status: &Status) -> Failure {
    let message = said_by(status);
    let is_final = matches!(
        status.code(),
        Code::InvalidArgument
            | Code::PermissionDenied
            | Code::Unauthenticated
            | Code::FailedPrecondition
            | Code::Unimplemented
    );
    if is_final { Failure::Final(message) } else { Failure::Next(message) }
}

fn channel(endpoint: &str, tls: &Tls) -> Result<(String, Channel), AccessError> {
    let wrong = || AccessError::Endpoint { endpoint: endpoint.to_owned() };
    let secure = match endpoint.split_once("://") {
        Some(("https", rest)) if !rest.is_empty() => true,
        Some(("http", rest)) if !rest.is_empty() => false,
        _ => return Err(wrong()),
    };
    let mut way = Endpoint::from_shared(endpoint.to_owned())
        .map_err(|_| wrong())?
        .connect_timeout(CONNECT)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(PATIENCE)
        .keep_alive_while_idle(true)
        .tcp_nodelay(true);
    if secure {
        let mut config = ClientTlsConfig::new();
        if let Some(ca) = &tls.ca {
            config = config.ca_certificate(Certificate::from_pem(ca));
        }
        if let Some((certificate, key)) = &tls.identity {
            config = config.identity(Identity::from_pem(certificate, key));
        }
        way = way.tls_config(config).map_err(|error| AccessError::Tls { message: chain(&error) })?;
    }
    Ok((endpoint.to_owned(), way.connect_lazy()))
}

/// An error with all that is behind it.
fn chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
