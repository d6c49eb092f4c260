//! What is made from an INVITE that was sent: the ACK of a failure (RFC 3261 §17.1.1.3), its CANCEL (§9.1)
//! and its next attempt (§8.1.3.5). They are made from the INVITE's bytes, so that none can differ from what
//! was sent but where it should.

use bytes::Bytes;

use super::turn::Turn;
use crate::sip::local::{MAX_FORWARDS, SDP, with_reason};
use crate::sip::{CSeq, HeaderName, Message, Method, Reason, Request, Response, Uri, Via, Writer, parse};

/// The ACK of a final response other than 2xx.
pub(super) fn ack_of_failure(invite: &Bytes, response: &Response) -> Option<Bytes> {
    let to = response.headers().get(HeaderName::To)?.into_owned();
    head(&read(invite)?, &Method::Ack, &to)?.finish().ok()
}

/// The CANCEL of an INVITE.
pub(super) fn cancel(invite: &Bytes, reason: Option<&Reason>) -> Option<Bytes> {
    let invite = read(invite)?;
    let to = invite.headers().get(HeaderName::To)?.into_owned();
    let mut writer = head(&invite, &Method::Cancel, &to)?;
    with_reason(&mut writer, reason);
    writer.finish().ok()
}

/// What the next attempt changes besides branch, CSeq and credentials.
#[derive(Clone, Debug, Default)]
pub(in crate::sip) struct Change {
    /// Another Request-URI.
    pub(in crate::sip) uri: Option<Uri>,
    /// Header fields in the place of those of the same name.
    pub(in crate::sip) headers: Vec<(HeaderName, String)>,
}

/// The INVITE once more, as a request of its own: same Call-ID, From and To, the next number.
pub(super) fn again(
    turn: &mut Turn<'_>,
    invite: &Bytes,
    via: Via,
    cseq: u32,
    change: Change,
) -> Option<Bytes> {
    const OWN: [HeaderName; 6] = [
        HeaderName::Via,
        HeaderName::CSeq,
        HeaderName::Authorization,
        HeaderName::ProxyAuthorization,
        HeaderName::ContentLength,
        HeaderName::ContentType,
    ];
    let invite = read(invite)?;
    let uri = change.uri.map_or_else(|| invite.uri().ok(), Some)?;
    let mut writer = Writer::request(&Method::Invite, &uri);
    writer.header(HeaderName::Via, via);
    for (name, value) in invite.headers().iter() {
        let name: HeaderName = name.parse().ok()?;
        if !OWN.contains(&name) && change.headers.iter().all(|(changed, _)| *changed != name) {
            writer.header(&name, value);
        }
    }
    writer.header(HeaderName::CSeq, CSeq { number: cseq, method: Method::Invite });
    for (name, value) in change.headers {
        writer.header(name, value);
    }
    let body = invite.body();
    turn.sign(&mut writer, &Method::Invite, &uri, &body);
    if !body.is_empty() {
        writer.body(SDP, &body);
    }
    writer.finish().ok()
}

/// The credentials of a request: its ACK repeats them (§13.2.2.4).
pub(super) fn credentials(request: &Bytes) -> Vec<(HeaderName, String)> {
    let Some(request) = read(request) else { return Vec::new() };
    [HeaderName::Authorization, HeaderName::ProxyAuthorization]
        .into_iter()
        .flat_map(|name| {
            let lines = request.headers().all(&name).into_iter();
            lines.map(|line| (name.clone(), line.into_owned())).collect::<Vec<_>>()
        })
        .collect()
}

fn read(bytes: &Bytes) -> Option<Request> {
    match parse(bytes.clone()).ok()? {
        Message::Request(request) => Some(request),
        Message::Response(_) => None,
    }
}

/// Request-URI, topmost Via, Route, From, Call-ID and CSeq number of the INVITE.
fn head(invite: &Request, method: &Method, to: &str) -> Option<Writer> {
    let headers = invite.headers();
    let mut writer = Writer::request(method, &invite.uri().ok()?);
    writer.header(HeaderName::Via, headers.get(HeaderName::Via)?);
    writer.header(HeaderName::MaxForwards, MAX_FORWARDS);
    for route in headers.list(HeaderName::Route) {
        writer.header(HeaderName::Route, route);
    }
    writer.header(HeaderName::From, headers.get(HeaderName::From)?);
    writer.header(HeaderName::To, to);
    writer.header(HeaderName::CallId, headers.call_id().ok()?);
    let number = headers.cseq().ok()?.number;
    writer.header(HeaderName::CSeq, CSeq { number, method: method.clone() });
    Some(writer)
}
