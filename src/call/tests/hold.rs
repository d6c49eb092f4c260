//! A callee who holds the call: nothing is said meanwhile, nothing is missed, and what was open is asked again. And the
//! moment after the last word.

use std::time::Duration;

use super::midcall::{Line, sdp};
use crate::call::{Activity, Input, Output, Phase, Start, Step};
use crate::interview::Status;
use crate::outcome::Disposition;

pub(super) const SENDONLY: &str =
    "m=audio 30000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=sendonly";
pub(super) const TALKS: &str = "m=audio 30000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000";
pub(super) const CONSENT: &str = "Press 1 to begin, 2 to be called later.";

/// The ways in which a telephone says that it holds (RFC 3264 §8.4).
fn holds() -> [String; 3] {
    [
        sdp(SENDONLY),
        sdp(&SENDONLY.replace("sendonly", "inactive")),
        sdp(TALKS).replace("c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0"),
    ]
}

fn offer(line: &mut Line, method: &str, body: &str) {
    let said = line.request(method, "", body);
    assert!(said.starts_with("SIP/2.0 200 "), "{said}");
    if method == "INVITE" {
        let outputs = std::mem::take(&mut line.outputs);
        line.acknowledge("");
        line.outputs = outputs;
    }
}

fn hold(line: &mut Line) {
    offer(line, "INVITE", &sdp(SENDONLY));
}

fn resume(line: &mut Line) {
    offer(line, "INVITE", &sdp(TALKS));
}

/// A call whose first question plays; it is `consent`.
pub(super) fn asking() -> Line {
    let mut line = Line::answered("");
    line.hear_out(400);
    assert_eq!(said(&line).as_deref(), Some(CONSENT));
    line
}

/// The same, when the question has been heard.
pub(super) fn asked() -> Line {
    let mut line = asking();
    line.hear_out(400);
    line
}

pub(super) fn said(line: &Line) -> Option<String> {
    line.play().map(|play| play.prompt.text())
}

fn silences(line: &Line) -> usize {
    line.told.iter().filter(|step| matches!(step, Step::Silent { .. })).count()
}

fn on_hold(line: &Line) -> bool {
    line.call.phase() == Phase::Talking(Activity::OnHold)
}

/// Presses keys at a human pace; what is said next is played then.
fn press_all(line: &mut Line, keys: &str) {
    for key in keys.chars() {
        line.pass_ms(300);
        line.press(key);
    }
    if said(line).is_none() {
        line.pass_ms(1_500); // no further key comes
    }
}

#[test]
fn who_holds_at_an_open_question_is_asked_it_again_and_has_missed_nothing() {
    for body in holds() {
        for method in ["INVITE", "UPDATE"] {
            let mut line = asked();
            line.pass_ms(1_000);
            offer(&mut line, method, &body);
            assert!(on_hold(&line) && line.told.contains(&Step::Held), "{body}");
            line.pass(60); // the ladder of this question would have broken off after 6 s
            assert_eq!((silences(&line), said(&line)), (0, None), "{body}");
            offer(&mut line, method, &sdp(TALKS));
            assert_eq!(said(&line).as_deref(), Some(CONSENT), "{body}");
            assert_eq!(line.play().unwrap().from, Duration::ZERO);
            assert!(line.told.contains(&Step::Resumed));
            line.hear_out(400);
            line.pass_ms(700);
            line.press('1');
            assert_eq!(said(&line).as_deref(), Some("How old are you?"));
            let consent = &line.responses()[0];
            assert_eq!((consent.status, consent.no_input, consent.no_match), (Status::Answered, 0, 0));
        }
    }
}

#[test]
fn without_a_hold_the_ladder_goes_on_as_before() {
    let mut line = asked();
    line.pass_ms(2_000);
    assert_eq!(silences(&line), 1);
}

