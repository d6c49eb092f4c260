//! `baton serve` as its users meet it: a real process, its API over real sockets, and `baton callee` as the people.
//!
//! ```text
//! test ── HTTP, signals, sd_notify ──► baton serve ──SIP/RTP──► baton callee
//! ```

#![expect(clippy::unwrap_used, reason = "a test fails by panic")]
#![expect(clippy::print_stderr, reason = "a failed test says where its traces are")]
#![expect(clippy::disallowed_methods, reason = "these tests wait for real programs")]

#[allow(dead_code, reason = "the interop tests need more of it")]
#[path = "../interop/machine.rs"]
mod machine;
#[allow(dead_code, reason = "the interop tests need more of it")]
#[path = "../interop/signal.rs"]
mod signal;
#[allow(dead_code, reason = "the interop tests need more of it")]
#[path = "../interop/survey.rs"]
mod survey;

mod budgets;
mod calls;
mod commands;
mod full_disk;
mod fuzz;
mod lifecycle;
mod problems;
mod reload;
mod restart;
mod rounds;
#[allow(dead_code, reason = "the unit tests need more of it")]
mod shape;
mod world;
