//! Dialog: RFC 3261 §12. Who talks to whom, with which numbers, over which route.
//!
//! ```text
//! INVITE --2xx--> Dialog { Call-ID, local tag, remote tag          the dialog's id, fixed
//!                          local CSeq, remote CSeq                 only grow
//!                          remote target                           Contact of the last target refresh
//!                          route set }                             from Record-Route, fixed
//! ```

use serde::{Deserialize, Serialize};

use super::hop::{Hop, Protocol};
use super::local::Local;
use super::{CSeq, HeaderName, Headers, Method, NameAddr, Request, Response, Uri, Writer};

/// Hops of a route set at most; a peer's message that names more makes no dialog.
pub const MAX_ROUTES: usize = 16;

/// One dialog, as one end sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dialog {
    call_id: String,
    local: NameAddr,
    remote: NameAddr,
    local_cseq: u32,
    remote_cseq: Option<u32>,
    target: Uri,
    routes: Vec<NameAddr>,
}

/// How the CSeq of a peer's request stands to those before (§12.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Higher than any before; gaps are allowed.
    Next,
    /// Not higher: a request that came too late, or a number used twice. It is answered with 500.
    Old,
}

/// A request's address lines: where §12.2.1.1 sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The Request-URI.
    pub request_uri: Uri,
    /// The Route headers.
    pub route: Vec<NameAddr>,
    /// The URI whose host the request is sent to.
    pub next_hop: Uri,
}

impl Dialog {
    pub(super) fn call_id(&self) -> &str {
        &self.call_id
    }

    /// The caller's side (§12.1.2), from its own From and CSeq and the response that made the dialog.
    /// `target` stands in for a Contact that the peer forgot. `None` if the response has no readable To
    /// or route set.
    #[must_use]
    pub fn caller(from: &NameAddr, cseq: u32, target: &Uri, response: &Response) -> Option<Self> {
        let headers = response.headers();
        let mut routes = route_set(headers)?;
        routes.reverse();
        Some(Self {
            call_id: headers.call_id().ok()?.to_owned(),
            local: from.clone(),
            remote: headers.to().ok()?,
            local_cseq: cseq,
            remote_cseq: None,
            target: contact(headers).unwrap_or_else(|| target.clone()),
            routes,
        })
    }

    /// The callee's side (§12.1.1), from the INVITE and the tag that the callee gives itself.
    #[must_use]
    pub fn callee(invite: &Request, tag: &str) -> Option<Self> {
        let headers = invite.headers();
        let remote = headers.from().ok()?;
        Some(Self {
            call_id: headers.call_id().ok()?.to_owned(),
            local: headers.to().ok()?.with_tag(tag),
            target: contact(headers).unwrap_or_else(|| remote.uri.clone()),
            remote,
            local_cseq: 0,
            remote_cseq: Some(headers.cseq().ok()?.number),
            routes: route_set(headers)?,
        })
    }

    /// The dialog of a 2xx goes on with the numbers of the early dialog that it confirms.
    pub fn follow(&mut self, early: &Self) {
        self.local_cseq = self.local_cseq.max(early.local_cseq);
        self.remote_cseq = self.remote_cseq.max(early.remote_cseq);
    }

    /// The highest number of our requests.
    #[must_use]
    pub const fn local_cseq(&self) -> u32 {
        self.local_cseq
    }

    /// True if a peer's request belongs to this dialog (§12.2.2): Call-ID and both tags. A peer older
    /// than RFC 3261 has no tag; then none may be there.
    #[must_use]
    pub fn matches(&self, request: &Request) -> bool {
        let headers = request.headers();
        headers.call_id().is_ok_and(|id| id == self.call_id)
            && headers.to().is_ok_and(|to| to.tag() == self.local.tag())
            && headers.from().is_ok_and(|from| from.tag() == self.remote.tag())
    }

    /// True if a request without To tag is the dialog's first, come on a second way (§8.2.2.2).
    #[must_use]
    pub fn is_merged(&self, request: &Request) -> bool {
        let headers = request.headers();
        headers.call_id().is_ok_and(|id| id == self.call_id)
            && headers.to().is_ok_and(|to| to.tag().is_none())
            && headers.from().is_ok_and(|from| from.tag() == self.remote.tag())
            && headers.cseq().is_ok_and(|cseq| Some(cseq.number) == self.remote_cseq)
    }

