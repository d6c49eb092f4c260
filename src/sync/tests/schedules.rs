//! The schedules that broke an earlier draft of the protocol, each with its faults at their times, by hand.
//!
//! Not here, because their rooms are not `sync`'s: *TCP buffer of a silent owner delivered after healing* (node's
//! transport), *fenced owner writes a result* (the records store).

mod copies;
mod handover;
mod starts;

use std::time::Duration;

use super::world::{Fault, Ill, Scenario, Switch, Traffic, World};
use crate::id::CallId;
use crate::sync::{Incarnation, Role, Standing};

/// Three instances with clocks that run true enough, calls, and nothing wrong yet: at 2,000 ms.
fn world(scenario: &Scenario) -> World {
    let mut world = World::new(scenario, Switch::Whole, std::env::var_os("BATON_SYNC_LOG").is_some());
    world.until(2_000);
    for node in 0..scenario.roles.len() {
        assert_eq!(world.standing(node), Standing::Speaking);
        assert_eq!(scenario.roles[node] == Role::Instance, !world.speaks_for(node).is_empty(), "{node}");
    }
    world
}

fn three() -> World {
    world(&Scenario::of_instances(3))
}

/// Everything heals; nothing was wrong at any time, and at the end each call has one sender.
fn ends_well(mut world: World, at: u64) -> World {
    world.until(at);
    world.judge_end();
    let log = world.log.take().unwrap_or_default().join("\n");
    assert_eq!(world.judge.wrong, None, "{log}");
    world
}

/// Whether somebody in the claim's chain goes on with the calls.
fn is_taken_over(world: &World, calls: &[CallId], by: &[usize]) -> bool {
    let taken: Vec<CallId> = by.iter().flat_map(|node| world.speaks_for(*node)).collect();
    calls.iter().all(|call| taken.contains(call) || world.has_ended(*call))
}

fn kill(node: usize) -> Fault {
    Fault::Kill { node, again: None, host: false }
}

fn cut(from: usize, to: usize, what: Traffic) -> Fault {
    Fault::Cut { from: Some(from), to: Some(to), what }
}

#[test]
fn one_instance_dies_and_nothing_of_it_is_stale() {
    for node in 0..3 {
        let mut world = three();
        let (one, calls) = (world.incarnation(node), world.speaks_for(node));
        world.begin(0, kill(node));
        world.until(2_600);
        let claim = world.claim_on(one).expect("it was absent for T").clone();
        assert!(!claim.stale && claim.heirs.len() == 2 && claim.through > 0, "{claim:?}");
        let others: Vec<usize> = (0..3).filter(|other| *other != node).collect();
        assert!(is_taken_over(&world, &calls, &others));
        ends_well(world, 4_000);
    }
}

/// b has found a absent, restarts, and hears a again; c asks meanwhile.
#[test]
fn voter_says_absent_restarts_heals_acknowledges() {
    let mut world = three();
    let one = world.incarnation(0);
    // a hears nobody, and nobody hears a: b and c find it absent.
    world.begin(0, Fault::Cut { from: None, to: Some(0), what: Traffic::Datagrams });
    world.begin(1, Fault::Cut { from: Some(0), to: None, what: Traffic::Datagrams });
    world.until(2_200);
    world.begin(2, Fault::Engine { node: None, ill: Ill::Slow });
    world.until(2_260);
    world.begin(3, Fault::Kill { node: 1, again: Some(20), host: false });
    world.end(0);
    world.end(1);
    world.until(2_330);
    assert!(world.speaks_for(0).is_empty(), "the gap that was is for ever");
    world.end(2);
    let world = ends_well(world, 5_000);
    assert!(world.claim_on(one).is_some(), "somebody has its calls, or it has as its next incarnation");
}

