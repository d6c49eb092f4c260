//! The elements of the patent's method, each shown by three instances as processes, a real etcd and respondents that answer
//! over SIP and RTP. docs/patent.md maps the claims to these tests.

#![expect(clippy::unwrap_used, reason = "a test stops at the first thing that is not as it should be")]
#![expect(clippy::print_stderr, reason = "whoever runs the tests is told where the traces are")]
#![expect(clippy::disallowed_methods, reason = "tests wait for real programs")]

#[path = "cluster/etcd.rs"]
#[allow(dead_code, reason = "the cluster's own tests use the rest of it")]
mod etcd;
#[path = "interop/machine.rs"]
#[allow(dead_code, reason = "the interoperability tests use the rest of it")]
mod machine;
#[path = "interop/signal.rs"]
#[allow(dead_code, reason = "the interoperability tests use the rest of it")]
mod signal;
#[path = "interop/survey.rs"]
#[allow(dead_code, reason = "the interoperability tests use the rest of it")]
mod survey;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::Duration;

use baton::id::NodeId;
use baton::peers::init;
use serde_json::{Value, json};

use crate::etcd::Etcd;
use crate::machine::{Place, Running, until};

/// How long anything may take that happens at once, on a busy machine.
const SOON: Duration = Duration::from_secs(30);
/// How long a call may take.
const CALL: Duration = Duration::from_secs(60);
const NAMES: [&str; 3] = ["n1", "n2", "n3"];

/// Who talks: it takes some seconds until the first key. Whose phone rings for ever.
const PEOPLE: &str = r#"
[[party]]
users = "talks*"
[[party.turn]]
question = "consent"
press = ["", "1"]
[[party.turn]]
question = "age"
press = "42#"

[[party]]
users = "rings*"
answer = false
"#;

/// Three instances, those whom they call, and etcd.
struct World {
    place: Place,
    /// Who knows the password of trunk `b`.
    initiated: BTreeSet<&'static str>,
    etcd: Etcd,
    port: u16,
    nodes: BTreeMap<&'static str, Running>,
    _people: Running,
}

impl World {
    /// With room for so many calls each.
    fn start(limits: [u32; 3]) -> Self {
        Self::begin(limits, &NAMES)
    }

    /// The same, and of them only these have files and trunks of their own.
    fn begin(limits: [u32; 3], have_files: &[&str]) -> Self {
        let (place, etcd, port) = (Place::new(), Etcd::one(), machine::ports(32));
        let questionnaire = survey::write(&place);
        let people = place.write("people.toml", PEOPLE);
        let mut command = Command::new(env!("CARGO_BIN_EXE_baton"));
        command.current_dir(place.path()).args(["callee", "--listen", &format!("127.0.0.1:{port}")]);
        command.arg("--script").arg(people).arg("--prompts").arg(questionnaire);
        command.stdout(std::fs::File::create(place.file("people.jsonl")).unwrap());
        command.stderr(std::fs::File::create(place.file("callee.err")).unwrap());
        let people = Running::start(&mut command, "baton callee");
        init(&place.file("keys"), &NAMES.map(|name| name.parse::<NodeId>().unwrap())).unwrap();
        let initiated = BTreeSet::from(NAMES);
        let mut world = Self { place, initiated, etcd, port, nodes: BTreeMap::new(), _people: people };
        for (name, limit) in NAMES.into_iter().zip(limits) {
            world.write_settings(name, limit, "");
            if !have_files.contains(&name) {
                let all = world.place.read(&format!("{name}.toml"));
                let (before, own) = all.split_once("[trunks.a]").unwrap();
                let (_, cluster) = own.split_once("[cluster]").unwrap();
                let bare = before.replace("questionnaires = [\"interop.xml\"]\n", "");
                std::fs::create_dir(world.place.file(&format!("dir-{name}"))).unwrap();
                let bare = format!("{bare}[cluster]{cluster}").replace("\"keys/", "\"../keys/");
                world.place.write(&format!("dir-{name}/{name}.toml"), bare);
            }
            world.run(name);
        }
        for name in NAMES {
            world.until_ready(name);
        }
        world
    }

    /// Its own address of the loopback; ports are the same for all.
    fn address(name: &str) -> String {
        format!("127.0.0.{}", 1 + name.trim_start_matches('n').parse::<u8>().unwrap())
    }

