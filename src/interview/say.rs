//! Prompts: what is said, in the language of the interview, with the pipes filled.

use super::{Asking, Interview, Turn};
use crate::questionnaire::{Answers, Prompt, Question, Questionnaire, Rung, Say, Sound, Value};

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
        let rung = match asking.turn {
            Turn::Plain => None,
            Turn::NoInput => nth(&question.retry.no_input, asking.no_input),
            Turn::NoMatch => nth(&question.retry.no_match, asking.no_match),
        };
        let mut prompt = Prompt::default();
        if let Some(rung) = rung {
            prompt = self.prompt(questionnaire, &rung.say);
        }
        if rung.is_none_or(|rung| rung.reprompt) {
            prompt.0.extend(self.prompt(questionnaire, &question.say).0);
        }
        prompt
    }

    /// What a pipe is filled with: nothing, if nothing is known.
    fn piped(&self, questionnaire: &Questionnaire, name: &str) -> String {
        if let Some(value) = self.fields.get(name) {
            return value.clone();
        }
        let value = self.record_of(questionnaire, name).and_then(|record| record.value.as_ref());
        let Some(value) = value else { return String::new() };
        let question = questionnaire.item(name).and_then(|item| item.question());
        question.and_then(|question| self.label(question, value)).unwrap_or_else(|| value.to_string())
    }

    /// How an option is said.
    fn label(&self, question: &Question, value: &Value) -> Option<String> {
        let Answers::Choice(choices) = &question.answers else { return None };
        let choice = choices.iter().find(|choice| choice.value == *value)?;
        let mut says = choice.say.iter().filter(|say| say.language == self.language).peekable();
        says.peek()?;
        let texts: Vec<String> = says.map(|say| say.fill(|_| String::new()).text).collect();
        Some(texts.join(" "))
    }
}

/// The rung for the `count`th time; the last one stays.
fn nth(rungs: &[Rung], count: u8) -> Option<&Rung> {
    rungs.get(usize::from(count).saturating_sub(1)).or_else(|| rungs.last())
}
