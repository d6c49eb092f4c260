//! SIP (RFC 3261): messages, transactions, dialog, INVITE session. Pure.

pub mod timers;
pub mod transaction;
