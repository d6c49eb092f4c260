//! Forms of attributes that only questionnaires have: numbers with a point, days, times of day, patterns.

use crate::questionnaire::{DayBound, Decimal, DigitPattern, SlotDay, minute_of_day};
use crate::xml::schema::Shape;

/// Digits of a number, so that arithmetic with it is exact.
pub(super) const MAX_DIGITS: u8 = 15;
/// Places of a pattern.
const MAX_PATTERN_PLACES: usize = 30;
/// Days of the week, as they are written.
pub(super) const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// Most of a number in a span, a slot's day.
const MAX_AMOUNT: u32 = 999;

/// A number that is not negative.
pub(super) const DECIMAL: Shape = Shape {
    example: "a number such as 42 or 36.6, of 15 digits at most",
    pattern: r"[0-9]{1,15}(\.[0-9]{1,6})?",
    fits: |text| decimal(text).is_some(),
};
/// A day that bounds what can be answered.
pub(super) const DAY: Shape = Shape {
    example: "a day such as 2026-11-23, today, today-120y or today+2w",
    pattern: r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}|today([+\-][0-9]{1,4}[dwmy])?",
    fits: |text| written_day(text) || (text.starts_with("today") && DayBound::read(text).is_some()),
};
/// A time of day.
pub(super) const TIME_OF_DAY: Shape = Shape {
    example: "a time of day such as 08:30",
    pattern: "([01][0-9]|2[0-3]):[0-5][0-9]",
    fits: |text| minute_of_day(text).is_some(),
};
/// Forms of a string of digits.
pub(super) const PATTERNS: Shape = Shape {
    example: "digits, x for any digit and [1-5] or [27] for some, such as 07xxxxxxxx; several with spaces between",
    pattern: r"([0-9x]|\[([0-9](-[0-9])?)+\])+( ([0-9x]|\[([0-9](-[0-9])?)+\])+)*",
    fits: |text| text.split(' ').all(|pattern| places(pattern).is_some()),
};
/// A length of time beyond minutes.
pub(super) const SPAN: Shape = Shape {
    example: "a length of time such as 30m, 2h, 14d or 3w",
    pattern: "[0-9]{1,3}[mhdw]",
    fits: |text| span_s(text).is_some(),
};
/// The day of a slot.
pub(super) const SLOT_DAY: Shape = Shape {
    example: "today, tomorrow, today+2d or a day of the week such as mon",
    pattern: r"today(\+[0-9]{1,3}d)?|tomorrow|mon|tue|wed|thu|fri|sat|sun",
    fits: |text| slot_day(text).is_some(),
};
/// Some days of the week.
pub(super) const DAYS_OF_WEEK: Shape = Shape {
    example: "days of the week with spaces between, such as mon tue wed",
    pattern: "(mon|tue|wed|thu|fri|sat|sun)( (mon|tue|wed|thu|fri|sat|sun))*",
    fits: |text| weekdays(text).is_some(),
};

