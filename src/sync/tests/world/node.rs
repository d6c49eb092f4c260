//! A node: its process, its journal, its calls, and what of them may leave when.

use std::collections::{BTreeMap, VecDeque};

use super::copies::{Batch, Record, Save, Table, Version};
use super::links::Link;
use super::scenario::{Dice, HEALED, Switch, Traffic};
use super::starts::{Disk, Question, Reply, Starts};
use super::{Clock, Event, Notice, World};
use crate::id::{CallId, Digest, NodeId};
use crate::sync::{
    Holding, Incarnation, Inheritance, Input, Key, Member, Message, Output, Role, Stream, Usage, Verdict,
};
use crate::time::Timestamp;

/// How often a draining node asks to give its calls away, in µs.
const HAND_OVER_AGAIN: u64 = 300_000;

/// What a process has to do.
#[derive(Debug)]
pub(super) enum Work {
    Input(Input),
    Register,
    List,
    /// The journal has written all saves up to this number of an incarnation's stream.
    Written(Incarnation, u64),
    Connect(usize),
    Take {
        owner: Incarnation,
        connection: u64,
        batch: Batch,
    },
    Held {
        mirror: usize,
        connection: u64,
        through: u64,
    },
    Broken {
        mirror: usize,
        connection: u64,
    },
    /// A call has its next reply.
    Turn(CallId),
    /// A call that has ended is forgotten.
    Forget(CallId),
    /// A question of another instance's, or of a client's.
    Asked(Option<(usize, u64)>, Question),
    Replied(usize, u64, Reply),
    /// Who has not replied to a question is not waited for any more.
    Unanswered(u64),
    /// Control looks for calls that nobody carries.
    LookAround,
    /// An inheritance, and since when copies of it are waited for.
    Gather(Box<Inheritance>, u64),
    /// A draining node would give its calls away.
    HandOver,
    /// All calls of this incarnation are dropped, to be given away.
    LaidDown(Incarnation),
}

/// What waits for a save.
#[derive(Clone, Copy, Debug)]
pub(super) enum Deed {
    /// What depends on the record is sent.
    Act,
    /// One more of what is inherited is saved.
    Settle(Incarnation),
}

#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) number: u64,
    pub(super) save: Save,
    pub(super) deeds: Vec<Deed>,
}

/// Until when a node's edge sends, by its clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sends {
    Until(Timestamp),
    Not,
}

/// A call at its owner.
#[derive(Clone, Debug)]
pub(super) struct Live {
    pub(super) version: Version,
    pub(super) record: Record,
    pub(super) speaks: bool,
}

/// What a journal holds of a call.
#[derive(Clone, Debug)]
pub(super) struct Journalled {
    pub(super) owner: Incarnation,
    pub(super) version: Version,
    pub(super) record: Record,
}

pub(super) struct Process {
    pub(super) member: Member,
    /// When its timer is due, in true time.
    pub(super) due: u64,
    pub(super) sends: Sends,
    pub(super) stream: Stream,
    pub(super) live: BTreeMap<CallId, Live>,
    pub(super) waiting: VecDeque<Waiting>,
    /// What is durable and waits for the right to send.
    pub(super) parked: Vec<(Save, Deed)>,
    /// Saves that the journal is writing.
    pub(super) unwritten: VecDeque<(u64, Save)>,
    pub(super) journal: u64,
    pub(super) writes_until: u64,
    pub(super) links: BTreeMap<usize, Link>,
    pub(super) table: Table,
    /// How many calls of each inheritance are not saved yet.
    pub(super) inherits: BTreeMap<Incarnation, Vec<usize>>,
    /// What the engine's watch has told.
    pub(super) told: BTreeMap<Incarnation, u64>,
    pub(super) told_at: u64,
    pub(super) starts: Starts,
}

pub(super) struct Node {
    pub(super) id: NodeId,
    pub(super) role: Role,
    pub(super) clock: Clock,
    pub(super) process: Option<Process>,
    /// How many processes it has had, so that what was meant for one before is lost.
    pub(super) processes: u32,
    pub(super) paused: bool,
    stalled: Vec<Work>,
    pub(super) hung: bool,
    unfinished: Vec<Work>,
    pub(super) journal: BTreeMap<CallId, Journalled>,
    pub(super) has_new_disk: bool,
    pub(super) usage: Usage,
    pub(super) disk: Disk,
}

