//! Messages that belong to no session, and how a message finds the session it belongs to.
//!
//! The replies are stateless (RFC 3261 §8.2.7): a repeat of the request makes the same bytes again, the
//! To tag too, so nothing is kept and nothing needs to be saved.

use std::net::SocketAddr;

use super::local::id_of_branch;
use super::reply::{Reply, inspect};
use super::transaction::Transmit;
use super::{HeaderName, Headers, Message, Method, Request, StatusCode};
use crate::id::{CallId, Digest};

/// The call that a message is for. Responses: by the branch of the topmost Via,
/// `z9hG4bK{call_id}.{token}`. Requests: by the user part of the Request-URI, which is our Contact's;
/// else by what stands before the `@` of the Call-ID.
#[must_use]
pub fn owner(message: &Message) -> Option<CallId> {
    match message {
        Message::Response(response) => id_of_branch(response.headers().via().ok()?.branch()?),
        Message::Request(request) => {
            let of_uri = request.uri().ok().and_then(|uri| uri.user()?.parse().ok());
            of_uri.or_else(|| of_call_id(request.headers()))
        }
    }
}

fn of_call_id(headers: &Headers) -> Option<CallId> {
    headers.call_id().ok()?.split('@').next()?.parse().ok()
}

/// The answer to a request that belongs to no session; `None` for an ACK and for what cannot be
/// answered. `server` is the value of the Server header.
///
/// | request | answer |
/// |---|---|
/// | ACK | nothing (RFC 3261 §8.2.7) |
/// | CANCEL | 481 (§9.2) |
/// | with a To tag | 481 (§12.2.2) |
/// | OPTIONS | 200 (§11.2) |
/// | INVITE | 403: this gateway calls and is not called |
/// | other known methods | 405 with Allow (§8.2.1) |
/// | unknown methods | 501 with Allow (§21.5.2) |
#[must_use]
pub fn reply(request: &Request, from: SocketAddr, server: &str) -> Option<Transmit> {
    if *request.method() == Method::Ack {
        return None;
    }
    let reply = Reply::to(request, from, &stateless_tag(request)?, server)?;
    let in_dialog = request.headers().to().is_ok_and(|to| to.tag().is_some());
    let bytes = if in_dialog || matches!(request.method(), Method::Cancel | Method::Bye) {
        reply.bare(StatusCode::CALL_DOES_NOT_EXIST, &[])
    } else if let Err(objection) = inspect(request) {
        reply.bare(objection.status, &objection.headers)
    } else if *request.method() == Method::Options {
        reply.options()
    } else {
        reply.bare(StatusCode::FORBIDDEN, &[])
    }?;
    Some(Transmit::again(reply.destination, bytes))
}

/// A final response to a request of no session's state, as 481 for tags that match nothing.
#[must_use]
pub fn refuse(request: &Request, from: SocketAddr, server: &str, status: StatusCode) -> Option<Transmit> {
    if *request.method() == Method::Ack {
        return None;
    }
    let reply = Reply::to(request, from, &stateless_tag(request)?, server)?;
    Some(Transmit::again(reply.destination, reply.bare(status, &[])?))
}

/// A tag that a repeat of the request gets again (§8.2.7), from what all its copies share.
fn stateless_tag(request: &Request) -> Option<String> {
    let headers = request.headers();
    let mut marks = headers.call_id().ok()?.as_bytes().to_vec();
    for name in [HeaderName::From, HeaderName::CSeq, HeaderName::Via] {
        marks.push(b'\n');
        marks.extend_from_slice(headers.get(name)?.as_bytes());
    }
    Some(Digest::of(&marks).to_string().chars().take(16).collect())
}
