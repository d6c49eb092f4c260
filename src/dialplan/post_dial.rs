//! Keys that are sent after the answer, before anything is said: an extension behind a switchboard.
//!
//! ```text
//! ww12    wait half a second, twice; press 1, press 2
//! W204#   wait a second; press 2, 0, 4, #
//! ```

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Steps that one call may have.
const MOST: usize = 64;

/// What is sent after the answer, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostDial(Vec<PostDialStep>);

/// One step of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PostDialStep {
    /// `w`: half a second.
    HalfSecond,
    /// `W`: a second.
    Second,
    /// A key: `0`-`9`, `*`, `#`, `A`-`D`.
    Key(char),
}

/// Why a text is no such row.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostDialError {
    /// Nothing stands there.
    #[error("there is no key in it")]
    Empty,
    /// More than anybody sends.
    #[error("at most {MOST} steps are sent")]
    TooLong,
    /// Neither a key nor a pause.
    #[error("`{0}` is neither a key (0-9, *, #, A-D) nor a pause (w half a second, W a second)")]
    Character(char),
}

impl PostDial {
    /// Its steps; at least one of them is a key.
    #[must_use]
    pub fn steps(&self) -> &[PostDialStep] {
        &self.0
    }
}

impl FromStr for PostDial {
    type Err = PostDialError;

    fn from_str(text: &str) -> Result<Self, PostDialError> {
        let steps = text.trim().chars().map(|character| match character {
            'w' => Ok(PostDialStep::HalfSecond),
            'W' => Ok(PostDialStep::Second),
            '0'..='9' | '*' | '#' | 'A'..='D' => Ok(PostDialStep::Key(character)),
            other => Err(PostDialError::Character(other)),
        });
        let steps: Vec<PostDialStep> = steps.collect::<Result<_, _>>()?;
        if steps.len() > MOST {
            return Err(PostDialError::TooLong);
        }
        let has_key = steps.iter().any(|step| matches!(step, PostDialStep::Key(_)));
        if has_key { Ok(Self(steps)) } else { Err(PostDialError::Empty) }
    }
}

impl fmt::Display for PostDial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        self.0.iter().try_for_each(|step| match step {
            PostDialStep::HalfSecond => f.write_char('w'),
            PostDialStep::Second => f.write_char('W'),
            PostDialStep::Key(key) => f.write_char(*key),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_keys_and_pauses() {
        let row: PostDial = " wW12#D ".parse().unwrap();
        assert_eq!(row.steps().len(), 6);
        assert_eq!(row.to_string(), "wW12#D");
        for (text, why) in [
            ("", "there is no key in it"),
            ("ww", "there is no key in it"),
            ("12x", "`x` is neither a key"),
            ("1 2", "` ` is neither a key"),
            (&"1".repeat(65), "at most 64"),
        ] {
            let told = text.parse::<PostDial>().unwrap_err().to_string();
            assert!(told.starts_with(why), "{text}: {told}");
        }
    }
}
