//! Instances of `baton serve` that work as one around a real etcd, each at an address of its own, to be killed and stopped.
//!
//! ```text
//! etcd  127.0.0.1      n1 127.0.0.2 ══ SIP, RTP ══► a peer at 127.0.0.1
//!   ▲                  n2 127.0.0.3                  ▲
//!   └── each of them   w1 127.0.0.4, a witness       └ then n2, when n1 is gone
//! ```

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::signal::{Signal, kill};
use serde_json::Value;

use crate::baton::{NUMBER, Outcome};
use crate::instance::ask;
use crate::machine::{self, Place, Running};
use crate::survey;

/// Ports of each member at its own address: link, SIP, RTP.
const PORTS: u16 = 16;
/// T: longer than in earnest, because these tests run beside others on a busy machine.
pub(crate) const PROMISE: Duration = Duration::from_millis(800);
/// How long an answer is waited for: longer than a takeover takes.
const PATIENCE_S: u32 = 8;
/// How long anything may take that happens at once.
const SOON: Duration = Duration::from_secs(30);
/// How long a call may take.
const CALL: Duration = Duration::from_secs(75);

/// A trunk of all members: its name, its port on 127.0.0.1, further lines.
pub(crate) type Trunk<'a> = (&'a str, u16, &'a str);

