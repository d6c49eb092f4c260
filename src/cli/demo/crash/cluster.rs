//! The cluster of `baton demo --takeover`: a member of etcd and a seat on each host, and certificates.

use std::fs::File;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::host::Host;
use super::instance::{Seat, signal};
use crate::cli::MachineError;
use crate::cli::gateway::machine;
use crate::id::NodeId;
use crate::peers;

/// A member's part of the settings; what stands in braces is filled in.
const SETTINGS: &str = include_str!("cluster.toml");
/// etcd's heartbeats and elections, in ms: it decides again half a second after its leader's death.
const TIMES: [&str; 2] = ["--heartbeat-interval=50", "--election-timeout=250"];
/// How long etcd may take to be there, or to have another leader.
const START: Duration = Duration::from_secs(20);

/// A member of etcd on each host, as a process; they end with this value.
pub(super) struct Etcd {
    members: Vec<Child>,
    clients: Vec<SocketAddr>,
}

impl Etcd {
    /// Starts them; their logs go to `out`, their data to `data`.
    pub(super) fn start(
        program: &Path,
        hosts: &[Rc<Host>],
        (data, out): (&Path, &Path),
        stop: &AtomicBool,
    ) -> anyhow::Result<Self> {
        let links = hosts.iter().map(|host| host.ports.etcd[1]);
        let all: Vec<String> = (0..).zip(links).map(|(n, link)| format!("m{n}=http://{link}")).collect();
        let mut etcd = Self { members: Vec::new(), clients: Vec::new() };
        for (n, host) in hosts.iter().enumerate() {
            let log = File::create(out.join(format!("etcd-{n}.log"))).map_err(machine)?;
            let [client, link] = host.ports.etcd;
            // Of its own group: ctrl-c is for the demo, which ends it then.
            let child = host
                .command(program)
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
            etcd.clients.push(client);
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

    /// Lets a member stand still, or go on.
    pub(super) fn signal(&self, member: usize, what: Signal) -> anyhow::Result<()> {
        self.members.get(member).map_or(Ok(()), |member| signal(member, what))
    }

    /// Sees to it that this member is the leader, or that it is not.
    pub(super) fn lead(&self, member: usize, wanted: bool) -> anyhow::Result<()> {
        let until = Instant::now() + START;
        let ids =
            self.clients.iter().map(|at| Ok(self.status(*at)?.0)).collect::<anyhow::Result<Vec<_>>>()?;
        let target = if wanted { member } else { (member + 1) % ids.len() };
        while Instant::now() < until {
            let leader = self.status(self.clients[target])?.1;
            if (leader == ids[member]) == wanted && ids.contains(&leader) {
                return Ok(());
            }
            if let Some(at) = ids.iter().position(|id| *id == leader) {
                // An election of its own may have come in between: then it is asked again.
                drop(ask(self.clients[at], "transfer-leadership", &json!({ "targetID": ids[target] })));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("etcd does not move its leader")
    }

    /// A member's id, and that of the leader that it knows.
    fn status(&self, at: SocketAddr) -> anyhow::Result<(String, String)> {
        let status = ask(at, "status", &json!({}))?;
        let text = |path: &str| status.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok((text("/header/member_id"), text("/leader")))
    }
}

/// Asks a member of etcd, by its JSON gateway.
fn ask(at: SocketAddr, what: &str, body: &Value) -> anyhow::Result<Value> {
    let config = ureq::Agent::config_builder().proxy(None).timeout_global(Some(START)).build();
    let agent: ureq::Agent = config.into();
    let url = format!("http://{at}/v3/maintenance/{what}");
    let answer =
        agent.post(&url).send(body.to_string()).and_then(|mut answer| answer.body_mut().read_to_string());
    Ok(serde_json::from_str(&answer.with_context(|| format!("etcd does not answer at {url}"))?)?)
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

/// A seat on each host; the certificates are made in `data`.
pub(super) fn seats(data: &Path, hosts: Vec<Rc<Host>>) -> anyhow::Result<Vec<Seat>> {
    let nodes = hosts.iter().map(|host| host.name.parse::<NodeId>()).collect::<Result<Vec<_>, _>>();
    let keys = data.join("keys");
    peers::init(&keys, &nodes.context("the names are fixed")?).map_err(machine)?;
    let members: Vec<String> =
        hosts.iter().map(|host| format!("{} = \"{}\"", host.name, host.ports.link)).collect();
    let endpoints: Vec<String> =
        hosts.iter().map(|host| format!("\"http://{}\"", host.ports.etcd[0])).collect();
    let (members, endpoints) = (members.join(", "), endpoints.join(", "));
    let seat = |host: Rc<Host>| {
        let mut cluster = SETTINGS.to_owned();
        let dir = text(&keys.join(host.name))?;
        for (name, value) in
            [("name", host.name), ("dir", &dir), ("members", &members), ("endpoints", &endpoints)]
        {
            cluster = cluster.replace(&format!("{{{name}}}"), value);
        }
        Ok(Seat { host, cluster })
    };
    hosts.into_iter().map(seat).collect()
}

/// A path as TOML writes it.
pub(super) fn text(path: &Path) -> anyhow::Result<String> {
    let path: PathBuf = std::path::absolute(path)?;
    match path.to_str() {
        Some(path) => Ok(Value::from(path).to_string()), // a JSON string is a TOML string
        None => bail!("{} is no UTF-8", path.display()),
    }
}
