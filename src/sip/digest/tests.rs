//! The examples of the RFCs, sums made with another implementation, and what servers write.

use bytes::Bytes;

use super::*;
use crate::id::Mint;
use crate::sip::{Headers, Method, Writer, parse};

fn credentials(username: &str, password: &str) -> Credentials {
    Credentials { username: username.into(), password: password.into(), realm: None }
}

fn only(line: &str) -> Challenge {
    let mut read = Challenge::read(line);
    assert_eq!(read.len(), 1, "{line}: {read:?}");
    read.remove(0)
}

fn given<'a>(method: &'a str, uri: &'a str, cnonce: &'a str) -> Given<'a> {
    Given { method, uri, body: b"", cnonce, count: 1 }
}

/// The value of a parameter of an answer, as written.
fn param<'a>(answer: &'a str, name: &str) -> &'a str {
    let list = answer.strip_prefix("Digest ").unwrap();
    let found = list.split(", ").find_map(|param| param.strip_prefix(name)?.strip_prefix('='));
    found.unwrap_or_else(|| panic!("no {name} in {answer}"))
}

#[test]
fn the_example_of_rfc_7616_with_two_algorithms() {
    // §3.9.1
    let said = |algorithm: &str| {
        only(&format!(
            "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, \
             nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
             opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
        ))
    };
    let mufasa = credentials("Mufasa", "Circle of Life");
    let request = given("GET", "/dir/index.html", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ");
    assert_eq!(
        said("MD5").answer(&mufasa, request),
        "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", \
         nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", uri=\"/dir/index.html\", \
         response=\"8ca523f5e9506fed4657c9700eebdbec\", \
         opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\", \
         cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", algorithm=MD5, qop=auth, nc=00000001"
    );
    let answer = said("SHA-256").answer(&mufasa, request);
    let response = "\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\"";
    assert_eq!(param(&answer, "response"), response);
    assert_eq!(param(&answer, "algorithm"), "SHA-256");
}

#[test]
fn the_example_of_rfc_7616_with_a_hashed_name() {
    // §3.9.2 with the sums of its erratum 4897: the RFC's own are not of SHA-512/256
    let challenge = only(
        "Digest realm=\"api@example.org\", qop=\"auth\", algorithm=SHA-512-256, \
         nonce=\"5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK\", \
         opaque=\"HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS\", charset=UTF-8, userhash=true",
    );
    let request = given("GET", "/doe.json", "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v");
    let answer = challenge.answer(&credentials("J\u{e4}s\u{f8}n Doe", "Secret, or not?"), request);
    let name = "\"793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b\"";
    assert_eq!(param(&answer, "username"), name);
    let response = "\"3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5\"";
    assert_eq!(param(&answer, "response"), response);
    assert_eq!(param(&answer, "userhash"), "true");
}

#[test]
fn the_example_of_rfc_2617_whose_server_names_no_algorithm() {
    // §3.5
    let challenge = only(
        "Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", \
         nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"",
    );
    let request = given("GET", "/dir/index.html", "0a4f113b");
    let answer = challenge.answer(&credentials("Mufasa", "Circle Of Life"), request);
    assert_eq!(param(&answer, "response"), "\"6629fae49393a05397450978507c4ef1\"");
    assert!(!answer.contains("algorithm"), "{answer}");
}

/// All algorithms with each qop, computed with Python's hashlib.
#[test]
fn every_algorithm_and_qop_gives_the_sum_that_another_implementation_gives() {
    let sums = [
        ("MD5", "auth", "4410ee6382f10d33da1611e321fcad1f"),
        ("MD5", "auth-int", "e24045782b352e4a54a2959d6b18f0d1"),
        ("MD5", "", "cb4df163919aacaecb6cbe3d4187fe44"),
        ("MD5-sess", "auth", "d416b455ae8f56e2b14b7b319712c217"),
        ("MD5-sess", "auth-int", "c27da52d6a7f4fc3accd0f558dae03f5"),
        ("MD5-sess", "", "43a852480e453e9a7726d7e107ab5985"),
        ("SHA-256", "auth", "6535e41a39257d52104b25a5dcb39f3c3541497b7012b93b0a2145cbc8629636"),
        ("SHA-256", "auth-int", "5bec7d0167226426cc11fcfcb1f9a86e42ec291148df3533ba5d1dcaa55b4b82"),
        ("SHA-256", "", "95eab1c94280f806ef5fe958fe522a1dfdb83443d3108c64ae1e6b1db6f1f6e8"),
        ("SHA-256-sess", "auth", "47a1edd1a50c150731affd4cac28a1b3075648b5ef5682dba9c934bfef6ef31f"),
        ("SHA-256-sess", "auth-int", "18145e675ff79c7329b8d8c6ecaa4627d3a167f68a7f4d956272140806c1fee2"),
        ("SHA-256-sess", "", "39dfc0e489ab68e77b237eee7fdc1753f281878fea13f44b94108a253ceebb25"),
        ("SHA-512-256", "auth", "08722c11f442026a6d6c8ec200b60235537c29df40740f86c7af08e9837b2e7d"),
        ("SHA-512-256", "auth-int", "5a052efa3f953493d6632e01f0445921a9df4023af0507a01f278ca0c9037db7"),
        ("SHA-512-256", "", "e8d1b6541e8f7f49bd12c14bf06678a131422f276aa83def453ace6f8da43abf"),
        ("SHA-512-256-sess", "auth", "6a81b24b5e95c63fc14d5c64fe776e1739929a0d32d7cb21e408e07e2320e918"),
        ("SHA-512-256-sess", "auth-int", "939dc6c37fd5912232db59ce58cd9ad7d7a536b50d723f8cdb53b4d7e5d71fd8"),
        ("SHA-512-256-sess", "", "33934af7296fadf562e9dfad3f74d80e6bfa7653a844ef569d178b8a4bb8a23e"),
    ];
    for (algorithm, qop, sum) in sums {
        let qop = if qop.is_empty() { String::new() } else { format!(", qop=\"{qop}\"") };
        let line = format!("Digest realm=\"pbx.example\", nonce=\"n0nce\", algorithm={algorithm}{qop}");
        let request = Given {
            method: "INVITE",
            uri: "sip:+254711000001@198.51.100.7",
            body: b"v=0\r\n",
            cnonce: "c0",
            count: 2,
        };
        let answer = only(&line).answer(&credentials("baton", "s3cret"), request);
        assert_eq!(param(&answer, "response"), format!("\"{sum}\""), "{line}");
        assert_eq!(answer.contains("nc="), !qop.is_empty(), "{answer}");
    }
}

#[test]
fn a_challenge_is_read_however_it_is_written() {
    let usual = only("Digest realm=\"r\", nonce=\"n\", algorithm=MD5, qop=\"auth\", stale=TRUE, opaque=\"\"");
    assert_eq!(usual.opaque.as_deref(), Some(""));
    for line in [
        "digest realm=\"r\",nonce=\"n\",algorithm=md5,qop=\"auth\",stale=true,opaque=\"\"",
        "DIGEST  realm = \"r\" , nonce = \"n\" , algorithm = \"MD5\" , qop = auth , stale = \"true\",opaque=\"\",",
        "Digest realm=r, nonce=n, algorithm=MD5, qop=auth, stale=true, opaque=, domain=\"sip:a, sip:b\", x=1",
        "Digest ,, qop=\"auth-int,auth\", opaque=\"\", stale=\"True\", nonce=\"n\", realm=\"r\", algorithm=MD5, realm=\"s\"",
        "Digest realm=\"r\", nonce=\"n\", algorithm=MD5, qop=auth-int,auth, stale=true, opaque=\"\"",
        "Basic realm=\"b\", Digest realm=\"r\", nonce=\"n\", algorithm=MD5, qop=\"auth\", stale=TRUE, opaque=\"\", Negotiate",
    ] {
        assert_eq!(only(line), usual, "{line}");
    }
    let escaped = only("Digest realm=\"the \\\"PBX\\\", level 2\", nonce=\"a=b,c\"");
    assert_eq!(escaped.realm, "the \"PBX\", level 2");
    let answer = escaped.answer(&credentials("u", "p"), given("BYE", "sip:b", "c"));
    assert!(answer.contains("realm=\"the \\\"PBX\\\", level 2\", nonce=\"a=b,c\""), "{answer}");
}

#[test]
fn what_cannot_be_answered_is_passed_over() {
    let long = format!("Digest realm=\"r\", nonce=\"{}\"", "n".repeat(MAX_CHALLENGE_BYTES));
    for line in [
        "",
        "Digest",
        "Basic realm=\"r\"",
        "Digest nonce=\"n\"",
        "Digest realm=\"r\"",
        "Digest realm=\"r\", nonce=\"n\", algorithm=AKAv1-MD5",
        "Digest realm=\"r\", nonce=\"n\", algorithm=SHA-512-256, qop=\"auth-conf\"",
        "realm=\"r\", nonce=\"n\"",
        "Digest realm=\"r, nonce=\"n",
        &long,
    ] {
        assert_eq!(Challenge::read(line), [], "{line}");
    }
    let many = "Digest realm=\"r\", nonce=\"n\", ".repeat(100);
    assert!(Challenge::read(&many).len() <= 16);
}

#[test]
fn the_password_is_not_shown() {
    let shown = format!("{:?}", credentials("baton", "s3cret"));
    assert!(shown.contains("baton") && !shown.contains("s3cret"), "{shown}");
}

/// The headers of a 401 or 407.
fn headers(lines: &str) -> Headers {
    let text = format!("SIP/2.0 401 Unauthorized\r\n{lines}\r\n");
    parse(Bytes::from(text)).unwrap().headers().clone()
}

/// What a ring writes into an INVITE.
fn signed(ring: &mut Ring) -> Vec<String> {
    let mut writer = Writer::request(&Method::Invite, &"sip:b@h".parse().unwrap());
    ring.sign(&mut writer, Some(&credentials("u", "p")), "INVITE", "sip:b@h", b"");
    let text = String::from_utf8(writer.finish().unwrap().to_vec()).unwrap();
    text.split("\r\n").filter(|line| line.contains("uthorization")).map(str::to_owned).collect()
}

#[test]
fn the_strongest_challenge_of_each_realm_is_answered() {
    // RFC 8760 §2.3, RFC 3261 §22.3
    let (mut ring, mut tried, mut mint) = (Ring::default(), Tried::default(), Mint::seeded(1));
    let asked = headers(
        "WWW-Authenticate: Digest realm=\"a\", nonce=\"1\", algorithm=MD5\r\n\
         WWW-Authenticate: Digest realm=\"a\", nonce=\"2\", algorithm=SHA-256\r\n\
         WWW-Authenticate: Digest realm=\"a\", nonce=\"3\", algorithm=SHA-256-sess\r\n\
         WWW-Authenticate: Digest realm=\"a\", nonce=\"4\", algorithm=SHA-3\r\n\
         Proxy-Authenticate: Digest realm=\"p\", nonce=\"5\", Digest realm=\"q\", nonce=\"6\", algorithm=SHA-512-256\r\n",
    );
    let whose = credentials("u", "p");
    assert_eq!(ring.take(&asked, &mut tried, Some(&whose), &mut mint), Verdict::Answer);
    let lines = signed(&mut ring);
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[0].starts_with("Authorization: Digest ") && lines[0].contains("nonce=\"2\""));
    assert!(lines[1].starts_with("Proxy-Authorization: Digest ") && lines[1].contains("nonce=\"5\""));
    assert!(lines[2].contains("nonce=\"6\"") && lines[2].contains("algorithm=SHA-512-256"));
    let other = Credentials { realm: Some("z".into()), ..whose };
    assert_eq!(Ring::default().take(&asked, &mut tried, Some(&other), &mut mint), Verdict::GiveUp);
    assert_eq!(Ring::default().take(&asked, &mut tried, None, &mut mint), Verdict::GiveUp);
}

