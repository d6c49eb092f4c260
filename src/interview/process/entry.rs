//! Entries: which value keys have, and where a reply leads.

use crate::interview::grammar::spells;
use crate::interview::instruction::{KeyPress, Recorded, RecordingEnd};
use crate::interview::part::{Draft, Part};
use crate::interview::{Asking, Interview, Status, Turn};
use crate::questionnaire::{
    Answers, Choice, Key, NonReply, Outcome, Question, Questionnaire, Target, Then, Value, WhyNot,
};
use crate::time::Timestamp;

use super::answer::Entered;

/// Takes of one recording: then the last one is kept, whatever the callee wants.
const MAX_TAKES: u8 = 20;

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
        let codes = question.non_replies.iter().filter(|_| asking.part.takes_codes());
        if let Some(code) = codes.into_iter().find(|code| spells(&code.keys, &keys)) {
            return self.non_reply(questionnaire, now, asking, question, code, presses);
        }
        let answers = self.answers(questionnaire, asking.item, question);
        match self.entered(question, &answers, asking.part, &keys) {
            Entered::Nothing => self.no_match(questionnaire, now, asking, question),
            Entered::Part(part) => {
                if !matches!(part, Part::Review { .. }) {
                    self.draft.digits.extend(presses);
                }
                self.ask(questionnaire, now, asking.then(part));
            }
            Entered::Value(value) => {
                self.draft.digits.extend(presses);
                self.draft.value = Some(value);
                self.drafted(questionnaire, now, asking, question);
            }
            Entered::Kept => self.commit(questionnaire, now, asking, question),
            Entered::Rejected => self.rejected(questionnaire, now, asking, question),
        }
    }

    /// All parts of the reply are there: it counts, or is read back first.
    fn drafted(
        &mut self,
        questionnaire: &Questionnaire,
        now: Timestamp,
        asking: Asking,
        question: &Question,
    ) {
        match question.confirm {
            Some(_) => self.ask(questionnaire, now, asking.then(Part::Confirm)),
            None => self.commit(questionnaire, now, asking, question),
        }
    }

    /// The draft becomes the reply, and leads on.
    pub(super) fn commit(
        &mut self,
        questionnaire: &Questionnaire,
        now: Timestamp,
        asking: Asking,
        question: &Question,
    ) {
        let value = self.keep(now, asking);
        let choice = question
            .answers
            .choices()
            .and_then(|choices| choices.iter().find(|choice| Some(&choice.value) == value.as_ref()));
        self.filled(questionnaire, now, asking, question, choice);
    }

    /// The draft becomes the reply.
    pub(in crate::interview) fn keep(&mut self, now: Timestamp, asking: Asking) -> Option<Value> {
        let Draft { value, digits, recorded } = std::mem::take(&mut self.draft);
        if let Some(record) = self.records.get_mut(&asking.item) {
            record.value.clone_from(&value);
            record.digits = digits;
            record.recorded = recorded;
        }
        self.close(asking, now, Status::Answered);
        value
    }

    /// What was read back, or recorded, is not what the callee wants to answer: from the beginning. Whoever
    /// enters anew has one try less.
    fn rejected(
        &mut self,
        questionnaire: &Questionnaire,
        now: Timestamp,
        asking: Asking,
        question: &Question,
    ) {
        let first = Part::first(question);
        let takes = self.records.get(&asking.item).map_or(0, |record| record.takes);
        if matches!(asking.part, Part::Review { .. }) {
            return match takes < MAX_TAKES {
                true => self.ask(questionnaire, now, asking.then(first)),
                false => self.commit(questionnaire, now, asking, question),
            };
        }
        self.draft = Draft::default();
        if asking.rejected < question.retry.no_match_again {
            let rejected = asking.rejected + 1;
            self.ask(questionnaire, now, Asking { rejected, no_match: rejected, ..asking.then(first) });
        } else {
            self.give_up(questionnaire, now, asking, question.retry.then);
        }
    }

    /// The callee does not want to say, or does not know.
    fn non_reply(
        &mut self,
        questionnaire: &Questionnaire,
        now: Timestamp,
        asking: Asking,
        question: &Question,
        code: &NonReply,
        presses: Vec<KeyPress>,
    ) {
        if let Some(record) = self.records.get_mut(&asking.item) {
            record.value = None;
            record.recorded = None;
            record.digits = presses;
        }
        let status = match code.why {
            WhyNot::Refused => Status::Refused,
            WhyNot::DontKnow => Status::DontKnow,
        };
        self.close(asking, now, status);
        self.depart(questionnaire, now, asking, question, code.go);
    }

    /// A take was recorded; one that is not asked for changes nothing.
    pub(super) fn recorded(
        &mut self,
        questionnaire: &Questionnaire,
        now: Timestamp,
        asking: Asking,
        question: &Question,
        recorded: Recorded,
    ) {
        let Some(record) = self.records.get_mut(&asking.item) else { return };
        let Answers::Record(recording) = &question.answers else { return };
        if asking.part != Part::Entry || recorded.take != record.takes {
            return;
        }
        record.takes = record.takes.saturating_add(1);
        if recorded.ended_by == RecordingEnd::Gap {
            return self.ask(questionnaire, now, asking.then(Part::Entry));
        }
        let id = questionnaire.items().get(usize::from(asking.item)).map(|item| item.id.as_str());
        let name = Recorded::name(id.unwrap_or_default(), recorded.take);
        self.draft = Draft { value: Some(Value::Text(name)), digits: Vec::new(), recorded: Some(recorded) };
        match recording.review {
            _ if recorded.ended_by == RecordingEnd::HangUp => drop(self.keep(now, asking)),
            // Of what could not be stored nothing may be there to be kept, or to be listened to.
            _ if recorded.ended_by == RecordingEnd::Fault && recorded.duration_ms == 0 => {
                self.give_up(questionnaire, now, Asking { turn: Turn::NoInput, ..asking }, Then::Skip);
            }
            Some(_) if recorded.ended_by != RecordingEnd::Fault => {
                self.ask(questionnaire, now, asking.then(Part::Review { playing: false }));
            }
            Some(_) | None => self.commit(questionnaire, now, asking, question),
        }
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
        let mut to = choice.and_then(|choice| choice.go);
        if let Answers::Appointment(appointment) = &question.answers {
            to = appointment.go;
            if to.is_none() && self.screened_out(questionnaire, question).is_none() {
                return self.end(questionnaire, Outcome::Callback);
            }
        }
        self.depart(questionnaire, now, asking, question, to);
    }

    /// Goes on from a question: where a screen-out leads, or `to`, or with the next item.
    fn depart(
        &mut self,
        questionnaire: &Questionnaire,
        now: Timestamp,
        asking: Asking,
        question: &Question,
        to: Option<Target>,
    ) {
        let to = self.screened_out(questionnaire, question).or(to);
        self.go_on(questionnaire, now, asking.item, to);
    }

    fn screened_out(&self, questionnaire: &Questionnaire, question: &Question) -> Option<Target> {
        let is_out = |when: &Option<_>| when.as_ref().is_none_or(|when| self.is_true(questionnaire, when));
        question.screen_outs.iter().find(|out| is_out(&out.when)).map(|out| out.to)
    }
}
