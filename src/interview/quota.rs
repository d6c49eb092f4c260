//! Quotas: is there room for a callee like this one? Asked once for each quota, when it is certain that the
//! callee counts, and before the next question is asked.
//!
//! ```text
//! reply ─► `when` is certain and true ─► AskQuota ─► room: the next question, and a place is kept
//!                                                └─► full: on to `full`
//! ```
//! Who was given a place keeps it: the answer is part of the record, and the quota is not asked again.

use super::instruction::Instruction;
use super::{Interview, QuotaAsked, Stage, Status};
use crate::questionnaire::{Kind, Outcome, Questionnaire};
use crate::time::Timestamp;

impl Interview {
    /// The quotas to ask about before this item, by index. Nothing is asked on the way to an end that does
    /// not count.
    pub(super) fn due_quotas(&self, questionnaire: &Questionnaire, before: usize) -> Vec<u16> {
        let at_the_end = match questionnaire.items().get(before).map(|item| &item.kind) {
            Some(Kind::Question(_)) => false,
            Some(Kind::End(end)) if end.outcome == Outcome::Complete => true,
            Some(_) | None => return Vec::new(),
        };
        let quotas = questionnaire.quotas().iter().zip(0_u16..);
        let open = quotas.filter(|(_, index)| !self.quotas.contains_key(index));
        let due = open.filter(|(quota, _)| {
            let certain = || quota.when.names().iter().all(|(name, _)| self.is_settled(questionnaire, name));
            self.is_true(questionnaire, &quota.when) && (at_the_end || certain())
        });
        due.map(|(_, index)| index).collect()
    }

    /// Whether nothing more is to be learnt of a contact field, a question, or what is computed from them.
    fn is_settled(&self, questionnaire: &Questionnaire, name: &str) -> bool {
        if let Some(computed) = questionnaire.computed().iter().find(|computed| computed.id == name) {
            return computed.sources.iter().all(|source| self.is_settled(questionnaire, source));
        }
        let record = self.record_of(questionnaire, name);
        self.fields.contains_key(name)
            || record.is_some_and(|record| !matches!(record.status, Status::NotReached | Status::Superseded))
    }

    pub(super) fn quota_instruction(&self, questionnaire: &Questionnaire, before: u16) -> Instruction {
        let due = self.due_quotas(questionnaire, usize::from(before));
        let quotas = due.into_iter().filter_map(|index| questionnaire.quotas().get(usize::from(index)));
        Instruction::AskQuota { quotas: quotas.map(|quota| quota.id.clone()).collect() }
    }

    /// Which of the quotas that were asked about are full.
    pub(super) fn quotas_answered(
        &mut self,
        questionnaire: &Questionnaire,
        now: Timestamp,
        before: u16,
        full: &[String],
    ) {
        let mut leave = None;
        for index in self.due_quotas(questionnaire, usize::from(before)) {
            let Some(quota) = questionnaire.quotas().get(usize::from(index)) else { continue };
            let is_full = full.contains(&quota.id);
            self.quotas.insert(index, is_full);
            leave = leave.or(Some(quota.full).filter(|_| is_full));
        }
        let next = leave.map_or(usize::from(before), |full| questionnaire.entry(full, self.seed));
        self.select(questionnaire, now, next);
    }

    /// What was said about each quota that was asked about.
    #[must_use]
    pub fn quotas(&self, questionnaire: &Questionnaire) -> Vec<QuotaAsked> {
        let asked = |(index, full): (&u16, &bool)| {
            let quota = questionnaire.quotas().get(usize::from(*index))?;
            let applies = self.is_true(questionnaire, &quota.when);
            Some(QuotaAsked { quota: quota.id.clone(), full: *full, applies })
        };
        self.quotas.iter().filter_map(asked).collect()
    }

    pub(super) fn ask_quotas(&mut self, questionnaire: &Questionnaire, before: u16) {
        self.step(questionnaire, Stage::AskingQuota { before });
    }
}
