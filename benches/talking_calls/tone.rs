//! The prompt of the benches that call people, and what they ask with it.

use std::path::Path;

/// Writes the prompt: a rising tone, nowhere silent.
pub(super) fn write(path: &Path, seconds: u32) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).expect("a file");
    for n in 0..seconds * 8_000 {
        let sample = i16::try_from(2_000 + (n * 37) % 9_000).expect("below 11,000");
        writer.write_sample(if n % 2 == 0 { sample } else { -sample }).expect("a sample");
    }
    writer.finalize().expect("a WAV file");
}

/// The survey: a prompt that is asked again ten times, each after so many seconds of silence.
pub(super) fn survey(wait_s: u32) -> String {
    format!(
        r#"<questionnaire id="talk" version="1" languages="en" xmlns="urn:baton:questionnaire:1">
  <retry id="std" wait="{wait_s}s" no-input="10" no-match="1" then="break-off"/>
  <section id="s">
    <choice id="q" retry="std">
      <say lang="en" audio="long.wav">A long prompt.</say>
      <option key="1" value="yes"/>
    </choice>
  </section>
  <end id="done" outcome="complete"><say lang="en" audio="long.wav">A long prompt.</say></end>
</questionnaire>"#
    )
}
