//! Exact decimal numbers, as people key and write them.
//!
//! ```text
//! 36.60 ──► units 366, places 1        trailing zeros are not kept: 36.60 = 36.6
//! ```

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Most digits behind the point.
pub(crate) const MAX_PLACES: u8 = 9;

/// A decimal number without rounding.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Decimal {
    units: i64,
    places: u8,
}

impl Decimal {
    /// The number `units · 10^-places`; more than nine places are cut off.
    #[must_use]
    pub const fn new(mut units: i64, mut places: u8) -> Self {
        while places > MAX_PLACES || (places > 0 && units % 10 == 0) {
            units /= 10;
            places -= 1;
        }
        Self { units, places }
    }

    /// The whole number, if it is one that is not negative.
    #[must_use]
    pub fn whole(self) -> Option<u64> {
        u64::try_from(self.units).ok().filter(|_| self.places == 0)
    }

    /// The whole number, if it is one.
    #[must_use]
    pub const fn integer(self) -> Option<i64> {
        if self.places == 0 { Some(self.units) } else { None }
    }

    /// `units · 10^-places`, rounded to nine places, and to fewer where the digits would not fit: half away
    /// from zero. Nothing if not even the whole part fits.
    fn rounded(units: i128, places: u32) -> Option<Self> {
        let least = places.saturating_sub(u32::from(MAX_PLACES));
        (least..=places).find_map(|drop| {
            let one = 10_i128.pow(drop);
            let half = units.signum() * (one / 2);
            let units = i64::try_from(units.checked_add(half)? / one).ok()?;
            Some(Self::new(units, u8::try_from(places - drop).ok()?))
        })
    }

    /// The units of both at the same places.
    fn aligned(self, other: Self) -> (i128, i128, u8) {
        let places = self.places.max(other.places);
        let units = |number: Self| i128::from(number.units) * 10_i128.pow(u32::from(places - number.places));
        (units(self), units(other), places)
    }

    /// The number with the other sign.
    #[must_use]
    pub const fn negative(self) -> Self {
        Self { units: self.units.saturating_neg(), places: self.places }
    }

    /// The sum; nothing if it has too many digits.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        let (one, other, places) = self.aligned(other);
        Self::rounded(one + other, u32::from(places))
    }

    /// The product, rounded to nine places; nothing if it has too many digits.
    #[must_use]
    pub fn times(self, other: Self) -> Option<Self> {
        let places = u32::from(self.places) + u32::from(other.places);
        Self::rounded(i128::from(self.units) * i128::from(other.units), places)
    }

    /// The quotient, rounded to nine places; nothing by 0, or if it has too many digits.
    #[must_use]
    pub fn divided_by(self, other: Self) -> Option<Self> {
        let (one, other, _) = self.aligned(other);
        let (sign, one, other) = (one.signum() * other.signum(), one.abs(), other.abs());
        // The whole part first: what is left is smaller than the divisor, which leaves room for nine digits.
        let (whole, left) = (one.checked_div(other)?, one.checked_rem(other)?);
        let billionth = 10_i128.pow(u32::from(MAX_PLACES));
        let (fraction, left) = (left * billionth / other, left * billionth % other);
        let up = i128::from(left * 2 >= other);
        Self::rounded(sign * (whole.checked_mul(billionth)? + fraction + up), u32::from(MAX_PLACES))
    }

    /// What is left of a whole division, with the sign of the dividend (as `mod` of XPath); nothing by 0.
    #[must_use]
    pub fn modulo(self, other: Self) -> Option<Self> {
        let (one, other, places) = self.aligned(other);
        Self::rounded(one.checked_rem(other)?, u32::from(places))
    }

    /// The nearest floating-point number; exact for whole numbers of at most 15 digits.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        self.to_string().parse().expect("digits with a point are a number")
    }

    /// The number in units of `10^-places`, if it is not negative, fits, and has no more places.
    #[must_use]
    pub(crate) fn scaled(self, places: u8) -> Option<u64> {
        let more = places.checked_sub(self.places)?;
        u64::try_from(self.units).ok()?.checked_mul(10_u64.checked_pow(u32::from(more))?)
    }
}

