//! Ladders: nothing or nonsense came. Ask again, or give the question up.

use crate::interview::{Asking, Interview, Status, Turn};
use crate::questionnaire::{Outcome, Question, Questionnaire, Then};
use crate::time::Timestamp;

impl Interview {
    pub(super) fn no_input(
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

    pub(super) fn no_match(
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
}
