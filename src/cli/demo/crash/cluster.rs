//! The cluster of `baton demo --takeover`: etcd with three members, certificates, and a seat for each instance.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::instance::{Seat, free_ports};
use crate::cli::MachineError;
use crate::cli::gateway::machine;
use crate::id::NodeId;
use crate::peers;

/// The instances. Their addresses are 127.0.0.2 and the next ones.
pub(super) const NAMES: [&str; 3] = ["n1", "n2", "n3"];
/// Its heartbeats and elections, in ms: it decides again half a second after its leader's death.
const TIMES: [&str; 2] = ["--heartbeat-interval=50", "--election-timeout=250"];
/// How long etcd may take to be there.
const START: Duration = Duration::from_secs(20);

/// Three members of etcd as processes; they end with this value.
pub(super) struct Etcd {
    members: Vec<Child>,
    clients: Vec<SocketAddr>,
}

impl Etcd {
    /// Starts them; their logs go to `out`, their data to `data`.
    pub(super) fn start(program: &Path, data: &Path, out: &Path, stop: &AtomicBool) -> anyhow::Result<Self> {
        let ports: [SocketAddr; 6] = free_ports(Ipv4Addr::LOCALHOST.into()).map_err(machine)?;
        let (clients, links) = ports.split_at(3);
        let all: Vec<String> = (0..).zip(links).map(|(n, link)| format!("m{n}=http://{link}")).collect();
        let mut etcd = Self { members: Vec::new(), clients: clients.to_vec() };
        for (n, (client, link)) in clients.iter().zip(links).enumerate() {
            let log = File::create(out.join(format!("etcd-{n}.log"))).map_err(machine)?;
            // Of its own group: ctrl-c is for the demo, which ends it then.
            let child = Command::new(program)
                .process_group(0)
                .arg(format!("--name=m{n}"))
                .arg(format!("--data-dir={}", data.join(format!("etcd-{n}")).display()))
                .arg(format!("--listen-client-urls=http://{client}"))
                .arg(format!("--advertise-client-urls=http://{client}"))
                .arg(format!("--listen-peer-urls=http://{link}"))
                .arg(format!("--initial-advertise-peer-urls=http://{link}"))
                .arg(format!("--initial-cluster={}", all.join(",")))
                .args(TIMES)
                .arg("--logger=zap")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log)
                .spawn()
                .with_context(|| {
                    format!(
                        "cannot start {}: --takeover needs etcd 3.4 or later (Debian: apt-get install etcd-server), \
                         --etcd says where it is",
                        program.display()
                    )
                })
                .map_err(MachineError)?;
            etcd.members.push(child);
        }
        etcd.wait(out, stop)?;
        Ok(etcd)
    }

    fn wait(&mut self, out: &Path, stop: &AtomicBool) -> anyhow::Result<()> {
        let until = Instant::now() + START;
        while !self.clients.iter().all(|client| TcpStream::connect(client).is_ok()) {
            let ended = self.members.iter_mut().any(|member| !matches!(member.try_wait(), Ok(None)));
            if ended || Instant::now() > until || stop.load(Ordering::Relaxed) {
                let what = anyhow::anyhow!("etcd is not there; see etcd-0.log in {}", out.display());
                return Err(MachineError(what).into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        for member in &mut self.members {
            // One that is over already cannot be killed.
            drop(member.kill());
            drop(member.wait());
        }
    }
}

/// A seat for each instance; the certificates are made in `data`.
pub(super) fn seats(data: &Path, etcd: &Etcd) -> anyhow::Result<Vec<Seat>> {
    let nodes = NAMES.iter().map(|name| name.parse::<NodeId>()).collect::<Result<Vec<_>, _>>();
    let keys = data.join("keys");
    peers::init(&keys, &nodes.context("the names are fixed")?).map_err(machine)?;
    let addresses = (2..).map(|last| IpAddr::from([127, 0, 0, last]));
    let mut places = Vec::new();
    for (name, address) in NAMES.iter().zip(addresses) {
        let ports: [SocketAddr; 3] = free_ports(address).map_err(machine)?;
        places.push((*name, ports));
    }
    let members: Vec<String> =
        places.iter().map(|(name, [link, ..])| format!("{name} = \"{link}\"")).collect();
    let endpoints: Vec<String> = etcd.clients.iter().map(|client| format!("\"http://{client}\"")).collect();
    let seat = |(name, [_, sip, api]): &(&str, [SocketAddr; 3])| -> anyhow::Result<Seat> {
        let dir = text(&keys.join(name))?;
        Ok(Seat {
            name: (*name).to_owned(),
            sip: *sip,
            api: *api,
            cluster: format!(
                "[cluster]\nname = \"{name}\"\ndir = {dir}\nmembers = {{ {} }}\n[cluster.engine]\nendpoints = [{}]\n",
                members.join(", "),
                endpoints.join(", ")
            ),
        })
    };
    places.iter().map(seat).collect()
}

/// A path as TOML writes it.
pub(super) fn text(path: &Path) -> anyhow::Result<String> {
    let path: PathBuf = std::path::absolute(path)?;
    match path.to_str() {
        Some(path) => Ok(Value::from(path).to_string()), // a JSON string is a TOML string
        None => bail!("{} is no UTF-8", path.display()),
    }
}
