//! `baton demo --takeover` as its users start it: three instances, etcd's three members, and the busiest instance dies.

use std::path::Path;
use std::process::Command;

const QUESTIONNAIRE: &str = r##"<questionnaire id="short" version="1" languages="en" xmlns="urn:baton:questionnaire:1">
  <keys repeat="*" opt-out="9"/>
  <retry id="std" wait="2s" no-input="1" no-match="1" then="break-off"/>
  <choice id="consent" retry="std">
    <say audio="consent.wav">Press 1 to begin.</say>
    <option key="1" value="yes"/>
    <option key="2" value="no"/>
  </choice>
  <number id="age" min="0" max="110" digits="1-3" end="#" commands="repeat" retry="std">
    <say audio="age.wav">How old are you?</say>
  </number>
  <end id="done" outcome="complete"><say audio="done.wav">Goodbye.</say></end>
  <end id="stopped" outcome="refusal"><say audio="stopped.wav">We will not call again.</say></end>
  <end id="lost" outcome="break-off"><say audio="lost.wav">We cannot hear you.</say></end>
</questionnaire>
"##;

/// Prompts of three seconds that differ, so that everybody still talks.
fn unpack(directory: &Path) {
    std::fs::write(directory.join("short.xml"), QUESTIONNAIRE).unwrap();
    for (number, name) in (0_i32..).zip(["consent", "age", "done", "stopped", "lost"]) {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 8_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut wav = hound::WavWriter::create(directory.join(format!("{name}.wav")), spec).unwrap();
        let step = 97 + 31 * number;
        for sample in 0..24_000 {
            wav.write_sample(i16::try_from(sample * sample % 7_919 * step % 16_001 - 8_000).unwrap())
                .unwrap();
        }
        wav.finalize().unwrap();
    }
}

/// Runs the demo with so many people; it must lose nothing. Its summary, its results, and the instances' logs.
fn demo(more: &[&str]) -> (serde_json::Value, String, String) {
    let directory = tempfile::tempdir().unwrap();
    unpack(directory.path());
    let mut demo = Command::new(env!("CARGO_BIN_EXE_baton"));
    demo.args(["demo", "--takeover", "--calls", "12", "--seed", "5", "--out", "out"]).args(more);
    let output = demo.args(["--questionnaire", "short.xml"]).current_dir(directory.path()).output().unwrap();
    let read =
        |name: &str| std::fs::read_to_string(directory.path().join("out").join(name)).unwrap_or_default();
    let logs = ["n1-1.log", "n2-1.log", "n3-1.log"].map(read).join("\n");
    let shown = String::from_utf8(output.stdout).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{shown}\n{said}\n{logs}");
    assert!(
        shown.contains("0 calls lost, 0 replies lost, 0 replies altered, 0 callees heard two"),
        "{shown}"
    );
    let summary: serde_json::Value = serde_json::from_str(&read("summary.json")).unwrap();
    let takeover = &summary["takeover"];
    for lost in ["calls_lost", "responses_lost", "responses_altered", "dual_senders"] {
        assert_eq!(takeover[lost], 0, "{takeover:#}");
    }
    assert!(takeover["talking"].as_u64() >= Some(2), "{takeover:#}");
    assert!(takeover["gap_ms"]["p50"].as_f64() > Some(100.0), "after its promises ran out: {takeover:#}");
    assert_eq!(summary["calls"], 20);
    assert!(logs.contains("this instance goes on with another incarnation's calls"), "{logs}");
    (summary, read("results.jsonl"), logs)
}

#[test]
fn the_busiest_of_three_dies_and_nobody_loses_a_reply() {
    let (summary, results, _) = demo(&[]);
    let takeover = &summary["takeover"];
    assert_eq!(takeover["fault"], "kill -9");
    assert!(takeover["ended_ringing"].as_u64() >= Some(1), "{takeover:#}");
    // The results of calls that the dead one had accepted came home when it was started again.
    assert!(results.contains("\"takeovers\":1"), "{results}");
}

/// Its host is cut off, with etcd's leader on it, and comes back five seconds later while others speak for its calls.
#[test]
fn the_busiest_of_three_is_cut_off_with_the_leader_of_etcd_and_is_silent_when_it_is_back() {
    let (summary, results, logs) = demo(&["--fault", "cut", "--leader"]);
    assert_eq!(summary["takeover"]["fault"], "link down");
    assert!(results.contains("\"takeovers\":1"), "{results}");
    assert!(logs.contains("this instance has lost the right to send"), "{logs}");
    assert!(logs.contains("others have this instance's calls: it drops them, and begins anew"), "{logs}");
}

#[test]
fn the_busiest_of_three_is_stopped_with_the_leader_of_etcd_and_is_silent_when_it_is_woken() {
    let (summary, results, logs) = demo(&["--fault", "stop", "--leader"]);
    assert_eq!(summary["takeover"]["fault"], "kill -STOP");
    assert!(results.contains("\"takeovers\":1"), "{results}");
    assert!(logs.contains("others have this instance's calls: it drops them, and begins anew"), "{logs}");
}
