//! What is listened for in each part of a question.

use std::time::Duration;

use super::instruction::{Collect, Days, Grammar, Several, Take, Times, TypeAhead};
use super::part::Part;
use super::process::half_day;
use super::{Asking, Interview, Turn};
use crate::questionnaire::{
    Answers, AppointmentAsk, Clock, DateEntry, DayBound, HalfDay, Key, Multi, MultiStyle, Question,
    Questionnaire, Recording, Scale, TimeRange,
};

/// What [`Collect::term_timeout`] is where keys that follow an answer are not meant for the next question: longer
/// than from key to key, and too short to be a silence.
const TERM_TIMEOUT: Duration = Duration::from_secs(1);

impl Interview {
    pub(super) fn collect(
        &self,
        questionnaire: &Questionnaire,
        asking: Asking,
        question: &Question,
    ) -> Collect {
        let part = asking.part;
        let answers = self.answers(questionnaire, asking.item, question);
        let codes = question.non_replies.iter().filter(|_| part.takes_codes());
        let term_char = match part {
            Part::Entry | Part::Time { .. } => question.answers.end(),
            Part::Option { .. } | Part::HalfDay { .. } | Part::Confirm | Part::Review { .. } => None,
        };
        Collect {
            grammar: self.grammar(question, &answers, part),
            codes: codes.map(|code| code.keys.clone()).collect(),
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
            term_timeout: match questionnaire.type_ahead() {
                true => Duration::ZERO,
                false => TERM_TIMEOUT.min(question.retry.inter_digit),
            },
            term_char,
            late_term_char: self.late_term_char,
        }
    }

    /// Which entries are answers to a part of a question.
    pub(super) fn grammar(&self, question: &Question, answers: &Answers, part: Part) -> Grammar {
        let keys = |keys: &[Key]| Grammar::Choice(keys.iter().map(Key::to_string).collect());
        match (part, answers) {
            (Part::Confirm, _) => {
                let confirm = question.confirm.as_ref();
                keys(&confirm.map(|confirm| vec![confirm.yes, confirm.no]).unwrap_or_default())
            }
            (Part::HalfDay { .. }, _) => {
                let asked = half_day(question).map(|HalfDay { am, pm, .. }| vec![*am, *pm]);
                keys(&asked.unwrap_or_default())
            }
            (Part::Review { .. }, Answers::Record(Recording { review, .. })) => {
                let review = review.as_ref();
                keys(&review.map(|it| vec![it.listen, it.keep, it.again]).unwrap_or_default())
            }
            (Part::Option { .. }, Answers::Multi(Multi { style: MultiStyle::OneByOne { yes, no }, .. })) => {
                keys(&[*yes, *no])
            }
            (Part::Time { day }, Answers::Appointment(appointment)) => {
                let clock = match &appointment.ask {
                    AppointmentAsk::DateAndTime { time, .. } => time.clock,
                    AppointmentAsk::Slots(_) => Clock::Hours24,
                };
                let range = self.hours_of(appointment, day).unwrap_or(TimeRange { min: 1, max: 0 });
                Grammar::Time(Times { clock, range })
            }
            (Part::Entry, answers) => self.entry_grammar(answers),
            (Part::Option { .. } | Part::Time { .. } | Part::Review { .. }, _) => keys(&[]),
        }
    }

    pub(super) fn entry_grammar(&self, answers: &Answers) -> Grammar {
        match answers {
            Answers::Choice(choices) | Answers::Language(choices) => {
                Grammar::Choice(choices.iter().map(|choice| choice.keys.clone()).collect())
            }
            Answers::Number(range) | Answers::Scale(Scale { range, .. }) => Grammar::Number(*range),
            Answers::Digits(shape) => Grammar::Digits(shape.clone()),
            Answers::Multi(multi) => Grammar::Several(Several::of(multi)),
            Answers::Date(date) => Grammar::Date(self.days(date)),
            Answers::Time(time) => Grammar::Time(Times { clock: time.clock, range: time.range }),
            Answers::Record(_) => Grammar::Choice(Vec::new()),
            Answers::Appointment(appointment) => match &appointment.ask {
                AppointmentAsk::DateAndTime { date, .. } => {
                    let (earliest, latest) = self.window(appointment);
                    let (min, max) = (Some(earliest.date()), Some(latest.date()));
                    Grammar::Date(Days { min, max, ..self.days(date) })
                }
                AppointmentAsk::Slots(slots) => {
                    let offered = self.offered(appointment, slots);
                    Grammar::Choice(offered.iter().map(|(slot, _)| slot.key.to_string()).collect())
                }
            },
        }
    }

    fn days(&self, date: &DateEntry) -> Days {
        let today = self.today();
        let on = |bound: Option<DayBound>| bound.map(|bound| bound.on(today));
        Days { format: date.format.clone(), min: on(date.min), max: on(date.max), today }
    }

    /// The next take of a recording.
    pub(super) fn take(
        &self,
        questionnaire: &Questionnaire,
        question: &Question,
        recording: &Recording,
        asking: Asking,
    ) -> Take {
        let codes = question.non_replies.iter();
        Take {
            number: self.records.get(&asking.item).map_or(0, |record| record.takes),
            max: recording.max,
            silence_end: recording.silence_end,
            no_input: match asking.turn {
                Turn::MoreTime => questionnaire.more_time().wait,
                Turn::Plain | Turn::NoInput | Turn::NoMatch => question.retry.wait,
            },
            term_chars: recording.term_chars.clone(),
            answers: codes.filter_map(|code| Key::new(code.keys.chars().next()?)).collect(),
            commands: question.commands.clone(),
            late_term_char: self.late_term_char,
            barge_in: question.cuts_short(asking),
            beep: recording.beep,
        }
    }
}

impl Several {
    /// What can be keyed at a question for several options.
    pub(super) fn of(multi: &Multi) -> Self {
        let exclusive = (0_u32..).zip(&multi.options).filter(|(_, option)| option.exclusive);
        Self {
            options: multi.options.iter().map(|option| option.keys.clone()).collect(),
            exclusive: exclusive.fold(0, |all, (index, _)| all | 1 << index),
            min: multi.min,
            max: multi.max,
        }
    }
}
