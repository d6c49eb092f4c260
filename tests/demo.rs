//! `baton demo` as its users start it, with a questionnaire whose prompts are short.

#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that is not as it should be")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

const QUESTIONNAIRE: &str = r##"<questionnaire id="short" version="1" languages="en" xmlns="urn:baton:questionnaire:1">
  <keys repeat="*" opt-out="9"/>
  <retry id="std" wait="1s" no-input="1" no-match="1" then="break-off"/>
  <partial when="answered(age)"/>
  <choice id="consent" retry="std">
    <say audio="consent.wav">Press 1 to begin.</say>
    <option key="1" value="yes"/>
    <option key="2" value="=yes, &quot;gladly&quot;"/>
  </choice>
  <number id="age" min="0" max="110" digits="1-3" end="#" commands="repeat" retry="std">
    <say audio="age.wav">How old are you?</say>
  </number>
  <yes-no id="again" retry="std"><say audio="again.wav">May we call again?</say></yes-no>
  <end id="done" outcome="complete"><say audio="done.wav">Goodbye.</say></end>
  <end id="stopped" outcome="refusal"><say audio="stopped.wav">We will not call again.</say></end>
  <end id="lost" outcome="break-off"><say audio="lost.wav">We cannot hear you.</say></end>
</questionnaire>
"##;

/// Writes the questionnaire and six recordings of half a second that differ.
fn unpack(directory: &Path) {
    std::fs::write(directory.join("short.xml"), QUESTIONNAIRE).unwrap();
    for (number, name) in ["consent", "age", "again", "done", "stopped", "lost"].iter().enumerate() {
        record(&directory.join(format!("{name}.wav")), number, 4_000);
    }
}

/// Writes a recording that sounds like no other one of another number.
fn record(path: &Path, number: usize, samples: i32) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut wav = hound::WavWriter::create(path, spec).unwrap();
    let step = 97 + 31 * i32::try_from(number).unwrap();
    for sample in 0..samples {
        wav.write_sample(i16::try_from(sample * sample % 7_919 * step % 16_001 - 8_000).unwrap()).unwrap();
    }
    wav.finalize().unwrap();
}

/// Writes a questionnaire that is shipped, with recordings of a third of a second in place of its own.
fn unpack_shipped(directory: &Path, name: &str) -> String {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("questionnaires").join(name);
    let xml = std::fs::read_to_string(shipped).unwrap();
    let recordings: BTreeSet<&str> =
        xml.split("audio=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    for (number, path) in recordings.iter().enumerate() {
        record(&directory.join(path), number, 2_720);
    }
    std::fs::write(directory.join(name), &xml).unwrap();
    xml
}

fn demo(directory: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_baton"));
    command.args(["demo", "--cps", "20", "--out", "out"]).args(more);
    if !more.contains(&"--questionnaire") {
        command.args(["--questionnaire", "short.xml"]);
    }
    command.current_dir(directory).output().unwrap()
}

