//! Everything that happens, in its order: one instance, its disk, the network, and those who are called.
//!
//! ```text
//! agenda (time, number) ─► happening ─► process ◄─► disk
//!                                   └─► telephones ─► network: lost, doubled, late
//! ```

mod callees;
mod instance;
mod lives;
mod members;
mod recorder;
mod unheard;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use baton::call::{
    Assets, Call, Input, Kept, Listening, Output, Phase, Play, PlayId, Record, Recording, RecordingId, Start,
    Step, Stop, Taken, TakenOver, Terms,
};
use baton::dialplan::{Failover, PostDial, PostDialStep};
use baton::id::{AttemptId, CallId, Digest, Epoch, Mint, Revision};
use baton::interview::RecordingEnd;
use baton::questionnaire::Questionnaire;
use baton::rtp::event::EventError;
use baton::rtp::{EventReceiver, MediaReport, Numbers, parse_packet};
use baton::sdp::{LocalMedia, Origin};
use baton::sip::local::Large;
use baton::sip::{self, Hop, Message, Method, NameAddr, Uri, stray};
use baton::time::Timestamp;
use bytes::Bytes;

use crate::clock::Clocks;
use crate::cover::Coverage;
use crate::dice::Dice;
use crate::judge::{Judge, Wrong};
use crate::phone::{CODECS, SPOKEN, Telephone, address, instance};
use crate::process::{Disk, Frame, Live, Parked, Playing, Process, Stream, Take};
use crate::scenario::{Act, Callee, Fault, Phone, Redirect, Room, Scenario, Shelf};
use crate::switch::Switch;
use crate::sync::tests::world::Falls;
use members::{Members, next_call};

const SURVEY: &str = include_str!("survey.xml");
/// How long it may ring; the longest conversation; then nothing more may go on.
const RING: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(120);
const END: Duration = Duration::from_secs(300);
/// A stop of less than this is not noticed.
const NOTICED: Duration = Duration::from_secs(1);
/// RTP of so long waits in a socket for a process that is stopped.
const SOCKET: Duration = Duration::from_secs(3);
/// How often a process notes that it lives.
const BEAT_MS: u64 = 50;

/// What can happen next.
#[derive(Clone, Debug)]
enum Happening {
    Place(usize),
    /// A datagram of a phone, to this address.
    ToInstance(usize, SocketAddr, Bytes),
    /// A datagram from this address.
    ToPhone(usize, SocketAddr, Bytes),
    /// A packet of a phone's stream, to this host.
    Rtp(usize, IpAddr, Vec<u8>),
    /// Ears notice that a key was let go though no packet said so.
    Ears(u32, CallId),
    PicksUp(usize),
    Refuses(usize, u16),
    Thinks(usize, u32, String),
    /// They are done with speaking.
    Silent(usize, u32),
    /// A recorder listens.
    Listens(u32, CallId, RecordingId),
    /// A take is written.
    Filed(u32, CallId, RecordingId, u32, RecordingEnd),
    Presses(usize, char),
    Acts(usize, Act),
    PromptEnds(u32, CallId),
    DiskDone(u32),
    Stored(u32, CallId, AttemptId, Box<serde_json::Value>),
    Told(u32, CallId, Box<Input>),
    /// This save of a call is durable by its mirrors, and its owner may send.
    Leaves(u32, CallId, u32),
    /// A call falls to a node.
    Falls(u32, Box<Falls>),
    /// A node dies.
    Strikes(usize),
    /// For so long, times over, nothing has come to a node from any telephone.
    Silence(usize),
    /// Telephones and a node reach each other again.
    Hears(usize),
    Fault(Fault),
    Restart,
    /// Another instance goes on with the calls; by how much its clock is ahead, in ms.
    TakeOver(i64),
    Wake,
}

/// How much was lived through.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lived {
    /// Inputs of calls.
    pub(crate) inputs: u64,
    /// Interviews.
    pub(crate) complete: u64,
    /// Re-INVITEs of ours that phones accepted: refreshes where UPDATE is not taken.
    pub(crate) reinvited: u64,
    /// Calls that were answered behind a redirection.
    pub(crate) redirected: u64,
    /// Takes that became files.
    pub(crate) recorded: u64,
    /// Calls for which keys were sent to a switchboard.
    pub(crate) dialled: u64,
    /// Calls that were given up because nothing came from their callees.
    pub(crate) unheard: u64,
}

