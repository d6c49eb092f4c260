//! The API asked whatever its own document allows, and what it does not: schemathesis, by other hands than ours.

use std::process::Command;

use crate::machine;
use crate::world::World;

/// Requests of each operation. More of them find no more in a few minutes; by hand: `SCHEMATHESIS_EXAMPLES=2000`.
const EXAMPLES: &str = "60";

#[test]
fn no_request_is_a_fault_of_ours() {
    // Nobody lives at this trunk, so that whatever is dialled rings nowhere.
    let mut world = World::with("", "[limits]\ncalls = 20000");
    world.start();
    let examples = std::env::var("SCHEMATHESIS_EXAMPLES").unwrap_or_else(|_| EXAMPLES.to_owned());
    let url = format!("http://127.0.0.1:{}", world.port);
    let run = Command::new(machine::tool("schemathesis/bin/schemathesis"))
        .current_dir(world.place.path())
        .args(["run", &format!("{url}/api/v1/openapi.json"), "--url", &url, "--max-examples", &examples])
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
}
