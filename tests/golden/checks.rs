//! docs/checks.md knows every check that there is, and no other.

use std::collections::BTreeMap;

use baton::questionnaire::checks::ALL;
use baton::xml::{Check, Severity};

use super::root;

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
