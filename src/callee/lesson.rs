//! Teaches respondents how the prompts of a questionnaire sound.

use std::collections::BTreeMap;

use super::ear::{Index, Label};
use crate::id::Digest;
use crate::prompts::PromptStore;
use crate::questionnaire::{Item, Kind, Piece, Questionnaire, Say};
use crate::sdp::Codec;

/// The parts of an item that can be heard, as a [`Label`] names them.
const PROMPT: &str = "prompt";
const NO_INPUT: &str = "no-input";
const NO_MATCH: &str = "no-match";

/// How the prompts of a questionnaire sound.
///
/// Prompts with a contact field in them sound as for the contact with these `fields`; a field that is not
/// given has its default. Prompts with a reply in them cannot be known ahead: respondents hear them as talk.
///
/// The store has loaded the questionnaire. Blocks while texts with contact fields are spoken.
#[must_use]
pub fn learn(questionnaire: &Questionnaire, store: &PromptStore, fields: &BTreeMap<String, String>) -> Index {
    let mut lesson = Lesson {
        index: Index::default(),
        store,
        digest: questionnaire.digest(),
        fields: known_fields(questionnaire, fields),
    };
    for item in questionnaire.items() {
        lesson.learn_item(item);
    }
    lesson.index
}

fn known_fields(questionnaire: &Questionnaire, given: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let declared = questionnaire.contact_fields().iter();
    let value = |name: &String, default: &Option<String>| given.get(name).or(default.as_ref()).cloned();
    declared.filter_map(|field| Some((field.name.clone(), value(&field.name, &field.default)?))).collect()
}

struct Lesson<'a> {
    index: Index,
    store: &'a PromptStore,
    digest: Digest,
    fields: BTreeMap<String, String>,
}

impl Lesson<'_> {
    fn learn_item(&mut self, item: &Item) {
        match &item.kind {
            Kind::Statement(statement) => self.learn_says(item, PROMPT, false, &statement.say),
            Kind::End(end) => self.learn_says(item, PROMPT, false, &end.say),
            Kind::Go(_) => {}
            Kind::Question(question) => {
                self.learn_says(item, PROMPT, true, &question.say);
                for rung in &question.retry.no_input {
                    self.learn_says(item, NO_INPUT, true, &rung.say);
                }
                for rung in &question.retry.no_match {
                    self.learn_says(item, NO_MATCH, true, &rung.say);
                }
            }
        }
    }

    fn learn_says(&mut self, item: &Item, part: &str, asks: bool, says: &[Say]) {
        for say in says {
            let knows = |piece: &Piece| match piece {
                Piece::Words(_) => true,
                Piece::Pipe { name, .. } => self.fields.contains_key(name),
            };
            if say.audio.is_none() && !say.text.iter().all(knows) {
                continue;
            }
            let utterance = say.fill(|name| self.fields.get(name).cloned().unwrap_or_default());
            match self.store.render(&utterance, self.digest) {
                Ok(clip) => {
                    let (item, part, language) = (item.id.clone(), part.to_owned(), say.language.clone());
                    let label = Label { item, part, language, asks };
                    self.index.add(label, clip.octets(Codec::Pcmu), clip.octets(Codec::Pcma));
                }
                Err(error) => tracing::warn!(item = item.id, %error, "respondents will not know this prompt"),
            }
        }
    }
}
