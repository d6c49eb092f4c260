//! How long a start takes with 1,000 talking calls in the journal: people hear nothing meanwhile.
//!
//! ```text
//! this process ── POST /api/v1/calls ─► baton serve (1) ◄── SIP, RTP ──► `callee`: 1,000 telephones
//!              ── kill -9 ────────────────► ✗
//!              ── spawn ─► baton serve (2): journal, records, library, node, ready ─► /readyz says 200
//! ```
//! The floor of the project: ≤ 100 ms from the spawn to the first 200 of `/readyz`, by the median of the rounds. What the
//! same program needs without a call is measured in the same run, to compare with. Nobody may be lost: after each
//! start every telephone hears its prompt again. Exits with 1 where a floor is missed.
//!
//! The telephones listen and are silent, so that the machine has nothing else to do; `TALKING=1` lets them send 50
//! packets a second each, before the kill and all the time until the next process listens. `CALLS=200 cargo bench
//! --bench start` tries another number; run without `--bench` it is a smoke test of five calls.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench runs in real time and tells a person what it found"
)]

#[path = "../talking_calls/callee.rs"]
mod callee;
mod instance;
#[path = "../talking_calls/role.rs"]
mod role;

use std::process::ExitCode;
use std::time::Duration;

use self::instance::{Instance, Started};
use self::role::{Role, chosen_core, pin, told, u32_of};

/// Floor: from the spawn to the first 200 of `/readyz`, in ms.
const READY_MS: f64 = 100.0;
/// How long calls go on between a start and the next kill.
const BETWEEN: Duration = Duration::from_secs(2);
/// How long the telephones are asked what they hear.
const WINDOW: Duration = Duration::from_secs(1);

/// How many calls, and how often the process is killed.
#[derive(Clone, Copy)]
struct Plan {
    calls: usize,
    rounds: usize,
    talking: bool,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["callee"] => callee::run(true),
        ["callee", "silent"] => callee::run(false),
        others if others.contains(&"--bench") => {
            let number = |name| std::env::var(name).ok().and_then(|number| number.parse().ok());
            let talking = std::env::var_os("TALKING").is_some();
            let plan = Plan {
                calls: number("CALLS").unwrap_or(1_000),
                rounds: number("ROUNDS").unwrap_or(7),
                talking,
            };
            return bench(plan);
        }
        _ => return bench(Plan { calls: 5, rounds: 1, talking: false }),
    }
    ExitCode::SUCCESS
}

fn bench(plan: Plan) -> ExitCode {
    let role: &[&str] = if plan.talking { &["callee"] } else { &["callee", "silent"] };
    let mut callee = Role::start(role, 1);
    let port = callee.expect("port").parse().expect("a port");
    let mut instance = Instance::new(port, plan.calls);
    let mut without = Vec::new();
    for _ in 0..plan.rounds {
        without.push(instance.start());
        instance.kill();
    }
    instance.start();
    instance.call_everyone(plan.calls);
    let (mut with, mut heard) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        std::thread::sleep(BETWEEN);
        instance.kill();
        with.push(instance.start());
        callee.say("measure");
        std::thread::sleep(WINDOW);
        callee.say("report");
        heard.push(callee.report().of("calls"));
    }
    drop(instance);
    drop(callee);
    judge(plan, &without, &with, &heard)
}

fn judge(plan: Plan, without: &[Started], with: &[Started], heard: &[f64]) -> ExitCode {
    let telephones = if plan.talking { "telephones talk" } else { "telephones are silent" };
    println!("starts after kill -9 with {} talking calls in the journal; the {telephones}", plan.calls);
    println!("    ready   journal   records   library   node  (ms)   calls heard afterwards");
    for (start, heard) in with.iter().zip(heard) {
        let [journal, records, library, node] = start.steps;
        println!("  {:>7.1} {journal:>9} {records:>9} {library:>9} {node:>6} {heard:>20}", start.ready_ms);
    }
    let (alone, full) = (median(without), median(with));
    println!("  ready, by the median     {full:.1} ms");
    println!("  without a call           {alone:.1} ms");
    let calls = u32_of(plan.calls);
    println!("  a call adds              {:.3} ms", (full - alone) / calls);
    let floors = [
        ("every call is heard again", heard.iter().all(|heard| *heard >= calls)),
        ("ready within 100 ms", full <= READY_MS),
    ];
    for (floor, _) in floors.iter().filter(|(_, held)| !held) {
        println!("  MISSED: {floor}");
    }
    if floors.iter().all(|(_, held)| *held) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn median(starts: &[Started]) -> f64 {
    let mut sorted: Vec<f64> = starts.iter().map(|start| start.ready_ms).collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
