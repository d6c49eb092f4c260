//! 500 talking calls on one core: how steadily does each callee hear its prompt, and what does a call weigh?
//!
//! ```text
//! core 0: this file as `node`               core 1: this file as `callee`
//! a real Node: SIP, journal, shards,  ◄───► one SIP socket, one RTP socket for all calls: answers, sends 50 packets
//! media thread, every call talking          a second to each, notes when the kernel received each of ours
//! ```
//! The floors of the project: p99 of the time between two packets of a call ≤ 40 ms, resident memory per call
//! ≤ 32 kB. The callee takes the kernel's receive timestamps, so that its own slowness is not charged to the node.
//! Exits with 1 where a floor is missed. `CALLS=1000 cargo bench --bench talking_calls` tries another number; run
//! without `--bench` it is a smoke test of five calls.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench runs in real time and tells a person what it found"
)]

mod callee;
mod node;
mod role;

use std::process::ExitCode;
use std::time::Duration;

use self::role::{Report, Role, chosen_core, pin, told, u32_of};

/// Floor: p99 of the gap between two packets of a call.
const GAP_P99_MS: f64 = 40.0;
/// Floor: resident memory of a live call.
const CALL_KB: f64 = 32.0;

/// How many calls, and how long they are listened to.
#[derive(Clone, Copy)]
struct Plan {
    calls: usize,
    window: Duration,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["callee"] => callee::run(true),
        ["node", calls, port] => {
            node::run(
                calls.parse().expect("a count"),
                port.parse().expect("a port"),
                &node::Survey::default(),
            );
        }
        others if others.contains(&"--bench") => {
            let calls = std::env::var("CALLS").ok().and_then(|calls| calls.parse().ok()).unwrap_or(500);
            return bench(Plan { calls, window: Duration::from_secs(20) });
        }
        _ => return bench(Plan { calls: 5, window: Duration::from_secs(1) }),
    }
    ExitCode::SUCCESS
}

fn bench(plan: Plan) -> ExitCode {
    let mut callee = Role::start(&["callee"], 1);
    let port = callee.expect("port");
    let mut node = Role::start(&["node", &plan.calls.to_string(), &port], 0);
    node.expect("talking");
    callee.say("measure");
    std::thread::sleep(plan.window);
    node.say("measured");
    let load = node.report();
    callee.say("report");
    let heard = callee.report();
    node.say("end");
    drop((node, callee));
    judge(plan, &load, &heard)
}

fn judge(plan: Plan, load: &Report, heard: &Report) -> ExitCode {
    let window = plan.window.as_secs_f64();
    println!("{} talking calls on one core, {window} s", plan.calls);
    println!("  calls heard              {}", heard.of("calls"));
    println!("  packets/s to callees     {:.0}", heard.of("packets") / window);
    println!("  packets/s from callees   {:.0}", heard.of("sent") / window);
    println!("  frames with sound        {:.2} %", 100.0 * heard.of("sound") / heard.of("packets"));
    println!("  packets missing          {} (skipped by the node {})", heard.of("lost"), load.of("skipped"));
    println!(
        "  gap p50 / p99 / max      {:.1} / {:.1} / {:.1} ms (p99 of the worst call {:.1})",
        heard.of("p50_ms"),
        heard.of("p99_ms"),
        heard.of("max_ms"),
        heard.of("worst_p99_ms"),
    );
    println!("  node: CPU                {:.1} % of its core", 100.0 * load.of("cpu_s") / load.of("wall_s"));
    println!("  node: served within 5 ms {:.2} %", 100.0 * load.of("in_time") / load.of("served"));
    println!("  node: resident           {:.1} kB a call", load.of("rss_per_call_kb"));
    println!("  node: threads            {}", load.of("threads"));
    let floors = [
        ("every call is heard", heard.of("calls") >= u32_of(plan.calls)),
        ("every call talks", heard.of("sound") >= 0.9 * heard.of("packets")),
        ("p99 gap ≤ 40 ms", heard.of("p99_ms") <= GAP_P99_MS),
        // Of five calls the node itself would be most of it.
        ("a call ≤ 32 kB", plan.calls < 100 || load.of("rss_per_call_kb") <= CALL_KB),
    ];
    for (floor, _) in floors.iter().filter(|(_, held)| !held) {
        println!("  MISSED: {floor}");
    }
    if floors.iter().all(|(_, held)| *held) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
