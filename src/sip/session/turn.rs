//! One turn of a session: what is the time, who are we, and what is to be said about it.

use std::collections::VecDeque;

use bytes::Bytes;

use super::Event;
use super::reliable::Reliable;
use crate::id::Mint;
use crate::sip::digest::{Credentials, Ring, Tried, Verdict};
use crate::sip::hop::Hop;
use crate::sip::local::Local;
use crate::sip::transaction::Transmit;
use crate::sip::{Method, Response, StatusCode, Uri, Writer};
use crate::time::Timestamp;

/// What every step of a session needs beside its own state.
pub(in crate::sip) struct Turn<'a> {
    pub(in crate::sip) now: Timestamp,
    pub(in crate::sip) local: &'a Local,
    pub(in crate::sip) mint: &'a mut Mint,
    pub(in crate::sip) events: &'a mut VecDeque<Event>,
    /// The challenges that have been answered.
    pub(in crate::sip) ring: &'a mut Ring,
    /// With what they are answered.
    pub(in crate::sip) credentials: Option<&'a Credentials>,
    /// A callee's reliable provisional responses.
    pub(in crate::sip) reliable: Option<&'a mut Reliable>,
}

impl Turn<'_> {
    pub(in crate::sip) fn tell(&mut self, event: Event) {
        self.events.push_back(event);
    }

    pub(in crate::sip) fn transmit(&mut self, transmit: impl Into<Option<Transmit>>) {
        self.events.extend(transmit.into().map(Event::Transmit));
    }

    /// Sends bytes for the first time.
    pub(in crate::sip) fn send(&mut self, to: Hop, bytes: Bytes) {
        self.transmit(Transmit::first(to, bytes));
    }

    /// Writes the answers to earlier challenges into a request (RFC 3261 §22.2, §22.3).
    pub(in crate::sip) fn sign(&mut self, writer: &mut Writer, method: &Method, uri: &Uri, body: &[u8]) {
        self.ring.sign(writer, self.credentials, method.as_str(), &uri.to_string(), body);
    }

    /// True if a response is a challenge that can be answered: the request goes out again then, signed.
    pub(in crate::sip) fn challenged(&mut self, response: &Response, tried: &mut Tried) -> bool {
        let asks =
            matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED);
        asks && self.ring.take(response.headers(), tried, self.credentials, self.mint) == Verdict::Answer
    }

    /// Sends bytes once more.
    pub(in crate::sip) fn resend(&mut self, to: Hop, bytes: Bytes) {
        self.transmit(Transmit::again(to, bytes));
    }
}
