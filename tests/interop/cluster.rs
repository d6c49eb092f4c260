//! Instances of `baton serve` that work as one around a real etcd, each at an address of its own, to be killed and stopped.
//!
//! ```text
//! etcd  127.0.0.1      n1 127.0.0.2 ══ SIP, RTP ══► a peer at 127.0.0.1
//!   ▲                  n2 127.0.0.3                  ▲
//!   └── each of them   w1 127.0.0.4, a witness       └ then n2, when n1 is gone
//! ```

mod asking;

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::signal::{Signal, kill};
use serde_json::Value;

use crate::etcd::{self, Etcd};
use crate::instance::ask_by;
use crate::machine::{self, Place, Running};
use crate::network::{At, Network};
use crate::survey;

/// Ports of each member at its own address: link, SIP, RTP.
const PORTS: u16 = 48;
/// Ports of etcd's members, then one for the API of each member.
const SHARED: u16 = 16;
/// T: longer than in earnest, because these tests run beside others on a busy machine.
pub(crate) const PROMISE: Duration = Duration::from_millis(800);
/// How long an answer is waited for: longer than a takeover takes.
const PATIENCE_S: u32 = 8;
/// Media threads that are so late keep calls away from an instance, in microseconds (docs/cluster.md).
const LATE_US: u64 = 10_000;
/// How long anything may take that happens at once.
const SOON: Duration = Duration::from_secs(30);

/// A trunk of all members: its name, its port on 127.0.0.1, further lines.
pub(crate) type Trunk<'a> = (&'a str, u16, &'a str);

/// Of what a cluster consists.
struct Plan<'a> {
    names: &'a [&'static str],
    /// Who has keys, and is neither named by the settings nor started.
    later: &'a [&'static str],
    promise: Duration,
    trunks: &'a [Trunk<'a>],
    /// For how many calls the first has room, and each of the others.
    room: [usize; 2],
    /// How many members etcd has.
    engines: u16,
    /// Each member stands in a namespace of its own.
    apart: bool,
}

impl<'a> Plan<'a> {
    /// Two instances, of which the first has so much more room that it gets the calls while it lives, and a witness.
    const fn usual(trunks: &'a [Trunk<'a>]) -> Self {
        let names = &["n1", "n2", "w1"];
        Self { names, later: &[], promise: PROMISE, trunks, room: [2_000, 20], engines: 1, apart: false }
    }
}

/// A cluster. Members whose names begin with `w` are witnesses. Each has a trunk that the others lack and nobody uses: so
/// their initialisation data differ, and each places the calls itself that it is asked for.
pub(crate) struct Cluster {
    place: Place,
    engine: Etcd,
    first: u16,
    shared: u16,
    /// Where the members stand; none: on the loopback of who made it.
    network: Option<Network>,
    /// For how many calls the first has room, and each of the others.
    room: [usize; 2],
    promise: Duration,
    /// As the settings have them.
    trunks: String,
    /// Whom the settings name.
    named: Vec<&'static str>,
    members: Vec<Member>,
}

struct Member {
    name: &'static str,
    host: Ipv4Addr,
    starts: u32,
    process: Option<Running>,
}

impl Member {
    fn is_witness(&self) -> bool {
        self.name.starts_with('w')
    }
}

/// Ports that are free at all these addresses, for UDP and TCP.
fn ports(hosts: &[Ipv4Addr], count: u16) -> u16 {
    let is_free = |host: Ipv4Addr, port: u16| {
        UdpSocket::bind((host, port)).is_ok() && TcpListener::bind((host, port)).is_ok()
    };
    let firsts = std::iter::repeat_with(|| machine::ports(count)).take(50);
    let free =
        |first: &u16| hosts.iter().all(|host| (*first..first + count).all(|port| is_free(*host, port)));
    firsts.into_iter().find(free).expect("ports are free somewhere")
}

/// Where telephones and etcd are.
const fn hub(apart: bool) -> Ipv4Addr {
    if apart { Network::HUB } else { Ipv4Addr::LOCALHOST }
}

/// Seconds since 1970.
pub(crate) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

