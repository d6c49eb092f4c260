//! What damaged and hostile messages do to us: never a panic, never long work, and what is read can be
//! written again.

use std::time::{Duration, Instant};

use super::torture::{WSINV, wire};
use super::*;
use crate::id::Mint;
use crate::mutation::mutate;

/// The same as a fuzzer asks of every message.
#[path = "../../tests/fuzz/targets/message.rs"]
mod fuzzed;

const INVITE: &str = r#"INVITE sip:4a1q2w3e4r5t6y7h@192.0.2.10:5060;transport=udp SIP/2.0
Via: SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bK4a1q2w3e4r5t6y7h.p0q1r2s3t4v5w6x7
v: SIP/2.0/TCP [2001:db8::9:1]:5070;branch=z9hG4bKas3;received=[2001:db8::9:255], SIP/2.0/TLS a.example.com
Record-Route: <sip:p2.example.com;lr;ftag=1>, <sip:p1.example.com:5080;lr=on>
Max-Forwards: 70
From: "Survey \"One\"" <sip:+254200000101@example.com>;tag=3a4b5c
To: Bob <tel:+254-711-000001;phone-context=example.com>
Call-ID: 4a1q2w3e4r5t6y7h@192.0.2.1
CSeq: 1 INVITE
Contact: <sip:4a1q2w3e4r5t6y7h@192.0.2.1:5060>;expires=60;q=0.5, sip:b@example.com;q=0.1
Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, NEWMETHOD
X-Folded: one
 two
	three
Content-Type: application/sdp;charset="utf-8"
Content-Length: 9

v=0
s=-
"#;

const REFER: &str = r#"REFER tel:+254-711-000001;phone-context=example.com SIP/2.0
Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK4a
Route: <sip:services.example.com;lr>
f: sip:a@example.com;tag=1
t: sip:b@example.com;tag=2
i: 4a1q2w3e4r5t6y7h
CSeq: 2 REFER
k: timer, 100rel,replaces
Require: 100rel
Unsupported: x
x: 1800;refresher=uac
Min-SE: 90
RSeq: 9
RAck: 9 1 INVITE
Replaces: 425928@bobster.example.org;to-tag=7743;from-tag=6472;early-only
r: <sip:carol@example.com?Replaces=x>
Reason: Q.850;cause=16;text="Normal, call; clearing", SIP;cause=200
P-Asserted-Identity: "Survey" <sip:+254200000101@example.com>, tel:+254200000101
Privacy: id;header
Path: <sip:edge.example.com;lr>
Retry-After: 120 (in a meeting);duration=60
Expires: 120
Min-Expires: 60
Content-Disposition: session;handling=required
l: 0

"#;

const OK: &str = r#"SIP/2.0 200 OK
Via: SIP/2.0/UDP 192.0.2.1:5060;rport=5060;received=192.0.2.1;branch=z9hG4bK4a1q2w3e4r5t6y7h.p0q1
From: <sip:+254200000101@example.com>;tag=3a4b5c
To: <sip:+254711000001@example.com>;tag=as6151ad25
Call-ID: 4a1q2w3e4r5t6y7h@192.0.2.1
CSeq: 1 INVITE
Contact: <sip:+254711000001@192.0.2.20:5062>
Content-Length: 0

"#;

const CHALLENGE: &str = r#"SIP/2.0 401 Unauthorized
Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK4a1q2w3e4r5t6y7h.p0q1
From: <sip:+254200000101@example.com>;tag=3a4b5c
To: <sip:+254711000001@example.com>;tag=as6151ad25
Call-ID: 4a1q2w3e4r5t6y7h@192.0.2.1
CSeq: 1 INVITE
WWW-Authenticate: Digest realm="the \"PBX\"", nonce="a=b,c", algorithm=SHA-256, qop="auth,auth-int", stale=true
Proxy-Authenticate: Basic realm="x", Digest realm=edge,nonce="n",opaque="",qop=auth-int,userhash=true
Content-Type: multipart/mixed;boundary="u1"
Content-Length: 125

--u1
Content-Type: application/isup

x
--u1
Content-Type: application/sdp
Content-Disposition: session

v=0
--u1--
"#;

/// 25,000 damaged copies of a message: 125,000 over the five tests, which run side by side.
fn damaged(text: &str, seed: u64) {
    let original = wire(text);
    let mut mint = Mint::seeded(seed);
    let mut read = 0_u32;
    for _ in 0..25_000 {
        let mut bytes = original.to_vec();
        mutate(&mut bytes, &mut mint);
        read += u32::from(fuzzed::run(&bytes));
    }
    assert!(read > 8_000, "only {read} reached the typed headers: the mutator became too coarse");
}

#[test]
fn damaged_invites_do_no_harm() {
    damaged(INVITE, 3261);
}

#[test]
fn damaged_responses_do_no_harm() {
    damaged(OK, 3262);
}

#[test]
fn damaged_extensions_do_no_harm() {
    damaged(REFER, 3515);
}

