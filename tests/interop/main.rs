//! Baton against software that others wrote: SIPp and Asterisk 22 as the callee, Kamailio between, tshark as the witness.
//!
//! ```text
//! baton call ──SIP/RTP──► SIPp (a scenario a test)     what SIPp saw: exit status, message trace
//!            ──SIP/RTP──► Asterisk (records, presses)  what it heard: its recording against the prompts
//!                  └────► tshark on loopback           what was on the wire
//! ```
//! Each test looks at both sides: the peer's account, and the result that `baton call --json` printed.
//! The tools are installed by `make test`; a test whose tool is missing fails and says so.

#![expect(clippy::unwrap_used, reason = "a test fails by panic")]
#![expect(clippy::print_stderr, reason = "a failed test says where its traces are")]
#![expect(clippy::disallowed_methods, reason = "these tests wait for real programs")]

mod machine;
mod pcap;
mod signal;

mod asterisk;
mod baton;
mod capture;
mod cluster;
mod etcd;
mod instance;
mod kamailio;
mod network;
mod relay;
mod sipp;
mod survey;
mod witness;

mod asterisk_calls;
mod baresip;
mod commands;
mod control;
mod crash;
mod digest;
mod drain;
mod endings;
mod faults;
mod gap;
mod keys;
mod matrix;
mod media;
mod midcall;
mod partitions;
mod recordings;
mod speech;
mod takeover;
mod takeover_peers;
mod transports;
mod trunks;
mod voters;
mod wire;
