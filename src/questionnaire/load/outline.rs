//! The first reading: languages, names, and which item each name leads to. Expressions, pipes and `go`s
//! can then be checked wherever they stand.

use std::collections::BTreeMap;

use super::attributes::{self, text, value_at};
use super::schema::ITEMS;
use crate::questionnaire::{Command, ContactField, Key, Type, Variable, Variables};
use crate::xml::{Element, Findings, Position, did_you_mean};

/// Items of a questionnaire.
const MAX_ITEMS: usize = 2_000;
/// Contact fields of a questionnaire; their values are part of each live call.
const MAX_CONTACT_FIELDS: usize = 32;

/// What names mean.
#[derive(Debug, Default)]
pub(super) struct Outline {
    pub(super) languages: Vec<String>,
    pub(super) contact_fields: Vec<ContactField>,
    pub(super) commands: Vec<(Key, Command)>,
    pub(super) variables: Variables,
    /// Items and sections: the index of the (first) item.
    pub(super) targets: BTreeMap<String, usize>,
    names: BTreeMap<String, Position>,
    items: usize,
}

impl Outline {
    pub(super) fn read(root: &Element, findings: &mut Findings) -> Self {
        let mut outline = Self::default();
        outline.languages(root, findings);
        for element in root.elements() {
            match element.name.as_str() {
                "contact-field" => outline.contact_field(element, findings),
                "keys" => outline.keys(element, findings),
                _ => outline.item(element, findings),
            }
        }
        if outline.items == 0 {
            findings.error(root.at, "the questionnaire asks nothing", None);
        }
        outline
    }

    fn languages(&mut self, root: &Element, findings: &mut Findings) {
        let Some(attribute) = root.attribute("languages") else { return };
        for language in attribute.value.value.split_whitespace() {
            if self.languages.iter().any(|other| other == language) {
                findings.error(value_at(attribute), format!("the language `{language}` stands twice"), None);
            } else {
                self.languages.push(language.to_owned());
            }
        }
    }

    fn contact_field(&mut self, element: &Element, findings: &mut Findings) {
        let name = text(element, "name").to_owned();
        self.name(element, "name", findings);
        let is_number = attributes::value(element, "type") == Some("number");
        let default = element.attribute("default");
        if let Some(default) =
            default.filter(|default| is_number && default.value.value.parse::<f64>().is_err())
        {
            let what = format!("`{}` is no number", default.value.value);
            findings.error(value_at(default), what, None);
        }
        if self.contact_fields.len() == MAX_CONTACT_FIELDS {
            findings.error(element.at, format!("more than {MAX_CONTACT_FIELDS} contact fields"), None);
            return;
        }
        let of = if is_number { Type::Number } else { Type::Text };
        self.variables.0.insert(name.clone(), Variable { of, question: None });
        let default = default.map(|default| default.value.value.clone());
        self.contact_fields.push(ContactField { name, is_number, default });
    }

    fn keys(&mut self, element: &Element, findings: &mut Findings) {
        for (name, command) in [("repeat", Command::Repeat), ("opt-out", Command::OptOut)] {
            let Some(key) = attributes::key(element, name) else { continue };
            if self.commands.iter().any(|(_, other)| *other == command) {
                findings.error(element.at, format!("`{name}` stands twice"), None);
            } else if self.commands.iter().any(|(other, _)| *other == key) {
                let what = format!("the key {key} is both repeat and opt-out");
                findings.error(element.at, what, None);
            } else {
                self.commands.push((key, command));
            }
        }
    }

    fn item(&mut self, element: &Element, findings: &mut Findings) {
        if element.name == "section" {
            self.name(element, "id", findings);
            let first = self.items;
            element.elements().for_each(|child| self.item(child, findings));
            if self.items == first {
                findings.error(element.at, "the section has no items", None);
            }
            self.targets.insert(text(element, "id").to_owned(), first);
        } else if ITEMS.contains(&element.name.as_str()) {
            if self.items == MAX_ITEMS {
                findings.error(element.at, format!("more than {MAX_ITEMS} items"), None);
            }
            self.name(element, "id", findings);
            let id = text(element, "id").to_owned();
            if let Some(of) = type_of(element) {
                self.variables.0.insert(id.clone(), Variable { of, question: Some(self.items) });
            }
            self.targets.insert(id, self.items);
            self.items += 1;
        }
    }

    fn name(&mut self, element: &Element, attribute: &str, findings: &mut Findings) {
        let Some(attribute) = element.attribute(attribute) else { return };
        let (name, at) = (attribute.value.value.as_str(), value_at(attribute));
        if let Some(other) = self.names.get(name) {
            let what = format!("the name `{name}` is taken by line {}", other.line);
            findings.error(at, what, "each section, item and contact field has its own".to_owned());
        } else {
            self.names.insert(name.to_owned(), at);
        }
    }

    /// The item that the attribute of a `go` leads to.
    pub(super) fn target(&self, element: &Element, name: &str, findings: &mut Findings) -> Option<usize> {
        let attribute = element.attribute(name)?;
        let id = attribute.value.value.as_str();
        let found = self.targets.get(id).copied().filter(|_| !id.is_empty());
        if found.is_none() {
            let mend = did_you_mean(id, self.targets.keys().map(String::as_str));
            findings.error(value_at(attribute), format!("no item or section is called `{id}`"), mend);
        }
        found
    }
}

/// The type of a question's replies.
fn type_of(element: &Element) -> Option<Type> {
    match element.name.as_str() {
        "number" => Some(Type::Number),
        "yes-no" => Some(Type::OneOf(vec!["yes".to_owned(), "no".to_owned()])),
        "choice" => {
            let options = element.elements().filter(|child| child.name == "option");
            let values: Vec<String> = options.map(|option| text(option, "value").to_owned()).collect();
            let is_number =
                |value: &String| (1..=15).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit());
            let numbers = !values.is_empty() && values.iter().all(is_number);
            Some(if numbers { Type::Number } else { Type::OneOf(values) })
        }
        _ => None,
    }
}
