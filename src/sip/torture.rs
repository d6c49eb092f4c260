//! The torture messages of RFC 4475 (SIP) and RFC 5118 (SIP over IPv6), and what we make of each.
//!
//! Here stands what is read of them; the files below say what is answered to each, byte by byte as it is printed.

use bytes::Bytes;

use super::*;

mod files;

/// The message as on the wire: each line ends with CRLF.
pub(super) fn wire(text: &str) -> Bytes {
    text.replace('\n', "\r\n").into()
}

fn read(text: &str) -> Message {
    parse(wire(text)).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn request(text: &str) -> Request {
    read(text).as_request().expect("a request").clone()
}

fn response(text: &str) -> Response {
    read(text).as_response().expect("a response").clone()
}

/// An SDP body of the RFC, from this address; 150 bytes with `192.0.2.1`.
fn sdp(address: &str) -> String {
    format!(
        "v=0\no=mhandley 29739 7272939 IN IP4 {address}\ns=-\nc=IN IP4 {address}\nt=0 0\n\
         m=audio 49217 RTP/AVP 0 12\nm=video 3227 RTP/AVP 31\na=rtpmap:31 LPC\n"
    )
}

/// §3.1.1.1
pub(super) const WSINV: &str = r#"INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0
TO :
 sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n
from   : "J Rosenberg \\\""       <sip:jdrosen@example.com>
  ;
  tag = 98asjd8
MaX-fOrWaRdS: 0068
Call-ID: wsinv.ndaksdj@192.0.2.1
Content-Length   : 150
cseq: 0009
  INVITE
Via  : SIP  /   2.0
 /UDP
    192.0.2.2;branch=390skdjuw
s :
NewFangledHeader:   newfangled value
 continued newfangled value
UnknownHeaderWithUnusualValue: ;;,,;;,;
Content-Type: application/sdp
Route:
 <sip:services.example.com;lr;unknownwith=value;unknown-no-value>
v:  SIP  / 2.0  / TCP     spindle.example.com   ;
  branch  =   z9hG4bK9ikj8  ,
 SIP  /    2.0   / UDP  192.168.255.111   ; branch=
 z9hG4bK30239
m:"Quoted string \"\"" <sip:jdrosen@example.com> ; newparam =
      newvalue ;
  secondparam ; q = 0.33

v=0
o=mhandley 29739 7272939 IN IP4 192.0.2.3
s=-
c=IN IP4 192.0.2.4
t=0 0
m=audio 49217 RTP/AVP 0 12
m=video 3227 RTP/AVP 31
a=rtpmap:31 LPC
"#;

#[test]
fn wsinv_a_short_tortuous_invite() {
    let invite = request(WSINV);
    let headers = invite.headers();
    assert_eq!(*invite.method(), Method::Invite);
    let uri = invite.uri().unwrap();
    assert_eq!(uri.user(), Some("vivekg"));
    assert!(uri.params().unwrap().has("unknownparam"));
    assert_eq!(headers.to().unwrap().to_string(), "<sip:vivekg@chair-dnrc.example.com>;tag=1918181833n");
    let from = headers.from().unwrap();
    assert_eq!(from.display.as_deref(), Some("J Rosenberg \\\""));
    assert_eq!(from.tag(), Some("98asjd8"));
    assert_eq!(headers.max_forwards(), Ok(Some(68)));
    assert_eq!(headers.call_id(), Ok("wsinv.ndaksdj@192.0.2.1"));
    assert_eq!(headers.cseq().unwrap(), CSeq { number: 9, method: Method::Invite });
    assert_eq!(headers.via().unwrap().to_string(), "SIP/2.0/UDP 192.0.2.2;branch=390skdjuw");
    let vias: Vec<String> = headers.vias().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(
        vias,
        [
            "SIP/2.0/UDP 192.0.2.2;branch=390skdjuw",
            "SIP/2.0/TCP spindle.example.com;branch=z9hG4bK9ikj8",
            "SIP/2.0/UDP 192.168.255.111;branch=z9hG4bK30239",
        ]
    );
    assert_eq!(headers.get(HeaderName::Subject).unwrap(), "");
    let name: HeaderName = "newfangledheader".parse().unwrap();
    assert_eq!(headers.get(&name).unwrap(), "newfangled value continued newfangled value");
    let name: HeaderName = "UnknownHeaderWithUnusualValue".parse().unwrap();
    assert_eq!(headers.get(&name).unwrap(), ";;,,;;,;");
    assert!(headers.routes().unwrap()[0].uri.lr());
    let contact = &headers.contacts().unwrap()[0];
    assert_eq!(contact.display.as_deref(), Some("Quoted string \"\""));
    assert_eq!(contact.params.to_string(), ";newparam=newvalue;secondparam;q=0.33");
    assert!(headers.content_type().unwrap().unwrap().is("Application/SDP"));
    assert_eq!(invite.body().len(), 150);
}

#[test]
fn intmeth_a_wide_range_of_valid_characters() {
    let text = "!interesting-Method0123456789_*+`.%indeed'~ \
         sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)\
         @example.com SIP/2.0\n\
         Via: SIP/2.0/TCP host1.example.com;branch=z9hG4bK-.!%66*_+`'~\n\
         To: \"BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f\" \
         <sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com>\n\
         From: token1~` token2'+_ token3*%!.- <sip:mundane@example.com>\
         ;fromParam''~+*_!.-%=\"работающий\";tag=_token~1'+`*%!-.\n\
         Call-ID: intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{\n\
         CSeq: 139122385 !interesting-Method0123456789_*+`.%indeed'~\n\
         Max-Forwards: 255\n\
         extensionHeader-!.%*+_`'~:\u{feff}大停電\n\
         Content-Length: 0\n\n";
    let request = request(text);
    let headers = request.headers();
    assert_eq!(*request.method(), Method::Other("!interesting-Method0123456789_*+`.%indeed'~".into()));
    let uri = request.uri().unwrap();
    let sip = uri.as_sip().unwrap();
    assert_eq!(sip.user.as_deref(), Some("1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"));
    assert_eq!(sip.password.as_deref(), Some("&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"));
    assert_eq!(uri.to_string(), request.uri_text());
    assert_eq!(headers.via().unwrap().branch(), Some("z9hG4bK-.!%66*_+`'~"));
    assert_eq!(headers.to().unwrap().display.as_deref(), Some("BEL:\x07 NUL:\x00 DEL:\x7f"));
    let from = headers.from().unwrap();
    assert_eq!(from.display.as_deref(), Some("token1~` token2'+_ token3*%!.-"));
    assert_eq!(from.params.unquoted("fromParam''~+*_!.-%").unwrap(), "работающий");
    assert_eq!(from.tag(), Some("_token~1'+`*%!-."));
    assert_eq!(headers.call_id(), Ok("intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"));
    assert_eq!(headers.cseq().unwrap().method, *request.method());
    assert_eq!(headers.max_forwards(), Ok(Some(255)));
    let name: HeaderName = "extensionHeader-!.%*+_`'~".parse().unwrap();
    assert_eq!(headers.get(&name).unwrap(), "\u{feff}大停電");
    // What it wrote goes back to it in a 501, byte by byte.
    let reply = Writer::response(StatusCode::NOT_IMPLEMENTED, "")
        .copy(headers, HeaderName::To)
        .copy(headers, HeaderName::From)
        .finish();
    let reply = parse(reply.unwrap()).unwrap();
    assert_eq!(reply.headers().get(HeaderName::To), headers.get(HeaderName::To));
    assert_eq!(reply.headers().get(HeaderName::From), headers.get(HeaderName::From));
}

#[test]
fn esc01_escnull_esc02_percent_signs() {
    let invite = request(&format!(
        "INVITE sip:sips%3Auser%40example.com@example.net SIP/2.0\n\
         To: sip:%75se%72@example.com\n\
         From: <sip:I%20have%20spaces@example.net>;tag=938\n\
         Max-Forwards: 87\n\
         i: esc01.239409asdfakjkn23onasd0-3234\n\
         CSeq: 234234 INVITE\n\
         Via: SIP/2.0/UDP host5.example.net;branch=z9hG4bKkdjuw\n\
         C: application/sdp\n\
         Contact:\n  <sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31>\n\
         Content-Length: 150\n\n{}",
        sdp("192.0.2.1")
    ));
    let headers = invite.headers();
    assert_eq!(invite.uri().unwrap().user_unescaped().unwrap(), "sips:user@example.com");
    assert!(headers.to().unwrap().uri.equivalent(&"sip:user@example.com".parse().unwrap()));
    assert_eq!(headers.from().unwrap().uri.user_unescaped().unwrap(), "I have spaces");
    let contact = &headers.contacts().unwrap()[0].uri;
    assert_eq!(contact.to_string(), "sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31");
    assert_eq!(invite.body().len(), 150);

    let register = request(
        "REGISTER sip:example.com SIP/2.0\n\
         To: sip:null-%00-null@example.com\n\
         From: sip:null-%00-null@example.com;tag=839923423\n\
         Max-Forwards: 70\n\
         Call-ID: escnull.39203ndfvkjdasfkq3w4otrq0adsfdfnavd\n\
         CSeq: 14398234 REGISTER\n\
         Via: SIP/2.0/UDP host5.example.com;branch=z9hG4bKkdjuw\n\
         Contact: <sip:%00@host5.example.com>\n\
         Contact: <sip:%00%00@host5.example.com>\n\
         L:0\n\n",
    );
    assert_eq!(register.headers().from().unwrap().uri.user_unescaped().unwrap(), "null-\0-null");
    let contacts = register.headers().contacts().unwrap();
    assert!(!contacts[0].uri.equivalent(&contacts[1].uri), "the two contacts differ");

    let unknown = request(
        "RE%47IST%45R sip:registrar.example.com SIP/2.0\n\
         To: \"%Z%45\" <sip:resource@example.com>\n\
         From: \"%Z%45\" <sip:resource@example.com>;tag=f232jadfj23\n\
         Call-ID: esc02.asdfnqwo34rq23i34jrjasdcnl23nrlknsdf\n\
         Via: SIP/2.0/TCP host.example.com;branch=z9hG4bK209%fzsnel234\n\
         CSeq: 29344 RE%47IST%45R\n\
         Max-Forwards: 70\n\
         Contact: <sip:alias1@host1.example.com>\n\
         C%6Fntact: <sip:alias2@host2.example.com>\n\
         Contact: <sip:alias3@host3.example.com>\n\
         l: 0\n\n",
    );
    assert_eq!(*unknown.method(), Method::Other("RE%47IST%45R".into()));
    assert_eq!(unknown.headers().to().unwrap().display.as_deref(), Some("%Z%45"));
    assert_eq!(unknown.headers().contacts().unwrap().len(), 2);
    assert_eq!(unknown.headers().via().unwrap().branch(), Some("z9hG4bK209%fzsnel234"));
}

#[test]
fn lwsdisp_semiuri_transports() {
    let options = request(
        "OPTIONS sip:user@example.com SIP/2.0\n\
         To: sip:user@example.com\n\
         From: caller<sip:caller@example.com>;tag=323\n\
         Max-Forwards: 70\n\
         Call-ID: lwsdisp.1234abcd@funky.example.com\n\
         CSeq: 60 OPTIONS\n\
         Via: SIP/2.0/UDP funky.example.com;branch=z9hG4bKkdjuw\n\
         l: 0\n\n",
    );
    assert_eq!(options.headers().from().unwrap().display.as_deref(), Some("caller"));

    let options = request(
        "OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0\n\
         To: sip:j_user@example.com\n\
         From: sip:caller@example.org;tag=33242\n\
         Max-Forwards: 3\n\
         Call-ID: semiuri.0ha0isndaksdj\n\
         CSeq: 8 OPTIONS\n\
         Accept: application/sdp, application/pkcs7-mime,\n        multipart/mixed, multipart/signed,\n        \
         message/sip, message/sipfrag\n\
         Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKkdjuw\n\
         l: 0\n\n",
    );
    assert_eq!(options.uri().unwrap().user_unescaped().unwrap(), "user;par=u@example.net");
    assert_eq!(options.headers().list(HeaderName::Accept).len(), 6);

    let options = request(
        "OPTIONS sip:user@example.com SIP/2.0\n\
         To: sip:user@example.com\n\
         From: <sip:caller@example.com>;tag=323\n\
         Max-Forwards: 70\n\
         Call-ID:  transports.kijh4akdnaqjkwendsasfdj\n\
         Accept: application/sdp\n\
         CSeq: 60 OPTIONS\n\
         Via: SIP/2.0/UDP t1.example.com;branch=z9hG4bKkdjuw\n\
         Via: SIP/2.0/SCTP t2.example.com;branch=z9hG4bKklasjdhf\n\
         Via: SIP/2.0/TLS t3.example.com;branch=z9hG4bK2980unddj\n\
         Via: SIP/2.0/UNKNOWN t4.example.com;branch=z9hG4bKasd0f3en\n\
         Via: SIP/2.0/TCP t5.example.com;branch=z9hG4bK0a9idfnee\n\
         l: 0\n\n",
    );
    let vias = options.headers().vias().unwrap();
    let transports: Vec<&str> = vias.iter().map(|via| via.transport.as_str()).collect();
    assert_eq!(transports, ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]);
}

