//! `baton check` and `baton try` as a person or a script uses them.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

const BATON: &str = env!("CARGO_BIN_EXE_baton");
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn baton(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(BATON)
        .args(arguments)
        .current_dir(ROOT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(input.as_bytes()).ok(); // a command that reads nothing has closed it
    drop(stdin);
    child.wait_with_output().expect("the binary ends")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("it speaks UTF-8")
}

#[test]
fn what_comes_with_baton_has_no_findings() {
    let files = [
        "questionnaires/satisfaction.xml",
        "questionnaires/clinic.xml",
        "questionnaires/poll.xml",
        "questionnaires/health.xml",
        "dialplans/kenya.xml",
        "docs/baton.toml",
    ];
    let checked = baton(&[&["check"], &files[..]].concat(), "");
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stdout));
    let lines: Vec<&str> = text(&checked.stdout).lines().filter(|line| !line.starts_with(' ')).collect();
    assert_eq!(lines.len(), files.len(), "{lines:?}");
    for (line, file) in lines.iter().zip(files) {
        assert!(line.starts_with(file) && line.ends_with("no findings"), "{line}");
    }
}

/// The Swahili prompts of the clinic are longer than the English ones; the figures are those of the files.
#[test]
fn a_questionnaire_is_measured_by_its_recordings() {
    let checked = baton(&["check", "--json", "questionnaires/clinic.xml"], "");
    let report: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
    let measures = &report["checked"][0]["measures"];
    assert_eq!((&report["format"], &report["checked"][0]["kind"]), (&1.into(), &"questionnaire".into()));
    assert_eq!(
        (&measures["paths"], &measures["orders"], &measures["loops"]),
        (&"6".into(), &"1".into(), &0.into())
    );
    let number = |language: usize, name: &str| measures["languages"][language][name].as_f64().unwrap();
    assert_eq!((number(0, "relative"), number(0, "estimated"), number(1, "estimated")), (1.0, 0.0, 0.0));
    assert!((1.1..1.4).contains(&number(1, "relative")), "{measures:#}");
    for language in 0..2 {
        let times = ["typical_s", "longest_s", "at_most_s"].map(|name| number(language, name));
        assert!(times.is_sorted() && times[0] > 30.0 && times[2] < 600.0, "{times:?}");
    }
}

#[test]
fn stdin_is_checked_by_what_it_holds() {
    let xml = std::fs::read_to_string(format!("{ROOT}/dialplans/kenya.xml")).unwrap();
    let checked = baton(&["check", "-"], &xml);
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stdout));
    assert!(text(&checked.stdout).starts_with("<stdin>: dialplan with"), "{}", text(&checked.stdout));
    let checked = baton(&["check", "-"], "[sip]\nlisten = \"nowhere\"\n");
    assert_eq!(checked.status.code(), Some(1));
    assert!(text(&checked.stdout).starts_with("<stdin>:2:10: error: "), "{}", text(&checked.stdout));
    let checked = baton(&["check", "-"], "");
    assert!(
        text(&checked.stdout).starts_with("<stdin>:1:1: error: the file has no element"),
        "{}",
        text(&checked.stdout)
    );
}

#[test]
fn a_file_without_an_end_is_not_read_to_its_end() {
    let checked = baton(&["check", "/dev/zero", "/dev/null"], "");
    assert_eq!(checked.status.code(), Some(1));
    let lines = text(&checked.stdout);
    assert!(lines.contains("/dev/zero:1:1: error: the file has more than 4194304 bytes"), "{lines}");
    assert!(lines.contains("/dev/null:1:1: error: the file has no element"), "{lines}");
}

#[test]
fn contacts_are_checked_against_the_questionnaire() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("people.csv");
    let name = file.display().to_string();
    let arguments = ["check", "questionnaires/satisfaction.xml", "--contacts", &name];
    std::fs::write(&file, "number,visits\n+254700000001,3\n+254700000002,\n").unwrap();
    let checked = baton(&arguments, "");
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stdout));
    assert!(
        text(&checked.stdout).contains("2 contacts for `satisfaction`: no findings"),
        "{}",
        text(&checked.stdout)
    );
    std::fs::write(&file, "number,visits\n+254700000001,three\n").unwrap();
    let checked = baton(&arguments, "");
    assert_eq!(checked.status.code(), Some(1));
    let finding = format!(
        "{name}:2:15: error: the contact field `visits` cannot be `three`: it is no number [unfit-value]"
    );
    assert!(text(&checked.stdout).lines().any(|line| line == finding), "{}", text(&checked.stdout));
    let checked = baton(&["check", "dialplans/kenya.xml", "--contacts", &name], "");
    assert_eq!(checked.status.code(), Some(2));
}

#[test]
fn a_recording_that_cannot_be_played_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("q.xml");
    let xml = "<questionnaire id='q' version='1' languages='en' xmlns='urn:baton:questionnaire:1'>\n\
               <statement id='a'><say audio='a.wav'>A</say></statement><end id='e' outcome='complete'/>\n</questionnaire>";
    std::fs::write(&file, xml).unwrap();
    std::fs::write(directory.path().join("a.wav"), "no sound").unwrap();
    let checked = baton(&["check", file.to_str().unwrap()], "");
    assert_eq!(checked.status.code(), Some(1));
    let said = text(&checked.stdout);
    assert!(
        said.contains("q.xml:2:19: error: the recording") && said.contains("[broken-recording]"),
        "{said}"
    );
}

