//! One start tag: its name, its attributes, and the namespaces they are in.

use std::rc::Rc;

use quick_xml::events::BytesStart;

use super::characters;
use super::check::{Check, checks};
use super::document::{Attribute, Element, Text};
use super::finding::{Findings, Position};
use super::parse::Namespace;

/// Attributes of one element.
const MAX_ATTRIBUTES: usize = 32;
/// Bytes of one attribute's value.
const MAX_VALUE_BYTES: usize = 4 << 10;
/// Characters of one name.
const MAX_NAME_CHARACTERS: usize = 64;
/// The prefix that is always bound (Namespaces in XML §3).
const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";

/// A start tag with its names as they are written.
pub(super) struct Tag {
    name: String,
    attributes: Vec<Attribute>,
}

/// Reads name and attributes of a tag whose `<` stands at `at`.
pub(super) fn read(start: &BytesStart<'_>, at: Position, findings: &mut Findings) -> Tag {
    let name = start.name().into_inner().to_owned();
    let name_at = at.after("<");
    check_name(&name, name_at, findings);
    let mut reader = Attributes { rest: start.attributes_raw(), at: name_at.after(&name), findings };
    let mut attributes: Vec<Attribute> = Vec::new();
    while let Some(attribute) = reader.next() {
        if attributes.iter().any(|other| other.name == attribute.name) {
            let what = format!("the attribute `{}` stands twice", attribute.name);
            reader.findings.add(&checks::NOT_XML, attribute.at, what, None);
        } else if attributes.len() == MAX_ATTRIBUTES {
            reader.findings.add(
                &checks::TOO_MUCH,
                attribute.at,
                format!("more than {MAX_ATTRIBUTES} attributes"),
                None,
            );
            break;
        } else {
            attributes.push(attribute);
        }
    }
    Tag { name, attributes }
}

fn check_name(name: &str, at: Position, findings: &mut Findings) {
    let well_formed = |part: &str| {
        part.chars().next().is_some_and(characters::starts_name)
            && part.chars().all(characters::continues_name)
    };
    let parts = name.split(':').count();
    if name.chars().count() > MAX_NAME_CHARACTERS {
        findings.add(
            &checks::TOO_MUCH,
            at,
            format!("a name of more than {MAX_NAME_CHARACTERS} characters"),
            None,
        );
    } else if parts > 2 || !name.split(':').all(well_formed) {
        findings.add(&checks::NOT_XML, at, format!("`{name}` is no name"), None);
    }
}

/// Reads attributes one by one; an error ends the tag.
struct Attributes<'a> {
    rest: &'a str,
    at: Position,
    findings: &'a mut Findings,
}

impl<'a> Attributes<'a> {
    fn next(&mut self) -> Option<Attribute> {
        let spaces = self.take(|c| c.is_ascii_whitespace());
        let at = self.at;
        if self.rest.is_empty() {
            return None;
        }
        let name = self.take(|c| !c.is_ascii_whitespace() && !matches!(c, '=' | '"' | '\'')).to_owned();
        if name.is_empty() || spaces.is_empty() {
            return self.fail(
                at,
                "a space and the name of an attribute are missing here; is a quote missing before?",
            );
        }
        check_name(&name, at, self.findings);
        self.take(|c| c.is_ascii_whitespace());
        if !self.skip('=') {
            return self
                .fail(self.at, &format!("`=` and a value in quotes are missing after `{}`", short(&name)));
        }
        self.take(|c| c.is_ascii_whitespace());
        let quote = match self.rest.chars().next() {
            Some(quote @ ('"' | '\'')) => quote,
            Some(quote @ ('“' | '”' | '„' | '‘' | '’' | '«' | '»' | '′' | '″')) => {
                let what = format!(
                    "the value of `{}` must stand in straight quotes (\"), not in `{quote}`",
                    short(&name)
                );
                return self.fail(self.at, &what);
            }
            Some(_) | None => {
                return self.fail(self.at, &format!("the value of `{}` must stand in quotes", short(&name)));
            }
        };
        self.skip(quote);
        let from = self.at;
        let raw = self.take(|c| c != quote);
        if !self.skip(quote) {
            return self.fail(from, "a closing quote is missing");
        }
        let value = self.value(raw, from)?;
        Some(Attribute { name, namespace: None, at, value })
    }

