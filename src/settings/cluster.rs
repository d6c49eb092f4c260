//! The cluster: who its members are, how they reach each other, and where its engine is.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::secret::{SecretError, password};
use super::units::{self, wrong};
use crate::id::NodeId;
use crate::sync::{Role, Terms, Voters};

/// Most members: each beats to all others.
const MOST_MEMBERS: usize = 32;
/// Most endpoints of the engine.
const MOST_ENDPOINTS: usize = 16;

/// `[cluster]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// Which member this is.
    pub name: NodeId,
    /// Its certificate and keys, as `baton cluster init` made them.
    #[serde(deserialize_with = "units::path")]
    pub dir: PathBuf,
    /// What it is for.
    #[serde(default = "instance", deserialize_with = "role")]
    pub role: Role,
    /// How long who promised does not confirm an absence: T.
    #[serde(default = "default_promise", deserialize_with = "promise")]
    pub promise: Duration,
    /// All members, itself included, and where each is reached: datagrams over UDP and links over TCP.
    #[serde(deserialize_with = "members")]
    pub members: BTreeMap<NodeId, SocketAddr>,
    /// Where this member listens; absent: at its address among the members.
    pub listen: Option<SocketAddr>,
    /// Who votes; absent: all members, if they are three or five.
    voters: Option<BTreeSet<NodeId>>,
    /// How records are mirrored.
    #[serde(default)]
    pub mirror: Mirror,
    /// The engine.
    pub engine: ClusterEngine,
}

/// `[cluster.mirror]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mirror {
    /// Other instances that must hold a save before what depends on it is sent.
    #[serde(deserialize_with = "acks")]
    pub acks: usize,
    /// Other instances that hold the records; absent: all.
    pub copies: Option<usize>,
}

impl Default for Mirror {
    fn default() -> Self {
        Self { acks: 1, copies: None }
    }
}

/// `[cluster.engine]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterEngine {
    /// `http://HOST:PORT` or `https://HOST:PORT`, the preferred one first.
    #[serde(deserialize_with = "endpoints")]
    pub endpoints: Vec<String>,
    /// The name of the cluster in the engine, so that several share it.
    #[serde(default = "default_namespace", deserialize_with = "namespace")]
    pub namespace: String,
    /// Who signed the engine's certificate.
    #[serde(default, deserialize_with = "units::some_path")]
    pub ca: Option<PathBuf>,
    /// Our certificate for the engine.
    #[serde(default, deserialize_with = "units::some_path")]
    pub certificate: Option<PathBuf>,
    /// Its key.
    #[serde(default, deserialize_with = "units::some_path")]
    pub key: Option<PathBuf>,
    /// A user of the engine's.
    pub username: Option<String>,
    /// The file with the password.
    #[serde(default, deserialize_with = "units::some_path")]
    pub password_file: Option<PathBuf>,
    /// The environment variable with the password.
    pub password_env: Option<String>,
}

impl Cluster {
    /// What holds for this member's incarnations.
    #[must_use]
    pub fn terms(&self) -> Terms {
        let terms = Terms::new(self.voters(), self.promise);
        terms.expect("the settings were checked")
    }

    /// Who votes: who is listed, or all if they are three or five, or nobody.
    #[must_use]
    pub fn voters(&self) -> Voters {
        let all = || self.members.keys().copied().collect();
        let listed = self.voters.clone().unwrap_or_else(all);
        Voters::new(listed).unwrap_or_else(|_| Voters::none())
    }

    /// Where this member listens.
    #[must_use]
    pub fn listens_at(&self) -> SocketAddr {
        let own = self.listen.or_else(|| self.members.get(&self.name).copied());
        own.expect("the settings were checked: the member is among the members")
    }

