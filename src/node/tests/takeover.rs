//! Two nodes at two addresses: one falls silent without a word, and the other goes on with its call.

use std::sync::mpsc::{Receiver, channel};

use super::*;
use crate::id::{CallId, Epoch};
use crate::node::clock::boottime;
use crate::node::{Inheritance, Inherited, Settled};
use crate::rtp::Ssrc;
use crate::settings::Trunk;
use crate::sip::HeaderName;

const HERE: &str = "127.0.0.2";

/// The first node, whose right to send is limited.
fn first(first_port: u16) -> (World, Right) {
    let right = Right::of_member(Duration::from_millis(250));
    let (limits, loopback) = (journal::Limits::default(), "127.0.0.1".parse().unwrap());
    let questionnaire: (&str, &[&str]) = (QUESTIONNAIRE, &["cat", "SPOKEN"]);
    let world = World::of_right(right.clone(), questionnaire, first_port, limits, loopback, |_| {});
    assert!(right.speak_until(boottime() + Duration::from_secs(60)));
    (world, right)
}

/// The second node, with a journal and addresses of its own.
struct Second {
    node: Node,
    events: mpsc::Receiver<Event>,
    dir: TempDir,
}

impl Second {
    fn of(world: &World, set: impl FnOnce(&mut Settings)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["hello", "ready", "bye", "spoken", "long"] {
            let name = format!("{name}.wav");
            std::fs::copy(world.dir.path().join(&name), dir.path().join(&name)).unwrap();
        }
        let mut settings = world.settings.clone();
        settings.sip.listen = format!("{HERE}:0").parse().unwrap();
        settings.media.address = HERE.parse::<IpAddr>().unwrap().into();
        set(&mut settings);
        let right = Right::default();
        let (node, events, questionnaire) = start(dir.path(), &world.text, world.limits, settings, right);
        assert_eq!(questionnaire, world.questionnaire);
        Self { node, events, dir }
    }

    fn take_over(&self, calls: Vec<Inherited>, epoch: u64) -> Receiver<Settled> {
        let (sender, settled) = channel();
        self.node.take_over(Inheritance {
            epoch: Epoch(epoch),
            lost_for: Some(Duration::from_millis(300)),
            calls,
            settled: Box::new(move |how| sender.send(how).unwrap()),
        });
        settled
    }

    fn saved(&self) -> Vec<journal::SavedCall> {
        journal::read(&self.dir.path().join("journal")).unwrap().calls
    }

