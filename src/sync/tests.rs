//! Members in a seeded world: their saves and mirrors, an engine, links and clocks that fail, and a judge who knows what
//! really was sent.
//!
//! `BATON_SYNC_SEED=17 cargo test --lib sync::tests` runs one world with its log, `BATON_SYNC_SEEDS=100000` that many.

mod schedules;
mod world;

use std::collections::BTreeMap;

use world::{Scenario, Switch, run};

/// Worlds of the ordinary test.
const SEEDS: u64 = 80;
/// Worlds in which everything must have happened.
const MANY: u64 = 3_000;
/// What is broken on purpose must be found within so many.
const FOUND_WITHIN: u64 = 40;
/// What must have happened in the worlds of the ordinary test.
const OFTEN: [&str; 33] = [
    "broken link",
    "claim",
    "claim by a witness",
    "cut",
    "cut of datagrams",
    "cut of links",
    "death of one with calls",
    "drift",
    "engine away",
    "engine ill for one",
    "engine slow",
    "fenced",
    "goes on as the next",
    "hang",
    "host dead",
    "journal alone",
    "kill",
    "lost claim",
    "no start on the journal alone",
    "pause",
    "pull",
    "rejoin",
    "released",
    "silenced",
    "snapshot to one that restarted",
    "stale claim",
    "stuck link",
    "taken over",
    "terms changed",
    "unsealed",
    "voters changed",
    "waits for the right",
    "won and not told",
];
/// And in many.
const SELDOM: [&str; 15] = [
    "an heir was just claimed",
    "death during a takeover",
    "engine late",
    "engine mute",
    "engine refuses",
    "flap",
    "inherited more later",
    "inherited over another",
    "inherited over two",
    "reported lost",
    "stale loss",
    "taken as stale",
    "taken over a chain",
    "waits for a copy",
    "waits for its journal",
];

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// Runs as many of these worlds as the environment wants; how many that were, and what happened in them. `None`: it
/// wanted one alone, with its log.
fn every(of: impl Fn(u64) -> Scenario) -> Option<(u64, BTreeMap<&'static str, u64>)> {
    if let Some(seed) = number("BATON_SYNC_SEED") {
        let ran = run(&of(seed), Switch::Whole, true);
        println!("{:#?}\n{}", of(seed), ran.log.unwrap_or_default().join("\n"));
        assert_eq!(ran.judge.wrong, None);
        return None;
    }
    let mut cover: BTreeMap<&'static str, u64> = BTreeMap::new();
    let seeds = number("BATON_SYNC_SEEDS").unwrap_or(SEEDS);
    let first = number("BATON_SYNC_FIRST").unwrap_or(0);
    for seed in first..first + seeds {
        let ran = run(&of(seed), Switch::Whole, false);
        if let Some(wrong) = ran.judge.wrong {
            let is_wrong = |one: &Scenario| run(one, Switch::Whole, false).judge.wrong.is_some();
            let small = of(seed).smallest(is_wrong);
            let log = run(&small, Switch::Whole, true).log.unwrap_or_default().join("\n");
            panic!(
                "seed {seed}: {wrong}\n{log}\n{small:#?}\nBATON_SYNC_SEED={seed} cargo test --lib sync::tests"
            );
        }
        for (what, count) in ran.judge.cover {
            *cover.entry(what).or_default() += count;
        }
    }
    println!("{seeds} worlds: {cover:#?}");
    Some((seeds, cover))
}

/// What is to be shown has happened in as many worlds as that takes: the first in those of each run, the others in many.
fn assert_met(seeds: u64, cover: &BTreeMap<&'static str, u64>, often: &[&str], seldom: &[&str]) {
    let must = often.iter().filter(|_| seeds >= SEEDS).chain(seldom.iter().filter(|_| seeds >= MANY));
    let missed: Vec<_> = must.filter(|what| !cover.contains_key(*what)).collect();
    assert!(missed.is_empty(), "nothing is shown by worlds where this does not happen: {missed:?}");
}