/// a is no voter; of the three voters it hears one, and must not count itself as the second.
#[test]
fn owner_outside_the_voter_list_counts_itself() {
    let scenario = Scenario { voters: vec![1, 2, 3], ..Scenario::of_instances(5) };
    let mut world = world(&scenario);
    let calls = world.speaks_for(0);
    for (number, voter) in [2, 3].into_iter().enumerate() {
        world.begin(2 * number, cut(0, voter, Traffic::Datagrams));
        world.begin(2 * number + 1, cut(voter, 0, Traffic::Datagrams));
    }
    world.until(2_300);
    assert!(world.speaks_for(0).is_empty(), "one promise of three is no majority");
    world.until(3_000);
    assert!(is_taken_over(&world, &calls, &[1, 2, 3, 4]));
    (0..4).for_each(|number| world.end(number));
    ends_well(world, 5_000);
}

/// The list goes from 0 1 2 to 0 3 4 while 0 is cut off from 3 and 4: neither list may be enough alone.
#[test]
fn voter_list_changed_during_a_partition() {
    let scenario = Scenario { voters: vec![0, 1, 2], ..Scenario::of_instances(5) };
    let mut world = world(&scenario);
    let all = world.terms_of(0);
    for (number, other) in [3, 4].into_iter().enumerate() {
        world.begin(2 * number, cut(0, other, Traffic::Datagrams));
        world.begin(2 * number + 1, cut(other, 0, Traffic::Datagrams));
    }
    world.until(2_300);
    world.begin(9, Fault::Voters { list: [0, 3, 4] });
    world.until(2_800);
    assert_eq!(world.terms_of(0), all, "the new voters do not promise: its key is as it was");
    assert_eq!(world.standing(0), Standing::Speaking, "and the old ones do");
    assert_ne!(world.terms_of(3), all, "who hears them has changed its key");
    (0..4).for_each(|number| world.end(number));
    world.until(3_500);
    assert_ne!(world.terms_of(0), all);
    // From here on 1 and 2 decide nothing.
    let one = world.incarnation(0);
    world.begin(10, Fault::Cut { from: Some(1), to: Some(0), what: Traffic::Datagrams });
    world.begin(11, Fault::Cut { from: Some(2), to: Some(0), what: Traffic::Datagrams });
    world.until(4_500);
    assert_eq!((world.incarnation(0), world.standing(0)), (one, Standing::Speaking));
    world.end(10);
    world.end(11);
    let world = ends_well(world, 5_500);
    assert!(world.reached("terms changed"));
}

/// The change is written, and nobody is told: until it is read both lists count.
#[test]
fn change_of_the_list_applied_its_answer_lost() {
    let scenario = Scenario { voters: vec![0, 1, 2], ..Scenario::of_instances(5) };
    let mut world = world(&scenario);
    world.begin(0, Fault::Engine { node: None, ill: Ill::Mute });
    world.begin(1, Fault::Voters { list: [0, 3, 4] });
    world.until(2_400);
    assert!(world.reached("terms changed"));
    world.begin(2, cut(3, 0, Traffic::Datagrams));
    world.begin(3, cut(4, 0, Traffic::Datagrams));
    world.until(2_800);
    assert!(world.speaks_for(0).is_empty(), "its key may be by the new list, and that one is silent");
    (0..4).for_each(|number| world.end(number));
    ends_well(world, 6_000);
}

/// The voters 1 and 2 have promised for 2 s; T becomes shorter, and they restart: they know of 250 ms alone, and 0 is cut off
/// from both. What it holds must not count for longer.
#[test]
fn voters_that_restart_have_forgotten_how_long_they_promised() {
    let scenario = Scenario {
        voters: vec![0, 1, 2],
        promise: Duration::from_secs(2),
        strict: false,
        ..Scenario::of_instances(5)
    };
    let mut world = world(&scenario);
    let (one, calls) = (world.incarnation(0), world.speaks_for(0));
    for (number, other) in [1, 2].into_iter().enumerate() {
        world.begin(2 * number, cut(0, other, Traffic::Datagrams));
        world.begin(2 * number + 1, cut(other, 0, Traffic::Datagrams));
    }
    world.begin(9, Fault::Promise { ms: 250 });
    world.run_until("terms changed", 2_100);
    for voter in [1, 2] {
        world.begin(9 + voter, Fault::Kill { node: voter, again: Some(50), host: false });
    }
    world.until(2_260);
    assert!(
        world.speaks_for(0).is_empty(),
        "0.9 T of what its key says have passed since it was promised anything"
    );
    world.until(3_500);
    assert!(world.claim_on(one).is_some_and(|claim| claim.by.node != one.node), "they find it absent");
    assert!(is_taken_over(&world, &calls, &[1, 2, 3, 4]));
    (0..4).for_each(|number| world.end(number));
    ends_well(world, 8_000);
}

