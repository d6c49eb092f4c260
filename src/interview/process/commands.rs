//! Commands: keys that are no answer, whatever is asked.

use crate::interview::instruction::KeyPress;
use crate::interview::part::{Draft, Part};
use crate::interview::{Asking, Interview, Stage, Status, Turn};
use crate::questionnaire::{Command, Outcome, Question, Questionnaire};
use crate::time::Timestamp;

/// Times that the callee may ask to hear a question again, or for more time; then it counts as no match.
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
        let turn = match command {
            Command::OptOut => {
                if let Some(record) = self.close(asking, now, Status::Refused) {
                    record.digits = vec![press];
                }
                return self.end(questionnaire, Outcome::Refusal);
            }
            // From a later part of a question back to its beginning.
            Command::Back if !asking.part.is_first() => {
                self.draft = Draft::default();
                Turn::Plain
            }
            Command::Back if self.back(questionnaire, now, asking) => return,
            // Before the first question there is none: it is said again.
            Command::Back | Command::Repeat => Turn::Plain,
            Command::MoreTime => Turn::MoreTime,
        };
        if asking.repeats >= MAX_REPEATS {
            return self.no_match(questionnaire, now, asking, question);
        }
        let part = if command == Command::Back { Part::first(question) } else { asking.part };
        let asking = Asking { turn, part, repeats: asking.repeats + 1, ..asking };
        match turn {
            // It is not said again, so it does not count as asked again.
            Turn::MoreTime => self.step(questionnaire, Stage::Asking(asking)),
            Turn::Plain | Turn::NoInput | Turn::NoMatch => self.ask(questionnaire, now, asking),
        }
    }
}
