//! The index of what all members are to have alike: questionnaires, dialplan, trunks.
//!
//! ```text
//! /baton/NAME/assets      {"format":1,"manifest":"<digest>","bytes":…,"version":3,"by":"n1","at":"…"}
//! ```
//! It names a manifest by its digest. The manifest itself, and the files that it names, are at the members, and travel
//! between them: a value here is read each second, may have 1.5 MB at most, and is in etcd's backups, where trunks do not
//! belong. A version is replaced by the next one alone.

use serde::{Deserialize, Serialize};

use super::EngineError;
use super::keys::{self, FORMAT, ValueError};
use super::requests::{Engine, compare, put};
use super::wire::compare::{CompareResult, TargetUnion};
use super::wire::{KeyValue, RangeRequest};
use crate::id::{Digest, NodeId};

/// What all members are to have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// The manifest that says it.
    pub manifest: Digest,
    /// How long that is.
    pub bytes: u64,
    /// Which one this is, counted from 1.
    pub version: u64,
    /// Who published it.
    pub by: NodeId,
    /// When, as RFC 3339 has it.
    pub at: String,
}

/// What came of publishing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Publishing {
    /// It is what all are to have now.
    Done,
    /// Another one stands there, or none: nothing was changed.
    Other(Option<Index>),
}

#[derive(Serialize, Deserialize)]
struct Value {
    format: u32,
    #[serde(flatten)]
    index: Index,
}

pub(super) fn read(kv: &KeyValue) -> Result<Index, ValueError> {
    keys::value::<Value>(kv).map(|value| value.index)
}

fn written(index: &Index) -> Vec<u8> {
    let value = Value { format: FORMAT, index: index.clone() };
    serde_json::to_vec(&value).expect("all of it has a form in JSON")
}

fn judged(index: &Index, there: Option<Index>) -> Publishing {
    if there.as_ref() == Some(index) { Publishing::Done } else { Publishing::Other(there) }
}

impl Engine {
    /// Makes this what all members are to have, if what is there has version `replaces` (0: there is none).
    ///
    /// # Errors
    /// If the engine is away or refuses. Whether it was done is not known then: it is told if it was.
    pub async fn publish(&self, index: &Index, replaces: u64) -> Result<Publishing, EngineError> {
        let mut request = self.begun();
        let (revision, there) = self.indexed().await?;
        if there.as_ref().map_or(0, |there| there.version) != replaces {
            return Ok(judged(index, there));
        }
        let union = match revision {
            0 => TargetUnion::CreateRevision(0),
            revision => TargetUnion::ModRevision(revision),
        };
        request.compare.push(compare(self.root.assets(), CompareResult::Equal, union));
        request.success.push(put(self.root.assets(), written(index)));
        let answer = self.client.txn(request).await?;
        self.note(answer.header.as_ref())?;
        if answer.succeeded {
            return Ok(Publishing::Done);
        }
        // It may have been done by a request of ours whose answer was late.
        let (_, there) = self.indexed().await?;
        Ok(judged(index, there))
    }

    /// What stands there, and as of which of the engine's revisions; 0: nothing does.
    async fn indexed(&self) -> Result<(i64, Option<Index>), EngineError> {
        let request = RangeRequest { key: self.root.assets().into(), ..RangeRequest::default() };
        let answer = self.client.range(request).await?;
        self.note(answer.header.as_ref())?;
        match answer.kvs.first() {
            Some(kv) => Ok((kv.mod_revision, Some(read(kv)?))),
            None => Ok((0, None)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kv(value: &[u8]) -> KeyValue {
        let key = b"/baton/main/assets".to_vec().into();
        KeyValue { key, value: value.to_vec().into(), create_revision: 3, mod_revision: 3 }
    }

    #[test]
    fn an_index_reads_back_and_a_person_can_read_it() {
        let index = Index {
            manifest: Digest::of(b"x"),
            bytes: 12,
            version: 3,
            by: "n1".parse().unwrap(),
            at: "2026-11-27T16:00:00Z".to_owned(),
        };
        let value = written(&index);
        assert_eq!(read(&kv(&value)), Ok(index));
        let text = String::from_utf8(value).unwrap();
        assert!(text.starts_with("{\"format\":1,\"manifest\":\"2d71"), "{text}");
        let newer = read(&kv(br#"{"format":9}"#)).unwrap_err();
        assert!(matches!(newer, ValueError::Newer { format: 9, .. }), "{newer}");
        for value in ["", "{}", r#"{"format":1,"manifest":"xyz"}"#] {
            assert!(matches!(read(&kv(value.as_bytes())), Err(ValueError::Malformed { .. })), "{value}");
        }
    }
}
