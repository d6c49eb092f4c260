//! Where utterances stand in their questionnaire, for findings.

use std::cell::LazyCell;

use crate::questionnaire::Utterance;
use crate::xml::{self, Element, Position};

/// The place of the `<say>` that an utterance comes from; the file's start if it is not found. The file is parsed
/// for the first finding, and not again for the next ones.
pub(super) fn finder<'a>(file: &'a str, bytes: &'a [u8]) -> impl Fn(&Utterance) -> Position + 'a {
    let document = LazyCell::new(move || xml::parse(file, bytes).ok());
    move |utterance| {
        let document = document.as_ref();
        document.and_then(|document| find(&document.root, utterance)).unwrap_or(Position::START)
    }
}

fn find(element: &Element, utterance: &Utterance) -> Option<Position> {
    let attribute = |name| element.attribute(name).map(|attribute| attribute.value.value.as_str());
    let language_fits = attribute("lang").is_none_or(|language| language == utterance.language);
    let sound_fits = match &utterance.audio {
        Some(path) => attribute("audio") == Some(path),
        None => attribute("audio").is_none() && says(&words(element), &utterance.text),
    };
    if element.name == "say" && language_fits && sound_fits {
        return Some(element.at);
    }
    element.elements().find_map(|inner| find(inner, utterance))
}

/// The text as it is written, white space made single.
fn words(element: &Element) -> String {
    let texts = element.children.iter().filter_map(|node| match node {
        xml::Node::Text(text) => Some(text.value.as_str()),
        xml::Node::Element(_) => None,
    });
    let words: Vec<&str> = texts.flat_map(str::split_whitespace).collect();
    words.join(" ")
}

/// Whether a text with pipes can have become this one: what stands between the pipes is found in its order.
fn says(template: &str, text: &str) -> bool {
    let (mut template, mut text) = (template, text);
    let mut is_first = true;
    while let Some((plain, rest)) = template.split_once('{') {
        let found = if is_first { text.strip_prefix(plain) } else { after(text, plain) };
        let (Some(left), Some((_, behind))) = (found, rest.split_once('}')) else { return false };
        (text, template, is_first) = (left, behind, false);
    }
    if is_first { text == template } else { text.ends_with(template) }
}

/// What stands behind a part of a text.
fn after<'a>(text: &'a str, part: &str) -> Option<&'a str> {
    text.split_once(part).map(|(_, behind)| behind)
}

#[cfg(test)]
mod tests {
    use super::says;

    #[test]
    fn a_text_with_pipes_is_found_again() {
        assert!(says("Hello.", "Hello.") && !says("Hello.", "Hello. You."));
        assert!(says("Dear {name}, you owe {sum:money KES}.", "Dear Amina, you owe five shillings."));
        assert!(says("{n} rooms", "4 rooms") && says("{a}{b}", "anything"));
        assert!(!says("Dear {name}.", "Hello Amina.") && !says("Dear {name}.", "Dear Amina!"));
    }
}
