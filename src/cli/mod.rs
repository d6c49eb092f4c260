//! The command line. Edge.
