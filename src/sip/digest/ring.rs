//! Which challenges a session has answered, and with which count: RFC 3261 §22.2, §22.3, RFC 7616 §3.4.5.

use serde::{Deserialize, Serialize};

use super::challenge::Challenge;
use super::response::{Credentials, Given};
use crate::id::Mint;
use crate::sip::{HeaderName, Headers, Writer};

/// Realms that a session keeps answers for; beyond it the oldest is forgotten, and asks anew.
const MAX_SPACES: usize = 4;
/// Times that one request is sent again with another answer: a few proxies in a row, a nonce too old.
const MAX_ROUNDS: u8 = 6;

/// Who asks: it decides the header that answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum By {
    /// The user agent server, by 401.
    Server,
    /// A proxy on the way, by 407.
    Proxy,
}

impl By {
    const fn asks_in(self) -> HeaderName {
        match self {
            Self::Server => HeaderName::WwwAuthenticate,
            Self::Proxy => HeaderName::ProxyAuthenticate,
        }
    }

    const fn is_answered_in(self) -> HeaderName {
        match self {
            Self::Server => HeaderName::Authorization,
            Self::Proxy => HeaderName::ProxyAuthorization,
        }
    }
}

/// A protection space and the challenge that is answered there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Space {
    by: By,
    challenge: Challenge,
    cnonce: String,
    count: u32,
}

/// The protection spaces of a session. Every request after the first challenge carries an answer for each,
/// with a count of its own, so that a server that knows its nonce need not ask again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ring {
    spaces: Vec<Space>,
}

/// What was tried for one request, through all its CSeq numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    rounds: u8,
    /// Whose fresh challenges the last attempt answered: asked again, they say that name or password is wrong.
    fresh: Vec<(By, String)>,
}

/// What a 401 or 407 calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The request goes out again, signed.
    Answer,
    /// It was answered before and refused, or cannot be answered.
    GiveUp,
}

impl Ring {
    /// Takes the challenges of a 401 or 407 to a request for which `tried` was tried.
    ///
    /// Of the challenges of one realm the strongest that can be answered is taken, of equals the topmost
    /// (RFC 8760 §2.3). No nonce is answered twice with the same name and password; a new nonce in answer to
    /// a fresh one only if the server calls the old one stale.
    pub fn take(
        &mut self,
        headers: &Headers,
        tried: &mut Tried,
        credentials: Option<&Credentials>,
        mint: &mut Mint,
    ) -> Verdict {
        let Some(credentials) = credentials.filter(|_| tried.rounds < MAX_ROUNDS) else {
            return Verdict::GiveUp;
        };
        let mut fresh = Vec::new();
        for (by, challenge) in strongest(headers) {
            let realm = challenge.realm.clone();
            let is_known = |space: &&mut Space| space.by == by && space.challenge.realm == realm;
            let known = self.spaces.iter_mut().find(is_known);
            let was_refused = tried.fresh.iter().any(|(who, what)| *who == by && *what == realm);
            let is_spent = known.as_ref().is_some_and(|space| space.challenge.nonce == challenge.nonce);
            if !credentials.answers(&realm) || is_spent || (was_refused && !challenge.stale) {
                continue;
            }
            let space = Space { by, challenge, cnonce: mint.token(), count: 0 };
            match known {
                Some(known) => *known = space,
                None => self.add(space),
            }
            fresh.push((by, realm));
        }
        if fresh.is_empty() {
            return Verdict::GiveUp;
        }
        tried.rounds += 1;
        tried.fresh = fresh;
        Verdict::Answer
    }

    fn add(&mut self, space: Space) {
        if self.spaces.len() >= MAX_SPACES {
            self.spaces.remove(0);
        }
        self.spaces.push(space);
    }

    /// Forgets every space: the next request goes to somebody else.
    pub fn clear(&mut self) {
        self.spaces.clear();
    }

    /// Leaves counts out: another owner may have used them, and a server that watches them takes none twice.
    pub fn skip(&mut self, counts: u32) {
        for space in &mut self.spaces {
            space.count = space.count.saturating_add(counts);
        }
    }

    /// Writes an answer for each space.
    pub fn sign(
        &mut self,
        writer: &mut Writer,
        credentials: Option<&Credentials>,
        method: &str,
        uri: &str,
        body: &[u8],
    ) {
        let Some(credentials) = credentials else { return };
        for space in self.spaces.iter_mut().filter(|space| credentials.answers(&space.challenge.realm)) {
            space.count += 1;
            let given = Given { method, uri, body, cnonce: &space.cnonce, count: space.count };
            writer.header(space.by.is_answered_in(), space.challenge.answer(credentials, given));
        }
    }
}

/// The strongest challenge of each realm, in the order of the message.
fn strongest(headers: &Headers) -> Vec<(By, Challenge)> {
    let mut best: Vec<(By, Challenge)> = Vec::new();
    for by in [By::Server, By::Proxy] {
        let lines = headers.all(by.asks_in());
        for challenge in lines.iter().flat_map(|line| Challenge::read(line)) {
            let is_same = |(who, other): &&mut (By, Challenge)| *who == by && other.realm == challenge.realm;
            if let Some((_, other)) = best.iter_mut().find(is_same) {
                if challenge.algorithm().hash > other.algorithm().hash {
                    *other = challenge;
                }
            } else if best.len() < MAX_SPACES {
                best.push((by, challenge));
            }
        }
    }
    best
}