impl Node {
    pub(super) fn new(id: NodeId, role: Role, dice: &mut Dice) -> Self {
        let clock =
            Clock { rate: dice.between(950, 1_051), since: (0, dice.between(1_000_000, 1_000_000_000_000)) };
        let usage = Usage { limit: 100, assets: Some(Digest::of(b"all")), ..Usage::NONE };
        Self {
            id,
            role,
            clock,
            process: None,
            processes: 0,
            paused: false,
            stalled: Vec::new(),
            hung: false,
            unfinished: Vec::new(),
            journal: BTreeMap::new(),
            has_new_disk: false,
            usage,
            disk: Disk::default(),
        }
    }
}

impl World {
    // ── processes ──

    pub(super) fn start(&mut self, node: usize) {
        if self.nodes[node].process.is_none() {
            self.register(node);
        }
    }

    /// Its key is about to be written.
    pub(super) fn registered(&mut self, node: usize, key: &Key) {
        let now = self.nodes[node].clock.at(self.now);
        if self.nodes[node].process.is_some() {
            // The next incarnation of one that was fenced: its key comes by the watch, too.
            self.plan_to(1_000, node, Work::Input(Input::Key(key.clone())));
            return;
        }
        let process = Process {
            member: Member::new(now, key, self.terms.clone()),
            due: self.now,
            sends: Sends::Not,
            stream: Stream::new(1, self.terms.promise),
            live: BTreeMap::new(),
            waiting: VecDeque::new(),
            parked: Vec::new(),
            unwritten: VecDeque::new(),
            journal: 0,
            writes_until: 0,
            links: BTreeMap::new(),
            table: Table::default(),
            inherits: BTreeMap::new(),
            told: BTreeMap::new(),
            told_at: 0,
            starts: Starts::default(),
        };
        self.nodes[node].process = Some(process);
        self.say(|_| format!("{} starts", key.incarnation));
        self.notify(Notice::Drops(node));
        let usage = self.nodes[node].usage;
        self.input(node, Input::Usage(usage));
        if self.scenario.copies.is_some() {
            let kept = (0..self.nodes.len()).filter(|mirror| self.keeps(node, *mirror));
            let mirrors = kept.map(|mirror| self.nodes[mirror].id).collect();
            self.input(node, Input::Mirrors(mirrors));
        }
        self.plan_to(1_000, node, Work::List);
        if self.scenario.starts && self.nodes[node].role == Role::Instance {
            self.plan_to(1_000, node, Work::LookAround);
        }
        self.connect_all(node);
    }

    pub(super) fn kill(&mut self, node: usize, again: Option<u64>, host: bool) {
        if self.nodes[node].process.is_none() {
            return;
        }
        let is_busy = self.speaks_for(node).len() > 1;
        self.judge.hit(if host { "host dead" } else { "kill" });
        if is_busy {
            self.judge.hit("death of one with calls");
        }
        let inherits = self.nodes[node].process.as_ref().is_some_and(|process| !process.inherits.is_empty());
        if inherits {
            self.judge.hit("death during a takeover");
        }
        if self.nodes[node].process.as_ref().is_some_and(|process| process.member.hands_over()) {
            self.judge.hit("death during a hand-over");
        }
        let noticed = if host { 2_000_000 } else { self.dice.between(500, 3_000) };
        self.leave_owners(node, noticed);
        self.leave_mirrors(node);
        self.notify(Notice::Drops(node));
        self.bury(node);
        let dead = &mut self.nodes[node];
        dead.processes += 1;
        dead.process = None;
        (dead.paused, dead.hung) = (false, false);
        dead.stalled.clear();
        dead.unfinished.clear();
        if let Some(again) = again {
            self.plan(again * 1_000, Event::Start(node));
        }
    }

    pub(super) fn wake(&mut self, node: usize) {
        self.nodes[node].paused = false;
        self.judge_speaks(node);
        for work in std::mem::take(&mut self.nodes[node].stalled) {
            self.work(node, work);
        }
        self.notify(Notice::Turns(node));
    }

    pub(super) fn turn_again(&mut self, node: usize) {
        self.nodes[node].hung = false;
        for work in std::mem::take(&mut self.nodes[node].unfinished) {
            self.work(node, work);
        }
        self.notify(Notice::Turns(node));
    }

