//! Three members as processes, and etcd: what happens when one dies, stops, or the engine is away.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use baton::engine::{Engine, Event, Own};
use baton::id::NodeId;
use baton::peers::init;
use baton::sync::{Claim, Ownership};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::etcd::{Etcd, ports};
use crate::member::{Member, calls};

/// A cluster's processes.
struct World {
    dir: TempDir,
    etcd: Etcd,
    members: BTreeMap<&'static str, Member>,
}

/// Longer than in earnest: these tests run beside others on a busy machine.
const PROMISE_MS: u64 = 800;
const NAMES: [&str; 3] = ["a", "b", "c"];

impl World {
    fn start() -> Self {
        Self::with_promise(PROMISE_MS)
    }

    fn with_promise(ms: u64) -> Self {
        let dir = TempDir::new().unwrap();
        let etcd = Etcd::one();
        init(&dir.path().join("keys"), &NAMES.map(|name| name.parse::<NodeId>().unwrap())).unwrap();
        let ports: [u16; 3] = ports();
        let addresses: Vec<String> =
            NAMES.iter().zip(ports).map(|(name, port)| format!("{name} = \"127.0.0.1:{port}\"")).collect();
        let mut world = Self { dir, etcd, members: BTreeMap::new() };
        for name in NAMES {
            let text = format!(
                "[data]\ndir = \"{name}\"\n[cluster]\nname = \"{name}\"\ndir = \"keys/{name}\"\npromise = \"{ms}ms\"\nmembers = {{ {} }}\n\
                 [cluster.engine]\nendpoints = [\"http://127.0.0.1:{}\"]\nnamespace = \"test\"\n",
                addresses.join(", "),
                world.etcd.clients[0]
            );
            std::fs::write(world.settings(name), text).unwrap();
            world.run(name);
        }
        for name in NAMES {
            world.member(name).ready();
        }
        world
    }

    fn settings(&self, name: &str) -> PathBuf {
        Path::new(self.dir.path()).join(format!("{name}.toml"))
    }

    /// Starts a member; if it runs, it is killed first.
    fn run(&mut self, name: &'static str) {
        self.members.remove(name);
        self.members.insert(name, Member::start(name, &self.settings(name)));
    }

    /// A member's machine is gone, and another one with an empty disk takes its name and place.
    fn replace(&mut self, name: &'static str) {
        self.members.remove(name);
        std::fs::remove_dir_all(self.dir.path().join(name)).unwrap();
        self.run(name);
    }

    fn member(&mut self, name: &str) -> &mut Member {
        self.members.get_mut(name).unwrap()
    }

    /// Has a member save so many calls, and waits until they are durable.
    fn save(&mut self, name: &str, count: usize) -> BTreeMap<String, String> {
        let member = self.member(name);
        member.say(&format!("save {count}"));
        // Two threads tell it: either may be first.
        let (mut saved, mut is_durable) = (None, false);
        while saved.is_none() || !is_durable {
            let line = member.until("");
            is_durable |= line.starts_with("durable");
            saved = saved.or(line.strip_prefix("saved ").map(calls));
        }
        let saved = saved.unwrap();
        assert_eq!(saved.len(), count);
        saved
    }

    /// Waits until both others have taken what was `of`'s: each call once, and as it was saved. When it was over, in µs.
    fn taken(&mut self, by: [&str; 2], of: &str, saved: &BTreeMap<String, String>) -> Vec<u64> {
        let mut taken = BTreeMap::new();
        let mut times = Vec::new();
        for name in by {
            let line = self.member(name).until(&format!("took {of}#"));
            times.push(line.split_whitespace().nth(2).unwrap().parse().unwrap());
            for (call, text) in calls(&line) {
                assert_eq!(taken.insert(call, text), None, "two have it: {line}");
            }
        }
        assert_eq!(taken, *saved);
        times
    }
}

fn micros(line: &str) -> u64 {
    line.parse().unwrap()
}

