//! One take between the flow controller, the media engine and the store: what each is told.

use super::super::keys::Press;
use super::super::message::Ears;
use super::super::talk::Talk;
use super::*;
use crate::interview::{Command, Instruction, Method, Utterance};
use crate::questionnaire::Key;
use crate::rtp::{Anchor, Digit, EventKey, Ssrc};
use crate::sdp::{Codec, Direction, Negotiated};

const SECOND: Duration = Duration::from_secs(1);

fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(1_000_000 + ms)
}

fn key(c: char) -> Key {
    Key::new(c).unwrap()
}

/// A talk, and what it asked for, in words.
struct World {
    talk: Talk,
    keys: u32,
}

fn take() -> Take {
    Take {
        number: 1,
        max: 60 * SECOND,
        silence_end: Some(3 * SECOND),
        no_input: 5 * SECOND,
        term_chars: vec![key('#')],
        answers: vec![key('8')],
        commands: vec![(key('*'), Command::Repeat)],
        late_term_char: None,
        barge_in: true,
        beep: true,
    }
}

impl World {
    fn new() -> Self {
        let remote = "192.0.2.9:4000".parse().unwrap();
        let negotiated = Negotiated {
            remote,
            remote_rtcp: remote,
            codec: Codec::Pcmu,
            send_payload_type: 0,
            receive: vec![(0, Codec::Pcmu)],
            send_event: None,
            receive_events: Vec::new(),
            ptime_ms: 20,
            direction: Direction::SendRecv,
            refused: Vec::new(),
        };
        let anchor = Anchor { ssrc: Ssrc(1), seq0: 0, ts0: 0, t0: at(0) };
        let ears = Ears { keys: false, signals: false, silence_ms: 0 };
        Self { talk: Talk::new(negotiated, anchor, ears, at(3_600_000)), keys: 0 }
    }

    fn asked(take: Take) -> (Self, Vec<String>) {
        let mut world = Self::new();
        let told = world.follow(take);
        (world, told)
    }

    fn follow(&mut self, take: Take) -> Vec<String> {
        let words = Utterance { language: "en".into(), audio: None, text: "Speak.".into() };
        let prompt = Prompt(vec![Sound::Say(words)]);
        let instruction = Instruction::Record { item: "message".into(), prompt, take };
        self.act(|talk, acts| talk.follow(at(10), instruction, acts))
    }

    fn act(&mut self, first: impl FnOnce(&mut Talk, &mut Vec<Act>)) -> Vec<String> {
        let mut acts = Vec::new();
        first(&mut self.talk, &mut acts);
        acts.iter().filter(|act| !matches!(act, Act::Tell(_) | Act::Released { .. })).map(word).collect()
    }

    fn press(&mut self, ms: u64, c: char) -> Vec<String> {
        self.keys += 1;
        let press = Press {
            digit: Digit::from_char(c).unwrap(),
            method: Method::Rfc4733,
            at: at(ms),
            event: Some(EventKey { ssrc: Ssrc(4), timestamp: self.keys * 8_000, again: 0 }),
            duration_ms: None,
        };
        self.act(|talk, acts| talk.key_pressed(at(ms), &press, None, acts))
    }

    fn prompt_ends(&mut self, ms: u64, play: u32) -> Vec<String> {
        self.act(|talk, acts| talk.prompt_ended(at(ms), PlayId(play), acts))
    }

    fn taken(&mut self, recording: u32, taken: Taken) -> Vec<String> {
        self.act(|talk, acts| talk.taken(RecordingId(recording), taken, acts))
    }

    fn timed_out(&mut self) -> Vec<String> {
        let due = self.talk.poll_timeout().unwrap();
        self.act(|talk, acts| talk.timed_out(due, acts))
    }

    /// Written down and read back, as another process does it.
    fn restart(&mut self, ms: u64) -> Vec<String> {
        let bytes = postcard::to_stdvec(&self.talk).unwrap();
        self.talk = postcard::from_bytes(&bytes).unwrap();
        let prompt = Prompt(Vec::new());
        let again = Instruction::Record { item: "message".into(), prompt, take: take() };
        self.act(|talk, acts| talk.restart((at(ms), None), again, acts))
    }
}

