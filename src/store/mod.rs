//! Everything that is kept on disk. Edge.

pub mod journal;
