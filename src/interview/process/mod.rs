//! Process: what a reply, silence, a wrong key or a command leads to.
//!
//! ```text
//! Keys ─► answer: what are they? ─► entry ─► filled ─► go_on: the next item
//!                   │                 └─► the next part of the same question
//!                   └─► no match ─┬─► ladder ─► ask again, or given up
//! Silence ────────────────────────┘                    Command ─► commands
//! ```

mod answer;
mod commands;
mod entry;
mod ladder;

pub(super) use answer::half_day;

use super::instruction::Heard;
use super::part::Draft;
use super::{Asking, Interview, Record, Stage, Status};
use crate::questionnaire::{Outcome, Questionnaire, Target};
use crate::time::Timestamp;

impl Interview {
    /// Takes in what was heard; what does not fit changes nothing.
    pub(super) fn process(&mut self, questionnaire: &Questionnaire, now: Timestamp, heard: Heard) {
        let asking = match self.stage {
            Stage::Asking(asking) => asking,
            Stage::Ready if heard == Heard::Begin => {
                self.began_at = now;
                return self.select(questionnaire, now, questionnaire.first(self.seed));
            }
            Stage::Saying(_) if heard == Heard::Unsaid => return self.end(questionnaire, Outcome::Technical),
            Stage::Saying(item) if heard == Heard::Said => return self.go_on(questionnaire, now, item, None),
            Stage::GivingUp(asking) if heard == Heard::Said => {
                return self.rung_said(questionnaire, now, asking);
            }
            Stage::AskingQuota { before } => {
                if let Heard::Quota { full } = heard {
                    self.quotas_answered(questionnaire, now, before, &full);
                }
                return;
            }
            Stage::Ready | Stage::Saying(_) | Stage::GivingUp(_) | Stage::Ended { .. } => return,
        };
        let item = questionnaire.items().get(usize::from(asking.item));
        let Some(question) = item.and_then(|item| item.question()) else { return };
        match heard {
            Heard::Begin | Heard::Said | Heard::Quota { .. } => {}
            Heard::Recorded(recorded) => self.recorded(questionnaire, now, asking, question, recorded),
            Heard::Keys(keys) => self.keys(questionnaire, now, asking, question, keys),
            Heard::Ended(keys) => {
                self.keys(questionnaire, now, asking, question, keys);
                self.late_term_char = None; // it has come
            }
            Heard::Unsaid => {
                self.close(asking, now, Status::NotReached);
                self.end(questionnaire, Outcome::Technical);
            }
            Heard::Silence => self.no_input(questionnaire, now, asking, question),
            Heard::Command(command, press) => {
                self.command(questionnaire, now, asking, question, command, press)
            }
        }
    }

    /// Goes on where a target leads, or with the next item.
    pub(super) fn go_on(
        &mut self,
        questionnaire: &Questionnaire,
        now: Timestamp,
        item: u16,
        to: Option<Target>,
    ) {
        let is_question =
            questionnaire.items().get(usize::from(item)).is_some_and(|item| item.question().is_some());
        if is_question {
            self.leave(item);
        }
        let next = || questionnaire.after(usize::from(item), self.seed);
        let index = to.map_or_else(next, |to| questionnaire.entry(to, self.seed));
        self.select(questionnaire, now, index);
    }

    /// Notes what became of the open question. A reply of an earlier time stays if no new one came; the
    /// record is given back only if there is none.
    pub(super) fn close(&mut self, asking: Asking, now: Timestamp, status: Status) -> Option<&mut Record> {
        self.draft = Draft::default();
        let record = self.records.get_mut(&asking.item)?;
        let refused =
            matches!(record.status, Status::Refused | Status::DontKnow) && !record.digits.is_empty();
        let in_vain = matches!(status, Status::NoInput | Status::NoMatch | Status::NotReached);
        if (record.value.is_some() && status != Status::Answered) || (refused && in_vain) {
            return None;
        }
        record.status = status;
        record.at = Some(now);
        Some(record)
    }
}
