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
use crate::{Seen, Worlds, is_noticed};

/// Worlds of the ordinary test.
const SEEDS: u64 = 250;

/// What must have befallen members in them.
const BEFELL: [&str; 29] = [
    "broken link",
    "claim by a witness",
    "cut",
    "cut of datagrams",
    "cut of links",
    "death during a takeover",
    "death of one with calls",
    "drift",
    "engine away",
    "engine ill for one",
    "engine mute",
    "engine slow",
    "flap",
    "goes on as the next",
    "handed over",
    "hang",
    "host dead",
    "inherited over another",
    "journal alone",
    "kill",
    "lost claim",
    "new disk",
    "pause",
    "pull",
    "rejoin",
    "stale claim",
    "taken over a chain",
    "waits for the right",
    "won and not told",
];
/// In which of its states a call must have fallen to another node in them, and to its own anew.
const TAKEN_OVER: [Phase; 9] = [
    Phase::Calling,
    Phase::Talking(Activity::Dialling),
    Phase::Talking(Activity::Saying),
    Phase::Talking(Activity::Asking),
    Phase::Talking(Activity::Collecting),
    Phase::Talking(Activity::Recording),
    Phase::Talking(Activity::OnHold),
    Phase::Closing,
    Phase::Ended,
];
const RESTORED: [Phase; 4] = [Phase::Calling, Phase::Talking(Activity::Asking), Phase::Closing, Phase::Ended];

impl Scenario {
    /// The calls of two seeds, shorter, amid what goes wrong in sync's world of the first: sooner, later, or when they speak.
    pub(crate) fn of_members(seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ 0x3E3B);
        let mut scenario = Self::of(seed);
        scenario.faults.retain(|fault| {
            let stays = matches!(fault, Fault::Stop { .. } | Fault::StopAtEnd { .. } | Fault::Edit { .. });
            // Clocks are to be kept within a few seconds of each other (docs/cluster.md).
            stays || matches!(fault, Fault::Step { by_ms: -10_000..=10_000, .. })
        });
        scenario.character = Duration::from_millis(12);
        scenario.callees.append(&mut Self::of(seed ^ 0xCA11_0000).callees);
        for callee in &mut scenario.callees {
            callee.placed_ms += 700 + dice.below(4_000);
            callee.speech.ms = callee.speech.ms.min(3_000);
            callee.acts.iter_mut().for_each(|(at, _)| *at /= 3);
        }
        let members = if dice.one_in(4) { Members::of_drains(seed) } else { Members::of(seed) };
        let latest = if dice.one_in(3) { 25_000 } else { 7_000 };
        let members = members.later(dice.below(latest));
        let mut deaf = Dice::new(seed ^ 0xDEAF);
        if deaf.one_in(4) {
            let node = deaf.place(members.nodes());
            let for_ms = if deaf.one_in(4) { deaf.below(20_000) } else { 20_000 + deaf.below(60_000) };
            scenario.faults.push(Fault::Deaf { at_ms: 2_000 + deaf.below(15_000), node, for_ms });
        }
        scenario.second_us = dice.one_in(3).then(|| dice.below(80_000));
        let one_more = scenario.second_us.is_some();
        let members = if one_more { members.not_strict() } else { members };
        let is_replaced = Dice::new(seed ^ 0x0D15).one_in(6);
        scenario.members = Some(if is_replaced { members.with_new_disks() } else { members });
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
        assert!(lived.unheard > 0, "no call was ended because nobody was heard: {lived:?}");
        let missed: Vec<_> = BEFELL.into_iter().filter(|what| !befell.contains_key(what)).collect();
        assert!(missed.is_empty(), "nothing is shown by worlds where this does not happen: {missed:?}");
        let fell = TAKEN_OVER.iter().map(|phase| (*phase, Event::TakenOver));
        for (phase, event) in fell.chain(RESTORED.iter().map(|phase| (*phase, Event::Restored))) {
            assert!(coverage.met(phase, event) > 0, "{event:?} while {phase:?} was not met");
        }
    }
}

/// Worlds in which something was found, by the last code before it was mended.
const FOUND: [u64; 5] = [17_890, 20_792, 66_798, 69_295, 96_756];

#[test]
fn what_was_found_in_these_worlds_is_mended() {
    for seed in FOUND {
        assert_eq!(run(&Scenario::of_members(seed), Switch::Whole, false).wrong, None, "seed {seed}");
    }
}

/// Each break, a seed from which on it is looked for, and the invariants of which one must be found broken.
const BREAKS: [(Switch, u64, &[u8]); 6] = [
    (Switch::Members(Break::SpeaksOn), 0, &[2]),
    (Switch::Members(Break::FindsAbsent), 160, &[2]),
    (Switch::Members(Break::NeverTakesOver), 0, &[4, 6]),
    (Switch::Members(Break::SendsBeforeMirrored), 0, &[1]),
    (Switch::Members(Break::KeepsEpoch), 0, &[2, 5]),
    (Switch::SendsUnsaved, 0, &[1]),
];

#[test]
fn whatever_is_broken_among_members_is_noticed_at_their_calls() {
    for (switch, from, invariants) in BREAKS {
        is_noticed(Scenario::of_members, switch, from, invariants);
    }
}

#[test]
fn a_seed_of_members_is_the_same_run_each_time() {
    for seed in 0..5 {
        let log = || run(&Scenario::of_members(seed), Switch::Whole, true).log;
        assert_eq!(log(), log(), "seed {seed}");
    }
}
