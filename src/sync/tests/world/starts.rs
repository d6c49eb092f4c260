//! Requests for calls, their placements under control, and phones that ring: each key once.
//!
//! ```text
//!  client ─ key ─► any instance ─► control: Start ─ Calls, Store, Begin ─► instances
//! ```
//! What the rooms at the edge do with `Start`, `Admission` and `next`, in small: `instance::{control, desk, home}`.

mod control;
mod node;

use std::collections::{BTreeMap, BTreeSet};

use super::node::{Node, Work};
use super::scenario::{HEALED, Switch, Traffic};
use super::{Event, Process, World};
use crate::id::CallId;
use crate::sync::{Admission, Fate, Fates, Incarnation, Input, Placement, Role, Seat, Sight, Start, Taking};

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
