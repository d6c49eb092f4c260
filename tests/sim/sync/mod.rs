//! Sync's own members, and the world in which its tests try them: members, engine, links, journals, mirrors and clocks.
//!
//! The world stands with `sync`, which may not know what a call is; real calls stand here. So it is read in from there, and
//! everything in it by which it knows `sync` it finds here under the same names.

pub(crate) use baton::sync::*;

pub(crate) mod tests;
