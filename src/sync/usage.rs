//! What a node has to do, and which node a start indication goes to.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::{Digest, NodeId};

/// Media threads that are later than this lose packets to jitter buffers: such a node gets no start.
const LATE: Duration = Duration::from_millis(10);
/// What is left of a node's weight when its processors are wholly busy, in percent: that is no harm to its calls as long
/// as it is not late, and what two nodes see of one busy moment differs.
const BUSY_PERCENT: u64 = 25;

/// What a member has to do at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Most calls that it takes; 0: it takes none.
    pub limit: u32,
    /// Calls without an outcome.
    pub calls: u32,
    /// How late its media threads were in the last second, at the 99th percentile, in microseconds.
    pub late_us: u32,
    /// How busy its processors are, in percent.
    pub cpu_percent: u8,
    /// Whether it takes no more calls by order.
    pub drains: bool,
    /// What its questionnaires, prompts, dialplans and trunks are, as one digest.
    pub assets: Option<Digest>,
}

impl Usage {
    /// Of a member that takes no calls.
    pub const NONE: Self =
        Self { limit: 0, calls: 0, late_us: 0, cpu_percent: 0, drains: false, assets: None };

    /// Calls that it could take over.
    #[must_use]
    pub const fn free(&self) -> u32 {
        if self.drains { 0 } else { self.limit.saturating_sub(self.calls) }
    }

    /// Whether it would get starts of its own data.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.weight(0) > 0
    }

    /// The weight with which it gets starts; 0: none. What is free, less what its processors lack.
    fn weight(&self, started: u32) -> u64 {
        let is_late = u128::from(self.late_us) > LATE.as_micros();
        if is_late {
            return 0;
        }
        let spare = 100 - u64::from(self.cpu_percent.min(100)) * (100 - BUSY_PERCENT) / 100;
        u64::from(self.free().saturating_sub(started)) * spare
    }
}

/// Gives starts to nodes in proportion to what they have free.
///
/// Smooth weighted round-robin: each start adds every node's weight to its credit, goes to the largest credit, and takes
/// the sum of the weights from it. So equals take turns, and one with half as much free gets half as many.
#[derive(Clone, Debug, Default)]
pub struct Picker {
    nodes: BTreeMap<NodeId, Standing>,
}

#[derive(Clone, Copy, Debug)]
struct Standing {
    usage: Usage,
    /// Starts given since it told its usage.
    started: u32,
    credit: i128,
}

impl Picker {
    /// A node told its usage.
    pub fn told(&mut self, node: NodeId, usage: Usage) {
        let standing = self.nodes.entry(node).or_insert(Standing { usage, started: 0, credit: 0 });
        (standing.usage, standing.started) = (usage, 0);
    }

    /// These are the nodes that are there, with what each told last. Whoever told nothing new is taken to have what it was
    /// given since.
    pub fn know(&mut self, usages: &BTreeMap<NodeId, Usage>) {
        self.nodes.retain(|node, _| usages.contains_key(node));
        for (&node, &usage) in usages {
            if self.nodes.get(&node).is_none_or(|standing| standing.usage != usage) {
                self.told(node, usage);
            }
        }
    }

    /// A node is no more.
    pub fn left(&mut self, node: NodeId) {
        self.nodes.remove(&node);
    }

    /// The node for a start whose initialisation data are these; `None`: no node is free.
    ///
    /// A node gets none whose data are others, that drains, is full, or late.
    pub fn pick(&mut self, assets: Digest) -> Option<NodeId> {
        let mut sum = 0_i128;
        let mut best: Option<(NodeId, i128)> = None;
        for (node, standing) in &mut self.nodes {
            let is_equal = standing.usage.assets == Some(assets);
            let weight = if is_equal { standing.usage.weight(standing.started) } else { 0 };
            if weight == 0 {
                // What it was owed is not saved up for when it has room again.
                standing.credit = 0;
                continue;
            }
            let weight = i128::from(weight);
            sum += weight;
            standing.credit += weight;
            if best.is_none_or(|(_, credit)| standing.credit > credit) {
                best = Some((*node, standing.credit));
            }
        }
        let (node, _) = best?;
        let standing = self.nodes.get_mut(&node).expect("it was just looked at");
        standing.credit -= sum;
        standing.started += 1;
        Some(node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str) -> NodeId {
        name.parse().unwrap()
    }

    fn usage(calls: u32) -> Usage {
        Usage { limit: 1_000, calls, assets: Some(Digest::of(b"x")), ..Usage::NONE }
    }

    fn picked(picker: &mut Picker, starts: usize) -> BTreeMap<NodeId, u32> {
        let mut counts = BTreeMap::new();
        for _ in 0..starts {
            if let Some(node) = picker.pick(Digest::of(b"x")) {
                *counts.entry(node).or_default() += 1;
            }
        }
        counts
    }

    #[test]
    fn a_loaded_node_gets_fewer_starts_in_proportion() {
        let mut picker = Picker::default();
        picker.told(node("a"), usage(200));
        picker.told(node("b"), usage(600));
        let counts = picked(&mut picker, 120);
        assert_eq!(counts, BTreeMap::from([(node("a"), 80), (node("b"), 40)]));
    }

    #[test]
    fn who_is_busy_gets_a_fourth_and_where_all_are_all_get_some() {
        let mut picker = Picker::default();
        picker.told(node("a"), Usage { cpu_percent: 100, ..usage(0) });
        picker.told(node("b"), usage(0));
        let counts = picked(&mut picker, 50);
        assert_eq!(counts, BTreeMap::from([(node("a"), 10), (node("b"), 40)]));
        picker.told(node("b"), Usage { cpu_percent: 100, ..usage(0) });
        assert!(picked(&mut picker, 100).values().all(|count| *count >= 45));
    }

    #[test]
    fn equals_take_turns() {
        let mut picker = Picker::default();
        picker.told(node("a"), usage(0));
        picker.told(node("b"), usage(0));
        for _ in 0..10 {
            assert_eq!(picked(&mut picker, 2), BTreeMap::from([(node("a"), 1), (node("b"), 1)]));
        }
    }

    #[test]
    fn who_is_unequal_late_draining_or_full_gets_none() {
        for wrong in [
            Usage { assets: Some(Digest::of(b"y")), ..usage(0) },
            Usage { assets: None, ..usage(0) },
            Usage { late_us: 10_001, ..usage(0) },
            Usage { drains: true, ..usage(0) },
            usage(1_000),
        ] {
            let mut picker = Picker::default();
            picker.told(node("a"), wrong);
            picker.told(node("b"), usage(999));
            assert_eq!(picker.pick(Digest::of(b"x")), Some(node("b")), "{wrong:?}");
            assert_eq!(picker.pick(Digest::of(b"x")), None, "the last place is given");
            picker.told(node("b"), usage(999));
            assert_eq!(picker.pick(Digest::of(b"x")), Some(node("b")), "until it tells what it has");
            picker.left(node("b"));
            assert_eq!(picker.pick(Digest::of(b"x")), None);
        }
    }
}
