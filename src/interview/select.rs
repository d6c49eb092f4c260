//! Select: which item is next, and the instruction that it is.

use super::instruction::{Collect, Grammar, Instruction, TypeAhead};
use super::{Asking, Interview, MIN_STEPS, Record, STEPS_PER_ITEM, Stage, Status, Turn};
use crate::questionnaire::{Answers, Expression, Kind, Outcome, Prompt, Question, Questionnaire};
use crate::time::Timestamp;

impl Interview {
    /// Goes on with the item at this index, or the first one after it that has something to do.
    ///
    /// A checked questionnaire has no loop without a question, so no item is passed twice on the way.
    pub(super) fn select(&mut self, questionnaire: &Questionnaire, now: Timestamp, mut index: usize) {
        let items = questionnaire.items();
        for _ in 0..=items.len() {
            let (Some(item), Ok(at)) = (items.get(index), u16::try_from(index)) else { break };
            if !item.ask_if.iter().all(|condition| self.is_true(questionnaire, condition)) {
                index = questionnaire.after(index, self.seed);
                continue;
            }
            if !self.due_quotas(questionnaire, index).is_empty() {
                return self.ask_quotas(questionnaire, at);
            }
            match &item.kind {
                Kind::Statement(_) => return self.step(questionnaire, Stage::Saying(at)),
                Kind::Question(_) => {
                    self.enter(at);
                    let asking = Asking { item: at, turn: Turn::Plain, no_input: 0, no_match: 0, repeats: 0 };
                    return self.ask(questionnaire, now, asking);
                }
                Kind::End(end) => {
                    let outcome = self.settle(questionnaire, end.outcome);
                    return self.step(questionnaire, Stage::Ended { item: Some(at), outcome });
                }
                Kind::Go(go) => {
                    let taken = go.when.as_ref().is_none_or(|when| self.is_true(questionnaire, when));
                    index = match taken {
                        true => questionnaire.entry(go.to, self.seed),
                        false => questionnaire.after(index, self.seed),
                    };
                }
            }
        }
        self.stage = Stage::Ended { item: None, outcome: Outcome::Technical };
    }

    /// Asks a question, for the first time or again.
    pub(super) fn ask(&mut self, questionnaire: &Questionnaire, now: Timestamp, asking: Asking) {
        let record = self.records.entry(asking.item).or_insert_with(|| Record {
            status: Status::NotReached,
            value: None,
            digits: Vec::new(),
            asked: 0,
            asked_at: now,
            at: None,
            no_input: 0,
            no_match: 0,
        });
        record.asked = record.asked.saturating_add(1);
        self.step(questionnaire, Stage::Asking(asking));
    }

    /// Ends the interview where the questionnaire has an end for this outcome, else without a word.
    pub(super) fn end(&mut self, questionnaire: &Questionnaire, outcome: Outcome) {
        let item = questionnaire.end_of(outcome).and_then(|index| u16::try_from(index).ok());
        let outcome = self.settle(questionnaire, outcome);
        self.step(questionnaire, Stage::Ended { item, outcome });
    }

    pub(super) fn step(&mut self, questionnaire: &Questionnaire, stage: Stage) {
        self.steps = self.steps.saturating_add(1);
        let limit = MIN_STEPS.saturating_add(questionnaire.items().len().saturating_mul(STEPS_PER_ITEM));
        let over = usize::try_from(self.steps).is_ok_and(|steps| steps > limit);
        self.stage = if over { Stage::Ended { item: None, outcome: Outcome::Technical } } else { stage };
    }

    /// A break-off may still be complete or partial, by what was answered until then.
    pub(super) fn settle(&self, questionnaire: &Questionnaire, outcome: Outcome) -> Outcome {
        let holds = |condition: &Option<Expression>| {
            condition.as_ref().is_some_and(|condition| self.is_true(questionnaire, condition))
        };
        if outcome != Outcome::BreakOff {
            outcome
        } else if holds(&questionnaire.complete_when) {
            Outcome::Complete
        } else if holds(&questionnaire.partial_when) {
            Outcome::Partial
        } else {
            Outcome::BreakOff
        }
    }

