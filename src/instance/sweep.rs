//! What is kept for others' calls: editions that mirrored records name are fetched if they are not here, and what neither
//! a call, a record nor the cluster's index names goes after a while.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::Instance;
use crate::call::Call;
use crate::id::Digest;
use crate::node::Earlier;
use crate::store::journal::SavedCall;

/// Looks, a minute apart, in which nobody may name an edition before it goes: a call that another member has just placed
/// may not be mirrored yet.
const LOOKS: u32 = 10;
/// How long calls that are taken over wait for editions that are not here.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long each edition was named by nobody.
#[derive(Debug, Default)]
pub(super) struct Sweep(BTreeMap<Digest, u32>);

impl Sweep {
    /// Looks once. `equal`: this member has what all are to have, so that nothing is on its way.
    pub(super) async fn once(&mut self, instance: &Arc<Instance>, equal: bool) {
        let Some(named) = instance.named().await else { return };
        let shelf = Arc::clone(&instance.shelf);
        let kept = spawn_blocking(move || shelf.kept.kept()).await.unwrap_or_default();
        let goes = self.look(&kept, &named);
        let files = {
            let library = instance.library.read().await;
            let files = library.manifest.files().into_iter().map(|content| content.digest);
            let index = library.index.as_ref().map(|index| index.manifest);
            files.chain(index).collect::<BTreeSet<Digest>>()
        };
        let shelf = Arc::clone(&instance.shelf);
        let stays: BTreeSet<Digest> = kept.difference(&goes).copied().collect();
        drop(
            spawn_blocking(move || {
                if !goes.is_empty() {
                    tracing::info!(editions = goes.len(), "editions that no call needs any more are removed");
                    shelf.kept.retain(&stays);
                }
                if equal {
                    shelf.files.retain(&files);
                }
            })
            .await, // a panic in there is told by itself
        );
    }
}

impl Sweep {
    /// Of these editions those that nobody has named for long.
    fn look(&mut self, kept: &BTreeSet<Digest>, named: &BTreeSet<Digest>) -> BTreeSet<Digest> {
        self.0.retain(|edition, _| kept.contains(edition) && !named.contains(edition));
        for edition in kept.difference(named) {
            *self.0.entry(*edition).or_default() += 1;
        }
        self.0.iter().filter(|(_, looks)| **looks >= LOOKS).map(|(edition, _)| *edition).collect()
    }
}

impl Instance {
    /// The editions that somebody may need: those that are asked, those of open calls, those of mirrored records. `None`:
    /// it is not known of all.
    async fn named(&self) -> Option<BTreeSet<Digest>> {
        let member = self.member.as_ref()?;
        let mut named = self.needed().await.ok()?;
        named.extend(self.library.read().await.editions());
        let view = member.view.clone();
        let mirrored = spawn_blocking(move || editions(view.mirrored())).await.ok()??;
        named.extend(mirrored);
        Some(named)
    }

    /// Has the editions of mirrored records here, before this instance goes on with their calls.
    pub(super) async fn fetch_what_is_mirrored(&self) {
        if let Some(named) = self.named().await {
            self.fetch(&named).await;
        }
    }

    /// Has these editions here, as far as other members have them.
    pub(super) async fn fetch(&self, editions: &BTreeSet<Digest>) {
        let Some(member) = &self.member else { return };
        let (others, pulled) = (&member.sharing.shared.others, &member.sharing.pulled);
        for &edition in editions.iter().filter(|edition| !self.shelf.kept.has(**edition)) {
            let Some(parts) = others.parts(edition).await else {
                tracing::warn!(%edition, "no member that answers has an edition that calls are pinned to");
                continue;
            };
            let mut all = true;
            for content in parts.all() {
                if let Err(error) = others.pull(&self.shelf.files, content, pulled).await {
                    tracing::warn!(%edition, %error, "an edition that calls are pinned to does not come whole");
                    all = false;
                    break;
                }
            }
            if !all {
                continue;
            }
            let shelf = Arc::clone(&self.shelf);
            match spawn_blocking(move || shelf.kept.assemble(&parts, &shelf.files)).await {
                Ok(Ok(_)) => {
                    tracing::info!(%edition, "an edition that calls are pinned to came from another member")
                }
                Ok(Err(error)) => {
                    tracing::warn!(%edition, %error, "an edition from another member cannot be used")
                }
                Err(_) => {} // told by the panic itself
            }
        }
    }

    /// The same, for calls that wait for it.
    pub(super) async fn fetch_soon(&self, editions: &BTreeSet<Digest>) {
        if timeout(PATIENCE, self.fetch(editions)).await.is_err() {
            tracing::warn!("editions that calls are pinned to did not come in time");
        }
    }
}

/// What these records are pinned to; `None`: one of them cannot be read.
fn editions(records: Vec<SavedCall>) -> Option<BTreeSet<Digest>> {
    let calls = Earlier::read(records).into_iter().map(|one| one.call.ok());
    calls.map(|call| call.as_ref().map(Call::questionnaire)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edition_goes_when_nobody_has_named_it_for_long() {
        let (asked, old) = (Digest::of(b"asked"), Digest::of(b"old"));
        let (kept, named) = (BTreeSet::from([asked, old]), BTreeSet::from([asked]));
        let mut sweep = Sweep::default();
        for _ in 1..LOOKS {
            assert_eq!(sweep.look(&kept, &named), BTreeSet::new());
        }
        // A record of a call that somebody has just placed with it comes late.
        assert_eq!(sweep.look(&kept, &kept), BTreeSet::new());
        for _ in 1..LOOKS {
            assert_eq!(sweep.look(&kept, &named), BTreeSet::new(), "it is counted anew");
        }
        assert_eq!(sweep.look(&kept, &named), BTreeSet::from([old]));
        assert_eq!(sweep.look(&BTreeSet::from([asked]), &named), BTreeSet::new(), "it is gone");
    }
}
