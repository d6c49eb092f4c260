//! The simulation: calls in a seeded world that dies, stops, forgets and loses things, and a judge who looks at each
//! step for the invariants of the design.
//!
//! ```text
//! seed ─► Scenario ─► World (Process, Disk, network, Telephones) ─► Judge, Coverage
//!            └─ a failing one is made smaller, and printed with its seed
//! ```
//! `BATON_SIM_SEEDS=100000 cargo test --release --test sim` runs that many; `BATON_SIM_SEED=17` runs one, with its log.

#![allow(clippy::unwrap_used, reason = "a test fails by panic")]
#![expect(clippy::wildcard_enum_match_arm, reason = "what is planned for another process is nobody's")]

mod clock;
mod cover;
mod dice;
mod judge;
mod phone;
mod process;
mod scenario;
mod switch;
mod world;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use baton::call::{Activity, Phase};
use cover::{Coverage, EVENTS, Event, PHASES};
use scenario::Scenario;
use switch::Switch;
use world::{Lived, run};

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

fn fail(seed: u64) -> ! {
    let small = shrink(Scenario::of(seed), Switch::Whole);
    let ran = run(&small, Switch::Whole, true);
    let wrong = ran.wrong.expect("it was wrong before");
    panic!(
        "seed {seed}: invariant {} is broken: {}\n{}\n{small:#?}\nBATON_SIM_SEED={seed} cargo test --test sim runs it alone",
        wrong.invariant,
        wrong.what,
        ran.log.join("\n")
    );
}

#[test]
fn every_invariant_holds_in_every_world() {
    if let Some(seed) = number("BATON_SIM_SEED") {
        let ran = run(&Scenario::of(seed), Switch::Whole, true);
        println!("{:#?}\n{}", Scenario::of(seed), ran.log.join("\n"));
        if ran.wrong.is_some() {
            fail(seed);
        }
        return;
    }
    let seeds = number("BATON_SIM_SEEDS").unwrap_or(SEEDS);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (next, lived) = (AtomicU64::new(0), Mutex::new(Lived::default()));
    let (coverage, wrong) = (Mutex::new(Coverage::default()), Mutex::new(Vec::new()));
    #[expect(clippy::disallowed_methods, reason = "how fast it is, for people; no run knows of it")]
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut met = Coverage::default();
                while wrong.lock().unwrap().len() < MOST_WRONG {
                    let seed = next.fetch_add(1, Relaxed);
                    if seed >= seeds {
                        break;
                    }
                    let ran = run(&Scenario::of(seed), Switch::Whole, false);
                    lived.lock().unwrap().add(ran.lived);
                    met.add(&ran.coverage);
                    if ran.wrong.is_some() {
                        wrong.lock().unwrap().push(seed);
                    }
                }
                coverage.lock().unwrap().add(&met);
            });
        }
    });
    let mut wrong = wrong.into_inner().unwrap();
    wrong.sort_unstable();
    if let Some(seed) = wrong.first() {
        println!("seeds that fail: {wrong:?}");
        fail(*seed);
    }
    let coverage = coverage.into_inner().unwrap();
    let lived = lived.into_inner().unwrap();
    println!(
        "{seeds} seeds, {} inputs a seed, {lived:?}; {:.0} seeds/s",
        lived.inputs / seeds.max(1),
        seeds as f64 / began.elapsed().as_secs_f64()
    );
    println!("{}", coverage.table());
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
        let found = (0..FOUND_WITHIN).find_map(|seed| {
            let wrong = run(&Scenario::of(seed), switch, false).wrong?;
            Some((seed, wrong))
        });
        let (seed, wrong) =
            found.unwrap_or_else(|| panic!("{switch:?} was not noticed in {FOUND_WITHIN} seeds"));
        assert!(invariants.contains(&wrong.invariant), "{switch:?}, seed {seed}: {wrong:?}");
        let small = shrink(Scenario::of(seed), switch);
        let again = run(&small, switch, false).wrong.expect("the smaller one is wrong too");
        println!(
            "{switch:?}: seed {seed}, invariant {}; {} faults are enough",
            again.invariant,
            small.faults.len()
        );
    }
}

#[test]
fn a_seed_is_the_same_run_each_time() {
    for seed in 0..20 {
        let log = || run(&Scenario::of(seed), Switch::Whole, true).log;
        assert_eq!(log(), log(), "seed {seed}");
    }
}
