//! Say-as: numbers, money, dates, times and digits in the words of a language. Pure.
//!
//! ```text
//! {amount:money KES}  "1250.50"  ─► Amount ─┐
//! {visit:date}        "2026-11-25" ─► Date ─┼─► the language's own words ─► text to be spoken
//! {id:digits}         "A204"               ─┘
//! ```
//! Spelling, agreement and order follow the spellout rules of CLDR (RBNF) where it has them. A language that is
//! not here gets the stated form: the value as it is written, digits with spaces between.

mod amount;
mod de;
mod en;
mod es;
mod fr;
mod money;
mod pt;
mod sw;
#[cfg(test)]
mod tests;

use jiff::civil::Date;

use amount::Amount;
pub use money::Currency;

use super::expression::Type;

/// The languages whose words are known, by their primary subtag.
pub const LANGUAGES: [&str; 6] = ["en", "sw", "fr", "es", "de", "pt"];

/// How a value is said: what stands behind the colon of a pipe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum SayAs {
    /// As it is written; numbers are read by the voice itself.
    #[default]
    Written,
    /// `number`: a number in words.
    Number,
    /// `ordinal`: first, second, third.
    Ordinal,
    /// `digits`: digits and letters one by one.
    Digits,
    /// `date`: day, month and year.
    Date,
    /// `day`: weekday, day and month.
    Day,
    /// `time`: a time of the day.
    Time,
    /// `money KES`: an amount in a currency.
    Money(Currency),
}

/// The words of pipes, with an example each.
const WORDS: [(&str, SayAs); 6] = [
    ("number", SayAs::Number),
    ("ordinal", SayAs::Ordinal),
    ("digits", SayAs::Digits),
    ("date", SayAs::Date),
    ("day", SayAs::Day),
    ("time", SayAs::Time),
];

impl SayAs {
    /// Reads what stands behind the colon: `number`, `money KES`.
    ///
    /// # Errors
    /// What is wrong, and how to mend it.
    pub fn read(text: &str) -> Result<Self, (String, Option<String>)> {
        let mut words = text.split_whitespace();
        let (word, rest) = (words.next().unwrap_or_default(), words.collect::<Vec<_>>().join(" "));
        if word == "money" {
            return Currency::of(&rest).map(Self::Money).ok_or_else(|| {
                let mend =
                    format!("write the currency, such as `money USD`; known are {}", Currency::known());
                let what = match rest.is_empty() {
                    true => "`money` of which currency?".to_owned(),
                    false => format!("the currency `{rest}` is not known"),
                };
                (what, Some(mend))
            });
        }
        let found = WORDS.iter().find(|(known, _)| *known == word);
        match found {
            Some((_, say_as)) if rest.is_empty() => Ok(*say_as),
            Some(_) => Err((format!("nothing follows `{word}` here"), Some(format!("write `:{word}`")))),
            None => {
                let all = || WORDS.iter().map(|(known, _)| *known).chain(["money"]);
                let mend = crate::xml::did_you_mean(word, all())
                    .or_else(|| Some(format!("it can be {}", all().collect::<Vec<_>>().join(", "))));
                Err((format!("a value cannot be said as `{word}`"), mend))
            }
        }
    }

