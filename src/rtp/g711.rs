//! G.711 (ITU-T G.711, 1988): 16-bit linear samples to μ-law and A-law octets and back.
//!
//! The coders are those of ITU-T G.191 (software tool library); the decoders are tables, built when
//! compiling.

/// A silent μ-law octet (+0).
pub const ULAW_SILENCE: u8 = 0xFF;
/// A silent A-law octet (the smallest positive step; A-law has no zero).
pub const ALAW_SILENCE: u8 = 0xD5;
/// 20 ms of μ-law silence.
pub const ULAW_SILENCE_FRAME: [u8; 160] = [ULAW_SILENCE; 160];
/// 20 ms of A-law silence.
pub const ALAW_SILENCE_FRAME: [u8; 160] = [ALAW_SILENCE; 160];

static ULAW_TO_LINEAR: [i16; 256] = ulaw_table();
static ALAW_TO_LINEAR: [i16; 256] = alaw_table();

/// A μ-law octet as a linear sample: 14-bit values, left-justified in 16.
#[must_use]
pub fn ulaw_decode(octet: u8) -> i16 {
    ULAW_TO_LINEAR[usize::from(octet)]
}

/// An A-law octet as a linear sample: 13-bit values, left-justified in 16.
#[must_use]
pub fn alaw_decode(octet: u8) -> i16 {
    ALAW_TO_LINEAR[usize::from(octet)]
}

/// A linear sample as a μ-law octet.
#[must_use]
pub fn ulaw_encode(sample: i16) -> u8 {
    // One's complement for negatives, 14 bits, bias 33, clipped to the top of segment 8.
    let negative = sample < 0;
    let magnitude = if negative { !sample } else { sample };
    let biased = ((magnitude >> 2) + 33).cast_unsigned().min(0x1FFF);
    // 33..=0x1FFF has 6 to 13 significant bits: segments 0 to 7.
    let segment = 10_u32.saturating_sub(biased.leading_zeros());
    let [step, _] = ((biased >> (segment + 1)) & 0x0F).to_le_bytes();
    let [segment, ..] = segment.to_le_bytes();
    let octet = !((segment << 4) | step);
    if negative { octet & 0x7F } else { octet }
}

/// A linear sample as an A-law octet.
#[must_use]
pub fn alaw_encode(sample: i16) -> u8 {
    let negative = sample < 0;
    let magnitude = if negative { !sample } else { sample };
    let value = (magnitude >> 4).cast_unsigned();
    // 0..=0x7FF has up to 11 significant bits; segments 0 and 1 share a step size.
    let segment = 12_u32.saturating_sub(value.leading_zeros());
    let [step, _] = ((value >> segment.saturating_sub(1)) & 0x0F).to_le_bytes();
    let [segment, ..] = segment.to_le_bytes();
    let octet = (segment << 4) | step;
    (if negative { octet } else { octet | 0x80 }) ^ 0x55
}

/// μ-law samples of linear ones.
#[must_use]
pub fn ulaw_encode_all(samples: &[i16]) -> Vec<u8> {
    samples.iter().copied().map(ulaw_encode).collect()
}

/// A-law samples of linear ones.
#[must_use]
pub fn alaw_encode_all(samples: &[i16]) -> Vec<u8> {
    samples.iter().copied().map(alaw_encode).collect()
}

const fn ulaw_table() -> [i16; 256] {
    let mut table = [0; 256];
    let mut octet = 0_usize;
    while octet < 256 {
        let code = !octet & 0xFF;
        let segment = (code >> 4) & 7;
        let magnitude = ((((code & 0x0F) << 1) + 33) << segment) - 33;
        table[octet] = signed(magnitude << 2, code & 0x80 != 0);
        octet += 1;
    }
    table
}

const fn alaw_table() -> [i16; 256] {
    let mut table = [0; 256];
    let mut octet = 0_usize;
    while octet < 256 {
        let code = octet ^ 0x55;
        let segment = (code >> 4) & 7;
        let half_step = ((code & 0x0F) << 4) + 8;
        let magnitude = if segment == 0 { half_step } else { (half_step + 0x100) << (segment - 1) };
        table[octet] = signed(magnitude, code & 0x80 == 0);
        octet += 1;
    }
    table
}

