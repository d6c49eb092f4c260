//! Number to route. Pure.
