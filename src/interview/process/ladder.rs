//! Ladders: nothing or nonsense came. Ask again, or give the question up.
//!
//! ```text
//! silence, silence, …   rung 1: prompt, question    rung 2: prompt, question    then
//!                               └─ or prompt and a way of its own: GivingUp ─► that way
//! ```

use crate::interview::part::Part;
use crate::interview::{Asking, Interview, Stage, Status, Turn};
use crate::questionnaire::{Outcome, Question, Questionnaire, Rung, Then};
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
        let over = asking.no_input >= question.retry.no_input_again;
        let asking = Asking { turn: Turn::NoInput, no_input: asking.no_input.saturating_add(1), ..asking };
        self.climb(questionnaire, now, asking, question, over);
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
        let over = asking.no_match >= question.retry.no_match_again;
        let asking = Asking { turn: Turn::NoMatch, no_match: asking.no_match.saturating_add(1), ..asking };
        self.climb(questionnaire, now, asking, question, over);
    }

    /// The next rung; `over`: it is asked no more.
    fn climb(
        &mut self,
        questionnaire: &Questionnaire,
        now: Timestamp,
        asking: Asking,
        question: &Question,
        over: bool,
    ) {
        if matches!(asking.part, Part::Review { .. }) {
            // What was recorded is the reply, also of those who do not say so.
            return match over {
                true => self.commit(questionnaire, now, asking, question),
                false => self.ask(questionnaire, now, asking),
            };
        }
        match question.rung(asking).and_then(|rung| rung.then.map(|then| (then, rung.say.is_empty()))) {
            Some((then, true)) => self.give_up(questionnaire, now, asking, then),
            Some((_, false)) => {
                self.close(asking, now, asking.in_vain());
                self.step(questionnaire, Stage::GivingUp(asking));
            }
            None if over => self.give_up(questionnaire, now, asking, question.retry.then),
            None => self.ask(questionnaire, now, asking),
        }
    }

    /// The prompt of a rung that leads away is said.
    pub(super) fn rung_said(&mut self, questionnaire: &Questionnaire, now: Timestamp, asking: Asking) {
        let item = questionnaire.items().get(usize::from(asking.item));
        let Some(question) = item.and_then(|item| item.question()) else { return };
        let then = question.rung(asking).and_then(|rung| rung.then);
        self.give_up(questionnaire, now, asking, then.unwrap_or(question.retry.then));
    }

    /// The question was asked for the last time.
    pub(super) fn give_up(
        &mut self,
        questionnaire: &Questionnaire,
        now: Timestamp,
        asking: Asking,
        then: Then,
    ) {
        let status = if then == Then::Refuse { Status::Refused } else { asking.in_vain() };
        self.close(asking, now, status);
        match then {
            Then::Skip | Then::Refuse => self.go_on(questionnaire, now, asking.item, None),
            Then::BreakOff => self.end(questionnaire, Outcome::BreakOff),
            Then::Transfer => self.end(questionnaire, Outcome::Transfer),
            Then::Go(to) => self.go_on(questionnaire, now, asking.item, Some(to)),
        }
    }
}

impl Asking {
    /// What becomes of the question if it is given up now.
    const fn in_vain(self) -> Status {
        match self.turn {
            Turn::NoInput => Status::NoInput,
            Turn::Plain | Turn::NoMatch | Turn::MoreTime => Status::NoMatch,
        }
    }
}

impl Question {
    /// The rung for this silence or entry: its own, or the last one, which stays as long as it leads nowhere.
    pub(in crate::interview) fn rung(&self, asking: Asking) -> Option<&Rung> {
        let (rungs, count) = match asking.turn {
            Turn::Plain | Turn::MoreTime => return None,
            Turn::NoInput => (&self.retry.no_input, asking.no_input),
            // What follows an entry has words of its own; those for a wrong entry do not fit it.
            Turn::NoMatch if !asking.part.is_question() => return None,
            Turn::NoMatch => (&self.retry.no_match, asking.no_match),
        };
        rungs.get(usize::from(count).saturating_sub(1)).or_else(|| rungs.last())
    }

    /// Whether a key cuts this asking short.
    pub(in crate::interview) fn cuts_short(&self, asking: Asking) -> bool {
        self.rung(asking).and_then(|rung| rung.barge_in).unwrap_or(self.barge_in)
    }
}
