//! All ownership keys, as they are and as they change.
//!
//! ```text
//!  list at r ─► tell what is new ─► watch from r + 1 ─► tell each change
//!       ▲                                │ stream broken, compacted, restored; or the list knows what the watch does not
//!       └────────────────────────────────┘
//! ```
//! The watch is there for speed, the list for truth: it is read anew each second, so that a watch that has gone silent
//! (its host is down, a switch forgot it) is noticed, and so that "the engine is away" is known before it is needed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::index::{self, Index};
use super::keys::{self, Generation, Kind, ValueError};
use super::requests::{Engine, Listing};
use super::wire::event::EventType;
use super::wire::watch_client::WatchClient;
use super::wire::watch_request::RequestUnion;
use super::wire::{Event as Change, WatchCreateRequest, WatchRequest, WatchResponse};
use crate::sync::{Incarnation, Key, Ownership, Seat};

/// How often all keys are listed.
const LIST: Duration = Duration::from_secs(1);
/// From one try to reach an engine that is away to the next.
const RETRY: Duration = Duration::from_millis(200);
/// How long a living key that a restored backup lacks is waited for: its owner writes it again.
const GRACE: Duration = Duration::from_secs(5);

/// What the engine tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A key is new or has changed.
    Key(Key),
    /// A key is no more.
    Gone(Incarnation),
    /// All that was written up to this revision has been told.
    Current(u64),
    /// The engine does not answer; why. Nothing is known to have changed.
    Away(String),
    /// It answers, for the first time or again, and all keys have been told.
    There,
    /// A key cannot be read: whose, and why.
    Unreadable(Incarnation, ValueError),
    /// What all members are to have alike, for the first time or anew; absent: nothing was published, or it is gone.
    Index(Option<Index>),
    /// That cannot be read; why.
    UnreadableIndex(ValueError),
    /// Who is control; `None`: nobody.
    Seat(Option<Seat>),
}

/// The key that this process owns and may speak by, for as long as it may: what a restored backup lacks of it is
/// written again.
#[derive(Clone, Debug, Default)]
pub struct Own(Arc<Mutex<Option<Key>>>);

impl Own {
    /// From now on it is this key, or none.
    pub fn is(&self, key: Option<Key>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = key;
    }

    fn key(&self) -> Option<Key> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

struct Watching {
    engine: Engine,
    own: Own,
    tell: mpsc::Sender<Event>,
    known: BTreeMap<Incarnation, Key>,
    /// Living keys that a restored backup lacks, and until when they are waited for.
    missing: BTreeMap<Incarnation, Instant>,
    unreadable: BTreeMap<Incarnation, ValueError>,
    /// The index as it was told last, since which revision it stands there; absent: nothing was told yet.
    index: Option<(u64, Option<Result<Index, ValueError>>)>,
    seat: Option<Seat>,
    /// As of which revision all is known.
    revision: u64,
    is_there: Option<bool>,
    /// Streams opened so far: each is another endpoint's.
    turn: usize,
}

/// A stream of changes; the engine ends it when that of requests ends.
struct Changes {
    stream: Streaming<WatchResponse>,
    _open: mpsc::Sender<WatchRequest>,
}

/// Nobody listens any more.
struct Over;

/// Why a stream of changes ended.
enum End {
    Broken,
    Over,
}

impl Engine {
    /// Tells all keys and whatever changes, until nobody listens.
    pub async fn watch(self, own: Own, tell: mpsc::Sender<Event>) {
        let mut watching = Watching {
            engine: self,
            own,
            tell,
            known: BTreeMap::new(),
            missing: BTreeMap::new(),
            unreadable: BTreeMap::new(),
            index: None,
            seat: None,
            revision: 0,
            is_there: None,
            turn: 0,
        };
        while watching.round().await.is_ok() {}
    }
}

impl Watching {
    async fn tell(&self, event: Event) -> Result<(), Over> {
        self.tell.send(event).await.map_err(|_| Over)
    }

