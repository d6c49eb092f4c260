//! Schedules of starts: who is control changes, or a node refuses or dies, at the worst moment.

use super::super::world::{Fault, Scenario, Switch, Traffic, World};
use super::{cut, ends_well, kill};

/// Three instances of which one is control, and no requests but by hand, at 2,000 ms; who is control, and the others.
fn shop() -> (World, usize, [usize; 2]) {
    shop_of(7, Switch::Whole)
}

fn shop_of(seed: u64, switch: Switch) -> (World, usize, [usize; 2]) {
    shop_in(3, seed, switch)
}

fn shop_in(instances: usize, seed: u64, switch: Switch) -> (World, usize, [usize; 2]) {
    let scenario = Scenario { starts: true, seed, ..Scenario::of_instances(instances) };
    let log = std::env::var_os("BATON_SYNC_LOG").is_some();
    let mut world = World::new(&scenario, switch, log);
    world.picks(0);
    world.until(2_600);
    let control = world.control().expect("somebody is control");
    let others = [(control + 1) % instances, (control + 2) % instances];
    (world, control, others)
}

/// A key of no request that was made by itself.
const KEY: u32 = 1_000;

/// Asks for a call that goes to this node if it can, until something has happened.
fn ask(world: &mut World, at: usize, picked: usize, until: &str) {
    world.picks(picked);
    world.ask_as_client(at, KEY);
    world.run_until(until, 3_000);
}

/// It is dialled once, and whoever asks again is told so.
fn is_dialled_once(mut world: World, again: usize) -> World {
    world.until(4_500);
    world.ask_as_client(again, KEY);
    world.until(5_000);
    let world = ends_well(world, 6_000);
    assert_eq!((world.dialled(KEY), world.answered(KEY)), (1, true));
    world
}

#[test]
fn one_key_at_all_instances_at_once_is_one_call() {
    let (mut world, control, _) = shop();
    world.picks(control);
    (0..3).for_each(|node| world.ask_as_client(node, KEY));
    is_dialled_once(world, 0);
}

/// The placement is stored by all, and control dies before its start indication leaves.
#[test]
fn control_dies_between_storing_and_sending() {
    for picks_itself in [false, true] {
        let (mut world, control, [one, other]) = shop();
        ask(&mut world, one, if picks_itself { control } else { other }, "stores");
        world.begin(0, kill(control));
        let world = is_dialled_once(world, other);
        assert!(world.reached("control changes"));
        assert!(world.reached(if picks_itself { "placed anew" } else { "repeated" }), "{picks_itself}");
    }
}

/// Control stands still when it has stored; its successor repeats the placement; it wakes and would send.
#[test]
fn control_paused_before_sending_a_placement() {
    for seed in [7, 8, 9] {
        let (mut world, control, [one, other]) = shop_of(seed, Switch::Whole);
        ask(&mut world, one, other, "stores");
        world.begin(0, Fault::Pause { node: control });
        world.until(4_000);
        assert!(world.control().is_some_and(|now| now != control), "another one is control");
        world.end(0);
        is_dialled_once(world, control);
    }
}

/// A node refuses, and its answer is lost. Asked again it refuses again, although it has room by then.
#[test]
fn refused_start_retried_late() {
    let (mut world, control, [one, _]) = shop();
    world.begin(1, Fault::Hang { node: one });
    ask(&mut world, control, one, "sends");
    world.begin(0, cut(one, control, Traffic::Links));
    world.until(2_750);
    world.end(1);
    world.until(3_300);
    world.end(0);
    let world = is_dialled_once(world, one);
    assert!(world.reached("not answered") && world.reached("refused before"));
}

/// The record of a new call is in its node's journal alone, its INVITE has left, and the node dies: nobody holds it, and it
/// is not placed anew.
#[test]
fn journal_alone_start_owner_dies_peer_claims_without_it() {
    let (mut world, control, [one, other]) = shop();
    ask(&mut world, control, one, "admitted");
    world.begin(0, cut(one, control, Traffic::Links));
    world.begin(1, cut(one, other, Traffic::Links));
    world.begin(2, cut(control, one, Traffic::Links));
    world.begin(3, cut(other, one, Traffic::Links));
    world.run_until("dialled", 4_000);
    assert!(world.reached("journal alone"));
    let incarnation = world.incarnation(one);
    world.begin(4, kill(one));
    (0..4).for_each(|fault| world.end(fault));
    world.forgive();
    let world = ends_well(world, 7_000);
    assert!(world.claim_on(incarnation).is_some_and(|claim| claim.stale), "something newer was heard of");
    assert_eq!(world.dialled(KEY), 1, "nobody knows what became of it, so nobody dials again");
}

/// Start indications are on their way to a node while the way is cut: they come late, and not in their order. Whichever of
/// them it refused, it refuses all.
#[test]
fn start_indications_that_come_late_find_their_refusal() {
    let run = |seed, switch| {
        let (mut world, control, [one, _]) = shop_of(seed, switch);
        ask(&mut world, control, one, "stores");
        world.begin(0, cut(control, one, Traffic::Links));
        world.until(4_900);
        world.end(0);
        world.until(7_500);
        world
    };
    for seed in 0..20 {
        let world = run(seed, Switch::Whole);
        assert_eq!(world.judge.wrong, None, "seed {seed}");
    }
    let wrong = (0..200).find_map(|seed| run(seed, Switch::ForgetsRefusals).judge.wrong);
    assert!(wrong.is_some(), "a node that forgets what it refused is not noticed");
}

/// Control has placed a call, and dies; its successor does not reach the node that has it. It sends the same again, and
/// nothing else.
#[test]
fn successor_of_control_does_not_reach_the_node() {
    let run = |seed| {
        let (mut world, control, [one, other]) = shop_in(5, seed, Switch::Whole);
        ask(&mut world, other, one, "admitted");
        world.begin(0, Fault::Cut { from: Some(one), to: None, what: Traffic::Links });
        world.begin(1, Fault::Cut { from: None, to: Some(one), what: Traffic::Links });
        world.begin(2, kill(control));
        world.until(4_000);
        (0..2).for_each(|fault| world.end(fault));
        world.until(6_000);
        world
    };
    for seed in 0..10 {
        let world = run(seed);
        assert_eq!((world.judge.wrong.clone(), world.dialled(KEY)), (None, 1), "seed {seed}");
    }
}
