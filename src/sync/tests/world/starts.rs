//! Requests for calls, their placements under control, and phones that ring: each key once.
//!
//! ```text
//!  client ─ key ─► any instance ─► control: Start ─ Calls, Store, Begin ─► instances
//! ```
//! What the rooms at the edge do with `Start`, `Admission` and `next`, in small: `instance::{control, desk, home}`.

use std::collections::{BTreeMap, BTreeSet};

use super::copies::{Record, Save};
use super::node::{Deed, Live, Node, Work};
use super::scenario::{HEALED, Switch, Traffic};
use super::{Event, Process, World};
use crate::id::{CallId, Epoch, Revision};
use crate::sync::{
    Admission, Fate, Fates, Incarnation, Input, Kept, Key, Looked, Next, NotAdmitted, Outcome, Ownership,
    Placement, Role, Said, Seat, Sight, Standing, Start, Step, Taking, next,
};

/// When requests are made, from one to the next, and how soon one is made again that was not taken, in µs.
const FROM: u64 = 1_200_000;
const EVERY: u64 = 250_000;
const RETRY: u64 = 400_000;
/// How long a question is waited for, and how often control looks for what nobody carries.
const PATIENCE: u64 = 500_000;
const LOOK: u64 = 200_000;
/// How long TCP goes on sending what was lost.
const RESENT: u64 = 1_500_000;

/// A call as control has stored it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    key: u32,
    placement: Placement,
}

/// What one instance asks another.
#[derive(Clone, Debug)]
pub(super) enum Question {
    /// A client's request, or another instance's for it.
    Place(u32),
    Calls(u32),
    Open,
    Store(u64, CallId, Row),
    Withdraw(u64, CallId),
    Begin(u64, CallId, Placement),
    Find(BTreeSet<CallId>),
    Keep(CallId),
}

#[derive(Clone, Debug)]
pub(super) enum Reply {
    Rows(BTreeMap<CallId, Row>),
    Known(BTreeSet<CallId>),
    Done,
    Superseded,
    Refused,
    Taken(CallId),
    NotNow,
}

/// Why something was asked.
#[derive(Clone, Debug)]
enum Purpose {
    /// A step of the start of this key.
    Step(u32),
    /// Of the client's, at this instance.
    Forward(u32),
    /// The open calls of who lives, then where they are.
    Office(u64, BTreeSet<Incarnation>),
    Look(u64, BTreeMap<CallId, Fate>, BTreeSet<usize>),
    Keep(CallId),
}

/// Questions on their way, and what came.
#[derive(Debug)]
struct Asked {
    purpose: Purpose,
    open: BTreeSet<usize>,
    replies: BTreeMap<usize, Reply>,
}

/// A start that is being carried out.
#[derive(Debug)]
struct Job {
    start: Start,
    epoch: u64,
    call: CallId,
    /// Who wants to know, by node and question.
    askers: Vec<(usize, u64)>,
    stored: BTreeSet<usize>,
}

/// What a process knows of starts.
#[derive(Debug, Default)]
pub(super) struct Starts {
    admission: Admission,
    fates: Fates,
    jobs: BTreeMap<u32, Job>,
    asked: BTreeMap<u64, Asked>,
    office: Option<(u64, BTreeSet<Incarnation>)>,
    /// Calls that it is to dial when their records are durable.
    fresh: BTreeSet<CallId>,
    /// Results that others have.
    told: BTreeSet<CallId>,
}

/// What stands on an instance's disk.
#[derive(Debug, Default)]
pub(super) struct Disk {
    rows: BTreeMap<CallId, Row>,
    results: BTreeSet<CallId>,
}

/// What really happened to requests.
#[derive(Debug, Default)]
pub(in crate::sync::tests) struct Requests {
    /// By key: the call that was answered, and those whose phones rang.
    answered: BTreeMap<u32, CallId>,
    pub(super) dialled: BTreeMap<u32, Vec<(CallId, Incarnation)>>,
    calls: BTreeMap<CallId, u32>,
    made: u32,
    questions: u64,
}

impl World {
    // ── the engine ──