#[test]
fn a_prompt_begins_anew_after_a_long_hold_and_goes_on_after_a_short_one() {
    for (heard_ms, held_ms, from_ms) in [(5_000, 1_500, 4_000), (500, 1_500, 0), (5_000, 2_500, 0)] {
        let mut line = asking();
        let playing = line.play().unwrap().play;
        line.pass_ms(heard_ms);
        hold(&mut line);
        assert!(line.outputs.iter().any(|it| matches!(it, Output::StopPlay(play) if *play == playing)));
        line.pass_ms(held_ms);
        resume(&mut line);
        let play = line.play().unwrap();
        assert_eq!(play.from, Duration::from_millis(from_ms), "{heard_ms} ms heard, {held_ms} ms held");
        assert_ne!(play.play, playing, "another play");
        line.feed(Input::PromptEnded { play: playing });
        assert_eq!(line.call.phase(), Phase::Talking(Activity::Asking), "the old one counts for nothing");
    }
}

#[test]
fn half_an_entry_is_discarded_and_keys_under_hold_are_no_answer() {
    let mut line = asked();
    line.pass_ms(700);
    line.press('1');
    line.hear_out(400);
    line.pass_ms(700);
    line.press('4'); // of 42
    hold(&mut line);
    line.pass(3);
    line.press('2');
    line.press('9');
    line.pass(2);
    resume(&mut line);
    assert_eq!(said(&line).as_deref(), Some("How old are you?"));
    press_all(&mut line, "42#");
    let age = &line.responses()[1];
    assert_eq!(age.value.as_ref().map(ToString::to_string).as_deref(), Some("42"), "{age:?}");
    let nines = line.told.iter().filter(|step| matches!(step, Step::Key { digit: '9' })).count();
    assert_eq!(nines, 0, "what is pressed under hold is told to nobody");
}

/// A switch between us may hold and resume by itself while somebody keys `47110`.
#[test]
fn a_row_of_keys_that_goes_on_after_a_hold_is_no_answer() {
    for (held_ms, under_hold) in [(300, ""), (300, "7"), (10_000, "47")] {
        let mut line = asked();
        line.pass_ms(700);
        line.press('1');
        line.hear_out(400);
        line.pass_ms(700);
        line.press('4');
        hold(&mut line);
        line.pass_ms(held_ms);
        under_hold.chars().for_each(|key| line.press(key));
        resume(&mut line);
        line.hear_out(400);
        for key in "42#".chars() {
            line.pass_ms(300);
            line.press(key);
        }
        line.pass_ms(2_100); // the row is over
        assert_eq!(said(&line), None, "{held_ms} ms, {under_hold}: nothing was answered");
        assert_eq!(line.responses().get(1).and_then(|age| age.value.clone()), None);
        press_all(&mut line, "35#");
        let age = line.responses()[1].value.as_ref().map(ToString::to_string);
        assert_eq!(age.as_deref(), Some("35"), "{held_ms} ms, {under_hold}");
    }
}

#[test]
fn a_hold_survives_the_process() {
    for restarts in 1..3 {
        let mut line = asked();
        hold(&mut line);
        for _ in 0..restarts {
            line.pass(20);
            line.restart(None);
            assert_eq!(said(&line), None, "nobody would hear it");
            assert!(on_hold(&line));
        }
        line.pass(20);
        assert_eq!(silences(&line), 0);
        resume(&mut line);
        assert_eq!(said(&line).as_deref(), Some(CONSENT));
    }
}

#[test]
fn who_picks_up_on_hold_hears_everything_from_its_beginning() {
    let mut line = Line::dialled();
    line.respond(200, "", &sdp(SENDONLY));
    assert!(on_hold(&line) && said(&line).is_none());
    line.pass(30);
    resume(&mut line);
    assert_eq!(said(&line).as_deref(), Some("Hello."));
}

