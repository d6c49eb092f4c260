//! Teaches respondents how the prompts of a questionnaire sound, and what each of them asks.
//!
//! ```text
//! item ─► everything that it may say: (Utterance, Label) ─ the prompts' store ─► Index
//!           question, offers with their keys, options one by one, read-backs, ladders …
//! ```

use std::collections::BTreeMap;

use super::ear::{Index, Label, Part};
use crate::id::Digest;
use crate::node::beep;
use crate::prompts::{Clip, PromptStore};
use crate::questionnaire::{
    Answers, AppointmentAsk, Filling, Item, KEY, Kind, MultiStyle, OPTION, Question, Questionnaire, Say,
    Utterance, Value,
};
use crate::sdp::Codec;

/// Something that may be heard, and what it is.
pub type Line = (Utterance, Label);
/// What is known of a name in a text: nothing (`None`), that it is empty, or its value.
pub type Knows<'a, 'q> = &'a dyn Fn(&str) -> Option<Option<Filling<'q>>>;

/// How the prompts of a questionnaire sound.
///
/// Prompts with a contact field in them sound as for the contact with these `fields`; a field that is not
/// given has its default. Prompts with a reply in them cannot be known ahead: respondents hear them as talk.
///
/// The store has loaded the questionnaire. Blocks while texts with contact fields are spoken.
#[must_use]
pub fn learn(questionnaire: &Questionnaire, store: &PromptStore, fields: &BTreeMap<String, String>) -> Index {
    let mut index = Index::default();
    teach(&mut index, &lines(questionnaire, fields), store, questionnaire.digest());
    let beep_label = Label { part: Part::Beep, asks: true, ..Label::default() };
    add(&mut index, beep_label, &beep());
    index
}

/// Adds these lines to what is known.
pub fn teach(index: &mut Index, lines: &[Line], store: &PromptStore, questionnaire: Digest) {
    for (utterance, label) in lines {
        match store.render(utterance, questionnaire) {
            Ok(clip) => add(index, label.clone(), &clip),
            Err(error) => {
                tracing::warn!(item = label.item, %error, "respondents will not know this prompt");
            }
        }
    }
}

fn add(index: &mut Index, label: Label, clip: &Clip) {
    index.add(label, clip.octets(Codec::Pcmu), clip.octets(Codec::Pcma));
}

/// Everything that can be known before a call to a contact with these fields.
#[must_use]
pub fn lines(questionnaire: &Questionnaire, fields: &BTreeMap<String, String>) -> Vec<Line> {
    let declared = questionnaire.contact_fields();
    let knows = |name: &str| {
        let default = declared.iter().find(|field| field.name == name).and_then(|it| it.default.as_ref());
        fields.get(name).or(default).map(|value| Some(Value::Text(value.clone()).into()))
    };
    let mut lesson = Lesson { questionnaire, knows: &knows, lines: Vec::new() };
    let more_time = Label { part: Part::MoreTime, asks: true, ..Label::default() };
    lesson.says(&more_time, &questionnaire.more_time().say);
    questionnaire.items().iter().for_each(|item| lesson.item(item));
    lesson.lines
}

/// Everything that an item may say, as far as its values are known.
#[must_use]
pub fn lines_at<'q>(questionnaire: &'q Questionnaire, item: &Item, knows: Knows<'_, 'q>) -> Vec<Line> {
    let mut lesson = Lesson { questionnaire, knows, lines: Vec::new() };
    lesson.item(item);
    lesson.lines
}

struct Lesson<'a, 'q> {
    questionnaire: &'q Questionnaire,
    knows: Knows<'a, 'q>,
    lines: Vec<Line>,
}

impl Lesson<'_, '_> {
    fn item(&mut self, item: &Item) {
        let label = Label { item: item.id.clone(), ..Label::default() };
        match &item.kind {
            Kind::Statement(statement) => self.says(&label, &statement.say),
            Kind::End(end) => self.says(&label, &end.say),
            Kind::Go(_) => {}
            Kind::Question(question) => self.question(&Label { asks: true, ..label }, question),
        }
    }

