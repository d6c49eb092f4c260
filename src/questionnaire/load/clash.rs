//! Keys that mean two things: a command, a code, an end key that is also an answer.

use super::Reading;
use super::attributes::{self, value_at};
use crate::questionnaire::{
    Answers, AppointmentAsk, Command, DateEntry, DigitPattern, DigitString, Key, MultiStyle, NonReply,
    NumberRange, POINT, TimeEntry, checks,
};
use crate::xml::{Element, Position};

impl Reading<'_> {
    /// The command keys that hold at a question; a key that is both a command and part of an answer is an
    /// error.
    pub(super) fn commands(
        &mut self,
        question: &Element,
        answers: &Answers,
        codes: &[NonReply],
    ) -> Vec<(Key, Command)> {
        let wanted = wanted_commands(question);
        let declared = &self.outline.commands;
        let commands: Vec<_> =
            declared.iter().copied().filter(|(_, command)| wanted.contains(command)).collect();
        for (key, command) in &commands {
            let name = command.as_str();
            let Some((at, what)) = clash(question, answers, codes, *key) else { continue };
            let what = format!("the key {key} is {name} and also {what}");
            let mend = format!("take another key, or write commands= at this question without `{name}`");
            self.findings.add(&checks::KEY_CLASH, at, what, mend);
        }
        commands
    }
}

fn wanted_commands(question: &Element) -> Vec<Command> {
    let Some(wanted) = attributes::value(question, "commands") else { return Command::ALL.to_vec() };
    let wanted: Vec<&str> = wanted.split_whitespace().collect();
    Command::ALL.into_iter().filter(|command| wanted.contains(&command.as_str())).collect()
}

/// Where a key stands in an answer, a code, or what follows the first entry.
fn clash(question: &Element, answers: &Answers, codes: &[NonReply], key: Key) -> Option<(Position, String)> {
    let of_child = |name: &str, nth: usize, attribute: &str| {
        let child = question.elements().filter(|child| child.name == name).nth(nth);
        child.and_then(|child| child.attribute(attribute)).map_or(question.at, value_at)
    };
    if let Some((nth, code)) = codes.iter().enumerate().find(|(_, code)| code.keys.contains(key.as_char())) {
        let elements =
            question.elements().filter(|child| matches!(child.name.as_str(), "refuse" | "dont-know"));
        let attribute = elements.filter_map(|child| child.attribute("key")).nth(nth);
        return Some((attribute.map_or(question.at, value_at), format!("a key of the code {}", code.keys)));
    }
    if answers.end() == Some(key) {
        let at = question.attribute("end").map_or(question.at, value_at);
        return Some((at, "the key that ends the answer".to_owned()));
    }
    if let Some((element, attribute)) = follow_up(question, key) {
        return Some((
            element.attribute(attribute).map_or(element.at, value_at),
            format!("that of {attribute}= in `{}`", element.name),
        ));
    }
    match answers {
        Answers::Choice(choices) | Answers::Language(choices) => {
            let found = choices.iter().position(|choice| choice.keys.contains(key.as_char()))?;
            let value = choices.get(found).map(|choice| choice.value.to_string()).unwrap_or_default();
            let at = match question.elements().any(|child| child.name == "option") {
                true => of_child("option", found, "key"),
                false => question.attribute(&value).map_or(question.at, value_at),
            };
            Some((at, format!("a key of the answer `{value}`")))
        }
        Answers::Multi(multi) => match multi.style {
            MultiStyle::Keys { .. } => {
                let found = multi.options.iter().position(|option| option.keys.contains(key.as_char()))?;
                let value = multi.options.get(found).map(|option| option.value.clone()).unwrap_or_default();
                Some((of_child("option", found, "key"), format!("a key of the answer `{value}`")))
            }
            MultiStyle::OneByOne { yes, no } => {
                [yes, no].contains(&key).then(|| (question.at, "a key for yes or no".to_owned()))
            }
        },
        Answers::Record(recording) => {
            let ends = recording.term_chars.contains(&key);
            let at = question.attribute("end").map_or(question.at, value_at);
            ends.then(|| (at, "the key that ends the recording".to_owned()))
        }
        Answers::Appointment(appointment) => match &appointment.ask {
            AppointmentAsk::Slots(slots) => {
                let found = slots.iter().position(|slot| slot.key == key)?;
                Some((of_child("slot", found, "key"), "a key of a slot".to_owned()))
            }
            AppointmentAsk::DateAndTime { .. } => is_digit(question, key),
        },
        Answers::Number(range) | Answers::Scale(crate::questionnaire::Scale { range, .. }) => {
            if range.places > 0 && key.as_char() == POINT {
                return Some((question.at, "the point of the number".to_owned()));
            }
            let digit = u64::from(key.digit()?);
            let possible =
                range.max_digits > 1 || range.places > 0 || (range.min..=range.max).contains(&digit);
            possible.then(|| (question.at, "a digit of the number".to_owned()))
        }
        Answers::Digits(_) | Answers::Date(_) | Answers::Time(_) => is_digit(question, key),
    }
}

