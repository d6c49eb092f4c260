//! What is refused, and how: each problem with its status, its word and its places.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::machine;
use crate::world::{Answer, BUSY, World};

fn pointers(problem: &Value, place: &str) -> Vec<String> {
    let errors = problem["errors"].as_array().unwrap();
    assert!(errors.iter().all(|error| error["detail"].as_str().is_some_and(|detail| !detail.is_empty())));
    errors.iter().map(|error| error[place].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_mistake_has_its_problem() {
    let mut world = World::new();
    world.start();
    let post = || world.ask("POST", "/api/v1/calls");
    let good = json!({"to": BUSY, "questionnaire": "interop"});
    world.ask("GET", "/nowhere").send().problem(404, "not-found");
    world.ask("GET", "/api/v1/calls/0000000000000000").send().problem(404, "not-found");
    world.ask("GET", "/api/v1/calls/%FF").send().problem(404, "not-found");
    world.ask("DELETE", "/api/v1/calls/nonsense").send().problem(404, "not-found");
    let refused = world.ask("PUT", "/api/v1/calls").send();
    refused.problem(405, "method-not-allowed");
    let allowed = refused.header("allow").unwrap();
    assert!(allowed.contains("GET") && allowed.contains("POST"), "{allowed}");
    post()
        .header("content-type", "text/plain")
        .body(good.to_string())
        .send()
        .problem(415, "unsupported-media-type");
    post().json(&good).header("content-type", "application/json; charset=utf-8").send();
    post().json(&json!({"to": "x".repeat(70_000)})).send().problem(413, "too-large");
    let broken = post().json(&good).body("{\"to\": ").send().problem(400, "bad-request");
    assert!(broken["detail"].as_str().unwrap().contains("line 1"), "{broken}");
    post().json(&good).header("idempotency-key", "\"a\"b\"").send().problem(400, "bad-request");
    let many = json!({"too": "1", "fields": {"a/b": []}, "ring_timeout": "5m", "caller_id": "me"});
    let many = post().json(&many).send().problem(422, "invalid");
    assert_eq!(
        pointers(&many, "pointer"),
        ["/too", "/to", "/questionnaire", "/fields/a~1b", "/caller_id", "/ring_timeout"]
    );
    let of = |body: Value| pointers(&post().json(&body).send().problem(422, "invalid"), "pointer");
    assert_eq!(of(json!({"to": BUSY, "questionnaire": "interopp"})), ["/questionnaire"]);
    assert_eq!(of(json!({"to": BUSY, "questionnaire": "interop", "trunk": "b"})), ["/trunk"]);
    assert_eq!(of(json!({"to": "112", "questionnaire": "interop"})), ["/to"], "an emergency number");
    assert_eq!(of(json!({"to": "sip:911@192.0.2.1", "questionnaire": "interop"})), ["/to"]);
    assert_eq!(of(json!({"to": "bob", "questionnaire": "interop"})), ["/to"]);
    assert_eq!(of(json!({"to": "http://x", "questionnaire": "interop"})), ["/to"]);
    assert_eq!(of(json!({"to": BUSY, "questionnaire": "interop", "fields": {"x": "1"}})), ["/fields/x"]);
    let query = world.ask("GET", "/api/v1/calls?limit=0&before=x&state=sleeping&order=up").send();
    let query = query.problem(400, "bad-request");
    assert_eq!(pointers(&query, "parameter"), ["limit", "before", "state", "order"]);
    world.ask("GET", "/api/v1/calls?state=open&disposition=busy").send().problem(400, "bad-request");
    world.ask("GET", "/api/v1/calls?state=%FF").send().problem(400, "bad-request");
    assert_eq!(world.get("/api/v1/calls")["calls"].as_array().unwrap().len(), 1, "one was right");
}

#[test]
fn a_name_that_leads_here_is_not_this_machine() {
    let mut world = World::new();
    world.start();
    let ask = |host: &str| world.ask("GET", "/api/v1/calls").header("host", host).send();
    ask("evil.example").problem(421, "misdirected");
    ask(&format!("127.0.0.1.evil.example:{}", world.port)).problem(421, "misdirected");
    assert_eq!(ask(&format!("localhost:{}", world.port)).status, 200);
    let page = world.ask("GET", "/api/v1/calls").header("origin", "https://evil.example").send();
    assert_eq!(page.header("access-control-allow-origin"), None);
}

#[test]
fn a_token_is_needed_where_there_are_tokens() {
    let made = std::process::Command::new(env!("CARGO_BIN_EXE_baton"))
        .args(["token", "new", "ops"])
        .output()
        .unwrap();
    let token = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    let said = String::from_utf8(made.stderr).unwrap();
    let line = said.lines().find(|line| line.starts_with("ops = ")).unwrap();
    assert!(token.starts_with("baton_") && !said.contains(&token), "the token is on stdout alone");
    let mut world = World::with("", &format!("[http.tokens]\n{line}"));
    world.start();
    let refused = world.ask("GET", "/api/v1/calls").send();
    refused.problem(401, "unauthorized");
    assert!(refused.header("www-authenticate").unwrap().starts_with("Bearer"));
    let with = |right: &str| world.ask("GET", "/metrics").header("authorization", right).send().status;
    assert_eq!(
        [with(&format!("Bearer {token}")), with("Bearer baton_00"), with(&format!("Basic {token}"))],
        [200, 401, 401]
    );
    let open: Vec<Answer> = ["/healthz", "/readyz"].map(|path| world.ask("GET", path).send()).into();
    assert!(open.iter().all(|answer| answer.status == 200), "{open:?}");
    let named = world.ask("GET", "/api/v1/calls").header("host", "gateway.example");
    assert_eq!(
        named.header("authorization", &format!("Bearer {token}")).send().status,
        200,
        "a proxy's name"
    );
    assert!(!world.said().contains(&token));
    world.token = Some(token);
    let id = world.place_call(BUSY);
    world.until_state(&id, "ended");
}

#[test]
fn beyond_loopback_nothing_starts_without_a_token() {
    let mut world = World::new();
    let text =
        world.place.read("baton.toml").replace("[http]\nlisten = \"127.0.0.1", "[http]\nlisten = \"0.0.0.0");
    world.place.write("baton.toml", text);
    world.spawn();
    let status = world.wait(Duration::from_secs(10));
    assert_eq!(status.code(), Some(2));
    let said = world.said();
    assert!(said.contains("baton.toml:") && said.contains("baton token new"), "{said}");
}

/// A client that dawdles holds its connection, and nobody else's.
#[test]
fn who_is_slow_does_not_hold_up_others() {
    let mut world = World::new();
    world.start();
    let mut slow: Vec<TcpStream> = (0..40)
        .map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", world.port)).unwrap();
            stream.write_all(b"GET /healthz HT").unwrap();
            stream
        })
        .collect();
    let mut body = TcpStream::connect(("127.0.0.1", world.port)).unwrap();
    let head = "POST /api/v1/calls HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{";
    body.write_all(head.as_bytes()).unwrap();
    assert_eq!(world.ask("GET", "/healthz").send().status, 200);
    body.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
    let mut answer = vec![0; 500];
    let read = body.read(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("urn:baton:problem:timeout"), "{answer}");
    let ended = machine::until(Duration::from_secs(15), || {
        slow.retain_mut(|stream| {
            stream.set_nonblocking(true).unwrap();
            // Nothing to read yet: it is still open.
            stream.read(&mut [0; 500]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
        });
        slow.is_empty()
    });
    assert!(ended, "{} connections that send nothing are still open", slow.len());
}