    fn question(&mut self, label: &Label, question: &Question) {
        let of = |part| Label { part, ..label.clone() };
        self.says(label, &question.say);
        match &question.answers {
            Answers::Language(choices) => {
                for choice in choices {
                    self.says(&about(&of(Part::Offer), &choice.value.to_string(), &choice.keys), &choice.say);
                }
            }
            Answers::Choice(choices) => {
                let options =
                    choices.iter().map(|it| (it.value.to_string(), it.keys.as_str(), it.say.as_slice()));
                self.offers(&of(Part::Offer), question, &options.collect::<Vec<_>>());
            }
            Answers::Multi(multi) => {
                let options = multi.options.iter();
                let options = options.map(|it| (it.value.clone(), it.keys.as_str(), it.say.as_slice()));
                let options: Vec<_> = options.collect();
                match multi.style {
                    MultiStyle::Keys { .. } => self.offers(&of(Part::Offer), question, &options),
                    MultiStyle::OneByOne { .. } if question.offer.say.is_empty() => {
                        for (value, keys, say) in options {
                            self.says(&about(&of(Part::Option), &value, keys), say);
                        }
                    }
                    MultiStyle::OneByOne { .. } => self.offers(&of(Part::Option), question, &options),
                }
            }
            Answers::Time(time) => self.says(&of(Part::HalfDay), &time.half_day.say),
            Answers::Record(recording) => {
                recording.review.iter().for_each(|review| self.says(&of(Part::Review), &review.say));
            }
            Answers::Appointment(appointment) => match &appointment.ask {
                AppointmentAsk::DateAndTime { time, say, .. } => {
                    self.says(&of(Part::Time), say);
                    self.says(&of(Part::HalfDay), &time.half_day.say);
                }
                AppointmentAsk::Slots(slots) => {
                    for slot in slots {
                        let key = slot.key.to_string();
                        self.says(&about(&of(Part::Offer), &key, &key), &slot.say);
                    }
                }
            },
            Answers::Number(_) | Answers::Scale(_) | Answers::Digits(_) | Answers::Date(_) => {}
        }
        for say in question.confirm.iter().flat_map(|confirm| &confirm.say) {
            let value =
                if say.pipes().any(|name| name == label.item) { (self.knows)(&label.item) } else { None };
            let value = value.flatten().map(|filling| filling.value.to_string());
            self.says(&Label { value, ..of(Part::Confirm) }, std::slice::from_ref(say));
        }
        question.retry.no_input.iter().for_each(|rung| self.says(&of(Part::NoInput), &rung.say));
        question.retry.no_match.iter().for_each(|rung| self.says(&of(Part::NoMatch), &rung.say));
    }

    /// What is said of each option, with every key that it may have.
    fn offers(&mut self, label: &Label, question: &Question, options: &[(String, &str, &[Say])]) {
        for (index, (value, keys, say)) in options.iter().enumerate() {
            let by_place = question.offer.draws_key(index);
            for offer in &question.offer.say {
                let names_key = offer.pipes().any(|name| name == KEY);
                let at_any = by_place && names_key;
                let places = if at_any { question.offer.places(index, options.len()) } else { 1..=1 };
                for place in places {
                    let key = match (by_place, names_key) {
                        (true, true) => Some(place.to_string()),
                        (true, false) => None,
                        (false, _) => Some((*keys).to_owned()).filter(|keys| !keys.is_empty()),
                    };
                    let label = Label { option: Some(value.clone()), key: key.clone(), ..label.clone() };
                    self.offer(&label, offer, say, &key.unwrap_or_default());
                }
            }
        }
    }

    fn offer(&mut self, label: &Label, offer: &Say, option: &[Say], keys: &str) {
        let mut names = offer.pipes().filter(|name| *name != OPTION && *name != KEY);
        if offer.audio.is_none() && !names.all(|name| (self.knows)(name).is_some()) {
            return;
        }
        let filling = |name: &str| (self.knows)(name).flatten();
        let says = offer.for_option(option, keys);
        let said = says.iter().flat_map(|say| self.questionnaire.heard(say, &filling)).collect::<Vec<_>>();
        let label = Label { language: offer.language.clone(), ..label.clone() };
        self.lines.extend(said.into_iter().map(|utterance| (utterance, label.clone())));
    }

    fn says(&mut self, label: &Label, says: &[Say]) {
        for say in says {
            if say.audio.is_none() && !say.pipes().all(|name| (self.knows)(name).is_some()) {
                continue;
            }
            let label = Label { language: say.language.clone(), ..label.clone() };
            let heard = self.questionnaire.heard(say, &|name| (self.knows)(name).flatten());
            self.lines.extend(heard.into_iter().map(|utterance| (utterance, label.clone())));
        }
    }
}

/// The label of an option, whose key is always the same.
fn about(label: &Label, option: &str, key: &str) -> Label {
    let key = Some(key.to_owned()).filter(|key| !key.is_empty());
    Label { option: Some(option.to_owned()), key, ..label.clone() }
}
