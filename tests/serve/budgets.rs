//! What a trunk has room for: calls at once, and starts a second.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::machine;
use crate::world::{AWAY, SLOW, SOON, WILLING, World};

/// A world whose trunk has these lines besides, and a second one, to which a route goes on, these.
fn world(first: &str, second: &str) -> World {
    let world = World::with("dialplan = \"plan.xml\"\ndefault_trunk = \"a\"", "");
    world.place.write(
        "plan.xml",
        "<dialplan version=\"1\" xmlns=\"urn:baton:dialplan:1\">\n<normalize to=\"e164\"/>\n\
         <context name=\"outbound\"><extension name=\"all\"><route>\n\
         <try trunk=\"a\"/><try trunk=\"b\"/><next-on codes=\"486 503\"/>\n\
         </route></extension></context></dialplan>\n",
    );
    settings(&world, first, second);
    world
}

fn settings(world: &World, first: &str, second: &str) {
    world.write_settings("");
    let text = world.place.read("baton.toml");
    let http = "[http]\n";
    let second = format!(
        "{first}\n[trunks.b]\naddress = \"127.0.0.1:{}\"\nring_timeout = \"60s\"\n{second}\n{http}",
        world.people_port
    );
    world.place.write("baton.toml", text.replace(http, &second));
}

fn place(world: &World, to: &str) -> (u16, Value) {
    let body = json!({"to": to, "questionnaire": "interop", "trunk": "a"});
    let answer = world.ask("POST", "/api/v1/calls").json(&body).send();
    (answer.status, answer.json())
}

fn metric(world: &World, sample: &str) -> Option<u64> {
    let text = world.ask("GET", "/metrics").send().text;
    text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' ')?.parse().ok())
}

/// When each INVITE came, in ms of the day.
fn invited(world: &World) -> Vec<u64> {
    let events = world.people_say();
    let times = events.iter().filter(|event| event["event"] == "invited").map(|event| {
        let (_, clock) = event["at"].as_str().unwrap().split_once('T').unwrap();
        let mut parts =
            clock.trim_end_matches('Z').split([':', '.']).map(|part| part.parse::<u64>().unwrap());
        let mut next = || parts.next().unwrap();
        ((next() * 60 + next()) * 60 + next()) * 1_000 + next()
    });
    times.collect()
}

#[test]
fn a_trunk_takes_as_many_calls_as_its_channels() {
    let mut world = world("channels = 2", "");
    world.start();
    let away: Vec<Value> = (0..2).map(|_| place(&world, AWAY).1).collect();
    away.iter().for_each(|call| drop(world.until_state(call["call_id"].as_str().unwrap(), "ringing")));
    let (status, refused) = place(&world, WILLING);
    assert_eq!((status, &refused["type"]), (503, &json!("urn:baton:problem:busy")), "{refused:#}");
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.contains("trunk `a` has 2 calls") && detail.contains("`channels`"), "{detail}");
    let sample = |name: &str| metric(&world, &format!("{name}{{trunk=\"a\"}}"));
    assert_eq!(
        ["baton_trunk_calls", "baton_trunk_channels", "baton_trunk_refused_total"].map(sample),
        [Some(2), Some(2), Some(1)]
    );
    assert_eq!(metric(&world, "baton_trunk_channels{trunk=\"b\"}"), None, "it has no limit");
    // They count on after a restart, and one that ends makes room.
    world.kill();
    world.start();
    assert_eq!(place(&world, WILLING).0, 503);
    let id = away[0]["call_id"].as_str().unwrap();
    world.ask("DELETE", &format!("/api/v1/calls/{id}")).send();
    world.until_state(id, "ended");
    let (status, call) = place(&world, WILLING);
    assert_eq!(status, 201, "{call:#}");
    world.until_state(call["call_id"].as_str().unwrap(), "ended");
    // A reload changes it for the next call.
    settings(&world, "channels = 1", "");
    world.signal(Signal::SIGHUP);
    let lowered = || metric(&world, "baton_trunk_channels{trunk=\"a\"}") == Some(1);
    assert!(machine::until(SOON, lowered), "{}", world.said());
    let (status, refused) = place(&world, WILLING);
    assert!(status == 503 && refused["detail"].as_str().unwrap().contains("has 1 calls"), "{refused:#}");
}

#[test]
fn starts_wait_for_their_turn_and_those_that_would_wait_too_long_are_refused() {
    let mut world = world("cps = 2", "");
    world.start();
    let began = Instant::now();
    let placed: Vec<(u16, Value)> = (0..14).map(|_| place(&world, AWAY)).collect();
    assert!(began.elapsed() < Duration::from_secs(3), "nobody who asks is kept waiting");
    let taken = placed.iter().filter(|(status, _)| *status == 201).count();
    assert!((11..=13).contains(&taken), "{taken} taken: two at once, two a second for 5 s");
    let (_, refused) = placed.iter().find(|(status, _)| *status == 503).expect("one is refused");
    assert!(refused["detail"].as_str().unwrap().contains("`cps`"), "{refused:#}");
    assert!(machine::until(SOON, || invited(&world).len() == taken), "{:?}", invited(&world));
    let times = invited(&world);
    // An INVITE leaves when its record is durable: a little after its turn.
    assert!(times.windows(3).all(|three| three[2] - three[0] >= 940), "more than two in a second: {times:?}");
    assert!(times[taken - 1] - times[0] < 7_000, "it is called as fast as it may be: {times:?}");
}

#[test]
fn a_trunk_without_room_is_passed_over() {
    let mut world = world("channels = 1", "channels = 1");
    world.start();
    let by_plan = |to: &str| {
        let body = json!({"to": to, "questionnaire": "interop"});
        world.ask("POST", "/api/v1/calls").json(&body).send()
    };
    let tries = |id: &str| {
        let ended = world.until_state(id, "ended");
        let tries = ended["result"]["tries"].as_array().unwrap().clone();
        tries
            .iter()
            .map(|one| format!("{} {}", one["trunk"], one["end"]).replace('"', ""))
            .collect::<Vec<_>>()
    };
    // At the start of a call: the first trunk is full, so the second carries it.
    let away = by_plan("+254730000001").json()["call_id"].as_str().unwrap().to_owned();
    world.until_state(&away, "ringing");
    let willing = by_plan("+254712345678").json()["call_id"].as_str().unwrap().to_owned();
    assert_eq!(tries(&willing), ["a closed", "b answered"]);
    world.ask("DELETE", &format!("/api/v1/calls/{away}")).send();
    assert_eq!(tries(&away), ["a stopped"]);
    // In the middle of one: its next trunk is full.
    let body = json!({"to": SLOW, "questionnaire": "interop", "trunk": "b"});
    let slow = world.ask("POST", "/api/v1/calls").json(&body).send().json();
    let slow = slow["call_id"].as_str().unwrap();
    world.until_state(slow, "ringing");
    let busy = by_plan("+254720000001").json()["call_id"].as_str().unwrap().to_owned();
    assert_eq!(tries(&busy), ["a refused", "b closed"]);
    world.until_state(slow, "ended");
    // And with room there.
    let busy = by_plan("+254720000002").json()["call_id"].as_str().unwrap().to_owned();
    assert_eq!(tries(&busy), ["a refused", "b refused"]);
    assert_eq!(metric(&world, "baton_trunk_calls{trunk=\"b\"}"), Some(0));
}