#[test]
fn longreq_long_values() {
    let caller = "amazinglylongcallername".repeat(5);
    let mut text = format!(
        "INVITE sip:user@example.com SIP/2.0\n\
         To: \"I have a user name of {} proportion\"<sip:user@example.com:6000;\
         unknownparam1=very{}value;longparam{}=shortvalue;very{}ParameterNameWithNoValue>\n\
         F: sip:{caller}@example.net;tag=12{}424;unknownheaderparam{}=unknowheaderparam{};\
         unknownValueless{}\n\
         Call-ID: longreq.one{}longcallid\n\
         CSeq: 3882340 INVITE\n\
         Unknown-{}-Name: unknown-{}-value; unknown-{}-parameter-name = unknown-{}-parameter-value\n",
        "extreme".repeat(10),
        "long".repeat(20),
        "name".repeat(25),
        "long".repeat(25),
        "982".repeat(50),
        "name".repeat(20),
        "value".repeat(15),
        "paramname".repeat(10),
        "really".repeat(20),
        "Long".repeat(20),
        "long".repeat(20),
        "long".repeat(20),
        "long".repeat(20),
    );
    let names = ["Via: ", "v: ", "V: ", "ViA: ", "VIa: ", "VIA: ", "via: ", "V :  ", "v  : ", "Via  : "];
    for hop in (1..=33).rev() {
        let name = names[hop % names.len()];
        text.push_str(&format!("{name}SIP/2.0/TCP sip{hop}.example.com\n"));
    }
    text.push_str(&format!(
        "Via: SIP/2.0/TCP host.example.com;received=192.0.2.5;branch=very{}branchvalue\n\
         Max-Forwards: 70\n\
         Contact: <sip:{caller}@host5.example.net>\n\
         Content-Type: application/sdp\n\
         l: 150\n\n{}",
        "long".repeat(50),
        sdp("192.0.2.1")
    ));
    let invite = request(&text);
    let headers = invite.headers();
    assert_eq!(headers.vias().unwrap().len(), 34);
    assert_eq!(headers.from().unwrap().tag().unwrap().len(), 2 + 150 + 3);
    assert_eq!(headers.to().unwrap().uri.port(), Some(6000));
    assert_eq!(headers.contacts().unwrap()[0].uri.user(), Some(caller.as_str()));
    assert_eq!(invite.body().len(), 150);
}

