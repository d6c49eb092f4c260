//! Everything that is kept on disk. Edge.

pub mod journal;
pub mod recordings;
