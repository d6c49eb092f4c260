//! `baton node list`: instances, and how they are.

use clap::Subcommand;
use serde_json::Value;

use super::check::to_stdout;
use super::client::Where;
use super::{Exit, table};

/// Arguments of `baton node`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// This instance, and the other members of its cluster as it knows them
    List(List),
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 all are ready, 1 one is not, 2 wrong usage, or the instance refused, 3 no \
                        instance answers."
)]
struct List {
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    instance: Where,
}

/// Asks, and prints.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let Command::List(list) = &args.command;
    let answer = list.instance.client()?.get("/api/v1/nodes")?;
    let nodes = answer.get("nodes").and_then(Value::as_array).cloned().unwrap_or_default();
    if list.json {
        to_stdout(&format!("{answer}\n"))?;
    } else {
        let head = ["NODE", "STATE", "CALLS", "LIMIT", "LATE", "FAULTS", "VERSION", "SINCE"];
        to_stdout(&table::lines(&head, &nodes.iter().map(row).collect::<Vec<_>>(), &[2, 3, 4, 5]))?;
        for reason in
            nodes.iter().filter_map(|node| node.get("reasons")).filter_map(Value::as_array).flatten()
        {
            super::say(&format!("{}: {}", text(reason, "code"), text(reason, "detail")));
        }
    }
    let cluster = answer.get("cluster");
    if let (Some(cluster), false) = (cluster, list.json) {
        to_stdout(&format!("\n{}{}{}", members(cluster), control(cluster), voters(cluster)))?;
        differing(cluster);
        if let Some(why) = cluster.get("engine_away").and_then(Value::as_str) {
            super::say(&format!("etcd is away: calls go on, and nobody's are taken over: {why}"));
        }
        if let Some(assets) = cluster.get("assets") {
            equality(assets, &nodes);
        }
    }
    let others = cluster.and_then(|cluster| cluster.get("members")).and_then(Value::as_array);
    let all = nodes.iter().chain(others.into_iter().flatten());
    let all_ready = all.into_iter().all(|node| text(node, "state") == "ready");
    Ok(if all_ready { Exit::Done } else { Exit::Not })
}

/// What is to be said of the files that all members are to have.
fn equality(assets: &Value, nodes: &[Value]) {
    let reasons = nodes.iter().filter_map(|node| node.get("reasons")?.as_array()).flatten();
    let is_told = reasons.into_iter().any(|reason| text(reason, "code") == "unequal");
    if !is_told && let Some(why) = assets.get("behind").and_then(Value::as_str) {
        super::say(&format!("this instance has not what all members are to have: {why}"));
    }
    let differs = assets.get("differs").and_then(Value::as_array).cloned().unwrap_or_default();
    let differs: Vec<&str> = differs.iter().filter_map(Value::as_str).collect();
    if !differs.is_empty() {
        let differs = differs.join(", ");
        super::say(&format!(
            "this instance's own files are not the cluster's, which hold: {differs}; `baton cluster publish` makes them the \
             cluster's"
        ));
    }
}

/// Who places the cluster's calls.
fn control(cluster: &Value) -> String {
    let Some(control) = cluster.get("control").filter(|control| !control.is_null()) else {
        return "control: nobody\n".to_owned();
    };
    let here = control.get("here").and_then(Value::as_bool).unwrap_or_default();
    format!("control: {}{}\n", text(control, "name"), if here { ", this instance" } else { "" })
}

/// Who votes on this member, and for how long promises last.
fn voters(cluster: &Value) -> String {
    let (names, promise) = (names(cluster, "voters"), cluster.get("promise_ms").and_then(Value::as_u64));
    match (names, promise) {
        (Some(names), Some(promise)) if !names.is_empty() => {
            format!("voters: {names}; promises of {promise} ms\n")
        }
        (Some(_), _) => "voters: nobody\n".to_owned(),
        (None, _) => String::new(),
    }
}

