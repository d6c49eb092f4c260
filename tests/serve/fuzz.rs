//! The API asked whatever its own document allows, and what it does not: schemathesis, by other hands than ours.

use std::process::Command;

use serde_json::{Value, json};

use crate::machine;
use crate::world::World;

/// Requests of each operation. More of them find no more in a few minutes; by hand: `SCHEMATHESIS_EXAMPLES=2000`.
const EXAMPLES: &str = "60";

#[test]
fn no_request_is_a_fault_of_ours() {
    let mut world = World::with("", "[limits]\ncalls = 20000");
    // Ports rest for a while after a call, and there will be many.
    let text = world.place.read("baton.toml");
    let ports = format!("ports = \"{}-{}\"", world.port, world.port + 29);
    assert!(text.contains(&ports), "{text}");
    world.place.write("baton.toml", text.replace(&ports, "ports = \"16384-32767\""));
    world.start();
    let examples = std::env::var("SCHEMATHESIS_EXAMPLES").unwrap_or_else(|_| EXAMPLES.to_owned());
    let url = format!("http://127.0.0.1:{}", world.port);
    world.place.write("openapi.json", narrowed(world.get("/api/v1/openapi.json")).to_string());
    let run = Command::new(machine::tool("schemathesis/bin/schemathesis"))
        .current_dir(world.place.path())
        .args(["run", "openapi.json", "--url", &url, "--max-examples", &examples])
        .args([
            "--checks",
            "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
        ])
        .args(["--seed", "5", "--no-color", "--request-timeout", "20"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{said}\n{}", world.said());
    assert_eq!(world.ask("GET", "/healthz").send().status, 200);
    assert!(!world.said().contains("panicked"), "{}", world.said());
    let metrics = world.ask("GET", "/metrics").send().text;
    let ended = metrics.lines().find_map(|line| line.strip_prefix("baton_calls_accepted_total ")).unwrap();
    // Whole requests are few among what is generated, but there are some.
    assert!(ended.parse::<u32>().unwrap() >= 3, "calls were placed: {ended}\n{said}");
}

/// The same document, with words that mean something to this instance in place of any text: else hardly a request
/// would get past the names.
fn narrowed(mut document: Value) -> Value {
    let request = &mut document["components"]["schemas"]["CallRequest"];
    let words = |words: &[&str]| json!({"type": "string", "enum": words});
    request["properties"]["questionnaire"] = words(&["interop", "nobody"]);
    request["properties"]["to"] = words(&["486", "+486", "112", "sip:486@127.0.0.1", "somebody"]);
    for (name, words) in [
        ("trunk", ["a", "b"]),
        ("context", ["outbound", "nowhere"]),
        ("caller_id", ["+254200000101", "me"]),
        ("ring_timeout", ["5s", "5m"]),
        ("post_dial", ["ww12", "x"]),
        ("case", ["a", "b/c"]),
    ] {
        let [good, other] = words;
        request["properties"][name] = json!({"type": ["string", "null"], "enum": [good, null, other]});
    }
    request["properties"]["fields"] = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let case = &mut document["paths"]["/api/v1/cases/{case}"]["get"]["parameters"][0];
    assert_eq!(case["name"], "case");
    case["schema"] = words(&["a", "b/c", "d"]);
    document
}
