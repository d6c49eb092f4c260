//! Several instances with real members, engine and links, amid all that goes wrong in sync's own worlds; on each of them real
//! calls, to telephones that all of them reach. Whose a call is, sync decides; whether anybody notices, the judge of calls.

use std::time::Duration;

use baton::call::{Activity, Phase};

use crate::cover::Event;
use crate::dice::Dice;
use crate::scenario::{Fault, Scenario};
use crate::switch::Switch;
use crate::sync::tests::world::{Scenario as Members, Switch as Break};
use crate::world::run;
use crate::{Seen, Worlds, each_is_noticed};

/// Worlds of the ordinary test.
const SEEDS: u64 = 300;

/// What must have befallen members in them.
const BEFELL: [&str; 0] = [];

impl Scenario {
    /// The calls of a seed, shorter, amid what goes wrong in sync's world of that seed, sooner or later.
    pub(crate) fn of_members(seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ 0x3E3B);
        let mut scenario = Self::of(seed);
        scenario.faults.retain(|fault| {
            matches!(fault, Fault::Stop { .. } | Fault::StopAtEnd { .. } | Fault::Edit { .. })
        });
        scenario.character = Duration::from_millis(12);
        for callee in &mut scenario.callees {
            callee.placed_ms += 700;
            callee.speech.ms = callee.speech.ms.min(3_000);
            callee.acts.iter_mut().for_each(|(at, _)| *at /= 3);
        }
        let members = if dice.one_in(4) { Members::of_drains(seed) } else { Members::of(seed) };
        scenario.members = Some(members.later(dice.below(7_000)));
        scenario
    }
}

#[test]
fn every_invariant_holds_whoever_of_several_instances_dies() {
    let worlds = Worlds { of: Scenario::of_members, seeds: SEEDS, variable: "BATON_MEMBERS_SEED" };
    let Some(Seen { seeds, lived, coverage, befell, .. }) = worlds.every() else { return };
    println!("{befell:#?}");
    if seeds >= SEEDS {
        assert!(lived.complete > seeds / 4, "nothing is shown by calls that come to nothing: {lived:?}");
        let missed: Vec<_> = BEFELL.into_iter().filter(|what| !befell.contains_key(what)).collect();
        assert!(missed.is_empty(), "nothing is shown by worlds where this does not happen: {missed:?}");
        for event in [Event::TakenOver, Event::Restored] {
            for phase in [Phase::Calling, Phase::Talking(Activity::Asking), Phase::Closing, Phase::Ended] {
                assert!(coverage.met(phase, event) > 0, "{event:?} while {phase:?} was not met");
            }
        }
    }
}

/// Each break, and the invariants of which one must be found broken.
const BREAKS: [(Switch, &[u8]); 6] = [
    (Switch::Members(Break::SpeaksOn), &[2]),
    (Switch::Members(Break::FindsAbsent), &[2]),
    (Switch::Members(Break::NeverTakesOver), &[4, 6]),
    (Switch::Members(Break::SendsBeforeMirrored), &[1]),
    (Switch::Members(Break::KeepsEpoch), &[2, 5]),
    (Switch::MovesUnsaid, &[5, 6]),
];

#[test]
fn whatever_is_broken_among_members_is_noticed_at_their_calls() {
    each_is_noticed(Scenario::of_members, &BREAKS);
}

#[test]
fn a_seed_of_members_is_the_same_run_each_time() {
    for seed in 0..5 {
        let log = || run(&Scenario::of_members(seed), Switch::Whole, true).log;
        assert_eq!(log(), log(), "seed {seed}");
    }
}
