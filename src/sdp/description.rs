//! A description as it came in (RFC 8866), read leniently.
