//! English.

use jiff::civil::Date;

use super::{Agrees, Words, parts, split, weekday, word};

pub(super) const WORDS: Words = Words {
    language: "en",
    digits: ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"],
    plus: "plus",
    minus: "minus",
    point: "point",
    cardinal: |number, _| cardinal(number),
    ordinal,
    date: |date| {
        let (day, month, year_) = parts(date);
        format!("the {} of {} {}", ordinal(day), MONTHS[month], year(year_))
    },
    day: |date: Date| {
        let (day, month, _) = parts(date);
        format!("{} the {} of {}", WEEKDAYS[weekday(date)], ordinal(day), MONTHS[month])
    },
    month: |date| {
        let (_, month, year_) = parts(date);
        format!("{} {}", MONTHS[month], year(year_))
    },
    time,
    counted: |number, _: Agrees, of| format!("{} {of}", cardinal(number)),
    and: "and",
};

const SMALL: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 10] =
    ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
const LARGE: [(u64, &str); 4] = [
    (1_000_000_000_000, "trillion"),
    (1_000_000_000, "billion"),
    (1_000_000, "million"),
    (1_000, "thousand"),
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

fn cardinal(number: u64) -> String {
    for (unit, name) in LARGE {
        if number >= unit {
            let (count, rest) = split(number, unit);
            let head = format!("{} {name}", cardinal(count));
            return match rest {
                0 => head,
                1..=99 => format!("{head} and {}", cardinal(rest)),
                _ => format!("{head} {}", cardinal(rest)),
            };
        }
    }
    match number {
        0..=19 => word(&SMALL, number).to_owned(),
        20..=99 => {
            let (tens, ones) = split(number, 10);
            let tens = word(&TENS, tens);
            if ones == 0 { tens.to_owned() } else { format!("{tens}-{}", word(&SMALL, ones)) }
        }
        _ => {
            let (hundreds, rest) = split(number, 100);
            let head = format!("{} hundred", word(&SMALL, hundreds));
            if rest == 0 { head } else { format!("{head} and {}", cardinal(rest)) }
        }
    }
}

fn ordinal(number: u64) -> String {
    let said = cardinal(number);
    let at = said.rfind([' ', '-']).map_or(0, |at| at + 1);
    let (head, last) = said.split_at(at);
    let last = match last {
        "one" => "first".to_owned(),
        "two" => "second".to_owned(),
        "three" => "third".to_owned(),
        "five" => "fifth".to_owned(),
        "eight" => "eighth".to_owned(),
        "nine" => "ninth".to_owned(),
        "twelve" => "twelfth".to_owned(),
        _ => match last.strip_suffix('y') {
            Some(stem) => format!("{stem}ieth"),
            None => format!("{last}th"),
        },
    };
    format!("{head}{last}")
}

/// `nineteen eighty-four`, `two thousand and five`, `twenty twenty-six`.
fn year(year: u64) -> String {
    let (century, rest) = split(year, 100);
    match (year, rest) {
        (..1_000 | 2_000..=2_009 | 10_000.., _) => cardinal(year),
        (_, 0) if century.is_multiple_of(10) => cardinal(year),
        (_, 0) => format!("{} hundred", cardinal(century)),
        (_, 1..=9) => format!("{} oh {}", cardinal(century), cardinal(rest)),
        (_, _) => format!("{} {}", cardinal(century), cardinal(rest)),
    }
}

fn time(hour: u8, minute: u8) -> String {
    let half = if hour < 12 { "a.m." } else { "p.m." };
    let twelve = cardinal(u64::from((hour + 11) % 12 + 1));
    match (hour, minute) {
        (0, 0) => "midnight".to_owned(),
        (12, 0) => "noon".to_owned(),
        (_, 0) => format!("{twelve} {half}"),
        (_, 1..=9) => format!("{twelve} oh {} {half}", cardinal(u64::from(minute))),
        (_, _) => format!("{twelve} {} {half}", cardinal(u64::from(minute))),
    }
}
