//! Keys of a telephone.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A key of a telephone: `0`-`9`, `*`, `#`, `A`-`D` (the events 0-15 of RFC 4733 §3.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(char);

impl Key {
    /// The key of this character; letters of either case.
    #[must_use]
    pub fn new(character: char) -> Option<Self> {
        let character = character.to_ascii_uppercase();
        matches!(character, '0'..='9' | '*' | '#' | 'A'..='D').then_some(Self(character))
    }

    /// Its character.
    #[must_use]
    pub const fn as_char(self) -> char {
        self.0
    }

    /// Its digit, if it is one of `0`-`9`.
    #[must_use]
    pub fn digit(self) -> Option<u8> {
        self.0.to_digit(10).and_then(|digit| u8::try_from(digit).ok())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.0)
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_char(self.0)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let character = char::deserialize(deserializer)?;
        Self::new(character).ok_or_else(|| serde::de::Error::custom("a key is one of 0-9 * # A-D"))
    }
}
