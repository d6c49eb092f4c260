//! The document of the API, held against what is served. (tests/serve asks a real instance for each of its methods.)

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::OPENAPI;
use crate::call::{CallResult, Fault, TryEnd};
use crate::instance::State;
use crate::instance::request::CallRequest;
use crate::outcome::Disposition;

#[path = "../../tests/serve/shape.rs"]
mod shape;

fn document() -> Value {
    serde_json::from_str(OPENAPI).unwrap()
}

/// `.route("/api/v1/calls", get(calls::list).post(calls::place))`
fn routes() -> BTreeSet<(String, String)> {
    let source = include_str!("mod.rs");
    let mut routes = BTreeSet::new();
    for line in source.lines().filter_map(|line| line.trim().strip_prefix(".route(\"")) {
        let (path, handlers) = line.split_once('"').unwrap();
        for method in ["get", "post", "put", "patch", "delete"] {
            if handlers.contains(&format!("{method}(")) {
                routes.insert((path.to_owned(), method.to_owned()));
            }
        }
    }
    routes
}

#[test]
fn the_document_has_every_route_and_no_other() {
    let mut told = BTreeSet::new();
    for (path, methods) in document()["paths"].as_object().unwrap() {
        told.extend(methods.as_object().unwrap().keys().map(|method| (path.clone(), method.clone())));
    }
    assert_eq!(told, routes());
    assert!(told.len() > 8, "{told:?}");
}

#[test]
fn the_document_has_every_word() {
    let document = document();
    let words = |pointer: &str| -> BTreeSet<String> {
        let words = document.pointer(pointer).unwrap().as_array().unwrap();
        words.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect()
    };
    let dispositions: BTreeSet<String> = Disposition::ALL.map(|it| it.as_str().to_owned()).into();
    assert_eq!(words("/components/schemas/Call/properties/disposition/enum"), dispositions);
    assert_eq!(words("/paths/~1api~1v1~1calls/get/parameters/3/schema/enum"), dispositions);
    let mut states: BTreeSet<String> = State::ALL.map(|it| it.as_str().to_owned()).into();
    states.insert("ended".into());
    assert_eq!(words("/components/schemas/Call/properties/state/enum"), states);
    states.insert("open".into());
    assert_eq!(words("/paths/~1api~1v1~1calls/get/parameters/2/schema/enum"), states);
}

#[test]
fn the_document_has_every_member_of_a_request() {
    let document = document();
    let members = document["components"]["schemas"]["CallRequest"]["properties"].as_object().unwrap();
    for name in members.keys() {
        let mistakes = CallRequest::read(&serde_json::json!({name: []})).unwrap_err();
        let unknown = |detail: &str| detail.contains("no such member");
        assert!(mistakes.iter().all(|mistake| !unknown(&mistake.detail)), "{name}: {mistakes:?}");
    }
    let told = CallRequest::read(&serde_json::json!({"zzzzzzzzzz": 1})).unwrap_err();
    let listed = told[0].detail.split_once("there are ").unwrap().1.trim_end_matches(')').to_owned();
    assert_eq!(listed.split(", ").count(), members.len());
}

