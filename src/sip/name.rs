//! Header field names: canonical spelling and compact form (RFC 3261 §7.3.3, §20; IANA registry).

use std::fmt;
use std::str::FromStr;

use super::text::{self, ValueError};

macro_rules! names {
    ($($name:ident = $canonical:literal $(, $compact:literal)?;)*) => {
        /// The name of a header field. Names are compared without regard to case, and a compact form
        /// is the same name (`v` is [`HeaderName::Via`]).
        #[derive(Clone, Debug)]
        pub enum HeaderName {
            $(
                #[doc = concat!("`", $canonical, "`" $(, ", compact `", $compact, "`")?)]
                $name,
            )*
            /// Any other name. Make it with [`HeaderName::from_str`], which knows the known ones.
            Other(Box<str>),
        }

        /// A known name, small enough for the index of a message.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) enum Known { $($name,)* }

        /// Every spelling of every known name.
        const SPELLINGS: &[(&str, Known)] = &[
            $(($canonical, Known::$name), $(($compact, Known::$name),)?)*
        ];

        impl Known {
            /// The canonical spelling.
            pub(super) const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $canonical,)* }
            }
        }

        impl From<Known> for HeaderName {
            fn from(known: Known) -> Self {
                match known { $(Known::$name => Self::$name,)* }
            }
        }

        impl HeaderName {
            /// The canonical spelling; an unknown name as it was written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$name => $canonical,)*
                    Self::Other(name) => lookup(name.as_bytes()).map_or(&**name, |known| known.as_str()),
                }
            }

            /// The known name behind this one.
            pub(super) fn known(&self) -> Option<Known> {
                match self {
                    $(Self::$name => Some(Known::$name),)*
                    Self::Other(name) => lookup(name.as_bytes()),
                }
            }

            /// The compact form, if one is registered.
            #[must_use]
            pub fn compact(&self) -> Option<&'static str> {
                match self.known()? {
                    $($(Known::$name => Some($compact),)?)*
                    #[allow(unreachable_patterns, reason = "every known name may have a compact form")]
                    _ => None,
                }
            }
        }
    };
}

names! {
    Accept = "Accept";
    AcceptContact = "Accept-Contact", "a";
    AcceptEncoding = "Accept-Encoding";
    AcceptLanguage = "Accept-Language";
    AlertInfo = "Alert-Info";
    Allow = "Allow";
    AllowEvents = "Allow-Events", "u";
    AuthenticationInfo = "Authentication-Info";
    Authorization = "Authorization";
    CallId = "Call-ID", "i";
    CallInfo = "Call-Info";
    Contact = "Contact", "m";
    ContentDisposition = "Content-Disposition";
    ContentEncoding = "Content-Encoding", "e";
    ContentLanguage = "Content-Language";
    ContentLength = "Content-Length", "l";
    ContentType = "Content-Type", "c";
    CSeq = "CSeq";
    Date = "Date";
    Diversion = "Diversion";
    ErrorInfo = "Error-Info";
    Event = "Event", "o";
    Expires = "Expires";
    From = "From", "f";
    HistoryInfo = "History-Info";
    Identity = "Identity", "y";
    IdentityInfo = "Identity-Info", "n";
    InReplyTo = "In-Reply-To";
    InfoPackage = "Info-Package";
    Join = "Join";
    MaxBreadth = "Max-Breadth";
    MaxForwards = "Max-Forwards";
    MimeVersion = "MIME-Version";
    MinExpires = "Min-Expires";
    MinSe = "Min-SE";
    Organization = "Organization";
    PAssertedIdentity = "P-Asserted-Identity";
    PEarlyMedia = "P-Early-Media";
    PPreferredIdentity = "P-Preferred-Identity";
    Path = "Path";
    Priority = "Priority";
    Privacy = "Privacy";
    ProxyAuthenticate = "Proxy-Authenticate";
    ProxyAuthorization = "Proxy-Authorization";
    ProxyRequire = "Proxy-Require";
    RAck = "RAck";
    RSeq = "RSeq";
    Reason = "Reason";
    RecordRoute = "Record-Route";
    RecvInfo = "Recv-Info";
    ReferTo = "Refer-To", "r";
    ReferredBy = "Referred-By", "b";
    RejectContact = "Reject-Contact", "j";
    RemotePartyId = "Remote-Party-ID";
    Replaces = "Replaces";
    ReplyTo = "Reply-To";
    RequestDisposition = "Request-Disposition", "d";
    Require = "Require";
    RetryAfter = "Retry-After";
    Route = "Route";
    Server = "Server";
    ServiceRoute = "Service-Route";
    SessionExpires = "Session-Expires", "x";
    SessionId = "Session-ID";
    Subject = "Subject", "s";
    SubscriptionState = "Subscription-State";
    Supported = "Supported", "k";
    Timestamp = "Timestamp";
    To = "To", "t";
    Unsupported = "Unsupported";
    UserAgent = "User-Agent";
    Via = "Via", "v";
    Warning = "Warning";
    WwwAuthenticate = "WWW-Authenticate";
}