impl Lived {
    pub(crate) const fn add(&mut self, other: Self) {
        self.inputs += other.inputs;
        self.complete += other.complete;
        self.reinvited += other.reinvited;
        self.redirected += other.redirected;
        self.recorded += other.recorded;
        self.dialled += other.dialled;
        self.unheard += other.unheard;
    }
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) wrong: Option<Wrong>,
    pub(crate) coverage: Coverage,
    pub(crate) lived: Lived,
    /// What befell the members, if there are several.
    pub(crate) befell: BTreeMap<&'static str, u64>,
    pub(crate) log: Vec<String>,
}

pub(crate) struct World<'a> {
    scenario: &'a Scenario,
    switch: Switch,
    dice: Dice,
    start: Timestamp,
    now: Timestamp,
    agenda: BTreeMap<(Timestamp, u64), Happening>,
    planned: u64,
    assets: Assets,
    digest: Digest,
    process: Option<Process>,
    processes: u32,
    /// Which instance has the calls: those before it are gone with their hosts.
    host: u8,
    /// The ownerships under which calls were placed and taken over.
    epochs: Vec<Epoch>,
    /// That under which this instance took the calls over: what it saved since then it regains after a restart.
    regains: Epoch,
    /// Calls that were taken over where there was no port for their RTP.
    portless: BTreeSet<CallId>,
    clocks: Clocks,
    /// When a process died last: in true time, and by its own clock.
    died: Option<(Timestamp, Timestamp)>,
    /// The machine was booted since.
    booted: bool,
    disk: Disk,
    /// Calls to place when there is a process again.
    waiting: Vec<usize>,
    /// What came in while the process was stopped.
    stalled: Vec<Happening>,
    phones: Vec<Telephone>,
    placed: BTreeMap<usize, CallId>,
    offers: BTreeMap<usize, Bytes>,
    judge: Judge,
    coverage: Coverage,
    inputs: u64,
    log: Option<Vec<String>>,
    /// The instances, where there are several: one of them acts at a time, and stands in the fields above meanwhile.
    members: Option<Box<Members>>,
}

/// Turns of the world in one moment: who has more is in a loop.
const MOST_TURNS: u32 = 2_000;

/// Runs a scenario.
pub(crate) fn run(scenario: &Scenario, switch: Switch, logged: bool) -> Ran {
    let (questionnaire, _) = Questionnaire::load("survey.xml", SURVEY.as_bytes()).expect("it is checked");
    let mut assets = Assets::default();
    let digest = assets.insert(Arc::new(questionnaire));
    let start = Timestamp::from_millis(1_795_416_217_000);
    let phones = telephones(scenario);
    let mut world = World {
        scenario,
        switch,
        dice: Dice::new(scenario.seed ^ 0x51),
        start,
        now: start,
        agenda: BTreeMap::new(),
        planned: 0,
        assets,
        digest,
        process: scenario.members.is_none().then(|| Process::new(0)),
        processes: 1,
        host: 0,
        epochs: vec![Epoch(0)],
        regains: Epoch(0),
        portless: BTreeSet::new(),
        clocks: Clocks::default(),
        died: None,
        booted: false,
        disk: Disk::default(),
        waiting: Vec::new(),
        stalled: Vec::new(),
        phones,
        placed: BTreeMap::new(),
        offers: BTreeMap::new(),
        judge: Judge::new(scenario.loss > 0, scenario.members.is_some()),
        coverage: Coverage::default(),
        inputs: 0,
        log: logged.then(Vec::new),
        members: Members::of(scenario, switch, start, logged),
    };
    for (place, callee) in scenario.callees.iter().enumerate() {
        world.plan(Duration::from_millis(callee.placed_ms), Happening::Place(place));
    }
    let comes_by_itself =
        |fault: &&Fault| !matches!(fault, Fault::CrashAtEnd { .. } | Fault::StopAtEnd { .. });
    for fault in scenario.faults.iter().filter(comes_by_itself) {
        world.plan(Duration::from_millis(fault.at_ms()), Happening::Fault(*fault));
    }
    world.live();
    world.close()
}

/// Those of the callees, then their trunks', each of which is a telephone too, then who redirects to them, and where else.
fn telephones(scenario: &Scenario) -> Vec<Telephone> {
    let like = |callee: &Callee, phone: Phone| Callee { phone, acts: Vec::new(), ..callee.clone() };
    let mut terms: Vec<Callee> = scenario.callees.clone();
    for callee in &scenario.callees {
        terms.extend(callee.trunks.iter().map(|phone| like(callee, *phone)));
    }
    let mut targets = BTreeMap::new();
    for (place, callee) in scenario.callees.iter().enumerate() {
        let Some(Redirect { before, .. }) = &callee.redirect else { continue };
        let who = terms.len();
        terms.push(like(callee, Phone::Redirects));
        terms.extend(before.iter().map(|phone| like(callee, *phone)));
        targets.insert(who, (who + 1..terms.len()).chain([place, who]).collect::<Vec<_>>());
    }
    let phones = terms.into_iter().enumerate().map(|(place, terms)| {
        let phone = Telephone::new(place, terms, scenario.seed);
        let contacts = targets.get(&place);
        contacts.map_or(phone.clone(), |contacts| phone.redirects_to(contacts))
    });
    phones.collect()
}