#[expect(clippy::cast_possible_truncation, reason = "magnitudes are at most 32256")]
const fn signed(magnitude: usize, negative: bool) -> i16 {
    let magnitude = magnitude as i16;
    if negative { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Code = (fn(i16) -> u8, fn(u8) -> i16);
    const CODES: [Code; 2] = [(ulaw_encode, ulaw_decode), (alaw_encode, alaw_decode)];

    /// ITU-T G.711 tables 2a/2b (μ-law) and 1a/1b (A-law): decision values at the ends of the segments,
    /// given here with the octets as they are sent (μ-law inverted, A-law with even bits inverted) and
    /// values left-justified in 16 bits.
    #[test]
    fn reference_values_of_the_recommendation() {
        // Value numbers of table 2a: y128 = 8031, y113 = 4191, y97 = 2079, y81 = 1023, y65 = 495, y49 = 231,
        // y33 = 99, y17 = 33, y1 = 2 and y0 = 0, in 14 bits.
        let ulaw = [
            (0x80, 8_031),
            (0x8F, 4_191),
            (0x9F, 2_079),
            (0xAF, 1_023),
            (0xBF, 495),
            (0xCF, 231),
            (0xDF, 99),
            (0xEF, 33),
            (0xFE, 2),
            (0xFF, 0),
        ];
        for (octet, value) in ulaw {
            assert_eq!(ulaw_decode(octet), value * 4, "μ-law {octet:#x}");
            assert_eq!(ulaw_decode(octet & 0x7F), -value * 4, "μ-law {octet:#x}, negative");
        }
        // Value numbers of table 1a: y128 = 4032, y113 = 2112, y97 = 1056, y81 = 528, y65 = 264, y49 = 132,
        // y33 = 66, y32 = 63, y1 = 1, in 13 bits.
        let alaw = [
            (128, 4_032),
            (113, 2_112),
            (97, 1_056),
            (81, 528),
            (65, 264),
            (49, 132),
            (33, 66),
            (32, 63),
            (1, 1),
        ];
        for (number, value) in alaw {
            let octet = (0x80_u8 + (number - 1)) ^ 0x55;
            assert_eq!(alaw_decode(octet), value * 8, "A-law {octet:#x}");
            assert_eq!(alaw_decode(octet & 0x7F | (0x80 & !octet)), -value * 8, "A-law {octet:#x}, negative");
        }
    }

    /// The 1 kHz, 0 dBm0 sequences of G.711 tables 5 and 6.
    #[test]
    fn the_digital_milliwatt_is_at_its_level() {
        // A sine that just reaches the top is `overload` dBm0; so this one is as far below it.
        let below_top = |octets: [u8; 8], decode: fn(u8) -> i16, top: f64| {
            let power = octets.iter().map(|octet| f64::from(decode(*octet)).powi(2)).sum::<f64>() / 8.0;
            10.0 * (top * top / 2.0 / power).log10()
        };
        for (overload_centi_db, below) in [
            (317, below_top([0x1E, 0x0B, 0x0B, 0x1E, 0x9E, 0x8B, 0x8B, 0x9E], ulaw_decode, 8_159.0 * 4.0)),
            (314, below_top([0x34, 0x21, 0x21, 0x34, 0xB4, 0xA1, 0xA1, 0xB4], alaw_decode, 4_096.0 * 8.0)),
        ] {
            let error = below * 100.0 - f64::from(overload_centi_db);
            assert!(error.abs() < 3.0, "{below} dB below the top");
        }
    }

    #[test]
    fn every_octet_reads_back_as_itself() {
        for octet in 0..=255 {
            assert_eq!(alaw_encode(alaw_decode(octet)), octet);
            // μ-law has two zeros; the positive one is sent.
            let expected = if octet == 0x7F { 0xFF } else { octet };
            assert_eq!(ulaw_encode(ulaw_decode(octet)), expected);
        }
        assert_eq!((ulaw_encode(0), alaw_encode(0)), (ULAW_SILENCE, ALAW_SILENCE));
    }

    #[test]
    fn coding_is_monotonic_and_errs_by_half_a_step_at_most() {
        for (encode, decode) in CODES {
            let mut before = i16::MIN;
            for sample in i16::MIN..=i16::MAX {
                let heard = decode(encode(sample));
                assert!(heard >= before, "at {sample}");
                before = heard;
                let error = (i32::from(heard) - i32::from(sample)).abs();
                // A step is 1/16 of its segment's start, biased by 132 in μ-law; 14 or 13 bits are kept of 16.
                let half_step = (i32::from(sample).abs() + 132) / 32 + 4 + 4;
                assert!(error <= half_step || sample.unsigned_abs() > 32_124, "{sample} heard as {heard}");
            }
        }
    }

    #[test]
    fn a_sine_keeps_35_db_above_the_quantising_noise() {
        let sine: Vec<i16> = (0..8_000_i32)
            .map(|k| {
                let x = (f64::from(k) * 1_013.0 / 8_000.0 * std::f64::consts::TAU).sin() * 16_000.0;
                #[expect(clippy::cast_possible_truncation, reason = "within ±16000")]
                let sample = x.round() as i16;
                sample
            })
            .collect();
        let ratio = |heard: Vec<i16>| {
            let signal: f64 = sine.iter().map(|s| f64::from(*s).powi(2)).sum();
            let noise: f64 =
                sine.iter().zip(heard).map(|(s, h)| (f64::from(*s) - f64::from(h)).powi(2)).sum();
            10.0 * (signal / noise).log10()
        };
        let ulaw = ratio(ulaw_encode_all(&sine).into_iter().map(ulaw_decode).collect());
        let alaw = ratio(alaw_encode_all(&sine).into_iter().map(alaw_decode).collect());
        assert!(ulaw > 35.0 && alaw > 35.0, "μ-law {ulaw} dB, A-law {alaw} dB");
    }
}
