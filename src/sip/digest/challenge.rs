//! What a server asks for: `WWW-Authenticate`, `Proxy-Authenticate` (RFC 7616 §3.3, RFC 8760 §2).
//!
//! Written in many ways: quotes where a token should stand and the other way round, names in any case,
//! white space around `=`, several challenges in one line, parameters nobody knows. All of it is read; what
//! cannot be answered (another scheme, algorithm or qop; no nonce) is passed over.

use serde::{Deserialize, Serialize};

use crate::sip::text;

/// Bytes of realm, nonce and opaque together. They stand in the call's record; real ones have about 100.
pub const MAX_CHALLENGE_BYTES: usize = 2_048;
/// Challenges in one message that are looked at: three algorithms for each of five realms.
pub(super) const MAX_CHALLENGES: usize = 16;

/// The hash function, the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Hash {
    /// MD5, as most trunks still ask for it.
    Md5,
    /// SHA-256.
    Sha256,
    /// SHA-512/256.
    Sha512_256,
}

/// How a response is computed (RFC 7616 §3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Algorithm {
    /// The hash function.
    pub hash: Hash,
    /// `-sess`: the first nonce and cnonce go into the key.
    pub per_session: bool,
}

impl Algorithm {
    /// Its name, as registered.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match (self.hash, self.per_session) {
            (Hash::Md5, false) => "MD5",
            (Hash::Md5, true) => "MD5-sess",
            (Hash::Sha256, false) => "SHA-256",
            (Hash::Sha256, true) => "SHA-256-sess",
            (Hash::Sha512_256, false) => "SHA-512-256",
            (Hash::Sha512_256, true) => "SHA-512-256-sess",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        let known = [Hash::Md5, Hash::Sha256, Hash::Sha512_256]
            .into_iter()
            .flat_map(|hash| [false, true].into_iter().map(move |per_session| Self { hash, per_session }));
        known.into_iter().find(|one| one.name().eq_ignore_ascii_case(name))
    }
}

/// What the response protects besides the nonce (RFC 7616 §3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Qop {
    /// Method and Request-URI.
    Auth,
    /// The body too.
    AuthInt,
}

impl Qop {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::AuthInt => "auth-int",
        }
    }
}

/// A challenge that can be answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// Whose name and password are wanted.
    pub realm: String,
    /// What the server will know its challenge by.
    pub nonce: String,
    /// To be given back as it is.
    pub opaque: Option<String>,
    /// `None`: the server names none, which means MD5, and may not know the parameter (RFC 2069).
    pub algorithm: Option<Algorithm>,
    /// `auth` where the server takes it, since a body may change on its way; `None`: none was offered.
    pub qop: Option<Qop>,
    /// The nonce of the request was too old; name and password were right.
    pub stale: bool,
    /// The server wants the hash of the name, not the name (RFC 7616 §3.4.4).
    pub userhash: bool,
}

impl Challenge {
    /// The challenges of one header field that can be answered, in their order.
    #[must_use]
    pub fn read(line: &str) -> Vec<Self> {
        let mut schemes: Vec<Scheme> = Vec::new();
        for piece in pieces(line) {
            let (first, rest) = text::split_white(piece);
            let begins = text::is_token(first) && !rest.starts_with('=');
            // `qop=auth,auth-int` without the quotes that it needs.
            if rest.is_empty() && schemes.last_mut().is_some_and(|scheme| scheme.continues_qop(first)) {
                continue;
            }
            if begins {
                let mut scheme = Scheme { name: first.to_owned(), params: Vec::new() };
                scheme.param(rest);
                schemes.push(scheme);
            } else if let Some(scheme) = schemes.last_mut() {
                scheme.param(piece);
            }
        }
        schemes.iter().filter_map(Scheme::challenge).take(MAX_CHALLENGES).collect()
    }

    /// The algorithm, named or not.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm.unwrap_or(Algorithm { hash: Hash::Md5, per_session: false })
    }
}

/// A scheme with its parameters, unquoted.
struct Scheme {
    name: String,
    params: Vec<(String, String)>,
}

impl Scheme {
    /// Takes `name = value`; anything else is passed over.
    fn param(&mut self, piece: &str) {
        let (name, value) = text::split_first(piece, b'=');
        let (name, value) = (text::trim(name), value.map(text::trim));
        if let Some(value) = value.filter(|_| text::is_token(name)) {
            self.params.push((name.to_ascii_lowercase(), text::unquote(value).into_owned()));
        }
    }

    fn continues_qop(&mut self, word: &str) -> bool {
        match self.params.last_mut() {
            Some((name, value)) if name == "qop" && qop_of(word).is_some() => {
                value.push(',');
                value.push_str(word);
                true
            }
            Some(_) | None => false,
        }
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    fn is_true(&self, name: &str) -> bool {
        self.value(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    fn challenge(&self) -> Option<Challenge> {
        if !self.name.eq_ignore_ascii_case("Digest") {
            return None;
        }
        let (realm, nonce, opaque) = (self.value("realm")?, self.value("nonce")?, self.value("opaque"));
        if realm.len() + nonce.len() + opaque.map_or(0, str::len) > MAX_CHALLENGE_BYTES {
            return None;
        }
        let algorithm = match self.value("algorithm") {
            Some(name) => Some(Algorithm::from_name(name)?),
            None => None,
        };
        let qop = match self.value("qop").map(text::trim).filter(|list| !list.is_empty()) {
            Some(list) => Some(chosen(list)?),
            None => None,
        };
        Some(Challenge {
            realm: realm.to_owned(),
            nonce: nonce.to_owned(),
            opaque: opaque.map(str::to_owned),
            algorithm,
            qop,
            stale: self.is_true("stale"),
            userhash: self.is_true("userhash"),
        })
    }
}

/// The qop that we use of those that are offered; `None`: none of them is known.
fn chosen(list: &str) -> Option<Qop> {
    let offered: Vec<Qop> = list.split([',', ' ']).filter_map(|word| qop_of(text::trim(word))).collect();
    [Qop::Auth, Qop::AuthInt].into_iter().find(|wanted| offered.contains(wanted))
}

fn qop_of(word: &str) -> Option<Qop> {
    [Qop::Auth, Qop::AuthInt].into_iter().find(|qop| word.eq_ignore_ascii_case(qop.name()))
}

/// The pieces between commas outside quoted strings, trimmed, without empty ones.
fn pieces(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let list = rest?;
        let bytes = list.as_bytes();
        let mut at = 0;
        while let Some(found) = bytes.get(at..).and_then(|tail| memchr::memchr2(b',', b'"', tail)) {
            at += found;
            if bytes.get(at) == Some(&b',') {
                rest = list.get(at + 1..);
                return list.get(..at).map(text::trim);
            }
            // A quote that does not close takes the rest of the line.
            at += list.get(at..).and_then(|tail| text::quoted_len(tail).ok()).unwrap_or(bytes.len());
        }
        rest = None;
        Some(text::trim(list))
    })
    .filter(|piece| !piece.is_empty())
}
