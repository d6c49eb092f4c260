//! Calls that somebody else carries: real ones, by `tests/sim`, in the place of this world's own. The world decides as ever
//! when what depends on a save may leave, and whose a call is, and judges both; that a call saves, and what, it is told.
//!
//! ```text
//!  save_call ─► journal, mirrors, the right to send ─► Leaves
//!  claim ─► copies ─► Falls ─► save_call ─► settled
//! ```

#![allow(dead_code, reason = "the simulation of calls uses it, and not this crate's own tests")]

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use super::copies::{Record, Save, Version};
use super::node::{Deed, Live, Node};
use super::{Fault, FaultEvent, Scenario, Switch, Work, World};
use crate::id::{CallId, Epoch};
use crate::sync::{Incarnation, Role};

/// What who carries the calls is told, in this order.
#[derive(Clone, Debug)]
pub(crate) enum Notice {
    /// A node has no calls, or none any more: its process begins, dies, falls silent or goes on as another incarnation.
    Drops(usize),
    /// The threads of a node stand still.
    Stops(usize),
    /// They turn again.
    Turns(usize),
    /// What depends on this save of a call may leave, and on all before.
    Leaves { node: usize, call: CallId, save: u32 },
    /// A call falls to a node.
    Falls(Falls),
}

/// A call that falls to a node.
#[derive(Clone, Debug)]
pub(crate) struct Falls {
    pub(crate) node: usize,
    pub(crate) call: CallId,
    /// By the claim on whose key.
    pub(crate) of: Incarnation,
    /// Under which ownership it goes on.
    pub(crate) epoch: Epoch,
    /// It was this node's own.
    pub(crate) is_home: bool,
    pub(crate) claims: u32,
    pub(crate) stale: bool,
    /// How long ago its owner is known to have lived last.
    pub(crate) lost_for: Option<Duration>,
    pub(crate) kept: Bytes,
}

impl World {
    /// A world whose calls somebody else carries, with all that goes wrong in it.
    pub(crate) fn around(scenario: &Scenario, switch: Switch, logged: bool) -> Self {
        let mut world = Self::new(scenario, switch, logged);
        world.notices = Some(VecDeque::new());
        world.plan_faults();
        world
    }

    pub(super) fn notify(&mut self, notice: Notice) {
        if let Some(notices) = &mut self.notices {
            notices.push_back(notice);
        }
    }

    pub(crate) fn poll_notice(&mut self) -> Option<Notice> {
        self.notices.as_mut()?.pop_front()
    }

    /// When something happens next, in µs.
    pub(crate) fn next_at(&self) -> u64 {
        self.next().0
    }

    /// Lets that happen.
    pub(crate) fn goes_on(&mut self) {
        self.step();
    }

    /// Lets the members rest if nothing goes wrong any more, all who are there may send, and every claim is carried out.
    pub(crate) fn rest_if_well(&mut self) {
        let is_well = |(n, node): (usize, &Node)| {
            node.process.as_ref().is_none_or(|process| {
                let is_alone = process.inherits.is_empty() && process.member.open_claims().next().is_none();
                let is_alive = self.engine.is_alive(process.member.incarnation());
                is_alone && is_alive && (node.role == Role::Witness || self.may_send(n))
            })
        };
        // A key of one that is no more is still to be claimed.
        let processes = || self.nodes.iter().filter_map(|node| node.process.as_ref());
        let is_there = |one: &Incarnation| processes().any(|process| process.member.incarnation() == *one);
        let are_there = self.engine.keys.keys().all(is_there);
        let is_healed = self.now > self.scenario.healed_at() * 1_000;
        if !self.rests && is_healed && are_there && self.nodes.iter().enumerate().all(is_well) {
            self.rests = true;
            (0..self.nodes.len()).for_each(|node| self.look_again(node));
        }
    }

    /// Where members rest nothing else looks whether a mirror has acknowledged nothing for so long that it counts as absent.
    pub(super) fn look_again(&mut self, node: usize) {
        let Some(process) = self.nodes[node].process.as_ref().filter(|_| self.rests) else { return };
        let work = Work::Written(process.member.incarnation(), process.journal);
        let patience = u64::try_from(self.terms.promise.as_micros()).expect("short") * 3;
        self.plan_to(patience, node, work);
    }

    /// It is so late now, in µs: something happens that the world knows nothing of.
    pub(crate) fn go_to(&mut self, now: u64) {
        self.now = self.now.max(now);
    }

    pub(crate) fn count(&self) -> usize {
        self.nodes.len()
    }

    /// A process dies, and its node begins another one.
    pub(crate) fn strike(&mut self, node: usize) {
        self.kill(node, Some(800), false);
    }

    /// Whether a node has a process.
    pub(crate) fn is_up(&self, node: usize) -> bool {
        self.nodes[node].process.is_some()
    }

    /// A call of a node's saves; `of`: it fell to it by the claim on this one's key, and has not saved before. The number
    /// of the save.
    pub(crate) fn save_call(
        &mut self,
        node: usize,
        (call, version): (CallId, Version),
        (kept, ended): (Bytes, bool),
        of: Option<Incarnation>,
    ) -> u32 {
        self.reply += 1;
        let number = self.reply;
        let Some(process) = &mut self.nodes[node].process else { return number };
        let live = process.live.entry(call);
        let live = live.or_insert_with(|| Live { version, record: Record::default(), speaks: false });
        live.version = version;
        live.record.replies.push(number);
        (live.record.ended, live.record.kept) = (ended, kept);
        let save = Save { call, version, record: Some(live.record.clone()) };
        let deeds = [Deed::Act].into_iter().chain(of.map(Deed::Settle)).collect();
        self.save(node, &save, deeds);
        number
    }

