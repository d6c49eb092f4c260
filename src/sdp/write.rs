//! The strict writer of descriptions (RFC 8866 §5): the order of lines that its grammar demands, CRLF.
//!
//! Values are numbers, addresses, and tokens that the parser checked, so no value can end a line.

use std::fmt::{self, Write as _};
use std::net::IpAddr;

use super::{Codec, Direction, LocalMedia, Origin, Refused};

/// A description under way.
pub(super) struct Writer(String);

/// `IP4 192.0.2.1` or `IP6 2001:db8::1`.
struct Address(IpAddr);

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
        let Origin { session_id, version, address: host } = origin;
        writer.line(format_args!("v=0"));
        writer.line(format_args!("o=- {session_id} {version} IN {}", Address(host)));
        writer.line(format_args!("s=-"));
        writer.line(format_args!("c=IN {}", Address(address)));
        writer.line(format_args!("t={time}"));
        writer
    }

    /// The audio section, with these payload numbers.
    pub(super) fn audio(
        &mut self,
        local: &LocalMedia,
        protocol: &str,
        codecs: &[(u8, Codec)],
        event: Option<u8>,
        direction: Direction,
    ) {
        let numbers = codecs.iter().map(|(number, _)| *number).chain(event);
        let formats = numbers.map(|number| format!(" {number}")).collect::<String>();
        self.line(format_args!("m=audio {} {protocol}{formats}", local.port));
        for (number, codec) in codecs {
            self.line(format_args!("a=rtpmap:{number} {}/{}", codec.name(), codec.clock_hz()));
        }
        if let Some(event) = event {
            self.line(format_args!("a=rtpmap:{event} telephone-event/8000"));
            self.line(format_args!("a=fmtp:{event} 0-15"));
        }
        self.line(format_args!("a=ptime:{}", local.ptime_ms));
        self.line(format_args!("a={}", direction.name()));
    }

    /// A section that is refused: it keeps its place, with port 0.
    pub(super) fn refused(&mut self, section: &Refused) {
        self.line(format_args!("m={} 0 {} {}", section.media, section.protocol, section.format));
    }

    pub(super) fn finish(self) -> bytes::Bytes {
        bytes::Bytes::from(self.0)
    }

    fn line(&mut self, text: fmt::Arguments<'_>) {
        write!(self.0, "{text}\r\n").expect("a String takes every write");
    }
}
