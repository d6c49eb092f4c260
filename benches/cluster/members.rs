//! Instances as an operator starts them, alone or as a cluster around etcd, with the settings of `baton demo --takeover`.

use std::fs;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::tone;

/// What the demo gives each instance, and each member of a cluster: braces are filled in.
const INSTANCE: &str = include_str!("../../src/cli/demo/crash/instance.toml");
const CLUSTER: &str = include_str!("../../src/cli/demo/crash/cluster.toml");
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Seconds of the prompt. It is asked eleven times: 53 minutes, longer than any run.
const PROMPT_S: u32 = 290;

/// Processes that end with this value: one instance, or three and etcd's three members.
pub(crate) struct Members {
    dir: TempDir,
    etcd: Vec<Child>,
    instances: Vec<Instance>,
}

struct Instance {
    name: String,
    api: SocketAddr,
    child: Child,
}

impl Members {
    /// One instance, without anybody to mirror to. The telephones are at a port of the loopback.
    pub(crate) fn alone(callee: u16, calls: usize) -> Self {
        let mut members = Self::nobody();
        let [sip, api] = free::<2>([127, 0, 0, 2].into());
        members.start("alone", (sip, api), (callee, calls), "");
        members.wait();
        members
    }

    /// Three members of a cluster, and of etcd (`etcd`, or the environment's ETCD).
    pub(crate) fn three(callee: u16, calls: usize) -> Self {
        let mut members = Self::nobody();
        let places: Vec<[SocketAddr; 5]> = (2..=4).map(|last| free::<5>([127, 0, 0, last].into())).collect();
        let names = ["n1", "n2", "n3"];
        members.start_etcd(&places);
        let keys = members.dir.path().join("keys");
        run(baton().args(["cluster", "init", "--dir"]).arg(&keys).args(names));
        let all: Vec<String> =
            names.iter().zip(&places).map(|(name, [link, ..])| format!("{name} = \"{link}\"")).collect();
        let endpoints: Vec<String> =
            places.iter().map(|[.., client, _]| format!("\"http://{client}\"")).collect();
        for (name, [_, sip, api, ..]) in names.into_iter().zip(&places) {
            let dir = format!("\"{}\"", keys.join(name).display());
            let cluster = fill(
                CLUSTER,
                &[
                    ("name", name),
                    ("dir", &dir),
                    ("members", &all.join(", ")),
                    ("endpoints", &endpoints.join(", ")),
                ],
            );
            members.start(name, (*sip, *api), (callee, calls), &cluster);
        }
        members.wait();
        members
    }

