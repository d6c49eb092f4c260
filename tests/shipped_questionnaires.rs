//! The questionnaires that come with Baton are without findings, and their recordings are fit for a call.

use std::path::Path;

use baton::interview::rehearsal::script;
use baton::questionnaire::Questionnaire;

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/questionnaires");

fn load(name: &str) -> Questionnaire {
    let bytes = std::fs::read(Path::new(DIRECTORY).join(name)).expect("the questionnaire is there");
    let has_audio = |path: &str| Path::new(DIRECTORY).join(path).is_file();
    match Questionnaire::load_with(name, &bytes, &has_audio) {
        Ok((questionnaire, warnings)) => {
            assert_eq!(warnings, []);
            questionnaire
        }
        Err(findings) => panic!("{}", findings.iter().map(|f| format!("{f}\n")).collect::<String>()),
    }
}

#[test]
fn they_load_without_findings() {
    assert_eq!(load("satisfaction.xml").languages(), ["en"]);
    assert_eq!(load("clinic.xml").languages(), ["en", "sw", "fr"]);
    assert_eq!(load("poll.xml").languages(), ["en"]);
    assert_eq!(load("health.xml").languages(), ["en"]);
}

#[test]
fn all_that_they_say_is_recorded() {
    for name in ["satisfaction.xml", "clinic.xml", "poll.xml"] {
        let questionnaire = load(name);
        let utterances = questionnaire.utterances();
        assert!(utterances.iter().all(|utterance| utterance.audio.is_some()), "{name}");
    }
}

#[test]
fn recordings_are_short_and_begin_and_end_with_the_voice() {
    let mut bytes = 0;
    for name in ["satisfaction.xml", "clinic.xml", "poll.xml", "health.xml"] {
        for utterance in load(name).utterances() {
            let Some(audio) = utterance.audio else { continue };
            let path = Path::new(DIRECTORY).join(&audio);
            bytes += path.metadata().unwrap().len();
            let reader = hound::WavReader::open(&path).unwrap();
            let form = reader.spec();
            assert_eq!((form.sample_rate, form.channels, form.bits_per_sample), (8_000, 1, 16), "{audio}");
            let samples: Vec<i16> = reader.into_samples().map(Result::unwrap).collect();
            let loud = |sample: &i16| sample.unsigned_abs() > 300;
            let before = samples.iter().position(loud).unwrap();
            let after = samples.iter().rev().position(loud).unwrap();
            assert!(before <= 800 && after <= 1_000, "{audio}: {before} and {after} samples of silence");
            assert!(samples.len() < 18 * 8_000, "{audio} is longer than 18 seconds");
        }
    }
    assert!(bytes < 9_000_000, "{bytes} bytes of recordings");
}

/// What is spoken without a recording says values of the call, and little else.
#[test]
fn only_values_are_left_to_a_voice() {
    let questionnaire = load("health.xml");
    let spoken: Vec<String> =
        questionnaire.utterances().into_iter().filter(|u| u.audio.is_none()).map(|u| u.text).collect();
    assert!(spoken.iter().all(|text| text.len() < 40), "{spoken:?}");
}

#[test]
fn the_runs_that_are_kept_come_out_as_they_were() {
    for name in ["clinic", "poll", "health"] {
        let questionnaire = load(&format!("{name}.xml"));
        let file = Path::new(DIRECTORY).join("runs").join(format!("{name}.txt"));
        let kept = std::fs::read_to_string(&file).unwrap();
        let came = script::play(&questionnaire, &kept).unwrap();
        assert_eq!(came.trim_end(), kept.trim_end(), "{name}: see `baton try --script`");
    }
}
