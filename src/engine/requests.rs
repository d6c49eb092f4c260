//! What the engine is asked: names for new incarnations, their keys, claims, and what becomes of them.
//!
//! Each is one transaction that compares all it relies on, the generation included; what is lost on its way back is
//! read before anybody acts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use super::EngineError;
use super::client::{Access, AccessError, Client};
use super::index::{self, Index};
use super::keys::{self, Generation, Kind, Root, ValueError};
use super::wire::compare::{CompareResult, CompareTarget, TargetUnion};
use super::wire::request_op::Request;
use super::wire::response_op::Response;
use super::wire::{
    Compare, DeleteRangeRequest, KeyValue, PutRequest, RangeRequest, RequestOp, ResponseHeader, ResponseOp,
    TxnRequest, TxnResponse,
};
use crate::id::NodeId;
use crate::sync::{
    Claim, ClaimResult, Heir, Incarnation, Key, Ownership, Role, Seat, Taking, Terms, Transaction,
};

/// The engine of one cluster. Copies share their connections.
#[derive(Clone, Debug)]
pub struct Engine {
    pub(super) client: Client,
    pub(super) root: Root,
    /// The highest revision that was seen, outward: its generation is the one that holds.
    seen: Arc<AtomicU64>,
}

/// All member keys at one revision.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) revision: u64,
    pub(super) keys: BTreeMap<Incarnation, Key>,
    /// Keys whose values cannot be read.
    pub(super) unreadable: Vec<(Incarnation, ValueError)>,
    /// What all members are to have, and since which revision; absent: nothing was published.
    pub(super) index: Option<(u64, Result<Index, ValueError>)>,
    /// The revision went back: the engine was restored from a backup, and a new generation was begun.
    pub(super) restored: bool,
    /// Who is control.
    pub(super) seat: Option<Seat>,
}

impl Engine {
    /// An engine that is asked when it is needed. `seen` is the highest revision that this machine remembers of its
    /// cluster (0: none), so that a restored backup is noticed by who was away meanwhile.
    ///
    /// # Errors
    /// If what is said of its endpoints cannot be right. Whether they are there shows when it is asked.
    pub fn new(access: &Access, seen: u64) -> Result<Self, AccessError> {
        let client = Client::new(access)?;
        Ok(Self { client, root: Root::new(&access.cluster), seen: Arc::new(AtomicU64::new(seen)) })
    }

