//! Scripted respondents: a SIP user agent server for demo, tests and load. Edge.

pub mod ear;
pub mod judge;
pub mod pattern;
pub mod script;
