//! Everything that an item says, part by part, for those who want to hear it or to record it.

use std::borrow::Cow;

use super::answers::{Answers, AppointmentAsk, Multi, MultiStyle};
use super::model::{Item, Kind, Question, Questionnaire, Rung};
use super::prompt::Say;

/// One thing that an item says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// Which: `prompt`, `no-input-1`, `option-yes`, `confirm`, … Each item has each name once.
    pub name: String,
    /// What is said, in all languages.
    pub says: Cow<'a, [Say]>,
}

/// Options that are offered by the key of their place, at most, for all places of each to be listed.
const MAX_LISTED_PLACES: usize = 12;

impl Questionnaire {
    /// What is said wherever it is asked for: the answer to the more-time key.
    #[must_use]
    pub fn more_time_part(&self) -> Option<Part<'_>> {
        Some(part("prompt", &self.more_time.say)).filter(|part| !part.says.is_empty())
    }
}

impl Item {
    /// What it says, in the order in which it can be heard; parts that say nothing are left out.
    #[must_use]
    pub fn parts(&self) -> Vec<Part<'_>> {
        let parts = match &self.kind {
            Kind::Statement(statement) => vec![part("prompt", &statement.say)],
            Kind::End(end) => vec![part("prompt", &end.say)],
            Kind::Go(_) => Vec::new(),
            Kind::Question(question) => question.parts(),
        };
        parts.into_iter().filter(|part| !part.says.is_empty()).collect()
    }
}

fn part(name: impl Into<String>, says: &[Say]) -> Part<'_> {
    Part { name: name.into(), says: Cow::Borrowed(says) }
}

impl Question {
    fn parts(&self) -> Vec<Part<'_>> {
        let mut parts = vec![part("prompt", &self.say)];
        match &self.answers {
            Answers::Choice(choices) | Answers::Language(choices) => {
                parts.extend(
                    choices.iter().map(|option| part(format!("option-{}", option.value), &option.say)),
                );
            }
            Answers::Scale(scale) => {
                parts.extend(
                    scale.labels.iter().map(|point| part(format!("point-{}", point.value), &point.say)),
                );
            }
            Answers::Multi(Multi {
                options,
                style: MultiStyle::Keys { .. } | MultiStyle::OneByOne { .. },
                ..
            }) => {
                parts.extend(
                    options.iter().map(|option| part(format!("option-{}", option.value), &option.say)),
                );
            }
            Answers::Time(time) => parts.push(part("half-day", &time.half_day.say)),
            Answers::Record(recording) => {
                parts.extend(recording.review.as_ref().map(|review| part("review", &review.say)));
            }
            Answers::Appointment(appointment) => match &appointment.ask {
                AppointmentAsk::DateAndTime { time, say, .. } => {
                    parts.extend([part("time", say), part("half-day", &time.half_day.say)]);
                }
                AppointmentAsk::Slots(slots) => {
                    parts.extend(slots.iter().map(|slot| part(format!("slot-{}", slot.key), &slot.say)));
                }
            },
            Answers::Number(_) | Answers::Digits(_) | Answers::Date(_) => {}
        }
        parts.extend(self.offer_parts());
        parts.extend(self.confirm.as_ref().map(|confirm| part("confirm", &confirm.say)));
        parts.extend(rungs("no-input", &self.retry.no_input));
        parts.extend(rungs("no-match", &self.retry.no_match));
        parts
    }
}

impl Question {
    /// How each option is offered: `offer-yes`; `offer-yes.2` by the key of the second place.
    fn offer_parts(&self) -> Vec<Part<'_>> {
        let mut parts: Vec<Part<'_>> = Vec::new();
        let offered = self.offered();
        let options = self.labels().len();
        for offered in
            offered.into_iter().filter(|it| !it.by_place || options <= MAX_LISTED_PLACES || it.keys == "1")
        {
            let place = if offered.by_place { format!(".{}", offered.keys) } else { String::new() };
            let name = format!("offer-{}{place}", offered.value);
            parts.push(Part { name, says: Cow::Owned(offered.says) });
        }
        parts
    }
}

fn rungs<'a>(ladder: &'static str, rungs: &'a [Rung]) -> impl Iterator<Item = Part<'a>> {
    rungs.iter().enumerate().map(move |(number, rung)| part(format!("{ladder}-{}", number + 1), &rung.say))
}