/// T becomes longer and nobody answers that: until it is read the shorter one counts.
#[test]
fn longer_promises_written_and_not_told() {
    let mut world = three();
    world.begin(0, Fault::Engine { node: None, ill: Ill::Mute });
    world.begin(1, Fault::Promise { ms: 2_000 });
    world.until(2_300);
    assert!(world.reached("terms changed"));
    world.begin(2, Fault::Cut { from: None, to: Some(0), what: Traffic::Datagrams });
    world.until(2_600);
    assert!(world.speaks_for(0).is_empty(), "others may not know yet of more than 250 ms");
    world.end(2);
    world.end(0);
    let world = ends_well(world, 6_500);
    assert_eq!(world.terms_of(1).map(|terms| terms.promise), Some(Duration::from_secs(2)));
}

#[test]
fn successor_dies_before_saving_what_it_did() {
    let mut world = world(&Scenario::of_instances(5));
    let calls = world.speaks_for(0);
    world.begin(0, kill(0));
    world.run_until("taken over", 3_000);
    let heirs: Vec<usize> = (1..5).filter(|node| world.takes_over(*node)).collect();
    let heir = *heirs.first().expect("somebody is taking over right now");
    world.begin(1, kill(heir));
    world.until(4_500);
    let others: Vec<usize> = (1..5).filter(|node| *node != heir).collect();
    assert!(is_taken_over(&world, &calls, &others));
    ends_well(world, 5_500);
}

/// For a moment all find a absent, one after the other; then b dies, and a has a majority at every moment.
#[test]
fn blip_makes_all_voters_say_absent_then_one_dies() {
    let mut world = world(&Scenario::of_instances(5));
    let (one, two) = (world.incarnation(0), world.incarnation(1));
    for (number, other) in (1..5).enumerate() {
        world.begin(number, cut(0, other, Traffic::Datagrams));
        world.until(2_000 + 60 * (number as u64 + 1));
    }
    (0..4).for_each(|number| world.end(number));
    world.until(2_290);
    world.begin(9, kill(1));
    let world = ends_well(world, 5_000);
    assert!(world.claim_on(two).is_some_and(|claim| claim.by.node != two.node));
    let by = world.claim_on(one).map(|claim| claim.by.node);
    assert!(by.is_none() || by == Some(one.node), "nobody but itself ends what has healed: {by:?}");
}

#[test]
fn switch_flap_silences_everyone_at_once() {
    let mut world = three();
    let before: Vec<Incarnation> = (0..3).map(|node| world.incarnation(node)).collect();
    let calls: Vec<Vec<CallId>> = (0..3).map(|node| world.speaks_for(node)).collect();
    world.begin(0, Fault::Cut { from: None, to: None, what: Traffic::All });
    world.until(2_700);
    assert!((0..3).all(|node| world.speaks_for(node).is_empty()), "no majority anywhere");
    world.end(0);
    world.until(3_500);
    for node in 0..3 {
        assert!(world.incarnation(node) > before[node], "it has won its key for its next incarnation");
        assert!(is_taken_over(&world, &calls[node], &[node]), "and has its own calls");
    }
    ends_well(world, 4_500);
}

