//! An instance, the people it calls, and a client of its API.

use std::process::{Command, ExitStatus};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::machine::{self, Place, Running};
use crate::{signal, survey};

/// How long anything may take that happens at once.
pub(crate) const SOON: Duration = Duration::from_secs(20);
/// How long a call may take.
pub(crate) const CALL: Duration = Duration::from_secs(40);

/// Who answers how.
const PEOPLE: &str = r#"
[[party]]
users = ["2547*", "+25471*"]
[[party.turn]]
question = "consent"
press = "1"
[[party.turn]]
question = "age"
press = "37#"

[[party]]
users = "speaks"
[[party.turn]]
silence = 1
say = "voice.wav"

[[party]]
users = "slow"
answer_after = "3s"
[[party.turn]]
question = "consent"
press = ["", "1"]
[[party.turn]]
question = "age"
press = "42#"

[[party]]
users = ["486", "+25472*"]
refuse = 486

[[party]]
users = ["777", "+25473*"]
answer = false
"#;

/// Who answers the interview at once.
pub(crate) const WILLING: &str = "254712345678";
/// Who takes some ten seconds for it.
pub(crate) const SLOW: &str = "sip:slow@127.0.0.1";
/// Who is busy.
pub(crate) const BUSY: &str = "486";
/// Whose phone rings for ever.
pub(crate) const AWAY: &str = "777";

/// Who speaks for six seconds when it is quiet.
pub(crate) const SPEAKS: &str = "sip:speaks@127.0.0.1";

/// Words of a second with pauses between them.
fn voice() -> Vec<i16> {
    let word = |seed: u32| {
        let mut said = signal::noise(60 + seed, 800);
        said.resize(8_000, 0);
        said
    };
    (0..6).flat_map(word).collect()
}