#[test]
fn keys_for_a_switchboard_wait_out_a_hold_of_any_length() {
    let mut line = Line::starting(|start| Start {
        post_dial: Some("w1".parse().unwrap()),
        longest: Duration::from_secs(3_600),
        ..start
    });
    line.respond(200, "", &sdp(TALKS));
    let play = line.outputs.iter().find_map(|output| {
        let Output::Press { play, .. } = output else { return None };
        Some(*play)
    });
    hold(&mut line);
    line.pass(8 * 60); // a prompt that says nothing for 6 minutes is given up
    assert_eq!(line.call.phase(), Phase::Talking(Activity::Dialling));
    resume(&mut line);
    line.pass(60);
    line.feed(Input::PromptEnded { play: play.unwrap() });
    assert_eq!(said(&line).as_deref(), Some("Hello."));
}

/// A call that says its last words, to somebody who has answered everything.
fn done() -> Line {
    let mut line = asked();
    line.pass_ms(700);
    line.press('1');
    line.pass_ms(3_000);
    press_all(&mut line, "42#");
    line.pass_ms(3_000);
    press_all(&mut line, "1");
    assert_eq!(line.call.phase(), Phase::Talking(Activity::Parting), "{:?}", line.told);
    line
}

#[test]
fn a_goodbye_is_said_again_and_an_interview_that_was_done_stays_done() {
    let mut line = done();
    hold(&mut line);
    line.pass(5);
    resume(&mut line);
    assert!(said(&line).unwrap().starts_with("Thank you."), "{:?}", said(&line));
    // Who never comes back is let go when the longest conversation is over.
    let mut line = done();
    hold(&mut line);
    line.pass(300);
    assert!(byes(&line) >= 1, "{:?}", line.sent);
    let ended = Step::Ended { disposition: Disposition::Complete };
    assert_eq!(line.told.last(), Some(&ended), "{:?}", line.told);
}

// ── the moment after the last word ──

/// A call that says its last words.
fn parting() -> Line {
    let mut line = asked();
    line.pass_ms(700);
    line.press('2');
    assert_eq!(said(&line).as_deref(), Some("We call again."));
    line
}

fn byes(line: &Line) -> usize {
    line.sent.iter().filter(|text| text.starts_with("BYE ")).count()
}

fn closes(line: &Line) -> bool {
    line.outputs.iter().any(|output| matches!(output, Output::CloseMedia))
}

#[test]
fn the_bye_comes_200_ms_after_the_last_frame() {
    let mut line = parting();
    line.hear_out(400);
    assert!(!closes(&line), "silence goes on");
    line.pass_ms(199);
    assert_eq!(byes(&line), 0);
    line.pass_ms(1);
    assert_eq!(byes(&line), 1);
    assert!(closes(&line));
}

#[test]
fn the_bye_comes_though_the_process_dies_in_that_moment_and_nothing_is_said_twice() {
    let mut line = parting();
    line.hear_out(400);
    line.pass_ms(100);
    line.restart(Some(line.now));
    assert_eq!(said(&line), None);
    line.pass_ms(100);
    assert_eq!(byes(&line), 1);
}

#[test]
fn who_hangs_up_in_that_moment_has_done_the_interview() {
    let mut line = parting();
    line.hear_out(400);
    line.request("BYE", "", "");
    line.pass(2);
    assert_eq!(line.told.last(), Some(&Step::Ended { disposition: Disposition::Callback }));
    assert_eq!(byes(&line), 0);
}

/// Members' seed 66798: the call stayed for good, with nothing left to do.
#[test]
fn who_hangs_up_when_our_bye_was_given_up_is_answered_and_the_call_forgotten() {
    let mut line = Line::answered("");
    line.feed(Input::HangUpAsked);
    assert_eq!(byes(&line), 1);
    line.pass(32); // timer F; what passed over the stream is waited for 1 s longer
    assert!(!line.told.iter().any(|step| matches!(step, Step::Ended { .. })));
    let said = line.request("BYE", "", "");
    assert!(said.starts_with("SIP/2.0 200 "), "{said}");
    let mut forgotten = 0;
    while let Some(due) = line.call.poll_timeout() {
        line.now = line.now.max(due);
        line.feed(Input::TimedOut);
        forgotten += line.outputs.iter().filter(|output| matches!(output, Output::Forget)).count();
    }
    assert_eq!(forgotten, 1);
}
