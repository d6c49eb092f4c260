//! Natural numbers without a limit: two ways at each of a thousand questions are 2¹⁰⁰⁰ ways.

use std::fmt;

/// Digits of a limb.
const LIMB_DIGITS: usize = 9;
const BASE: u64 = 1_000_000_000;

/// A natural number, exact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Count(
    /// Nine decimal digits each, the last ones first; none is 0.
    Vec<u32>,
);

impl Count {
    /// One.
    #[must_use]
    pub fn one() -> Self {
        Self(vec![1])
    }

    /// Whether it is 0.
    #[must_use]
    pub const fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds another one.
    pub(super) fn add(&mut self, other: &Self) {
        let mut carry = 0;
        for index in 0..self.0.len().max(other.0.len()) {
            let limb = |count: &Self| u64::from(count.0.get(index).copied().unwrap_or(0));
            let sum = limb(self) + limb(other) + carry;
            if index == self.0.len() {
                self.0.push(0);
            }
            self.0[index] = limb_of(sum);
            carry = sum / BASE;
        }
        self.0.extend((carry > 0).then(|| limb_of(carry)));
    }

    /// Multiplies it with a small number.
    pub(super) fn multiply(&mut self, factor: u32) {
        let mut carry = 0;
        for limb in &mut self.0 {
            let product = u64::from(*limb) * u64::from(factor) + carry;
            *limb = limb_of(product);
            carry = product / BASE;
        }
        while carry > 0 {
            self.0.push(limb_of(carry));
            carry /= BASE;
        }
        if factor == 0 {
            self.0.clear();
        }
    }

    /// In words for people: exact up to fifteen digits, from there on `about 1.07e301`.
    #[must_use]
    pub fn rounded(&self) -> String {
        let digits = self.to_string();
        match (digits.get(..1), digits.get(1..3)) {
            (Some(first), Some(next)) if digits.len() > 15 => {
                format!("about {first}.{next}e{}", digits.len() - 1)
            }
            (_, _) => digits,
        }
    }
}

fn limb_of(number: u64) -> u32 {
    u32::try_from(number % BASE).expect("it is below the base")
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((first, rest)) = self.0.split_last() else { return f.write_str("0") };
        write!(f, "{first}")?;
        rest.iter().rev().try_for_each(|limb| write!(f, "{limb:0LIMB_DIGITS$}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_products_are_exact() {
        let mut power = Count::one();
        for _ in 0..100 {
            power.add(&power.clone());
        }
        assert_eq!(power.to_string(), "1267650600228229401496703205376"); // 2^100
        assert_eq!(power.rounded(), "about 1.26e30");
        let mut factorial = Count::one();
        (1..=25).for_each(|n| factorial.multiply(n));
        assert_eq!(factorial.to_string(), "15511210043330985984000000"); // 25!
        let mut small = Count::default();
        for number in 0..3_000_u64 {
            assert_eq!(small.to_string(), (number * 999_999_937).to_string());
            let mut more = Count::one();
            more.multiply(999_999_937);
            small.add(&more);
        }
        small.multiply(0);
        assert!(small.is_zero());
        assert_eq!(small, Count::default());
    }
}