fn is_digit(question: &Element, key: Key) -> Option<(Position, String)> {
    key.digit().map(|_| (question.at, "a digit of the answer".to_owned()))
}

/// The element after the entry (reading back, half of the day, review) in which a key has a meaning.
fn follow_up(question: &Element, key: Key) -> Option<(&Element, &'static str)> {
    const KEYS: [(&str, &[(&str, char)]); 3] = [
        ("confirm", &[("yes", '1'), ("no", '2')]),
        ("half-day", &[("am", '1'), ("pm", '2')]),
        ("review", &[("listen", '1'), ("keep", '2'), ("again", '3')]),
    ];
    question.elements().find_map(|child| {
        let (_, names) = KEYS.iter().find(|(name, _)| *name == child.name)?;
        let mine = |name: &&(&str, char)| {
            attributes::key(child, name.0).map_or(name.1, Key::as_char) == key.as_char()
        };
        names.iter().find(mine).map(|(name, _)| (child, *name))
    })
}

/// What these keys are as an answer, if they are one.
pub(super) fn meaning(answers: &Answers, keys: &str) -> Option<String> {
    let digits = || keys.bytes().all(|byte| byte.is_ascii_digit());
    if answers.end().is_some_and(|end| keys.contains(end.as_char())) {
        return Some("the key that ends the answer".to_owned());
    }
    match answers {
        Answers::Choice(choices) | Answers::Language(choices) => {
            let choice = choices.iter().find(|choice| choice.keys == keys)?;
            Some(format!("the answer `{}`", choice.value))
        }
        Answers::Number(range) | Answers::Scale(crate::questionnaire::Scale { range, .. }) => {
            of_number(range, keys)
        }
        Answers::Digits(shape) => of_digits(shape, keys),
        Answers::Multi(multi) => match multi.style {
            MultiStyle::Keys { .. } => {
                let begins = |option: &&crate::questionnaire::MultiOption| {
                    !option.keys.is_empty()
                        && (keys.starts_with(&option.keys) || option.keys.starts_with(keys))
                };
                multi.options.iter().find(begins).map(|option| format!("the answer `{}`", option.value))
            }
            MultiStyle::OneByOne { yes, no } => {
                let one = |key: Key| keys.starts_with(key.as_char());
                (one(yes) || one(no)).then(|| "yes or no".to_owned())
            }
        },
        Answers::Date(DateEntry { format, .. }) => {
            (digits() && keys.len() >= format.digits()).then(|| "a date".to_owned())
        }
        Answers::Time(TimeEntry { .. }) => (digits() && keys.len() >= 3).then(|| "a time".to_owned()),
        Answers::Record(recording) => match keys.len() {
            1 => {
                let ends = |key: &Key| keys.starts_with(key.as_char());
                recording.term_chars.iter().any(ends).then(|| "the key that ends the recording".to_owned())
            }
            _ => Some("several keys, where a recording takes one".to_owned()),
        },
        Answers::Appointment(appointment) => match &appointment.ask {
            AppointmentAsk::Slots(slots) => {
                let one = slots.iter().any(|slot| keys.starts_with(slot.key.as_char()));
                one.then(|| "a slot".to_owned())
            }
            AppointmentAsk::DateAndTime { .. } => {
                (digits() && keys.len() >= 3).then(|| "a date or a time".to_owned())
            }
        },
    }
}

/// A number that these keys spell.
fn of_number(range: &NumberRange, keys: &str) -> Option<String> {
    let (whole, fraction) = match keys.split_once(POINT).filter(|_| range.places > 0) {
        Some((whole, fraction)) => (whole, fraction),
        None => (keys, ""),
    };
    if range.places > 0 && keys.starts_with(POINT) {
        return Some("the beginning of a number, its point".to_owned());
    }
    let places = usize::from(range.places);
    let spelt = format!("{whole}{fraction:0<places$}");
    let fits = (usize::from(range.min_digits)..=usize::from(range.max_digits)).contains(&whole.len());
    let value: u64 = spelt.parse().ok().filter(|_| fits && fraction.len() <= places)?;
    (range.min..=range.max).contains(&value).then(|| format!("the answer {}", range.number(value)))
}

fn of_digits(shape: &DigitString, keys: &str) -> Option<String> {
    let fits = |pattern: &DigitPattern| {
        pattern.0.len() == keys.len()
            && keys.bytes().zip(&pattern.0).all(|(byte, allowed)| {
                byte.is_ascii_digit() && allowed & 1_u16.checked_shl(u32::from(byte - b'0')).unwrap_or(0) != 0
            })
    };
    let long = (usize::from(shape.min)..=usize::from(shape.max)).contains(&keys.len());
    let any = shape.patterns.is_empty() && keys.bytes().all(|byte| byte.is_ascii_digit());
    (long && (any || shape.patterns.iter().any(fits))).then(|| "an answer".to_owned())
}
