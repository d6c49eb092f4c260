//! etcd for a test: one member or three, on the loopback or in a test's network.

use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::machine::{self, Place, Running};

/// Members at most.
pub(crate) const MOST: u16 = 3;
/// Ports of each: for clients, then for the other members.
pub(crate) const PORTS: u16 = 2;

/// Its members; those that are killed are none.
pub(crate) struct Etcd {
    host: Ipv4Addr,
    first: u16,
    members: Vec<Option<Running>>,
}

impl Etcd {
    /// So many members, none of which runs yet.
    pub(crate) fn of(members: u16, host: Ipv4Addr, first: u16) -> Self {
        assert!(members <= MOST);
        Self { host, first, members: (0..members).map(|_| None).collect() }
    }

    /// Where each takes clients.
    pub(crate) fn clients(&self) -> impl Iterator<Item = u16> {
        (self.first..).step_by(PORTS.into()).take(self.members.len())
    }

    /// Starts all, with what they knew.
    pub(crate) fn start(&mut self, place: &Place) {
        let host = self.host;
        let clients: Vec<u16> = self.clients().collect();
        let all = (0..).zip(&clients).map(|(n, client)| format!("m{n}=http://{host}:{}", client + 1));
        let all = all.collect::<Vec<String>>().join(",");
        for (n, client) in clients.into_iter().enumerate() {
            let mut command = Command::new(machine::program("etcd"));
            command.arg(format!("--name=m{n}"));
            command.arg(format!("--data-dir={}", place.file(&format!("etcd-{n}")).display()));
            for kind in ["listen-client-urls", "advertise-client-urls"] {
                command.arg(format!("--{kind}=http://{host}:{client}"));
            }
            for kind in ["listen-peer-urls", "initial-advertise-peer-urls"] {
                command.arg(format!("--{kind}=http://{host}:{}", client + 1));
            }
            command.arg(format!("--initial-cluster={all}"));
            command.args(["--heartbeat-interval=50", "--election-timeout=250", "--logger=zap"]);
            let log = std::fs::File::create(place.file(&format!("etcd-{n}.log"))).unwrap();
            command.stdout(Stdio::null()).stderr(log);
            self.members[n] = Some(Running::start(&mut command, "etcd"));
        }
    }

    /// Kills all.
    pub(crate) fn kill(&mut self) {
        self.members.fill_with(|| None);
    }

    /// Kills the leader.
    #[track_caller]
    pub(crate) fn kill_leader(&mut self) {
        let leader = self.clients().position(|client| leads(self.host, client));
        self.members[leader.expect("etcd has a leader")] = None;
    }
}

fn leads(host: Ipv4Addr, client: u16) -> bool {
    let mut command = Command::new(machine::program("etcdctl"));
    command.env("ETCDCTL_API", "3").arg(format!("--endpoints=http://{host}:{client}"));
    let output = command.args(["endpoint", "status", "-w", "json"]).output().unwrap();
    let status: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let status = &status[0]["Status"];
    status["leader"].is_u64() && status["leader"] == status["header"]["member_id"]
}
