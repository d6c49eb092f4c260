//! The people of the demo: who they are, what they will do, and what should come of it.
//!
//! ```text
//! seed ─► personas (each at least once) ─► answers for every question ─► Party (what the phone does)
//!                                                                   └──► Expected (by rehearsal)
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::answers::{self, Answer, Meant, below};
use super::days::Here;
use super::rehearsal::{Asked, Rehearsal, Repertoire, Stage, rehearse};
use crate::callee::ear::Part;
use crate::callee::lesson::{self, Line};
use crate::callee::pattern::Pattern;
use crate::callee::script::{Party, Pickup, Place, Turn};
use crate::id::Mint;
use crate::interview::{Interview, Status};
use crate::outcome::Disposition;
use crate::questionnaire::{Command, Outcome, Question, Questionnaire, time_zone};
use crate::time::Timestamp;

/// Draws of answers until an interview ends as it should.
const MAX_DRAWS: usize = 300;
/// Draws of answers until an interview goes another way: not every questionnaire has one.
const MAX_DETOURS: usize = 40;
/// Draws of something besides (a repeat, a step back) until the interview still ends so.
const MAX_WHIMS: usize = 5;
/// The first of the numbers that Ofcom keeps free for drama: +44 1632 960000 and on.
const FIRST_NUMBER: usize = 960_000;
/// How long somebody who asked for more time thinks when nothing is said.
const THINKS: Duration = Duration::from_secs(3);

/// A kind of person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Persona {
    /// Answers everything.
    Complete,
    /// Answers what leads elsewhere: to a callback, or out of those who are asked.
    AnotherWay,
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
    const ALL: [Self; 9] = [
        Self::Complete,
        Self::AnotherWay,
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
            Self::AnotherWay | Self::HangsUp | Self::NoAnswer => 2,
            Self::Silent | Self::OptsOut | Self::Busy | Self::DeadNumber => 1,
        }
    }
}

impl fmt::Display for Persona {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Complete => "answers everything",
            Self::AnotherWay => "goes another way",
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
    /// What orders are drawn from.
    pub(super) seed: u32,
    /// What it alone hears: texts with its own replies in them.
    pub(super) own: Vec<Line>,
    /// What should come of the call; with quotas, what may come of it: the first if there is room.
    pub(super) expected: Vec<Expected>,
}

/// What should come of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Expected {
    /// The quota that turns the person away.
    pub(super) full: Option<String>,
    /// The quotas that it is asked about.
    pub(super) quotas: BTreeSet<String>,
    /// The end whose words it hears; none: it hangs up, or hears nothing.
    pub(super) end: Option<String>,
    /// How it ends; none: of what no person could plan.
    pub(super) disposition: Option<Disposition>,
    /// What becomes of each question.
    pub(super) replies: BTreeMap<String, Expectation>,
}

/// What should become of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expectation {
    pub(super) status: Status,
    /// What the person means, where it answers.
    pub(super) meant: Option<Meant>,
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
    let casting = Casting::new(questionnaire, fields, now);
    let personas = casting.cast(calls, &Persona::ALL, &mut mint);
    let numbered = personas.into_iter().enumerate();
    numbered.map(|(index, persona)| casting.person(index, persona, &mut mint)).collect()
}

struct Casting<'a> {
    questionnaire: &'a Questionnaire,
    fields: &'a BTreeMap<String, String>,
    /// What everybody knows to be said.
    known: Repertoire,
    /// Where and when the calls take place.
    here: Here,
}

/// What somebody has in mind, and what follows from it.
#[derive(Clone, Debug, Default)]
struct Plan {
    meant: BTreeMap<String, Meant>,
    /// What is entered by mistake, before it is corrected.
    mistaken: BTreeMap<String, Meant>,
    rehearsal: Rehearsal,
}

impl<'a> Casting<'a> {
    fn new(questionnaire: &'a Questionnaire, fields: &'a BTreeMap<String, String>, now: Timestamp) -> Self {
        let interview = Interview::begin(questionnaire, fields, 0);
        let zone = interview.ok().and_then(|interview| time_zone(interview.time_zone()));
        let here = Here { now, zone: zone.unwrap_or(TimeZone::UTC) };
        Self { questionnaire, fields, known: Repertoire::new(lesson::lines(questionnaire, fields)), here }
    }

