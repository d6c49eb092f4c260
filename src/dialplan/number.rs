//! Numbers as people write them, and what they may turn out to be.

/// Characters between digits that mean nothing: the visual separators of RFC 3966 §5.1.1, the slash, and
/// the spaces and dashes that word processors put in their place.
pub(super) const SEPARATORS: [char; 15] = [
    '-', '.', '(', ')', '/', ' ', '\t', '\u{a0}', '\u{2007}', '\u{2009}', '\u{202f}', '\u{2010}', '\u{2011}',
    '\u{2013}', '\u{2212}',
];
/// Characters of what is dialled, separators included.
const MAX_DIALLED: usize = 64;
/// Digits of an E.164 number: at most 15 (ITU-T E.164 §6); the shortest in use have 7 with country code.
const E164_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;
/// Digits of a number that is shown: a trunk may know short ones of its own.
const CALLER_ID_DIGITS: std::ops::RangeInclusive<usize> = 1..=32;
/// Emergency numbers that a phone takes for one everywhere (3GPP TS 22.101 §10.1), whatever a dialplan says.
pub(super) const ALWAYS_EMERGENCY: [&str; 8] = ["112", "911", "000", "08", "110", "118", "119", "999"];
/// Digits up to which what stands behind a prefix is read as a short code.
const SHORT_CODE_DIGITS: usize = 6;
/// What may stand before a country code or a short code: nothing, the trunk prefix, and the international
/// prefixes of ITU-T E.164.D in common use.
const PREFIXES: [&str; 7] = ["", "0", "00", "011", "0011", "010", "810"];
/// Digits of the longest country code.
const COUNTRY_CODE_DIGITS: usize = 3;

/// A number without separators: digits, with at most one plus before them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cleaned(String);

impl Cleaned {
    /// `None` if anything else is in it.
    pub(super) fn of(dialled: &str) -> Option<Self> {
        if dialled.chars().count() > MAX_DIALLED {
            return None;
        }
        let cleaned: String = dialled.chars().filter(|c| !SEPARATORS.contains(c)).collect();
        let digits = cleaned.strip_prefix('+').unwrap_or(&cleaned);
        let is_number = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit());
        is_number.then_some(Self(cleaned))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether this is a plus and as many digits as a number of E.164 has.
pub(super) fn is_e164(number: &str) -> bool {
    number.strip_prefix('+').is_some_and(|digits| {
        E164_DIGITS.contains(&digits.len())
            && !digits.starts_with('0')
            && digits.chars().all(|c| c.is_ascii_digit())
    })
}

/// Whether this can be shown to who is called: at most one plus, and digits.
#[must_use]
pub fn is_caller_id(number: &str) -> bool {
    let digits = number.strip_prefix('+').unwrap_or(number);
    CALLER_ID_DIGITS.contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Everything that a switch could read a number as: itself, itself without plus, and the short code that
/// stands behind a prefix (`0112`, `+254112`, `011 1 911`).
pub(super) fn readings(number: &str) -> impl Iterator<Item = &str> {
    let digits = number.strip_prefix('+').unwrap_or(number);
    let behind = PREFIXES
        .into_iter()
        .filter_map(move |prefix| digits.strip_prefix(prefix))
        .flat_map(|rest| (0..=COUNTRY_CODE_DIGITS).filter_map(move |code| rest.get(code..)))
        .filter(|rest| (2..=SHORT_CODE_DIGITS).contains(&rest.len()));
    [number, digits].into_iter().chain(behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_go_and_nothing_else_is_a_number() {
        let cleaned = |dialled| Cleaned::of(dialled).map(|cleaned| cleaned.0);
        assert_eq!(cleaned("+254 (0)712-345.678").as_deref(), Some("+2540712345678"));
        assert_eq!(cleaned("\u{a0}0712\u{2013}345\u{2011}678").as_deref(), Some("0712345678"));
        for refused in
            ["", "+", " - ", "++254", "254+7", "0712a", "*112#", "112,1", "tel:112", "１１２", "٩٩٩"]
        {
            assert_eq!(cleaned(refused), None, "{refused}");
        }
        assert_eq!(cleaned(&"1".repeat(65)), None);
    }

    #[test]
    fn short_codes_are_seen_behind_prefixes_and_not_inside_numbers() {
        let reads_as_112 = |number| readings(number).any(|reading| reading == "112");
        for short in ["112", "+112", "0112", "00112", "+254112", "254112", "00254112", "0111112", "011254112"]
        {
            assert!(reads_as_112(short), "{short}");
        }
        for number in ["+254711200112", "+2902112", "0711112112", "+4930112112", "1122", "2112112"] {
            assert!(!reads_as_112(number), "{number}");
        }
    }
}
