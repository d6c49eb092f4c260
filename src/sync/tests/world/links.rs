//! Links of saves: in order, stuck while the way is cut, broken after that.

use std::collections::{BTreeMap, VecDeque};

use super::copies::{Batch, Save};
use super::{Event, Switch, Traffic, Work, World};
use crate::id::Revision;
use crate::sync::{Incarnation, Role};

/// From the end of a link to the next try, and how long it may be stuck, in µs.
const RETRY: u64 = 200_000;
const STUCK: u64 = 1_500_000;
const PUMP: u64 = 40_000;

/// Something on its way over a connection.
#[derive(Debug)]
pub(super) struct Deliver {
    connection: u64,
    /// From the mirror to the owner.
    is_back: bool,
    work: Work,
}

/// One direction of a connection.
#[derive(Debug)]
struct Way {
    from: usize,
    to: usize,
    process: u32,
    last: u64,
    stuck: VecDeque<Work>,
    since: u64,
}

#[derive(Debug, Default)]
pub(super) struct Ways {
    ways: BTreeMap<(u64, bool), Way>,
    connections: u64,
}

/// The owner's end of a connection.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) connection: u64,
    pub(super) by: Incarnation,
}

impl World {
    /// Whether this node is one of those that keep another's stream.
    pub(super) fn keeps(&self, owner: usize, mirror: usize) -> bool {
        let is_instance = |node: usize| self.nodes[node].role == Role::Instance;
        if owner == mirror || !is_instance(owner) || !is_instance(mirror) {
            return false;
        }
        let count = self.nodes.len();
        let ring = (1..count).map(|step| (owner + step) % count).filter(|node| is_instance(*node));
        ring.take(self.scenario.copies.unwrap_or(usize::MAX)).any(|node| node == mirror)
    }

    /// Sends something over a connection, behind all before.
    fn carry(&mut self, connection: u64, is_back: bool, work: Work) {
        let after = self.dice.between(100, 3_000);
        let Some(way) = self.ways.ways.get_mut(&(connection, is_back)) else { return };
        let at = (self.now + after).max(way.last);
        way.last = at;
        let after = at - self.now;
        self.plan(after, Event::Link(Deliver { connection, is_back, work }));
    }

    pub(super) fn deliver(&mut self, deliver: Deliver) {
        let Deliver { connection, is_back, work } = deliver;
        let Some(way) = self.ways.ways.get(&(connection, is_back)) else { return };
        let (from, to, process) = (way.from, way.to, way.process);
        let is_open = self.is_open(from, to, Traffic::Links);
        let now = self.now;
        let Some(way) = self.ways.ways.get_mut(&(connection, is_back)) else { return };
        if is_open && way.stuck.is_empty() {
            if self.nodes[to].processes == process {
                self.work(to, work);
            }
            return;
        }
        if way.stuck.is_empty() {
            way.since = now;
            self.judge.hit("stuck link");
            self.plan(PUMP, Event::Pump(connection, is_back));
        }
        if let Some(way) = self.ways.ways.get_mut(&(connection, is_back)) {
            way.stuck.push_back(work);
        }
    }

    /// What is stuck is sent again.
    pub(super) fn pump(&mut self, connection: u64, is_back: bool) {
        let Some(way) = self.ways.ways.get(&(connection, is_back)) else { return };
        let (from, to, process, since) = (way.from, way.to, way.process, way.since);
        if !self.is_open(from, to, Traffic::Links) {
            if self.now - since > STUCK {
                self.break_off(connection, 0);
            } else {
                self.plan(PUMP, Event::Pump(connection, is_back));
            }
            return;
        }
        while let Some(work) =
            self.ways.ways.get_mut(&(connection, is_back)).and_then(|way| way.stuck.pop_front())
        {
            if self.nodes[to].processes == process {
                self.work(to, work);
            }
        }
    }

    /// A connection is over: its owner notices after some time.
    fn break_off(&mut self, connection: u64, after: u64) {
        self.ways.ways.remove(&(connection, true));
        if let Some(way) = self.ways.ways.remove(&(connection, false)) {
            let (owner, mirror) = (way.from, way.to);
            self.plan_to(after, owner, Work::Broken { mirror, connection });
        }
    }

    /// A process, or its incarnation, is over: so are the connections that it took saves from.
    pub(super) fn leave_owners(&mut self, node: usize, after: u64) {
        let to_it = self.ways.ways.iter().filter(|((_, is_back), way)| !is_back && way.to == node);
        let connections: Vec<u64> = to_it.map(|((connection, _), _)| *connection).collect();
        connections.into_iter().for_each(|connection| self.break_off(connection, after));
    }

    /// All connections over which a node's saves went break, and it notices at once.
    pub(in crate::sync::tests) fn break_links_of(&mut self, node: usize) {
        let process = self.nodes[node].process.as_ref();
        let links = process.into_iter().flat_map(|process| process.links.values());
        let connections: Vec<u64> = links.map(|link| link.connection).collect();
        connections.into_iter().for_each(|connection| self.break_off(connection, 0));
    }

