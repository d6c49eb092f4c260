//! Elements → checked definition. Everything that is wrong with a file is found in one pass.
//!
//! ```text
//! tree ─► schema: known elements and attributes?
//!      ─► outline: languages, names, where each name leads
//!      ─► items: texts, keys, expressions, ladders
//!      ─► flow: reached? ends? asks?                         ─► Questionnaire, or findings
//! ```

mod attributes;
mod clash;
mod compute;
mod days;
mod extras;
mod flow;
mod items;
mod never;
mod numbers;
mod offer;
mod options;
mod order;
mod outline;
mod retry;
mod say;
mod schema;
mod shapes;
mod template;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use self::attributes::{text, value_at};
use self::never::Condition;
use self::outline::Outline;
pub(super) use self::schema::SCHEMA;
use super::calendar::time_zone;
use super::spoken::SayAs;
use super::{Command, Expression, Fault, Item, MoreTime, Questionnaire, Quota, Retry, Target, checks};
use crate::id::Digest;
use crate::xml::{self, Element, Finding, Findings, Position};

/// Silence that counts as no input after the more-time key, if the questionnaire does not say.
const MORE_TIME: Duration = Duration::from_secs(30);

/// See [`Questionnaire::load_with`].
pub(super) fn load(
    file_name: &str,
    bytes: &[u8],
    has_audio: &dyn Fn(&str) -> bool,
) -> Result<(Questionnaire, Vec<Finding>), Vec<Finding>> {
    let document = xml::parse(file_name, bytes)?;
    let root = &document.root;
    let mut findings = Findings::of(file_name);
    let flow_is_known = SCHEMA.check(root, &mut findings);
    if root.name != "questionnaire" {
        return Err(findings.into_sorted());
    }
    let outline = Outline::read(root, &mut findings);
    let mut reading = Reading {
        outline: &outline,
        findings: &mut findings,
        has_audio,
        flow_is_known,
        retries: BTreeMap::new(),
        uses: Vec::new(),
        conditions: Vec::new(),
        said_as: BTreeSet::new(),
        piped: BTreeSet::new(),
        piped_besides: &[],
        items: Vec::new(),
        places: Vec::new(),
    };
    let mut questionnaire = reading.questionnaire(root, Digest::of(bytes));
    reading.check_order(&questionnaire.quotas);
    reading.check_flow(&questionnaire.quotas);
    reading.check_said(root);
    let items = reading.items.iter().enumerate().filter(|(_, item)| !item.id.is_empty());
    questionnaire.names = items.map(|(index, item)| (item.id.clone(), index)).collect();
    questionnaire.items = reading.items;
    for (name, say_as) in reading.said_as {
        let field = questionnaire.contact_fields.iter_mut().find(|field| field.name == name);
        field.into_iter().for_each(|field| field.said_as.push(say_as));
    }
    let (failed, findings) = (findings.has_errors(), findings.into_sorted());
    if failed { Err(findings) } else { Ok((questionnaire, findings)) }
}

/// The second reading, on the way through the file.
struct Reading<'a> {
    outline: &'a Outline,
    findings: &'a mut Findings,
    has_audio: &'a dyn Fn(&str) -> bool,
    /// Whether each way from item to item is known; without that nothing is said about the flow.
    flow_is_known: bool,
    /// The `retry` elements by id, and whether one was used.
    retries: BTreeMap<String, NamedRetry>,
    /// Where replies are used.
    uses: Vec<Use>,
    /// All conditions of the file.
    conditions: Vec<Condition>,
    /// Contact fields and the forms in which they are said.
    said_as: BTreeSet<(String, SayAs)>,
    /// The names whose values prompts say.
    piped: BTreeSet<String>,
    /// Names that can be piped where the reading stands, besides fields, replies and computed values.
    piped_besides: &'static [&'static str],
    items: Vec<Item>,
    /// Where each item stands.
    places: Vec<Position>,
}

/// A `retry` element.
struct NamedRetry {
    retry: Retry,
    at: Position,
    used: bool,
}

/// A place that uses the reply to a question.
struct Use {
    name: String,
    /// Index of the question.
    question: usize,
    /// Index of the item that uses it.
    item: usize,
    at: Position,
    /// Whether it is used after the item's own reply came.
    after: bool,
}

impl Use {
    /// What stands there, and which question comes only later.
    fn described(&self, items: &[Item]) -> String {
        match items.get(self.question).map(|item| &item.id) {
            Some(id) if *id != self.name => format!("`{id}`, from which `{}` is computed,", self.name),
            Some(_) | None => format!("`{}`", self.name),
        }
    }
}

/// When an expression or pipe is evaluated.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// Before the item that is being read.
    Before,
    /// After the reply to it.
    After,
    /// At any time.
    Anytime,
}