    fn write_settings(&self, name: &str, limit: u32, more: &str) {
        let (people, etcd) = (self.port, self.etcd.clients[0]);
        let (sip, api, link, first, last) = (people + 1, people + 2, people + 3, people + 4, people + 31);
        let members: Vec<String> =
            NAMES.iter().map(|name| format!("{name} = \"{}:{link}\"", Self::address(name))).collect();
        let (address, members) = (Self::address(name), members.join(", "));
        let text = format!(
            "questionnaires = [\"interop.xml\"]\n[data]\ndir = \"{name}\"\n[limits]\ncalls = {limit}\n\
             [sip]\nlisten = \"{address}:{sip}\"\n[media]\naddress = \"{address}\"\nports = \"{first}-{last}\"\n\
             [http]\nlisten = \"{address}:{api}\"\n[trunks.a]\naddress = \"127.0.0.1:{people}\"\nring_timeout = \"60s\"\n{more}\
             [cluster]\nname = \"{name}\"\ndir = \"keys/{name}\"\npromise = \"800ms\"\nmembers = {{ {members} }}\n\
             [cluster.engine]\nendpoints = [\"http://127.0.0.1:{etcd}\"]\n"
        );
        self.place.write(&format!("{name}.toml"), text);
    }

    fn run(&mut self, name: &'static str) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_baton"));
        let bare = self.place.file(&format!("dir-{name}"));
        let dir = if bare.exists() { bare } else { self.place.path().to_owned() };
        command.current_dir(dir).args(["serve", "--config", &format!("{name}.toml")]);
        if self.initiated.contains(name) {
            command.env("TRUNK_B_PASSWORD", "s3cret");
        }
        let log = std::fs::File::create(self.place.file(&format!("{name}.err"))).unwrap();
        self.nodes.insert(name, Running::start(command.stderr(log), name));
    }

    /// Waits until nothing keeps an instance from taking calls, and it knows the two others.
    #[track_caller]
    fn until_ready(&self, name: &str) {
        let ready = until(SOON, || {
            let Some(nodes) = self.asked(name, "nodes") else { return false };
            let members = nodes["cluster"]["members"].as_array().cloned().unwrap_or_default();
            nodes["nodes"][0]["state"] == "ready" && members.iter().all(|member| member["state"] == "ready")
        });
        assert!(
            ready,
            "{name}: {:?}\n{}",
            self.asked(name, "nodes"),
            self.place.read(&format!("{name}.err"))
        );
    }

    fn url(&self, name: &str, path: &str) -> String {
        format!("http://{}:{}/api/v1/{path}", Self::address(name), self.port + 2)
    }

    /// What the API of an instance says; `None`: it does not.
    fn asked(&self, name: &str, path: &str) -> Option<Value> {
        let mut answer = ureq::get(self.url(name, path)).call().ok()?;
        serde_json::from_str(&answer.body_mut().read_to_string().ok()?).ok()
    }

    /// Has a call accepted there; its id. Who is told to try again does: on a busy machine all may be late for a moment.
    #[track_caller]
    fn place_call(&self, name: &str, to: &str) -> String {
        let to = format!("sip:{to}@127.0.0.1");
        let body = json!({"to": to, "questionnaire": "interop", "trunk": "a"}).to_string();
        let mut call = Value::Null;
        let is_placed = until(SOON, || {
            let request = ureq::post(self.url(name, "calls")).header("content-type", "application/json");
            match request.send(&body) {
                Ok(mut answer) => {
                    call = serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap();
                    true
                }
                Err(ureq::Error::StatusCode(503)) => false,
                Err(error) => panic!("{error}"),
            }
        });
        assert!(is_placed, "nobody takes it: {}", self.place.read(&format!("{name}.err")));
        call["call_id"].as_str().unwrap().to_owned()
    }

    /// How many calls each carries.
    fn calls(&self) -> BTreeMap<&'static str, u64> {
        let calls = |name| self.asked(name, "nodes").and_then(|it| it["nodes"][0]["calls"].as_u64());
        self.nodes.keys().map(|name| (*name, calls(name).unwrap_or(0))).collect()
    }

    /// The callers that a respondent heard of, in their order: in INVITEs, then in re-INVITEs.
    fn callers(&self, user: &str) -> Vec<String> {
        let log = self.place.read("people.jsonl");
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let lines = lines.filter(|line| line["user"] == user);
        let told = lines.filter_map(|line| {
            let from = if line["event"] == "invited" { &line["from"] } else { &line["signalling"] };
            from.as_str().map(str::to_owned)
        });
        told.collect()
    }
}

