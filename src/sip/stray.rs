//! Messages that belong to no session, and how a message finds the session it belongs to.
//!
//! The replies are stateless (RFC 3261 §8.2.7): a repeat of the request makes the same bytes again, the
//! To tag too, so nothing is kept and nothing needs to be saved.

use bytes::Bytes;

use super::hop::Hop;
use super::local::id_of_branch;
use super::reply::{Reply, Understood, inspect};
use super::transaction::Transmit;
use super::{HeaderName, Headers, Message, Method, ParseError, Request, StatusCode, Writer, parse, text};
use crate::id::{CallId, Digest};

/// The call that a message is for. Responses: by the branch of the topmost Via,
/// `z9hG4bK{call_id}.{token}`. Requests: by the user part of the Request-URI, which is our Contact's;
/// else by what stands before the `@` (and a number of ours before it) of the Call-ID.
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
    headers.call_id().ok()?.split(['@', '.']).next()?.parse().ok()
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
    let tag = stateless_tag(request);
    let Some(reply) = tag.and_then(|tag| Reply::to(request, from, &tag, server)) else {
        return unreadable(request, from, server);
    };
    let in_dialog = request.headers().to().is_ok_and(|to| to.tag().is_some());
    let bytes = match inspect(request) {
        _ if in_dialog => reply.bare(StatusCode::CALL_DOES_NOT_EXIST, &[]),
        Ok(
            Understood::Cancel
            | Understood::Bye
            | Understood::Info
            | Understood::Update
            | Understood::Prack
            | Understood::Notify,
        ) => reply.bare(StatusCode::CALL_DOES_NOT_EXIST, &[]),
        Ok(Understood::Options) => reply.options(),
        Ok(Understood::Invite | Understood::Ack) => reply.bare(StatusCode::FORBIDDEN, &[]),
        Err(objection) => reply.bare(objection.status, &objection.headers),
    }?;
    Some(Transmit::again(reply.destination, bytes))
}

/// 400 to a request whose From, To, Call-ID, CSeq or Via is missing, repeated or cannot be read: with what there is of
/// them, as it came, and which of them is wrong as its reason (RFC 3261 §21.4.1).
fn unreadable(request: &Request, from: Hop, server: &str) -> Option<Transmit> {
    let headers = request.headers();
    let wrong = [
        headers.via().err(),
        headers.from().err(),
        headers.to().err(),
        headers.call_id().err(),
        headers.cseq().err(),
    ];
    let wrong = wrong.into_iter().flatten().next()?;
    let mut writer = Writer::response(StatusCode::BAD_REQUEST, &wrong.to_string());
    for name in [HeaderName::Via, HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq] {
        writer.copy(headers, name);
    }
    if !server.is_empty() {
        writer.header(HeaderName::Server, server);
    }
    Some(Transmit::again(from, writer.finish().ok()?))
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

/// The answer to a datagram that [`parse`](super::parse()) refuses, if it is a request whose sender can be told: 505
/// to another version (§21.5.7), else 400 with what is wrong as its reason (§21.4.1, §18.3). `None` for responses,
/// ACKs, and whatever lacks what a response needs.
///
/// A flood of these is the edge's concern: it answers as many as it likes.
#[must_use]
pub fn reject(datagram: &Bytes, error: ParseError, from: Hop, server: &str) -> Option<Transmit> {
    let status = match error {
        ParseError::Version => StatusCode::VERSION_NOT_SUPPORTED,
        ParseError::StartLine
        | ParseError::ContentLength
        | ParseError::Truncated { .. }
        | ParseError::HeaderLine { .. }
        | ParseError::LineEnd { .. }
        | ParseError::NoEnd => StatusCode::BAD_REQUEST,
        ParseError::Keepalive
        | ParseError::TooLarge { .. }
        | ParseError::Status
        | ParseError::TooManyHeaders
        | ParseError::ValueTooLong { .. } => return None,
    };
    let request = salvage(datagram)?;
    let reply = Reply::to(&request, from, &stateless_tag(&request)?, server)?;
    let mut writer = reply.response_because(status, &error.to_string());
    Some(Transmit::again(reply.destination, writer.finish().ok()?))
}

/// The headers of a damaged request that a response needs, behind a start line of ours.
fn salvage(datagram: &Bytes) -> Option<Request> {
    const MOST: usize = 8_192;
    let text = std::str::from_utf8(datagram.get(..datagram.len().min(MOST))?).ok()?;
    let mut lines = text.trim_start_matches(['\r', '\n']).split("\r\n");
    let start = lines.next()?;
    let method = start.split([' ', '\t']).next()?;
    let version = start.trim_end().rsplit([' ', '\t']).next()?;
    let is_request =
        version.starts_with("SIP/") && !start.starts_with("SIP/") && method != Method::Ack.as_str();
    if !is_request || !text::is_token(method) {
        return None;
    }
    let mut whole = format!("{method} sip:invalid SIP/2.0\r\n");
    // Only these: the others may be what is wrong.
    let wanted = |name: &str| {
        [HeaderName::Via, HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq]
            .iter()
            .any(|known| name.parse::<HeaderName>().is_ok_and(|name| name == *known))
    };
    let mut keeps = false;
    for line in lines.take_while(|line| !line.is_empty()) {
        if !line.starts_with([' ', '\t']) {
            keeps = line.split_once(':').is_some_and(|(name, _)| wanted(name.trim_end()));
        }
        if keeps {
            // A Via of another version is still a Via.
            whole.push_str(&line.replace(version, "SIP/2.0"));
            whole.push_str("\r\n");
        }
    }
    whole.push_str("\r\n");
    match parse(whole.into()).ok()? {
        Message::Request(request) => Some(request),
        Message::Response(_) => None,
    }
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
            ("OPTIONS sip:h", "\"us <sip:us@h>", "", Some("400")),
            ("REGISTER sip:h", "<sip:us@h>", "", Some("405")),
            ("NEWMETHOD sip:h", "<sip:us@h>", "", Some("501")),
            ("CANCEL sip:h", "<sip:us@h>", "", Some("481")),
            ("BYE sip:h", "<sip:us@h>", "", Some("481")),
            ("NOTIFY sip:h", "<sip:us@h>", "Event: x\r\n", Some("481")),
            ("UPDATE sip:h", "<sip:us@h>", "", Some("481")),
            ("PRACK sip:h", "<sip:us@h>", "", Some("481")),
            ("MESSAGE sip:h", "<sip:us@h>", "", Some("405")),
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
