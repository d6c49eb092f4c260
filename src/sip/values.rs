//! The small typed values of headers: CSeq, Reason, RAck, Session-Expires, Replaces, media types.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::method::Method;
use super::params::Params;
use super::text::{self, ValueError};

/// `CSeq: 4711 INVITE` (RFC 3261 §20.16).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CSeq {
    /// The sequence number, less than 2^31 (RFC 3261 §8.1.1.5).
    pub number: u32,
    /// The method of the request.
    pub method: Method,
}

/// The largest sequence number (RFC 3261 §8.1.1.5).
const CSEQ_MAX: u32 = (1 << 31) - 1;

fn cseq_number(text: &str) -> Result<u32, ValueError> {
    text::number(text).ok().filter(|n| *n <= CSEQ_MAX).ok_or(ValueError::Number)
}

impl FromStr for CSeq {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let (number, method) = text::split_white(text::trim(text));
        Ok(Self { number: cseq_number(number)?, method: method.parse()? })
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}

/// `Reason: Q.850;cause=16;text="Terminated"` (RFC 3326).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// `SIP`, `Q.850`, `Preemption`, …, as written.
    pub protocol: String,
    /// The cause in that protocol's numbers.
    pub cause: Option<u16>,
    /// For people.
    pub text: Option<String>,
}

impl Reason {
    /// `SIP;cause=…;text="…"`.
    #[must_use]
    pub fn sip(cause: u16, text: &str) -> Self {
        Self { protocol: "SIP".to_owned(), cause: Some(cause), text: Some(text.to_owned()) }
    }

    /// `Q.850;cause=…;text="…"`.
    #[must_use]
    pub fn q850(cause: u16, text: &str) -> Self {
        Self { protocol: "Q.850".to_owned(), cause: Some(cause), text: Some(text.to_owned()) }
    }

    /// Is it a Q.850 cause? Protocols ignore case.
    #[must_use]
    pub fn is_q850(&self) -> bool {
        self.protocol.eq_ignore_ascii_case("Q.850")
    }
}

impl FromStr for Reason {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let (protocol, params) = split_params(text);
        if !text::is_token(protocol) {
            return Err(ValueError::Token);
        }
        let params = Params::read(params)?;
        let cause = params.unquoted("cause").map(|cause| text::number(&cause)).transpose()?;
        let text = params.unquoted("text").map(std::borrow::Cow::into_owned);
        Ok(Self { protocol: protocol.to_owned(), cause, text })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.protocol)?;
        if let Some(cause) = self.cause {
            write!(f, ";cause={cause}")?;
        }
        if let Some(text) = &self.text {
            f.write_str(";text=")?;
            text::quote(f, text)?;
        }
        Ok(())
    }
}

/// `RAck: 776656 1 INVITE` (RFC 3262 §7.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RAck {
    /// The RSeq of the provisional response.
    pub rseq: u32,
    /// The CSeq of the provisional response.
    pub cseq: CSeq,
}

impl FromStr for RAck {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let (rseq, cseq) = text::split_white(text::trim(text));
        Ok(Self { rseq: text::number(rseq)?, cseq: cseq.parse()? })
    }
}

impl fmt::Display for RAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.rseq, self.cseq)
    }
}

/// Who refreshes a session (RFC 4028 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refresher {
    /// The caller.
    Uac,
    /// The called side.
    Uas,
}

/// `Session-Expires: 1800;refresher=uac` (RFC 4028 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionExpires {
    /// The session interval, in seconds.
    pub interval_s: u32,
    /// Who refreshes, if it is settled.
    pub refresher: Option<Refresher>,
}

impl FromStr for SessionExpires {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let (interval, params) = split_params(text);
        let params = Params::read(params)?;
        let refresher = match params.get("refresher") {
            None => None,
            Some(who) if who.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
            Some(who) if who.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
            Some(_) => return Err(ValueError::Parameter),
        };
        Ok(Self { interval_s: text::number(interval)?, refresher })
    }
}

impl fmt::Display for SessionExpires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.interval_s)?;
        match self.refresher {
            Some(Refresher::Uac) => f.write_str(";refresher=uac"),
            Some(Refresher::Uas) => f.write_str(";refresher=uas"),
            None => Ok(()),
        }
    }
}

/// `Replaces: call-id;to-tag=…;from-tag=…` (RFC 3891 §6.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaces {
    /// The Call-ID of the dialog to be replaced.
    pub call_id: String,
    /// Its To tag.
    pub to_tag: String,
    /// Its From tag.
    pub from_tag: String,
    /// Only an early dialog may be replaced.
    pub early_only: bool,
}

