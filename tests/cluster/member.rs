//! A member as a process of its own, without a node: it saves records, and says on its standard output what happens to
//! it. The process is this test program again.
//!
//! ```text
//! stdin   save 6 · leave
//! stdout  is a#5 · speaks µs · silent µs · mirrored · unmirrored · saved CALL … · durable 1 · took a#5 12 CALL=TEXT … · fenced · began b#9 · away · there
//! ```

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use baton::cluster::{Cluster, Event, Look, Parts};
use baton::id::{CallId, Epoch, Mint, Revision};
use baton::node::Right;
use baton::node::clock::boottime;
use baton::peers::Desk;
use baton::settings::Settings;
use baton::store::journal::{Batch, Journal, Lane, Mirrors};
use baton::sync::Usage;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const SETTINGS: &str = "BATON_TEST_MEMBER";

/// A member's process.
pub(crate) struct Member {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
    /// All that it said, for when a test fails.
    said: Vec<String>,
    name: String,
}

impl Member {
    /// Starts one, with the settings in this file.
    pub(crate) fn start(name: &str, settings: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "member::process", "--ignored", "--nocapture"])
            .env(SETTINGS, settings)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (tell, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        let stdin = child.stdin.take().unwrap();
        Self { child, stdin, lines, said: Vec::new(), name: name.to_owned() }
    }

    pub(crate) fn say(&mut self, line: &str) {
        writeln!(self.stdin, "{line}").unwrap();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// Waits for a line that begins with this; what follows in it.
    pub(crate) fn until(&mut self, begins: &str) -> String {
        self.within(begins, Duration::from_secs(20))
            .unwrap_or_else(|| panic!("{} never said `{begins}`: {:#?}", self.name, self.said))
    }

    /// Waits until it may speak, and others mirror what it saves: before that its journal alone counts.
    pub(crate) fn ready(&mut self) {
        let (mut speaks, mut mirrored) = (false, false);
        while !(speaks && mirrored) {
            let line = self.until("");
            speaks |= line.starts_with("speaks");
            mirrored |= line == "mirrored";
        }
    }

    /// Waits for a line that begins with this, for so long.
    pub(crate) fn within(&mut self, begins: &str, time: Duration) -> Option<String> {
        let end = Instant::now() + time;
        loop {
            let line = self.lines.recv_timeout(end.saturating_duration_since(Instant::now())).ok()?;
            self.said.push(line.clone());
            if let Some(rest) = line.strip_prefix(begins) {
                return Some(rest.trim().to_owned());
            }
        }
    }

    /// All that it said until now.
    pub(crate) fn said(&mut self) -> &[String] {
        self.said.extend(self.lines.try_iter());
        &self.said
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The calls of a line `CALL=TEXT CALL=TEXT`.
pub(crate) fn calls(line: &str) -> BTreeMap<String, String> {
    let pairs = line.split_whitespace().filter_map(|pair| pair.split_once('='));
    pairs.map(|(call, text)| (call.to_owned(), text.to_owned())).collect()
}

fn tell(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").unwrap();
    out.flush().unwrap();
}

#[test]
#[ignore = "the process of a member; other tests start it"]
fn process() {
    let Some(settings) = std::env::var_os(SETTINGS).map(PathBuf::from) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(run(&settings));
}

/// Saves, and counts what is durable.
struct Saver {
    lane: Lane,
    mint: Mint,
}

impl Saver {
    fn append(&mut self, saves: &[(CallId, u64, String)]) {
        let mut batch = Batch::default();
        for (call, epoch, text) in saves {
            batch.save(*call, Epoch(*epoch), Revision(1), text.as_bytes()).unwrap();
        }
        self.lane.append(batch).unwrap();
    }

    fn save(&mut self, count: usize, epoch: u64) {
        let calls: Vec<CallId> = (0..count).map(|_| CallId::mint(&mut self.mint)).collect();
        let saves: Vec<_> = calls.iter().map(|call| (*call, epoch, format!("of-{epoch}"))).collect();
        self.append(&saves);
        let names: Vec<String> = saves.iter().map(|(call, _, text)| format!("{call}={text}")).collect();
        tell(&format!("saved {}", names.join(" ")));
    }
}

async fn run(file: &Path) {
    let settings = Settings::load(file).unwrap();
    let cluster = settings.cluster.unwrap();
    let dir = settings.data.dir.unwrap();
    std::fs::create_dir_all(&dir).unwrap();
    let mirrors = Mirrors::new(cluster.mirror.acks, cluster.promise, boottime);
    let (journal, _) =
        Journal::open_mirrored(&dir.join("journal"), Default::default(), mirrors.clone()).unwrap();
    let lane = journal.lane(|ack| tell(&format!("durable {} {}", ack.sequence.0 + 1, ack.result.is_ok())));
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).unwrap();
    let saver = Arc::new(Mutex::new(Saver { lane, mint: Mint::new(seed, Epoch(0)) }));
    let right = Right::of_member(cluster.promise);
    let look = || Look { usage: Usage { limit: 100, ..Usage::NONE }, hangs: None };
    let parts = Parts { right: right.clone(), mirrors, look: Box::new(look), desk: Desk::of_witness(), dir };
    let (cluster, mut events) = Cluster::start(&cluster, parts).await.unwrap();
    tell(&format!("is {}", cluster.status().incarnation.unwrap()));
    watch(right.clone());
    let (ask, mut asked) = tokio::sync::mpsc::channel::<String>(8);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if ask.blocking_send(line).is_err() {
                return;
            }
        }
    });
    let (mut away, mut lacks) = (false, true);
    let mut look = tokio::time::interval(Duration::from_millis(20));
    loop {
        tokio::select! {
            event = events.recv() => happened(event.unwrap(), &cluster, &right, &saver),
            line = asked.recv() => match line.as_deref().and_then(|line| line.split_once(' ')) {
                Some(("save", count)) => {
                    let epoch = cluster.status().incarnation.unwrap().run;
                    saver.lock().unwrap().save(count.parse().unwrap(), epoch);
                }
                _ => {
                    cluster.end(true).await;
                    return;
                }
            },
            _ = look.tick() => {
                let status = cluster.status();
                if status.mirrors_lacking != lacks {
                    lacks = status.mirrors_lacking;
                    tell(if lacks { "unmirrored" } else { "mirrored" });
                }
                let is_away = status.engine_away.is_some();
                if is_away != away {
                    away = is_away;
                    tell(if away { "away" } else { "there" });
                }
            }
        }
        if asked.is_closed() {
            return;
        }
    }
}

