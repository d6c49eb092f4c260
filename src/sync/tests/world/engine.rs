//! The engine: keys that are compared and set, and a watch that tells each node of them in order.

use std::collections::BTreeMap;

use super::scenario::Ill;
use super::{Event, Work, World};
use crate::sync::{
    Claim, ClaimResult, Heir, Incarnation, Input, Key, Output, Ownership, Role, Seat, Terms, Transaction,
};

/// How long an answer is waited for, in µs.
const PATIENCE: u64 = 300_000;
/// How often all keys are listed, in µs.
const LIST: u64 = 1_000_000;

#[derive(Debug, Default)]
pub(super) struct Engine {
    pub(super) keys: BTreeMap<Incarnation, Key>,
    pub(super) revision: u64,
    pub(super) seat: Option<Seat>,
}

impl Engine {
    pub(super) fn is_alive(&self, one: Incarnation) -> bool {
        matches!(self.keys.get(&one), Some(Key { ownership: Ownership::Alive(_), .. }))
    }

    fn is_as_of(&self, one: Incarnation, revision: u64) -> bool {
        self.keys.get(&one).is_some_and(|key| key.revision == revision)
    }
}

impl World {
    /// Writes keys by one transaction.
    fn write(&mut self, keys: Vec<Key>) {
        for key in keys {
            self.say(|_| format!("engine: {} @{} {:?}", key.incarnation, key.revision, key.ownership));
            if let Ownership::Claimed(claim) = &key.ownership {
                self.judge.claims.insert(key.incarnation, claim.clone());
            }
            self.engine.keys.insert(key.incarnation, key);
        }
        self.tell_all();
    }

    /// The watch of each node tells what it has not told yet, if the engine serves it.
    fn tell_all(&mut self) {
        for node in 0..self.nodes.len() {
            self.tell(node);
        }
    }

    fn tell(&mut self, node: usize) {
        let after = match self.ill(node) {
            None => self.dice.between(500, 20_000),
            Some(Ill::Slow) => self.dice.between(500, 1_500_000),
            Some(Ill::Away | Ill::Mute | Ill::Refuses) => return,
        };
        let now = self.now;
        let Some(process) = &mut self.nodes[node].process else { return };
        let at = process.told_at.max(now + after);
        process.told_at = at;
        let gone: Vec<Incarnation> =
            process.told.keys().filter(|one| !self.engine.keys.contains_key(one)).copied().collect();
        let news =
            self.engine.keys.values().filter(|key| process.told.get(&key.incarnation) != Some(&key.revision));
        let news: Vec<Input> = news.cloned().map(Input::Key).collect();
        process.told = self.engine.keys.values().map(|key| (key.incarnation, key.revision)).collect();
        let inputs = gone.into_iter().map(Input::KeyGone).chain(news);
        let current = Input::Current(self.engine.revision);
        let all: Vec<Input> = inputs.chain([current]).collect();
        all.into_iter().for_each(|input| self.plan_to(at - now, node, Work::Input(input)));
    }

    /// All keys are listed, again and again.
    pub(super) fn list(&mut self, node: usize) {
        self.tell(node);
        self.tell_seat(node);
        if self.reached("longer promises") || self.reached("shorter promises") {
            // What found another change under way is taken in when that is done.
            self.input(node, Input::Adopt(self.terms.clone()));
        }
        self.plan_to(LIST, node, Work::List);
    }

    pub(super) fn request(&mut self, node: usize, output: Output) {
        let process = self.nodes[node].processes;
        let after = self.dice.between(500, 8_000);
        self.plan(after, Event::Engine(node, process, output));
    }

