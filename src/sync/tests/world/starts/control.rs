//! What control does, in small: it carries out starts, and looks for what nobody carries.

use std::collections::{BTreeMap, BTreeSet};

use super::{Job, LOOK, Purpose, Question, Reply, Row};
use crate::id::CallId;
use crate::sync::tests::world::node::Work;
use crate::sync::tests::world::scenario::Switch;
use crate::sync::tests::world::{Event, World};
use crate::sync::{
    Fate, Incarnation, Kept, Looked, Next, Outcome, Role, Said, Sight, Start, Step, Taking, next,
};

impl World {
    pub(super) fn controls(&self, node: usize) -> Option<u64> {
        self.nodes[node].process.as_ref()?.member.controls()
    }

    /// The other instances that own their calls, by the engine, or those of them that are heard.
    pub(super) fn living(&self, node: usize, heard: bool) -> BTreeMap<usize, Incarnation> {
        let now = self.nodes[node].clock.at(self.now);
        let Some(process) = &self.nodes[node].process else { return BTreeMap::new() };
        let others = process.member.others_there(now);
        let others = others.filter(|(_, role, usage)| *role == Role::Instance && (usage.is_some() || !heard));
        let place = |one: Incarnation| self.nodes.iter().position(|node| node.id == one.node).unwrap();
        others.map(|(one, ..)| (place(one), one)).collect()
    }

    /// A request; what is said at once.
    pub(super) fn placing(&mut self, node: usize, key: u32, from: Option<(usize, u64)>) -> Option<Reply> {
        let Some(epoch) = self.controls(node) else {
            if from.is_none()
                && let Some(seat) =
                    self.nodes[node].process.as_ref().and_then(|process| process.member.seat())
            {
                let whom = self.living(node, true);
                let holder = whom.iter().find(|(_, one)| **one == seat.holder).map(|(other, _)| *other);
                self.ask(node, holder.into_iter().collect(), &Question::Place(key), Purpose::Forward(key));
            }
            return Some(Reply::NotNow);
        };
        let disk = &self.nodes[node].disk;
        let known = disk.rows.iter().find(|(_, row)| row.key == key).map(|(call, _)| *call);
        let is_busy = self.starts(node).is_some_and(|starts| starts.jobs.contains_key(&key));
        if let (Some(call), false) = (known, is_busy) {
            self.judge.hit("known request");
            if from.is_none() {
                self.answer_client(key, call);
            }
            return Some(Reply::Taken(call));
        }
        let asker = from.unwrap_or((usize::MAX, 0));
        let call = CallId::mint(&mut self.mint);
        let starts = self.starts(node)?;
        if let Some(job) = starts.jobs.get_mut(&key) {
            job.askers.push(asker);
            return None;
        }
        let start = Start::new(epoch, 1, true);
        starts.jobs.insert(key, Job { start, epoch, call, askers: vec![asker], stored: BTreeSet::new() });
        self.requests.calls.insert(call, key);
        self.drive(node, key);
        None
    }

    /// Goes on with a start as far as it goes without others.
    fn drive(&mut self, node: usize, key: u32) {
        loop {
            let Some(job) = self.starts(node).and_then(|starts| starts.jobs.get(&key)) else { return };
            let (call, epoch, step, stored) = (job.call, job.epoch, job.start.step(), job.stored.clone());
            let purpose = Purpose::Step(key);
            match step {
                Step::Look => {
                    let living = self.living(node, false).into_keys().collect();
                    return self.ask(node, living, &Question::Calls(key), purpose);
                }
                Step::Pick => self.pick_one(node, key),
                Step::Store(placement) => {
                    let row = Row { key, placement };
                    self.nodes[node].disk.store(call, row);
                    let heard: BTreeSet<usize> = self.living(node, true).into_keys().collect();
                    self.judge.hit("stores");
                    if self.switch == Switch::SendsUnstored {
                        self.job(node, key, |job| job.start.kept(Kept::By(1)));
                        continue;
                    }
                    return self.ask(node, heard, &Question::Store(epoch, call, row), purpose);
                }
                Step::Send(placement) => {
                    if self.controls(node) != Some(epoch) {
                        self.judge.hit("not control any more");
                        self.job(node, key, |job| job.start.gave_up());
                        continue;
                    }
                    self.judge.hit("sends");
                    let to = self.nodes.iter().position(|one| one.id == placement.to.node).unwrap();
                    if to != node {
                        let question = Question::Begin(epoch, call, placement);
                        return self.ask(node, BTreeSet::from([to]), &question, purpose);
                    }
                    let reply = self.admit(node, epoch, call, placement);
                    let said = if matches!(reply, Reply::Done) { Said::Placed } else { Said::Refused };
                    self.job(node, key, |job| job.start.said(said));
                }
                Step::Withdraw => {
                    self.judge.hit("withdrawn");
                    return self.ask(node, stored, &Question::Withdraw(epoch, call), purpose);
                }
                Step::Over(outcome) => return self.start_over(node, key, outcome),
            }
        }
    }

