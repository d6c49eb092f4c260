//! Names and values of the engine's keys.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::wire::KeyValue;
use crate::sync::{Claim, Incarnation, Key, Ownership, Role, Seat, Terms};

/// The format of values that this program writes; it reads all up to it.
pub(super) const FORMAT: u32 = 1;
/// Below this bit a revision is the engine's own; above it the generation.
const GENERATION_BIT: u32 = 40;

/// A value that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// A newer program wrote it.
    #[error(
        "the engine's key {key} is of format {format}, and this Baton reads up to {FORMAT}: update this instance"
    )]
    Newer {
        /// Which.
        key: String,
        /// Its format.
        format: u32,
    },
    /// Nobody of ours wrote it.
    #[error("the engine's key {key} holds nothing that Baton writes: {message}")]
    Malformed {
        /// Which.
        key: String,
        /// What is wrong with it.
        message: String,
    },
}

/// The engine's revisions as all of Baton sees them: they grow also over a restored backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Generation(pub(super) u64);

impl Generation {
    /// The revision outward.
    pub(super) fn outward(self, revision: i64) -> u64 {
        (self.0 << GENERATION_BIT) | revision.unsigned_abs()
    }

    /// The engine's own of an outward one of this generation; 0 (which no key has) of another one.
    pub(super) fn inward(self, revision: u64) -> i64 {
        let own = revision & ((1 << GENERATION_BIT) - 1);
        if revision >> GENERATION_BIT == self.0 { i64::try_from(own).unwrap_or(0) } else { 0 }
    }

    /// Of an outward revision.
    pub(super) const fn of(revision: u64) -> Self {
        Self(revision >> GENERATION_BIT)
    }
}

/// Where everything of a cluster stands.
#[derive(Clone, Debug)]
pub(super) struct Root(String);

/// Which of an incarnation's two keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Alive,
    Claimed,
}

impl Root {
    pub(super) fn new(cluster: &str) -> Self {
        Self(format!("/baton/{cluster}/"))
    }

    pub(super) fn generation(&self) -> Vec<u8> {
        format!("{}generation", self.0).into()
    }

    pub(super) fn ticket(&self) -> Vec<u8> {
        format!("{}ticket", self.0).into()
    }

    /// The index of what all members are to have alike.
    pub(super) fn assets(&self) -> Vec<u8> {
        format!("{}assets", self.0).into()
    }

    pub(super) fn control(&self) -> Vec<u8> {
        format!("{}control", self.0).into()
    }

    /// First and last of all keys, as etcd takes a prefix: the end is the prefix with its last byte raised by one.
    pub(super) fn all(&self) -> (Vec<u8>, Vec<u8>) {
        let start: Vec<u8> = self.0.clone().into();
        let mut end = start.clone();
        if let Some(last) = end.last_mut() {
            *last += 1; // '/'
        }
        (start, end)
    }

    pub(super) fn key(&self, one: Incarnation, kind: Kind) -> Vec<u8> {
        let kind = match kind {
            Kind::Alive => "alive",
            Kind::Claimed => "claimed",
        };
        format!("{}members/{}/{}/{kind}", self.0, one.node, one.run).into()
    }

    /// Whose key this is, and which; `None`: it is no member's.
    pub(super) fn member(&self, key: &[u8]) -> Option<(Incarnation, Kind)> {
        let rest = std::str::from_utf8(key).ok()?.strip_prefix(&self.0)?.strip_prefix("members/")?;
        let mut parts = rest.split('/');
        let (node, run) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let kind = match (parts.next()?, parts.next()) {
            ("alive", None) => Kind::Alive,
            ("claimed", None) => Kind::Claimed,
            _ => return None,
        };
        Some((Incarnation { node, run }, kind))
    }
}

#[derive(Serialize, Deserialize)]
struct Control {
    format: u32,
    holder: Incarnation,
}

#[derive(Deserialize)]
pub(super) struct Format {
    pub(super) format: u32,
}

#[derive(Serialize, Deserialize)]
struct Value<T> {
    format: u32,
    role: Role,
    #[serde(flatten)]
    said: T,
}

#[derive(Serialize, Deserialize)]
struct Alive {
    terms: Terms,
}

#[derive(Serialize, Deserialize)]
struct Claimed {
    claim: Claim,
}

fn write<T: Serialize>(role: Role, said: T) -> Vec<u8> {
    serde_json::to_vec(&Value { format: FORMAT, role, said }).expect("all of it has a form in JSON")
}

pub(super) fn alive(role: Role, terms: &Terms) -> Vec<u8> {
    write(role, Alive { terms: terms.clone() })
}

pub(super) fn claimed(role: Role, claim: &Claim) -> Vec<u8> {
    write(role, Claimed { claim: claim.clone() })
}

pub(super) fn control(holder: Incarnation) -> Vec<u8> {
    serde_json::to_vec(&Control { format: FORMAT, holder }).expect("all of it has a form in JSON")
}

