//! Golden interviews: Markdown files whose examples are run.
//!
//! ````text
//! ```xml            a questionnaire, or some elements of one; holds until the next one
//! ```text           the conversation: what is said, and `> ` before what the callee does
//! ```replies        the same, and then what became of each question
//! ```csv            contacts for the questionnaire above; holds until the next questionnaire
//! ```findings       what `baton check` finds in the questionnaire, or in the contacts, above
//! ```mended         the same without the mistake: nothing is found in it
//! ````
//! A conversation may begin with lines `set FIELD=VALUE` (a contact field), `seed NUMBER` (what orders are drawn
//! from), `at TIME` (when it is) and `full QUOTA`. A line
//! `questionnaire FILE` in place of XML takes a file of the repository. `BATON_GOLDEN=write cargo test --test
//! golden` writes what was found into the files; read the difference before you commit it.

mod checks;
mod damage;
mod example;
mod markdown;
mod xsd;

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Runs every example of a file; the number of examples.
fn run(file: &str) -> usize {
    let path = root().join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
    let blocks = markdown::blocks(&text);
    let mut found = String::new();
    let mut copied = 0;
    let mut examples = 0;
    let (mut source, mut contacts) = (None, None);
    for block in &blocks {
        let expected = block.text;
        let got = match block.kind {
            "xml" => {
                source = Some(example::Source::read(expected));
                contacts = None;
                continue;
            }
            "csv" => {
                contacts = Some(expected);
                continue;
            }
            "mended" => {
                let found = match (source.as_ref(), contacts) {
                    (Some(source), Some(_)) => example::contacts(source, expected),
                    (_, _) => example::findings(&example::Source::read(expected)),
                };
                assert_eq!(found, "", "{file}:{}: this should be mended", block.line);
                continue;
            }
            "text" => source.as_ref().map(|source| example::conversation(source, expected, false)),
            "replies" => source.as_ref().map(|source| example::conversation(source, expected, true)),
            "findings" => source.as_ref().map(|source| match contacts {
                Some(contacts) => example::contacts(source, contacts),
                None => example::findings(source),
            }),
            _ => continue,
        };
        let got = got.unwrap_or_else(|| panic!("{file}:{}: no xml before this example", block.line));
        examples += 1;
        if got.trim_end() != expected.trim_end() {
            assert!(
                std::env::var_os("BATON_GOLDEN").is_some(),
                "{file}:{}: the example says\n\n{expected}\nbut this was found\n\n{got}",
                block.line
            );
            found.push_str(text.get(copied..block.offset).unwrap_or_default());
            found.push_str(got.trim_end());
            found.push('\n');
            copied = block.offset + expected.len();
        }
    }
    found.push_str(text.get(copied..).unwrap_or_default());
    if found != text {
        std::fs::write(Path::new(&path), found).unwrap_or_else(|error| panic!("{file}: {error}"));
    }
    examples
}

#[test]
fn elements() {
    assert!(run("tests/golden/elements.md") >= 15);
}

#[test]
fn computed() {
    assert!(run("tests/golden/computed.md") >= 10);
}

#[test]
fn items() {
    assert!(run("tests/golden/items.md") >= 60);
    assert!(run("tests/golden/item_findings.md") >= 15);
}

#[test]
fn ladders() {
    assert!(run("tests/golden/ladders.md") >= 8);
}

#[test]
fn keys() {
    assert!(run("tests/golden/keys.md") >= 8);
}

#[test]
fn orders() {
    assert!(run("tests/golden/orders.md") >= 8);
}

#[test]
fn quotas() {
    assert!(run("tests/golden/quotas.md") >= 6);
}

#[test]
fn findings() {
    assert!(run("tests/golden/findings.md") >= 40);
}

#[test]
fn say_as() {
    assert!(run("tests/golden/say_as.md") >= 14);
}

#[test]
fn shipped() {
    assert!(run("tests/golden/shipped.md") >= 8);
}

#[test]
fn the_tutorial() {
    assert!(run("docs/tutorial.md") >= 5);
}

#[test]
fn the_reference() {
    assert!(run("docs/questionnaire.md") >= 12);
}
