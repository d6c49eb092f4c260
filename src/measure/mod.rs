//! How long calls of a questionnaire last, how many ways lead through it, what each language costs.
//!
//! ```text
//! Questionnaire ─► ways: which item may follow which, how often     ─► number of paths, longest way
//!               └► time: prompts, waits, keys of each item          ─► minutes
//! ```
//! What is assumed stands in docs/checks.md: change both.

mod chance;
mod count;
mod time;
mod ways;

use std::time::Duration;

pub use count::Count;

use self::time::{ItemTime, Watch};
use self::ways::Ways;
use crate::questionnaire::{Anchor, Order, Questionnaire};

/// What is measured of a questionnaire.
#[derive(Clone, Debug, PartialEq)]
pub struct Measures {
    /// Ways through the items of those who answer, from the first item to an end; none goes round in a loop.
    /// Conditions are taken as independent, so it is the most that there can be.
    pub paths: Count,
    /// Orders in which sections and options can be heard.
    pub orders: Count,
    /// Jumps that lead back.
    pub loops: usize,
    /// The times, for each language.
    pub languages: Vec<Times>,
}

/// How long calls last in one language, from the first prompt to the last.
#[derive(Clone, Debug, PartialEq)]
pub struct Times {
    /// The language.
    pub language: String,
    /// The mean of complete interviews of people who answer at the first time. Where nothing is complete: of
    /// all interviews.
    pub typical: Duration,
    /// The longest way of someone who answers at the first time.
    pub longest: Duration,
    /// The same way and person, who keeps silent and mistakes keys as often as each ladder allows.
    pub at_most: Duration,
    /// `typical`, divided by that of the first language.
    pub relative: f64,
    /// Which part of the typical call's prompts is estimated from texts, because there is no recording.
    pub estimated: f64,
}

impl Measures {
    /// Measures a questionnaire. `recording` tells how long the recording at a path plays.
    #[must_use]
    pub fn of(questionnaire: &Questionnaire, recording: &dyn Fn(&str) -> Option<Duration>) -> Self {
        let ways = Ways::of(questionnaire);
        let mut languages: Vec<Times> = Vec::new();
        for language in questionnaire.languages() {
            let watch = Watch { questionnaire, language, recording };
            let items: Vec<ItemTime> = questionnaire.items().iter().map(|item| watch.item(item)).collect();
            let each = |of: fn(&ItemTime) -> f64| -> Vec<f64> { items.iter().map(of).collect() };
            let (at_once, at_last) = (each(|item| item.at_once), each(|item| item.at_last));
            let typical = ways.mean(&at_once);
            let first = languages.first().map_or(typical, |first| first.typical.as_secs_f64());
            let (said, guessed) = (each(|item| item.said), each(|item| item.guessed));
            languages.push(Times {
                language: language.clone(),
                typical: Duration::from_secs_f64(typical),
                longest: Duration::from_secs_f64(ways.longest(&at_once)),
                at_most: Duration::from_secs_f64(ways.longest(&at_last)),
                relative: if first > 0.0 { typical / first } else { 1.0 },
                estimated: ways.mean(&guessed) / ways.mean(&said).max(f64::MIN_POSITIVE),
            });
        }
        Self { paths: ways.paths(), orders: orders(questionnaire), loops: ways.loops(), languages }
    }
}

/// In how many orders the parts of all sections, and the options of all questions, can be heard.
fn orders(questionnaire: &Questionnaire) -> Count {
    let mut orders = Count::one();
    let sections = questionnaire.sections().0.iter().map(|section| (section.order, &section.anchors));
    let options =
        questionnaire.questions().map(|(_, question)| (question.offer.order, &question.offer.anchors));
    for (order, anchors) in sections.chain(options) {
        let free = anchors.iter().filter(|anchor| **anchor == Anchor::Free).count();
        let free = u32::try_from(free).unwrap_or(u32::MAX);
        match order {
            Order::Fixed => {}
            Order::Random => (2..=free).for_each(|parts| orders.multiply(parts)),
            Order::Rotated => orders.multiply(free.max(1)),
            Order::Reversed => orders.multiply(free.clamp(1, 2)),
        }
    }
    orders
}

#[cfg(test)]
mod tests;
