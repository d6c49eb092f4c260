//! A successor: gathers what falls to it, saves it under its own name, and says so.

use super::copies::{Record, Save};
use super::node::Live;
use super::scenario::{Switch, Traffic};
use super::{Deed, Falls, Notice, Work, World};
use crate::id::{Epoch, Revision};
use crate::sync::{Copy, Incarnation, Inheritance, Input, Role, Share};

/// How often who has not answered is asked for copies, and how long where nobody else has a whole one, in µs.
const AGAIN: u64 = 100_000;
const PATIENCE: u64 = 2_000_000;

impl World {
    pub(super) fn take_over(&mut self, node: usize, mut inheritance: Inheritance) {
        self.say(|world| {
            let me = world.nodes[node].id;
            format!("{me} is to take over {} (from {:?})", inheritance.of, inheritance.sources)
        });
        if self.switch == Switch::NeverTakesOver {
            return;
        }
        if self.switch == Switch::ForgetsEarlier {
            inheritance.earlier.clear();
            inheritance.sources.retain(|one| *one == inheritance.of);
        }
        if inheritance.earlier.iter().any(|(one, _)| inheritance.sources.contains(one)) {
            self.judge.hit("inherited over another");
        }
        if inheritance.earlier.len() > 1 {
            self.judge.hit("inherited over two");
        }
        if !inheritance.sources.contains(&inheritance.of) {
            self.judge.hit("inherited more later");
        }
        if self.switch == Switch::SettlesEarly {
            self.input(node, Input::Settled(inheritance.of));
        }
        let Some(process) = &self.nodes[node].process else { return };
        let is_whole = |one: Incarnation| inheritance.is_whole(one, process.table.copy(one).held);
        let is_enough = inheritance.streams().all(is_whole);
        let after = if is_enough { 100 } else { self.dice.between(1_000, 10_000) };
        if !is_enough {
            self.judge.hit("pull");
        }
        let now = self.now;
        self.plan_to(after, node, Work::Gather(Box::new(inheritance), now));
    }

    fn can_pull(&self, node: usize, other: usize) -> bool {
        let there = &self.nodes[other];
        let is_there = there.process.is_some() && !there.paused;
        is_there && self.is_open(node, other, Traffic::Links) && self.is_open(other, node, Traffic::Links)
    }

    /// All copies that can be had, and what falls to this node by them.
    pub(super) fn gather(&mut self, node: usize, inheritance: Box<Inheritance>, since: u64) {
        let Some(process) = &self.nodes[node].process else { return };
        let me = process.member.incarnation();
        if !inheritance.claim.heirs.iter().any(|heir| heir.member == me) {
            return; // it goes on as another incarnation meanwhile
        }
        let mut copies: Vec<Copy<Record>> = Vec::new();
        for stream in inheritance.streams() {
            if inheritance.is_at_home(me.node, stream) {
                copies.push(self.journalled(node, stream));
            }
            let whom = (0..self.nodes.len()).filter(|other| *other == node || self.can_pull(node, *other));
            let tables = whom.filter_map(|other| self.nodes[other].process.as_ref());
            copies.extend(tables.map(|process| process.table.copy(stream)));
        }
        let is_lacking = inheritance.lacks(me, &copies);
        let is_unanswered =
            process.member.others_there(crate::time::Timestamp::EPOCH).any(|(one, role, _)| {
                let other = self.nodes.iter().position(|node| node.id == one.node);
                role == Role::Instance && other.is_some_and(|other| !self.can_pull(node, other))
            });
        if is_lacking && is_unanswered && self.now < since + PATIENCE {
            self.judge.hit("waits for a copy");
            self.plan_to(AGAIN, node, Work::Gather(inheritance, since));
            return;
        }
        if is_lacking {
            self.judge.reported.insert(inheritance.of);
        }
        if self.switch == Switch::BringsBack {
            copies.iter_mut().for_each(|copy| copy.held = None);
        }
        let mut shares = inheritance.shares(me, copies);
        if matches!(self.switch, Switch::BringsBack | Switch::NeverStale) {
            shares.iter_mut().for_each(|share| share.stale = false);
        }
        self.go_on(node, me, &inheritance, shares);
    }

    /// Goes on with what falls to this node.
    fn go_on(&mut self, node: usize, me: Incarnation, inheritance: &Inheritance, shares: Vec<Share<Record>>) {
        let Inheritance { of, epoch, .. } = inheritance;
        if shares.iter().any(|share| share.stale) {
            self.judge.hit("taken as stale");
        }
        let Some(process) = &mut self.nodes[node].process else { return };
        let is_older = |share: &Share<Record>| {
            process.live.get(&share.call).is_some_and(|live| live.version >= (Epoch(*epoch), Revision(0)))
        };
        let shares: Vec<Share<Record>> = shares.into_iter().filter(|share| !is_older(share)).collect();
        process.inherits.entry(*of).or_default().push(shares.len());
        let count = shares.len();
        let deepest = shares.iter().map(|share| share.claims).max();
        for share in shares {
            let Share { call, owner, version, claims, stale, mut record } = share;
            record.stale |= stale;
            let epoch = if self.switch == Switch::KeepsEpoch { version.0 } else { Epoch(*epoch) };
            // A real call saves itself.
            let version = (epoch, Revision(u64::from(self.notices.is_none())));
            let live = Live { version, record: record.clone(), speaks: false };
            if let Some(process) = &mut self.nodes[node].process {
                process.live.insert(call, live);
            }
            self.judge.hit("taken over");
            if self.notices.is_some() {
                let is_own = owner.node == me.node && of.node == me.node;
                let is_home = is_own && self.nodes[node].journal.contains_key(&call);
                let lost_for = self.lost_for(node, *of);
                let kept = record.kept.clone();
                let falls = Falls { node, call, of: *of, epoch, is_home, claims, stale, lost_for, kept };
                self.notify(Notice::Falls(falls));
                continue;
            }
            let save = Save { call, version, record: Some(record) };
            self.save(node, &save, vec![Deed::Act, Deed::Settle(*of)]);
        }
        if deepest > Some(1) {
            self.judge.hit("taken over a chain");
        }
        self.say(|_| format!("{me} takes {count} calls of {of}"));
        if count == 0 {
            self.settle(node, *of);
        }
    }

    /// One more call of an inheritance is saved.
    pub(super) fn one_settled(&mut self, node: usize, of: Incarnation) {
        let Some(process) = &mut self.nodes[node].process else { return };
        let Some(open) = process.inherits.get_mut(&of) else { return };
        if let Some(first) = open.iter_mut().find(|left| **left > 0) {
            *first -= 1;
            if *first == 0 {
                self.settle(node, of);
            }
        }
    }

    fn settle(&mut self, node: usize, of: Incarnation) {
        if let Some(process) = &mut self.nodes[node].process
            && process.inherits.get(&of).is_some_and(|open| open.iter().all(|left| *left == 0))
        {
            process.inherits.remove(&of);
        }
        if self.switch != Switch::SettlesEarly {
            self.input(node, Input::Settled(of));
        }
    }
}
