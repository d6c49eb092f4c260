//! Prompts: what is said, in the language of the interview, with the pipes filled.

use std::borrow::Cow;

use super::{Asking, Interview, Turn};
use crate::questionnaire::{Answers, Prompt, Question, Questionnaire, Say, Sound, Value};

impl Interview {
    /// What these `say`s are in the interview's language.
    pub(super) fn prompt(&self, questionnaire: &Questionnaire, says: &[Say]) -> Prompt {
        let mine = says.iter().filter(|say| say.language == self.language);
        let utterances = mine.map(|say| say.fill(|name| self.piped(questionnaire, name)));
        let said = utterances.filter(|said| said.audio.is_some() || !said.text.trim().is_empty());
        Prompt(said.map(Sound::Say).collect())
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
            prompt.0.extend(self.prompt(questionnaire, &question.say).0);
            prompt.0.extend(self.offers(questionnaire, asking, question).0);
        }
        prompt
    }

    /// What is said of each option, in the order of this case.
    fn offers(&self, questionnaire: &Questionnaire, asking: Asking, question: &Question) -> Prompt {
        let offers: Vec<&Say> =
            question.offer.say.iter().filter(|say| say.language == self.language).collect();
        let answers = self.answers(questionnaire, asking.item, question);
        let choices = answers.choices().filter(|_| !offers.is_empty()).unwrap_or_default();
        let offered = choices.iter().flat_map(|choice| {
            let value = |name: &str| self.piped(questionnaire, name);
            offers.iter().flat_map(move |offer| offer.of_option(&choice.say, &choice.keys, value))
        });
        Prompt(offered.map(Sound::Say).collect())
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
    fn piped(&self, questionnaire: &Questionnaire, name: &str) -> String {
        if let Some(value) = self.fields.get(name) {
            return value.clone();
        }
        if let Some((value, say)) = self.computed_value(questionnaire, name) {
            return self
                .spoken(say)
                .unwrap_or_else(|| value.map(|value| value.to_string()).unwrap_or_default());
        }
        let value = self.record_of(questionnaire, name).and_then(|record| record.value.as_ref());
        let Some(value) = value else { return String::new() };
        let question = questionnaire.item(name).and_then(|item| item.question());
        question.and_then(|question| self.label(question, value)).unwrap_or_else(|| value.to_string())
    }

    /// How an option is said.
    fn label(&self, question: &Question, value: &Value) -> Option<String> {
        let Answers::Choice(choices) = &question.answers else { return None };
        self.spoken(&choices.iter().find(|choice| choice.value == *value)?.say)
    }

    /// These `say`s as words in the middle of a text; none if there are none.
    fn spoken(&self, says: &[Say]) -> Option<String> {
        let mut says = says.iter().filter(|say| say.language == self.language).peekable();
        says.peek()?;
        let texts: Vec<String> = says.map(|say| say.fill(|_| String::new()).text).collect();
        Some(texts.join(" "))
    }
}
