//! The people of the demo: who they are, what they will key, and what should come of it.
//!
//! ```text
//! seed ─► personas (each at least once) ─► answers for every question ─► Party (what the phone does)
//!                                                                   └──► Expected (by rehearsal)
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::rehearsal::{Rehearsal, rehearse};
use crate::callee::pattern::Pattern;
use crate::callee::script::{Party, Pickup, Place, Turn};
use crate::id::Mint;
use crate::outcome::Disposition;
use crate::questionnaire::{Command, NumberRange, Outcome, Question, Questionnaire};
use crate::time::Timestamp;

/// Draws of answers until an interview is complete.
const MAX_DRAWS: usize = 300;
/// The first of the numbers that Ofcom keeps free for drama: +44 1632 960000 and on.
const FIRST_NUMBER: usize = 960_000;

/// A kind of person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Persona {
    /// Answers everything.
    Complete,
    /// Presses wrong keys first, then right ones.
    WrongKeys,
    /// Hangs up in the middle.
    HangsUp,
    /// Picks up and presses nothing.
    Silent,
    /// Presses the opt-out key.
    OptsOut,
    /// Is on the phone already.
    Busy,
    /// Is not at home.
    NoAnswer,
    /// A number that does not exist.
    DeadNumber,
}

impl Persona {
    const ALL: [Self; 8] = [
        Self::Complete,
        Self::HangsUp,
        Self::WrongKeys,
        Self::Silent,
        Self::OptsOut,
        Self::Busy,
        Self::NoAnswer,
        Self::DeadNumber,
    ];

    /// Share of those who are drawn once everyone is there.
    const fn weight(self) -> u64 {
        match self {
            Self::Complete => 10,
            Self::WrongKeys => 3,
            Self::HangsUp | Self::NoAnswer => 2,
            Self::Silent | Self::OptsOut | Self::Busy | Self::DeadNumber => 1,
        }
    }
}

impl fmt::Display for Persona {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Complete => "answers everything",
            Self::WrongKeys => "presses wrong keys first",
            Self::HangsUp => "hangs up in the middle",
            Self::Silent => "stays silent",
            Self::OptsOut => "opts out",
            Self::Busy => "is busy",
            Self::NoAnswer => "does not answer",
            Self::DeadNumber => "has a dead number",
        })
    }
}

/// One person of the demo.
#[derive(Clone, Debug)]
pub(super) struct Person {
    /// The number.
    pub(super) number: String,
    /// What kind of person it is.
    pub(super) persona: Persona,
    /// What the phone does.
    pub(super) party: Party,
    /// What is known of the person before the call.
    pub(super) fields: BTreeMap<String, String>,
    /// What should come of the call.
    pub(super) expected: Expected,
}

/// What should come of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    /// How it ends.
    pub(super) disposition: Disposition,
    /// Every reply, by question, as text; no other one.
    pub(super) replies: BTreeMap<String, String>,
}

/// Gathers `calls` people for a questionnaire who are called now; the same for the same seed.
pub(super) fn gather(
    questionnaire: &Questionnaire,
    fields: &BTreeMap<String, String>,
    calls: usize,
    seed: u64,
    now: Timestamp,
) -> Vec<Person> {
    let mut mint = Mint::seeded(seed);
    let casting = Casting { questionnaire, fields, now };
    let personas = casting.cast(calls, &mut mint);
    let numbered = personas.into_iter().enumerate();
    numbered.map(|(index, persona)| casting.person(index, persona, &mut mint)).collect()
}

struct Casting<'a> {
    questionnaire: &'a Questionnaire,
    fields: &'a BTreeMap<String, String>,
    /// When the calls take place.
    now: Timestamp,
}