/// Selection: the synchronisation server gathers every node's usage, and gives a start to the node that
/// it picks by that.
#[test]
fn a_loaded_node_gets_fewer_starts_in_proportion() {
    let world = World::start([60, 12, 12]);
    let placed: Vec<String> = (0..14).map(|n| world.place_call("n3", &format!("rings{n}"))).collect();
    let all_there = until(SOON, || world.calls().values().sum::<u64>() == 14);
    let calls = world.calls();
    assert!(all_there, "{calls:?}");
    // Five times as much room: 10 of 14, if their processors are equally busy. (`sync::usage` tests the exact proportion.)
    let members = &world.asked("n3", "nodes").unwrap()["cluster"];
    assert!(calls["n1"] >= 7 && calls["n1"] > 2 * calls["n2"].max(calls["n3"]), "{calls:?} {members:#}");
    assert!(calls["n2"] >= 1 && calls["n3"] >= 1, "{calls:?}");
    let called: BTreeSet<String> = (0..14).flat_map(|n| world.callers(&format!("rings{n}"))).collect();
    assert_eq!(called.len(), 3, "each of them has called: {called:?}");

    // Whoever carries them: they are ended where they were accepted, and their results come home to there.
    for id in &placed {
        ureq::delete(world.url("n3", &format!("calls/{id}"))).call().unwrap();
    }
    let ended = |id: &String| {
        world.asked("n3", &format!("calls/{id}")).is_some_and(|call| call["result"]["ended_by"] == "caller")
    };
    let home = until(SOON, || placed.iter().all(ended));
    assert!(
        home,
        "{:#?}",
        placed.iter().map(|id| world.asked("n3", &format!("calls/{id}"))).collect::<Vec<_>>()
    );
    assert_eq!(world.calls().values().sum::<u64>(), 0);
}

/// Initialisation data: questionnaire, recordings and trunk are at one node when they are started, and are handed to each
/// before it is picked. That it is these which its callees hear shows in that they answer: they know the questions by their
/// sound.
#[test]
fn initialisation_data_are_handed_to_each_node() {
    let world = World::begin([20, 20, 20], &["n1"]);
    let calls: Vec<String> = (0..6).map(|n| world.place_call("n1", &format!("talks{n}"))).collect();
    let called: BTreeSet<String> = (0..6)
        .filter_map(|n| {
            let user = format!("talks{n}");
            until(SOON, || !world.callers(&user).is_empty()).then(|| world.callers(&user)[0].clone())
        })
        .collect();
    assert_eq!(called.len(), 3, "each of them has called: {called:?}");
    let result =
        |id: &String| world.asked("n1", &format!("calls/{id}")).unwrap_or_default()["result"].clone();
    let over = until(CALL, || calls.iter().all(|id| result(id)["disposition"] == "complete"));
    assert!(over, "{:#?}", calls.iter().map(result).collect::<Vec<_>>());
    let named = |name: &str| world.asked(name, "assets").unwrap_or_default();
    let [one, two, three] = NAMES.map(named);
    assert_eq!(one["questionnaires"][0]["files"], 5, "the questionnaire and its four recordings");
    for other in [&two, &three] {
        assert_eq!(
            (&other["here"], &other["trunks"], &other["questionnaires"][0]["digest"]),
            (&one["here"], &json!(["a"]), &one["questionnaires"][0]["digest"])
        );
    }
}