fn word(act: &Act) -> String {
    match act {
        Act::Play(play, _, _) => format!("play {}", play.0),
        Act::StopPlay(play) => format!("stop play {}", play.0),
        Act::Do(Output::Record(order)) => format!("record {} take {}", order.recording.0, order.take),
        Act::Do(Output::StopRecord { recording, stop }) => format!("stop {} {stop:?}", recording.0),
        Act::Do(Output::KeepRecording { recording, take, .. }) => format!("keep {} take {take}", recording.0),
        Act::Heard(Heard::Recorded(told)) => {
            format!("heard take {} of {} ms, {:?}", told.take, told.duration_ms, told.ended_by)
        }
        Act::Recorded(result) => {
            format!("result {:?} {:?}", result.file.as_deref().unwrap_or("-"), result.fault)
        }
        Act::Heard(heard) => format!("heard {heard:?}").chars().take(40).collect(),
        Act::Left(heard, leaving) => format!("left {leaving:?}, heard something: {}", heard.is_some()),
        Act::Again => "again".to_owned(),
        Act::Tell(_) | Act::Released { .. } | Act::ReserveQuota(_) | Act::Do(_) | Act::HangUp(_) => {
            panic!("{act:?}")
        }
    }
}

fn kept(ms: u32, ended_by: RecordingEnd) -> Taken {
    let digest = Digest::of(b"a");
    Taken::Kept(Kept { file: "a.wav".into(), duration_ms: ms, digest, ended_by })
}

