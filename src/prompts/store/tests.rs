//! Prompts as callers hear them and as authors of questionnaires are told of them.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::prompts::{PromptSet, SpeechError, WavError, wav};
use crate::questionnaire::Questionnaire;
use crate::sdp::Codec;
use crate::settings::Speech;
use crate::xml::Finding;

const QUESTIONNAIRE: &str = r#"<questionnaire id="q" version="1" languages="en" xmlns="urn:baton:questionnaire:1">
  <contact-field name="name"/>
  <statement id="hello"><say audio="hello.wav">Hello.</say></statement>
  <statement id="dear"><say>Dear {name}.</say></statement>
  <statement id="read_out"><say>WAV</say></statement>
  <end id="done" outcome="complete"><say audio="bye.wav">Bye.</say></end>
</questionnaire>
"#;

/// A directory with a questionnaire that says `hello.wav`, a text that differs from call to call, and a text
/// that is the path of a WAV file: the speech command of these tests is `cat`.
struct Scene {
    dir: TempDir,
}

/// `count` frames of a WAV file at 8 kHz.
fn wav(count: usize, sample: i16) -> Vec<u8> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
    (0..count * 160).for_each(|_| writer.write_sample(sample).unwrap());
    writer.finalize().unwrap();
    bytes.into_inner()
}

impl Scene {
    fn new() -> Self {
        let scene = Self { dir: TempDir::new().unwrap() };
        scene.put("hello.wav", &wav(50, 1_000));
        scene.put("bye.wav", &wav(25, -1_000));
        scene.put("spoken.wav", &wav(10, 500));
        scene
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        fs::write(self.dir.path().join(name), bytes).unwrap();
    }

    fn text(&self, path: &str) -> Utterance {
        Utterance { language: "en".into(), audio: None, text: self.path(path) }
    }

    fn load(&self, store: &PromptStore) -> Result<PromptSet, Vec<String>> {
        let text = QUESTIONNAIRE.replace("WAV", &self.path("spoken.wav"));
        let (questionnaire, _) = Questionnaire::load("q.xml", text.as_bytes()).unwrap();
        let loaded =
            store.load_questionnaire(&questionnaire, &self.dir.path().join("q.xml"), text.as_bytes());
        loaded.map_err(|findings| {
            let dir = format!("{}/", self.dir.path().display());
            findings.iter().map(|finding| finding.to_string().replace(&dir, "")).collect()
        })
    }
}

fn speech(command: &[&str]) -> Speech {
    let command = command.iter().map(|&argument| argument.to_owned()).collect();
    Speech { command, ..Speech::default() }
}

fn store_of(speech: Speech, limits: Limits) -> PromptStore {
    PromptStore::new(&Settings { speech, limits, ..Settings::default() })
}

fn cat() -> PromptStore {
    store_of(speech(&["cat", "{text}"]), Limits::default())
}

fn recording(path: &str) -> Utterance {
    Utterance { language: "en".into(), audio: Some(path.into()), text: String::new() }
}

#[test]
fn all_that_is_the_same_in_each_call_is_ready_before_the_first() {
    let scene = Scene::new();
    let store = cat();
    let set = scene.load(&store).unwrap();
    assert_eq!(set.clips.len(), 3, "the text with a name in it is not among them");
    assert_eq!(set.duration(), Duration::from_millis(20 * (50 + 25 + 10)));
    let hello = store.clip(&recording("hello.wav"), set.questionnaire).unwrap();
    assert_eq!(hello.frames(), 50);
    let octet = crate::rtp::g711::ulaw_encode(1_000);
    assert_eq!(hello.frame(Codec::Pcmu, 49), Some(&[octet; 160]));
    assert_eq!(store.clip(&scene.text("spoken.wav"), set.questionnaire).unwrap().frames(), 10);
    assert_eq!(store.clip(&recording("hello.wav"), Digest::of(b"another")), None);
    assert_eq!(store.bytes(), 85 * 320);
}

#[test]
fn an_edited_recording_does_not_change_the_calls_of_a_loaded_questionnaire() {
    let scene = Scene::new();
    let store = cat();
    let set = scene.load(&store).unwrap();
    scene.put("hello.wav", &wav(7, 9));
    scene.load(&store).unwrap();
    assert_eq!(store.clip(&recording("hello.wav"), set.questionnaire).unwrap().frames(), 50);
}

