//! Three instances whose questionnaires, recordings and trunks become equal, with a real etcd: published at one, fetched by
//! the others, by digest; and what happens when files are wrong, members die, and several publish at once.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use baton::id::NodeId;
use baton::peers::init;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::etcd::Etcd;
use crate::machine::{self, Place, Running, until};

/// How long anything may take that happens at once, on a busy machine.
const SOON: Duration = Duration::from_secs(30);
const NAMES: [&str; 3] = ["n1", "n2", "n3"];

/// Each member has its own directory.
struct World {
    place: Place,
    etcd: Etcd,
    port: u16,
    nodes: BTreeMap<&'static str, Running>,
}

impl World {
    fn new() -> Self {
        let world =
            Self { place: Place::new(), etcd: Etcd::one(), port: machine::ports(32), nodes: BTreeMap::new() };
        init(&world.place.file("keys"), &NAMES.map(|name| name.parse::<NodeId>().unwrap())).unwrap();
        for name in NAMES {
            std::fs::create_dir_all(world.place.file(&format!("{name}/en"))).unwrap();
            world.settings(name, "[trunks.a]\naddress = \"127.0.0.9:5060\"\n");
            world.questionnaire(name, "Hello.");
            world.recording(name, 440, 300);
        }
        world
    }

    fn address(name: &str) -> String {
        format!("127.0.0.{}", 1 + name.trim_start_matches('n').parse::<u8>().unwrap())
    }

    fn settings(&self, name: &str, trunks: &str) {
        let (sip, api, link, first, last) =
            (self.port, self.port + 1, self.port + 2, self.port + 4, self.port + 31);
        let members: Vec<String> =
            NAMES.iter().map(|name| format!("{name} = \"{}:{link}\"", Self::address(name))).collect();
        let (address, members, etcd) = (Self::address(name), members.join(", "), self.etcd.clients[0]);
        let text = format!(
            "questionnaires = [\"clinic.xml\"]\n[data]\ndir = \"data\"\n[sip]\nlisten = \"{address}:{sip}\"\n\
             [media]\naddress = \"{address}\"\nports = \"{first}-{last}\"\n[http]\nlisten = \"{address}:{api}\"\n{trunks}\
             [cluster]\nname = \"{name}\"\ndir = \"../keys/{name}\"\npromise = \"800ms\"\nmembers = {{ {members} }}\n\
             [cluster.engine]\nendpoints = [\"http://127.0.0.1:{etcd}\"]\n"
        );
        self.place.write(&format!("{name}/baton.toml"), text);
    }

    fn questionnaire(&self, name: &str, says: &str) {
        let text = format!(
            "<questionnaire id=\"clinic\" version=\"1\" languages=\"en\" xmlns=\"urn:baton:questionnaire:1\">\n\
             <section id=\"all\"><statement id=\"hello\"><say lang=\"en\" audio=\"en/hello.wav\">{says}</say></statement>\n\
             </section><end id=\"done\" outcome=\"complete\"/></questionnaire>\n"
        );
        self.place.write(&format!("{name}/clinic.xml"), text);
    }

    fn recording(&self, name: &str, hertz: u32, ms: u32) {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 8_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut wav =
            hound::WavWriter::create(self.place.file(&format!("{name}/en/hello.wav")), spec).unwrap();
        for n in 0..ms * 8 {
            let turn = f64::from(n * hertz % 8_000) / 8_000.0;
            let sample = (turn * std::f64::consts::TAU).sin() * 8_000.0;
            #[expect(clippy::cast_possible_truncation, reason = "a sine is between -8,000 and 8,000")]
            wav.write_sample(sample as i16).unwrap();
        }
        wav.finalize().unwrap();
    }

