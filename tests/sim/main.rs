//! The simulation: calls in a seeded world that dies, stops, forgets and loses things, and a judge who looks at each
//! step for the invariants of the design.
//!
//! ```text
//! seed ─► Scenario ─► World (Process, Disk, network, Telephones) ─► Judge, Coverage
//!            └─ a failing one is made smaller, and printed with its seed
//! ```
//! `BATON_SIM_SEEDS=100000 cargo test --release --test sim` runs that many; `BATON_SIM_SEED=17` runs one, with its log. Where
//! several instances share the calls (`members`) it is `BATON_MEMBERS_SEEDS` and `BATON_MEMBERS_SEED`.

#![allow(clippy::unwrap_used, reason = "a test fails by panic")]
#![expect(clippy::print_stdout, reason = "a test says what it ran and met")]
#![expect(clippy::wildcard_enum_match_arm, reason = "what is planned for another process is nobody's")]

mod clock;
mod cover;
mod dice;
mod judge;
mod members;
mod phone;
mod process;
mod scenario;
mod switch;
mod sync;
mod world;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use baton::call::{Activity, Phase};
use baton::{id, time};
use cover::{Coverage, EVENTS, Event, PHASES};
use scenario::Scenario;
use switch::Switch;
use world::{Lived, Ran, run};

/// Runs of the ordinary test.
const SEEDS: u64 = 1_000;
/// Failing seeds that are looked for before the first of them is made smaller.
const MOST_WRONG: usize = 20;
/// A break must be found within so many seeds.
const FOUND_WITHIN: u64 = 200;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// The smallest scenario that is still wrong.
fn shrink(mut scenario: Scenario, switch: Switch) -> Scenario {
    while let Some(smaller) =
        scenario.smaller().into_iter().find(|one| run(one, switch, false).wrong.is_some())
    {
        scenario = smaller;
    }
    scenario
}

/// Worlds by seed, how many of them the ordinary test runs, and what in the environment says which.
#[derive(Clone, Copy)]
struct Worlds {
    of: fn(u64) -> Scenario,
    seeds: u64,
    /// The variable that names one seed; with an S behind it, the one that says how many.
    variable: &'static str,
}

/// What was seen in many of them.
#[derive(Default)]
struct Seen {
    seeds: u64,
    lived: Lived,
    coverage: Coverage,
    befell: BTreeMap<&'static str, u64>,
    wrong: Vec<u64>,
}

impl Seen {
    fn add(&mut self, ran: &Ran) {
        self.lived.add(ran.lived);
        self.coverage.add(&ran.coverage);
        ran.befell.iter().for_each(|(what, count)| *self.befell.entry(what).or_default() += count);
    }
}

impl Worlds {
    fn fail(self, seed: u64) -> ! {
        let small = shrink((self.of)(seed), Switch::Whole);
        let ran = run(&small, Switch::Whole, true);
        let wrong = ran.wrong.expect("it was wrong before");
        panic!(
            "seed {seed}: invariant {} is broken: {}\n{}\n{small:#?}\n{}={seed} cargo test --test sim runs it alone",
            wrong.invariant,
            wrong.what,
            ran.log.join("\n"),
            self.variable,
        );
    }

    /// Runs as many as the environment wants, on all processors; one that is wrong fails. `None`: one alone was wanted, with
    /// its log.
    fn every(self) -> Option<Seen> {
        if let Some(seed) = number(self.variable) {
            let scenario = (self.of)(seed);
            let ran = run(&scenario, Switch::Whole, true);
            println!("{scenario:#?}\n{}", ran.log.join("\n"));
            if ran.wrong.is_some() {
                self.fail(seed);
            }
            return None;
        }
        let seeds = number(&format!("{}S", self.variable)).unwrap_or(self.seeds);
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let (next, seen) = (AtomicU64::new(0), Mutex::new(Seen { seeds, ..Seen::default() }));
        #[expect(clippy::disallowed_methods, reason = "how fast it is, for people; no run knows of it")]
        let began = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while seen.lock().unwrap().wrong.len() < MOST_WRONG {
                        let seed = next.fetch_add(1, Relaxed);
                        if seed >= seeds {
                            break;
                        }
                        let ran = run(&(self.of)(seed), Switch::Whole, false);
                        let mut seen = seen.lock().unwrap();
                        seen.add(&ran);
                        seen.wrong.extend(ran.wrong.map(|_| seed));
                    }
                });
            }
        });
        let mut seen = seen.into_inner().unwrap();
        seen.wrong.sort_unstable();
        if let Some(seed) = seen.wrong.first() {
            println!("seeds that fail: {:?}", seen.wrong);
            self.fail(*seed);
        }
        println!(
            "{seeds} seeds, {} inputs a seed, {:?}; {:.0} seeds/s",
            seen.lived.inputs / seeds.max(1),
            seen.lived,
            seeds as f64 / began.elapsed().as_secs_f64()
        );
        println!("{}", seen.coverage.table());
        Some(seen)
    }
}

