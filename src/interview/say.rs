//! Prompts: what is said, in the language of the interview, with the pipes filled.

use std::borrow::Cow;

use super::part::Part;
use super::process::half_day;
use super::{Asking, Interview, Turn};
use crate::questionnaire::{
    Answers, AppointmentAsk, Filling, Prompt, Question, Questionnaire, Say, Sound, Utterance, Value,
};

impl Interview {
    /// What these `say`s are in the interview's language.
    pub(super) fn prompt(&self, questionnaire: &Questionnaire, says: &[Say]) -> Prompt {
        self.prompt_in(&self.language, questionnaire, says)
    }

    fn prompt_in(&self, language: &str, questionnaire: &Questionnaire, says: &[Say]) -> Prompt {
        let mine = says.iter().filter(|say| say.language == language);
        let filling = |name: &str| self.piped(questionnaire, name);
        Prompt(mine.flat_map(|say| questionnaire.heard(say, &filling)).map(Sound::Say).collect())
    }

    /// What may be said to this contact in the language of the moment with a contact field in it: known before the
    /// call. Where replies stand beside it, each of their values, if they are `most` or fewer.
    #[must_use]
    pub fn known_texts(&self, questionnaire: &Questionnaire, most: usize) -> Vec<Utterance> {
        let names_a_field = |say: &Say| say.pipes().any(|name| self.fields.contains_key(name));
        self.may_be_heard(questionnaire, most, names_a_field)
    }

    /// What may be said later with the reply to this question in it, now that it is known.
    #[must_use]
    pub fn settled_texts(
        &self,
        questionnaire: &Questionnaire,
        question: &str,
        most: usize,
    ) -> Vec<Utterance> {
        if self.record_of(questionnaire, question).is_none_or(|record| record.value.is_none()) {
            return Vec::new();
        }
        let changes =
            |name: &str| name == question || questionnaire.computed().iter().any(|it| it.id == name);
        self.may_be_heard(questionnaire, most, |say| say.pipes().any(changes))
    }

    fn may_be_heard(
        &self,
        questionnaire: &Questionnaire,
        most: usize,
        which: impl Fn(&Say) -> bool,
    ) -> Vec<Utterance> {
        let values = |name: &str| match self.piped(questionnaire, name) {
            Some(filling) => Some(vec![Some(filling)]),
            None => questionnaire.values(name, most),
        };
        let offered = questionnaire.offered_with_names();
        let says = questionnaire.says().into_iter().chain(&offered);
        let says = says.filter(|say| say.language == self.language && which(say));
        says.flat_map(|say| questionnaire.may_be_heard(say, most, &values).unwrap_or_default()).collect()
    }

    /// A question, after what is said about silence or keys that are no answer.
    pub(super) fn question_prompt(
        &self,
        questionnaire: &Questionnaire,
        question: &Question,
        asking: Asking,
    ) -> Prompt {
        if asking.turn == Turn::MoreTime {
            return self.prompt(questionnaire, &questionnaire.more_time().say);
        }
        let rung = question.rung(asking);
        let mut prompt = Prompt::default();
        if let Some(rung) = rung {
            prompt = self.prompt(questionnaire, &rung.say);
        }
        if rung.is_none_or(|rung| rung.reprompt) {
            prompt.0.extend(self.part_prompt(questionnaire, question, asking).0);
        }
        prompt
    }

