//! The questionnaire of these tests: short, with a prompt of its own sound for each item.
//!
//! ```text
//! hello 600 ms ─ consent 700 ms [1|2] ─ age 800 ms [0-110 #] ─ done 500 ms, hang up
//! ```

use std::path::PathBuf;

use crate::machine::Place;
use crate::signal;

/// Each prompt: name, milliseconds.
pub(crate) const PROMPTS: [(&str, u32); 4] = [("hello", 600), ("consent", 700), ("age", 800), ("done", 500)];

/// The prompt that is recorded at 44.1 kHz in stereo; all others are telephone audio.
const GLIDE: &str = "done";

/// The sound of a prompt, as a telephone should hear it.
pub(crate) fn sound(name: &str) -> Vec<i16> {
    let (seed, (_, ms)) = (1_u32..).zip(PROMPTS).find(|(_, (prompt, _))| *prompt == name).unwrap();
    if name == GLIDE { signal::glide(ms, signal::RATE_HZ) } else { signal::noise(seed, ms) }
}

const QUESTIONNAIRE: &str = r##"<questionnaire id="interop" version="7" languages="en" xmlns="urn:baton:questionnaire:1">
  <keys opt-out="*"/>
  <retry id="short" wait="2s" no-input="1" no-match="1" then="break-off"/>
  <section id="all">
    <statement id="hello" barge-in="no"><say lang="en" audio="hello.wav">Hello.</say></statement>
    <choice id="consent" retry="short">
      <say lang="en" audio="consent.wav">Press 1 to begin, 2 to decline.</say>
      <option key="1" value="yes"/>
      <option key="2" value="no" go="declined"/>
    </choice>
    <number id="age" min="0" max="110" digits="1-3" end="#" retry="short">
      <say lang="en" audio="age.wav">How old are you? End with hash.</say>
    </number>
  </section>
  <end id="done" outcome="complete"><say lang="en" audio="done.wav">Goodbye.</say></end>
  <end id="declined" outcome="refusal"/>
</questionnaire>
"##;

/// Writes the questionnaire and its prompts; returns its file.
pub(crate) fn write(place: &Place) -> PathBuf {
    write_patient(place, 2)
}

/// The same, which waits so many seconds for an answer.
pub(crate) fn write_patient(place: &Place, wait_s: u32) -> PathBuf {
    for (name, ms) in PROMPTS {
        let file = place.file(&format!("{name}.wav"));
        if name == GLIDE {
            signal::write_wav_as(&file, &signal::glide(ms, 44_100), 44_100, 2);
        } else {
            signal::write_wav(&file, &sound(name));
        }
    }
    place.write("interop.xml", QUESTIONNAIRE.replace("wait=\"2s\"", &format!("wait=\"{wait_s}s\"")))
}