    /// Its name in a pipe.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::Number => "number",
            Self::Ordinal => "ordinal",
            Self::Digits => "digits",
            Self::Date => "date",
            Self::Day => "day",
            Self::Time => "time",
            Self::Money(_) => "money",
        }
    }

    /// Whether values of this type can be said so.
    ///
    /// # Errors
    /// Why not, and what to write.
    pub(super) fn suits(self, of: &Type) -> Result<(), (String, String)> {
        let form = self.as_str();
        match (self, of) {
            (_, Type::Voice) => Err((
                "what the callee said is not said in a text".to_owned(),
                "a <review> in the question plays it".to_owned(),
            )),
            (Self::Written, _)
            | (Self::Number | Self::Ordinal | Self::Digits | Self::Money(_), Type::Number)
            | (Self::Digits | Self::Date | Self::Day | Self::Time, Type::Text)
            | (Self::Date | Self::Day, Type::Date)
            | (Self::Time, Type::Time) => Ok(()),
            (Self::Number | Self::Ordinal | Self::Money(_), Type::Text) => Err((
                format!("a text cannot be said as `{form}`"),
                "give the contact field type=\"number\"".to_owned(),
            )),
            (Self::Date | Self::Day | Self::Time, Type::Number) => Err((
                format!("a number cannot be said as `{form}`"),
                format!("`{form}` needs a contact field of type text that holds {}", self.example()),
            )),
            (_, Type::Date | Type::Time) => Err((
                format!("a date or a time cannot be said as `{form}`"),
                "say a date as `date` or `day`, a time as `time`".to_owned(),
            )),
            (_, Type::OneOf(_) | Type::SomeOf(_)) => Err((
                format!("a choice cannot be said as `{form}`"),
                "leave it out: the `say`s of its options are how it is said".to_owned(),
            )),
        }
    }

    /// Whether this value can be said so.
    ///
    /// # Errors
    /// Why not.
    pub fn check(self, value: &str) -> Result<(), String> {
        let fine = match self {
            Self::Written => true,
            Self::Number => Amount::read(value).is_some(),
            Self::Ordinal => Amount::read(value).is_some_and(|amount| amount.whole().is_some()),
            Self::Digits => value.chars().any(char::is_alphanumeric),
            Self::Date | Self::Day => date(value).is_some(),
            Self::Time => time(value).is_some(),
            Self::Money(currency) => Amount::read(value).is_some_and(|amount| currency.holds(&amount)),
        };
        if fine {
            return Ok(());
        }
        let form = self.as_str();
        Err(format!("it is said as `{form}`, so it must be {}", self.example()))
    }

    fn example(self) -> String {
        match self {
            Self::Written => "a text".to_owned(),
            Self::Number => "a number in digits, such as 42 or 3.5".to_owned(),
            Self::Ordinal => "a whole number from 1, such as 3".to_owned(),
            Self::Digits => "digits or letters, such as 40721".to_owned(),
            Self::Date | Self::Day => "a date such as 2026-11-25".to_owned(),
            Self::Time => "a time such as 14:30".to_owned(),
            Self::Money(currency) => currency.example(),
        }
    }

    /// The value in the words of the language. What cannot be said so is said as it is written.
    #[must_use]
    pub fn say(self, language: &str, value: &str) -> String {
        let value = value.trim();
        if value.is_empty() || self == Self::Written {
            return value.to_owned();
        }
        let words = words_of(language);
        let said = match (self, words) {
            (Self::Digits, words) => Some(spelt(value, words.as_ref())),
            (Self::Money(currency), None) => Some(format!("{value} {}", currency.code())),
            (_, None) => None,
            (Self::Number, Some(words)) => Amount::read(value).map(|amount| number(&words, &amount)),
            (Self::Ordinal, Some(words)) => {
                Amount::read(value).and_then(|amount| amount.whole()).map(|number| (words.ordinal)(number))
            }
            (Self::Date, Some(words)) => date(value).map(|on| match on {
                Calendar::Day(date) => (words.date)(date),
                Calendar::Month(date) => (words.month)(date),
            }),
            (Self::Day, Some(words)) => date(value).map(|on| match on {
                Calendar::Day(date) => (words.day)(date),
                Calendar::Month(date) => (words.month)(date),
            }),
            (Self::Time, Some(words)) => time(value).map(|(hour, minute)| (words.time)(hour, minute)),
            (Self::Money(currency), Some(words)) => {
                Amount::read(value).and_then(|amount| currency.say(&words, &amount))
            }
            (Self::Written, Some(_)) => None,
        };
        said.unwrap_or_else(|| value.to_owned())
    }
}

/// Whether the words of a language are known.
#[must_use]
pub fn speaks(language: &str) -> bool {
    words_of(language).is_some()
}

/// What a counted word asks of its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Agrees {
    /// Nothing follows.
    Alone,
    /// A masculine (or neuter) word follows.
    Masculine,
    /// A feminine word follows.
    Feminine,
}