    /// How a part of a question is asked.
    fn part_prompt(&self, questionnaire: &Questionnaire, question: &Question, asking: Asking) -> Prompt {
        let mut prompt = Prompt::default();
        if asking.part.is_first() {
            prompt = self.prompt(questionnaire, &question.say);
        }
        let mut add = |says: &[Say]| prompt.0.extend(self.prompt(questionnaire, says).0);
        let answers = self.answers(questionnaire, asking.item, question);
        match (asking.part, answers.as_ref()) {
            (Part::Entry, Answers::Language(choices)) => {
                for choice in choices {
                    let language = choice.language.as_deref().unwrap_or(&self.language);
                    prompt.0.extend(self.prompt_in(language, questionnaire, &choice.say).0);
                }
            }
            (Part::Entry, Answers::Choice(choices)) => {
                let options = choices.iter().map(|choice| (choice.say.as_slice(), choice.keys.as_str()));
                prompt.0.extend(self.offers(questionnaire, question, options).0);
            }
            (Part::Entry, Answers::Multi(multi)) => {
                let options = multi.options.iter().map(|it| (it.say.as_slice(), it.keys.as_str()));
                prompt.0.extend(self.offers(questionnaire, question, options).0);
            }
            (Part::Entry, Answers::Appointment(appointment)) => match &appointment.ask {
                AppointmentAsk::DateAndTime { .. } => {}
                AppointmentAsk::Slots(slots) => {
                    self.offered(appointment, slots).iter().for_each(|(slot, _)| add(&slot.say));
                }
            },
            (Part::Option { index, .. }, Answers::Multi(multi)) => {
                let option = multi.options.get(usize::from(index)).into_iter();
                if question.offer.say.is_empty() {
                    option.for_each(|option| add(&option.say));
                } else {
                    let option = option.map(|option| (option.say.as_slice(), ""));
                    prompt.0.extend(self.offers(questionnaire, question, option).0);
                }
            }
            (Part::Time { .. }, Answers::Appointment(appointment)) => match &appointment.ask {
                AppointmentAsk::DateAndTime { say, .. } => add(say),
                AppointmentAsk::Slots(_) => {}
            },
            (Part::HalfDay { .. }, _) => half_day(question).into_iter().for_each(|asked| add(&asked.say)),
            (Part::Confirm, _) => question.confirm.iter().for_each(|confirm| add(&confirm.say)),
            (Part::Review { playing }, Answers::Record(recording)) => {
                let take = self.draft.recorded.filter(|_| playing).map(|recorded| recorded.take);
                let item = questionnaire.items().get(usize::from(asking.item)).map(|item| item.id.clone());
                prompt.0.extend(item.zip(take).map(|(item, take)| Sound::Recording { item, take }));
                let review = recording.review.iter();
                review.for_each(|review| prompt.0.extend(self.prompt(questionnaire, &review.say).0));
            }
            (Part::Entry | Part::Option { .. } | Part::Time { .. } | Part::Review { .. }, _) => {}
        }
        prompt
    }

    /// What is said of each option (its `say`s and keys), in the order of this case.
    fn offers<'a>(
        &self,
        questionnaire: &Questionnaire,
        question: &Question,
        options: impl Iterator<Item = (&'a [Say], &'a str)>,
    ) -> Prompt {
        let offers: Vec<&Say> =
            question.offer.say.iter().filter(|say| say.language == self.language).collect();
        let says = options.flat_map(|(say, keys)| {
            offers.iter().flat_map(|offer| offer.for_option(say, keys)).collect::<Vec<_>>()
        });
        let filling = |name: &str| self.piped(questionnaire, name);
        Prompt(says.flat_map(|say| questionnaire.heard(&say, &filling)).map(Sound::Say).collect())
    }

    /// What can be answered in this case.
    pub(super) fn answers<'q>(
        &self,
        questionnaire: &'q Questionnaire,
        item: u16,
        question: &'q Question,
    ) -> Cow<'q, Answers> {
        let id = questionnaire.items().get(usize::from(item)).map(|item| item.id.as_str());
        question.dealt(id.unwrap_or_default(), self.seed)
    }

    /// What a pipe is filled with: nothing, if nothing is known.
    pub(crate) fn piped<'q>(&self, questionnaire: &'q Questionnaire, name: &str) -> Option<Filling<'q>> {
        if let Some(value) = self.fields.get(name) {
            return Some(Value::Text(value.clone()).into());
        }
        if let Some((value, words)) = self.computed_value(questionnaire, name) {
            let has_words = !words.is_empty();
            return value
                .or_else(|| has_words.then(|| Value::Text(String::new())))
                .map(|value| Filling { value, words });
        }
        let drafted = self.drafted_value(questionnaire, name);
        drafted.or(self.record_of(questionnaire, name)?.value.as_ref()).cloned().map(Filling::from)
    }

    /// What was entered at the open question of this id, before it counts: what is read back.
    fn drafted_value(&self, questionnaire: &Questionnaire, name: &str) -> Option<&Value> {
        let is_open = self.question(questionnaire) == Some(name);
        self.draft.value.as_ref().filter(|_| is_open)
    }
}
