//! Answers held against the schemas of the API's document: more strictly than JSON Schema, what a schema does not name is
//! not there.

use std::collections::BTreeSet;

use serde_json::Value;

/// The schema behind a `$ref`.
fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema.get("$ref").and_then(Value::as_str) {
        Some(name) => document.pointer(name.trim_start_matches('#')).unwrap_or_else(|| panic!("no {name}")),
        None => schema,
    }
}

/// The branch of a `oneOf` that is not `null`.
fn branch<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let schema = resolve(document, schema);
    let branches = schema.get("oneOf").and_then(Value::as_array);
    let of_value = branches.and_then(|all| all.iter().find(|one| one["type"] != "null"));
    of_value.map_or(schema, |one| resolve(document, one))
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_i64() || number.is_u64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Whether a value is what the schema says.
#[track_caller]
pub(crate) fn check(document: &Value, schema: &Value, value: &Value, at: &str) {
    if value.is_null() && resolve(document, schema).get("oneOf").is_some() {
        return;
    }
    let schema = branch(document, schema);
    let many = schema["type"].as_array().map(|all| all.iter().filter_map(Value::as_str).collect());
    let types: Vec<&str> = many.or_else(|| schema["type"].as_str().map(|one| vec![one])).unwrap_or_default();
    let is = type_of(value);
    assert!(
        types.contains(&is) || is == "integer" && types.contains(&"number"),
        "{at}: {value} is no {types:?}"
    );
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        assert!(words.contains(value), "{at}: {value} is none of {words:?}");
    }
    match value {
        Value::Array(items) => items.iter().for_each(|item| check(document, &schema["items"], item, at)),
        Value::Object(members) => {
            for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
                assert!(members.contains_key(name.as_str().unwrap()), "{at}: {name} is missing");
            }
            for (name, member) in members {
                let at = format!("{at}.{name}");
                let named = schema.get("properties").and_then(|all| all.get(name));
                let schema = named.or_else(|| schema.get("additionalProperties"));
                check(document, schema.unwrap_or_else(|| panic!("{at} is not in the document")), member, &at);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Each member that a schema names, and those below it.
pub(crate) fn members(document: &Value, schema: &Value, at: &str, into: &mut BTreeSet<String>) {
    let schema = branch(document, schema);
    if let Some(items) = schema.get("items") {
        members(document, items, at, into);
    }
    for (name, schema) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let at = format!("{at}.{name}");
        members(document, schema, &at, into);
        into.insert(at);
    }
}

/// Each member that a value has, and those below it.
pub(crate) fn found(value: &Value, at: &str, into: &mut BTreeSet<String>) {
    for item in value.as_array().into_iter().flatten() {
        found(item, at, into);
    }
    for (name, member) in value.as_object().into_iter().flatten() {
        let at = format!("{at}.{name}");
        found(member, &at, into);
        into.insert(at);
    }
}
