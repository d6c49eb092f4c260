//! The prompt of the benches that call people.

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
