//! Shards that own calls, SIP transports, media engine. Edge.
