//! A questionnaire's file: findings that a person can use, or a flow that always comes to its end.

use std::collections::BTreeMap;
use std::time::Duration;

use baton::chart::Chart;
use baton::interview::Key;
use baton::interview::rehearsal::{Act, AfterSpeech, Rehearsal, Scene};
use baton::measure::Measures;
use baton::questionnaire::Questionnaire;
use baton::time::Timestamp;
use baton::xml::{Finding, Severity};

/// What a person does before it must be over: far more than any ladder and loop guard allows.
const MOST_ACTS: usize = 20_000;

/// Checks a file; one that passes is drawn, measured and rehearsed.
pub(crate) fn run(data: &[u8]) -> bool {
    let has_audio = |path: &str| !path.len().is_multiple_of(5);
    let loaded = Questionnaire::load_with("fuzz.xml", data, &has_audio);
    let findings = match &loaded {
        Ok((_, warnings)) => warnings,
        Err(findings) => findings,
    };
    usable(findings, data);
    let has_errors = findings.iter().any(|finding| finding.severity == Severity::Error);
    assert_eq!(has_errors, loaded.is_err(), "nothing starts on a file with errors, and anything else does");
    let again = Questionnaire::load_with("fuzz.xml", data, &has_audio);
    let again = match &again {
        Ok((_, warnings)) => warnings,
        Err(findings) => findings,
    };
    assert_eq!(findings, again, "the same file, the same findings");
    let Ok((questionnaire, _)) = loaded else { return false };
    let chart = Chart::of(&questionnaire, &questionnaire.languages()[0]);
    assert_eq!(chart.rows.len(), questionnaire.items().len() + questionnaire.quotas().len());
    drop((chart.svg(), chart.dot(), chart.mermaid()));
    let measures = Measures::of(&questionnaire, &|_| Some(Duration::from_secs(3)));
    assert_eq!(measures.languages.len(), questionnaire.languages().len());
    assert!(measures.languages.iter().all(|times| times.at_most >= times.longest));
    for turn in 0..3 {
        rehearse(&questionnaire, data, turn);
    }
    true
}

/// Each finding says where in the file, and what, in one line.
pub(crate) fn usable(findings: &[Finding], data: &[u8]) {
    let text = String::from_utf8_lossy(data).replace("\r\n", "\n");
    let lines = u32::try_from(text.split(['\n', '\r']).count()).expect("a small file"); // XML §2.11
    for finding in findings {
        assert!((1..=lines).contains(&finding.at.line), "{finding} in {lines} lines");
        assert!(finding.at.column >= 1);
        assert!(!finding.what.trim().is_empty());
        let told = finding.to_string();
        assert!(!told.contains(['\n', '\r', '\u{1b}', '\0']), "{told:?} is more than a line");
    }
    assert!(findings.len() <= 202, "{} findings", findings.len());
}

/// Somebody keys what the file's bytes say, or nothing.
fn rehearse(questionnaire: &Questionnaire, data: &[u8], turn: usize) {
    let fields: BTreeMap<String, String> =
        questionnaire.contact_fields().iter().map(|field| (field.name.clone(), field.sample())).collect();
    let scene = Scene { fields, seed: u32::try_from(data.len()).unwrap_or(0), ..Scene::default() };
    let Ok(mut rehearsal) =
        Rehearsal::begin(questionnaire, &scene, Timestamp::from_millis(1_795_000_000_000))
    else {
        return;
    };
    for (step, byte) in data.iter().cycle().skip(turn * 37).step_by(turn + 1).take(MOST_ACTS).enumerate() {
        if rehearsal.is_over() {
            return;
        }
        rehearsal.act(match (byte.wrapping_add(u8::try_from(step % 256).expect("a byte"))) % 16 {
            0 => Act::Silence,
            1 => Act::Speech(Duration::from_secs(2), AfterSpeech::Silence),
            key => Act::Keys(vec![Key::new(b"0123456789*#1199"[usize::from(key)].into()).expect("a key")]),
        });
        drop(rehearsal.lines());
    }
    assert!(rehearsal.is_over(), "an interview without end");
}
