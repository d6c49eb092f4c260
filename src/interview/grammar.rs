//! Which entries are answers: does an entry have a value, and may it grow into a longer one that has?
//!
//! ```text
//! number 0 to 110     1 ─ waits (10, 110 …)     34 ─ complete (340 is too much)
//! time                93 ─ waits (9:3x)         930 ─ complete (93:0x is none)
//! ```

use super::instruction::{Collect, Grammar, Several, Times};
use crate::questionnaire::{Clock, DigitPattern, DigitString, Key, NumberRange, POINT};

/// Digits of a time with two digits for the hour.
const TIME_DIGITS: usize = 4;

impl Collect {
    /// Whether some answer begins with these keys.
    #[must_use]
    pub fn begins(&self, keys: &[Key]) -> bool {
        self.accepts(keys) || self.extends(keys)
    }

    /// Whether these keys are an answer.
    #[must_use]
    pub fn accepts(&self, keys: &[Key]) -> bool {
        self.grammar.accepts(keys) || self.codes.iter().any(|code| spells(code, keys))
    }

    /// Most keys of an entry.
    #[must_use]
    pub fn max_keys(&self) -> usize {
        let codes = self.codes.iter().map(|code| code.chars().count());
        codes.chain([self.grammar.max_keys()]).max().unwrap_or(1)
    }

    /// Whether to wait for a further key. What is an answer waits only if a longer answer is possible;
    /// what can no longer become one waits for the keys that its author is still pressing.
    pub(super) fn can_grow(&self, keys: &[Key]) -> bool {
        keys.len() < self.max_keys() && (self.extends(keys) || !self.accepts(keys))
    }

    /// Whether these keys are an answer although others have more keys: who goes on keying has not seen that it
    /// was complete.
    pub(super) fn is_early(&self, keys: &[Key]) -> bool {
        keys.len() < self.grammar.max_keys() && self.accepts(keys)
    }

    /// Whether some longer answer begins with these keys.
    fn extends(&self, keys: &[Key]) -> bool {
        self.grammar.extends(keys) || self.codes.iter().any(|code| spells_longer(code, keys))
    }
}

impl Grammar {
    /// Whether these keys are an answer.
    #[must_use]
    pub fn accepts(&self, keys: &[Key]) -> bool {
        match self {
            Self::Choice(answers) => answers.iter().any(|answer| spells(answer, keys)),
            Self::Number(range) => range.value(keys).is_some(),
            Self::Digits(shape) => shape.accepts(keys),
            Self::Several(several) => several.chosen(keys).is_some(),
            Self::Date(days) => days.value(keys).is_some(),
            Self::Time(times) => times.minutes(keys).iter().any(Option::is_some),
        }
    }

    /// Most keys of an answer.
    fn max_keys(&self) -> usize {
        match self {
            Self::Choice(answers) => answers.iter().map(|answer| answer.chars().count()).max().unwrap_or(1),
            Self::Number(range) => {
                let fraction = if range.places == 0 { 0 } else { usize::from(range.places) + 1 };
                usize::from(range.max_digits) + fraction
            }
            Self::Digits(shape) => usize::from(shape.max),
            // A key that is pressed twice by mistake counts once.
            Self::Several(several) => 2 * several.options.iter().map(String::len).sum::<usize>(),
            Self::Date(days) => days.format.digits(),
            Self::Time(_) => TIME_DIGITS,
        }
    }

    /// Whether some longer answer begins with these keys.
    pub(super) fn extends(&self, keys: &[Key]) -> bool {
        match self {
            Self::Choice(answers) => answers.iter().any(|answer| spells_longer(answer, keys)),
            Self::Number(range) => range.extends(keys),
            Self::Digits(shape) => shape.extends(keys),
            Self::Several(several) => several.extends(keys),
            Self::Date(days) => digits(keys).is_some() && keys.len() < days.format.digits(),
            Self::Time(times) => times.extends(keys),
        }
    }
}