    /// A node's own connections are over, and made anew if it goes on.
    pub(super) fn leave_mirrors(&mut self, node: usize) {
        self.ways.ways.retain(|(_, is_back), way| if *is_back { way.to != node } else { way.from != node });
        if let Some(process) = &mut self.nodes[node].process {
            process.links.clear();
        }
    }

    pub(super) fn connect_all(&mut self, node: usize) {
        for mirror in 0..self.nodes.len() {
            if self.keeps(node, mirror) {
                let after = self.dice.between(1_000, 20_000);
                self.plan_to(after, node, Work::Connect(mirror));
            }
        }
    }

    /// Tries to reach a mirror, and begins with a snapshot of all live records.
    pub(super) fn connect(&mut self, node: usize, mirror: usize) {
        let is_open =
            self.is_open(node, mirror, Traffic::Links) && self.is_open(mirror, node, Traffic::Links);
        let is_there = is_open && !self.nodes[mirror].paused && self.nodes[mirror].process.is_some();
        let Some(owner) = self.nodes[node].process.as_ref().map(|process| process.member.incarnation())
        else {
            return;
        };
        if self.nodes[node].process.as_ref().is_some_and(|process| process.links.contains_key(&mirror)) {
            return;
        }
        self.ways.connections += 1;
        let connection = self.ways.connections;
        let begun = is_there.then_some(()).and_then(|()| {
            let process = self.nodes[mirror].process.as_mut()?;
            process.table.begin(owner, connection).ok()?;
            Some(process.member.incarnation())
        });
        let Some(by) = begun else {
            self.plan_to(RETRY, node, Work::Connect(mirror));
            return;
        };
        for (is_back, from, to) in [(false, node, mirror), (true, mirror, node)] {
            let (process, last) = (self.nodes[to].processes, self.now);
            let way = Way { from, to, process, last, stuck: VecDeque::new(), since: 0 };
            self.ways.ways.insert((connection, is_back), way);
        }
        let now = self.nodes[node].clock.at(self.now);
        let Some(process) = &mut self.nodes[node].process else { return };
        process.links.insert(mirror, Link { connection, by });
        process.stream.lapsed(by);
        process.stream.joined(now, by);
        let as_of = process.stream.saved();
        let saves: Vec<Save> = process
            .live
            .iter()
            .filter(|(_, live)| live.version.1 > Revision(0))
            .map(|(call, live)| Save {
                call: *call,
                version: live.version,
                record: Some(live.record.clone()),
            })
            .collect();
        self.judge.hit("snapshot");
        if self.nodes[mirror].processes > 0 {
            self.judge.hit("snapshot to one that restarted");
        }
        let half = saves.len() / 2;
        let is_half = self.switch == Switch::HalfSnapshot;
        let first = Batch { anew: true, saves: saves[..half].to_vec(), through: is_half.then_some(as_of) };
        let last = Batch { anew: false, saves: saves[half..].to_vec(), through: Some(as_of) };
        for batch in [first, last].into_iter().take(if is_half { 1 } else { 2 }) {
            self.carry(connection, false, Work::Take { owner, connection, batch });
        }
    }

    /// A save goes to every mirror.
    pub(super) fn feed(&mut self, node: usize, number: u64, save: &Save) {
        let Some(process) = &self.nodes[node].process else { return };
        let owner = process.member.incarnation();
        let connections: Vec<u64> = process.links.values().map(|link| link.connection).collect();
        for connection in connections {
            let batch = Batch { anew: false, saves: vec![save.clone()], through: Some(number) };
            self.carry(connection, false, Work::Take { owner, connection, batch });
        }
    }

    /// A mirror takes some of a stream, and says how far it is.
    pub(super) fn take(&mut self, node: usize, owner: Incarnation, connection: u64, batch: Batch) {
        let is_told = batch.through.is_some();
        let Some(process) = &mut self.nodes[node].process else { return };
        match process.table.take(owner, connection, batch) {
            Ok(Some(through)) if is_told => {
                self.carry(connection, true, Work::Held { mirror: node, connection, through })
            }
            Ok(_) => {}
            Err(_) => self.break_off(connection, 2_000),
        }
    }

    pub(super) fn broken(&mut self, node: usize, mirror: usize, connection: u64) {
        let Some(process) = &mut self.nodes[node].process else { return };
        if process.links.get(&mirror).is_none_or(|link| link.connection != connection) {
            return;
        }
        if let Some(link) = process.links.remove(&mirror) {
            process.stream.lapsed(link.by);
        }
        self.judge.hit("broken link");
        self.durable_now(node);
        self.plan_to(RETRY, node, Work::Connect(mirror));
    }
}
