//! The process dies at some moment of a call, and the next one goes on with it: at the same addresses, unnoticed.

use std::net::UdpSocket;

use super::*;
use crate::call::{EndedBy, Fault};

#[test]
fn an_interview_goes_on_at_the_same_question_in_the_same_stream() {
    let mut world = World::new(21_700);
    let invite = world.rings();
    world.phone.pick_up(&invite);
    world.phone.hear_out(&frames(&samples(0.3, 10)));
    let before = *world.phone.heard.borrow().last().unwrap();
    let mut world = world.restart(|phone| {
        phone.hear_on();
        std::thread::sleep(Duration::from_millis(100));
    });
    world.phone.hear_out(&frames(&samples(0.5, 15)));
    let after = world.phone.heard.borrow()[0];
    assert_eq!((after.ssrc, after.marker), (before.ssrc, true));
    let packets = after.sequence.wrapping_sub(before.sequence);
    let ticks = after.timestamp.wrapping_sub(before.timestamp) / 160;
    assert!((5..500).contains(&ticks), "{ticks} ticks of the clock");
    assert!(
        (1..100).contains(&(i64::from(packets) - i64::from(ticks))),
        "{packets} numbers in {ticks} ticks"
    );
    std::thread::sleep(Duration::from_millis(600)); // nobody answers sooner what is asked again
    world.phone.press(1);
    world.phone.hear_out(&frames(&samples(0.7, 8)));
    let bye = world.phone.request("BYE");
    world.phone.reply(&bye, "200 OK", None);
    let (_, result, receipt) = world.result();
    assert_eq!(result.disposition, Disposition::Complete);
    let question = &result.responses[0];
    assert_eq!((question.digits.len(), question.no_input, question.no_match), (1, 0, 0));
    receipt.stored();
    assert_eq!(world.node.shutdown(PATIENCE), 0);
}

const LONG: &str = r##"<questionnaire id="t" version="1" languages="en" xmlns="urn:baton:questionnaire:1">
  <retry id="std" wait="3s" no-input="1" no-match="1" then="break-off"/>
  <number id="age" min="0" max="110" end="#" retry="std"><say lang="en" audio="long.wav">How old?</say></number>
  <end id="done" outcome="complete"/>
</questionnaire>"##;

/// Hears 100 frames (2 s) of the long prompt, does something, and says with which frame the next process begins.
fn broken_off(first_port: u16, act: impl FnOnce(&mut Phone), gap: Duration) -> usize {
    let limits = journal::Limits::default();
    let loopback = "127.0.0.1".parse().unwrap();
    let mut world = World::asking((LONG, &["cat", "SPOKEN"]), first_port, limits, loopback, |_| {});
    let invite = world.rings();
    world.phone.pick_up(&invite);
    let sound = frames(&samples(0.11, 200));
    let sound: Vec<&[u8]> = sound.chunks(160).collect();
    while world.phone.hear() != sound[99] {}
    act(&mut world.phone);
    let world = world.restart(|phone| {
        std::thread::sleep(gap);
        phone.hear_on();
    });
    // On a busy machine the stream may go on a tick or two before its prompt.
    let found = (0..5).find_map(|_| {
        let next = world.phone.hear();
        sound.iter().position(|frame| *frame == next)
    });
    found.expect("the prompt")
}

#[test]
fn a_prompt_that_was_broken_off_goes_on_a_second_before_unless_the_callee_lost_the_thread() {
    let frame = broken_off(21_840, |_| {}, Duration::ZERO);
    assert!((45..=75).contains(&frame), "{frame}");
    assert_eq!(broken_off(21_860, |_| {}, Duration::from_millis(2_100)), 0);
    let keyed = |phone: &mut Phone| {
        phone.press(4);
        std::thread::sleep(Duration::from_millis(100));
    };
    assert_eq!(broken_off(21_880, keyed, Duration::ZERO), 0, "the 4 is gone: the question is asked again");
}