/// Whether `answer` is these keys.
pub(super) fn spells(answer: &str, keys: &[Key]) -> bool {
    answer.chars().eq(keys.iter().map(|key| key.as_char()))
}

/// Whether `answer` is these keys and more.
fn spells_longer(answer: &str, keys: &[Key]) -> bool {
    answer.chars().count() > keys.len()
        && answer.chars().take(keys.len()).eq(keys.iter().map(|key| key.as_char()))
}

/// The number that these keys spell.
fn digits(keys: &[Key]) -> Option<u64> {
    keys.iter().try_fold(0_u64, |value, key| value.checked_mul(10)?.checked_add(u64::from(key.digit()?)))
}

/// 10 to this power; the greatest number if it is too large.
fn power_of_ten(exponent: usize) -> u64 {
    u32::try_from(exponent).ok().and_then(|exponent| 10_u64.checked_pow(exponent)).unwrap_or(u64::MAX)
}

impl NumberRange {
    /// The number that these keys are, in units of `10^-places`, if it may be answered.
    #[must_use]
    pub fn value(&self, keys: &[Key]) -> Option<u64> {
        let (whole, fraction) = self.split(keys);
        let fraction_keys = fraction.unwrap_or_default();
        let long_enough = whole.len() >= usize::from(self.min_digits.max(1)) || !fraction_keys.is_empty();
        let short_enough = whole.len() <= usize::from(self.max_digits);
        let value = self.scaled(whole, fraction_keys).filter(|_| long_enough && short_enough)?;
        (self.min..=self.max).contains(&value).then_some(value)
    }

    /// The keys before the point, and those behind it. Where there is no point, its key is no digit.
    fn split<'k>(&self, keys: &'k [Key]) -> (&'k [Key], Option<&'k [Key]>) {
        let point = keys.iter().position(|key| self.places > 0 && key.as_char() == POINT);
        match point {
            Some(at) => (&keys[..at], Some(&keys[at + 1..])),
            None => (keys, None),
        }
    }

    fn scaled(&self, whole: &[Key], fraction: &[Key]) -> Option<u64> {
        let left = usize::from(self.places).checked_sub(fraction.len())?;
        let whole = digits(whole)?.checked_mul(power_of_ten(usize::from(self.places)))?;
        whole.checked_add(digits(fraction)?.checked_mul(power_of_ten(left))?)
    }

    /// Whether a longer entry that begins with these keys may be answered.
    ///
    /// After `v` and `k` further digits lie the numbers `v·10^k ..= v·10^k + 10^k - 1`; after a point, or
    /// where one may follow, the same in the units of the range.
    fn extends(&self, keys: &[Key]) -> bool {
        let places = usize::from(self.places);
        let lies_in = |low: u64, width: u64| low <= self.max && low.saturating_add(width - 1) >= self.min;
        let (whole, fraction) = self.split(keys);
        let Some(value) = self.scaled(whole, fraction.unwrap_or_default()) else { return false };
        if let Some(fraction) = fraction {
            return fraction.len() < places && lies_in(value, power_of_ten(places - fraction.len()));
        }
        let (have, max) = (whole.len(), usize::from(self.max_digits));
        let by_digits = (1..=max.saturating_sub(have))
            .filter(|more| have + more >= usize::from(self.min_digits))
            .any(|more| {
                let low = value.saturating_mul(power_of_ten(more));
                lies_in(low, power_of_ten(more + places))
            });
        let by_point = places > 0 && (have == 0 || have >= usize::from(self.min_digits)) && have <= max && {
            lies_in(value, power_of_ten(places))
        };
        by_digits || by_point
    }
}

impl DigitString {
    /// Whether these keys are one.
    pub(super) fn accepts(&self, keys: &[Key]) -> bool {
        (usize::from(self.min)..=usize::from(self.max)).contains(&keys.len())
            && keys.iter().all(|key| key.digit().is_some())
            && (self.patterns.is_empty()
                || self.patterns.iter().any(|pattern| pattern.0.len() == keys.len() && pattern.begins(keys)))
    }