    pub(super) fn wants_seat(&mut self, node: usize, taking: Taking) {
        if !self.scenario.starts {
            return;
        }
        let process = self.nodes[node].processes;
        let after = self.chance.between(500, 8_000);
        self.plan(after, Event::Seat(node, process, taking));
    }

    /// A try for the seat has reached the engine, or has not.
    pub(super) fn take_seat(&mut self, node: usize, taking: Taking) {
        if self.ill(node).is_some() || self.engine.seat != taking.seen {
            return;
        }
        let was_free = taking.seen.is_none_or(|seat| !self.engine.is_alive(seat.holder));
        let is_free = was_free || self.switch == Switch::SitsOnOthers;
        if !(is_free && self.engine.is_alive(taking.by)) {
            return self.judge.hit("no seat");
        }
        self.engine.revision += 1;
        let seat = Seat { holder: taking.by, epoch: self.engine.revision };
        self.engine.seat = Some(seat);
        self.judge.hit(if taking.seen.is_some() { "control changes" } else { "control" });
        self.say(|_| format!("engine: {} is control @{}", seat.holder, seat.epoch));
        (0..self.nodes.len()).for_each(|node| self.tell_seat(node));
    }

    pub(super) fn tell_seat(&mut self, node: usize) {
        if self.scenario.starts && self.ill(node).is_none() {
            let (after, seat) = (self.chance.between(500, 20_000), self.engine.seat);
            self.plan_to(after, node, Work::Input(Input::Seat(seat)));
        }
    }

    // ── clients ──

    pub(super) fn open_shop(&mut self) {
        if self.scenario.starts {
            self.plan(FROM, Event::Request(None));
        }
    }

    /// A client makes a request: a new one, or this one again.
    pub(super) fn request_call(&mut self, again: Option<u32>) {
        if again.is_none() {
            if self.now < HEALED * 1_000 && self.asks {
                self.plan(EVERY, Event::Request(None));
            } else {
                return;
            }
        }
        let key = again.unwrap_or_else(|| {
            self.requests.made += 1;
            self.requests.made
        });
        if self.requests.answered.contains_key(&key) {
            return;
        }
        let instances: Vec<usize> =
            (0..self.nodes.len()).filter(|node| self.nodes[*node].role == Role::Instance).collect();
        let first = instances[self.chance.index(instances.len())];
        self.ask_as_client(first, key);
        if self.chance.is_in(30) {
            let second = instances[self.chance.index(instances.len())];
            self.ask_as_client(second, key);
        }
        self.plan(RETRY, Event::Request(Some(key)));
    }

    pub(in crate::sync::tests) fn ask_as_client(&mut self, node: usize, key: u32) {
        let after = self.chance.between(100, 2_000);
        self.plan_to(after, node, Work::Asked(None, Question::Place(key)));
    }

    fn answer_client(&mut self, key: u32, call: CallId) {
        let first = *self.requests.answered.entry(key).or_insert(call);
        if first != call {
            self.judge.find(format!("request {key} is {first}, and also {call}"));
        }
    }

    // ── questions ──

    fn starts(&mut self, node: usize) -> Option<&mut Starts> {
        self.nodes[node].process.as_mut().map(|process| &mut process.starts)
    }

    fn ask(&mut self, node: usize, whom: BTreeSet<usize>, question: &Question, purpose: Purpose) {
        self.requests.questions += 1;
        let number = self.requests.questions;
        let asked = Asked { purpose, open: whom.clone(), replies: BTreeMap::new() };
        let Some(starts) = self.starts(node) else { return };
        starts.asked.insert(number, asked);
        if whom.is_empty() {
            return self.concluded(node, number);
        }
        for other in whom {
            self.send_question(node, other, number, question.clone());
        }
        self.plan_to(PATIENCE, node, Work::Unanswered(number));
    }

    fn send_question(&mut self, node: usize, other: usize, number: u64, question: Question) {
        let mut after = self.chance.between(100, 4_000);
        if !self.is_open(node, other, Traffic::Links) {
            // It is sent again, and may come when nobody waits for it any more.
            after = self.chance.between(PATIENCE / 2, RESENT);
        }
        self.plan_to(after, other, Work::Asked(Some((node, number)), question));
    }

