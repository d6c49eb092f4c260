//! Dates and times of day: how they are keyed, and from when to when they may be.

use std::sync::OnceLock;

use jiff::Span;
use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Serialize};

/// A part of a date in the order in which it is keyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DatePart {
    /// `DD`
    Day,
    /// `MM`
    Month,
    /// `YY`
    Year2,
    /// `YYYY`
    Year4,
}

impl DatePart {
    /// Its digits.
    #[must_use]
    pub const fn digits(self) -> usize {
        match self {
            Self::Day | Self::Month | Self::Year2 => 2,
            Self::Year4 => 4,
        }
    }
}

/// The order of the digits of a date: `DDMMYYYY`, `DDMMYY`, `MMYYYY`, `YYYY`, …; `DDMM` is the nearest such
/// day that can be answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DateFormat(Vec<DatePart>);

impl DateFormat {
    /// Reads a format: each part once, a day not without a month, a month not alone.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let (mut rest, mut parts) = (text, Vec::new());
        while !rest.is_empty() {
            let (part, length) = match rest {
                _ if rest.starts_with("DD") => (DatePart::Day, 2),
                _ if rest.starts_with("MM") => (DatePart::Month, 2),
                _ if rest.starts_with("YYYY") => (DatePart::Year4, 4),
                _ if rest.starts_with("YY") => (DatePart::Year2, 2),
                _ => return None,
            };
            parts.push(part);
            rest = rest.get(length..)?;
        }
        let format = Self(parts);
        let count = |of: &[DatePart]| format.0.iter().filter(|part| of.contains(part)).count();
        let (days, months) = (count(&[DatePart::Day]), count(&[DatePart::Month]));
        let years = count(&[DatePart::Year2, DatePart::Year4]);
        let known = matches!((days, months, years), (1, 1, 0 | 1) | (0, 1, 1) | (0, 0, 1));
        known.then_some(format)
    }

    /// Its parts, in the order of the keys.
    #[must_use]
    pub fn parts(&self) -> &[DatePart] {
        &self.0
    }

    /// How many digits are keyed.
    #[must_use]
    pub fn digits(&self) -> usize {
        self.0.iter().map(|part| part.digits()).sum()
    }

    /// What is told of a date: the day, the month, or the year alone.
    #[must_use]
    pub fn precision(&self) -> Precision {
        if self.0.contains(&DatePart::Day) {
            Precision::Day
        } else if self.0.contains(&DatePart::Month) {
            Precision::Month
        } else {
            Precision::Year
        }
    }

    /// Whether the year is keyed.
    #[must_use]
    pub fn has_year(&self) -> bool {
        self.0.iter().any(|part| matches!(part, DatePart::Year2 | DatePart::Year4))
    }
}

/// How much is told of a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// `2026-11-23`
    Day,
    /// `2026-11`
    Month,
    /// `2026`, which is a number.
    Year,
}

/// A day that bounds what can be answered: `2026-11-23`, `today`, `today-120y`, `today+2w`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DayBound {
    /// This day.
    On(Date),
    /// So far from today; not both at once.
    FromToday {
        /// Months, 12 of them a year.
        months: i32,
        /// Days.
        days: i32,
    },
}

impl DayBound {
    /// Most of a number in it.
    const MAX_AMOUNT: i32 = 9_999;

    /// Reads a bound.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let Some(offset) = text.strip_prefix("today") else { return text.parse().ok().map(Self::On) };
        if offset.is_empty() {
            return Some(Self::FromToday { months: 0, days: 0 });
        }
        let sign = match offset.get(..1)? {
            "+" => 1,
            "-" => -1,
            _ => return None,
        };
        let amount = offset.get(1..offset.len().checked_sub(1)?)?;
        let amount: i32 = Some(amount).filter(|a| a.bytes().all(|b| b.is_ascii_digit()))?.parse().ok()?;
        let amount = sign * Some(amount).filter(|amount| *amount <= Self::MAX_AMOUNT)?;
        Some(match offset.get(offset.len() - 1..)? {
            "d" => Self::FromToday { months: 0, days: amount },
            "w" => Self::FromToday { months: 0, days: amount * 7 },
            "m" => Self::FromToday { months: amount, days: 0 },
            "y" => Self::FromToday { months: amount * 12, days: 0 },
            _ => return None,
        })
    }

    /// The day that it is today.
    #[must_use]
    pub fn on(self, today: Date) -> Date {
        match self {
            Self::On(date) => date,
            Self::FromToday { months, days } => {
                today.saturating_add(Span::new().months(months)).saturating_add(Span::new().days(days))
            }
        }
    }
}

