//! `baton cluster publish` and `files`: what all members of a cluster have alike.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::check::to_stdout;
use super::client::{Client, Where};
use super::{Exit, table};

/// How long members that are there may take until they have what was published.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often they are looked at.
const LOOK: Duration = Duration::from_millis(500);

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 all members that are there have it, 1 one of them has not within a minute, 2 wrong usage, \
                  or nothing was published and everything stays as it was, 3 no instance answers."
)]
pub(super) struct Publish {
    /// Also if others have published since this instance's files were the cluster's: theirs are replaced
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    instance: Where,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 this instance has it, 1 it has not, 2 wrong usage, 3 no instance answers."
)]
pub(super) struct Files {
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    instance: Where,
}

/// Has an instance publish its own files, and waits until all that are there have them.
pub(super) fn publish(args: &Publish) -> anyhow::Result<Exit> {
    let client = args.instance.client()?;
    // A second try finds what the first one published.
    let published = client.post("/api/v1/assets", "publish", &json!({"force": args.force}))?;
    let version = published.get("version").and_then(Value::as_u64).unwrap_or_default();
    let changes = published.get("changes").and_then(Value::as_array).cloned().unwrap_or_default();
    let changes: Vec<&str> = changes.iter().filter_map(Value::as_str).collect();
    let what = if changes.is_empty() { "nothing has changed".to_owned() } else { changes.join(", ") };
    to_stdout(&format!("version {version}: {what}\n"))?;
    let (mut told, begun) = (BTreeMap::new(), Instant::now());
    loop {
        let members = members(&client)?;
        for (name, has) in &members {
            if told.get(name) != Some(has) && (*has != Has::NotYet) {
                let what = if *has == Has::Absent { "absent: it takes it when it comes" } else { "has it" };
                to_stdout(&format!("{name}: {what}\n"))?;
                told.insert(name.clone(), *has);
            }
        }
        let lacking: Vec<&String> =
            members.iter().filter(|(_, has)| **has == Has::NotYet).map(|(name, _)| name).collect();
        if lacking.is_empty() {
            return Ok(Exit::Done);
        }
        if begun.elapsed() >= PATIENCE {
            for name in lacking {
                super::say(&format!("{name} has it not: `baton node list` there, and its log, say why"));
            }
            return Ok(Exit::Not);
        }
        std::thread::sleep(LOOK);
    }
}

/// Whether a member has what all are to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Has {
    Yes,
    NotYet,
    Absent,
}

fn members(client: &Client) -> anyhow::Result<BTreeMap<String, Has>> {
    let answer = client.get("/api/v1/nodes")?;
    let digest = answer.pointer("/cluster/assets/cluster/digest").and_then(Value::as_str).unwrap_or_default();
    let here = answer.pointer("/cluster/assets/here/digest").and_then(Value::as_str);
    let own = answer.pointer("/nodes/0/name").and_then(Value::as_str).unwrap_or_default();
    let of = |is: Option<&str>| if is == Some(digest) { Has::Yes } else { Has::NotYet };
    let members = answer.pointer("/cluster/members").and_then(Value::as_array).cloned().unwrap_or_default();
    let others = members.iter().filter_map(|member| {
        let word = |name: &str| member.get(name).and_then(Value::as_str);
        let has = if word("state") == Some("absent") { Has::Absent } else { of(word("assets")) };
        (word("role") != Some("witness")).then(|| Some((word("name")?.to_owned(), has)))?
    });
    Ok(others.chain([(own.to_owned(), of(here))]).collect())
}

/// Shows what all members have.
pub(super) fn files(args: &Files) -> anyhow::Result<Exit> {
    let answer = args.instance.client()?.get("/api/v1/assets")?;
    if args.json {
        to_stdout(&format!("{answer}\n"))?;
    } else {
        to_stdout(&shown(&answer))?;
    }
    if let Some(why) = answer.get("behind").and_then(Value::as_str) {
        super::say(&format!("this instance has not what all are to have: {why}"));
    }
    let differs = answer.get("differs").and_then(Value::as_array).cloned().unwrap_or_default();
    let differs: Vec<&str> = differs.iter().filter_map(Value::as_str).collect();
    if !differs.is_empty() {
        super::say(&format!("this instance's own files are other ones: {}", differs.join(", ")));
    }
    Ok(if answer.get("behind").is_some_and(Value::is_null) { Exit::Done } else { Exit::Not })
}

fn shown(answer: &Value) -> String {
    let text = |at: &Value, name: &str| match at.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => "-".to_owned(),
        Some(other) => other.to_string(),
    };
    let mut shown = match answer.get("here") {
        Some(here @ Value::Object(_)) => {
            format!(
                "version {}, published by {} at {}\n\n",
                text(here, "version"),
                text(here, "by"),
                text(here, "at")
            )
        }
        Some(_) | None => "nothing is published yet; these are this instance's own\n\n".to_owned(),
    };
    let questionnaires = answer.get("questionnaires").and_then(Value::as_array).cloned().unwrap_or_default();
    let row = |one: &Value| ["id", "version", "files", "bytes", "dir"].map(|name| text(one, name)).to_vec();
    let head = ["QUESTIONNAIRE", "VERSION", "FILES", "BYTES", "KEPT IN"];
    shown += &table::lines(&head, &questionnaires.iter().map(row).collect::<Vec<_>>(), &[2, 3]);
    let trunks = answer.get("trunks").and_then(Value::as_array).cloned().unwrap_or_default();
    let trunks: Vec<&str> = trunks.iter().filter_map(Value::as_str).collect();
    shown += &format!("\ndialplan: {}\ntrunks: {}\n", text(answer, "dialplan"), trunks.join(", "));
    shown
}