    /// A call is over, and its result kept.
    pub(crate) fn forget_call(&mut self, node: usize, call: CallId) {
        self.forget(node, call);
    }

    /// Calls of which a node, or its stream, still has a record.
    pub(crate) fn remembered(&self) -> Vec<CallId> {
        let processes = self.nodes.iter().filter_map(|node| node.process.as_ref());
        processes.flat_map(|process| process.live.keys().copied()).collect()
    }

    /// How far a call is durable at its owner: in its journal, and at a mirror where one thing goes wrong at a time and
    /// there is a mirror; or it was, when the mirror acknowledged it.
    pub(crate) fn durable_version(&mut self, node: usize, call: CallId) -> Option<Version> {
        let journalled = self.nodes[node].journal.get(&call).map(|journalled| journalled.version);
        if !self.scenario.strict || self.durable(node).degraded {
            return journalled;
        }
        let others = self.nodes.iter().enumerate().filter(|(other, _)| *other != node);
        let tables = others.filter_map(|(_, other)| other.process.as_ref());
        let mirrored = tables.filter_map(|process| process.table.version(call));
        let mirrored = mirrored.chain(self.buried.get(&call).copied()).max();
        journalled.min(mirrored)
    }

    /// A process dies: what it had acknowledged as a mirror it had.
    pub(super) fn bury(&mut self, node: usize) {
        for (call, version) in self.nodes[node].process.iter().flat_map(|process| process.table.versions()) {
            let known = self.buried.entry(call).or_default();
            *known = version.max(*known);
        }
    }

    /// How long ago the owner of a claimed key lived, as a node knows.
    pub(super) fn lost_for(&self, node: usize, of: Incarnation) -> Option<Duration> {
        let now = self.nodes[node].clock.at(self.now);
        self.nodes[node].process.as_ref()?.member.lived(of).map(|lived| now.since(lived))
    }

    /// Whether a node's threads stand still.
    pub(crate) fn stands_still(&self, node: usize) -> bool {
        self.nodes[node].paused || self.nodes[node].hung
    }

    /// Calls upon which something was sent, that have not ended, and of which nobody has a record.
    pub(crate) fn unended(&self) -> Vec<CallId> {
        let remembered = self.remembered();
        let open = self.judge.calls.iter().filter(|(call, truth)| !truth.ended && !remembered.contains(call));
        open.map(|(call, _)| *call).collect()
    }

    /// Those of them that may be lost.
    pub(crate) fn lost(&self) -> Vec<CallId> {
        self.unended().into_iter().filter(|call| self.may_be_lost(*call)).collect()
    }

    /// Those that nobody has, ended or not, and that may be lost: so may be their outcome.
    pub(crate) fn lost_for_good(&self) -> Vec<CallId> {
        let remembered = self.remembered();
        let gone = self.judge.calls.keys().filter(|call| !remembered.contains(call));
        gone.copied().filter(|call| self.may_be_lost(*call)).collect()
    }

    /// One thing goes wrong at a time, so that nothing at all may be lost.
    pub(crate) fn is_strict(&self) -> bool {
        self.scenario.strict
    }

    /// What never must happen, and did.
    pub(crate) fn wrong(&self) -> Option<&String> {
        self.judge.wrong.as_ref()
    }

    /// What happened, and how often.
    pub(crate) fn cover(&self) -> &BTreeMap<&'static str, u64> {
        &self.judge.cover
    }

    pub(crate) fn take_log(&mut self) -> Vec<String> {
        self.log.take().unwrap_or_default()
    }
}

#[allow(clippy::wildcard_enum_match_arm, reason = "all but deaths are alike here")]
impl Scenario {
    /// The same goes wrong so many ms later.
    pub(crate) fn later(mut self, ms: u64) -> Self {
        for FaultEvent { at, until, .. } in &mut self.faults {
            (*at, *until) = (*at + ms, *until + ms);
        }
        self
    }

    pub(crate) const fn nodes(&self) -> usize {
        self.roles.len()
    }

    /// More may go wrong than this says.
    pub(crate) fn not_strict(mut self) -> Self {
        self.strict = false;
        self
    }

    /// Each with one thing less that goes wrong.
    pub(crate) fn smaller(&self) -> Vec<Self> {
        let without = |at| {
            let mut one = self.clone();
            one.faults.remove(at);
            one
        };
        (0..self.faults.len()).map(without).collect()
    }

    /// How many things go wrong.
    pub(crate) fn count(&self) -> usize {
        self.faults.len()
    }

    /// When all is well again, in ms.
    pub(crate) fn healed_at(&self) -> u64 {
        let ends = self.faults.iter().map(|fault| match fault.fault {
            Fault::Kill { again: Some(again), .. } => fault.until.max(fault.at + again),
            _ => fault.until,
        });
        ends.max().unwrap_or(0)
    }
}
