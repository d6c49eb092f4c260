//! `GET /metrics`: Prometheus text format 0.0.4. docs/serve.md says what to watch.

use std::fmt::{Display, Write as _};
use std::sync::Arc;

use axum::extract::State as Shared;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};

use crate::cluster::Status;
use crate::engine::Index;
use crate::instance::{Instance, Tally, Told};
use crate::node::{LatenessCounts, TrunkUsage, Usage};
use crate::sync::Standing;

/// All of them.
pub(super) async fn all(Shared(instance): Shared<Arc<Instance>>) -> Response {
    let mut text = Text::default();
    let ready = instance.troubles().await.is_empty();
    text.one("baton_ready", "gauge", "Whether new calls may be sent here.", u8::from(ready));
    text.head("baton_info", "gauge", "The version that runs.");
    text.sample("baton_info", &[("version", &env!("CARGO_PKG_VERSION"))], 1);
    let since = instance.since().as_millis() / 1_000;
    text.one("baton_start_time_seconds", "gauge", "When the process began, in seconds since 1970.", since);
    text.head("baton_calls", "gauge", "Open calls, by how far they are.");
    for (state, count) in instance.states() {
        text.sample("baton_calls", &[("state", &state)], count);
    }
    tally(&mut text, &instance.tally());
    usage(&mut text, &instance.usage());
    if let Some(status) = instance.cluster() {
        cluster(&mut text, &status);
    }
    if let Some(told) = instance.shared() {
        assets(&mut text, &told);
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text.0).into_response()
}

fn tally(text: &mut Text, tally: &Tally) {
    text.one("baton_calls_accepted_total", "counter", "Calls that were accepted.", tally.accepted);
    let help = "Requests that were refused for want of room, or because no calls are taken.";
    text.one("baton_requests_refused_total", "counter", help, tally.refused);
    text.head("baton_calls_ended_total", "counter", "Results that were kept, by outcome.");
    for disposition in crate::outcome::Disposition::ALL {
        let count = tally.ended.get(&disposition).copied().unwrap_or_default();
        text.sample("baton_calls_ended_total", &[("disposition", &disposition)], count);
    }
    let help = "Tries of attempts that are over, by trunk and final SIP status.";
    text.head("baton_attempts_total", "counter", help);
    for ((trunk, status), count) in &tally.attempts {
        let status = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
        text.sample("baton_attempts_total", &[("trunk", trunk), ("status", &status)], count);
    }
}

fn cluster(text: &mut Text, status: &Status) {
    let speaks = status.standing == Some(Standing::Speaking);
    let help = "1: this member of the cluster may send.";
    text.one("baton_cluster_speaking", "gauge", help, u8::from(speaks));
    let help = "1: etcd does not answer. Calls go on, and nobody's are taken over.";
    text.one("baton_cluster_engine_away", "gauge", help, u8::from(status.engine_away.is_some()));
    let help = "1: fewer other instances than wanted hold copies of its calls, and none starts.";
    text.one("baton_cluster_mirrors_lacking", "gauge", help, u8::from(status.mirrors_lacking));
    let help = "Records of others' calls that are held here.";
    text.one("baton_cluster_copies", "gauge", help, status.records);
    let help = "Other members of the cluster that are there.";
    text.one("baton_cluster_members", "gauge", help, status.others.len());
    let help = "Members of the cluster of which nothing is there.";
    text.one("baton_cluster_members_absent", "gauge", help, status.absent.len());
}

fn assets(text: &mut Text, told: &Told) {
    let version = |index: &Option<Index>| index.as_ref().map_or(0, |index| index.version);
    let help = "Version of the files that all members are to have; 0: none is known.";
    text.one("baton_cluster_assets_published", "gauge", help, version(&told.index));
    let help = "Version of the files that this member has.";
    text.one("baton_cluster_assets_version", "gauge", help, version(&told.adopted));
    let help = "1: this member cannot take the files that all are to have; its log says why.";
    text.one("baton_cluster_assets_behind", "gauge", help, u8::from(told.behind.is_some()));
    let help = "Things in which this instance's own files differ from those that all members are to have.";
    text.one("baton_cluster_assets_differing", "gauge", help, told.differs.len());
    let help = "Files that came from other members.";
    text.one("baton_cluster_assets_pulled_total", "counter", help, told.pulled.files());
    let help = "Bytes that came from other members for them.";
    text.one("baton_cluster_assets_pulled_bytes_total", "counter", help, told.pulled.bytes());
    let help = "Files from other members that were something else than what was asked for.";
    text.one("baton_cluster_assets_refused_total", "counter", help, told.pulled.refused());
}

