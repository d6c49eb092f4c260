//! Entries: which value keys have, and where a reply leads.

use crate::interview::grammar::spells;
use crate::interview::instruction::KeyPress;
use crate::interview::{Asking, Interview, Status};
use crate::questionnaire::{Answers, Choice, Key, Question, Questionnaire, Value};
use crate::time::Timestamp;

impl Interview {
    pub(super) fn keys(
        &mut self,
        questionnaire: &Questionnaire,
        now: Timestamp,
        asking: Asking,
        question: &Question,
        presses: Vec<KeyPress>,
    ) {
        let keys: Vec<Key> = presses.iter().map(|press| press.key).collect();
        let collect = self.collect(questionnaire, asking, question);
        self.late_term_char = collect.term_char.filter(|_| !collect.can_grow(&keys));
        let answers = self.answers(questionnaire, asking.item, question);
        let choice = match answers.as_ref() {
            Answers::Choice(choices) | Answers::Language(choices) => {
                choices.iter().find(|choice| spells(&choice.keys, &keys))
            }
            Answers::Number(_)
            | Answers::Scale(_)
            | Answers::Digits(_)
            | Answers::Multi(_)
            | Answers::Date(_)
            | Answers::Time(_)
            | Answers::Record(_)
            | Answers::Appointment(_) => None,
        };
        let value = match (&question.answers, choice) {
            (_, Some(choice)) => Some(choice.value.clone()),
            (Answers::Number(range), None) => {
                range.value(&keys).map(|number| Value::Number(range.number(number)))
            }
            _ => None,
        };
        let Some(value) = value else { return self.no_match(questionnaire, now, asking, question) };
        if let Some(record) = self.records.get_mut(&asking.item) {
            record.value = Some(value);
            record.digits = presses;
        }
        self.close(asking, now, Status::Answered);
        self.filled(questionnaire, now, asking, question, choice);
    }

    /// A reply was taken: on to where it leads.
    fn filled(
        &mut self,
        questionnaire: &Questionnaire,
        now: Timestamp,
        asking: Asking,
        question: &Question,
        choice: Option<&Choice>,
    ) {
        if let Some(language) = choice.and_then(|choice| choice.language.as_ref()) {
            self.language.clone_from(language);
        }
        let is_out = |when: &Option<_>| when.as_ref().is_none_or(|when| self.is_true(questionnaire, when));
        let out = question.screen_outs.iter().find(|out| is_out(&out.when)).map(|out| out.to);
        let to = out.or_else(|| choice.and_then(|choice| choice.go));
        self.go_on(questionnaire, now, asking.item, to);
    }
}
