//! What all members of a cluster have alike, kept so: the index stands in the engine, the files come from other members.
//!
//! ```text
//! the engine's index ── none ──────────► this member publishes what it has, if nobody was faster
//!                    ── what is here ──► nothing
//!                    ── another ───────► manifest ─► files ─► all here, all read ─► Node::renew, and it is written down
//!                                           └─ one is missing, or wrong: everything stays as it is, and again in 2 s
//!                    ── an older one ──► a backup was restored: what is here is published again
//! ```
//! Until it has all of it a member goes on with what it had, and gets no calls of others: its digest is another one.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::library::{Library, Shareable};
use super::manifest::{MOST_BYTES, Manifest, ManifestError};
use super::reload::ReloadError;
use super::state::State;
use super::sweep::Sweep;
use super::{Instance, LibraryError};
use crate::cluster::Shared;
use crate::engine::{EngineError, Index, Publishing};
use crate::id::{Digest, NodeId};
use crate::peers::{PullError, Pulled};
use crate::store::editions::Parts;
use crate::store::files::Content;

/// From one try to have what is missing to the next.
const RETRY: Duration = Duration::from_secs(2);
/// From one look at what mirrored records need to the next: it reads them all.
const LOOK: Duration = Duration::from_secs(10);
/// From one look at what is no longer needed to the next.
const SWEEP: Duration = Duration::from_secs(60);
/// How long a member may be behind before that is a trouble: the others may be so for as long, all at once.
const LONG: Duration = Duration::from_secs(10);

/// What a member knows of what all are to have.
#[derive(Debug)]
pub(super) struct Sharing {
    pub(super) me: NodeId,
    pub(super) shared: Shared,
    /// Whoever takes another library waits here for who is at it.
    pub(super) turn: tokio::sync::Mutex<()>,
    pub(super) pulled: Pulled,
    told: Mutex<Told>,
}

/// How a member stands to what all are to have.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// What all are to have, as it is known here.
    pub index: Option<Index>,
    /// What is here.
    pub adopted: Option<Index>,
    /// Why these are not the same.
    pub behind: Option<Behind>,
    /// What this instance's own files have otherwise.
    pub differs: Vec<String>,
    /// What came from others.
    pub pulled: Pulled,
}

/// A member that has not what all are to have.
#[derive(Clone, Debug)]
pub struct Behind {
    /// Since when.
    pub since: Instant,
    /// What it lacks.
    pub why: String,
}

impl Behind {
    /// Whether it is so for longer than it takes all of them together.
    #[must_use]
    pub fn is_long(&self) -> bool {
        self.since.elapsed() >= LONG
    }
}

/// What is here of what all members have alike.
#[derive(Clone, Debug)]
pub struct SharedFiles {
    /// The questionnaires.
    pub questionnaires: Vec<SharedQuestionnaire>,
    /// The dialplan's digest.
    pub dialplan: Option<Digest>,
    /// The names of the trunks.
    pub trunks: Vec<String>,
}

/// A questionnaire that all members have.
#[derive(Clone, Debug)]
pub struct SharedQuestionnaire {
    /// Its id.
    pub id: String,
    /// Its version, as it is written.
    pub version: String,
    /// By which calls are pinned to it.
    pub edition: Digest,
    /// How many files it is made of.
    pub files: usize,
    /// How long these are together.
    pub bytes: u64,
    /// Where this instance keeps them.
    pub dir: PathBuf,
}