    fn run(&mut self, name: &'static str) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_baton"));
        command.current_dir(self.place.file(name)).args(["serve", "--config", "baton.toml"]);
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.place.file(&format!("{name}.err")));
        self.nodes.insert(name, Running::start(command.stderr(log.unwrap()), name));
    }

    /// Starts them, and waits until they have all the same.
    fn start(&mut self, names: &[&'static str]) {
        names.iter().for_each(|name| self.run(name));
        self.until_equal(names);
    }

    fn asked(&self, name: &str, path: &str) -> Option<Value> {
        let url = format!("http://{}:{}/api/v1/{path}", Self::address(name), self.port + 1);
        let mut answer = ureq::get(url).call().ok()?;
        serde_json::from_str(&answer.body_mut().read_to_string().ok()?).ok()
    }

    fn metric(&self, name: &str, metric: &str) -> u64 {
        let url = format!("http://{}:{}/metrics", Self::address(name), self.port + 1);
        let text = ureq::get(url).call().unwrap().body_mut().read_to_string().unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{metric} ")));
        line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {metric} in {text}"))
    }

    fn assets(&self, name: &str) -> Value {
        self.asked(name, "assets").unwrap_or_default()
    }

    fn version(&self, name: &str) -> u64 {
        self.assets(name)["here"]["version"].as_u64().unwrap_or(0)
    }

    /// Waits until they have what is published, and know it of each other.
    #[track_caller]
    fn until_equal(&self, names: &[&'static str]) {
        let equal = until(SOON, || {
            names.iter().all(|name| {
                let Some(nodes) = self.asked(name, "nodes") else { return false };
                let (assets, members) = (&nodes["cluster"]["assets"], &nodes["cluster"]["members"]);
                let ready =
                    members.as_array().into_iter().flatten().filter(|member| member["state"] == "ready");
                assets["here"].is_object()
                    && assets["here"] == assets["cluster"]
                    && ready.count() == self.nodes.len() - 1
            })
        });
        let logs: Vec<String> = names.iter().map(|name| self.place.read(&format!("{name}.err"))).collect();
        assert!(
            equal,
            "{:#?}\n{}",
            names.iter().map(|name| self.asked(name, "nodes")).collect::<Vec<_>>(),
            logs.join("\n")
        );
    }

    fn publish(&self, name: &str, more: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_baton"));
        let url = format!("http://{}:{}", Self::address(name), self.port + 1);
        command.args(["cluster", "publish", "--url", &url]).args(more);
        command.output().unwrap()
    }

    /// What it says, and how it ends.
    fn published(&self, name: &str, more: &[&str]) -> (Option<i32>, String, String) {
        let Output { status, stdout, stderr } = self.publish(name, more);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (status.code(), text(stdout), text(stderr))
    }

    fn signal(&self, name: &str, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.nodes[name].id()).unwrap()), signal).unwrap();
    }

    /// Files by digest that a member has, but the manifests.
    fn files(&self, name: &str) -> Vec<PathBuf> {
        let dir = std::fs::read_dir(self.place.file(&format!("{name}/data/assets/files")));
        let files = dir.into_iter().flatten().map(|entry| entry.unwrap().path());
        files.filter(|file| std::fs::read(file).is_ok_and(|bytes| !bytes.starts_with(b"{"))).collect()
    }
}

