//! Questionnaires with something dropped, renamed, moved or added: still XML, mostly not valid any more.

use std::fmt::Write as _;

use baton::id::Mint;
use baton::xml::{self, Element, Node, Position, Text};

/// Names and values that stand somewhere in questionnaires, or nowhere.
const ELEMENTS: &[&str] = &[
    "statement",
    "choice",
    "number",
    "say",
    "option",
    "no-match",
    "section",
    "go",
    "end",
    "keys",
    "nothing",
];
const ATTRIBUTES: &[&str] =
    &["id", "min", "max", "wait", "go", "to", "when", "lang", "audio", "key", "value", "then", "nothing"];
const VALUES: &[&str] = &[
    "", " ", "0", "-1", "007", " 5 ", "11", "5s", "1m", "61s", "0.4s", "59.999s", "yes", "no", "skip", "x y",
    "a", "done", "std", "#", "12", "1-3", "3-1", "16", "é", "../x", "en/x.wav", "en", "en-GB", "e n",
    "repeat",
];

/// The document with one to three damages.
pub(crate) fn damage(text: &str, mint: &mut Mint) -> String {
    let document = xml::parse("sound.xml", text.as_bytes()).expect("it is sound");
    let mut root = document.root;
    for _ in 0..=pick(mint, 3) {
        let victim = pick(mint, count(&root));
        let Some(element) = nth(&mut root, &mut { victim }) else { continue };
        once(element, mint);
    }
    let mut text = String::new();
    write(&root, true, &mut text);
    text
}

fn pick(mint: &mut Mint, below: usize) -> usize {
    usize::from(mint.number16()) % below.max(1)
}

fn one<'a>(mint: &mut Mint, of: &[&'a str]) -> &'a str {
    of[pick(mint, of.len())]
}

fn once(element: &mut Element, mint: &mut Mint) {
    let attribute = pick(mint, element.attributes.len());
    let child = pick(mint, element.children.len());
    match pick(mint, 10) {
        0 if !element.attributes.is_empty() => drop(element.attributes.remove(attribute)),
        1 if !element.attributes.is_empty() => {
            let name = one(mint, ATTRIBUTES);
            if element.attribute(name).is_none() {
                name.clone_into(&mut element.attributes[attribute].name);
            }
        }
        2 | 3 if !element.attributes.is_empty() => {
            element.attributes[attribute].value = text(one(mint, VALUES));
        }
        4 => one(mint, ELEMENTS).clone_into(&mut element.name),
        5 if !element.children.is_empty() => drop(element.children.remove(child)),
        6 if !element.children.is_empty() => element.children.push(element.children[child].clone()),
        7 => {
            let new = Element {
                name: one(mint, ELEMENTS).to_owned(),
                namespace: element.namespace.clone(),
                at: Position::START,
                attributes: Vec::new(),
                children: Vec::new(),
            };
            element.children.insert(child, Node::Element(new));
        }
        8 => element.children.insert(child, Node::Text(text(one(mint, VALUES)))),
        _ => {
            let inner: Vec<Node> = element.children.drain(..).collect();
            element.children.extend(inner.into_iter().rev());
        }
    }
}

fn text(characters: &str) -> Text {
    let mut text = Text::default();
    text.push(characters, Position::START);
    text
}

fn count(element: &Element) -> usize {
    1 + element.elements().map(count).sum::<usize>()
}

fn nth<'e>(element: &'e mut Element, left: &mut usize) -> Option<&'e mut Element> {
    if *left == 0 {
        return Some(element);
    }
    *left -= 1;
    element.children.iter_mut().find_map(|node| match node {
        Node::Element(child) => nth(child, left),
        Node::Text(_) => None,
    })
}

fn write(element: &Element, is_root: bool, to: &mut String) {
    write!(to, "<{}", element.name).expect("a string takes all");
    if is_root {
        write!(to, " xmlns=\"{}\"", element.namespace.as_deref().unwrap_or_default()).expect("as above");
    }
    for attribute in &element.attributes {
        write!(to, " {}=\"{}\"", attribute.name, escape(&attribute.value.value)).expect("as above");
    }
    to.push('>');
    for node in &element.children {
        match node {
            Node::Element(child) => write(child, false, to),
            Node::Text(text) => to.push_str(&escape(&text.value)),
        }
    }
    write!(to, "</{}>", element.name).expect("as above");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
