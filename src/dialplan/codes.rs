//! Sets of SIP final status codes, as `next-on` and `stop-on` write them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Codes of one list.
const MAX_RANGES: usize = 100;

/// A set of final status codes, some only for calls that did not ring.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Codes(Vec<Range>);

/// Codes from `first` to `last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Range {
    first: u16,
    last: u16,
    /// Only before a 18x came: the far end never rang, so the trunk is at fault.
    before_18x: bool,
}

/// What stands behind a code that counts only before a 18x response.
const BEFORE_18X: &str = "-before-18x";

impl Codes {
    /// Reads a list such as `408-before-18x 500-504 6xx`.
    ///
    /// # Errors
    /// The word that is no code, and what was expected.
    pub(super) fn parse(list: &str) -> Result<Self, String> {
        let ranges: Vec<Range> = list.split_whitespace().map(Range::parse).collect::<Result<_, _>>()?;
        match ranges.len() {
            0 => Err("the list of codes is empty".to_owned()),
            1..=MAX_RANGES => Ok(Self(ranges)),
            count => Err(format!("{count} codes; at most {MAX_RANGES} are read")),
        }
    }

    /// Those after which the next trunk is tried where a route names none: `408-before-18x 500-504`.
    pub(super) fn usual() -> Self {
        let timeout = Range { first: 408, last: 408, before_18x: true };
        Self(vec![timeout, Range { first: 500, last: 504, before_18x: false }])
    }

    /// Whether an ending is in the set: its status, and whether the call rang (a 18x response came).
    #[must_use]
    pub fn contains(&self, status: u16, rang: bool) -> bool {
        self.0.iter().any(|range| (range.first..=range.last).contains(&status) && !(range.before_18x && rang))
    }

    /// A code that is in both sets for the same calls.
    pub(super) fn common(&self, other: &Self) -> Option<u16> {
        let in_both = |status: &u16| {
            [false, true].iter().any(|&rang| self.contains(*status, rang) && other.contains(*status, rang))
        };
        (300..=699).find(in_both)
    }
}

impl Range {
    fn parse(word: &str) -> Result<Self, String> {
        let (codes, before_18x) = match word.strip_suffix(BEFORE_18X) {
            Some(codes) => (codes, true),
            None => (word, false),
        };
        let range = if let Some(class) = codes.strip_suffix("xx") {
            class.parse::<u16>().ok().filter(|class| *class < 7).map(|class| (class * 100, class * 100 + 99))
        } else if let Some((first, last)) = codes.split_once('-') {
            first.parse().ok().zip(last.parse().ok())
        } else {
            codes.parse().ok().map(|code| (code, code))
        };
        match range {
            Some((first, last)) if (300..=699).contains(&first) && (first..=699).contains(&last) => {
                Ok(Self { first, last, before_18x })
            }
            Some(_) | None => Err(format!("`{word}` is no final status code from 300 to 699")),
        }
    }
}

impl fmt::Display for Codes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Range { first, last, before_18x }) in self.0.iter().enumerate() {
            let space = if index > 0 { " " } else { "" };
            let suffix = if *before_18x { BEFORE_18X } else { "" };
            match first == last {
                true => write!(f, "{space}{first}{suffix}")?,
                false => write!(f, "{space}{first}-{last}{suffix}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_counts_against_the_trunk_only_if_nothing_rang() {
        let codes = Codes::parse("408-before-18x 500-504  6xx").unwrap();
        assert!(codes.contains(408, false) && !codes.contains(408, true));
        assert!(codes.contains(502, true) && codes.contains(603, false));
        assert!(!codes.contains(505, false) && !codes.contains(486, false));
        assert_eq!(codes.to_string(), "408-before-18x 500-504 600-699");
        assert_eq!(Codes::parse(&codes.to_string()), Ok(codes));
    }

    #[test]
    fn what_is_no_final_code_is_refused() {
        for wrong in ["", "  ", "200", "180", "700", "504-500", "4x", "9999xx", "busy", "486,487", "486-"] {
            assert!(Codes::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_code_in_two_lists_is_found_unless_ringing_tells_them_apart() {
        let next = Codes::parse("408-before-18x 500").unwrap();
        assert_eq!(next.common(&Codes::parse("486 408").unwrap()), Some(408));
        assert_eq!(next.common(&Codes::parse("486 501").unwrap()), None);
    }
}
