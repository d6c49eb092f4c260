//! Dates as they are keyed: `23111985` in the order of a format, with the year that fits if it is short or
//! not keyed at all.

use jiff::civil::Date;

use super::instruction::Days;
use crate::questionnaire::{DatePart, Key, Precision, Value};

/// A date that was keyed; what was not keyed is not there.
#[derive(Clone, Copy, Debug, Default)]
struct Keyed {
    day: Option<i8>,
    month: Option<i8>,
    /// Four digits.
    year: Option<i16>,
    /// Two digits.
    short_year: Option<i16>,
}

impl Days {
    /// The value of these keys, if they are a date that may be answered: a year is a number, a day or a
    /// month a text of ISO 8601.
    pub(super) fn value(&self, keys: &[Key]) -> Option<Value> {
        let first = self.first_day(keys)?;
        Some(match self.format.precision() {
            Precision::Day => Value::Text(first.to_string()),
            Precision::Month => Value::Text(format!("{:04}-{:02}", first.year(), first.month())),
            Precision::Year => Value::from(u64::try_from(first.year()).ok()?),
        })
    }

    /// The first day of what was keyed.
    pub(super) fn first_day(&self, keys: &[Key]) -> Option<Date> {
        let keyed = self.read(keys)?;
        let this_year = self.today.year();
        let date = |year: i16| Date::new(year, keyed.month.unwrap_or(1), keyed.day.unwrap_or(1)).ok();
        let allowed = |first: &Date| self.allows(*first);
        if let Some(year) = keyed.year {
            return date(year).filter(allowed);
        }
        let distance = |day: &Date| (day.duration_since(self.today).as_hours().abs(), *day < self.today);
        let nearest = |years: &mut dyn Iterator<Item = i16>| {
            years.filter_map(date).filter(allowed).min_by_key(distance)
        };
        match keyed.short_year {
            Some(short) => {
                let century = this_year / 100 * 100;
                nearest(&mut (-1..=1).map(|more| century + more * 100 + short))
            }
            // A 29 February lies at most eight years away.
            None => nearest(&mut (-8..=8).map(|more| this_year + more)),
        }
    }

    fn read(&self, keys: &[Key]) -> Option<Keyed> {
        if keys.len() != self.format.digits() {
            return None;
        }
        let (mut keyed, mut rest) = (Keyed::default(), keys);
        for part in self.format.parts() {
            let (mine, others) = rest.split_at(part.digits());
            rest = others;
            let number = mine.iter().try_fold(0_i16, |sum, key| Some(sum * 10 + i16::from(key.digit()?)))?;
            match part {
                DatePart::Day => keyed.day = Some(i8::try_from(number).ok()?),
                DatePart::Month => keyed.month = Some(i8::try_from(number).ok()?),
                DatePart::Year4 => keyed.year = Some(number),
                DatePart::Year2 => keyed.short_year = Some(number),
            }
        }
        Some(keyed)
    }

    /// Whether some day of the day, month or year that begins here lies within the bounds.
    fn allows(&self, first: Date) -> bool {
        let last = match self.format.precision() {
            Precision::Day => first,
            Precision::Month => first.last_of_month(),
            Precision::Year => first.last_of_year(),
        };
        self.min.is_none_or(|min| last >= min) && self.max.is_none_or(|max| first <= max)
    }
}