    /// The value with references resolved and white space made spaces (XML §3.3.3).
    fn value(&mut self, raw: &str, mut at: Position) -> Option<Text> {
        if raw.len() > MAX_VALUE_BYTES {
            return self.fail_as(
                &checks::TOO_MUCH,
                at,
                &format!("a value of more than {MAX_VALUE_BYTES} bytes"),
            );
        }
        if let Some((before, _)) = raw.split_once('<') {
            return self
                .fail(at.after(before), "`<` in a value is written `&lt;`; or is a quote missing before?");
        }
        let mut text = Text::default();
        let mut pieces = raw.split('&');
        let plain = pieces.next().unwrap_or_default();
        text.push(&plain.replace(['\n', '\t'], " "), at);
        at = at.after(plain);
        for piece in pieces {
            let Some((name, plain)) = piece.split_once(';') else {
                return self.fail(at, "a `&` stands alone; write it `&amp;`");
            };
            let Some(character) = characters::reference(name) else {
                return self.fail(at, &characters::no_such_entity(name));
            };
            text.push(character.encode_utf8(&mut [0; 4]), at);
            at = at.after("&").after(name).after(";");
            text.push(&plain.replace(['\n', '\t'], " "), at);
            at = at.after(plain);
        }
        Some(text)
    }

    fn take(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.at = self.at.after(taken);
        self.rest = rest;
        taken
    }

    fn skip(&mut self, wanted: char) -> bool {
        let Some(rest) = self.rest.strip_prefix(wanted) else { return false };
        self.at = self.at.after(wanted.encode_utf8(&mut [0; 4]));
        self.rest = rest;
        true
    }

    fn fail<T>(&mut self, at: Position, what: &str) -> Option<T> {
        self.fail_as(&checks::NOT_XML, at, what)
    }

    fn fail_as<T>(&mut self, check: &'static Check, at: Position, what: &str) -> Option<T> {
        self.findings.add(check, at, what, None);
        self.rest = "";
        None
    }
}

fn short(name: &str) -> String {
    name.chars().take(40).collect()
}

/// Which prefixes are bound where the reading stands.
#[derive(Default)]
pub(super) struct Scope {
    /// Prefix (empty: the default) and namespace.
    bound: Vec<(String, Namespace)>,
    /// How many were bound before each open element.
    before: Vec<usize>,
}

impl Scope {
    /// Makes an element of a tag: takes its namespace declarations and resolves its prefixes.
    pub(super) fn enter(&mut self, tag: Tag, at: Position, findings: &mut Findings) -> Element {
        self.before.push(self.bound.len());
        let mut attributes = Vec::new();
        for attribute in tag.attributes {
            let prefix = match attribute.name.split_once(':') {
                Some(("xmlns", prefix)) => Some(prefix.to_owned()),
                None if attribute.name == "xmlns" => Some(String::new()),
                Some(_) | None => None,
            };
            match prefix {
                Some(prefix) => {
                    let name = attribute.value.value;
                    self.bound.push((prefix, (!name.is_empty()).then(|| Rc::from(name))));
                }
                None => attributes.push(attribute),
            }
        }
        for attribute in &mut attributes {
            if let Some((prefix, local)) = attribute.name.split_once(':') {
                attribute.namespace = self.resolve(prefix, attribute.at, findings);
                attribute.name = local.to_owned();
            }
        }
        let (prefix, local) = tag.name.split_once(':').unwrap_or(("", &tag.name));
        let namespace = self.resolve(prefix, at, findings);
        Element { name: local.to_owned(), namespace, at, attributes, children: Vec::new() }
    }

    /// The element is closed: what it bound is unbound.
    pub(super) fn leave(&mut self) {
        self.bound.truncate(self.before.pop().unwrap_or_default());
    }

    fn resolve(&self, prefix: &str, at: Position, findings: &mut Findings) -> Namespace {
        match self.bound.iter().rev().find(|(bound, _)| bound == prefix) {
            Some((_, namespace)) => namespace.clone(),
            None if prefix.is_empty() => None,
            None if prefix == "xml" => Some(Rc::from(XML_NAMESPACE)),
            None => {
                findings.add(
                    &checks::NOT_XML,
                    at,
                    format!("the prefix `{prefix}:` is not bound"),
                    format!("add xmlns:{prefix}=\"…\""),
                );
                None
            }
        }
    }
}
