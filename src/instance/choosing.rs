//! Which instance places a call that was accepted here, where nobody votes and so nobody is control: the one that `sync`
//! picks by usage.
//!
//! ```text
//!  accepted ─► Picker ── this one ──────────────────────────► Node::place
//!                     ── another ─► start indication ── placed ──► elsewhere: its result comes home
//!                                                    ── refused ─► the next one, this one last
//!                                                    ── no answer ► elsewhere: nothing is dialled again
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use super::Instance;
use super::desk::now_ms;
use crate::id::{Digest, NodeId};
use crate::peers::{Begun, Declined, Indication};
use crate::store::records::Accepted;
use crate::sync::{Incarnation, Picker, Placement, Role, Usage};

/// Picks by what all members told last.
#[derive(Debug, Default)]
pub(super) struct Choice(Mutex<Picker>);

impl Choice {
    /// The member for a start with these assets, of these that are there.
    pub(super) fn pick(&self, usages: &BTreeMap<NodeId, Usage>, assets: Digest) -> Option<NodeId> {
        let mut picker = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        picker.know(usages);
        picker.pick(assets)
    }
}

/// Whether a member that takes none of these calls may turn out to take some in a moment: it is there, and has not been heard
/// yet, or tells other assets as of its last beat, and has room.
pub(super) fn may_come(usage: Option<Usage>, assets: Digest) -> bool {
    usage.is_none_or(|usage| usage.assets != Some(assets) && usage.has_room())
}

/// Where a call goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Chosen {
    /// It is to be placed here.
    Here,
    /// Another instance has it, or may have it.
    Elsewhere,
}

impl Instance {
    /// Finds who places a call that was accepted, and has it placed if that is another one.
    pub(super) async fn choose(&self, accepted: &Accepted) -> Chosen {
        let Some(member) = &self.member else { return Chosen::Here };
        let mut refused = BTreeSet::new();
        loop {
            let status = member.view.status();
            let (Some(me), Some(own)) = (status.incarnation, status.usage) else { return Chosen::Here };
            let others = status.others.iter().filter(|other| other.role == Role::Instance);
            let others: BTreeMap<NodeId, (Incarnation, Usage)> = others
                .filter(|other| !refused.contains(&other.incarnation.node))
                .filter_map(|other| Some((other.incarnation.node, (other.incarnation, other.usage?))))
                .collect();
            let mut usages: BTreeMap<NodeId, Usage> =
                others.iter().map(|(node, (_, usage))| (*node, *usage)).collect();
            usages.insert(me.node, own);
            let picked = own.assets.and_then(|assets| member.choice.pick(&usages, assets));
            let picked = picked.and_then(|node| others.get(&node));
            let Some((to, _)) = picked else { return Chosen::Here };
            let number = u32::try_from(refused.len() + 1).unwrap_or(u32::MAX);
            let indication = Indication {
                epoch: 0,
                placement: Placement::new(0, number, *to, now_ms()),
                call: accepted.call_id,
                attempt: accepted.attempt_id,
                request: accepted.request.clone(),
                edition: accepted.digest,
            };
            let call = accepted.call_id;
            // It is theirs from the moment that they may have heard of it.
            self.board.elsewhere([call], self.clock.now());
            match member.others.begin(indication).await {
                Begun::Placed => return Chosen::Elsewhere,
                Begun::Refused(Declined { why, .. }) | Begun::Unreached(why) => {
                    tracing::info!(%call, %to, why, "an instance refused a start; the next one is asked");
                    refused.insert(to.node);
                }
                Begun::Unknown(why) => {
                    tracing::warn!(%call, %to, why, "whether a call was placed is not known yet");
                    return Chosen::Elsewhere;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_heard_yet_or_has_room_and_told_other_assets_may_come() {
        let (wanted, others) = (Digest::of(b"x"), Digest::of(b"y"));
        let usage = |assets| Usage { limit: 10, assets, ..Usage::NONE };
        assert!(may_come(None, wanted));
        assert!(may_come(Some(usage(Some(others))), wanted) && may_come(Some(usage(None)), wanted));
        assert!(!may_come(Some(usage(Some(wanted))), wanted), "it has what is wanted, and was not picked");
        for full in [
            Usage { calls: 10, ..usage(Some(others)) },
            Usage { drains: true, ..usage(Some(others)) },
            Usage { late_us: 20_000, ..usage(Some(others)) },
        ] {
            assert!(!may_come(Some(full), wanted), "{full:?}");
        }
    }

    #[test]
    fn who_told_nothing_new_has_one_call_more_with_each_start() {
        let node = |name: &str| name.parse::<NodeId>().unwrap();
        let usage = |calls| Usage { limit: 10, calls, assets: Some(Digest::of(b"x")), ..Usage::NONE };
        let choice = Choice::default();
        let usages = BTreeMap::from([(node("a"), usage(9)), (node("b"), usage(8))]);
        let pick = || choice.pick(&usages, Digest::of(b"x"));
        let picked: Vec<_> = (0..4).map(|_| pick()).collect();
        assert_eq!(picked.iter().flatten().filter(|one| **one == node("a")).count(), 1);
        assert_eq!((picked.iter().flatten().count(), picked[3]), (3, None), "until they tell what they have");
        let others = Usage { assets: Some(Digest::of(b"y")), ..usage(0) };
        let usages = BTreeMap::from([(node("a"), usage(0)), (node("b"), others)]);
        assert_eq!(
            choice.pick(&usages, Digest::of(b"x")),
            Some(node("a")),
            "never one that asks something else"
        );
    }
}