/// A result in which nothing is left out.
fn full() -> Value {
    let at = "2026-11-23T06:43:37.120Z";
    let tried = json!({
        "trunk": "a", "end": "answered", "sip_status": 200, "cause": 16, "retry_after_s": 5, "not_followed": ["sip:112@h"],
        "started_at": at, "ringing_at": at, "ended_at": at,
    });
    let media = json!({
        "codec": "PCMU", "sent": 1, "received": 1, "expected": 1, "lost": 0, "duplicated": 0, "reordered": 0,
        "malformed": 0, "strangers": 0, "early": 0, "streams": 1, "jitter_ms": 0.5, "max_jitter_ms": 1.5,
        "round_trip_ms": 3, "peer": {"lost": -1, "jitter_ms": 0.5}, "mos": 4.5,
    });
    let response = json!({
        "question": "age", "status": "answered", "value": 42,
        "digits": [{"digit": "4", "method": "rfc4733", "at": at, "duration_ms": 120}],
        "places": [1], "recording": {"take": 0, "duration_ms": 900, "ended_by": "silence"},
        "asked": 1, "asked_at": at, "at": at, "no_input": 0, "no_match": 0,
    });
    json!({
        "call_id": "9qbtzk2fgmsy3ctx", "attempt_id": "9qbtzk2fgmsy3cty", "case_id": "9qbtzk2fgmsy3ctz", "to": "+2547",
        "trunk": "a", "tries": [tried], "disposition": "complete", "aapor": "1.1", "sip_status": 200, "cause": 16,
        "retry_after_s": 5, "ended_by": "fault", "fault": "peer_gone", "takeovers": 0, "answered_by": "person",
        "tones": [{"tone": "sit", "at": at}], "media": media, "started_at": at, "ringing_at": at, "answered_at": at,
        "ended_at": at, "questionnaire": {"id": "q", "version": "1", "digest": "00".repeat(32)}, "language": "en",
        "seed": 7, "quotas": [{"quota": "women", "full": true, "applies": true}], "transfer": "+2541",
        "computed": {"score": 1.5, "none": null}, "responses": [response],
        "recordings": [{"question": "q", "take": 0, "file": "a.wav", "duration_ms": 9, "digest": "00".repeat(32),
            "ended_by": "fault", "fault": "no room"}],
    })
}

#[test]
fn the_document_has_every_member_of_a_result_and_no_other() {
    let document = document();
    let schema = &document["components"]["schemas"]["Result"];
    // What stands in it is what is written: a member more or less in the code fails here.
    let result: CallResult = serde_json::from_value(full()).unwrap();
    let written = serde_json::to_value(&result).unwrap();
    assert_eq!(written, full());
    shape::check(&document, schema, &written, "result");
    let mut named = BTreeSet::new();
    shape::members(&document, schema, "result", &mut named);
    let mut found = BTreeSet::new();
    shape::found(&written, "result", &mut found);
    found.retain(|name| !name.starts_with("result.computed."));
    assert_eq!(named, found);
}

/// How a unit variant is written.
fn word<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_value(value).unwrap().as_str().unwrap().to_owned()
}

#[test]
fn the_document_has_every_word_of_a_result() {
    let document = document();
    let words = |name: &str, member: &str| -> BTreeSet<String> {
        let words = document.pointer(&format!("/components/schemas/{name}/properties/{member}")).unwrap();
        let words = words.get("enum").unwrap().as_array().unwrap();
        words.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect()
    };
    let ends = [
        TryEnd::Answered,
        TryEnd::Refused,
        TryEnd::RingTimeout,
        TryEnd::Unanswered,
        TryEnd::Unsent,
        TryEnd::Closed,
        TryEnd::NoRoute,
        TryEnd::Stopped,
    ];
    assert_eq!(words("Tried", "end"), ends.iter().map(word).collect());
    let faults = [
        Fault::MediaTimeout,
        Fault::PeerGone,
        Fault::SessionExpired,
        Fault::PortsLost,
        Fault::RingingLost,
        Fault::GoneAtTakeover,
        Fault::StaleRecord,
        Fault::TakeoverUnanswered,
        Fault::TakeoverRefused,
    ];
    assert_eq!(words("Result", "fault"), faults.iter().map(word).collect());
    let dispositions: BTreeSet<String> = Disposition::ALL.map(|it| it.as_str().to_owned()).into();
    assert_eq!(words("Result", "disposition"), dispositions);
    let tones = document.pointer("/components/schemas/Result/properties/tones/items/properties/tone/enum");
    let tones: BTreeSet<&str> = tones.unwrap().as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let all: Vec<String> = crate::rtp::tones::Signal::ALL.iter().map(word).collect();
    assert_eq!(tones, all.iter().map(String::as_str).collect());
}