#[test]
fn damaged_folds_do_no_harm() {
    damaged(WSINV, 4475);
}

#[test]
fn damaged_challenges_do_no_harm() {
    damaged(CHALLENGE, 7616);
}

/// Messages of nearly 64 KB that ask for as much work as they can.
fn hostile() -> Vec<(&'static str, String)> {
    let head = "OPTIONS sip:b@example.com SIP/2.0\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n";
    let fill = |line: &str, piece: &str, end: &str| {
        let value = piece.repeat((8_150 - line.len()) / piece.len());
        let field = format!("{line}{value}{end}\r\n");
        format!("{head}{}\r\n", field.repeat(65_000 / field.len()))
    };
    vec![
        ("commas", fill("Contact: <sip:a@b>", ",", "")),
        ("contacts", fill("Contact: ", "<sip:a@b>,", "<sip:a@b>")),
        ("vias", fill("Via: ", "SIP/2.0/UDP a,", "SIP/2.0/UDP a")),
        ("params", fill("Via: SIP/2.0/UDP a", ";a", "")),
        ("empty params", fill("Via: SIP/2.0/UDP a", ";", "")),
        ("open quotes", fill("Contact: ", "\",<", "")),
        ("open brackets", fill("Record-Route: ", "<", "")),
        ("backslashes", fill("From: \"", "\\\"", "\" <sip:a@b>")),
        ("escapes", fill("To: sip:", "%41", "@b")),
        ("folds", fill("Via: SIP/2.0/UDP a\r\n ;x", "\r\n ", "")),
        ("folded commas", fill("Reason: SIP", ",\r\n SIP", "")),
        ("labels", fill("To: sip:", "a.", "")),
        ("tags", fill("Supported: ", "a,", "a")),
        ("words", fill("Privacy: ", "id;", "id")),
        ("many fields", format!("{head}{}\r\n", "v:\r\n".repeat(250))),
        ("too many fields", format!("{head}{}\r\n", "v:\r\n".repeat(15_000))),
        ("one line", format!("{head}v: {}\r\n\r\n", "x".repeat(65_000))),
        ("no end", format!("{head}{}", "v:\r\n ".repeat(12_000))),
        ("no line", "INVITE sip:".repeat(5_900)),
        ("white space", format!("{head}v{}: x\r\n\r\n", " ".repeat(65_000))),
        ("empty lines", format!("{}{head}\r\n", "\r\n".repeat(32_000))),
    ]
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the bound on the work is measured")]
fn the_largest_message_costs_little() {
    for (name, text) in hostile() {
        assert!(text.len() <= parse::MAX_MESSAGE_BYTES, "{name} has {} bytes", text.len());
        let begun = Instant::now();
        if let Ok(message) = parse(text.into()) {
            fuzzed::exercise(&message);
        }
        // Unoptimised, on a busy machine; reading that takes the square of the length needs ten times this.
        assert!(begun.elapsed() < Duration::from_secs(2), "{name} took {:?}", begun.elapsed());
    }
}

#[test]
fn the_undamaged_messages_are_whole() {
    let invite = parse(wire(INVITE)).unwrap();
    fuzzed::exercise(&invite);
    let headers = invite.headers();
    assert_eq!(headers.vias().unwrap().len(), 3);
    assert_eq!(headers.record_routes().unwrap().len(), 2);
    assert_eq!(headers.contacts().unwrap().len(), 2);
    assert_eq!(headers.allow().last(), Some(&Method::Other("NEWMETHOD".into())));
    assert_eq!(headers.get("x-folded".parse::<HeaderName>().unwrap()).unwrap(), "one two three");
    assert_eq!(headers.content_type().unwrap().unwrap().params.unquoted("charset").unwrap(), "utf-8");
    assert_eq!(invite.body(), "v=0\r\ns=-\r\n".get(..9).unwrap());
    let refer = parse(wire(REFER)).unwrap();
    fuzzed::exercise(&refer);
    let headers = refer.headers();
    assert_eq!(headers.p_asserted_identity().unwrap().len(), 2);
    assert_eq!(headers.privacy(), ["id", "header"]);
    assert_eq!(headers.retry_after(), Ok(Some(Duration::from_secs(120))));
    assert_eq!(headers.min_se(), Ok(Some(90)));
    let session = SessionExpires { interval_s: 1_800, refresher: Some(Refresher::Uac) };
    assert_eq!(headers.session_expires(), Ok(Some(session)));
    assert_eq!(headers.supported(), ["timer", "100rel", "replaces"]);
    assert_eq!(headers.reason().len(), 2);
    assert_eq!(headers.reason()[0], Reason::q850(16, "Normal, call; clearing"));
    assert!(headers.replaces().unwrap().unwrap().early_only);
    assert_eq!(headers.rack().unwrap().unwrap().to_string(), "9 1 INVITE");
    assert_eq!(headers.refer_to().unwrap().unwrap().uri.user(), Some("carol"));
    fuzzed::exercise(&parse(wire(OK)).unwrap());
}
