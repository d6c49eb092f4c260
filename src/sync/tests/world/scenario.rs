//! What goes wrong in a world, by seed or by hand.

use std::time::Duration;

use crate::sync::Role;

/// Faults begin and all but deaths are healed by then, in ms of true time.
const FAULTS_FROM: u64 = 1_500;
pub(super) const HEALED: u64 = 6_500;

/// A seeded number below a bound.
#[derive(Clone, Debug)]
pub(in crate::sync::tests) struct Dice(pub(in crate::sync::tests) u64);

impl Dice {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound.max(1)
    }

    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low)
    }

    pub(super) fn index(&mut self, bound: usize) -> usize {
        usize::try_from(self.below(bound as u64)).unwrap()
    }

    pub(super) fn is_in(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// What of the traffic between two members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sync::tests) enum Traffic {
    Datagrams,
    Links,
    All,
}

/// What the engine does with those whom it does not serve well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sync::tests) enum Ill {
    /// What is asked is lost.
    Away,
    /// What is asked is done, and the answer is lost.
    Mute,
    /// It takes up to 1.5 s.
    Slow,
    /// It refuses at once; it is not known what was done (nothing).
    Refuses,
}

/// Something that goes wrong. `node: None` means everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sync::tests) enum Fault {
    /// A process dies; it is started again after so many ms, or never. Of a host that dies, nobody is told.
    Kill { node: usize, again: Option<u64>, host: bool },
    /// A machine that is down gets a new disk.
    NewDisk { node: usize },
    /// A process is stopped.
    Pause { node: usize },
    /// What one sends to another is lost.
    Cut { from: Option<usize>, to: Option<usize>, what: Traffic },
    /// The engine serves one, or nobody, ill.
    Engine { node: Option<usize>, ill: Ill },
    /// The disk and the threads of a node hang; its member does not beat, but answers.
    Hang { node: usize },
    /// A clock runs at another rate from now on, in thousandths.
    Drift { node: usize, rate: u64 },
    /// The settings name other voters: all members adopt the list.
    Voters { list: [usize; 3] },
    /// The settings say another T.
    Promise { ms: u64 },
    /// A node takes no more calls, and is to give away those that it has.
    Drain { node: usize },
}

/// A fault, when it begins and when it ends, in ms of true time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sync::tests) struct Event {
    pub(in crate::sync::tests) at: u64,
    pub(in crate::sync::tests) until: u64,
    pub(in crate::sync::tests) fault: Fault,
}

/// A world and what goes wrong in it.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(in crate::sync::tests) seed: u64,
    pub(in crate::sync::tests) roles: Vec<Role>,
    /// Which of them vote.
    pub(in crate::sync::tests) voters: Vec<usize>,
    pub(in crate::sync::tests) promise: Duration,
    /// How many others keep each stream; `None`: all.
    pub(in crate::sync::tests) copies: Option<usize>,
    pub(in crate::sync::tests) loss_percent: u64,
    /// How likely a call ends with its next reply.
    pub(in crate::sync::tests) ends_percent: u64,
    /// One fault at a time: nothing at all may be lost.
    pub(in crate::sync::tests) strict: bool,
    pub(in crate::sync::tests) faults: Vec<Event>,
    /// Requests are made, and control places them.
    pub(in crate::sync::tests) starts: bool,
}

impl Scenario {
    /// Instances that all vote (of 3 or 5) and keep all streams; no fault.
    pub(in crate::sync::tests) fn of_instances(count: usize) -> Self {
        Self {
            seed: 7,
            roles: vec![Role::Instance; count],
            voters: (0..count).collect(),
            promise: Duration::from_millis(250),
            copies: None,
            loss_percent: 0,
            ends_percent: 0,
            strict: true,
            faults: Vec::new(),
            starts: false,
        }
    }

    pub(crate) fn of(seed: u64) -> Self {
        let mut dice = Dice(seed.wrapping_mul(0x5851_F42D_4C95_7F2D) ^ 0xB470);
        let (instances, witnesses) = [(3, 0), (3, 0), (5, 0), (2, 1), (4, 1), (3, 2)][dice.index(6)];
        let nodes = instances + witnesses;
        let mut roles = vec![Role::Instance; instances];
        roles.resize(nodes, Role::Witness);
        let three = nodes == 3 || dice.is_in(40);
        let voters = if three { vec![0, 1, nodes - 1] } else { (0..nodes).collect() };
        let copies = (instances > 3 && dice.is_in(40)).then_some(2);
        let strict = dice.is_in(35);
        let mut scenario = Self {
            seed,
            roles,
            voters,
            promise: Duration::from_millis([250, 250, 200, 400][dice.index(4)]),
            copies,
            loss_percent: [0, 0, 2, 10][dice.index(4)],
            ends_percent: 4,
            strict,
            faults: Vec::new(),
            starts: false,
        };
        let count = if strict { 1 } else { dice.between(1, 5) };
        let mut lost = false;
        for _ in 0..count {
            let event = scenario.draw(&mut dice, &mut lost);
            scenario.faults.push(event);
        }
        scenario
    }

