//! Settings as a person writes them.
