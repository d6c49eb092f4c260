//! Asterisk 22 as the callee: it hears what was to be said, and what it presses is what is recorded.

use std::time::Duration;

use crate::asterisk::Asterisk;
use crate::baton::{Call, Outcome, Setting};
use crate::machine::Place;
use crate::pcap::Speaker;
use crate::signal;
use crate::sipp::Sipp;
use crate::survey;

/// What Asterisk recorded when SIPp said 900 ms to it, with the frames `lost` missing.
fn said_by_sipp(lost: std::ops::Range<usize>) -> signal::Found {
    let prompt = signal::noise(1, 900);
    let voice = Speaker::new(101).voice(400).say(&prompt, lost).voice(400);
    let asterisk = Asterisk::start(&["Wait(10)"], "");
    Sipp::caller("call_asterisk.xml", asterisk.port, &[("voice.pcap", &voice.pcap())]).finish();
    signal::find(&prompt, &asterisk.heard())
}

#[test]
fn asterisk_hears_what_is_said_to_it() {
    said_by_sipp(0..0).assert_clean("said by SIPp");
}

#[test]
fn asterisk_hears_a_hole_of_60_ms() {
    let holed = said_by_sipp(20..23);
    assert!(holed.dropout_ms > 20, "the ruler does not see a hole: {holed:?}");
}

/// A call to an Asterisk that runs these steps; what it recorded, and Baton's result.
#[track_caller]
fn call(steps: &[&str], endpoint: &str) -> (Outcome, Vec<i16>, String) {
    let asterisk = Asterisk::start(steps, endpoint);
    let outcome = Call::to(asterisk.port).finish();
    let heard = asterisk.heard();
    (outcome, heard, asterisk.log())
}

/// Presses `1`, waits, presses `4`, `2`, `#`, and stays until the caller hangs up.
const PRESS_ALL: &[&str] =
    &["Wait(2)", "SendDTMF(1,250,160)", "Wait(2)", "SendDTMF(42#,200,160)", "Wait(20)"];

#[test]
fn asterisk_hears_every_prompt_and_its_keys_are_counted() {
    let (outcome, heard, log) = call(PRESS_ALL, "");
    outcome.assert_complete(42, "42");
    let mut places = Vec::new();
    for (name, _) in survey::PROMPTS {
        let found = signal::find(&survey::sound(name), &heard);
        found.assert_clean(name);
        places.push(found.at);
    }
    assert!(places.is_sorted(), "the prompts came in another order: {places:?}");
    // Between the statement and the question after it there is no pause of its own: at most two frames.
    let gap = places[1] - places[0] - survey::sound("hello").len();
    assert!(gap <= 320, "{gap} samples of silence between hello and consent");
    assert!(!log.contains("Strict RTP qualifying"), "Asterisk doubted where the stream came from\n{log}");
}

/// RFC 4028, RFC 3262: what this endpoint requires, it gets.
#[test]
fn asterisk_that_requires_session_timers_and_reliable_ringing_is_content() {
    let required = "timers=required\ntimers_min_se=90\ntimers_sess_expires=120\n100rel=required";
    let (outcome, _, _) = call(PRESS_ALL, required);
    outcome.assert_complete(42, "42");
}

#[test]
fn asterisk_that_takes_only_a_law_hears_the_same() {
    let (outcome, heard, _) = call(PRESS_ALL, "disallow=all\nallow=alaw");
    outcome.assert_complete(42, "42");
    for (name, _) in survey::PROMPTS {
        signal::find(&survey::sound(name), &heard).assert_clean(name);
    }
}

#[test]
fn asterisk_hangs_up_in_the_middle() {
    let (outcome, heard, _) = call(&["Wait(2)", "SendDTMF(1,250,160)", "Wait(0.4)"], "");
    outcome.assert("break_off", "2.12", 200);
    outcome.assert_response("consent", "answered", "yes", "1");
    outcome.assert_response("age", "not_reached", serde_json::Value::Null, "");
    assert_eq!(outcome.result["cause"], 16, "{:#}", outcome.result);
    signal::find(&survey::sound("consent"), &heard).assert_clean("consent");
}

/// A switchboard that asks for an extension: it reads what `--post-dial` says, and the interview follows.
#[test]
fn asterisk_reads_the_extension_that_is_dialled_after_the_answer() {
    let read = ["Read(EXTENSION,,4,,1,8)", "Verbose(0,read ${READSTATUS} ${EXTENSION} and no more)"];
    let asterisk = Asterisk::start(&[&read, PRESS_ALL].concat(), "");
    let place = Place::new();
    let questionnaire = survey::write(&place);
    let setting = Setting::new(asterisk.port);
    let options = ["--trunk", "peer", "--post-dial", "ww2044"];
    let outcome = Call::start(place, &setting, &questionnaire, &options).finish();
    let log = asterisk.log();
    assert!(log.contains("read OK 2044 and no more"), "{log}");
    outcome.assert_complete(42, "42");
    let heard = asterisk.heard();
    for (name, _) in survey::PROMPTS {
        signal::find(&survey::sound(name), &heard).assert_clean(name);
    }
}

/// A person with a telephone, a questionnaire of this repository.
#[test]
fn a_shipped_questionnaire_is_asked_to_its_end() {
    let audio = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("questionnaires/audio/satisfaction");
    let prompt = |name: &str| signal::read_wav(&audio.join(format!("{name}.wav")));
    // Each key a little after its question has been heard.
    let wait = |names: &[&str]| {
        let samples: usize = names.iter().map(|name| prompt(name).len()).sum();
        format!("Wait({})", samples / 8000 + 1)
    };
    let (first, second, third) = (wait(&["hello", "consent"]), wait(&["recommend"]), wait(&["solved"]));
    let steps = [&first, "SendDTMF(1)", &second, "SendDTMF(8#,200)", &third, "SendDTMF(1)", "Wait(20)"];
    let asterisk = Asterisk::start(&steps, "");
    let outcome =
        Call::asking("questionnaires/satisfaction.xml", asterisk.port).within(Duration::from_secs(60));
    let heard = asterisk.heard();
    assert_eq!(outcome.result["disposition"], "complete", "{:#}", outcome.result);
    outcome.assert_response("consent", "answered", "yes", "1");
    outcome.assert_response("recommend", "answered", 8, "8");
    outcome.assert_response("solved", "answered", "yes", "1");
    for question in ["problem", "contact", "club"] {
        assert_eq!(outcome.response(question)["status"], "skipped", "{:#}", outcome.result);
    }
    for name in ["hello", "consent", "recommend", "solved", "done"] {
        signal::find(&prompt(name), &heard).assert_clean(name);
    }
}
