//! Where the instances of `baton demo --takeover` stand, each with a member of etcd beside it.
//!
//! ```text
//! loopback: 127.0.0.2 .3 .4 of this machine       a network:  demo, telephones 10.77.0.1 ── bridge ──┬ 10.77.0.11 n1, etcd
//!                                                                                                  ├ 10.77.0.12 n2, etcd
//!                                                                                                  └ 10.77.0.13 n3, etcd
//! ```
//! The network is one of namespaces: the demo moves into one of its own, and each host is another one, held by a process
//! that sleeps. Nothing of it has a name or outlives these processes.

use std::ffi::OsStr;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::sched::{CloneFlags, unshare};

use super::instance::free_ports;
use crate::cli::MachineError;
use crate::cli::gateway::machine;

/// The instances.
pub(super) const NAMES: [&str; 3] = ["n1", "n2", "n3"];
/// Where the demo and its telephones are in the network.
pub(in crate::cli::demo) const HUB: [u8; 4] = [10, 77, 0, 1];
/// The first host's last part; in the loopback's 127.0.0.0/8, and in the network.
const FIRST: [u8; 2] = [2, 11];
/// Its ports: nobody else is in a namespace.
const FIRST_PORT: u16 = 10_000;
/// How long a namespace may take to be there.
const SETTLE: Duration = Duration::from_secs(2);
/// How long a namespace is held if nobody ends it, in seconds: longer than any demo.
const HELD_S: &str = "7200";

/// A place for an instance and a member of etcd.
pub(super) struct Host {
    pub(super) name: &'static str,
    pub(super) address: IpAddr,
    pub(super) ports: Ports,
    /// The process that holds its namespace; `None`: it is in this one.
    holder: Option<Child>,
}

/// Where it listens for what.
#[derive(Clone, Copy)]
pub(super) struct Ports {
    pub(super) sip: SocketAddr,
    pub(super) api: SocketAddr,
    /// For the other members.
    pub(super) link: SocketAddr,
    /// etcd's, for its clients and for its other members.
    pub(super) etcd: [SocketAddr; 2],
}

impl From<[SocketAddr; 5]> for Ports {
    fn from([sip, api, link, clients, peers]: [SocketAddr; 5]) -> Self {
        Self { sip, api, link, etcd: [clients, peers] }
    }
}

/// Hosts on the loopback.
pub(super) fn on_loopback() -> anyhow::Result<Vec<Host>> {
    let host = |(last, name): (u8, &'static str)| {
        let address = IpAddr::from([127, 0, 0, last]);
        let ports = Ports::from(free_ports::<5>(address).map_err(machine)?);
        Ok(Host { name, address, ports, holder: None })
    };
    (FIRST[0]..).zip(NAMES).map(host).collect()
}

/// Moves this process into a network of its own, with a bridge at [`HUB`]. It must have one thread yet.
pub(in crate::cli::demo) fn move_into_network() -> anyhow::Result<()> {
    unshare(CloneFlags::CLONE_NEWNET)
        .map_err(io::Error::from)
        .context("this fault takes network namespaces: it needs root")
        .map_err(MachineError)?;
    let [a, b, c, d] = HUB;
    ip(["link", "set", "lo", "up"])?;
    ip(["link", "add", "hub", "type", "bridge"])?;
    ip(["address", "add", &format!("{a}.{b}.{c}.{d}/24"), "dev", "hub"])?;
    ip(["link", "set", "hub", "up"])
}

/// Hosts of the network that this process is in.
pub(super) fn in_network() -> anyhow::Result<Vec<Host>> {
    let host = |(last, name): (u8, &'static str)| {
        let [a, b, c, _] = HUB;
        let address = IpAddr::from([a, b, c, last]);
        let ports: Vec<SocketAddr> = (FIRST_PORT..).take(5).map(|port| (address, port).into()).collect();
        let ports: [SocketAddr; 5] = ports.try_into().expect("five were taken");
        let host = Host { name, address, ports: ports.into(), holder: Some(hold()?) };
        host.plug_in()?;
        Ok(host)
    };
    (FIRST[1]..).zip(NAMES).map(host).collect()
}

/// A process that holds a network namespace.
fn hold() -> anyhow::Result<Child> {
    let mut command = Command::new("unshare");
    command.args(["--net", "sleep", HELD_S]).process_group(0).stdin(Stdio::null());
    let mut child =
        command.spawn().context("cannot start unshare (Debian: util-linux)").map_err(MachineError)?;
    let namespace = |id: &str| std::fs::read_link(format!("/proc/{id}/ns/net"));
    let (mine, until) = (namespace("self").map_err(machine)?, Instant::now() + SETTLE);
    while namespace(&child.id().to_string()).map_err(machine)? == mine {
        let over = child.try_wait().map_err(machine)?;
        if over.is_some() || Instant::now() > until {
            bail!("unshare makes no network namespace: {over:?}");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(child)
}

fn ip<const N: usize>(arguments: [&str; N]) -> anyhow::Result<()> {
    run(Command::new("ip").args(arguments))
}

/// Runs a command of a few milliseconds.
fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.stdin(Stdio::null()).output();
    let what = || format!("cannot run {command:?} (Debian: iproute2, util-linux)");
    let output = output.with_context(what).map_err(MachineError)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(MachineError(anyhow::anyhow!("{command:?} failed: {said}")).into());
    }
    Ok(())
}

impl Host {
    /// A command that runs here.
    pub(super) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let Some(holder) = &self.holder else { return Command::new(program) };
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", holder.id())).arg("--").arg(program);
        command
    }

    /// Whether others reach it over a network.
    pub(super) const fn is_in_network(&self) -> bool {
        self.holder.is_some()
    }

    /// Ties it to the bridge.
    fn plug_in(&self) -> anyhow::Result<()> {
        let Some(holder) = &self.holder else { return Ok(()) };
        let id = holder.id().to_string();
        ip(["link", "add", self.name, "type", "veth", "peer", "name", "eth0", "netns", &id])?;
        ip(["link", "set", self.name, "master", "hub", "up"])?;
        let address = format!("{}/24", self.address);
        run(self.command("ip").args(["address", "add", &address, "dev", "eth0"]))?;
        run(self.command("ip").args(["link", "set", "lo", "up"]))?;
        run(self.command("ip").args(["link", "set", "eth0", "up"]))
    }

    /// Takes its link down, or up again.
    pub(super) fn link(&self, state: Link) -> anyhow::Result<()> {
        let state = match state {
            Link::Up => "up",
            Link::Down => "down",
        };
        run(self.command("ip").args(["link", "set", "eth0", state]))
    }
}

/// The state of a host's link.
#[derive(Clone, Copy, Debug)]
pub(super) enum Link {
    Up,
    Down,
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(mut holder) = self.holder.take() {
            // One that is over already cannot be killed.
            drop(holder.kill());
            drop(holder.wait());
        }
    }
}
