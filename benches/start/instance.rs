//! `baton serve` as an operator starts it: a process of its own, its settings, its data on disk.

#[path = "../talking_calls/tone.rs"]
mod tone;

use std::fs;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// From one try to reach the API to the next.
const TRY: Duration = Duration::from_millis(1);
/// Seconds of the prompt, about what a survey says in all. It is asked again and again: longer than the bench.
const PROMPT_S: u32 = 60;

/// An instance that can be killed and started again.
pub(crate) struct Instance {
    dir: TempDir,
    api: SocketAddr,
    child: Option<Child>,
}

/// How a start went.
pub(crate) struct Started {
    /// From the spawn until `/readyz` said 200.
    pub(crate) ready_ms: f64,
    /// What the process itself says of journal, records, library and node, in ms.
    pub(crate) steps: [u32; 4],
}

impl Instance {
    /// Writes the settings. The telephones are at a port of the loopback.
    pub(crate) fn new(callee: u16, calls: usize) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let (sip, api) = (free(13_000), free(13_500));
        let settings = format!(
            "questionnaires = [\"talk.xml\"]\ndefault_trunk = \"callee\"\n[data]\ndir = \"data\"\n\
             [sip]\nlisten = \"{sip}\"\n[http]\nlisten = \"{api}\"\n[limits]\ncalls = {calls}\n\
             [trunks.callee]\naddress = \"127.0.0.1:{callee}\"\n"
        );
        fs::write(dir.path().join("baton.toml"), settings).expect("room on the disk");
        fs::write(dir.path().join("talk.xml"), tone::survey(5)).expect("room on the disk");
        tone::write(&dir.path().join("long.wav"), PROMPT_S);
        Self { dir, api, child: None }
    }

    /// Starts it and waits until it takes calls.
    pub(crate) fn start(&mut self) -> Started {
        let log = self.dir.path().join("serve.log");
        let file = fs::File::create(&log).expect("room on the disk");
        let mut command = Command::new(env!("CARGO_BIN_EXE_baton"));
        command.current_dir(self.dir.path()).args(["serve", "--config", "baton.toml"]);
        let began = Instant::now();
        self.child = Some(command.stdin(Stdio::null()).stderr(file).spawn().expect("it starts"));
        while self.get("/readyz").is_none() {
            let said = || fs::read_to_string(&log).unwrap_or_default();
            assert!(began.elapsed() < PATIENCE, "it does not become ready:\n{}", said());
            let over = self.child.as_mut().and_then(|child| child.try_wait().expect("it is ours"));
            assert!(over.is_none(), "it ended:\n{}", said());
            std::thread::sleep(TRY);
        }
        let ready_ms = began.elapsed().as_secs_f64() * 1_000.0;
        let said = fs::read_to_string(&log).expect("it logs");
        let steps =
            ["journal_took", "records_took", "library_took", "node_took"].map(|step| took(&said, step));
        Started { ready_ms, steps }
    }

    /// Kills it as a crash does.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it runs");
            child.wait().expect("it is ours");
        }
    }

    /// Places so many calls and waits until all of them talk.
    pub(crate) fn call_everyone(&self, calls: usize) {
        let agent = ureq::Agent::config_builder().proxy(None).build();
        let agent: ureq::Agent = agent.into();
        let url = format!("http://{}/api/v1/calls", self.api);
        for call in 0..calls {
            let body = format!("{{\"to\":\"+2547{call:08}\",\"questionnaire\":\"talk\"}}");
            let request = agent.post(&url).header("content-type", "application/json");
            request.send(body.as_str()).expect("it takes the call");
        }
        let wanted = format!("baton_calls{{state=\"talking\"}} {calls}");
        let began = Instant::now();
        while !self.get("/metrics").is_some_and(|text| text.lines().any(|line| line == wanted)) {
            assert!(began.elapsed() < PATIENCE, "not all calls talk:\n{:?}", self.get("/metrics"));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What stands at a path, if that is 200.
    fn get(&self, path: &str) -> Option<String> {
        let config = ureq::Agent::config_builder().proxy(None).timeout_global(Some(PATIENCE)).build();
        let agent: ureq::Agent = config.into();
        agent.get(format!("http://{}{path}", self.api)).call().ok()?.body_mut().read_to_string().ok()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The milliseconds of a step, by the log; colours may stand around the name.
fn took(log: &str, step: &str) -> u32 {
    let line = log.lines().find(|line| line.contains("started, in milliseconds")).unwrap_or_default();
    let rest = line.split_once(step).map(|(_, rest)| rest).unwrap_or_default();
    let digits = rest.split_once('=').map(|(_, value)| value).unwrap_or_default();
    let digits = digits.trim_start_matches(|c: char| !c.is_ascii_digit());
    digits
        .split(|c: char| !c.is_ascii_digit())
        .next()
        .and_then(|digits| digits.parse().ok())
        .unwrap_or_default()
}

/// A port of the loopback from `first` on, below those that the system hands out, that nobody has.
fn free(first: u16) -> SocketAddr {
    let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let is_free = |at: &SocketAddr| UdpSocket::bind(at).is_ok() && TcpListener::bind(at).is_ok();
    (first..first + 500).map(at).find(is_free).expect("a free port")
}
