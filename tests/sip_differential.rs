//! A second opinion on our reading of SIP: rsip reads the same datagrams.
//!
//! On ordinary messages the two must agree in all that a session looks at. Where rsip is known to be
//! wrong, the table below says what we read, what rsip does, and which section decides.

#![allow(clippy::unwrap_used, reason = "a test fails by panic")]
#![expect(clippy::wildcard_enum_match_arm, reason = "rsip's enums are not ours")]

use baton::sip;
use bytes::Bytes;
use proptest::prelude::*;
use rsip::headers::{ToTypedHeader as _, UntypedHeader as _};
use rsip::message::{HasHeaders as _, HeadersExt as _};

/// What a session looks at, in words that both readers can say.
#[derive(Debug, PartialEq, Eq)]
struct View {
    start: String,
    via: Option<Hop>,
    vias: usize,
    from: Address,
    to: Address,
    call_id: String,
    cseq: (u32, String),
    max_forwards: Option<u32>,
    contact: Option<Address>,
    record_routes: Vec<Address>,
    content_type: Option<String>,
    body: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq)]
struct Hop {
    transport: String,
    host: String,
    port: Option<u16>,
    branch: Option<String>,
    received: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
struct Address {
    display: Option<String>,
    scheme: String,
    user: Option<String>,
    host: String,
    port: Option<u16>,
    lr: bool,
    tag: Option<String>,
}

mod ours {
    use super::*;

    pub(super) fn view(datagram: &[u8]) -> Result<View, String> {
        let message = sip::parse(Bytes::copy_from_slice(datagram)).map_err(|e| e.to_string())?;
        view_of(&message).map_err(|e| e.to_string())
    }

    fn view_of(message: &sip::Message) -> Result<View, sip::HeaderError> {
        let headers = message.headers();
        let start = match message {
            sip::Message::Request(request) => {
                let uri = address(&sip::NameAddr::new(request.uri()?));
                format!("{} {uri:?}", request.method())
            }
            sip::Message::Response(response) => response.status().to_string(),
        };
        let vias = headers.vias()?;
        let cseq = headers.cseq()?;
        Ok(View {
            start,
            via: vias.first().map(|via| Hop {
                transport: via.transport.to_string(),
                host: via.host.to_string(),
                port: via.port,
                branch: via.branch().map(str::to_owned),
                received: via.received().map(|ip| ip.to_string()),
            }),
            vias: vias.len(),
            from: address(&headers.from()?),
            to: address(&headers.to()?),
            call_id: headers.call_id()?.to_owned(),
            cseq: (cseq.number, cseq.method.to_string()),
            max_forwards: headers.max_forwards()?.map(u32::from),
            contact: headers.contacts()?.first().map(address),
            record_routes: headers.record_routes()?.iter().map(address).collect(),
            content_type: headers.content_type()?.map(|media| media.to_string()),
            body: message.body().to_vec(),
        })
    }

    fn address(value: &sip::NameAddr) -> Address {
        Address {
            display: value.display.clone(),
            scheme: value.uri.scheme().to_owned(),
            user: value.uri.user().map(str::to_owned),
            host: value.uri.host().map(ToString::to_string).unwrap_or_default(),
            port: value.uri.port(),
            lr: value.uri.lr(),
            tag: value.tag().map(str::to_owned),
        }
    }
}

mod theirs {
    use super::*;

    pub(super) fn view(datagram: &[u8]) -> Result<View, String> {
        let message = rsip::SipMessage::try_from(datagram).map_err(|e| e.to_string())?;
        view_of(&message).map_err(|e| e.to_string())
    }

