//! Process: what a reply, silence, a wrong key or a command leads to.

use std::collections::BTreeSet;

use super::grammar::spells;
use super::instruction::{Heard, KeyPress};
use super::{Asking, Interview, Record, Response, Stage, Status, Turn};
use crate::questionnaire::{
    Answers, Choice, Command, Key, Outcome, Question, Questionnaire, Target, Then, Value,
};
use crate::time::Timestamp;

/// Times that a question is said again because the callee asks for it; then it counts as no match.
const MAX_REPEATS: u8 = 5;

impl Interview {
    /// Takes in what was heard; what does not fit changes nothing.
    pub(super) fn process(&mut self, questionnaire: &Questionnaire, now: Timestamp, heard: Heard) {
        let asking = match self.stage {
            Stage::Asking(asking) => asking,
            Stage::Ready if heard == Heard::Begin => {
                self.began_at = now;
                return self.select(questionnaire, now, questionnaire.first(self.seed));
            }
            Stage::Saying(item) if heard == Heard::Said => return self.go_on(questionnaire, now, item, None),
            Stage::AskingQuota { before } => {
                if let Heard::Quota { full } = heard {
                    self.quotas_answered(questionnaire, now, before, &full);
                }
                return;
            }
            Stage::Ready | Stage::Saying(_) | Stage::Ended { .. } => return,
        };
        let item = questionnaire.items().get(usize::from(asking.item));
        let Some(question) = item.and_then(|item| item.question()) else { return };
        match heard {
            Heard::Begin | Heard::Said | Heard::Quota { .. } | Heard::Recorded(_) | Heard::Overrun(_) => {}
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
        let collect = self.collect(question);
        self.late_term_char = collect.term_char.filter(|_| !collect.can_grow(&keys));
        let choice = match &question.answers {
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

    /// Goes on where a target leads, or with the next item.
    fn go_on(&mut self, questionnaire: &Questionnaire, now: Timestamp, item: u16, to: Option<Target>) {
        let next = || questionnaire.after(usize::from(item), self.seed);
        let index = to.map_or_else(next, |to| questionnaire.entry(to, self.seed));
        self.select(questionnaire, now, index);
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
        match question.retry.then {
            Then::Skip => {
                self.close(asking, now, status);
                self.go_on(questionnaire, now, asking.item, None);
            }
            Then::Refuse => {
                self.close(asking, now, Status::Refused);
                self.go_on(questionnaire, now, asking.item, None);
            }
            Then::BreakOff => {
                self.close(asking, now, status);
                self.end(questionnaire, Outcome::BreakOff);
            }
            Then::Go(to) => {
                self.close(asking, now, status);
                self.go_on(questionnaire, now, asking.item, Some(to));
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

    /// The items that were passed by: all before the last one that was asked, in the order of this case.
    pub(super) fn passed(&self, questionnaire: &Questionnaire) -> BTreeSet<usize> {
        let mut sequence = questionnaire.sequence(self.seed);
        let asked = |item: &usize| u16::try_from(*item).is_ok_and(|item| self.records.contains_key(&item));
        if !self.went_through(questionnaire) {
            sequence.truncate(sequence.iter().rposition(asked).unwrap_or(0));
        }
        sequence.into_iter().collect()
    }

    /// What became of the question at this index.
    pub(super) fn response(&self, id: &str, index: u16, passed: bool) -> Response {
        let record = self.records.get(&index);
        let status = match record {
            Some(record) => record.status,
            None if passed => Status::Skipped,
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
