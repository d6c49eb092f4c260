//! Spanish.

use jiff::civil::Date;

use super::{Agrees, Words, parts, split, weekday, word};

pub(super) const WORDS: Words = Words {
    language: "es",
    digits: ["cero", "uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve"],
    plus: "más",
    minus: "menos",
    point: "coma",
    cardinal,
    ordinal,
    date: |date| {
        let (_, _, year) = parts(date);
        format!("{} de {}", day_and_month(date), cardinal(year, Agrees::Alone))
    },
    day: |date: Date| format!("{} {}", WEEKDAYS[weekday(date)], day_and_month(date)),
    month: |date| {
        let (_, month, year) = parts(date);
        format!("{} de {}", MONTHS[month], cardinal(year, Agrees::Alone))
    },
    time,
    counted: |number, agrees, of| {
        let de = if number > 0 && number.is_multiple_of(1_000_000) { "de " } else { "" };
        format!("{} {de}{of}", cardinal(number, agrees))
    },
    and: "con",
};

const SMALL: [&str; 30] = [
    "cero",
    "uno",
    "dos",
    "tres",
    "cuatro",
    "cinco",
    "seis",
    "siete",
    "ocho",
    "nueve",
    "diez",
    "once",
    "doce",
    "trece",
    "catorce",
    "quince",
    "dieciséis",
    "diecisiete",
    "dieciocho",
    "diecinueve",
    "veinte",
    "veintiuno",
    "veintidós",
    "veintitrés",
    "veinticuatro",
    "veinticinco",
    "veintiséis",
    "veintisiete",
    "veintiocho",
    "veintinueve",
];
const TENS: [&str; 10] =
    ["", "", "veinte", "treinta", "cuarenta", "cincuenta", "sesenta", "setenta", "ochenta", "noventa"];
const HUNDREDS: [&str; 10] = [
    "",
    "ciento",
    "doscientos",
    "trescientos",
    "cuatrocientos",
    "quinientos",
    "seiscientos",
    "setecientos",
    "ochocientos",
    "novecientos",
];
const MONTHS: [&str; 12] = [
    "enero",
    "febrero",
    "marzo",
    "abril",
    "mayo",
    "junio",
    "julio",
    "agosto",
    "septiembre",
    "octubre",
    "noviembre",
    "diciembre",
];
const WEEKDAYS: [&str; 7] = ["lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"];
const ORDINALS: [&str; 10] =
    ["", "primero", "segundo", "tercero", "cuarto", "quinto", "sexto", "séptimo", "octavo", "noveno"];
const TENTHS: [&str; 11] = [
    "",
    "décimo",
    "vigésimo",
    "trigésimo",
    "cuadragésimo",
    "quincuagésimo",
    "sexagésimo",
    "septuagésimo",
    "octogésimo",
    "nonagésimo",
    "centésimo",
];

fn cardinal(number: u64, agrees: Agrees) -> String {
    // A billion is a thousand millions; a million millions have a word again.
    for (unit, one, many) in [(1_000_000_000_000, "billón", "billones"), (1_000_000, "millón", "millones")]
    {
        if number >= unit {
            let (count, rest) = split(number, unit);
            let head = match count {
                1 => format!("un {one}"),
                _ => format!("{} {many}", cardinal(count, Agrees::Masculine)),
            };
            return if rest == 0 { head } else { format!("{head} {}", cardinal(rest, agrees)) };
        }
    }
    if number >= 1_000 {
        let (count, rest) = split(number, 1_000);
        let before = if agrees == Agrees::Alone { Agrees::Masculine } else { agrees };
        let head = match count {
            1 => "mil".to_owned(),
            _ => format!("{} mil", cardinal(count, before)),
        };
        return if rest == 0 { head } else { format!("{head} {}", cardinal(rest, agrees)) };
    }
    if number >= 100 {
        let (count, rest) = split(number, 100);
        let head = word(&HUNDREDS, count);
        let head = match head.strip_suffix("os") {
            Some(stem) if agrees == Agrees::Feminine => format!("{stem}as"),
            _ => head.to_owned(),
        };
        return match (number, rest) {
            (100, _) => "cien".to_owned(),
            (_, 0) => head,
            (_, _) => format!("{head} {}", below_hundred(rest, agrees)),
        };
    }
    below_hundred(number, agrees)
}

fn below_hundred(number: u64, agrees: Agrees) -> String {
    let (tens, ones) = split(number, 10);
    if number == 21 && agrees == Agrees::Masculine {
        return "veintiún".to_owned();
    }
    let said = match number {
        0..=29 => word(&SMALL, number).to_owned(),
        _ if ones == 0 => word(&TENS, tens).to_owned(),
        _ => format!("{} y {}", word(&TENS, tens), word(&SMALL, ones)),
    };
    match (said.strip_suffix("uno"), agrees) {
        (Some(head), Agrees::Masculine) => format!("{head}un"),
        (Some(head), Agrees::Feminine) => format!("{head}una"),
        (_, _) => said,
    }
}

/// Beyond a hundred people say the plain number.
fn ordinal(number: u64) -> String {
    let (tens, ones) = split(number, 10);
    match number {
        0 | 101.. => cardinal(number, Agrees::Alone),
        11 => "undécimo".to_owned(),
        12 => "duodécimo".to_owned(),
        13..=19 => match ones {
            7 => "decimoséptimo".to_owned(),
            _ => format!("decimo{}", word(&ORDINALS, ones)),
        },
        _ if tens == 0 => word(&ORDINALS, ones).to_owned(),
        _ if ones == 0 => word(&TENTHS, tens).to_owned(),
        _ => format!("{} {}", word(&TENTHS, tens), word(&ORDINALS, ones)),
    }
}

fn day_and_month(date: Date) -> String {
    let (day, month, _) = parts(date);
    let day = if day == 1 { "primero".to_owned() } else { cardinal(day, Agrees::Alone) };
    format!("{day} de {}", MONTHS[month])
}

fn time(hour: u8, minute: u8) -> String {
    let part = match hour {
        0..=5 => "de la madrugada",
        6..=11 => "de la mañana",
        12 => "del mediodía",
        13..=19 => "de la tarde",
        _ => "de la noche",
    };
    let twelve = (hour + 11) % 12 + 1;
    let article = if twelve == 1 { "la" } else { "las" };
    let hours = cardinal(u64::from(twelve), Agrees::Feminine);
    match minute {
        0 => format!("{article} {hours} {part}"),
        15 => format!("{article} {hours} y cuarto {part}"),
        30 => format!("{article} {hours} y media {part}"),
        _ => format!("{article} {hours} y {} {part}", cardinal(u64::from(minute), Agrees::Alone)),
    }
}
