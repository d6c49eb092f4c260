//! `baton calls`: the calls of an instance.

use serde_json::Value;

use super::check::to_stdout;
use super::client::{Client, Where};
use super::{Exit, table};

/// Calls of one answer at most.
const PAGE: u32 = 500;

/// Arguments of `baton calls`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
                        baton calls --state talking\n  \
                        baton calls --disposition busy --limit 200 --json\n  \
                        baton calls 4gq2x0v9c1m7kzte\n  \
                        baton calls 4gq2x0v9c1m7kzte --hang-up\n\n\
                        Exit codes: 0 done, 1 there is no such call, or it is over, 2 wrong usage, or the instance \
                        refused, 3 no instance answers.")]
pub(super) struct Args {
    /// Only this call, with its result if it is over
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// End the call: CANCEL or BYE, and the outcome so far
    #[arg(long, requires = "id")]
    hang_up: bool,
    /// open, accepted, dialling, ringing, talking, ending or ended
    #[arg(long, value_name = "STATE", conflicts_with_all = ["id", "disposition"])]
    state: Option<String>,
    /// Those that ended so: complete, busy, no_answer …
    #[arg(long, value_name = "DISPOSITION", conflicts_with = "id")]
    disposition: Option<String>,
    /// The newest so many
    #[arg(long, value_name = "NUMBER", default_value_t = 50, conflicts_with = "id")]
    limit: u32,
    /// Print JSON: an object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    instance: Where,
}

/// Asks, and prints.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let client = args.instance.client()?;
    let Some(id) = &args.id else {
        let calls = list(&client, args)?;
        return print(&calls, args.json);
    };
    let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    anyhow::ensure!(is_id, "`{id}` is no id of a call: 16 letters and digits, as `baton place` prints them");
    let path = format!("/api/v1/calls/{id}");
    let answer = if args.hang_up { client.delete(&path) } else { client.get(&path) };
    match answer {
        Ok(_) if args.hang_up => Ok(Exit::Done),
        Ok(call) if args.json => to_stdout(&format!("{call}\n")).map(|()| Exit::Done),
        Ok(call) => {
            let shown = print(std::slice::from_ref(&call), false)?;
            if let Some(result) = call.get("result").filter(|result| !result.is_null()) {
                to_stdout(&format!("\n{}\n", serde_json::to_string_pretty(result)?))?;
            }
            Ok(shown)
        }
        Err(error) => match error.downcast_ref::<super::client::RefusedByInstance>() {
            Some(refused) if matches!(refused.status, 404 | 409) => {
                super::say(&format!("baton: {refused}"));
                Ok(Exit::Not)
            }
            Some(_) | None => Err(error),
        },
    }
}

/// The newest calls that pass, page by page.
fn list(client: &Client, args: &Args) -> anyhow::Result<Vec<Value>> {
    let mut calls = Vec::new();
    let mut before = None;
    loop {
        let left = args.limit.saturating_sub(u32::try_from(calls.len()).unwrap_or(u32::MAX));
        if left == 0 {
            return Ok(calls);
        }
        let mut path = format!("/api/v1/calls?limit={}", left.min(PAGE));
        let filters = [("state", &args.state), ("disposition", &args.disposition)];
        for (name, value) in filters.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
            let is_word = value.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            anyhow::ensure!(
                is_word && !value.is_empty(),
                "--{name} {value}: a word such as `talking` or `busy`"
            );
            path += &format!("&{name}={value}");
        }
        if let Some(before) = before {
            path += &format!("&before={before}");
        }
        let page = client.get(&path)?;
        calls.extend(page.get("calls").and_then(Value::as_array).cloned().unwrap_or_default());
        before = page.get("next_before").and_then(Value::as_i64);
        if before.is_none() {
            return Ok(calls);
        }
    }
}

fn print(calls: &[Value], json: bool) -> anyhow::Result<Exit> {
    if json {
        let lines: String = calls.iter().map(|call| format!("{call}\n")).collect();
        return to_stdout(&lines).map(|()| Exit::Done);
    }
    let cell = |call: &Value, name: &str| call.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
    let row = |call: &Value| {
        let asked = call.get("questionnaire").map(|asked| cell(asked, "id")).unwrap_or_default();
        let how = match call.get("disposition").and_then(Value::as_str) {
            Some(disposition) => disposition.to_owned(),
            None => cell(call, "item"),
        };
        vec![
            cell(call, "call_id"),
            cell(call, "state"),
            how,
            cell(call, "to"),
            cell(call, "trunk"),
            asked,
            cell(call, "since"),
        ]
    };
    let rows: Vec<Vec<String>> = calls.iter().map(row).collect();
    let head = ["CALL", "STATE", "OUTCOME OR QUESTION", "TO", "TRUNK", "QUESTIONNAIRE", "SINCE"];
    to_stdout(&table::lines(&head, &rows, &[]))?;
    Ok(Exit::Done)
}
