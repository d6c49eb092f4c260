//! An instance of `baton demo --crash` or `--takeover`: `baton serve` in a process of its own, to be killed.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::bail;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::cluster::text;
use crate::cli::MachineError;
use crate::cli::client::Client;
use crate::cli::demo::{RING_TIMEOUT, TRUNK};
use crate::cli::gateway::machine;
use crate::node::clock::Clock;
use crate::time::Timestamp;

/// Where SIP and the API listen: below the ports that Linux hands out by itself, so that nobody takes them while the
/// instance is dead, and below those of RTP.
const PORTS: std::ops::Range<u16> = 10_000..16_000;
/// How long a start may take, prompts that are spoken included.
const START: Duration = Duration::from_secs(60);
/// From one try to reach the API to the next.
const TRY: Duration = Duration::from_millis(2);
/// How long it has to end in order.
const END: Duration = Duration::from_secs(12);

/// A process that serves; it ends with this value.
pub(super) struct Instance {
    name: String,
    address: IpAddr,
    config: PathBuf,
    out: PathBuf,
    api: SocketAddr,
    starts: u32,
    child: Option<Child>,
    pub(super) client: Client,
}

/// What its settings name.
pub(super) struct Terms<'a> {
    pub(super) questionnaire: &'a Path,
    /// Where it keeps what it needs to go on.
    pub(super) data: &'a Path,
    /// Where its log and its recordings go.
    pub(super) out: &'a Path,
    pub(super) recordings: &'a Path,
    /// Where the telephones are.
    pub(super) crowd: SocketAddr,
    pub(super) calls: usize,
    /// Its place in a cluster; `None`: it stands alone.
    pub(super) seat: Option<&'a Seat>,
}

/// An instance's place in a cluster.
pub(super) struct Seat {
    pub(super) name: String,
    /// Where it listens for SIP, at an address of this machine's loopback that no other has.
    pub(super) sip: SocketAddr,
    /// Where its API listens.
    pub(super) api: SocketAddr,
    /// `[cluster]` of its settings.
    pub(super) cluster: String,
}

impl Instance {
    /// Writes the settings and starts the first process. [`wait_until_ready`](Self::wait_until_ready) waits until it takes
    /// calls.
    pub(super) fn start(terms: &Terms<'_>) -> anyhow::Result<Self> {
        let [sip, api] = match terms.seat {
            Some(seat) => [seat.sip, seat.api],
            None => free_ports(Ipv4Addr::LOCALHOST.into()).map_err(machine)?,
        };
        let (questionnaire, data) = (text(terms.questionnaire)?, text(terms.data)?);
        let recordings = text(terms.recordings)?;
        let ring_timeout = format!("{}s", RING_TIMEOUT.as_secs());
        let cluster = terms.seat.map_or("", |seat| &seat.cluster);
        let settings = format!(
            "questionnaires = [{questionnaire}]\n[data]\ndir = {data}\n[recordings]\ndir = {recordings}\n\
             [http]\nlisten = \"{api}\"\n[drain]\nlimit = \"0s\"\n[sip]\nlisten = \"{sip}\"\n\
             [media]\naddress = \"{}\"\n[limits]\ncalls = {}\n\
             [trunks.{TRUNK}]\naddress = \"{}\"\nring_timeout = \"{ring_timeout}\"\n{cluster}",
            sip.ip(),
            terms.calls,
            terms.crowd,
        );
        let config = terms.data.join("baton.toml");
        std::fs::write(&config, settings).map_err(machine)?;
        let client = Client::at(format!("http://{api}"), None);
        let out = terms.out.to_owned();
        let name = terms.seat.map_or("serve", |seat| &seat.name).to_owned();
        let mut instance = Self { name, address: sip.ip(), config, out, api, starts: 0, child: None, client };
        instance.spawn()?;
        Ok(instance)
    }

    /// Starts a process. Its log is told by its number.
    pub(super) fn spawn(&mut self) -> anyhow::Result<()> {
        use std::os::unix::process::CommandExt as _;
        self.starts += 1;
        let log = std::fs::File::create(self.log()).map_err(machine)?;
        let program = std::env::current_exe().map_err(machine)?;
        let mut command = Command::new(program);
        command.arg("serve").arg("--config").arg(&self.config).stdin(std::process::Stdio::null());
        // Of its own group: ctrl-c is for the demo, which ends it then.
        command.stdout(log.try_clone().map_err(machine)?).stderr(log).process_group(0);
        self.child = Some(command.spawn().map_err(machine)?);
        Ok(())
    }