#[test]
fn dblreq_bytes_behind_the_body_are_cut() {
    let first = "REGISTER sip:example.com SIP/2.0\n\
         To: sip:j.user@example.com\n\
         From: sip:j.user@example.com;tag=43251j3j324\n\
         Max-Forwards: 8\n\
         I: dblreq.0ha0isndaksdj99sdfafnl3lk233412\n\
         Contact: sip:j.user@host.example.com\n\
         CSeq: 8 REGISTER\n\
         Via: SIP/2.0/UDP 192.0.2.125;branch=z9hG4bKkdjuw23492\n\
         Content-Length: 0\n\n";
    let register = request(&format!("{first}\nINVITE sip:joe@example.com SIP/2.0\nt: sip:joe@example.com\n"));
    assert_eq!(register.headers().call_id(), Ok("dblreq.0ha0isndaksdj99sdfafnl3lk233412"));
    assert_eq!(register.body(), "");
    assert_eq!(*register.bytes(), wire(first));
}

#[test]
fn unreason_noreason_reason_phrases() {
    let ok = response(&format!(
        "SIP/2.0 200 = 2**3 * 5**2 но сто девяносто девять - простое\n\
         Via: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923\n\
         Call-ID: unreason.1234ksdfak3j2erwedfsASdf\n\
         CSeq: 35 INVITE\n\
         From: sip:user@example.com;tag=11141343\n\
         To: sip:user@example.edu;tag=2229\n\
         Content-Length: 154\n\
         Content-Type: application/sdp\n\
         Contact: <sip:user@host198.example.com>\n\n{}",
        sdp("192.0.2.198")
    ));
    assert_eq!(ok.status(), StatusCode::OK);
    assert_eq!(ok.reason_phrase(), "= 2**3 * 5**2 но сто девяносто девять - простое");
    assert_eq!(ok.body().len(), 154);

    let head = "SIP/2.0 100 \n\
         Via: SIP/2.0/UDP 192.0.2.105;branch=z9hG4bK2398ndaoe\n\
         Call-ID: noreason.asndj203insdf99223ndf\n\
         CSeq: 35 INVITE\n\
         From: <sip:user@example.com>;tag=39ansfi3\n\
         To: <sip:user@example.edu>;tag=902jndnke3\n\
         Content-Length: 0\n\
         Contact: <sip:user@host105.example.com>\n\n";
    assert_eq!(response(head).reason_phrase(), "");
    assert_eq!(response(&head.replace("100 \n", "100\n")).status(), StatusCode::TRYING);
}

