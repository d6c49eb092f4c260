//! Everything that is kept on disk. Edge.

pub mod editions;
pub mod files;
pub mod journal;
pub mod recordings;
pub mod records;