    /// Who is called, in the order of the calls: everyone once as far as it reaches, the rest by share.
    fn cast(&self, calls: usize, among: &[Persona], mint: &mut Mint) -> Vec<Persona> {
        let opts_out = |question| command(question, Command::OptOut).is_some();
        let can_opt_out = self.questionnaire.questions().any(|(_, question)| opts_out(question));
        let possible = |persona: &Persona| can_opt_out || *persona != Persona::OptsOut;
        let all: Vec<Persona> = among.iter().copied().filter(possible).collect();
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
        let seed = u32::from(mint.number16());
        let mut party = Party {
            name: persona.to_string(),
            users: vec![Pattern::new(&number)],
            pickup: Pickup::Answer { after: Duration::from_millis(400 + mint.number() % 1_500) },
            key_length: Duration::from_millis(80 + mint.number() % 120),
            ..Party::default()
        };
        let stage = Stage {
            questionnaire: self.questionnaire,
            known: &self.known,
            fields: &fields,
            seed,
            now: self.here.now,
        };
        let (mut expected, mut own) = (Vec::new(), Vec::new());
        match persona {
            Persona::Busy => expected.push(refuse(&mut party, 486, Disposition::Busy)),
            Persona::DeadNumber => expected.push(refuse(&mut party, 404, Disposition::NonWorking)),
            Persona::NoAnswer => {
                party.pickup = Pickup::Never;
                let disposition = Some(Disposition::NoAnswer);
                expected.push(Expected { disposition, ..Expected::default() });
            }
            Persona::Complete
            | Persona::AnotherWay
            | Persona::WrongKeys
            | Persona::HangsUp
            | Persona::Silent
            | Persona::OptsOut => {
                let mut plan = self.answer_all(stage, persona, &mut party, mint);
                self.change(stage, persona, &mut party, &mut plan, mint);
                (expected, own) = outcomes(stage, &party, &plan);
            }
        }
        Person { number, persona, party, fields, seed, own, expected }
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

    /// Gives the party an answer for every question, so that the interview ends as it should if it can.
    fn answer_all(&self, stage: Stage<'_>, persona: Persona, party: &mut Party, mint: &mut Mint) -> Plan {
        let mut plan = Plan::default();
        if persona == Persona::Silent {
            plan.rehearse(stage, party);
            return plan;
        }
        // A third of the people do not wait for the end of a question, and those who err are in a hurry.
        let eager = below(mint, 3) == 0 || persona == Persona::WrongKeys;
        for draw in 0..MAX_DRAWS {
            let questions = self.questionnaire.questions();
            let answers = questions.filter_map(|(id, question)| {
                let answer = answers::draw(id, question, &self.here, mint)?;
                Some((id, with_manners(answer, question, eager, mint)))
            });
            (party.turns, plan.meant) = (Vec::new(), BTreeMap::new());
            for (id, answer) in answers {
                party.turns.extend(answer.turns);
                plan.meant.insert(id.to_owned(), answer.meant);
            }
            plan.rehearse(stage, party);
            let right = match plan.rehearsal.outcome {
                None | Some(Outcome::Technical) => false,
                Some(Outcome::Complete) => persona != Persona::AnotherWay || draw >= MAX_DETOURS,
                Some(_) => persona == Persona::AnotherWay,
            };
            if right && plan.rehearsal.strange.is_empty() {
                break;
            }
        }
        plan
    }

    /// Turns someone who answers everything into this persona.
    fn change(
        &self,
        stage: Stage<'_>,
        persona: Persona,
        party: &mut Party,
        plan: &mut Plan,
        mint: &mut Mint,
    ) {
        let asked = plan.rehearsal.asked.clone();
        match persona {
            Persona::HangsUp => {
                let at = (asked.len() / 2).max(1).min(asked.len().saturating_sub(1));
                if let Some(turn) = asked.get(at).and_then(|asked| party.turns.get_mut(asked.turn?)) {
                    *turn = Turn { after: turn.after, hang_up: true, ..Turn::pressing(turn.at.clone(), "") };
                }
            }
            Persona::OptsOut => {
                let key =
                    |asked: &Asked| Some((asked.turn?, command(self.question(asked)?, Command::OptOut)?));
                let places: Vec<_> = asked.iter().filter_map(key).collect();
                let Some((turn, key)) = places.get(below(mint, places.len().max(1))) else { return };
                if let Some(turn) = party.turns.get_mut(*turn) {
                    let Turn { at, after, barge_in, .. } = turn.clone();
                    *turn = Turn { after, barge_in, ..Turn::pressing(at, &key.to_string()) };
                }
            }
            Persona::WrongKeys => self.err(stage, party, plan, mint),
            // Some want to hear a question twice, to think, or to go back.
            Persona::Complete if below(mint, 2) == 0 => self.waver(stage, party, plan, mint),
            Persona::Complete
            | Persona::AnotherWay
            | Persona::Silent
            | Persona::Busy
            | Persona::NoAnswer
            | Persona::DeadNumber => {}
        }
        plan.rehearse(stage, party);
    }

    /// Wrong keys at two places, and a reply that is corrected when it is read back.
    fn err(&self, stage: Stage<'_>, party: &mut Party, plan: &mut Plan, mint: &mut Mint) {
        let wrong = |asked: &Asked| Some((asked.turn?, answers::wrong(self.question(asked)?, asked.part)?));
        let places: Vec<_> = plan.rehearsal.asked.iter().filter_map(wrong).take(2).collect();
        for (turn, keys) in places {
            if let Some(turn) = party.turns.get_mut(turn) {
                turn.tries.insert(0, keys);
            }
        }
        let is_read_back = |asked: &&Asked| asked.part == Part::Confirm;
        let Some(asked) = plan.rehearsal.asked.iter().find(is_read_back).cloned() else { return };
        let Some(question) = self.question(&asked) else { return };
        let entry = Place::Question(asked.question.clone());
        let before = (party.clone(), plan.clone());
        let entry = party.turns.iter_mut().find(|turn| turn.at == entry);
        let mistake = answers::draw(&asked.question, question, &self.here, mint);
        let (Some(entry), Some(Answer { meant: meant @ Meant::Reply(_), turns })) = (entry, mistake) else {
            return;
        };
        // Only what is entered at once can be another value; the parts behind it stay.
        let is_one_entry = turns.iter().all(|turn| turn.at == entry.at || is_at(turn, Part::Confirm));
        let keys = turns.first().and_then(|turn| turn.tries.first());
        let Some(keys) = keys.filter(|_| is_one_entry && plan.meant.get(&asked.question) != Some(&meant))
        else {
            return;
        };
        entry.tries.insert(0, keys.clone());
        plan.mistaken.insert(asked.question, meant);
        plan.rehearse(stage, party);
        if plan.rehearsal.outcome != before.1.rehearsal.outcome {
            (*party, *plan) = before;
        }
    }

    /// A command at some question, if the interview still ends as it did.
    fn waver(&self, stage: Stage<'_>, party: &mut Party, plan: &mut Plan, mint: &mut Mint) {
        let before = party.clone();
        for _ in 0..MAX_WHIMS {
            let asked = &plan.rehearsal.asked;
            let Some(place) = asked.get(below(mint, asked.len().max(1))) else { return };
            let question = self.question(place);
            let key = |what| Some((what, command(question?, what)?));
            let keys = [Command::Repeat, Command::MoreTime, Command::Back].into_iter().filter_map(key);
            let keys: Vec<(Command, char)> = keys.collect();
            let drawn = keys.get(below(mint, keys.len().max(1)));
            let turn = place.turn.and_then(|turn| party.turns.get_mut(turn));
            let (Some((what, key)), Some(turn)) = (drawn, turn) else { continue };
            turn.tries.insert(0, key.to_string());
            let says_something = !self.questionnaire.more_time().say.is_empty();
            turn.think = (*what == Command::MoreTime && !says_something).then_some(THINKS);
            let mut wavering = plan.clone();
            wavering.rehearse(stage, party);
            if wavering.rehearsal.outcome == plan.rehearsal.outcome && wavering.rehearsal.strange.is_empty() {
                return;
            }
            party.clone_from(&before);
        }
    }

    fn question(&self, asked: &Asked) -> Option<&Question> {
        self.questionnaire.item(&asked.question).and_then(|item| item.question())
    }
}

impl Plan {
    fn rehearse(&mut self, stage: Stage<'_>, party: &Party) {
        self.rehearsal = self.rehearsed(stage, party, &BTreeSet::new());
    }

