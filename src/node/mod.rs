//! Shards that own calls, SIP transports, media engine. Edge (DESIGN §5).
//!
//! ```text
//!            place, hang_up                     Event (steps, results)
//!                  │                                  ▲
//!   SIP socket     ▼                                  │
//!   ─► reader ─► shard: inputs → Call::handle → outputs ─► SIP socket
//!                │  ▲      (parked until saved)  │  ▲
//!           saves│  │acknowledged    Open, Play │  │ Key, PromptEnded, Closed
//!                ▼  │                            ▼  │
//!              journal                       media thread (20 ms wheel) ◄─► RTP, RTCP
//! ```
//! A few named threads do everything; a call is a value in a shard's map and a stream in a media thread's.
//! No task, thread or socket-reading future belongs to one call.

pub mod clock;
pub mod masked;
