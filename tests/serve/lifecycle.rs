//! Start, drain, end, and what systemd is told.

use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use serde_json::json;

use crate::machine;
use crate::world::{AWAY, BUSY, SLOW, SOON, WILLING, World};

#[test]
fn sigterm_waits_for_the_calls_and_takes_no_more() {
    let mut world = World::with("", "[drain]\nlimit = \"60s\"");
    world.start();
    let id = world.place_call(SLOW);
    world.until_state(&id, "ringing");
    world.signal(Signal::SIGTERM);
    let draining = || world.ask("GET", "/readyz").send().status == 503;
    assert!(machine::until(SOON, draining));
    let ready = world.ask("GET", "/readyz").send().json();
    assert_eq!(
        (&ready["ready"], &ready["reasons"][0]["code"]),
        (&json!(false), &json!("draining")),
        "{ready:#}"
    );
    let body = json!({"to": WILLING, "questionnaire": "interop"});
    let refused = world.ask("POST", "/api/v1/calls").json(&body).send();
    refused.problem(503, "draining");
    assert!(refused.header("retry-after").unwrap().parse::<u32>().unwrap() > 0);
    assert_eq!(world.ask("GET", "/healthz").send().status, 200);
    assert_eq!(world.wait(Duration::from_secs(60)).code(), Some(0), "{}", world.said());
    world.start();
    let call = world.call(&id);
    assert_eq!((&call["state"], &call["disposition"]), (&json!("ended"), &json!("complete")), "{call:#}");
    assert_eq!(call["result"]["responses"][1]["value"], 42);
}

#[test]
fn a_second_sigterm_ends_at_once() {
    let mut world = World::new();
    world.start();
    let id = world.place_call(AWAY);
    world.until_state(&id, "ringing");
    world.signal(Signal::SIGTERM);
    assert!(machine::until(SOON, || world.said().contains("draining: no new calls")));
    let began = Instant::now();
    world.signal(Signal::SIGTERM);
    assert_eq!(world.wait(Duration::from_secs(15)).code(), Some(0), "{}", world.said());
    assert!(began.elapsed() < Duration::from_secs(12));
    world.start();
    let call = world.call(&id);
    assert_eq!(call["disposition"], "not_attempted", "{call:#}\n{}", world.said());
}

#[test]
fn the_limit_of_draining_ends_calls_in_order() {
    let mut world = World::with("", "[drain]\nlimit = \"1s\"");
    world.start();
    let id = world.place_call(SLOW);
    world.until_state(&id, "talking");
    world.signal(Signal::SIGTERM);
    assert_eq!(world.wait(Duration::from_secs(20)).code(), Some(0), "{}", world.said());
    let events = world.people_say();
    assert!(events.iter().any(|event| event["event"] == "caller-hung-up"), "it was told by BYE: {events:?}");
    world.start();
    let call = world.call(&id);
    assert_eq!(
        (&call["state"], &call["result"]["ended_by"]),
        (&json!("ended"), &json!("caller")),
        "{call:#}"
    );
}

/// The record of a call that was accepted and never placed, as a crash between both leaves it.
#[test]
fn what_was_accepted_and_never_placed_is_not_dialled_after_a_restart() {
    let mut world = World::new();
    world.start();
    let id = world.place_call(BUSY);
    world.until_state(&id, "ended");
    world.signal(Signal::SIGTERM);
    world.wait(SOON);
    let file = world.place.file("data/records/records.sqlite");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
        let records = sqlx::SqlitePool::connect_with(options).await.unwrap();
        for undo in [
            "UPDATE calls SET disposition = NULL, ended_at = NULL",
            "DELETE FROM results",
            "DELETE FROM replies",
        ] {
            sqlx::query(undo).execute(&records).await.unwrap();
        }
        records.close().await;
    });
    let before = world.people_say();
    world.start();
    let call = world.until_state(&id, "ended");
    assert_eq!(call["disposition"], "not_attempted", "{call:#}");
    assert_eq!(call["result"]["responses"][0]["status"], "not_reached", "{call:#}");
    std::thread::sleep(Duration::from_millis(500));
    assert!(before.iter().any(|event| event["event"] == "invited"));
    assert_eq!(world.people_say(), before, "nobody was called");
}