impl Casting<'_> {
    /// Who is called, in the order of the calls: everyone once as far as it reaches, the rest by share.
    fn cast(&self, calls: usize, mint: &mut Mint) -> Vec<Persona> {
        let can_opt_out = self.questionnaire.questions().any(|(_, question)| opt_out(question).is_some());
        let possible = |persona: &Persona| can_opt_out || *persona != Persona::OptsOut;
        let all: Vec<Persona> = Persona::ALL.into_iter().filter(possible).collect();
        let mut cast: Vec<Persona> = all.iter().copied().take(calls).collect();
        let total: u64 = all.iter().map(|persona| persona.weight()).sum();
        while cast.len() < calls {
            let mut drawn = mint.number() % total;
            let persona = all.iter().find(|persona| match drawn.checked_sub(persona.weight()) {
                Some(rest) => {
                    drawn = rest;
                    false
                }
                None => true,
            });
            cast.extend(persona);
        }
        for last in (1..cast.len()).rev() {
            cast.swap(last, below(mint, last + 1)); // Fisher and Yates
        }
        cast
    }

    fn person(&self, index: usize, persona: Persona, mint: &mut Mint) -> Person {
        let number = format!("+441632{:06}", FIRST_NUMBER + index);
        let fields = self.fields_of_one(mint);
        let mut party = Party {
            name: persona.to_string(),
            users: vec![Pattern::new(&number)],
            pickup: Pickup::Answer { after: Duration::from_millis(400 + mint.number() % 1_500) },
            key_length: Duration::from_millis(80 + mint.number() % 120),
            ..Party::default()
        };
        let expected = match persona {
            Persona::Busy => refuse(&mut party, 486, Disposition::Busy),
            Persona::DeadNumber => refuse(&mut party, 404, Disposition::NonWorking),
            Persona::NoAnswer => {
                party.pickup = Pickup::Never;
                Expected { disposition: Disposition::NoAnswer, replies: BTreeMap::new() }
            }
            Persona::Silent => expected(&self.rehearse(&fields, &party)),
            Persona::Complete | Persona::WrongKeys | Persona::HangsUp | Persona::OptsOut => {
                let rehearsal = self.answer_all(persona, &fields, &mut party, mint);
                self.change(persona, &mut party, &rehearsal, mint);
                expected(&self.rehearse(&fields, &party))
            }
        };
        Person { number, persona, party, fields, expected }
    }

    fn rehearse(&self, fields: &BTreeMap<String, String>, party: &Party) -> Rehearsal {
        rehearse(self.questionnaire, fields, party, self.now)
    }

    /// The contact's fields: as given; a number that was not given and has a default varies.
    fn fields_of_one(&self, mint: &mut Mint) -> BTreeMap<String, String> {
        let mut fields = self.fields.clone();
        for field in self.questionnaire.contact_fields() {
            if field.is_number && field.default.is_some() && !fields.contains_key(&field.name) {
                fields.insert(field.name.clone(), (1 + below(mint, 5)).to_string());
            }
        }
        fields
    }

    /// Gives the party an answer for every question, so that the interview is complete if it can be.
    fn answer_all(
        &self,
        persona: Persona,
        fields: &BTreeMap<String, String>,
        party: &mut Party,
        mint: &mut Mint,
    ) -> Rehearsal {
        // A third of the people do not wait for the end of a question, and those who err are in a hurry.
        let eager = below(mint, 3) == 0 || persona == Persona::WrongKeys;
        let mut rehearsal = Rehearsal::default();
        for _ in 0..MAX_DRAWS {
            let questions = self.questionnaire.questions();
            party.turns = questions.map(|(id, question)| answer(id, question, eager, mint)).collect();
            rehearsal = self.rehearse(fields, party);
            if rehearsal.outcome == Some(Outcome::Complete) {
                break;
            }
        }
        rehearsal
    }

    /// Turns someone who answers everything into this persona.
    fn change(&self, persona: Persona, party: &mut Party, rehearsal: &Rehearsal, mint: &mut Mint) {
        let asked = &rehearsal.asked;
        match persona {
            Persona::HangsUp => {
                let at = (asked.len() / 2).max(1).min(asked.len().saturating_sub(1));
                if let Some(turn) = asked.get(at).and_then(|question| turn_of(party, question)) {
                    turn.tries = vec![String::new()];
                    turn.hang_up = true;
                    turn.barge_in = None;
                }
            }
            Persona::OptsOut => {
                let key = |id: &str| self.question(id).and_then(opt_out);
                let places: Vec<_> = asked.iter().filter_map(|id| Some((id, key(id)?))).collect();
                let place = if places.is_empty() { None } else { places.get(below(mint, places.len())) };
                if let Some((turn, key)) = place.and_then(|(id, key)| Some((turn_of(party, id)?, key))) {
                    turn.tries = vec![key.to_string()];
                }
            }
            Persona::WrongKeys => {
                for question in asked.iter().take(2) {
                    let wrong = self.question(question).and_then(wrong_entry);
                    if let (Some(wrong), Some(turn)) = (wrong, turn_of(party, question)) {
                        turn.tries.insert(0, wrong);
                    }
                }
            }
            Persona::Complete => {
                // Some want to hear a question twice.
                let place = if asked.is_empty() { None } else { asked.get(below(mint, asked.len())) };
                let Some(question) = place.filter(|_| below(mint, 4) == 0) else { return };
                let repeat = self.question(question).and_then(|question| command(question, Command::Repeat));
                if let (Some(key), Some(turn)) = (repeat, turn_of(party, question)) {
                    turn.tries.insert(0, key.to_string());
                }
            }
            Persona::Silent | Persona::Busy | Persona::NoAnswer | Persona::DeadNumber => {}
        }
    }

    fn question(&self, id: &str) -> Option<&Question> {
        self.questionnaire.item(id).and_then(|item| item.question())
    }
}

