//! Portuguese: of Brazil, and of Portugal (`pt-PT`) where that differs.

use jiff::civil::Date;

use super::{Agrees, Words, parts, split, weekday, word};

pub(super) const WORDS: Words = Words {
    language: "pt",
    digits: ["zero", "um", "dois", "três", "quatro", "cinco", "seis", "sete", "oito", "nove"],
    plus: "mais",
    minus: "menos",
    point: "vírgula",
    cardinal: |number, agrees| cardinal(number, agrees, &BRAZIL),
    ordinal: |number| ordinal(number, &BRAZIL),
    date: |date| written_date(date, &BRAZIL),
    day: |date| written_day(date, &BRAZIL),
    month: |date| written_month(date, &BRAZIL),
    time: |hour, minute| time(hour, minute, &BRAZIL),
    counted: |number, agrees, of| counted(number, agrees, of, &BRAZIL),
    and: "e",
};

pub(super) const EUROPEAN: Words = Words {
    cardinal: |number, agrees| cardinal(number, agrees, &PORTUGAL),
    ordinal: |number| ordinal(number, &PORTUGAL),
    date: |date| written_date(date, &PORTUGAL),
    day: |date| written_day(date, &PORTUGAL),
    month: |date| written_month(date, &PORTUGAL),
    time: |hour, minute| time(hour, minute, &PORTUGAL),
    counted: |number, agrees, of| counted(number, agrees, of, &PORTUGAL),
    ..WORDS
};

