//! `baton serve` with one call, as an instance that dies and is started again.

use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::baton::{NUMBER, Outcome};
use crate::machine::{self, Place, Running};
use crate::survey;

/// Its ports: API, SIP, RTP.
const PORTS: u16 = 16;
/// How long anything may take that happens at once.
const SOON: Duration = Duration::from_secs(20);
/// How long a call may take.
const CALL: Duration = Duration::from_secs(60);

/// An instance with one call.
pub(crate) struct Instance {
    place: Place,
    first: u16,
    starts: u32,
    process: Option<Running>,
    call: String,
}

impl Instance {
    /// Starts it, and has it call [`NUMBER`] through a trunk at this port; `more` are lines of the trunk.
    #[track_caller]
    pub(crate) fn calling(trunk: u16, more: &str) -> Self {
        let mut instance = Self::new(trunk, more);
        instance.call();
        instance
    }

    /// Starts it.
    #[track_caller]
    pub(crate) fn new(trunk: u16, more: &str) -> Self {
        let place = Place::new();
        survey::write(&place);
        let first = machine::ports(PORTS);
        let (sip, media, last) = (first + 1, first + 2, first + PORTS - 1);
        place.write(
            "baton.toml",
            format!(
                "questionnaires = [\"interop.xml\"]\ndefault_trunk = \"peer\"\n[data]\ndir = \"data\"\n\
                 [http]\nlisten = \"127.0.0.1:{first}\"\n[sip]\nlisten = \"127.0.0.1:{sip}\"\n\
                 [media]\naddress = \"127.0.0.1\"\nports = \"{media}-{last}\"\n\
                 [trunks.peer]\naddress = \"127.0.0.1:{trunk}\"\nfrom = \"sip:survey@baton.example\"\n\
                 codecs = [\"PCMU\", \"PCMA\"]\nring_timeout = \"20s\"\n{more}\n"
            ),
        );
        let mut instance = Self { place, first, starts: 0, process: None, call: String::new() };
        instance.start();
        instance
    }

    /// Has it call [`NUMBER`].
    #[track_caller]
    pub(crate) fn call(&mut self) {
        let place = ["place", NUMBER, "--questionnaire", "interop", "--trunk", "peer"];
        self.call = self.ask(&place).trim().to_owned();
    }

    /// Its ports, for a filter of a capture.
    pub(crate) fn ports(&self) -> String {
        format!("portrange {}-{}", self.first + 1, self.first + PORTS - 1)
    }

    /// The first and the last of its RTP ports.
    pub(crate) const fn media(&self) -> (u16, u16) {
        (self.first + 2, self.first + PORTS - 1)
    }

    /// Starts it and waits until it takes calls.
    #[track_caller]
    pub(crate) fn start(&mut self) {
        self.starts += 1;
        let name = format!("serve-{}.err", self.starts);
        let mut command = Command::new(env!("CARGO_BIN_EXE_baton"));
        command.current_dir(self.place.path()).args(["serve", "--config", "baton.toml"]);
        let log = std::fs::File::create(self.place.file(&name)).unwrap();
        command.env("RUST_LOG", "baton=info").stderr(Stdio::from(log));
        self.process = Some(Running::start(&mut command, "baton serve"));
        let ready = machine::until(SOON, || self.place.read(&name).contains(" ready "));
        assert!(ready, "{}", self.place.read(&name));
    }

    /// `kill -9`; the seconds since 1970 at which it was.
    pub(crate) fn kill(&mut self) -> f64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        self.process = None;
        now
    }

    /// Stops it as a debugger or a frozen machine does, for so long.
    pub(crate) fn stop_for(&self, time: Duration) {
        use nix::sys::signal::{Signal, kill};
        let id = self.process.as_ref().expect("it runs").id();
        let id = nix::unistd::Pid::from_raw(i32::try_from(id).unwrap());
        kill(id, Signal::SIGSTOP).unwrap();
        std::thread::sleep(time);
        kill(id, Signal::SIGCONT).unwrap();
    }

    /// Waits until the call is so far.
    #[track_caller]
    pub(crate) fn until(&self, state: &str) -> Value {
        let mut call = Value::Null;
        let came = machine::until(CALL, || {
            call = serde_json::from_str(&self.ask(&["calls", &self.call, "--json"])).unwrap();
            call["state"] == state
        });
        assert!(came, "it never became {state}: {call:#}\n{}", self.said());
        call
    }

    /// What it said in all its starts.
    pub(crate) fn said(&self) -> String {
        (1..=self.starts).map(|start| self.place.read(&format!("serve-{start}.err"))).collect()
    }

    /// Waits for the end of the call.
    #[track_caller]
    pub(crate) fn finish(self) -> Outcome {
        let mut call = self.until("ended");
        Outcome { code: Some(0), result: call["result"].take(), stderr: self.said(), place: self.place }
    }

    #[track_caller]
    fn ask(&self, arguments: &[&str]) -> String {
        ask(self.first, arguments).unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
    }
}

/// What a command of `baton` prints that asks the API at this port; an error is what it says.
pub(crate) fn ask(api: u16, arguments: &[&str]) -> Result<String, String> {
    ask_by(Command::new(env!("CARGO_BIN_EXE_baton")), api, arguments)
}

/// The same by a `baton` that may run elsewhere.
pub(crate) fn ask_by(command: Command, api: u16, arguments: &[&str]) -> Result<String, String> {
    let (is_done, said, complaint) = all_said_by(command, api, arguments);
    if is_done { Ok(said) } else { Err(said + &complaint) }
}

/// Whether it did what it was to, what it printed, and what it said besides.
pub(crate) fn all_said_by(mut command: Command, api: u16, arguments: &[&str]) -> (bool, String, String) {
    let output =
        command.args(arguments).args(["--url", &format!("http://127.0.0.1:{api}")]).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}