impl Cluster {
    /// Two instances and a witness, through these trunks.
    #[track_caller]
    pub(crate) fn of_two(trunks: &[Trunk<'_>]) -> Self {
        Self::start(&["n1", "n2", "w1"], PROMISE, trunks)
    }

    /// Three instances with as much room, so that any of them may place a call.
    #[track_caller]
    pub(crate) fn of_equals(trunks: &[Trunk<'_>]) -> Self {
        Self::begin(&Plan { names: &["n1", "n2", "n3"], room: [2_000, 2_000], ..Plan::usual(trunks) })
    }

    /// Two instances with room for one call each, and a witness: of two calls each gets one.
    #[track_caller]
    pub(crate) fn of_two_with_a_call_each(trunks: &[Trunk<'_>]) -> Self {
        Self::begin(&Plan { room: [1, 1], ..Plan::usual(trunks) })
    }

    /// Starts etcd and these members, and waits until all instances take calls. The first has so much more room that it
    /// gets the calls while it lives.
    #[track_caller]
    pub(crate) fn start(names: &[&'static str], promise: Duration, trunks: &[Trunk<'_>]) -> Self {
        Self::begin(&Plan { names, promise, ..Plan::usual(trunks) })
    }

    /// Members in namespaces of their own, around the one that this thread is in
    /// ([`network::within`](crate::network::within)): telephones and etcd are at [`Network::HUB`].
    #[track_caller]
    pub(crate) fn apart(names: &[&'static str], trunks: &[Trunk<'_>]) -> Self {
        Self::begin(&Plan { names, apart: true, ..Plan::usual(trunks) })
    }

    /// Two instances and a witness, and keys for these further members.
    #[track_caller]
    pub(crate) fn of_two_and(later: &[&'static str], trunks: &[Trunk<'_>]) -> Self {
        Self::begin(&Plan { later, ..Plan::usual(trunks) })
    }

    /// Two instances and a witness, and three members of etcd.
    #[track_caller]
    pub(crate) fn around_three(trunks: &[Trunk<'_>]) -> Self {
        Self::begin(&Plan { engines: etcd::MOST, ..Plan::usual(trunks) })
    }

    #[track_caller]
    fn begin(plan: &Plan<'_>) -> Self {
        let &Plan { names, later, promise, trunks, room, engines, apart } = plan;
        let place = Place::new();
        survey::write_patient(&place, PATIENCE_S);
        place.write("trunk.password", "s3cret\n");
        let network = apart.then(|| Network::of(names.len() + later.len()));
        let on_loopback = |last| Ipv4Addr::new(127, 0, 0, last + 2);
        let host = |last: u8| if apart { Network::host(last.into()) } else { on_loopback(last) };
        let members: Vec<Member> = (0..)
            .zip(names.iter().chain(later))
            .map(|(last, name)| Member { name, host: host(last), starts: 0, process: None })
            .collect();
        let hosts: Vec<Ipv4Addr> = members.iter().map(|member| member.host).collect();
        let (first, shared) = if apart {
            (Network::FIRST_PORT, Network::FIRST_PORT + PORTS)
        } else {
            (ports(&hosts, PORTS), ports(&[Ipv4Addr::LOCALHOST], SHARED))
        };
        let init = Command::new(env!("CARGO_BIN_EXE_baton"))
            .args(["cluster", "init", "--dir"])
            .arg(place.file("keys"))
            .args(names.iter().chain(later))
            .output()
            .unwrap();
        assert!(init.status.success(), "{init:?}");
        let engine = Etcd::of(engines, hub(apart), shared);
        let hub = hub(apart);
        let trunks = trunks.iter().map(|(trunk, port, more)| {
            format!(
                "[trunks.{trunk}]\naddress = \"{hub}:{port}\"\nfrom = \"sip:survey@baton.example\"\n\
                 codecs = [\"PCMU\", \"PCMA\"]\n{more}\n"
            )
        });
        let (trunks, named) = (trunks.collect(), Vec::new());
        let mut cluster =
            Self { place, engine, first, shared, network, room, promise, trunks, named, members };
        cluster.name(names, names);
        cluster.start_engine();
        for name in names {
            cluster.run(name);
        }
        for name in names {
            cluster.takes_calls(name);
        }
        cluster.know_each_other();
        cluster
    }

    /// Promises last so long, in the settings that are written next.
    pub(crate) const fn promises_last(&mut self, promise: Duration) {
        self.promise = promise;
    }

    /// Writes the settings of all members: whom they name, and who votes.
    pub(crate) fn name(&mut self, named: &[&'static str], voters: &[&str]) {
        self.named = named.to_vec();
        let voters = voters.iter().map(|voter| format!("\"{voter}\"")).collect::<Vec<_>>().join(", ");
        (0..self.members.len()).for_each(|member| self.write_settings(member, &voters));
    }

    fn write_settings(&self, member: usize, voters: &str) {
        let Member { name, host, .. } = &self.members[member];
        let (link, sip, media, last) = (self.first, self.first + 1, self.first + 2, self.first + PORTS - 1);
        let all = self.named.iter().map(|it| format!("{it} = \"{}:{link}\"", self.member(it).host));
        let hub = hub(self.network.is_some());
        let calls = self.room[member.min(1)];
        let role = if self.members[member].is_witness() { "witness" } else { "instance" };
        let settings = format!(
            "questionnaires = [\"interop.xml\"]\n[data]\ndir = \"{name}\"\n\
             [http]\nlisten = \"127.0.0.1:{api}\"\n[sip]\nlisten = \"{host}:{sip}\"\n\
             [media]\naddress = \"{host}\"\nports = \"{media}-{last}\"\n\
             [limits]\ncalls = {calls}\n{}\
             [cluster]\nname = \"{name}\"\ndir = \"keys/{name}\"\nrole = \"{role}\"\npromise = \"{}ms\"\n\
             voters = [{voters}]\nmembers = {{ {} }}\n[cluster.engine]\nendpoints = [{}]\n",
            self.trunks,
            self.promise.as_millis(),
            all.collect::<Vec<_>>().join(", "),
            self.engine_ports().map(|port| format!("\"http://{hub}:{port}\"")).collect::<Vec<_>>().join(", "),
            api = self.api(name),
        );
        self.place.write(&format!("{name}.toml"), settings);
    }

    /// A member that stands apart loses etcd, until the network is healed.
    #[track_caller]
    pub(crate) fn lose_engine(&self, name: &str) {
        let member = self.index(name);
        let (hub, own) = (Network::HUB.to_string(), Network::host(member).to_string());
        for client in self.engine_ports() {
            let client = client.to_string();
            self.network().drop_at(At::Host(member), &["-p", "tcp", "-s", &hub, "--sport", &client]);
            self.network().drop_at(At::Hub, &["-p", "tcp", "-s", &own, "--dport", &client]);
        }
    }

    /// The ports at which etcd's members take clients.
    pub(crate) fn engine_ports(&self) -> impl Iterator<Item = u16> {
        self.engine.clients()
    }

    /// Starts etcd, with what it knew.
    pub(crate) fn start_engine(&mut self) {
        self.engine.start(&self.place);
    }

    /// Kills all of etcd.
    pub(crate) fn kill_engine(&mut self) {
        self.engine.kill();
    }

    /// Kills the leader among etcd's members.
    #[track_caller]
    pub(crate) fn kill_leader(&mut self) {
        self.engine.kill_leader();
    }

    /// The network that its members are in.
    pub(crate) const fn network(&self) -> &Network {
        self.network.as_ref().expect("its members stand apart")
    }

    /// The place of a member among all.
    pub(crate) fn index(&self, name: &str) -> usize {
        self.members.iter().position(|member| member.name == name).unwrap()
    }

    fn member(&self, name: &str) -> &Member {
        &self.members[self.index(name)]
    }

    fn api(&self, name: &str) -> u16 {
        self.shared + etcd::PORTS * etcd::MOST + u16::try_from(self.index(name)).unwrap()
    }

    /// A program where a member stands.
    fn command(&self, name: &str, program: &str) -> Command {
        let apart = self.network.as_ref().map(|network| network.command(self.index(name), program));
        apart.unwrap_or_else(|| Command::new(program))
    }

    /// What a command of `baton` prints that asks a member.
    fn ask(&self, name: &str, arguments: &[&str]) -> Result<String, String> {
        ask_by(self.command(name, env!("CARGO_BIN_EXE_baton")), self.api(name), arguments)
    }

    /// The address of a member.
    pub(crate) fn host(&self, name: &str) -> String {
        self.member(name).host.to_string()
    }

    /// The addresses of all members.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = String> {
        self.members.iter().map(|member| member.host.to_string())
    }

    /// Its port for SIP.
    pub(crate) const fn sip(&self) -> u16 {
        self.first + 1
    }

    /// What all instances send and hear, for a filter of a capture: neither links nor heartbeats.
    pub(crate) fn traffic(&self) -> String {
        format!("portrange {}-{}", self.first + 1, self.first + PORTS - 1)
    }

    /// Starts a member's next process.
    pub(crate) fn run(&mut self, name: &str) {
        let index = self.index(name);
        let mut command = self.command(name, env!("CARGO_BIN_EXE_baton"));
        let member = &mut self.members[index];
        member.starts += 1;
        command.current_dir(self.place.path()).args(["serve", "--config", &format!("{name}.toml")]);
        let log = self.place.file(&format!("{name}-{}.err", member.starts));
        command.env("RUST_LOG", "baton=info").stderr(Stdio::from(std::fs::File::create(log).unwrap()));
        member.process = Some(Running::start(&mut command, "baton serve"));
    }

    /// Waits until it takes calls; a witness: until it votes.
    #[track_caller]
    pub(crate) fn takes_calls(&self, name: &str) {
        let is_witness = self.member(name).is_witness();
        let mut said = String::new();
        let ready = machine::until(SOON, || {
            if is_witness {
                said = self.log(name);
                return said.contains(" ready: a witness");
            }
            let list = self.listed(name);
            said = list.to_string();
            let nodes = list["nodes"].as_array().map_or(&[][..], Vec::as_slice);
            nodes.iter().any(|node| node["name"] == name && node["state"] == "ready")
        });
        assert!(ready, "{name} takes no calls: {said}\n{}", self.said());
    }

    /// What a member says of itself and of all others; nothing, if it says nothing.
    pub(crate) fn listed(&self, name: &str) -> Value {
        // Its exit code tells of all members.
        let list = self.ask(name, &["node", "list", "--json"]).unwrap_or_else(|list| list);
        list.lines().next().and_then(|it| serde_json::from_str(it).ok()).unwrap_or_default()
    }

    /// Waits until all instances know how much room each other has, and that none is late: whoever is control goes by
    /// that. Only then does who was started or woken get calls again.
    #[track_caller]
    pub(crate) fn know_each_other(&self) {
        let all = self.named.len();
        let is_so =
            |it: &Value| it["state"] == "ready" && it["late_us"].as_u64().is_some_and(|late| late < LATE_US);
        let is_known = |list: &Value| {
            let others = list["cluster"]["members"].as_array().map_or(&[][..], Vec::as_slice);
            others.len() + 1 == all && others.iter().all(is_so)
        };
        let named = |member: &&Member| self.named.contains(&member.name);
        let mut instances = self.members.iter().filter(named).filter(|member| !member.is_witness());
        let unknown = instances.find(|member| !machine::until(SOON, || is_known(&self.listed(member.name))));
        assert!(unknown.is_none(), "not all are ready and in time\n{}", self.said());
    }

    /// Where a member keeps what it has.
    pub(crate) fn data(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// `kill -9`; when it was, in seconds since 1970.
    pub(crate) fn kill(&mut self, name: &str) -> f64 {
        let (now, index) = (now(), self.index(name));
        self.members[index].process = None;
        now
    }

    /// Stops a member, as a debugger or a frozen machine does.
    pub(crate) fn stop(&self, name: &str) -> f64 {
        self.signal(name, Signal::SIGSTOP)
    }

    /// Lets it go on.
    pub(crate) fn wake(&self, name: &str) -> f64 {
        self.signal(name, Signal::SIGCONT)
    }

    /// Tells a member to end when it can.
    pub(crate) fn drain(&self, name: &str) -> f64 {
        self.signal(name, Signal::SIGTERM)
    }

    /// Waits until a member has ended by itself, in order.
    #[track_caller]
    pub(crate) fn ended(&mut self, name: &str) {
        let index = self.index(name);
        let mut process = self.members[index].process.take().expect("it runs");
        let is_over = machine::until(SOON, || process.is_over());
        assert!(is_over, "{name} does not end\n{}", self.said());
        assert!(process.wait(SOON).success(), "{name}\n{}", self.said());
    }

    /// Has it read its settings anew.
    pub(crate) fn reload(&self, name: &str) {
        self.signal(name, Signal::SIGHUP);
    }

    fn signal(&self, name: &str, signal: Signal) -> f64 {
        let id = self.member(name).process.as_ref().expect("it runs").id();
        let now = now();
        kill(nix::unistd::Pid::from_raw(i32::try_from(id).unwrap()), signal).unwrap();
        now
    }

    /// `kill -9` while others look on; then [`buried`](Self::buried).
    pub(crate) fn kill_at(&self, name: &str) -> f64 {
        self.signal(name, Signal::SIGKILL)
    }

    /// It was killed.
    pub(crate) fn buried(&mut self, name: &str) {
        let index = self.index(name);
        self.members[index].process = None;
    }

    /// What a member said in its last process.
    pub(crate) fn log(&self, name: &str) -> String {
        self.place.read(&format!("{name}-{}.err", self.member(name).starts))
    }

    /// What all members said in all their processes.
    pub(crate) fn said(&self) -> String {
        let logs = self.members.iter().flat_map(|member| (1..=member.starts).map(move |n| (member.name, n)));
        logs.map(|(name, n)| format!("── {name}, {n}\n{}", self.place.read(&format!("{name}-{n}.err"))))
            .collect()
    }
}

impl Drop for Cluster {
    /// A stopped process cannot end.
    fn drop(&mut self) {
        for member in &mut self.members {
            member.process = None;
        }
    }
}
