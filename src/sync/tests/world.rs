//! The world: true time, nodes with clocks of their own, links, and an engine with compare-and-set.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::*;
use crate::id::{CallId, Mint};
use crate::time::Timestamp;

/// T.
const PROMISE: Duration = Duration::from_millis(250);
/// Calls that each node has at the beginning.
const CALLS: usize = 4;
/// Milliseconds until calls exist; until faults begin; until the end. After 8,000 all is healed but deaths.
const CALLS_AT: u64 = 1_000;
const FAULTS_FROM: u64 = 1_500;
const END: u64 = 12_000;

/// What goes wrong. Times in ms of true time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A process dies, and is started again after some time, or never.
    Kill { node: usize, at: u64, again: Option<u64> },
    /// A process is stopped.
    Pause { node: usize, at: u64, until: u64 },
    /// What one sends to another is lost; `None`: all.
    Deaf { from: Option<usize>, to: Option<usize>, at: u64, until: u64 },
    /// The engine answers nobody; what was asked may be done nevertheless.
    EngineAway { at: u64, until: u64, applies: bool },
}

#[derive(Clone, Debug)]
pub(super) struct Scenario {
    seed: u64,
    nodes: usize,
    loss_percent: u64,
    pub(super) faults: Vec<Fault>,
}

/// A seeded number below a bound.
#[derive(Clone, Debug)]
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound.max(1)
    }

    fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low)
    }

    fn index(&mut self, bound: usize) -> usize {
        usize::try_from(self.below(bound as u64)).unwrap()
    }
}

impl Scenario {
    pub(super) fn of(seed: u64) -> Self {
        let mut dice = Dice(seed.wrapping_mul(0x5851_F42D_4C95_7F2D) ^ 0xB470);
        let nodes = if dice.below(3) == 0 { 5 } else { 3 };
        let mut faults = Vec::new();
        let mut lost = false;
        for _ in 0..dice.between(1, 4) {
            let (node, at) = (dice.index(nodes), dice.between(FAULTS_FROM, 6_000));
            let until = at + dice.between(20, 2_000);
            let other = dice.index(nodes);
            faults.push(match dice.below(7) {
                0 if !lost => {
                    lost = true;
                    Fault::Kill { node, at, again: None }
                }
                0 | 1 => Fault::Kill { node, at, again: Some(dice.between(30, 1_500)) },
                2 | 3 => Fault::Pause { node, at, until },
                4 => Fault::Deaf { from: Some(node), to: None, at, until },
                5 => Fault::Deaf { from: None, to: (dice.below(3) > 0).then_some(other), at, until },
                _ => Fault::EngineAway { at, until, applies: dice.below(2) == 0 },
            });
        }
        Self { seed, nodes, loss_percent: [0, 0, 2, 10][dice.index(4)], faults }
    }

    /// Leaves faults out as long as it is still wrong.
    pub(super) fn smallest(mut self, is_wrong: impl Fn(&Self) -> bool) -> Self {
        let mut at = 0;
        while at < self.faults.len() {
            let mut without = self.clone();
            without.faults.remove(at);
            if is_wrong(&without) { self = without } else { at += 1 }
        }
        self
    }
}

/// What is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Switch {
    Whole,
    /// The edge goes on sending for a while after its promises ran out.
    SpeaksOn,
    /// Successors do nothing.
    NeverTakesOver,
}

#[derive(Debug, Default)]
pub(super) struct Ran {
    pub(super) wrong: Option<String>,
    pub(super) log: Vec<String>,
    pub(super) claims: u64,
    pub(super) rejoins: u64,
    pub(super) taken: u64,
}

/// Until when a node's edge sends, by its clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sends {
    Until(Timestamp),
    Not,
}

struct Node {
    id: NodeId,
    /// Its clock: true time in µs times rate / 1,000, plus an offset.
    rate: u64,
    offset: u64,
    member: Option<Member>,
    paused: bool,
    stalled: Vec<Input>,
    sends: Sends,
    calls: BTreeSet<CallId>,
}

impl Node {
    fn clock(&self, now: u64) -> Timestamp {
        Timestamp::from_micros(self.offset + now * self.rate / 1_000)
    }