    fn job(&mut self, node: usize, key: u32, what: impl FnOnce(&mut Job)) {
        if let Some(job) = self.starts(node).and_then(|starts| starts.jobs.get_mut(&key)) {
            what(job);
        }
    }

    fn pick_one(&mut self, node: usize, key: u32) {
        let mut all: Vec<Incarnation> = self.living(node, true).into_values().collect();
        all.push(self.incarnation(node));
        let now_ms = self.now / 1_000;
        let chance = self.chance.below(1_000);
        let want = self.picks.map(|picks| self.nodes[picks].id);
        self.job(node, key, |job| {
            all.retain(|one| !job.start.refused().contains(&one.node));
            let picked = (!all.is_empty()).then(|| all[usize::try_from(chance).unwrap() % all.len()]);
            let picked = all.iter().copied().find(|one| Some(one.node) == want).or(picked);
            job.start.picked(now_ms, picked);
        });
    }

    pub(super) fn step_done(
        &mut self,
        node: usize,
        key: u32,
        open: &BTreeSet<usize>,
        replies: &BTreeMap<usize, Reply>,
    ) {
        let all: Vec<Reply> = replies.values().cloned().collect();
        let silent = open.len();
        let Some(job) = self.starts(node).and_then(|starts| starts.jobs.get_mut(&key)) else { return };
        match job.start.step() {
            Step::Look => {
                let mut found: BTreeMap<CallId, Row> = BTreeMap::new();
                let told = all.into_iter().map(|reply| {
                    let Reply::Rows(rows) = reply else { return None };
                    found.extend(rows.iter().map(|(call, row)| (*call, *row)));
                    let rows = rows.into_iter().map(|(call, row)| (call, row.placement.epoch));
                    Some(rows.max_by_key(|(_, epoch)| *epoch))
                });
                let looked = Looked::of(told.chain((0..silent).map(|_| None)).collect::<Vec<_>>());
                job.start.looked(looked);
                if let Looked::Known(call) = looked {
                    self.judge.hit("known to another");
                    self.nodes[node].disk.store(call, found[&call]);
                }
            }
            Step::Store(_) => {
                let superseded = all.iter().any(|reply| matches!(reply, Reply::Superseded));
                job.stored.extend(replies.keys().chain(open));
                let count = all.iter().filter(|reply| matches!(reply, Reply::Done)).count();
                job.start.kept(if superseded { Kept::Superseded } else { Kept::By(count) });
                if superseded {
                    self.judge.hit("superseded");
                }
            }
            Step::Send(_) => {
                let said = match all.first() {
                    Some(Reply::Done) => Said::Placed,
                    Some(_) => Said::Refused,
                    None => Said::Nothing,
                };
                job.start.said(said);
                self.judge.hit(match said {
                    Said::Placed => "placed",
                    Said::Refused | Said::Unreached => "refused",
                    Said::Nothing => "not answered",
                });
            }
            Step::Withdraw => {
                let call = job.call;
                let gone = silent == 0 && all.iter().all(|reply| matches!(reply, Reply::Done));
                job.start.withdrew(gone);
                if gone {
                    self.nodes[node].disk.rows.remove(&call);
                }
            }
            Step::Pick | Step::Over(_) => {}
        }
        self.drive(node, key);
    }

