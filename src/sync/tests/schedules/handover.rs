//! A node that drains gives its calls to the others, and something goes wrong in the middle of that.

use super::{ends_well, is_taken_over, kill, three};
use crate::id::CallId;
use crate::sync::tests::world::{Fault, Ill, Scenario, Switch, World};
use crate::sync::{Incarnation, Role, Standing};

/// The first node of three begins to drain at 2,000 ms: its incarnation, and its calls.
fn drains() -> (World, Incarnation, Vec<CallId>) {
    let mut world = three();
    world.place_no_more();
    let (one, calls) = (world.incarnation(0), world.speaks_for(0));
    world.drain(0);
    (world, one, calls)
}

#[test]
fn who_drains_is_rid_of_its_calls_before_it_could_have_been_missed() {
    let (mut world, one, calls) = drains();
    world.until(2_200); // T is 250 ms
    let claim = world.claim_on(one).expect("it has given them away").clone();
    assert!(!claim.stale && claim.heirs.len() == 2 && claim.by.node != one.node, "{claim:?}");
    assert!(is_taken_over(&world, &calls, &[1, 2]) && world.speaks_for(0).is_empty());
    ends_well(world, 4_000);
}

/// At each moment of it: silent and nothing asked, asked, written, told.
#[test]
fn old_owner_dies_in_the_middle_of_a_hand_over() {
    let mut written = 0;
    for after in 0..30 {
        let (mut world, one, calls) = drains();
        world.run_until("laid down", 2_500);
        let begun = world.time();
        world.until(begun + after);
        written += u32::from(world.claim_on(one).is_some());
        world.begin(0, kill(0));
        world.until(begun + after + 1_500);
        assert!(is_taken_over(&world, &calls, &[1, 2]), "dead {after} ms after it fell silent");
        ends_well(world, 5_000);
    }
    assert!((5..28).contains(&written), "it died before and after its claim was written: {written} of 30");
}

/// Its own records are one more copy: who alone held what it saved last may die.
#[test]
fn successor_dies_in_the_middle_of_a_hand_over() {
    for after in 0..30 {
        let (mut world, _, calls) = drains();
        world.run_until("laid down", 2_500);
        let begun = world.time();
        world.until(begun + after);
        world.begin(0, kill(1));
        world.until(begun + after + 2_500);
        assert!(is_taken_over(&world, &calls, &[0, 2]), "a successor dead after {after} ms");
        ends_well(world, 6_000);
    }
}

/// Of two instances the one that is to have the calls dies at each moment of it: they come back. What was wrong first.
fn only_successor_dies(switch: Switch) -> Option<String> {
    let roles = vec![Role::Instance, Role::Instance, Role::Witness];
    let scenario = Scenario { roles, ..Scenario::of_instances(3) };
    (0..30).find_map(|after| {
        let mut world = World::new(&scenario, switch, false);
        world.until(2_000);
        world.place_no_more();
        let calls = world.speaks_for(0);
        world.drain(0);
        world.run_until("laid down", 2_500);
        let at = world.time() + after;
        world.until(at);
        world.begin(0, kill(1));
        world.until(at + 2_500);
        let lost = !is_taken_over(&world, &calls, &[0]);
        world.until(6_000);
        world.judge_end();
        world.judge.wrong.or(lost.then(|| format!("calls are lost: it died after {after} ms")))
    })
}

#[test]
fn the_only_successor_dies_in_the_middle_of_a_hand_over() {
    assert_eq!(only_successor_dies(Switch::Whole), None);
    let wrong = only_successor_dies(Switch::KeepsNoCopy);
    assert!(wrong.is_some(), "nobody else has a copy");
}

/// It stands still in the middle of it, and wakes when the others have its calls.
#[test]
fn old_owner_is_stopped_in_the_middle_of_a_hand_over() {
    for after in 0..30 {
        let (mut world, _, calls) = drains();
        world.run_until("laid down", 2_500);
        let begun = world.time();
        world.until(begun + after);
        world.begin(0, Fault::Pause { node: 0 });
        world.until(begun + after + 1_500);
        assert!(is_taken_over(&world, &calls, &[1, 2]), "stopped {after} ms after it fell silent");
        world.end(0);
        ends_well(world, 6_000);
    }
}

#[test]
fn without_an_engine_nothing_is_handed_over() {
    for ill in [Ill::Away, Ill::Refuses] {
        let mut world = three();
        let (one, calls) = (world.incarnation(0), world.speaks_for(0));
        world.begin(0, Fault::Engine { node: None, ill });
        world.drain(0);
        world.until(3_500);
        assert_eq!((world.incarnation(0), world.standing(0)), (one, Standing::Speaking));
        assert!(is_taken_over(&world, &calls, &[0]) && !world.reached("laid down"));
        world.end(0);
        world.until(5_000);
        assert!(is_taken_over(&world, &calls, &[1, 2]), "and when it is back, all is");
        ends_well(world, 6_000);
    }
}

/// The engine goes away between both: nobody has the calls until it is back, and then somebody has.
#[test]
fn the_engine_goes_away_in_the_middle_of_a_hand_over() {
    for ill in [Ill::Away, Ill::Mute, Ill::Refuses] {
        for after in 0..12 {
            let (mut world, _, calls) = drains();
            world.run_until("laid down", 2_500);
            let begun = world.time();
            world.until(begun + after);
            world.begin(0, Fault::Engine { node: None, ill });
            world.until(begun + after + 1_000);
            world.end(0);
            world.until(begun + after + 3_000);
            assert!(is_taken_over(&world, &calls, &[0, 1, 2]), "{ill:?} after {after} ms");
            ends_well(world, 7_000);
        }
    }
}

#[test]
fn nobody_has_room_and_nothing_is_handed_over() {
    let mut world = three();
    let one = world.incarnation(0);
    world.drains(1, true);
    world.drains(2, true);
    world.until(2_200);
    world.drain(0);
    world.until(3_500);
    assert_eq!((world.incarnation(0), world.standing(0)), (one, Standing::Speaking));
    ends_well(world, 4_500);
}