    /// The true time at which its clock shows this.
    fn when(&self, at: Timestamp) -> u64 {
        (at.as_micros().saturating_sub(self.offset) * 1_000).div_ceil(self.rate)
    }
}

#[derive(Clone, Debug)]
enum Event {
    Input(usize, u32, Input),
    /// A request reaches the engine.
    Engine(usize, u32, Output),
    Register(usize, u32),
    Wake(usize),
    Fault(Fault),
    Start(usize),
    Calls,
}

struct World<'a> {
    scenario: &'a Scenario,
    switch: Switch,
    dice: Dice,
    mint: Mint,
    now: u64,
    agenda: BTreeMap<(u64, u64), Event>,
    planned: u64,
    nodes: Vec<Node>,
    /// The process of each node, so that what was meant for one before is lost.
    process: Vec<u32>,
    keys: BTreeMap<Incarnation, Key>,
    revision: u64,
    /// The last record of each call, as every mirror holds it: owner and epoch.
    records: BTreeMap<CallId, (Incarnation, u64)>,
    terms: Terms,
    logged: bool,
    ran: Ran,
}

pub(super) fn run(scenario: &Scenario, switch: Switch, logged: bool) -> Ran {
    let mut dice = Dice(scenario.seed ^ 0x51);
    let ids: Vec<NodeId> = (0..scenario.nodes).map(|n| format!("n{n}").parse().unwrap()).collect();
    let terms = Terms::new(Voters::new(ids.iter().copied()).unwrap(), PROMISE).unwrap();
    let nodes = ids.iter().map(|id| Node {
        id: *id,
        rate: dice.between(950, 1_051),
        offset: dice.between(1_000_000, 1_000_000_000_000),
        member: None,
        paused: false,
        stalled: Vec::new(),
        sends: Sends::Not,
        calls: BTreeSet::new(),
    });
    let mut world = World {
        scenario,
        switch,
        nodes: nodes.collect(),
        process: vec![0; scenario.nodes],
        mint: Mint::seeded(scenario.seed),
        dice,
        now: 0,
        agenda: BTreeMap::new(),
        planned: 0,
        keys: BTreeMap::new(),
        revision: 0,
        records: BTreeMap::new(),
        terms,
        logged,
        ran: Ran::default(),
    };
    for node in 0..scenario.nodes {
        let after = world.dice.below(100_000);
        world.plan(after, Event::Start(node));
    }
    world.plan(CALLS_AT * 1_000, Event::Calls);
    for fault in &scenario.faults {
        let (Fault::Kill { at, .. }
        | Fault::Pause { at, .. }
        | Fault::Deaf { at, .. }
        | Fault::EngineAway { at, .. }) = fault;
        world.plan(at * 1_000, Event::Fault(*fault));
    }
    world.live();
    world.ran
}

