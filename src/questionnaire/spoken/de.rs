//! German.

use jiff::civil::Date;

use super::{Agrees, Words, parts, split, weekday, word};

pub(super) const WORDS: Words = Words {
    language: "de",
    digits: ["null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun"],
    plus: "plus",
    minus: "minus",
    point: "Komma",
    cardinal,
    ordinal,
    date: |date| {
        let (_, _, year_) = parts(date);
        format!("{} {}", day_and_month(date), year(year_))
    },
    day: |date: Date| format!("{}, den {}", WEEKDAYS[weekday(date)], day_and_month(date)),
    month: |date| {
        let (_, month, year_) = parts(date);
        format!("{} {}", MONTHS[month], year(year_))
    },
    time: |hour, minute| {
        let said = format!("{} Uhr", cardinal(u64::from(hour), Agrees::Masculine));
        match minute {
            0 => said,
            _ => format!("{said} {}", cardinal(u64::from(minute), Agrees::Alone)),
        }
    },
    counted: |number, agrees, of| format!("{} {of}", cardinal(number, agrees)),
    and: "und",
};

const SMALL: [&str; 20] = [
    "null",
    "ein",
    "zwei",
    "drei",
    "vier",
    "fünf",
    "sechs",
    "sieben",
    "acht",
    "neun",
    "zehn",
    "elf",
    "zwölf",
    "dreizehn",
    "vierzehn",
    "fünfzehn",
    "sechzehn",
    "siebzehn",
    "achtzehn",
    "neunzehn",
];
const TENS: [&str; 10] =
    ["", "", "zwanzig", "dreißig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig"];
const LARGE: [(u64, &str, &str); 3] = [
    (1_000_000_000_000, "Billion", "Billionen"),
    (1_000_000_000, "Milliarde", "Milliarden"),
    (1_000_000, "Million", "Millionen"),
];
const MONTHS: [&str; 12] = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];
const WEEKDAYS: [&str; 7] = ["Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"];

fn cardinal(number: u64, agrees: Agrees) -> String {
    for (unit, one, many) in LARGE {
        if number >= unit {
            let (count, rest) = split(number, unit);
            let head = match count {
                1 => format!("eine {one}"),
                _ => format!("{} {many}", cardinal(count, Agrees::Masculine)),
            };
            return if rest == 0 { head } else { format!("{head} {}", cardinal(rest, agrees)) };
        }
    }
    let stem = below_million(number);
    // `eins` where nothing follows, `eine Rupie`; else `ein`, also inside of a word.
    let one = stem == "ein" || number > 100 && number % 100 == 1;
    match agrees {
        Agrees::Alone if one => format!("{stem}s"),
        Agrees::Feminine if one => format!("{stem}e"),
        Agrees::Alone | Agrees::Feminine | Agrees::Masculine => stem,
    }
}

/// In one word; a last one is `ein`.
fn below_million(number: u64) -> String {
    let (head, rest) = match number {
        0..=19 => return word(&SMALL, number).to_owned(),
        20..=99 => {
            let (tens, ones) = split(number, 10);
            let tens = word(&TENS, tens);
            return if ones == 0 { tens.to_owned() } else { format!("{}und{tens}", word(&SMALL, ones)) };
        }
        100..=999 => {
            let (hundreds, rest) = split(number, 100);
            (format!("{}hundert", word(&SMALL, hundreds)), rest)
        }
        _ => {
            let (thousands, rest) = split(number, 1_000);
            (format!("{}tausend", below_million(thousands)), rest)
        }
    };
    if rest == 0 { head } else { format!("{head}{}", below_million(rest)) }
}

/// `erste`, `zwanzigste`; the ending of the case is the writer's.
fn ordinal(number: u64) -> String {
    let (head, last) = split(number, 100);
    let last = match last {
        1 => "erste".to_owned(),
        3 => "dritte".to_owned(),
        7 => "siebte".to_owned(),
        8 => "achte".to_owned(),
        2 | 4..=6 | 9..=19 => format!("{}te", below_million(last)),
        0 => return format!("{}ste", cardinal(number, Agrees::Masculine)),
        _ => format!("{}ste", below_million(last)),
    };
    match head * 100 {
        0 => last,
        hundreds => format!("{}{last}", cardinal(hundreds, Agrees::Masculine)),
    }
}

/// As it stands behind `am`, `den`, `vom`: `fünfundzwanzigsten November`.
fn day_and_month(date: Date) -> String {
    let (day, month, _) = parts(date);
    format!("{}n {}", ordinal(day), MONTHS[month])
}

fn year(year: u64) -> String {
    let (century, rest) = split(year, 100);
    match (year, rest) {
        (1_100..=1_999, 0) => format!("{}hundert", below_million(century)),
        (1_100..=1_999, _) => format!("{}hundert{}", below_million(century), cardinal(rest, Agrees::Alone)),
        (_, _) => cardinal(year, Agrees::Alone),
    }
}
