//! One datagram of SIP: what is read of it can be written, and is read as the same.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use baton::sip::digest::{Challenge, Credentials, Given};
use baton::sip::{
    HeaderName, Headers, Hop, Message, StatusCode, ValueError, Writer, local, multipart, parse, stray,
};
use bytes::Bytes;

/// Reads a datagram, and answers it as a stray one.
pub(crate) fn run(data: &[u8]) -> bool {
    let bytes = Bytes::copy_from_slice(data);
    let from: Hop = "192.0.2.7:5061".parse::<std::net::SocketAddr>().expect("an address").into();
    match parse(bytes.clone()) {
        Ok(message) => {
            exercise(&message);
            if let Some(request) = message.as_request()
                && let Some(answer) = stray::reply(request, from, "Baton")
            {
                let answer = parse(answer.bytes).expect("what we write can be read");
                assert!(answer.as_response().is_some());
                assert_eq!(answer.headers().cseq(), request.headers().cseq());
            }
            true
        }
        Err(error) => {
            assert!(!error.reason().is_empty());
            if let Some(answer) = stray::reject(&bytes, error, from, "Baton") {
                let answer = parse(answer.bytes).expect("what we write can be read");
                assert!(matches!(answer.as_response().map(|one| one.status().as_u16()), Some(400 | 505)));
            }
            false
        }
    }
}

/// Reads all that can be read, and writes it again.
pub(crate) fn exercise(message: &Message) {
    let headers = message.headers();
    if let Some(request) = message.as_request() {
        survives(request.method());
        if let Ok(uri) = request.uri() {
            survives(&uri);
            assert!(uri.equivalent(&uri), "{uri}");
            drop((uri.socket_addr(), uri.user_unescaped(), uri.lr(), uri.transport()));
        }
    }
    if let Some(response) = message.as_response() {
        assert!(StatusCode::new(response.status().as_u16()).is_ok());
        let _ = response.reason_phrase().len();
    }
    read_single(headers);
    read_lists(headers);
    for (name, value) in headers.iter() {
        assert!(name.parse::<HeaderName>().is_ok(), "the parser takes only tokens");
        assert!(!value.contains(['\r', '\n']), "{name} is unfolded");
    }
    for name in [HeaderName::Accept, HeaderName::Contact, HeaderName::Other("X-Folded".into())] {
        assert_eq!(headers.has(&name), headers.get(&name).is_some());
        assert!(headers.all(&name).len() <= headers.len());
        assert!(headers.list(&name).iter().all(|value| !value.is_empty()));
    }
    read_bodies_and_challenges(message);
    is_found_again(message);
    is_written_again(message);
}

/// Written, a value reads as itself.
fn survives<T: Display + FromStr<Err = ValueError> + PartialEq + Debug>(value: &T) {
    assert_eq!(value.to_string().parse().as_ref(), Ok(value), "{value}");
}

fn survive<'a, T: Display + FromStr<Err = ValueError> + PartialEq + Debug + 'a>(
    values: impl IntoIterator<Item = &'a T>,
) {
    values.into_iter().for_each(survives);
}

fn read_bodies_and_challenges(message: &Message) {
    let (headers, body) = (message.headers(), message.body());
    assert!(multipart::part(headers, local::SDP).is_none_or(|part| part.len() <= body.len()));
    let credentials = Credentials { username: "baton".into(), password: "p".into(), realm: None };
    let given = Given { method: "INVITE", uri: "sip:b@h", body: &body, cnonce: "c", count: 1 };
    for name in [HeaderName::WwwAuthenticate, HeaderName::ProxyAuthenticate] {
        for challenge in headers.all(name).iter().flat_map(|line| Challenge::read(line)) {
            let answer = challenge.answer(&credentials, given);
            assert!(answer.starts_with("Digest username=") && !answer.contains(['\r', '\n']), "{answer}");
        }
    }
}

fn read_single(headers: &Headers) {
    if let Ok(mut via) = headers.via() {
        survives(&via);
        assert!(via.branch().is_none_or(|branch| !branch.is_empty()));
        let _ = via.response_address();
        via.mark_source("192.0.2.7:5061".parse().expect("an address"));
        survives(&via);
    }
    survive([headers.from(), headers.to()].iter().flatten());
    survive(&headers.cseq());
    survive(headers.content_type().iter().flatten());
    survive(headers.session_expires().iter().flatten());
    survive(headers.rack().iter().flatten());
    survive(headers.replaces().iter().flatten());
    survive(headers.refer_to().iter().flatten());
    if let Ok(call_id) = headers.call_id() {
        assert!(!call_id.contains([' ', '\r', '\n']));
    }
    drop((headers.max_forwards(), headers.expires(), headers.min_expires(), headers.retry_after()));
    drop((headers.rseq(), headers.min_se(), headers.content_disposition()));
}

fn read_lists(headers: &Headers) {
    survive(headers.vias().iter().flatten());
    for addresses in [
        headers.contacts(),
        headers.record_routes(),
        headers.routes(),
        headers.path(),
        headers.p_asserted_identity(),
    ] {
        survive(addresses.iter().flatten());
    }
    survive(&headers.reason());
    survive(&headers.allow());
    drop((headers.supported(), headers.unsupported(), headers.require(), headers.privacy()));
}

/// The bytes that a message is made of are that message, to the last one.
fn is_found_again(message: &Message) {
    let again = parse(message.bytes().clone()).expect("a message is made of a message's bytes");
    assert_eq!(again.bytes(), message.bytes());
    assert_eq!(fields(again.headers()), fields(message.headers()));
    assert_eq!(again.body(), message.body());
}

/// Its fields by meaning, without those that a writer sets itself.
fn fields(headers: &Headers) -> Vec<(HeaderName, String)> {
    let parsed = headers.iter().map(|(name, value)| (name.parse().expect("a token"), value.into_owned()));
    let own = [HeaderName::ContentLength, HeaderName::ContentType];
    parsed.filter(|(name, _)| !own.contains(name)).collect()
}

/// A message with the same start line, fields and body, if it can be written at all, is read as the same.
fn is_written_again(message: &Message) {
    let headers = message.headers();
    let mut writer = match message {
        Message::Request(request) => match request.uri() {
            Ok(uri) => Writer::request(request.method(), &uri),
            Err(_) => Writer::response(StatusCode::BAD_REQUEST, ""),
        },
        Message::Response(response) => Writer::response(response.status(), response.reason_phrase()),
    };
    let kept = fields(headers);
    for (name, value) in &kept {
        writer.echo(name, value);
    }
    writer.body("application/octet-stream", &message.body());
    let Ok(bytes) = writer.finish() else { return };
    let again = parse(bytes).expect("what we write we can read");
    assert_eq!(fields(again.headers()), kept);
    assert_eq!(again.headers().via(), headers.via());
    assert_eq!(again.headers().cseq(), headers.cseq());
    assert_eq!(again.body(), message.body());
    if let (Some(before), Some(after)) = (message.as_response(), again.as_response()) {
        assert_eq!(before.status(), after.status());
    }
    if let (Some(before), Some(after)) = (message.as_request(), again.as_request()) {
        assert_eq!((before.method(), before.uri()), (after.method(), after.uri()));
    }
}