    /// The instruction for where the interview stands.
    pub(super) fn instruction(&self, questionnaire: &Questionnaire) -> Instruction {
        let kind =
            |index: u16| questionnaire.items().get(usize::from(index)).map(|item| (&item.id, &item.kind));
        match self.stage {
            Stage::Saying(index) => {
                if let Some((id, Kind::Statement(statement))) = kind(index) {
                    let prompt = self.prompt(questionnaire, &statement.say);
                    let (barge_in, type_ahead) = (statement.barge_in, questionnaire.type_ahead());
                    return Instruction::Say { item: id.clone(), prompt, barge_in, type_ahead };
                }
            }
            Stage::GivingUp(asking) => {
                if let Some((id, Kind::Question(question))) = kind(asking.item) {
                    let rung = question.rung(asking);
                    let prompt = rung.map(|rung| self.prompt(questionnaire, &rung.say)).unwrap_or_default();
                    let barge_in = question.cuts_short(asking);
                    return Instruction::Say { item: id.clone(), prompt, barge_in, type_ahead: false };
                }
            }
            Stage::Asking(asking) => {
                if let Some((id, Kind::Question(question))) = kind(asking.item) {
                    let prompt = self.question_prompt(questionnaire, question, asking);
                    let collect = self.collect(questionnaire, asking, question);
                    return Instruction::Ask { item: id.clone(), prompt, collect };
                }
            }
            Stage::AskingQuota { before } => return self.quota_instruction(questionnaire, before),
            Stage::Ended { item: Some(index), outcome } => {
                if let Some((id, Kind::End(end))) = kind(index) {
                    let prompt = self.prompt(questionnaire, &end.say);
                    let transfer = end.transfer.clone().filter(|_| outcome == Outcome::Transfer);
                    return Instruction::End { item: id.clone(), prompt, outcome, transfer };
                }
            }
            Stage::Ended { item: None, outcome } => return Self::over(outcome),
            Stage::Ready => {
                return Instruction::Say {
                    item: String::new(),
                    prompt: Prompt::default(),
                    barge_in: false,
                    type_ahead: false,
                };
            }
        }
        Self::over(Outcome::Technical)
    }

    /// An end that the questionnaire does not have.
    pub(super) fn over(outcome: Outcome) -> Instruction {
        let item = outcome.as_str().to_owned();
        Instruction::End { item, prompt: Prompt::default(), outcome, transfer: None }
    }

    pub(super) fn collect(
        &self,
        questionnaire: &Questionnaire,
        asking: Asking,
        question: &Question,
    ) -> Collect {
        let (grammar, term_char) = match self.answers(questionnaire, asking.item, question).as_ref() {
            Answers::Choice(choices) => {
                (Grammar::Choice(choices.iter().map(|choice| choice.keys.clone()).collect()), None)
            }
            Answers::Number(range) => (Grammar::Number(*range), range.end),
            Answers::Language(_)
            | Answers::Scale(_)
            | Answers::Digits(_)
            | Answers::Multi(_)
            | Answers::Date(_)
            | Answers::Time(_)
            | Answers::Record(_)
            | Answers::Appointment(_) => (Grammar::Choice(Vec::new()), None),
        };
        Collect {
            grammar,
            codes: Vec::new(),
            commands: question.commands.clone(),
            barge_in: question.cuts_short(asking),
            type_ahead: match asking.turn {
                // Who is told that something was wrong has to hear it before the next key counts.
                Turn::NoInput | Turn::NoMatch => TypeAhead::Dropped,
                Turn::Plain | Turn::MoreTime if !question.type_ahead => TypeAhead::Dropped,
                Turn::Plain | Turn::MoreTime if questionnaire.type_ahead() => TypeAhead::Kept,
                Turn::Plain | Turn::MoreTime => TypeAhead::Taken,
            },
            no_input: match asking.turn {
                Turn::MoreTime => questionnaire.more_time().wait,
                Turn::Plain | Turn::NoInput | Turn::NoMatch => question.retry.wait,
            },
            inter_digit: question.retry.inter_digit,
            term_char,
            late_term_char: self.late_term_char,
        }
    }
}
