//! Select: which item is next, and the instruction that it is.

use super::instruction::{Instruction, TypeAhead};
use super::part::{Draft, Part};
use super::{Asking, Interview, MIN_STEPS, Record, STEPS_PER_ITEM, Stage, Status};
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
                Kind::Question(question) if self.can_be_asked(question) => {
                    self.enter(at);
                    self.draft = Draft::default();
                    return self.ask(questionnaire, now, Asking::first(at, question));
                }
                Kind::Question(_) => index = questionnaire.after(index, self.seed),
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
            recorded: None,
            takes: 0,
        });
        if asking.part.is_first() {
            record.asked = record.asked.saturating_add(1);
        }
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
        let is_over = |parts: usize| {
            let limit = MIN_STEPS.saturating_add(parts.saturating_mul(STEPS_PER_ITEM));
            usize::try_from(self.steps).is_ok_and(|steps| steps > limit)
        };
        let over = is_over(questionnaire.items().len()) && is_over(parts(questionnaire));
        self.stage = if over { Stage::Ended { item: None, outcome: Outcome::Technical } } else { stage };
    }

    /// A break-off, or a fault of ours, may still be complete or partial, by what was answered until then.
    pub(super) fn settle(&self, questionnaire: &Questionnaire, outcome: Outcome) -> Outcome {
        let holds = |condition: &Option<Expression>| {
            condition.as_ref().is_some_and(|condition| self.is_true(questionnaire, condition))
        };
        if !matches!(outcome, Outcome::BreakOff | Outcome::Technical) {
            outcome
        } else if holds(&questionnaire.complete_when) {
            Outcome::Complete
        } else if holds(&questionnaire.partial_when) {
            Outcome::Partial
        } else {
            outcome
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
                    let barge_in = statement.barge_in;
                    let type_ahead =
                        if questionnaire.type_ahead() { TypeAhead::Kept } else { TypeAhead::Taken };
                    return Instruction::Say { item: id.clone(), prompt, barge_in, type_ahead };
                }
            }
            Stage::GivingUp(asking) => {
                if let Some((id, Kind::Question(question))) = kind(asking.item) {
                    let rung = question.rung(asking);
                    let prompt = rung.map(|rung| self.prompt(questionnaire, &rung.say)).unwrap_or_default();
                    let barge_in = question.cuts_short(asking);
                    return Instruction::Say {
                        item: id.clone(),
                        prompt,
                        barge_in,
                        type_ahead: TypeAhead::Dropped,
                    };
                }
            }
            Stage::Asking(asking) => {
                if let Some((id, Kind::Question(question))) = kind(asking.item) {
                    let (item, prompt) = (id.clone(), self.question_prompt(questionnaire, question, asking));
                    if let (Answers::Record(recording), Part::Entry) = (&question.answers, asking.part) {
                        let take = self.take(questionnaire, question, recording, asking);
                        return Instruction::Record { item, prompt, take };
                    }
                    let collect = self.collect(questionnaire, asking, question);
                    return Instruction::Ask { item, prompt, collect };
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
                    type_ahead: TypeAhead::Taken,
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
}

/// What can be asked: each item, and each option that is asked by itself.
pub(super) fn parts(questionnaire: &Questionnaire) -> usize {
    let options =
        |(_, question): (&str, &Question)| question.answers.asked_one_by_one().map_or(0, <[_]>::len);
    questionnaire.items().len() + questionnaire.questions().map(options).sum::<usize>()
}
