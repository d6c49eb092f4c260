//! `baton call URI --questionnaire F --config C --json`, run as a person runs it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::machine::{self, Place, Running};
use crate::survey;

/// A call that Baton makes.
pub(crate) struct Call {
    process: Running,
    pub(crate) place: Place,
}

/// Who is called where a test says nothing else.
pub(crate) const NUMBER: &str = "+254712345678";

/// The settings of a call.
#[derive(Clone, Copy)]
pub(crate) struct Setting<'a> {
    /// The loopback address of both sides, as it stands in a URI.
    pub(crate) host: &'a str,
    /// The port that is called.
    pub(crate) port: u16,
    /// The port of the trunk, where another one than that.
    pub(crate) trunk_port: u16,
    /// Whom it calls; all begin with the digits of [`NUMBER`].
    pub(crate) number: &'a str,
    /// The trunk's `from`.
    pub(crate) from: &'a str,
    /// Lines of the trunk, then other tables.
    pub(crate) more: &'a str,
    /// How long it may ring.
    pub(crate) ring_timeout: &'a str,
    /// What is called; empty: the number at the host.
    pub(crate) to: &'a str,
    /// A dialplan in its place; empty: none.
    pub(crate) dialplan: &'a str,
}

impl Setting<'_> {
    /// A call to a port of 127.0.0.1.
    pub(crate) fn new(port: u16) -> Self {
        Self {
            host: "127.0.0.1",
            port,
            trunk_port: port,
            number: NUMBER,
            from: "sip:survey@baton.example",
            more: "",
            ring_timeout: "5s",
            to: "",
            dialplan: "",
        }
    }
}

impl Call {
    /// Starts a call to [`NUMBER`] at a port of loopback.
    #[track_caller]
    pub(crate) fn to(port: u16) -> Self {
        Self::with(port, "5s")
    }

    /// The same with a ring timeout.
    #[track_caller]
    pub(crate) fn with(port: u16, ring_timeout: &str) -> Self {
        let place = Place::new();
        let questionnaire = survey::write(&place);
        let settings = Setting { ring_timeout, ..Setting::new(port) };
        Self::start(place, &settings, &questionnaire, &["--trunk", "peer"])
    }

    /// A call through a trunk with further settings: lines of `[trunks.peer]`, then other tables.
    #[track_caller]
    pub(crate) fn through(port: u16, more: &str) -> Self {
        Self::set(&Setting { more, ..Setting::new(port) })
    }

    /// A call with these settings.
    #[track_caller]
    pub(crate) fn set(settings: &Setting<'_>) -> Self {
        let place = Place::new();
        let questionnaire = survey::write(&place);
        Self::start(place, settings, &questionnaire, &["--trunk", "peer"])
    }

    /// The same over a trunk that asks for a password; `keys` are further lines of its settings.
    #[track_caller]
    pub(crate) fn with_password(port: u16, password: &str, keys: &str) -> Self {
        Self::set_with_password(&Setting { more: keys, ..Setting::new(port) }, Some(password))
    }

    /// A call with these settings, over a trunk that may ask for a password.
    #[track_caller]
    pub(crate) fn set_with_password(settings: &Setting<'_>, password: Option<&str>) -> Self {
        let Some(password) = password else { return Self::set(settings) };
        let place = Place::new();
        let questionnaire = survey::write(&place);
        place.write("trunk.password", format!("{password}\n"));
        let keys = format!("username = \"baton\"\npassword_file = \"trunk.password\"\n{}", settings.more);
        let settings = Setting { more: &keys, ..*settings };
        Self::start(place, &settings, &questionnaire, &["--trunk", "peer"])
    }