    /// What differs in other settings of the same member and holds from its next start on, by its key: all but who the
    /// members are, who votes, and T.
    #[must_use]
    pub fn after_restart(&self, written: &Self) -> Vec<&'static str> {
        let differs = [
            ("[cluster] name", self.name != written.name),
            ("[cluster] dir", self.dir != written.dir),
            ("[cluster] role", self.role != written.role),
            ("[cluster] listen", self.listens_at() != written.listens_at()),
            ("[cluster] voters", self.voters().is_none() != written.voters().is_none()),
            ("[cluster.mirror]", self.mirror != written.mirror),
            ("[cluster.engine]", self.engine != written.engine),
        ];
        differs.into_iter().filter_map(|(key, differs)| differs.then_some(key)).collect()
    }

    /// What is wrong with it as a whole, and what to do about it.
    pub(super) fn misfit(&self) -> Option<(String, String)> {
        let names = || self.members.keys().map(NodeId::as_str).collect::<Vec<_>>().join(", ");
        if !self.members.contains_key(&self.name) {
            let what = format!("`[cluster] name` is `{}`, and no member has that name", self.name);
            return Some((what, format!("the members are {}", names())));
        }
        let mut addresses = BTreeSet::new();
        if let Some((name, address)) = self.members.iter().find(|(_, address)| !addresses.insert(**address)) {
            let what = format!("member `{name}` has the address {address} of another one");
            return Some((what, "each member has an address of its own".to_owned()));
        }
        if let Some(voters) = &self.voters {
            if let Some(voter) = voters.iter().find(|voter| !self.members.contains_key(voter)) {
                let what = format!("`{voter}` votes and is no member");
                return Some((what, format!("the members are {}", names())));
            }
            if let Err(error) = Voters::new(voters.iter().copied()) {
                return Some(("`[cluster] voters` cannot decide".to_owned(), error.to_string()));
            }
        } else if self.members.len() >= 4 && self.members.len() != 5 {
            let what =
                format!("{} members, and `[cluster] voters` does not say who votes", self.members.len());
            return Some((what, "list 3 or 5 of them: voters = [\"…\", \"…\", \"…\"]".to_owned()));
        }
        let others = self.members.len() - 1;
        if self.mirror.acks > others {
            let what =
                format!("`[cluster.mirror] acks` is {}, and there are {others} others", self.mirror.acks);
            return Some((what, format!("0 to {others}")));
        }
        if let Some(copies) = self.mirror.copies.filter(|copies| *copies < self.mirror.acks) {
            let what = format!("{copies} copies can never give {} acknowledgements", self.mirror.acks);
            return Some((what, "raise `copies`, or leave it out: all others".to_owned()));
        }
        self.engine.misfit()
    }

    /// Takes relative paths from `dir`.
    pub(super) fn resolve(&mut self, dir: &Path) {
        self.dir = dir.join(&self.dir);
        let engine = &mut self.engine;
        let paths = [&mut engine.ca, &mut engine.certificate, &mut engine.key, &mut engine.password_file];
        for path in paths.into_iter().flatten() {
            *path = dir.join(&*path);
        }
    }
}

impl ClusterEngine {
    fn misfit(&self) -> Option<(String, String)> {
        let is_secure = self.endpoints.iter().any(|endpoint| endpoint.starts_with("https://"));
        let named = usize::from(self.password_file.is_some()) + usize::from(self.password_env.is_some());
        let (what, mend) = match (&self.username, named) {
            (Some(_), 1) | (None, 0) if self.certificate.is_some() != self.key.is_some() => {
                ("has a certificate without its key, or a key without its certificate", "name both, or none")
            }
            (Some(_), 1) | (None, 0) if is_secure && self.ca.is_none() => (
                "is reached by https, and nobody is named who may have signed its certificate",
                "name the file of that CA: ca = \"…\"",
            ),
            (Some(_), 1) | (None, 0) => return None,
            (None, _) => ("has a password and no username", "add `username`"),
            (Some(_), 0) => (
                "has a username and no password",
                "name the file that holds it by `password_file`, or its environment variable by `password_env`",
            ),
            (Some(_), _) => ("has two passwords", "keep `password_file` or `password_env`, not both"),
        };
        Some((format!("`[cluster.engine]` {what}"), mend.to_owned()))
    }

    /// Name and password, read from where the settings say; `None`: the engine asks for none.
    ///
    /// # Errors
    /// [`SecretError`] if there is no password there.
    pub fn user(&self) -> Result<Option<(String, String)>, SecretError> {
        let Some(username) = self.username.clone() else { return Ok(None) };
        let password = password("the engine", self.password_file.as_deref(), self.password_env.as_deref())?;
        Ok(Some((username, password)))
    }
}

const fn instance() -> Role {
    Role::Instance
}

const fn default_promise() -> Duration {
    Duration::from_millis(250)
}

fn default_namespace() -> String {
    "main".to_owned()
}

fn role<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Role, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "instance" => Ok(Role::Instance),
        "witness" => Ok(Role::Witness),
        other => Err(wrong(
            format_args!("`{other}` is no role"),
            "\"instance\": it carries calls; \"witness\": it only votes",
        )),
    }
}

