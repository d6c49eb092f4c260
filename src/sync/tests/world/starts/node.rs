//! What a node does, in small: it takes start indications, dials, and forgets calls that are over.

use super::{Asked, Purpose, Question, Reply};
use crate::id::{CallId, Epoch, Revision};
use crate::sync::tests::world::World;
use crate::sync::tests::world::copies::{Record, Save};
use crate::sync::tests::world::node::{Deed, Live};
use crate::sync::tests::world::scenario::Switch;
use crate::sync::{Input, Key, NotAdmitted, Ownership, Placement, Standing};

impl World {
    pub(super) fn admit(&mut self, node: usize, epoch: u64, call: CallId, placement: Placement) -> Reply {
        let now_ms = self.now / 1_000;
        let now = self.nodes[node].clock.at(self.now);
        let may_send = self.may_send(node) && !self.nodes[node].hung;
        let is_unlucky = self.chance.is_in(15);
        let me = self.incarnation(node);
        let switch = self.switch;
        let has_result = self.nodes[node].disk.results.contains(&call);
        let Some(process) = self.nodes[node].process.as_mut() else { return Reply::Refused };
        let is_here = process.live.contains_key(&call) || has_result;
        if is_here {
            self.judge.hit("repeated to who has it");
            return Reply::Done;
        }
        let admitted = process.starts.admission.admit(now_ms, me, call, epoch, &placement);
        if let Err(why) = admitted {
            self.judge.hit(match why {
                NotAdmitted::Superseded => "superseded start",
                NotAdmitted::Another => "start for another",
                NotAdmitted::Before => "refused before",
                NotAdmitted::Late => "late start",
            });
            return Reply::Refused;
        }
        let is_speaking = process.member.standing() == Standing::Speaking && may_send;
        let is_degraded = process.stream.durable(now).degraded;
        if !is_speaking || is_degraded || is_unlucky {
            if switch != Switch::ForgetsRefusals {
                process.starts.admission.refuse(now_ms, call, placement.not_after_ms);
            }
            return Reply::Refused;
        }
        self.judge.hit("admitted");
        let version = (Epoch(me.run), Revision(1));
        process.starts.fresh.insert(call);
        process.live.insert(call, Live { version, record: Record::default(), speaks: false });
        let save = Save { call, version, record: Some(Record::default()) };
        self.save(node, &save, vec![Deed::Act]);
        Reply::Done
    }

    /// What depends on a call's record is sent: its INVITE, if it is new.
    pub(in crate::sync::tests::world) fn dials(&mut self, node: usize, call: CallId) {
        let Some(process) = &mut self.nodes[node].process else { return };
        if !process.starts.fresh.remove(&call) {
            return;
        }
        let (me, key) = (process.member.incarnation(), self.requests.calls[&call]);
        self.say(|_| format!("{me} dials {call} for request {key}"));
        self.judge.hit("dialled");
        let dialled = self.requests.dialled.entry(key).or_default();
        dialled.push((call, me));
        if dialled.len() > 1 {
            let wrong = format!("request {key} was dialled twice: {dialled:?}");
            self.judge.find(wrong);
        }
    }

    /// A call that is over: others keep its result before its record goes. Whether it may go now.
    pub(in crate::sync::tests::world) fn may_forget(&mut self, node: usize, call: CallId) -> bool {
        if !self.requests.calls.contains_key(&call) || self.switch == Switch::KeepsResults {
            return true;
        }
        self.nodes[node].disk.results.insert(call);
        let Some(starts) = self.starts(node) else { return true };
        let is_asked = |asked: &Asked| matches!(asked.purpose, Purpose::Keep(one) if one == call);
        if starts.told.contains(&call) || starts.asked.values().any(is_asked) {
            return starts.told.contains(&call);
        }
        let heard = self.living(node, true).into_keys().collect();
        self.ask(node, heard, &Question::Keep(call), Purpose::Keep(call));
        false
    }

    /// The engine tells of a claim.
    pub(in crate::sync::tests::world) fn note_claim(&mut self, node: usize, input: &Input) {
        let Some(starts) = self.starts(node) else { return };
        if let Input::KeyGone(one) = input {
            starts.fates.gone(*one);
        }
        if let Input::Key(Key { incarnation, ownership: Ownership::Claimed(claim), .. }) = input {
            starts.fates.claimed(*incarnation, claim.stale);
        }
    }
}