#[test]
fn no_nonce_is_answered_twice_and_only_a_stale_one_is_replaced() {
    let (mut ring, mut mint) = (Ring::default(), Mint::seeded(1));
    let whose = credentials("u", "p");
    let ask = |nonce: &str, stale: &str| {
        headers(&format!("WWW-Authenticate: Digest realm=\"a\", nonce=\"{nonce}\", qop=\"auth\"{stale}\r\n"))
    };
    let mut tried = Tried::default();
    let mut take = |ring: &mut Ring, tried: &mut Tried, asked: &Headers| {
        ring.take(asked, tried, Some(&whose), &mut mint)
    };
    assert_eq!(take(&mut ring, &mut tried, &ask("1", "")), Verdict::Answer);
    let first = signed(&mut ring);
    assert!(first[0].contains("nc=00000001"));
    assert_eq!(take(&mut ring, &mut tried, &ask("1", "")), Verdict::GiveUp, "the same nonce");
    assert_eq!(take(&mut ring, &mut tried, &ask("1", ", stale=true")), Verdict::GiveUp);
    assert_eq!(take(&mut ring, &mut tried, &ask("2", "")), Verdict::GiveUp, "the password is wrong");
    assert_eq!(take(&mut ring, &mut tried, &ask("2", ", stale=true")), Verdict::Answer);
    assert!(signed(&mut ring)[0].contains("nonce=\"2\""));
    // The next request carries the answer on its own, with the next count and the same cnonce.
    let again = signed(&mut ring);
    assert!(again[0].contains("nc=00000002"), "{again:?}");
    let mut tried = Tried::default();
    assert_eq!(take(&mut ring, &mut tried, &ask("3", "")), Verdict::Answer, "a nonce that was let go");
    // A server that is never content is given up.
    let rounds = (4..100).take_while(|nonce| {
        take(&mut ring, &mut tried, &ask(&nonce.to_string(), ", stale=true")) == Verdict::Answer
    });
    assert!(rounds.count() < 8);
}