    fn start_over(&mut self, node: usize, key: u32, outcome: Outcome) {
        let Some(job) = self.starts(node).and_then(|starts| starts.jobs.remove(&key)) else { return };
        let call = match outcome {
            Outcome::Placed | Outcome::Open => Some(job.call),
            Outcome::Known(call) => Some(call),
            Outcome::Refused | Outcome::NotNow => None,
        };
        for asker in job.askers {
            match (asker, call) {
                ((usize::MAX, _), Some(call)) => self.answer_client(key, call),
                ((usize::MAX, _), None) => {}
                (asker, call) => self.reply(node, Some(asker), call.map_or(Reply::NotNow, Reply::Taken)),
            }
        }
    }

    /// Whoever is control looks for what nobody carries.
    pub(in crate::sync::tests::world) fn look_around(&mut self, node: usize) {
        self.plan_to(LOOK, node, Work::LookAround);
        if self.switch == Switch::SitsOnOthers && self.chance.is_in(30) && self.nodes[node].process.is_some()
        {
            let (by, seen, process) = (self.incarnation(node), self.engine.seat, self.nodes[node].processes);
            self.plan(1_000, Event::Seat(node, process, Taking { by, seen }));
        }
        let Some(epoch) = self.controls(node) else { return };
        let living = self.living(node, false);
        let all: BTreeSet<Incarnation> = living.values().copied().collect();
        let me = self.incarnation(node);
        let Some(starts) = self.starts(node) else { return };
        if starts.asked.values().any(|asked| matches!(asked.purpose, Purpose::Office(..) | Purpose::Look(..)))
        {
            return;
        }
        if starts.office != Some((epoch, all.clone())) {
            return self.ask(
                node,
                living.into_keys().collect(),
                &Question::Open,
                Purpose::Office(epoch, all),
            );
        }
        let Some(process) = &self.nodes[node].process else { return };
        let disk = &self.nodes[node].disk;
        let is_missed = |call: &CallId| {
            let is_busy = process.starts.jobs.values().any(|job| job.call == *call);
            !(disk.results.contains(call) || process.live.contains_key(call) || is_busy)
        };
        let fates = &process.starts.fates;
        let lives = |one: Incarnation| one == me || all.contains(&one);
        let missed: BTreeMap<CallId, Fate> = disk
            .rows
            .iter()
            .filter(|(call, _)| is_missed(call))
            .map(|(call, row)| (*call, fates.of(row.placement.to, lives(row.placement.to))))
            .collect();
        if missed.is_empty() {
            return;
        }
        let others = (0..self.nodes.len()).filter(|other| *other != node).collect();
        let question = Question::Find(missed.keys().copied().collect());
        self.ask(node, others, &question, Purpose::Look(epoch, missed, living.into_keys().collect()));
    }

    pub(super) fn decide(&mut self, node: usize, epoch: u64, call: CallId, mut fate: Fate, sight: Sight) {
        let Some(row) = self.nodes[node].disk.rows.get(&call).copied() else { return };
        let Some(process) = &self.nodes[node].process else { return };
        let is_own = process.live.contains_key(&call) || process.table.has(call);
        let sight = Sight { known: is_own || self.nodes[node].disk.results.contains(&call), ..sight };
        if self.switch == Switch::AnewAtOnce && fate != Fate::Lives {
            fate = Fate::Gone { whole: true };
        }
        let todo = next(&row.placement, fate, sight, self.now / 1_000, self.now / 1_000);
        let Some(start) = Start::again(epoch, 1, &row.placement, todo) else { return };
        self.judge.hit(if todo == Next::Anew { "placed anew" } else { "repeated" });
        let job = Job { start, epoch, call, askers: Vec::new(), stored: BTreeSet::new() };
        let Some(starts) = self.starts(node) else { return };
        if let std::collections::btree_map::Entry::Vacant(free) = starts.jobs.entry(row.key) {
            free.insert(job);
            self.drive(node, row.key);
        }
    }
}