    fn draw(&self, dice: &mut Dice, lost: &mut bool) -> Event {
        let nodes = self.roles.len();
        let at = dice.between(FAULTS_FROM, 4_500);
        let until = (at + dice.between(20, 2_000)).min(HEALED);
        let (node, other) = (dice.index(nodes), dice.index(nodes));
        let what = [Traffic::All, Traffic::All, Traffic::Datagrams, Traffic::Links][dice.index(4)];
        let host = dice.is_in(30);
        let ill = [Ill::Away, Ill::Mute, Ill::Slow, Ill::Refuses][dice.index(4)];
        let fault = match dice.below(14) {
            0..=2 if !*lost => {
                *lost = true;
                Fault::Kill { node, again: None, host }
            }
            0..=3 => Fault::Kill { node, again: Some(dice.between(30, 1_500)), host },
            4 | 5 => Fault::Pause { node },
            6 => Fault::Cut { from: Some(node), to: None, what },
            7 => Fault::Cut { from: None, to: Some(node), what },
            8 => Fault::Cut { from: Some(node), to: Some(other), what },
            9 => Fault::Engine { node: Some(node), ill },
            10 => Fault::Engine { node: None, ill },
            11 => Fault::Hang { node },
            12 => Fault::Drift { node, rate: dice.between(950, 1_051) },
            _ if !self.strict && dice.is_in(50) => Fault::Cut { from: None, to: None, what },
            _ => Fault::Voters { list: [0, nodes - 2, nodes - 1] },
        };
        Event { at, until, fault }
    }

    /// The same world, in which nodes drain too.
    pub(crate) fn of_drains(seed: u64) -> Self {
        let mut scenario = Self::of(seed);
        let mut dice = Dice(seed ^ 0xD4);
        let nodes = scenario.roles.len();
        let drains = dice.between(1, 3);
        // Who has handed over begins anew as a mirror, too: an owner that has no other one goes on by its journal alone
        // for a moment, and to die in it is a second thing that goes wrong (seed 1036).
        let instances = scenario.roles.iter().filter(|role| **role == Role::Instance).count();
        scenario.strict &= drains == 1 && instances > 2;
        for _ in 0..drains {
            // Mostly while something else goes wrong, or just before or after.
            let near = scenario.faults.first().map_or(FAULTS_FROM, |fault| fault.at.saturating_sub(100));
            let at = if dice.is_in(70) { near + dice.below(250) } else { dice.between(FAULTS_FROM, 4_500) };
            let until = (at + dice.between(500, 3_000)).min(HEALED);
            scenario.faults.push(Event { at, until, fault: Fault::Drain { node: dice.index(nodes) } });
        }
        scenario
    }

    /// The same world, in which machines come back with a new disk.
    pub(crate) fn with_new_disks(mut self) -> Self {
        let renewed = |&Event { at, fault, .. }: &Event| {
            let Fault::Kill { node, again: Some(_), .. } = fault else { return None };
            Some(Event { at: at + 1, until: at + 2, fault: Fault::NewDisk { node } })
        };
        let renewed: Vec<Event> = self.faults.iter().filter_map(renewed).collect();
        self.faults.extend(renewed);
        self
    }

    /// The same world, in which T changes too.
    pub(in crate::sync::tests) fn of_terms(seed: u64) -> Self {
        let mut scenario = Self::of(seed);
        let mut dice = Dice(seed ^ 0x7E);
        for _ in 0..dice.between(1, 4) {
            // Mostly while something else goes wrong, or just before or after.
            let near = scenario.faults.first().map_or(FAULTS_FROM, |fault| fault.at.saturating_sub(150));
            let at = if dice.is_in(70) { near + dice.below(300) } else { dice.between(FAULTS_FROM, 4_500) };
            let ms = [150, 250, 400, 700, 1_000][dice.index(5)];
            scenario.faults.push(Event { at, until: at + 1, fault: Fault::Promise { ms } });
        }
        scenario
    }

    /// Leaves faults out as long as it is still wrong.
    pub(in crate::sync::tests) fn smallest(mut self, is_wrong: impl Fn(&Self) -> bool) -> Self {
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
pub(crate) enum Switch {
    Whole,
    /// The edge goes on sending for a while after its promises ran out.
    SpeaksOn,
    /// Voters find everybody absent.
    FindsAbsent,
    /// Successors do nothing.
    NeverTakesOver,
    /// What depends on a save leaves when the journal has it.
    SendsBeforeMirrored,
    /// A mirror that joins acknowledges all when half has come.
    HalfSnapshot,
    /// With no mirror the journal counts although no voter knows of it.
    AloneUnknown,
    /// Nothing is taken as stale.
    NeverStale,
    /// A successor says that all is saved before it is.
    SettlesEarly,
    /// What earlier claims gave is forgotten.
    ForgetsEarlier,
    /// Copies that are behind bring back what has ended.
    BringsBack,
    /// A successor goes on under the epoch of before.
    KeepsEpoch,
    /// A call that was taken over is forgotten as soon as it has ended.
    ForgetsAtOnce,
    /// The seat of control is taken from who sits there.
    SitsOnOthers,
    /// A start indication leaves when control alone has stored it.
    SendsUnstored,
    /// A node forgets what it refused.
    ForgetsRefusals,
    /// A call is placed anew as soon as its node was claimed.
    AnewAtOnce,
    /// A record goes when its result is kept where it ended, and nowhere else.
    KeepsResults,
    /// Who hands its calls over goes on sending.
    HandsOverAndSpeaks,
    /// Who hands its calls over keeps no copy of their records.
    KeepsNoCopy,
}
