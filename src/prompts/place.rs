//! Where an utterance stands in its questionnaire, for findings.

use crate::questionnaire::Utterance;
use crate::xml::{self, Element, Position};

/// The place of the `<say>` that an utterance comes from; the file's start if it is not found.
pub(super) fn of(file: &str, bytes: &[u8], utterance: &Utterance) -> Position {
    let document = xml::parse(file, bytes);
    document.ok().and_then(|document| find(&document.root, utterance)).unwrap_or(Position::START)
}

fn find(element: &Element, utterance: &Utterance) -> Option<Position> {
    let attribute = |name| element.attribute(name).map(|attribute| attribute.value.value.as_str());
    let language_fits = attribute("lang").is_none_or(|language| language == utterance.language);
    let sound_fits = match &utterance.audio {
        Some(path) => attribute("audio") == Some(path),
        None => attribute("audio").is_none() && words(element).eq(utterance.text.split_whitespace()),
    };
    if element.name == "say" && language_fits && sound_fits {
        return Some(element.at);
    }
    element.elements().find_map(|inner| find(inner, utterance))
}

fn words(element: &Element) -> impl Iterator<Item = &str> {
    element.children.iter().flat_map(|node| match node {
        xml::Node::Text(text) => text.value.split_whitespace(),
        xml::Node::Element(_) => "".split_whitespace(),
    })
}
