//! The node's side: a real node with its journal, whose calls all play one long prompt.

use std::path::Path;
use std::sync::Arc;
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
/// Seconds of the prompt: longer than any call of this bench.
const PROMPT_S: u32 = 120;

const QUESTIONNAIRE: &str = r#"<questionnaire id="talk" version="1" languages="en" xmlns="urn:baton:questionnaire:1">
  <retry id="std" wait="5s" no-input="1" no-match="1" then="break-off"/>
  <section id="s">
    <choice id="q" retry="std">
      <say lang="en" audio="long.wav">A long prompt.</say>
      <option key="1" value="yes"/>
    </choice>
  </section>
  <end id="done" outcome="complete"><say lang="en" audio="long.wav">A long prompt.</say></end>
</questionnaire>"#;

/// Plays the part: `talking` once every call is answered, `report` when it is asked.
pub(crate) fn run(calls: usize, callee: u16) {
    super::pin(super::chosen_core());
    let dir = tempfile::tempdir().expect("a directory");
    let (node, placement) = start(dir.path(), calls, callee);
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
    println!("talking now");
    let (wall, cpu) = (Instant::now(), cpu_s());
    while let Some(line) = super::told() {
        match line.as_str() {
            "measured" => report(&node, calls, idle, cpu_s() - cpu, wall.elapsed()),
            _ => break,
        }
    }
    let left = node.shutdown(Duration::from_secs(2));
    if left > 0 {
        println!("note {left} calls did not end");
    }
}

fn start(dir: &Path, calls: usize, callee: u16) -> (Node, Placement) {
    tone(&dir.join("long.wav"));
    let mut settings = Settings::default();
    settings.sip.listen = "127.0.0.1:0".parse().expect("an address");
    settings.trunks.insert("callee".into(), Trunk::direct(([127, 0, 0, 1], callee).into()));
    settings.limits.calls = calls;
    let (questionnaire, _) =
        Questionnaire::load("talk.xml", QUESTIONNAIRE.as_bytes()).expect("the questionnaire is sound");
    let prompts = Arc::new(PromptStore::new(&settings));
    prompts
        .load_questionnaire(&questionnaire, &dir.join("talk.xml"), QUESTIONNAIRE.as_bytes())
        .expect("its audio is there");
    let mut assets = Assets::default();
    let digest = assets.insert(Arc::new(questionnaire));
    let (journal, _) = Journal::open(&dir.join("journal"), journal::Limits::default()).expect("a journal");
    let (node, mut events) =
        Node::start(NodeConfig::new(settings), assets, prompts, journal).expect("the node starts");
    std::thread::spawn(move || while events.blocking_recv().is_some() {});
    (node, Placement::new("+254712345678", "callee", digest))
}

/// Writes the prompt: a rising tone, nowhere silent.
fn tone(path: &Path) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).expect("a file");
    for n in 0..PROMPT_S * 8_000 {
        let sample = i16::try_from(2_000 + (n * 37) % 9_000).expect("below 11,000");
        writer.write_sample(if n % 2 == 0 { sample } else { -sample }).expect("a sample");
    }
    writer.finalize().expect("a WAV file");
}

fn report(node: &Node, calls: usize, idle_kb: f64, cpu_s: f64, wall: Duration) {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let threads = status.lines().find_map(|line| line.strip_prefix("Threads:")).unwrap_or_default().trim();
    let per_call = (resident_kb() - idle_kb) / super::u32_of(calls);
    let lateness = node.usage().lateness;
    let served: u64 = lateness.above + lateness.below.iter().map(|(_, count)| count).sum::<u64>();
    let in_time: u64 =
        lateness.below.iter().filter(|(edge_ms, _)| *edge_ms <= 5).map(|(_, count)| count).sum();
    println!(
        "report cpu_s={cpu_s} wall_s={} rss_per_call_kb={per_call} threads={threads} served={served} \
         in_time={in_time} skipped={}",
        wall.as_secs_f64(),
        lateness.skipped,
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
