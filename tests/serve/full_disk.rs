//! A disk that becomes full while people are on the phone: a real one, small, mounted for this test alone.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::process::Command;

use nix::mount::{MsFlags, mount};
use serde_json::{Value, json};

use crate::machine;
use crate::world::{AWAY, CALL, SLOW, SOON, WILLING, World};

/// Says that we are in a mount namespace of our own.
const INSIDE: &str = "BATON_TEST_MOUNTS";
/// A reserve that fits on the disk.
const SETTINGS: &str = "[journal]\nsegment = \"1MiB\"\nreserve = \"4MiB\"\n";
const FULL: &str = "the journal's disk is full";

/// Runs the test again where its mounts are nobody else's. True: this is that run.
fn alone(name: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let ran = Command::new(machine::program("unshare"))
        .args(["--mount", "--propagation", "private"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &format!("full_disk::{name}"), "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}\n{}", String::from_utf8_lossy(&ran.stdout));
    assert!(String::from_utf8_lossy(&ran.stdout).contains("1 passed"), "the test has another name");
    false
}

/// A world whose data stand on a disk of their own.
fn world() -> World {
    let world = World::with("", SETTINGS);
    let data = world.place.file("data");
    std::fs::create_dir(&data).unwrap();
    mount(Some("tmpfs"), &data, Some("tmpfs"), MsFlags::empty(), Some("size=16m,mode=0700")).unwrap();
    world
}

/// Fills the disk to its last byte, whoever else writes there at the same time.
fn fill(world: &World) {
    let mut options = OpenOptions::new();
    let mut file = options.create(true).append(true).open(world.place.file("data/filler")).unwrap();
    let mut bytes = vec![0x5A; 1 << 16];
    while !bytes.is_empty() {
        match file.write(&bytes) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::StorageFull => bytes.truncate(bytes.len() / 2),
            Err(error) => panic!("{error}"),
        }
    }
}

fn reasons(world: &World) -> Vec<String> {
    let reasons = world.ask("GET", "/readyz").send().json()["reasons"].clone();
    reasons.as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap().to_owned()).collect()
}

fn metric(world: &World, name: &str) -> u64 {
    let text = world.ask("GET", "/metrics").send().text;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
    value.unwrap_or_else(|| panic!("{name} in {text}"))
}

fn over(world: &World) -> usize {
    world.people_say().iter().filter(|event| event["event"] == "over").count()
}

#[track_caller]
fn complete(world: &World, id: &str, age: i64) {
    let ended = world.until_state(id, "ended");
    let responses = ended["result"]["responses"].as_array().unwrap();
    let values: Vec<&Value> = responses.iter().map(|response| &response["value"]).collect();
    assert_eq!((&ended["disposition"], values), (&json!("complete"), vec![&json!("yes"), &json!(age)]));
}

#[test]
fn running_calls_end_on_a_full_disk_and_new_ones_are_taken_when_there_is_room() {
    if !alone("running_calls_end_on_a_full_disk_and_new_ones_are_taken_when_there_is_room") {
        return;
    }
    let mut world = world();
    world.start();
    assert_eq!((metric(&world, "baton_journal_full"), reasons(&world)), (0, vec![]));
    assert_eq!(metric(&world, "baton_journal_reserve_bytes"), 4 << 20);
    let talking: Vec<String> = (0..3).map(|_| world.place_call(WILLING)).collect();
    let slow: Vec<String> = (0..2).map(|_| world.place_call(SLOW)).collect();
    let away = world.place_call(AWAY);
    talking.iter().for_each(|id| drop(world.until_state(id, "talking")));
    world.until_state(&away, "ringing");
    fill(&world);
    let full = || reasons(&world).first().is_some_and(|code| code == "disk-full");
    assert!(machine::until(SOON, full), "{}", world.said());
    assert_eq!(metric(&world, "baton_journal_full"), 1);
    let body = json!({"to": WILLING, "questionnaire": "interop", "trunk": "a"});
    let refused = world.ask("POST", "/api/v1/calls").json(&body).send();
    let problem = refused.problem(503, "disk-full");
    assert!(problem["detail"].as_str().unwrap().contains("make room"), "{problem:#}");
    assert!(refused.header("retry-after").is_some());
    // Nobody on the phone notices, though whatever is free for a moment is gone in the next.
    let ended = machine::until(CALL, || {
        fill(&world);
        over(&world) >= 5
    });
    assert!(ended, "{}\n{:?}", world.said(), world.people_say());
    assert!(metric(&world, "baton_journal_reserve_bytes") < 4 << 20, "the reserve was needed");
    assert!(!reasons(&world).contains(&"failed".to_owned()), "{}", world.said());
    assert_eq!(world.said().matches(FULL).count(), 1, "{}", world.said());
    // Room for a little is not room for calls.
    let filler = world.place.file("data/filler");
    let bytes = filler.metadata().unwrap().len();
    OpenOptions::new().write(true).open(&filler).unwrap().set_len(bytes - (1 << 20)).unwrap();
    talking.iter().for_each(|id| complete(&world, id, 37));
    slow.iter().for_each(|id| complete(&world, id, 42));
    assert_eq!(metric(&world, "baton_journal_full"), 1, "results find room before new calls do");
    std::fs::remove_file(&filler).unwrap();
    let ready = || world.ask("GET", "/readyz").send().status == 200;
    assert!(machine::until(SOON, ready), "{:?}\n{}", reasons(&world), world.said());
    assert!(world.said().contains("there is room on the journal's disk again"), "{}", world.said());
    assert!(metric(&world, "baton_journal_reserve_bytes") >= 4 << 20, "it is whole again");
    assert_eq!(world.call(&away)["state"], "ringing");
    let new = world.place_call(WILLING);
    complete(&world, &new, 37);
    assert_eq!(metric(&world, "baton_journal_failed_total"), 0);
}

#[test]
fn an_instance_that_dies_on_a_full_disk_goes_on_there() {
    if !alone("an_instance_that_dies_on_a_full_disk_goes_on_there") {
        return;
    }
    let mut world = world();
    world.start();
    let talking = world.place_call(WILLING);
    let (slow, away) = (world.place_call(SLOW), world.place_call(AWAY));
    world.until_state(&talking, "talking");
    world.until_state(&slow, "ringing");
    world.until_state(&away, "ringing");
    fill(&world);
    assert!(machine::until(CALL, || over(&world) >= 1), "{}", world.said());
    world.kill();
    fill(&world);
    world.start();
    assert_eq!(reasons(&world).first().unwrap(), "disk-full", "{}", world.said());
    assert_eq!(world.call(&away)["state"], "ringing", "the telephone rings on");
    assert!(machine::until(CALL, || over(&world) >= 2), "{}", world.said());
    std::fs::remove_file(world.place.file("data/filler")).unwrap();
    complete(&world, &talking, 37);
    complete(&world, &slow, 42);
    let ready = || world.ask("GET", "/readyz").send().status == 200;
    assert!(machine::until(SOON, ready), "{:?}\n{}", reasons(&world), world.said());
    let invited = world.people_say().iter().filter(|event| event["event"] == "invited").count();
    assert_eq!(invited, 3, "each was called once");
}
