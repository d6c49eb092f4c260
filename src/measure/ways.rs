//! Which item may follow which, and how often: a graph without loops.
//!
//! ```text
//! state: an item, and how many of its conditions are known to be true because the item before has them, too
//!
//! section ask-if=A ─┬─ item 1 [A]       (1, 0) ─ A false ─► behind the section, not to item 2
//!                   └─ item 2 [A, B]    (1, 0) ─ asked ───► (2, 1): only B is open
//! ```
//! So a condition of a section counts once, however many items stand in it.

use std::collections::BTreeMap;

use super::chance::Chances;
use super::count::Count;
use crate::questionnaire::{Answers, Item, Kind, Known, Outcome, Question, Questionnaire, Target, Value};

/// A way from one state to another.
#[derive(Clone, Copy, Debug)]
struct Way {
    to: usize,
    /// Whether the item was asked or said, not passed over.
    asked: bool,
    /// How many of those who come to the item go this way.
    chance: f64,
}

/// The graph. A state's ways lead only to states after it.
#[derive(Debug, Default)]
pub(super) struct Ways {
    /// The item of each state.
    items: Vec<usize>,
    /// How many of its conditions are known to be true there.
    known: Vec<usize>,
    /// Whether it is an end, and a complete one.
    ends: Vec<Option<bool>>,
    ways: Vec<Vec<Way>>,
    /// The states, each before those it leads to.
    order: Vec<usize>,
    loops: usize,
}

impl Ways {
    pub(super) fn of(questionnaire: &Questionnaire) -> Self {
        let mut building = Building {
            questionnaire,
            chances: Chances::of(questionnaire),
            states: BTreeMap::new(),
            conditions: numbered(questionnaire),
            after: questionnaire.items().iter().map(|item| after(questionnaire, item)).collect(),
            ways: Ways::default(),
        };
        let first = questionnaire.sections().first(0, None).unwrap_or(0);
        building.state(first, 0);
        let mut next = 0;
        while next < building.ways.items.len() {
            building.fill(next);
            next += 1;
        }
        let mut ways = building.ways;
        ways.cut_loops();
        ways
    }

    /// Takes out the ways that lead back, and puts the states in order.
    fn cut_loops(&mut self) {
        let length = self.items.len();
        let (mut entered, mut left) = (vec![false; length], vec![false; length]);
        let mut stack: Vec<(usize, usize)> = if length > 0 { vec![(0, 0)] } else { Vec::new() };
        let mut back: Vec<(usize, usize)> = Vec::new();
        while let Some((state, turn)) = stack.pop() {
            entered[state] = true;
            let Some(way) = self.ways[state].get(turn) else {
                left[state] = true;
                self.order.push(state);
                continue;
            };
            stack.push((state, turn + 1));
            if !entered[way.to] {
                stack.push((way.to, 0));
            } else if !left[way.to] {
                back.push((state, way.to));
            }
        }
        self.order.reverse();
        back.sort_unstable();
        back.dedup();
        self.loops = back.len();
        for (state, to) in back {
            self.ways[state].retain(|way| way.to != to);
        }
    }

    pub(super) const fn loops(&self) -> usize {
        self.loops
    }

    /// How many ways lead to an end.
    pub(super) fn paths(&self) -> Count {
        let mut paths = vec![Count::default(); self.items.len()];
        for &state in self.order.iter().rev() {
            let mut count = if self.ends[state].is_some() { Count::one() } else { Count::default() };
            self.ways[state].iter().for_each(|way| count.add(&paths[way.to]));
            paths[state] = count;
        }
        paths.into_iter().next().unwrap_or_default()
    }

    /// The longest way to an end, by the time that each item takes.
    pub(super) fn longest(&self, times: &[f64]) -> f64 {
        let mut longest: Vec<Option<f64>> = vec![None; self.items.len()];
        for &state in self.order.iter().rev() {
            let time = times.get(self.items[state]).copied().unwrap_or(0.0);
            let own = self.ends[state].map(|_| time);
            let after = |way: &Way| Some(longest[way.to]? + if way.asked { time } else { 0.0 });
            longest[state] = self.ways[state].iter().filter_map(after).chain(own).reduce(f64::max);
        }
        longest.first().copied().flatten().unwrap_or(0.0)
    }