    fn view_of(message: &rsip::SipMessage) -> Result<View, rsip::Error> {
        let start = match message {
            rsip::SipMessage::Request(request) => {
                format!("{} {:?}", request.method, address(None, &request.uri, &[]))
            }
            rsip::SipMessage::Response(response) => response.status_code.code().to_string(),
        };
        let headers = message.headers();
        let vias = headers.iter().filter(|header| matches!(header, rsip::Header::Via(_))).count();
        let via = message.via_header()?.typed()?;
        let from = message.from_header()?.typed()?;
        let to = message.to_header()?.typed()?;
        let cseq = message.cseq_header()?.typed()?;
        let contact = match message.contact_header() {
            Ok(contact) => {
                let contact = contact.typed()?;
                Some(address(contact.display_name.as_deref(), &contact.uri, &contact.params))
            }
            Err(_) => None,
        };
        let mut record_routes = Vec::new();
        for header in headers.iter() {
            if let rsip::Header::RecordRoute(route) = header {
                let route = route.typed()?;
                record_routes.extend(route.uris().iter().map(|r| address(None, &r.uri, &r.params)));
            }
        }
        let content_type = headers.iter().find_map(|header| match header {
            rsip::Header::ContentType(media) => Some(media.value().to_owned()),
            _ => None,
        });
        Ok(View {
            start,
            via: Some(Hop {
                transport: via.transport.to_string(),
                host: via.uri.host().to_string(),
                port: via.uri.port().map(|port| *port.value()),
                branch: via.branch().map(|branch| branch.value().to_owned()),
                received: via.received().ok().flatten().map(|ip| ip.to_string()),
            }),
            vias,
            from: address(from.display_name.as_deref(), &from.uri, &from.params),
            to: address(to.display_name.as_deref(), &to.uri, &to.params),
            call_id: message.call_id_header()?.value().to_owned(),
            cseq: (cseq.seq, cseq.method.to_string()),
            max_forwards: message.max_forwards_header().ok().map(|m| m.num()).transpose()?,
            contact,
            record_routes,
            content_type,
            body: message.body().clone(),
        })
    }

    fn address(display: Option<&str>, uri: &rsip::Uri, params: &[rsip::Param]) -> Address {
        let scheme = match &uri.scheme {
            Some(scheme) => scheme.to_string(),
            None => String::new(),
        };
        Address {
            display: display.map(|name| name.trim().trim_matches('"').to_owned()).filter(|n| !n.is_empty()),
            scheme,
            user: uri.user().map(str::to_owned),
            host: uri.host().to_string(),
            port: uri.port().map(|port| *port.value()),
            lr: uri.params.contains(&rsip::Param::Lr),
            tag: params.iter().find_map(|param| match param {
                rsip::Param::Tag(tag) => Some(tag.value().to_owned()),
                _ => None,
            }),
        }
    }
}

fn user() -> impl Strategy<Value = String> {
    prop_oneof!["\\+[1-9][0-9]{6,14}", "[a-z][a-z0-9]{0,7}[_-]?[a-z0-9]{1,7}"]
}

fn host() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z][a-z0-9]{0,10}\\.example\\.(com|org)",
        any::<[u8; 4]>().prop_map(|[a, b, c, d]| format!("{a}.{b}.{c}.{d}")),
    ]
}

fn host_port() -> impl Strategy<Value = String> {
    (host(), prop::option::of(1024_u16..)).prop_map(|(host, port)| match port {
        Some(port) => format!("{host}:{port}"),
        None => host,
    })
}

fn uri() -> impl Strategy<Value = String> {
    (prop_oneof!["sip", "sips"], user(), host_port())
        .prop_map(|(scheme, user, host)| format!("{scheme}:{user}@{host}"))
}

fn name_addr() -> impl Strategy<Value = String> {
    (prop_oneof!["", "[A-Z][a-z]{2,8} ", "\"[A-Z][a-z]{2,8} [A-Z][a-z]{2,8}\" "], uri())
        .prop_map(|(display, uri)| format!("{display}<{uri}>"))
}

fn token() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9.-]{4,24}"
}

fn start_line() -> impl Strategy<Value = (String, String)> {
    let method = prop_oneof![
        Just("INVITE"),
        Just("ACK"),
        Just("BYE"),
        Just("CANCEL"),
        Just("OPTIONS"),
        Just("UPDATE"),
        Just("PRACK"),
        Just("INFO"),
        Just("NOTIFY"),
        Just("REFER"),
        Just("SUBSCRIBE"),
        Just("REGISTER"),
        Just("MESSAGE"),
        Just("PUBLISH"),
    ];
    let code = prop::sample::select(vec![100_u16, 180, 183, 200, 302, 401, 404, 480, 486, 487, 503, 603]);
    prop_oneof![
        (method, uri()).prop_map(|(method, uri)| (format!("{method} {uri} SIP/2.0"), method.to_owned())),
        code.prop_map(|code| (format!("SIP/2.0 {code} Some Reason"), "INVITE".to_owned())),
    ]
}

