//! Holds the map of the rooms (ARCHITECTURE.md): who may name whom, that pure rooms touch no machine, and
//! the form of a file. The rules stand in the three tables below; a finding says where, what, and what to do.

#![expect(clippy::unwrap_used, reason = "a test fails by panic")]

mod proofs;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What each room may name besides itself. A room that is missing here may not exist.
const MAY_NAME: &[(&str, &[&str])] = &[
    // pure rooms
    ("time", &[]),
    ("id", &["time"]),
    ("outcome", &[]),
    ("sip", &["time", "id"]),
    ("sdp", &["time", "id"]),
    ("rtp", &["time", "id"]),
    ("xml", &["time", "id"]),
    ("questionnaire", &["time", "id", "xml"]),
    ("dialplan", &["time", "id", "xml"]),
    ("chart", &["questionnaire"]),
    ("measure", &["questionnaire"]),
    ("contacts", &["questionnaire", "interview", "xml"]),
    // xml for nothing but its did-you-mean
    ("interview", &["time", "id", "questionnaire", "xml"]),
    ("sync", &["time", "id"]),
    ("call", &["time", "id", "sip", "sdp", "rtp", "interview", "questionnaire", "outcome", "dialplan"]),
    // edge rooms name pure rooms and each other
    ("node", EDGE),
    ("store", EDGE),
    ("prompts", EDGE),
    ("settings", EDGE),
    ("routing", EDGE),
    ("callee", EDGE),
    ("engine", EDGE),
    ("peers", EDGE),
    ("cluster", EDGE),
    ("instance", EDGE),
    // the API serves an instance
    ("http", EDGE),
    // the command line names them all; nothing but it names the API, and nothing but main names it
    ("cli", ALL),
    ("main", &["cli"]),
    // what tests share
    ("mutation", &["id"]),
];

/// What the command line may name: all rooms, the API last.
const ALL: &[&str] = &[
    "time",
    "id",
    "outcome",
    "sip",
    "sdp",
    "rtp",
    "xml",
    "questionnaire",
    "chart",
    "measure",
    "contacts",
    "dialplan",
    "interview",
    "sync",
    "call",
    "node",
    "store",
    "prompts",
    "settings",
    "routing",
    "callee",
    "engine",
    "peers",
    "cluster",
    "instance",
    "http",
];

/// What edge rooms may name: all but the API, which stands last.
const EDGE: &[&str] = match ALL {
    [edge @ .., _api] => edge,
    [] => ALL,
};

/// Files at the root that only tests name; lib.rs declares them behind `#[cfg(test)]`.
const SUPPORT: &[&str] = &["mutation"];

const PURE: &[&str] = &[
    "time",
    "id",
    "outcome",
    "sip",
    "sdp",
    "rtp",
    "xml",
    "questionnaire",
    "chart",
    "measure",
    "contacts",
    "dialplan",
    "interview",
    "sync",
    "call",
];

/// What a pure room may not name outside its tests: sockets, files, threads, clocks, machine randomness,
/// and maps whose order is random. A path matches by its beginning, a single word anywhere.
const MACHINE: &[&str] = &[
    "tokio",
    "mio",
    "nix",
    "socket2",
    "getrandom",
    "dashmap",
    "crossbeam_channel",
    "UdpSocket",
    "TcpStream",
    "TcpListener",
    "Instant",
    "SystemTime",
    "HashMap",
    "HashSet",
    "OsRng",
    "std::fs",
    "std::thread",
    "std::process",
    "std::env",
];

/// Lines of a file outside its tests. Longer files hold two ideas: split them.
const LONGEST_FILE: usize = 500;
/// Files that may be longer, each with its reason.
const LONGER: &[(&str, &str)] = &[];

#[test]
fn the_rooms_keep_to_the_map() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = BTreeMap::new();
    read(&root, &root, &mut files);
    assert!(files.len() > 15, "src/ was not found: {} files", files.len());
    let findings = check(&files);
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
}

