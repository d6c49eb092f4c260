//! A number as people write it: `42`, `-3.5`, `1250.50`.

/// Digits before the point: what the words of every language reach (and a reply has at most 15).
const MAX_DIGITS: usize = 15;
/// Digits behind the point.
const MAX_FRACTION: usize = 6;

/// A decimal number, to its digit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) negative: bool,
    pub(super) integer: u64,
    /// Digits behind the point.
    pub(super) fraction: String,
}

impl Amount {
    pub(super) fn read(text: &str) -> Option<Self> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (integer, fraction) = text.split_once('.').map_or((text, None), |(i, f)| (i, Some(f)));
        let digits =
            |text: &str, most| (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(integer, MAX_DIGITS) || fraction.is_some_and(|fraction| !digits(fraction, MAX_FRACTION)) {
            return None;
        }
        let fraction = fraction.unwrap_or_default().to_owned();
        Some(Self { negative, integer: integer.parse().ok()?, fraction })
    }

    /// A whole number from 1.
    pub(super) fn whole(&self) -> Option<u64> {
        let whole = !self.negative && self.fraction.bytes().all(|digit| digit == b'0');
        Some(self.integer).filter(|number| whole && *number > 0)
    }

    /// Hundredths, if it has no more than two digits behind the point that count.
    pub(super) fn hundredths(&self) -> Option<u64> {
        let (two, more) = self.fraction.split_at_checked(2).unwrap_or((self.fraction.as_str(), ""));
        let padded = format!("{two:0<2}");
        padded.parse().ok().filter(|_| more.bytes().all(|digit| digit == b'0'))
    }
}
