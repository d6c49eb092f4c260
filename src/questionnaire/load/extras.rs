//! What comes besides the answer: recordings and their review, reading back, refusing and not knowing.

use std::time::Duration;

use super::attributes::{self, text, value, value_at};
use super::{Moment, Reading};
use crate::questionnaire::{Answers, Confirm, Key, NonReply, Recording, Review, WhyNot, checks};
use crate::xml::Element;

/// The longest recording, if the questionnaire does not say.
const LONGEST: Duration = Duration::from_secs(60);
/// Silence that ends a recording, if the questionnaire does not say.
const SILENCE_END: Duration = Duration::from_secs(3);
/// Codes for refusing and not knowing at one question.
const MAX_NON_REPLIES: usize = 10;

impl Reading<'_> {
    pub(super) fn record(&mut self, question: &Element) -> Answers {
        let silence_end = attributes::duration(question, "silence-end").unwrap_or(SILENCE_END);
        let mut term_chars: Vec<Key> =
            value(question, "end").unwrap_or("#").chars().filter_map(Key::new).collect();
        term_chars.sort_unstable();
        term_chars.dedup();
        Answers::Record(Recording {
            max: attributes::duration(question, "max").unwrap_or(LONGEST),
            silence_end: Some(silence_end).filter(|silence| !silence.is_zero()),
            term_chars,
            beep: attributes::yes_no(question, "beep", true),
            review: self.review(question),
        })
    }

    fn review(&mut self, question: &Element) -> Option<Review> {
        let elements: Vec<&Element> = question.elements().filter(|child| child.name == "review").collect();
        self.one_at_most(&elements);
        let element = elements.first()?;
        let [listen, keep, again] = self.different(element, [("listen", '1'), ("keep", '2'), ("again", '3')]);
        Some(Review { listen, again, keep, say: self.says(element, false, Moment::After) })
    }

    /// How the entry is read back.
    pub(super) fn confirm(&mut self, question: &Element) -> Option<Confirm> {
        let elements: Vec<&Element> = question.elements().filter(|child| child.name == "confirm").collect();
        self.one_at_most(&elements);
        let element = elements.first()?;
        let (yes, no) = self.yes_and_no(element);
        Some(Confirm { yes, no, say: self.says(element, false, Moment::After) })
    }

    /// The codes for refusing and not knowing.
    pub(super) fn non_replies(&mut self, question: &Element, answers: &Answers) -> Vec<NonReply> {
        let mut codes: Vec<NonReply> = Vec::new();
        for element in question.elements() {
            let why = match element.name.as_str() {
                "refuse" => WhyNot::Refused,
                "dont-know" => WhyNot::DontKnow,
                _ => continue,
            };
            if codes.len() == MAX_NON_REPLIES {
                let what = format!("more than {MAX_NON_REPLIES} codes for refusing and not knowing");
                self.findings.add(&checks::TOO_MUCH, element.at, what, None);
                break;
            }
            let keys = text(element, "key").to_ascii_uppercase();
            let go = self.target(element, "go");
            self.code_clash(element, &keys, answers, &codes);
            codes.push(NonReply { why, keys, go });
        }
        codes
    }

    /// Whether a code can be told from the answers and the other codes.
    fn code_clash(&mut self, element: &Element, keys: &str, answers: &Answers, others: &[NonReply]) {
        let at = element.attribute("key").map_or(element.at, value_at);
        let name = &element.name;
        if let Some(what) = super::clash::meaning(answers, keys) {
            let mend = "take keys that no answer has, such as *9".to_owned();
            self.findings.add(&checks::KEY_CLASH, at, format!("{keys} is `{name}` and also {what}"), mend);
        }
        for other in others.iter().filter(|other| !other.keys.is_empty() && !keys.is_empty()) {
            if other.keys == keys {
                let what = format!("the keys {keys} stand for two things");
                self.findings.add(&checks::DOUBLE_KEY, at, what, None);
            } else if other.keys.starts_with(keys) || keys.starts_with(&other.keys) {
                self.ambiguous(at, &other.keys, keys);
            }
        }
        if let Answers::Choice(choices) | Answers::Language(choices) = answers {
            let longer = |choice: &&str| !keys.is_empty() && *choice != keys;
            for choice in choices.iter().map(|choice| choice.keys.as_str()).filter(longer) {
                if choice.starts_with(keys) || (keys.starts_with(choice) && !choice.is_empty()) {
                    self.ambiguous(at, keys, choice);
                }
            }
        }
    }
}
