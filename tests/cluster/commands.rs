//! `baton cluster`, as it is typed.

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

fn baton(dir: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_baton")).current_dir(dir).args(arguments).output().unwrap()
}

fn said(output: &Output) -> (i32, String) {
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

#[test]
fn a_cluster_is_made_once_told_where_to_go_and_extended() {
    let place = TempDir::new().unwrap();
    let (code, text) = said(&baton(place.path(), &["cluster", "init", "n1", "n2.example"]));
    assert_eq!(code, 0, "{text}");
    for told in ["cluster/n2.example ", "to n2.example,", "name = \"n1\"", "cluster/ca.key makes further"] {
        assert!(text.contains(told), "{text}");
    }
    let key = std::fs::read(place.path().join("cluster/n1/member.key")).unwrap();
    let (code, text) = said(&baton(place.path(), &["cluster", "init", "n1"]));
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("is there already, and is not overwritten"), "{text}");
    assert_eq!(std::fs::read(place.path().join("cluster/n1/member.key")).unwrap(), key);
    let (code, text) = said(&baton(place.path(), &["cluster", "add", "n3"]));
    assert_eq!(code, 0, "{text}");
    let ca = |member: &str| std::fs::read(place.path().join("cluster").join(member).join("ca.pem")).unwrap();
    assert_eq!(ca("n3"), ca("n1"));
    for (arguments, told) in [
        (vec!["cluster", "add", "n3"], "is not overwritten"),
        (vec!["cluster", "add", "--dir", "elsewhere", "n4"], "where `baton cluster init` made the cluster"),
        (vec!["cluster", "init", "--dir", "other", "n-"], "no name for a member"),
        (vec!["cluster", "init", "--dir", "other", "n1", "n1"], "named twice"),
        (vec!["cluster", "init", "--dir", "other", "N1"], "1 to 32"),
    ] {
        let (code, text) = said(&baton(place.path(), &arguments));
        assert!(code == 2 && text.contains(told), "{arguments:?}: {code} {text}");
    }
    assert!(!place.path().join("other").exists());
}