    /// A request has reached the engine, or has not.
    pub(super) fn ask_engine(&mut self, node: usize, process: u32, request: &Output) {
        let ill = self.ill(node);
        if ill == Some(Ill::Slow) && self.dice.is_in(50) {
            // It is carried out when nobody waits for it any more.
            let after = self.dice.between(1_000, 700_000);
            self.plan(after, Event::Engine(node, process, request.clone()));
            self.judge.hit("engine late");
            self.answer(node, process, request, None, PATIENCE);
            return;
        }
        let result = match ill {
            Some(Ill::Away | Ill::Refuses) => None,
            None | Some(Ill::Mute | Ill::Slow) => Some(self.apply(request)),
        };
        let is_lost = ill == Some(Ill::Mute) || self.dice.is_in(3);
        let after = match ill {
            Some(Ill::Refuses) => 2_000,
            _ if is_lost || result.is_none() => PATIENCE,
            _ => self.dice.between(500, 8_000),
        };
        if is_lost && matches!(result, Some(Input::Claimed { result: ClaimResult::Won { .. }, .. })) {
            self.judge.hit("won and not told");
        }
        let result = result.filter(|_| !is_lost);
        self.answer(node, process, request, result, after);
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "what the engine does not answer is not waited for")]
    fn answer(&mut self, node: usize, process: u32, request: &Output, result: Option<Input>, after: u64) {
        let unknown = match request {
            Output::Read(target) => Input::Unread(*target),
            Output::Claim(transaction) | Output::Rejoin(transaction) => {
                Input::claimed(transaction, ClaimResult::Unknown)
            }
            Output::Change { target, .. } => Input::changed(*target, ClaimResult::Unknown),
            _ => return,
        };
        let input = result.unwrap_or(unknown);
        self.plan(after, Event::To(node, process, Work::Input(input)));
    }

    /// Does what is asked, if it may.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest is nothing for the engine")]
    fn apply(&mut self, request: &Output) -> Input {
        match request {
            Output::Read(target) => {
                let key = self.engine.keys.get(target).cloned();
                key.map_or(Input::KeyGone(*target), Input::Key)
            }
            Output::Claim(transaction) => {
                let heirs = &transaction.claim.heirs;
                let are_there = heirs.iter().all(|heir| self.engine.is_alive(heir.member));
                if !are_there {
                    self.judge.hit("an heir was just claimed");
                }
                let result = if are_there { self.claim(transaction) } else { ClaimResult::Lost };
                Input::claimed(transaction, result)
            }
            Output::Rejoin(transaction) => {
                let result = self.rejoin(transaction);
                Input::claimed(transaction, result)
            }
            Output::Change { target, revision, terms } => {
                let result = self.change(*target, *revision, terms);
                Input::changed(*target, result)
            }
            Output::Release { target, revision, gone } => {
                let is_free = gone.iter().all(|one| !self.engine.keys.contains_key(one));
                if self.engine.is_as_of(*target, *revision) && is_free {
                    self.engine.revision += 1;
                    self.engine.keys.remove(target);
                    self.judge.hit("released");
                    self.say(|_| format!("engine: {target} released"));
                    self.tell_all();
                }
                Input::TimedOut
            }
            other => panic!("{other:?} is nothing for the engine"),
        }
    }

    fn claim(&mut self, transaction: &Transaction) -> ClaimResult {
        let Transaction { target, revision, claim } = transaction;
        if !(self.engine.is_alive(*target) && self.engine.is_as_of(*target, *revision)) {
            self.judge.hit(if claim.round == 0 { "lost hand-over" } else { "lost claim" });
            return ClaimResult::Lost;
        }
        self.judge.hit("claim");
        if claim.round == 0 {
            self.judge.hit("handed over");
        }
        if claim.stale {
            self.judge.hit("stale claim");
        }
        if claim.by.node != target.node
            && self.nodes.iter().any(|node| node.id == claim.by.node && node.role == Role::Witness)
        {
            self.judge.hit("claim by a witness");
        }
        self.engine.revision += 1;
        let revision = self.engine.revision;
        let role = self.engine.keys[target].role;
        let ownership = Ownership::Claimed(claim.clone());
        self.write(vec![Key { incarnation: *target, revision, role, ownership }]);
        ClaimResult::Won { revision }
    }

    fn rejoin(&mut self, transaction: &Transaction) -> ClaimResult {
        let Transaction { target, revision, claim } = transaction;
        if !(self.engine.is_alive(*target) && self.engine.is_as_of(*target, *revision)) {
            self.judge.hit("lost rejoin");
            return ClaimResult::Lost;
        }
        self.judge.hit("rejoin");
        self.engine.revision += 1;
        let revision = self.engine.revision;
        let role = self.engine.keys[target].role;
        let key = |incarnation, ownership| Key { incarnation, revision, role, ownership };
        let alive = key(claim.by, Ownership::Alive(self.terms.clone()));
        self.write(vec![alive, key(*target, Ownership::Claimed(claim.clone()))]);
        ClaimResult::Won { revision }
    }

    fn change(&mut self, target: Incarnation, revision: u64, terms: &Terms) -> ClaimResult {
        if !(self.engine.is_alive(target) && self.engine.is_as_of(target, revision)) {
            return ClaimResult::Lost;
        }
        self.judge.hit("terms changed");
        self.engine.revision += 1;
        let revision = self.engine.revision;
        let role = self.engine.keys[&target].role;
        self.write(vec![Key {
            incarnation: target,
            revision,
            role,
            ownership: Ownership::Alive(terms.clone()),
        }]);
        ClaimResult::Won { revision }
    }

    /// A process begins, or one that was fenced begins anew: it registers its next incarnation. The journal's lock shows
    /// that the process before is dead: its key is claimed with it.
    pub(super) fn register(&mut self, node: usize) {
        if self.ill(node).is_some_and(|ill| ill != Ill::Slow) {
            self.plan_to(50_000, node, Work::Register);
            return;
        }
        let (id, role) = (self.nodes[node].id, self.nodes[node].role);
        self.judge.hit("registered");
        self.engine.revision += 1;
        let revision = self.engine.revision;
        let incarnation = Incarnation { node: id, run: revision };
        let alive = Ownership::Alive(self.terms.clone());
        let key = Key { incarnation, revision, role, ownership: alive };
        let olds = self.engine.keys.values().filter(|key| key.incarnation.node == id);
        let olds = olds.filter(|key| self.engine.is_alive(key.incarnation)).cloned();
        let heirs = vec![Heir { member: incarnation, free: 1 }];
        let stale = std::mem::take(&mut self.nodes[node].has_new_disk);
        let claim = Claim { by: incarnation, round: 0, heirs, through: u64::MAX, stale };
        let claimed = Ownership::Claimed(claim);
        let claims = olds.map(|old| Key { revision, ownership: claimed.clone(), ..old });
        let keys = [key.clone()].into_iter().chain(claims).collect();
        self.registered(node, &key);
        self.write(keys);
    }
}