    /// A call to the URI itself, past the trunks; it asks another questionnaire, a path from the project's root.
    #[track_caller]
    pub(crate) fn asking(questionnaire: &str, port: u16) -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(questionnaire);
        Self::start(Place::new(), &Setting::new(port), &file, &[])
    }

    /// A call with a questionnaire and a directory of the test's own.
    #[track_caller]
    pub(crate) fn in_place(place: Place, port: u16, questionnaire: &Path) -> Self {
        Self::start(place, &Setting::new(port), questionnaire, &["--trunk", "peer"])
    }

    /// The same, started by another program.
    #[track_caller]
    pub(crate) fn wrapped(place: Place, port: u16, questionnaire: &Path, wrapper: &[&str]) -> Self {
        let command = Self::command(&place, &Setting::new(port), questionnaire, &["--trunk", "peer"]);
        let mut wrapped = Command::new(machine::program(wrapper[0]));
        wrapped.args(&wrapper[1..]).arg(command.get_program()).args(command.get_args());
        Self::run(wrapped, place)
    }

    #[track_caller]
    pub(crate) fn start(place: Place, set: &Setting<'_>, questionnaire: &Path, more: &[&str]) -> Self {
        let command = Self::command(&place, set, questionnaire, more);
        Self::run(command, place)
    }

    fn command(place: &Place, set: &Setting<'_>, questionnaire: &Path, more: &[&str]) -> Command {
        let first = machine::ports(16);
        let Setting { host, port, trunk_port, number, from, more: lines, ring_timeout, to, dialplan } = set;
        let dialplan =
            if dialplan.is_empty() { String::new() } else { format!("dialplan = \"{dialplan}\"\n") };
        let settings = place.write(
            "baton.toml",
            format!(
                "{dialplan}default_trunk = \"peer\"\n\
                 [sip]\nlisten = \"{host}:0\"\n\
                 [media]\naddress = \"{bare}\"\nports = \"{first}-{last}\"\n\
                 [journal]\ndir = \"journal\"\n\
                 [trunks.peer]\naddress = \"{host}:{trunk_port}\"\nfrom = \"{from}\"\n\
                 codecs = [\"PCMU\", \"PCMA\"]\nring_timeout = \"{ring_timeout}\"\n{lines}\n",
                bare = host.trim_matches(['[', ']']),
                last = first + 15,
            ),
        );
        let mut command = Command::new(env!("CARGO_BIN_EXE_baton"));
        let uri = format!("sip:{number}@{host}:{port}");
        command.arg("call").arg(if to.is_empty() { &uri } else { *to });
        command.arg("--questionnaire").arg(questionnaire).arg("--config").arg(settings).arg("--json");
        command.args(more);
        command
    }

    fn run(mut command: Command, place: Place) -> Self {
        command.current_dir(place.path());
        command.stdout(Stdio::from(std::fs::File::create(place.file("stdout")).unwrap()));
        command.stderr(Stdio::from(std::fs::File::create(place.file("stderr")).unwrap()));
        let process = Running::start(&mut command, "baton call");
        Self { process, place }
    }

    /// Waits for its end: what it printed.
    #[track_caller]
    pub(crate) fn finish(self) -> Outcome {
        self.within(Duration::from_secs(40))
    }

    #[track_caller]
    pub(crate) fn within(mut self, limit: Duration) -> Outcome {
        let status = self.process.wait(limit);
        let (stdout, stderr) = (self.place.read("stdout"), self.place.read("stderr"));
        let result = serde_json::from_str(&stdout).unwrap_or_else(|error| {
            panic!("baton call --json ended with {status} and printed no JSON ({error}).\n{stdout}\n{stderr}")
        });
        Outcome { code: status.code(), result, stderr, place: self.place }
    }

    /// Kills it, as the death of the machine does; what it left behind.
    pub(crate) fn kill(self) -> Place {
        drop(self.process);
        self.place
    }

    /// Interrupts it, as Ctrl-C does.
    pub(crate) fn interrupt(&self) {
        use nix::sys::signal::{Signal, kill};
        kill(nix::unistd::Pid::from_raw(i32::try_from(self.process.id()).unwrap()), Signal::SIGINT).unwrap();
    }
}

/// What `baton call --json` left behind.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) result: Value,
    pub(crate) stderr: String,
    /// Where it ran.
    pub(crate) place: Place,
}

