//! Challenges: what of them is given back, and that no nonce is answered twice.

use baton::id::Mint;
use baton::sip::digest::{Challenge, Credentials, Given, Ring, Tried, Verdict};
use baton::sip::{HeaderName, Message, Method, Uri, Writer, parse};
use bytes::Bytes;

/// Each line is one WWW-Authenticate; a line that begins with `P` is one Proxy-Authenticate.
pub(crate) fn run(data: &[u8]) -> bool {
    let text = String::from_utf8_lossy(data);
    let lines: Vec<&str> = text.split('\n').take(8).collect();
    let credentials =
        Credentials { username: "baton \"1\"".into(), password: "p:\u{e9}".into(), realm: None };
    let mut read = false;
    for line in &lines {
        for challenge in Challenge::read(line) {
            read = true;
            for (count, body) in [(1, &b""[..]), (0x1234_5678, b"v=0\r\n")] {
                let given = Given { method: "INVITE", uri: "sip:b@h;x=\"", body, cnonce: "c", count };
                gives_back(&challenge, &challenge.answer(&credentials, given), count);
            }
        }
    }
    if let Some(message) = response(&lines) {
        is_answered_once(&message, &credentials);
    }
    read
}

fn response(lines: &[&str]) -> Option<Message> {
    let mut text = String::from("SIP/2.0 401 Unauthorized\r\n");
    for line in lines {
        let (name, value) = match line.strip_prefix('P') {
            Some(value) => ("Proxy-Authenticate", value),
            None => ("WWW-Authenticate", *line),
        };
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    parse(Bytes::from(text + "\r\n")).ok()
}

/// The answer as the server reads it.
fn gives_back(challenge: &Challenge, answer: &str, count: u32) {
    assert!(!answer.contains(['\r', '\n']) || challenge_breaks(challenge), "{answer:?}");
    let params = params(answer.strip_prefix("Digest ").expect("the scheme"));
    let of = |name: &str| params.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str());
    assert_eq!(of("realm"), Some(challenge.realm.as_str()), "{answer}");
    assert_eq!(of("nonce"), Some(challenge.nonce.as_str()), "{answer}");
    assert_eq!(of("opaque"), challenge.opaque.as_deref(), "{answer}");
    assert_eq!(of("uri"), Some("sip:b@h;x=\""));
    assert_eq!(of("qop").is_some(), challenge.qop.is_some());
    assert_eq!(of("nc"), challenge.qop.map(|_| format!("{count:08x}")).as_deref());
    assert_eq!(of("algorithm").is_some(), challenge.algorithm.is_some());
    let response = of("response").expect("it answers");
    assert!(matches!(response.len(), 32 | 64) && response.bytes().all(|b| b.is_ascii_hexdigit()));
    if !challenge.userhash {
        assert_eq!(of("username"), Some("baton \"1\""));
    }
}

/// A header's line can hold neither, so a challenge of a message never does.
fn challenge_breaks(challenge: &Challenge) -> bool {
    [Some(&challenge.realm), Some(&challenge.nonce), challenge.opaque.as_ref()]
        .into_iter()
        .flatten()
        .any(|value| value.contains(['\r', '\n']))
}

/// `name="value"` and `name=value`, quoted pairs undone: RFC 3261 §25.1, read here by another hand.
fn params(text: &str) -> Vec<(String, String)> {
    let mut characters = text.chars().peekable();
    let mut params = Vec::new();
    while characters.peek().is_some() {
        let name: String = characters.by_ref().take_while(|c| *c != '=').collect();
        let mut value = String::new();
        if characters.next_if_eq(&'"').is_some() {
            while let Some(c) = characters.next().filter(|c| *c != '"') {
                value.push(if c == '\\' { characters.next().expect("a pair has two") } else { c });
            }
        }
        value.extend(characters.by_ref().take_while(|c| *c != ','));
        params.push((name.trim().to_owned(), value));
    }
    params
}

/// A server that repeats itself is answered once.
fn is_answered_once(message: &Message, credentials: &Credentials) {
    let (mut ring, mut tried, mut mint) = (Ring::default(), Tried::default(), Mint::seeded(7));
    if ring.take(message.headers(), &mut tried, Some(credentials), &mut mint) == Verdict::GiveUp {
        return;
    }
    let uri: Uri = "sip:b@example.com".parse().expect("a URI");
    for _ in 0..2 {
        let mut writer = Writer::request(&Method::Invite, &uri);
        ring.sign(&mut writer, Some(credentials), "INVITE", "sip:b@example.com", b"");
        if let Ok(bytes) = writer.finish() {
            let request = parse(bytes).expect("what we write can be read");
            let signed = [HeaderName::Authorization, HeaderName::ProxyAuthorization];
            assert!(signed.iter().any(|name| request.headers().has(name)));
        }
    }
    for mut tried in [tried.clone(), Tried::default()] {
        let again = ring.take(message.headers(), &mut tried, Some(credentials), &mut mint);
        assert_eq!(again, Verdict::GiveUp, "a nonce is answered once");
    }
    assert_eq!(ring.take(message.headers(), &mut tried, None, &mut mint), Verdict::GiveUp);
}
