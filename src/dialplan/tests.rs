//! A dialplan as its author and its callers see it.