/// Everybody hears a; a hears nobody. A link that works one way is none.
#[test]
fn acknowledgements_lost_one_way() {
    let mut world = three();
    let (one, calls) = (world.incarnation(0), world.speaks_for(0));
    world.begin(0, Fault::Cut { from: None, to: Some(0), what: Traffic::Datagrams });
    world.until(2_300);
    assert!(world.speaks_for(0).is_empty(), "its promises ran out");
    world.until(3_000);
    assert!(world.claim_on(one).is_some_and(|claim| claim.by.node != one.node));
    assert!(is_taken_over(&world, &calls, &[1, 2]));
    world.end(0);
    ends_well(world, 5_000);
}

/// The disk hangs and the thread that beats would go on: it does not.
#[test]
fn hung_disk_with_a_live_heartbeat_thread() {
    let mut world = three();
    let (one, calls) = (world.incarnation(0), world.speaks_for(0));
    world.begin(0, Fault::Hang { node: 0 });
    world.until(3_000);
    assert!(world.claim_on(one).is_some_and(|claim| claim.by.node != one.node));
    assert!(is_taken_over(&world, &calls, &[1, 2]));
    world.end(0);
    let world = ends_well(world, 5_000);
    assert!(world.reached("fenced"));
}

/// A claim on a names b, whose key is claimed before that is written.
#[test]
fn claimant_names_a_member_that_was_just_claimed() {
    let mut found = 0;
    for seed in 0..12 {
        let mut world = world(&Scenario { seed, strict: false, ..Scenario::of_instances(5) });
        let (one, two) = (world.incarnation(0), world.incarnation(1));
        world.begin(0, kill(0));
        world.until(2_000 + seed);
        world.begin(1, kill(1));
        let world = ends_well(world, 5_500);
        let named = |of: Incarnation, heir: Incarnation| {
            world.claim_on(of).unwrap().heirs.iter().any(|named| named.member == heir)
        };
        assert!(!named(one, two) || world.claim_on(two).is_some());
        found += u64::from(world.reached("an heir was just claimed") || !named(one, two));
    }
    assert!(found > 0);
}

/// The claimant dies with its word unsaid, and a successor does not hear the engine.
#[test]
fn named_successor_never_hears_of_the_claim() {
    let mut world = world(&Scenario::of_instances(5));
    let calls = world.speaks_for(0);
    world.begin(0, Fault::Engine { node: Some(3), ill: Ill::Away });
    world.begin(1, kill(0));
    world.run_until("claim", 3_000);
    let claimant = (1..5).find(|node| world.has_claimed(*node));
    if let Some(claimant) = claimant.filter(|node| *node != 3) {
        world.begin(2, kill(claimant));
    }
    world.until(3_500);
    world.end(0);
    world.until(5_500);
    assert!(is_taken_over(&world, &calls, &[1, 2, 3, 4]));
    ends_well(world, 6_500);
}

#[test]
fn only_survivor_is_draining() {
    let scenario =
        Scenario { roles: vec![Role::Instance, Role::Instance, Role::Witness], ..Scenario::of_instances(3) };
    let mut world = world(&scenario);
    let calls = world.speaks_for(0);
    world.drains(1, true);
    world.until(2_100);
    world.begin(0, kill(0));
    world.until(3_000);
    assert!(is_taken_over(&world, &calls, &[1]), "nobody else could");
    ends_well(world, 4_000);
}

#[test]
fn compare_and_set_applied_its_answer_lost() {
    let mut world = three();
    let (one, calls) = (world.incarnation(0), world.speaks_for(0));
    world.begin(0, Fault::Engine { node: None, ill: Ill::Mute });
    world.begin(1, kill(0));
    world.until(2_700);
    assert!(world.claim_on(one).is_some() && world.reached("won and not told"));
    assert!(!is_taken_over(&world, &calls, &[1, 2]), "no one acts before it has read its claim");
    world.end(0);
    world.until(3_800);
    assert!(is_taken_over(&world, &calls, &[1, 2]));
    ends_well(world, 4_500);
}