/// What one publishes all have: by one command, or by SIGHUP; never by a restart, nor over what others published.
#[test]
fn what_one_publishes_all_have_and_nobody_s_own_files_are_touched() {
    let mut world = World::new();
    world.start(&["n1"]);
    world.questionnaire("n2", "Good day.");
    world.recording("n2", 500, 300);
    let own = |world: &World| {
        NAMES.map(|name| std::fs::read(world.place.file(&format!("{name}/clinic.xml"))).unwrap())
    };
    let before = own(&world);
    world.start(&["n2", "n3"]);
    world.until_equal(&NAMES);
    assert_eq!(own(&world), before);
    assert_eq!(world.assets("n1")["here"]["by"], "n1");
    assert_eq!(
        world.assets("n2")["differs"],
        serde_json::json!(["questionnaire clinic", "en/hello.wav of questionnaire clinic"])
    );
    assert_eq!(
        (&world.assets("n3")["differs"], world.metric("n3", "baton_cluster_assets_pulled_total")),
        (&serde_json::json!([]), 0),
        "its own were the same"
    );
    assert!(
        world
            .place
            .read("n2.err")
            .contains("differs=\"questionnaire clinic, en/hello.wav of questionnaire clinic\"")
    );

    // Its own were never the cluster's: nothing is published unless that is meant, neither by command nor by a reload.
    let (code, _, said) = world.published("n2", &[]);
    assert_eq!(code, Some(2));
    assert!(
        said.contains("n1 published at") && said.contains("questionnaire clinic") && said.contains("--force"),
        "{said}"
    );
    world.signal("n2", Signal::SIGHUP);
    assert!(until(SOON, || world
        .place
        .read("n2.err")
        .contains("nothing is published: the cluster's files are those")));
    assert_eq!(world.version("n1"), 1);

    // An edit, published by command; another one by a reload.
    world.questionnaire("n1", "Hello you.");
    let (code, said, _) = world.published("n1", &[]);
    assert_eq!(code, Some(0), "{said}");
    let mut lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.remove(0), "version 2: questionnaire clinic");
    lines.sort_unstable();
    assert_eq!(lines, ["n1: has it", "n2: has it", "n3: has it"]);
    world.recording("n1", 600, 300);
    world.signal("n1", Signal::SIGHUP);
    assert!(
        until(SOON, || NAMES.iter().all(|name| world.version(name) == 3)),
        "{:?}",
        NAMES.map(|name| world.assets(name))
    );
    let editions = NAMES.map(|name| world.assets(name)["questionnaires"][0]["digest"].clone());
    assert!(editions.iter().all(|edition| *edition == editions[0]), "{editions:?}");

    // What is broken changes nothing anywhere, and says where it is.
    world.questionnaire("n1", "Hello {nobody}.");
    let (code, _, said) = world.published("n1", &[]);
    assert_eq!(code, Some(2));
    assert!(said.contains("clinic.xml:2:") && said.contains("nobody"), "{said}");
    assert_eq!(NAMES.map(|name| world.version(name)), [3, 3, 3]);
}

/// A restart publishes nothing, whatever stands in the member's directory; and without the engine nobody publishes.
#[test]
fn what_there_is_goes_on_over_a_restart_and_without_the_engine() {
    let mut world = World::new();
    world.start(&["n1"]);
    world.start(&["n2", "n3"]);
    world.until_equal(&NAMES);

    // Who dies with half an edit in its directory comes back with what all have, from its own disk.
    world.questionnaire("n1", "Hello {nobody}.");
    drop(world.nodes.remove("n1"));
    world.start(&["n1"]);
    world.until_equal(&NAMES);
    assert_eq!((world.version("n1"), world.metric("n1", "baton_cluster_assets_pulled_total")), (1, 0));
    assert!(until(SOON, || world.assets("n1")["differs"][0]
        .as_str()
        .is_some_and(|why| why.contains("clinic.xml:2:"))));

    // With the engine away nothing is published, and what there is goes on.
    world.questionnaire("n1", "Hello them.");
    world.etcd.kill(0);
    let (code, _, said) = world.published("n1", &[]);
    assert_eq!(code, Some(2));
    assert!(
        said.contains("etcd does not answer: nothing is published, and what the cluster had goes on"),
        "{said}"
    );
    world.etcd.run(0, "existing");
    assert!(until(SOON, || world.published("n1", &[]).0 == Some(0)), "{:?}", world.published("n1", &[]));
    assert_eq!(NAMES.map(|name| world.version(name)), [2, 2, 2]);
}