/// A decimal of at most 15 digits before the point and 6 behind it.
pub(super) fn decimal(text: &str) -> Option<Decimal> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str, most: usize| {
        (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    text.parse().ok().filter(|_| digits(whole, usize::from(MAX_DIGITS)) && digits(fraction, 6))
}

/// Whether it looks like a day of the years 1000 to 2999; whether there is such a day is asked later.
fn written_day(text: &str) -> bool {
    let fits = |(index, byte): (usize, u8)| match index {
        0 => matches!(byte, b'1' | b'2'),
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    text.len() == 10 && text.bytes().enumerate().all(fits)
}

/// One pattern: which digits may stand at each place.
fn places(text: &str) -> Option<Vec<u16>> {
    let (mut places, mut rest) = (Vec::new(), text.chars());
    while let Some(character) = rest.next() {
        places.push(match character {
            'x' => 0b11_1111_1111,
            '[' => {
                let (inside, behind) = rest.as_str().split_once(']')?;
                rest = behind.chars();
                some_digits(inside)?
            }
            _ => 1 << character.to_digit(10)?,
        });
    }
    (!places.is_empty()).then_some(places)
}

/// What stands between brackets: `27`, `1-5`, `13-5`.
fn some_digits(inside: &str) -> Option<u16> {
    let (mut allowed, mut rest) = (0, inside.chars().peekable());
    while let Some(character) = rest.next() {
        let first = character.to_digit(10)?;
        let last = match rest.next_if_eq(&'-') {
            Some(_) => rest.next()?.to_digit(10)?,
            None => first,
        };
        (first.min(last)..=first.max(last)).for_each(|digit| allowed |= 1 << digit);
    }
    (!inside.is_empty()).then_some(allowed)
}

/// The patterns of an attribute.
pub(super) fn patterns(text: &str) -> Vec<DigitPattern> {
    text.split(' ').filter_map(places).map(DigitPattern).collect()
}

/// Whether a pattern has more places than are taken.
pub(super) const fn is_too_long(pattern: &DigitPattern) -> bool {
    pattern.0.len() > MAX_PATTERN_PLACES
}

/// A length of time, in seconds.
pub(super) fn span_s(text: &str) -> Option<u64> {
    let amount = amount(text.get(..text.len().checked_sub(1)?)?)?;
    let unit_s = match text.get(text.len() - 1..)? {
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return None,
    };
    Some(u64::from(amount) * unit_s)
}

fn amount(digits: &str) -> Option<u32> {
    let fits = (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|amount| fits && *amount <= MAX_AMOUNT)
}

/// The day of a slot.
pub(super) fn slot_day(text: &str) -> Option<SlotDay> {
    match text {
        "today" => Some(SlotDay::In(0)),
        "tomorrow" => Some(SlotDay::In(1)),
        _ => match text.strip_prefix("today+") {
            Some(days) => amount(days.strip_suffix('d')?)?.try_into().ok().map(SlotDay::In),
            None => weekday(text).map(SlotDay::Weekday),
        },
    }
}

fn weekday(text: &str) -> Option<u8> {
    WEEKDAYS.iter().position(|day| *day == text).and_then(|day| u8::try_from(day).ok())
}

/// Days of the week, bit 0 for Monday.
pub(super) fn weekdays(text: &str) -> Option<u8> {
    text.split(' ').try_fold(0, |days, day| Some(days | 1 << weekday(day)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What people write, and what they write wrongly.
    const TEXTS: &[&str] = &[
        "",
        " ",
        "0",
        "007",
        "42",
        "36.6",
        "36.",
        ".5",
        "-1",
        "+1",
        "1e3",
        "1,5",
        "123456789012345",
        "1234567890123456",
        "1.1234567",
        "1.123456",
        "2026-11-23",
        "0999-01-01",
        "3000-01-01",
        "2026-13-45",
        "2026-1-2",
        "2026-11-23Z",
        "today",
        "today-120y",
        "today+2w",
        "today+99999d",
        "today+",
        "today+2",
        "today+2d",
        "today-2d",
        "today+1000d",
        "tomorrow",
        "yesterday",
        "08:30",
        "8:30",
        "24:00",
        "23:59",
        "08:60",
        "08:30:00",
        "x",
        "07xxxxxxxx",
        "[1-5]xx",
        "[27]",
        "[]",
        "[5-1]",
        "[1-]",
        "[-1]",
        "[1",
        "1]",
        "[13-57]x 0",
        "12  34",
        "x ",
        " x",
        "X",
        "30m",
        "2h",
        "14d",
        "3w",
        "3y",
        "d",
        "1000d",
        "mon",
        "mon tue",
        "mon,tue",
        "Mon",
        "mon mon",
        "mon ",
        "sun sat",
    ];

    #[test]
    fn patterns_for_editors_and_the_checker_agree() {
        for shape in [DECIMAL, DAY, TIME_OF_DAY, PATTERNS, SPAN, SLOT_DAY, DAYS_OF_WEEK] {
            let pattern = regex::Regex::new(&format!("^(?:{})$", shape.pattern)).unwrap();
            for text in TEXTS {
                assert_eq!((shape.fits)(text), pattern.is_match(text), "`{text}` as {}", shape.example);
            }
            assert!(TEXTS.iter().any(|text| (shape.fits)(text)), "{}", shape.example);
        }
    }

    #[test]
    fn what_is_read_is_what_is_meant() {
        assert_eq!(places("0x[27][1-3]"), Some(vec![1, 1_023, 0b1000_0100, 0b1110]));
        assert_eq!(span_s("2h"), Some(7_200));
        assert_eq!(span_s("2w"), Some(1_209_600));
        assert_eq!(slot_day("today+3d"), Some(SlotDay::In(3)));
        assert_eq!(slot_day("wed"), Some(SlotDay::Weekday(2)));
        assert_eq!(weekdays("mon wed"), Some(0b101));
    }
}