/// Tells when the right to send begins and ends.
fn watch(right: Right) {
    std::thread::spawn(move || {
        let mut held = false;
        loop {
            let holds = right.holds();
            if holds != held {
                held = holds;
                let what = if holds { "speaks" } else { "silent" };
                tell(&format!("{what} {}", boottime().as_micros()));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    });
}

fn happened(event: Event, cluster: &Cluster, right: &Right, saver: &Mutex<Saver>) {
    match event {
        Event::Silence => {
            right.silence();
            tell("silenced");
        }
        Event::LayDown { done } => {
            right.silence();
            tell("laid down");
            drop(done);
        }
        Event::Fenced { by, done } => {
            right.silence();
            let by = by.map_or("nobody".to_owned(), |by| by.to_string());
            tell(&format!("fenced {by}"));
            drop(done);
        }
        Event::Began { incarnation, done } => {
            right.silence();
            right.begin();
            tell(&format!("began {incarnation}"));
            drop(done);
        }
        Event::TakeOver(taken) => {
            let epoch = taken.inheritance.epoch;
            let saves: Vec<_> = taken
                .records
                .iter()
                .map(|one| {
                    let text = String::from_utf8(one.saved.record.clone().unwrap().to_vec()).unwrap();
                    (one.saved.call_id, epoch, text)
                })
                .collect();
            saver.lock().unwrap().append(&saves);
            let names: Vec<String> = saves.iter().map(|(call, _, text)| format!("{call}={text}")).collect();
            tell(&format!(
                "took {} {epoch} {} {}",
                taken.inheritance.of,
                boottime().as_micros(),
                names.join(" ")
            ));
            cluster.settled(taken.inheritance.of);
        }
    }
}