/// A cluster. Members whose names begin with `w` are witnesses. Each has a trunk that the others lack and nobody uses: so
/// their initialisation data differ, and each places the calls itself that it is asked for.
pub(crate) struct Cluster {
    place: Place,
    engine: Option<Running>,
    first: u16,
    /// etcd's two, then the API of each member.
    shared: u16,
    /// For how many calls the first has room, and each of the others.
    room: [usize; 2],
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
        Self::begin(&["n1", "n2", "n3"], PROMISE, trunks, [2_000, 2_000])
    }

    /// Two instances with room for one call each, and a witness: of two calls each gets one.
    #[track_caller]
    pub(crate) fn of_two_with_a_call_each(trunks: &[Trunk<'_>]) -> Self {
        Self::begin(&["n1", "n2", "w1"], PROMISE, trunks, [1, 1])
    }

    /// Starts etcd and these members, and waits until all instances take calls. The first has so much more room that it
    /// gets the calls while it lives.
    #[track_caller]
    pub(crate) fn start(names: &[&'static str], promise: Duration, trunks: &[Trunk<'_>]) -> Self {
        Self::begin(names, promise, trunks, [2_000, 20])
    }

    #[track_caller]
    fn begin(names: &[&'static str], promise: Duration, trunks: &[Trunk<'_>], room: [usize; 2]) -> Self {
        let place = Place::new();
        survey::write_patient(&place, PATIENCE_S);
        place.write("trunk.password", "s3cret\n");
        let host = |last| Ipv4Addr::new(127, 0, 0, last);
        let members: Vec<Member> = (2..)
            .zip(names)
            .map(|(last, name)| Member { name, host: host(last), starts: 0, process: None })
            .collect();
        let hosts: Vec<Ipv4Addr> = members.iter().map(|member| member.host).collect();
        let (first, shared) = (ports(&hosts, PORTS), ports(&[Ipv4Addr::LOCALHOST], PORTS));
        let init = Command::new(env!("CARGO_BIN_EXE_baton"))
            .args(["cluster", "init", "--dir"])
            .arg(place.file("keys"))
            .args(names)
            .output()
            .unwrap();
        assert!(init.status.success(), "{init:?}");
        let mut cluster = Self { place, engine: None, first, shared, room, members };
        (0..names.len()).for_each(|member| cluster.write_settings(member, promise, trunks));
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

    fn write_settings(&self, member: usize, promise: Duration, trunks: &[Trunk<'_>]) {
        let Member { name, host, .. } = &self.members[member];
        let (link, sip, media, last) = (self.first, self.first + 1, self.first + 2, self.first + PORTS - 1);
        let all = self.members.iter().map(|it| format!("{} = \"{}:{link}\"", it.name, it.host));
        let trunks = trunks.iter().map(|(trunk, port, more)| {
            format!(
                "[trunks.{trunk}]\naddress = \"127.0.0.1:{port}\"\nfrom = \"sip:survey@baton.example\"\n\
                 codecs = [\"PCMU\", \"PCMA\"]\n{more}\n"
            )
        });
        let calls = self.room[member.min(1)];
        let role = if self.members[member].is_witness() { "witness" } else { "instance" };
        let settings = format!(
            "questionnaires = [\"interop.xml\"]\n[data]\ndir = \"{name}\"\n\
             [http]\nlisten = \"127.0.0.1:{api}\"\n[sip]\nlisten = \"{host}:{sip}\"\n\
             [media]\naddress = \"{host}\"\nports = \"{media}-{last}\"\n\
             [limits]\ncalls = {calls}\n{}\
             [cluster]\nname = \"{name}\"\ndir = \"keys/{name}\"\nrole = \"{role}\"\npromise = \"{}ms\"\n\
             members = {{ {} }}\n[cluster.engine]\nendpoints = [\"http://127.0.0.1:{}\"]\n",
            trunks.collect::<String>(),
            promise.as_millis(),
            all.collect::<Vec<_>>().join(", "),
            self.shared,
            api = self.api(name),
        );
        self.place.write(&format!("{name}.toml"), settings);
    }

    /// Starts etcd, with what it knew.
    pub(crate) fn start_engine(&mut self) {
        let (client, peer) = (self.shared, self.shared + 1);
        let url = |port| format!("http://127.0.0.1:{port}");
        let mut command = Command::new(machine::program("etcd"));
        command.arg("--name=m0").arg(format!("--data-dir={}", self.place.file("etcd").display()));
        for kind in ["listen-client-urls", "advertise-client-urls"] {
            command.arg(format!("--{kind}={}", url(client)));
        }
        for kind in ["listen-peer-urls", "initial-advertise-peer-urls"] {
            command.arg(format!("--{kind}={}", url(peer)));
        }
        command.arg(format!("--initial-cluster=m0={}", url(peer)));
        command.args(["--heartbeat-interval=50", "--election-timeout=250", "--logger=zap"]);
        let log = std::fs::File::create(self.place.file("etcd.log")).unwrap();
        command.stdout(Stdio::null()).stderr(log);
        self.engine = Some(Running::start(&mut command, "etcd"));
    }

    /// Kills etcd.
    pub(crate) fn kill_engine(&mut self) {
        self.engine = None;
    }

    fn index(&self, name: &str) -> usize {
        self.members.iter().position(|member| member.name == name).unwrap()
    }

    fn member(&self, name: &str) -> &Member {
        &self.members[self.index(name)]
    }

    fn api(&self, name: &str) -> u16 {
        self.shared + 2 + u16::try_from(self.index(name)).unwrap()
    }

    /// The address of a member.
    pub(crate) fn host(&self, name: &str) -> String {
        self.member(name).host.to_string()
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
        let member = &mut self.members[index];
        member.starts += 1;
        let mut command = Command::new(env!("CARGO_BIN_EXE_baton"));
        command.current_dir(self.place.path()).args(["serve", "--config", &format!("{name}.toml")]);
        let log = self.place.file(&format!("{name}-{}.err", member.starts));
        command.env("RUST_LOG", "baton=info").stderr(Stdio::from(std::fs::File::create(log).unwrap()));
        member.process = Some(Running::start(&mut command, "baton serve"));
    }

    /// Waits until it takes calls; a witness: until it votes.
    #[track_caller]
    pub(crate) fn takes_calls(&mut self, name: &str) {
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
    fn listed(&self, name: &str) -> Value {
        // Its exit code tells of all members.
        let list = ask(self.api(name), &["node", "list", "--json"]).unwrap_or_else(|list| list);
        list.lines().next().and_then(|it| serde_json::from_str(it).ok()).unwrap_or_default()
    }

    /// Waits until all instances know how much room each other has: whoever is control goes by that.
    #[track_caller]
    fn know_each_other(&self) {
        let all = self.members.len();
        let is_ready = |list: &Value| {
            let others = list["cluster"]["members"].as_array().map_or(&[][..], Vec::as_slice);
            others.len() + 1 == all && others.iter().all(|other| other["state"] == "ready")
        };
        let mut instances = self.members.iter().filter(|member| !member.is_witness());
        let unknown = instances.find(|member| !machine::until(SOON, || is_ready(&self.listed(member.name))));
        assert!(unknown.is_none(), "not all are ready\n{}", self.said());
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

    fn signal(&self, name: &str, signal: Signal) -> f64 {
        let id = self.member(name).process.as_ref().expect("it runs").id();
        let now = now();
        kill(nix::unistd::Pid::from_raw(i32::try_from(id).unwrap()), signal).unwrap();
        now
    }

    /// Has a member call [`NUMBER`] through this trunk; the call's id.
    #[track_caller]
    pub(crate) fn call(&self, name: &str, trunk: &str) -> String {
        let place = ["place", NUMBER, "--questionnaire", "interop", "--trunk", trunk];
        let placed = ask(self.api(name), &place);
        placed.unwrap_or_else(|error| panic!("{name}: {error}\n{}", self.said())).trim().to_owned()
    }

    /// Asks a member for a call with this key; its id, or what was said.
    pub(crate) fn ask_for(&self, name: &str, number: &str, trunk: &str, key: &str) -> Result<String, String> {
        let place = ["place", number, "--questionnaire", "interop", "--trunk", trunk, "--key", key];
        ask(self.api(name), &place).map(|call| call.trim().to_owned())
    }

    /// How long the command for that takes until it has asked, in ms.
    pub(crate) fn lead_ms(&self) -> u64 {
        let begun = std::time::Instant::now();
        let any = self.members.iter().find(|member| member.process.is_some()).unwrap();
        drop(ask(self.api(any.name), &["calls", "0000000000000000"]));
        u64::try_from(begun.elapsed().as_millis() / 2).unwrap()
    }

    /// Has a member end a call.
    #[track_caller]
    pub(crate) fn hang_up(&self, name: &str, call: &str) {
        ask(self.api(name), &["calls", call, "--hang-up"]).unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    /// `baton node list` at a member.
    pub(crate) fn list(&self, name: &str) -> String {
        ask(self.api(name), &["node", "list"]).unwrap_or_else(|list| list)
    }

    /// Who is control, as a member says.
    pub(crate) fn control_at(&self, name: &str) -> String {
        self.listed(name)["cluster"]["control"]["name"].as_str().unwrap_or_default().to_owned()
    }

    /// Who is control, as all say who are there.
    #[track_caller]
    pub(crate) fn control(&self) -> String {
        let there: Vec<&str> =
            self.members.iter().filter(|member| member.process.is_some()).map(|member| member.name).collect();
        let mut control = String::new();
        let agreed = machine::until(SOON, || {
            control = self.control_at(there[0]);
            let is_there = there.contains(&control.as_str());
            is_there && there.iter().all(|name| self.control_at(name) == control)
        });
        assert!(agreed, "nobody is control\n{}", self.said());
        control
    }

    /// Waits until a member says that somebody else than this one is control.
    #[track_caller]
    pub(crate) fn until_control(&self, name: &str, before: &str) {
        let other = || {
            let control = self.control_at(name);
            !control.is_empty() && control != before
        };
        assert!(machine::until(SOON, other), "it stays {before}\n{}", self.said());
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

    /// What a member says of a call; null: that it knows none, or is not there.
    pub(crate) fn look(&self, name: &str, call: &str) -> Value {
        let said = ask(self.api(name), &["calls", call, "--json"]);
        said.ok().and_then(|said| serde_json::from_str(&said).ok()).unwrap_or_default()
    }

    /// Waits until a member says that a call is so.
    #[track_caller]
    pub(crate) fn until(&self, name: &str, call: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let mut seen = Value::Null;
        let came = machine::until(CALL, || {
            seen = self.look(name, call);
            is_so(&seen)
        });
        assert!(came, "at {name} it stays so: {seen:#}\n{}", self.said());
        seen
    }

    /// Waits until the call is asked this question, as a member says.
    #[track_caller]
    pub(crate) fn until_asks(&self, name: &str, call: &str, question: &str) {
        self.until(name, call, |seen| seen["item"] == question);
    }

    /// Waits until a member has taken over or regained a call: when it was seen.
    #[track_caller]
    pub(crate) fn until_talks(&self, name: &str, call: &str) -> f64 {
        self.until(name, call, |seen| seen["state"] == "talking");
        now()
    }

    /// Waits for the end of a call at a member; what its result is there. The logs of all stand beside it.
    #[track_caller]
    pub(crate) fn outcome(&self, name: &str, call: &str) -> Outcome {
        let mut ended = self.until(name, call, |seen| seen["state"] == "ended");
        Outcome { code: Some(0), result: ended["result"].take(), stderr: self.said(), place: Place::new() }
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