fn names(from: &Value, key: &str) -> Option<String> {
    let names: Vec<&str> = from.get(key)?.as_array()?.iter().filter_map(Value::as_str).collect();
    Some(names.join(", "))
}

/// What is to be said of voters that do not hold yet, and of members that go by other ones.
fn differing(cluster: &Value) {
    let (to_be, ms_to_be) =
        (names(cluster, "voters_to_be"), cluster.get("promise_ms_to_be").and_then(Value::as_u64));
    if let (Some(voters), Some(ms)) = (&to_be, ms_to_be) {
        super::say(&format!(
            "the voters of this member are to be {voters}, with promises of {ms} ms: as soon as a majority of them answers; until \
             then those before hold"
        ));
    }
    let own = to_be.or_else(|| names(cluster, "voters"));
    let promise = ms_to_be.or_else(|| cluster.get("promise_ms").and_then(Value::as_u64));
    for member in cluster.get("members").and_then(Value::as_array).into_iter().flatten() {
        let Some(its) = names(member, "voters") else { continue };
        let its_promise = member.get("promise_ms").and_then(Value::as_u64);
        if Some(&its) != own.as_ref() || its_promise != promise {
            let ms = its_promise.unwrap_or_default();
            super::say(&format!(
                "{} goes by other voters, or another promise, than this one ({its}; {ms} ms): give all members the same \
                 [cluster] voters and promise, and reload them",
                text(member, "name")
            ));
        }
    }
}

/// The other members.
fn members(cluster: &Value) -> String {
    let head = ["MEMBER", "STATE", "ROLE", "CALLS", "LIMIT", "LATE", "CPU"];
    let members = cluster.get("members").and_then(Value::as_array).cloned().unwrap_or_default();
    let row = |member: &Value| {
        let number = |name: &str, unit: &str| match member.get(name).and_then(Value::as_u64) {
            Some(number) => format!("{number}{unit}"),
            None => "-".to_owned(),
        };
        let late = member.get("late_us").and_then(Value::as_u64).map(|us| us.div_ceil(1_000));
        vec![
            text(member, "name").to_owned(),
            text(member, "state").to_owned(),
            text(member, "role").to_owned(),
            number("calls", ""),
            number("limit", ""),
            late.map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms")),
            number("cpu_percent", " %"),
        ]
    };
    table::lines(&head, &members.iter().map(row).collect::<Vec<_>>(), &[3, 4, 5, 6])
}

fn row(node: &Value) -> Vec<String> {
    let number = |name: &str| node.get(name).and_then(Value::as_u64).unwrap_or_default().to_string();
    let faults: u64 = node
        .get("faults")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|fault| fault.get("count")?.as_u64())
        .sum();
    vec![
        text(node, "name").to_owned(),
        text(node, "state").to_owned(),
        number("calls"),
        number("limit"),
        late(node),
        faults.to_string(),
        text(node, "version").to_owned(),
        text(node, "since").to_owned(),
    ]
}

/// Of its packets, how many left 20 ms late or later: a callee hears that.
fn late(node: &Value) -> String {
    let count = |value: &Value| value.get("count").and_then(Value::as_u64).unwrap_or_default();
    let lateness = node.get("lateness").cloned().unwrap_or_default();
    let buckets = lateness.get("buckets").and_then(Value::as_array).cloned().unwrap_or_default();
    let above = lateness.get("above").and_then(Value::as_u64).unwrap_or_default();
    let is_late =
        |bucket: &&Value| bucket.get("below_ms").and_then(Value::as_u64).is_some_and(|below| below > 20);
    let late = above + buckets.iter().filter(is_late).map(count).sum::<u64>();
    let all = above + buckets.iter().map(count).sum::<u64>();
    if all == 0 {
        return "-".to_owned();
    }
    let hundredths = late.saturating_mul(10_000) / all;
    format!("{}.{:02} %", hundredths / 100, hundredths % 100)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}