/// A message with these lines behind a start line, Via and Call-ID of a sort.
fn with(start: &str, lines: &str) -> String {
    format!("{start}\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKkdjuw\nCall-ID: x@192.0.2.1\n{lines}\n")
}

/// §3.1.2: what the parser refuses whole, because its extent or kind cannot be known.
#[test]
fn invalid_messages_that_are_dropped_and_counted() {
    let options = "OPTIONS sip:user@example.com SIP/2.0";
    for (name, message, reason) in [
        ("clerr", with(options, "Content-Length: 9999\n"), "truncated"),
        ("ncl", with(options, "Content-Length: -999\n"), "content_length"),
        ("mcl01", with(options, "Content-Length: 13\nContent-Length: 5\n"), "content_length"),
        ("lwsruri", with("INVITE sip:user@example.com; lr SIP/2.0", ""), "start_line"),
        ("lwsstart", with("INVITE  sip:user@example.com  SIP/2.0", ""), "start_line"),
        ("trws", with("OPTIONS sip:remote-target@example.com SIP/2.0 ", ""), "start_line"),
        ("badvers", with("OPTIONS sip:t.watson@example.org SIP/7.0", ""), "version"),
        ("bigcode", with("SIP/2.0 4294967301 better not break the receiver", ""), "status"),
    ] {
        assert_eq!(parse(wire(&message)).unwrap_err().reason(), reason, "{name}");
    }
}