fn promise<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    units::duration_within(deserializer, "250ms", Duration::from_millis(150), Duration::from_secs(10))
}

fn acks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let acks = usize::deserialize(deserializer)?;
    if acks < MOST_MEMBERS {
        Ok(acks)
    } else {
        Err(wrong(
            format_args!("{acks} acknowledgements are too many"),
            format_args!("0 to {}", MOST_MEMBERS - 1),
        ))
    }
}

fn members<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<NodeId, SocketAddr>, D::Error> {
    let written = BTreeMap::<String, String>::deserialize(deserializer)?;
    if !(1..=MOST_MEMBERS).contains(&written.len()) {
        let what = format_args!("{} members", written.len()).to_string();
        return Err(wrong(what, format_args!("1 to {MOST_MEMBERS}, each as NAME = \"ADDRESS:PORT\"")));
    }
    let each = written.into_iter().map(|(name, address)| {
        let node: NodeId =
            name.parse().map_err(|error| wrong(format_args!("`{name}`: {error}"), "such as \"n1\""))?;
        if !is_member_name(node) {
            return Err(wrong(
                format_args!("`{name}` is no name for a member: certificates name it as a host"),
                "let no part between dots be empty, or begin or end with '-'",
            ));
        }
        let parsed: Option<SocketAddr> = address.parse().ok();
        let usable = |at: &SocketAddr| at.port() != 0 && !at.ip().is_unspecified();
        let address = parsed.filter(usable).ok_or_else(|| {
            wrong(format_args!("\"{address}\" is no address of a member"), "such as \"192.0.2.1:7450\"")
        })?;
        Ok((node, address))
    });
    each.collect()
}

/// Whether a name can stand in a certificate: as a host's name does.
#[must_use]
pub fn is_member_name(member: NodeId) -> bool {
    let is_label = |label: &str| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-');
    member.as_str().split('.').all(is_label)
}

fn endpoints<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let written = Vec::<String>::deserialize(deserializer)?;
    if !(1..=MOST_ENDPOINTS).contains(&written.len()) {
        let what = format_args!("{} endpoints", written.len()).to_string();
        return Err(wrong(what, format_args!("1 to {MOST_ENDPOINTS}")));
    }
    let is_endpoint = |endpoint: &str| {
        let rest = endpoint.strip_prefix("http://").or_else(|| endpoint.strip_prefix("https://"));
        let port = rest.and_then(|rest| rest.rsplit_once(':')).map(|(_, port)| port.parse::<u16>());
        matches!(port, Some(Ok(1..)))
    };
    match written.iter().find(|endpoint| !is_endpoint(endpoint)) {
        Some(endpoint) => Err(wrong(
            format_args!("\"{endpoint}\" is no endpoint of etcd"),
            "such as \"http://192.0.2.1:2379\" or \"https://etcd1.example:2379\"",
        )),
        None => Ok(written),
    }
}

fn namespace<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    if super::is_name(&name) {
        return Ok(name);
    }
    Err(wrong(format_args!("`{name}` is no name for a cluster"), "letters, digits, `_` and `-`, at most 64"))
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    const WHOLE: &str = r#"[cluster]
name = "b"
dir = "cluster/b"
members = { a = "192.0.2.1:7450", b = "192.0.2.2:7450", c = "192.0.2.3:7450" }