    fn extends(&self, keys: &[Key]) -> bool {
        let max = usize::from(self.max);
        let fits = |pattern: &DigitPattern| pattern.0.len() > keys.len() && pattern.begins(keys);
        keys.len() < max
            && keys.iter().all(|key| key.digit().is_some())
            && (self.patterns.is_empty() || self.patterns.iter().any(fits))
    }
}

impl DigitPattern {
    /// Whether its first places are these keys.
    fn begins(&self, keys: &[Key]) -> bool {
        let fits =
            |(key, allowed): (&Key, &u16)| key.digit().is_some_and(|digit| allowed & (1 << digit) != 0);
        keys.iter().zip(&self.0).all(fits)
    }
}

impl Several {
    /// The options that these keys choose, bit n for the n-th, if they may be chosen together.
    pub(super) fn chosen(&self, keys: &[Key]) -> Option<u32> {
        let (chosen, rest) = self.read(keys)?;
        let count = chosen.count_ones();
        let exclusive = chosen & self.exclusive != 0;
        let enough = (u32::from(self.min)..=u32::from(self.max)).contains(&count);
        (rest.is_empty() && if exclusive { count == 1 } else { enough }).then_some(chosen)
    }

    /// The options whose keys stand at the beginning, and what is left; nothing if it begins no option.
    fn read<'k>(&self, mut keys: &'k [Key]) -> Option<(u32, &'k [Key])> {
        let mut chosen = 0;
        loop {
            let stands = |option: &&(u32, &String)| {
                keys.get(..option.1.len()).is_some_and(|first| spells(option.1, first))
            };
            let Some((index, option)) = (0_u32..).zip(&self.options).find(|option| stands(&option)) else {
                let begins = keys.is_empty() || self.options.iter().any(|option| spells_longer(option, keys));
                return begins.then_some((chosen, keys));
            };
            chosen |= 1 << index;
            keys = keys.get(option.len()..)?;
        }
    }

    /// Whoever has pressed all that the options allow need not wait; whoever has pressed the most that may
    /// be chosen is not cut off, so that a further key is told to be too much instead of being lost.
    fn extends(&self, keys: &[Key]) -> bool {
        let Some((chosen, rest)) = self.read(keys) else { return false };
        let all = (0_u32..).zip(&self.options).fold(0, |all, (index, _)| all | 1 << index);
        let together = all & !self.exclusive;
        let over = chosen & self.exclusive != 0 || chosen & together == together;
        !rest.is_empty() || !over
    }
}

impl Times {
    /// The minutes since midnight that these keys may mean, before and after noon. On a clock of 24 hours it
    /// is the first alone, and so it is with hours that only such a clock has: 1330 is clear to everybody.
    pub(super) fn minutes(&self, keys: &[Key]) -> [Option<u16>; 2] {
        let read = || {
            let time = digits(keys).filter(|_| matches!(keys.len(), 3 | TIME_DIGITS))?;
            let (hour, minute) = (u16::try_from(time / 100).ok()?, u16::try_from(time % 100).ok()?);
            (hour < 24 && minute < 60).then_some((hour, minute))
        };
        let Some((hour, minute)) = read() else { return [None, None] };
        let in_range = |minute: u16| Some(minute).filter(|minute| self.range.contains(*minute));
        match self.clock {
            Clock::Hours12 if (1..=12).contains(&hour) => {
                let am = hour % 12 * 60 + minute;
                [in_range(am), in_range(am + 12 * 60)]
            }
            Clock::Hours24 | Clock::Hours12 => [in_range(hour * 60 + minute), None],
        }
    }

    fn extends(&self, keys: &[Key]) -> bool {
        if digits(keys).is_none() || keys.len() >= TIME_DIGITS {
            return false;
        }
        let mut longer = keys.to_vec();
        let ten = ('0'..='9').filter_map(Key::new);
        ten.into_iter().any(|key| {
            longer.truncate(keys.len());
            longer.push(key);
            self.minutes(&longer).iter().any(Option::is_some) || self.extends(&longer)
        })
    }
}
