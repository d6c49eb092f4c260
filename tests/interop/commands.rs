//! The commands with each other: the demo in one process, and `baton call` to `baton callee` between two.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::baton::{Call, Setting};
use crate::machine::{self, Place, Running};
use crate::sipp::Sipp;

fn baton(place: &Place, name: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_baton"));
    command.current_dir(place.path());
    command.stdout(std::fs::File::create(place.file(&format!("{name}.out"))).unwrap());
    command.stderr(std::fs::File::create(place.file(&format!("{name}.err"))).unwrap());
    command
}

#[test]
fn the_demo_finds_every_result_as_the_people_said_it() {
    let place = Place::new();
    let mut command = baton(&place, "demo");
    command.args(["demo", "--calls", "12", "--cps", "6", "--seed", "5", "--out", "results"]);
    let status = Running::start(&mut command, "baton demo").wait(Duration::from_secs(100));
    let said = place.read("demo.out") + &place.read("demo.err");
    assert_eq!(status.code(), Some(0), "{said}");
    let lines = place.read("results/results.jsonl");
    let results: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(results.len(), 12, "{said}");
    assert!(results.iter().any(|result| result["disposition"] == "complete"), "{lines}");
    assert!(results.iter().any(|result| result["disposition"] != "complete"), "{lines}");
    assert_eq!(place.read("results/responses.csv").lines().count(), 13, "a head and a row a call");
    let summary: Value = serde_json::from_str(&place.read("results/summary.json")).unwrap();
    assert!(summary.is_object(), "{summary}");
}

/// A `baton callee` of its own that runs this script, at a port of this host.
#[track_caller]
pub(crate) fn callee(host: &str, turns: &str) -> (Running, Place, u16) {
    let place = Place::new();
    let port = machine::ports(1);
    let questionnaire = crate::survey::write(&place);
    let mut command = baton(&place, "callee");
    command.args(["callee", "--listen", &format!("{host}:{port}"), "--log", "people.jsonl"]);
    command.arg("--script").arg(place.write("people.toml", turns)).arg("--prompts").arg(questionnaire);
    let callee = Running::start(&mut command, "baton callee");
    let ready = machine::until(Duration::from_secs(20), || place.read("callee.err").contains("answering on"));
    assert!(ready, "{}", place.read("callee.err"));
    (callee, place, port)
}

/// Silent at first, then in their right mind.
const ANSWERS: &str = "[[party]]\n\
     [[party.turn]]\nquestion = \"consent\"\npress = [\"\", \"1\"]\n\
     [[party.turn]]\nquestion = \"age\"\npress = \"37#\"\n";

#[test]
fn a_respondent_in_another_process_answers_by_what_is_asked() {
    let (mut callee, place, port) = callee("127.0.0.1", ANSWERS);
    let outcome = Call::to(port).finish();
    callee.interrupt();
    outcome.assert("complete", "1.1", 200);
    outcome.assert_response("consent", "answered", "yes", "1");
    outcome.assert_response("age", "answered", 37, "37");
    let consent = outcome.response("consent");
    assert_eq!(
        (&consent["asked"], &consent["no_input"]),
        (&2.into(), &1.into()),
        "silent at first\n{consent:#}"
    );
    let log = place.read("people.jsonl");
    assert!(
        log.lines().count() > 3 && log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()),
        "{log}"
    );
}

#[test]
fn respondents_are_reached_over_both_transports_and_both_families() {
    let hangs_up = ANSWERS.replace("press = \"37#\"", "hang_up = true");
    for host in ["127.0.0.1", "[::1]"] {
        let (mut answers, _place, answering) = callee(host, ANSWERS);
        let (mut leaves, _other, leaving) = callee(host, &hangs_up);
        for transport in ["udp", "tcp"] {
            let more = format!("transport = \"{transport}\"");
            let setting = Setting { host, more: &more, ..Setting::new(answering) };
            let outcome = Call::set(&setting).finish();
            outcome.assert("complete", "1.1", 200);
            outcome.assert_response("age", "answered", 37, "37");
            assert_eq!(outcome.result["media"]["lost"], 0, "{:#}", outcome.result);
            // The respondent's own BYE, over a connection to where we listen.
            let outcome = Call::set(&Setting { port: leaving, trunk_port: leaving, ..setting }).finish();
            outcome.assert("break_off", "2.12", 200);
            assert_eq!(outcome.result["ended_by"], "callee", "{host} {transport}: {:#}", outcome.result);
        }
        answers.interrupt();
        leaves.interrupt();
    }
}

/// Rings with its answer and wants a PRACK, offers anew before and after it picks up, and holds the call for a while.
const CHANGES: &str = "ring = 183\nreliable = \"answer\"\nanswer_after = \"800ms\"\n\
     session_timer = \"90s\"\nrefresher = \"callee\"\n\
     [[party.change]]\nsince = \"ringing\"\nafter = \"200ms\"\nmedia = \"pcma\"\n\
     [[party.change]]\nafter = \"300ms\"\nmedia = \"hold\"\n\
     [[party.change]]\nafter = \"2s\"\nby = \"re-invite\"\nmedia = \"resume\"\n";

/// How each change went, as the log of `baton callee` tells it.
fn changes(log: &str) -> Vec<(String, String, Value)> {
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let changed = lines.filter(|line| line["event"] == "changed");
    changed.map(|line| (text(&line["by"]), text(&line["media"]), line["status"].clone())).collect()
}

#[test]
fn a_respondent_that_rings_reliably_and_changes_its_session_is_interviewed_all_the_same() {
    let (mut callee, place, port) = callee("127.0.0.1", &ANSWERS.replacen('\n', &format!("\n{CHANGES}"), 1));
    let outcome = Call::to(port).finish();
    callee.interrupt();
    outcome.assert("complete", "1.1", 200);
    outcome.assert_response("age", "answered", 37, "37");
    assert_eq!(
        outcome.result["media"]["codec"], "PCMA",
        "the UPDATE before the answer: {:#}",
        outcome.result
    );
    let log = place.read("people.jsonl");
    let went = |by: &str, media: &str| (by.to_owned(), media.to_owned(), 200.into());
    assert_eq!(changes(&log), [went("update", "pcma"), went("update", "hold"), went("re-invite", "resume")]);
    assert!(log.contains("\"status\":183,\"reliable\":true"), "{log}");
}

#[test]
fn a_caller_that_is_not_ours_acknowledges_reliable_ringing_and_answers_updates() {
    let (mut callee, place, port) =
        callee("127.0.0.1", &format!("[[party]]\n{}", CHANGES.replace("pcma", "same")));
    Sipp::caller("call_reliably.xml", port, &[]).finish();
    callee.interrupt();
    let log = place.read("people.jsonl");
    let went = |by: &str, media: &str, status: u16| (by.to_owned(), media.to_owned(), status.into());
    assert_eq!(
        changes(&log),
        [went("update", "same", 200), went("update", "hold", 200), went("re-invite", "resume", 488)]
    );
    assert!(log.contains("\"event\":\"caller-hung-up\""), "{log}");
}
