//! French.

use jiff::civil::Date;

use super::{Agrees, Words, parts, split, weekday, word};

pub(super) const WORDS: Words = Words {
    language: "fr",
    digits: ["zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf"],
    plus: "plus",
    minus: "moins",
    point: "virgule",
    cardinal,
    ordinal,
    date: |date| {
        let (_, _, year) = parts(date);
        format!("{} {}", day_and_month(date), cardinal(year, Agrees::Alone))
    },
    day: |date: Date| format!("{} {}", WEEKDAYS[weekday(date)], day_and_month(date)),
    month: |date| {
        let (_, month, year) = parts(date);
        format!("{} {}", MONTHS[month], cardinal(year, Agrees::Alone))
    },
    time: |hour, minute| {
        let hours = if hour < 2 { "heure" } else { "heures" };
        let said = format!("{} {hours}", cardinal(u64::from(hour), Agrees::Feminine));
        match minute {
            0 => said,
            _ => format!("{said} {}", cardinal(u64::from(minute), Agrees::Feminine)),
        }
    },
    counted,
    and: "et",
};

const SMALL: [&str; 17] = [
    "zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix", "onze", "douze",
    "treize", "quatorze", "quinze", "seize",
];
const TENS: [&str; 7] = ["", "dix", "vingt", "trente", "quarante", "cinquante", "soixante"];
const LARGE: [(u64, &str); 3] =
    [(1_000_000_000_000, "billion"), (1_000_000_000, "milliard"), (1_000_000, "million")];
const MONTHS: [&str; 12] = [
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
];
const WEEKDAYS: [&str; 7] = ["lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"];

fn cardinal(number: u64, agrees: Agrees) -> String {
    let said = masculine(number);
    let one = said.strip_suffix("un").is_some_and(|head| head.is_empty() || head.ends_with([' ', '-']));
    if one && agrees == Agrees::Feminine { format!("{said}e") } else { said }
}

fn masculine(number: u64) -> String {
    for (unit, name) in LARGE {
        if number >= unit {
            let (count, rest) = split(number, unit);
            let plural = if count > 1 { "s" } else { "" };
            let head = format!("{} {name}{plural}", masculine(count));
            return if rest == 0 { head } else { format!("{head} {}", masculine(rest)) };
        }
    }
    if number >= 1_000 {
        let (count, rest) = split(number, 1_000);
        let head = match count {
            1 => "mille".to_owned(),
            // `quatre-vingt mille`, `deux cent mille`: no plural before mille.
            _ => format!("{} mille", singular(&masculine(count))),
        };
        return if rest == 0 { head } else { format!("{head} {}", masculine(rest)) };
    }
    if number >= 100 {
        let (count, rest) = split(number, 100);
        return match (count, rest) {
            (1, 0) => "cent".to_owned(),
            (1, _) => format!("cent {}", masculine(rest)),
            (_, 0) => format!("{} cents", masculine(count)),
            (_, _) => format!("{} cent {}", masculine(count), masculine(rest)),
        };
    }
    below_hundred(number)
}

fn below_hundred(number: u64) -> String {
    let (tens, ones) = split(number, 10);
    match (tens, ones) {
        (0..=1, _) if number <= 16 => word(&SMALL, number).to_owned(),
        (1, _) => format!("dix-{}", word(&SMALL, ones)),
        (2..=6, 0) => word(&TENS, tens).to_owned(),
        (2..=6, 1) => format!("{} et un", word(&TENS, tens)),
        (2..=6, _) => format!("{}-{}", word(&TENS, tens), word(&SMALL, ones)),
        (7, 1) => "soixante et onze".to_owned(),
        (7, _) => format!("soixante-{}", below_hundred(ones + 10)),
        (8, 0) => "quatre-vingts".to_owned(),
        (8, _) => format!("quatre-vingt-{}", word(&SMALL, ones)),
        (_, _) => format!("quatre-vingt-{}", below_hundred(ones + 10)),
    }
}

/// Without the plural of `vingts` and `cents`.
fn singular(said: &str) -> &str {
    let plural = said.ends_with("vingts") || said.ends_with("cents");
    said.strip_suffix('s').filter(|_| plural).unwrap_or(said)
}

fn ordinal(number: u64) -> String {
    if number == 1 {
        return "premier".to_owned();
    }
    let said = masculine(number);
    let stem = singular(&said);
    let stem = stem.strip_suffix("ions").map_or_else(|| stem.to_owned(), |head| format!("{head}ion"));
    let stem = match stem.strip_suffix('f') {
        Some(head) => format!("{head}v"),
        None if stem.ends_with('q') => format!("{stem}u"),
        None => stem.strip_suffix('e').unwrap_or(&stem).to_owned(),
    };
    format!("{stem}ième")
}

fn day_and_month(date: Date) -> String {
    let (day, month, _) = parts(date);
    let day = if day == 1 { "premier".to_owned() } else { masculine(day) };
    format!("{day} {}", MONTHS[month])
}

/// `un million d'euros`: whole millions count with `de`.
fn counted(number: u64, agrees: Agrees, of: &str) -> String {
    let said = cardinal(number, agrees);
    let millions = number > 0 && number.is_multiple_of(1_000_000);
    match (millions, of.starts_with(['a', 'e', 'i', 'o', 'u'])) {
        (false, _) => format!("{said} {of}"),
        (true, true) => format!("{said} d'{of}"),
        (true, false) => format!("{said} de {of}"),
    }
}
