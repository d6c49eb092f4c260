//! What a person of the demo answers to a question: what it means, and what it does for that, part by part.
//!
//! ```text
//! question ─ drawn ─► Meant (the value that must stand in the result)
//!                └──► turns: the entry · each option · time · half of the day · read-back · review
//! ```
//! The value is drawn first and then keyed, by what the questionnaire says of the kind of question. Nothing of it is
//! asked of the interview that will read the keys.

use std::time::Duration;

use super::days::{self, Here};
use super::voice;
use crate::callee::ear::Part;
use crate::callee::script::{Place, Turn};
use crate::id::Mint;
use crate::questionnaire::{
    Answers, Choice, Clock, DigitPattern, DigitString, HalfDay, Multi, MultiStyle, NumberRange, POINT,
    Question, Recording, Scale, TimeEntry, Value, WhyNot,
};
use crate::rtp::Digit;

/// One in so many who can refuse, or not know, does.
const REFUSES: usize = 8;
/// The longest row of digits that somebody keys where the question lets the length open.
const MAX_DIGITS: u8 = 12;

/// What a person means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meant {
    /// This value.
    Reply(Value),
    /// What it says in its own words.
    Voice,
    /// That it does not want to say.
    Refused,
    /// That it does not know.
    DontKnow,
}

/// An answer to one question.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) meant: Meant,
    pub(super) turns: Vec<Turn>,
}

/// Draws an answer; none if there is nothing to answer here and now.
pub(super) fn draw(id: &str, question: &Question, here: &Here, mint: &mut Mint) -> Option<Answer> {
    if !question.non_replies.is_empty() && below(mint, REFUSES) == 0 {
        let code = &question.non_replies[below(mint, question.non_replies.len())];
        let meant = match code.why {
            WhyNot::Refused => Meant::Refused,
            WhyNot::DontKnow => Meant::DontKnow,
        };
        return Some(Answer { meant, turns: vec![Turn::pressing(entry_of(id, question), &code.keys)] });
    }
    let mut answer = reply(id, question, here, mint)?;
    if let (Some(confirm), Meant::Reply(value)) = (&question.confirm, &answer.meant) {
        let is_read_back = confirm.say.iter().any(|say| say.pipes().any(|name| name == id));
        let right = part(id, Part::Confirm, is_read_back.then(|| value.to_string()));
        answer.turns.push(Turn::pressing(right, &confirm.yes.to_string()));
        if is_read_back {
            answer.turns.push(Turn::pressing(part(id, Part::Confirm, None), &confirm.no.to_string()));
        }
    }
    Some(answer)
}

/// Where a question begins to be answered.
fn entry_of(id: &str, question: &Question) -> Place {
    match question.answers.asked_one_by_one() {
        Some(_) => part(id, Part::Option, None),
        None => Place::Question(id.to_owned()),
    }
}

fn part(id: &str, part: Part, of: Option<String>) -> Place {
    Place::Part { question: id.to_owned(), part, of }
}

fn reply(id: &str, question: &Question, here: &Here, mint: &mut Mint) -> Option<Answer> {
    let entry = |keys: &str| Turn::pressing(Place::Question(id.to_owned()), keys);
    let keyed = |value: Value, keys: &str| Answer { meant: Meant::Reply(value), turns: vec![entry(keys)] };
    let is_free = |keys: &str| question.non_replies.iter().all(|code| code.keys != keys);
    Some(match &question.answers {
        Answers::Choice(choices) | Answers::Language(choices) => choose(id, question, choices, mint)?,
        Answers::Number(range) | Answers::Scale(Scale { range, .. }) => {
            let number = draw_number(range, mint);
            keyed(Value::Number(range.number(number)), &spell(range, number))
        }
        Answers::Digits(shape) => {
            let digits = (0..20).map(|_| draw_digits(shape, mint)).find(|digits| is_free(digits))?;
            let end = shape.end.filter(|_| digits.len() < usize::from(shape.max));
            let keys = digits.clone() + &end.map(|end| end.to_string()).unwrap_or_default();
            keyed(Value::Text(digits), &keys)
        }
        Answers::Multi(multi) => several(id, question, multi, mint),
        Answers::Date(date) => {
            let (value, keys) = days::draw_date(date, here, mint)?;
            keyed(value, &keys)
        }
        Answers::Time(time) => {
            let span = u64::from(time.range.max.saturating_sub(time.range.min)) + 1;
            let minute = time.range.min + u16::try_from(mint.number() % span).unwrap_or(0);
            let value = Value::Text(format!("{:02}:{:02}", minute / 60, minute % 60));
            let mut answer = keyed(value, &days::clock_keys(&time.clock, minute));
            answer.turns.extend(half_day(id, time, minute));
            answer
        }
        Answers::Record(recording) => say(id, recording, mint),
        Answers::Appointment(appointment) => {
            let agreed = days::draw_appointment(appointment, here, mint)?;
            let mut answer = keyed(Value::Text(agreed.moment), &agreed.keys);
            if let Some((time, minute)) = agreed.time {
                let keys = days::clock_keys(&time.clock, minute);
                answer.turns.push(Turn::pressing(part(id, Part::Time, None), &keys));
                answer.turns.extend(half_day(id, time, minute));
            }
            answer
        }
    })
}