#[test]
fn a_message_from_the_prompt_to_the_file() {
    let (mut world, told) = World::asked(take());
    assert_eq!(told, ["play 0"]);
    assert_eq!(world.prompt_ends(500, 0), ["record 0 take 1"]);
    let told = world.taken(0, kept(4_200, RecordingEnd::Silence));
    assert_eq!(told, [r#"result "a.wav" None"#, "heard take 1 of 4200 ms, Silence"]);
    assert_eq!(world.taken(0, kept(4_200, RecordingEnd::Silence)), [""; 0], "it is over");
    // The next take is another recording.
    world.follow(Take { number: 2, ..take() });
    assert_eq!(world.prompt_ends(9_000, 1), ["record 1 take 2"]);
}

#[test]
fn keys_end_it_answer_in_its_place_or_command() {
    let running = || {
        let mut world = World::asked(take()).0;
        world.prompt_ends(500, 0);
        world
    };
    let mut world = running();
    assert_eq!(world.press(900, '5'), [""; 0], "a key without a meaning is a sound on the line");
    assert_eq!(world.press(1_000, '#'), ["stop 0 Keep(TermChar)"]);
    assert_eq!(world.press(1_100, '8'), [""; 0], "it is being stored");
    assert_eq!(world.taken(0, Taken::Nothing), ["heard Silence"]);
    let told = running().press(1_000, '8');
    assert_eq!(told[0], "stop 0 Discard");
    assert!(told[1].starts_with("heard Keys"), "{told:?}");
    let told = running().press(1_000, '*');
    assert!(told[0] == "stop 0 Discard" && told[1].starts_with("heard Command(Repeat"), "{told:?}");
}

#[test]
fn a_key_cuts_the_prompt_short_only_where_that_is_allowed() {
    let mut world = World::asked(take()).0;
    assert_eq!(world.press(100, '5'), ["stop play 0", "record 0 take 1"].map(str::to_owned));
    let mut patient = World::asked(Take { barge_in: false, ..take() }).0;
    assert_eq!(patient.press(100, '#'), [""; 0]);
    assert_eq!(patient.press(200, '8'), [""; 0]);
    assert_eq!(patient.prompt_ends(500, 0).len(), 1);
}

#[test]
fn the_end_key_of_the_entry_before_does_not_cut_the_prompt_short() {
    let late = || World::asked(Take { late_term_char: Some(key('#')), ..take() }).0;
    let mut world = late();
    assert_eq!(world.press(100, '#'), [""; 0], "it comes late, for the number before");
    assert_eq!(world.press(400, '#'), ["stop play 0", "record 1 take 1"], "the second one is meant");
    let mut world = late();
    assert_eq!(world.press(100, '5'), ["stop play 0", "record 0 take 1"]);
    assert_eq!(world.press(900, '#'), ["stop 0 Keep(TermChar)"]);
    let mut world = late();
    world.prompt_ends(500, 0);
    assert_eq!(world.press(900, '#'), ["stop 0 Keep(TermChar)"], "whoever speaks means what was said");
}

#[test]
fn a_store_that_fails_is_a_fault_of_the_item_and_not_asked_again() {
    let mut world = World::asked(take()).0;
    world.prompt_ends(500, 0);
    let told = world.taken(0, Taken::Failed { why: "No space left on device".into(), saved_ms: 6_000 });
    assert_eq!(
        told,
        ["stop 0 Discard", r#"result "-" Some("No space left on device")"#, "heard take 1 of 6000 ms, Fault"]
    );
    // One that never answers is given up after a while.
    let mut world = World::asked(take()).0;
    world.prompt_ends(500, 0);
    world.press(1_000, '#');
    assert_eq!(world.timed_out()[1], "heard take 1 of 0 ms, Fault");
}

#[test]
fn a_recording_that_the_media_engine_lost_is_looked_for_on_disk() {
    let mut world = World::asked(take()).0;
    world.prompt_ends(500, 0);
    assert_eq!(world.timed_out(), ["keep 0 take 1"]);
    assert_eq!(world.taken(0, kept(8_000, RecordingEnd::Gap))[1], "heard take 1 of 8000 ms, Gap");
}

#[test]
fn after_a_restart_what_was_stored_is_kept_and_the_question_asked_again() {
    for stopped in [false, true] {
        let mut world = World::asked(take()).0;
        world.prompt_ends(500, 0);
        if stopped {
            world.press(5_000, '#');
        }
        assert_eq!(world.restart(8_000), ["keep 0 take 1"]);
        let told = world.taken(0, kept(6_000, RecordingEnd::TermChar));
        assert_eq!(told[1], "heard take 1 of 6000 ms, Gap");
    }
    let mut world = World::asked(take()).0;
    world.prompt_ends(500, 0);
    world.restart(600);
    assert_eq!(
        world.taken(0, Taken::Nothing),
        ["again"],
        "nothing was stored yet: it is no silence of the callee"
    );
    // Before it began there is nothing to keep; and the number of a recording is never used twice.
    let mut world = World::asked(take()).0;
    world.prompt_ends(500, 0);
    world.press(900, '8');
    world.follow(take());
    assert_eq!(
        world.restart(1_000),
        ["record 2 take 1"],
        "the key had a number for what it might have begun"
    );
}

#[test]
fn who_hangs_up_is_heard_to_the_end() {
    let mut world = World::asked(take()).0;
    let leave = |world: &mut World, leaving| {
        let mut stores = false;
        let told = world.act(|talk, acts| stores = talk.leave(at(4_000), leaving, acts));
        (stores, told)
    };
    assert_eq!(leave(&mut world, Leaving::Callee), (false, vec![]), "nothing is said during the prompt");
    world.prompt_ends(500, 0);
    assert_eq!(leave(&mut world, Leaving::Asked), (true, vec!["stop 0 Keep(HangUp)".to_owned()]));
    assert!(!world.talk.is_gone());
    assert_eq!(leave(&mut world, Leaving::Callee), (true, vec![]));
    assert!(world.talk.is_gone(), "who has gone is gone, whatever was asked before");
    assert_eq!(leave(&mut world, Leaving::TooLong), (true, vec![]));
    assert_eq!(world.press(4_100, '8'), [""; 0]);
    assert_eq!(world.restart(4_200), ["keep 0 take 1"]);
    let told = world.taken(0, kept(3_000, RecordingEnd::HangUp));
    assert_eq!(told, [r#"result "a.wav" None"#, "left Callee, heard something: true"]);
}

#[test]
fn who_holds_while_speaking_is_asked_again_and_what_was_said_is_kept() {
    let hold = |world: &mut World, ms| {
        world.talk.negotiated.direction = Direction::RecvOnly;
        world.act(|talk, acts| talk.hold(at(ms), acts))
    };
    let (mut world, _) = World::asked(take());
    world.prompt_ends(500, 0);
    assert_eq!(hold(&mut world, 2_500), ["stop 0 Keep(Gap)"]);
    let told = world.taken(0, kept(2_000, RecordingEnd::Gap));
    assert_eq!(told, [r#"result "a.wav" None"#, "heard take 1 of 2000 ms, Gap"]);
    assert_eq!(world.follow(Take { number: 2, ..take() }), [""; 0], "nothing is said to nobody");
    assert_eq!(world.talk.on_hold_since(), Some(at(10)));
    // Nothing was said yet: as if it had not been asked.
    let (mut world, _) = World::asked(take());
    world.prompt_ends(500, 0);
    hold(&mut world, 600);
    assert_eq!(world.taken(0, Taken::Nothing), ["again"]);
    // The prompt is not over: it waits like any other.
    let (mut world, _) = World::asked(take());
    assert_eq!(hold(&mut world, 100), ["stop play 0"]);
    assert_eq!(world.talk.on_hold_since(), Some(at(100)));
}
