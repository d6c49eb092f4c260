//! What is written is read back as it was meant, whatever stands in it; or it is not written at all.

use std::net::IpAddr;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

fn line_text() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{0,40}", "[^\r\n\0]{0,20}", Just("a\\\"b, <c>; d=\"e\"\\".to_owned())]
}

fn any_host() -> impl Strategy<Value = Host> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(|ip| Host::from(IpAddr::from(ip))),
        any::<[u16; 8]>().prop_map(|ip| Host::from(IpAddr::from(ip))),
        "[a-z0-9]{1,8}(-[a-z0-9]{1,8}){0,2}(\\.[a-z][a-z0-9]{0,8}){1,3}".prop_map(Host::Name),
    ]
}

fn token() -> impl Strategy<Value = String> {
    "[A-Za-z0-9.!%*_+`'~-]{1,20}"
}

fn params() -> impl Strategy<Value = Params> {
    prop::collection::vec((token(), prop::option::of(line_text())), 0..4).prop_map(|list| {
        list.into_iter().fold(Params::new(), |mut params, (name, value)| {
            match value {
                Some(value) => params.set(&name, value),
                None => params.set_flag(&name),
            }
            params
        })
    })
}

prop_compose! {
    fn sip_uri()(
        user in prop::option::of("\\PC{1,20}"),
        host in any_host(),
        port in prop::option::of(any::<u16>()),
        flag in "[a-z-]{1,8}",
        (name, value) in ("[a-z.]{1,8}", "\\PC{1,20}"),
        lr in any::<bool>(),
    ) -> Uri {
        let uri = Uri::sip(user.as_deref(), host).with_param(&format!("x{name}"), value).with_flag(&format!("y{flag}"));
        let uri = if lr { uri.with_flag("lr") } else { uri };
        port.map_or(uri.clone(), |port| uri.with_port(port))
    }
}

fn uri() -> impl Strategy<Value = Uri> {
    prop_oneof![
        4 => sip_uri(),
        1 => "\\+[0-9]{5,15}".prop_map(|number| Uri::Tel(Box::new(TelUri { number, params: Params::new() }))),
    ]
}

prop_compose! {
    fn name_addr()(display in prop::option::of(line_text()), uri in uri(), params in params()) -> NameAddr {
        NameAddr { display, uri, params }
    }
}

prop_compose! {
    fn via()(host in any_host(), port in prop::option::of(any::<u16>()), params in params(), transport in token())
        -> Via
    {
        Via { transport: transport.parse().unwrap(), host, port, params }
    }
}

fn reason() -> impl Strategy<Value = Reason> {
    (token(), prop::option::of(any::<u16>()), prop::option::of(line_text()))
        .prop_map(|(protocol, cause, text)| Reason { protocol, cause, text })
}

prop_compose! {
    fn values()(
        uri in uri(),
        vias in prop::collection::vec(via(), 1..4),
        (from, to) in (name_addr(), name_addr()),
        contacts in prop::collection::vec(name_addr(), 0..3),
        reasons in prop::collection::vec(reason(), 0..3),
        number in 0_u32..0x8000_0000,
        subject in line_text(),
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) -> Values {
        Values { uri, vias, from, to, contacts, reasons, number, subject, body }
    }
}

#[derive(Debug)]
struct Values {
    uri: Uri,
    vias: Vec<Via>,
    from: NameAddr,
    to: NameAddr,
    contacts: Vec<NameAddr>,
    reasons: Vec<Reason>,
    number: u32,
    subject: String,
    body: Vec<u8>,
}

fn list<T: ToString>(values: &[T]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_request_is_read_as_it_was_written(v in values()) {
        let method = Method::Invite;
        let mut writer = Writer::request(&method, &v.uri);
        for via in &v.vias {
            writer.header(HeaderName::Via, via);
        }
        writer
            .header(HeaderName::From, &v.from)
            .header(HeaderName::To, &v.to)
            .header(HeaderName::CSeq, CSeq { number: v.number, method })
            .header(HeaderName::Contact, list(&v.contacts))
            .header(HeaderName::Reason, list(&v.reasons))
            .header(HeaderName::Subject, &v.subject)
            .body("application/sdp", &v.body);
        let bytes = writer.finish().unwrap();
        let message = parse(bytes.clone()).unwrap();
        prop_assert_eq!(message.bytes(), &bytes);
        let request = message.as_request().unwrap();
        let headers = request.headers();
        prop_assert_eq!(request.uri(), Ok(v.uri));
        prop_assert_eq!(&headers.via().unwrap(), &v.vias[0]);
        prop_assert_eq!(headers.vias(), Ok(v.vias));
        prop_assert_eq!(headers.from(), Ok(v.from));
        prop_assert_eq!(headers.to(), Ok(v.to));
        prop_assert_eq!(headers.contacts(), Ok(v.contacts));
        prop_assert_eq!(headers.reason(), v.reasons);
        prop_assert_eq!(headers.cseq().unwrap().number, v.number);
        let subject = headers.get(HeaderName::Subject).unwrap();
        prop_assert_eq!(subject.trim_matches([' ', '\t']), v.subject.trim_matches([' ', '\t']));
        prop_assert_eq!(request.body(), Bytes::from(v.body));
    }

    #[test]
    fn no_value_breaks_out_of_its_line(value in "\\PC{0,8}[\r\n\0]\\PC{0,8}", uri in uri(), name in token()) {
        let refused = |writer: &mut Writer| writer.finish().is_err();
        let name = format!("X-{name}").parse::<HeaderName>().unwrap();
        prop_assert!(refused(Writer::request(&Method::Bye, &uri).header(&name, &value)));
        prop_assert!(refused(Writer::request(&Method::Bye, &uri).body(&value, b"")));
        prop_assert!(refused(&mut Writer::response(StatusCode::OK, &value)));
        let address = NameAddr::new(uri.clone()).with_display(&value);
        prop_assert!(refused(Writer::request(&Method::Bye, &uri).header(HeaderName::To, address)));
        let address = NameAddr { params: Params::new().with("p", &value), ..NameAddr::new(uri.clone()) };
        prop_assert!(refused(Writer::request(&Method::Bye, &uri).header(HeaderName::To, address)));
        let other = Uri::Other { scheme: "x".to_owned(), rest: value.clone() };
        prop_assert!(refused(&mut Writer::request(&Method::Bye, &other)));
        prop_assert!(refused(&mut Writer::request(&Method::Other(value.into()), &uri)));
    }

    #[test]
    fn records_keep_every_value(from in name_addr(), via in via(), reason in reason(), uri in uri()) {
        let value = (from, via, reason, uri);
        let record = postcard::to_stdvec(&value).unwrap();
        prop_assert_eq!(postcard::from_bytes::<(NameAddr, Via, Reason, Uri)>(&record).unwrap(), value);
    }
}