    pub(super) fn work(&mut self, node: usize, work: Work) {
        if self.nodes[node].paused {
            self.nodes[node].stalled.push(work);
            return;
        }
        let is_of_threads = matches!(work, Work::Written(..) | Work::Turn(_) | Work::Forget(_));
        if self.nodes[node].hung && is_of_threads {
            self.nodes[node].unfinished.push(work);
            return;
        }
        match work {
            Work::Input(input) => self.input(node, input),
            Work::Register => self.register(node),
            Work::List => self.list(node),
            Work::Written(incarnation, number) => self.written(node, incarnation, number),
            Work::Connect(mirror) => self.connect(node, mirror),
            Work::Take { owner, connection, batch } => self.take(node, owner, connection, batch),
            Work::Held { mirror, connection, through } => self.held(node, mirror, connection, through),
            Work::Broken { mirror, connection } => self.broken(node, mirror, connection),
            Work::Turn(call) => self.turn(node, call),
            Work::Forget(call) => self.forget(node, call),
            Work::Asked(from, question) => self.asked(node, from, question),
            Work::Replied(from, number, reply) => self.replied(node, from, number, reply),
            Work::Unanswered(number) => self.concluded(node, number),
            Work::LookAround => self.look_around(node),
            Work::Gather(inheritance, since) => self.gather(node, inheritance, since),
            Work::HandOver => self.hand_over(node),
            Work::LaidDown(of) => self.laid_down(node, of),
        }
    }

    // ── the member ──

    pub(super) fn timed_out(&mut self, node: usize) {
        let Some(process) = &self.nodes[node].process else { return };
        let saved = process.stream.saved();
        self.input(node, Input::Saved(saved));
        self.input(node, Input::TimedOut);
        self.durable_now(node);
    }

    pub(super) fn input(&mut self, node: usize, input: Input) {
        if self.rests {
            return;
        }
        if self.nodes[node].paused {
            self.nodes[node].stalled.push(Work::Input(input));
            return;
        }
        self.note_claim(node, &input);
        let now = self.nodes[node].clock.at(self.now);
        let Some(process) = &mut self.nodes[node].process else { return };
        if let Input::KeyGone(one) = &input {
            process.table.forget(*one);
        }
        process.member.handle(now, input);
        while let Some(output) =
            self.nodes[node].process.as_mut().and_then(|process| process.member.poll_output())
        {
            self.carry_out(node, output);
        }
        self.refresh(node);
    }

    /// Its timer may be due at another time.
    pub(super) fn refresh(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        if let Some(process) = &mut node.process {
            process.due = node.clock.when(process.member.poll_timeout());
        }
    }

    fn carry_out(&mut self, node: usize, output: Output) {
        match output {
            Output::Send { to, message } => self.send(node, to, message),
            Output::SpeakUntil(until) => self.speak(node, until),
            Output::SpeakAlways => panic!("there are voters"),
            Output::BeSilent => self.be_silent(node),
            Output::LayDown => self.lay_down(node),
            Output::Seal { target, asked } => {
                let is_mirror = self.nodes[node].role == Role::Instance;
                let process = self.nodes[node].process.as_mut();
                let held = process.filter(|_| is_mirror).and_then(|process| process.table.seal(target));
                self.input(node, Input::Sealed { target, asked, held });
            }
            Output::Unseal(target) => {
                self.judge.hit("unsealed");
                if let Some(process) = &mut self.nodes[node].process {
                    process.table.unseal(target);
                }
            }
            Output::Known(number) => {
                if let Some(process) = &mut self.nodes[node].process {
                    process.stream.known(number);
                }
                self.durable_now(node);
            }
            Output::Claim(mut transaction) => {
                transaction.claim.stale &= self.switch != Switch::NeverStale;
                self.request(node, Output::Claim(transaction));
            }
            Output::Read(_) | Output::Rejoin(_) | Output::Change { .. } | Output::Release { .. } => {
                self.request(node, output);
            }
            Output::TakeOver(inheritance) => self.take_over(node, inheritance),
            Output::TakeSeat(taking) => self.wants_seat(node, taking),
            Output::Begin(next) => self.begins(node, next),
            Output::Fenced { by } => {
                self.judge.hit("fenced");
                self.say(|world| format!("{} is fenced by {by:?}", world.nodes[node].id));
                // Of calls that were given away the records stay part of the stream until it begins anew.
                if !self.nodes[node].process.as_ref().is_some_and(|process| process.member.is_moving()) {
                    self.drop_calls(node);
                }
                self.nodes[node].journal.clear();
                let after = self.dice.between(1_000, 50_000);
                self.plan_to(after, node, Work::Register);
            }
        }
    }