fn refuse(party: &mut Party, status: u16, disposition: Disposition) -> Expected {
    party.ring = None;
    party.pickup = Pickup::Refuse { status, after: Duration::from_millis(200) };
    Expected { disposition, replies: BTreeMap::new() }
}

fn expected(rehearsal: &Rehearsal) -> Expected {
    let disposition = rehearsal.outcome.map_or(Disposition::TechnicalFault, disposition_of);
    Expected { disposition, replies: rehearsal.replies.clone() }
}

/// The disposition of an interview that ended so.
pub(super) const fn disposition_of(outcome: Outcome) -> Disposition {
    match outcome {
        Outcome::Complete => Disposition::Complete,
        Outcome::Partial => Disposition::Partial,
        Outcome::Ineligible => Disposition::Ineligible,
        Outcome::QuotaFull => Disposition::QuotaFull,
        Outcome::Refusal => Disposition::Refusal,
        Outcome::BreakOff => Disposition::BreakOff,
        Outcome::Callback => Disposition::Callback,
        Outcome::Transfer => Disposition::Transferred,
        Outcome::Technical => Disposition::TechnicalFault,
    }
}

/// What someone does at a question, well within the time that it waits.
fn answer(id: &str, question: &Question, eager: bool, mint: &mut Mint) -> Turn {
    let barge_in = eager && question.barge_in;
    let patience = question.retry.wait / 3;
    let pause = Duration::from_millis(350 + mint.number() % 650);
    let rush = Duration::from_millis(900 + mint.number() % 900);
    Turn {
        at: Place::Question(id.to_owned()),
        tries: vec![right_entry(question, mint)],
        after: Some(pause.min(patience)),
        barge_in: barge_in.then(|| rush.min(patience * 2)),
        hold: (below(mint, 10) == 0).then(|| Duration::from_secs(2).min(patience)), // a heavy finger
        says: None,
        hang_up: false,
    }
}

/// The first question that the people of the demo do not know how to answer: one in parts, or that is not keyed.
pub(super) fn unanswerable(questionnaire: &Questionnaire) -> Option<&str> {
    let strange = |question: &Question| {
        let is_keyed = question.answers.choices().is_some()
            || question.answers.range().is_some_and(|range| range.places == 0);
        !is_keyed || question.confirm.is_some()
    };
    questionnaire.questions().find(|(_, question)| strange(question)).map(|(id, _)| id)
}

/// Keys that are an answer.
fn right_entry(question: &Question, mint: &mut Mint) -> String {
    if let Some(options) = question.answers.choices() {
        let all = options.iter().map(|option| option.keys.clone());
        let keys: Vec<String> = all.filter(|keys| !is_command(question, keys)).collect();
        return if keys.is_empty() { String::new() } else { keys[below(mint, keys.len())].clone() };
    }
    let Some(range) = question.answers.range() else { return String::new() };
    let span = range.max.saturating_sub(range.min).saturating_add(1);
    let draw = |mint: &mut Mint| range.min + mint.number() % span;
    // The higher of two: people rather like what they are asked about.
    let number = draw(mint).max(draw(mint));
    spell(range, number)
}

