//! The flow as a graph: is each item reached, does each way end, does each loop ask?
//!
//! ```text
//! statement ──► next                   question ──► screen-outs, options' go, next, ladder's `then`,
//! go ──► to (and next, with when=)                  the ends for opt-out and break-off
//! end                                  ask-if ──► next
//! ```

use std::collections::BTreeMap;

use super::Reading;
use crate::questionnaire::model::end_of;
use crate::questionnaire::{Answers, Command, Item, Kind, Outcome, Question, Quota, Then, checks};

/// Questions whose ways forward are looked at for use before asking; bounds the time of a hostile file.
const MAX_SEARCHES: usize = 200;

/// Which ways out of an item count.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ways {
    /// Every way.
    All,
    /// Those of a callee who answers.
    Answering,
    /// Those on which nothing is asked.
    Unasked,
}

impl Reading<'_> {
    /// Checks the flow, if it is known.
    pub(super) fn check_flow(&mut self, quotas: &[Quota]) {
        if !self.flow_is_known || self.items.is_empty() {
            return;
        }
        let onward = self.onward();
        let table =
            |which| (0..self.items.len()).map(|index| ways(&self.items, &onward, index, which)).collect();
        let (all, answering, unasked): (Graph, Graph, Graph) =
            (table(Ways::All), table(Ways::Answering), table(Ways::Unasked));
        if self.check_reach(quotas, &onward, &all, &answering) {
            self.check_loops(&unasked);
            self.check_uses(&all);
            self.check_conditions(quotas, &answering);
        }
    }

    /// Says whether there is an end at all.
    fn check_reach(&mut self, quotas: &[Quota], onward: &Onward, all: &Graph, answering: &Graph) -> bool {
        if !self.items.iter().any(|item| matches!(item.kind, Kind::End(_))) {
            self.findings.add(
                &checks::NO_END,
                self.place(0),
                "the questionnaire has no way to end",
                "add <end id=\"done\" outcome=\"complete\"/>".to_owned(),
            );
            return false;
        }
        let starts = [self.outline.sections.first(0, None).unwrap_or(0)].into_iter();
        let starts = starts.chain(quotas.iter().map(|quota| quota.full.item));
        // What cannot be said leads there from anywhere.
        let starts = starts.chain(end_of(&self.items, Outcome::Technical));
        let starts = starts.flat_map(|start| onward.with_alternatives(start));
        let reached = reach(all, starts.collect());
        let mut before = true;
        for (index, &is_reached) in reached.iter().enumerate() {
            if !is_reached && before {
                let what = format!("{} is never reached", self.name(index));
                self.findings.add(
                    &checks::UNREACHABLE,
                    self.place(index),
                    what,
                    "lead a `go` to it, or take it out".to_owned(),
                );
            }
            before = is_reached;
        }
        self.check_ends(&reached, answering);
        true
    }

    /// From each item that is reached an end must be.
    fn check_ends(&mut self, reached: &[bool], answering: &Graph) {
        let length = self.items.len();
        let mut back: Vec<Vec<usize>> = vec![Vec::new(); length];
        let mut ending: Vec<usize> = Vec::new();
        for (index, item) in self.items.iter().enumerate() {
            if matches!(item.kind, Kind::End(_)) {
                ending.push(index);
            }
            for &to in answering.get(index).into_iter().flatten() {
                if let Some(back) = back.get_mut(to) {
                    back.push(index);
                } else if reached[index] {
                    let what = format!("after {} the questionnaire is over without an end", self.name(index));
                    self.findings.add(
                        &checks::OFF_THE_END,
                        self.place(index),
                        what,
                        "add an <end> after it, or a `go` to one".to_owned(),
                    );
                    ending.push(index);
                }
            }
        }
        let mut ends = vec![false; length];
        while let Some(index) = ending.pop() {
            if !std::mem::replace(&mut ends[index], true) {
                ending.extend(&back[index]);
            }
        }
        let lost = |index: usize| reached[index] && !ends[index];
        for index in (0..length).filter(|index| lost(*index) && !index.checked_sub(1).is_some_and(lost)) {
            let what = format!("there is no way to end from {}", self.name(index));
            self.findings.add(
                &checks::NO_WAY_OUT,
                self.place(index),
                what,
                "each way must lead to an <end>".to_owned(),
            );
        }
    }

    /// A loop on which nothing is asked never ends. Only a `go` leads back.
    fn check_loops(&mut self, unasked: &Graph) {
        let length = self.items.len();
        let (mut entered, mut left) = (vec![false; length], vec![false; length]);
        for start in 0..length {
            let mut path = vec![(start, 0)];
            while let Some((index, turn)) = path.pop() {
                if turn == 0 && std::mem::replace(&mut entered[index], true) {
                    continue;
                }
                let Some(&to) = unasked[index].get(turn) else {
                    left[index] = true;
                    continue;
                };
                path.push((index, turn + 1));
                if to < length && entered[to] && !left[to] {
                    let what = format!(
                        "this leads back to {} without asking anything: an endless loop",
                        self.name(to)
                    );
                    let mend = "lead it to a question without ask-if".to_owned();
                    self.findings.add(&checks::SILENT_LOOP, self.place(index), what, mend);
                } else if to < length && !entered[to] {
                    path.push((to, 0));
                }
            }
        }
    }

    /// A reply can be used only where its question can have been asked before.
    fn check_uses(&mut self, all: &Graph) {
        let mut after: BTreeMap<usize, Vec<bool>> = BTreeMap::new();
        for used in std::mem::take(&mut self.uses) {
            if self.comes_in_any_order(&used) {
                continue;
            }
            let early = used.question > used.item || (used.question == used.item && !used.after);
            if !early || (after.len() == MAX_SEARCHES && !after.contains_key(&used.question)) {
                continue;
            }
            let reached =
                after.entry(used.question).or_insert_with(|| reach(all, all[used.question].clone()));
            if reached.get(used.item) != Some(&true) {
                let what = format!(
                    "{} is asked only later; nothing is known of it here",
                    used.described(&self.items)
                );
                self.findings.add(&checks::ASKED_LATER, used.at, what, None);
            }
        }
    }

    fn onward(&self) -> Onward {
        let sections = &self.outline.sections;
        let after = |item: &Item| sections.after(item.place, None).unwrap_or(self.items.len());
        let after = self.items.iter().map(after).collect();
        Onward { after, alternatives: sections.alternatives() }
    }

    /// How an item is called in a message.
    pub(super) fn name(&self, index: usize) -> String {
        match self.items.get(index) {
            Some(item) if !item.id.is_empty() => format!("`{}`", item.id),
            Some(_) | None => "this `go`".to_owned(),
        }
    }
}

