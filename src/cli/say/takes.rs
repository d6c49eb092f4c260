//! What is to be written: each part of each item, in each language, with each of the values that it names.

use std::collections::{BTreeMap, BTreeSet};

use crate::questionnaire::{Filling, Part, Questionnaire, Say, Utterance, Value};

/// Files of one part in one language.
const MAX_TAKES: usize = 200;

/// The name of what is said after the more-time key; no item can have it.
pub(super) const MORE_TIME: &str = "more-time";

/// What is asked for; empty: everything.
pub(super) struct Wanted<'a> {
    pub(super) items: &'a [String],
    pub(super) languages: &'a [String],
    /// Contact fields and replies.
    pub(super) set: BTreeMap<String, String>,
    /// The most values of a reply that are written, each.
    pub(super) most: usize,
}

/// One file.
pub(super) struct Take {
    pub(super) item: String,
    pub(super) part: String,
    pub(super) language: String,
    /// Its path below the directory.
    pub(super) file: String,
    pub(super) said: Vec<Utterance>,
    /// Names whose value is an example.
    pub(super) examples: Vec<String>,
}

impl Take {
    /// All that is said.
    pub(super) fn text(&self) -> String {
        let texts: Vec<&str> = self.said.iter().map(|said| said.text.as_str()).collect();
        texts.join(" ")
    }

    /// For messages.
    pub(super) fn title(&self) -> String {
        format!("{} {} ({})", self.item, self.part, self.language)
    }
}

/// The values that a name is written with.
struct Values<'q> {
    name: String,
    values: Vec<Filling<'q>>,
    is_example: bool,
}

impl Wanted<'_> {
    /// Everything that is asked for, in the order of the questionnaire.
    pub(super) fn takes(&self, questionnaire: &Questionnaire) -> Vec<Take> {
        let mut takes = Vec::new();
        let wanted = |list: &[String], it: &String| list.is_empty() || list.contains(it);
        for language in questionnaire.languages().iter().filter(|language| wanted(self.languages, language)) {
            for item in questionnaire.items().iter().filter(|item| wanted(self.items, &item.id)) {
                for part in item.parts() {
                    takes.extend(self.part(questionnaire, &item.id, &part, language));
                }
            }
            let more_time =
                questionnaire.more_time_part().filter(|_| wanted(self.items, &MORE_TIME.to_owned()));
            takes.extend(
                more_time.iter().flat_map(|part| self.part(questionnaire, MORE_TIME, part, language)),
            );
        }
        let mut files = BTreeSet::new();
        for take in &mut takes {
            let mut number = 1;
            let plain = take.file.clone();
            while !files.insert(take.file.clone()) {
                number += 1;
                take.file = plain.replace(".wav", &format!(".{number}.wav"));
            }
        }
        takes
    }

    fn part(&self, questionnaire: &Questionnaire, item: &str, part: &Part<'_>, language: &str) -> Vec<Take> {
        let says: Vec<&Say> = part.says.iter().filter(|say| say.language == language).collect();
        let spoken = says.iter().filter(|say| say.audio.is_none());
        let names: BTreeSet<&str> = spoken.flat_map(|say| say.pipes()).collect();
        let mut values: Vec<Values<'_>> = names.iter().map(|name| self.values(questionnaire, name)).collect();
        let count = |values: &[Values<'_>]| values.iter().map(|it| it.values.len()).product::<usize>();
        if count(&values) > MAX_TAKES {
            for it in values.iter_mut().filter(|it| it.values.len() > 1) {
                it.values.truncate(1);
                it.is_example = true;
            }
        }
        let mut takes = Vec::new();
        for number in 0..count(&values) {
            let mut rest = number;
            let mut picked: BTreeMap<&str, &Filling<'_>> = BTreeMap::new();
            let mut file = format!("{}/{}", safe(language), safe(item));
            if part.name != "prompt" {
                file.push_str(&format!(".{}", safe(&part.name)));
            }
            for it in &values {
                let value = &it.values[rest % it.values.len()];
                rest /= it.values.len();
                picked.insert(&it.name, value);
                if it.values.len() > 1 {
                    file.push_str(&format!(".{}={}", safe(&it.name), safe(&value.value.to_string())));
                }
            }
            let filling = |name: &str| picked.get(name).map(|value| (*value).clone());
            let said: Vec<Utterance> =
                says.iter().flat_map(|say| questionnaire.heard(say, &filling)).collect();
            if said.is_empty() {
                continue;
            }
            let examples = values.iter().filter(|it| it.is_example).map(|it| it.name.clone()).collect();
            let (item, part, language) = (item.to_owned(), part.name.clone(), language.to_owned());
            takes.push(Take { item, part, language, file: format!("{file}.wav"), said, examples });
        }
        takes
    }

    fn values<'q>(&self, questionnaire: &'q Questionnaire, name: &str) -> Values<'q> {
        let named = |values, is_example| Values { name: name.to_owned(), values, is_example };
        let one = |value: Value, is_example| named(vec![Filling::from(value)], is_example);
        let question = questionnaire.item(name).and_then(|item| item.question());
        let given = self.set.get(name);
        let known = |values: Vec<Option<Filling<'q>>>| named(values.into_iter().flatten().collect(), false);
        let Some(question) = question else {
            let field = questionnaire.contact_fields().iter().find(|field| field.name == name);
            let default = field.and_then(|field| field.default.clone());
            if let Some(value) = given.cloned().or(default) {
                return one(Value::Text(value), false);
            }
            if let Some(field) = field {
                return one(Value::Text(field.sample()), true);
            }
            let computed = questionnaire.values(name, self.most);
            return computed.map_or_else(|| one(Value::Text("1".to_owned()), true), known);
        };
        if let Some(value) = given.and_then(|given| question.read_value(given)) {
            return one(value, false);
        }
        questionnaire.values(name, self.most).map_or_else(|| one(question.sample(), true), known)
    }
}

/// A name that every file system takes.
fn safe(text: &str) -> String {
    let is_safe = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let kept: String = text.chars().map(|c| if is_safe(c) { c } else { '_' }).take(60).collect();
    if kept.starts_with('.') { format!("_{kept}") } else { kept }
}