/// One of some options: by its key, or, where options are read out in a drawn order, as it is heard.
fn choose(id: &str, question: &Question, choices: &[Choice], mint: &mut Mint) -> Option<Answer> {
    let is_free = |choice: &&Choice| !is_command(question, &choice.keys);
    let free: Vec<&Choice> = choices.iter().filter(is_free).collect();
    let choice = free.get(below(mint, free.len().max(1)))?;
    let mut turn = Turn::pressing(Place::Question(id.to_owned()), &choice.keys);
    if question.offer.order.is_drawn() && !question.offer.say.is_empty() {
        turn.tries.clear();
        turn.choose = vec![choice.value.to_string()];
    }
    Some(Answer { meant: Meant::Reply(choice.value.clone()), turns: vec![turn] })
}

/// Some of several options.
fn several(id: &str, question: &Question, multi: &Multi, mint: &mut Mint) -> Answer {
    let chosen = draw_set(multi, mint);
    let is_chosen = |index: usize| chosen.contains(&index);
    let values = (0..multi.options.len()).filter(|index| is_chosen(*index));
    let values: Vec<String> = values.map(|index| multi.options[index].value.clone()).collect();
    let turns = match multi.style {
        MultiStyle::OneByOne { yes, no } => {
            let key = |index| if is_chosen(index) { yes } else { no }.to_string();
            let place = |index: usize| part(id, Part::Option, Some(multi.options[index].value.clone()));
            (0..multi.options.len()).map(|index| Turn::pressing(place(index), &key(index))).collect()
        }
        MultiStyle::Keys { end } => {
            let keys = (0..multi.options.len()).filter(|index| is_chosen(*index));
            let keys: String = keys.map(|index| multi.options[index].keys.as_str()).collect();
            let is_full = values.len() >= usize::from(multi.max);
            let end = end.filter(|_| !is_full).map(|end| end.as_char());
            let mut turn = Turn::pressing(Place::Question(id.to_owned()), &keys);
            turn.tries[0].extend(end);
            if question.offer.order.is_drawn() && !question.offer.say.is_empty() && !values.is_empty() {
                turn.tries.clear();
                turn.choose.clone_from(&values);
                turn.end = end.and_then(Digit::from_char);
            }
            vec![turn]
        }
    };
    Answer { meant: Meant::Reply(Value::Set(values)), turns }
}

/// Which options are chosen: as many as may be, or one that excludes all others.
fn draw_set(multi: &Multi, mint: &mut Mint) -> Vec<usize> {
    let of = |exclusive: bool| {
        let all = multi.options.iter().enumerate();
        all.filter(move |(_, option)| option.exclusive == exclusive).map(|(index, _)| index)
    };
    let alone: Vec<usize> = of(true).collect();
    if !alone.is_empty() && below(mint, 5) == 0 {
        return vec![alone[below(mint, alone.len())]];
    }
    let mut free: Vec<usize> = of(false).collect();
    let ends = matches!(multi.style, MultiStyle::OneByOne { .. } | MultiStyle::Keys { end: Some(_) });
    // Where no key says that an entry is complete, nobody can say "none" but by silence.
    let least = usize::from(multi.min).max(usize::from(!ends)).min(free.len());
    let most = usize::from(multi.max).min(free.len()).max(least);
    let count = least + below(mint, most - least + 1);
    for place in 0..count {
        let other = place + below(mint, free.len() - place);
        free.swap(place, other);
    }
    free.truncate(count);
    free
}

/// The half of the day, where a clock of 12 hours leaves it open.
fn half_day(id: &str, time: &TimeEntry, minute: u16) -> Option<Turn> {
    let HalfDay { am, pm, .. } = &time.half_day;
    let key = if minute < 12 * 60 { am } else { pm };
    (time.clock == Clock::Hours12).then(|| Turn::pressing(part(id, Part::HalfDay, None), &key.to_string()))
}

/// Says something, and mostly a key that it is all.
fn say(id: &str, recording: &Recording, mint: &mut Mint) -> Answer {
    let longest = recording.max.saturating_sub(Duration::from_millis(700));
    let length = Duration::from_millis(1_200 + mint.number() % 1_800).min(longest);
    let key = recording.term_chars.first();
    let presses = recording.silence_end.is_none() || below(mint, 3) > 0;
    let keys = key.filter(|_| presses).map(ToString::to_string).unwrap_or_default();
    let mut turn = Turn::pressing(Place::Question(id.to_owned()), &keys);
    turn.says = Some(voice::say(length, mint));
    let mut turns = vec![turn];
    if let Some(review) = &recording.review {
        let mut turn = Turn::pressing(part(id, Part::Review, None), &review.keep.to_string());
        match below(mint, 4) {
            0 => turn.tries.insert(0, review.listen.to_string()),
            1 => turn.tries.insert(0, review.again.to_string()),
            _ => {}
        }
        turns.push(turn);
    }
    Answer { meant: Meant::Voice, turns }
}

