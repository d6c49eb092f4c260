//! What members of a cluster are asked for, and asked about.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Cluster, SOON, now};
use crate::baton::{NUMBER, Outcome};
use crate::instance::all_said_by;
use crate::machine::{self, Place};

/// How long a call may take.
const CALL: Duration = Duration::from_secs(75);

impl Cluster {
    /// Has a member call [`NUMBER`] through this trunk; the call's id.
    #[track_caller]
    pub(crate) fn call(&self, name: &str, trunk: &str) -> String {
        let place = ["place", NUMBER, "--questionnaire", "interop", "--trunk", trunk];
        let placed = self.ask(name, &place);
        placed.unwrap_or_else(|error| panic!("{name}: {error}\n{}", self.said())).trim().to_owned()
    }

    /// Asks a member for a call with this key; its id, or what was said.
    pub(crate) fn ask_for(&self, name: &str, number: &str, trunk: &str, key: &str) -> Result<String, String> {
        let place = ["place", number, "--questionnaire", "interop", "--trunk", trunk, "--key", key];
        self.ask(name, &place).map(|call| call.trim().to_owned())
    }

    /// How long the command for that takes until it has asked, in ms.
    pub(crate) fn lead_ms(&self) -> u64 {
        let begun = std::time::Instant::now();
        let any = self.members.iter().find(|member| member.process.is_some()).unwrap();
        drop(self.ask(any.name, &["calls", "0000000000000000"]));
        u64::try_from(begun.elapsed().as_millis() / 2).unwrap()
    }

    /// Has a member end a call.
    #[track_caller]
    pub(crate) fn hang_up(&self, name: &str, call: &str) {
        self.ask(name, &["calls", call, "--hang-up"]).unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    /// All that `baton node list` says at a member.
    pub(crate) fn list(&self, name: &str) -> String {
        let command = self.command(name, env!("CARGO_BIN_EXE_baton"));
        let (_, said, besides) = all_said_by(command, self.api(name), &["node", "list"]);
        said + &besides
    }

    /// Who is control, as a member says.
    pub(crate) fn control_at(&self, name: &str) -> String {
        self.listed(name)["cluster"]["control"]["name"].as_str().unwrap_or_default().to_owned()
    }

    /// Who is control, as all say who are there.
    #[track_caller]
    pub(crate) fn control(&self) -> String {
        let there: Vec<&str> =
            self.members.iter().filter(|member| member.process.is_some()).map(|member| member.name).collect();
        let mut control = String::new();
        let agreed = machine::until(SOON, || {
            control = self.control_at(there[0]);
            let is_there = there.contains(&control.as_str());
            is_there && there.iter().all(|name| self.control_at(name) == control)
        });
        assert!(agreed, "nobody is control\n{}", self.said());
        control
    }

    /// Waits until a member says that somebody else than this one is control.
    #[track_caller]
    pub(crate) fn until_control(&self, name: &str, before: &str) {
        let other = || {
            let control = self.control_at(name);
            !control.is_empty() && control != before
        };
        assert!(machine::until(SOON, other), "it stays {before}\n{}", self.said());
    }

    /// What a member says of a call; null: that it knows none, or is not there.
    pub(crate) fn look(&self, name: &str, call: &str) -> Value {
        let said = self.ask(name, &["calls", call, "--json"]);
        said.ok().and_then(|said| serde_json::from_str(&said).ok()).unwrap_or_default()
    }

    /// The same within a few milliseconds, of a member on the loopback.
    pub(crate) fn glance(&self, name: &str, call: &str) -> Value {
        let url = format!("http://127.0.0.1:{}/api/v1/calls/{call}", self.api(name));
        let said = ureq::get(url).call().ok().and_then(|mut said| said.body_mut().read_to_string().ok());
        said.and_then(|said| serde_json::from_str(&said).ok()).unwrap_or_default()
    }

    /// Has a member on the loopback call somebody, within some milliseconds; the call's id.
    #[track_caller]
    pub(crate) fn place(&self, name: &str, number: &str, trunk: &str) -> String {
        let url = format!("http://127.0.0.1:{}/api/v1/calls", self.api(name));
        let body = json!({"to": number, "questionnaire": "interop", "trunk": trunk}).to_string();
        let mut placed = ureq::post(url).header("content-type", "application/json").send(body).unwrap();
        let placed: Value = serde_json::from_str(&placed.body_mut().read_to_string().unwrap()).unwrap();
        placed["call_id"].as_str().unwrap().to_owned()
    }

    /// Waits until a member says that a call is so.
    #[track_caller]
    pub(crate) fn until(&self, name: &str, call: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let mut seen = Value::Null;
        let came = machine::until(CALL, || {
            seen = self.look(name, call);
            is_so(&seen)
        });
        assert!(came, "at {name} it stays so: {seen:#}\n{}", self.said());
        seen
    }

    /// Waits until the call is asked this question, as a member says.
    #[track_caller]
    pub(crate) fn until_asks(&self, name: &str, call: &str, question: &str) {
        self.until(name, call, |seen| seen["item"] == question);
    }

    /// Waits until a member has taken over or regained a call: when it was seen.
    #[track_caller]
    pub(crate) fn until_talks(&self, name: &str, call: &str) -> f64 {
        self.until(name, call, |seen| seen["state"] == "talking");
        now()
    }

    /// Waits for the end of a call at a member; what its result is there. The logs of all stand beside it.
    #[track_caller]
    pub(crate) fn outcome(&self, name: &str, call: &str) -> Outcome {
        let mut ended = self.until(name, call, |seen| seen["state"] == "ended");
        Outcome { code: Some(0), result: ended["result"].take(), stderr: self.said(), place: Place::new() }
    }
}
