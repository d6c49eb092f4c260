//! Two ends and a bad wire.
