//! SIGHUP while calls go on.

use nix::sys::signal::Signal;
use serde_json::json;

use crate::machine;
use crate::signal as sound;
use crate::world::{SLOW, SOON, WILLING, World};

#[track_caller]
fn reload(world: &World, times: usize) {
    world.signal(Signal::SIGHUP);
    let done = machine::until(SOON, || {
        let said = world.said();
        said.matches(" reloaded ").count() + said.matches("nothing is reloaded").count() == times
    });
    assert!(done, "{}", world.said());
}

#[test]
fn a_running_call_keeps_its_questionnaire_and_its_prompts() {
    let mut world = World::new();
    world.start();
    let digest =
        |world: &World| world.get("/api/v1/nodes")["nodes"][0]["questionnaires"][0]["digest"].clone();
    let first = digest(&world);
    let old = world.place_call(SLOW);
    world.until_state(&old, "talking");
    // Another prompt alone is another edition.
    sound::write_wav(&world.place.file("age.wav"), &sound::noise(99, 900));
    reload(&world, 1);
    let second = digest(&world);
    assert_ne!(first, second);
    let text = world.place.read("interop.xml");
    world.place.write("interop.xml", text.replace("version=\"7\"", "version=\"8\""));
    reload(&world, 2);
    let third = digest(&world);
    assert_ne!(second, third);
    // The people still recognise the prompts that they know: those of the running call.
    let old = world.until_state(&old, "ended");
    assert_eq!(
        (&old["disposition"], &old["result"]["questionnaire"]["version"]),
        (&json!("complete"), &json!("7")),
        "{old:#}"
    );
    assert_eq!(
        (&old["questionnaire"]["digest"], &old["result"]["questionnaire"]["digest"]),
        (&first, &first)
    );
    let new = world.place_call(WILLING);
    let new = world.call(&new);
    assert_eq!(new["questionnaire"]["digest"], third, "{new:#}");
    // What nobody needs any more is removed.
    reload(&world, 3);
    let kept = std::fs::read_dir(world.place.file("data/editions")).unwrap().count();
    assert_eq!(kept, 1);
}

#[test]
fn a_broken_file_changes_nothing() {
    let mut world = World::new();
    world.start();
    let good = world.place.read("interop.xml");
    world.place.write("interop.xml", good.replace("</section>", ""));
    reload(&world, 1);
    assert!(world.said().contains("interop.xml:"), "file, line and column are said:\n{}", world.said());
    world.place.write("interop.xml", &good);
    world.write_settings("[trunks.b]\naddress = \"nowhere\"");
    reload(&world, 2);
    assert!(world.said().contains("baton.toml:"), "{}", world.said());
    let id = world.place_call(WILLING);
    assert_eq!(world.until_state(&id, "ended")["disposition"], "complete");
}

#[test]
fn trunks_are_reloaded_and_what_needs_a_restart_is_said() {
    let mut world = World::new();
    world.start();
    let port = world.people_port;
    world.write_settings(&format!(
        "[trunks.b]\naddress = \"127.0.0.1:{port}\"\n[limits]\ncalls = 7\n[http.tokens]\nops = \"sha256:{}\"",
        "0".repeat(64)
    ));
    let body = json!({"to": WILLING, "questionnaire": "interop", "trunk": "b"});
    world.ask("POST", "/api/v1/calls").json(&body).send().problem(422, "invalid");
    reload(&world, 1);
    assert!(
        world.said().contains("[limits] has changed; it holds from the next start on"),
        "{}",
        world.said()
    );
    world.ask("POST", "/api/v1/calls").json(&body).send().problem(401, "unauthorized");
    world.write_settings(&format!("[trunks.b]\naddress = \"127.0.0.1:{port}\""));
    reload(&world, 2);
    let answer = world.ask("POST", "/api/v1/calls").json(&body).send();
    assert_eq!(answer.status, 201, "{answer:?}");
    let id = answer.json()["call_id"].as_str().unwrap().to_owned();
    assert_eq!(world.until_state(&id, "ended")["result"]["trunk"], "b");
}
