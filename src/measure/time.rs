//! How long one item takes: what is said, the thought before a key, the keys, the waits.

use std::time::Duration;

use crate::questionnaire::{
    Answers, AppointmentAsk, Clock, DateEntry, Item, Kind, Multi, MultiStyle, NumberRange, Piece, Question,
    Questionnaire, Rung, Say,
};

/// From the end of a prompt to the first key.
const THOUGHT: f64 = 1.5;
/// From key to key.
const KEY: f64 = 0.6;
/// From the last key of a number that is complete, although others have more digits, until it is taken.
const ONE_TOO_MANY: f64 = 1.0;
/// Letters of a value that a text has room for.
const PIPE_LETTERS: f64 = 8.0;
/// Letters of a figure in words: `7` is said as seven.
const FIGURE_LETTERS: f64 = 5.0;
/// Letters in a second where a language's own are not known.
const LETTERS_A_SECOND: f64 = 14.0;
/// Letters in a second: espeak-ng 1.51 with its own speed, over some sentences of questions each.
const SPEEDS: [(&str, f64); 6] =
    [("en", 16.4), ("sw", 12.5), ("fr", 20.6), ("es", 16.4), ("de", 16.3), ("pt", 15.2)];
/// The beep before a recording, and the silence in front of the first word.
const BEEP: f64 = 1.0;

/// The times of an item, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct ItemTime {
    /// What is said until there is an answer.
    pub(super) said: f64,
    /// How much of that is estimated.
    pub(super) guessed: f64,
    /// With an answer at the first time.
    pub(super) at_once: f64,
    /// With an answer at the last time that the ladder allows, at the last moment.
    pub(super) at_last: f64,
}

/// Measures in one language.
pub(super) struct Watch<'a> {
    pub(super) questionnaire: &'a Questionnaire,
    pub(super) language: &'a str,
    pub(super) recording: &'a dyn Fn(&str) -> Option<Duration>,
}

impl Watch<'_> {
    pub(super) fn item(&self, item: &Item) -> ItemTime {
        match &item.kind {
            Kind::Statement(statement) => self.heard(&statement.say),
            Kind::End(end) => self.heard(&end.say),
            Kind::Go(_) => ItemTime::default(),
            Kind::Question(question) => self.question(question),
        }
    }

    fn heard(&self, says: &[Say]) -> ItemTime {
        let (said, guessed) = self.says(says);
        ItemTime { said, guessed, at_once: said, at_last: said }
    }

    fn question(&self, question: &Question) -> ItemTime {
        let (mut said, mut guessed) = (0.0, 0.0);
        for says in question.asked() {
            let (all, estimated) = self.says(says);
            (said, guessed) = (said + all, guessed + estimated);
        }
        let (offer, estimated) = self.offer(question);
        (said, guessed) = (said + offer, guessed + estimated);
        let entry = entry(question);
        let prompt = self.says(&question.say).0 + offer;
        let wait = question.retry.wait.as_secs_f64();
        // Where a rung leads away, the question is not asked again.
        let rounds = |rungs: &[Rung], again: u8, lost: f64| -> f64 {
            let stays = |count: &u8| rung(rungs, *count).is_none_or(|rung| rung.then.is_none());
            (1..=again).take_while(stays).map(|count| self.round(rungs, count, prompt) + lost).sum()
        };
        let silent = rounds(&question.retry.no_input, question.retry.no_input_again, wait);
        let wrong = rounds(&question.retry.no_match, question.retry.no_match_again, wait + entry);
        let at_once = said + THOUGHT + entry;
        ItemTime { said, guessed, at_once, at_last: said + wait.max(THOUGHT) + entry + silent + wrong }
    }

    /// What is said when a question is asked again for the `count`th time; the last rung stays.
    fn round(&self, rungs: &[Rung], count: u8, prompt: f64) -> f64 {
        let rung = rung(rungs, count);
        let said = rung.map_or(0.0, |rung| self.says(&rung.say).0);
        if rung.is_none_or(|rung| rung.reprompt) { said + prompt } else { said }
    }

    /// What is said of all options: each once, by one of the keys that it may have.
    fn offer(&self, question: &Question) -> (f64, f64) {
        let mut offered = question.offered();
        offered.dedup_by(|next, before| next.value == before.value);
        let says: Vec<Say> = offered.into_iter().flat_map(|offered| offered.says).collect();
        self.says(&says)
    }

    /// How long these are in this language, and how much of that is estimated.
    fn says(&self, says: &[Say]) -> (f64, f64) {
        let (mut all, mut estimated) = (0.0, 0.0);
        for say in says.iter().filter(|say| say.language == self.language) {
            let (length, guessed) = match self.questionnaire.words_alone(say).as_slice() {
                [] => self.one(say),
                words => self.mean(words),
            };
            (all, estimated) = (all + length, estimated + guessed);
        }
        (all, estimated)
    }

    /// The mean of what may be heard in one place.
    fn mean(&self, words: &[&[Say]]) -> (f64, f64) {
        let count = f64::from(u32::try_from(words.len()).unwrap_or(u32::MAX));
        let says = words.iter().copied().flatten().filter(|say| say.language == self.language);
        says.map(|say| self.one(say)).fold((0.0, 0.0), |(all, estimated), (length, guessed)| {
            (all + length / count, estimated + guessed / count)
        })
    }

    fn one(&self, say: &Say) -> (f64, f64) {
        match say.audio.as_deref().and_then(self.recording) {
            Some(length) => (length.as_secs_f64(), 0.0),
            None => {
                let length = self.spoken(&say.text);
                (length, length)
            }
        }
    }

    /// How long a voice takes for a text.
    fn spoken(&self, pieces: &[Piece]) -> f64 {
        let letters = |piece: &Piece| match piece {
            Piece::Words(words) => {
                words.chars().map(|c| if c.is_numeric() { FIGURE_LETTERS } else { 1.0 }).sum()
            }
            Piece::Pipe { .. } => PIPE_LETTERS,
        };
        let language = self.language.split('-').next().unwrap_or_default();
        let speed =
            SPEEDS.iter().find(|(known, _)| *known == language).map_or(LETTERS_A_SECOND, |(_, speed)| *speed);
        pieces.iter().map(letters).sum::<f64>() / speed
    }
}