    fn rehearsed(&self, stage: Stage<'_>, party: &Party, full: &BTreeSet<String>) -> Rehearsal {
        rehearse(stage, party, &[&self.meant, &self.mistaken], full)
    }

    /// What should come of an interview that goes so.
    fn expected(&self, rehearsal: &Rehearsal, full: Option<&String>) -> Expected {
        let expectation = |status| move |meant: &Meant| Expectation { status, meant: Some(meant.clone()) };
        let of = |question: &String, status: Status| {
            let meant = self.meant.get(question).filter(|_| status == Status::Answered);
            meant.map_or(Expectation { status, meant: None }, expectation(status))
        };
        let responses = rehearsal.responses.iter();
        let replies = responses.map(|it| (it.question.clone(), of(&it.question, it.status)));
        Expected {
            full: full.cloned(),
            quotas: rehearsal.quotas.clone(),
            end: rehearsal.end.clone(),
            disposition: rehearsal.outcome.map(disposition_of),
            replies: replies.collect(),
        }
    }
}

/// What may come of a call: with room in all quotas, and with each of them full.
fn outcomes(stage: Stage<'_>, party: &Party, plan: &Plan) -> (Vec<Expected>, Vec<Line>) {
    let mut own = plan.rehearsal.own.clone();
    let mut expected = vec![plan.expected(&plan.rehearsal, None)];
    for quota in &plan.rehearsal.quotas {
        let turned_away = plan.rehearsed(stage, party, &BTreeSet::from([quota.clone()]));
        expected.push(plan.expected(&turned_away, Some(quota)));
        own.extend(turned_away.own.into_iter().filter(|line| !plan.rehearsal.own.contains(line)));
    }
    (expected, own)
}

fn refuse(party: &mut Party, status: u16, disposition: Disposition) -> Expected {
    party.ring = None;
    party.pickup = Pickup::Refuse { status, after: Duration::from_millis(200) };
    Expected { disposition: Some(disposition), ..Expected::default() }
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

/// When somebody reacts to a question, well within the time that it waits.
fn with_manners(mut answer: Answer, question: &Question, eager: bool, mint: &mut Mint) -> Answer {
    let patience = question.retry.wait / 3;
    let rungs = question.retry.no_input.iter().chain(&question.retry.no_match);
    let can_cut = question.barge_in && rungs.into_iter().all(|rung| rung.barge_in != Some(false));
    for turn in &mut answer.turns {
        let pause = Duration::from_millis(350 + mint.number() % 650);
        let rush = Duration::from_millis(900 + mint.number() % 900);
        let at_once = eager && can_cut && matches!(turn.at, Place::Question(_)) && turn.says.is_none();
        turn.after = Some(pause.min(patience));
        turn.barge_in = at_once.then(|| rush.min(patience * 2));
        turn.hold = (below(mint, 10) == 0).then(|| Duration::from_secs(2).min(patience)); // a heavy finger
    }
    answer
}

const fn is_at(turn: &Turn, asked: Part) -> bool {
    matches!(&turn.at, Place::Part { part, .. } if *part as u8 == asked as u8)
}

fn command(question: &Question, command: Command) -> Option<char> {
    question.commands.iter().find(|(_, what)| *what == command).map(|(key, _)| key.as_char())
}

mod crash;
#[cfg(test)]
mod tests;

pub(super) use crash::{Cut, gather_to_be_cut_off};