    fn nobody() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join("talk.xml"), tone::survey(1)).expect("room on the disk");
        tone::write(&dir.path().join("long.wav"), PROMPT_S);
        Self { dir, etcd: Vec::new(), instances: Vec::new() }
    }

    fn start_etcd(&mut self, places: &[[SocketAddr; 5]]) {
        let all: Vec<String> =
            (0..).zip(places).map(|(n, [.., link])| format!("m{n}=http://{link}")).collect();
        for (n, [.., client, link]) in places.iter().enumerate() {
            let program = std::env::var_os("ETCD").unwrap_or_else(|| "etcd".into());
            let mut command = Command::new(program);
            command
                .args([format!("--name=m{n}"), format!("--initial-cluster={}", all.join(","))])
                .arg(format!("--data-dir={}", self.dir.path().join(format!("etcd-{n}")).display()))
                .args([
                    format!("--listen-client-urls=http://{client}"),
                    format!("--advertise-client-urls=http://{client}"),
                ])
                .args([
                    format!("--listen-peer-urls=http://{link}"),
                    format!("--initial-advertise-peer-urls=http://{link}"),
                ])
                .args(["--heartbeat-interval=50", "--election-timeout=250", "--logger=zap"]);
            let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            self.etcd.push(quiet.spawn().expect("etcd 3.4 or later is installed"));
        }
        let began = Instant::now();
        while !places.iter().all(|[.., client, _]| TcpStream::connect(client).is_ok()) {
            assert!(began.elapsed() < PATIENCE, "etcd is not there");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn start(
        &mut self,
        name: &str,
        (sip, api): (SocketAddr, SocketAddr),
        (callee, calls): (u16, usize),
        cluster: &str,
    ) {
        let dir = self.dir.path().join(name);
        fs::create_dir_all(&dir).expect("room on the disk");
        let text = |path: PathBuf| format!("\"{}\"", path.display());
        let settings = fill(
            INSTANCE,
            &[
                ("questionnaire", &text(self.dir.path().join("talk.xml"))),
                ("data", &text(dir.join("data"))),
                ("recordings", &text(dir.join("recordings"))),
                ("api", &api.to_string()),
                ("tokens", ""),
                ("sip", &sip.to_string()),
                ("address", &sip.ip().to_string()),
                ("calls", &calls.to_string()),
                ("trunk", "crowd"),
                ("crowd", &format!("127.0.0.1:{callee}")),
                ("ring_timeout", "30s"),
            ],
        );
        fs::write(dir.join("baton.toml"), settings + cluster).expect("room on the disk");
        let log = fs::File::create(self.log(name)).expect("room on the disk");
        let mut command = baton();
        command.arg("serve").arg("--config").arg(dir.join("baton.toml"));
        let child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("it starts");
        self.instances.push(Instance { name: name.to_owned(), api, child });
    }

    fn log(&self, name: &str) -> PathBuf {
        self.dir.path().join(format!("{name}.log"))
    }

    /// What an instance has said so far.
    fn said(&self, name: &str) -> String {
        fs::read_to_string(self.log(name)).unwrap_or_default()
    }

    /// Waits until every instance takes calls.
    fn wait(&mut self) {
        let began = Instant::now();
        for n in 0..self.instances.len() {
            while self.instances[n].get("/readyz").is_none() {
                let name = self.instances[n].name.clone();
                let over = self.instances[n].child.try_wait().expect("it is ours");
                assert!(over.is_none(), "{name} ended:\n{}", self.said(&name));
                assert!(began.elapsed() < PATIENCE, "{name} does not become ready:\n{}", self.said(&name));
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }

    /// Places so many calls, a few each instant, and waits until all of them talk. While all instances are late, a call is
    /// asked for again, as 503 says.
    pub(crate) fn call_everyone(&self, calls: usize) {
        let (agent, asked) = (agent(), Instant::now());
        for call in 0..calls {
            let url = format!("http://{}/api/v1/calls", self.instances[call % self.instances.len()].api);
            let body =
                format!("{{\"to\":\"+2547{call:08}\",\"questionnaire\":\"talk\",\"trunk\":\"crowd\"}}");
            loop {
                let request = agent.post(&url).header("content-type", "application/json");
                match request.send(body.as_str()) {
                    Ok(_) => break,
                    Err(ureq::Error::StatusCode(503)) if asked.elapsed() < PATIENCE => {
                        std::thread::sleep(Duration::from_millis(200));
                    }
                    Err(error) => panic!("it takes no call: {error}"),
                }
            }
        }
        let began = Instant::now();
        while self.talking() < calls {
            assert!(began.elapsed() < PATIENCE, "{} of {calls} calls talk", self.talking());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// How many calls talk.
    pub(crate) fn talking(&self) -> usize {
        self.instances.iter().map(|one| one.gauge("baton_calls{state=\"talking\"}")).sum()
    }

    /// How many instances may not send at this moment.
    pub(crate) fn silent(&self) -> usize {
        self.instances.iter().filter(|one| one.gauge("baton_cluster_speaking") != 1).count()
    }

    /// How often anybody took a member's calls over, or fell silent, by the logs.
    pub(crate) fn takeovers(&self) -> usize {
        const SAID: [&str; 3] = [
            "this instance has lost the right to send",
            "goes on with another incarnation's calls",
            "others have this instance's calls",
        ];
        let logs = self.instances.iter().map(|one| self.said(&one.name));
        logs.map(|log| SAID.iter().map(|said| log.matches(said).count()).sum::<usize>()).sum()
    }

    /// The processor time that the instances have had so far, in seconds, and that of etcd.
    pub(crate) fn cpu_s(&self) -> [f64; 2] {
        let instances = self.instances.iter().map(|one| cpu_s(one.child.id())).sum();
        [instances, self.etcd.iter().map(|one| cpu_s(one.id())).sum()]
    }
}

impl Instance {
    fn get(&self, path: &str) -> Option<String> {
        agent().get(format!("http://{}{path}", self.api)).call().ok()?.body_mut().read_to_string().ok()
    }

    fn gauge(&self, name: &str) -> usize {
        let text = self.get("/metrics").unwrap_or_default();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        value.unwrap_or(0)
    }
}

impl Drop for Members {
    fn drop(&mut self) {
        let instances = self.instances.iter_mut().map(|one| &mut one.child);
        for child in instances.chain(&mut self.etcd) {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

fn baton() -> Command {
    Command::new(env!("CARGO_BIN_EXE_baton"))
}

fn run(command: &mut Command) {
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().proxy(None).timeout_global(Some(PATIENCE)).build().into()
}

fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let fill = |text: String, (name, value): &(&str, &str)| text.replace(&format!("{{{name}}}"), value);
    values.iter().fold(template.to_owned(), fill)
}

/// proc(5), schedstat: the nanoseconds on a processor of each thread.
fn cpu_s(process: u32) -> f64 {
    let tasks = Path::new("/proc").join(process.to_string()).join("task");
    let threads = fs::read_dir(tasks).into_iter().flatten().filter_map(Result::ok);
    let spent = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    });
    spent.sum::<f64>() / 1e9
}

/// Ports of an address, below those that the system hands out, that nobody has.
fn free<const N: usize>(address: IpAddr) -> [SocketAddr; N] {
    let is_free = |at: &SocketAddr| UdpSocket::bind(at).is_ok() && TcpListener::bind(at).is_ok();
    let all = (13_000..16_000).map(|port| SocketAddr::from((address, port)));
    let found: Vec<SocketAddr> = all.filter(is_free).take(N).collect();
    found.try_into().expect("free ports")
}
