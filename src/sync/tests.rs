//! Members in a seeded world: their saves and mirrors, an engine, links and clocks that fail, and a judge who knows what
//! really was sent.
//!
//! `BATON_SYNC_SEED=17 cargo test --lib sync::tests` runs one world with its log, `BATON_SYNC_SEEDS=100000` that many.

mod schedules;
mod world;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use world::{Scenario, Switch, run};

/// Worlds of the ordinary test, and of those that are about one thing.
const SEEDS: u64 = 1_000;
const FEW: u64 = 80;
/// Worlds in which everything must have happened.
const MANY: u64 = 3_000;
/// What is broken on purpose must be found within so many.
const FOUND_WITHIN: u64 = 40;
/// What must have happened in the worlds of the ordinary test.
const OFTEN: [&str; 34] = [
    "broken link",
    "claim",
    "claim by a witness",
    "cut",
    "cut of datagrams",
    "cut of links",
    "death of one with calls",
    "drift",
    "ended before its claim was carried out",
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

/// Runs so many of these worlds, or as many as the environment wants, on all processors; how many that were, and what
/// happened in them. `None`: it wanted one alone, with its log.
fn every(usual: u64, of: impl Fn(u64) -> Scenario + Sync) -> Option<(u64, BTreeMap<&'static str, u64>)> {
    if let Some(seed) = number("BATON_SYNC_SEED") {
        let ran = run(&of(seed), Switch::Whole, true);
        println!("{:#?}\n{}", of(seed), ran.log.unwrap_or_default().join("\n"));
        assert_eq!(ran.judge.wrong, None);
        return None;
    }
    let seeds = number("BATON_SYNC_SEEDS").unwrap_or(usual);
    let first = number("BATON_SYNC_FIRST").unwrap_or(0);
    let (next, worst) = (AtomicU64::new(first), AtomicU64::new(u64::MAX));
    let live = || {
        let mut cover: BTreeMap<&'static str, u64> = BTreeMap::new();
        loop {
            let seed = next.fetch_add(1, Relaxed);
            if seed >= (first + seeds).min(worst.load(Relaxed)) {
                return cover;
            }
            let ran = run(&of(seed), Switch::Whole, false);
            if ran.judge.wrong.is_some() {
                worst.fetch_min(seed, Relaxed);
            }
            for (what, count) in ran.judge.cover {
                *cover.entry(what).or_default() += count;
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut cover: BTreeMap<&'static str, u64> = BTreeMap::new();
    std::thread::scope(|scope| {
        let lives: Vec<_> = (0..threads).map(|_| scope.spawn(live)).collect();
        for (what, count) in lives.into_iter().flat_map(|life| life.join().unwrap()) {
            *cover.entry(what).or_default() += count;
        }
    });
    match worst.into_inner() {
        u64::MAX => println!("{seeds} worlds: {cover:#?}"),
        seed => fail(&of(seed)),
    }
    Some((seeds, cover))
}

/// Tells what goes wrong in a world, in the smallest that is still wrong.
fn fail(whole: &Scenario) -> ! {
    let wrong = |one: &Scenario| run(one, Switch::Whole, false).judge.wrong;
    let small = whole.clone().smallest(|one| wrong(one).is_some());
    let log = run(&small, Switch::Whole, true).log.unwrap_or_default().join("\n");
    let (seed, wrong) = (whole.seed, wrong(whole));
    panic!("seed {seed}: {wrong:?}\n{log}\n{small:#?}\nBATON_SYNC_SEED={seed} cargo test --lib sync::tests");
}

/// What is to be shown has happened in as many worlds as that takes: the first in those of each run, the others in many.
fn assert_met(seeds: u64, cover: &BTreeMap<&'static str, u64>, often: &[&str], seldom: &[&str]) {
    let must = often.iter().filter(|_| seeds >= FEW).chain(seldom.iter().filter(|_| seeds >= MANY));
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
    let Some((seeds, cover)) = every(SEEDS, Scenario::of) else { return };
    assert_met(seeds, &cover, &OFTEN, &SELDOM);
}

/// Each with a seed from which on it is looked for.
const SWITCHES: [(Switch, u64); 11] = [
    (Switch::SpeaksOn, 5),
    (Switch::FindsAbsent, 2),
    (Switch::NeverTakesOver, 1),
    (Switch::SendsBeforeMirrored, 51),
    (Switch::HalfSnapshot, 140),
    (Switch::NeverStale, 10),
    (Switch::SettlesEarly, 3_150),
    (Switch::ForgetsEarlier, 870),
    (Switch::BringsBack, 10),
    (Switch::KeepsEpoch, 1),
    (Switch::ForgetsAtOnce, 4_540),
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
    let Some((seeds, cover)) = every(FEW, Scenario::of_drains) else { return };
    assert_met(seeds, &cover, &DRAINED, &DRAINED_SELDOM);
}

/// With a seed from which on it is looked for. One more is noticed by a schedule.
const OF_DRAINS: [(Switch, u64); 1] = [(Switch::HandsOverAndSpeaks, 0)];

#[test]
fn whatever_of_a_hand_over_is_broken_on_purpose_is_noticed() {
    each_is_noticed(&OF_DRAINS, Scenario::of_drains);
}

/// What must have happened where T changes.
const CHANGED: [&str; 6] =
    ["claim", "kill", "longer promises", "shorter promises", "taken over", "terms changed"];

/// Where promises that were asked for as longer ones still counted, two would speak in seed 244.
#[test]
fn t_becomes_shorter_and_longer_and_no_two_send() {
    let Some((seeds, cover)) = every(4 * FEW, Scenario::of_terms) else { return };
    assert_met(seeds, &cover, &CHANGED, &[]);
}

/// What must have happened where disks are new.
const RENEWED: [&str; 4] = ["kill", "new disk", "taken as stale", "taken over"];

#[test]
fn machines_come_back_with_new_disks_and_no_two_send() {
    let Some((seeds, cover)) = every(4 * FEW, |seed| Scenario::of(seed).with_new_disks()) else { return };
    assert_met(seeds, &cover, &RENEWED, &[]);
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
    let Some((seeds, cover)) = every(FEW, of_requests) else { return };
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