    /// From a list to the end of the watch that follows it.
    async fn round(&mut self) -> Result<(), Over> {
        if self.list().await?.is_none() {
            sleep(RETRY).await;
            return Ok(());
        }
        let Some(stream) = self.open().await else {
            sleep(RETRY).await;
            return Ok(());
        };
        match self.follow(stream).await {
            End::Broken => Ok(()),
            End::Over => Err(Over),
        }
    }

    /// Lists all keys and tells what is new; how many were. `None`: the engine is away.
    async fn list(&mut self) -> Result<Option<usize>, Over> {
        let listed = self.engine.list().await;
        let listed = match listed {
            Ok(listing) if listing.restored => match self.own.key() {
                Some(key) => match self.engine.assert(&key).await {
                    Ok(()) => self.engine.list().await.map(|after| Listing { restored: true, ..after }),
                    Err(error) => Err(error),
                },
                None => Ok(listing),
            },
            listed => listed,
        };
        match listed {
            Ok(listing) => {
                let news = self.compare(listing).await?;
                if self.is_there.replace(true) != Some(true) {
                    self.tell(Event::There).await?;
                }
                Ok(Some(news))
            }
            Err(error) => {
                if self.is_there.replace(false) != Some(false) {
                    self.tell(Event::Away(error.to_string())).await?;
                }
                Ok(None)
            }
        }
    }

    async fn compare(&mut self, listing: Listing) -> Result<usize, Over> {
        let Listing { revision, keys, unreadable, index, restored, seat } = listing;
        let mut news = 0;
        self.revision = revision;
        if self.seat != seat {
            news += 1;
            self.seat = seat;
            self.tell(Event::Seat(seat)).await?;
        }
        for (one, error) in unreadable {
            if self.unreadable.insert(one, error.clone()).as_ref() != Some(&error) {
                self.tell(Event::Unreadable(one, error)).await?;
            }
        }
        let now = Instant::now();
        let lost: Vec<Incarnation> =
            self.known.keys().filter(|one| !keys.contains_key(one)).copied().collect();
        for one in lost {
            let is_alive = matches!(self.known[&one].ownership, Ownership::Alive(_));
            if restored && is_alive {
                self.missing.insert(one, now + GRACE);
            }
            if self.missing.get(&one).is_none_or(|until| now >= *until) {
                news += 1;
                self.gone(one).await?;
            }
        }
        for (one, key) in keys {
            self.missing.remove(&one);
            if self.known.get(&one) != Some(&key) {
                news += 1;
                self.known.insert(one, key.clone());
                self.tell(Event::Key(key)).await?;
            }
        }
        let (since, index) = index.map_or((revision, None), |(since, index)| (since, Some(index)));
        self.indexed(since, index).await?;
        self.tell(Event::Current(revision)).await?;
        Ok(news)
    }

    /// Tells the index, if it is another one than was told.
    async fn indexed(&mut self, since: u64, index: Option<Result<Index, ValueError>>) -> Result<(), Over> {
        if self.index.as_ref().is_some_and(|(known, told)| *known > since || *told == index) {
            return Ok(());
        }
        self.index = Some((since, index.clone()));
        self.tell(match index {
            None => Event::Index(None),
            Some(Ok(index)) => Event::Index(Some(index)),
            Some(Err(error)) => Event::UnreadableIndex(error),
        })
        .await
    }

    async fn gone(&mut self, one: Incarnation) -> Result<(), Over> {
        self.missing.remove(&one);
        self.unreadable.remove(&one);
        match self.known.remove(&one) {
            Some(_) => self.tell(Event::Gone(one)).await,
            None => Ok(()),
        }
    }