/// a dies, b succeeds; b dies, c succeeds; c dies: d has what none of them had saved.
#[test]
fn second_claim_while_the_first_is_being_carried_out() {
    for seed in 0..4 {
        let mut world = world(&Scenario { seed, strict: false, ..Scenario::of_instances(5) });
        let calls = world.speaks_for(0);
        world.begin(0, kill(0));
        world.run_until("taken over", 3_000);
        let heir = (1..5).find(|node| world.takes_over(*node)).expect("one that has not settled");
        // Its saves reach nobody any more.
        world.begin(1, Fault::Cut { from: Some(heir), to: None, what: Traffic::All });
        world.begin(2, kill(heir));
        world.until(4_500);
        let left: Vec<usize> = (1..5).filter(|node| *node != heir).collect();
        assert!(is_taken_over(&world, &calls, &left), "seed {seed}");
        let world = ends_well(world, 5_500);
        assert!(world.reached("inherited over another"), "seed {seed}");
    }
}

/// Cut off from its peers alone, and from the engine alone.
#[test]
fn a_node_from_its_peers_only_and_from_the_engine_only() {
    let mut world = three();
    let (one, calls) = (world.incarnation(0), world.speaks_for(0));
    world.begin(0, Fault::Engine { node: Some(0), ill: Ill::Away });
    world.until(4_000);
    assert_eq!((world.incarnation(0), world.standing(0)), (one, Standing::Speaking), "it goes on without");
    assert!(is_taken_over(&world, &calls, &[0]));
    world.end(0);
    world.begin(1, Fault::Cut { from: Some(0), to: None, what: Traffic::All });
    world.begin(2, Fault::Cut { from: None, to: Some(0), what: Traffic::All });
    let calls = world.speaks_for(0);
    world.until(5_000);
    assert!(world.speaks_for(0).is_empty() && is_taken_over(&world, &calls, &[1, 2]));
    world.end(1);
    world.end(2);
    ends_well(world, 6_500);
}

/// One that was promised nothing for T may be claimed while its first promises are on their way.
#[test]
fn claim_on_its_way_while_the_first_promises_come() {
    let mut world = three();
    // a restarts behind a cut; it is found absent before anybody has heard it.
    world.begin(0, Fault::Cut { from: None, to: Some(0), what: Traffic::Datagrams });
    world.begin(1, Fault::Kill { node: 0, again: Some(50), host: false });
    world.until(2_080);
    let one = world.incarnation(0);
    world.begin(2, Fault::Engine { node: Some(0), ill: Ill::Refuses });
    world.begin(3, Fault::Engine { node: Some(1), ill: Ill::Slow });
    world.begin(4, Fault::Engine { node: Some(2), ill: Ill::Slow });
    world.until(2_320);
    world.end(0);
    world.until(3_500);
    assert!(world.incarnation(0) > one || world.standing(0) != Standing::Speaking, "its time was over");
    (2..5).for_each(|number| world.end(number));
    ends_well(world, 6_500);
}

/// A witness promises, votes and claims, and takes no call.
#[test]
fn a_witness_decides_and_carries_nothing() {
    let scenario =
        Scenario { roles: vec![Role::Instance, Role::Instance, Role::Witness], ..Scenario::of_instances(3) };
    let mut world = world(&scenario);
    let calls = world.speaks_for(0);
    world.begin(0, kill(0));
    world.until(3_000);
    assert!(is_taken_over(&world, &calls, &[1]) && world.speaks_for(2).is_empty());
    ends_well(world, 4_000);
}

/// A machine comes back with a new disk, as the same node, before it is missed: what mirrors hold counts.
#[test]
fn a_new_disk_before_anybody_missed_the_old_one() {
    let mut world = three();
    let (one, calls) = (world.incarnation(0), world.speaks_for(0));
    world.begin(0, Fault::Kill { node: 0, again: Some(50), host: true });
    world.begin(1, Fault::NewDisk { node: 0 });
    world.until(3_000);
    assert!(world.incarnation(0) > one && is_taken_over(&world, &calls, &[0]));
    ends_well(world, 4_000);
}
