//! Publishing: this instance's own files become those of all members.
//!
//! ```text
//! own settings, files ─► read, checked, spoken ─► the cluster's already? ──────────────► nothing
//!                          └ wrong: it says where   └ a version was missed? ──► refused, unless it is meant
//!                                                   └ files by digest ─► the engine's index, if it is as of that version
//!                                                          └ another was faster: refused   └ the node takes them
//! ```
//! Only who has not missed a version may publish without being asked twice: a directory that was left behind would take
//! away what others have published since.

use std::path::PathBuf;
use std::sync::Arc;

use super::Instance;
use super::library::Library;
use super::reload::{ReloadError, Reloaded};
use super::sharing::Sharing;
use super::state::State;
use crate::engine::{EngineError, Index, Publishing};
use crate::settings::Settings;

/// What became of a member's own files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Publication {
    /// They are what all members are to have.
    Published {
        /// As which version.
        version: u64,
        /// What has changed by that.
        changes: Vec<String>,
    },
    /// They are what all members have.
    Same {
        /// As of which version.
        version: u64,
    },
    /// They stay this instance's own: others have published since they were the cluster's.
    Kept(Missed),
}

/// A version that a publisher has missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missed {
    /// What all members are to have.
    pub index: Index,
    /// What would have changed.
    pub differs: Vec<String>,
}

impl std::fmt::Display for Missed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { index: Index { version, by, at, .. }, differs } = self;
        write!(
            f,
            "the cluster's files are those that {by} published at {at} (version {version}), and this instance's own are \
             not made from them: {}. Put what {by} has into its directories first, or publish them with --force",
            differs.join(", ")
        )
    }
}

/// Why nothing was published. Everything stays as it was.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// It stands alone.
    #[error("this instance is no member of a cluster: its files are its own; reload it (SIGHUP)")]
    Alone,
    /// It was not started from a settings file.
    #[error("this instance was started without a settings file")]
    NoFile,
    /// The engine has not answered since the start.
    #[error(
        "etcd has not answered since this instance was started, so that it is not known what the cluster has"
    )]
    Unknown,
    /// The engine.
    #[error("nothing is published, and what the cluster had goes on: {0}")]
    Engine(#[from] EngineError),
    /// Another one was faster.
    #[error("{by} was faster and published version {version}; look at what it has, and publish again")]
    Other {
        /// Who.
        by: crate::id::NodeId,
        /// What.
        version: u64,
    },
    /// What was published is gone at the same moment.
    #[error("what the cluster had was taken out of etcd at the same moment; publish again")]
    Gone,
    /// A version was missed, and it was not said that this is meant.
    #[error("{0}")]
    Missed(Missed),
    /// A file, a password, the disk.
    #[error(transparent)]
    Files(#[from] Box<ReloadError>),
}

impl From<ReloadError> for PublishError {
    fn from(error: ReloadError) -> Self {
        Self::Files(Box::new(error))
    }
}

impl Instance {
    /// Reads this instance's own settings and files and makes them what all members are to have. `force`: also if others
    /// have published since they were the cluster's. Goes on to its end also when nobody waits for it.
    ///
    /// # Errors
    /// [`PublishError`]; everything stays as it was then.
    pub async fn publish_own(self: &Arc<Self>, force: bool) -> Result<Publication, PublishError> {
        if self.member.is_none() {
            return Err(PublishError::Alone);
        }
        let file: PathBuf = self.library.read().await.own.file.clone().ok_or(PublishError::NoFile)?;
        let written = Settings::load(&file).map_err(ReloadError::Settings)?;
        let instance = Arc::clone(self);
        let published = tokio::spawn(async move { instance.publish(written, force).await });
        match published.await.map_err(|_| ReloadError::Panicked)??.publication {
            Some(Publication::Kept(missed)) => Err(PublishError::Missed(missed)),
            Some(published) => Ok(published),
            None => Err(PublishError::Alone),
        }
    }

    /// Publishes what these settings name. What of them is this instance's own holds from now on in any case, but for an
    /// error.
    pub(super) async fn publish(&self, written: Settings, force: bool) -> Result<Reloaded, PublishError> {
        let Some(member) = &self.member else { return Err(PublishError::Alone) };
        let _turn = member.sharing.turn.lock().await;
        let (own, after_restart) = self.taken(&written).await;
        let read = own.clone();
        let new = self.read(move |shelf| shelf.library(read)).await?;
        let (before, adopted) = {
            let library = self.library.read().await;
            (library.manifest.clone(), library.index.clone())
        };
        let differs = new.manifest.differs(&before);
        let base = State::read(&self.shelf.state).own;
        let (new, publication) = match (adopted, member.sharing.known()) {
            (Some(adopted), _) if adopted.manifest == new.content.digest => {
                let version = adopted.version;
                (Library { index: Some(adopted), ..new }, Publication::Same { version })
            }
            (_, None) => return Err(PublishError::Unknown),
            (Some(adopted), Some(Some(index))) if base != index.version && !force => {
                // What is its own otherwise, such as tokens, is taken.
                let kept = self.read(move |shelf| shelf.of_cluster(&own, before)).await?;
                (Library { index: Some(adopted), ..kept }, Publication::Kept(Missed { index, differs }))
            }
            (None, Some(Some(index))) if !force => {
                return Err(PublishError::Missed(Missed { index, differs }));
            }
            (_, Some(there)) => {
                let index = self.send_out(&member.sharing, &new, there).await?;
                let version = index.version;
                (Library { index: Some(index), ..new }, Publication::Published { version, changes: differs })
            }
        };
        let (index, is_kept) = (new.index.clone(), matches!(publication, Publication::Kept(_)));
        let (questionnaires, older) = self.put(new).await?;
        if let (Some(index), false) = (index, is_kept) {
            let version = index.version;
            self.adopted(index, Some(version));
        }
        member.sharing.told().differs = match &publication {
            Publication::Kept(missed) => missed.differs.clone(),
            Publication::Published { .. } | Publication::Same { .. } => Vec::new(),
        };
        Ok(Reloaded { questionnaires, older, after_restart, publication: Some(publication) })
    }

    /// Puts all files where others can have them, then the index where all look.
    async fn send_out(
        &self,
        sharing: &Sharing,
        new: &Library,
        there: Option<Index>,
    ) -> Result<Index, PublishError> {
        self.share(new.shareable()).await?;
        let replaces = there.map_or(0, |there| there.version);
        let index = sharing.next(new, replaces + 1);
        match sharing.shared.engine.publish(&index, replaces).await? {
            Publishing::Done => Ok(index),
            Publishing::Other(Some(Index { by, version, .. })) => Err(PublishError::Other { by, version }),
            Publishing::Other(None) => Err(PublishError::Gone),
        }
    }
}