#[test]
fn a_recording_that_several_questionnaires_name_is_kept_once() {
    let scene = Scene::new();
    scene.put("same.wav", &wav(50, 1_000));
    let store = cat();
    scene.load(&store).unwrap();
    let before = store.bytes();
    let clip = store.read(Digest::of(b"elsewhere"), &scene.dir.path().join("same.wav")).unwrap();
    assert_eq!((clip.frames(), store.bytes()), (50, before));
}

#[test]
fn a_broken_recording_is_a_finding_at_its_line_and_all_are_told_at_once() {
    let scene = Scene::new();
    fs::remove_file(scene.dir.path().join("hello.wav")).unwrap();
    scene.put("bye.wav", b"ID3 not a wav file");
    let findings = scene.load(&cat()).unwrap_err();
    assert_eq!(findings.len(), 2);
    assert!(findings[0].starts_with("q.xml:3:25: error: the recording hello.wav cannot be read: "));
    assert!(findings[0].ends_with("(paths are taken from the questionnaire's directory)"), "{}", findings[0]);
    assert!(findings[1].starts_with("q.xml:6:37: error: the recording bye.wav cannot be used: it is no WAV"));
}

#[test]
fn a_missing_speech_command_is_told_once_at_the_first_text_that_needs_it() {
    let scene = Scene::new();
    let store = store_of(speech(&["baton-has-no-voice", "{text}"]), Limits::default());
    let findings = scene.load(&store).unwrap_err();
    assert_eq!(
        findings,
        ["q.xml:5:28: error: this text has no recording and cannot be spoken: the speech command \
          `baton-has-no-voice` is not installed, or not on the PATH \
          (set [speech] command in the settings, or give every <say> an audio file)"]
    );
    let off = store_of(speech(&[]), Limits::default());
    assert!(scene.load(&off).unwrap_err()[0].contains("no speech command is set"));
}

#[test]
fn a_text_of_one_call_is_spoken_when_it_is_needed_and_shared_afterwards() {
    let scene = Scene::new();
    let store = cat();
    let any = Digest::of(b"any");
    let dear = scene.text("spoken.wav");
    assert_eq!(store.clip(&dear, any), None);
    let clip = store.render(&dear, any).unwrap();
    assert!(Arc::ptr_eq(&clip, &store.render(&dear, any).unwrap()));
    assert!(Arc::ptr_eq(&clip, &store.clip(&dear, any).unwrap()));
    let unknown = store.render(&recording("hello.wav"), any).unwrap_err();
    assert!(matches!(unknown, PromptError::NotLoaded { .. }));
}

#[test]
fn texts_of_past_calls_make_room_and_prompts_of_questionnaires_stay() {
    let scene = Scene::new();
    let limits = Limits { prompts: 320 * 100, ..Limits::default() };
    let store = store_of(speech(&["cat", "{text}"]), limits);
    let set = scene.load(&store).unwrap(); // 85 frames of 100
    let any = set.questionnaire;
    for number in 0..10 {
        let name = format!("{number}.wav");
        scene.put(&name, &wav(8, number));
        store.render(&scene.text(&name), any).unwrap();
        assert!(store.bytes() <= limits.prompts);
    }
    assert_eq!(store.clip(&scene.text("0.wav"), any), None);
    assert!(store.clip(&scene.text("9.wav"), any).is_some());
    assert!(set.clips.iter().all(|(utterance, _)| store.clip(utterance, any).is_some()));
    scene.put("long.wav", &wav(16, 1));
    let full = store.render(&scene.text("long.wav"), any).unwrap_err();
    assert!(matches!(full, PromptError::Full { .. }));
    scene.put("fits.wav", &wav(15, 1));
    store.render(&scene.text("fits.wav"), any).unwrap();
}

#[test]
fn the_speech_command_is_bounded_in_time_and_in_what_it_says() {
    let any = Digest::of(b"any");
    let slow = Speech { timeout: Duration::from_millis(200), ..speech(&["sleep", "{text}"]) };
    let store = store_of(slow, Limits::default());
    let text = |text: &str| Utterance { language: "en".into(), audio: None, text: text.into() };
    let began = std::time::Instant::now();
    let error = store.render(&text("30"), any).unwrap_err();
    assert!(matches!(error, PromptError::Speech(SpeechError::Timeout { .. })));
    assert!(began.elapsed() < Duration::from_secs(10));
    let limits = Limits { prompt_file: 10_000, ..Limits::default() };
    let endless = store_of(speech(&["yes", "{text}"]), limits);
    let error = endless.render(&text("la"), any).unwrap_err();
    assert!(matches!(error, PromptError::Speech(SpeechError::TooMuch { limit: 10_000, .. })));
}