/// Initialisation data: a node that has not what all are to have gets no start. Here it lacks a trunk's password, which
/// does not travel.
#[test]
fn a_node_with_other_initialisation_data_gets_no_start() {
    let mut world = World::start([20, 20, 20]);
    drop(world.nodes.remove("n2"));
    world.initiated.remove("n2");
    world.run("n2");
    world.until_ready("n2");
    let trunk =
        "[trunks.b]\naddress = \"127.0.0.1:9\"\nusername = \"u\"\npassword_env = \"TRUNK_B_PASSWORD\"\n";
    world.write_settings("n1", 20, trunk);
    let member = |of: &str| {
        let nodes = world.asked("n1", "nodes")?;
        let members = nodes["cluster"]["members"].as_array()?.clone();
        members.into_iter().find(|member| member["name"] == of)
    };
    let before = member("n3").unwrap()["assets"].clone();
    let mut published =
        ureq::post(world.url("n1", "assets")).header("content-type", "application/json").send("{}").unwrap();
    let published: Value = serde_json::from_str(&published.body_mut().read_to_string().unwrap()).unwrap();
    assert_eq!(published["changes"], json!(["trunk b", "default_trunk", "password of trunk b"]));
    // At once: whoever is control has not heard yet that anybody has the new ones.
    world.place_call("n1", "rings0");
    // n1 has heard of n3 that it has the new ones, too: a dozen calls are placed between two beats.
    let state = |of: &str| member(of).map(|member| member["state"].clone());
    let has_new = || member("n3").is_some_and(|n3| n3["state"] == "ready" && n3["assets"] != before);
    let unequal = until(SOON, || state("n2") == Some(json!("unequal")) && has_new());
    assert!(unequal, "{:?} {:?}", member("n2"), member("n3"));
    let why = || world.asked("n2", "assets").unwrap_or_default()["behind"].clone();
    assert!(until(SOON, || why().as_str().is_some_and(|why| why.contains("TRUNK_B_PASSWORD"))), "{}", why());
    for n in 1..12 {
        world.place_call("n1", &format!("rings{n}"));
    }
    assert!(until(SOON, || world.calls().values().sum::<u64>() == 12), "{:?}", world.calls());
    let calls = world.calls();
    assert_eq!(calls["n2"], 0, "{calls:?}");
    assert!(calls["n1"] >= 2 && calls["n3"] >= 2, "{calls:?}");
}

/// Session data and failure: what a call produces is mirrored to all other nodes, and when its node
/// fails another one goes on with it: with the flow where it was.
#[test]
fn session_data_are_on_all_other_nodes_and_another_one_goes_on() {
    let mut world = World::start([20, 20, 20]);
    let calls: BTreeMap<String, String> = (0..6)
        .map(|n| (n, if n < 3 { format!("talks{n}") } else { format!("rings{n}") }))
        .map(|(_, user)| (world.place_call("n1", &user), user))
        .collect();
    // Those who are rung change nothing; those who talk do not for a moment, while they are asked.
    let mut copies = Vec::new();
    let equal = until(SOON, || {
        let all: Vec<Value> = NAMES.iter().filter_map(|name| world.asked(name, "copies")).collect();
        copies = all.into_iter().map(|all| by_member(&all)).collect();
        let records: u64 =
            copies.first().into_iter().flat_map(BTreeMap::values).map(|(records, _)| records).sum();
        records == 6 && copies.len() == 3 && copies.iter().all(|one| *one == copies[0])
    });
    assert!(equal, "{copies:#?}");
    assert_eq!(copies[0].len(), 3, "each carries some: {copies:#?}");

    // Each that talks is heard; then the node of one of them dies.
    let talks = |user: &str| {
        world.place.read("people.jsonl").lines().any(|line| {
            line.contains(&format!("\"user\":\"{user}\"")) && line.contains("\"event\":\"began\"")
        })
    };
    assert!(
        until(SOON, || (0..3).all(|n| talks(&format!("talks{n}")))),
        "{}",
        world.place.read("people.jsonl")
    );
    let first = world.callers("talks0");
    let dies = NAMES.into_iter().find(|name| first[0].contains(&World::address(name))).unwrap();
    drop(world.nodes.remove(dies));
    let survivors: Vec<&str> = NAMES.into_iter().filter(|name| *name != dies).collect();
    let (id, _) = calls.iter().find(|(_, user)| *user == "talks0").unwrap();
    let mut call = Value::Null;
    let over = until(CALL, || {
        call = survivors
            .iter()
            .filter_map(|name| world.asked(name, &format!("calls/{id}")))
            .find(|call| call["state"] == "ended")
            .unwrap_or_default();
        call["state"] == "ended"
    });
    assert!(over, "{dies} died, and nobody ended {id}: {}", world.place.read("people.jsonl"));
    let result = &call["result"];
    assert_eq!((&result["disposition"], &result["takeovers"]), (&json!("complete"), &json!(1)), "{call:#}");
    let replies: Vec<&Value> =
        result["responses"].as_array().unwrap().iter().map(|response| &response["value"]).collect();
    assert_eq!(replies, [&json!("yes"), &json!(42)]);
    let callers = world.callers("talks0");
    assert_eq!(callers.len(), 2, "called once, and moved once: {callers:?}");
    assert!(!callers[1].contains(&World::address(dies)), "{callers:?}");
}