/// What a name is found by: its length and its first and last eight letters, in lower case.
///
/// `| 0x20` makes letters small. Besides, it makes a `-` of a CR only, which never stands in a line.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key {
    len: usize,
    first: u64,
    last: u64,
}

impl Key {
    const NONE: Self = Self { len: 0, first: 0, last: 0 };

    const fn of(name: &[u8]) -> Self {
        let len = name.len();
        let start = len.saturating_sub(8);
        let (mut first, mut last) = (0, 0);
        let mut at = 0;
        while at < 8 && at < len {
            first = first << 8 | (name[at] | 0x20) as u64;
            last = last << 8 | (name[start + at] | 0x20) as u64;
            at += 1;
        }
        Self { len, first, last }
    }

    /// [`Key::of`] in few steps.
    #[inline]
    fn found(name: &[u8]) -> Self {
        const LOWER: u64 = 0x2020_2020_2020_2020;
        let len = name.len();
        match (name.first_chunk(), name.last_chunk()) {
            (Some(first), Some(last)) => Self {
                len,
                first: u64::from_be_bytes(*first) | LOWER,
                last: u64::from_be_bytes(*last) | LOWER,
            },
            _ => {
                let all = name.iter().fold(0, |all, byte| all << 8 | u64::from(byte | 0x20));
                Self { len, first: all, last: all }
            }
        }
    }

    /// The slot to look at first: multiplication spreads, the upper bits are the best spread.
    #[expect(clippy::cast_possible_truncation, reason = "nine bits remain")]
    const fn slot(self) -> usize {
        let mixed = self.first ^ self.last.rotate_left(29) ^ ((self.len as u64) << 59);
        (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - SLOTS.ilog2())) as usize
    }
}

/// Slots of the table: a power of two, several times the number of spellings.
const SLOTS: usize = 512;

/// Open-addressed hash table of [`SPELLINGS`], made by the compiler.
static TABLE: [(Key, Option<Known>); SLOTS] = table();

const fn table() -> [(Key, Option<Known>); SLOTS] {
    let mut table = [(Key::NONE, None); SLOTS];
    let mut index = 0;
    while index < SPELLINGS.len() {
        let (spelling, known) = SPELLINGS[index];
        let key = Key::of(spelling.as_bytes());
        let mut slot = key.slot();
        while table[slot].1.is_some() {
            slot = (slot + 1) % SLOTS;
        }
        table[slot] = (key, Some(known));
        index += 1;
    }
    table
}

/// The known name of this spelling, canonical or compact, in any case.
pub(super) fn lookup(name: &[u8]) -> Option<Known> {
    let key = Key::found(name);
    let mut slot = key.slot();
    loop {
        let (candidate, known) = TABLE[slot];
        let known = known?;
        // Up to 16 letters the key is the name.
        if candidate == key && (key.len <= 16 || known.as_str().as_bytes().eq_ignore_ascii_case(name)) {
            return Some(known);
        }
        slot = (slot + 1) % SLOTS;
    }
}

impl PartialEq for HeaderName {
    fn eq(&self, other: &Self) -> bool {
        self.as_str().eq_ignore_ascii_case(other.as_str())
    }
}

impl Eq for HeaderName {}

impl FromStr for HeaderName {
    type Err = ValueError;

    /// Reads any token, canonical or compact; [`ValueError::Token`] otherwise.
    fn from_str(text: &str) -> Result<Self, ValueError> {
        match lookup(text.as_bytes()) {
            Some(known) => Ok(known.into()),
            None if text::is_token(text) => Ok(Self::Other(text.into())),
            None => Err(ValueError::Token),
        }
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

text::serde_as_text!(HeaderName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_found_in_any_case() {
        for (spelling, known) in SPELLINGS {
            for form in [(*spelling).to_owned(), spelling.to_uppercase(), spelling.to_lowercase()] {
                assert_eq!(lookup(form.as_bytes()), Some(*known), "{form}");
                assert_eq!(form.parse::<HeaderName>().unwrap().as_str(), known.as_str());
            }
        }
        assert_eq!(lookup(b""), None);
        assert_eq!(lookup(b"P-Preferred-Xdentity"), None);
        assert_eq!(lookup(b"Vib"), None);
        assert_eq!("v".parse(), Ok(HeaderName::Via));
        assert_eq!(HeaderName::Via.compact(), Some("v"));
        assert_eq!(HeaderName::Accept.compact(), None);
    }

    #[test]
    fn unknown_names_keep_their_spelling_and_compare_without_case() {
        let name: HeaderName = "X-Survey".parse().unwrap();
        assert_eq!(name.as_str(), "X-Survey");
        assert_eq!(name, "x-survey".parse().unwrap());
        assert_eq!(HeaderName::Other("V".into()), HeaderName::Via);
        assert_eq!("X Survey".parse::<HeaderName>(), Err(ValueError::Token));
        assert_eq!("X:".parse::<HeaderName>(), Err(ValueError::Token));
    }
}
