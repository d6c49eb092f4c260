//! How starts go, step by step, and what is known of nodes that were to place a call.

use super::fates::CLAIMS;
use super::*;
use crate::id::Mint;

fn one(name: &str, run: u64) -> Incarnation {
    Incarnation { node: name.parse().unwrap(), run }
}

fn call(seed: u64) -> CallId {
    CallId::mint(&mut Mint::seeded(seed))
}

const PLACEMENT_MS: u64 = 10_000;

fn placement(epoch: u64, number: u32) -> Placement {
    Placement { epoch, number, to: one("b", 5), not_after_ms: PLACEMENT_MS }
}

#[test]
fn a_refusal_is_remembered_until_it_is_too_late_anyway() {
    let (mut admission, me) = (Admission::default(), one("b", 5));
    let [first, second] = [1, 2].map(call);
    admission.refuse(1_000, first, PLACEMENT_MS);
    let ask = |admission: &mut Admission, now, call| admission.admit(now, me, call, 3, &placement(3, 1));
    assert_eq!(ask(&mut admission, 2_000, first), Err(NotAdmitted::Before));
    assert_eq!(ask(&mut admission, 2_000, second), Ok(()));
    admission.refuse(PLACEMENT_MS + 1, second, 2 * PLACEMENT_MS);
    assert_eq!(ask(&mut admission, PLACEMENT_MS + 1, first), Err(NotAdmitted::Late));
}

#[test]
fn who_was_control_before_is_not_listened_to() {
    let (mut admission, me) = (Admission::default(), one("b", 5));
    assert_eq!(admission.admit(0, me, call(1), 7, &placement(3, 1)), Ok(()), "a successor repeats it");
    assert_eq!(admission.admit(0, me, call(1), 3, &placement(3, 1)), Err(NotAdmitted::Superseded));
    assert_eq!(admission.admit(0, one("b", 9), call(1), 7, &placement(7, 1)), Err(NotAdmitted::Another));
}

#[test]
fn nothing_is_sent_before_it_is_stored_by_enough() {
    let mut start = Start::new(3, 1, true);
    assert_eq!(start.step(), Step::Look);
    start.looked(Looked::Nobody);
    start.picked(0, Some(one("b", 5)));
    let Step::Store(first) = start.step() else { panic!("{start:?}") };
    assert_eq!(first, Placement { not_after_ms: 10_000, ..placement(3, 1) });
    start.kept(Kept::By(0));
    assert_eq!(start.step(), Step::Withdraw, "nobody else keeps it");
    start.withdrew(true);
    assert_eq!(start.step(), Step::Over(Outcome::NotNow));
}

#[test]
fn a_refused_one_goes_to_the_next_and_what_all_refuse_is_withdrawn() {
    let mut start = Start::new(3, 1, false);
    start.picked(0, Some(one("b", 5)));
    start.kept(Kept::By(1));
    start.said(Said::Refused);
    assert_eq!((start.step(), start.refused().len()), (Step::Pick, 1));
    start.picked(0, Some(one("c", 6)));
    let Step::Store(second) = start.step() else { panic!("{start:?}") };
    assert!(second.number == 2 && second.succeeds(&placement(3, 1)));
    start.kept(Kept::By(2));
    start.said(Said::Refused);
    start.picked(0, None);
    assert_eq!(start.step(), Step::Withdraw);
    let mut remembered = start.clone();
    start.withdrew(true);
    assert_eq!(start.step(), Step::Over(Outcome::Refused));
    remembered.withdrew(false);
    assert_eq!(remembered.step(), Step::Over(Outcome::Open), "somebody would tell a successor of it");
}

#[test]
fn a_node_that_is_not_reached_by_a_repeat_may_have_the_call() {
    let mut first = Start::new(3, 1, false);
    first.picked(0, Some(one("b", 5)));
    first.kept(Kept::By(1));
    first.said(Said::Unreached);
    assert_eq!(first.step(), Step::Pick, "it was told for the first time");
    let mut repeat = Start::again(4, 1, &placement(3, 1), Next::Repeat).unwrap();
    repeat.said(Said::Unreached);
    assert_eq!(repeat.step(), Step::Over(Outcome::Open));
    let mut repeat = Start::again(4, 1, &placement(3, 1), Next::Repeat).unwrap();
    repeat.said(Said::Refused);
    assert_eq!(repeat.step(), Step::Pick);
}

#[test]
fn who_did_not_answer_may_know_the_key() {
    let known = call(1);
    assert_eq!(Looked::of([Some(None), Some(None)]), Looked::Nobody);
    assert_eq!(Looked::of([Some(None), None]), Looked::Unsure);
    assert_eq!(Looked::of([None, Some(Some((known, 3)))]), Looked::Known(known));
    let later = call(2);
    assert_eq!(Looked::of([Some(Some((later, 4))), Some(Some((known, 3)))]), Looked::Known(later));
    assert_eq!(Looked::of([]), Looked::Nobody, "alone");
}

#[test]
fn what_was_claimed_is_remembered_when_its_key_is_gone() {
    let mut fates = Fates::default();
    let (dead, left) = (one("a", 1), one("b", 2));
    assert_eq!(fates.of(dead, true), Fate::Lives);
    fates.claimed(dead, false);
    assert_eq!(fates.of(dead, false), Fate::Claimed);
    fates.gone(dead);
    fates.gone(left);
    assert_eq!(fates.of(dead, false), Fate::Gone { whole: true });
    assert_eq!(fates.of(left, false), Fate::Gone { whole: false }, "who left in order may have its result");
    (10..10 + CLAIMS as u64).for_each(|run| fates.claimed(one("c", run), true));
    assert_eq!(fates.of(dead, false), Fate::Gone { whole: false }, "it is long ago");
}

#[test]
fn another_placement_only_when_the_node_is_dead_and_nothing_of_it_can_be_missing() {
    let nobody = Sight { known: false, living: true, all: false };
    let next = |fate, sight, now| next(&placement(3, 1), fate, sight, now, 0);
    assert_eq!(next(Fate::Lives, nobody, 9_000), Next::Repeat);
    assert_eq!(next(Fate::Lives, nobody, 15_000), Next::Wait, "it may be at it");
    assert_eq!(next(Fate::Lives, nobody, 20_001), Next::Never);
    assert_eq!(next(Fate::Claimed, nobody, 9_000), Next::Wait, "a successor may be about to tell of it");
    assert_eq!(next(Fate::Gone { whole: true }, nobody, 9_000), Next::Anew);
    assert_eq!(next(Fate::Gone { whole: true }, nobody, 60_001), Next::Never);
    let some = Sight { living: false, ..nobody };
    assert_eq!(next(Fate::Gone { whole: true }, some, 9_000), Next::Wait);
    assert_eq!(next(Fate::Gone { whole: false }, nobody, 90_000), Next::Wait, "it may have dialled");
    let all = Sight { all: true, ..nobody };
    assert_eq!(next(Fate::Gone { whole: false }, all, 9_000), Next::Never);
    assert_eq!(next(Fate::Gone { whole: true }, Sight { known: true, ..all }, 9_000), Next::Wait);
}
