//! What systemd is told: `sd_notify(3)`, a datagram to the socket that it names. Without one nothing is said.

use std::env;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// The way to systemd, if there is one.
#[derive(Clone, Debug)]
pub(super) struct Notify {
    socket: Option<Arc<(UnixDatagram, SocketAddr)>>,
}

impl Notify {
    /// As the environment says.
    pub(super) fn from_env() -> Self {
        let Some(name) = env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return Self { socket: None };
        };
        match open(name.as_bytes()) {
            Ok(socket) => Self { socket: Some(Arc::new(socket)) },
            Err(error) => {
                tracing::warn!(%error, "systemd is told nothing: its NOTIFY_SOCKET cannot be used");
                Self { socket: None }
            }
        }
    }

    /// Says lines of `sd_notify(3)`.
    pub(super) fn say(&self, lines: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.0.send_to_addr(lines.as_bytes(), &socket.1) {
            tracing::debug!(%error, "systemd was not told");
        }
    }

    /// A reload begins; it is over with the next `READY=1`.
    pub(super) fn reloading(&self) {
        // Type=notify-reload tells by it which reload this is: systemd.service(5).
        let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default();
        self.say(&format!("RELOADING=1\nMONOTONIC_USEC={}", now.as_micros()));
    }

    /// What is under way may take so much longer.
    pub(super) fn extend(&self, by: Duration) {
        self.say(&format!("EXTEND_TIMEOUT_USEC={}", by.as_micros()));
    }

    /// How often the watchdog wants to hear of this process at least.
    pub(super) fn watchdog(&self) -> Option<Duration> {
        let micros: u64 = env::var("WATCHDOG_USEC").ok()?.parse().ok()?;
        let is_ours = env::var("WATCHDOG_PID").map_or(true, |pid| pid == std::process::id().to_string());
        (self.socket.is_some() && is_ours && micros > 0).then(|| Duration::from_micros(micros))
    }
}

fn open(name: &[u8]) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match name.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(name))?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok((socket, address))
}
