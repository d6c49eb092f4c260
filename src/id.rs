//! Names of things, and the [`Mint`] that makes them.
//!
//! Ids of ours are 80 random bits written as 16 characters of Crockford's base 32 in lower case
//! (`0-9 a-z` without `i l o u`): short enough for a SIP branch, safe in every token of RFC 3261.

use std::fmt;
use std::str::FromStr;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use serde::{Deserialize, Serialize};

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters of an id: 16 × 5 bits = 80 bits.
const ID_LEN: usize = 16;

/// What a text that should be an id is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id is {ID_LEN} characters of 0-9 and a-z without i, l, o, u")]
pub struct IdError;

fn check(text: &str) -> Result<[u8; ID_LEN], IdError> {
    let bytes: [u8; ID_LEN] = text.as_bytes().try_into().map_err(|_| IdError)?;
    if bytes.iter().all(|b| ALPHABET.contains(b)) { Ok(bytes) } else { Err(IdError) }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; ID_LEN]);

        impl $name {
            /// A new id.
            #[must_use]
            pub fn mint(mint: &mut Mint) -> Self {
                Self(mint.characters())
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                std::str::from_utf8(&self.0).expect("ids are ASCII by construction")
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                check(text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// One call of ours; also the user part of its Contact and the first part of each of its branches.
    CallId;
    /// One contact and its history.
    CaseId;
    /// One try to reach a case; ends in exactly one disposition.
    AttemptId;
}

/// Most characters of a node's name.
const NODE_LEN: usize = 32;

/// The name of a member of a cluster, such as a host's: 1 to 32 of `a-z 0-9 . -`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId([u8; NODE_LEN]);

/// A text that should name a node does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a node's name is 1 to {NODE_LEN} characters of a-z, 0-9, '.' and '-'")]
pub struct NodeIdError;

impl NodeId {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let text = std::str::from_utf8(&self.0).expect("names are ASCII by construction");
        text.trim_end_matches('\0')
    }
}

impl FromStr for NodeId {
    type Err = NodeIdError;

    fn from_str(text: &str) -> Result<Self, NodeIdError> {
        let is_name = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-');
        if text.is_empty() || text.len() > NODE_LEN || !text.as_bytes().iter().all(is_name) {
            return Err(NodeIdError);
        }
        let mut name = [0; NODE_LEN];
        name.iter_mut().zip(text.bytes()).for_each(|(place, byte)| *place = byte);
        Ok(Self(name))
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({self})")
    }
}

impl Serialize for NodeId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for NodeId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Fencing token: the engine's revision of the claim by which an owner owns a call. Only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Epoch(pub u64);

/// Number of a call's save under its epoch. Only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Revision(pub u64);

/// SHA-256 of an asset's bytes: what a questionnaire or prompt is addressed by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// Its 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        if !deserializer.is_human_readable() {
            return <[u8; 32]>::deserialize(deserializer).map(Self);
        }
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// A text that should be a digest is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a digest is 64 hexadecimal digits")]
pub struct DigestError;

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(DigestError);
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| DigestError)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| DigestError)?;
        }
        Ok(Self(bytes))
    }
}

/// A seeded source of tags, branches, SSRCs and ids: the only randomness of the pure rooms.
///
/// ```text
/// seed (32 bytes, from the edge at creation) ─┐
/// epoch (the stream) ─────────────────────────┼─► ChaCha12 ─► token, number
/// drawn (position, serialised) ───────────────┘
/// ```
/// Two owners of one call never draw the same value: each epoch is a stream of its own. The generator
/// is cryptographic because RFC 3261 §19.3 asks for tags that nobody can guess.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mint {
    seed: [u8; 32],
    epoch: Epoch,
    drawn: u64,
}

impl Mint {
    /// A mint from a seed of the edge.
    #[must_use]
    pub const fn new(seed: [u8; 32], epoch: Epoch) -> Self {
        Self { seed, epoch, drawn: 0 }
    }

    /// A mint for tests and reproducible runs.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        let mut bytes = [0; 32];
        for (byte, from) in bytes.iter_mut().zip(seed.to_be_bytes()) {
            *byte = from;
        }
        Self::new(bytes, Epoch(0))
    }

    /// Goes on under a new epoch, on a stream of its own.
    pub const fn rekey(&mut self, epoch: Epoch) {
        self.epoch = epoch;
        self.drawn = 0;
    }

    /// 64 random bits.
    pub fn number(&mut self) -> u64 {
        let mut rng = ChaCha12Rng::from_seed(self.seed);
        rng.set_stream(self.epoch.0);
        rng.set_word_pos(u128::from(self.drawn) * 2); // a word has 32 bits
        self.drawn += 1;
        rng.next_u64()
    }

    /// 32 random bits.
    pub fn number32(&mut self) -> u32 {
        u32::try_from(self.number() >> 32).expect("32 bits remain")
    }

    /// 16 random bits.
    pub fn number16(&mut self) -> u16 {
        u16::try_from(self.number() >> 48).expect("16 bits remain")
    }

    /// A token of 16 characters (80 bits), for tags and branches.
    pub fn token(&mut self) -> String {
        String::from_utf8(self.characters().to_vec()).expect("the alphabet is ASCII")
    }

    fn characters(&mut self) -> [u8; ID_LEN] {
        let mut bits = (u128::from(self.number()) << 64) | u128::from(self.number());
        std::array::from_fn(|_| {
            let character = ALPHABET[usize::try_from(bits & 31).expect("five bits")];
            bits >>= 5;
            character
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mint_goes_on_where_its_record_stopped() {
        let mut mint = Mint::seeded(7);
        let first = mint.token();
        let record = postcard::to_stdvec(&mint).unwrap();
        let second = mint.token();
        let mut restored: Mint = postcard::from_bytes(&record).unwrap();
        assert_eq!(restored.token(), second);
        assert_ne!(first, second);
    }

    #[test]
    fn another_epoch_never_draws_the_same() {
        let mut old = Mint::seeded(7);
        let mut new = old.clone();
        new.rekey(Epoch(1));
        let drawn: std::collections::BTreeSet<u64> = (0..1_000).map(|_| old.number()).collect();
        assert!((0..1_000).all(|_| !drawn.contains(&new.number())));
    }

    #[test]
    fn ids_read_back_and_refuse_what_they_are_not() {
        let id = CallId::mint(&mut Mint::seeded(1));
        assert_eq!(id.as_str().parse(), Ok(id));
        assert_eq!("i000000000000000".parse::<CallId>(), Err(IdError));
        assert_eq!("".parse::<CallId>(), Err(IdError));
        let record = postcard::to_stdvec(&id).unwrap();
        assert_eq!(postcard::from_bytes::<CallId>(&record).unwrap(), id);
        let node: NodeId = "node-1.example".parse().unwrap();
        assert_eq!(node.to_string(), "node-1.example");
        let record = postcard::to_stdvec(&node).unwrap();
        assert_eq!(postcard::from_bytes::<NodeId>(&record).unwrap(), node);
        for wrong in ["", "Node", "a b", "a\0", &"n".repeat(33)] {
            assert_eq!(wrong.parse::<NodeId>(), Err(NodeIdError), "{wrong:?}");
        }
        let json = serde_json::to_string(&Digest::of(b"x")).unwrap();
        assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), Digest::of(b"x"));
    }
}