/// Breaks something on purpose: it must be noticed, by one of these invariants, in one of the seeds from this one on. In
/// which.
fn is_noticed(of: fn(u64) -> Scenario, switch: Switch, from: u64, invariants: &[u8]) -> u64 {
    let found = (from..from + FOUND_WITHIN).find_map(|seed| {
        let wrong = run(&of(seed), switch, false).wrong?;
        Some((seed, wrong))
    });
    let (seed, wrong) =
        found.unwrap_or_else(|| panic!("{switch:?} was not noticed in {FOUND_WITHIN} seeds from {from} on"));
    assert!(invariants.contains(&wrong.invariant), "{switch:?}, seed {seed}: {wrong:?}");
    println!("{switch:?}: seed {seed}, invariant {}: {:.200}", wrong.invariant, wrong.what);
    seed
}

#[test]
fn every_invariant_holds_in_every_world() {
    let worlds = Worlds { of: Scenario::of, seeds: SEEDS, variable: "BATON_SIM_SEED" };
    let Some(Seen { seeds, lived, coverage, .. }) = worlds.every() else { return };
    if seeds >= SEEDS {
        let Lived { complete, reinvited, redirected, recorded, dialled, .. } = lived;
        assert!(complete > seeds / 4, "nothing is shown by calls that come to nothing: {lived:?}");
        assert!([reinvited, redirected, recorded, dialled].iter().all(|many| many * 50 > seeds), "{lived:?}");
        let missed: Vec<String> = PHASES
            .into_iter()
            .flat_map(|phase| EVENTS.into_iter().map(move |event| (phase, event)))
            .filter(|(phase, event)| can_meet(*phase, *event) && coverage.met(*phase, *event) == 0)
            .map(|(phase, event)| format!("{event:?} while {phase:?}"))
            .collect();
        assert!(missed.is_empty(), "never met: {}\n{}", missed.join(", "), coverage.table());
    }
}

/// The table of what can come in which state; what is left out cannot happen, or not in this survey.
fn can_meet(phase: Phase, event: Event) -> bool {
    match event {
        // A call begins once.
        Event::Started => phase == Phase::Calling,
        // What passed over the stream is waited for without a save: the next process finds the call closing.
        Event::Restored | Event::TakenOver => phase != Phase::Settling,
        Event::Stopped | Event::TimedOut => true,
        // A quota is waited for so shortly that a stop hardly ever ends just then.
        Event::Stalled => {
            matches!(phase, Phase::Calling | Phase::Talking(_) | Phase::Ended)
                && phase != Phase::Talking(Activity::Reserving)
        }
        Event::Provisional => matches!(phase, Phase::Calling),
        // A 2xx whose ACK is lost again and again is repeated for 32 s; an interview is hardly ever so far by then.
        Event::Success => {
            !matches!(phase, Phase::Talking(Activity::Reserving | Activity::Parting | Activity::OnHold))
        }
        Event::Moved => phase == Phase::Calling,
        // At half of 90 s most who still talk are speaking, or hold the call.
        Event::Refreshed | Event::Update => {
            matches!(phase, Phase::Talking(Activity::Recording | Activity::OnHold))
        }
        Event::Taken => phase == Phase::Talking(Activity::Recording),
        Event::Failure => matches!(phase, Phase::Calling | Phase::Closing | Phase::Ended),
        // Before its 2xx is known nobody has anything to hang up.
        Event::Bye => phase != Phase::Calling,
        Event::Reinvite => matches!(phase, Phase::Talking(_)),
        Event::Ack => matches!(phase, Phase::Talking(_)),
        Event::Key => {
            matches!(
                phase,
                Phase::Talking(
                    Activity::Asking | Activity::Collecting | Activity::Saying | Activity::Recording
                )
            )
        }
        Event::PromptEnded => {
            matches!(
                phase,
                Phase::Talking(
                    Activity::Dialling
                        | Activity::Saying
                        | Activity::Asking
                        | Activity::Recording
                        | Activity::Parting
                )
            )
        }
        Event::QuotaAnswered => phase == Phase::Talking(Activity::Reserving),
        Event::MediaClosed => matches!(phase, Phase::Closing | Phase::Settling),
    }
}

#[test]
fn whatever_is_broken_on_purpose_is_noticed() {
    for (switch, invariants) in Switch::BREAKS {
        let seed = is_noticed(Scenario::of, switch, 0, invariants);
        let small = shrink(Scenario::of(seed), switch);
        let again = run(&small, switch, false).wrong.expect("the smaller one is wrong too");
        println!("invariant {}; {} faults are enough", again.invariant, small.faults.len());
    }
}

#[test]
fn a_seed_is_the_same_run_each_time() {
    for seed in 0..20 {
        let log = || run(&Scenario::of(seed), Switch::Whole, true).log;
        assert_eq!(log(), log(), "seed {seed}");
    }
}
