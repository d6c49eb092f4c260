//! WAV files of every kind that people bring, and what callers hear of them.

use std::io::Cursor;
use std::time::Duration;

use hound::{SampleFormat, WavSpec, WavWriter};

use super::*;
use crate::prompts::resample::to_8_khz;
use crate::rtp::g711;

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

/// `fmt` without its name and size.
fn format(tag: u16, bits: u16) -> Vec<u8> {
    let mut bytes = tag.to_le_bytes().to_vec();
    bytes.extend_from_slice(&1_u16.to_le_bytes());
    bytes.extend_from_slice(&8_000_u32.to_le_bytes());
    bytes.extend_from_slice(&(8_000 * u32::from(bits) / 8).to_le_bytes());
    bytes.extend_from_slice(&bits.div_ceil(8).to_le_bytes());
    bytes.extend_from_slice(&bits.to_le_bytes());
    bytes
}

fn chunk(name: &[u8; 4], size: usize, body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(size).unwrap().to_le_bytes();
    let padding: &[u8] = if body.len() % 2 == 1 { &[0] } else { &[] };
    [name, &size, body, padding].concat()
}

/// A whole chunk, padded to an even length.
fn whole(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    chunk(name, body.len(), body)
}

/// A file of these chunks with this size.
fn file(size: u32, chunks: &[Vec<u8>]) -> Vec<u8> {
    [b"RIFF".as_slice(), &size.to_le_bytes(), b"WAVE", &chunks.concat()].concat()
}

/// A WAV file by hand: with an odd chunk before its samples, and a size that a pipe leaves.
fn raw(tag: u16, bits: u16, data_bytes: u32, data: &[u8]) -> Vec<u8> {
    let data_bytes = usize::try_from(data_bytes).unwrap();
    let data = [b"data".as_slice(), &u32::try_from(data_bytes).unwrap().to_le_bytes(), data].concat();
    file(0, &[whole(b"fmt ", &format(tag, bits)), whole(b"LIST", b"abc"), data])
}

/// The `fmt` of an extensible file; its samples are written as `tag`, `valid` of their bits counting.
fn extensible(tag: u16, bits: u16, valid: u16) -> Vec<u8> {
    let tail = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71];
    let loudspeakers = 4_u32.to_le_bytes();
    let more = [&22_u16.to_le_bytes()[..], &valid.to_le_bytes(), &loudspeakers, &tag.to_le_bytes(), &tail];
    [format(0xFFFE, bits), more.concat()].concat()
}

#[test]
fn every_depth_is_read_to_the_same_samples() {
    let ints: [i32; 5] = [0, 1 << 30, -(1 << 30), i32::MAX, i32::MIN];
    let close = |bytes: &[u8], exact: f32| {
        let samples = read(bytes, LIMIT).unwrap().samples;
        let expected: Vec<f32> = vec![0.0, 0.5, -0.5, 1.0, -1.0];
        assert_eq!(samples.len(), expected.len());
        for (sample, expected) in samples.iter().zip(&expected) {
            assert!((sample - expected).abs() <= exact, "{samples:?}");
        }
    };
    for (bits, exact) in [(16, 1.0 / 32_768.0), (20, 1.0 / 500_000.0), (24, 1e-6), (32, 1e-6)] {
        let bytes = usize::from(u16::div_ceil(bits, 8));
        let data: Vec<u8> =
            ints.iter().flat_map(|sample| sample.to_le_bytes()[4 - bytes..].to_vec()).collect();
        let size = u32::try_from(data.len()).unwrap();
        close(&raw(1, bits, size, &data), exact);
        // The same in an extensible file: bits that do not count are zeros below those that do.
        let container = u16::try_from(8 * bytes).unwrap();
        close(&file(999, &[whole(b"fmt ", &extensible(1, container, bits)), whole(b"data", &data)]), exact);
    }
    close(&raw(1, 8, 5, &[128, 192, 64, 255, 0]), 1.0 / 128.0);
    let floats: Vec<u8> = [0.0_f32, 0.5, -0.5, 1.0, -1.0].iter().flat_map(|s| s.to_le_bytes()).collect();
    close(&raw(3, 32, 20, &floats), 0.0);
    let floats: Vec<u8> = [0.0_f64, 0.5, -0.5, 1.0, -1.0].iter().flat_map(|s| s.to_le_bytes()).collect();
    close(&raw(3, 64, 40, &floats), 0.0);
    close(&file(999, &[whole(b"fmt ", &extensible(3, 64, 64)), whole(b"data", &floats)]), 0.0);
    let broken: Vec<u8> = [0.0_f32, f32::NAN].iter().flat_map(|s| s.to_le_bytes()).collect();
    assert_eq!(read(&raw(3, 32, 8, &broken), LIMIT), Err(WavError::NotFinite { index: 1 }));
}

