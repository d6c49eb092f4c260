//! An instance of `baton demo --crash` or `--takeover`: `baton serve` in a process of its own, to be killed.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::bail;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::cluster::text;
use super::fault::{Fault, wait_until_stopped};
use super::host::{Host, Link};
use crate::cli::MachineError;
use crate::cli::client::Client;
use crate::cli::demo::{RING_TIMEOUT, TRUNK};
use crate::cli::gateway::machine;
use crate::http::new_token;
use crate::node::clock::Clock;
use crate::settings::TokenDigest;
use crate::time::Timestamp;

/// The settings of an instance; what stands in braces is filled in.
const SETTINGS: &str = include_str!("instance.toml");

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
    /// Where it stands; `None`: beside this process.
    host: Option<Rc<Host>>,
    /// What it suffers from, and will recover from.
    suffers: Option<Fault>,
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
    pub(super) host: Rc<Host>,
    /// `[cluster]` of its settings.
    pub(super) cluster: String,
}

impl Instance {
    /// Writes the settings and starts the first process. [`wait_until_ready`](Self::wait_until_ready) waits until it takes
    /// calls.
    pub(super) fn start(terms: &Terms<'_>) -> anyhow::Result<Self> {
        let host = terms.seat.map(|seat| Rc::clone(&seat.host));
        let (sip, api) = match &host {
            Some(host) => (host.ports.sip, host.ports.api),
            None => {
                free_ports::<2>(Ipv4Addr::LOCALHOST.into()).map(|[sip, api]| (sip, api)).map_err(machine)?
            }
        };
        // Beyond loopback the API wants to know who asks.
        let is_open = host.as_ref().is_none_or(|host| !host.is_in_network());
        let token =
            if is_open { None } else { Some(new_token().map_err(|error| MachineError(error.into()))?) };
        let digest = token.as_ref().map(|token| format!("demo = \"{}\"", TokenDigest::of(token)));
        let mut settings = SETTINGS.to_owned();
        for (name, value) in [
            ("questionnaire", text(terms.questionnaire)?),
            ("data", text(terms.data)?),
            ("recordings", text(terms.recordings)?),
            ("api", api.to_string()),
            ("tokens", digest.unwrap_or_default()),
            ("sip", sip.to_string()),
            ("address", sip.ip().to_string()),
            ("calls", terms.calls.to_string()),
            ("trunk", TRUNK.to_owned()),
            ("crowd", terms.crowd.to_string()),
            ("ring_timeout", format!("{}s", RING_TIMEOUT.as_secs())),
        ] {
            settings = settings.replace(&format!("{{{name}}}"), &value);
        }
        settings.push_str(terms.seat.map_or("", |seat| &seat.cluster));
        let config = terms.data.join("baton.toml");
        std::fs::write(&config, settings).map_err(machine)?;
        let client = Client::at(format!("http://{api}"), token);
        let out = terms.out.to_owned();
        let name = host.as_ref().map_or("serve", |host| host.name).to_owned();
        let (address, suffers) = (sip.ip(), None);
        let mut instance =
            Self { name, address, config, out, api, starts: 0, child: None, host, suffers, client };
        instance.spawn()?;
        Ok(instance)
    }

    /// Starts a process. Its log is told by its number.
    pub(super) fn spawn(&mut self) -> anyhow::Result<()> {
        use std::os::unix::process::CommandExt as _;
        self.starts += 1;
        let log = std::fs::File::create(self.log()).map_err(machine)?;
        let program = std::env::current_exe().map_err(machine)?;
        let mut command =
            self.host.as_ref().map_or_else(|| Command::new(&program), |host| host.command(&program));
        command.arg("serve").arg("--config").arg(&self.config).stdin(std::process::Stdio::null());
        // Of its own group: ctrl-c is for the demo, which ends it then.
        command.stdout(log.try_clone().map_err(machine)?).stderr(log).process_group(0);
        self.child = Some(command.spawn().map_err(machine)?);
        Ok(())
    }

    fn log(&self) -> PathBuf {
        self.out.join(format!("{}-{}.log", self.name, self.starts))
    }

    /// Lets something befall it. Between the two times it fell silent; after the second nothing of it is sent.
    pub(super) fn befall(&mut self, fault: Fault, clock: Clock) -> anyhow::Result<(Timestamp, Timestamp)> {
        let at = clock.now();
        match (fault, &mut self.child) {
            (Fault::Kill, _) => {
                if let Some(mut child) = self.child.take() {
                    child.kill().and_then(|()| child.wait()).map_err(machine)?;
                }
            }
            (Fault::Stop, Some(child)) => {
                signal(child, Signal::SIGSTOP)?;
                wait_until_stopped(child.id())?;
            }
            (Fault::Cut, _) => self.host.iter().try_for_each(|host| host.link(Link::Down))?,
            (Fault::Stop, None) => bail!("{} is not there to be stopped", self.name),
        }
        self.suffers = Some(fault).filter(|fault| fault.passes());
        Ok((at, clock.now()))
    }

    /// It recovers from what it suffers from: true, if it does from anything.
    pub(super) fn recover(&mut self) -> anyhow::Result<bool> {
        match (self.suffers.take(), &self.child) {
            (Some(Fault::Stop), Some(child)) => signal(child, Signal::SIGCONT)?,
            (Some(Fault::Cut), _) => self.host.iter().try_for_each(|host| host.link(Link::Up))?,
            (Some(Fault::Kill | Fault::Stop) | None, _) => return Ok(false),
        }
        Ok(true)
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

    /// Whether it can be asked for anything.
    pub(super) const fn is_reachable(&self) -> bool {
        self.is_alive() && self.suffers.is_none()
    }

    /// How many calls are open, up to a page of them.
    pub(super) fn open_calls(&self) -> anyhow::Result<usize> {
        let page = self.client.get("/api/v1/calls?state=open&limit=500")?;
        Ok(page.get("calls").and_then(Value::as_array).map_or(0, Vec::len))
    }

    /// Ends it in order.
    pub(super) fn end(mut self) {
        let Some(child) = &mut self.child else { return };
        if signal(child, Signal::SIGTERM).is_ok() {
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

/// Sends a signal to a child.
pub(super) fn signal(child: &Child, signal: Signal) -> anyhow::Result<()> {
    let id = i32::try_from(child.id())?;
    kill(Pid::from_raw(id), signal).map_err(|errno| machine(io::Error::from(errno)))
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