impl Reading<'_> {
    fn questionnaire(&mut self, root: &Element, digest: Digest) -> Questionnaire {
        root.elements().filter(|child| child.name == "retry").for_each(|child| self.named_retry(child));
        let mut quotas: Vec<Quota> = Vec::new();
        let (mut complete_when, mut partial_when) = (None, None);
        for child in root.elements() {
            match child.name.as_str() {
                "quota" => quotas.extend(self.quota(child, &quotas)),
                "complete" => complete_when = self.only_one(child, complete_when.is_some()),
                "partial" => partial_when = self.only_one(child, partial_when.is_some()),
                _ => self.item(child, &[]),
            }
        }
        for (id, named) in &self.retries {
            if !named.used {
                let what = format!("nothing uses the retry `{id}`");
                self.findings.add(
                    &checks::UNUSED_RETRY,
                    named.at,
                    what,
                    format!("write retry=\"{id}\" at a question"),
                );
            }
        }
        let computed = self.computed(root);
        let more_time = self.more_time(root);
        Questionnaire {
            digest,
            id: text(root, "id").to_owned(),
            version: text(root, "version").to_owned(),
            time_zone: self.time_zone(root),
            languages: self.outline.languages.clone(),
            contact_fields: self.outline.contact_fields.clone(),
            type_ahead: attributes::yes_no(root, "type-ahead", false),
            more_time,
            computed,
            quotas,
            complete_when,
            partial_when,
            items: Vec::new(),
            sections: self.outline.sections.clone(),
            names: BTreeMap::new(),
        }
    }

    /// What the more-time key leads to; its prompt stands in `keys`.
    fn more_time(&mut self, root: &Element) -> MoreTime {
        let mut more_time = MoreTime { wait: MORE_TIME, say: Vec::new() };
        for keys in root.elements().filter(|child| child.name == "keys") {
            let say = self.says(keys, true, Moment::Anytime);
            if attributes::key(keys, Command::MoreTime.as_str()).is_some() {
                let wait = attributes::duration(keys, "more-time-wait").unwrap_or(MORE_TIME);
                more_time = MoreTime { wait, say };
            } else if !say.is_empty() || keys.attribute("more-time-wait").is_some() {
                let what = "this belongs to the key `more-time`, which is not here";
                self.findings.add(&checks::UNSAID_PROMPT, keys.at, what, "write more-time=\"8\"".to_owned());
            }
        }
        more_time
    }

    /// A name of the IANA database.
    fn time_zone(&mut self, root: &Element) -> Option<String> {
        let attribute = root.attribute("time-zone")?;
        let name = attribute.value.value.as_str();
        let found = time_zone(name).map(|_| name.to_owned());
        if found.is_none() {
            let what = format!("there is no time zone `{name}`");
            self.findings.add(
                &checks::WRONG_VALUE,
                value_at(attribute),
                what,
                "write one such as Africa/Nairobi".to_owned(),
            );
        }
        found
    }

    fn only_one(&mut self, element: &Element, is_second: bool) -> Option<Expression> {
        if is_second {
            self.findings.add(
                &checks::DOUBLE_ELEMENT,
                element.at,
                format!("`{}` stands twice", element.name),
                None,
            );
        }
        self.expression(element, "when", Moment::Anytime)
    }

    fn quota(&mut self, element: &Element, others: &[Quota]) -> Option<Quota> {
        let id = text(element, "id").to_owned();
        if others.iter().any(|other| other.id == id) {
            self.findings.add(
                &checks::DOUBLE_NAME,
                element.at,
                format!("the quota `{id}` stands twice"),
                None,
            );
        }
        let max = attributes::count(element, "max");
        let when = self.expression(element, "when", Moment::Anytime);
        let full = self.target(element, "full");
        Some(Quota { id, max: max?, when: when?, full: full? })
    }

    fn target(&mut self, element: &Element, attribute: &str) -> Option<Target> {
        let found = self.outline.target(element, attribute, self.findings);
        self.flow_is_known &= found.is_some() || element.attribute(attribute).is_none();
        found
    }

    fn expression(&mut self, element: &Element, name: &str, moment: Moment) -> Option<Expression> {
        let attribute = element.attribute(name)?;
        match Expression::read(&attribute.value.value, &self.outline.variables) {
            Ok(expression) => {
                for (name, offset) in expression.names() {
                    self.uses_name(name, attribute.value.place(offset), moment);
                }
                let (at, of) = (value_at(attribute), element.name.clone());
                self.conditions.push(Condition { expression: expression.clone(), at, of });
                Some(expression)
            }
            Err(Fault { check, offset, what, mend }) => {
                self.findings.add(check, attribute.value.place(offset), what, mend);
                None
            }
        }
    }

    /// Notes that something uses a name, for the check that it can be known there.
    fn uses_name(&mut self, name: &str, at: Position, moment: Moment) {
        if moment == Moment::Anytime {
            return;
        }
        let question = self.outline.variables.0.get(name).and_then(|variable| variable.question);
        let (item, after) = (self.items.len(), moment == Moment::After);
        for question in question.into_iter().chain(self.outline.needs(name)) {
            self.uses.push(Use { name: name.to_owned(), question, item, at, after });
        }
    }
}

#[cfg(test)]
mod tests;