/// What the engine wrote about claims, from the beginning.
fn claims(engine: Engine) -> tokio::sync::mpsc::Receiver<(String, Claim)> {
    let (tell, mut told) = tokio::sync::mpsc::channel(64);
    let (give, given) = tokio::sync::mpsc::channel(64);
    tokio::spawn(engine.watch(Own::default(), tell));
    tokio::spawn(async move {
        while let Some(event) = told.recv().await {
            if let Event::Key(key) = event
                && let Ownership::Claimed(claim) = key.ownership
                && give.send((key.incarnation.to_string(), claim)).await.is_err()
            {
                return;
            }
        }
    });
    given
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_dies_and_each_of_its_calls_has_one_successor() {
    let mut world = tokio::task::spawn_blocking(World::start).await.unwrap();
    let mut claimed = claims(world.etcd.engine().await);
    let saved = world.save("a", 40);
    let own = world.save("b", 3);
    let killed = baton::node::clock::boottime().as_micros();
    world.member("a").signal(Signal::SIGKILL);
    let times = world.taken(["b", "c"], "a", &saved);
    println!(
        "taken over {:?} ms after the death",
        times.iter().map(|at| (at - killed) / 1_000).collect::<Vec<_>>()
    );
    let (of, claim) = claimed.recv().await.unwrap();
    assert!(of.starts_with("a#") && claim.heirs.len() == 2 && !claim.stale, "{of} {claim:?}");

    // The engine goes away: they go on, and say so; and it comes back.
    world.etcd.kill(0);
    for name in ["b", "c"] {
        world.member(name).until("away");
    }
    let more = world.save("b", 2);
    world.etcd.run(0, "existing");
    for name in ["b", "c"] {
        world.member(name).until("there");
        let said = world.member(name).said();
        assert!(!said.iter().any(|line| line.starts_with("silent")), "{said:#?}");
    }
    // Started again it is a new incarnation, and mirrors what the others have.
    world.run("a");
    world.member("a").ready();
    let of_b: BTreeMap<String, String> = own.into_iter().chain(more).collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    world.member("b").signal(Signal::SIGKILL);
    let mut taken = BTreeMap::new();
    for name in ["a", "c"] {
        taken.extend(calls(&world.member(name).until("took b#")));
    }
    // Among them are those that b had of a: whoever had them last counts.
    assert!(of_b.iter().all(|(call, text)| taken.get(call) == Some(text)), "{taken:?}");
    assert!(taken.len() > of_b.len() && taken.len() < of_b.len() + saved.len());
    // One claim for each death, and none besides.
    let (of, _) = claimed.recv().await.unwrap();
    assert!(of.starts_with("b#"), "{of}");
    assert!(claimed.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_was_stopped_is_silent_before_others_speak_and_comes_back() {
    let mut world = tokio::task::spawn_blocking(World::start).await.unwrap();
    let saved = world.save("b", 20);
    world.member("b").signal(Signal::SIGSTOP);
    let times = world.taken(["a", "c"], "b", &saved);
    world.member("b").signal(Signal::SIGCONT);
    let silent = micros(&world.member("b").until("silent"));
    let fenced = world.member("b").until("fenced");
    // Nobody: its key is gone already, because all that it had is saved by others.
    assert!(["a#", "c#", "nobody"].iter().any(|by| fenced.starts_with(by)), "{fenced}");
    let began = world.member("b").until("began");
    let speaks = micros(&world.member("b").until("speaks"));
    println!("taken at {times:?}, woken and silent at {silent}, {began} speaks at {speaks}");
    assert!(times.iter().all(|at| *at < speaks));
    // It took nothing with it, and it is there as before: calls of another one fall to it, too.
    let of_a = world.save("a", 20);
    tokio::time::sleep(Duration::from_millis(500)).await;
    world.member("a").signal(Signal::SIGKILL);
    let mut taken = calls(&world.member("b").until("took a#"));
    assert!(!taken.is_empty());
    taken.extend(calls(&world.member("c").until("took a#")));
    assert!(of_a.iter().all(|(call, text)| taken.get(call) == Some(text)), "{taken:?}");
}

/// It claims its own calls, before anybody missed it, and its journal has none of them: the mirrors have.
#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_comes_back_with_an_empty_disk_has_its_calls_from_the_mirrors() {
    let mut world = tokio::task::spawn_blocking(|| World::with_promise(5_000)).await.unwrap();
    let mut claimed = claims(world.etcd.engine().await);
    let saved = world.save("a", 20);
    world.replace("a");
    let taken = calls(&world.member("a").until("took a#"));
    assert_eq!(taken, saved);
    let (of, claim) = claimed.recv().await.unwrap();
    assert!(of.starts_with("a#") && claim.stale && claim.by.node.as_str() == "a", "{of} {claim:?}");
    // It has a disk now: what it saves there is enough for the next one.
    world.member("a").until("mirrored");
    world.run("a");
    let (of, claim) = claimed.recv().await.unwrap();
    assert!(of.starts_with("a#") && !claim.stale && claim.by.node.as_str() == "a", "{of} {claim:?}");
}
