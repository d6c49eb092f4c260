//! WAV files of every kind that people bring, and what callers hear of them.

use std::io::Cursor;
use std::time::Duration;

use hound::{SampleFormat, WavSpec, WavWriter};

use super::*;
use crate::prompts::resample::to_8_khz;

const LIMIT: Duration = Duration::from_secs(60);

/// A sine of half the full scale, one second long.
fn sine(hz: u32, tone_hz: f32) -> Vec<f32> {
    let rate = f32::from(u16::try_from(hz).unwrap());
    (0..hz)
        .map(|n| 0.5 * (std::f32::consts::TAU * tone_hz * f32::from(u16::try_from(n).unwrap()) / rate).sin())
        .collect()
}

fn written(spec: WavSpec, samples: &[f32]) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let mut writer = WavWriter::new(&mut bytes, spec).unwrap();
    for &sample in samples {
        for channel in 0..spec.channels {
            // The second channel is silent: half of the sound is left in the mix.
            let sample = if channel == 0 { sample } else { 0.0 };
            match spec.sample_format {
                SampleFormat::Float => writer.write_sample(sample).unwrap(),
                SampleFormat::Int => {
                    let full_scale = 2_f64.powi(i32::from(spec.bits_per_sample) - 1);
                    #[expect(clippy::cast_possible_truncation, reason = "half of the full scale fits")]
                    writer.write_sample((f64::from(sample) * full_scale) as i32).unwrap();
                }
            }
        }
    }
    writer.finalize().unwrap();
    bytes.into_inner()
}

fn spec(channels: u16, sample_rate: u32, bits_per_sample: u16) -> WavSpec {
    WavSpec { channels, sample_rate, bits_per_sample, sample_format: SampleFormat::Int }
}

/// Level of a tone in samples at 8 kHz, as a share of the full scale (Goertzel's algorithm).
fn level(samples: &[i16], tone_hz: f32) -> f32 {
    let step = std::f32::consts::TAU * tone_hz / 8_000.0;
    let (mut cosine, mut sine) = (0.0_f64, 0.0_f64);
    for (n, &sample) in samples.iter().enumerate() {
        let angle = f64::from(step) * f64::from(u32::try_from(n).unwrap());
        cosine += f64::from(sample) / 32_768.0 * angle.cos();
        sine += f64::from(sample) / 32_768.0 * angle.sin();
    }
    let count = f64::from(u32::try_from(samples.len()).unwrap());
    #[expect(clippy::cast_possible_truncation, reason = "a level, to be compared with a tolerance")]
    let level = (2.0 * cosine.hypot(sine) / count) as f32;
    level
}

#[test]
fn every_rate_width_and_channel_count_is_heard_at_its_level() {
    for (channels, hz, bits) in [
        (1, 8_000, 8),
        (1, 8_000, 16),
        (1, 11_025, 16),
        (1, 16_000, 24),
        (1, 22_050, 16),
        (1, 44_100, 32),
        (1, 48_000, 16),
        (2, 8_000, 16),
        (2, 44_100, 16),
        (2, 48_000, 24),
    ] {
        let audio = read(&written(spec(channels, hz, bits), &sine(hz, 1_000.0)), LIMIT).unwrap();
        let samples = to_8_khz(&audio).unwrap();
        assert!((7_999..=8_001).contains(&samples.len()), "{hz} Hz: {} samples", samples.len());
        let expected = 0.5 / f32::from(channels);
        let heard = level(&samples, 1_000.0);
        assert!((heard / expected - 1.0).abs() < 0.03, "{channels} × {bits} bits at {hz} Hz: {heard}");
    }
    let float = WavSpec { sample_format: SampleFormat::Float, ..spec(1, 32_000, 32) };
    let audio = read(&written(float, &sine(32_000, 1_000.0)), LIMIT).unwrap();
    assert!((level(&to_8_khz(&audio).unwrap(), 1_000.0) - 0.5).abs() < 0.01);
}