#[test]
fn twenty_people_are_called_and_every_result_is_what_they_did() {
    let directory = tempfile::tempdir().unwrap();
    unpack(directory.path());
    let output = demo(directory.path(), &["--seed", "11"]);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{shown}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(shown.contains("All 20 results are what the people did"), "{shown}");

    let read = |name: &str| std::fs::read_to_string(directory.path().join("out").join(name)).unwrap();
    let results: Vec<serde_json::Value> =
        read("results.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let attempts: BTreeSet<&str> =
        results.iter().map(|result| result["attempt_id"].as_str().unwrap()).collect();
    assert_eq!(attempts.len(), 20, "one result an attempt");
    let outcomes: BTreeSet<&str> =
        results.iter().map(|result| result["disposition"].as_str().unwrap()).collect();
    for expected in ["complete", "refusal", "break_off", "busy", "no_answer", "non_working"] {
        assert!(outcomes.contains(expected), "{expected} is not among {outcomes:?}");
    }
    let responses = read("responses.csv");
    assert!(responses.starts_with("call_id,attempt_id,to,disposition,"), "{responses}");
    assert_eq!(responses.matches("\r\n").count(), 21, "a header and a row a call");
    let summary: serde_json::Value = serde_json::from_str(&read("summary.json")).unwrap();
    assert_eq!(summary["differences"], serde_json::json!([]));
    assert_eq!(summary["media"]["lost"], 0);
    assert!(read("callees.jsonl").lines().count() > 100);
}

/// Options one by one, decimals, a month, appointments, digits that are read back, and voices.
#[test]
fn the_health_survey_is_answered_by_keys_and_voices() {
    let directory = tempfile::tempdir().unwrap();
    unpack_shipped(directory.path(), "health.xml");
    let output = demo(directory.path(), &["--questionnaire", "health.xml", "--calls", "12", "--seed", "4"]);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{shown}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(shown.contains("All 12 results are what the people did"), "{shown}");

    let out = directory.path().join("out");
    let results = std::fs::read_to_string(out.join("results.jsonl")).unwrap();
    let results = results.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let replies = results.flat_map(|result| result["responses"].as_array().unwrap().clone());
    let answered: BTreeSet<String> = replies
        .filter(|reply| reply["status"] == "answered")
        .map(|reply| reply["question"].as_str().unwrap().to_owned())
        .collect();
    for question in ["signs", "temperature", "last_visit", "wish", "nurse_at", "phone"] {
        assert!(answered.contains(question), "nobody answered {question}, only {answered:?}");
    }
    let voices = std::fs::read_dir(out.join("recordings")).unwrap().count();
    assert!(voices > 2, "{voices} recordings");
}

/// A quota of one: who comes second is turned away, or let in where the first was not complete.
#[test]
fn a_quota_that_fills_turns_people_away() {
    let directory = tempfile::tempdir().unwrap();
    unpack(directory.path());
    let quota = "<quota id=\"one\" max=\"1\" when=\"age &gt;= 0\" full=\"enough\"/>\n  <partial ";
    let enough = "<end id=\"enough\" outcome=\"quota-full\"><say audio=\"enough.wav\">Enough.</say></end>\n";
    let xml = QUESTIONNAIRE
        .replace("<partial ", quota)
        .replace("</questionnaire>", &(enough.to_owned() + "</questionnaire>"));
    std::fs::write(directory.path().join("short.xml"), xml).unwrap();
    record(&directory.path().join("enough.wav"), 6, 4_000);
    let output = demo(directory.path(), &["--seed", "3"]);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{shown}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(shown.contains("quota_full"), "{shown}");
}

#[test]
fn a_broken_questionnaire_and_a_missing_field_start_nothing() {
    let directory = tempfile::tempdir().unwrap();
    unpack(directory.path());
    std::fs::remove_file(directory.path().join("age.wav")).unwrap();
    let output = demo(directory.path(), &[]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("the recording `age.wav` is missing"), "{said}");
    assert!(!directory.path().join("out").exists(), "nothing was written");

    unpack(directory.path());
    let output = demo(directory.path(), &["--set", "name=Ann"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("no contact field `name`"));
}

/// The instance dies while people talk, pick up and are rung; nobody loses anything, and what it cost is measured.
#[test]
fn an_instance_that_is_killed_in_the_middle_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    unpack(directory.path());
    for (number, name) in ["consent", "age", "again", "done", "stopped", "lost"].iter().enumerate() {
        record(&directory.path().join(format!("{name}.wav")), number, 24_000); // so that they still talk
    }
    let output = demo(directory.path(), &["--crash", "--calls", "8", "--seed", "5"]);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{shown}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(shown.contains("0 calls lost, 0 replies lost, 0 replies altered"), "{shown}");
    assert!(shown.contains("All 16 results are what the people did"), "{shown}");

    let read = |name: &str| std::fs::read_to_string(directory.path().join("out").join(name)).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&read("summary.json")).unwrap();
    let takeover = &summary["takeover"];
    for lost in ["calls_lost", "responses_lost", "responses_altered", "dual_senders"] {
        assert_eq!(takeover[lost], 0, "{takeover:#}");
    }
    assert!(takeover["talking"].as_u64() >= Some(8), "{takeover:#}");
    assert!(takeover["ringing"].as_u64() >= Some(4), "{takeover:#}");
    for gap in ["gap_ms", "prompt_gap_ms"] {
        let of = |which: &str| takeover[gap][which].as_f64().unwrap();
        assert!(1.0 < of("p50") && of("p50") <= of("p99") && of("p99") <= of("max"), "{takeover:#}");
    }
    assert_eq!(summary["media"]["timestamp_faults"], 0);
    assert!(!read("serve-1.log").contains("going on with the calls"));
    assert!(read("serve-2.log").contains("going on with the calls of the process before"));
}
