//! The session as message traces, and against the callee's side over a bad wire.

mod callee;
mod endings;
mod in_dialog;
mod resume;
mod storm;
pub(super) mod trace;
mod wire;
