//! What is said, language by language. The rows are the reference: a speaker of the language can read them.

use super::*;

fn say(form: &str, language: &str, value: &str) -> String {
    SayAs::read(form).unwrap().say(language, value)
}

fn all(form: &str, value: &str) -> [String; 6] {
    LANGUAGES.map(|language| say(form, language, value))
}

#[test]
fn numbers_in_words() {
    for (value, expected) in [
        ("0", ["zero", "sifuri", "zéro", "cero", "null", "zero"]),
        ("1", ["one", "moja", "un", "uno", "eins", "um"]),
        ("16", ["sixteen", "kumi na sita", "seize", "dieciséis", "sechzehn", "dezesseis"]),
        ("21", ["twenty-one", "ishirini na moja", "vingt et un", "veintiuno", "einundzwanzig", "vinte e um"]),
        (
            "71",
            [
                "seventy-one",
                "sabini na moja",
                "soixante et onze",
                "setenta y uno",
                "einundsiebzig",
                "setenta e um",
            ],
        ),
        ("80", ["eighty", "themanini", "quatre-vingts", "ochenta", "achtzig", "oitenta"]),
        (
            "99",
            [
                "ninety-nine",
                "tisini na tisa",
                "quatre-vingt-dix-neuf",
                "noventa y nueve",
                "neunundneunzig",
                "noventa e nove",
            ],
        ),
    ] {
        assert_eq!(all("number", value), expected, "{value}");
    }
}

#[test]
fn large_and_broken_numbers_in_words() {
    for (value, expected) in [
        ("100", ["one hundred", "mia moja", "cent", "cien", "einhundert", "cem"]),
        (
            "125",
            [
                "one hundred and twenty-five",
                "mia moja na ishirini na tano",
                "cent vingt-cinq",
                "ciento veinticinco",
                "einhundertfünfundzwanzig",
                "cento e vinte e cinco",
            ],
        ),
        (
            "1001",
            ["one thousand and one", "elfu moja, moja", "mille un", "mil uno", "eintausendeins", "mil e um"],
        ),
        (
            "1250",
            [
                "one thousand two hundred and fifty",
                "elfu moja, mia mbili na hamsini",
                "mille deux cent cinquante",
                "mil doscientos cincuenta",
                "eintausendzweihundertfünfzig",
                "mil duzentos e cinquenta",
            ],
        ),
        (
            "200000",
            [
                "two hundred thousand",
                "elfu mia mbili",
                "deux cent mille",
                "doscientos mil",
                "zweihunderttausend",
                "duzentos mil",
            ],
        ),
        ("1000000", ["one million", "milioni moja", "un million", "un millón", "eine Million", "um milhão"]),
        (
            "-3.05",
            [
                "minus three point zero five",
                "kasoro tatu nukta sifuri tano",
                "moins trois virgule zéro cinq",
                "menos tres coma cero cinco",
                "minus drei Komma null fünf",
                "menos três vírgula zero cinco",
            ],
        ),
    ] {
        assert_eq!(all("number", value), expected, "{value}");
    }
    assert_eq!(say("number", "sw", "25000"), "elfu ishirini na tano");
    assert_eq!(say("number", "sw", "20005"), "elfu ishirini, tano", "told apart by the pause");
    assert_eq!(say("number", "pt-PT", "16"), "dezasseis");
    assert_eq!(say("number", "pt-PT", "2000000000"), "dois mil milhões");
    assert_eq!(say("number", "es", "21000"), "veintiún mil");
    assert_eq!(say("number", "fr", "80000"), "quatre-vingt mille");
}

#[test]
fn ordinals() {
    for (value, expected) in [
        ("1", ["first", "wa kwanza", "premier", "primero", "erste", "primeiro"]),
        ("2", ["second", "wa pili", "deuxième", "segundo", "zweite", "segundo"]),
        ("5", ["fifth", "wa tano", "cinquième", "quinto", "fünfte", "quinto"]),
        (
            "21",
            [
                "twenty-first",
                "wa ishirini na moja",
                "vingt et unième",
                "vigésimo primero",
                "einundzwanzigste",
                "vigésimo primeiro",
            ],
        ),
        ("9", ["ninth", "wa tisa", "neuvième", "noveno", "neunte", "nono"]),
        ("80", ["eightieth", "wa themanini", "quatre-vingtième", "octogésimo", "achtzigste", "octogésimo"]),
        (
            "103",
            [
                "one hundred and third",
                "wa mia moja na tatu",
                "cent troisième",
                "ciento tres",
                "einhundertdritte",
                "cento e três",
            ],
        ),
    ] {
        assert_eq!(all("ordinal", value), expected, "{value}");
    }
    assert_eq!(say("ordinal", "en", "12"), "twelfth");
    assert_eq!(say("ordinal", "de", "112"), "einhundertzwölfte");
    assert_eq!(say("ordinal", "es", "17"), "decimoséptimo");
}

