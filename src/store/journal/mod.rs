//! The journal of this instance: its own call records. Edge.
