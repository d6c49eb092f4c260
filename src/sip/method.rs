//! Request methods (RFC 3261 §7.1; UPDATE RFC 3311, PRACK RFC 3262, INFO RFC 6086, MESSAGE RFC 3428,
//! SUBSCRIBE and NOTIFY RFC 6665, REFER RFC 3515, PUBLISH RFC 3903).

use std::fmt;
use std::str::FromStr;

use super::text::{self, ValueError};

/// The method of a request. Methods are case-sensitive (RFC 3261 §7.1): `invite` is [`Method::Other`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// Opens a session, or changes one.
    Invite,
    /// Acknowledges the final response to an INVITE.
    Ack,
    /// Ends a session.
    Bye,
    /// Withdraws a pending INVITE.
    Cancel,
    /// Asks what a peer can do.
    Options,
    /// Binds an address of record.
    Register,
    /// Changes a session without changing the dialog's INVITE usage.
    Update,
    /// Acknowledges a reliable provisional response.
    Prack,
    /// Carries information within a session.
    Info,
    /// Carries a text message.
    Message,
    /// Reports an event.
    Notify,
    /// Asks the peer to call someone.
    Refer,
    /// Asks for reports of an event.
    Subscribe,
    /// Publishes event state.
    Publish,
    /// Any other token: answered with 501 (RFC 3261 §21.5.2), never dropped.
    Other(Box<str>),
}

impl Method {
    /// The method as it stands on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Invite => "INVITE",
            Self::Ack => "ACK",
            Self::Bye => "BYE",
            Self::Cancel => "CANCEL",
            Self::Options => "OPTIONS",
            Self::Register => "REGISTER",
            Self::Update => "UPDATE",
            Self::Prack => "PRACK",
            Self::Info => "INFO",
            Self::Message => "MESSAGE",
            Self::Notify => "NOTIFY",
            Self::Refer => "REFER",
            Self::Subscribe => "SUBSCRIBE",
            Self::Publish => "PUBLISH",
            Self::Other(name) => name,
        }
    }
}

impl FromStr for Method {
    type Err = ValueError;

    /// Reads any token; [`ValueError::Token`] otherwise.
    fn from_str(text: &str) -> Result<Self, ValueError> {
        Ok(match text {
            "INVITE" => Self::Invite,
            "ACK" => Self::Ack,
            "BYE" => Self::Bye,
            "CANCEL" => Self::Cancel,
            "OPTIONS" => Self::Options,
            "REGISTER" => Self::Register,
            "UPDATE" => Self::Update,
            "PRACK" => Self::Prack,
            "INFO" => Self::Info,
            "MESSAGE" => Self::Message,
            "NOTIFY" => Self::Notify,
            "REFER" => Self::Refer,
            "SUBSCRIBE" => Self::Subscribe,
            "PUBLISH" => Self::Publish,
            other if text::is_token(other) => Self::Other(other.into()),
            _ => return Err(ValueError::Token),
        })
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

text::serde_as_text!(Method);

impl From<rsip::Method> for Method {
    fn from(method: rsip::Method) -> Self {
        match method {
            rsip::Method::Ack => Self::Ack,
            rsip::Method::Bye => Self::Bye,
            rsip::Method::Cancel => Self::Cancel,
            rsip::Method::Info => Self::Info,
            rsip::Method::Invite => Self::Invite,
            rsip::Method::Message => Self::Message,
            rsip::Method::Notify => Self::Notify,
            rsip::Method::Options => Self::Options,
            rsip::Method::PRack => Self::Prack,
            rsip::Method::Publish => Self::Publish,
            rsip::Method::Refer => Self::Refer,
            rsip::Method::Register => Self::Register,
            rsip::Method::Subscribe => Self::Subscribe,
            rsip::Method::Update => Self::Update,
        }
    }
}

/// rsip has no word for this method.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rsip does not know the method {0}")]
pub struct UnknownToRsip(pub Method);

impl TryFrom<&Method> for rsip::Method {
    type Error = UnknownToRsip;

    fn try_from(method: &Method) -> Result<Self, UnknownToRsip> {
        Self::all()
            .into_iter()
            .find(|known| Method::from(*known) == *method)
            .ok_or_else(|| UnknownToRsip(method.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every method with a variant of its own.
    const KNOWN: [Method; 14] = [
        Method::Invite,
        Method::Ack,
        Method::Bye,
        Method::Cancel,
        Method::Options,
        Method::Register,
        Method::Update,
        Method::Prack,
        Method::Info,
        Method::Message,
        Method::Notify,
        Method::Refer,
        Method::Subscribe,
        Method::Publish,
    ];

    #[test]
    fn every_method_reads_back_and_rsip_knows_it() {
        for method in KNOWN {
            assert_eq!(method.as_str().parse(), Ok(method.clone()));
            let theirs = rsip::Method::try_from(&method).unwrap();
            assert_eq!(theirs.to_string(), method.as_str());
            let record = postcard::to_stdvec(&method).unwrap();
            assert_eq!(postcard::from_bytes::<Method>(&record).unwrap(), method);
        }
    }

    #[test]
    fn case_matters_and_unknown_methods_are_kept() {
        assert_eq!("invite".parse(), Ok(Method::Other("invite".into())));
        assert_eq!("NEWMETHOD".parse(), Ok(Method::Other("NEWMETHOD".into())));
        assert!(rsip::Method::try_from(&Method::Other("NEWMETHOD".into())).is_err());
        assert_eq!("IN VITE".parse::<Method>(), Err(ValueError::Token));
        assert_eq!("".parse::<Method>(), Err(ValueError::Token));
    }
}
