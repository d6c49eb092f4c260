//! The requests that repeat an INVITE's own head: the ACK of a failure (RFC 3261 §17.1.1.3) and CANCEL
//! (§9.1). They are made from the INVITE's bytes, so that neither can differ from what was sent.

use bytes::Bytes;

use crate::sip::local::{MAX_FORWARDS, with_reason};
use crate::sip::{CSeq, HeaderName, Message, Method, Reason, Request, Response, Writer, parse};

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
