//! This instance: how it is, and whether it takes calls.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use serde_json::{Value, json as value};

use super::assets::standing;
use super::problem::json;
use crate::cluster::{Copies, Status};
use crate::instance::{Instance, STUCK, Trouble};
use crate::sync::{Role, Standing, Terms, Usage};

/// `GET /healthz`: the process answers and its shards turn. Whoever restarts what fails this helps.
pub(super) async fn health(Shared(instance): Shared<Arc<Instance>>) -> Response {
    if instance.usage().turned > STUCK {
        return (StatusCode::SERVICE_UNAVAILABLE, "stuck\n").into_response();
    }
    (StatusCode::OK, "ok\n").into_response()
}

#[derive(Serialize)]
struct Readiness {
    ready: bool,
    reasons: Vec<Trouble>,
}

/// `GET /readyz`: whether new calls may be sent here, and why not.
pub(super) async fn ready(Shared(instance): Shared<Arc<Instance>>) -> Response {
    let reasons = instance.troubles().await;
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    json(status, &Readiness { ready: reasons.is_empty(), reasons })
}

/// `GET /api/v1/nodes`
pub(super) async fn list(Shared(instance): Shared<Arc<Instance>>) -> Response {
    let usage = instance.usage();
    let reasons = instance.troubles().await;
    let state = match reasons.first() {
        None => "ready",
        Some(trouble) => trouble.code,
    };
    let lateness: Vec<_> = usage
        .lateness
        .below
        .iter()
        .map(|(below_ms, count)| value!({"below_ms": below_ms, "count": count}))
        .collect();
    let faults: Vec<_> = usage
        .faults
        .iter()
        .map(|fault| value!({"kind": fault.kind, "reason": fault.reason, "count": fault.count}))
        .collect();
    let questionnaires: Vec<_> = instance
        .questionnaires()
        .await
        .into_iter()
        .map(|(id, version, digest)| value!({"id": id, "version": version, "digest": digest}))
        .collect();
    let trunks: Vec<_> = usage
        .trunks
        .iter()
        .map(|one| {
            value!({
                "trunk": one.trunk, "calls": one.calls, "channels": one.channels, "cps": one.cps,
                "refused": one.refused,
            })
        })
        .collect();
    let journal = usage.journal;
    let node = value!({
        "name": instance.name(),
        "version": env!("CARGO_PKG_VERSION"),
        "state": state,
        "reasons": reasons,
        "since": instance.since().to_string(),
        "sip": instance.sip(),
        "calls": usage.calls,
        "held": usage.held,
        "limit": usage.limit,
        "streams": usage.streams,
        "trunks": trunks,
        "questionnaires": questionnaires,
        "lateness": {"buckets": lateness, "above": usage.lateness.above, "skipped": usage.lateness.skipped},
        "faults": faults,
        "journal": {
            "commits": journal.commits, "appends": journal.appends, "changes": journal.changes,
            "bytes": journal.bytes, "failed": journal.failed, "live": journal.live, "segments": journal.segments,
            "full": journal.full, "reserve": journal.reserve,
        },
    });
    let mut answer = value!({"nodes": [node]});
    if let (Some(status), Some(members)) = (instance.cluster(), answer.as_object_mut()) {
        let mut cluster = cluster(&status);
        if let (Some(told), Some(members)) = (instance.shared(), cluster.as_object_mut()) {
            members.insert("assets".to_owned(), standing(&told));
        }
        members.insert("cluster".to_owned(), cluster);
    }
    json(StatusCode::OK, &answer)
}

/// `GET /api/v1/copies`: the records of each incarnation of the cluster that are held here. At rest they are equal
/// everywhere.
pub(super) async fn copies(Shared(instance): Shared<Arc<Instance>>) -> Response {
    let copies = instance.copies().await.unwrap_or_default();
    let streams = copies.iter().map(|Copies { owner, records, digest }| {
        value!({
            "member": owner.node.as_str(), "run": owner.run, "records": records, "digest": digest.to_string(),
        })
    });
    json(StatusCode::OK, &value!({"streams": streams.collect::<Vec<_>>()}))
}

/// How this instance's membership stands, and how the other members are as it knows.
fn cluster(status: &Status) -> Value {
    let told = |usage: Option<Usage>| {
        let own = status.usage.and_then(|own| own.assets);
        let state = match usage {
            None => "unheard",
            Some(usage) if usage.drains => "draining",
            Some(usage) if usage.assets != own => "unequal",
            Some(_) => "ready",
        };
        (state, usage.unwrap_or(Usage::NONE))
    };
    let there = status.others.iter().map(|other| {
        let (state, usage) = told(other.usage);
        let (state, role) = match other.role {
            Role::Witness => (if other.usage.is_some() { "ready" } else { state }, "witness"),
            Role::Instance => (state, "instance"),
        };
        let terms = status.terms_of_others.get(&other.incarnation.node);
        value!({
            "name": other.incarnation.node.as_str(), "run": other.incarnation.run, "role": role, "state": state,
            "calls": usage.calls, "limit": usage.limit, "late_us": usage.late_us, "cpu_percent": usage.cpu_percent,
            "assets": usage.assets, "voters": terms.map(voters), "promise_ms": terms.map(promise_ms),
        })
    });
    let absent = status.absent.iter().map(|node| value!({"name": node.as_str(), "state": "absent"}));
    let members: Vec<Value> = there.chain(absent).collect();
    let standing = match status.standing {
        Some(Standing::Speaking) => "speaking",
        Some(Standing::Silent) => "silent",
        Some(Standing::Waiting) | None => "waiting",
    };
    let control = status.seat.map(|seat| {
        value!({
            "name": seat.holder.node.as_str(), "run": seat.holder.run, "epoch": seat.epoch,
            "here": status.controls.is_some(),
        })
    });
    let to_be = status.wanted.as_ref().filter(|wanted| Some(*wanted) != status.terms.as_ref());
    value!({
        "control": control,
        "voters": status.terms.as_ref().map(voters),
        "voters_to_be": to_be.map(voters),
        "promise_ms": status.terms.as_ref().map(promise_ms),
        "promise_ms_to_be": to_be.map(promise_ms),
        "run": status.incarnation.map(|own| own.run),
        "standing": standing,
        "engine_away": status.engine_away,
        "mirrors_lacking": status.mirrors_lacking,
        "copies": status.records,
        "members": members,
    })
}

fn voters(terms: &Terms) -> Vec<String> {
    terms.voters.iter().map(|voter| voter.to_string()).collect()
}

fn promise_ms(terms: &Terms) -> u64 {
    u64::try_from(terms.promise.as_millis()).unwrap_or(u64::MAX)
}
