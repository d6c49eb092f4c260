//! The corpora of the fuzz targets, run as an ordinary test: what a fuzzer once found stays found, and the targets
//! compile and hold on a stable toolchain. `make fuzz` lets a fuzzer look for more.
//!
//! ```text
//! fuzz/corpus/TARGET/*      what reaches each part of a reader: seeds, and what fuzzing added, minimised
//! fuzz/found/TARGET/*       what once broke a target
//! ```

#![expect(clippy::unwrap_used, reason = "a test fails by panic")]

mod targets;

use std::path::{Path, PathBuf};

/// The files of a directory that need not be there.
fn files(kind: &str, target: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(kind).join(target);
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Runs every input of a target on a thread of its own name, so that a failure says which input it was.
fn run(name: &str) {
    let (_, target) = targets::ALL.iter().find(|(known, _)| *known == name).unwrap();
    let corpus = files("corpus", name);
    let mut taken = 0;
    for file in corpus.iter().chain(&files("found", name)) {
        let bytes = std::fs::read(file).unwrap();
        let told = file.display().to_string();
        let ran = std::panic::catch_unwind(|| target(&bytes));
        taken += usize::from(ran.unwrap_or_else(|_| panic!("{told} breaks target {name}")));
    }
    assert!(corpus.len() >= 10, "only {} files in fuzz/corpus/{name}", corpus.len());
    assert!(taken * 10 >= corpus.len(), "{taken} of {} are more than refused", corpus.len());
}

macro_rules! corpora {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            run(stringify!($name));
        }
    )*

        #[test]
        fn each_target_has_its_test_and_its_fuzzer() {
            let tested = [$(stringify!($name)),*];
            for (name, _) in targets::ALL {
                assert!(tested.contains(&name), "{name} is not tested");
                let fuzzer = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fuzz/fuzz_targets/{name}.rs"));
                assert!(fuzzer.exists(), "{} is missing", fuzzer.display());
            }
        }
    };
}

corpora! { message stream sdp rtp rtcp event questionnaire dialplan digest }