fn read(root: &Path, dir: &Path, files: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        if path.is_dir() {
            read(root, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            files.insert(name, std::fs::read_to_string(&path).unwrap());
        }
    }
}

/// Findings over all files (path below `src/` → text), each one line: where, what, what to do.
fn check(files: &BTreeMap<String, String>) -> Vec<String> {
    let test_files = test_files(files);
    let mut findings = Vec::new();
    for (file, text) in files {
        let room = room(file);
        let is_test = test_files.contains(file);
        if room != "lib" && !is_test && !MAY_NAME.iter().any(|(name, _)| *name == room) {
            findings.push(format!(
                "src/{file}:1: room `{room}` is not on the map; add it to tests/layout/main.rs"
            ));
            continue;
        }
        check_file(&mut findings, &File { name: file, room, text, is_test, tokens: source::tokens(text) });
    }
    findings
}

struct File<'a> {
    name: &'a str,
    room: &'a str,
    text: &'a str,
    is_test: bool,
    tokens: Vec<source::Token>,
}

fn check_file(findings: &mut Vec<String>, file: &File<'_>) {
    let name = file.name;
    let mut say = |line: usize, what: String| findings.push(format!("src/{name}:{line}: {what}"));
    if !file.text.trim_start().starts_with("//!") {
        say(1, "a file opens with `//!`: what it is, its RFC sections".to_owned());
    }
    let items = source::test_items(&file.tokens);
    let in_test = |at: usize| file.is_test || items.iter().any(|item| item.tokens.contains(&at));
    let test_lines: usize = items.iter().map(|item| item.lines.clone().count()).sum();
    let own_lines = file.text.lines().count() - test_lines;
    if !file.is_test && own_lines > LONGEST_FILE && !LONGER.iter().any(|(longer, _)| *longer == name) {
        say(1, format!("{own_lines} lines outside its tests, {LONGEST_FILE} allowed; split it by idea"));
    }
    for path in source::paths(&file.tokens) {
        let Some(named) = named_room(file, &path) else { continue };
        let support = in_test(path.at) && SUPPORT.contains(&named.as_str());
        if let (false, Err(what)) = (support, may_name(file.room, &named)) {
            say(path.line, what);
        }
    }
    for (at, token) in file.tokens.iter().enumerate() {
        if in_test(at) {
            continue;
        }
        let next: Vec<_> = file.tokens[at..].iter().take(4).map(|token| token.text.as_str()).collect();
        if next == [".", "unwrap", "(", ")"] {
            say(
                token.line,
                "`unwrap()`; use `expect(\"the invariant that holds\")` or return an error".to_owned(),
            );
        }
        if PURE.contains(&file.room) && MACHINE.contains(&token.text.as_str()) {
            say(
                token.line,
                format!("pure room `{}` names `{}`; that belongs to an edge room", file.room, token.text),
            );
        }
    }
    for path in source::paths(&file.tokens) {
        let head = path.segments.iter().take(2).cloned().collect::<Vec<_>>().join("::");
        if PURE.contains(&file.room) && MACHINE.contains(&head.as_str()) && !in_test(path.at) {
            say(path.line, format!("pure room `{}` names `{head}`; that belongs to an edge room", file.room));
        }
    }
}

fn may_name(room: &str, named: &str) -> Result<(), String> {
    let allowed = MAY_NAME.iter().find(|(name, _)| *name == room).map_or(&[][..], |(_, allowed)| allowed);
    if named == room || allowed.contains(&named) || room == "lib" {
        Ok(())
    } else if named == "*" {
        Err(format!("room `{room}` takes in the whole crate by `*`; name what it needs"))
    } else {
        Err(format!("room `{room}` may not name `{named}`, only: {}", allowed.join(" ")))
    }
}