#[test]
fn money() {
    assert_eq!(
        all("money USD", "12.50"),
        [
            "twelve dollars and fifty cents",
            "dola kumi na mbili na senti hamsini",
            "douze dollars et cinquante cents",
            "doce dólares con cincuenta centavos",
            "zwölf Dollar und fünfzig Cent",
            "doze dólares e cinquenta centavos",
        ]
    );
    assert_eq!(
        all("money GBP", "21"),
        [
            "twenty-one pounds",
            "pauni ishirini na moja",
            "vingt et une livres",
            "veintiuna libras",
            "einundzwanzig Pfund",
            "vinte e uma libras",
        ]
    );
    assert_eq!(
        all("money EUR", "1.01"),
        [
            "one euro and one cent",
            "yuro moja na senti moja",
            "un euro et un centime",
            "un euro con un céntimo",
            "ein Euro und ein Cent",
            "um euro e um cêntimo",
        ]
    );
    assert_eq!(say("money KES", "sw", "1250"), "shilingi elfu moja, mia mbili na hamsini");
    assert_eq!(say("money EUR", "fr", "2000000"), "deux millions d'euros");
    assert_eq!(say("money USD", "es", "1000000"), "un millón de dólares");
    assert_eq!(say("money INR", "de", "1"), "eine Rupie");
    assert_eq!(say("money GBP", "es", "200"), "doscientas libras");
    assert_eq!(say("money USD", "en", "0.5"), "fifty cents");
    assert_eq!(say("money USD", "en", "0"), "zero dollars");
    assert_eq!(say("money USD", "en", "-3"), "minus three dollars");
    assert_eq!(say("money UGX", "en", "500.00"), "five hundred shillings");
}

#[test]
fn every_currency_has_words_in_every_language() {
    for code in Currency::known().split(", ") {
        let currency = Currency::of(code).unwrap();
        for language in LANGUAGES {
            for amount in ["1", "2", "2.00"] {
                let said = SayAs::Money(currency).say(language, amount);
                assert!(
                    !said.contains(char::is_numeric) && !said.contains(['|', '~']),
                    "{code} {language}: {said}"
                );
            }
            let with_coins = SayAs::Money(currency);
            if with_coins.check("2.02").is_ok() {
                let said = with_coins.say(language, "2.02");
                assert!(said.split(' ').count() >= 5 && !said.ends_with(' '), "{code} {language}: {said}");
            }
        }
    }
}

#[test]
fn dates_and_days() {
    assert_eq!(
        all("date", "2026-11-25"),
        [
            "the twenty-fifth of November twenty twenty-six",
            "tarehe ishirini na tano Novemba mwaka elfu mbili, ishirini na sita",
            "vingt-cinq novembre deux mille vingt-six",
            "veinticinco de noviembre de dos mil veintiséis",
            "fünfundzwanzigsten November zweitausendsechsundzwanzig",
            "vinte e cinco de novembro de dois mil e vinte e seis",
        ]
    );
    assert_eq!(
        all("day", "2026-03-01"),
        [
            "Sunday the first of March",
            "Jumapili, tarehe moja Machi",
            "dimanche premier mars",
            "domingo primero de marzo",
            "Sonntag, den ersten März",
            "domingo, primeiro de março",
        ]
    );
    for (date, year) in [
        ("1984-06-03", "nineteen eighty-four"),
        ("1900-06-03", "nineteen hundred"),
        ("1905-06-03", "nineteen oh five"),
        ("2000-06-03", "two thousand"),
        ("2009-06-03", "two thousand and nine"),
        ("2010-06-03", "twenty ten"),
    ] {
        assert_eq!(say("date", "en", date), format!("the third of June {year}"));
    }
    assert_eq!(say("date", "sw", "2026-11"), "Novemba mwaka elfu mbili, ishirini na sita");
    assert_eq!(say("day", "en", "2026-11-25T15:30:00+03:00"), "Wednesday the twenty-fifth of November");
    assert_eq!(say("time", "en", "2026-11-25T15:30:00+03:00"), "three thirty p.m.");
    assert_eq!(say("date", "de", "1984-07-07"), "siebten Juli neunzehnhundertvierundachtzig");
}

