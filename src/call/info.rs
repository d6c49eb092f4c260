//! A key in the body of a SIP INFO, in the spellings that are about. No RFC says what they mean; Cisco's two forms
//! are what everybody sends.
//!
//! ```text
//! application/dtmf-relay     Signal=5          application/dtmf     5
//!                            Duration=160
//! ```
//! Read as widely as equipment writes: any case, blanks, `:` for `=`, no duration, LF alone; keys as characters, as
//! the event codes 10 to 15 of RFC 4733, or as the words `star` and `pound`.

use crate::rtp::Digit;

/// The longest duration that is believed, in ms; senders that count in samples write ten times as much.
const LONGEST_MS: u32 = 60_000;

/// A key that an INFO told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InfoKey {
    pub(super) digit: Digit,
    /// How long it was held, where the body says so.
    pub(super) duration_ms: Option<u32>,
}

/// Reads a body of `application/dtmf-relay` or `application/dtmf`. `None`: it tells of no key (a flash, or nonsense).
pub(super) fn key(body: &[u8]) -> Option<InfoKey> {
    let text = std::str::from_utf8(body).ok()?;
    let mut fields = text.lines().filter_map(|line| line.split_once(['=', ':']));
    let signal = fields.clone().find(|(name, _)| ["signal", "d"].iter().any(|known| is(name, known)));
    let word = match signal {
        Some((_, word)) => word,
        None => text.lines().find(|line| !line.trim().is_empty())?,
    };
    let duration = fields.find(|(name, _)| is(name, "duration")).and_then(|(_, ms)| ms.trim().parse().ok());
    Some(InfoKey {
        digit: digit(word.trim())?,
        duration_ms: duration.filter(|ms| (1..=LONGEST_MS).contains(ms)),
    })
}

fn is(name: &str, known: &str) -> bool {
    name.trim().eq_ignore_ascii_case(known)
}

fn digit(word: &str) -> Option<Digit> {
    let word = word.trim_matches(['"', '\'']);
    let mut characters = word.chars();
    match (characters.next()?, characters.next()) {
        (one, None) => Digit::from_char(one),
        _ if is(word, "star") || is(word, "asterisk") => Digit::from_char('*'),
        _ if is(word, "pound") || is(word, "hash") => Digit::from_char('#'),
        _ => word.parse().ok().and_then(Digit::from_code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Mint;
    use crate::mutation::mutate;

    fn read(body: &str) -> Option<(char, Option<u32>)> {
        key(body.as_bytes()).map(|key| (key.digit.as_char(), key.duration_ms))
    }

    #[test]
    fn every_spelling_that_equipment_uses() {
        for (body, digit, duration) in [
            ("Signal=5\r\nDuration=160\r\n", '5', Some(160)), // Cisco, Asterisk
            ("Signal= 5\r\nDuration= 160 \r\n", '5', Some(160)),
            ("signal = 5\nduration = 250\n", '5', Some(250)),
            ("Signal:5\r\nDuration:100", '5', Some(100)),
            ("Duration=160\r\nSignal=#\r\n", '#', Some(160)),
            ("Signal=*", '*', None),
            ("Signal=10\r\nDuration=90\r\n", '*', Some(90)), // event codes
            ("Signal=11\r\n", '#', None),
            ("Signal=12\r\n", 'A', None),
            ("Signal=d\r\n", 'D', None),
            ("Signal=star\r\n", '*', None),
            ("Signal=\"7\"\r\n", '7', None),
            ("Signal=7\r\nDuration=0\r\n", '7', None),
            ("Signal=7\r\nDuration=soon\r\n", '7', None),
            ("5", '5', None), // application/dtmf
            ("\r\n 0 \r\n", '0', None),
            ("#\n", '#', None),
            ("d=9", '9', None),
        ] {
            assert_eq!(read(body), Some((digit, duration)), "{body:?}");
        }
    }

    #[test]
    fn what_is_no_key_is_none() {
        for body in [
            "",
            "\r\n",
            "Signal=16",
            "Signal=!",
            "Signal=hf",
            "Signal=",
            "Duration=160",
            "hello",
            "Signal=555",
        ] {
            assert_eq!(read(body), None, "{body:?}");
        }
        assert_eq!(key(&[0xFF, 0xFE]), None);
    }

    #[test]
    fn mutated_bodies_are_survived() {
        let mut mint = Mint::seeded(2_976);
        let mut keys = 0;
        for _ in 0..100_000 {
            let mut body = b"Signal=5\r\nDuration=160\r\n".to_vec();
            mutate(&mut body, &mut mint);
            keys += usize::from(key(&body).is_some());
        }
        assert!(keys > 10_000, "only {keys} of the mutants told of a key");
    }
}
