//! The API of an instance: HTTP/1.1, JSON, problems as RFC 9457 has them. Edge. docs/openapi.json describes it.
//!
//! ```text
//! connection (bounded, headers within 10 s) ─► who may? (token; or this machine, by its own name) ─► route
//!                                                                     └─ every error: application/problem+json
//! ```
//! There is no CORS: a page from elsewhere may not read what this says, and cannot ask for a call, because that takes
//! a content type or a method for which a browser asks first.

mod assets;
mod body;
mod calls;
mod guard;
mod metrics;
mod nodes;
mod problem;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::instance::Instance;
use problem::{Code, Problem};

pub use guard::new_token;

/// The document that describes the API.
pub const OPENAPI: &str = include_str!("../../docs/openapi.json");

/// Connections at once; more wait to be accepted.
const CONNECTIONS: usize = 256;
/// How long a client may take for the head of a request, also of the next one on its connection.
const HEAD: Duration = Duration::from_secs(10);
/// How long a request may take altogether.
const REQUEST: Duration = Duration::from_secs(30);
/// Bytes of the head of a request.
const HEAD_BYTES: usize = 16 << 10;
/// Headers of a request.
const HEADERS: usize = 64;
/// How long open requests may take when the server ends.
const FAREWELL: Duration = Duration::from_secs(3);
/// After an error of accept, such as too many open files.
const BREATH: Duration = Duration::from_millis(100);

/// The API before it is served: its address is taken.
#[derive(Debug)]
pub struct Api {
    listener: TcpListener,
}

impl Api {
    /// Takes the address.
    ///
    /// # Errors
    /// If another process has it, or it is not of this machine.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await? })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// If the system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `ended` turns true; then open requests are answered, for a while.
    pub async fn serve(self, instance: Arc<Instance>, mut ended: watch::Receiver<bool>) {
        let router = router(instance);
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            let place = tokio::select! {
                place = Arc::clone(&places).acquire_owned() => place.expect("it is never closed"),
                () = over(&mut ended) => break,
            };
            let stream = tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        tracing::warn!(%error, "a connection of the API was not accepted");
                        tokio::time::sleep(BREATH).await;
                        continue;
                    }
                },
                () = over(&mut ended) => break,
            };
            let (router, mut ended) = (router.clone(), ended.clone());
            connections.spawn(async move {
                let _place = place;
                let service = TowerToHyperService::new(router);
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEAD)
                    .max_buf_size(HEAD_BYTES)
                    .max_headers(HEADERS)
                    .serve_connection(TokioIo::new(stream), service);
                tokio::pin!(connection);
                tokio::select! {
                    // How a client ends is its own affair.
                    served = connection.as_mut() => drop(served),
                    () = over(&mut ended) => {
                        connection.as_mut().graceful_shutdown();
                        drop(connection.await);
                    }
                }
            });
        }
        drop(self.listener);
        let rest = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(FAREWELL, rest).await.is_err() {
            tracing::debug!("requests were cut off");
        }
    }
}

/// Returns when the server is to end, or nobody is left who could say so.
async fn over(ended: &mut watch::Receiver<bool>) {
    drop(ended.wait_for(|ended| *ended).await);
}

/// All routes. docs/openapi.json has the same, and a test holds them against each other.
fn router(instance: Arc<Instance>) -> Router {
    let guarded = Arc::clone(&instance);
    Router::new()
        .route("/api/v1/calls", get(calls::list).post(calls::place))
        .route("/api/v1/calls/{id}", get(calls::one).delete(calls::hang_up))
        .route("/api/v1/cases/{case}", get(calls::case))
        .route("/api/v1/nodes", get(nodes::list))
        .route("/api/v1/copies", get(nodes::copies))
        .route("/api/v1/assets", get(assets::list).post(assets::publish))
        .route("/api/v1/openapi.json", get(openapi))
        .route("/healthz", get(nodes::health))
        .route("/readyz", get(nodes::ready))
        .route("/metrics", get(metrics::all))
        .fallback(nowhere)
        .method_not_allowed_fallback(no_method)
        .layer(middleware::from_fn_with_state(guarded, guard::guard))
        .layer(middleware::from_fn(in_time))
        .with_state(instance)
}

async fn openapi() -> Response {
    ([("content-type", "application/json")], OPENAPI).into_response()
}

async fn nowhere(request: Request) -> Problem {
    Problem::new(Code::NotFound, format!("there is nothing at {}", request.uri().path()))
}

async fn no_method(request: Request) -> Problem {
    let detail = format!("{} is not for {}", request.method(), request.uri().path());
    Problem::new(Code::MethodNotAllowed, detail)
}

async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(REQUEST, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            Problem::new(Code::Slow, "the request took too long; it may have been carried out".to_owned())
                .into_response()
        }
    }
}
