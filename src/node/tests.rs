//! The node against a scripted telephone on loopback.
