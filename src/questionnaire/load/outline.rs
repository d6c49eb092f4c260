//! The first reading: languages, names, and which item each name leads to. Expressions, pipes and `go`s
//! can then be checked wherever they stand.

use std::collections::BTreeMap;

use super::attributes::{self, text, value_at};
use super::schema::ITEMS;
use crate::questionnaire::{
    Anchor, Command, Compute, ContactField, Decimal, Key, Member, Order, Place, Section, Sections, Target,
    Type, Variable, Variables, checks,
};
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
    /// Whether there is an end that transfers.
    pub(super) transfers: bool,
    pub(super) variables: Variables,
    pub(super) computed: Vec<Compute>,
    /// Where each item stands.
    pub(super) places: Vec<Place>,
    pub(super) sections: Sections,
    /// Items and sections by id.
    targets: BTreeMap<String, Member>,
    names: BTreeMap<String, Position>,
}

impl Outline {
    pub(super) fn read(root: &Element, findings: &mut Findings) -> Self {
        let mut outline =
            Self { sections: Sections(vec![section("", None, 0, Order::Fixed)]), ..Self::default() };
        outline.languages(root, findings);
        for element in root.elements() {
            match element.name.as_str() {
                "contact-field" => outline.contact_field(element, findings),
                "keys" => outline.keys(element, findings),
                _ => outline.item(element, 0, findings),
            }
        }
        outline.computes(root, findings);
        if outline.places.is_empty() {
            findings.add(&checks::NO_ITEMS, root.at, "the questionnaire asks nothing", None);
        }
        outline
    }

