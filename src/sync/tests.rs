//! Members in a seeded world: an engine, links and clocks that fail, and a judge who knows who really sends. Calls are
//! names here, and every mirror holds every record at once: streams and their losses are not part of this world yet.
//!
//! `BATON_SYNC_SEED=17 cargo test --lib sync::tests` runs one world with its log, `BATON_SYNC_SEEDS=100000` that many.

mod world;

use world::{Scenario, Switch, run};

/// Worlds of the ordinary test: a debug build lives through ten a second.
const SEEDS: u64 = 200;
/// What is broken on purpose must be found within so many.
const FOUND_WITHIN: u64 = 300;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

#[test]
fn no_two_send_and_no_call_is_left() {
    if let Some(seed) = number("BATON_SYNC_SEED") {
        let ran = run(&Scenario::of(seed), Switch::Whole, true);
        println!("{:#?}\n{}", Scenario::of(seed), ran.log.join("\n"));
        assert_eq!(ran.wrong, None);
        return;
    }
    let (mut claims, mut rejoins, mut taken) = (0, 0, 0);
    let seeds = number("BATON_SYNC_SEEDS").unwrap_or(SEEDS);
    for seed in 0..seeds {
        let ran = run(&Scenario::of(seed), Switch::Whole, false);
        if let Some(wrong) = ran.wrong {
            let small = Scenario::of(seed).smallest(|one| run(one, Switch::Whole, false).wrong.is_some());
            let log = run(&small, Switch::Whole, true).log.join("\n");
            panic!(
                "seed {seed}: {wrong}\n{log}\n{small:#?}\nBATON_SYNC_SEED={seed} cargo test --lib sync::tests"
            );
        }
        claims += ran.claims;
        rejoins += ran.rejoins;
        taken += ran.taken;
    }
    println!("{seeds} worlds: {claims} claims, {rejoins} came back by themselves, {taken} calls taken over");
    assert!(
        claims > seeds / 4 && rejoins > seeds / 20 && taken > seeds,
        "nothing is shown by worlds where nothing happens"
    );
}

#[test]
fn whatever_is_broken_on_purpose_is_noticed() {
    for switch in [Switch::SpeaksOn, Switch::NeverTakesOver] {
        let found = (0..FOUND_WITHIN).find_map(|seed| run(&Scenario::of(seed), switch, false).wrong);
        println!("{switch:?}: {}", found.unwrap_or_else(|| panic!("{switch:?} was not noticed")));
    }
}

#[test]
fn a_seed_is_the_same_world_each_time() {
    for seed in 0..5 {
        let log = || run(&Scenario::of(seed), Switch::Whole, true).log;
        assert_eq!(log(), log(), "seed {seed}");
    }
}
