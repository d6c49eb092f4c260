//! Where the world expects to stand.

#[path = "../../../src/sync/tests/world/mod.rs"]
#[allow(dead_code, unused_imports, reason = "what sync's schedules by hand look at nobody looks at here")]
pub(crate) mod world;
