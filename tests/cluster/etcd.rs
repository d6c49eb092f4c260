//! etcd as processes: one member or three, with the times that Baton recommends.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use baton::engine::{Access, Engine, Tls, User};
use tempfile::TempDir;

/// How long an etcd may take to be there, on a busy machine.
const START: Duration = Duration::from_secs(20);

/// Free ports, each only once.
pub(crate) fn ports<const N: usize>() -> [u16; N] {
    let sockets = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    sockets.map(|socket| socket.local_addr().unwrap().port())
}

/// Certificates for etcd's clients.
#[derive(Clone, Debug)]
pub(crate) struct Secure {
    pub(crate) ca: String,
    pub(crate) client: (String, String),
    files: PathBuf,
}

impl Secure {
    /// A CA, etcd's certificate for 127.0.0.1, and a client's.
    pub(crate) fn new(dir: &Path) -> Self {
        let ca_key = rcgen::KeyPair::generate().unwrap();
        let mut ca = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
        ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
        let issuer = rcgen::Issuer::new(ca, ca_key);
        let issue = |name: &str| {
            let key = rcgen::KeyPair::generate().unwrap();
            let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
            (params.signed_by(&key, &issuer).unwrap().pem(), key.serialize_pem())
        };
        let (server, client) = (issue("127.0.0.1"), issue("baton"));
        std::fs::write(dir.join("ca.pem"), &ca_pem).unwrap();
        std::fs::write(dir.join("server.pem"), server.0).unwrap();
        std::fs::write(dir.join("server.key"), server.1).unwrap();
        Self { ca: ca_pem, client, files: dir.to_owned() }
    }

    fn arguments(&self) -> Vec<String> {
        let file = |name: &str| self.files.join(name).display().to_string();
        vec![
            "--client-cert-auth".to_owned(),
            format!("--trusted-ca-file={}", file("ca.pem")),
            format!("--cert-file={}", file("server.pem")),
            format!("--key-file={}", file("server.key")),
        ]
    }
}

/// The members of one etcd.
pub(crate) struct Etcd {
    dir: TempDir,
    pub(crate) clients: Vec<u16>,
    peers: Vec<u16>,
    members: Vec<Option<Child>>,
    pub(crate) secure: Option<Secure>,
}

impl Etcd {
    pub(crate) fn one() -> Self {
        let [client, peer] = ports();
        Self::start(vec![client], vec![peer], false)
    }

    pub(crate) fn one_secure() -> Self {
        let [client, peer] = ports();
        Self::start(vec![client], vec![peer], true)
    }

    pub(crate) fn three() -> Self {
        let [a, b, c, d, e, f] = ports();
        Self::start(vec![a, b, c], vec![d, e, f], false)
    }

    fn start(clients: Vec<u16>, peers: Vec<u16>, is_secure: bool) -> Self {
        let dir = TempDir::new().unwrap();
        let secure = is_secure.then(|| Secure::new(dir.path()));
        let members = clients.iter().map(|_| None).collect();
        let mut etcd = Self { dir, clients, peers, members, secure };
        (0..etcd.clients.len()).for_each(|member| etcd.run(member, "new"));
        etcd
    }

    pub(crate) fn data(&self, member: usize) -> PathBuf {
        self.dir.path().join(format!("m{member}"))
    }

    fn peer_urls(&self) -> String {
        let each = self.peers.iter().enumerate().map(|(n, port)| format!("m{n}=http://127.0.0.1:{port}"));
        each.collect::<Vec<_>>().join(",")
    }

    /// Starts a member.
    pub(crate) fn run(&mut self, member: usize, state: &str) {
        let scheme = if self.secure.is_some() { "https" } else { "http" };
        let client = format!("{scheme}://127.0.0.1:{}", self.clients[member]);
        let peer = format!("http://127.0.0.1:{}", self.peers[member]);
        let log = std::fs::File::create(self.dir.path().join(format!("m{member}.log"))).unwrap();
        let child = Command::new("etcd")
            .arg(format!("--name=m{member}"))
            .arg(format!("--data-dir={}", self.data(member).display()))
            .arg(format!("--listen-client-urls={client}"))
            .arg(format!("--advertise-client-urls={client}"))
            .arg(format!("--listen-peer-urls={peer}"))
            .arg(format!("--initial-advertise-peer-urls={peer}"))
            .arg(format!("--initial-cluster={}", self.peer_urls()))
            .arg(format!("--initial-cluster-state={state}"))
            .args(["--heartbeat-interval=50", "--election-timeout=250", "--logger=zap"])
            .args(self.secure.iter().flat_map(Secure::arguments))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("etcd is not installed: `make test` installs it (Debian's etcd-server and etcd-client)");
        self.members[member] = Some(child);
    }

