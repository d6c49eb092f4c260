//! What a cluster costs, and whether it keeps calm.
//!
//! ```text
//! cargo bench --bench cluster              processor time of N talking calls: three mirrored instances / one alone
//! MINUTES=30 cargo bench --bench cluster   soak: 500 talking calls while four threads burn all processors;
//!                                          nobody may fall silent or be taken over
//! ```
//! The settings are those of `baton demo --takeover`. Floors: all three together cost at most 1.5 times what one instance
//! without mirror needs for the same calls; no false takeover. Exits with 1 where a floor is missed. etcd's own time is
//! told beside it. `CALLS=300 cargo bench --bench cluster` tries another number; run without `--bench` it is a smoke test
//! of five calls.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a bench runs in real time and tells a person what it found"
)]

#[path = "../talking_calls/callee.rs"]
mod callee;
mod members;
#[path = "../talking_calls/role.rs"]
mod role;
#[path = "../talking_calls/tone.rs"]
mod tone;

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use self::members::Members;
use self::role::{Role, chosen_core, pin, told, u32_of};

/// Floor: the processor time of three to that of one.
const COST: f64 = 1.5;
/// Threads that burn processor time in a soak.
const HOGS: usize = 4;
/// From one look at a cluster to the next.
const LOOK: Duration = Duration::from_secs(2);
/// How long calls talk before anything is measured.
const SETTLE: Duration = Duration::from_secs(3);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |name| std::env::var(name).ok().and_then(|number| number.parse::<u64>().ok());
    let calls = |usual: u64| usize::try_from(number("CALLS").unwrap_or(usual)).expect("a few hundred");
    match (arguments.as_slice(), number("MINUTES")) {
        (["callee"], _) => {
            callee::run(true);
            ExitCode::SUCCESS
        }
        (others, Some(minutes)) if others.contains(&"--bench") => {
            soak(calls(500), Duration::from_secs(60 * minutes))
        }
        (others, None) if others.contains(&"--bench") => cost(calls(300), Duration::from_secs(20)),
        _ => cost(5, Duration::from_secs(1)),
    }
}

/// What was used of the processors, and how many calls the telephones heard meanwhile.
struct Spent {
    instances: f64,
    etcd: f64,
    heard: f64,
}

/// Lets so many calls talk for a while.
fn spent(members: &Members, callee: &mut Role, calls: usize, window: Duration) -> Spent {
    members.call_everyone(calls);
    std::thread::sleep(SETTLE);
    let before = members.cpu_s();
    let heard = heard_within(callee, window);
    let used = |n: usize| (members.cpu_s()[n] - before[n]) / window.as_secs_f64();
    Spent { instances: used(0), etcd: used(1), heard }
}

/// How many calls the telephones hear.
fn heard_within(callee: &mut Role, window: Duration) -> f64 {
    callee.say("measure");
    std::thread::sleep(window);
    callee.say("report");
    callee.report().of("calls")
}

/// A cluster's cost for so many calls, against one instance's.
fn cost(calls: usize, window: Duration) -> ExitCode {
    let mut callee = Role::start(&["callee"], 1);
    let port = callee.expect("port").parse().expect("a port");
    let alone = spent(&Members::alone(port, calls), &mut callee, calls, window);
    let three = spent(&Members::three(port, calls), &mut callee, calls, window);
    let ratio = three.instances / alone.instances;
    println!("{calls} talking calls; processors in use");
    println!("  one instance alone       {:.3}", alone.instances);
    println!("  three that mirror        {:.3}", three.instances);
    println!("  etcd's three members     {:.3}", three.etcd);
    println!("  three to one             {ratio:.2}");
    let few = calls < 100; // then it is the beats that are measured
    verdict(&[
        ("every call is heard", alone.heard >= u32_of(calls) && three.heard >= u32_of(calls)),
        ("three cost at most 1.5 times as much as one", few || ratio <= COST),
    ])
}

/// Many calls on a machine that is far too busy.
fn soak(calls: usize, how_long: Duration) -> ExitCode {
    let mut callee = Role::start(&["callee"], 1);
    let port = callee.expect("port").parse().expect("a port");
    let cluster = Members::three(port, calls);
    cluster.call_everyone(calls);
    let done = AtomicBool::new(false);
    let (mut silences, mut fewest, mut heard) = (0, calls, 0.0);
    std::thread::scope(|scope| {
        for _ in 0..HOGS {
            scope.spawn(|| {
                while !done.load(Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let until = Instant::now() + how_long;
        while Instant::now() < until {
            std::thread::sleep(LOOK);
            silences += cluster.silent();
            fewest = fewest.min(cluster.talking());
        }
        heard = heard_within(&mut callee, LOOK);
        done.store(true, Relaxed);
    });
    let takeovers = cluster.takeovers();
    println!("{calls} talking calls for {} minutes beside {HOGS} hogs", how_long.as_secs() / 60);
    println!("  fewest that talked       {fewest}");
    println!("  heard at the end         {heard}");
    println!("  silent instances seen    {silences}");
    println!("  takeovers and silences   {takeovers}");
    verdict(&[
        ("every call talks and is heard to the end", fewest == calls && heard >= u32_of(calls)),
        ("nobody falls silent, nobody is taken over", silences + takeovers == 0),
    ])
}

fn verdict(floors: &[(&str, bool)]) -> ExitCode {
    for (floor, _) in floors.iter().filter(|(_, held)| !held) {
        println!("  MISSED: {floor}");
    }
    if floors.iter().all(|(_, held)| *held) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