#[test]
fn a_failing_speech_command_is_told_in_its_own_words() {
    let store = cat();
    let any = Digest::of(b"any");
    let scene = Scene::new();
    let error = store.render(&scene.text("absent.wav"), any).unwrap_err();
    assert!(matches!(error, PromptError::Speech(SpeechError::Failed { .. })));
    let told = error.to_string();
    assert!(told.starts_with("the speech command `cat` failed (exit status: 1): cat: "), "{told}");
    scene.put("no.wav", b"what is this?");
    let error = store.render(&scene.text("no.wav"), any).unwrap_err();
    assert!(matches!(error, PromptError::Spoken { source: WavError::NotWav { .. } }));
    scene.put("empty.wav", &wav(0, 0));
    let error = store.render(&scene.text("empty.wav"), any).unwrap_err();
    assert!(matches!(error, PromptError::Nothing { .. }));
}

#[test]
fn no_text_becomes_a_command_or_a_placeholder() {
    let scene = Scene::new();
    let store = store_of(
        Speech {
            voices: [("en".to_owned(), "VOICE".to_owned())].into(),
            ..speech(&["ls", "--", "{text} {voice} {language} {other}"])
        },
        Limits::default(),
    );
    let hostile = format!("$(touch {0}); `touch {0}` {{voice}} --version", scene.path("touched"));
    let utterance = Utterance { language: "en".into(), audio: None, text: hostile.clone() };
    let told = store.render(&utterance, Digest::of(b"any")).unwrap_err().to_string();
    assert!(told.contains("{voice} --version VOICE en {other}"), "{told}");
    assert!(!scene.dir.path().join("touched").exists());
}

#[test]
fn what_was_spoken_survives_a_restart_on_disk_within_its_bound() {
    let scene = Scene::new();
    let any = Digest::of(b"any");
    let cache = scene.dir.path().join("cache");
    let size = u64::try_from(wav(10, 0).len()).unwrap() + 72;
    let with_cache = || {
        let speech = speech(&["cat", "{text}"]);
        store_of(Speech { cache: Some(cache.clone()), cache_size: 3 * size, ..speech }, Limits::default())
    };
    let store = with_cache();
    for number in 0..5 {
        let name = format!("{number}.wav");
        scene.put(&name, &wav(10, number));
        store.render(&scene.text(&name), any).unwrap();
        fs::remove_file(scene.path(&name)).unwrap();
        std::thread::sleep(Duration::from_millis(15)); // file times tell the older from the newer
    }
    let wavs =
        fs::read_dir(&cache).unwrap().filter(|entry| entry.as_ref().unwrap().path().extension().is_some());
    assert_eq!(wavs.count(), 3);
    let restarted = with_cache();
    assert!(restarted.render(&scene.text("4.wav"), any).is_ok(), "it was kept");
    assert!(restarted.render(&scene.text("0.wav"), any).is_err(), "it made room");
}

