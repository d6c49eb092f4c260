//! Saves and what waits for them: nothing that depends on one leaves before it is durable. And the calls that save, and
//! what journals hold.

use super::copies::{Record, Save};
use super::node::{Deed, Journalled, Live, Process, Sends, Waiting, Work};
use super::scenario::Switch;
use super::{CALLS, Notice, World};
use crate::id::{CallId, Epoch, Revision};
use crate::sync::{Copy, Incarnation, Role, Standing};

impl World {
    // ── saves ──

    /// Saves, and does something when that is durable.
    pub(super) fn save(&mut self, node: usize, save: &Save, deeds: Vec<Deed>) {
        let now = self.nodes[node].clock.at(self.now);
        let after = self.dice.between(200, 4_000);
        let true_now = self.now;
        let Some(process) = &mut self.nodes[node].process else { return };
        let number = process.stream.save(now);
        let at = process.writes_until.max(true_now + after);
        process.writes_until = at;
        process.unwritten.push_back((number, save.clone()));
        let incarnation = process.member.incarnation();
        process.waiting.push_back(Waiting { number, save: save.clone(), deeds });
        self.plan_to(at - true_now, node, Work::Written(incarnation, number));
        self.look_again(node);
        self.feed(node, number, save);
    }

    pub(super) fn written(&mut self, node: usize, incarnation: Incarnation, number: u64) {
        let Some(process) = &mut self.nodes[node].process else { return };
        if process.member.incarnation() != incarnation {
            return;
        }
        if let Some((_, save)) = process.unwritten.pop_front_if(|(first, _)| *first <= number) {
            let Save { call, version, record } = save;
            match record {
                Some(record) => {
                    let journalled = Journalled { owner: incarnation, version, record };
                    self.nodes[node].journal.insert(call, journalled);
                }
                None => drop(self.nodes[node].journal.remove(&call)),
            }
        }
        if let Some(process) = &mut self.nodes[node].process {
            process.journal = number.max(process.journal);
            process.stream.journal_has(number);
        }
        self.durable_now(node);
    }

    pub(super) fn held(&mut self, node: usize, mirror: usize, connection: u64, through: u64) {
        let now = self.nodes[node].clock.at(self.now);
        let Some(process) = &mut self.nodes[node].process else { return };
        let Some(link) = process.links.get(&mirror).filter(|link| link.connection == connection) else {
            return;
        };
        process.stream.acknowledged(now, link.by, through);
        self.durable_now(node);
    }

    /// Does what waited for saves that are durable now.
    pub(super) fn durable_now(&mut self, node: usize) {
        let now = self.nodes[node].clock.at(self.now);
        let (switch, rests) = (self.switch, self.rests);
        let Some(process) = &mut self.nodes[node].process else { return };
        // Members that rest would beat, and be heard.
        if switch == Switch::AloneUnknown || rests {
            process.stream.known(u64::MAX);
        }
        let durable = process.stream.durable(now);
        let through = if switch == Switch::SendsBeforeMirrored { process.journal } else { durable.through };
        let mut done = Vec::new();
        while let Some(waiting) = process.waiting.pop_front_if(|waiting| waiting.number <= through) {
            done.push(waiting);
        }
        if durable.degraded && !done.is_empty() {
            self.judge.hit("journal alone");
        }
        for Waiting { save, deeds, .. } in done {
            deeds.into_iter().for_each(|deed| self.does(node, &save, deed));
        }
    }

    pub(super) fn does(&mut self, node: usize, save: &Save, deed: Deed) {
        match deed {
            Deed::Settle(of) => self.one_settled(node, of),
            Deed::Act => {
                if !self.may_send(node) {
                    // Who may not send yet waits; what who is silent had parked is dropped.
                    if let Some(process) = &mut self.nodes[node].process
                        && process.member.standing() == Standing::Waiting
                    {
                        self.judge.hit("waits for the right");
                        process.parked.push((save.clone(), deed));
                    }
                    return;
                }
                let Save { call, version, record: Some(record) } = save else { return };
                let Some(process) = &mut self.nodes[node].process else { return };
                let owner = process.member.incarnation();
                let Some(live) = process.live.get_mut(call) else { return };
                let begins = !std::mem::replace(&mut live.speaks, true);
                self.dials(node, *call);
                let strict = self.scenario.strict;
                self.judge.acts(*call, owner, *version, record, strict);
                if begins {
                    self.judge_speaks(node);
                    self.say(|_| format!("{owner} speaks for {call}"));
                }
                if self.notices.is_some() {
                    let save = record.replies.last().copied().unwrap_or_default();
                    return self.notify(Notice::Leaves { node, call: *call, save });
                }
                let after = self.dice.between(40_000, 400_000);
                if record.ended {
                    self.plan_to(after / 4, node, Work::Forget(*call));
                } else if begins {
                    self.plan_to(after, node, Work::Turn(*call));
                }
            }
        }
    }

