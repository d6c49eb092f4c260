//! The API of an instance, from the command line.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body};

use super::MachineError;

/// How long an answer may take: longer than the instance itself takes.
const PATIENCE: Duration = Duration::from_secs(40);
/// Tries of a request that changes nothing when it is sent again, while the instance cannot be reached.
const TRIES: u32 = 3;
/// Bytes of an answer.
const MAX_BYTES: u64 = 64 << 20;

/// Which instance, and by what right.
#[derive(Debug, clap::Args)]
pub(super) struct Where {
    /// The API of the instance; over a network use a tunnel, or a proxy of its own that speaks TLS
    #[arg(long, value_name = "URL", env = "BATON_URL", default_value = "http://127.0.0.1:8090")]
    url: String,
    /// A file whose one line is the token; else the environment variable BATON_TOKEN, if it is set
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// A way to an instance.
#[derive(Debug)]
pub(super) struct Client {
    agent: Agent,
    url: String,
    token: Option<String>,
}

/// What the instance refused.
#[derive(Debug, thiserror::Error)]
#[error("{said}")]
pub(super) struct RefusedByInstance {
    pub(super) status: u16,
    said: String,
}

impl Where {
    pub(super) fn client(&self) -> anyhow::Result<Client> {
        let url = self.url.trim_end_matches('/').to_owned();
        if !url.starts_with("http://") {
            bail!("--url {url}: an address such as http://127.0.0.1:8090 is needed (TLS is not spoken)");
        }
        let token = match &self.token_file {
            Some(file) => {
                let read = std::fs::read_to_string(file);
                Some(read.with_context(|| format!("cannot read the token in {}", file.display()))?)
            }
            None => std::env::var("BATON_TOKEN").ok(),
        };
        let token = token.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty());
        Ok(Client::at(url, token))
    }
}

impl Client {
    /// The way to the instance whose API is at this address.
    pub(super) fn at(url: String, token: Option<String>) -> Self {
        let agent = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .proxy(None)
            .user_agent(concat!("baton/", env!("CARGO_PKG_VERSION")))
            .build();
        Self { agent: agent.into(), url, token }
    }

    /// What stands at a path.
    pub(super) fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.ask(|url, right| self.agent.get(url).header("authorization", right).call(), path)
    }

    /// Has something removed.
    pub(super) fn delete(&self, path: &str) -> anyhow::Result<Value> {
        self.ask(|url, right| self.agent.delete(url).header("authorization", right).call(), path)
    }

    /// Sends a request that has a key: sent again it is the same one.
    pub(super) fn post(&self, path: &str, key: &str, body: &Value) -> anyhow::Result<Value> {
        let text = body.to_string();
        let send = |url: &str, right: &str| {
            let request = self.agent.post(url).header("authorization", right);
            let request = request.header("content-type", "application/json");
            request.header("idempotency-key", format!("\"{key}\"")).send(text.as_str())
        };
        self.ask(send, path)
    }

    fn ask(
        &self,
        send: impl Fn(&str, &str) -> Result<Response<Body>, ureq::Error>,
        path: &str,
    ) -> anyhow::Result<Value> {
        let url = format!("{}{path}", self.url);
        let right = self.token.as_ref().map(|token| format!("Bearer {token}")).unwrap_or_default();
        let mut tried = 1;
        let response = loop {
            match send(&url, &right) {
                Ok(response) => break response,
                Err(_) if tried < TRIES => tried += 1,
                Err(error) => {
                    let what =
                        format!("no instance answers at {} (is `baton serve` running there?)", self.url);
                    return Err(MachineError(anyhow::Error::new(error).context(what)).into());
                }
            }
            std::thread::sleep(Duration::from_millis(500));
        };
        read(response)
    }
}

fn read(response: Response<Body>) -> anyhow::Result<Value> {
    let (head, mut body) = response.into_parts();
    let text = body.with_config().limit(MAX_BYTES).read_to_string();
    let text = text.context("the answer broke off").map_err(MachineError)?;
    if head.status.is_success() {
        if text.is_empty() {
            return Ok(Value::Null);
        }
        return serde_json::from_str(&text).context("the answer is no JSON; is this an instance of Baton?");
    }
    Err(RefusedByInstance { status: head.status.as_u16(), said: said(head.status, &text) }.into())
}

/// A problem, for a person: its title and detail, and a line for each mistake.
fn said(status: StatusCode, text: &str) -> String {
    let problem: Value = serde_json::from_str(text).unwrap_or_default();
    let word = |name: &str| problem.get(name).and_then(Value::as_str);
    let Some(title) = word("title") else { return format!("the instance answered {status}") };
    let mut said = match word("detail") {
        Some(detail) => format!("{title}: {detail}"),
        None => title.to_owned(),
    };
    for error in problem.get("errors").and_then(Value::as_array).into_iter().flatten() {
        let word = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
        let place = format!("{}{}", word("pointer"), word("parameter"));
        said += &format!("\n  {place}: {}", word("detail"));
    }
    said
}
