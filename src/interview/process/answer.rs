//! What keys are in each part of each kind of question: a value, a step to the next part, or nothing.

use jiff::civil::Date;

use crate::interview::grammar::spells;
use crate::interview::part::Part;
use crate::interview::{Days, Grammar, Interview, Several, Times};
use crate::questionnaire::{
    Answers, AppointmentAsk, HalfDay, Key, Multi, MultiStyle, Question, Scale, Value,
};

/// Minutes of half a day.
const HALF_DAY: u16 = 12 * 60;

/// What became of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entered {
    /// No answer.
    Nothing,
    /// An answer to this part; the next one is asked.
    Part(Part),
    /// The value of the question.
    Value(Value),
    /// The callee wants to keep what was read back, or recorded.
    Kept,
    /// The callee wants to enter, or to speak, anew.
    Rejected,
}

impl From<Option<Value>> for Entered {
    fn from(value: Option<Value>) -> Self {
        value.map_or(Self::Nothing, Self::Value)
    }
}

impl Interview {
    /// What these keys are in this part of the question; `answers`: what can be answered in this case.
    pub(super) fn entered(
        &self,
        question: &Question,
        answers: &Answers,
        part: Part,
        keys: &[Key],
    ) -> Entered {
        let one = |key: Key| *keys == [key];
        match part {
            Part::Entry => self.first_entry(question, answers, keys),
            Part::Option { index, chosen } => {
                let Answers::Multi(multi) = answers else { return Entered::Nothing };
                let MultiStyle::OneByOne { yes, no } = multi.style else { return Entered::Nothing };
                match (one(yes), one(no)) {
                    (true, _) => next_option(question, multi, index, chosen, true),
                    (_, true) => next_option(question, multi, index, chosen, false),
                    (false, false) => Entered::Nothing,
                }
            }
            Part::Time { day } => self.clock(question, answers, Some(day), keys),
            Part::HalfDay { day, minute } => {
                let Some(HalfDay { am, pm, .. }) = half_day(question) else { return Entered::Nothing };
                match (one(*am), one(*pm)) {
                    (true, _) => self.at(day, minute).into(),
                    (_, true) => self.at(day, minute + HALF_DAY).into(),
                    (false, false) => Entered::Nothing,
                }
            }
            Part::Confirm => match &question.confirm {
                Some(confirm) if one(confirm.yes) => Entered::Kept,
                Some(confirm) if one(confirm.no) => Entered::Rejected,
                Some(_) | None => Entered::Nothing,
            },
            Part::Review { .. } => {
                let Answers::Record(recording) = &question.answers else { return Entered::Nothing };
                match &recording.review {
                    Some(review) if one(review.keep) => Entered::Kept,
                    Some(review) if one(review.again) => Entered::Rejected,
                    Some(review) if one(review.listen) => Entered::Part(Part::Review { playing: true }),
                    Some(_) | None => Entered::Nothing,
                }
            }
        }
    }

    fn first_entry(&self, question: &Question, answers: &Answers, keys: &[Key]) -> Entered {
        match answers {
            Answers::Choice(choices) | Answers::Language(choices) => {
                let choice = choices.iter().find(|choice| spells(&choice.keys, keys));
                choice.map(|choice| choice.value.clone()).into()
            }
            Answers::Number(range) | Answers::Scale(Scale { range, .. }) => {
                range.value(keys).map(|number| Value::Number(range.number(number))).into()
            }
            Answers::Digits(shape) => {
                let text = || keys.iter().map(|key| key.as_char()).collect();
                shape.accepts(keys).then(|| Value::Text(text())).into()
            }
            Answers::Multi(multi) => {
                let several = Several::of(multi);
                several.chosen(keys).map(|chosen| set(question, multi, chosen)).into()
            }
            Answers::Date(_) => self.days_of(answers).and_then(|days| days.value(keys)).into(),
            Answers::Time(_) => self.clock(question, answers, None, keys),
            Answers::Record(_) => Entered::Nothing,
            Answers::Appointment(appointment) => match &appointment.ask {
                AppointmentAsk::DateAndTime { .. } => {
                    let day = self.days_of(answers).and_then(|days| days.first_day(keys));
                    let open = day.filter(|day| self.hours_of(appointment, *day).is_some());
                    open.map_or(Entered::Nothing, |day| Entered::Part(Part::Time { day }))
                }
                AppointmentAsk::Slots(slots) => {
                    let offered = self.offered(appointment, slots);
                    let slot = offered.iter().find(|(slot, _)| *keys == [slot.key]);
                    slot.and_then(|(slot, day)| self.at(Some(*day), slot.minute)).into()
                }
            },
        }
    }

