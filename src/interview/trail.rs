//! The way so far, and back on it.
//!
//! ```text
//! asked    a ─► b ─► c          `back` at c asks b again, `back` there asks a
//! undone        b    c          the same reply to a: on to b, whose reply still stands until it is given anew
//!                               another reply: those of b and c are superseded, unless the new way asks them
//! ```

use serde::{Deserialize, Serialize};

use super::part::Draft;
use super::{Asking, Interview, Status};
use crate::questionnaire::{Questionnaire, Value};
use crate::time::Timestamp;

/// How many questions back the way is remembered; it is part of each save of a call.
const MAX_BACK: usize = 50;

/// The way so far; items by index.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Trail {
    /// The questions that were left, the last one last.
    left: Vec<u16>,
    /// Those that were come back from, the nearest one last.
    undone: Vec<u16>,
    /// The question that is asked again, and what was known of it before.
    before: Option<(u16, Status, Option<Value>)>,
}

impl Interview {
    /// Asks the question before this one again; says whether there is one.
    pub(super) fn back(&mut self, questionnaire: &Questionnaire, now: Timestamp, asking: Asking) -> bool {
        let Some(item) = self.trail.left.pop() else { return false };
        self.trail.undone.push(asking.item);
        self.remember(item);
        self.draft = Draft::default();
        let question = questionnaire.items().get(usize::from(item)).and_then(|item| item.question());
        let Some(question) = question else { return false };
        self.ask(questionnaire, now, Asking::first(item, question));
        true
    }

    /// A question has its turn: whether its reply will be another one is seen when it is left.
    pub(super) fn enter(&mut self, item: u16) {
        if self.trail.undone.last() == Some(&item) {
            self.trail.undone.pop();
            self.remember(item);
        }
        // What was said on another way is not taken for a reply on this one.
        if let Some(record) = self.records.get_mut(&item)
            && record.status == Status::Superseded
        {
            record.status = Status::NotReached;
            record.value = None;
            record.digits.clear();
            record.recorded = None;
            record.at = None;
        }
    }

    fn remember(&mut self, item: u16) {
        let record = self.records.get(&item);
        self.trail.before = record.map(|record| (item, record.status, record.value.clone()));
    }

    /// A question is left, with or without a reply. Another one than before supersedes what followed.
    pub(super) fn leave(&mut self, item: u16) {
        if self.trail.left.len() == MAX_BACK {
            self.trail.left.remove(0);
        }
        self.trail.left.push(item);
        let Some((before, status, value)) = self.trail.before.take() else { return };
        let same = self.records.get(&item).is_some_and(|now| (now.status, &now.value) == (status, &value));
        if before == item && same {
            return;
        }
        for undone in std::mem::take(&mut self.trail.undone) {
            if let Some(record) = self.records.get_mut(&undone).filter(|_| undone != item) {
                record.status = Status::Superseded;
            }
        }
    }
}
