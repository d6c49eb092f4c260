//! `kill -9`, and the next process goes on with the people on the phone.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::machine;
use crate::signal as sound;
use crate::world::{AWAY, SLOW, SOON, WILLING, World};

/// What each call came to: disposition, and the replies.
fn outcome(call: &Value) -> (Value, Vec<Value>) {
    let responses = call["result"]["responses"].as_array().unwrap();
    (call["disposition"].clone(), responses.iter().map(|response| response["value"].clone()).collect())
}

#[test]
fn calls_go_on_after_kill_9() {
    let mut world = World::new();
    world.start();
    let talking: Vec<String> = (0..4).map(|_| world.place_call(WILLING)).collect();
    for id in &talking {
        world.until_state(id, "talking");
    }
    let (ringing, away) = (world.place_call(SLOW), world.place_call(AWAY));
    world.until_state(&ringing, "ringing");
    world.until_state(&away, "ringing");
    world.kill();
    world.start();
    assert_eq!(world.call(&away)["state"], "ringing", "the telephone rings on");
    for id in &talking {
        let ended = world.until_state(id, "ended");
        assert_eq!(outcome(&ended), (json!("complete"), vec![json!("yes"), json!(37)]), "{ended:#}");
    }
    let answered = world.until_state(&ringing, "ended");
    assert_eq!(outcome(&answered), (json!("complete"), vec![json!("yes"), json!(42)]), "{answered:#}");
    assert_eq!(world.ask("DELETE", &format!("/api/v1/calls/{away}")).send().status, 202);
    assert_eq!(world.until_state(&away, "ended")["disposition"], "not_attempted");
    assert_eq!(world.get("/api/v1/calls")["calls"].as_array().unwrap().len(), 6);
    // Each was called once, moved nowhere, and heard one stream.
    let events = world.people_say();
    let of = |name: &str| events.iter().filter(|event| event["event"] == name).collect::<Vec<_>>();
    assert_eq!((of("invited").len(), of("moved").len()), (6, 0), "{events:?}");
    let over = of("over");
    let heard: Vec<&Value> =
        over.iter().map(|event| &event["stream"]).filter(|it| it["packets"] != 0).collect();
    assert_eq!(heard.len(), 5, "{events:?}");
    let unbroken = |it: &&Value| {
        it["ssrcs"].as_array().is_some_and(|ssrcs| ssrcs.len() == 1)
            && it["overlaps"] == 0
            && it["timestamp_faults"] == 0
    };
    assert!(heard.iter().all(unbroken), "{heard:?}");
}

/// The file on disk is another one when the next process starts: the call asks on as it began.
#[test]
fn a_call_goes_on_with_its_edition_after_kill_9() {
    let mut world = World::new();
    world.start();
    let id = world.place_call(SLOW);
    world.until_state(&id, "talking");
    let began = world.call(&id)["questionnaire"]["digest"].clone();
    sound::write_wav(&world.place.file("age.wav"), &sound::noise(98, 900));
    let text = world.place.read("interop.xml").replace("version=\"7\"", "version=\"9\"");
    world.place.write("interop.xml", text.replace("max=\"110\"", "max=\"20\""));
    world.kill();
    world.start();
    let node = world.get("/api/v1/nodes")["nodes"][0]["questionnaires"][0].clone();
    assert_eq!(node["version"], "9");
    let ended = world.until_state(&id, "ended");
    // 42 is no answer to the new one, and the people do not know its prompt.
    assert_eq!(outcome(&ended), (json!("complete"), vec![json!("yes"), json!(42)]), "{ended:#}");
    assert_eq!(
        (&ended["result"]["questionnaire"]["digest"], &ended["result"]["questionnaire"]["version"]),
        (&began, &json!("7"))
    );
    world.signal(Signal::SIGHUP);
    let kept = || std::fs::read_dir(world.place.file("data/editions")).unwrap().count();
    let removed = machine::until(SOON, || kept() == 2 || kept() == 1);
    assert!(removed, "{} editions are kept", kept());
}
