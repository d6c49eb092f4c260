//! RTP and RTCP (RFC 3550), telephone-event (RFC 4733), G.711, playout clock. Pure.
