//! Commands: keys that are no answer, whatever is asked.

use crate::interview::instruction::KeyPress;
use crate::interview::{Asking, Interview, Status, Turn};
use crate::questionnaire::{Command, Outcome, Question, Questionnaire};
use crate::time::Timestamp;

/// Times that a question is said again because the callee asks for it; then it counts as no match.
const MAX_REPEATS: u8 = 5;

impl Interview {
    /// A command key was pressed at the open question.
    pub(super) fn command(
        &mut self,
        questionnaire: &Questionnaire,
        now: Timestamp,
        asking: Asking,
        question: &Question,
        command: Command,
        press: KeyPress,
    ) {
        match command {
            Command::Repeat if asking.repeats < MAX_REPEATS => {
                let asking = Asking { turn: Turn::Plain, repeats: asking.repeats + 1, ..asking };
                self.ask(questionnaire, now, asking);
            }
            Command::Repeat => self.no_match(questionnaire, now, asking, question),
            Command::OptOut => {
                if let Some(record) = self.close(asking, now, Status::Refused) {
                    record.digits = vec![press];
                }
                self.end(questionnaire, Outcome::Refusal);
            }
        }
    }
}