impl Outcome {
    /// Checks disposition, AAPOR code and final SIP status, and all that holds for every result.
    #[track_caller]
    pub(crate) fn assert(&self, disposition: &str, aapor: &str, sip_status: impl Into<Option<u16>>) {
        let result = &self.result;
        let found = (&result["disposition"], &result["aapor"], &result["sip_status"]);
        let expected = (&Value::from(disposition), &Value::from(aapor), &Value::from(sip_status.into()));
        assert_eq!(found, expected, "{result:#}\n{}", self.stderr);
        self.assert_form();
    }

    /// What every result has.
    #[track_caller]
    fn assert_form(&self) {
        let result = &self.result;
        for field in
            ["call_id", "attempt_id", "to", "disposition", "aapor", "started_at", "ended_at", "language"]
        {
            assert!(result[field].as_str().is_some_and(|text| !text.is_empty()), "no {field} in {result:#}");
        }
        for field in ["fault", "answered_by", "tones", "media"] {
            assert!(result.get(field).is_some(), "no {field} in {result:#}");
        }
        for field in ["sip_status", "cause", "ringing_at", "answered_at", "questionnaire", "responses"] {
            assert!(result.get(field).is_some(), "no {field} in {result:#}");
        }
        assert!(result["to"].as_str().unwrap().contains(NUMBER), "{result:#}");
        assert_eq!(result["questionnaire"]["id"], "interop");
        assert_eq!(result["questionnaire"]["version"], "7");
        assert!(
            result["questionnaire"]["digest"].as_str().is_some_and(|digest| digest.len() >= 32),
            "{result:#}"
        );
        let times: Vec<jiff::Timestamp> = ["started_at", "ringing_at", "answered_at", "ended_at"]
            .iter()
            .filter_map(|field| result[*field].as_str())
            .map(|text| {
                let (_, fraction) = text.split_once('.').unwrap_or_default();
                assert!(fraction.len() == 4 && text.ends_with('Z'), "not RFC 3339 UTC with ms: {text}");
                text.parse().unwrap()
            })
            .collect();
        assert!(times.is_sorted(), "times go back: {result:#}");
        let questions: Vec<_> =
            self.responses().iter().map(|response| response["question"].clone()).collect();
        assert_eq!(questions, ["consent", "age"], "{result:#}");
    }

    pub(crate) fn responses(&self) -> &[Value] {
        self.result["responses"].as_array().map_or(&[], Vec::as_slice)
    }

    #[track_caller]
    pub(crate) fn response(&self, question: &str) -> &Value {
        let response = self.responses().iter().find(|response| response["question"] == question);
        response.unwrap_or_else(|| panic!("no {question} in {:#}", self.result))
    }

    /// Checks one response: its status, value and the keys that were counted for it.
    #[track_caller]
    pub(crate) fn assert_response(&self, question: &str, status: &str, value: impl Into<Value>, keys: &str) {
        let response = self.response(question);
        let digits = response["digits"].as_array().unwrap();
        let counted: String = digits.iter().map(|digit| digit["digit"].as_str().unwrap()).collect();
        assert_eq!(
            (&response["status"], &response["value"], counted.as_str()),
            (&Value::from(status), &value.into(), keys),
            "{:#}",
            self.result
        );
        for digit in digits {
            assert!(digit["at"].as_str().is_some_and(|at| at.ends_with('Z')), "{digit:#}");
            assert!(digit.get("duration_ms").is_some(), "{digit:#}");
        }
    }

    /// Checks that the interview went through with these keys.
    #[track_caller]
    pub(crate) fn assert_complete(&self, age: u64, age_keys: &str) {
        self.assert("complete", "1.1", 200);
        self.assert_response("consent", "answered", "yes", "1");
        self.assert_response("age", "answered", age, age_keys);
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        assert_eq!(self.result["answered_by"], "person", "{:#}", self.result);
    }

    /// Checks by which way all keys came.
    #[track_caller]
    pub(crate) fn assert_keys_by(&self, method: &str) {
        let digits = self.responses().iter().flat_map(|response| response["digits"].as_array().unwrap());
        for digit in digits {
            assert_eq!(digit["method"], method, "{:#}", self.result);
        }
    }
}
