//! Fuzzes `tests/fuzz/targets/digest.rs`.

#![no_main]

#[allow(dead_code, reason = "each fuzzer runs one target of them")]
#[path = "../../tests/fuzz/targets/mod.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    targets::digest::run(data);
});
