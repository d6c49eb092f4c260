//! Messages that belong to no session, and how a message finds the session it belongs to.
//!
//! The replies are stateless (RFC 3261 §8.2.7): a repeat of the request makes the same bytes again, the
//! To tag too, so nothing is kept and nothing needs to be saved.

use super::hop::Hop;
use super::local::id_of_branch;
use super::reply::{Reply, Understood, inspect};
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
/// | what §8.2 objects to | 400, 416, 420, 415 |
/// | other known methods | 405 with Allow (§8.2.1) |
/// | unknown methods | 501 with Allow (§21.5.2) |
#[must_use]
pub fn reply(request: &Request, from: Hop, server: &str) -> Option<Transmit> {
    if *request.method() == Method::Ack {
        return None;
    }
    let reply = Reply::to(request, from, &stateless_tag(request)?, server)?;
    let in_dialog = request.headers().to().is_ok_and(|to| to.tag().is_some());
    let bytes = match inspect(request) {
        _ if in_dialog => reply.bare(StatusCode::CALL_DOES_NOT_EXIST, &[]),
        Ok(Understood::Cancel | Understood::Bye | Understood::Info) => {
            reply.bare(StatusCode::CALL_DOES_NOT_EXIST, &[])
        }
        Ok(Understood::Options) => reply.options(),
        Ok(Understood::Invite | Understood::Ack) => reply.bare(StatusCode::FORBIDDEN, &[]),
        Err(objection) => reply.bare(objection.status, &objection.headers),
    }?;
    Some(Transmit::again(reply.destination, bytes))
}

/// A final response to a request of no session's state, as 481 for tags that match nothing.
#[must_use]
pub fn refuse(request: &Request, from: Hop, server: &str, status: StatusCode) -> Option<Transmit> {
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::sip::parse;

    /// A request from behind a NAT, as its start line and further headers.
    fn request(start: &str, to: &str, headers: &str) -> Request {
        let method = start.split(' ').next().unwrap();
        let text = format!(
            "{start} SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9:5070;rport;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=f\r\n\
             To: {to}\r\nCall-ID: 0123456789abcdef@10.0.0.9\r\nCSeq: 4 {method}\r\n{headers}Content-Length: 0\r\n\r\n"
        );
        match parse(Bytes::from(text)).unwrap() {
            Message::Request(request) => request,
            Message::Response(_) => panic!("a request"),
        }
    }

    fn status(request: &Request) -> Option<String> {
        let transmit = reply(request, "203.0.113.5:61000".parse().unwrap(), "Baton")?;
        let text = String::from_utf8(transmit.bytes.to_vec()).unwrap();
        Some(text.split(' ').nth(1).unwrap().to_owned())
    }

    #[test]
    fn each_stray_request_gets_what_its_kind_deserves() {
        let strangers = [
            ("OPTIONS sip:h", "<sip:us@h>", "", Some("200")),
            ("INVITE sip:h", "<sip:us@h>", "", Some("403")),
            ("INVITE sip:h", "<sip:us@h>", "Require: 100rel\r\n", Some("420")),
            ("OPTIONS mailto:h", "<sip:us@h>", "", Some("416")),
            ("OPTIONS sip:", "<sip:us@h>", "", Some("400")),
            ("OPTIONS sip:h", "<sip:us@h>", "From: <sip:c@d>\r\n", Some("400")),
            ("REGISTER sip:h", "<sip:us@h>", "", Some("405")),
            ("NEWMETHOD sip:h", "<sip:us@h>", "", Some("501")),
            ("CANCEL sip:h", "<sip:us@h>", "", Some("481")),
            ("BYE sip:h", "<sip:us@h>", "", Some("481")),
            ("INVITE sip:h", "<sip:us@h>;tag=gone", "", Some("481")),
            ("OPTIONS sip:h", "<sip:us@h>;tag=gone", "", Some("481")),
            ("ACK sip:h", "<sip:us@h>;tag=gone", "", None),
        ];
        for (start, to, headers, expected) in strangers {
            assert_eq!(status(&request(start, to, headers)).as_deref(), expected, "{start} {to}");
        }
    }

    #[test]
    fn a_reply_goes_to_where_the_request_came_from_and_repeats_itself() {
        // RFC 3581 §4; RFC 3261 §8.2.7
        let options = request("OPTIONS sip:h", "<sip:us@h>", "");
        let from = "203.0.113.5:61000".parse().unwrap();
        let first = reply(&options, from, "Baton").unwrap();
        assert_eq!(first.to, from);
        let text = String::from_utf8(first.bytes.to_vec()).unwrap();
        let via = "Via: SIP/2.0/UDP 10.0.0.9:5070;rport=61000;branch=z9hG4bKx;received=203.0.113.5\r\n";
        assert!(text.contains(via), "{text}");
        assert!(text.contains("To: <sip:us@h>;tag="), "{text}");
        assert_eq!(reply(&options, from, "Baton"), Some(first));
    }

    #[test]
    fn messages_find_their_owner() {
        let id: CallId = "0123456789abcdef".parse().unwrap();
        let to_contact = request("BYE sip:0123456789abcdef@192.0.2.1:5060", "<sip:us@h>;tag=t", "");
        assert_eq!(owner(&Message::Request(to_contact)), Some(id));
        let by_call_id = request("BYE sip:+254200000101@192.0.2.1", "<sip:us@h>;tag=t", "");
        assert_eq!(owner(&Message::Request(by_call_id)), Some(id));
        let response = |branch: &str| {
            let text =
                format!("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch={branch}\r\nContent-Length: 0\r\n\r\n");
            parse(Bytes::from(text)).unwrap()
        };
        assert_eq!(owner(&response("z9hG4bK0123456789abcdef.token")), Some(id));
        assert_eq!(owner(&response("z9hG4bKanother")), None);
    }
}