    // ── calls ──

    /// Calls are placed, where one may begin.
    pub(super) fn place_all(&mut self) {
        if self.notices.is_some() {
            return;
        }
        let at_first = self.judge.calls.is_empty();
        let count = self.nodes.len();
        let whom: Vec<usize> = if at_first { (0..count).collect() } else { vec![self.dice.index(count)] };
        let calls = if at_first { CALLS } else { usize::from(self.places) };
        for node in whom {
            for _ in 0..calls {
                self.place(node);
            }
        }
    }

    /// Under which ownership this node may begin a call, if it may.
    pub(crate) fn may_begin(&mut self, node: usize) -> Option<Epoch> {
        let now = self.nodes[node].clock.at(self.now);
        let is_ready =
            self.nodes[node].role == Role::Instance && !self.nodes[node].hung && self.may_send(node);
        let process = self.nodes[node].process.as_mut().filter(|_| is_ready)?;
        if process.stream.durable(now).degraded {
            self.judge.hit("no start on the journal alone");
            return None;
        }
        Some(Epoch(process.member.incarnation().run))
    }

    /// Places a call, if this node may begin one.
    pub(super) fn place(&mut self, node: usize) -> Option<CallId> {
        let version = (self.may_begin(node)?, Revision(1));
        let process = self.nodes[node].process.as_mut()?;
        let call = CallId::mint(&mut self.mint);
        let record = Record::default();
        process.live.insert(call, Live { version, record: record.clone(), speaks: false });
        self.save(node, &Save { call, version, record: Some(record) }, vec![Deed::Act]);
        Some(call)
    }

    pub(super) fn turn(&mut self, node: usize, call: CallId) {
        if !self.may_send(node) {
            return;
        }
        let ends = self.dice.is_in(self.scenario.ends_percent);
        let again = self.dice.between(40_000, 400_000);
        let Some(process) = &mut self.nodes[node].process else { return };
        let Some(live) = process.live.get_mut(&call).filter(|live| !live.record.ended) else { return };
        self.reply += 1;
        live.record.replies.push(self.reply);
        live.record.ended = ends;
        live.version.1.0 += 1;
        let save = Save { call, version: live.version, record: Some(live.record.clone()) };
        self.save(node, &save, vec![Deed::Act]);
        if !ends {
            self.plan_to(again, node, Work::Turn(call));
        }
    }

    /// Whether a call was taken over by a claim that is not carried out yet: its record stays.
    fn is_claim_open(&mut self, node: usize, call: CallId) -> bool {
        let process = self.nodes[node].process.as_ref();
        let is_open = process.is_some_and(|process| {
            let epoch = process.live.get(&call).map(|live| live.version.0);
            process.member.open_claims().any(|open| Some(open) == epoch)
        });
        if is_open {
            self.judge.hit("ended before its claim was carried out");
        }
        is_open && self.switch != Switch::ForgetsAtOnce
    }

    pub(super) fn forget(&mut self, node: usize, call: CallId) {
        let is_live =
            self.nodes[node].process.as_ref().is_some_and(|process| process.live.contains_key(&call));
        if !is_live || !self.may_forget(node, call) {
            return;
        }
        if self.is_claim_open(node, call) {
            return self.plan_to(10_000, node, Work::Forget(call));
        }
        let gives = |process: &&mut Process| process.member.is_moving() && process.sends == Sends::Not;
        let process = self.nodes[node].process.as_mut();
        let Some(process) = process.filter(|process| !gives(process)) else { return };
        let Some(mut live) = process.live.remove(&call) else { return };
        live.version.1.0 += 1;
        self.save(node, &Save { call, version: live.version, record: None }, Vec::new());
    }

    /// A machine that is down gets a new disk.
    pub(super) fn renew_disk(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        if node.process.is_none() {
            node.journal.clear();
            node.has_new_disk = true;
            self.judge.hit("new disk");
        }
    }

    /// What its journal holds of an earlier incarnation.
    pub(super) fn journalled(&self, node: usize, owner: Incarnation) -> Copy<Record> {
        let records = self.nodes[node].journal.iter().filter(|(_, journalled)| journalled.owner == owner);
        let record = |(call, journalled): (&CallId, &Journalled)| {
            (*call, journalled.version, journalled.record.clone())
        };
        Copy::of_journal(owner, records.map(record).collect())
    }
}