    /// The highest revision that was seen.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.seen.load(SeqCst)
    }

    fn generation(&self) -> Generation {
        Generation::of(self.seen())
    }

    pub(super) fn note(&self, header: Option<&ResponseHeader>) -> Result<u64, EngineError> {
        let header = header.ok_or(EngineError::NotEtcd { what: "an answer without a header" })?;
        let revision = self.generation().outward(header.revision);
        self.seen.fetch_max(revision, SeqCst);
        Ok(revision)
    }

    /// A run that nobody has or will have: the name of a new incarnation.
    ///
    /// # Errors
    /// If the engine is away or refuses.
    pub async fn ticket(&self, node: NodeId) -> Result<Incarnation, EngineError> {
        // What was restored from a backup is noticed before a name is taken from it.
        self.list().await?;
        let request = PutRequest { key: self.root.ticket().into(), value: node.as_str().to_owned().into() };
        let answer = self.client.put(request).await?;
        let run = self.note(answer.header.as_ref())?;
        Ok(Incarnation { node, run })
    }

    /// Writes the key of a new incarnation, and claims with it what is left of its node's earlier ones: whoever asks
    /// for this holds the lock of the node's journal, so that they are dead. `stale`: that journal is not theirs, so that
    /// their calls are to be had from mirrors. To ask again for the same one is safe.
    ///
    /// # Errors
    /// If the engine is away or refuses.
    pub async fn register(
        &self,
        one: Incarnation,
        role: Role,
        terms: &Terms,
        stale: bool,
    ) -> Result<Key, EngineError> {
        let heirs = vec![Heir { member: one, free: 1 }];
        let claim = Claim { by: one, round: 0, heirs, through: u64::MAX, stale };
        loop {
            let listed = self.list().await?;
            if let Some(key) = listed.keys.get(&one) {
                return Ok(key.clone());
            }
            let earlier = listed.keys.values().filter(|key| {
                key.incarnation.node == one.node && matches!(key.ownership, Ownership::Alive(_))
            });
            let mut request = self.begun();
            request.compare.push(self.is_absent(one, Kind::Alive));
            request.compare.push(self.is_absent(one, Kind::Claimed));
            request.success.push(put(self.root.key(one, Kind::Alive), keys::alive(role, terms)));
            for key in earlier {
                request.compare.push(self.is_as_of(key.incarnation, Kind::Alive, key.revision));
                self.claims(&mut request, key.incarnation, key.role, &claim);
            }
            let answer = self.client.txn(request).await?;
            let revision = self.note(answer.header.as_ref())?;
            if answer.succeeded {
                let ownership = Ownership::Alive(terms.clone());
                return Ok(Key { incarnation: one, revision, role, ownership });
            }
            // Something changed between both: it is looked at anew.
        }
    }

    /// A key as it is now; `None`: there is none.
    ///
    /// # Errors
    /// If the engine is away or refuses, or the value cannot be read.
    pub async fn read(&self, one: Incarnation) -> Result<Option<Key>, EngineError> {
        let range = |kind| {
            let request = RangeRequest { key: self.root.key(one, kind).into(), ..RangeRequest::default() };
            RequestOp { request: Some(Request::RequestRange(request)) }
        };
        let mut request = self.begun();
        request.success = vec![range(Kind::Claimed), range(Kind::Alive)];
        let answer = self.client.txn(request).await?;
        self.note(answer.header.as_ref())?;
        if !answer.succeeded {
            return Err(EngineError::Away { tried: "it was restored from a backup just now".to_owned() });
        }
        for kv in found(&answer) {
            if let Some((_, key)) = keys::read(&self.root, self.generation(), kv)? {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    /// Writes a claim, if the key is as it was read and all successors are alive.
    pub async fn claim(&self, transaction: &Transaction, role: Role) -> ClaimResult {
        let mut request = self.begun();
        request.compare.push(self.is_as_of(transaction.target, Kind::Alive, transaction.revision));
        for heir in &transaction.claim.heirs {
            request.compare.push(self.is_there(heir.member));
        }
        self.claims(&mut request, transaction.target, role, &transaction.claim);
        self.result(request).await
    }

    /// Claims an incarnation for the next one of its node, and writes that one's key.
    pub async fn rejoin(&self, transaction: &Transaction, role: Role, terms: &Terms) -> ClaimResult {
        let next = transaction.claim.by;
        let mut request = self.begun();
        request.compare.push(self.is_as_of(transaction.target, Kind::Alive, transaction.revision));
        request.compare.push(self.is_absent(next, Kind::Alive));
        request.success.push(put(self.root.key(next, Kind::Alive), keys::alive(role, terms)));
        self.claims(&mut request, transaction.target, role, &transaction.claim);
        self.result(request).await
    }

    /// Writes other terms into the key of a living incarnation, if it is as of a revision.
    pub async fn change(&self, target: Incarnation, revision: u64, role: Role, terms: &Terms) -> ClaimResult {
        let mut request = self.begun();
        request.compare.push(self.is_as_of(target, Kind::Alive, revision));
        request.success.push(put(self.root.key(target, Kind::Alive), keys::alive(role, terms)));
        self.result(request).await
    }

    /// Deletes a claimed key as of a revision, if none of those who are thought to be gone has a key.
    ///
    /// # Errors
    /// If the engine is away or refuses. That the key is not deleted is no error.
    pub async fn release(
        &self,
        target: Incarnation,
        revision: u64,
        gone: &[Incarnation],
    ) -> Result<(), EngineError> {
        let mut request = self.begun();
        request.compare.push(self.is_as_of(target, Kind::Claimed, revision));
        for one in gone {
            request.compare.push(self.is_absent(*one, Kind::Alive));
            request.compare.push(self.is_absent(*one, Kind::Claimed));
        }
        request.success.push(delete(self.root.key(target, Kind::Claimed)));
        let answer = self.client.txn(request).await?;
        self.note(answer.header.as_ref()).map(|_| ())
    }

    /// Deletes the key of an incarnation that ends without calls.
    ///
    /// # Errors
    /// If the engine is away or refuses. That it was claimed meanwhile is no error.
    pub async fn leave(&self, one: Incarnation) -> Result<(), EngineError> {
        let mut request = self.begun();
        request.success.push(delete(self.root.key(one, Kind::Alive)));
        let answer = self.client.txn(request).await?;
        self.note(answer.header.as_ref()).map(|_| ())
    }

    /// Takes the seat of control, if it is as it was seen, its holder owns no calls and who asks does; the seat then.
    /// `None`: it was not free.
    ///
    /// # Errors
    /// If the engine is away or refuses; it may have been taken then.
    pub async fn take_seat(&self, taking: &Taking) -> Result<Option<Seat>, EngineError> {
        let Taking { by, seen } = *taking;
        let mut request = self.begun();
        request.compare.push(self.is_there(by));
        let key = self.root.control();
        match seen {
            Some(Seat { holder, epoch }) => {
                request.compare.push(self.is_of(key.clone(), epoch));
                request.compare.push(self.is_absent(holder, Kind::Alive));
            }
            None => {
                let absent = TargetUnion::CreateRevision(0);
                request.compare.push(compare(key.clone(), CompareResult::Equal, absent));
            }
        }
        request.success.push(put(key, keys::control(by)));
        let answer = self.client.txn(request).await?;
        let epoch = self.note(answer.header.as_ref())?;
        Ok(answer.succeeded.then_some(Seat { holder: by, epoch }))
    }

    /// Writes the key of a living incarnation again, if a restored backup has none of it.
    pub(super) async fn assert(&self, key: &Key) -> Result<(), EngineError> {
        let Ownership::Alive(terms) = &key.ownership else { return Ok(()) };
        let mut request = self.begun();
        request.compare.push(self.is_absent(key.incarnation, Kind::Alive));
        request.compare.push(self.is_absent(key.incarnation, Kind::Claimed));
        request.success.push(put(self.root.key(key.incarnation, Kind::Alive), keys::alive(key.role, terms)));
        let answer = self.client.txn(request).await?;
        self.note(answer.header.as_ref()).map(|_| ())
    }

    /// All there is. Begins a new generation if the engine's revision went back.
    pub(super) async fn list(&self) -> Result<Listing, EngineError> {
        let (key, range_end) = self.root.all();
        let mut restored = false;
        loop {
            let before = self.seen();
            let request = RangeRequest { key: key.clone().into(), range_end: range_end.clone().into() };
            let answer = self.client.range(request).await?;
            let header = answer.header.ok_or(EngineError::NotEtcd { what: "an answer without a header" })?;
            let stored = self.stored_generation(&answer.kvs)?;
            let held = Generation::of(before);
            if stored.0 < held.0 || stored.outward(header.revision) < before {
                // A linearizable answer is never older than what was seen before it was asked for.
                self.begin(stored, Generation(held.0.max(stored.0) + 1)).await?;
                restored = true;
                continue;
            }
            restored |= stored.0 > held.0 && before > 0;
            let revision = stored.outward(header.revision);
            self.seen.fetch_max(revision, SeqCst);
            let (keys, unreadable, index) = (BTreeMap::new(), Vec::new(), None);
            let seat = answer.kvs.iter().find_map(|kv| keys::seat(&self.root, stored, kv));
            let mut listing = Listing { revision, keys, unreadable, index, restored, seat };
            for kv in &answer.kvs {
                listing.take(&self.root, stored, kv);
            }
            return Ok(listing);
        }
    }

    fn stored_generation(&self, kvs: &[KeyValue]) -> Result<Generation, EngineError> {
        let name = self.root.generation();
        let Some(kv) = kvs.iter().find(|kv| kv.key == name) else { return Ok(Generation(0)) };
        let number = std::str::from_utf8(&kv.value).ok().and_then(|text| text.parse().ok());
        number.map(Generation).ok_or_else(|| {
            let message = "a generation is a number".to_owned();
            let key = String::from_utf8_lossy(&name).into_owned();
            EngineError::Value(ValueError::Malformed { key, message })
        })
    }

    /// Raises the generation, if nobody else has.
    async fn begin(&self, stored: Generation, next: Generation) -> Result<(), EngineError> {
        tracing::warn!(
            generation = next.0,
            "the engine's revision went back: it was restored from a backup; a new generation begins"
        );
        let request = TxnRequest {
            compare: vec![self.is_generation(stored)],
            success: vec![put(self.root.generation(), next.0.to_string().into_bytes())],
            failure: Vec::new(),
        };
        self.client.txn(request).await.map(|_| ())
    }

    // ── parts of transactions ──

    pub(super) fn begun(&self) -> TxnRequest {
        TxnRequest { compare: vec![self.is_generation(self.generation())], ..TxnRequest::default() }
    }

    fn is_generation(&self, generation: Generation) -> Compare {
        let key = self.root.generation();
        if generation.0 == 0 {
            compare(key, CompareResult::Equal, TargetUnion::CreateRevision(0))
        } else {
            compare(key, CompareResult::Equal, TargetUnion::Value(generation.0.to_string().into()))
        }
    }

    fn is_as_of(&self, one: Incarnation, kind: Kind, revision: u64) -> Compare {
        self.is_of(self.root.key(one, kind), revision)
    }

    fn is_of(&self, key: Vec<u8>, revision: u64) -> Compare {
        let revision = self.generation().inward(revision);
        // 0 would compare for a key that is not there.
        let revision = if revision == 0 { -1 } else { revision };
        compare(key, CompareResult::Equal, TargetUnion::ModRevision(revision))
    }

    fn is_absent(&self, one: Incarnation, kind: Kind) -> Compare {
        compare(self.root.key(one, kind), CompareResult::Equal, TargetUnion::CreateRevision(0))
    }

    fn is_there(&self, one: Incarnation) -> Compare {
        let key = self.root.key(one, Kind::Alive);
        compare(key, CompareResult::Greater, TargetUnion::CreateRevision(0))
    }

    fn claims(&self, request: &mut TxnRequest, target: Incarnation, role: Role, claim: &Claim) {
        request.success.push(delete(self.root.key(target, Kind::Alive)));
        request.success.push(put(self.root.key(target, Kind::Claimed), keys::claimed(role, claim)));
    }

    async fn result(&self, request: TxnRequest) -> ClaimResult {
        let noted = self.client.txn(request).await.and_then(|answer| {
            let revision = self.note(answer.header.as_ref())?;
            Ok((answer.succeeded, revision))
        });
        match noted {
            Ok((true, revision)) => ClaimResult::Won { revision },
            Ok((false, _)) => ClaimResult::Lost,
            Err(error) => {
                tracing::warn!(%error, "what came of a claim is not known: it is read");
                ClaimResult::Unknown
            }
        }
    }
}

impl Listing {
    fn take(&mut self, root: &Root, generation: Generation, kv: &KeyValue) {
        if kv.key == root.assets() {
            self.index = Some((generation.outward(kv.mod_revision), index::read(kv)));
            return;
        }
        match keys::read(root, generation, kv) {
            // `alive` is listed before `claimed`, which counts where there are both.
            Ok(Some((_, key))) => drop(self.keys.insert(key.incarnation, key)),
            Ok(None) => {}
            Err(error) => {
                if let Some((one, _)) = root.member(&kv.key) {
                    self.unreadable.push((one, error));
                }
            }
        }
    }
}

fn found(answer: &TxnResponse) -> impl Iterator<Item = &KeyValue> {
    answer.responses.iter().flat_map(|ResponseOp { response }| match response {
        Some(Response::ResponseRange(range)) => range.kvs.as_slice(),
        Some(Response::ResponsePut(_) | Response::ResponseDeleteRange(_)) | None => &[],
    })
}

pub(super) fn compare(key: Vec<u8>, result: CompareResult, union: TargetUnion) -> Compare {
    let target = match union {
        TargetUnion::CreateRevision(_) => CompareTarget::Create,
        TargetUnion::ModRevision(_) => CompareTarget::Mod,
        TargetUnion::Value(_) => CompareTarget::Value,
    };
    Compare { result: result.into(), target: target.into(), key: key.into(), target_union: Some(union) }
}

pub(super) fn put(key: Vec<u8>, value: Vec<u8>) -> RequestOp {
    RequestOp { request: Some(Request::RequestPut(PutRequest { key: key.into(), value: value.into() })) }
}

fn delete(key: Vec<u8>) -> RequestOp {
    let request = DeleteRangeRequest { key: key.into(), ..DeleteRangeRequest::default() };
    RequestOp { request: Some(Request::RequestDeleteRange(request)) }
}
