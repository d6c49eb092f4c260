//! The right to send ends: nothing leaves any more, whoever still wants to say something.

use super::*;
use crate::call::Call;
use crate::id::Epoch;
use crate::node::clock::boottime;

/// Longer than anything that was already on its way.
const SETTLED: Duration = Duration::from_millis(60);
const WHILE: Duration = Duration::from_millis(500);

fn limited(first_port: u16) -> (World, Right) {
    let right = Right::of_member(Duration::from_millis(250));
    let (limits, loopback) = (journal::Limits::default(), "127.0.0.1".parse().unwrap());
    let questionnaire: (&str, &[&str]) = (QUESTIONNAIRE, &["cat", "SPOKEN"]);
    (World::of_right(right.clone(), questionnaire, first_port, limits, loopback, |_| {}), right)
}

/// Gives the right for so long, and says what is left of it.
fn speaks_for(right: &Right, so_long: Duration) -> Duration {
    let until = boottime() + so_long;
    assert!(right.speak_until(until));
    until.since(boottime())
}

#[test]
fn a_talking_call_falls_silent_when_the_right_runs_out_whether_or_not_anybody_notices() {
    let (mut world, right) = limited(22_000);
    speaks_for(&right, Duration::from_secs(30));
    let invite = world.rings();
    world.phone.pick_up(&invite);
    world.phone.hear();
    std::thread::sleep(speaks_for(&right, Duration::from_millis(200)) + SETTLED);
    assert!(world.phone.hears_nothing(WHILE));
    // A request of the peer's in the dialog is not answered, nor is a stranger's.
    world.phone.send(&world.phone.in_dialog(&invite, "OPTIONS", 1));
    world.phone.send(&world.phone.in_dialog(&invite, "BYE", 2).replace(":phone", ":nobody"));
    assert!(world.phone.hears_nothing(WHILE));
    assert!(matches!(world.node.place(world.placement()), Err(PlaceError::Silent)));
    // A word that comes late gives nothing back.
    assert!(!right.speak_until(boottime() + Duration::from_secs(30)));
    assert!(world.phone.hears_nothing(WHILE));

    world.node.silence();
    world.node.silence();
    let told: Vec<Event> = std::iter::from_fn(|| {
        std::thread::sleep(Duration::from_millis(50));
        world.events.try_recv().ok()
    })
    .collect();
    let silenced: Vec<_> = told.iter().filter(|event| matches!(event, Event::Silenced { .. })).collect();
    assert!(matches!(silenced[..], [Event::Silenced { calls: 1 }]), "said once: {told:?}");
    assert!(!told.iter().any(|event| matches!(event, Event::Ended { .. })), "no result: {told:?}");
    let usage = world.node.usage();
    assert_eq!((usage.calls, usage.held, usage.streams), (0, 0, 0));
    assert_eq!(world.saved().len(), 1, "its record stays: nobody knows yet who has the call");
    drop(world.node);
    assert!(world.phone.hears_nothing(SETTLED), "nor does its end say anything");
}

#[test]
fn what_was_parked_when_the_right_ended_never_leaves_and_the_next_incarnation_begins_without_it() {
    let (mut world, right) = limited(22_020);
    speaks_for(&right, Duration::from_secs(30));
    let invite = world.rings();
    world.node.silence();
    world.phone.reply(&invite, "486 Busy Here", None); // its ACK stays unsaid
    assert!(world.phone.hears_nothing(WHILE));
    world.node.begin_anew(Epoch(7));
    assert!(matches!(world.node.place(world.placement()), Err(PlaceError::Silent)), "nothing yet");
    speaks_for(&right, Duration::from_secs(30));
    assert!(world.phone.hears_nothing(WHILE), "the call before is gone for good");
    let invite = world.rings();
    world.phone.reply(&invite, "100 Trying", None);
    let saved = world.saved();
    let newest = saved.iter().max_by_key(|saved| saved.epoch).unwrap();
    assert_eq!((saved.len(), newest.epoch), (2, Epoch(7)), "the one before stays in the journal");
    assert_eq!(Call::restore(&newest.record).unwrap().id().as_str(), newest.call_id.as_str());
}
