//! `baton place`, `calls`, `node` as a person at the instance uses them.

use std::process::{Command, Output};

use serde_json::Value;

use crate::world::{AWAY, BUSY, WILLING, World};

fn baton(world: &World, arguments: &[&str]) -> Output {
    let url = format!("http://127.0.0.1:{}", world.port);
    Command::new(env!("CARGO_BIN_EXE_baton")).args(arguments).env("BATON_URL", url).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn calls_are_placed_seen_and_ended_from_the_command_line() {
    let mut world = World::new();
    world.start();
    let complete = baton(&world, &["place", WILLING, "--questionnaire", "interop", "--wait", "--json"]);
    assert_eq!(complete.status.code(), Some(0), "{}", text(&complete.stderr));
    let call: Value = serde_json::from_slice(&complete.stdout).unwrap();
    assert_eq!(call["result"]["responses"][1]["value"], 37, "{call:#}");
    let busy = baton(&world, &["place", BUSY, "--questionnaire", "interop", "--trunk", "a", "--wait"]);
    assert_eq!((busy.status.code(), text(&busy.stdout)), (Some(1), "busy\n"));
    let away = baton(&world, &["place", AWAY, "--questionnaire", "interop", "--key", "one"]);
    let id = text(&away.stdout).trim().to_owned();
    let again = baton(&world, &["place", AWAY, "--questionnaire", "interop", "--key", "one"]);
    assert_eq!(text(&again.stdout).trim(), id);
    world.until_state(&id, "ringing");
    let listed = baton(&world, &["calls", "--state", "ringing"]);
    let listed = text(&listed.stdout);
    assert!(listed.lines().count() == 2 && listed.starts_with("CALL") && listed.contains(&id), "{listed}");
    assert_eq!(baton(&world, &["calls", &id, "--hang-up"]).status.code(), Some(0));
    world.until_state(&id, "ended");
    assert_eq!(baton(&world, &["calls", &id, "--hang-up"]).status.code(), Some(1));
    let lines = baton(&world, &["calls", "--limit", "2", "--json"]);
    let lines: Vec<Value> =
        text(&lines.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), &lines[0]["call_id"]), (2, &Value::from(id)));
    let node = baton(&world, &["node", "list"]);
    assert_eq!(node.status.code(), Some(0));
    assert!(text(&node.stdout).contains("ready"), "{}", text(&node.stdout));
    let wrong = baton(&world, &["place", "112", "--questionnaire", "intero"]);
    let said = text(&wrong.stderr);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(
        said.contains("/to: ") && said.contains("/questionnaire: ") && said.contains("interop"),
        "{said}"
    );
    world.kill();
    let nobody = baton(&world, &["node", "list"]);
    assert_eq!(nobody.status.code(), Some(3));
    assert!(text(&nobody.stderr).contains("is `baton serve` running there?"), "{}", text(&nobody.stderr));
}

/// What systemd does not know it ignores, and says so: a restart limit in the wrong section was no limit.
#[test]
fn systemd_understands_every_line_of_the_unit() {
    let place = crate::machine::Place::new();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let unit = std::fs::read_to_string(root.join("docs/baton.service")).unwrap();
    let unit = unit.replace("/usr/local/bin/baton", env!("CARGO_BIN_EXE_baton"));
    let file = place.write("baton.service", unit);
    let verified =
        Command::new(crate::machine::program("systemd-analyze")).arg("verify").arg(file).output().unwrap();
    assert!(verified.status.success() && verified.stderr.is_empty(), "{}", text(&verified.stderr));
}
