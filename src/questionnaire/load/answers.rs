//! What can be answered, and by which keys: options, numbers, and keys that mean two things.

use super::attributes::{self, text, value_at};
use super::offer::Offered;
use super::schema::{MAX_DIGITS, MAX_NUMBER};
use super::{Moment, Reading};
use crate::questionnaire::{Answers, Choice, Command, Key, NumberRange, Type, Value, checks};
use crate::xml::{Element, Position};

/// Options of one choice.
const MAX_OPTIONS: usize = 100;

impl Reading<'_> {
    /// The options of a question, and how they are offered.
    pub(super) fn options<'e>(&mut self, question: &'e Element) -> (Answers, Offered<'e>) {
        let elements: Vec<&Element> =
            question.elements().filter(|child| child.name == "option").take(MAX_OPTIONS + 1).collect();
        if elements.is_empty() || elements.len() > MAX_OPTIONS {
            let check = if elements.is_empty() { &checks::NO_OPTIONS } else { &checks::TOO_MUCH };
            self.findings.add(check, question.at, format!("a choice has 1 to {MAX_OPTIONS} options"), None);
        }
        let offered = self.offer(question, elements, true);
        let variable = self.outline.variables.0.get(text(question, "id"));
        let numbers = variable.is_some_and(|variable| variable.of == Type::Number);
        let mut choices: Vec<Choice> = Vec::new();
        for (element, keys) in offered.options.iter().zip(&offered.keys) {
            let choice = self.option(element, keys.clone(), numbers, offered.offer.say.is_empty());
            self.compare(element, &choice, &choices);
            choices.push(choice);
        }
        (Answers::Choice(choices), offered)
    }

    fn option(&mut self, element: &Element, keys: String, numbers: bool, may_be_silent: bool) -> Choice {
        let written = text(element, "value");
        let value = written.parse().ok().filter(|_| numbers).map(|number: u64| Value::from(number));
        Choice {
            keys,
            value: value.unwrap_or_else(|| Value::Text(written.to_owned())),
            say: self.says(element, may_be_silent, Moment::After),
            language: element.attribute("language").and_then(|attribute| self.language(attribute)),
            go: self.target(element, "go"),
        }
    }

    /// Whether an option can be told from those before it.
    fn compare(&mut self, element: &Element, choice: &Choice, before: &[Choice]) {
        let at = element.attribute("key").map_or(element.at, value_at);
        for other in before {
            if other.value == choice.value {
                let value_at = element.attribute("value").map_or(element.at, value_at);
                self.findings.add(
                    &checks::DOUBLE_VALUE,
                    value_at,
                    format!("the value `{}` stands twice", choice.value),
                    None,
                );
            }
            if other.keys == choice.keys {
                self.findings.add(
                    &checks::DOUBLE_KEY,
                    at,
                    format!("the key {} stands for two options", choice.keys),
                    None,
                );
            } else if other.keys.starts_with(&choice.keys) || choice.keys.starts_with(&other.keys) {
                let (short, long) = match other.keys.len() < choice.keys.len() {
                    true => (&other.keys, &choice.keys),
                    false => (&choice.keys, &other.keys),
                };
                let what = format!(
                    "{short} is ambiguous: it may be the beginning of {long}, so whoever presses {short} waits"
                );
                self.findings.add(
                    &checks::AMBIGUOUS_KEY,
                    at,
                    what,
                    "give all options the same number of keys".to_owned(),
                );
            }
        }
    }

    pub(super) fn yes_no(&mut self, question: &Element) -> Answers {
        let key = |name, otherwise| attributes::key(question, name).map_or(otherwise, |key| key.to_string());
        let choice = |value: &str, keys| Choice {
            keys,
            value: Value::Text(value.to_owned()),
            say: Vec::new(),
            language: None,
            go: None,
        };
        let (yes, no) = (key("yes", "1".to_owned()), key("no", "2".to_owned()));
        if yes == no {
            self.findings.add(
                &checks::DOUBLE_KEY,
                question.at,
                format!("the key {yes} is both yes and no"),
                None,
            );
        }
        Answers::Choice(vec![choice("yes", yes), choice("no", no)])
    }

    pub(super) fn number(&mut self, question: &Element) -> Answers {
        let bound = |name| attributes::count(question, name);
        let (min, stated_max) = (bound("min").unwrap_or(0), bound("max"));
        let digits = digits(question);
        // Without a max, whatever the digits can spell.
        let spelt = |(_, most): (u8, u8)| 10_u64.pow(u32::from(most).min(15)) - 1;
        let max = stated_max.or(digits.map(spelt)).unwrap_or(MAX_NUMBER);
        if min > max {
            self.findings.add(
                &checks::IMPOSSIBLE_NUMBER,
                question.at,
                format!("min ({min}) is greater than max ({max})"),
                None,
            );
        }
        let needed = u8::try_from(max.to_string().len()).unwrap_or(MAX_DIGITS);
        let (min_digits, max_digits) = digits.unwrap_or((1, needed));
        if max_digits < needed {
            let what = format!("{max} cannot be keyed with {max_digits} digits");
            self.findings.add(
                &checks::IMPOSSIBLE_NUMBER,
                question.attribute("digits").map_or(question.at, value_at),
                what,
                None,
            );
        }
        let end = attributes::key(question, "end");
        if let (Some(end), Some(attribute)) = (end, question.attribute("end"))
            && end.digit().is_some()
        {
            let what = format!("the key {end} is a digit of the number and ends it");
            self.findings.add(&checks::KEY_CLASH, value_at(attribute), what, "end it with # or *".to_owned());
        }
        Answers::Number(NumberRange { min, max, places: 0, min_digits, max_digits, end })
    }

    /// The command keys that hold at a question; a key that is both a command and part of an answer is an
    /// error.
    pub(super) fn commands(&mut self, question: &Element, answers: &Answers) -> Vec<(Key, Command)> {
        let wanted = wanted_commands(question);
        let declared = &self.outline.commands;
        let commands: Vec<_> =
            declared.iter().copied().filter(|(_, command)| wanted.contains(command)).collect();
        for (key, command) in &commands {
            let name = command.as_str();
            let Some((at, what)) = clash(question, answers, *key) else { continue };
            let what = format!("the key {key} is {name} and also {what}");
            let mend = format!("take another key, or write commands= at this question without `{name}`");
            self.findings.add(&checks::KEY_CLASH, at, what, mend);
        }
        commands
    }
}