#[test]
fn threads_that_need_the_same_text_at_once_get_the_same_sound() {
    let scene = Scene::new();
    let store = cat();
    let any = Digest::of(b"any");
    let clips: Vec<Arc<Clip>> = std::thread::scope(|scope| {
        let speak = || scope.spawn(|| store.render(&scene.text("spoken.wav"), any).unwrap());
        let threads: Vec<_> = (0..12).map(|_| speak()).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(clips.iter().all(|clip| Arc::ptr_eq(clip, &clips[0])));
    assert_eq!(store.bytes(), 10 * 320);
}

/// A questionnaire in Luganda, which espeak-ng does not speak, with English and Swahili.
const LANGUAGES: &str = r#"<questionnaire id="q" version="1" languages="en lg sw" xmlns="urn:baton:questionnaire:1">
  <contact-field name="name"/>
  <yes-no id="a">
    <say lang="en">Are you well?</say><say lang="lg">Oli bulungi?</say><say lang="sw">Habari?</say>
  </yes-no>
  <statement id="b">
    <say lang="en">You said {a}.</say><say lang="lg">Ogambye {a}.</say><say lang="sw">Umesema {a}.</say>
  </statement>
  <end id="done" outcome="complete"/>
</questionnaire>
"#;

fn load_text(store: &PromptStore, text: &str) -> Result<PromptSet, Vec<String>> {
    let (questionnaire, _) = Questionnaire::load("q.xml", text.as_bytes()).unwrap();
    let loaded = store.load_questionnaire(&questionnaire, Path::new("q.xml"), text.as_bytes());
    loaded.map_err(|findings| findings.iter().map(Finding::to_string).collect())
}

#[test]
fn a_missing_voice_is_one_error_at_load_for_its_language() {
    let espeak = store_of(Speech::default(), Limits::default());
    let missing = "4:39: error: nothing can be spoken in `lg`: the speech command `espeak-ng` failed (exit status: 1): \
                   Error: The specified espeak-ng voice does not exist. (`espeak-ng --voices` lists its voices; \
                   choose a voice in the settings, [speech.voices] lg = \"…\", or give every <say> in `lg` an audio file)";
    assert_eq!(load_text(&espeak, LANGUAGES).unwrap_err(), [format!("q.xml:{missing}")]);
    // Also where nothing is spoken before the calls: then a text is tried.
    let later = LANGUAGES.replace(">Oli bulungi?<", " audio='a.wav'>Oli bulungi?<").replace("{a}", "{name}");
    let found = load_text(&espeak, &later).unwrap_err();
    assert!(
        found.iter().any(|told| told.starts_with("q.xml:7:42: error: nothing can be spoken in `lg`")),
        "{found:?}"
    );
    let voices = [("lg".to_owned(), "sw".to_owned())].into();
    let mended = store_of(Speech { voices, ..Speech::default() }, Limits::default());
    let set = load_text(&mended, LANGUAGES).unwrap();
    assert_eq!(
        set.clips.len(),
        3 * 4,
        "a question, and yes, no and nothing in the statement; in each language"
    );
}

#[test]
fn values_are_spoken_ahead_only_where_they_are_few() {
    let ahead = |ahead| {
        let voices = [("lg".to_owned(), "sw".to_owned())].into();
        let store = store_of(Speech { ahead, voices, ..Speech::default() }, Limits::default());
        load_text(&store, LANGUAGES).unwrap().clips.len()
    };
    assert_eq!((ahead(3), ahead(2), ahead(0)), (12, 3, 3));
}

#[test]
fn prompts_are_brought_to_one_loudness_if_the_settings_say_so() {
    let scene = Scene::new();
    let settings = Settings { speech: speech(&["cat", "{text}"]), ..Settings::default() };
    let plain = PromptStore::new(&settings);
    let even = PromptStore::new(&Settings {
        prompts: crate::settings::Prompts { loudness: Some(Lufs(-19.0)) },
        ..settings
    });
    let tone = |peak: f32| {
        #[expect(clippy::cast_possible_truncation, reason = "far within i16")]
        let samples = (0..16_000_u16).map(|n| (peak * (f32::from(n) * 0.4).sin()) as i16);
        let samples: Vec<i16> = samples.collect();
        let data: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        [wav::head(data.len(), 0).as_slice(), &data].concat()
    };
    scene.put("quiet.wav", &tone(1_500.0));
    scene.put("loud.wav", &tone(25_000.0));
    let lufs = |store: &PromptStore, name: &str| {
        let clip = store.render(&scene.text(name), Digest::of(b"any")).unwrap();
        let samples: Vec<i16> =
            clip.octets(Codec::Pcmu).iter().map(|&octet| crate::rtp::g711::ulaw_decode(octet)).collect();
        loudness::measure(&samples).unwrap()
    };
    assert!(lufs(&plain, "loud.wav") - lufs(&plain, "quiet.wav") > 20.0);
    for name in ["quiet.wav", "loud.wav"] {
        assert!((lufs(&even, name) + 19.0).abs() < 0.3, "{name}: {}", lufs(&even, name));
    }
}

/// espeak-ng is one of the tools that tests/tools/install brings.
#[test]
fn the_default_command_speaks_at_a_level_that_is_heard() {
    let store = store_of(Speech::default(), Limits::default());
    let any = Digest::of(b"any");
    let text =
        |language: &str, text: &str| Utterance { language: language.into(), audio: None, text: text.into() };
    let clip = store.render(&text("en", "How old are you? End with hash."), any).unwrap();
    let long = Duration::from_secs(1)..Duration::from_secs(6);
    assert!(long.contains(&clip.duration()), "{:?}", clip.duration());
    let samples = clip.octets(Codec::Pcmu).iter().map(|&octet| crate::rtp::g711::ulaw_decode(octet));
    let loudest = samples.map(i16::unsigned_abs).max().unwrap();
    assert!(loudest > 8_000, "{loudest}");
    let option = store.render(&text("en", "--version"), any).unwrap();
    assert!(option.frames() > 10, "a text that looks like an option is spoken");
    let told = store.render(&text("xx", "What language is this?"), any).unwrap_err().to_string();
    assert!(told.starts_with("the speech command `espeak-ng` failed (exit status: 1): "), "{told}");
}
