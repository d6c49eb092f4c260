//! The strict writer of descriptions (RFC 8866 §5): the order of lines that its grammar demands, CRLF.

use std::fmt::{self, Write as _};
use std::net::IpAddr;

use super::Origin;

/// A description under way.
pub(super) struct Writer(String);

/// `IP4 192.0.2.1` or `IP6 2001:db8::1`.
pub(super) struct Address(pub(super) IpAddr);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = if self.0.is_ipv4() { "IP4" } else { "IP6" };
        write!(f, "{family} {}", self.0)
    }
}

impl Writer {
    /// The session part: `v= o= s= c= t=`.
    pub(super) fn session(origin: Origin, address: IpAddr, time: &str) -> Self {
        let mut writer = Self(String::with_capacity(400));
        writer.line('v', &"0");
        let Origin { session_id, version, address: host } = origin;
        writer.line('o', &format_args!("- {session_id} {version} IN {}", Address(host)));
        writer.line('s', &"-");
        writer.line('c', &format_args!("IN {}", Address(address)));
        writer.line('t', &time);
        writer
    }

    /// One line. Values are numbers, addresses, and tokens that the parser took from single lines.
    pub(super) fn line(&mut self, kind: char, value: &dyn fmt::Display) {
        write!(self.0, "{kind}={value}\r\n").expect("a String takes every write");
    }

    /// An attribute line.
    pub(super) fn attribute(&mut self, value: fmt::Arguments<'_>) {
        self.line('a', &value);
    }

    pub(super) fn finish(self) -> bytes::Bytes {
        bytes::Bytes::from(self.0)
    }
}