impl From<u64> for Decimal {
    fn from(number: u64) -> Self {
        Self { units: i64::try_from(number).unwrap_or(i64::MAX), places: 0 }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let (one, other, _) = self.aligned(*other);
        one.cmp(&other)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.places == 0 {
            return write!(f, "{}", self.units);
        }
        let (units, one) = (self.units.unsigned_abs(), 10_u64.pow(u32::from(self.places)));
        let sign = if self.units < 0 { "-" } else { "" };
        write!(f, "{sign}{}.{:0width$}", units / one, units % one, width = usize::from(self.places))
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Decimal({self})")
    }
}

/// What is read is no decimal number, or has too many digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a decimal number")]
pub struct NoDecimal;

impl FromStr for Decimal {
    type Err = NoDecimal;

    fn from_str(text: &str) -> Result<Self, NoDecimal> {
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let fraction = fraction.trim_end_matches('0');
        if whole.is_empty() || text.ends_with('.') || !all_digits(whole) || !all_digits(fraction) {
            return Err(NoDecimal);
        }
        let places =
            u8::try_from(fraction.len()).ok().filter(|places| *places <= MAX_PLACES).ok_or(NoDecimal)?;
        let units: i64 = format!("{whole}{fraction}").parse().map_err(|_| NoDecimal)?;
        Ok(Self::new(if negative { -units } else { units }, places))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn reads_and_prints_without_rounding() {
        for text in ["0", "7", "36.6", "0.05", "-3.25", "999999999999.999", "0.000000001"] {
            assert_eq!(decimal(text).to_string(), text);
        }
        assert_eq!(decimal("36.60"), decimal("36.6"));
        assert_eq!(decimal("007.0").to_string(), "7");
        for text in ["", ".", "1.", ".5", "1e3", "1.2.3", "+1", "--1", "1,5", "0.1234567891"] {
            assert_eq!(text.parse::<Decimal>(), Err(NoDecimal), "{text}");
        }
        assert_eq!("99999999999999999999".parse::<Decimal>(), Err(NoDecimal));
    }

    #[test]
    fn counts_as_people_do_on_paper() {
        let (a, b) = (decimal("0.1"), decimal("0.2"));
        assert_eq!(a.plus(b), Some(decimal("0.3")));
        assert_eq!(decimal("2.5").times(decimal("-0.04")), Some(decimal("-0.1")));
        assert_eq!(decimal("10").divided_by(decimal("4")), Some(decimal("2.5")));
        assert_eq!(decimal("1").divided_by(decimal("3")), Some(decimal("0.333333333")));
        assert_eq!(decimal("-2").divided_by(decimal("3")), Some(decimal("-0.666666667")));
        assert_eq!(decimal("0.000000001").divided_by(decimal("2")), Some(decimal("0.000000001")));
        assert_eq!(decimal("7.5").modulo(decimal("2")), Some(decimal("1.5")));
        assert_eq!(decimal("-7").modulo(decimal("2")), Some(decimal("-1")));
        assert_eq!(decimal("7").modulo(decimal("-2")), Some(decimal("1")));
        for by_zero in [decimal("1").divided_by(decimal("0")), decimal("0").modulo(decimal("0.0"))] {
            assert_eq!(by_zero, None);
        }
    }

    #[test]
    fn drops_places_before_it_gives_up() {
        let large = decimal("999999999999999");
        assert_eq!(large.plus(decimal("0.123456789")), Some(decimal("999999999999999.123")));
        assert_eq!(large.times(large), None);
        assert_eq!(large.divided_by(decimal("0.000000001")), None);
        assert_eq!(large.divided_by(large), Some(decimal("1")));
        let least = decimal("-9223372036854775807");
        assert_eq!(least.plus(decimal("-2")), None);
        assert_eq!(least.divided_by(decimal("9223372036854775806")), Some(decimal("-1")));
        assert_eq!(decimal("0.000000001").times(decimal("0.000000001")), Some(decimal("0")));
    }

    #[test]
    fn is_ordered_as_a_number() {
        assert!(decimal("9.9") < decimal("10"));
        assert!(decimal("0.5") > decimal("0.49"));
        assert!(decimal("-1") < decimal("0"));
        assert_eq!(decimal("36.6").scaled(2), Some(3660));
        assert_eq!(decimal("36.66").scaled(1), None);
        assert_eq!(Decimal::new(1_500, 2).whole(), Some(15));
        assert!((decimal("36.6").as_f64() - 36.6).abs() < f64::EPSILON);
    }
}