/// The items that may come after each item.
pub(super) type Graph = Vec<Vec<usize>>;

/// The items that are reached from these.
pub(super) fn reach(all: &Graph, mut from: Vec<usize>) -> Vec<bool> {
    let mut reached = vec![false; all.len()];
    while let Some(index) = from.pop() {
        if let Some(flag) = reached.get_mut(index)
            && !std::mem::replace(flag, true)
        {
            from.extend(&all[index]);
        }
    }
    reached
}

/// What comes after what, in an order that is possible in any case, and which items may come in place of
/// others in other cases. A drawn section is a chain of its parts, each of which may be the first one: so a
/// way that is possible in some case is found, and no way goes round in a section by its order alone.
struct Onward {
    after: Vec<usize>,
    alternatives: BTreeMap<usize, Vec<usize>>,
}

impl Onward {
    fn with_alternatives(&self, item: usize) -> Vec<usize> {
        let (mut found, mut next) = (vec![item], 0);
        while let Some(item) = found.get(next).copied() {
            for other in self.alternatives.get(&item).into_iter().flatten() {
                if !found.contains(other) {
                    found.push(*other);
                }
            }
            next += 1;
        }
        found
    }
}

/// The items that may come after an item, each once; the number of items stands for "off the end".
fn ways(items: &[Item], onward: &Onward, index: usize, which: Ways) -> Vec<usize> {
    let Some(item) = items.get(index) else { return Vec::new() };
    let (mut ways, next) = (Vec::new(), onward.after.get(index).copied().unwrap_or(items.len()));
    if !item.ask_if.is_empty() {
        ways.push(next);
    }
    match &item.kind {
        Kind::Statement(_) => ways.push(next),
        Kind::Go(go) => {
            ways.push(go.to.item);
            ways.extend(go.when.as_ref().map(|_| next));
        }
        Kind::End(_) => ways.clear(),
        Kind::Question(_) if which == Ways::Unasked => {}
        Kind::Question(question) => ways.extend(question_ways(items, next, question, which)),
    }
    let mut ways: Vec<usize> = ways.into_iter().flat_map(|way| onward.with_alternatives(way)).collect();
    ways.sort_unstable();
    ways.dedup();
    ways
}

fn question_ways(items: &[Item], next: usize, question: &Question, which: Ways) -> Vec<usize> {
    let mut ways: Vec<usize> = question.screen_outs.iter().map(|go| go.to.item).collect();
    let non_replies = question.non_replies.iter();
    ways.extend(non_replies.map(|non_reply| non_reply.go.map_or(next, |go| go.item)));
    match &question.answers {
        Answers::Choice(choices) | Answers::Language(choices) => {
            ways.extend(choices.iter().map(|choice| choice.go.map_or(next, |go| go.item)));
        }
        Answers::Appointment(appointment) => {
            let go = appointment.go.map(|go| go.item);
            ways.extend(go.or_else(|| end_of(items, Outcome::Callback)));
            // A slot may lie outside of the hours at the time of the call; without any it is passed over.
            ways.push(next);
        }
        Answers::Number(_)
        | Answers::Scale(_)
        | Answers::Digits(_)
        | Answers::Multi(_)
        | Answers::Date(_)
        | Answers::Time(_)
        | Answers::Record(_) => ways.push(next),
    }
    if which == Ways::All {
        for then in question.retry.ways() {
            match then {
                Then::Skip | Then::Refuse => ways.push(next),
                Then::Go(to) => ways.push(to.item),
                Then::BreakOff => ways.extend(end_of(items, Outcome::BreakOff)),
                Then::Transfer => ways.extend(end_of(items, Outcome::Transfer)),
            }
        }
        if question.commands.iter().any(|(_, command)| *command == Command::OptOut) {
            ways.extend(end_of(items, Outcome::Refusal));
        }
    }
    ways
}
