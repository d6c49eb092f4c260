//! The settings file. Edge.