    /// The days that can be keyed at a question.
    fn days_of(&self, answers: &Answers) -> Option<Days> {
        if let Grammar::Date(days) = self.entry_grammar(answers) { Some(days) } else { None }
    }

    /// A time as it was keyed: where it may be before and after noon, the half of the day is asked next.
    fn clock(&self, question: &Question, answers: &Answers, day: Option<Date>, keys: &[Key]) -> Entered {
        let part = day.map_or(Part::Entry, |day| Part::Time { day });
        let times =
            if let Grammar::Time(times) = self.grammar(question, answers, part) { Some(times) } else { None };
        match times.map_or([None, None], |times: Times| times.minutes(keys)) {
            [Some(minute), Some(_)] => Entered::Part(Part::HalfDay { day, minute }),
            [Some(minute), None] | [None, Some(minute)] => self.at(day, minute).into(),
            [None, None] => Entered::Nothing,
        }
    }

    /// A time of day, or a moment of a day.
    fn at(&self, day: Option<Date>, minute: u16) -> Option<Value> {
        match day {
            None => Some(Value::Text(format!("{:02}:{:02}", minute / 60, minute % 60))),
            Some(day) => self.moment(day, minute).map(Value::Text),
        }
    }
}

/// How the half of the day is asked for.
pub(in crate::interview) const fn half_day(question: &Question) -> Option<&HalfDay> {
    match &question.answers {
        Answers::Time(time) => Some(&time.half_day),
        Answers::Appointment(appointment) => match &appointment.ask {
            AppointmentAsk::DateAndTime { time, .. } => Some(&time.half_day),
            AppointmentAsk::Slots(_) => None,
        },
        Answers::Choice(_)
        | Answers::Language(_)
        | Answers::Number(_)
        | Answers::Scale(_)
        | Answers::Digits(_)
        | Answers::Multi(_)
        | Answers::Date(_)
        | Answers::Record(_) => None,
    }
}

/// The values of these options, in the order of the questionnaire, in whichever they were heard.
fn set(question: &Question, heard: &Multi, chosen: u32) -> Value {
    let chosen = (0_u32..).zip(&heard.options).filter(|(index, _)| chosen & 1 << index != 0);
    let mut values: Vec<String> = chosen.map(|(_, option)| option.value.clone()).collect();
    if let Answers::Multi(written) = &question.answers {
        values.sort_by_key(|value| written.options.iter().position(|option| option.value == *value));
    }
    Value::Set(values)
}

/// An option was answered: on to the next one that can still be chosen. An option that excludes all others
/// is asked only while none is chosen, and ends the list if it is.
fn next_option(question: &Question, multi: &Multi, index: u8, chosen: u32, yes: bool) -> Entered {
    let asked = usize::from(index);
    let now = if yes { chosen | 1_u32.checked_shl(u32::from(index)).unwrap_or(0) } else { chosen };
    let exclusive = yes && multi.options.get(asked).is_some_and(|option| option.exclusive);
    let full = now.count_ones() >= u32::from(multi.max);
    let later = multi.options.iter().enumerate().skip(asked + 1);
    let next = later.filter(|(_, option)| now == 0 || !option.exclusive).map(|(index, _)| index).next();
    match next.and_then(|next| u8::try_from(next).ok()).filter(|_| !exclusive && !full) {
        Some(index) => Entered::Part(Part::Option { index, chosen: now }),
        None if exclusive || now.count_ones() >= u32::from(multi.min) => {
            Entered::Value(set(question, multi, now))
        }
        None => Entered::Rejected,
    }
}