#[test]
fn a_second_process_is_refused_and_says_by_whom() {
    let mut world = World::new();
    world.start();
    let text = world.place.read("baton.toml");
    let port = world.port;
    let other = text.replace(&format!("listen = \"127.0.0.1:{port}\""), "listen = \"127.0.0.1:0\"");
    world.place.write("other.toml", other);
    let second = std::process::Command::new(env!("CARGO_BIN_EXE_baton"))
        .current_dir(world.place.path())
        .args(["serve", "--config", "other.toml"])
        .output()
        .unwrap();
    let said = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(3), "{said}");
    assert!(said.contains(&format!("process {}", world.id())), "{said}");
    let first = std::process::Command::new(env!("CARGO_BIN_EXE_baton"))
        .current_dir(world.place.path())
        .args(["serve", "--config", "baton.toml"])
        .output()
        .unwrap();
    let said = String::from_utf8(first.stderr).unwrap();
    assert!(first.status.code() == Some(3) && said.contains("[http] listen"), "{said}");
}

/// What systemd would hear.
struct Systemd(UnixDatagram);

impl Systemd {
    /// The world's next process is watched: it has to be heard of every 400 ms.
    fn over(world: &mut World) -> Self {
        let socket = world.place.file("notify");
        let told = UnixDatagram::bind(&socket).unwrap();
        world.env = vec![
            ("NOTIFY_SOCKET".to_owned(), socket.display().to_string()),
            ("WATCHDOG_USEC".to_owned(), "400000".to_owned()),
        ];
        Self(told)
    }

    /// The next that is said; none if nothing is for so long.
    fn hears(&self, within: Duration) -> Option<String> {
        self.0.set_read_timeout(Some(within)).unwrap();
        let mut bytes = [0; 500];
        let read = self.0.recv(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes[..read]).into_owned())
    }

    #[track_caller]
    fn waits_for(&self, word: &str) -> String {
        let mut heard = Vec::new();
        loop {
            let text = self.hears(SOON).unwrap_or_else(|| panic!("no {word}, only {heard:?}"));
            if text.lines().any(|line| line.starts_with(word)) {
                return text;
            }
            heard.push(text);
        }
    }
}

#[test]
fn systemd_is_told_how_it_is() {
    let mut world = World::new();
    let systemd = Systemd::over(&mut world);
    world.start();
    let wait_for = |word: &str| systemd.waits_for(word);
    wait_for("READY=1");
    wait_for("WATCHDOG=1");
    wait_for("WATCHDOG=1");
    world.signal(Signal::SIGHUP);
    let reloading = wait_for("RELOADING=1");
    let at = reloading.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).unwrap();
    assert!(at.parse::<u64>().unwrap() > 0);
    wait_for("READY=1");
    world.signal(Signal::SIGTERM);
    wait_for("STOPPING=1");
    world.wait(SOON);
}

/// The thread of a process that has this name.
fn thread(process: u32, name: &str) -> Pid {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).unwrap().map(|task| task.unwrap().path());
    let is_it = |task: &std::path::PathBuf| {
        std::fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim() == name)
    };
    let task = tasks.into_iter().find(is_it).unwrap_or_else(|| panic!("no thread {name}"));
    Pid::from_raw(task.file_name().unwrap().to_str().unwrap().parse().unwrap())
}

/// One shard is held as a debugger holds a thread; every other thread goes on, and the process looks alive.
#[test]
fn a_stuck_shard_stops_the_watchdog_and_the_health_check_says_so() {
    let mut world = World::new();
    let systemd = Systemd::over(&mut world);
    world.start();
    systemd.waits_for("WATCHDOG=1");
    let health = || world.ask("GET", "/healthz").send();
    assert_eq!((health().status, health().text.as_str()), (200, "ok\n"));

    let shard = thread(world.id(), "shard-0");
    ptrace::seize(shard, ptrace::Options::empty()).unwrap();
    ptrace::interrupt(shard).unwrap();
    waitpid(shard, Some(WaitPidFlag::__WALL)).unwrap();
    assert_eq!(health().status, 200, "a moment is no stop");
    assert!(machine::until(SOON, || health().status == 503));
    assert_eq!(health().text, "stuck\n");
    let reasons = world.ask("GET", "/readyz").send();
    assert!(reasons.status == 503 && reasons.text.contains("stuck"), "no new calls: {reasons:?}");
    while systemd.hears(Duration::from_millis(10)).is_some() {}
    assert_eq!(systemd.hears(Duration::from_secs(2)), None, "systemd hears nothing, and would restart it");
    assert!(world.said().contains("a shard is stuck; the watchdog hears nothing"), "{}", world.said());

    ptrace::detach(shard, None).unwrap();
    systemd.waits_for("WATCHDOG=1");
    assert!(machine::until(SOON, || health().status == 200));
    let id = world.place_call(BUSY);
    world.until_state(&id, "ended");
}
