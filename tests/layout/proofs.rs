//! docs/conformance.md names the tests that prove each rule: every one of them must be there.

use std::collections::BTreeSet;
use std::path::Path;

/// Where tests stand: a directory, and what stands before the path of its modules.
const PLACES: [(&str, &str); 3] =
    [("src", ""), ("tests/interop", "interop::"), ("tests/talk_off", "talk_off::")];

#[test]
fn each_test_that_the_conformance_table_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = std::fs::read_to_string(root.join("docs/conformance.md")).unwrap();
    let named = named(&table);
    assert!(named.len() > 100, "{} tests are named", named.len());
    let mut known = BTreeSet::new();
    for (place, before) in PLACES {
        gather(&root.join(place), before, &mut known);
    }
    let missing: Vec<&String> = named.iter().filter(|name| !known.contains(*name)).collect();
    assert!(missing.is_empty(), "docs/conformance.md names tests that do not exist: {missing:#?}");
}

/// Each `a::b::c` of a text, apart from the `a::…` that only says how names begin.
fn named(text: &str) -> BTreeSet<String> {
    let quoted = text.split('`').skip(1).step_by(2).filter(|quoted| quoted.contains("::"));
    quoted.filter(|name| !name.contains('…')).map(str::to_owned).collect()
}

fn gather(dir: &Path, before: &str, known: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            gather(&path, &format!("{before}{stem}::"), known);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let module = if ["mod", "main", "lib"].contains(&stem.as_str()) {
                before.to_owned()
            } else {
                format!("{before}{stem}::")
            };
            // Beside the code they stand in a module of their own.
            for test in tests(&std::fs::read_to_string(&path).unwrap()) {
                known.insert(format!("{module}tests::{test}"));
                known.insert(format!("{module}{test}"));
            }
        }
    }
}

/// The functions below a `#[test]`.
fn tests(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        if line != "#[test]" {
            continue;
        }
        let function = lines.by_ref().find_map(|line| line.strip_prefix("fn "));
        let name: String =
            function.unwrap_or_default().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        found.push(name);
    }
    found
}

#[test]
fn a_test_that_is_missing_is_found() {
    let text = "#[test]\nfn one() {}\n#[cfg(test)]\nfn two() {}\n    #[test]\n    #[ignore]\n    fn three(\n";
    assert_eq!(tests(text), ["one", "three"]);
    let named = named("| x | `sip::…` `sip::via::tests::one` `cargo test` | `a::b`, and `c` |");
    assert_eq!(named.into_iter().collect::<Vec<_>>(), ["a::b", "sip::via::tests::one"]);
}
