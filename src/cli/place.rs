//! `baton place`: asks an instance for a call.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::check::to_stdout;
use super::client::Where;
use super::{Exit, MachineError, survey};

/// How often a call that is waited for is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Arguments of `baton place`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
                        baton place +254712345678 --questionnaire clinic --set first_name=Asha\n  \
                        baton place +254712345678 --questionnaire clinic --wait --json\n\n\
                        The request is sent with a key, so that the instance takes it once, also if its answer was \
                        lost and it is sent again. Give your own with --key to be safe over runs of this command.\n\n\
                        Exit codes: 0 the call is accepted (with --wait: the interview is complete), 1 with --wait: \
                        it ended in another way, 2 wrong usage, or the instance refused, 3 no instance answers.")]
pub(super) struct Args {
    /// Whom to call: a number, which the instance's dialplan routes, or a sip: URI
    #[arg(value_name = "NUMBER|URI")]
    to: String,
    /// Id of a questionnaire that the instance has
    #[arg(long, value_name = "ID")]
    questionnaire: String,
    /// A contact field; repeat for more
    #[arg(long, value_name = "FIELD=VALUE", value_parser = survey::field)]
    set: Vec<(String, String)>,
    /// Call through this trunk, past the dialplan
    #[arg(long, value_name = "TRUNK")]
    trunk: Option<String>,
    /// The context of the dialplan
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// The number to show
    #[arg(long, value_name = "NUMBER")]
    caller_id: Option<String>,
    /// How long it may ring, such as 35s
    #[arg(long, value_name = "TIME")]
    ring_timeout: Option<String>,
    /// Send these keys after the answer, such as ww12
    #[arg(long, value_name = "KEYS")]
    post_dial: Option<String>,
    /// What the order of questions is drawn from: the `seed` of an earlier result
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u32>,
    /// The case that the call is an attempt of: a name of yours. All its attempts hear one order of questions, and
    /// `GET /api/v1/cases/NAME` tells what they have come to
    #[arg(long, value_name = "NAME")]
    case: Option<String>,
    /// The key of this request; without it one is drawn
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Wait until the call is over, and tell how it ended
    #[arg(long)]
    wait: bool,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    instance: Where,
}

/// Asks, and perhaps waits.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let client = args.instance.client()?;
    let key = match &args.key {
        Some(key) => key.clone(),
        None => drawn()?,
    };
    let mut call = client.post("/api/v1/calls", &key, &body(args))?;
    let id = text(&call, "call_id").to_owned();
    if args.wait {
        if !args.json {
            super::say(&format!("call {id}"));
        }
        let path = format!("/api/v1/calls/{id}");
        while text(&call, "state") != "ended" {
            std::thread::sleep(LOOK);
            call = client.get(&path)?;
        }
    }
    let line = match (args.json, args.wait) {
        (true, _) => call.to_string(),
        (false, false) => id,
        (false, true) => text(&call, "disposition").to_owned(),
    };
    to_stdout(&(line + "\n"))?;
    let is_complete = text(&call, "disposition") == "complete";
    Ok(if args.wait && !is_complete { Exit::Not } else { Exit::Done })
}

fn body(args: &Args) -> Value {
    let mut body = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        body.extend(value.map(|value| (name.to_owned(), value)));
    };
    put("to", Some(args.to.clone().into()));
    put("questionnaire", Some(args.questionnaire.clone().into()));
    put("fields", (!args.set.is_empty()).then(|| json!(survey::fields(&args.set))));
    put("trunk", args.trunk.clone().map(Value::from));
    put("context", args.context.clone().map(Value::from));
    put("caller_id", args.caller_id.clone().map(Value::from));
    put("ring_timeout", args.ring_timeout.clone().map(Value::from));
    put("post_dial", args.post_dial.clone().map(Value::from));
    put("seed", args.seed.map(Value::from));
    put("case", args.case.clone().map(Value::from));
    Value::Object(body)
}

fn drawn() -> anyhow::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| MachineError(error.into()))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}
