//! A node and all telephones do not reach each other, while its peers and the engine do: nobody takes its calls over, and they end
//! because nothing comes from their callees.
//!
//! ```text
//! Deaf ─┬─ each SILENCE ─► who talks is told: 1 ─► OPTIONS; 2 ─► given up     who hears nothing hangs up
//!       └─ Hears
//! ```

use super::*;

/// Media threads tell so often that nothing comes.
const SILENCE: Duration = Duration::from_secs(6);

impl World<'_> {
    pub(super) fn goes_deaf(&mut self, node: usize, lasts: Duration) {
        let Some(members) = &mut self.members else { return };
        if !members.goes_deaf(node) {
            return;
        }
        self.say(|| {
            format!("node {node} and the telephones do not reach each other for {} ms", lasts.as_millis())
        });
        self.plan(SILENCE, Happening::Silence(node));
        self.plan(lasts, Happening::Hears(node));
    }

    /// Whether telephones do not reach who acts.
    pub(super) fn is_deaf(&self) -> bool {
        self.members.as_ref().is_some_and(|members| members.is_deaf(usize::from(self.host)))
    }

    pub(super) fn hears_again(&mut self, node: usize) {
        self.say(|| format!("node {node} and the telephones reach each other again"));
        self.members.iter_mut().for_each(|members| members.hears_again(node));
    }

    /// Nothing came for so long, or longer. Until nobody is left who hears nothing this comes again.
    pub(super) fn goes_unheard(&mut self, node: usize) {
        let Some(members) = &self.members else { return };
        let is_deaf = members.is_deaf(node);
        let is_served = |callee: &usize| self.placed.get(callee).is_some_and(|call| members.serves(*call));
        let callees = (0..self.scenario.callees.len()).filter(|callee| self.phones[*callee].is_open());
        let in_vain: Vec<usize> =
            callees.filter(|callee| self.phones[*callee].was_answered() && !is_served(callee)).collect();
        if is_deaf || !in_vain.is_empty() {
            self.plan(SILENCE, Happening::Silence(node));
        }
        for phone in in_vain {
            if self.dice.one_in(2) {
                let after = Duration::from_millis(self.dice.below(10_000));
                self.plan(after, Happening::Acts(phone, Act::HangUp));
            }
        }
        if is_deaf {
            self.at(node, Self::tell_silence);
        }
    }

    fn tell_silence(&mut self) {
        let now = self.clock();
        let Some(process) = self.process.as_mut().filter(|process| process.stopped.is_none()) else { return };
        let mut told = Vec::new();
        for (call, live) in &mut process.calls {
            if live.stream.is_some_and(|stream| stream.sends && now >= stream.since + SILENCE) {
                live.unheard += 1;
                told.push((*call, live.unheard));
            }
        }
        for (call, times) in told {
            self.feed(call, Input::MediaSilent { times });
        }
    }
}
