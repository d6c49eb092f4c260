//! Swahili. The number stands behind what it counts, and the day begins at six in the morning.

use jiff::civil::Date;

use super::{Agrees, Words, parts, split, weekday, word};

pub(super) const WORDS: Words = Words {
    language: "sw",
    digits: ["sifuri", "moja", "mbili", "tatu", "nne", "tano", "sita", "saba", "nane", "tisa"],
    plus: "jumlisha",
    minus: "kasoro",
    point: "nukta",
    cardinal: |number, _| cardinal(number),
    ordinal,
    date: |date| {
        let (day, month, year) = parts(date);
        format!("tarehe {} {} mwaka {}", cardinal(day), MONTHS[month], cardinal(year))
    },
    day: |date: Date| {
        let (day, month, _) = parts(date);
        format!("{}, tarehe {} {}", WEEKDAYS[weekday(date)], cardinal(day), MONTHS[month])
    },
    month: |date| {
        let (_, month, year) = parts(date);
        format!("{} mwaka {}", MONTHS[month], cardinal(year))
    },
    time,
    counted: |number, _: Agrees, of| format!("{of} {}", cardinal(number)),
    and: "na",
};

const SMALL: [&str; 11] =
    ["sifuri", "moja", "mbili", "tatu", "nne", "tano", "sita", "saba", "nane", "tisa", "kumi"];
const TENS: [&str; 10] =
    ["", "kumi", "ishirini", "thelathini", "arobaini", "hamsini", "sitini", "sabini", "themanini", "tisini"];
const LARGE: [(u64, &str); 4] =
    [(1_000_000_000_000, "trilioni"), (1_000_000_000, "bilioni"), (1_000_000, "milioni"), (1_000, "elfu")];
const MONTHS: [&str; 12] = [
    "Januari", "Februari", "Machi", "Aprili", "Mei", "Juni", "Julai", "Agosti", "Septemba", "Oktoba",
    "Novemba", "Desemba",
];
const WEEKDAYS: [&str; 7] = ["Jumatatu", "Jumanne", "Jumatano", "Alhamisi", "Ijumaa", "Jumamosi", "Jumapili"];

/// The pause after thousands tells 25,000 (`elfu ishirini na tano`) from 20,005 (`elfu ishirini, tano`).
fn cardinal(number: u64) -> String {
    for (unit, name) in LARGE {
        if number >= unit {
            let (count, rest) = split(number, unit);
            let head = format!("{name} {}", cardinal(count));
            return if rest == 0 { head } else { format!("{head}, {}", cardinal(rest)) };
        }
    }
    let (head, rest) = match number {
        0..=10 => return word(&SMALL, number).to_owned(),
        11..=99 => {
            let (tens, rest) = split(number, 10);
            (word(&TENS, tens).to_owned(), rest)
        }
        _ => {
            let (hundreds, rest) = split(number, 100);
            (format!("mia {}", word(&SMALL, hundreds)), rest)
        }
    };
    if rest == 0 { head } else { format!("{head} na {}", cardinal(rest)) }
}

fn ordinal(number: u64) -> String {
    match number {
        1 => "wa kwanza".to_owned(),
        2 => "wa pili".to_owned(),
        _ => format!("wa {}", cardinal(number)),
    }
}

fn time(hour: u8, minute: u8) -> String {
    let part = match hour {
        4..=5 => "alfajiri",
        6..=11 => "asubuhi",
        12..=15 => "mchana",
        16..=18 => "jioni",
        _ => "usiku",
    };
    let from_six = cardinal(u64::from((hour + 5) % 12 + 1));
    match minute {
        0 => format!("saa {from_six} {part}"),
        15 => format!("saa {from_six} na robo {part}"),
        30 => format!("saa {from_six} na nusu {part}"),
        _ => format!("saa {from_six} na dakika {} {part}", cardinal(u64::from(minute))),
    }
}
