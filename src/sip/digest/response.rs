//! The answer to a challenge: RFC 7616 §3.4.

use std::fmt;
use std::fmt::Write as _;

use md5::Md5;
use sha2::{Digest as _, Sha256, Sha512_256};

use super::challenge::{Algorithm, Challenge, Hash, Qop};
use crate::sip::text;

/// With which name and password challenges are answered. No part of a record, and not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The name.
    pub username: String,
    /// The password.
    pub password: String,
    /// The only realm that is answered; `None`: any.
    pub realm: Option<String>,
}

impl Credentials {
    /// Whether challenges of this realm are to be answered.
    #[must_use]
    pub fn answers(&self, realm: &str) -> bool {
        self.realm.as_deref().is_none_or(|only| only == realm)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("username", &self.username)
            .field("realm", &self.realm)
            .finish_non_exhaustive()
    }
}

/// What a request gives to its response.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its Request-URI.
    pub uri: &'a str,
    /// Its body.
    pub body: &'a [u8],
    /// Our part of the nonce; the same for all requests under one nonce of the server, so that a `-sess`
    /// key holds for them all.
    pub cnonce: &'a str,
    /// How often the nonce has been used, this request included (`nc`).
    pub count: u32,
}

impl Challenge {
    /// The value of Authorization or Proxy-Authorization.
    #[must_use]
    pub fn answer(&self, credentials: &Credentials, given: Given<'_>) -> String {
        let hash = self.algorithm().hash;
        let name = &credentials.username;
        let username = if self.userhash { hash.of(format!("{name}:{}", self.realm)) } else { name.clone() };
        let mut out = String::from("Digest ");
        let mut first = true;
        let mut quoted = |out: &mut String, name: &str, value: &str| {
            out.push_str(if std::mem::take(&mut first) { "" } else { ", " });
            out.push_str(name);
            out.push('=');
            text::quote(out, value).expect("writing to a String cannot fail");
        };
        quoted(&mut out, "username", &username);
        quoted(&mut out, "realm", &self.realm);
        quoted(&mut out, "nonce", &self.nonce);
        quoted(&mut out, "uri", given.uri);
        quoted(&mut out, "response", &self.response(credentials, given));
        if let Some(opaque) = &self.opaque {
            quoted(&mut out, "opaque", opaque);
        }
        if self.qop.is_some() || self.algorithm().per_session {
            quoted(&mut out, "cnonce", given.cnonce);
        }
        // What follows stands without quotes (RFC 3261 §25.1, RFC 7616 §3.4).
        let mut bare = |name: &str, value: fmt::Arguments<'_>| {
            write!(out, ", {name}={value}").expect("writing to a String cannot fail");
        };
        if let Some(algorithm) = self.algorithm {
            bare("algorithm", format_args!("{}", algorithm.name()));
        }
        if let Some(qop) = self.qop {
            bare("qop", format_args!("{}", qop.name()));
            bare("nc", format_args!("{:08x}", given.count));
        }
        if self.userhash {
            bare("userhash", format_args!("true"));
        }
        out
    }

    /// `response`: RFC 7616 §3.4.1.
    fn response(&self, credentials: &Credentials, given: Given<'_>) -> String {
        let Algorithm { hash, per_session } = self.algorithm();
        let (nonce, cnonce) = (&self.nonce, given.cnonce);
        let mut key = hash.of(format!("{}:{}:{}", credentials.username, self.realm, credentials.password));
        if per_session {
            key = hash.of(format!("{key}:{nonce}:{cnonce}"));
        }
        let mut asked = format!("{}:{}", given.method, given.uri);
        if self.qop == Some(Qop::AuthInt) {
            asked = format!("{asked}:{}", hash.of(given.body));
        }
        let asked = hash.of(asked);
        match self.qop {
            Some(qop) => {
                let (count, qop) = (given.count, qop.name());
                hash.of(format!("{key}:{nonce}:{count:08x}:{cnonce}:{qop}:{asked}"))
            }
            None => hash.of(format!("{key}:{nonce}:{asked}")), // RFC 2069
        }
    }
}

impl Hash {
    /// The hash in hexadecimal digits.
    fn of(self, bytes: impl AsRef<[u8]>) -> String {
        let bytes = bytes.as_ref();
        match self {
            Self::Md5 => hexadecimal(&Md5::digest(bytes)),
            Self::Sha256 => hexadecimal(&Sha256::digest(bytes)),
            Self::Sha512_256 => hexadecimal(&Sha512_256::digest(bytes)),
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
        text
    })
}
