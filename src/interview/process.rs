//! Process: what a reply, silence, a wrong key or a command leads to.

use super::instruction::{Grammar, Heard, KeyPress};
use super::{Asking, Interview, Record, Response, Stage, Status, Turn};
use crate::questionnaire::{Answers, Choice, Command, Key, Outcome, Question, Questionnaire, Then, Value};
use crate::time::Timestamp;

/// Times that a question is said again because the callee asks for it; then it counts as no match.
const MAX_REPEATS: u8 = 5;

impl Interview {
    /// Takes in what was heard; what does not fit changes nothing.
    pub(super) fn process(&mut self, questionnaire: &Questionnaire, now: Timestamp, heard: Heard) {
        let asking = match self.stage {
            Stage::Asking(asking) => asking,
            Stage::Ready if heard == Heard::Begin => return self.select(questionnaire, now, 0),
            Stage::Saying(item) if heard == Heard::Said => {
                return self.select(questionnaire, now, usize::from(item) + 1);
            }
            Stage::Ready | Stage::Saying(_) | Stage::Ended { .. } => return,
        };
        let item = questionnaire.items().get(usize::from(asking.item));
        let Some(question) = item.and_then(|item| item.question()) else { return };
        match heard {
            Heard::Begin | Heard::Said => {}
            Heard::Keys(keys) => self.keys(questionnaire, now, asking, question, keys),
            Heard::Silence => self.no_input(questionnaire, now, asking, question),
            Heard::Command(Command::Repeat, _) if asking.repeats < MAX_REPEATS => {
                let asking = Asking { turn: Turn::Plain, repeats: asking.repeats + 1, ..asking };
                self.ask(questionnaire, now, asking);
            }
            Heard::Command(Command::Repeat, _) => self.no_match(questionnaire, now, asking, question),
            Heard::Command(Command::OptOut, press) => {
                if let Some(record) = self.close(asking, now, Status::Refused) {
                    record.digits = vec![press];
                }
                self.end(questionnaire, Outcome::Refusal);
            }
        }
    }

    fn keys(
        &mut self,
        questionnaire: &Questionnaire,
        now: Timestamp,
        asking: Asking,
        question: &Question,
        presses: Vec<KeyPress>,
    ) {
        let keys: Vec<Key> = presses.iter().map(|press| press.key).collect();
        self.late_term_char = match &question.answers {
            Answers::Number(range) if !Grammar::Number(*range).can_grow(&keys) => range.end,
            Answers::Number(_) | Answers::Choice(_) => None,
        };
        let (value, choice) = match &question.answers {
            Answers::Choice(choices) => {
                let found =
                    choices.iter().find(|choice| choice.keys.chars().eq(keys.iter().map(|k| k.as_char())));
                (found.map(|choice| choice.value.clone()), found)
            }
            Answers::Number(range) => (range.value(&keys).map(Value::Number), None),
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
        self.select(questionnaire, now, to.unwrap_or_else(|| usize::from(asking.item) + 1));
    }

    fn no_input(
        &mut self,
        questionnaire: &Questionnaire,
        now: Timestamp,
        asking: Asking,
        question: &Question,
    ) {
        if let Some(record) = self.records.get_mut(&asking.item) {
            record.no_input = record.no_input.saturating_add(1);
        }
        if asking.no_input < question.retry.no_input_again {
            let asking = Asking { turn: Turn::NoInput, no_input: asking.no_input + 1, ..asking };
            self.ask(questionnaire, now, asking);
        } else {
            self.give_up(questionnaire, now, asking, question, Status::NoInput);
        }
    }

    fn no_match(
        &mut self,
        questionnaire: &Questionnaire,
        now: Timestamp,
        asking: Asking,
        question: &Question,
    ) {
        if let Some(record) = self.records.get_mut(&asking.item) {
            record.no_match = record.no_match.saturating_add(1);
        }
        if asking.no_match < question.retry.no_match_again {
            let asking = Asking { turn: Turn::NoMatch, no_match: asking.no_match + 1, ..asking };
            self.ask(questionnaire, now, asking);
        } else {
            self.give_up(questionnaire, now, asking, question, Status::NoMatch);
        }
    }

    /// The question was asked for the last time.
    fn give_up(
        &mut self,
        questionnaire: &Questionnaire,
        now: Timestamp,
        asking: Asking,
        question: &Question,
        status: Status,
    ) {
        let next = usize::from(asking.item) + 1;
        match question.retry.then {
            Then::Skip => {
                self.close(asking, now, status);
                self.select(questionnaire, now, next);
            }
            Then::Refuse => {
                self.close(asking, now, Status::Refused);
                self.select(questionnaire, now, next);
            }
            Then::BreakOff => {
                self.close(asking, now, status);
                self.end(questionnaire, Outcome::BreakOff);
            }
            Then::Go(to) => {
                self.close(asking, now, status);
                self.select(questionnaire, now, to);
            }
        }
    }

    /// Notes what became of the open question. A reply of an earlier time stays if no new one came; the
    /// record is given back only if there is none.
    pub(super) fn close(&mut self, asking: Asking, now: Timestamp, status: Status) -> Option<&mut Record> {
        let record = self.records.get_mut(&asking.item)?;
        if record.value.is_some() && status != Status::Answered {
            return None;
        }
        record.status = status;
        record.at = Some(now);
        Some(record)
    }

    /// What became of the question at this index.
    pub(super) fn response(&self, questionnaire: &Questionnaire, id: &str, index: u16) -> Response {
        let record = self.records.get(&index);
        let status = match record {
            Some(record) => record.status,
            None if index < self.furthest || self.went_through(questionnaire) => Status::Skipped,
            None => Status::NotReached,
        };
        Response {
            question: id.to_owned(),
            status,
            value: record.and_then(|record| record.value.clone()),
            digits: record.map(|record| record.digits.clone()).unwrap_or_default(),
            asked: record.map_or(0, |record| record.asked),
            asked_at: record.map(|record| record.asked_at),
            at: record.and_then(|record| record.at),
            no_input: record.map_or(0, |record| record.no_input),
            no_match: record.map_or(0, |record| record.no_match),
        }
    }

    /// Whether the interview reached an end that calls it complete: what was not asked was passed by.
    fn went_through(&self, questionnaire: &Questionnaire) -> bool {
        let Stage::Ended { item: Some(item), outcome: Outcome::Complete } = self.stage else { return false };
        let end = questionnaire.items().get(usize::from(item)).map(|item| &item.kind);
        matches!(end, Some(crate::questionnaire::Kind::End(end)) if end.outcome == Outcome::Complete)
    }
}