/// The room that a path leads to, if it leads to the crate's root at all.
fn named_room(file: &File<'_>, path: &source::Path) -> Option<String> {
    let segments: Vec<&str> = path.segments.iter().map(String::as_str).collect();
    match segments.as_slice() {
        ["crate" | "baton", named, ..] => Some((*named).to_owned()),
        ["super", ..] | ["self", "super", ..] => {
            let mut module = module_of(file.name);
            module.extend(source::inline_modules(&file.tokens, path.at));
            let mut rest = segments.iter().copied().skip_while(|word| *word == "self").peekable();
            while rest.next_if_eq(&"super").is_some() {
                module.pop();
            }
            match module.first() {
                Some(room) => Some(room.clone()),
                None => rest.next().map(str::to_owned),
            }
        }
        _ => None,
    }
}

/// `sip/headers/via.rs` → `sip`, `time.rs` → `time`.
fn room(file: &str) -> &str {
    file.split(['/', '.']).next().unwrap_or(file)
}

/// `sip/headers/via.rs` → `[sip, headers, via]`, `sip/mod.rs` → `[sip]`, `lib.rs` → `[]`.
fn module_of(file: &str) -> Vec<String> {
    let stem = file.strip_suffix(".rs").unwrap_or(file);
    let stem = stem.strip_suffix("/mod").unwrap_or(stem);
    if stem == "lib" { Vec::new() } else { stem.split('/').map(str::to_owned).collect() }
}

/// Files that `#[cfg(test)] mod name;` declares, and those below them.
fn test_files(files: &BTreeMap<String, String>) -> BTreeSet<String> {
    let mut roots = Vec::new();
    for (file, text) in files {
        for item in source::test_items(&source::tokens(text)) {
            if let Some(name) = item.declares {
                let mut module = module_of(file);
                module.push(name);
                roots.push(module);
            }
        }
    }
    files.keys().filter(|file| roots.iter().any(|root| module_of(file).starts_with(root))).cloned().collect()
}

// ---- the checker itself can fail ----

fn findings_of(file: &str, text: &str) -> Vec<String> {
    check(&BTreeMap::from([(file.to_owned(), format!("//! A file.\n{text}"))]))
}

#[track_caller]
fn refused(file: &str, text: &str, what: &str) {
    let findings = findings_of(file, text);
    assert!(findings.iter().any(|finding| finding.contains(what)), "{text}\ngave {findings:?}");
}

#[track_caller]
fn accepted(file: &str, text: &str) {
    assert_eq!(findings_of(file, text), Vec::<String>::new(), "{text}");
}

#[test]
fn a_forbidden_room_is_found_however_it_is_named() {
    let what = "src/sip/uri.rs:2: room `sip` may not name `call`";
    refused("sip/uri.rs", "use crate::call::Call;", what);
    refused("sip/uri.rs", "use crate::{time::Timestamp, call::{Call, Input}};", what);
    refused("sip/uri.rs", "fn f() { crate::call::f() }", what);
    refused("sip/uri.rs", "fn f<T: Into<crate::call::Call>>() {}", what);
    refused("sip/uri.rs", "use super::super::call::Call;", what);
    refused("sip/uri.rs", "mod a { mod b { use super::super::super::super::call; } }", what);
    refused("sip/uri.rs", "use self::super::super::{time, call};", what);
    refused("sip/uri.rs", "use baton::call as other;", what);
    refused("sip/uri.rs", "#[cfg(test)] mod tests { use crate::call::Call; }", what);
    refused("sip/mod.rs", "use super::call;", "may not name `call`");
    refused("sip/mod.rs", "use super::*;", "takes in the whole crate");
    refused("node/mod.rs", "use crate::cli::Arguments;", "`node` may not name `cli`");
    refused("main.rs", "fn main() { baton::node::start() }", "`main` may not name `node`");
    refused("call/mod.rs", "use crate::node::Node;", "`call` may not name `node`");
    refused("wallet/mod.rs", "", "not on the map");
}