/// A place for one instance; starts and restarts it.
pub(crate) struct World {
    pub(crate) place: Place,
    pub(crate) port: u16,
    /// Where the respondents answer.
    pub(crate) people_port: u16,
    pub(crate) token: Option<String>,
    extra: String,
    head: String,
    /// Variables of its environment.
    pub(crate) env: Vec<(String, String)>,
    running: Option<Running>,
    _people: Running,
    starts: u32,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with("", "")
    }

    /// With more settings: at the top of the file, and at its end.
    pub(crate) fn with(head: &str, extra: &str) -> Self {
        let place = Place::new();
        let people_port = machine::ports(32);
        let questionnaire = survey::write(&place);
        signal::write_wav(&place.file("voice.wav"), &voice());
        let people = place.write("people.toml", PEOPLE);
        let mut command = Command::new(env!("CARGO_BIN_EXE_baton"));
        command.current_dir(place.path()).args(["callee", "--listen", &format!("127.0.0.1:{people_port}")]);
        command.arg("--script").arg(people).arg("--prompts").arg(questionnaire);
        command.stdout(std::fs::File::create(place.file("people.jsonl")).unwrap());
        command.stderr(std::fs::File::create(place.file("callee.err")).unwrap());
        let people = Running::start(&mut command, "baton callee");
        let answers = || place.read("callee.err").contains("answering on");
        assert!(machine::until(SOON, answers), "{}", place.read("callee.err"));
        let world = Self {
            place,
            // Over TCP the respondents have their own port too; RTP leaves its numbers free there.
            port: people_port + 2,
            people_port,
            token: None,
            extra: extra.to_owned(),
            head: head.to_owned(),
            env: Vec::new(),
            running: None,
            _people: people,
            starts: 0,
        };
        world.write_settings(&world.extra);
        world
    }

    /// The settings, with something at their end.
    pub(crate) fn write_settings(&self, extra: &str) {
        let (port, people, head) = (self.port, self.people_port, &self.head);
        let (sip, first, last) = (people + 1, people + 2, people + 31);
        let text = format!(
            "{head}\nquestionnaires = [\"interop.xml\"]\n\
             [data]\ndir = \"data\"\n\
             [sip]\nlisten = \"127.0.0.1:{sip}\"\n\
             [media]\nports = \"{first}-{last}\"\n\
             [trunks.a]\naddress = \"127.0.0.1:{people}\"\nring_timeout = \"60s\"\n\
             [http]\nlisten = \"127.0.0.1:{port}\"\n{extra}\n"
        );
        self.place.write("baton.toml", text);
    }

    /// Starts it and waits until it is ready.
    #[track_caller]
    pub(crate) fn start(&mut self) {
        self.spawn();
        let ready = machine::until(SOON, || {
            let over = self.running.as_mut().unwrap().is_over();
            assert!(!over, "it ended:\n{}", self.said());
            self.said().contains(" ready ")
        });
        assert!(ready, "{}", self.said());
    }

    /// Starts it.
    pub(crate) fn spawn(&mut self) {
        self.starts += 1;
        let mut command = Command::new(env!("CARGO_BIN_EXE_baton"));
        command.current_dir(self.place.path()).args(["serve", "--config", "baton.toml"]);
        command.envs(self.env.iter().cloned()).env("RUST_LOG", "baton=info");
        let log = std::fs::File::create(self.place.file(&format!("serve-{}.err", self.starts))).unwrap();
        self.running = Some(Running::start(command.stderr(log), "baton serve"));
    }

    /// What this start of it has said.
    pub(crate) fn said(&self) -> String {
        self.place.read(&format!("serve-{}.err", self.starts))
    }

    #[track_caller]
    pub(crate) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.running.as_ref().unwrap().id()).unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(id), signal).unwrap();
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn wait(&mut self, limit: Duration) -> ExitStatus {
        let status = self.running.as_mut().unwrap().wait(limit);
        self.running = None;
        status
    }

    /// Kills it as a crash does.
    pub(crate) fn kill(&mut self) {
        self.running = None;
    }

    pub(crate) fn id(&self) -> u32 {
        self.running.as_ref().unwrap().id()
    }

    /// What the telephones have noted.
    pub(crate) fn people_say(&self) -> Vec<Value> {
        let log = self.place.read("people.jsonl");
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// A request of its API.
    pub(crate) fn ask(&self, method: &str, path: &str) -> Ask {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let right = self.token.as_ref().map(|token| ("authorization".to_owned(), format!("Bearer {token}")));
        Ask { method: method.to_owned(), url, headers: right.into_iter().collect(), body: None }
    }

    /// What stands there; it is as the document says.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Value {
        let answer = self.ask("GET", path).send();
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        let value = answer.json();
        let shape = match path.trim_start_matches("/api/v1/").split(['/', '?']).collect::<Vec<_>>().as_slice()
        {
            ["calls", id] if path.contains("calls/") && !id.is_empty() => "Call",
            ["calls", ..] => "CallList",
            ["cases", ..] => "Case",
            ["nodes"] => "NodeList",
            _ => return value,
        };
        let document: Value = serde_json::from_str(::baton::http::OPENAPI).unwrap();
        crate::shape::check(&document, &document["components"]["schemas"][shape], &value, path);
        value
    }

    /// Places a call; its id.
    #[track_caller]
    pub(crate) fn place_call(&self, to: &str) -> String {
        let body = serde_json::json!({"to": to, "questionnaire": "interop", "trunk": "a"});
        let answer = self.ask("POST", "/api/v1/calls").json(&body).send();
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["call_id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn call(&self, id: &str) -> Value {
        self.get(&format!("/api/v1/calls/{id}"))
    }

    /// Waits until a call is so far.
    #[track_caller]
    pub(crate) fn until_state(&self, id: &str, state: &str) -> Value {
        let mut call = Value::Null;
        let came = machine::until(CALL, || {
            std::thread::sleep(Duration::from_millis(20));
            call = self.call(id);
            call["state"] == state
        });
        assert!(came, "it never became {state}: {call:#}\n{}", self.said());
        call
    }
}

/// A request.
#[derive(Clone)]
pub(crate) struct Ask {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl Ask {
    pub(crate) fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    pub(crate) fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: Some(body.into()), ..self }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    #[track_caller]
    pub(crate) fn send(self) -> Answer {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(SOON))
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .proxy(None)
            .build()
            .into();
        let mut request = ureq::http::Request::builder().method(self.method.as_str()).uri(&self.url);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let sent = match self.body {
            Some(body) => agent.run(request.body(body).unwrap()),
            None => agent.run(request.body(()).unwrap()),
        };
        let (head, mut body) = sent.unwrap_or_else(|error| panic!("{}: {error}", self.url)).into_parts();
        let text = body.read_to_string().unwrap();
        let headers = head.headers.iter();
        let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
        Answer { status: head.status.as_u16(), headers: headers.collect(), text }
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) text: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Checks that it is a problem of this kind; its document.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, word: &str) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["type"], format!("urn:baton:problem:{word}"), "{problem:#}");
        assert_eq!(problem["status"], status);
        assert!(problem["title"].as_str().is_some_and(|title| !title.is_empty()));
        problem
    }
}