    fn send(&mut self, node: usize, to: NodeId, mut message: Message) {
        if self.nodes[node].hung && matches!(message, Message::Beat(_)) {
            return;
        }
        if let Message::Vote(vote) = &mut message
            && self.switch == Switch::FindsAbsent
        {
            vote.verdict = Verdict::Absent(std::time::Duration::from_secs(5));
            vote.holding = if vote.holding == Holding::Open { Holding::Part } else { vote.holding };
        }
        let to = self.nodes.iter().position(|node| node.id == to).unwrap();
        let is_lost = self.now < HEALED * 1_000 && self.dice.is_in(self.scenario.loss_percent);
        if self.is_open(node, to, Traffic::Datagrams) && !is_lost {
            let after = self.dice.between(100, 3_000);
            self.plan_to(after, to, Work::Input(Input::Heard(message)));
        }
    }

    fn speak(&mut self, node: usize, until: Timestamp) {
        let Some(process) = &mut self.nodes[node].process else { return };
        let is_new = process.sends == Sends::Not;
        process.sends = Sends::Until(until);
        if is_new {
            let parked = std::mem::take(&mut process.parked);
            self.judge_speaks(node);
            parked.into_iter().for_each(|(save, deed)| self.does(node, &save, deed));
        }
    }

    fn be_silent(&mut self, node: usize) {
        let later = self.nodes[node].clock.at(self.now) + self.terms.promise;
        let switch = self.switch;
        self.say(|world| format!("{} is silent", world.nodes[node].id));
        let Some(process) = &mut self.nodes[node].process else { return };
        let gives_and_speaks = switch == Switch::HandsOverAndSpeaks && process.member.hands_over();
        let speaks_on = switch == Switch::SpeaksOn || gives_and_speaks;
        if process.sends != Sends::Not {
            process.sends = if speaks_on { Sends::Until(later) } else { Sends::Not };
            self.judge.hit("silenced");
            if !speaks_on {
                self.notify(Notice::Drops(node));
            }
        }
    }

    /// A draining node asks again and again, as long as it has calls.
    fn hand_over(&mut self, node: usize) {
        let has_calls = !self.speaks_for(node).is_empty();
        if self.nodes[node].usage.drains {
            if has_calls {
                self.input(node, Input::HandOver);
            }
            self.plan_to(HAND_OVER_AGAIN, node, Work::HandOver);
        }
    }

    /// Its calls are to be given away. Their records stay part of its stream: who joins it as a mirror now is told of them.
    fn lay_down(&mut self, node: usize) {
        self.judge.hit("laid down");
        let after = self.dice.between(100, 5_000);
        let switch = self.switch;
        let Some(process) = self.nodes[node].process.as_mut() else { return };
        let of = process.member.incarnation();
        let records = process.live.iter();
        let records = records.map(|(call, live)| (*call, live.version, live.record.clone())).collect();
        if switch != Switch::KeepsNoCopy {
            process.table.keep(of, process.stream.saved(), records);
        }
        self.plan_to(after, node, Work::LaidDown(of));
    }

    fn laid_down(&mut self, node: usize, of: Incarnation) {
        let process = self.nodes[node].process.as_ref();
        if process.is_some_and(|process| process.member.incarnation() == of) {
            let durable = self.durable(node);
            let through = (!durable.degraded).then_some(durable.through);
            self.input(node, Input::LaidDown { of, through });
        }
    }

    fn begins(&mut self, node: usize, next: Incarnation) {
        self.judge.hit("goes on as the next");
        self.say(|_| format!("{next} begins"));
        self.drop_calls(node);
        self.leave_owners(node, 2_000);
        self.leave_mirrors(node);
        let promise = self.terms.promise;
        if let Some(process) = &mut self.nodes[node].process {
            process.stream = Stream::new(1, promise);
            (process.journal, process.sends) = (0, Sends::Not);
            process.inherits.clear();
        }
        self.connect_all(node);
    }

    fn drop_calls(&mut self, node: usize) {
        if let Some(process) = &mut self.nodes[node].process {
            process.live.clear();
            process.starts.drops();
            process.waiting.clear();
            process.parked.clear();
            process.unwritten.clear();
        }
        self.notify(Notice::Drops(node));
    }
}
