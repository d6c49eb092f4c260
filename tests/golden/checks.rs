//! docs/checks.md knows every check that there is, and no other; each has its example.

use std::collections::BTreeMap;

use baton::questionnaire::checks::ALL;
use baton::xml::{Check, Severity};

use super::{markdown, root};

fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn all() -> BTreeMap<&'static str, &'static Check> {
    let all = ALL.iter().chain(baton::contacts::CHECKS);
    let codes: BTreeMap<&str, &Check> = all.clone().map(|check| (check.code, *check)).collect();
    assert_eq!(codes.len(), all.count(), "a code stands twice");
    codes
}

#[test]
fn the_table_says_of_each_check_how_much_it_weighs_and_why() {
    let text = read("docs/checks.md");
    let mut rows: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let code = cells[0].trim_matches('`');
        if let [_, _, _, _] = cells.as_slice() {
            assert!(rows.insert(code, cells).is_none(), "`{code}` has two rows");
        }
    }
    for (code, check) in all() {
        let weight = if check.severity == Severity::Error { "error" } else { "warning" };
        let row = format!("| `{code}` | {weight} | {} | … |", check.why);
        let cells = rows.remove(code).unwrap_or_else(|| panic!("docs/checks.md lacks the row\n{row}"));
        assert_eq!((cells[1], cells[2]), (weight, check.why), "docs/checks.md: the row should be\n{row}");
        assert!(cells[3].len() > 8, "docs/checks.md does not say how to mend `{code}`");
    }
    assert!(rows.is_empty(), "docs/checks.md has rows of no check: {:?}", rows.keys());
}

/// Codes without an example, and why.
const WITHOUT: &[(&str, &str)] =
    &[("more-warnings", "it would be two hundred lines long; src/xml/finding.rs tests it")];

#[test]
fn each_check_has_an_example_and_its_mended_form() {
    let text = read("tests/golden/findings.md");
    let blocks = markdown::blocks(&text);
    let mut shown: Vec<&str> = Vec::new();
    for pair in blocks.windows(2) {
        let [findings, mended] = pair else { continue };
        if findings.kind != "findings" {
            continue;
        }
        assert_eq!(mended.kind, "mended", "tests/golden/findings.md:{}: how is it mended?", findings.line);
        let codes = findings.text.lines().filter_map(|line| line.rsplit_once('[')?.1.strip_suffix(']'));
        shown.extend(codes);
    }
    for code in all().into_keys() {
        let excused = WITHOUT.iter().any(|(without, _)| *without == code);
        assert!(excused != shown.contains(&code), "tests/golden/findings.md lacks an example of `{code}`");
    }
}