/// Why a member does not take what all are to have.
#[derive(Debug, thiserror::Error)]
enum CatchUpError {
    #[error(transparent)]
    Pull(#[from] PullError),
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error(transparent)]
    Library(#[from] LibraryError),
    #[error(transparent)]
    Adopt(#[from] ReloadError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("taking it panicked; please report this")]
    Panicked,
}

impl Sharing {
    pub(super) fn new(me: NodeId, shared: Shared) -> Self {
        let pulled = Pulled::default();
        let told = Mutex::new(Told { pulled: pulled.clone(), ..Told::default() });
        Self { me, shared, turn: tokio::sync::Mutex::default(), pulled, told }
    }

    pub(super) fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What all are to have; absent: the engine has not told anything yet.
    pub(super) fn known(&self) -> Option<Option<Index>> {
        self.shared.index.borrow().clone()
    }

    /// The index of a library that is to be published.
    pub(super) fn next(&self, library: &Library, version: u64) -> Index {
        let by = self.me;
        let at = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        Index { manifest: library.content.digest, bytes: library.content.bytes, version, by, at }
    }

    /// It is not what all are to have, because of this. What is said again and again is said once.
    fn behind(&self, why: String) {
        let mut told = self.told();
        let since = told.behind.as_ref().map_or_else(Instant::now, |behind| behind.since);
        if told.behind.as_ref().map(|behind| &behind.why) != Some(&why) {
            tracing::warn!(
                why,
                "this instance has not what all members are to have; it gets no calls of others until then"
            );
        }
        told.behind = Some(Behind { since, why });
    }
}

impl Instance {
    /// How it stands to what all members of its cluster are to have; `None`: it stands alone.
    #[must_use]
    pub fn shared(&self) -> Option<Told> {
        let sharing = &self.member.as_ref()?.sharing;
        let mut told = sharing.told().clone();
        told.index = sharing.known().flatten();
        Some(told)
    }

    /// What is here of what all members have alike.
    pub async fn shared_files(&self) -> SharedFiles {
        let library = self.library.read().await;
        let questionnaire = |(id, parts): (&String, &Parts)| {
            let (edition, all) = (parts.edition(), parts.all());
            let (files, bytes) =
                all.fold((0, 0_u64), |(files, bytes), one| (files + 1, bytes.saturating_add(one.bytes)));
            let version =
                library.questionnaires.get(id).map(|it| it.version().to_owned()).unwrap_or_default();
            let dir = self.shelf.kept.dir_of(edition);
            SharedQuestionnaire { id: id.clone(), version, edition, files, bytes, dir }
        };
        SharedFiles {
            questionnaires: library.manifest.questionnaires.iter().map(questionnaire).collect(),
            dialplan: library.manifest.dialplan.map(|content| content.digest),
            trunks: library.manifest.trunks.trunks.keys().cloned().collect(),
        }
    }

    /// Keeps this member equal to the others for as long as it lives.
    pub(super) fn follow_the_cluster(self: &Arc<Self>) {
        let Some(member) = &self.member else { return };
        let (mut index, weak) = (member.sharing.shared.index.clone(), Arc::downgrade(self));
        tokio::spawn(async move {
            let (mut sweep, mut swept, mut looked) = (Sweep::default(), Instant::now(), Instant::now());
            loop {
                let Some(instance) = weak.upgrade() else { return };
                let is = index.borrow_and_update().clone();
                let equal = tokio::select! {
                    equal = instance.look_at(is) => equal,
                    // What it was at is not wanted any more.
                    changed = index.changed() => match changed {
                        Ok(()) => continue,
                        Err(_) => return,
                    },
                };
                if looked.elapsed() >= LOOK {
                    looked = Instant::now();
                    instance.fetch_what_is_mirrored().await;
                }
                if swept.elapsed() >= SWEEP {
                    swept = Instant::now();
                    sweep.once(&instance, equal).await;
                }
                drop(instance);
                tokio::select! {
                    changed = index.changed() => if changed.is_err() { return },
                    () = sleep(RETRY) => {}
                }
            }
        });
    }

    /// Does what an index asks for; whether this member has all of it.
    async fn look_at(self: &Arc<Self>, index: Option<Option<Index>>) -> bool {
        let (Some(member), Some(index)) = (&self.member, index) else { return false };
        let (content, adopted) = {
            let library = self.library.read().await;
            (library.content, library.index.clone())
        };
        let looked = match (index, adopted) {
            (Some(index), adopted) if index.manifest == content.digest => self.is_equal(index, adopted).await,
            (Some(index), Some(adopted)) if index.version < adopted.version => {
                self.publish_again(adopted, index.version).await
            }
            (None, Some(adopted)) => self.publish_again(adopted, 0).await,
            (Some(index), _) => self.catch_up(index).await,
            (None, None) => {
                let instance = Arc::clone(self);
                let published = tokio::spawn(async move { instance.publish_first().await });
                published.await.unwrap_or(Err(CatchUpError::Panicked))
            }
        };
        match looked {
            Ok(()) => {
                if member.sharing.told().behind.take().is_some() {
                    tracing::info!("this instance has what all members are to have");
                }
            }
            Err(error) => member.sharing.behind(error.to_string()),
        }
        let is_behind = member.sharing.told().behind.is_some();
        !is_behind
    }

    /// What is here is what all are to have.
    async fn is_equal(&self, index: Index, adopted: Option<Index>) -> Result<(), CatchUpError> {
        let is_told = self.member.as_ref().is_some_and(|member| member.sharing.told().adopted.is_some());
        if adopted.as_ref() != Some(&index) || !is_told {
            if adopted.is_none() {
                // These are its own files: others, and its next start, look for them where the cluster's are.
                let what = self.library.read().await.shareable();
                self.share(what).await?;
            }
            self.library.write().await.index = Some(index.clone());
            self.adopted(index, None);
            self.compare().await;
        }
        Ok(())
    }

    /// Puts files where other members can have them.
    pub(super) async fn share(&self, what: Shareable) -> Result<(), ReloadError> {
        let shelf = Arc::clone(&self.shelf);
        let shared = spawn_blocking(move || shelf.share(what)).await;
        Ok(shared.map_err(|_| ReloadError::Panicked)??)
    }

    /// Nothing was published yet: this member's files are the first, if nobody is faster.
    async fn publish_first(&self) -> Result<(), CatchUpError> {
        let Some(member) = &self.member else { return Ok(()) };
        let _turn = member.sharing.turn.lock().await;
        let library = self.library.read().await;
        if library.manifest.is_empty() {
            return Ok(());
        }
        let (index, what) = (member.sharing.next(&library, 1), library.shareable());
        drop(library);
        self.share(what).await?;
        if member.sharing.shared.engine.publish(&index, 0).await? == Publishing::Done {
            tracing::info!(manifest = %index.manifest, "this instance's files are the cluster's first");
            self.library.write().await.index = Some(index.clone());
            let version = index.version;
            self.adopted(index, Some(version));
        }
        // Whatever was published is told by the engine.
        Ok(())
    }

    /// What was published is gone, or an older one is back: a backup was restored, or somebody took it away.
    async fn publish_again(&self, adopted: Index, replaces: u64) -> Result<(), CatchUpError> {
        let Some(member) = &self.member else { return Ok(()) };
        tracing::warn!(
            version = adopted.version,
            found = replaces,
            "etcd has lost what this member's files were published as: they are published again"
        );
        member.sharing.shared.engine.publish(&adopted, replaces).await?;
        Ok(())
    }

    /// Has everything here that an index asks for, and takes it.
    async fn catch_up(self: &Arc<Self>, index: Index) -> Result<(), CatchUpError> {
        let Some(member) = &self.member else { return Ok(()) };
        let begun = Instant::now();
        let (files, pulled) = (&self.shelf.files, &member.sharing.pulled);
        let limits = self.library.read().await.own.limits;
        let said = Content { digest: index.manifest, bytes: index.bytes };
        if said.bytes > MOST_BYTES {
            let what = "the manifest's bytes".to_owned();
            return Err(ManifestError::TooMuch { what, is: said.bytes, limit: MOST_BYTES, mend: "" }.into());
        }
        let others = &member.sharing.shared.others;
        others.pull(files, said, pulled).await?;
        let manifest = Manifest::read(&files.read(said).map_err(LibraryError::File)?)?;
        manifest.check(&limits)?;
        let (before, bytes_before) = (pulled.files(), pulled.bytes());
        for content in manifest.files() {
            others.pull(files, content, pulled).await?;
        }
        let (files, bytes) = (pulled.files() - before, pulled.bytes() - bytes_before);
        if files > 0 {
            let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            tracing::info!(files, bytes, took_ms, "files of the cluster came from other members");
        }
        // Once begun it is done whole, whatever is told meanwhile.
        let instance = Arc::clone(self);
        let adopted = tokio::spawn(async move { instance.adopt(index, manifest).await });
        Ok(adopted.await.map_err(|_| CatchUpError::Panicked)??)
    }

    async fn adopt(&self, index: Index, manifest: Manifest) -> Result<(), ReloadError> {
        let Some(member) = &self.member else { return Ok(()) };
        let _turn = member.sharing.turn.lock().await;
        let (own, is_newer) = {
            let library = self.library.read().await;
            (library.own.clone(), library.index.as_ref().is_some_and(|has| has.version >= index.version))
        };
        if is_newer {
            return Ok(());
        }
        let new = self.read(move |shelf| shelf.of_cluster(&own, manifest)).await?;
        self.put(Library { index: Some(index.clone()), ..new }).await?;
        let Index { version, by, .. } = &index;
        tracing::info!(version, %by, "this instance has taken what all members are to have");
        self.adopted(index, None);
        self.compare().await;
        Ok(())
    }

    /// It is written down what is here. `own`: as of which version this instance's own files are the same.
    pub(super) fn adopted(&self, index: Index, own: Option<u64>) {
        let Some(member) = &self.member else { return };
        let before = State::read(&self.shelf.state);
        let state = State { adopted: Some(index.clone()), own: own.unwrap_or(before.own) };
        if let Err(error) = state.write(&self.shelf.state) {
            let file = self.shelf.state.display();
            tracing::error!(%error, %file, "it is not written down what the cluster has; the next start fetches it anew");
        }
        let mut told = member.sharing.told();
        (told.adopted, told.behind) = (Some(index), None);
    }

    /// Holds this instance's own files against what is here.
    async fn compare(&self) {
        let Some(member) = &self.member else { return };
        let (own, manifest, index) = {
            let library = self.library.read().await;
            (library.own.clone(), library.manifest.clone(), library.index.clone())
        };
        let shelf = Arc::clone(&self.shelf);
        let looked = spawn_blocking(move || {
            // Whoever lists none has none of its own.
            let has_own = !own.questionnaires.is_empty();
            has_own.then(|| shelf.look(&own).map(|own| own.differs(&manifest)))
        });
        let differs = match looked.await {
            Ok(Some(Ok(differs))) => differs,
            Ok(Some(Err(error))) => vec![format!("its own files cannot be used: {error}")],
            Ok(None) | Err(_) => Vec::new(),
        };
        if let (true, Some(index)) = (differs.is_empty(), index) {
            let version = index.version;
            self.adopted(index, Some(version));
        } else {
            tracing::warn!(
                differs = differs.join(", "),
                "this instance's own files are not the cluster's, which hold; `baton cluster publish` makes them the cluster's"
            );
        }
        member.sharing.told().differs = differs;
    }
}
