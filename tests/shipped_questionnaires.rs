//! The questionnaires that come with Baton are without findings, and their recordings are fit for a call.

use std::path::Path;

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
    assert_eq!(load("clinic.xml").languages(), ["en", "sw"]);
}

#[test]
fn all_that_they_say_is_recorded() {
    for name in ["satisfaction.xml", "clinic.xml"] {
        let questionnaire = load(name);
        let utterances = questionnaire.utterances();
        assert!(utterances.iter().all(|utterance| utterance.audio.is_some()), "{name}");
    }
}

#[test]
fn recordings_are_short_and_begin_and_end_with_the_voice() {
    let mut bytes = 0;
    for name in ["satisfaction.xml", "clinic.xml"] {
        for utterance in load(name).utterances() {
            let audio = utterance.audio.unwrap();
            let path = Path::new(DIRECTORY).join(&audio);
            bytes += path.metadata().unwrap().len();
            let reader = hound::WavReader::open(&path).unwrap();
            let form = reader.spec();
            assert_eq!((form.sample_rate, form.channels, form.bits_per_sample), (8_000, 1, 16), "{audio}");
            let samples: Vec<i16> = reader.into_samples().map(Result::unwrap).collect();
            let loud = |sample: &i16| sample.unsigned_abs() > 300;
            let before = samples.iter().position(loud).unwrap();
            let after = samples.iter().rev().position(loud).unwrap();
            assert!(before <= 800 && after <= 800, "{audio}: {before} and {after} samples of silence");
            assert!(samples.len() < 10 * 8_000, "{audio} is longer than ten seconds");
        }
    }
    assert!(bytes < 3_000_000, "{bytes} bytes of recordings");
}
