//! The world: true time, nodes with clocks, journals and mirrors of their own, links, an engine with compare-and-set.
//!
//! ```text
//!  nodes ─ datagrams ─ nodes      lost, one way, late
//!    │ └── links of saves ──► tables     in order, stuck while cut, broken after that
//!    └──── requests ─► engine ─ watch, in its order ─► nodes
//! ```

mod copies;
mod edge;
mod engine;
mod judge;
mod links;
mod node;
mod saves;
mod scenario;
mod starts;
mod takeover;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::super::*;
use crate::id::{CallId, Mint, NodeId};
use crate::time::Timestamp;

use copies::Version;
pub(crate) use edge::{Falls, Notice};
use engine::Engine;
pub(super) use judge::Judge;
use links::{Deliver, Ways};
use node::{Deed, Node, Process, Sends, Work};
pub(super) use scenario::{Dice, Event as FaultEvent, Fault, Ill, Traffic};
pub(crate) use scenario::{Scenario, Switch};
use starts::Requests;

/// When the first calls are placed, and when a seeded world ends, in ms.
const CALLS_AT: u64 = 1_000;
const END: u64 = 9_500;
/// From one call that is placed to the next, in µs.
const PLACE: u64 = 400_000;
/// Calls that each instance begins with.
const CALLS: usize = 2;

/// What comes at its time.
#[derive(Debug)]
enum Event {
    /// For a process; one that is stopped has it when it wakes.
    To(usize, u32, Work),
    /// Something on a link.
    Link(Deliver),
    /// What was stuck is tried again.
    Pump(u64, bool),
    /// A request reaches the engine.
    Engine(usize, u32, Output),
    /// A try for the seat of control reaches it.
    Seat(usize, u32, Taking),
    /// A client makes a request, for the first time or again.
    Request(Option<u32>),
    Start(usize),
    Begin(usize),
    End(usize),
    Place,
}

pub(crate) struct World {
    scenario: Scenario,
    switch: Switch,
    dice: Dice,
    /// For requests and placements, so that worlds without them are what they were.
    chance: Dice,
    mint: Mint,
    /// In µs.
    now: u64,
    agenda: BTreeMap<(u64, u64), Event>,
    planned: u64,
    nodes: Vec<Node>,
    engine: Engine,
    ways: Ways,
    terms: Terms,
    /// What goes wrong now.
    faults: BTreeMap<usize, Fault>,
    reply: u32,
    places: bool,
    requests: Requests,
    /// Whether requests come by themselves, and to whom they go if they can.
    asks: bool,
    picks: Option<usize>,
    /// What whoever carries the calls is to be told, where that is not the world itself.
    notices: Option<VecDeque<Notice>>,
    /// All is well, and the members would only beat: they are left alone, and what they are promised holds.
    rests: bool,
    /// What those had mirrored who have died.
    buried: BTreeMap<CallId, Version>,
    pub(super) judge: Judge,
    pub(super) log: Option<Vec<String>>,
}

/// A world by seed, to its end.
pub(super) fn run(scenario: &Scenario, switch: Switch, logged: bool) -> World {
    let mut world = World::new(scenario, switch, logged);
    world.plan_faults();
    world.until(END);
    world.judge_end();
    world
}

impl World {
    pub(super) fn new(scenario: &Scenario, switch: Switch, logged: bool) -> Self {
        let mut dice = Dice(scenario.seed ^ 0x51);
        let ids: Vec<NodeId> = (0..scenario.roles.len()).map(|n| format!("n{n}").parse().unwrap()).collect();
        let voters = Voters::new(scenario.voters.iter().map(|voter| ids[*voter])).unwrap();
        let nodes = ids.iter().zip(&scenario.roles).map(|(id, role)| Node::new(*id, *role, &mut dice));
        let mut world = Self {
            switch,
            nodes: nodes.collect(),
            mint: Mint::seeded(scenario.seed),
            dice,
            chance: Dice(scenario.seed ^ 0xC0),
            now: 0,
            agenda: BTreeMap::new(),
            planned: 0,
            engine: Engine::default(),
            ways: Ways::default(),
            terms: Terms::new(voters, scenario.promise).unwrap(),
            faults: BTreeMap::new(),
            reply: 0,
            places: true,
            requests: Requests::default(),
            asks: true,
            picks: None,
            notices: None,
            rests: false,
            buried: BTreeMap::new(),
            judge: Judge::default(),
            log: logged.then(Vec::new),
            scenario: scenario.clone(),
        };
        for node in 0..world.nodes.len() {
            let after = world.dice.below(100_000);
            world.plan(after, Event::Start(node));
        }
        world.plan(CALLS_AT * 1_000, Event::Place);
        world.open_shop();
        world
    }

