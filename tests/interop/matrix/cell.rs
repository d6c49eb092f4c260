//! A cell: what both sides are set to.

use crate::asterisk::Asterisk;
use crate::baton::{Call, NUMBER, Outcome, Setting};
use crate::kamailio::Kamailio;

/// The password of Asterisk's digest endpoints.
const PASSWORD: &str = "s3cret";
/// What Asterisk agrees to where it requires session timers: the interval that Baton asks for.
pub(super) const INTERVAL: &str = "1800;refresher=uac";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Path {
    Direct,
    Proxy,
    Ipv6,
}

/// By which way Asterisk sends keys: its `dtmf_mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keys {
    Rfc4733,
    Info,
    Inband,
}

/// One combination.
#[expect(clippy::struct_excessive_bools, reason = "a cell is a row of a table of pairs")]
#[derive(Debug, Clone)]
pub(super) struct Cell {
    index: usize,
    pub(super) tcp: bool,
    pub(super) path: Path,
    pub(super) alaw: bool,
    pub(super) keys: Keys,
    pub(super) digest: bool,
    pub(super) timer: bool,
}

impl Cell {
    pub(super) fn all() -> Vec<Self> {
        let mut cells = Vec::new();
        for path in [Path::Direct, Path::Proxy, Path::Ipv6] {
            for endpoint in Self::endpoints().into_iter().filter(|cell| path != Path::Ipv6 || cell.is_plain())
            {
                for tcp in [false, true] {
                    cells.push(Self { index: cells.len(), path, tcp, ..endpoint.clone() });
                }
            }
        }
        cells
    }

    /// One cell for each endpoint of Asterisk: transport and path are not its matter.
    fn endpoints() -> Vec<Self> {
        let mut cells = Vec::new();
        for alaw in [false, true] {
            for keys in [Keys::Rfc4733, Keys::Info, Keys::Inband] {
                for digest in [false, true] {
                    for timer in [false, true] {
                        cells.push(Self {
                            index: 0,
                            tcp: false,
                            path: Path::Direct,
                            alaw,
                            keys,
                            digest,
                            timer,
                        });
                    }
                }
            }
        }
        cells
    }

    fn is_plain(&self) -> bool {
        self.keys == Keys::Rfc4733 && !self.digest && !self.timer
    }

    /// The endpoint, which the user of From names.
    fn endpoint(&self) -> String {
        let codec = if self.alaw { "alaw" } else { "ulaw" };
        let auth = if self.digest { "digest" } else { "open" };
        let timer = if self.timer { "timer" } else { "no_timer" };
        let family = if self.path == Path::Ipv6 { "-six" } else { "" };
        format!("{codec}-{}-{auth}-{timer}{family}", self.mode())
    }

    fn mode(&self) -> &'static str {
        match self.keys {
            Keys::Rfc4733 => "rfc4733",
            Keys::Info => "info",
            Keys::Inband => "inband",
        }
    }

    /// Its section of Asterisk's pjsip.conf.
    fn section(&self) -> String {
        let codec = if self.alaw { "alaw" } else { "ulaw" };
        let timer = if self.timer { "timers=required\n" } else { "timers=no\n" };
        let auth = if self.digest { "auth=trunk\n" } else { "" };
        let family = if self.path == Path::Ipv6 { "rtp_ipv6=yes\n" } else { "" };
        format!(
            "[{}]\ntype=endpoint\ncontext=phone\ndisallow=all\nallow={codec}\ndtmf_mode={}\ndirect_media=no\n\
             {timer}{auth}{family}",
            self.endpoint(),
            self.mode()
        )
    }

    /// Whom it calls, and whom nobody else does.
    pub(super) fn number(&self) -> String {
        format!("{NUMBER}{:02}", self.index)
    }

    pub(super) fn call(&self, asterisk: &Asterisk, kamailio: &Kamailio) -> Outcome {
        let (from, number) = (format!("sip:{}@baton.example", self.endpoint()), self.number());
        let transport = if self.tcp { "transport = \"tcp\"" } else { "" };
        let setting = Setting {
            host: if self.path == Path::Ipv6 { "[::1]" } else { "127.0.0.1" },
            trunk_port: if self.path == Path::Proxy { kamailio.port } else { asterisk.port },
            number: &number,
            from: &from,
            more: transport,
            ..Setting::new(asterisk.port)
        };
        let password = self.digest.then_some(PASSWORD);
        Call::set_with_password(&setting, password).finish()
    }

    /// Its columns of the table.
    pub(super) fn columns(&self) -> String {
        let transport = if self.tcp { "TCP" } else { "UDP" };
        let path = match self.path {
            Path::Direct => "direct",
            Path::Proxy => "proxy",
            Path::Ipv6 => "IPv6",
        };
        let codec = if self.alaw { "PCMA" } else { "PCMU" };
        let keys = match self.keys {
            Keys::Rfc4733 => "RFC 4733",
            Keys::Info => "INFO",
            Keys::Inband => "in-band",
        };
        let auth = if self.digest { "digest" } else { "none" };
        let timer = if self.timer { "required" } else { "off" };
        [path, transport, codec, keys, auth, timer].join(" | ")
    }
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.columns())
    }
}

/// The endpoints that the cells name, and the credentials of those that ask for some.
pub(super) fn endpoints() -> String {
    let mut sections: Vec<String> = Cell::all().iter().map(Cell::section).collect();
    sections.sort();
    sections.dedup();
    sections.push(format!("[trunk]\ntype=auth\nauth_type=digest\nusername=baton\npassword={PASSWORD}\n"));
    sections.concat()
}