/// Of several who publish at once one wins, and the others are told by whom.
#[test]
fn of_several_who_publish_at_once_one_wins() {
    let mut world = World::new();
    world.start(&["n1"]);
    world.start(&["n2", "n3"]);
    world.until_equal(&NAMES);
    for (name, says) in NAMES.into_iter().zip(["One.", "Two.", "Three."]) {
        world.questionnaire(name, says);
    }
    let said: Vec<(Option<i32>, String, String)> = std::thread::scope(|scope| {
        let world = &world;
        let all = NAMES.map(|name| scope.spawn(move || world.published(name, &[])));
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let won = said.iter().filter(|(code, ..)| *code == Some(0)).count();
    assert_eq!(won, 1, "{said:#?}");
    let by = said.iter().zip(NAMES).find(|((code, ..), _)| *code == Some(0)).unwrap().1;
    for (code, _, said) in said.iter().filter(|(code, ..)| *code != Some(0)) {
        assert!(*code == Some(2) && said.contains(by) && said.contains("version 2"), "{said}");
    }
    world.until_equal(&NAMES);
    assert_eq!((world.version("n1"), &world.assets("n3")["here"]["by"]), (2, &Value::from(by)));

    // etcd from a backup of before: what is newest is published again, and nobody goes back.
    let backup = world.etcd.back_up();
    let (code, ..) = world.published(NAMES.into_iter().find(|name| *name != by).unwrap(), &["--force"]);
    assert_eq!(code, Some(0));
    world.etcd.restore(&backup);
    let again = until(SOON, || world.etcd.ctl(&["get", "/baton/main/assets"]).contains("\"version\":3"));
    assert!(again, "{}", world.etcd.ctl(&["get", "--prefix", "/baton/main/"]));
    assert_eq!(NAMES.map(|name| world.version(name)), [3, 3, 3]);
}

/// Who joins late has all in the end, also if it dies in between, and if one of those who give it something gives
/// something else.
#[test]
fn who_joins_late_has_all_and_takes_nothing_else_for_it() {
    let mut world = World::new();
    world.recording("n1", 440, 240_000); // 4 MB, so that it takes a while
    world.questionnaire("n3", "Something else.");
    world.start(&["n1"]);
    world.start(&["n2"]);
    world.until_equal(&["n1", "n2"]);

    // It dies while it fetches, as soon as a part of a file is there.
    let parts = world.place.file("n3/data/assets/files");
    let is_part = |entry: std::fs::DirEntry| entry.file_name().to_string_lossy().starts_with(".part-");
    world.run("n3");
    let mut seen = false;
    for _ in 0..20_000 {
        seen = std::fs::read_dir(&parts).is_ok_and(|dir| dir.flatten().any(is_part));
        if seen {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    drop(world.nodes.remove("n3"));
    assert!(seen, "{}", world.place.read("n3.err"));
    assert!(!world.place.file("n3/data/assets/adopted.json").exists(), "nothing was adopted yet");

    // Somebody has changed the recording where n2 keeps it, and n1 is away: n3 has no calls, and says why.
    let whole = std::fs::read(world.place.file("n1/en/hello.wav")).unwrap();
    let kept = world.files("n2").into_iter().find(|file| std::fs::read(file).unwrap() == whole).unwrap();
    let mut changed = whole.clone();
    changed[1_000_000] ^= 1;
    std::fs::remove_file(&kept).unwrap();
    std::fs::write(&kept, changed).unwrap();
    // What n3 may have had of it already would be whole with the right rest.
    std::fs::remove_dir_all(&parts).unwrap();
    drop(world.nodes.remove("n1"));
    world.run("n3");
    let behind = |world: &World| world.assets("n3")["behind"].as_str().map(str::to_owned);
    let refused =
        until(SOON, || behind(&world).is_some_and(|why| why.contains("n2: what it gave is something else")));
    assert!(refused, "{:?} {}", behind(&world), world.place.read("n3.err"));
    assert!(world.metric("n3", "baton_cluster_assets_refused_total") >= 1);
    assert_eq!(world.metric("n3", "baton_cluster_assets_behind"), 1);
    let state = || {
        let nodes = world.asked("n2", "nodes").unwrap();
        let members = nodes["cluster"]["members"].as_array().unwrap().clone();
        members.into_iter().find(|member| member["name"] == "n3").map(|member| member["state"].clone())
    };
    assert!(until(SOON, || state() == Some("unequal".into())), "{:?}", state());
    assert!(world.files("n3").iter().all(|file| std::fs::read(file).unwrap() != whole));

    // n1 is back: its file is the right one.
    world.run("n1");
    world.until_equal(&NAMES);
    assert!(world.files("n3").iter().any(|file| std::fs::read(file).unwrap() == whole));
    assert!(behind(&world).is_none());
}