#[test]
fn what_the_map_allows_is_not_found() {
    accepted(
        "sip/uri.rs",
        "use crate::{time::Timestamp, id::Mint}; use super::headers; use super::super::sip;",
    );
    accepted(
        "sip/uri.rs",
        "// use crate::call;\n/* crate::call /* crate::node */ */ const A: &str = \"crate::call\";",
    );
    accepted(
        "sip/uri.rs",
        "const A: &str = r#\"a \" crate::call\"#; const B: char = '\"'; fn f<'a>(a: &'a str) {}",
    );
    accepted(
        "sip/uri.rs",
        "const A: &[u8] = b\"\\\" crate::call\"; const B: u8 = b'\"'; const C: char = '\\'';",
    );
    accepted("sip/uri.rs", "mod a { use super::super::headers; }");
    accepted("call/mod.rs", "use crate::sip::{self, Message}; use crate::dialplan::Route;");
    accepted("main.rs", "fn main() { baton::cli::run() }");
    accepted("lib.rs", "pub mod cli; pub use crate::cli::run;");
}

#[test]
fn a_pure_room_that_touches_the_machine_is_found() {
    for text in [
        "use tokio::net;",
        "use std::net::{IpAddr, UdpSocket};",
        "fn f() { let _ = std::fs::read(\"a\"); }",
        "use std::{fmt, thread};",
        "use std::time::Instant;",
        "fn f(a: std::collections::HashMap<u8, u8>) {}",
        "use mio::Poll;",
        "use nix::sys;",
    ] {
        refused("rtp/mod.rs", text, "src/rtp/mod.rs:2: pure room `rtp` names");
        accepted("node/mod.rs", text);
        accepted("rtp/mod.rs", &format!("#[cfg(test)]\nmod tests {{ {text} }}"));
    }
    accepted(
        "rtp/mod.rs",
        "use std::net::{IpAddr, SocketAddr}; use std::time::Duration; fn f(mio: u8, fs: u8) {}"
            .replace("mio", "a")
            .as_str(),
    );
}

#[test]
fn the_form_of_a_file_is_held() {
    refused("rtp/mod.rs", "fn f() { g().unwrap() }", "src/rtp/mod.rs:2: `unwrap()`");
    refused("rtp/mod.rs", "fn f() { g()\n.unwrap() }", "src/rtp/mod.rs:3: `unwrap()`");
    accepted(
        "rtp/mod.rs",
        "fn f() { g().unwrap_or(0) }\n#[cfg(test)]\nmod tests { fn f() { g().unwrap() } }",
    );
    refused("rtp/mod.rs", "#[cfg(test)]\nuse a::b;\nfn f() { g().unwrap() }", "rs:4: `unwrap()`");
    refused("rtp/mod.rs", &"\n".repeat(LONGEST_FILE), "split it");
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}", "fn a() {}\n".repeat(LONGEST_FILE));
    accepted("rtp/mod.rs", &tests);
    let bare = BTreeMap::from([("rtp/mod.rs".to_owned(), "pub fn f() {}".to_owned())]);
    assert_eq!(check(&bare), ["src/rtp/mod.rs:1: a file opens with `//!`: what it is, its RFC sections"]);
}

#[test]
fn a_file_declared_for_tests_is_a_test_file() {
    let files = |head: &str| {
        BTreeMap::from([
            ("rtp/mod.rs".to_owned(), format!("//! RTP.\n{head} mod traces;")),
            ("rtp/traces.rs".to_owned(), "//! Traces.\nfn f() { g().unwrap() }".to_owned()),
        ])
    };
    assert_eq!(check(&files("#[cfg(test)]")), Vec::<String>::new());
    assert_eq!(check(&files("")).len(), 1);
    accepted("rtp/mod.rs", "#[cfg(test)]\nmod tests { use crate::mutation::mutate; }");
    refused("rtp/mod.rs", "use crate::mutation::mutate;", "`rtp` may not name `mutation`");
}