/// What differs between the two.
struct Variant {
    small: [&'static str; 20],
    large: &'static [(u64, &'static str, &'static str)],
}

const BRAZIL: Variant = Variant {
    small: [
        "zero",
        "um",
        "dois",
        "três",
        "quatro",
        "cinco",
        "seis",
        "sete",
        "oito",
        "nove",
        "dez",
        "onze",
        "doze",
        "treze",
        "catorze",
        "quinze",
        "dezesseis",
        "dezessete",
        "dezoito",
        "dezenove",
    ],
    large: &[
        (1_000_000_000_000, "trilhão", "trilhões"),
        (1_000_000_000, "bilhão", "bilhões"),
        (1_000_000, "milhão", "milhões"),
    ],
};

const PORTUGAL: Variant = Variant {
    small: {
        let mut small = BRAZIL.small;
        small[16] = "dezasseis";
        small[17] = "dezassete";
        small[19] = "dezanove";
        small
    },
    // A billion is a thousand millions there.
    large: &[(1_000_000_000_000, "bilião", "biliões"), (1_000_000, "milhão", "milhões")],
};

const TENS: [&str; 10] =
    ["", "", "vinte", "trinta", "quarenta", "cinquenta", "sessenta", "setenta", "oitenta", "noventa"];
const HUNDREDS: [&str; 10] = [
    "",
    "cento",
    "duzentos",
    "trezentos",
    "quatrocentos",
    "quinhentos",
    "seiscentos",
    "setecentos",
    "oitocentos",
    "novecentos",
];
const MONTHS: [&str; 12] = [
    "janeiro",
    "fevereiro",
    "março",
    "abril",
    "maio",
    "junho",
    "julho",
    "agosto",
    "setembro",
    "outubro",
    "novembro",
    "dezembro",
];
const WEEKDAYS: [&str; 7] =
    ["segunda-feira", "terça-feira", "quarta-feira", "quinta-feira", "sexta-feira", "sábado", "domingo"];
const ORDINALS: [&str; 10] =
    ["", "primeiro", "segundo", "terceiro", "quarto", "quinto", "sexto", "sétimo", "oitavo", "nono"];
const TENTHS: [&str; 11] = [
    "",
    "décimo",
    "vigésimo",
    "trigésimo",
    "quadragésimo",
    "quinquagésimo",
    "sexagésimo",
    "septuagésimo",
    "octogésimo",
    "nonagésimo",
    "centésimo",
];

fn cardinal(number: u64, agrees: Agrees, variant: &Variant) -> String {
    for &(unit, one, many) in variant.large {
        if number >= unit {
            let (count, rest) = split(number, unit);
            let name = if count == 1 { one } else { many };
            let head = format!("{} {name}", cardinal(count, Agrees::Masculine, variant));
            return join(head, rest, agrees, variant);
        }
    }
    if number >= 1_000 {
        let (count, rest) = split(number, 1_000);
        let head = match count {
            1 => "mil".to_owned(),
            _ => format!("{} mil", cardinal(count, agrees, variant)),
        };
        return join(head, rest, agrees, variant);
    }
    let (head, rest) = match number {
        100 => return "cem".to_owned(),
        101.. => {
            let (count, rest) = split(number, 100);
            (feminine_hundreds(word(&HUNDREDS, count), agrees), rest)
        }
        20..=99 => {
            let (tens, ones) = split(number, 10);
            (word(&TENS, tens).to_owned(), ones)
        }
        _ => {
            return match (number, agrees) {
                (1, Agrees::Feminine) => "uma".to_owned(),
                (2, Agrees::Feminine) => "duas".to_owned(),
                (_, _) => word(&variant.small, number).to_owned(),
            };
        }
    };
    if rest == 0 { head } else { format!("{head} e {}", cardinal(rest, agrees, variant)) }
}

fn feminine_hundreds(hundreds: &str, agrees: Agrees) -> String {
    match hundreds.strip_suffix("os") {
        Some(stem) if agrees == Agrees::Feminine => format!("{stem}as"),
        _ => hundreds.to_owned(),
    }
}

/// Thousands and what follows: `mil e duzentos`, but `mil duzentos e cinquenta`.
fn join(head: String, rest: u64, agrees: Agrees, variant: &Variant) -> String {
    if rest == 0 {
        return head;
    }
    let and = if rest < 100 || rest < 1_000 && rest.is_multiple_of(100) { " e" } else { "" };
    format!("{head}{and} {}", cardinal(rest, agrees, variant))
}

/// Beyond a hundred people say the plain number.
fn ordinal(number: u64, variant: &Variant) -> String {
    let (tens, ones) = split(number, 10);
    match number {
        0 | 101.. => cardinal(number, Agrees::Alone, variant),
        _ if tens == 0 => word(&ORDINALS, ones).to_owned(),
        _ if ones == 0 => word(&TENTHS, tens).to_owned(),
        _ => format!("{} {}", word(&TENTHS, tens), word(&ORDINALS, ones)),
    }
}

fn day_and_month(date: Date, variant: &Variant) -> String {
    let (day, month, _) = parts(date);
    let day = if day == 1 { "primeiro".to_owned() } else { cardinal(day, Agrees::Alone, variant) };
    format!("{day} de {}", MONTHS[month])
}

fn written_date(date: Date, variant: &Variant) -> String {
    let (_, _, year) = parts(date);
    format!("{} de {}", day_and_month(date, variant), cardinal(year, Agrees::Alone, variant))
}

fn written_month(date: Date, variant: &Variant) -> String {
    let (_, month, year) = parts(date);
    format!("{} de {}", MONTHS[month], cardinal(year, Agrees::Alone, variant))
}

fn written_day(date: Date, variant: &Variant) -> String {
    format!("{}, {}", WEEKDAYS[weekday(date)], day_and_month(date, variant))
}

fn time(hour: u8, minute: u8, variant: &Variant) -> String {
    let hours = cardinal(u64::from(hour), Agrees::Feminine, variant);
    let name = if hour < 2 { "hora" } else { "horas" };
    let said = format!("{hours} {name}");
    match minute {
        0 => said,
        1 => format!("{said} e um minuto"),
        _ => format!("{said} e {} minutos", cardinal(u64::from(minute), Agrees::Masculine, variant)),
    }
}

fn counted(number: u64, agrees: Agrees, of: &str, variant: &Variant) -> String {
    let de = if number > 0 && number.is_multiple_of(1_000_000) { "de " } else { "" };
    format!("{} {de}{of}", cardinal(number, agrees, variant))
}