/// The same after other initialisation data were handed out: a call goes on with those it began with, also at a node that
/// came when nobody was given them any more.
#[test]
fn a_call_goes_on_with_the_flow_it_began_with() {
    // Most calls are n1's, and fall to n3.
    let mut world = World::start([40, 10, 40]);
    drop(world.nodes.remove("n3"));
    // It waits long for an answer, so that there is time.
    survey::write_patient(&world.place, 12);
    let publish = |world: &World| {
        let request = ureq::post(world.url("n1", "assets")).header("content-type", "application/json");
        request.send(r#"{"force":true}"#).unwrap();
    };
    publish(&world);
    let edition =
        |name: &str| world.asked(name, "assets").unwrap_or_default()["questionnaires"][0]["digest"].clone();
    assert!(until(SOON, || edition("n2").is_string() && edition("n2") == edition("n1")));
    let first = edition("n1");
    let calls: BTreeMap<String, String> = (0..8)
        .map(|n| format!("talks{n}"))
        .map(|user| (user.clone(), world.place_call("n1", &user)))
        .collect();
    let talks = |user: &String| {
        let log = world.place.read("people.jsonl");
        let asked = |line: &str| {
            line.contains(&format!("\"user\":\"{user}\"")) && line.contains("\"event\":\"began\"")
        };
        log.lines().any(asked)
    };
    assert!(until(SOON, || calls.keys().all(talks)), "{}", world.place.read("people.jsonl"));

    // Others are handed out, and n3 comes with an empty disk.
    let before = survey::write_patient(&world.place, 3);
    std::fs::remove_dir_all(world.place.file("n3")).unwrap();
    publish(&world);
    world.run("n3");
    world.until_ready("n3");
    let asked =
        |name: &str| world.asked(name, "assets").unwrap_or_default()["questionnaires"][0]["digest"].clone();
    assert!(asked("n3") != first && asked("n3") == asked("n1"), "{} {}", asked("n3"), before.display());
    let carried: Vec<&String> =
        calls.keys().filter(|user| world.callers(user)[0].contains(&World::address("n1"))).collect();
    assert!(carried.len() >= 2, "{carried:?}");
    drop(world.nodes.remove("n1"));
    let result = |id: &String| {
        let known = ["n2", "n3"].map(|name| world.asked(name, &format!("calls/{id}")));
        known.into_iter().flatten().find(|call| call["state"] == "ended").unwrap_or_default()["result"]
            .clone()
    };
    let over = until(CALL, || carried.iter().all(|user| result(&calls[*user]).is_object()));
    assert!(over, "{}", world.place.read("n3.err"));
    for user in &carried {
        let result = result(&calls[*user]);
        assert_eq!(
            (&result["disposition"], &result["takeovers"], &result["questionnaire"]["digest"]),
            (&json!("complete"), &json!(1), &first),
            "{result:#}"
        );
    }
    let at_n3 = carried.iter().filter(|user| world.callers(user)[1].contains(&World::address("n3"))).count();
    assert!(at_n3 > 0, "one of {} calls goes on at n3", carried.len());
    let log = world.place.read("n3.err");
    assert!(log.contains("an edition that calls are pinned to came from another member"), "{log}");
}

/// How many records of each member's stream are held, and their digest.
fn by_member(copies: &Value) -> BTreeMap<String, (u64, String)> {
    let streams = copies["streams"].as_array().unwrap().iter();
    let told = streams.map(|stream| {
        let digest = stream["digest"].as_str().unwrap().to_owned();
        (stream["member"].as_str().unwrap().to_owned(), (stream["records"].as_u64().unwrap(), digest))
    });
    told.filter(|(_, (records, _))| *records > 0).collect()
}