    fn languages(&mut self, root: &Element, findings: &mut Findings) {
        let Some(attribute) = root.attribute("languages") else { return };
        for language in attribute.value.value.split_whitespace() {
            if self.languages.iter().any(|other| other == language) {
                findings.add(
                    &checks::DOUBLE_LANGUAGE,
                    value_at(attribute),
                    format!("the language `{language}` stands twice"),
                    None,
                );
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
            default.filter(|default| is_number && default.value.value.parse::<Decimal>().is_err())
        {
            let what = format!("`{}` is no number", default.value.value);
            findings.add(&checks::WRONG_TYPE, value_at(default), what, None);
        }
        if self.contact_fields.len() == MAX_CONTACT_FIELDS {
            findings.add(
                &checks::TOO_MUCH,
                element.at,
                format!("more than {MAX_CONTACT_FIELDS} contact fields"),
                None,
            );
            return;
        }
        let of = if is_number { Type::Number } else { Type::Text };
        self.variables.0.insert(name.clone(), Variable { of, question: None });
        let default = default.map(|default| default.value.value.clone());
        self.contact_fields.push(ContactField { name, is_number, default, said_as: Vec::new() });
    }

    fn keys(&mut self, element: &Element, findings: &mut Findings) {
        for command in Command::ALL {
            let name = command.as_str();
            let Some(key) = attributes::key(element, name) else { continue };
            if self.commands.iter().any(|(_, other)| *other == command) {
                findings.add(&checks::DOUBLE_COMMAND, element.at, format!("`{name}` stands twice"), None);
            } else if let Some((_, other)) = self.commands.iter().find(|(other, _)| *other == key) {
                let what = format!("the key {key} is both {} and {name}", other.as_str());
                findings.add(&checks::KEY_CLASH, element.at, what, None);
            } else {
                self.commands.push((key, command));
            }
        }
    }

    fn item(&mut self, element: &Element, within: usize, findings: &mut Findings) {
        let id = text(element, "id");
        if element.name == "section" {
            self.name(element, "id", findings);
            let order = attributes::word(element, "order", &Order::WORDS).unwrap_or_default();
            let (index, first) = (self.sections.0.len(), self.places.len());
            let place = self.part(element, within, Member::Section(index), findings);
            let outer = self.sections.0.get(within).map_or(0, |section| section.conditions);
            let conditions = outer + usize::from(element.attribute("ask-if").is_some());
            self.sections.0.push(section(id, Some(place), conditions, order));
            element.elements().for_each(|child| self.item(child, index, findings));
            if self.places.len() == first {
                findings.add(&checks::EMPTY_SECTION, element.at, "the section has no items", None);
            }
            self.targets.insert(id.to_owned(), Member::Section(index));
        } else if ITEMS.contains(&element.name.as_str()) {
            let index = self.places.len();
            self.transfers |= element.name == "end" && text(element, "outcome") == "transfer";
            if index == MAX_ITEMS {
                findings.add(&checks::TOO_MUCH, element.at, format!("more than {MAX_ITEMS} items"), None);
            }
            self.name(element, "id", findings);
            if let Some(of) = type_of(element) {
                self.variables.0.insert(id.to_owned(), Variable { of, question: Some(index) });
            }
            self.targets.insert(id.to_owned(), Member::Item(index));
            let place = self.part(element, within, Member::Item(index), findings);
            self.places.push(place);
        }
    }

    /// Makes something a part of a section.
    fn part(&mut self, element: &Element, within: usize, part: Member, findings: &mut Findings) -> Place {
        let anchor = attributes::word(element, "anchor", &Anchor::WORDS);
        let section = &mut self.sections.0[within];
        if let (false, Some(attribute)) = (section.order.is_drawn(), element.attribute("anchor")) {
            let what = "`anchor` means nothing here: the order is fixed";
            findings.add(
                &checks::USELESS_ANCHOR,
                attribute.at,
                what,
                "write order= at the section, or leave anchor= out".to_owned(),
            );
        }
        section.parts.push(part);
        section.anchors.push(anchor.unwrap_or_default());
        Place { section: within, part: section.parts.len() - 1 }
    }

    pub(super) fn name(&mut self, element: &Element, attribute: &str, findings: &mut Findings) {
        let Some(attribute) = element.attribute(attribute) else { return };
        let (name, at) = (attribute.value.value.as_str(), value_at(attribute));
        if let Some(other) = self.names.get(name) {
            let what = format!("the name `{name}` is taken by line {}", other.line);
            findings.add(
                &checks::DOUBLE_NAME,
                at,
                what,
                "each section, item, contact field and computed value has its own".to_owned(),
            );
        } else {
            self.names.insert(name.to_owned(), at);
        }
    }

    /// What the attribute of a `go` leads to.
    pub(super) fn target(&self, element: &Element, name: &str, findings: &mut Findings) -> Option<Target> {
        let attribute = element.attribute(name)?;
        let id = attribute.value.value.as_str();
        let Some(part) = self.targets.get(id).filter(|_| !id.is_empty()) else {
            let mend = did_you_mean(id, self.targets.keys().map(String::as_str));
            findings.add(
                &checks::DEAD_TARGET,
                value_at(attribute),
                format!("no item or section is called `{id}`"),
                mend,
            );
            return None;
        };
        match *part {
            Member::Item(item) => Some(Target { item, section: None }),
            // A section without items is a finding already.
            Member::Section(section) => {
                let item = self.sections.first(section, None).unwrap_or(0);
                Some(Target { item, section: Some(section) })
            }
        }
    }
}

fn section(id: &str, place: Option<Place>, conditions: usize, order: Order) -> Section {
    Section { id: id.to_owned(), place, conditions, order, parts: Vec::new(), anchors: Vec::new() }
}

/// The type of a question's replies.
fn type_of(element: &Element) -> Option<Type> {
    match element.name.as_str() {
        "number" | "scale" => Some(Type::Number),
        "digits" | "appointment" => Some(Type::Text),
        "date" => {
            let years = matches!(attributes::value(element, "format"), Some("YY" | "YYYY"));
            Some(if years { Type::Number } else { Type::Date })
        }
        "time" => Some(Type::Time),
        "record" => Some(Type::Voice),
        "language" => Some(Type::OneOf(options(element, "language"))),
        "multi" => Some(Type::SomeOf(options(element, "value"))),
        "yes-no" => Some(Type::OneOf(vec!["yes".to_owned(), "no".to_owned()])),
        "choice" => {
            let values = options(element, "value");
            let is_number =
                |value: &String| (1..=15).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit());
            let numbers = !values.is_empty() && values.iter().all(is_number);
            Some(if numbers { Type::Number } else { Type::OneOf(values) })
        }
        _ => None,
    }
}

/// An attribute of each option.
fn options(element: &Element, name: &str) -> Vec<String> {
    let options = element.elements().filter(|child| child.name == "option");
    options.map(|option| text(option, name).to_owned()).collect()
}