/// §3.1.2, §3.3: what is refused with a 400 that names the header, or taken as far as it is asked for.
#[test]
fn invalid_messages_that_can_be_answered() {
    let options = "OPTIONS sip:user@example.com SIP/2.0";
    let badinv01 = request(
        "INVITE sip:user@example.com SIP/2.0\n\
         Via: SIP/2.0/UDP 192.0.2.15;;,;,,\n\
         Contact: \"Joe\" <sip:joe@example.org>;;;;\n\n",
    );
    assert!(badinv01.headers().vias().is_err());
    let scalar02 = request(&with(
        options,
        "CSeq: 36893488147419103232 REGISTER\n\
         Max-Forwards: 300\n\
         Expires: 10000000000000000000000000000000000000000000000000000000000000000000000000000\n\
         Contact: <sip:user@host129.example.com>\n  ;expires=280297596632815\n",
    ));
    let headers = scalar02.headers();
    assert_eq!(headers.cseq().unwrap_err().to_string(), "CSeq: a number is missing or out of range");
    assert!(headers.max_forwards().is_err());
    assert!(headers.expires().is_err());
    let scalarlg = request(&with(
        options,
        "CSeq: 9292394834772304023312 OPTIONS\nRetry-After: 949302838503028349304023988\n",
    ));
    assert!(scalarlg.headers().cseq().is_err());
    assert!(scalarlg.headers().retry_after().is_err());
    let quotbal = request(&with(options, "To: \"Mr. J. User <sip:j.user@example.com>\n"));
    assert_eq!(quotbal.headers().to().unwrap_err().to_string(), "To: a quoted string does not end");
    let ltgtruri = request(&with("INVITE <sip:user@example.com> SIP/2.0", ""));
    assert!(matches!(ltgtruri.uri(), Err(HeaderError::RequestUri { .. })));
    let regbadct = request(&with(options, "Contact: sip:user@example.com?Route=%3Csip:sip.example.com%3E\n"));
    assert!(regbadct.headers().contacts().is_err());
    let regescrt =
        request(&with(options, "M: <sip:user@example.com?Route=%3Csip:sip.example.com%3E>\nL:0\n"));
    let contact = regescrt.headers().contacts().unwrap().remove(0).uri;
    assert_eq!(contact.as_sip().unwrap().headers.as_deref(), Some("Route=%3Csip:sip.example.com%3E"));
    let baddn = request(&with(options, "From:    Bell, Alexander <sip:a.g.bell@example.com>;tag=43\n"));
    assert!(baddn.headers().from().is_err());
    let badaspec = request(&with(options, "To: \"Watson, Thomas\" < sip:t.watson@example.org >\n"));
    assert_eq!(badaspec.headers().to().unwrap().uri.to_string(), "sip:t.watson@example.org");
    let multi01 =
        request(&with(options, "CSeq: 5 INVITE\nCSeq: 59 INVITE\nTo: sip:user@example.com\nt: sip:x@y\n"));
    assert_eq!(multi01.headers().cseq(), Err(HeaderError::Repeated { name: HeaderName::CSeq }));
    assert_eq!(multi01.headers().to(), Err(HeaderError::Repeated { name: HeaderName::To }));
    assert_eq!(multi01.headers().from(), Err(HeaderError::Missing { name: HeaderName::From }));
}

