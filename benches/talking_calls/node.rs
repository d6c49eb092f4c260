//! The node's side: a real node with its journal, whose calls all play one prompt, again and again if it is short.

#[path = "tone.rs"]
mod tone;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use baton::call::Assets;
use baton::node::{Node, NodeConfig, Placement};
use baton::prompts::PromptStore;
use baton::questionnaire::Questionnaire;
use baton::settings::{Settings, Trunk};
use baton::store::journal::{self, Journal};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

/// Calls placed a second while the crowd grows.
const CPS: u32 = 100;
/// Calls beyond the crowd, placed one by one.
const MORE: usize = 16;

/// What its calls are.
pub(crate) struct Survey {
    /// Seconds of the prompt. Two seconds after it silence is a reply, and it is asked again, ten times.
    pub(crate) prompt_s: u32,
    /// Where its journal stands; `None`: among its other files.
    pub(crate) journal: Option<PathBuf>,
}

impl Default for Survey {
    /// Longer than any call of a bench: nothing happens but talk.
    fn default() -> Self {
        Self { prompt_s: 120, journal: None }
    }
}

/// Plays the part: `talking` with its SIP port once every call is answered, `report` when it is asked: since the
/// report before.
pub(crate) fn run(calls: usize, callee: u16, survey: &Survey) {
    super::pin(super::chosen_core());
    let lines = logged();
    let dir = tempfile::tempdir().expect("a directory");
    let (node, placement) = start(dir.path(), calls, callee, survey);
    let idle = resident_kb();
    let begun = Instant::now();
    for n in 0..u32::try_from(calls).expect("a few hundred") {
        let due = begun + Duration::from_secs(1) * n / CPS;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        node.place(placement.clone()).expect("there is room");
    }
    while node.usage().streams < calls {
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_secs(1));
    println!("talking {}", node.listens_at()[0].port());
    let mut since = Since::now(&node, &lines);
    while let Some(line) = super::told() {
        match line.as_str() {
            "measured" => {
                let now = Since::now(&node, &lines);
                report(&node, calls, idle, &since, &now);
                since = now;
            }
            "place" => println!("placed {}", place_one(&node, &placement)),
            _ => break,
        }
    }
    let left = node.shutdown(Duration::from_secs(2));
    if left > 0 {
        println!("note {left} calls did not end");
    }
}

fn start(dir: &Path, calls: usize, callee: u16, survey: &Survey) -> (Node, Placement) {
    tone::write(&dir.join("long.wav"), survey.prompt_s);
    let mut settings = Settings::default();
    settings.sip.listen = "127.0.0.1:0".parse().expect("an address");
    settings.trunks.insert("callee".into(), Trunk::direct(([127, 0, 0, 1], callee).into()));
    settings.limits.calls = calls + MORE;
    let xml = tone::survey(2);
    let (questionnaire, _) =
        Questionnaire::load("talk.xml", xml.as_bytes()).expect("the questionnaire is sound");
    let prompts = Arc::new(PromptStore::new(&settings));
    prompts
        .load_questionnaire(&questionnaire, &dir.join("talk.xml"), xml.as_bytes())
        .expect("its audio is there");
    let mut assets = Assets::default();
    let digest = assets.insert(Arc::new(questionnaire));
    let at = survey.journal.clone().unwrap_or_else(|| dir.join("journal"));
    let (journal, _) = Journal::open(&at, journal::Limits::default()).expect("a journal");
    let (node, mut events) =
        Node::start(NodeConfig::new(settings), assets, prompts, journal).expect("the node starts");
    std::thread::spawn(move || while events.blocking_recv().is_some() {});
    (node, Placement::new("+254712345678", "callee", digest))
}

/// Where a report begins.
struct Since {
    wall: Instant,
    cpu_s: f64,
    /// Of the journal's thread, of all shards, of all media threads.
    threads_s: [f64; 3],
    saves: u64,
    lines: u64,
}

impl Since {
    fn now(node: &Node, lines: &AtomicU64) -> Self {
        Self {
            wall: Instant::now(),
            cpu_s: cpu_s(),
            threads_s: ["journal", "shard-", "media-"].map(threads_s),
            saves: node.usage().journal.changes,
            lines: lines.load(Relaxed),
        }
    }
}

/// Counts the lines that the log would have, as the binary logs.
fn logged() -> Arc<AtomicU64> {
    #[derive(Clone)]
    struct Lines(Arc<AtomicU64>);
    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.fetch_add(bytes.iter().filter(|byte| **byte == b'\n').count() as u64, Relaxed);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let lines = Lines(Arc::default());
    let writer = lines.clone();
    tracing_subscriber::fmt().with_writer(move || writer.clone()).init();
    lines.0
}

/// Places one more call; the milliseconds until it talks, 10,000 if it does not.
fn place_one(node: &Node, placement: &Placement) -> u128 {
    let (begun, before) = (Instant::now(), node.usage().streams);
    node.place(placement.clone()).expect("there is room");
    while node.usage().streams == before && begun.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(1));
    }
    begun.elapsed().as_millis()
}

fn report(node: &Node, calls: usize, idle_kb: f64, since: &Since, now: &Since) {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let threads = status.lines().find_map(|line| line.strip_prefix("Threads:")).unwrap_or_default().trim();
    let per_call = (resident_kb() - idle_kb) / super::u32_of(calls);
    let usage = node.usage();
    let lateness = usage.lateness;
    let served: u64 = lateness.above + lateness.below.iter().map(|(_, count)| count).sum::<u64>();
    let in_time: u64 =
        lateness.below.iter().filter(|(edge_ms, _)| *edge_ms <= 5).map(|(_, count)| count).sum();
    let of = |which: usize| now.threads_s[which] - since.threads_s[which];
    let faults = usage.faults.iter().map(|fault| format!(" {}/{}={}", fault.kind, fault.reason, fault.count));
    println!(
        "report cpu_s={} wall_s={} rss_kb={} rss_per_call_kb={per_call} threads={threads} served={served} \
         in_time={in_time} skipped={} streams={} lines={} saves={} journal_s={} shards_s={} media_s={}{}",
        now.cpu_s - since.cpu_s,
        now.wall.duration_since(since.wall).as_secs_f64(),
        resident_kb(),
        lateness.skipped,
        usage.streams,
        now.lines - since.lines,
        now.saves - since.saves,
        of(0),
        of(1),
        of(2),
        faults.collect::<String>(),
    );
}

/// Resident memory of this process, in kB.
fn resident_kb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux says it");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// CPU time of this process so far, in seconds.
fn cpu_s() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("Linux says it");
    let micros = (usage.user_time() + usage.system_time()).num_microseconds();
    f64::from(i32::try_from(micros / 1_000).expect("minutes")) / 1_000.0
}

/// CPU time so far of this process's threads whose names begin like this, in seconds.
fn threads_s(name: &str) -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux").flatten();
    let its = tasks.filter_map(|task| {
        // A thread may end meanwhile.
        let is_its = std::fs::read_to_string(task.path().join("comm")).ok()?.starts_with(name);
        let time = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        let nanos: u64 = time.split(' ').next()?.parse().ok()?;
        is_its.then(|| Duration::from_nanos(nanos).as_secs_f64())
    });
    its.sum()
}