#[test]
fn what_a_phone_cannot_carry_does_not_come_back_as_another_tone() {
    let audio = read(&written(spec(1, 44_100, 16), &sine(44_100, 6_000.0)), LIMIT).unwrap();
    let samples = to_8_khz(&audio).unwrap();
    let middle = &samples[800..7_200];
    assert!(level(middle, 2_000.0) < 0.002, "6 kHz folded to 2 kHz: {}", level(middle, 2_000.0));
    assert!(middle.iter().all(|sample| sample.abs() < 100), "nothing is left of it");
}

/// A WAV file by hand.
fn raw(tag: u16, bits: u16, data_bytes: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"RIFF\0\0\0\0WAVEfmt \x12\0\0\0".to_vec();
    bytes.extend_from_slice(&tag.to_le_bytes());
    bytes.extend_from_slice(&1_u16.to_le_bytes());
    bytes.extend_from_slice(&8_000_u32.to_le_bytes());
    bytes.extend_from_slice(&(8_000 * u32::from(bits) / 8).to_le_bytes());
    bytes.extend_from_slice(&(bits / 8).to_le_bytes());
    bytes.extend_from_slice(&bits.to_le_bytes());
    bytes.extend_from_slice(b"\0\0LIST\x03\0\0\0abc\0data"); // an odd chunk is padded
    bytes.extend_from_slice(&data_bytes.to_le_bytes());
    bytes.extend_from_slice(data);
    bytes
}

#[test]
fn g711_files_pass_unchanged() {
    let octets: Vec<u8> = (0..=255).collect();
    for (tag, encode) in [(7, g711::ulaw_encode as fn(i16) -> u8), (6, g711::alaw_encode)] {
        let audio = read(&raw(tag, 8, 256, &octets), LIMIT).unwrap();
        let again: Vec<u8> = to_8_khz(&audio).unwrap().into_iter().map(encode).collect();
        let differing = octets.iter().zip(&again).filter(|(a, b)| a != b).count();
        assert!(differing <= 1, "format tag {tag}: {differing} octets"); // µ-law has two zeros
    }
}

#[test]
fn a_file_from_a_pipe_ends_where_its_bytes_end_and_a_cut_off_one_is_refused() {
    let data = [0x10, 0x20].repeat(400);
    for placeholder in [0x7FFF_F000, 0x7FFF_FFFF, u32::MAX] {
        assert_eq!(read(&raw(1, 16, placeholder, &data), LIMIT).unwrap().samples.len(), 400);
    }
    assert_eq!(read(&raw(1, 16, 1_000, &data), LIMIT), Err(WavError::CutOff { missing: 200 }));
    let odd = read(&raw(1, 16, u32::MAX, &data[..799]), LIMIT).unwrap();
    assert_eq!(odd.samples.len(), 399, "half a sample at the end is no sample");
}

#[test]
fn what_is_no_prompt_is_told_by_its_kind() {
    let told = |bytes: Vec<u8>| read(&bytes, LIMIT).unwrap_err().to_string();
    assert!(told(b"ID3\x04 an mp3 file".to_vec()).contains("it is no WAV file"));
    assert!(told(Vec::new()).contains("it is no WAV file"));
    assert!(told(b"RIFF\0\0\0\0WAVE".to_vec()).contains("it has no samples"));
    assert!(told(raw(0x55, 0, 4, b"mp3!")).contains("format tag 85"));
    let quick = written(spec(1, 96_000 / 2 + 1, 16), &[]);
    assert!(told(quick).contains("its rate is 48001 Hz"));
    assert!(told(written(spec(4, 8_000, 16), &[0.0; 8])).contains("it has 4 channels"));
    let long = raw(1, 16, u32::MAX, &vec![0; 16_000 * 61]);
    assert!(told(long).contains("it plays 61 s; a prompt may play 60 s"));
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_the_reader_fail(
        mut bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200),
        tag in proptest::prelude::any::<u16>(), bits in proptest::prelude::any::<u16>(),
        at in proptest::prelude::any::<proptest::sample::Index>(),
    ) {
        let file = raw(tag, bits, 150, &bytes);
        drop(read(&file, LIMIT));
        let at = at.index(file.len());
        bytes.splice(0..0, file[..at].iter().copied());
        if let Ok(audio) = read(&bytes, LIMIT) {
            drop(to_8_khz(&audio));
        }
    }
}