impl FromStr for Replaces {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let (call_id, params) = split_params(text);
        let params = Params::read(params)?;
        let tag = |name| params.get(name).map(str::to_owned).ok_or(ValueError::MissingParameter);
        if call_id.is_empty() || call_id.contains([' ', '\t']) {
            return Err(ValueError::Token);
        }
        Ok(Self {
            call_id: call_id.to_owned(),
            to_tag: tag("to-tag")?,
            from_tag: tag("from-tag")?,
            early_only: params.has("early-only"),
        })
    }
}

impl fmt::Display for Replaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let early = if self.early_only { ";early-only" } else { "" };
        write!(f, "{};to-tag={};from-tag={}{early}", self.call_id, self.to_tag, self.from_tag)
    }
}

/// `application/sdp;charset=utf-8` (RFC 3261 §20.15, §25.1 media-type).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaType {
    /// `type/subtype`, as written but for white space.
    pub essence: String,
    /// `boundary`, `charset`, …
    pub params: Params,
}

impl MediaType {
    /// Is it this `type/subtype`? They ignore case.
    #[must_use]
    pub fn is(&self, essence: &str) -> bool {
        self.essence.eq_ignore_ascii_case(essence)
    }
}

impl FromStr for MediaType {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let (essence, params) = if text.contains(';') { split_params(text) } else { (text, "") };
        let slash = essence.bytes().position(|b| b == b'/').ok_or(ValueError::Token)?;
        let (kind, subtype) = essence.split_at(slash);
        let (kind, subtype) = (text::trim(kind), text::trim(subtype.strip_prefix('/').unwrap_or_default()));
        if !text::is_token(kind) || !text::is_token(subtype) {
            return Err(ValueError::Token);
        }
        let params = Params::read(params)?;
        let written = kind.len() + 1 + subtype.len() == essence.len();
        let essence = if written { essence.to_owned() } else { format!("{kind}/{subtype}") };
        Ok(Self { essence, params })
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.essence, self.params)
    }
}

text::serde_as_text!(MediaType);

/// What stands before the first `;`, trimmed, and the parameters from it on.
pub(super) fn split_params(text: &str) -> (&str, &str) {
    let end = memchr::memchr(b';', text.as_bytes()).unwrap_or(text.len());
    let (value, params) = text.split_at(end);
    (text::trim(value), params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cseq_is_below_2_to_the_31() {
        assert_eq!("2147483647 BYE".parse(), Ok(CSeq { number: CSEQ_MAX, method: Method::Bye }));
        assert_eq!("2147483648 BYE".parse::<CSeq>(), Err(ValueError::Number));
        assert_eq!("0009   INVITE".parse(), Ok(CSeq { number: 9, method: Method::Invite }));
        assert!("-1 BYE".parse::<CSeq>().is_err());
        assert!("1 BYE x".parse::<CSeq>().is_err());
    }

    /// The examples of RFC 3326 §2, and what gateways send.
    #[test]
    fn reasons_carry_protocol_cause_and_text() {
        assert_eq!(
            "SIP ;cause=200 ;text=\"Call completed elsewhere\"".parse(),
            Ok(Reason::sip(200, "Call completed elsewhere"))
        );
        assert_eq!("Q.850 ;cause=16 ;text=\"Terminated\"".parse(), Ok(Reason::q850(16, "Terminated")));
        assert!("q.850;cause=16".parse::<Reason>().unwrap().is_q850());
        let bare = Reason { protocol: "Preemption".to_owned(), cause: None, text: None };
        assert_eq!("Preemption".parse(), Ok(bare));
        assert_eq!("Q.850;cause=x".parse::<Reason>(), Err(ValueError::Number));
        assert_eq!("Q 850;cause=16".parse::<Reason>(), Err(ValueError::Token));
    }

    #[test]
    fn the_others_read_and_write() {
        let session = SessionExpires { interval_s: 1_800, refresher: Some(Refresher::Uas) };
        assert_eq!("1800 ; Refresher=UAS;x".parse(), Ok(session));
        assert_eq!(session.to_string(), "1800;refresher=uas");
        assert_eq!("1800;refresher=both".parse::<SessionExpires>(), Err(ValueError::Parameter));
        assert_eq!("a@b;to-tag=1".parse::<Replaces>(), Err(ValueError::MissingParameter));
        let media: MediaType = "application / sdp ;charset=utf-8".parse().unwrap();
        assert_eq!(media.to_string(), "application/sdp;charset=utf-8");
        assert!("sdp".parse::<MediaType>().is_err());
        assert_eq!("776656 1 INVITE".parse::<RAck>().unwrap().to_string(), "776656 1 INVITE");
    }
}