/// A clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Clock {
    /// 00:00 to 23:59.
    Hours24,
    /// 12:00 to 11:59, twice.
    Hours12,
}

/// From when to when on a day, in minutes since midnight, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeRange {
    /// The earliest minute.
    pub min: u16,
    /// The latest minute.
    pub max: u16,
}

impl TimeRange {
    /// A whole day.
    pub const DAY: Self = Self { min: 0, max: 24 * 60 - 1 };

    /// Whether a minute lies in it.
    #[must_use]
    pub fn contains(self, minute: u16) -> bool {
        (self.min..=self.max).contains(&minute)
    }
}

/// Reads `08:30` as minutes since midnight.
#[must_use]
pub fn minute_of_day(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let two = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    let (hours, minutes): (u16, u16) = match two(hours) && two(minutes) {
        true => (hours.parse().ok()?, minutes.parse().ok()?),
        false => return None,
    };
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}

/// The time zone of this IANA name. The zones are those in the binary; no file is read.
pub(crate) fn time_zone(name: &str) -> Option<TimeZone> {
    static ZONES: OnceLock<TimeZoneDatabase> = OnceLock::new();
    ZONES.get_or_init(TimeZoneDatabase::bundled).get(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_say_what_they_tell() {
        for (text, digits, precision) in [
            ("DDMMYYYY", 8, Precision::Day),
            ("MMDDYY", 6, Precision::Day),
            ("YYYYMMDD", 8, Precision::Day),
            ("DDMM", 4, Precision::Day),
            ("MMYYYY", 6, Precision::Month),
            ("YYYY", 4, Precision::Year),
            ("YY", 2, Precision::Year),
        ] {
            let format = DateFormat::read(text).unwrap();
            assert_eq!((format.digits(), format.precision()), (digits, precision), "{text}");
        }
        for text in ["", "D", "DD", "MM", "DDYYYY", "DDMMMM", "DDMMYYYYY", "ddmmyyyy", "DD-MM-YYYY"] {
            assert_eq!(DateFormat::read(text), None, "{text}");
        }
    }

    #[test]
    fn bounds_lie_where_they_say() {
        let today = jiff::civil::date(2024, 2, 29);
        let on = |text: &str| DayBound::read(text).map(|bound| bound.on(today).to_string());
        assert_eq!(on("today").as_deref(), Some("2024-02-29"));
        assert_eq!(on("today-1y").as_deref(), Some("2023-02-28"));
        assert_eq!(on("today+2w").as_deref(), Some("2024-03-14"));
        assert_eq!(on("today+1m").as_deref(), Some("2024-03-29"));
        assert_eq!(on("today-1d").as_deref(), Some("2024-02-28"));
        assert_eq!(on("1900-01-01").as_deref(), Some("1900-01-01"));
        assert_eq!(on("today-9999y").as_deref(), Some("-007975-02-28"));
        for text in
            ["", "tomorrow", "today+", "today+d", "today1d", "today+1x", "today+é", "2023-02-29", "1d"]
        {
            assert_eq!(on(text), None, "{text}");
        }
    }

    #[test]
    fn minutes_of_a_day() {
        assert_eq!(minute_of_day("08:30"), Some(510));
        assert_eq!(minute_of_day("23:59"), Some(1_439));
        for text in ["24:00", "8:30", "08:60", "0830", "+8:30", ""] {
            assert_eq!(minute_of_day(text), None, "{text}");
        }
    }
}