    pub(super) fn asked(&mut self, node: usize, from: Option<(usize, u64)>, question: Question) {
        if from.is_some_and(|(other, _)| !self.is_open(other, node, Traffic::Links)) {
            return;
        }
        let replied = if let Question::Place(key) = question {
            self.placing(node, key, from)
        } else {
            self.reply_to(node, question)
        };
        if let Some(reply) = replied {
            self.reply(node, from, reply);
        }
    }

    fn reply(&mut self, node: usize, to: Option<(usize, u64)>, reply: Reply) {
        let Some((other, number)) = to else { return };
        if self.is_open(node, other, Traffic::Links) {
            let after = self.chance.between(300, 8_000); // with what the disk takes
            self.plan_to(after, other, Work::Replied(node, number, reply));
        }
    }

    fn reply_to(&mut self, node: usize, question: Question) -> Option<Reply> {
        let heard = |starts: &mut Starts, epoch: u64| starts.admission.hears(epoch);
        let Node { process, disk, .. } = &mut self.nodes[node];
        let process = process.as_mut()?;
        Some(match question {
            Question::Calls(key) => {
                let rows = disk.rows.iter().filter(|(_, row)| row.key == key);
                Reply::Rows(rows.map(|(call, row)| (*call, *row)).collect())
            }
            Question::Open => {
                let open = disk.rows.iter().filter(|(call, _)| !disk.results.contains(call));
                Reply::Rows(open.map(|(call, row)| (*call, *row)).collect())
            }
            Question::Store(epoch, call, row) => {
                let is_older = |known: &Row| !row.placement.succeeds(&known.placement);
                if !heard(&mut process.starts, epoch) || disk.rows.get(&call).is_some_and(is_older) {
                    return Some(Reply::Superseded);
                }
                disk.store(call, row);
                Reply::Done
            }
            Question::Withdraw(epoch, call) => {
                if !heard(&mut process.starts, epoch) {
                    return Some(Reply::Superseded);
                }
                disk.rows.remove(&call);
                Reply::Done
            }
            Question::Find(calls) => {
                let is_known = |call: &CallId| {
                    process.live.contains_key(call) || process.table.has(*call) || disk.results.contains(call)
                };
                Reply::Known(calls.into_iter().filter(is_known).collect())
            }
            Question::Keep(call) => {
                disk.results.insert(call);
                Reply::Done
            }
            Question::Begin(epoch, call, placement) => return Some(self.admit(node, epoch, call, placement)),
            Question::Place(_) => return None,
        })
    }

    pub(super) fn replied(&mut self, node: usize, from: usize, number: u64, reply: Reply) {
        let Some(starts) = self.starts(node) else { return };
        let Some(asked) = starts.asked.get_mut(&number) else { return };
        asked.open.remove(&from);
        asked.replies.insert(from, reply);
        if asked.open.is_empty() {
            self.concluded(node, number);
        }
    }

    /// All have replied, or nobody waits for the others any more.
    pub(super) fn concluded(&mut self, node: usize, number: u64) {
        let Some(asked) = self.starts(node).and_then(|starts| starts.asked.remove(&number)) else { return };
        let Asked { purpose, open, replies } = asked;
        match purpose {
            Purpose::Step(key) => self.step_done(node, key, &open, &replies),
            Purpose::Forward(key) => {
                if let Some(Reply::Taken(call)) = replies.into_values().next() {
                    self.answer_client(key, call);
                }
            }
            Purpose::Office(epoch, living) => {
                if !open.is_empty() {
                    return;
                }
                for reply in replies.into_values() {
                    let Reply::Rows(rows) = reply else { return };
                    rows.into_iter().for_each(|(call, row)| self.nodes[node].disk.store(call, row));
                }
                self.judge.hit("took office");
                if let Some(starts) = self.starts(node) {
                    starts.office = Some((epoch, living));
                }
            }
            Purpose::Look(epoch, fates, living) => {
                let known: BTreeSet<CallId> = replies
                    .into_values()
                    .filter_map(|reply| if let Reply::Known(calls) = reply { Some(calls) } else { None })
                    .flatten()
                    .collect();
                let sight = Sight { known: false, living: open.is_disjoint(&living), all: open.is_empty() };
                for (call, fate) in fates.into_iter().filter(|(call, _)| !known.contains(call)) {
                    self.decide(node, epoch, call, fate, sight);
                }
            }
            Purpose::Keep(call) => {
                let is_kept = replies.values().any(|reply| matches!(reply, Reply::Done));
                let nobody = open.is_empty() && replies.is_empty();
                if (is_kept || nobody)
                    && let Some(starts) = self.starts(node)
                {
                    starts.told.insert(call);
                }
                self.plan_to(if is_kept || nobody { 1_000 } else { RETRY }, node, Work::Forget(call));
            }
        }
    }