/// `digits="3"` or `digits="1-3"`: the fewest and the most.
fn digits(question: &Element) -> Option<(u8, u8)> {
    let value = attributes::value(question, "digits")?;
    let (fewest, most) = value.split_once('-').unwrap_or((value, value));
    fewest.parse().ok().zip(most.parse().ok())
}

fn wanted_commands(question: &Element) -> Vec<Command> {
    let Some(wanted) = attributes::value(question, "commands") else { return Command::ALL.to_vec() };
    let wanted: Vec<&str> = wanted.split_whitespace().collect();
    Command::ALL.into_iter().filter(|command| wanted.contains(&command.as_str())).collect()
}

/// Where a key stands in an answer.
fn clash(question: &Element, answers: &Answers, key: Key) -> Option<(Position, String)> {
    match answers {
        Answers::Choice(choices) | Answers::Language(choices) => {
            let found = choices.iter().position(|choice| choice.keys.contains(key.as_char()))?;
            let value = choices.get(found).map(|choice| choice.value.to_string()).unwrap_or_default();
            let option = question.elements().filter(|child| child.name == "option").nth(found);
            let attribute =
                option.map_or_else(|| question.attribute(&value), |option| option.attribute("key"));
            Some((attribute.map_or(question.at, value_at), format!("a key of the answer `{value}`")))
        }
        Answers::Number(range) if range.end == Some(key) => {
            let at = question.attribute("end").map_or(question.at, value_at);
            Some((at, "the key that ends the number".to_owned()))
        }
        Answers::Number(range) => {
            let digit = u64::from(key.digit()?);
            let possible = range.max_digits > 1 || (range.min..=range.max).contains(&digit);
            possible.then(|| (question.at, "a digit of the number".to_owned()))
        }
        Answers::Scale(_)
        | Answers::Digits(_)
        | Answers::Multi(_)
        | Answers::Date(_)
        | Answers::Time(_)
        | Answers::Record(_)
        | Answers::Appointment(_) => None,
    }
}
