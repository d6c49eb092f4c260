//! `kill -9` again and again at random moments, also while it starts; what the telephones noted is the judge.
//!
//! ```console
//! $ BATON_CRASH_ROUNDS=100 BATON_CRASH_SEED=7 cargo test --test serve rounds
//! ```

use std::time::Duration;

use serde_json::Value;

use crate::world::{SLOW, WILLING, World};

/// Rounds if nobody says how many.
const ROUNDS: u64 = 5;
/// Calls that are open at once at most: the test's instance has ports for fifteen.
const MOST_OPEN: usize = 8;
/// How long the instance lives at most.
const LIFE_MS: u64 = 5_000;
/// One of so many starts is killed before it is ready.
const STILLBORN: u64 = 4;
/// How long such a one lives at most.
const START_MS: u64 = 250;

fn from_env(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// Numbers that look random, the same for the same seed (splitmix64).
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn pause(&mut self, at_most_ms: u64) {
        std::thread::sleep(Duration::from_millis(self.below(at_most_ms)));
    }
}

#[test]
fn no_crash_loses_alters_or_doubles_anything() {
    let (rounds, seed) = (from_env("BATON_CRASH_ROUNDS", ROUNDS), from_env("BATON_CRASH_SEED", 1));
    eprintln!("{rounds} rounds of seed {seed}");
    let mut draw = Draw(seed);
    let mut world = World::new();
    world.start();
    let mut calls = Vec::new();
    for _ in 0..rounds {
        let open = world.get("/api/v1/calls?state=open")["calls"].as_array().unwrap().len();
        for _ in open..MOST_OPEN.min(open + 3) {
            let to = if draw.below(3) == 0 { SLOW } else { WILLING };
            calls.push((world.place_call(to), if to == SLOW { 42 } else { 37 }));
        }
        draw.pause(LIFE_MS);
        world.kill();
        while draw.below(STILLBORN) == 0 {
            world.spawn();
            draw.pause(START_MS);
            world.kill();
        }
        world.start();
    }
    for (id, _) in &calls {
        world.until_state(id, "ended");
    }
    let events = world.people_say();
    let mut complete = 0;
    for (id, age) in &calls {
        let call = world.call(id);
        judge(&call, *age, &events, seed);
        complete += u64::from(call["disposition"] == "complete");
    }
    let total = u64::try_from(calls.len()).unwrap();
    eprintln!("{total} calls, {complete} of them complete");
    // Whose keys were lost in two crashes in a row has not answered twice; most answer.
    assert!(complete * 2 > total, "seed {seed}: {complete} of {total} calls are complete");
}

/// One call, as its telephone noted it, against its result.
#[track_caller]
fn judge(call: &Value, age: u64, events: &[Value], seed: u64) {
    let id = call["call_id"].as_str().unwrap();
    let mine = |event: &&Value| event["call"].as_str().is_some_and(|call| call.starts_with(id));
    let noted: Vec<&Value> = events.iter().filter(mine).collect();
    let why = || format!("seed {seed}: {call:#}\n{noted:#?}");
    let of = |name: &'static str| noted.iter().filter(move |event| event["event"] == name);
    assert_eq!((of("invited").count(), of("moved").count(), of("over").count()), (1, 0, 1), "{}", why());
    // One stream of one sender.
    let stream = &of("over").next().unwrap()["stream"];
    if stream["packets"] != 0 {
        assert_eq!(stream["ssrcs"].as_array().unwrap().len(), 1, "{}", why());
        assert_eq!(stream["sources"].as_array().unwrap().len(), 1, "{}", why());
    }
    for fault in ["overlaps", "duplicates", "late", "timestamp_faults"] {
        assert_eq!(stream[fault], 0, "{fault}; {}", why());
    }
    // What was answered is what was keyed; and who heard what comes next has answered what was before.
    let reply = |question: &str| {
        let responses = call["result"]["responses"].as_array().unwrap();
        responses.iter().find(|response| response["question"] == question).unwrap()["value"].clone()
    };
    let heard = |item: &str| of("began").any(|event| event["item"] == item);
    let (consent, said) = (reply("consent"), reply("age"));
    assert!(consent.is_null() || consent == "yes", "{}", why());
    assert!(said.is_null() || said == age, "{}", why());
    assert!(!heard("age") || consent == "yes", "a reply was lost; {}", why());
    let complete = call["disposition"] == "complete";
    assert!(!heard("done") || (said == age && complete), "a reply was lost; {}", why());
    assert!(complete || call["disposition"] == "break_off", "{}", why());
}
