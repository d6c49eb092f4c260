//! One turn of a session: what is the time, who are we, and what is to be said about it.

use std::collections::VecDeque;

use bytes::Bytes;

use super::Event;
use crate::id::Mint;
use crate::sip::hop::Hop;
use crate::sip::local::Local;
use crate::sip::transaction::Transmit;
use crate::time::Timestamp;

/// What every step of a session needs beside its own state.
pub(in crate::sip) struct Turn<'a> {
    pub(in crate::sip) now: Timestamp,
    pub(in crate::sip) local: &'a Local,
    pub(in crate::sip) mint: &'a mut Mint,
    pub(in crate::sip) events: &'a mut VecDeque<Event>,
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

    /// Sends bytes once more.
    pub(in crate::sip) fn resend(&mut self, to: Hop, bytes: Bytes) {
        self.transmit(Transmit::again(to, bytes));
    }
}