#[test]
fn chunks_before_and_behind_the_samples_are_no_sound() {
    let (format, sound) = (whole(b"fmt ", &format(1, 16)), [7, 0].repeat(10));
    let listing = whole(b"LIST", b"INFOISFT\x05\0\0\0sox!\0\0");
    let odd = [format.clone(), listing.clone(), whole(b"bext", &[1; 603]), whole(b"data", &sound)];
    assert_eq!(read(&file(999, &odd), LIMIT).unwrap().samples.len(), 10);
    let behind = [format.clone(), whole(b"data", &sound), listing.clone(), whole(b"id3 ", &[9; 99])];
    let bytes = file(u32::try_from(4 + behind.concat().len()).unwrap(), &behind);
    assert_eq!(read(&bytes, LIMIT).unwrap().samples.len(), 10);
    // Not one sample, and that is meant: the chunk behind them is no sound.
    let empty = [format.clone(), whole(b"data", &[]), listing];
    let bytes = file(u32::try_from(4 + empty.concat().len()).unwrap(), &empty);
    assert_eq!(read(&bytes, LIMIT).unwrap().samples.len(), 0);
    // An odd number of octets: the file may lack the padding at its end.
    let octets = [b"data\x05\0\0\0".as_slice(), &[1; 5]].concat();
    let bytes = file(999, &[whole(b"fmt ", &super::tests::format(7, 8)), octets]);
    assert_eq!(read(&bytes, LIMIT).unwrap().samples.len(), 5);
}

#[test]
fn a_file_of_64_bit_sizes_says_where_its_samples_end() {
    let sound = [7, 0].repeat(10);
    let size = u64::try_from(sound.len()).unwrap().to_le_bytes();
    let sizes = [&[0; 8], size.as_slice(), &[0; 12]].concat();
    let data = [b"data\xff\xff\xff\xff".as_slice(), &sound].concat();
    let chunks = [whole(b"ds64", &sizes), whole(b"fmt ", &format(1, 16)), data, whole(b"LIST", &[0; 40])];
    let mut bytes = file(u32::MAX, &chunks);
    bytes[..4].copy_from_slice(b"RF64");
    assert_eq!(read(&bytes, LIMIT).unwrap().samples.len(), 10);
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
    for placeholder in [0, 0x7FFF_F000, 0x7FFF_FFFF, u32::MAX] {
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
    assert!(told(raw(0x55, 0, 4, b"mp3!")).contains("its encoding (MP3: format tag 85, 0 bits) is not read"));
    assert!(told(raw(0x31, 0, 4, b"gsm!")).contains("GSM 06.10"));
    assert!(told(raw(0x4242, 9, 4, b"????")).contains("unknown"));
    assert!(told(raw(0xFFFE, 16, 4, b"????")).contains("extensible, of no known kind"));
    assert!(told(file(0, &[whole(b"data", b"ab")])).contains("it has no format before its samples"));
    assert!(told(file(0, &[whole(b"fmt ", &[1, 0])])).contains("its format is cut short"));
    assert!(told(b"RIFX\0\0\0\0WAVE".to_vec()).contains("it is big-endian"));
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
        let bits = if bits > 80 { bits } else { 8 * bits };
        for spec in [format(tag % 8, bits), extensible(tag % 8, bits, bits)] {
            drop(read(&super::tests::file(999, &[whole(b"fmt ", &spec), whole(b"data", &bytes)]), LIMIT));
        }
        let at = at.index(file.len());
        bytes.splice(0..0, file[..at].iter().copied());
        if let Ok(audio) = read(&bytes, LIMIT) {
            drop(to_8_khz(&audio));
        }
    }
}