#[test]
fn times_of_the_day() {
    for (value, expected) in [
        (
            "14:30",
            [
                "two thirty p.m.",
                "saa nane na nusu mchana",
                "quatorze heures trente",
                "las dos y media de la tarde",
                "vierzehn Uhr dreißig",
                "catorze horas e trinta minutos",
            ],
        ),
        (
            "07:05",
            [
                "seven oh five a.m.",
                "saa moja na dakika tano asubuhi",
                "sept heures cinq",
                "las siete y cinco de la mañana",
                "sieben Uhr fünf",
                "sete horas e cinco minutos",
            ],
        ),
        (
            "1:00",
            ["one a.m.", "saa saba usiku", "une heure", "la una de la madrugada", "ein Uhr", "uma hora"],
        ),
        (
            "00:00:00",
            ["midnight", "saa sita usiku", "zéro heure", "las doce de la madrugada", "null Uhr", "zero hora"],
        ),
    ] {
        assert_eq!(all("time", value), expected, "{value}");
    }
}

#[test]
fn digits_one_by_one() {
    assert_eq!(say("digits", "en", "4072"), "four zero seven two");
    assert_eq!(say("digits", "en", "a1-20"), "A one, two zero");
    assert_eq!(say("digits", "sw", "+254 71"), "jumlisha mbili tano nne, saba moja");
    assert_eq!(say("digits", "de", "10"), "eins null");
    assert_eq!(say("digits", "lg", "40-72"), "4 0, 7 2", "without words, digit by digit all the same");
}

#[test]
fn an_unknown_language_and_a_value_that_does_not_fit_are_said_as_they_are_written() {
    assert_eq!(say("number", "lg", "42"), "42");
    assert_eq!(say("money UGX", "lg", "500"), "500 UGX");
    assert_eq!(say("date", "lg", "2026-11-25"), "2026-11-25");
    assert_eq!(say("date", "en", "tomorrow"), "tomorrow");
    assert_eq!(say("number", "en", ""), "");
    assert!(speaks("pt-BR") && speaks("EN-gb") && !speaks("lg"));
}

#[test]
fn values_are_checked_before_they_are_said() {
    for (form, good, bad) in [
        ("number", "3.5", "1e5"),
        ("number", "999999999999999", "9999999999999999"),
        ("ordinal", "3", "0"),
        ("ordinal", "3.0", "3.5"),
        ("digits", "A1", "--"),
        ("date", "2028-02-29", "2026-02-29"),
        ("date", "2026-11-25", "25.11.2026"),
        ("time", "23:59", "24:00"),
        ("time", "7:05:09", "7.05"),
        ("money USD", "12.5", "12.505"),
        ("money UGX", "500", "500.50"),
    ] {
        let form = SayAs::read(form).unwrap();
        assert_eq!(form.check(good), Ok(()), "{form:?}");
        assert!(form.check(bad).is_err(), "{form:?} takes {bad}");
    }
    let why = SayAs::read("money UGX").unwrap().check("1.5").unwrap_err();
    assert_eq!(why, "it is said as `money`, so it must be an amount in whole numbers, such as 1250");
}

#[test]
fn forms_are_read_with_a_sentence_for_each_mistake() {
    let wrong = |form| SayAs::read(form).unwrap_err();
    let (what, mend) = wrong("monny USD");
    assert_eq!(
        (what.as_str(), mend.as_deref()),
        ("a value cannot be said as `monny`", Some("did you mean `money`?"))
    );
    assert_eq!(wrong("money").0, "`money` of which currency?");
    assert_eq!(wrong("money usd").0, "the currency `usd` is not known");
    assert_eq!(wrong("date long").0, "nothing follows `date` here");
    assert!(wrong("").1.unwrap().starts_with("it can be number, ordinal"));
}

/// No number is too long, and no two numbers sound alike.
#[test]
fn numbers_are_told_apart() {
    use std::collections::BTreeMap;
    for language in LANGUAGES {
        let words = words_of(language).unwrap();
        let mut heard: BTreeMap<String, u64> = BTreeMap::new();
        let numbers =
            (0..2_500).chain((2_500..1_000_000).step_by(997)).chain([999_999, 1_000_000, 1_000_001]);
        for number in numbers {
            let said = (words.cardinal)(number, Agrees::Alone);
            if let Some(other) = heard.insert(said.clone(), number) {
                assert_eq!(other, number, "{language}: {said}");
            }
        }
        for agrees in [Agrees::Alone, Agrees::Masculine, Agrees::Feminine] {
            assert!((words.cardinal)(u64::MAX / 20_000, agrees).len() < 400);
        }
    }
}