    /// The mean of the ways to an end that is complete; of all ends, if there is none.
    pub(super) fn mean(&self, times: &[f64]) -> f64 {
        let complete = self.weighed(times, true);
        let (chance, time) = if complete.0 > 0.0 { complete } else { self.weighed(times, false) };
        if chance > 0.0 { time / chance } else { 0.0 }
    }

    /// How many of all come to an end that counts, and their mean time, multiplied.
    fn weighed(&self, times: &[f64], complete_only: bool) -> (f64, f64) {
        let mut found = vec![(0.0, 0.0); self.items.len()];
        for &state in self.order.iter().rev() {
            let time = times.get(self.items[state]).copied().unwrap_or(0.0);
            let counts = self.ends[state].is_some_and(|complete| complete || !complete_only);
            let all: f64 = self.ways[state].iter().map(|way| way.chance).sum();
            let end = 1.0 - if self.ends[state].is_some() { all.min(1.0) } else { 1.0 };
            let mut sum = if counts { (end, end * time) } else { (0.0, 0.0) };
            // What a loop would have taken goes the other ways: it is left at the first time.
            let scale = if self.ends[state].is_none() && all > 0.0 { 1.0 / all } else { 1.0 };
            for way in &self.ways[state] {
                let (chance, later) = found[way.to];
                let own = if way.asked { time } else { 0.0 };
                let share = way.chance * scale;
                sum = (sum.0 + share * chance, sum.1 + share * (later + own * chance));
            }
            found[state] = sum;
        }
        found.first().copied().unwrap_or_default()
    }
}

struct Building<'a> {
    questionnaire: &'a Questionnaire,
    chances: Chances<'a>,
    states: BTreeMap<(usize, usize), usize>,
    /// The conditions of each item; equal ones have the same number.
    conditions: Vec<Vec<usize>>,
    /// The item behind each item.
    after: Vec<usize>,
    ways: Ways,
}

fn numbered(questionnaire: &Questionnaire) -> Vec<Vec<usize>> {
    let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
    let items = questionnaire.items().iter();
    items
        .map(|item| {
            let mut conditions = Vec::new();
            for condition in &item.ask_if {
                let next = numbers.len();
                conditions.push(*numbers.entry(condition.source()).or_insert(next));
            }
            conditions
        })
        .collect()
}

fn after(questionnaire: &Questionnaire, item: &Item) -> usize {
    questionnaire.sections().after(item.place, None).unwrap_or(questionnaire.items().len())
}

impl<'a> Building<'a> {
    /// The state of an item of which so many conditions are known to be true.
    fn state(&mut self, item: usize, known: usize) -> usize {
        *self.states.entry((item, known)).or_insert_with(|| {
            self.ways.items.push(item);
            self.ways.known.push(known);
            let kind = self.questionnaire.items().get(item).map(|item| &item.kind);
            self.ways.ends.push(match kind {
                Some(Kind::End(end)) => Some(end.outcome == Outcome::Complete),
                Some(_) | None => None,
            });
            self.ways.ways.push(Vec::new());
            self.ways.items.len() - 1
        })
    }

    /// Finds the ways out of a state.
    fn fill(&mut self, state: usize) {
        let questionnaire = self.questionnaire;
        let index = self.ways.items[state];
        let Some(item) = questionnaire.items().get(index) else { return };
        let known = self.ways.known[state];
        let mut ways: Vec<Way> = Vec::new();
        let mut here = 1.0;
        for (place, condition) in item.ask_if.iter().enumerate().skip(known) {
            let chance = self.chances.of_condition(condition);
            if let Some((to, known)) = self.behind(index, place) {
                let to = self.state(to, known);
                ways.push(Way { to, asked: false, chance: here * (1.0 - chance) });
            }
            here *= chance;
        }
        for (to, chance) in self.exits(index, item) {
            if to >= questionnaire.items().len() {
                continue;
            }
            let to = self.state(to, self.shared(index, to));
            match ways.iter_mut().find(|way| way.asked && way.to == to) {
                Some(way) => way.chance += here * chance,
                None => ways.push(Way { to, asked: true, chance: here * chance }),
            }
        }
        self.ways.ways[state] = ways;
    }