[cluster.engine]
endpoints = ["http://192.0.2.1:2379", "http://192.0.2.2:2379"]
"#;

    fn wrong_with(from: &str, to: &str) -> String {
        assert!(WHOLE.contains(from), "{from}");
        Settings::parse("baton.toml", &WHOLE.replace(from, to)).unwrap_err().to_string()
    }

    #[test]
    fn a_cluster_needs_little() {
        let settings = Settings::parse("baton.toml", WHOLE).unwrap();
        let cluster = settings.cluster.unwrap();
        let terms = cluster.terms();
        assert_eq!((terms.promise, terms.voters.majority()), (Duration::from_millis(250), 2));
        assert_eq!(cluster.listens_at(), "192.0.2.2:7450".parse().unwrap());
        assert_eq!((cluster.mirror.acks, cluster.mirror.copies, cluster.role), (1, None, Role::Instance));
        assert_eq!((cluster.engine.namespace.as_str(), cluster.engine.user().unwrap()), ("main", None));
        assert_eq!(Settings::default().cluster, None);
    }

    #[test]
    fn members_voters_and_t_may_change_while_it_runs_and_nothing_else() {
        let cluster = |text: &str| Settings::parse("f", text).unwrap().cluster.unwrap();
        let whole = cluster(WHOLE);
        let written = |from: &str, to: &str| cluster(&WHOLE.replace(from, to));
        assert_eq!(whole.after_restart(&whole), [""; 0]);
        let voters = written(
            r#"c = "192.0.2.3:7450" }"#,
            "c = \"192.0.2.5:7450\", d = \"192.0.2.4:7450\" }\nvoters = [\"a\", \"b\", \"d\"]",
        );
        assert_eq!(whole.after_restart(&voters), [""; 0]);
        let two = written(r#", c = "192.0.2.3:7450""#, "");
        assert_eq!(whole.after_restart(&two), ["[cluster] voters"], "nobody votes any more");
        let promise = written("name =", "promise = \"2s\"\nname =");
        assert_eq!(whole.after_restart(&promise), [""; 0]);
        let moved = written("192.0.2.2:7450", "192.0.2.9:7450");
        assert_eq!(whole.after_restart(&moved), ["[cluster] listen"], "where others reach it");
        let engine = written(", \"http://192.0.2.2:2379\"]", "]");
        assert_eq!(whole.after_restart(&engine), ["[cluster.engine]"]);
    }

    #[test]
    fn two_members_vote_on_nothing_and_six_have_to_say_who_votes() {
        let two = WHOLE.replace(r#", c = "192.0.2.3:7450""#, "");
        assert!(Settings::parse("f", &two).unwrap().cluster.unwrap().voters().is_none());
        let more = r#"c = "192.0.2.3:7450", d = "192.0.2.4:7450""#;
        let error = wrong_with(r#"c = "192.0.2.3:7450""#, more);
        assert!(error.starts_with("baton.toml:1:1: error: 4 members, and `[cluster] voters`"), "{error}");
        let voters = WHOLE
            .replace(r#"c = "192.0.2.3:7450""#, more)
            .replace("dir =", "voters = [\"a\", \"c\", \"d\"]\ndir =");
        let cluster = Settings::parse("f", &voters).unwrap().cluster.unwrap();
        assert!(!cluster.voters().lists("b".parse().unwrap()));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (from, to, told) in [
            (r#"name = "b""#, r#"name = "x""#, "baton.toml:1:1: error: `[cluster] name` is `x`"),
            (r#"name = "b""#, r#"name = "B""#, "baton.toml:2:8: error: a node's name is 1 to 32"),
            (r#""192.0.2.2:7450""#, r#""192.0.2.2""#, "baton.toml:4:11: error: \"192.0.2.2\" is no address"),
            (r#""192.0.2.2:7450""#, r#""0.0.0.0:7450""#, "\"0.0.0.0:7450\" is no address"),
            (
                r#"192.0.2.2:7450"#,
                r#"192.0.2.1:7450"#,
                "member `b` has the address 192.0.2.1:7450 of another",
            ),
            (
                "dir =",
                "promise = \"20ms\"\ndir =",
                "baton.toml:3:11: error: \"20ms\" is out of bounds (from 150ms",
            ),
            ("dir =", "role = \"king\"\ndir =", "baton.toml:3:8: error: `king` is no role"),
            (
                "dir =",
                "voters = [\"a\", \"b\"]\ndir =",
                "`[cluster] voters` cannot decide (2 voters; list 3 or 5",
            ),
            ("dir =", "voters = [\"a\", \"b\", \"z\"]\ndir =", "`z` votes and is no member"),
            ("dir =", "mirror = { acks = 3 }\ndir =", "acks` is 3, and there are 2 others"),
            ("dir =", "mirror = { copies = 0 }\ndir =", "0 copies can never give 1 ack"),
            (
                "http://192.0.2.1:2379",
                "192.0.2.1:2379",
                "baton.toml:7:13: error: \"192.0.2.1:2379\" is no endpoint",
            ),
            ("http://192.0.2.1:2379", "https://192.0.2.1:2379", "nobody is named who may have signed"),
            ("endpoints", "username = \"baton\"\nendpoints", "has a username and no password"),
            ("endpoints", "password_env = \"P\"\nendpoints", "has a password and no username"),
            ("endpoints", "key = \"k.pem\"\nendpoints", "a key without its certificate"),
            ("endpoints", "namespace = \"a/b\"\nendpoints", "`a/b` is no name for a cluster"),
        ] {
            let error = wrong_with(from, to);
            assert!(error.contains(told), "{to}: {error}");
        }
    }
}
