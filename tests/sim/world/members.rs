//! Several instances: members of sync's decide whose a call is, each node carries its calls, and all of them reach the same
//! telephones.
//!
//! ```text
//!  agenda ─ at whose process? ─► that node acts: its process, its clocks, what waits for it
//!                                   │ Save ▼        ▲ Drops, Stops, Turns, Leaves, Falls
//!                                  sync's world: journals, mirrors, engine, promises, claims
//! ```
//! What goes wrong befalls sync's world; a node's telephony follows it. Results are kept where all look for them, and
//! finished recordings too; what was written of a take that was being made stays behind with its node.

use super::*;
use crate::sync::Incarnation;
use crate::sync::tests::world::{Falls, Notice, Switch as Break, World as Sync};

/// How often it is looked whether all is over.
const LOOK: Duration = Duration::from_millis(100);
/// No node may begin a call: so long until it is tried again.
const AGAIN: Duration = Duration::from_millis(100);
/// From the end of what goes wrong until every call that is not lost goes on somewhere.
const PATIENCE: Duration = Duration::from_secs(5);

/// A node, while another one acts.
#[derive(Default)]
struct Home {
    process: Option<Process>,
    clocks: Clocks,
    /// What came in while its threads stood still.
    stalled: Vec<Happening>,
    /// Calls that went on elsewhere, or may: their messages are not denied.
    left: BTreeSet<CallId>,
    /// When it last had calls, by its clock.
    carried: Option<Timestamp>,
    /// When the next of its calls is due.
    due: Option<Timestamp>,
    /// It died with calls, or with records of some.
    had_calls: Option<bool>,
    /// Telephones do not reach it, nor it them.
    is_deaf: bool,
}

pub(super) struct Members {
    sync: Sync,
    homes: Vec<Home>,
    /// What was saved, until something that depends on it leaves.
    saves: BTreeMap<u32, Record>,
    look_at: Timestamp,
    healed_at: Timestamp,
    /// Who takes a call over first dies so long after.
    second: Option<Duration>,
}

impl Members {
    pub(super) fn of(
        scenario: &Scenario,
        switch: Switch,
        start: Timestamp,
        logged: bool,
    ) -> Option<Box<Self>> {
        let wrong = scenario.members.as_ref()?;
        let switch = if let Switch::Members(switch) = switch { switch } else { Break::Whole };
        let sync = Sync::around(wrong, switch, logged);
        let mut dice = Dice::new(scenario.seed ^ 0xC10C);
        let home = |_| {
            let most: u64 = if dice.one_in(6) { 20_000 } else { 400 };
            let mut clocks = Clocks::default();
            clocks.moves(
                i64::try_from(dice.below(most)).expect("small") - i64::try_from(most / 2).expect("small"),
            );
            Home { clocks, ..Home::default() }
        };
        let homes = (0..sync.count()).map(home).collect();
        let second = scenario.second_us.map(Duration::from_micros);
        let healed_at = start + Duration::from_millis(wrong.healed_at());
        Some(Box::new(Self { sync, homes, saves: BTreeMap::new(), look_at: start, healed_at, second }))
    }

    /// False if it is already.
    pub(super) fn goes_deaf(&mut self, node: usize) -> bool {
        !std::mem::replace(&mut self.homes[node].is_deaf, true)
    }

    /// Whether a node has the call that telephones reach.
    pub(super) fn serves(&self, call: CallId) -> bool {
        self.with_call(call).is_some_and(|node| !self.is_deaf(node))
    }

    pub(super) fn hears_again(&mut self, node: usize) {
        let home = &mut self.homes[node];
        home.is_deaf = false;
        home.process
            .iter_mut()
            .flat_map(|process| process.calls.values_mut())
            .for_each(|live| live.unheard = 0);
    }

    pub(super) fn is_deaf(&self, node: usize) -> bool {
        self.homes[node].is_deaf
    }

    /// When something happens to a member, or at a call.
    pub(super) fn next_due(&self, start: Timestamp) -> Option<Timestamp> {
        let calls = self.homes.iter().filter_map(|home| home.due);
        calls.chain([start + Duration::from_micros(self.sync.next_at())]).min()
    }

    fn at_process(&self, number: u32) -> Option<usize> {
        let has = |home: &Home| home.process.as_ref().is_some_and(|process| process.number == number);
        self.homes.iter().position(has)
    }

    fn with_call(&self, call: CallId) -> Option<usize> {
        let has =
            |home: &Home| home.process.as_ref().is_some_and(|process| process.calls.contains_key(&call));
        self.homes.iter().position(has)
    }

    /// Calls that nobody has, and that may be lost because more than one thing went wrong.
    pub(super) fn lost(&self) -> Vec<CallId> {
        self.sync.lost()
    }