#[test]
fn the_flow_is_drawn_in_three_languages() {
    let directory = tempfile::tempdir().unwrap();
    for (name, begins) in [("a.svg", "<?xml"), ("a.dot", "digraph"), ("a.mmd", "---\ntitle: \"clinic")] {
        let out = directory.path().join(name);
        let drawn = baton(&["graph", "questionnaires/clinic.xml", "-o", out.to_str().unwrap()], "");
        assert_eq!(drawn.status.code(), Some(0), "{}", text(&drawn.stderr));
        let picture = std::fs::read_to_string(&out).unwrap();
        assert!(picture.starts_with(begins) && picture.contains("too_young"), "{name}: {picture}");
    }
    let drawn = baton(&["graph", "questionnaires/clinic.xml", "--language", "sw"], "");
    assert!(text(&drawn.stdout).contains("Huduma ilikuwaje?"));
    for wrong in [&["--language", "de"][..], &["-o", "a.png"]] {
        let drawn = baton(&[&["graph", "questionnaires/clinic.xml"], wrong].concat(), "");
        assert_eq!(drawn.status.code(), Some(2), "{}", text(&drawn.stderr));
    }
}

#[test]
fn findings_stand_on_stdout_and_in_the_exit_code() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("bad.xml");
    let xml = "<questionnaire id='q' version='1' languages='en' xmlns='urn:baton:questionnaire:1'>\n\
               <statement id='a'><say audio='a.wav'>Hello {nobody}.</say></statement>\n</questionnaire>";
    std::fs::write(&file, xml).unwrap();
    let name = file.display().to_string();
    let checked = baton(&["check", &name], "");
    assert_eq!(checked.status.code(), Some(1));
    let lines: Vec<&str> =
        text(&checked.stdout).lines().filter(|line| line.starts_with(&format!("{name}:2:"))).collect();
    assert_eq!(lines.len(), 4, "{lines:?}");
    let missing = format!("{name}:2:31: error: the recording `a.wav` is missing ");
    let is_missing = |line: &&&str| line.starts_with(&missing) && line.ends_with("[missing-recording]");
    assert_eq!(lines.iter().filter(is_missing).count(), 1, "{lines:?}");
    assert!(text(&checked.stdout).contains("\n    why: the callee would hear silence in the middle"));
    let checked = baton(&["check", "--json", &name], "");
    let report: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!((&report["files"], &report["errors"], &report["warnings"]), (&1.into(), &3.into(), &1.into()));
    assert_eq!(report["findings"][0]["line"], 2);
    for finding in report["findings"].as_array().unwrap() {
        assert!(finding["code"].is_string() && finding["why"].is_string(), "{finding}");
    }
    let checked = baton(&["check", "no/such/file.xml", &name], "");
    assert_eq!(checked.status.code(), Some(2));
    assert!(text(&checked.stderr).contains("cannot read no/such/file.xml"), "{}", text(&checked.stderr));
    assert_eq!(
        text(&checked.stdout).lines().filter(|line| line.starts_with(&format!("{name}:2:"))).count(),
        4
    );
}

#[test]
fn an_interview_runs_from_a_pipe() {
    let tried = baton(&["try", "questionnaires/satisfaction.xml", "--set", "visits=3"], "1\n\n9#\n1\n2\n");
    assert_eq!(tried.status.code(), Some(0), "{}", text(&tried.stderr));
    assert!(text(&tried.stderr).contains("> (silence)\nrecommend  We did not hear you. From 0 to 10"));
    let result: serde_json::Value = serde_json::from_slice(&tried.stdout).unwrap();
    assert_eq!(result["outcome"], "complete");
    let recommend = &result["responses"][1];
    assert_eq!(
        (&recommend["value"], &recommend["asked"], &recommend["no_input"]),
        (&9.into(), &2.into(), &1.into())
    );
    assert_eq!(recommend["digits"][0]["digit"], "9");
    assert!(recommend["digits"][0]["at"].as_str().unwrap().ends_with('Z'), "{recommend}");
    assert_eq!(result["responses"][5]["value"], "no");
}

#[test]
fn the_end_of_the_pipe_hangs_up_and_wrong_input_is_named() {
    let tried = baton(&["try", "questionnaires/clinic.xml", "--set", "language=sw"], "2\n");
    assert_eq!(tried.status.code(), Some(0));
    let result: serde_json::Value = serde_json::from_slice(&tried.stdout).unwrap();
    assert_eq!((&result["outcome"], &result["language"]), (&"break-off".into(), &"sw".into()));
    let tried = baton(&["try", "questionnaires/clinic.xml", "--set", "langage=sw"], "");
    assert_eq!(tried.status.code(), Some(2));
    assert!(text(&tried.stderr).contains("no contact field `langage`"), "{}", text(&tried.stderr));
    let tried = baton(&["try", "questionnaires/clinic.xml"], "one\n");
    assert_eq!(tried.status.code(), Some(2));
    assert!(text(&tried.stderr).contains("`one` is no line of keys"), "{}", text(&tried.stderr));
}

/// As `baton … 2>&1 | head -1`, where head has gone before the command says anything more.
#[test]
fn a_reader_that_goes_away_ends_a_command_quietly() {
    let file = "questionnaires/clinic.xml";
    for arguments in [
        &["try", file][..],
        &["check", file],
        &["graph", file],
        &["check", "--json", file],
        &["try", "no.xml"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let child = Command::new(BATON)
            .args(arguments)
            .current_dir(ROOT)
            .stdin(Stdio::null())
            .stdout(writer.try_clone().unwrap())
            .stderr(writer)
            .status()
            .unwrap();
        let code = child.code().unwrap();
        assert!(code < 3, "{arguments:?} ended with {code}");
        // stdout alone: stderr stays, and nothing is complained of there
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut child = Command::new(BATON);
        child.args(arguments).current_dir(ROOT).stdin(Stdio::null());
        let said = child.stdout(writer).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
        assert!(!text(&said.stderr).contains("roken pipe"), "{}", text(&said.stderr));
    }
}
