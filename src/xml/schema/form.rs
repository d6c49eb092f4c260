//! What the value of an attribute looks like: judged here, and said the same way in XSD by `xsd`.

use std::time::Duration;

use super::Schema;
use crate::xml::{Attribute, Findings, checks, did_you_mean};

/// Characters of a name.
pub(super) const MAX_NAME_CHARACTERS: usize = 40;
/// Characters of a path below the directory of the file.
pub(super) const MAX_PATH_CHARACTERS: usize = 200;
/// White space of XML.
pub(super) const WHITE: [char; 4] = [' ', '\t', '\n', '\r'];

/// The form of an attribute's value. Times are in milliseconds, limits are inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A new name in this name space (empty: in none): letters, digits and `_`.
    Name(&'static str),
    /// A name that stands elsewhere in this name space; whether it does is not checked here.
    Ref(&'static str),
    /// Any text.
    Any,
    /// A text of 1 to so many characters that is not blank.
    Line(usize),
    /// A whole number within limits.
    Whole(u64, u64),
    /// A length of time within limits, such as `5s` or `1500ms`. The lower limit is in tenths of a second,
    /// the upper one in seconds.
    Time(u64, u64),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// One or more of these words with spaces between; or the word for none of them, alone.
    Words(&'static [&'static str], &'static str),
    /// One key of a telephone.
    Key,
    /// One to so many keys.
    Keys(u8),
    /// How many digits, `2` or `1-3`, so many at most.
    Digits(u8),
    /// A condition or another expression; whether it is one is not checked here.
    Expression,
    /// A language tag; whether the document speaks it is not checked here.
    Language,
    /// One to so many language tags with spaces between.
    Languages(usize),
    /// A path below the directory of the file.
    Path,
    /// A form that this kind of document alone has.
    Shape(&'static Shape),
}

/// A form that one kind of document has: told to people by an example, to editors by a pattern.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// What it is, as in `it is a time such as 08:30`.
    pub example: &'static str,
    /// Regular expression of XSD 1.0 (part 2, appendix F) that `fits` agrees with.
    pub pattern: &'static str,
    /// Whether a value has the form.
    pub fits: fn(&str) -> bool,
}

impl PartialEq for Shape {
    fn eq(&self, other: &Self) -> bool {
        self.pattern == other.pattern
    }
}

impl Eq for Shape {}

impl Form {
    /// Whether a value has this form.
    #[must_use]
    pub fn fits(self, value: &str, schema: &Schema) -> bool {
        match self {
            Self::Name(_) => is_name(value) && !schema.reserved.contains(&value),
            Self::Ref(_) | Self::Any | Self::Expression | Self::Language => true,
            Self::Line(most) => !value.trim_matches(WHITE).is_empty() && value.chars().count() <= most,
            Self::Whole(least, most) => {
                let value = value.trim_matches(WHITE);
                let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
                digits && value.parse().is_ok_and(|number: u64| (least..=most).contains(&number))
            }
            Self::Time(least, most) => {
                let limits = Duration::from_millis(least)..=Duration::from_millis(most);
                time(value).is_some_and(|time| limits.contains(&time))
            }
            Self::OneOf(words) => words.contains(&value),
            Self::Words(words, none) => {
                let given: Vec<&str> = value.split(WHITE).filter(|word| !word.is_empty()).collect();
                given == [none] || (!given.is_empty() && given.iter().all(|word| words.contains(word)))
            }
            Self::Key => value.len() == 1 && value.chars().all(is_key),
            Self::Keys(most) => (1..=usize::from(most)).contains(&value.len()) && value.chars().all(is_key),
            Self::Digits(most) => {
                let (fewest, longest) = value.split_once('-').unwrap_or((value, value));
                let digits = |text: &str| text.parse::<u8>().ok().filter(|_| !text.starts_with(['0', '+']));
                digits(fewest)
                    .zip(digits(longest))
                    .is_some_and(|(fewest, longest)| fewest <= longest && longest <= most)
            }
            Self::Languages(most) => {
                let tags = || value.split(WHITE).filter(|tag| !tag.is_empty());
                tags().all(is_language) && (1..=most).contains(&tags().count())
            }
            Self::Path => is_path(value),
            Self::Shape(shape) => (shape.fits)(value),
        }
    }

    /// Says what is wrong with a value, if something is.
    pub(super) fn check(self, attribute: &Attribute, schema: &Schema, findings: &mut Findings) {
        let value = attribute.value.value.as_str();
        if self.fits(value, schema) {
            return;
        }
        let name = &attribute.name;
        let (what, mend) = match self {
            Self::Name(_) => wrong_name(value, schema),
            Self::Line(most) => (format!("`{name}` has 1 to {most} characters"), None),
            Self::Languages(most) => wrong_languages(value, most, schema),
            Self::Path => (
                format!("`{value}` is not a path below the {}'s own directory", schema.title),
                Some("write a path such as `audio/en/hello.wav`".to_owned()),
            ),
            Self::Ref(_)
            | Self::Any
            | Self::Expression
            | Self::Language
            | Self::Whole(..)
            | Self::Time(..)
            | Self::OneOf(_)
            | Self::Words(..)
            | Self::Key
            | Self::Keys(_)
            | Self::Digits(_)
            | Self::Shape(_) => {
                let what = if value.is_empty() {
                    format!("`{name}` is empty")
                } else {
                    format!("`{name}` cannot be `{}`", short(value))
                };
                (what, self.mend(value))
            }
        };
        let check = if !matches!(self, Self::Name(_)) {
            &checks::WRONG_VALUE
        } else if schema.reserved.contains(&value) {
            &checks::RESERVED_NAME
        } else {
            &checks::WRONG_NAME
        };
        findings.add(check, attribute.value.place(0), what, mend);
    }

    /// What to write in place of a value that does not fit.
    fn mend(self, value: &str) -> Option<String> {
        match self {
            Self::Whole(least, most) => Some(format!("it is a whole number from {least} to {most}")),
            Self::Time(least, most) => {
                let (least, most) = (in_words(least), in_words(most));
                Some(format!("it is a time such as `5s` or `1500ms`, from {least} to {most}"))
            }
            Self::OneOf(words) => did_you_mean(value, words.iter().copied())
                .or_else(|| Some(format!("it can be {}", words.join(", ")))),
            Self::Words(words, none) => {
                let mut given = value.split(WHITE).filter(|word| !word.is_empty());
                let unknown = given.find(|word| !words.contains(word) && *word != none);
                let near = unknown.and_then(|word| did_you_mean(word, words.iter().copied()));
                near.or_else(|| Some(format!("it can be {none}, or some of {}", words.join(", "))))
            }
            Self::Key => Some("it is one key: 0-9, *, #, A-D".to_owned()),
            Self::Keys(most) => Some(format!("it is 1 to {most} keys of 0-9, *, #, A-D")),
            Self::Digits(most) => Some(format!("write `2` or `1-3`; {most} at most")),
            Self::Shape(shape) => Some(format!("it is {}", shape.example)),
            Self::Name(_) | Self::Ref(_) | Self::Any | Self::Line(_) | Self::Expression => None,
            Self::Language | Self::Languages(_) | Self::Path => None,
        }
    }
}

/// A time in milliseconds as it is written: `500ms`, `60s`.
fn in_words(milliseconds: u64) -> String {
    match milliseconds.is_multiple_of(1_000) {
        true => format!("{}s", milliseconds / 1_000),
        false => format!("{milliseconds}ms"),
    }
}

fn short(value: &str) -> String {
    value.chars().take(60).collect()
}

fn is_key(character: char) -> bool {
    matches!(character, '0'..='9' | '*' | '#' | 'A'..='D' | 'a'..='d')
}

fn starts_name(character: char) -> bool {
    character.is_ascii_alphabetic() || character == '_'
}

fn is_name(value: &str) -> bool {
    value.starts_with(starts_name)
        && value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && value.len() <= MAX_NAME_CHARACTERS
}

fn wrong_name(value: &str, schema: &Schema) -> (String, Option<String>) {
    if schema.reserved.contains(&value) {
        return (format!("`{value}` cannot be a name; it is a word of expressions"), None);
    }
    let starts = value.starts_with(starts_name);
    let mended: String = value.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if starts && mended == value {
        return (format!("a name of more than {MAX_NAME_CHARACTERS} characters"), None);
    }
    let what = format!(
        "`{}` is no name; a name has letters, digits and `_`, and begins with no digit",
        short(value)
    );
    (what, starts.then(|| format!("write `{mended}`")))
}

/// A language tag (BCP 47), by its shape.
fn is_language(tag: &str) -> bool {
    tag.split('-').enumerate().all(|(i, part)| {
        (1..=8).contains(&part.len())
            && part.chars().all(|c| c.is_ascii_alphabetic() || (i > 0 && c.is_ascii_digit()))
    })
}

fn wrong_languages(value: &str, most: usize, schema: &Schema) -> (String, Option<String>) {
    let wrong = value.split(WHITE).find(|tag| !tag.is_empty() && !is_language(tag));
    match wrong {
        Some(tag) => {
            let mend = "write tags such as `en` or `pt-BR`".to_owned();
            (format!("`{}` is no language tag", short(tag)), Some(mend))
        }
        None => (format!("a {} has 1 to {most} languages", schema.title), None),
    }
}

fn is_path(path: &str) -> bool {
    let inside = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    inside && !path.contains(['\\', ':']) && path.chars().count() <= MAX_PATH_CHARACTERS
}

/// A length of time: a whole number with `ms`, `s` or `m`, seconds also with up to three decimals.
#[must_use]
pub fn time(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (whole, rest) = text.split_at(digits);
    let whole: u64 = whole.parse().ok()?;
    let milliseconds = match rest {
        "ms" => Some(whole),
        "s" => whole.checked_mul(1_000),
        "m" => whole.checked_mul(60_000),
        _ => {
            let decimals = rest.strip_prefix('.')?.strip_suffix('s')?;
            let right = (1..=3).contains(&decimals.len()) && decimals.bytes().all(|b| b.is_ascii_digit());
            let thousandths: u64 = format!("{decimals:0<3}").parse().ok().filter(|_| right)?;
            whole.checked_mul(1_000)?.checked_add(thousandths)
        }
    };
    milliseconds.map(Duration::from_millis)
}
