//! Those about mirrors and journals: who holds what was acted upon.

use super::{cut, ends_well, is_taken_over, kill, three, world};
use crate::sync::Standing;
use crate::sync::tests::world::{Fault, Scenario, Switch, Traffic, World};

/// No mirror holds a's saves; it goes on by its journal alone, starts nothing, and dies.
#[test]
fn journal_alone_owner_dies_peer_claims_without_it() {
    let scenario = Scenario { strict: false, ..Scenario::of_instances(3) };
    let mut world = world(&scenario);
    let (one, before) = (world.incarnation(0), world.speaks_for(0).len());
    world.place_no_more();
    world.begin(0, cut(0, 1, Traffic::Links));
    world.begin(1, cut(0, 2, Traffic::Links));
    world.until(3_300);
    assert!(world.durable(0).degraded && world.reached("journal alone"));
    assert!(world.try_place(0).is_none() && world.speaks_for(0).len() <= before, "none starts");
    world.begin(2, kill(0));
    world.end(0);
    world.end(1);
    world.until(4_500);
    assert!(world.claim_on(one).unwrap().stale, "it was heard that the journal had more");
    ends_well(world, 5_000);
}

/// The links break, and the owner dies some ms later; what was wrong in the first of these worlds in which anything was.
fn die_right_after_the_links(switch: Switch, worlds: u64) -> Option<String> {
    (0..worlds).find_map(|seed| {
        let scenario = Scenario { strict: false, seed, ..Scenario::of_instances(3) };
        let mut world = World::new(&scenario, switch, false);
        world.until(2_000);
        world.begin(0, cut(0, 1, Traffic::Links));
        world.begin(1, cut(0, 2, Traffic::Links));
        world.break_links_of(0);
        world.until(2_010 + seed % 50);
        world.begin(2, kill(0));
        world.until(3_500);
        world.judge_end();
        world.judge.wrong
    })
}

/// The journal alone counts only for what the voters know of: the owner dies within a beat of its save.
#[test]
fn links_lost_and_the_owner_dies_before_its_next_beat() {
    assert_eq!(die_right_after_the_links(Switch::Whole, 30), None);
    let wrong = die_right_after_the_links(Switch::AloneUnknown, 200);
    let wrong = wrong.expect("without that something is lost in silence");
    assert!(wrong.contains("stale: false"), "{wrong}");
}

/// Of five with three voters, only d, which is no voter and still hears a, has acknowledged a's last saves.
#[test]
fn reply_acknowledged_only_outside_the_quorum() {
    for seed in 0..5 {
        let scenario = Scenario { voters: vec![0, 1, 2], seed, ..Scenario::of_instances(5) };
        let mut world = world(&scenario);
        let one = world.incarnation(0);
        // The links to the others are stuck: for less than a mirror may be behind they are waited for by none.
        for (number, other) in [1, 2, 4].into_iter().enumerate() {
            world.begin(number, cut(0, other, Traffic::Links));
        }
        world.until(2_300);
        world.begin(8, kill(0));
        world.until(3_300);
        let claim = world.claim_on(one).unwrap();
        assert!(!claim.stale, "d told what it holds: {claim:?}");
        (0..3).for_each(|number| world.end(number));
        ends_well(world, 5_000);
    }
}

/// b alone has acknowledged; it restarts, and what it held lapses until c holds it.
#[test]
fn mirror_restarts_after_acknowledging() {
    let mut world = three();
    world.begin(0, cut(0, 2, Traffic::Links));
    world.until(2_200);
    world.begin(1, Fault::Kill { node: 1, again: Some(50), host: false });
    world.until(2_240);
    world.end(0);
    // a dies right when its only mirror has come back empty.
    let one = world.incarnation(0);
    world.until(2_262);
    world.begin(2, kill(0));
    let mut scenario_is_not_one_fault = world;
    scenario_is_not_one_fault.forgive();
    let world = ends_well(scenario_is_not_one_fault, 5_000);
    assert!(world.claim_on(one).is_none_or(|claim| claim.stale), "{:?}", world.claim_on(one));
}

/// A mirror that has joined acknowledges nothing before it has the whole snapshot.
#[test]
fn mirror_joins_and_acknowledges_what_it_lacks() {
    let mut world = three();
    world.begin(0, Fault::Kill { node: 1, again: Some(40), host: false });
    world.until(2_060);
    world.run_until("snapshot to one that restarted", 2_400);
    let one = world.incarnation(0);
    world.begin(1, kill(0));
    world.forgive();
    let world = ends_well(world, 5_000);
    assert!(world.claim_on(one).is_some());
}

/// A stopped disk or table, not a stopped host: after 2 T what it holds is waited for no longer.
#[test]
fn mirror_beats_but_never_acknowledges() {
    let mut world = three();
    world.begin(0, cut(0, 2, Traffic::Links));
    world.begin(1, cut(0, 1, Traffic::Links));
    world.until(2_400);
    assert!(!world.durable(0).degraded, "for so long they are waited for");
    world.until(3_000);
    assert!(world.durable(0).degraded, "calls go on, none starts");
    assert_eq!(world.standing(0), Standing::Speaking);
    world.end(0);
    world.until(3_600);
    assert!(!world.durable(0).degraded, "one is enough");
    world.end(1);
    ends_well(world, 5_000);
}

/// All die; the first two are back soon, and wait for the third's journal.
#[test]
fn whole_cluster_restarts_and_each_journal_has_its_time() {
    let mut world = three();
    let one = world.incarnation(2);
    let calls = world.speaks_for(2);
    for (node, again) in [(0, 300), (1, 500), (2, 12_000)] {
        world.begin(node, Fault::Kill { node, again: Some(again), host: true });
    }
    world.until(12_000);
    assert_eq!(world.claim_on(one), None, "nobody has a copy of its calls");
    let world = ends_well(world, 16_000);
    assert_eq!(world.claim_on(one).map(|claim| claim.by.node), Some(one.node), "it was first");
    assert!(is_taken_over(&world, &calls, &[2]));
}

/// The third comes after its thirty seconds.
#[test]
fn whole_cluster_restarts_a_late_owner_finds_itself_claimed() {
    let mut world = three();
    let (one, calls) = (world.incarnation(2), world.speaks_for(2));
    for (node, again) in [(0, 300), (1, 500), (2, 34_000)] {
        world.begin(node, Fault::Kill { node, again: Some(again), host: true });
    }
    world.forgive();
    world.until(35_500);
    assert!(world.claim_on(one).is_some_and(|claim| claim.stale && claim.by.node != one.node));
    world.until(38_000);
    let own = world.speaks_for(2);
    assert!(calls.iter().all(|call| !own.contains(call)), "others have, or had, its calls");
    ends_well(world, 39_000);
}