/// §3.3.3 to §3.3.15: odd, but a reader takes them.
#[test]
fn unusual_messages_are_read() {
    let unkscm = request(&with("OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0", ""));
    assert_eq!(unkscm.uri().unwrap().scheme(), "nobodyKnowsThisScheme");
    let novelsc = request(&with("OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0", ""));
    assert_eq!(novelsc.uri().unwrap().to_string(), "soap.beep://192.0.2.103:3002");
    let unksm2 = request(&with(
        "REGISTER sip:example.com SIP/2.0",
        "To: isbn:2983792873\nFrom: <http://www.example.com>;tag=3234233\nContact: <name:John_Smith>\n",
    ));
    assert_eq!(unksm2.headers().to().unwrap().uri.scheme(), "isbn");
    assert_eq!(unksm2.headers().from().unwrap().tag(), Some("3234233"));
    let bext01 = request(&with(
        "OPTIONS sip:user@example.com SIP/2.0",
        "Require: nothingSupportsThis, nothingSupportsThisEither\n",
    ));
    assert_eq!(bext01.headers().require().unwrap(), ["nothingSupportsThis", "nothingSupportsThisEither"]);
    let cparam01 =
        request(&with("REGISTER sip:x SIP/2.0", "Contact: sip:+19725552222@gw1.example.net;unknownparam\n"));
    assert!(cparam01.headers().contacts().unwrap()[0].params.has("unknownparam"));
    let cparam02 = request(&with(
        "REGISTER sip:x SIP/2.0",
        "Contact: <sip:+19725552222@gw1.example.net;unknownparam>\n",
    ));
    assert!(cparam02.headers().contacts().unwrap()[0].uri.params().unwrap().has("unknownparam"));
    let inv2543 = request(
        "INVITE sip:UserB@example.com SIP/2.0\n\
         Via: SIP/2.0/UDP iftgw.example.com\n\
         From: <sip:+13035551111@ift.client.example.net;user=phone>\n\
         Record-Route: <sip:UserB@example.com;maddr=ss1.example.com>\n\
         To: sip:+16505552222@ss1.example.net;user=phone\n\
         Call-ID: inv2543.1717@ift.client.example.com\n\
         CSeq: 56 INVITE\n\
         Content-Type: application/sdp\n\nv=0\n",
    );
    assert_eq!(inv2543.headers().via().unwrap().branch(), None);
    assert_eq!(inv2543.headers().from().unwrap().tag(), None);
    assert_eq!(inv2543.headers().to().unwrap().param("user"), Some("phone"));
    assert_eq!(inv2543.headers().record_routes().unwrap()[0].uri.param("maddr"), Some("ss1.example.com"));
    assert_eq!(inv2543.body(), "v=0\r\n", "without Content-Length to the end of the datagram");
}