    fn plan_faults(&mut self) {
        for fault in 0..self.scenario.faults.len() {
            self.plan(self.scenario.faults[fault].at * 1_000, Event::Begin(fault));
        }
    }

    fn plan(&mut self, after: u64, event: Event) {
        self.planned += 1;
        self.agenda.insert((self.now + after, self.planned), event);
    }

    /// For the process that a node has now.
    fn plan_to(&mut self, after: u64, node: usize, work: Work) {
        let process = self.nodes[node].processes;
        self.plan(after, Event::To(node, process, work));
    }

    fn say(&mut self, what: impl FnOnce(&Self) -> String) {
        let line = self.log.is_some().then(|| format!("{:9.3} {}", self.now as f64 / 1e3, what(self)));
        if let Some(log) = &mut self.log {
            log.extend(line);
        }
    }

    /// Goes on to a time in ms.
    pub(super) fn until(&mut self, end: u64) {
        while self.judge.wrong.is_none() && self.next().0 < end * 1_000 {
            self.step();
        }
        self.now = end * 1_000;
    }

    /// When something happens next, in µs, and to whom, if it is a timer.
    fn next(&self) -> (u64, Option<usize>) {
        let due = self.agenda.first_key_value().map_or(u64::MAX, |((at, _), _)| *at);
        let timers = self.nodes.iter().enumerate().filter(|(_, node)| !node.paused && !self.rests);
        let timers = timers.filter_map(|(n, node)| Some((node.process.as_ref()?.due.max(self.now), n)));
        match timers.min() {
            Some((at, node)) if at < due => (at, Some(node)),
            _ => (due, None),
        }
    }

    /// What happens next.
    fn step(&mut self) {
        let (at, timer) = self.next();
        self.now = at;
        match timer {
            Some(node) => self.timed_out(node),
            None => {
                let (_, event) = self.agenda.pop_first().unwrap();
                self.happen(event);
            }
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::To(node, process, work) if self.nodes[node].processes == process => self.work(node, work),
            Event::To(..) => {}
            Event::Link(deliver) => self.deliver(deliver),
            Event::Pump(connection, is_back) => self.pump(connection, is_back),
            Event::Engine(node, process, request) => self.ask_engine(node, process, &request),
            Event::Seat(node, process, taking) if self.nodes[node].processes == process => {
                self.take_seat(node, taking);
            }
            Event::Seat(..) => {}
            Event::Request(again) => self.request_call(again),
            Event::Start(node) => self.start(node),
            Event::Begin(fault) => {
                let FaultEvent { at, until, fault: what } = self.scenario.faults[fault];
                self.begin(fault, what);
                self.plan((until - at) * 1_000, Event::End(fault));
            }
            Event::End(fault) => self.end(fault),
            Event::Place => {
                self.place_all();
                self.plan(PLACE, Event::Place);
            }
        }
    }

    // ── faults ──