/// How a number is keyed: with the end key, unless no further digit is possible.
fn spell(range: &NumberRange, number: u64) -> String {
    let digits = format!("{number:0width$}", width = usize::from(range.min_digits));
    match range.end {
        Some(end) if digits.len() < usize::from(range.max_digits) => format!("{digits}{end}"),
        Some(_) | None => digits,
    }
}

/// Keys that are no answer; none if every entry is one.
fn wrong_entry(question: &Question) -> Option<String> {
    if question.retry.no_match_again == 0 {
        return None;
    }
    if let Some(options) = question.answers.choices() {
        let begins = |key: char| options.iter().any(|option| option.keys.starts_with(key));
        let free = |key: &char| !begins(*key) && !is_command(question, &key.to_string());
        let single = options.iter().all(|option| option.keys.chars().count() == 1);
        return "7845601239".chars().filter(|_| single).find(free).map(|key| key.to_string());
    }
    let range = question.answers.range()?;
    let beyond = range.max.saturating_add(1).to_string();
    let fits = beyond.len() == usize::from(range.max_digits);
    (fits && is_waited_for(range, &beyond) && !is_command(question, &beyond)).then_some(beyond)
}

/// Whether an entry is heard to its last key: each of its beginnings may still become a longer answer.
fn is_waited_for(range: &NumberRange, keys: &str) -> bool {
    let beginnings = (1..keys.len()).filter_map(|length| keys.get(..length)?.parse::<u64>().ok());
    beginnings.into_iter().all(|beginning| beginning > 0 && beginning.saturating_mul(10) <= range.max)
}

fn is_command(question: &Question, keys: &str) -> bool {
    question.commands.iter().any(|(key, _)| keys.contains(key.as_char()))
}

fn command(question: &Question, command: Command) -> Option<char> {
    question.commands.iter().find(|(_, what)| *what == command).map(|(key, _)| key.as_char())
}

fn opt_out(question: &Question) -> Option<char> {
    command(question, Command::OptOut)
}

fn turn_of<'a>(party: &'a mut Party, question: &str) -> Option<&'a mut Turn> {
    let here = |turn: &&mut Turn| matches!(&turn.at, Place::Question(id) if id == question);
    party.turns.iter_mut().find(here)
}

/// A number below `bound`, which is not 0.
fn below(mint: &mut Mint, bound: usize) -> usize {
    let bound = u64::try_from(bound).expect("64 bits");
    usize::try_from(mint.number() % bound).expect("below a usize")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::cli::demo::shipped;

    fn shipped() -> Questionnaire {
        Questionnaire::load("satisfaction.xml", shipped::QUESTIONNAIRE).unwrap().0
    }

    #[test]
    fn everyone_is_among_twenty_and_the_same_seed_calls_the_same_people() {
        let questionnaire = shipped();
        for seed in 0..20 {
            let people = gather(&questionnaire, &BTreeMap::new(), 20, seed, Timestamp::EPOCH);
            let personas: BTreeSet<Persona> = people.iter().map(|person| person.persona).collect();
            assert_eq!(personas.len(), Persona::ALL.len(), "seed {seed}");
            let again = gather(&questionnaire, &BTreeMap::new(), 20, seed, Timestamp::EPOCH);
            assert!(people.iter().zip(&again).all(|(a, b)| a.expected == b.expected && a.number == b.number));
        }
    }

    #[test]
    fn people_end_as_their_persona_says() {
        let questionnaire = shipped();
        for person in gather(&questionnaire, &BTreeMap::new(), 200, 3, Timestamp::EPOCH) {
            let disposition = person.expected.disposition;
            let right = match person.persona {
                Persona::Complete | Persona::WrongKeys => disposition == Disposition::Complete,
                Persona::HangsUp => matches!(disposition, Disposition::BreakOff | Disposition::Partial),
                Persona::Silent => disposition == Disposition::BreakOff,
                Persona::OptsOut => disposition == Disposition::Refusal,
                Persona::Busy => disposition == Disposition::Busy,
                Persona::NoAnswer => disposition == Disposition::NoAnswer,
                Persona::DeadNumber => disposition == Disposition::NonWorking,
            };
            assert!(right, "{} ends as {disposition}", person.persona);
        }
    }
}