    /// The peer's tag.
    #[must_use]
    pub fn remote_tag(&self) -> Option<&str> {
        self.remote.tag()
    }

    /// Our tag.
    #[must_use]
    pub fn local_tag(&self) -> Option<&str> {
        self.local.tag()
    }

    /// The next CSeq number of ours (§12.2.1.1).
    pub const fn next_cseq(&mut self) -> u32 {
        self.local_cseq = self.local_cseq.saturating_add(1);
        self.local_cseq
    }

    /// Leaves numbers out: another owner may have used them (§12.2.1.1 lets them grow by more than one).
    pub const fn skip(&mut self, numbers: u32) {
        self.local_cseq = self.local_cseq.saturating_add(numbers);
    }

    /// Judges the CSeq of a peer's request other than ACK and CANCEL.
    #[must_use]
    pub fn order(&self, cseq: u32) -> Order {
        match self.remote_cseq {
            Some(last) if cseq <= last => Order::Old,
            Some(_) | None => Order::Next,
        }
    }

    /// The peer's request was taken: its number is the highest now.
    pub fn advance(&mut self, cseq: u32) {
        self.remote_cseq = Some(self.remote_cseq.map_or(cseq, |last| last.max(cseq)));
    }

    /// The peer's Contact changed (§12.2.1.2, §12.2.2).
    pub fn refresh_target(&mut self, target: Uri) {
        self.target = target;
    }

    /// Request-URI, Route and next hop of our requests (§12.2.1.1): over loose routers, or with the old
    /// ways of a strict one, which wants its own URI as Request-URI and the target as last Route.
    #[must_use]
    pub fn path(&self) -> Path {
        match self.routes.split_first() {
            None => {
                Path { request_uri: self.target.clone(), route: Vec::new(), next_hop: self.target.clone() }
            }
            Some((first, _)) if first.uri.lr() => Path {
                request_uri: self.target.clone(),
                route: self.routes.clone(),
                next_hop: first.uri.clone(),
            },
            Some((first, rest)) => {
                let strict = as_request_uri(first.uri.clone());
                let mut route = rest.to_vec();
                route.push(NameAddr::new(self.target.clone()));
                Path { request_uri: strict.clone(), route, next_hop: strict }
            }
        }
    }

    /// Where our requests go: the next hop, if it is an address; else where the first INVITE went.
    #[must_use]
    pub fn destination(&self, local: &Local) -> Hop {
        hop_of(&self.path().next_hop, local)
    }

    /// The beginning of a request within the dialog, all but what is the method's own.
    #[must_use]
    pub fn request(&self, local: &Local, method: &Method, cseq: u32, branch: &str) -> Writer {
        let path = self.path();
        let mut writer =
            local.request(method, &path.request_uri, branch, hop_of(&path.next_hop, local).protocol);
        for route in &path.route {
            writer.header(HeaderName::Route, route);
        }
        writer.header(HeaderName::From, &self.local);
        writer.header(HeaderName::To, &self.remote);
        writer.header(HeaderName::CallId, &self.call_id);
        writer.header(HeaderName::CSeq, CSeq { number: cseq, method: method.clone() });
        if !local.user_agent.is_empty() {
            writer.header(HeaderName::UserAgent, &local.user_agent);
        }
        writer
    }
}

/// The hop that a URI means. One that names no protocol is reached as the first INVITE went: a peer that we
/// know by TCP has a connection already, even if its Contact forgets to say so.
pub(super) fn hop_of(uri: &Uri, local: &Local) -> Hop {
    let Some(address) = uri.socket_addr() else { return local.fallback };
    let protocol = uri.transport().and_then(Protocol::from_param).unwrap_or(local.fallback.protocol);
    Hop { protocol, address }
}

/// The URI of the first Contact.
#[must_use]
pub fn contact(headers: &Headers) -> Option<Uri> {
    Some(headers.contacts().ok()?.into_iter().next()?.uri)
}

/// The Record-Route values in the order of the message.
fn route_set(headers: &Headers) -> Option<Vec<NameAddr>> {
    headers.record_routes().ok().filter(|routes| routes.len() <= MAX_ROUTES)
}

/// What may not stand in a Request-URI goes: the method parameter and the headers (§19.1.1).
pub(super) fn as_request_uri(mut uri: Uri) -> Uri {
    if let Uri::Sip(sip) = &mut uri {
        sip.headers = None;
        sip.params.remove("method");
    }
    uri
}