    /// How many conditions two items have in common, from the outermost section on.
    fn shared(&self, one: usize, other: usize) -> usize {
        let (Some(one), Some(other)) = (self.conditions.get(one), self.conditions.get(other)) else {
            return 0;
        };
        one.iter().zip(other).take_while(|(one, other)| one == other).count()
    }

    fn after(&self, item: usize) -> usize {
        self.after.get(item).copied().unwrap_or(self.after.len())
    }

    /// Where it goes on if the condition at this place is false: with the first item that does not have it.
    fn behind(&self, item: usize, place: usize) -> Option<(usize, usize)> {
        let mut next = self.after(item);
        while next < self.questionnaire.items().len() {
            let shared = self.shared(item, next);
            if shared <= place {
                return Some((next, shared));
            }
            next = self.after(next);
        }
        None
    }

    /// Where an item leads by itself, and how often.
    fn exits(&self, index: usize, item: &'a Item) -> Vec<(usize, f64)> {
        let next = self.after(index);
        match &item.kind {
            Kind::Statement(_) => vec![(next, 1.0)],
            Kind::End(_) => Vec::new(),
            Kind::Go(go) => match &go.when {
                None => vec![(go.to.item, 1.0)],
                Some(when) => {
                    let lots: Vec<bool> =
                        Chances::lots().filter_map(|lot| self.chances.is_true(when, lot)).collect();
                    let taken = share(lots.iter().filter(|taken| **taken).count(), lots.len());
                    vec![(go.to.item, taken), (next, 1.0 - taken)]
                }
            },
            Kind::Question(question) => self.replies(next, &item.id, question),
        }
    }

    /// Where an appointment leads.
    fn made(&self, go: Option<Target>) -> usize {
        let end = self.questionnaire.end_of(Outcome::Callback).unwrap_or(self.after.len());
        go.map_or(end, |go| go.item)
    }

    /// Where the replies to a question lead. What no lot decides is taken half of the time.
    fn replies(&self, next: usize, id: &str, question: &Question) -> Vec<(usize, f64)> {
        let mut exits: BTreeMap<usize, f64> = BTreeMap::new();
        let mut add = |to: usize, chance: f64| *exits.entry(to).or_default() += chance;
        for out in &question.screen_outs {
            add(out.to.item, 0.0);
        }
        for non_reply in &question.non_replies {
            add(non_reply.go.map_or(next, |go| go.item), 0.0);
        }
        let go = |choice: &crate::questionnaire::Choice| choice.go.map_or(next, |go| go.item);
        for choice in question.answers.choices().unwrap_or_default() {
            add(go(choice), 0.0);
        }
        let otherwise = match &question.answers {
            Answers::Appointment(appointment) => self.made(appointment.go),
            Answers::Choice(_)
            | Answers::Language(_)
            | Answers::Number(_)
            | Answers::Scale(_)
            | Answers::Digits(_)
            | Answers::Multi(_)
            | Answers::Date(_)
            | Answers::Time(_)
            | Answers::Record(_) => next,
        };
        let lot = 1.0 / share_base();
        for number in Chances::lots() {
            let mut left = lot;
            for out in &question.screen_outs {
                let is_true = out.when.as_ref().map_or(Some(true), |when| self.chances.is_true(when, number));
                let taken = left * is_true.map_or(0.5, |is_true| f64::from(u8::from(is_true)));
                add(out.to.item, taken);
                left -= taken;
            }
            let answer = self.chances.answer(id, number);
            let chosen = question
                .answers
                .choices()
                .unwrap_or_default()
                .iter()
                .find(|choice| is_answer(answer, &choice.value));
            add(chosen.map_or(otherwise, go), left);
        }
        exits.into_iter().collect()
    }
}

fn is_answer(answer: Option<&Known>, value: &Value) -> bool {
    answer.is_some_and(|answer| *answer == Known::from(value))
}

/// A part of some lots; half, if there are none.
fn share(part: usize, of: usize) -> f64 {
    let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    if of == 0 { 0.5 } else { number(part) / number(of) }
}

fn share_base() -> f64 {
    f64::from(u32::try_from(Chances::lots().len()).unwrap_or(u32::MAX))
}