    /// A call of the node that acts saves. The number of the save.
    pub(super) fn saves(&mut self, host: u8, record: &Record, ended: bool, of: Option<Incarnation>) -> u64 {
        let version = (record.epoch, record.revision);
        let kept = (Bytes::from(record.bytes.clone()), ended);
        let number = self.sync.save_call(usize::from(host), (record.call_id, version), kept, of);
        self.saves.insert(number, record.clone());
        u64::from(number)
    }

    pub(super) fn forgets(&mut self, host: u8, call: CallId) {
        self.sync.forget_call(usize::from(host), call);
    }

    pub(super) fn may_send(&self, host: u8) -> bool {
        self.sync.may_send(usize::from(host))
    }

    pub(super) fn durable(&mut self, host: u8, call: CallId) -> Option<(Epoch, Revision)> {
        self.sync.durable_version(usize::from(host), call)
    }

    /// Under which ownership the node that acts begins a call.
    pub(super) fn begins(&mut self, host: u8) -> Option<Epoch> {
        self.sync.may_begin(usize::from(host))
    }

    /// Whether a message for a call that is not here is answered: by who may send, and of whose it never was.
    pub(super) fn denies(&self, host: u8, call: CallId) -> bool {
        self.may_send(host) && !self.homes[usize::from(host)].left.contains(&call)
    }
}

/// When the next call of a process is due, in true time.
pub(super) fn next_call(process: Option<&Process>, clocks: Clocks) -> Option<Timestamp> {
    let awake = process.filter(|process| process.stopped.is_none())?;
    let due = awake.calls.values().filter_map(|live| live.call.poll_timeout()).min()?;
    Some(clocks.shows(due))
}