prop_compose! {
    /// What every reader should take: canonical names, one value a line, no folds, CRLF.
    fn ordinary()(
        (start, method) in start_line(),
        vias in prop::collection::vec((host_port(), token(), any::<[u8; 4]>()), 1..4),
        (from, from_tag) in (name_addr(), token()),
        (to, to_tag) in (name_addr(), prop::option::of(token())),
        call_id in (token(), host()),
        cseq in 1_u32..0x7fff_ffff,
        contact in prop::option::of(name_addr()),
        routes in prop::collection::vec(host_port(), 0..3),
        max_forwards in 0_u8..=70,
        body in prop::option::of("[ -~]{0,200}"),
    ) -> String {
        let mut text = format!("{start}\r\n");
        for (sent_by, branch, [a, b, c, d]) in &vias {
            text += &format!("Via: SIP/2.0/UDP {sent_by};branch=z9hG4bK{branch};received={a}.{b}.{c}.{d}\r\n");
        }
        for route in &routes {
            text += &format!("Record-Route: <sip:{route};lr>\r\n");
        }
        let to_tag = to_tag.map(|tag| format!(";tag={tag}")).unwrap_or_default();
        text += &format!("Max-Forwards: {max_forwards}\r\nFrom: {from};tag={from_tag}\r\nTo: {to}{to_tag}\r\n");
        text += &format!("Call-ID: {}@{}\r\nCSeq: {cseq} {method}\r\n", call_id.0, call_id.1);
        if let Some(contact) = contact {
            text += &format!("Contact: {contact}\r\n");
        }
        if body.is_some() {
            text += "Content-Type: application/sdp\r\n";
        }
        let body = body.unwrap_or_default();
        text + &format!("Content-Length: {}\r\n\r\n{body}", body.len())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn on_ordinary_messages_both_read_the_same(text in ordinary()) {
        let own = ours::view(text.as_bytes());
        prop_assert!(own.is_ok(), "{own:?}");
        prop_assert_eq!(own, theirs::view(text.as_bytes()));
    }
}

/// One message on which rsip is known to be wrong.
struct Deviation {
    name: &'static str,
    decides: &'static str,
    message: String,
    /// What of our view must hold.
    ours: fn(&View) -> bool,
    /// What of rsip's view is wrong; it may also refuse the message.
    theirs: fn(&View) -> bool,
}

/// An INVITE with these lines in place of the usual ones of the same name.
fn invite(replaced: &[(&str, &str)]) -> String {
    let usual = [
        ("", "INVITE sip:b@example.com SIP/2.0"),
        ("Via", "Via: SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bK1"),
        ("From", "From: <sip:a@example.com>;tag=1"),
        ("To", "To: <sip:b@example.com>"),
        ("Call-ID", "Call-ID: x@192.0.2.1"),
        ("CSeq", "CSeq: 1 INVITE"),
        ("Contact", "Contact: <sip:a@192.0.2.1>"),
        ("Content-Length", "Content-Length: 0"),
    ];
    let lines = usual.map(|(name, line)| {
        replaced.iter().find(|(other, _)| *other == name).map_or(line, |(_, replacement)| *replacement)
    });
    format!("{}\r\n\r\n", lines.join("\r\n"))
}

fn branch(view: &View) -> Option<&str> {
    view.via.as_ref()?.branch.as_deref()
}

#[expect(clippy::too_many_lines, reason = "a table, one entry a deviation")]
fn deviations() -> Vec<Deviation> {
    let case = |name, decides, message, ours, theirs| Deviation { name, decides, message, ours, theirs };
    vec![
        case(
            "compact forms",
            "RFC 3261 §7.3.3",
            invite(&[
                ("Via", "v: SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bK1"),
                ("From", "f: <sip:a@example.com>;tag=1"),
                ("To", "t: <sip:b@example.com>"),
                ("Call-ID", "i: x@192.0.2.1"),
                ("Contact", "m: <sip:a@192.0.2.1>"),
                ("Content-Length", "l: 0"),
            ]),
            |view| view.call_id == "x@192.0.2.1" && view.contact.is_some(),
            |_| false,
        ),
        case(
            "folded line",
            "RFC 3261 §7.3.1",
            invite(&[("Via", "Via: SIP/2.0/UDP 192.0.2.1:5062\r\n ;branch=z9hG4bK1")]),
            |view| branch(view) == Some("z9hG4bK1"),
            |_| false,
        ),
        case(
            "white space before the colon",
            "RFC 3261 §25.1 HCOLON",
            invite(&[("Via", "Via : SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bK1")]),
            |view| branch(view) == Some("z9hG4bK1"),
            |_| false,
        ),
        case(
            "empty lines before the message",
            "RFC 3261 §7.5",
            format!("\r\n\r\n{}", invite(&[])),
            |view| view.start.starts_with("INVITE"),
            |_| false,
        ),
        case(
            "IPv6 in Via",
            "RFC 3261 §25.1 IPv6reference",
            invite(&[("Via", "Via: SIP/2.0/UDP [2001:db8::9:1]:5062;branch=z9hG4bK1")]),
            |view| view.via.as_ref().is_some_and(|v| v.host == "[2001:db8::9:1]" && v.port == Some(5062)),
            |_| false,
        ),
        case(
            "IPv6 in Contact",
            "RFC 3261 §25.1 IPv6reference",
            invite(&[("Contact", "Contact: <sip:a@[2001:db8::1]:5070>")]),
            |view| view.contact.as_ref().is_some_and(|c| c.host == "[2001:db8::1]" && c.port == Some(5070)),
            |_| false,
        ),
        case(
            "tel: URI",
            "RFC 3966 §3, RFC 3261 §19.1.6",
            invite(&[("From", "From: <tel:+254200000101>;tag=1")]),
            |view| view.from.user.as_deref() == Some("+254200000101") && view.from.tag.is_some(),
            |view| view.from.user.is_none(),
        ),
        case(
            "two Vias on a line",
            "RFC 3261 §7.3.1",
            invite(&[(
                "Via",
                "Via: SIP/2.0/UDP a.example.com;branch=z9hG4bK1, SIP/2.0/UDP b.example.com;branch=z9hG4bK2",
            )]),
            |view| view.vias == 2 && branch(view) == Some("z9hG4bK1"),
            |view| view.vias == 1,
        ),
        case(
            "two Contacts on a line",
            "RFC 3261 §7.3.1",
            invite(&[("Contact", "Contact: <sip:a@192.0.2.1>;q=0.5, <sip:c@192.0.2.2>;q=0.1")]),
            |view| view.contact.as_ref().is_some_and(|contact| contact.user.as_deref() == Some("a")),
            |_| false,
        ),
        case(
            "bytes beyond Content-Length",
            "RFC 3261 §18.3",
            invite(&[("Content-Length", "Content-Length: 3")]) + "v=0surplus",
            |view| view.body == b"v=0",
            |view| view.body == b"v=0surplus",
        ),
        case(
            "a comma in a quoted display name",
            "RFC 3261 §25.1 quoted-string",
            invite(&[("Contact", "Contact: \"Bell, Alexander <x>\" <sip:a@192.0.2.1>")]),
            |view| {
                let display = view.contact.as_ref().and_then(|contact| contact.display.as_deref());
                display == Some("Bell, Alexander <x>")
            },
            |_| false,
        ),
        case(
            "a dot in the user part",
            "RFC 3261 §25.1 user",
            invite(&[("From", "From: <sip:a.b@example.com>;tag=1")]),
            |view| view.from.user.as_deref() == Some("a.b") && view.from.host == "example.com",
            |view| view.from.user.is_none() && view.from.host == "a.b@example.com",
        ),
        case(
            "unknown method",
            "RFC 3261 §8.2.1: answered with 405 or 501, so it must be read",
            invite(&[("", "NEWMETHOD sip:b@example.com SIP/2.0"), ("CSeq", "CSeq: 1 NEWMETHOD")]),
            |view| view.start.starts_with("NEWMETHOD") && view.cseq.1 == "NEWMETHOD",
            |_| false,
        ),
        case(
            "lower-case method",
            "RFC 3261 §7.1: methods are case-sensitive",
            invite(&[("", "invite sip:b@example.com SIP/2.0")]),
            |view| view.start.starts_with("invite"),
            |view| view.start.starts_with("INVITE"),
        ),
    ]
}

#[test]
fn known_deviations_of_rsip_still_stand() {
    for Deviation { name, decides, message, ours, theirs } in deviations() {
        let own = self::ours::view(message.as_bytes()).unwrap_or_else(|e| panic!("{name} ({decides}): {e}"));
        assert!(ours(&own), "{name} ({decides}): we read {own:#?}");
        if let Ok(other) = self::theirs::view(message.as_bytes()) {
            assert!(theirs(&other), "{name} ({decides}): rsip now reads {other:#?}; take it off the table");
        }
    }
}

/// Route reflection needs the parameters as they came (RFC 3261 §12.1.1, §16.12).
#[test]
fn a_route_goes_back_as_it_came_where_rsip_rewrites_it() {
    let route = "<sip:p1.example.com;transport=tcp;lr>";
    let message = invite(&[("Contact", &format!("Record-Route: {route}"))]);
    let own = sip::parse(Bytes::copy_from_slice(message.as_bytes())).unwrap();
    assert_eq!(own.headers().record_routes().unwrap()[0].to_string(), route);
    let other = rsip::SipMessage::try_from(message.as_bytes()).unwrap();
    let other = other.record_route_header().unwrap().typed().unwrap().to_string();
    assert!(other.contains("transport=TCP"), "rsip now keeps the case: {other}");
}