impl World<'_> {
    fn plan(&mut self, after: u64, event: Event) {
        self.planned += 1;
        self.agenda.insert((self.now + after, self.planned), event);
    }

    fn say(&mut self, what: impl FnOnce(&Self) -> String) {
        if self.logged {
            let line = format!("{:9.3} {}", self.now as f64 / 1e3, what(self));
            self.ran.log.push(line);
        }
    }

    fn live(&mut self) {
        while self.ran.wrong.is_none() && self.now < END * 1_000 {
            let due = self.agenda.first_key_value().map(|((at, _), _)| *at).unwrap_or(u64::MAX);
            let timers =
                self.nodes.iter().enumerate().filter(|(_, node)| !node.paused).filter_map(|(n, node)| {
                    let at = node.member.as_ref()?.poll_timeout();
                    Some((node.when(at).max(self.now), n))
                });
            match timers.min() {
                Some((at, node)) if at < due => {
                    self.now = at;
                    self.input(node, Input::TimedOut);
                }
                _ if due == u64::MAX => break,
                _ => {
                    self.now = due;
                    let (_, event) = self.agenda.pop_first().unwrap();
                    self.happen(event);
                }
            }
            self.judge();
        }
        if self.ran.wrong.is_none() {
            self.judge_end();
        }
    }

    fn sending(&self, node: usize) -> bool {
        let node = &self.nodes[node];
        let until = match node.sends {
            Sends::Not => return false,
            Sends::Until(until) => until,
        };
        node.member.is_some() && !node.paused && node.clock(self.now) < until
    }

    fn judge(&mut self) {
        let mut senders: BTreeMap<CallId, usize> = BTreeMap::new();
        for node in 0..self.nodes.len() {
            if !self.sending(node) {
                continue;
            }
            for call in &self.nodes[node].calls {
                if let Some(other) = senders.insert(*call, node) {
                    let (one, two) = (self.nodes[other].id, self.nodes[node].id);
                    self.ran.wrong =
                        Some(format!("{:.3} ms: {one} and {two} both send on {call}", self.now as f64 / 1e3));
                    return;
                }
            }
        }
    }

    fn judge_end(&mut self) {
        for call in self.records.keys() {
            let carriers = (0..self.nodes.len())
                .filter(|node| self.sending(*node) && self.nodes[*node].calls.contains(call));
            let count = carriers.count();
            if count != 1 {
                self.ran.wrong =
                    Some(format!("{call} has {count} senders at the end: {:?}", self.records[call]));
                return;
            }
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Input(node, process, input) if self.process[node] == process => self.input(node, input),
            Event::Engine(node, process, request) => self.engine(node, process, &request),
            Event::Register(node, process) if self.process[node] == process => self.register(node),
            Event::Input(..) | Event::Register(..) => {}
            Event::Wake(node) => {
                self.nodes[node].paused = false;
                self.say(|world| format!("{} wakes", world.nodes[node].id));
                for input in std::mem::take(&mut self.nodes[node].stalled) {
                    self.input(node, input);
                }
            }
            Event::Fault(fault) => self.fault(fault),
            Event::Start(node) => self.register(node),
            Event::Calls => self.place(),
        }
    }

    fn fault(&mut self, fault: Fault) {
        self.say(|_| format!("{fault:?}"));
        match fault {
            Fault::Kill { node, again, .. } => {
                self.process[node] += 1;
                let node_ = &mut self.nodes[node];
                node_.member = None;
                node_.paused = false;
                node_.stalled.clear();
                node_.sends = Sends::Not;
                node_.calls.clear();
                if let Some(again) = again {
                    self.plan(again * 1_000, Event::Start(node));
                }
            }
            Fault::Pause { node, until, .. } if self.nodes[node].member.is_some() => {
                self.nodes[node].paused = true;
                self.plan((until * 1_000).saturating_sub(self.now), Event::Wake(node));
            }
            Fault::Pause { .. } | Fault::Deaf { .. } | Fault::EngineAway { .. } => {}
        }
    }

    /// Whether a message gets through now.
    fn passes(&mut self, from: usize, to: usize) -> bool {
        let now = self.now / 1_000;
        let is_deaf = self.scenario.faults.iter().any(|fault| match fault {
            Fault::Deaf { from: f, to: t, at, until } => {
                (*at..*until).contains(&now) && f.is_none_or(|f| f == from) && t.is_none_or(|t| t == to)
            }
            Fault::Kill { .. } | Fault::Pause { .. } | Fault::EngineAway { .. } => false,
        });
        !is_deaf && self.dice.below(100) >= self.scenario.loss_percent
    }

    /// Whether the engine is away, and if so whether it does what it is asked.
    fn away(&self) -> Option<bool> {
        let now = self.now / 1_000;
        self.scenario.faults.iter().find_map(|fault| match fault {
            Fault::EngineAway { at, until, applies } if (*at..*until).contains(&now) => Some(*applies),
            Fault::EngineAway { .. } | Fault::Kill { .. } | Fault::Pause { .. } | Fault::Deaf { .. } => None,
        })
    }

    fn place(&mut self) {
        for node in 0..self.nodes.len() {
            let Some(member) = &self.nodes[node].member else { continue };
            let owner = member.incarnation();
            for _ in 0..CALLS {
                let call = CallId::mint(&mut self.mint);
                self.nodes[node].calls.insert(call);
                self.records.insert(call, (owner, 0));
            }
        }
    }

    // ── the engine ──

    fn write(&mut self, key: Key) {
        self.say(|_| format!("engine: {:?} @{} {:?}", key.incarnation, key.revision, key.ownership));
        self.keys.insert(key.incarnation, key.clone());
        self.tell_all(&Input::Key(key));
    }

    fn tell_all(&mut self, input: &Input) {
        for node in 0..self.nodes.len() {
            let after = self.dice.between(500, 20_000);
            let process = self.process[node];
            self.plan(after, Event::Input(node, process, input.clone()));
        }
    }

    fn alive(&self, one: Incarnation) -> bool {
        matches!(self.keys.get(&one), Some(Key { ownership: Ownership::Alive(_), .. }))
    }

    /// Does what is asked, if it may.
    fn apply(&mut self, request: &Output) -> ClaimResult {
        let (Output::Claim(transaction) | Output::Rejoin(transaction)) = request else {
            return ClaimResult::Lost;
        };
        let Transaction { target, revision, claim } = transaction;
        let is_rejoin = matches!(request, Output::Rejoin(_));
        let holds = self.alive(*target) && self.keys.get(target).is_some_and(|key| key.revision == *revision);
        let are_there = is_rejoin || claim.heirs.iter().all(|heir| self.alive(heir.member));
        if !(holds && are_there) {
            return ClaimResult::Lost;
        }
        self.revision += 1;
        let revision = self.revision;
        let ownership = Ownership::Claimed(claim.clone());
        if is_rejoin {
            self.ran.rejoins += 1;
            let alive = Ownership::Alive(self.terms.clone());
            self.write(Key { incarnation: claim.by, revision, role: Role::Instance, ownership: alive });
        } else {
            self.ran.claims += 1;
        }
        self.write(Key { incarnation: *target, revision, role: Role::Instance, ownership });
        ClaimResult::Won { revision }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "what is nothing for the engine is a fault of this world"
    )]
    fn engine(&mut self, node: usize, process: u32, request: &Output) {
        let away = self.away();
        let (target, answer) = match request {
            Output::Read(target) => {
                let key = self.keys.get(target).cloned();
                (*target, key.map_or(Input::KeyGone(*target), Input::Key))
            }
            Output::Release { target, revision, gone } => {
                let holds = self.keys.get(target).is_some_and(|key| key.revision == *revision)
                    && !gone.iter().any(|one| self.keys.contains_key(one));
                if away != Some(false) && holds {
                    self.keys.remove(target);
                    self.say(|_| format!("engine: {target:?} released"));
                    self.tell_all(&Input::KeyGone(*target));
                }
                return;
            }
            Output::Claim(transaction) | Output::Rejoin(transaction) => {
                let target = transaction.target;
                let result = if away == Some(false) { ClaimResult::Unknown } else { self.apply(request) };
                (target, Input::Claimed { target, result })
            }
            other => panic!("{other:?} is nothing for the engine"),
        };
        let is_lost = away.is_some() || self.dice.below(20) == 0;
        let (after, answer) = match (request, is_lost) {
            (_, false) => (self.dice.between(500, 8_000), answer),
            (Output::Read(_), true) => (100_000, Input::Unread(target)),
            (_, true) => (100_000, Input::Claimed { target, result: ClaimResult::Unknown }),
        };
        self.plan(after, Event::Input(node, process, answer));
    }

    /// A process begins, or one that was fenced begins anew: it registers its next incarnation. The journal's lock shows
    /// that the process before is dead: its key is claimed with it.
    fn register(&mut self, node: usize) {
        let process = self.process[node];
        if self.away().is_some() {
            self.plan(50_000, Event::Register(node, process));
            return;
        }
        let id = self.nodes[node].id;
        self.revision += 1;
        let incarnation = Incarnation { node: id, run: self.revision };
        let revision = self.revision;
        let olds: Vec<Key> = self
            .keys
            .values()
            .filter(|key| key.incarnation.node == id && self.alive(key.incarnation))
            .cloned()
            .collect();
        let ownership = Ownership::Alive(self.terms.clone());
        let key = Key { incarnation, revision, role: Role::Instance, ownership };
        self.write(key.clone());
        for old in olds {
            let heirs = vec![Heir { member: incarnation, free: 1 }];
            let claim = Claim { by: incarnation, round: 0, heirs, through: u64::MAX, stale: false };
            self.write(Key { revision, ownership: Ownership::Claimed(claim), ..old });
        }
        let now = self.nodes[node].clock(self.now);
        if self.nodes[node].member.is_none() {
            let mut member = Member::new(now, &key, self.terms.clone());
            member.handle(now, Input::Usage(Usage { limit: 100, ..Usage::NONE }));
            self.nodes[node].member = Some(member);
        }
        for key in self.keys.values().cloned().collect::<Vec<_>>() {
            self.input(node, Input::Key(key));
        }
    }

    // ── nodes ──

    fn input(&mut self, node: usize, input: Input) {
        if self.nodes[node].paused {
            self.nodes[node].stalled.push(input);
            return;
        }
        let now = self.nodes[node].clock(self.now);
        let Some(member) = &mut self.nodes[node].member else { return };
        member.handle(now, input);
        while let Some(output) = self.nodes[node].member.as_mut().and_then(Member::poll_output) {
            self.carry_out(node, output);
        }
    }

    fn carry_out(&mut self, node: usize, output: Output) {
        let process = self.process[node];
        match output {
            Output::Send { to, message } => {
                let to = self.nodes.iter().position(|node| node.id == to).unwrap();
                if self.passes(node, to) {
                    let after = self.dice.between(100, 3_000);
                    let process = self.process[to];
                    self.plan(after, Event::Input(to, process, Input::Heard(message)));
                }
            }
            Output::SpeakUntil(until) => self.nodes[node].sends = Sends::Until(until),
            Output::SpeakAlways => panic!("there are voters"),
            Output::BeSilent => {
                self.say(|world| format!("{} is silent", world.nodes[node].id));
                let later = self.nodes[node].clock(self.now) + PROMISE;
                let speaks_on = self.switch == Switch::SpeaksOn && self.nodes[node].sends != Sends::Not;
                self.nodes[node].sends = if speaks_on { Sends::Until(later) } else { Sends::Not };
            }
            Output::Seal { target, asked } => {
                self.input(node, Input::Sealed { target, asked, held: Some(0) })
            }
            Output::Unseal(_) => {}
            Output::Claim(_) | Output::Read(_) | Output::Rejoin(_) | Output::Release { .. } => {
                let after = self.dice.between(500, 8_000);
                self.plan(after, Event::Engine(node, process, output));
            }
            Output::TakeOver(inheritance) => self.take_over(node, &inheritance),
            Output::Begin(next) => {
                self.say(|_| format!("{next:?} begins"));
                self.nodes[node].calls.clear();
            }
            Output::Fenced { by } => {
                self.say(|world| format!("{} is fenced by {by:?}", world.nodes[node].id));
                self.nodes[node].calls.clear();
                let after = self.dice.between(1_000, 50_000);
                self.plan(after, Event::Register(node, process));
            }
        }
    }

    fn take_over(&mut self, node: usize, inheritance: &Inheritance) {
        if self.switch == Switch::NeverTakesOver {
            return;
        }
        let me = self.nodes[node].member.as_ref().unwrap().incarnation();
        let Inheritance { of, epoch, claim, earlier } = inheritance;
        let mut taken = 0;
        for (call, (owner, of_epoch)) in &mut self.records {
            let was_given = earlier
                .iter()
                .any(|(first, claim)| *owner == *first && heir(&claim.heirs, *call) == Some(*of));
            if (*owner == *of || was_given) && *epoch > *of_epoch && heir(&claim.heirs, *call) == Some(me) {
                (*owner, *of_epoch) = (me, *epoch);
                self.nodes[node].calls.insert(*call);
                taken += 1;
            }
        }
        self.ran.taken += taken;
        self.say(|_| format!("{me:?} takes {taken} calls of {of:?}"));
        self.input(node, Input::Settled(*of));
    }
}
