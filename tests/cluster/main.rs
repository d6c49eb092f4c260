//! The edge of a cluster against the real thing: etcd 3.4 as processes of its own, members and links as they run.
//!
//! ```text
//! commands   `baton cluster init` and `add`
//! engine     names, claims, races, lost answers, watches, backups, users and TLS ── etcd, one or three members
//! peers      the mirror's links, and files by digest, over mutual TLS
//! assets     three instances whose files become equal: published, fetched, refused ── etcd
//! drivers    three members as processes, one of which is killed or stopped ── etcd
//! demo       `baton demo --takeover`: three instances, the busiest killed, everybody answers to the end ── etcd
//! ```
//! etcd is installed by `make test`; a test whose tool is missing fails and says so. Everything is on loopback, below a
//! directory that vanishes.

#![expect(clippy::unwrap_used, reason = "a test fails by panic")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test waits for one event among many")]
#![expect(clippy::print_stderr, reason = "whoever runs the tests is told where the traces are")]
#![expect(clippy::disallowed_methods, reason = "these tests wait for real programs")]

mod etcd;
#[path = "../interop/machine.rs"]
#[allow(dead_code, reason = "the interoperability tests use the rest of it")]
mod machine;
mod member;
mod proxy;

mod assets;
mod commands;
mod demo;
mod drivers;
mod engine;
mod peers;