/// Breaks these on purpose, one at a time; each must be noticed.
fn each_is_noticed(switches: &[(Switch, u64)], of: impl Fn(u64) -> Scenario) {
    let within = number("BATON_SYNC_SEEDS").unwrap_or(FOUND_WITHIN);
    let mut unnoticed = Vec::new();
    for &(switch, from) in switches {
        let wrong = |seed| run(&of(seed), switch, false).judge.wrong.map(|wrong| (seed, wrong));
        let found = (from..from + within).find_map(wrong);
        println!("{switch:?}: {found:?}");
        unnoticed.extend(found.is_none().then_some(switch));
    }
    assert!(unnoticed.is_empty(), "not noticed: {unnoticed:?}");
}

#[test]
fn no_two_send_and_no_call_is_left() {
    let Some((seeds, cover)) = every(Scenario::of) else { return };
    assert_met(seeds, &cover, &OFTEN, &SELDOM);
}

/// Each with a seed from which on it is looked for.
const SWITCHES: [(Switch, u64); 10] = [
    (Switch::SpeaksOn, 5),
    (Switch::FindsAbsent, 2),
    (Switch::NeverTakesOver, 1),
    (Switch::SendsBeforeMirrored, 51),
    (Switch::HalfSnapshot, 140),
    (Switch::NeverStale, 10),
    (Switch::SettlesEarly, 690),
    (Switch::ForgetsEarlier, 870),
    (Switch::BringsBack, 10),
    (Switch::KeepsEpoch, 1),
];

#[test]
fn whatever_is_broken_on_purpose_is_noticed() {
    each_is_noticed(&SWITCHES, Scenario::of);
}

/// What must have happened where nodes drain.
const DRAINED: [&str; 6] = ["drain", "handed over", "kill", "laid down", "released", "taken over"];
/// And in many worlds.
const DRAINED_SELDOM: [&str; 3] = ["death during a hand-over", "lost hand-over", "rejoin"];

#[test]
fn who_drains_gives_its_calls_away_and_no_two_send() {
    let Some((seeds, cover)) = every(Scenario::of_drains) else { return };
    assert_met(seeds, &cover, &DRAINED, &DRAINED_SELDOM);
}

/// With a seed from which on it is looked for. One more is noticed by a schedule.
const OF_DRAINS: [(Switch, u64); 1] = [(Switch::HandsOverAndSpeaks, 0)];

#[test]
fn whatever_of_a_hand_over_is_broken_on_purpose_is_noticed() {
    each_is_noticed(&OF_DRAINS, Scenario::of_drains);
}

/// What must have happened to requests.
const PLACED: [&str; 14] = [
    "control",
    "control changes",
    "dialled",
    "known request",
    "not answered",
    "placed",
    "placed anew",
    "refused",
    "refused before",
    "repeated",
    "repeated to who has it",
    "start for another",
    "took office",
    "withdrawn",
];

/// A world in which requests are made.
fn of_requests(seed: u64) -> Scenario {
    Scenario { starts: true, ..Scenario::of(seed) }
}

#[test]
fn each_request_is_dialled_once_whoever_dies() {
    let Some((seeds, cover)) = every(of_requests) else { return };
    assert_met(seeds, &cover, &PLACED, &[]);
}

/// Each with a seed from which on it is looked for. One more is noticed by a schedule.
const OF_STARTS: [(Switch, u64); 4] = [
    (Switch::SitsOnOthers, 0),
    (Switch::SendsUnstored, 130),
    (Switch::AnewAtOnce, 70),
    (Switch::KeepsResults, 0),
];

#[test]
fn whatever_of_starts_is_broken_on_purpose_is_noticed() {
    each_is_noticed(&OF_STARTS, of_requests);
}

#[test]
fn a_seed_is_the_same_world_each_time() {
    for seed in 0..3 {
        let log = || run(&Scenario::of(seed), Switch::Whole, true).log;
        assert_eq!(log(), log(), "seed {seed}");
    }
}