    // ── control ──

    fn controls(&self, node: usize) -> Option<u64> {
        self.nodes[node].process.as_ref()?.member.controls()
    }

    /// The other instances that own their calls, by the engine, or those of them that are heard.
    fn living(&self, node: usize, heard: bool) -> BTreeMap<usize, Incarnation> {
        let now = self.nodes[node].clock.at(self.now);
        let Some(process) = &self.nodes[node].process else { return BTreeMap::new() };
        let others = process.member.others_there(now);
        let others = others.filter(|(_, role, usage)| *role == Role::Instance && (usage.is_some() || !heard));
        let place = |one: Incarnation| self.nodes.iter().position(|node| node.id == one.node).unwrap();
        others.map(|(one, ..)| (place(one), one)).collect()
    }

    /// A request; what is said at once.
    fn placing(&mut self, node: usize, key: u32, from: Option<(usize, u64)>) -> Option<Reply> {
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

    fn step_done(&mut self, node: usize, key: u32, open: &BTreeSet<usize>, replies: &BTreeMap<usize, Reply>) {
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
    pub(super) fn look_around(&mut self, node: usize) {
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

    fn decide(&mut self, node: usize, epoch: u64, call: CallId, mut fate: Fate, sight: Sight) {
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

    // ── the node ──

    fn admit(&mut self, node: usize, epoch: u64, call: CallId, placement: Placement) -> Reply {
        let now_ms = self.now / 1_000;
        let now = self.nodes[node].clock.at(self.now);
        let may_send = self.may_send(node) && !self.nodes[node].hung;
        let is_unlucky = self.chance.is_in(15);
        let me = self.incarnation(node);
        let switch = self.switch;
        let has_result = self.nodes[node].disk.results.contains(&call);
        let Some(process) = self.nodes[node].process.as_mut() else { return Reply::Refused };
        let is_here = process.live.contains_key(&call) || has_result;
        if is_here {
            self.judge.hit("repeated to who has it");
            return Reply::Done;
        }
        let admitted = process.starts.admission.admit(now_ms, me, call, epoch, &placement);
        if let Err(why) = admitted {
            self.judge.hit(match why {
                NotAdmitted::Superseded => "superseded start",
                NotAdmitted::Another => "start for another",
                NotAdmitted::Before => "refused before",
                NotAdmitted::Late => "late start",
            });
            return Reply::Refused;
        }
        let is_speaking = process.member.standing() == Standing::Speaking && may_send;
        let is_degraded = process.stream.durable(now).degraded;
        if !is_speaking || is_degraded || is_unlucky {
            if switch != Switch::ForgetsRefusals {
                process.starts.admission.refuse(now_ms, call, placement.not_after_ms);
            }
            return Reply::Refused;
        }
        self.judge.hit("admitted");
        let version = (Epoch(me.run), Revision(1));
        process.starts.fresh.insert(call);
        process.live.insert(call, Live { version, record: Record::default(), speaks: false });
        let save = Save { call, version, record: Some(Record::default()) };
        self.save(node, &save, vec![Deed::Act]);
        Reply::Done
    }

    /// What depends on a call's record is sent: its INVITE, if it is new.
    pub(super) fn dials(&mut self, node: usize, call: CallId) {
        let Some(process) = &mut self.nodes[node].process else { return };
        if !process.starts.fresh.remove(&call) {
            return;
        }
        let (me, key) = (process.member.incarnation(), self.requests.calls[&call]);
        self.say(|_| format!("{me} dials {call} for request {key}"));
        self.judge.hit("dialled");
        let dialled = self.requests.dialled.entry(key).or_default();
        dialled.push((call, me));
        if dialled.len() > 1 {
            let wrong = format!("request {key} was dialled twice: {dialled:?}");
            self.judge.find(wrong);
        }
    }

    /// A call that is over: others keep its result before its record goes. Whether it may go now.
    pub(super) fn may_forget(&mut self, node: usize, call: CallId) -> bool {
        if !self.requests.calls.contains_key(&call) || self.switch == Switch::KeepsResults {
            return true;
        }
        self.nodes[node].disk.results.insert(call);
        let Some(starts) = self.starts(node) else { return true };
        let is_asked = |asked: &Asked| matches!(asked.purpose, Purpose::Keep(one) if one == call);
        if starts.told.contains(&call) || starts.asked.values().any(is_asked) {
            return starts.told.contains(&call);
        }
        let heard = self.living(node, true).into_keys().collect();
        self.ask(node, heard, &Question::Keep(call), Purpose::Keep(call));
        false
    }

    /// The engine tells of a claim.
    pub(super) fn note_claim(&mut self, node: usize, input: &Input) {
        let Some(starts) = self.starts(node) else { return };
        if let Input::KeyGone(one) = input {
            starts.fates.gone(*one);
        }
        if let Input::Key(Key { incarnation, ownership: Ownership::Claimed(claim), .. }) = input {
            starts.fates.claimed(*incarnation, claim.stale);
        }
    }

    // ── at the end ──

    /// Requests that were answered and not dialled, and whose calls nobody has.
    fn undialled(&self) -> Vec<(u32, CallId)> {
        let answered = self.requests.answered.iter().map(|(key, call)| (*key, *call));
        let is_lost = |call: &CallId| {
            !self.nodes.iter().any(|node| {
                let process = node.process.as_ref();
                let has = |process: &Process| process.live.contains_key(call) || process.table.has(*call);
                node.disk.results.contains(call) || process.is_some_and(has)
            })
        };
        answered.filter(|(key, call)| !self.requests.dialled.contains_key(key) && is_lost(call)).collect()
    }

    /// Each request that was answered is a call, if there are two who could keep it.
    pub(super) fn judge_requests(&mut self) {
        let instances = self.nodes.iter().filter(|node| node.role == Role::Instance);
        let is_whole = instances.filter(|node| node.process.is_some()).count() >= 2;
        if !(self.scenario.starts && self.scenario.strict && is_whole) {
            return;
        }
        if let Some((key, call)) = self.undialled().first() {
            self.judge.find(format!("request {key} was answered with {call}, and nobody dials it"));
        }
        let made = 1..=self.requests.made;
        let waits = made.filter(|key| !self.requests.answered.contains_key(key)).count();
        if waits > 0 {
            self.judge.find(format!("{waits} requests were never answered"));
        }
    }

    pub(in crate::sync::tests) fn dialled(&self, key: u32) -> usize {
        self.requests.dialled.get(&key).map_or(0, Vec::len)
    }

    pub(in crate::sync::tests) fn answered(&self, key: u32) -> bool {
        self.requests.answered.contains_key(&key)
    }

    /// Who is control by what it knows itself.
    pub(in crate::sync::tests) fn control(&self) -> Option<usize> {
        (0..self.nodes.len()).find(|node| !self.nodes[*node].paused && self.controls(*node).is_some())
    }

    /// From now on requests are made by hand alone, and go to this node if it can be.
    pub(in crate::sync::tests) fn picks(&mut self, node: usize) {
        (self.asks, self.picks) = (false, Some(node));
    }
}

impl Starts {
    /// Its calls are others'.
    pub(super) fn drops(&mut self) {
        self.fresh.clear();
    }
}

impl Disk {
    /// A row, if no later placement of the call is known.
    fn store(&mut self, call: CallId, row: Row) {
        let known = self.rows.entry(call).or_insert(row);
        if row.placement.succeeds(&known.placement) {
            *known = row;
        }
    }
}
