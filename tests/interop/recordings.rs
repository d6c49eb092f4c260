//! What a real telephone says is in the file that the result names; and what becomes of it when Baton is killed or
//! the disk is full.

use std::path::PathBuf;
use std::time::Duration;

use ::baton::id::Digest;

use crate::asterisk::Asterisk;
use crate::baton::{Call, Outcome};
use crate::machine::{self, Place};
use crate::signal;

const QUESTIONNAIRE: &str = r##"<questionnaire id="interop" version="7" languages="en" xmlns="urn:baton:questionnaire:1">
  <retry id="short" wait="4s" no-input="0" no-match="0" then="skip"/>
  <section id="all">
    <record id="message" max="30s" silence-end="2s" retry="short">
      <say lang="en" audio="ask.wav">Please speak after the tone.</say>
    </record>
  </section>
  <end id="done" outcome="complete"><say lang="en" audio="done.wav">Goodbye.</say></end>
</questionnaire>
"##;

/// A place with the questionnaire, its prompts, and a message of this length for Asterisk to say.
fn place(message_ms: u32) -> (Place, PathBuf, Vec<i16>, String) {
    let place = Place::new();
    signal::write_wav(&place.file("ask.wav"), &signal::noise(1, 600));
    signal::write_wav(&place.file("done.wav"), &signal::noise(2, 300));
    // Words of a second with pauses between them, all different.
    let words = (0..message_ms / 1_000).flat_map(|word| {
        let mut said = signal::noise(50 + word, 700);
        said.resize(8_000, 0);
        said
    });
    let message: Vec<i16> = words.collect();
    signal::write_wav(&place.file("message.wav"), &message);
    let questionnaire = place.write("recordings.xml", QUESTIONNAIRE);
    let playback = format!("Playback({})", place.file("message").display());
    (place, questionnaire, message, playback)
}

#[track_caller]
fn recording(outcome: &Outcome) -> serde_json::Value {
    let recordings = outcome.result["recordings"].as_array().unwrap();
    assert_eq!(recordings.len(), 1, "{:#}\n{}", outcome.result, outcome.stderr);
    recordings[0].clone()
}

#[test]
fn what_asterisk_says_is_in_the_file_that_the_result_names() {
    let (place, questionnaire, message, playback) = place(4_000);
    let asterisk = Asterisk::start(&["Wait(2)", &playback, "Wait(20)"], "");
    let outcome = Call::in_place(place, asterisk.port, &questionnaire).finish();
    assert_eq!(outcome.result["disposition"], "complete", "{:#}\n{}", outcome.result, outcome.stderr);
    assert_eq!(outcome.response("message")["status"], "answered");
    assert_eq!(outcome.response("message")["value"], "message-0");
    let told = recording(&outcome);
    let call = outcome.result["call_id"].as_str().unwrap();
    assert_eq!(told["file"], format!("{call}-message-0.wav"), "{told:#}");
    assert_eq!((&told["ended_by"], &told["fault"]), (&"silence".into(), &serde_json::Value::Null));
    let file = outcome.place.path().join("recordings").join(told["file"].as_str().unwrap());
    assert_eq!(told["digest"], Digest::of(&std::fs::read(&file).unwrap()).to_string());
    let heard = signal::read_wav(&file);
    assert_eq!(told["duration_ms"], heard.len() / 8);
    // From half a second before the first word to half a second after the last, which ends 300 ms before the file does.
    let found = signal::find(&message[..message.len() - 2_400], &heard);
    found.assert_clean("the message");
    assert!((3_000..=5_600).contains(&found.at), "it begins {} ms before the first word", found.at / 8);
    let behind = heard.len() - found.at - (message.len() - 2_400);
    assert!((3_000..=4_500).contains(&behind), "{} ms behind the last word", behind / 8);
}

#[test]
fn a_kill_leaves_every_complete_chunk_and_the_next_start_makes_a_file_of_them() {
    let (place, questionnaire, message, playback) = place(20_000);
    let asterisk = Asterisk::start(&["Wait(2)", &playback, "Wait(20)"], "");
    let call = Call::in_place(place, asterisk.port, &questionnaire);
    let takes = |call: &Call| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(call.place.path().join("recordings")).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    let enough = |call: &Call| takes(call).iter().any(|take| take.metadata().unwrap().len() > 96_000);
    assert!(machine::until(Duration::from_secs(20), || enough(&call)), "no three chunks: {:?}", takes(&call));
    let place = call.kill();
    let kept = std::fs::read_dir(place.path().join("recordings")).unwrap().next().unwrap().unwrap().path();
    assert_eq!(kept.extension().unwrap(), "take");
    // The journal still holds the call: its take is left alone. Then nobody will go on with it.
    let nobody = machine::ports(2);
    let outcome = Call::in_place(place, nobody, &questionnaire).finish();
    assert!(kept.exists(), "{}", outcome.stderr);
    std::fs::remove_dir_all(outcome.place.path().join("journal")).unwrap();
    let outcome = Call::in_place(outcome.place, nobody, &questionnaire).finish();
    let heard = signal::read_wav(&kept.with_extension("wav"));
    assert!(heard.len() >= 48_000, "{} samples\n{}", heard.len(), outcome.stderr);
    signal::find(&message[..36_000], &heard).assert_clean("what was said before the kill");
}

/// The recordings stand on a disk of 100 kB.
#[test]
fn a_full_disk_is_a_fault_of_the_item_and_the_interview_goes_on() {
    let (place, questionnaire, _, playback) = place(20_000);
    let asterisk = Asterisk::start(&["Wait(2)", &playback, "Wait(20)"], "");
    let disk = place.path().join("recordings");
    std::fs::create_dir(&disk).unwrap();
    let shell = format!("mount -t tmpfs -o size=100k tmpfs {} && exec \"$@\"", disk.display());
    let wrapper = ["unshare", "--mount", "sh", "-c", &shell, "sh"];
    let outcome = Call::wrapped(place, asterisk.port, &questionnaire, &wrapper).finish();
    assert_eq!(outcome.result["disposition"], "complete", "{:#}\n{}", outcome.result, outcome.stderr);
    let told = recording(&outcome);
    assert_eq!((&told["ended_by"], &told["file"]), (&"fault".into(), &serde_json::Value::Null), "{told:#}");
    assert!(told["fault"].as_str().unwrap().contains("No space left"), "{told:#}");
    let saved = told["duration_ms"].as_u64().unwrap();
    assert!([4_000, 6_000].contains(&saved), "{told:#}");
    assert_eq!(outcome.response("message")["status"], "answered", "a part of it is there");
    assert!(outcome.stderr.contains("cannot be stored"), "{}", outcome.stderr);
}
