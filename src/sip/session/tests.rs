//! The session as message traces, and against the callee's side over a bad wire.

mod callee;
mod digest;
mod early;
mod endings;
mod in_dialog;
mod peer;
mod redirects;
mod reliable;
mod resume;
mod storm;
mod taken_over;
mod timer;
mod trace;
mod transport;
mod update;
mod wire;
mod world;