/// What is said at the `count`th silence or wrong key, from 1; the last rung stays.
fn rung(rungs: &[Rung], count: u8) -> Option<&Rung> {
    rungs.get(usize::from(count) - 1).or_else(|| rungs.last())
}

/// From the first key to the moment at which the entry is taken; with what is asked afterwards (half of the
/// day, confirmation), but without its prompts.
fn entry(question: &Question) -> f64 {
    let pause = question.retry.inter_digit.as_secs_f64();
    let one_more = THOUGHT + KEY;
    let first = match &question.answers {
        Answers::Choice(choices) | Answers::Language(choices) => {
            let keys: f64 = choices.iter().map(|choice| keys(choice.keys.chars().count())).sum();
            keys / f64::from(u32::try_from(choices.len().max(1)).unwrap_or(u32::MAX))
        }
        Answers::Number(range) => number(range, pause),
        Answers::Scale(scale) => number(&scale.range, pause),
        Answers::Digits(digits) => {
            let middle = usize::from(digits.min).midpoint(usize::from(digits.max));
            keys(middle) + if digits.min == digits.max { 0.0 } else { ended(digits.end.is_some(), pause) }
        }
        Answers::Multi(multi) => several(multi, pause),
        Answers::Date(date) => date_keys(date),
        Answers::Time(time) => keys(4) + if time.clock == Clock::Hours12 { one_more } else { 0.0 },
        Answers::Record(recording) => {
            let spoken = recording.max.as_secs_f64() / 3.0;
            let silence = recording.silence_end.map_or(KEY, |silence| silence.as_secs_f64());
            BEEP + spoken + silence + if recording.review.is_some() { one_more } else { 0.0 }
        }
        Answers::Appointment(appointment) => match &appointment.ask {
            AppointmentAsk::DateAndTime { date, time, .. } => {
                let half = if time.clock == Clock::Hours12 { one_more } else { 0.0 };
                date_keys(date) + THOUGHT + keys(4) + half
            }
            AppointmentAsk::Slots(_) => KEY,
        },
    };
    first + if question.confirm.is_some() { one_more } else { 0.0 }
}

fn keys(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) * KEY
}

/// The end of an entry that could go on: a key, or a pause.
const fn ended(by_key: bool, pause: f64) -> f64 {
    if by_key { KEY } else { pause }
}

fn date_keys(date: &DateEntry) -> f64 {
    keys(date.format.digits())
}

/// The number in the middle of the range.
fn number(range: &NumberRange, pause: f64) -> f64 {
    let middle = range.min.midpoint(range.max);
    let whole = middle / 10_u64.saturating_pow(u32::from(range.places));
    let digits = whole.to_string().len().max(usize::from(range.min_digits));
    let fraction = if range.places == 0 { 0 } else { usize::from(range.places) + 1 };
    let could_grow = digits < usize::from(range.max_digits) && middle.saturating_mul(10) <= range.max;
    let pause = match could_grow {
        true => pause,
        false if digits < usize::from(range.max_digits) => pause.min(ONE_TOO_MANY),
        false => return keys(digits + fraction),
    };
    keys(digits + fraction) + ended(range.end.is_some(), pause)
}

/// A third of the options, as far as so many may be chosen.
fn several(multi: &Multi, pause: f64) -> f64 {
    let chosen = (multi.options.len().div_ceil(3))
        .clamp(usize::from(multi.min.min(multi.max)), usize::from(multi.max));
    match multi.style {
        MultiStyle::Keys { end } => {
            let one = multi.options.first().map_or(1, |option| option.keys.chars().count());
            keys(chosen * one) + ended(end.is_some(), pause)
        }
        // The thought before the first one is the question's.
        MultiStyle::OneByOne { .. } => keys(multi.options.len()) * (1.0 + THOUGHT / KEY) - THOUGHT,
    }
}