    /// Kills a member.
    pub(crate) fn kill(&mut self, member: usize) {
        if let Some(mut child) = self.members[member].take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Kills all members and starts them again.
    pub(crate) fn restart(&mut self) {
        (0..self.members.len()).for_each(|member| self.kill(member));
        (0..self.members.len()).for_each(|member| self.run(member, "existing"));
    }

    /// Saves a backup of member 0.
    pub(crate) fn back_up(&self) -> PathBuf {
        let file = self.dir.path().join("backup");
        self.ctl(&["snapshot", "save", file.to_str().unwrap()]);
        file
    }

    /// Kills the only member and starts it from a backup.
    pub(crate) fn restore(&mut self, backup: &Path) {
        self.kill(0);
        std::fs::remove_dir_all(self.data(0)).unwrap();
        let data = self.data(0);
        let peers = self.peer_urls();
        self.ctl(&[
            "snapshot",
            "restore",
            backup.to_str().unwrap(),
            "--name=m0",
            &format!("--data-dir={}", data.display()),
            &format!("--initial-cluster={peers}"),
            &format!("--initial-advertise-peer-urls=http://127.0.0.1:{}", self.peers[0]),
        ]);
        self.run(0, "existing");
    }

    /// What `etcdctl` says to this.
    pub(crate) fn ctl(&self, arguments: &[&str]) -> String {
        let output = Command::new("etcdctl")
            .env("ETCDCTL_API", "3")
            .arg(format!("--endpoints=http://127.0.0.1:{}", self.clients[0]))
            .args(arguments)
            .output()
            .expect("etcdctl is not installed: `make test` installs it (Debian's etcd-client)");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "etcdctl {arguments:?}: {said}{error}");
        said
    }

    /// The member that leads.
    pub(crate) fn leader(&self) -> usize {
        let endpoints =
            self.clients.iter().map(|port| format!("127.0.0.1:{port}")).collect::<Vec<_>>().join(",");
        let output = Command::new("etcdctl")
            .env("ETCDCTL_API", "3")
            .args([&format!("--endpoints={endpoints}"), "endpoint", "status"])
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        // "127.0.0.1:2379, 8e9e05c52164694d, 3.4.23, 20 kB, true, false, 2, 4, 4, "
        let lines = said.lines().map(|line| line.split(", ").collect::<Vec<_>>());
        let leader = lines.into_iter().find(|fields| fields.get(4) == Some(&"true"));
        let leader = leader.unwrap_or_else(|| panic!("nobody leads: {said}"));
        self.clients.iter().position(|port| leader[0].ends_with(&format!(":{port}"))).unwrap()
    }

    pub(crate) fn access(&self) -> Access {
        access(&self.clients, self.secure.as_ref())
    }

    /// A client that has been answered once.
    pub(crate) async fn engine(&self) -> Engine {
        let engine = Engine::new(&self.access(), 0).unwrap();
        there(&engine).await;
        engine
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        (0..self.members.len()).for_each(|member| self.kill(member));
    }
}

pub(crate) fn access(ports: &[u16], secure: Option<&Secure>) -> Access {
    let scheme = if secure.is_some() { "https" } else { "http" };
    Access {
        endpoints: ports.iter().map(|port| format!("{scheme}://127.0.0.1:{port}")).collect(),
        tls: secure.map_or_else(Tls::default, |secure| Tls {
            ca: Some(secure.ca.clone()),
            identity: Some(secure.client.clone()),
        }),
        user: None,
        cluster: "test".to_owned(),
    }
}

pub(crate) fn user(name: &str, password: &str) -> Option<User> {
    Some(User { name: name.to_owned(), password: password.to_owned() })
}

/// Waits until the engine answers.
pub(crate) async fn there(engine: &Engine) {
    let until = tokio::time::Instant::now() + START;
    while let Err(error) = engine.ticket("x".parse().unwrap()).await {
        assert!(tokio::time::Instant::now() < until, "{error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