fn usage(text: &mut Text, usage: &Usage) {
    text.one("baton_node_calls", "gauge", "Calls without an outcome.", usage.calls);
    text.one(
        "baton_node_calls_limit",
        "gauge",
        "Most calls without an outcome ([limits] calls).",
        usage.limit,
    );
    let help =
        "Calls in memory: also those whose last transactions run out, or whose result is not kept yet.";
    text.one("baton_node_calls_held", "gauge", help, usage.held);
    text.one("baton_streams", "gauge", "RTP streams.", usage.streams);
    lateness(text, &usage.lateness);
    let help = "How long ago the slowest shard turned last; more than 5 s is stuck.";
    text.one("baton_shard_turn_age_seconds", "gauge", help, usage.turned.as_secs_f64());
    text.head("baton_faults_total", "counter", "What went wrong outside of calls, by reason.");
    for fault in &usage.faults {
        let labels: [(&str, &dyn Display); 2] = [("kind", &fault.kind), ("reason", &fault.reason)];
        text.sample("baton_faults_total", &labels, fault.count);
    }
    trunks(text, &usage.trunks);
    let journal = usage.journal;
    text.one(
        "baton_journal_commits_total",
        "counter",
        "Groups made durable by one fdatasync.",
        journal.commits,
    );
    text.one("baton_journal_appends_total", "counter", "Appends that are durable.", journal.appends);
    text.one(
        "baton_journal_changes_total",
        "counter",
        "Saves and deletions that are durable.",
        journal.changes,
    );
    text.one("baton_journal_bytes_total", "counter", "Bytes written.", journal.bytes);
    text.one("baton_journal_failed_total", "counter", "Appends that the disk refused.", journal.failed);
    text.one("baton_journal_calls", "gauge", "Calls that the journal holds.", journal.live);
    text.one("baton_journal_segments", "gauge", "Files of the journal.", journal.segments);
    let help = "1: the journal's disk is full, and no calls are taken until there is room.";
    text.one("baton_journal_full", "gauge", help, u8::from(journal.full));
    let help = "Bytes of the journal's reserve that are left.";
    text.one("baton_journal_reserve_bytes", "gauge", help, journal.reserve);
}

fn trunks(text: &mut Text, trunks: &[TrunkUsage]) {
    text.head("baton_trunk_calls", "gauge", "Calls without an outcome, by the trunk that they go through.");
    for one in trunks {
        text.sample("baton_trunk_calls", &[("trunk", &one.trunk)], one.calls);
    }
    text.head(
        "baton_trunk_channels",
        "gauge",
        "Most calls at once, where a trunk has such a limit (channels).",
    );
    for (one, channels) in trunks.iter().filter_map(|one| Some((one, one.channels?))) {
        text.sample("baton_trunk_channels", &[("trunk", &one.trunk)], channels);
    }
    let help = "Starts that found no room on a trunk (channels, cps); another one may have carried the call.";
    text.head("baton_trunk_refused_total", "counter", help);
    for one in trunks {
        text.sample("baton_trunk_refused_total", &[("trunk", &one.trunk)], one.refused);
    }
}

/// A histogram. Its sum is not known: services are counted, not added up.
fn lateness(text: &mut Text, counts: &LatenessCounts) {
    const NAME: &str = "baton_media_lateness_seconds";
    text.head(NAME, "histogram", "How late RTP streams are served.");
    let mut total = 0;
    for (below_ms, count) in counts.below {
        total += count;
        let below = Milliseconds(below_ms);
        text.sample(&format!("{NAME}_bucket"), &[("le", &below)], total);
    }
    total += counts.above;
    text.sample(&format!("{NAME}_bucket"), &[("le", &"+Inf")], total);
    text.sample(&format!("{NAME}_count"), &[], total);
    let help = "RTP packets that were never sent because a thread was far behind.";
    text.one("baton_media_skipped_packets_total", "counter", help, counts.skipped);
}

/// Milliseconds, written as seconds.
struct Milliseconds(u64);

impl Display for Milliseconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1_000, self.0 % 1_000)
    }
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        self.write(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, number: impl Display) {
        self.head(name, kind, help);
        self.sample(name, &[], number);
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &dyn Display)], number: impl Display) {
        let labels: Vec<String> = labels
            .iter()
            .map(|(name, value)| {
                let value = value.to_string().replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
                format!("{name}=\"{value}\"")
            })
            .collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        self.write(format_args!("{name}{labels} {number}\n"));
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        self.0.write_fmt(text).expect("a string takes all");
    }
}
