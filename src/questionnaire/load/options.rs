//! Options: of a choice, a yes-no, a language, and several of them.

use super::attributes::{self, text, value_at};
use super::offer::Offered;
use super::schema::MAX_SEVERAL;
use super::{Moment, Reading};
use crate::questionnaire::{Answers, Choice, Key, Multi, MultiOption, MultiStyle, Type, Value, checks};
use crate::xml::{Element, Position};

/// Options of one choice.
const MAX_OPTIONS: usize = 100;

impl Reading<'_> {
    /// The options of a choice, and how they are offered.
    pub(super) fn options<'e>(&mut self, question: &'e Element) -> (Answers, Offered<'e>) {
        let elements = self.option_elements(question, MAX_OPTIONS);
        let offered = self.offer(question, elements, true);
        let variable = self.outline.variables.0.get(text(question, "id"));
        let numbers = variable.is_some_and(|variable| variable.of == Type::Number);
        let mut choices: Vec<Choice> = Vec::new();
        for (element, keys) in offered.options.iter().zip(&offered.keys) {
            self.option_has(element, &["value"], &["exclusive"]);
            let choice = self.option(element, keys.clone(), numbers, offered.offer.say.is_empty());
            self.compare(element, &choice, &choices);
            choices.push(choice);
        }
        (Answers::Choice(choices), offered)
    }

    fn option_elements<'e>(&mut self, question: &'e Element, most: usize) -> Vec<&'e Element> {
        let elements: Vec<&Element> =
            question.elements().filter(|child| child.name == "option").take(most + 1).collect();
        if elements.is_empty() || elements.len() > most {
            let check = if elements.is_empty() { &checks::NO_OPTIONS } else { &checks::TOO_MUCH };
            let what = format!("a `{}` has 1 to {most} options", question.name);
            self.findings.add(check, question.at, what, None);
            self.flow_is_known &= !elements.is_empty();
        }
        elements
    }

    /// An option has other attributes in each kind of question.
    fn option_has(&mut self, option: &Element, needed: &[&str], useless: &[&str]) {
        for name in needed.iter().filter(|name| option.attribute(name).is_none()) {
            let what = format!("this `option` needs the attribute `{name}`");
            self.findings.add(&checks::INCOMPLETE_OPTION, option.at, what, None);
        }
        for attribute in useless.iter().filter_map(|name| option.attribute(name)) {
            let what = format!("`{}` means nothing at this `option`", attribute.name);
            self.findings.add(&checks::USELESS_ATTRIBUTE, attribute.at, what, "leave it out".to_owned());
        }
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
        for other in before {
            if other.value == choice.value {
                self.double_value(element, "value", &choice.value.to_string());
            }
            self.compare_keys(element, &choice.keys, &other.keys);
        }
    }

    fn double_value(&mut self, element: &Element, attribute: &str, value: &str) {
        let at = element.attribute(attribute).map_or(element.at, value_at);
        self.findings.add(&checks::DOUBLE_VALUE, at, format!("the value `{value}` stands twice"), None);
    }

    fn compare_keys(&mut self, element: &Element, keys: &str, other: &str) {
        let at = element.attribute("key").map_or(element.at, value_at);
        if other == keys {
            let what = format!("the key {keys} stands for two options");
            self.findings.add(&checks::DOUBLE_KEY, at, what, None);
        } else if other.starts_with(keys) || keys.starts_with(other) {
            self.ambiguous(at, other, keys);
        }
    }

    /// Whoever presses the short one waits.
    pub(super) fn ambiguous(&mut self, at: Position, one: &str, other: &str) {
        let (short, long) = if one.len() < other.len() { (one, other) } else { (other, one) };
        let what = format!(
            "{short} is ambiguous: it may be the beginning of {long}, so whoever presses {short} waits"
        );
        let mend = "give all options the same number of keys".to_owned();
        self.findings.add(&checks::AMBIGUOUS_KEY, at, what, mend);
    }

    pub(super) fn yes_no(&mut self, question: &Element) -> Answers {
        let (yes, no) = self.yes_and_no(question);
        let choice = |value: &str, key: Key| Choice {
            keys: key.to_string(),
            value: Value::Text(value.to_owned()),
            say: Vec::new(),
            language: None,
            go: None,
        };
        Answers::Choice(vec![choice("yes", yes), choice("no", no)])
    }

    /// The keys of an element for yes and no.
    pub(super) fn yes_and_no(&mut self, element: &Element) -> (Key, Key) {
        let [yes, no] = self.different(element, [("yes", '1'), ("no", '2')]);
        (yes, no)
    }

    /// Keys of an element that mean different things, with those that they are where it does not say.
    pub(super) fn different<const N: usize>(&mut self, it: &Element, names: [(&str, char); N]) -> [Key; N] {
        let keys = names.map(|(name, otherwise)| {
            attributes::key(it, name).unwrap_or_else(|| Key::new(otherwise).expect("it is a key"))
        });
        for (index, key) in keys.iter().enumerate() {
            let before = keys.iter().take(index).position(|other| other == key);
            if let Some(((name, _), (other, _))) =
                names.get(index).zip(before.and_then(|before| names.get(before)))
            {
                let what = format!("the key {key} is both {other} and {name}");
                self.findings.add(&checks::DOUBLE_KEY, it.at, what, None);
            }
        }
        keys
    }

    /// The options of a language, each said in its own, and how they are offered.
    pub(super) fn language_options<'e>(&mut self, question: &'e Element) -> (Answers, Offered<'e>) {
        let mut choices: Vec<Choice> = Vec::new();
        let heading = question.elements().any(|child| child.name == "say");
        let elements = self.option_elements(question, MAX_OPTIONS);
        let offered = self.offer(question, elements, true);
        for element in &offered.options {
            self.option_has(element, &["key", "language"], &["value", "exclusive", "go"]);
            let language = element.attribute("language").and_then(|attribute| self.language(attribute));
            let say = self.says_so_far(element, Moment::After);
            let speaks = |language: &String| say.iter().any(|say| say.language == *language);
            if let Some(language) = language.as_ref().filter(|language| !heading && !speaks(language)) {
                let what = format!("the option `{language}` says nothing in `{language}`");
                let mend = format!("add <say lang=\"{language}\">…</say>");
                self.findings.add(&checks::MISSING_TRANSLATION, element.at, what, mend);
            }
            for other in &choices {
                if language.is_some() && other.language == language {
                    self.double_value(element, "language", language.as_deref().unwrap_or_default());
                }
                self.compare_keys(element, text(element, "key"), &other.keys);
            }
            let keys = text(element, "key").to_ascii_uppercase();
            let value = Value::Text(language.clone().unwrap_or_default());
            choices.push(Choice { keys, value, say, language, go: None });
        }
        (Answers::Language(choices), offered)
    }

    /// Several options, and how they are offered.
    pub(super) fn multi<'e>(&mut self, question: &'e Element) -> (Answers, Offered<'e>) {
        let one_by_one = attributes::value(question, "style") == Some("one-by-one");
        let most = usize::try_from(MAX_SEVERAL).unwrap_or(usize::MAX);
        let mut options: Vec<MultiOption> = Vec::new();
        let elements = self.option_elements(question, most);
        let offered = self.offer(question, elements, !one_by_one);
        for (element, keys) in offered.options.iter().zip(&offered.keys) {
            let (needed, useless): (&[&str], &[&str]) = match one_by_one {
                true => (&["value"], &["key", "go", "language"]),
                false => (&["value"], &["go", "language"]),
            };
            self.option_has(element, needed, useless);
            let option = MultiOption {
                keys: if one_by_one { String::new() } else { keys.clone() },
                value: text(element, "value").to_owned(),
                say: self.says(element, !one_by_one && offered.offer.say.is_empty(), Moment::Before),
                exclusive: attributes::yes_no(element, "exclusive", false),
            };
            self.compare_several(element, &option, &options, one_by_one);
            if let Some(attribute) = element.attribute("value").filter(|_| option.value.contains(';')) {
                let what =
                    format!("`{}` has a semicolon, which stands between values in tables", option.value);
                self.findings.add(&checks::DOUBLE_VALUE, value_at(attribute), what, None);
            }
            options.push(option);
        }
        let style = match one_by_one {
            true => {
                let (yes, no) = self.yes_and_no(question);
                MultiStyle::OneByOne { yes, no }
            }
            false => MultiStyle::Keys { end: attributes::key(question, "end").or_else(|| Key::new('#')) },
        };
        if let MultiStyle::Keys { end: Some(end) } = style
            && options.iter().any(|option| option.keys.contains(end.as_char()))
        {
            let what = format!("the key {end} is a key of an option and ends the answer");
            let mend = "write another key as end=".to_owned();
            self.findings.add(&checks::KEY_CLASH, question.at, what, mend);
        }
        let together = options.iter().filter(|option| !option.exclusive).count().max(1);
        let together = u8::try_from(together).unwrap_or(u8::MAX);
        let min = attributes::count(question, "min").unwrap_or(u8::from(!one_by_one));
        let max = attributes::count(question, "max").unwrap_or(together);
        if min > max || max > together {
            let what = format!("min is {min} and max is {max}, but {together} can be chosen together");
            let at = question.attribute(if min > max { "min" } else { "max" });
            let at = at.map_or(question.at, value_at);
            self.findings.add(&checks::IMPOSSIBLE_ANSWER, at, what, None);
        }
        (Answers::Multi(Multi { options, style, min, max }), offered)
    }

    /// Keys that are pressed one after the other must not begin with each other: nobody could tell which
    /// were meant.
    fn compare_several(
        &mut self,
        element: &Element,
        option: &MultiOption,
        before: &[MultiOption],
        one_by_one: bool,
    ) {
        let at = element.attribute("key").map_or(element.at, value_at);
        for other in before {
            if other.value == option.value {
                self.double_value(element, "value", &option.value);
            }
            let begins = other.keys.starts_with(&option.keys) || option.keys.starts_with(&other.keys);
            if begins && !one_by_one && !option.keys.is_empty() && !other.keys.is_empty() {
                let what = format!(
                    "the keys {} and {}, one after the other, cannot be told apart",
                    other.keys, option.keys
                );
                let mend = "give all options the same number of keys".to_owned();
                self.findings.add(&checks::DOUBLE_KEY, at, what, mend);
            }
        }
    }
}
