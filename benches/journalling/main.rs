//! What the journal costs the calls: CPU time of the same calls with their journal on disk and in memory.
//!
//! ```text
//! core 0: `node`, a real Node with 200 calls, each asked again every 5 s      core 1: `callee`
//! journal on disk ── 20 s ── journal in memory ── 20 s ── journal on disk ── …
//! ```
//! Nobody answers, so that every call does the same in every run: its prompt of 3 s is played, 2 s pass, it is asked
//! again. Each of these steps is a save. The floor of the project: what journalling adds is at most a tenth of the CPU
//! time of the calls themselves. Three measures, the strictest last:
//!
//! - on disk against in memory: what `fdatasync` and the disk cost;
//! - the journal's thread: frames, checksums, writes, acknowledgements;
//! - the journal's thread and the shards wholly, who besides making the records do everything that is no media. What
//!   journalling costs is less than that.
//!
//! `CALLS=500 cargo bench --bench journalling` tries another number; without `--bench` it is a smoke test.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench runs in real time and tells a person what it found"
)]

#[path = "../talking_calls/callee.rs"]
mod callee;
#[path = "../talking_calls/node.rs"]
mod node;
#[path = "../talking_calls/role.rs"]
mod role;

use std::process::ExitCode;
use std::time::Duration;

use self::role::{Report, Role, chosen_core, pin, told, u32_of};

/// Floor: what journalling adds to the CPU time of the calls.
const SHARE: f64 = 0.10;
/// A file system in memory.
const MEMORY: &str = "/dev/shm";
/// Seconds of the prompt; with the 2 s after it a question is asked every 5 s.
const PROMPT_S: u32 = 3;

/// How many calls, how often, and how long they are looked at.
#[derive(Clone, Copy)]
struct Plan {
    calls: usize,
    rounds: usize,
    window: Duration,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["callee"] => callee::run(true),
        ["node", calls, port, kept] => {
            let journal = (*kept == "memory").then(|| tempfile::tempdir_in(MEMORY).expect("a tmpfs there"));
            let at = journal.as_ref().map(|dir| dir.path().join("journal"));
            let survey = node::Survey { prompt_s: PROMPT_S, journal: at };
            node::run(calls.parse().expect("a count"), port.parse().expect("a port"), &survey);
        }
        others if others.contains(&"--bench") => {
            let calls = std::env::var("CALLS").ok().and_then(|calls| calls.parse().ok()).unwrap_or(200);
            return bench(Plan { calls, rounds: 2, window: Duration::from_secs(20) });
        }
        _ => return bench(Plan { calls: 5, rounds: 1, window: Duration::from_secs(6) }),
    }
    ExitCode::SUCCESS
}

fn bench(plan: Plan) -> ExitCode {
    let mut rounds = Vec::new();
    for _ in 0..plan.rounds {
        rounds.push(["disk", "memory"].map(|kept| measure(plan, kept)));
    }
    judge(plan, &rounds)
}

/// Calls people, and looks at what that takes.
fn measure(plan: Plan, kept: &str) -> Report {
    let mut callee = Role::start(&["callee"], 1);
    let port = callee.expect("port");
    let mut node = Role::start(&["node", &plan.calls.to_string(), &port, kept], 0);
    node.expect("talking");
    node.say("measured");
    node.report();
    std::thread::sleep(plan.window);
    node.say("measured");
    let report = node.report();
    node.say("end");
    report
}

fn judge(plan: Plan, rounds: &[[Report; 2]]) -> ExitCode {
    println!("{} calls, each asked every {} s, on one core", plan.calls, PROMPT_S + 2);
    println!("  journal in   saves/s   CPU of the core   journal   shards   media");
    for (kept, report) in rounds.iter().flat_map(|round| ["disk", "memory"].into_iter().zip(round)) {
        let share = |of: &str| 100.0 * report.of(of) / report.of("wall_s");
        println!(
            "  {kept:<10} {:>9.0} {:>15.2} % {:>7.2} % {:>6.2} % {:>5.2} %",
            report.of("saves") / report.of("wall_s"),
            share("cpu_s"),
            share("journal_s"),
            share("shards_s"),
            share("media_s"),
        );
    }
    let mean = |which: usize, of: &str| {
        let each = rounds.iter().map(|round| round[which].of(of) / round[which].of("wall_s"));
        each.sum::<f64>() / u32_of(rounds.len())
    };
    let on_disk = mean(0, "cpu_s") / mean(1, "cpu_s") - 1.0;
    let thread = mean(0, "journal_s") / (mean(0, "cpu_s") - mean(0, "journal_s"));
    let all = mean(0, "journal_s") + mean(0, "shards_s");
    let most = all / (mean(0, "cpu_s") - all);
    println!("  on disk instead of in memory        {:+.1} % of the calls' CPU time", 100.0 * on_disk);
    println!("  the journal's thread                {:+.1} %", 100.0 * thread);
    println!("  that and the shards wholly, at most {:+.1} %", 100.0 * most);
    let saved = rounds.iter().flatten().all(|report| report.of("saves") > 0.0);
    let floors = [
        ("the calls are saved", saved),
        // Of five calls the process itself is most of it.
        ("the disk adds at most a tenth", plan.calls < 100 || on_disk <= SHARE),
        ("the journal's thread adds at most a tenth", plan.calls < 100 || thread <= SHARE),
    ];
    for (floor, _) in floors.iter().filter(|(_, held)| !held) {
        println!("  MISSED: {floor}");
    }
    if floors.iter().all(|(_, held)| *held) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
