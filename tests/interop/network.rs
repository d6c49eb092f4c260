//! A network of namespaces, made by a test for itself: packets between any two in it can be dropped, one way or both.
//!
//! ```text
//! a thread of the test ── telephones, etcd, dumpcap: 10.78.0.1 ── bridge ──┬ 10.78.0.11 ┐
//!                                                                         ├ 10.78.0.12 ├ a member each
//!                                                                         └ 10.78.0.13 ┘
//! ```
//! Whoever is cut off is not told: what it sends is on the wire (and in the capture) and dropped where it arrives.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};

use crate::machine::{self, Running};

/// How long a namespace is held if nobody ends it, in seconds: longer than any test.
const HELD_S: &str = "600";
/// How long a command of some milliseconds may take.
const SOON: Duration = Duration::from_secs(10);

/// Runs a test on a thread that has a network of its own: a loopback, and the bridge at [`Network::HUB`]. It goes with the
/// thread and the processes that it started.
#[track_caller]
pub(crate) fn within(test: impl FnOnce() + Send) {
    let alone = || {
        unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace can be made (is this root?)");
        ip(&["link", "set", "lo", "up"]);
        ip(&["link", "add", "hub", "type", "bridge"]);
        ip(&["address", "add", &format!("{}/24", Network::HUB), "dev", "hub"]);
        ip(&["link", "set", "hub", "up"]);
        test();
    };
    let ended = std::thread::scope(|scope| scope.spawn(alone).join());
    if let Err(panic) = ended {
        std::panic::resume_unwind(panic);
    }
}

/// Hosts around the network that this thread is in.
pub(crate) struct Network(Vec<Running>);

/// Where packets are dropped.
#[derive(Clone, Copy)]
pub(crate) enum At {
    /// At the test's own end.
    Hub,
    /// At this host.
    Host(usize),
}

impl Network {
    /// The test's own address.
    pub(crate) const HUB: Ipv4Addr = Ipv4Addr::new(10, 78, 0, 1);
    /// Ports from here on are free: nobody else is here.
    pub(crate) const FIRST_PORT: u16 = 10_000;

    /// So many hosts.
    #[track_caller]
    pub(crate) fn of(hosts: usize) -> Self {
        let network = Self((0..hosts).map(|_| hold()).collect());
        (0..hosts).for_each(|host| network.plug_in(host));
        network
    }

    /// The address of a host.
    pub(crate) fn host(index: usize) -> Ipv4Addr {
        let [a, b, c, _] = Self::HUB.octets();
        Ipv4Addr::new(a, b, c, 11 + u8::try_from(index).unwrap())
    }

    /// Ties a host to the bridge.
    fn plug_in(&self, host: usize) {
        let (end, id) = (format!("host{host}"), self.0[host].id().to_string());
        ip(&["link", "add", &end, "type", "veth", "peer", "name", "eth0", "netns", &id]);
        ip(&["link", "set", &end, "master", "hub", "up"]);
        let inside = |arguments: &[&str]| run(self.command(host, "ip").args(arguments));
        inside(&["address", "add", &format!("{}/24", Self::host(host)), "dev", "eth0"]);
        inside(&["link", "set", "lo", "up"]);
        inside(&["link", "set", "eth0", "up"]);
    }

    /// A program at a host.
    pub(crate) fn command(&self, host: usize, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.0[host].id())).arg("--").arg(program);
        command
    }

    /// Drops what arrives there and is so, in words of iptables(8).
    #[track_caller]
    pub(crate) fn drop_at(&self, at: At, what: &[&str]) {
        run(self.filter(at).args(["-A", "INPUT"]).args(what).args(["-j", "DROP"]));
    }

    /// Drops what the one sends to the other.
    #[track_caller]
    pub(crate) fn cut(&self, from: usize, to: usize) {
        self.drop_at(At::Host(to), &["-s", &Self::host(from).to_string()]);
    }

    /// Lets everything through again.
    #[track_caller]
    pub(crate) fn heal(&self) {
        let all = (0..self.0.len()).map(At::Host).chain([At::Hub]);
        all.for_each(|at| run(self.filter(at).args(["-F", "INPUT"])));
    }

    fn filter(&self, at: At) -> Command {
        let mut command = match at {
            At::Hub => Command::new("iptables"),
            At::Host(host) => self.command(host, "iptables"),
        };
        command.args(["-w", "5"]); // one lock for all namespaces
        command
    }
}

/// A process that holds a network namespace.
#[track_caller]
fn hold() -> Running {
    let mut command = Command::new(machine::program("unshare"));
    command.args(["--net", "sleep", HELD_S]);
    let holder = Running::start(&mut command, "unshare");
    let namespace = |process: PathBuf| std::fs::read_link(process.join("ns/net"));
    let mine = namespace("/proc/thread-self".into()).unwrap();
    let its = || namespace(format!("/proc/{}", holder.id()).into());
    let is_there = machine::until(SOON, || its().is_ok_and(|its| its != mine));
    assert!(is_there, "unshare makes no network namespace");
    holder
}

#[track_caller]
fn ip(arguments: &[&str]) {
    run(Command::new("ip").args(arguments));
}

#[track_caller]
fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