/// Who is control, as its key says; `None`: it is another key, or one that a newer program wrote.
pub(super) fn seat(root: &Root, generation: Generation, kv: &KeyValue) -> Option<Seat> {
    let control = (kv.key == root.control()).then(|| value::<Control>(kv).ok());
    let Control { holder, .. } = control.flatten()?;
    Some(Seat { holder, epoch: generation.outward(kv.mod_revision) })
}

/// What a key says, if this program knows its format.
pub(super) fn value<T: DeserializeOwned>(kv: &KeyValue) -> Result<T, ValueError> {
    let key = || String::from_utf8_lossy(&kv.key).into_owned();
    let malformed =
        |error: serde_json::Error| ValueError::Malformed { key: key(), message: error.to_string() };
    let Format { format } = serde_json::from_slice(&kv.value).map_err(malformed)?;
    if format > FORMAT {
        return Err(ValueError::Newer { key: key(), format });
    }
    serde_json::from_slice(&kv.value).map_err(malformed)
}

/// What a member's key says; `None`: it is no member's.
pub(super) fn read(
    root: &Root,
    generation: Generation,
    kv: &KeyValue,
) -> Result<Option<(Kind, Key)>, ValueError> {
    let Some((incarnation, kind)) = root.member(&kv.key) else { return Ok(None) };
    let (role, ownership) = match kind {
        Kind::Alive => {
            let value: Value<Alive> = value(kv)?;
            (value.role, Ownership::Alive(value.said.terms))
        }
        Kind::Claimed => {
            let value: Value<Claimed> = value(kv)?;
            (value.role, Ownership::Claimed(value.said.claim))
        }
    };
    let revision = generation.outward(kv.mod_revision);
    Ok(Some((kind, Key { incarnation, revision, role, ownership })))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sync::{Heir, Voters};

    fn one() -> Incarnation {
        Incarnation { node: "n1.example".parse().unwrap(), run: 17 }
    }

    fn kv(kind: Kind, value: &[u8]) -> KeyValue {
        let key = Root::new("main").key(one(), kind).into();
        KeyValue { key, value: value.to_vec().into(), create_revision: 17, mod_revision: 20 }
    }

    fn read_of(kv: &KeyValue) -> Result<Option<(Kind, Key)>, ValueError> {
        read(&Root::new("main"), Generation(0), kv)
    }

    #[test]
    fn both_kinds_of_keys_read_back() {
        let voters = Voters::new(["a", "b", "c"].map(|name| name.parse().unwrap())).unwrap();
        let terms = Terms::new(voters, Duration::from_millis(250)).unwrap();
        let value = alive(Role::Witness, &terms);
        let (kind, key) = read_of(&kv(Kind::Alive, &value)).unwrap().unwrap();
        assert_eq!((kind, key.incarnation, key.revision, key.role), (Kind::Alive, one(), 20, Role::Witness));
        assert_eq!(key.ownership, Ownership::Alive(terms));
        let heirs = vec![Heir { member: one(), free: 3 }];
        let claim = Claim { by: one(), round: 2, heirs, through: u64::MAX, stale: true };
        let value = claimed(Role::Instance, &claim);
        let (kind, key) = read_of(&kv(Kind::Claimed, &value)).unwrap().unwrap();
        assert_eq!((kind, key.ownership), (Kind::Claimed, Ownership::Claimed(claim)));
    }

    #[test]
    fn what_a_newer_program_wrote_and_what_nobody_wrote_is_refused_by_name() {
        let error = read_of(&kv(Kind::Alive, br#"{"format":2,"new":true}"#)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the engine's key /baton/main/members/n1.example/17/alive is of format 2, and this Baton reads up to 1: \
             update this instance"
        );
        for value in ["", "hello", "{}", r#"{"format":1}"#, r#"{"format":1,"role":"Instance","terms":3}"#] {
            let error = read_of(&kv(Kind::Alive, value.as_bytes())).unwrap_err();
            assert!(matches!(error, ValueError::Malformed { .. }), "{value}: {error}");
        }
        let other = |key: &str| KeyValue { key: key.to_owned().into(), ..kv(Kind::Alive, b"") };
        for key in ["/baton/main/ticket", "/baton/other/members/a/1/alive", "/baton/main/members/a/1/alive/x"]
        {
            assert_eq!(read_of(&other(key)), Ok(None), "{key}");
        }
    }

    #[test]
    fn revisions_grow_over_a_restored_backup_and_go_back_to_the_engine_s_own() {
        let (first, second) = (Generation(0), Generation(1));
        assert_eq!(first.outward(17), 17);
        assert!(second.outward(3) > first.outward(1 << 39));
        assert_eq!((first.inward(17), second.inward(second.outward(3))), (17, 3));
        assert_eq!(second.inward(17), 0, "no key is as of a revision of before");
        assert_eq!(Generation::of(second.outward(3)), second);
    }
}
