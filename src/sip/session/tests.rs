//! The session as message traces, and against the callee's side over a bad wire.

mod callee;
mod digest;
mod endings;
mod in_dialog;
mod peer;
mod resume;
mod storm;
mod trace;
mod transport;
mod wire;
mod world;
