//! The document of the API, held against what is served. (tests/serve asks a real instance for each of its methods.)

use std::collections::BTreeSet;

use serde_json::Value;

use super::OPENAPI;
use crate::instance::State;
use crate::instance::request::CallRequest;
use crate::outcome::Disposition;

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
