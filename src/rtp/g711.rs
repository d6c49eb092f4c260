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