    fn result(&mut self) -> (Box<CallResult>, Receipt) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.events.try_recv() {
                Ok(Event::Ended { result, receipt, .. }) => return (result, receipt),
                Ok(Event::Step { .. }) => {}
                Ok(other) => panic!("{other:?}"),
                Err(error) => assert!(Instant::now() < deadline, "no result: {error}"),
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn inherited_of(saved: Vec<journal::SavedCall>) -> Vec<Inherited> {
    let one = |earlier| Inherited { earlier, claims: 1, stale: false };
    Earlier::read(saved).into_iter().map(one).collect()
}

fn inherited(world: &World) -> Vec<Inherited> {
    inherited_of(world.saved())
}

#[test]
fn a_callee_hears_another_instance_go_on_at_the_same_question() {
    let (mut world, _right) = first(22_100);
    let mut second = Second::of(&world, |_| {});
    let invite = world.rings();
    world.phone.pick_up(&invite);
    world.phone.hear_out(&frames(&samples(0.3, 10)));
    let before = *world.phone.heard.borrow().last().unwrap();
    world.node.silence();
    let calls = inherited(&world);
    let settled = second.take_over(calls, 7);

    let again = world.phone.request("INVITE");
    let saved = second.saved();
    assert_eq!((saved.len(), saved[0].epoch), (1, Epoch(7)), "saved here before its re-INVITE leaves");
    assert_eq!(settled.recv_timeout(PATIENCE).unwrap(), Settled { taken: 1, refused: 0 });
    for same in [HeaderName::CallId, HeaderName::From] {
        assert_eq!(again.headers().get(same.clone()), invite.headers().get(same));
    }
    assert_eq!(again.headers().to().unwrap().tag(), Some("phone"));
    assert_eq!(again.headers().cseq().unwrap().number, 18);
    assert!(again.headers().get(HeaderName::Contact).unwrap().contains(HERE));
    let body = String::from_utf8(again.body().to_vec()).unwrap();
    assert!(
        body.contains(&format!("c=IN IP4 {HERE}"))
            && body.contains("o=")
            && !body.contains(&format!("IP4 {HERE}\r\ns=")),
        "{body}"
    );
    // RTP comes before the re-INVITE is answered.
    world.phone.hear_on();
    world.phone.hear();
    std::thread::sleep(Duration::from_millis(150)); // so long that the question is said again, of which some is missed here
    world.phone.pick_up(&again);
    assert_eq!(world.phone.caller().ip().to_string(), HERE);
    world.phone.hear_out(&frames(&samples(0.5, 15)));
    let heard: Vec<Ssrc> = world.phone.heard.borrow().iter().map(|header| header.ssrc).collect();
    assert!(heard.iter().all(|ssrc| *ssrc != before.ssrc), "nothing of the first node, and a fresh source");
    std::thread::sleep(Duration::from_millis(600)); // nobody answers sooner what is asked again
    world.phone.press(1);
    world.phone.hear_out(&frames(&samples(0.7, 8)));
    let bye = world.phone.request("BYE");
    world.phone.reply(&bye, "200 OK", None);
    let (result, receipt) = second.result();
    assert_eq!((result.disposition, result.takeovers, result.fault), (Disposition::Complete, 1, None));
    let question = &result.responses[0];
    assert_eq!((question.digits.len(), question.no_input, question.no_match), (1, 0, 0));
    receipt.stored();
    assert_eq!(second.node.shutdown(PATIENCE), 0);
    assert_eq!(world.node.usage().calls, 0);
}

#[test]
fn what_is_no_call_or_older_than_what_is_here_is_refused_counted_and_changes_nothing() {
    let (mut world, _right) = first(22_120);
    let mut second = Second::of(&world, |_| {});
    let invite = world.rings();
    world.phone.pick_up(&invite);
    world.phone.hear();
    world.node.silence();
    let calls = world.saved();
    let mut damaged = calls.clone();
    damaged[0].record.truncate(40);
    let mut newer = calls.clone();
    newer[0].record[0] = 250;
    let settled = second.take_over(inherited_of([damaged, newer].concat()), 7);
    assert_eq!(settled.recv_timeout(PATIENCE).unwrap(), Settled { taken: 0, refused: 2 });
    assert!(second.saved().is_empty());
    assert_eq!(second.node.usage().held, 0);

    assert_eq!(second.take_over(inherited_of(calls.clone()), 9).recv_timeout(PATIENCE).unwrap().taken, 1);
    let again = world.phone.request("INVITE");
    world.phone.pick_up(&again);
    // An earlier claim comes late, and one comes twice.
    for epoch in [8, 9] {
        let settled = second.take_over(inherited_of(calls.clone()), epoch).recv_timeout(PATIENCE).unwrap();
        assert_eq!(settled, Settled { taken: 0, refused: 1 }, "{epoch}");
    }
    let counted: Vec<_> = second.node.usage().faults;
    let count = |reason| counted.iter().find(|fault| fault.reason == reason).map_or(0, |fault| fault.count);
    assert_eq!((count("unreadable"), count("older")), (2, 2), "{counted:?}");
    assert_eq!((second.node.usage().calls, second.saved()[0].epoch), (1, Epoch(9)));
    world.phone.hear();
    world.phone.hang_up(&again);
    assert_eq!(second.result().0.disposition, Disposition::BreakOff);
}

#[test]
fn what_rings_is_cancelled_from_here_with_the_branch_of_the_one_that_is_gone() {
    let (mut world, _right) = first(22_140);
    let second = Second::of(&world, |_| {});
    let invite = world.rings();
    world.phone.reply(&invite, "180 Ringing", None);
    std::thread::sleep(Duration::from_millis(100));
    world.node.silence();
    let settled = second.take_over(inherited(&world), 7);
    let cancel = world.phone.request("CANCEL");
    assert_eq!(cancel.headers().get(HeaderName::Via), invite.headers().get(HeaderName::Via));
    assert_eq!(world.phone.caller().ip().to_string(), HERE);
    let bye = world.phone.request("BYE");
    assert_eq!(bye.headers().to().unwrap().tag(), Some("phone"));
    world.phone.reply(&bye, "200 OK", None);
    assert_eq!(settled.recv_timeout(PATIENCE).unwrap().taken, 1);
    assert_eq!((second.node.usage().calls, second.node.usage().streams), (1, 0), "no result yet");
}

#[test]
fn the_calls_of_a_trunk_are_moved_at_its_pace() {
    let (mut world, _right) = first(22_160);
    let second = Second::of(&world, |settings| {
        settings.media.ports = Ports { first: 22_180, last: 22_199 };
        let trunk = Trunk { takeover_cps: 5, ..Trunk::direct(world.phone.address()) };
        settings.trunks.insert("phone".into(), trunk);
    });
    let mut calls: Vec<CallId> = Vec::new();
    for _ in 0..4 {
        calls.push(world.node.place(world.placement()).unwrap());
        let invite = world.phone.request("INVITE");
        world.phone.pick_up(&invite);
    }
    world.node.silence();
    let begun = Instant::now();
    let settled = second.take_over(inherited(&world), 7);
    let mut came: Vec<Duration> = Vec::new();
    let mut known: Vec<String> = Vec::new();
    while came.len() < 4 {
        let invite = world.phone.request("INVITE");
        let id = invite.headers().call_id().unwrap().to_owned();
        if !known.contains(&id) {
            came.push(begun.elapsed());
            known.push(id);
        }
        world.phone.pick_up(&invite);
    }
    assert_eq!(settled.recv_timeout(PATIENCE).unwrap().taken, 4);
    assert!(came[3] >= Duration::from_millis(590) && came[3] < Duration::from_secs(3), "{came:?}");
}