#[test]
fn an_invite_that_nobody_answered_is_sent_again_byte_for_byte() {
    let mut world = World::new(21_720);
    let invite = world.rings();
    world.phone.reply(&invite, "180 Ringing", None);
    std::thread::sleep(Duration::from_millis(50));
    let mut world = world.restart(|_| {});
    // It rings on; a 200 that is repeated because nobody was there finds its call.
    world.phone.pick_up(&invite);
    world.phone.hear_out(&frames(&samples(0.5, 15)));
    world.phone.press(1);
    let bye = world.phone.request("BYE");
    world.phone.reply(&bye, "200 OK", None);
    assert_eq!(world.result().1.disposition, Disposition::Complete);

    let mut world = World::new(21_740);
    let first = world.rings();
    let mut world = world.restart(|_| {});
    let again = world.phone.request("INVITE");
    assert_eq!(format!("{again:?}"), format!("{first:?}"));
    world.phone.reply(&again, "486 Busy Here", None);
    world.phone.request("ACK");
    assert_eq!(world.result().1.disposition, Disposition::Busy);
}

#[test]
fn a_callee_who_hung_up_meanwhile_is_heard() {
    let mut world = World::new(21_760);
    let invite = world.rings();
    world.phone.pick_up(&invite);
    world.phone.hear();
    let mut world = world.restart(|phone| phone.hang_up(&invite)); // to a port that nobody has
    world.phone.hang_up(&invite); // timer E
    assert_eq!(world.result().1.disposition, Disposition::BreakOff);
}

#[test]
fn a_result_that_nobody_kept_is_told_again() {
    let mut world = World::new(21_780);
    let invite = world.rings();
    world.phone.reply(&invite, "486 Busy Here", None);
    world.phone.request("ACK");
    let (_, first, receipt) = world.result();
    drop(receipt);
    let mut world = world.restart(|_| {});
    let (_, again, receipt) = world.result();
    assert_eq!(*again, *first);
    assert_eq!((world.node.usage().calls, world.node.usage().held), (0, 1));
    receipt.stored();
    assert_eq!(world.node.shutdown(PATIENCE), 0);
}

#[test]
fn a_call_whose_ports_another_program_took_is_ended_in_order() {
    let mut world = World::new(21_800);
    let invite = world.rings();
    world.phone.pick_up(&invite);
    world.phone.hear();
    let port = world.phone.media_port();
    let mut thief = None;
    let mut world = world.restart(|_| thief = Some(UdpSocket::bind((own_loopback(), port)).unwrap()));
    let bye = world.phone.request("BYE");
    world.phone.reply(&bye, "200 OK", None);
    let (_, result, _receipt) = world.result();
    let how = (result.disposition, result.ended_by, result.fault);
    assert_eq!(how, (Disposition::TechnicalFault, EndedBy::Fault, Some(Fault::PortsLost)));
    assert_eq!(world.node.usage().faults.len(), 1);
}

#[test]
fn a_record_that_cannot_be_read_stays_and_hinders_nothing() {
    let mut world = World::new(21_820);
    let call = world.node.place(world.placement()).unwrap();
    let invite = world.phone.request("INVITE");
    let World { node, phone, dir, settings, text, limits, .. } = world;
    drop(node);
    let (journal, mut replay) = Journal::open(&dir.path().join("journal"), limits).unwrap();
    replay.calls[0].record[0] = 255; // of a newer build
    let (questionnaire, _) = Questionnaire::load("t.xml", text.as_bytes()).unwrap();
    let prompts = Arc::new(PromptStore::new(&settings));
    let mut assets = Assets::default();
    assets.insert(Arc::new(questionnaire));
    let config = NodeConfig { resume: Earlier::read(replay.calls), ..NodeConfig::new(settings) };
    let (node, _events) = Node::start(config, assets, prompts, journal).unwrap();
    assert_eq!(node.usage().held, 0);
    phone.reply(&invite, "486 Busy Here", None);
    drop(node);
    let left = journal::read(&dir.path().join("journal")).unwrap().calls;
    assert_eq!((left.len(), left[0].call_id), (1, call));
}