/// RFC 5118 §4: the addresses of its messages, in the headers where they stand.
#[test]
fn ipv6_references() {
    let register = |uri: &str, via: &str| {
        request(&format!(
            "REGISTER {uri} SIP/2.0\n\
             To: sip:user@example.com\n\
             From: sip:user@example.com;tag=81x2\n\
             Via: {via}\n\
             Call-ID: SSG9559905523997077@hlau_4100\n\
             Max-Forwards: 70\n\
             Contact: \"Caller\" <sip:caller@[2001:db8::1]>\n\
             CSeq: 98176 REGISTER\n\
             Content-Length: 0\n\n"
        ))
    };
    let via = "SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111";
    let good = register("sip:[2001:db8::10]", via); // §4.1
    assert_eq!(good.uri().unwrap().host().unwrap().ip(), "2001:db8::10".parse().ok());
    assert_eq!(good.headers().via().unwrap().response_address(), "[2001:db8::9:1]:5060".parse().ok());
    assert_eq!(good.headers().contacts().unwrap()[0].uri.to_string(), "sip:caller@[2001:db8::1]");
    assert!(register("sip:2001:db8::10", via).uri().is_err()); // §4.2
    let ambiguous = register("sip:[2001:db8::10:5070]", via).uri().unwrap(); // §4.3
    assert_eq!((ambiguous.to_string().as_str(), ambiguous.port()), ("sip:[2001:db8::10:5070]", None));
    let unambiguous = register("sip:[2001:db8::10]:5070", via).uri().unwrap(); // §4.4
    assert_eq!(unambiguous.socket_addr(), "[2001:db8::10]:5070".parse().ok());
    for received in ["[2001:db8::9:255]", "2001:db8::9:255"] {
        let via = format!("SIP/2.0/UDP [2001:db8::9:1];received={received};branch=z9hG4bKas3-111"); // §4.5
        let via = register("sip:[2001:db8::10]", &via).headers().via().unwrap();
        assert_eq!(via.received(), "2001:db8::9:255".parse().ok());
    }
    let mixed = register("sip:[2001:db8::10]", "SIP/2.0/UDP [::ffff:192.0.2.10]:19823;branch=z9hG4bKbh19"); // §4.9
    assert_eq!(
        mixed.headers().via().unwrap().to_string(),
        "SIP/2.0/UDP [::ffff:192.0.2.10]:19823;branch=z9hG4bKbh19"
    );
    let three = register("sip:user@[2001:db8:::192.0.2.1]", via).uri().unwrap(); // §4.10
    let two = register("sip:user@[2001:db8::192.0.2.1]", via).uri().unwrap();
    assert_eq!(three, two);
}