    /// Something goes wrong from now on.
    pub(super) fn begin(&mut self, number: usize, fault: Fault) {
        self.say(|_| format!("{fault:?}"));
        match fault {
            Fault::Kill { node, again, host } => self.kill(node, again, host),
            Fault::NewDisk { node } => self.renew_disk(node),
            Fault::Pause { node } => {
                self.judge.hit("pause");
                self.nodes[node].paused = true;
                self.notify(Notice::Stops(node));
            }
            Fault::Cut { what, from, to } => self.judge.hit(match (what, from, to) {
                (Traffic::Datagrams, ..) => "cut of datagrams",
                (Traffic::Links, ..) => "cut of links",
                (Traffic::All, None, None) => "flap",
                (Traffic::All, ..) => "cut",
            }),
            Fault::Engine { node, ill } => {
                self.judge.hit(match (node, ill) {
                    (Some(_), _) => "engine ill for one",
                    (None, Ill::Away) => "engine away",
                    (None, Ill::Mute) => "engine mute",
                    (None, Ill::Slow) => "engine slow",
                    (None, Ill::Refuses) => "engine refuses",
                });
            }
            Fault::Hang { node } => {
                self.judge.hit("hang");
                self.nodes[node].hung = true;
                self.notify(Notice::Stops(node));
            }
            Fault::Drift { node, rate } => {
                self.judge.hit("drift");
                let now = self.now;
                self.nodes[node].clock.change(now, rate);
                self.refresh(node);
            }
            Fault::Voters { list } => {
                let voters = Voters::new(list.map(|voter| self.nodes[voter].id)).unwrap();
                self.judge.hit("voters changed");
                self.adopt(Terms { voters, ..self.terms.clone() });
            }
            Fault::Promise { ms } => {
                let promise = Duration::from_millis(ms);
                let is_longer = promise > self.terms.promise;
                self.judge.hit(if is_longer { "longer promises" } else { "shorter promises" });
                self.adopt(Terms { promise, ..self.terms.clone() });
            }
            Fault::Drain { node } => self.drain(node),
        }
        self.faults.insert(number, fault);
    }

    /// It goes wrong no more.
    pub(super) fn end(&mut self, number: usize) {
        let Some(fault) = self.faults.remove(&number) else { return };
        self.say(|_| format!("no more: {fault:?}"));
        match fault {
            Fault::Pause { node } => self.wake(node),
            Fault::Hang { node } => self.turn_again(node),
            Fault::Drain { node } => self.drains(node, false),
            Fault::Kill { .. }
            | Fault::NewDisk { .. }
            | Fault::Cut { .. }
            | Fault::Engine { .. }
            | Fault::Drift { .. }
            | Fault::Voters { .. }
            | Fault::Promise { .. } => {}
        }
    }

    /// The settings of all members say other terms.
    fn adopt(&mut self, terms: Terms) {
        self.terms = terms;
        for node in 0..self.nodes.len() {
            if let Some(process) = &mut self.nodes[node].process {
                process.stream.promises_last(self.terms.promise);
            }
            self.input(node, Input::Adopt(self.terms.clone()));
        }
    }

    /// Whether what one sends another gets through now.
    fn is_open(&self, one: usize, other: usize, what: Traffic) -> bool {
        !self.faults.values().any(|fault| {
            let &Fault::Cut { from, to, what: cut } = fault else { return false };
            let is_meant = cut == what || cut == Traffic::All;
            is_meant && from.is_none_or(|from| from == one) && to.is_none_or(|to| to == other)
        })
    }

    /// How the engine serves a node.
    fn ill(&self, node: usize) -> Option<Ill> {
        self.faults.values().find_map(|fault| {
            let &Fault::Engine { node: whom, ill } = fault else { return None };
            whom.is_none_or(|whom| whom == node).then_some(ill)
        })
    }

    // ── what is to be seen ──

    pub(super) fn incarnation(&self, node: usize) -> Incarnation {
        self.nodes[node].process.as_ref().unwrap().member.incarnation()
    }

    pub(super) fn standing(&self, node: usize) -> Standing {
        self.nodes[node].process.as_ref().unwrap().member.standing()
    }

    /// The calls for which a node speaks now.
    pub(super) fn speaks_for(&self, node: usize) -> Vec<CallId> {
        if !self.may_send(node) {
            return Vec::new();
        }
        let live = self.nodes[node].process.iter().flat_map(|process| &process.live);
        live.filter(|(_, live)| live.speaks).map(|(call, _)| *call).collect()
    }

    /// The claim on an incarnation.
    pub(super) fn claim_on(&self, one: Incarnation) -> Option<&Claim> {
        self.judge.claims.get(&one)
    }

    /// How a node stands by its stream of saves.
    pub(super) fn durable(&mut self, node: usize) -> Durable {
        let now = self.nodes[node].clock.at(self.now);
        self.nodes[node].process.as_mut().unwrap().stream.durable(now)
    }

    /// In ms.
    pub(super) const fn time(&self) -> u64 {
        self.now / 1_000
    }

    pub(super) fn reached(&self, what: &str) -> bool {
        self.judge.count(what) > 0
    }