/// A number of a range, in its units; people rather like what they are asked about, so the higher of two.
fn draw_number(range: &NumberRange, mint: &mut Mint) -> u64 {
    let span = range.max.saturating_sub(range.min).saturating_add(1);
    let draw = |mint: &mut Mint| range.min + mint.number() % span;
    draw(mint).max(draw(mint))
}

/// How a number is keyed: with the end key, unless no further key is possible.
fn spell(range: &NumberRange, number: u64) -> String {
    let places = usize::from(range.places);
    let unit = 10_u64.saturating_pow(u32::from(range.places));
    let whole = format!("{:0width$}", number / unit, width = usize::from(range.min_digits));
    let fraction = format!("{:0places$}", number % unit);
    let fraction = if places == 0 { "" } else { fraction.trim_end_matches('0') };
    let point = if fraction.is_empty() { String::new() } else { POINT.to_string() };
    let is_full = whole.len() >= usize::from(range.max_digits) && fraction.len() >= places;
    let end = range.end.filter(|_| !is_full).map(|end| end.to_string()).unwrap_or_default();
    format!("{whole}{point}{fraction}{end}")
}

fn draw_digits(shape: &DigitString, mint: &mut Mint) -> String {
    if shape.patterns.is_empty() {
        let most = shape.max.min(MAX_DIGITS.max(shape.min));
        let length = usize::from(shape.min) + below(mint, usize::from(most - shape.min) + 1);
        return (0..length).map(|_| digit(mint, u16::MAX)).collect();
    }
    let DigitPattern(places) = &shape.patterns[below(mint, shape.patterns.len())];
    places.iter().map(|allowed| digit(mint, *allowed)).collect()
}

/// One of the digits whose bit is set.
fn digit(mint: &mut Mint, allowed: u16) -> char {
    let allowed: Vec<char> =
        ('0'..='9').zip(0..).filter(|(_, bit)| allowed & 1 << bit != 0).map(|it| it.0).collect();
    allowed.get(below(mint, allowed.len().max(1))).copied().unwrap_or('0')
}

/// Keys that are no answer to a part of a question, each of which is heard; none if there are none.
pub(super) fn wrong(question: &Question, asked: Part) -> Option<String> {
    if question.retry.no_match_again == 0 {
        return None;
    }
    let answers: Vec<String> = match (asked, &question.answers) {
        (Part::Option, Answers::Multi(Multi { style: MultiStyle::OneByOne { yes, no }, .. })) => {
            vec![yes.to_string(), no.to_string()]
        }
        (Part::Prompt, Answers::Choice(choices) | Answers::Language(choices)) => {
            let drawn = question.offer.order.is_drawn();
            let places = (1..=choices.len()).filter(|_| drawn).map(|place| place.to_string());
            choices.iter().map(|choice| choice.keys.clone()).chain(places).collect()
        }
        (Part::Prompt, Answers::Number(range) | Answers::Scale(Scale { range, .. })) => {
            return beyond(range).filter(|keys| !is_command(question, keys));
        }
        (Part::Prompt, Answers::Date(date)) => {
            let nines = "9".repeat(date.format.digits());
            return Some(nines).filter(|keys| !is_command(question, keys));
        }
        (Part::Prompt, Answers::Time(_)) | (Part::Time, _) => {
            return Some("9999".to_owned()).filter(|keys| !is_command(question, keys));
        }
        (_, _) => return None,
    };
    let codes = question.non_replies.iter().map(|code| &code.keys);
    let taken: Vec<&String> = answers.iter().chain(codes).collect();
    if taken.iter().any(|keys| keys.chars().count() != 1) {
        return None;
    }
    let is_free = |key: &String| !taken.contains(&key) && !is_command(question, key);
    "7845601239".chars().map(String::from).find(is_free)
}

/// The first number beyond a range, if it is heard to its last key: each of its beginnings may still become an answer.
fn beyond(range: &NumberRange) -> Option<String> {
    let beyond = range.max.saturating_add(1).to_string();
    let fits = range.places == 0 && beyond.len() == usize::from(range.max_digits);
    let beginnings = (1..beyond.len()).filter_map(|length| beyond.get(..length)?.parse::<u64>().ok());
    let is_waited_for = |begun: u64| begun > 0 && begun.saturating_mul(10) <= range.max;
    (fits && beginnings.into_iter().all(is_waited_for)).then_some(beyond)
}

fn is_command(question: &Question, keys: &str) -> bool {
    question.commands.iter().any(|(key, _)| keys.contains(key.as_char()))
}

/// A number below `bound`, which is not 0.
pub(super) fn below(mint: &mut Mint, bound: usize) -> usize {
    let bound = u64::try_from(bound).expect("64 bits");
    usize::try_from(mint.number() % bound).expect("below a usize")
}