/// A language.
struct Words {
    language: &'static str,
    digits: [&'static str; 10],
    plus: &'static str,
    minus: &'static str,
    point: &'static str,
    cardinal: fn(u64, Agrees) -> String,
    ordinal: fn(u64) -> String,
    date: fn(Date) -> String,
    day: fn(Date) -> String,
    /// Month and year.
    month: fn(Date) -> String,
    time: fn(u8, u8) -> String,
    /// An amount of money: the number before its word, or behind it.
    counted: fn(u64, Agrees, &str) -> String,
    and: &'static str,
}

fn words_of(language: &str) -> Option<Words> {
    let primary = language.split('-').next().unwrap_or_default().to_ascii_lowercase();
    match primary.as_str() {
        "en" => Some(en::WORDS),
        "sw" => Some(sw::WORDS),
        "fr" => Some(fr::WORDS),
        "es" => Some(es::WORDS),
        "de" => Some(de::WORDS),
        "pt" if language.eq_ignore_ascii_case("pt-PT") => Some(pt::EUROPEAN),
        "pt" => Some(pt::WORDS),
        _ => None,
    }
}

fn number(words: &Words, amount: &Amount) -> String {
    let mut said = Vec::new();
    if amount.negative {
        said.push(words.minus.to_owned());
    }
    said.push((words.cardinal)(amount.integer, Agrees::Alone));
    if !amount.fraction.is_empty() {
        said.push(words.point.to_owned());
        said.extend(amount.fraction.chars().filter_map(|c| digit(words, c)).map(str::to_owned));
    }
    said.join(" ")
}

fn digit(words: &Words, character: char) -> Option<&'static str> {
    let index = usize::try_from(character.to_digit(10)?).ok()?;
    words.digits.get(index).copied()
}

/// One by one; what stands between groups of them becomes a pause.
fn spelt(value: &str, words: Option<&Words>) -> String {
    let mut said = String::new();
    let mut pause = false;
    for character in value.chars() {
        let word = match (character, words) {
            ('+', Some(words)) => words.plus.to_owned(),
            (_, Some(words)) if character.is_ascii_digit() => {
                digit(words, character).unwrap_or_default().to_owned()
            }
            _ if character.is_alphanumeric() || character == '+' => character.to_uppercase().collect(),
            _ => {
                pause = !said.is_empty();
                continue;
            }
        };
        if !said.is_empty() {
            said.push_str(if pause { ", " } else { " " });
        }
        pause = false;
        said.push_str(&word);
    }
    said
}

/// A day, or a whole month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Calendar {
    Day(Date),
    Month(Date),
}

/// `2026-11-25`, `2026-11`, or the day of an appointment, `2026-11-25T15:30:00+03:00`.
fn date(value: &str) -> Option<Calendar> {
    let day = value.split_once('T').map_or(value, |(day, _)| day);
    let month = format!("{day}-01");
    let (text, of): (&str, fn(Date) -> Calendar) = match day.len() {
        10 => (day, Calendar::Day),
        7 => (&month, Calendar::Month),
        _ => return None,
    };
    let date: Date = text.parse().ok()?;
    Some(of(date)).filter(|_| date.year() >= 1)
}

/// `14:30`, `14:30:00`, or the time of an appointment.
fn time(value: &str) -> Option<(u8, u8)> {
    let of_day = value.split_once('T').map_or(value, |(_, time)| time);
    let of_day = of_day.split(['+', '-', 'Z', '[']).next()?;
    let parts: Vec<&str> = of_day.split(':').collect();
    let number = |text: &str| {
        let digits = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u8>().ok().filter(|_| digits)
    };
    let (hour, minute) = match parts.as_slice() {
        [hour, minute] => (number(hour)?, number(minute)?),
        [hour, minute, second] => {
            number(second).filter(|second| *second < 60)?;
            (number(hour)?, number(minute)?)
        }
        _ => return None,
    };
    (hour < 24 && minute < 60).then_some((hour, minute))
}

/// `day`, `month` from 1 and `year` as counters of word tables.
fn parts(date: Date) -> (u64, usize, u64) {
    let day = u64::from(date.day().unsigned_abs());
    let month = usize::from(date.month().unsigned_abs()).saturating_sub(1);
    (day, month, u64::from(date.year().unsigned_abs()))
}

/// The weekday, Monday being 0.
fn weekday(date: Date) -> usize {
    usize::from(date.weekday().to_monday_zero_offset().unsigned_abs())
}

/// Splits a number: how many of `unit`, and the rest.
const fn split(number: u64, unit: u64) -> (u64, u64) {
    (number / unit, number % unit)
}

/// A word of a table.
fn word<'a>(table: &[&'a str], index: u64) -> &'a str {
    usize::try_from(index).ok().and_then(|index| table.get(index).copied()).unwrap_or_default()
}