    fn log(&self) -> PathBuf {
        self.out.join(format!("{}-{}.log", self.name, self.starts))
    }

    /// Kills it as a crash does. Between the two times it died; after the second nothing of it is sent.
    pub(super) fn kill(&mut self, clock: Clock) -> io::Result<(Timestamp, Timestamp)> {
        let killed = clock.now();
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok((killed, clock.now()))
    }

    /// Waits until its API answers.
    pub(super) fn wait_until_ready(&mut self, stop: &AtomicBool) -> anyhow::Result<()> {
        let until = Instant::now() + START;
        while TcpStream::connect(self.api).is_err() {
            let over = self.child.as_mut().map(Child::try_wait).transpose().map_err(machine)?.flatten();
            if let Some(status) = over {
                let log = self.log();
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                let last = said.lines().last().unwrap_or_default().to_owned();
                let what = anyhow::anyhow!("the instance ended ({status}), see {}: {last}", log.display());
                return Err(MachineError(what).into());
            }
            if Instant::now() > until || stop.load(Ordering::Relaxed) {
                bail!("the instance does not answer at {}; see {}", self.api, self.log().display());
            }
            std::thread::sleep(TRY);
        }
        // It listens before it is ready, and answers when it is.
        self.client.get("/api/v1/nodes").map(drop)
    }

    /// Waits until nothing keeps it from taking calls: in a cluster, until others hold copies of what it saves.
    pub(super) fn wait_until_takes_calls(&self, stop: &AtomicBool) -> anyhow::Result<()> {
        let until = Instant::now() + START;
        loop {
            let nodes = self.client.get("/api/v1/nodes")?;
            let reasons = nodes.pointer("/nodes/0/reasons").cloned().unwrap_or_default();
            if reasons.as_array().is_some_and(Vec::is_empty) {
                return Ok(());
            }
            if Instant::now() > until || stop.load(Ordering::Relaxed) {
                bail!("the instance {} takes no calls: {reasons}; see {}", self.name, self.log().display());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// How many calls it carries.
    pub(super) fn carries(&self) -> anyhow::Result<u64> {
        let nodes = self.client.get("/api/v1/nodes")?;
        Ok(nodes.pointer("/nodes/0/calls").and_then(Value::as_u64).unwrap_or(0))
    }

    /// The address that callees see.
    pub(super) const fn address(&self) -> IpAddr {
        self.address
    }

    /// Whether there is a process, as far as this one knows.
    pub(super) const fn is_alive(&self) -> bool {
        self.child.is_some()
    }

    /// How many calls are open, up to a page of them.
    pub(super) fn open_calls(&self) -> anyhow::Result<usize> {
        let page = self.client.get("/api/v1/calls?state=open&limit=500")?;
        Ok(page.get("calls").and_then(Value::as_array).map_or(0, Vec::len))
    }

    /// Ends it in order.
    pub(super) fn end(mut self) {
        let Some(child) = &mut self.child else { return };
        let id = i32::try_from(child.id()).map(Pid::from_raw);
        if id.is_ok_and(|id| kill(id, Signal::SIGTERM).is_ok()) {
            let until = Instant::now() + END;
            while Instant::now() < until && matches!(child.try_wait(), Ok(None)) {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // One that is over already cannot be killed.
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// A port for SIP over UDP and TCP, and one for the API, that nobody has.
pub(super) fn free_ports<const N: usize>(here: IpAddr) -> io::Result<[SocketAddr; N]> {
    let count = u32::from(PORTS.end - PORTS.start);
    let first = std::process::id().wrapping_mul(61) % count;
    let at = |n: u32| {
        let offset = u16::try_from((first + n) % count).unwrap_or(0);
        SocketAddr::from((here, PORTS.start + offset))
    };
    let is_free = |at: &SocketAddr| UdpSocket::bind(at).is_ok() && TcpListener::bind(at).is_ok();
    let free: Vec<SocketAddr> = (0..count).map(at).filter(is_free).take(N).collect();
    let none = |_| io::Error::new(io::ErrorKind::AddrInUse, "no free port from 10000 to 15999");
    free.try_into().map_err(none)
}
