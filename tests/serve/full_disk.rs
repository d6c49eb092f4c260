//! A disk that becomes full while people are on the phone: a real one, small, mounted for this test alone.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::process::Command;

use nix::mount::{MsFlags, mount};
use serde_json::{Value, json};

use crate::machine;
use crate::world::{AWAY, CALL, SLOW, SOON, SPEAKS, WILLING, World};

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
    disk(&world, "data", "16m");
    world
}

/// Puts a small disk there.
fn disk(world: &World, dir: &str, size: &str) {
    let dir = world.place.file(dir);
    std::fs::create_dir(&dir).unwrap();
    let options = format!("size={size},mode=0700");
    mount(Some("tmpfs"), &dir, Some("tmpfs"), MsFlags::empty(), Some(options.as_str())).unwrap();
}

/// Fills the disk to its last byte, whoever else writes there at the same time.
fn fill(world: &World) {
    fill_up(world, "data/filler");
}

fn fill_up(world: &World, filler: &str) {
    let mut options = OpenOptions::new();
    let mut file = options.create(true).append(true).open(world.place.file(filler)).unwrap();
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

const RECORDS: &str = r##"<questionnaire id="voices" version="1" languages="en" xmlns="urn:baton:questionnaire:1">
  <retry id="short" wait="4s" no-input="0" no-match="0" then="skip"/>
  <section id="all">
    <record id="message" max="30s" silence-end="2s" retry="short">
      <say lang="en" audio="hello.wav">Please speak.</say>
    </record>
  </section>
  <end id="done" outcome="complete"><say lang="en" audio="done.wav">Goodbye.</say></end>
</questionnaire>
"##;

/// The take of a call that ended as it should.
#[track_caller]
fn take(world: &World, id: &str) -> Value {
    let ended = world.until_state(id, "ended");
    assert_eq!(ended["disposition"], "complete", "{ended:#}");
    let takes = ended["result"]["recordings"].as_array().unwrap();
    assert_eq!(takes.len(), 1, "{ended:#}");
    takes[0].clone()
}

fn files(world: &World, ending: &str) -> Vec<String> {
    let all = std::fs::read_dir(world.place.file("voices")).unwrap();
    let names = all.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(ending)).collect()
}

#[test]
fn recordings_fail_on_a_full_disk_and_the_interviews_go_on() {
    if !alone("recordings_fail_on_a_full_disk_and_the_interviews_go_on") {
        return;
    }
    let mut world = World::with("", "[recordings]\ndir = \"voices\"");
    world.place.write("voices.xml", RECORDS);
    let settings =
        world.place.read("baton.toml").replace("\"interop.xml\"", "\"interop.xml\", \"voices.xml\"");
    world.place.write("baton.toml", settings);
    disk(&world, "voices", "1m");
    world.start();
    let place = || {
        let body = json!({"to": SPEAKS, "questionnaire": "voices", "trunk": "a"});
        let answer = world.ask("POST", "/api/v1/calls").json(&body).send();
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["call_id"].as_str().unwrap().to_owned()
    };
    // One that ends before the disk is full, one that is spoken meanwhile, one that is asked then.
    let first = take(&world, &place());
    assert_eq!((&first["ended_by"], &first["fault"]), (&json!("silence"), &Value::Null), "{first:#}");
    let before = std::fs::read(world.place.file("voices").join(first["file"].as_str().unwrap())).unwrap();
    let second = place();
    assert!(machine::until(CALL, || !files(&world, ".take").is_empty()), "{}", world.said());
    std::thread::sleep(std::time::Duration::from_millis(2_500)); // a chunk of 2 s is on disk
    fill_up(&world, "voices/filler");
    let third = place();
    for id in [&second, &third] {
        let failed = take(&world, id);
        assert_eq!((&failed["ended_by"], &failed["file"]), (&json!("fault"), &Value::Null), "{failed:#}");
        assert!(failed["fault"].as_str().unwrap().contains("No space left"), "{failed:#}");
        let kept = failed["duration_ms"].as_u64().unwrap();
        assert!(if id == &second { kept >= 2_000 } else { kept == 0 }, "{failed:#}");
    }
    let said = world.said();
    assert_eq!(said.matches("a recording cannot be stored; look after its disk").count(), 2, "{said}");
    assert_eq!(metric(&world, "baton_faults_total{kind=\"recording\",reason=\"unstored\"}"), 2);
    assert_eq!(reasons(&world), Vec::<String>::new(), "calls are taken as before");
    // Room again: the next one is kept, the earlier one is as it was, and what was stored of the second becomes a file.
    std::fs::remove_file(world.place.file("voices/filler")).unwrap();
    let fourth = take(&world, &place());
    assert_eq!((&fourth["ended_by"], &fourth["fault"]), (&json!("silence"), &Value::Null), "{fourth:#}");
    assert_eq!(
        std::fs::read(world.place.file("voices").join(first["file"].as_str().unwrap())).unwrap(),
        before
    );
    assert_eq!(files(&world, ".take"), [format!("{second}-message-0.take")]);
    // Once nothing is owed to its peer any more; a call that the journal still holds is left alone.
    assert!(machine::until(CALL, || metric(&world, "baton_node_calls_held") == 0), "{}", world.said());
    world.kill();
    world.start();
    assert!(machine::until(SOON, || files(&world, ".take").is_empty()), "{}", world.said());
    let rest = std::fs::metadata(world.place.file(&format!("voices/{second}-message-0.wav"))).unwrap().len();
    assert!(rest >= 32_000, "{rest} bytes of two seconds");
}