    /// Goes on until something has happened once more.
    pub(super) fn run_until(&mut self, what: &str, latest: u64) {
        let before = self.judge.count(what);
        while self.judge.count(what) == before {
            let next = self.now / 1_000 + 1;
            assert!(next < latest, "{what} did not happen");
            self.until(next);
        }
    }

    /// Whether a node is taking over, and has not saved all of it.
    pub(super) fn takes_over(&self, node: usize) -> bool {
        self.nodes[node].process.as_ref().is_some_and(|process| !process.inherits.is_empty())
    }

    /// Whether a node has claimed another one.
    pub(super) fn has_claimed(&self, node: usize) -> bool {
        let id = self.nodes[node].id;
        self.judge.claims.iter().any(|(of, claim)| claim.by.node == id && of.node != id)
    }

    pub(super) fn has_ended(&self, call: CallId) -> bool {
        self.judge.calls.get(&call).is_some_and(|truth| truth.ended)
    }

    /// The terms in the key of a node's incarnation.
    pub(super) fn terms_of(&self, node: usize) -> Option<Terms> {
        let key = self.engine.keys.get(&self.incarnation(node))?;
        match &key.ownership {
            Ownership::Alive(terms) => Some(terms.clone()),
            Ownership::Claimed(_) => None,
        }
    }

    /// More than one thing goes wrong from here on: what is lost has to be reported, and no more.
    pub(super) fn forgive(&mut self) {
        self.scenario.strict = false;
    }

    /// A node takes no more calls; a process of it that begins meanwhile does not know that.
    pub(super) fn drains(&mut self, node: usize, drains: bool) {
        self.nodes[node].usage.drains = drains;
        let usage = self.nodes[node].usage;
        self.input(node, Input::Usage(usage));
    }

    /// A node takes no more calls, and gives away those that it has.
    pub(super) fn drain(&mut self, node: usize) {
        self.judge.hit("drain");
        self.drains(node, true);
        self.plan_to(0, node, Work::HandOver);
    }

    pub(super) fn try_place(&mut self, node: usize) -> Option<CallId> {
        self.place(node)
    }

    /// No more calls are placed by themselves.
    pub(super) fn place_no_more(&mut self) {
        self.places = false;
    }

    // ── the judge ──

    pub(crate) fn may_send(&self, node: usize) -> bool {
        let node = &self.nodes[node];
        let Some(process) = &node.process else { return false };
        match process.sends {
            Sends::Not => false,
            Sends::Until(until) => self.rests || (!node.paused && node.clock.at(self.now) < until),
        }
    }

    /// Nobody else sends on what this node sends on.
    fn judge_speaks(&mut self, node: usize) {
        if !self.may_send(node) {
            return;
        }
        let speaks =
            |process: &Process, call: &CallId| process.live.get(call).is_some_and(|live| live.speaks);
        let Some(own) = &self.nodes[node].process else { return };
        let others = (0..self.nodes.len()).filter(|other| *other != node && self.may_send(*other));
        for other in others {
            let Some(process) = &self.nodes[other].process else { continue };
            let both = own.live.keys().find(|call| speaks(own, call) && speaks(process, call)).copied();
            if let Some(call) = both {
                let (one, two) = (own.member.incarnation(), process.member.incarnation());
                self.judge
                    .find(format!("{:.3} ms: {one} and {two} both send on {call}", self.now as f64 / 1e3));
                return;
            }
        }
    }
}

/// A clock: true time at some rate, plus an offset.
#[derive(Clone, Debug)]
struct Clock {
    /// In thousandths.
    rate: u64,
    /// True time and what it shows then.
    since: (u64, u64),
}

impl Clock {
    fn at(&self, now: u64) -> Timestamp {
        let (since, shown) = self.since;
        Timestamp::from_micros(shown + (now - since) * self.rate / 1_000)
    }

    /// The true time at which it shows this.
    fn when(&self, at: Timestamp) -> u64 {
        let (since, shown) = self.since;
        since + (at.as_micros().saturating_sub(shown) * 1_000).div_ceil(self.rate)
    }

    fn change(&mut self, now: u64, rate: u64) {
        self.since = (now, self.at(now).as_micros());
        self.rate = rate;
    }
}