    /// A stream of changes from after the last list.
    async fn open(&mut self) -> Option<Changes> {
        let (key, range_end) = self.engine.root.all();
        let start_revision = Generation::of(self.revision).inward(self.revision) + 1;
        let create = WatchCreateRequest {
            key: key.into(),
            range_end: range_end.into(),
            start_revision,
            progress_notify: true,
        };
        let request = WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) };
        let (open, asked) = mpsc::channel(1);
        open.try_send(request).ok()?;
        self.turn += 1;
        let opened = async {
            let (_, channel, request) =
                self.engine.client.stream(self.turn - 1, ReceiverStream::new(asked)).await.ok()?;
            match WatchClient::new(channel).watch(request).await {
                Ok(stream) => Some(Changes { stream: stream.into_inner(), _open: open }),
                Err(status) => {
                    self.engine.client.ended(&status);
                    None
                }
            }
        };
        tokio::time::timeout(LIST, opened).await.ok().flatten()
    }

    async fn follow(&mut self, mut changes: Changes) -> End {
        let mut list = interval(LIST);
        list.set_missed_tick_behavior(MissedTickBehavior::Delay);
        list.reset();
        loop {
            tokio::select! {
                answer = changes.stream.message() => match self.answer(answer).await {
                    Ok(true) => {}
                    Ok(false) => return End::Broken,
                    Err(Over) => return End::Over,
                },
                _ = list.tick() => match self.list().await {
                    Ok(Some(0) | None) => {}
                    // The watch did not tell it, or both crossed: a new one costs little.
                    Ok(Some(_)) => return End::Broken,
                    Err(Over) => return End::Over,
                },
                () = self.tell.closed() => return End::Over,
            }
        }
    }

    /// Whether the stream goes on.
    async fn answer(&mut self, answer: Result<Option<WatchResponse>, Status>) -> Result<bool, Over> {
        let response = match answer {
            Ok(Some(response)) => response,
            Ok(None) => return Ok(false),
            Err(status) => {
                self.engine.client.ended(&status);
                return Ok(false);
            }
        };
        if response.canceled || response.compact_revision != 0 {
            tracing::info!(
                reason = response.cancel_reason,
                compacted = response.compact_revision,
                "the engine ended a watch"
            );
            return Ok(false);
        }
        for change in &response.events {
            self.change(change).await?;
        }
        // The changes of one transaction come at once.
        if let Some(kv) = response.events.last().and_then(|change| change.kv.as_ref()) {
            let revision = Generation::of(self.revision).outward(kv.mod_revision);
            self.tell(Event::Current(revision)).await?;
        }
        Ok(true)
    }

    async fn change(&mut self, change: &Change) -> Result<(), Over> {
        let Some(kv) = &change.kv else { return Ok(()) };
        let generation = Generation::of(self.revision);
        let revision = generation.outward(kv.mod_revision);
        if kv.key == self.engine.root.assets() {
            let is_deleted = change.r#type == i32::from(EventType::Delete);
            return self.indexed(revision, (!is_deleted).then(|| index::read(kv))).await;
        }
        if let Some(seat) = keys::seat(&self.engine.root, generation, kv) {
            self.seat = Some(seat);
            return self.tell(Event::Seat(self.seat)).await;
        }
        let Some((one, kind)) = self.engine.root.member(&kv.key) else { return Ok(()) };
        if revision < self.known.get(&one).map_or(0, |key| key.revision) {
            return Ok(());
        }
        let is_deleted = change.r#type == i32::from(EventType::Delete);
        let known_kind = self.known.get(&one).map(|key| match key.ownership {
            Ownership::Alive(_) => Kind::Alive,
            Ownership::Claimed(_) => Kind::Claimed,
        });
        if is_deleted {
            // With a claim `alive` goes and `claimed` comes at once; the key is gone when `claimed` is.
            return if kind == Kind::Claimed && known_kind == Some(Kind::Claimed) {
                self.gone(one).await
            } else {
                Ok(())
            };
        }
        match keys::read(&self.engine.root, generation, kv) {
            Ok(Some((_, key))) if self.known.get(&one) != Some(&key) => {
                self.known.insert(one, key.clone());
                self.tell(Event::Key(key)).await
            }
            Ok(_) => Ok(()),
            Err(error) => {
                self.unreadable.insert(one, error.clone());
                self.tell(Event::Unreadable(one, error)).await
            }
        }
    }
}
