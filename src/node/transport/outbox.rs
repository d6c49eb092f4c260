//! SIP messages of a thread that leave together: datagrams in one batch, the rest to the thread of connections.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd as _;
use std::sync::Arc;

use bytes::Bytes;

use super::Of;
use super::connections::{Carrier, Parcel};
use super::hand::answer_stray;
use super::ways::Ways;
use crate::node::datagrams::Sender;
use crate::node::right::Right;
use crate::sip::transaction::Transmit;
use crate::sip::{Hop, Message, Protocol};

/// Datagrams of one system call.
const SLOTS: usize = 64;

/// SIP messages that leave together. Lives on the thread that uses it.
pub(crate) struct Outbox {
    ways: Arc<Ways>,
    carrier: Carrier,
    sender: Sender,
    /// Datagrams that wait, for each way.
    batches: Vec<Batch>,
    parcels: Vec<Parcel>,
    /// Calls of messages that no way leads to.
    stranded: Vec<Of>,
    right: Right,
}

#[derive(Default)]
struct Batch {
    datagrams: Vec<(SocketAddr, Bytes)>,
    /// The call of each, where a call's it is.
    owners: Vec<Option<Of>>,
}

impl Outbox {
    pub(crate) fn new(ways: Arc<Ways>, carrier: Carrier, right: Right) -> Self {
        let batches = ways.iter().map(|_| Batch::default()).collect();
        let (parcels, stranded) = (Vec::new(), Vec::new());
        Self { ways, carrier, sender: Sender::new(SLOTS), batches, parcels, stranded, right }
    }

    /// Puts a message of a call behind those that wait; `way` is the one that its trunk prefers.
    pub(crate) fn put(&mut self, of: Of, way: usize, transmit: Transmit) {
        self.wait(Some(of), Some(way), transmit);
    }

    /// Puts the stateless answer to a message that belongs to no call, if it gets one.
    pub(crate) fn answer_stray(&mut self, message: &Message, from: Hop, server: &str) {
        if let Some(reply) = answer_stray(message, from, server) {
            self.wait(None, None, reply);
        }
    }

    /// Puts an answer that leaves from the way that its request came to (RFC 3581 §4).
    pub(crate) fn answer(&mut self, way: usize, reply: Transmit) {
        self.wait(None, Some(way), reply);
    }

    fn wait(&mut self, call: Option<Of>, way: Option<usize>, transmit: Transmit) {
        let Transmit { to, bytes, .. } = transmit;
        let Some(way) = self.ways.toward(way, to.address) else {
            tracing::debug!(%to, ?call, "no local address leads there");
            return self.stranded.extend(call);
        };
        match to.protocol {
            Protocol::Udp => {
                self.batches[way].datagrams.push((to.address, bytes));
                self.batches[way].owners.push(call);
            }
            Protocol::Tcp => self.parcels.push(Parcel::new(way, to.address, call, bytes)),
        }
    }

    /// Sends everything that waits; tells the calls whose message the system refused.
    ///
    /// Without the right to send it is dropped.
    pub(crate) fn flush(&mut self, mut failed: impl FnMut(Of)) {
        if !self.right.holds() {
            return self.drop_all();
        }
        self.stranded.drain(..).for_each(&mut failed);
        for (number, batch) in
            self.batches.iter_mut().enumerate().filter(|(_, batch)| !batch.owners.is_empty())
        {
            let socket = self.ways.at(number).udp.as_raw_fd();
            self.sender.send(socket, &batch.datagrams, |index, to, error| {
                let call = batch.owners.get(index).copied().flatten();
                tracing::debug!(%to, %error, ?call, "a SIP message was not sent");
                // A full buffer is a loss as on the network, which timers make good; the rest is final (§18.4).
                if error.kind() != io::ErrorKind::WouldBlock
                    && let Some(call) = call
                {
                    failed(call);
                }
            });
            batch.datagrams.clear();
            batch.owners.clear();
        }
        if !self.parcels.is_empty() {
            self.carrier.take(self.parcels.drain(..)).into_iter().for_each(failed);
        }
    }

    fn drop_all(&mut self) {
        for batch in &mut self.batches {
            batch.datagrams.clear();
            batch.owners.clear();
        }
        self.parcels.clear();
        self.stranded.clear();
    }
}
