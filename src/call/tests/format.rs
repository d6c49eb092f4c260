//! Records as this format has them. postcard writes no names, so a change of what is saved of a call changes how every
//! record is read, and a running call of the build before would be lost.
//!
//! Where this fails, `Call` has another shape: give it another `FORMAT_VERSION`, say in docs/journal.md what becomes
//! of records of this one, and write records of the new one: `BATON_RECORDS=write cargo test --lib call::tests::format`.

use std::path::PathBuf;

use super::endings::willing;
use super::world::trunk::Manner::Refuses;
use super::world::{Crash, World};
use crate::call::{Call, FORMAT_VERSION};

/// Records that are kept: enough for each stage of a call.
const KEPT: usize = 16;

/// Records of a call that is refused by its first trunk, answered by the second, and asks its questionnaire.
fn saved() -> Vec<Vec<u8>> {
    let world = World::after(&[Refuses(503)], willing(), Crash::Never).run();
    let every = world.saves.len().div_ceil(KEPT);
    world.saves.into_iter().step_by(every).collect()
}

#[test]
fn records_of_this_format_are_read_and_written_as_they_were() {
    let name = format!("src/call/tests/records/{FORMAT_VERSION}.postcard");
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name);
    if std::env::var_os("BATON_RECORDS").is_some() {
        std::fs::write(&file, postcard::to_stdvec(&saved()).unwrap()).unwrap();
    }
    let kept: Vec<Vec<u8>> = postcard::from_bytes(&std::fs::read(&file).unwrap()).unwrap();
    assert!(kept.len() > KEPT / 2, "{} records", kept.len());
    let mut phases = std::collections::BTreeSet::new();
    for record in &kept {
        let call = Call::restore(record).unwrap_or_else(|error| panic!("see the head of this file: {error}"));
        assert_eq!(call.record().bytes, *record, "see the head of this file");
        phases.insert(format!("{:?}", call.phase()));
    }
    assert!(phases.len() >= 4, "{phases:?}");
}
