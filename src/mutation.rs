//! Seeded damage to bytes, for tests of readers.

use crate::id::Mint;

/// Damages `bytes` in one to four places: flips, overwrites, cuts, repeats, exchanges.
pub(crate) fn mutate(bytes: &mut Vec<u8>, mint: &mut Mint) {
    let draw = mint.number().to_be_bytes();
    for _ in 0..=(draw[0] % 4) {
        let choice = mint.number().to_be_bytes();
        if bytes.is_empty() {
            bytes.push(choice[1]);
            continue;
        }
        let place = |high: u8, low: u8| usize::from(u16::from_be_bytes([high, low])) % bytes.len();
        let (a, b) = (place(choice[1], choice[2]), place(choice[3], choice[4]));
        match choice[0] % 8 {
            0 => bytes[a] ^= 1 << (choice[5] % 8),
            1 => bytes[a] = choice[5],
            2 => bytes.truncate(a),
            3 => drop(bytes.drain(a.min(b)..a.max(b).min(a.min(b) + 16))),
            4 => {
                let piece = bytes[a.min(b)..a.max(b).min(a.min(b) + 64)].to_vec();
                bytes.splice(a..a, piece);
            }
            5 => bytes.swap(a, b),
            6 => bytes.insert(a, choice[5]),
            _ => bytes[a] = [0, 0xff, b'\r', b'\n', b'0', b'9', b'=', b' '][usize::from(choice[5] % 8)],
        }
    }
}