impl World<'_> {
    fn live(&mut self) {
        let mut turns = 0;
        while self.judge.wrong.is_none() {
            let Some(due) = self.next_due() else { return };
            if due > self.start + END {
                return;
            }
            turns = if due > self.now { 0 } else { turns + 1 };
            if turns > MOST_TURNS {
                let calls = self.process.iter().flat_map(|process| &process.calls);
                let due: Vec<String> = calls
                    .map(|(id, live)| format!("{id} {:?} {:?}", live.call.phase(), live.call.poll_timeout()))
                    .collect();
                let now = self.clock();
                return self.judge.hangs(now, &due);
            }
            self.now = self.now.max(due);
            if self.members_turn() {
                return;
            }
            if self.agenda.first_key_value().is_some_and(|((at, _), _)| *at == due) {
                let (_, happening) = self.agenda.pop_first().expect("it was looked at");
                self.happen_somewhere(happening);
                continue;
            }
            for phone in 0..self.phones.len() {
                if self.phones[phone].poll_timeout().is_some_and(|at| at <= self.now) {
                    self.phones[phone].timeout(self.now);
                    self.follow_phone(phone);
                }
            }
            for call in self.due_calls() {
                self.feed(call, Input::TimedOut);
            }
        }
    }

    fn next_due(&self) -> Option<Timestamp> {
        let agenda = self.agenda.first_key_value().map(|((at, _), _)| *at);
        let phones = self.phones.iter().filter_map(Telephone::poll_timeout).min();
        let calls = next_call(self.process.as_ref(), self.clocks);
        let members = self.members.as_ref().and_then(|members| members.next_due(self.start));
        [agenda, phones, calls, members].into_iter().flatten().min()
    }

    fn due_calls(&self) -> Vec<CallId> {
        let Some(process) = self.process.as_ref().filter(|process| process.stopped.is_none()) else {
            return Vec::new();
        };
        let now = self.clock();
        let due = |live: &Live| live.call.poll_timeout().is_some_and(|at| at <= now);
        process.calls.iter().filter(|(_, live)| due(live)).map(|(id, _)| *id).collect()
    }

    fn close(mut self) -> Ran {
        let mut open: Vec<String> = Vec::new();
        open.extend(
            self.phones
                .iter()
                .enumerate()
                .filter(|(_, phone)| phone.is_open())
                .map(|(n, _)| format!("the phone of callee {n}")),
        );
        if let Some(process) = &self.process {
            open.extend(
                process
                    .calls
                    .values()
                    .map(|live| format!("call of {}: {:?}", live.callee, live.call.phase())),
            );
        }
        let befell = self.close_members(&mut open).unwrap_or_default();
        if self.judge.wrong.is_none() {
            self.judge.close(&self.disk, &open, &self.placed);
        }
        let complete =
            self.disk.results.values().filter(|result| result["disposition"] == "complete").count();
        let unheard = self.disk.results.values();
        let unheard = unheard
            .filter(|result| ["media_timeout", "peer_gone"].map(Into::into).contains(&result["fault"]));
        let callees = self.scenario.callees.iter().zip(&self.phones);
        let redirected = callees.filter(|(callee, phone)| callee.redirect.is_some() && phone.was_answered());
        let lived = Lived {
            inputs: self.inputs,
            complete: complete as u64,
            reinvited: self.phones.iter().map(|phone| phone.reinvited).sum(),
            redirected: redirected.count() as u64,
            recorded: self.disk.files.len() as u64,
            dialled: self.judge.dialled() as u64,
            unheard: unheard.count() as u64,
        };
        let log = self.log.unwrap_or_default();
        Ran { wrong: self.judge.wrong, coverage: self.coverage, lived, befell, log }
    }

    /// Where the instance listens that has the calls.
    fn here(&self) -> SocketAddr {
        instance(self.host)
    }

    /// The time by which the process goes.
    fn clock(&self) -> Timestamp {
        self.clocks.at(self.now)
    }

    fn plan(&mut self, after: Duration, happening: Happening) {
        self.planned += 1;
        self.agenda.insert((self.now + after, self.planned), happening);
    }

    fn say(&mut self, what: impl FnOnce() -> String) {
        let at = self.now.since(self.start);
        if let Some(log) = &mut self.log {
            log.push(format!("{:>9.3} s  {}", at.as_secs_f64(), what()));
        }
    }

    fn number(&self) -> Option<u32> {
        self.process.as_ref().map(|process| process.number)
    }

    fn happen(&mut self, happening: Happening) {
        let stopped = self.process.as_ref().and_then(|process| process.stopped);
        match happening {
            Happening::PicksUp(phone) => {
                let offer = self.offers.get(&phone).cloned();
                self.phones[phone].picks_up(self.now, offer.as_ref());
                self.follow_phone(phone);
                for (at_ms, act) in self.phones[phone].terms.acts.clone() {
                    self.plan(Duration::from_millis(at_ms), Happening::Acts(phone, act));
                }
            }
            Happening::Refuses(phone, status) => {
                self.phones[phone].refuses(self.now, status);
                self.follow_phone(phone);
            }
            Happening::Acts(phone, act) => {
                self.say(|| format!("callee {phone}: {act:?}"));
                if !self.phones[phone].acts(self.now, act) {
                    return self.plan(Duration::from_millis(200), Happening::Acts(phone, act));
                }
                if act == Act::Hold {
                    // Who puts the telephone away presses nothing any more.
                    self.phones[phone].thought += 1;
                    self.phones[phone].falls_silent(self.now);
                    self.agenda.retain(|_, one| !matches!(one, Happening::Presses(of, _) if *of == phone));
                }
                self.follow_phone(phone);
            }
            Happening::ToPhone(phone, from, bytes) => self.at_phone(phone, from, bytes),
            Happening::Thinks(phone, thought, question) => self.think(phone, thought, &question),
            Happening::Silent(phone, thought) => {
                if self.phones[phone].thought == thought && self.phones[phone].terms.speech.ends_by_key {
                    self.plan(Duration::from_millis(300), Happening::Presses(phone, '#'));
                }
            }
            Happening::Presses(phone, digit) => {
                self.say(|| format!("callee {phone} presses {digit}"));
                let Some(host) = self.phones[phone].speaks_to else { return };
                for (after, packet) in self.phones[phone].key(digit) {
                    if !self.lost() {
                        let way = self.way();
                        self.plan(after + way, Happening::Rtp(phone, host, packet));
                    }
                }
            }
            Happening::Fault(fault) => self.befall(fault),
            Happening::Restart => self.restart(),
            Happening::TakeOver(skew_ms) => self.take_over(skew_ms),
            Happening::Wake => self.wake(),
            // The socket is full.
            Happening::Rtp(..) if stopped.is_some_and(|since| self.now.since(since) > SOCKET) => {}
            other if stopped.is_some() => self.stalled.push(other),
            other => self.at_process(other),
        }
    }

    /// What reaches the process, if there is one.
    fn at_process(&mut self, happening: Happening) {
        match happening {
            Happening::Place(callee) => self.place(callee),
            // Nobody is at the address of an instance that is gone.
            Happening::ToInstance(phone, to, bytes) if to == self.here() => {
                let message = Arc::new(sip::parse(bytes).expect("phones send what we can read"));
                let Some(owner) = stray::owner(&message) else { return };
                // Of a call that is not here: 481 by the stateless side of the edge.
                let from = Hop::from(address(phone));
                if !self.feed(owner, Input::Received { message: Arc::clone(&message), from }) {
                    self.answer_stray(&message, from);
                }
            }
            Happening::Rtp(callee, host, packet) if host == self.here().ip() => self.hear(callee, &packet),
            Happening::Ears(number, call) if self.number() == Some(number) => {
                self.listen(call, |_, _| Ok(()))
            }
            Happening::Listens(number, call, recording) if self.number() == Some(number) => {
                self.listens(call, recording);
            }
            Happening::Filed(number, call, recording, ms, ended_by) if self.number() == Some(number) => {
                self.filed(call, recording, ms, ended_by);
            }
            Happening::PromptEnds(number, call) if self.number() == Some(number) => self.prompt_ends(call),
            Happening::DiskDone(number) if self.number() == Some(number) => self.disk_done(),
            Happening::Stored(number, call, attempt, result) if self.number() == Some(number) => {
                self.disk.results.insert(attempt, *result);
                if let Some(live) = self.process.as_mut().and_then(|process| process.calls.get_mut(&call)) {
                    live.stored = true;
                }
                self.forget_if_done(call);
            }
            Happening::Told(number, call, input) if self.number() == Some(number) => {
                self.feed(call, *input);
            }
            Happening::Leaves(number, call, save) if self.number() == Some(number) => self.leaves(call, save),
            Happening::Falls(number, falls) if self.number() == Some(number) => self.falls(&falls),
            _ => {}
        }
    }

    fn denies(&self, message: &Message) -> bool {
        let denies =
            |members: &Members| stray::owner(message).is_some_and(|one| members.denies(self.host, one));
        self.members.as_deref().is_none_or(denies)
    }

    fn answer_stray(&mut self, message: &Message, from: Hop) {
        if self.process.is_none() || !self.denies(message) {
            return;
        }
        if let Message::Request(request) = message
            && let Some(reply) = stray::reply(request, from, "Baton")
        {
            let to = reply.to.address;
            self.transmit(to, &reply.bytes);
        }
    }

    fn befall(&mut self, fault: Fault) {
        match fault {
            Fault::Step { by_ms, .. } => {
                self.say(|| format!("the wall clock is set by {by_ms} ms"));
                self.clocks.step(by_ms);
            }
            Fault::Crash { down_ms, torn, .. }
            | Fault::CrashAtEnd { down_ms, torn, .. }
            | Fault::Boot { down_ms, torn, .. } => {
                if !self.dies(torn) {
                    return;
                }
                self.booted |= matches!(fault, Fault::Boot { .. });
                let booted = if self.booted { ", with its machine" } else { "" };
                self.say(|| format!("the process dies{booted}, for {down_ms} ms"));
                self.plan(Duration::from_millis(down_ms), Happening::Restart);
            }
            Fault::Gone { claimed_ms, torn, skew_ms, next_ms, .. } => {
                if !self.dies(torn) {
                    return;
                }
                self.say(|| {
                    format!("the instance is gone with its host; it is claimed after {claimed_ms} ms")
                });
                let claimed = Duration::from_millis(claimed_ms);
                self.plan(claimed, Happening::TakeOver(skew_ms));
                if let Some(next_ms) = next_ms {
                    let next = Fault::Gone { at_ms: 0, claimed_ms, torn, skew_ms, next_ms: None };
                    self.plan(claimed + Duration::from_millis(next_ms), Happening::Fault(next));
                }
            }
            Fault::Pause { for_ms, .. } => {
                if let Some(process) = self.process.as_mut().filter(|process| process.stopped.is_none()) {
                    process.stopped = Some(self.now);
                    self.judge.is_excused = true;
                    self.say(|| format!("the process is stopped for {for_ms} ms"));
                    self.plan(Duration::from_millis(for_ms), Happening::Wake);
                }
            }
            Fault::Stop { callee, .. } | Fault::StopAtEnd { callee, .. } => {
                if let Some(call) = self.placed.get(&callee).copied()
                    && self.process.as_ref().is_some_and(|process| process.stopped.is_none())
                {
                    self.say(|| format!("the operator stops the call to {callee}"));
                    self.feed(call, Input::HangUpAsked);
                }
            }
            Fault::Deaf { node, for_ms, .. } => self.goes_deaf(node, Duration::from_millis(for_ms)),
            Fault::Edit { .. } => {
                let edited = SURVEY
                    .replace("first edition", "second edition")
                    .replace("Press 1", "In the second edition press 1");
                let (edited, _) =
                    Questionnaire::load("survey.xml", edited.as_bytes()).expect("it is checked");
                self.assets.insert(Arc::new(edited));
            }
        }
    }

    fn wake(&mut self) {
        let Some(process) = self.process.as_mut() else { return };
        let Some(since) = process.stopped.take() else { return };
        let calls: Vec<CallId> = process.calls.keys().copied().collect();
        // By the end of a wait of 250 ms the process knows of a second that it did not wait.
        let waited = Duration::from_millis(self.dice.below(250));
        if self.now.since(since) >= NOTICED + waited {
            let since = self.clocks.at(since);
            for call in calls {
                self.feed(call, Input::Stalled { since });
            }
        }
        // Sockets, the disk and the clock are looked at by threads of their own: which is first is chance.
        let mut after = Duration::ZERO;
        for happening in std::mem::take(&mut self.stalled) {
            if self.dice.one_in(4) {
                after += Duration::from_micros(self.dice.below(3_000));
            }
            self.plan(after, happening);
        }
    }
}

/// Where the RTP of this callee's call comes in.
fn media_port(callee: usize) -> u16 {
    16_384 + 2 * u16::try_from(callee).expect("few")
}
