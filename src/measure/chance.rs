//! How often something is true of people who answer by lot: each option, each number of a range as often as
//! any other.

use std::collections::BTreeMap;

use crate::questionnaire::{
    Answers, Decimal, Expression, Facts, Known, NumberRange, Question, Questionnaire, Value,
};

/// Lots that are drawn. They are spread evenly, not at random: the same file has the same measures.
const LOTS: usize = 64;
/// Of what nothing is known (contact fields, dates, texts): as often true as not.
const UNKNOWN: f64 = 0.5;

/// What people answer, and how often conditions are true then.
pub(super) struct Chances<'a> {
    /// For each question whose answers can be drawn: that of each lot.
    answers: BTreeMap<&'a str, Vec<Known>>,
    /// What was found, by the condition's text.
    found: BTreeMap<&'a str, f64>,
}

impl<'a> Chances<'a> {
    pub(super) fn of(questionnaire: &'a Questionnaire) -> Self {
        let mut answers = BTreeMap::new();
        for (number, (id, question)) in questionnaire.questions().enumerate() {
            let drawn = answers_of(question);
            if !drawn.is_empty() {
                let lots = (0..LOTS).map(|lot| drawn.get(place(number, lot, drawn.len())).cloned());
                answers.insert(id, lots.map(|known| known.unwrap_or(Known::Nothing)).collect());
            }
        }
        Self { answers, found: BTreeMap::new() }
    }

    /// How often a condition is true.
    pub(super) fn of_condition(&mut self, condition: &'a Expression) -> f64 {
        if let Some(chance) = self.found.get(condition.source()) {
            return *chance;
        }
        let is_true = (0..LOTS).filter_map(|lot| self.is_true(condition, lot));
        let (mut count, mut known) = (0_u32, 0_u32);
        for is_true in is_true {
            known += 1;
            count += u32::from(is_true);
        }
        let chance = if known == 0 { UNKNOWN } else { f64::from(count) / f64::from(known) };
        self.found.insert(condition.source(), chance);
        chance
    }

    /// Whether a condition is true in one lot; nothing if it asks about what cannot be drawn.
    pub(super) fn is_true(&self, condition: &Expression, lot: usize) -> Option<bool> {
        let known = |name: &str| self.answers.get(name).and_then(|lots| lots.get(lot));
        if condition.names().iter().any(|(name, _)| known(name).is_none()) {
            return None;
        }
        if condition.is_of_today() {
            return None;
        }
        let known = |name: &str| known(name).cloned().unwrap_or(Known::Nothing);
        let today = jiff::civil::Date::MIN; // nothing asks about it
        Some(condition.is_true(&Facts { known: &known, today: &|| today }))
    }

    /// What the question answers in one lot.
    pub(super) fn answer(&self, id: &str, lot: usize) -> Option<&Known> {
        self.answers.get(id)?.get(lot)
    }

    pub(super) fn lots() -> std::ops::Range<usize> {
        0..LOTS
    }
}

/// Which of some answers a question gives in a lot: spread evenly, and differently from question to question.
fn place(question: usize, lot: usize, count: usize) -> usize {
    const STRIDES: [usize; 8] = [1, 27, 11, 45, 7, 37, 19, 53]; // odd: each lot once
    let turn = STRIDES.get(question % STRIDES.len()).copied().unwrap_or(1);
    let lot = (lot * turn + question / STRIDES.len()) % LOTS;
    if count <= LOTS { lot % count } else { lot * (count - 1) / (LOTS - 1) }
}

/// All that can be answered, as conditions see it; empty where it cannot be drawn.
fn answers_of(question: &Question) -> Vec<Known> {
    match &question.answers {
        Answers::Choice(choices) | Answers::Language(choices) => {
            choices.iter().map(|choice| Known::from(&choice.value)).collect()
        }
        Answers::Number(range) => numbers(range),
        Answers::Scale(scale) => numbers(&scale.range),
        Answers::Multi(multi) => {
            multi.options.iter().map(|option| Known::Set(vec![option.value.clone()])).collect()
        }
        Answers::Digits(_)
        | Answers::Date(_)
        | Answers::Time(_)
        | Answers::Record(_)
        | Answers::Appointment(_) => Vec::new(),
    }
}

fn numbers(range: &NumberRange) -> Vec<Known> {
    let span = range.max.saturating_sub(range.min);
    let lots = u64::try_from(LOTS).unwrap_or(u64::MAX);
    let number = |scaled: u64| -> Decimal { range.number(scaled) };
    let known = |scaled: u64| Known::from(&Value::Number(number(scaled)));
    if span < lots {
        return (range.min..=range.max).map(known).collect();
    }
    let step = |lot: u64| {
        range.min + u64::try_from(u128::from(span) * u128::from(lot) / u128::from(lots - 1)).unwrap_or(span)
    };
    (0..lots).map(|lot| known(step(lot))).collect()
}