impl World<'_> {
    /// Something happens, at a node if it is one's.
    pub(super) fn happen_somewhere(&mut self, happening: Happening) {
        let Some(members) = &self.members else { return self.happen(happening) };
        let hears = |node: &usize| !members.is_deaf(*node);
        let node = match &happening {
            Happening::ToInstance(_, to, _) => host_of(to.ip()).filter(hears),
            Happening::Rtp(_, host, _) => host_of(*host).filter(hears),
            Happening::Ears(number, ..)
            | Happening::Listens(number, ..)
            | Happening::Filed(number, ..)
            | Happening::PromptEnds(number, _)
            | Happening::DiskDone(number)
            | Happening::Stored(number, ..)
            | Happening::Told(number, ..)
            | Happening::Leaves(number, ..)
            | Happening::Falls(number, _) => members.at_process(*number),
            Happening::Fault(Fault::Stop { callee, .. } | Fault::StopAtEnd { callee, .. }) => {
                self.placed.get(callee).and_then(|call| members.with_call(*call))
            }
            Happening::Fault(Fault::Step { at_ms, .. }) => {
                usize::try_from(*at_ms).ok().map(|at| at % members.homes.len())
            }
            Happening::Silence(node) => return self.goes_unheard(*node),
            Happening::Hears(node) => return self.hears_again(*node),
            Happening::Place(callee) => self.pick(*callee),
            Happening::Strikes(node) => {
                let node = *node;
                self.say(|| format!("node {node} dies of it"));
                self.members.iter_mut().for_each(|members| members.sync.strike(node));
                return self.follow_members();
            }
            // A telephone's, or nobody's.
            _ => return self.happen(happening),
        };
        if let Some(node) = node {
            self.at(node, |world| world.happen(happening));
        }
    }

    /// A node that may begin a call, if there is one.
    fn pick(&mut self, callee: usize) -> Option<usize> {
        let members = self.members.as_mut()?;
        let ready: Vec<usize> =
            (0..members.homes.len()).filter(|node| members.sync.may_begin(*node).is_some()).collect();
        if ready.is_empty() {
            self.plan(AGAIN, Happening::Place(callee));
            return None;
        }
        Some(ready[self.dice.place(ready.len())])
    }

    /// Lets a node act.
    pub(super) fn at<T>(&mut self, node: usize, act: impl FnOnce(&mut Self) -> T) -> T {
        self.host = u8::try_from(node).expect("few");
        self.swap(node);
        let acted = act(self);
        let due = next_call(self.process.as_ref(), self.clocks);
        self.swap(node);
        self.members.as_mut().expect("there are some").homes[node].due = due;
        acted
    }

    fn swap(&mut self, node: usize) {
        let home = &mut self.members.as_mut().expect("there are some").homes[node];
        std::mem::swap(&mut self.process, &mut home.process);
        std::mem::swap(&mut self.clocks, &mut home.clocks);
        std::mem::swap(&mut self.stalled, &mut home.stalled);
    }

    /// What is due at members and their calls. True: all is over.
    pub(super) fn members_turn(&mut self) -> bool {
        let elapsed = u64::try_from(self.now.since(self.start).as_micros()).expect("short");
        let Some(members) = &mut self.members else { return false };
        members.sync.go_to(elapsed);
        while let Some(members) = self.members.as_mut().filter(|members| members.sync.next_at() <= elapsed) {
            members.sync.goes_on();
            self.follow_members();
        }
        let is_due = |home: &Home| home.due.is_some_and(|due| due <= self.now);
        let due = self.members.iter().flat_map(|members| members.homes.iter().map(is_due));
        for node in due.enumerate().filter(|(_, is_due)| *is_due).map(|(node, _)| node).collect::<Vec<_>>() {
            self.at(node, |world| {
                for call in world.due_calls() {
                    world.feed(call, Input::TimedOut);
                }
            });
        }
        self.judge_members();
        self.is_over()
    }

    fn is_over(&mut self) -> bool {
        let is_struck = self.agenda.values().any(|one| matches!(one, Happening::Strikes(_)));
        let Some(members) = self.members.as_mut().filter(|members| members.look_at <= self.now) else {
            return false;
        };
        members.look_at = self.now + LOOK;
        if !is_struck {
            members.sync.rest_if_well();
        }
        let has_calls = |home: &Home| home.process.as_ref().is_some_and(|process| !process.calls.is_empty());
        let is_healed = self.now > members.healed_at + PATIENCE;
        let (unended, lost) = (members.sync.unended(), members.lost());
        let are_lost = is_healed && !lost.is_empty();
        self.placed.len() == self.scenario.callees.len()
            && !members.homes.iter().any(has_calls)
            && members.sync.remembered().is_empty()
            && (unended.is_empty() || (is_healed && unended == lost))
            && (are_lost || !self.phones.iter().any(Telephone::is_open))
    }

    fn follow_members(&mut self) {
        while let Some(notice) = self.members.as_mut().and_then(|members| members.sync.poll_notice()) {
            match notice {
                Notice::Drops(node) => self.drops(node),
                Notice::Stops(node) => {
                    let now = self.now;
                    self.at(node, |world| {
                        let clock = world.clock();
                        if let Some(process) = &mut world.process {
                            process.stopped.get_or_insert(now);
                            world.judge.stands_still(clock, process.owned());
                        }
                    });
                }
                Notice::Turns(node) => {
                    let members = self.members.as_ref().expect("one of them notifies");
                    if !members.sync.stands_still(node) {
                        let speaks = members.sync.may_send(node);
                        let process = members.homes[node].process.as_ref();
                        let calls = process.iter().flat_map(|process| process.calls.keys());
                        self.judge.moves_again(calls.filter(|_| speaks).copied());
                        self.at(node, Self::wake);
                    }
                }
                Notice::Leaves { node, call, save } => {
                    self.plan_at(node, |number| Happening::Leaves(number, call, save));
                }
                Notice::Falls(falls) => {
                    let node = falls.node;
                    self.plan_at(node, |number| Happening::Falls(number, Box::new(falls)));
                }
            }
        }
    }

    /// Now, for the process that a node has now.
    fn plan_at(&mut self, node: usize, what: impl FnOnce(u32) -> Happening) {
        let process = self.members.as_ref().and_then(|members| members.homes[node].process.as_ref());
        if let Some(number) = process.map(|process| process.number) {
            self.plan(Duration::ZERO, what(number));
        }
    }

    /// A node has no calls any more, and goes on as another process would.
    fn drops(&mut self, node: usize) {
        let Some(members) = &mut self.members else { return };
        let (is_up, stands_still) = (members.sync.is_up(node), members.sync.stands_still(node));
        let home = &mut members.homes[node];
        let before = home.process.take();
        home.due = None;
        self.judge.stands_still(home.clocks.at(self.now), before.iter().flat_map(Process::owned));
        let calls = before.iter().flat_map(|process| process.calls.keys());
        let left = home.left.len();
        home.left.extend(calls);
        if home.left.len() > left {
            home.carried = Some(lives::beat(home.clocks.at(self.now)));
        }
        if is_up {
            if let Some(had_calls) = home.had_calls.take() {
                home.clocks.begin(self.now, home.carried, had_calls, false);
            }
            let stopped = before.and_then(|process| process.stopped).filter(|_| stands_still);
            home.process = Some(Process { stopped, ..Process::new(self.processes) });
            self.processes += 1;
        } else {
            home.stalled.clear();
            home.had_calls = Some(!home.left.is_empty());
        }
    }

    /// A save of a call is durable, and its owner may send.
    pub(super) fn leaves(&mut self, call: CallId, save: u32) {
        let record = self.members.as_mut().and_then(|members| members.saves.remove(&save));
        if let Some(record) = record {
            self.judge.durable(&record, &self.assets);
        }
        if let Some(process) = &mut self.process {
            process.durable = process.durable.max(u64::from(save) + 1);
        }
        self.release(call);
    }

    /// A call falls to the node that acts.
    pub(super) fn falls(&mut self, falls: &Falls) {
        let Falls { call: id, of, epoch, is_home, claims, stale, lost_for, .. } = *falls;
        let call = Call::restore(&falls.kept).expect("it was written by us");
        let callee = self.placed.iter().find(|(_, placed)| **placed == id).map(|(callee, _)| *callee);
        let callee = callee.expect("every call was placed");
        self.say(|| format!("{id} falls to node {}, home: {is_home}, stale: {stale}", falls.node));
        let stays = is_home || self.switch == Switch::MovesUnsaid;
        let alive = if stays {
            self.members.as_ref().and_then(|members| members.homes[falls.node].carried)
        } else {
            lost_for.map(|lost_for| self.clock() - lost_for)
        };
        let input = if stays && call.is_talking() && self.portless.contains(&id) {
            Input::PortsLost
        } else if stays {
            Input::Restored { alive, epoch: Some(epoch) }
        } else {
            self.disk.chunks.retain(|(of, _), _| *of != id);
            self.judge.moves(id, epoch);
            let media = self.port_for(&call, callee);
            let sent_by = vec![self.here()];
            Input::TakenOver(Box::new(TakenOver { epoch, claims, stale, alive, sent_by, media }))
        };
        let members = self.members.as_mut().expect("it fell to one");
        if stale && !members.sync.is_strict() {
            self.judge.forgives(id, call.attempt());
        }
        members.homes[falls.node].left.remove(&id);
        let second = members.second.take_if(|_| !is_home);
        let record = call.record();
        let mut live = Live::new(call, callee, (record.epoch, record.revision));
        live.fell = Some(of);
        if let Some(process) = &mut self.process {
            process.calls.insert(id, live);
        }
        if let Some(after) = second {
            self.plan(after, Happening::Strikes(falls.node));
        }
        self.feed(id, input);
    }

    /// No two speak to anybody; and what sync's own judge found, unless something of sync's is broken on purpose: then it is to be
    /// seen at the calls.
    fn judge_members(&mut self) {
        let Some(members) = &self.members else { return };
        let mut on_air: BTreeMap<CallId, usize> = BTreeMap::new();
        for (node, home) in members.homes.iter().enumerate().filter(|(node, _)| members.sync.may_send(*node))
        {
            let calls = home.process.iter().flat_map(|process| &process.calls);
            for (call, _) in calls.filter(|(_, live)| live.stream.is_some_and(|stream| stream.sends)) {
                if let Some(other) = on_air.insert(*call, node) {
                    self.judge.owners(|| format!("nodes {other} and {node} both speak on {call}"));
                }
            }
        }
        if let Some(wrong) = members.sync.wrong().filter(|_| self.switch == Switch::Whole) {
            self.judge.owners(|| wrong.clone());
        }
    }

    /// All is over: each call has ended, but for those that may be lost, whose telephones nobody hangs up.
    pub(super) fn close_members(&mut self, open: &mut Vec<String>) -> Option<BTreeMap<&'static str, u64>> {
        let members = self.members.as_mut()?;
        members.sync.judge_end();
        let lost = members.lost();
        if !lost.is_empty() {
            open.clear();
        }
        for home in &members.homes {
            let calls = home.process.iter().flat_map(|process| process.calls.values());
            open.extend(calls.map(|live| format!("call of {}: {:?}", live.callee, live.call.phase())));
        }
        open.extend(members.sync.remembered().iter().map(|call| format!("a record of {call}")));
        let gone = members.sync.lost_for_good();
        for callee in self.placed.iter().filter(|(_, call)| gone.contains(call)).map(|(callee, _)| *callee) {
            self.judge.excuses(callee);
        }
        if let Some(log) = &mut self.log {
            log.extend(members.sync.take_log().iter().map(|line| {
                let (at, what) = line.trim_start().split_once(' ').unwrap_or_default();
                format!("{:>9.3} s  sync: {what}", at.parse().unwrap_or(0.0) / 1e3)
            }));
            log.sort_by_key(|line| line.get(..9).map(str::to_owned));
        }
        let cover = members.sync.cover().clone();
        self.judge_members();
        Some(cover)
    }
}

/// The node at an address.
fn host_of(address: IpAddr) -> Option<usize> {
    (0..=u8::MAX - 1).find(|host| instance(*host).ip() == address).map(usize::from)
}
