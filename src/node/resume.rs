//! How a node goes on with the calls of the process before it, at the same addresses and ports.
//!
//! ```text
//! journal ─► SavedCall ─► Call ─┬─ its pair of ports, bound again ─► its shard: Input::Restored
//!                               └─ they are another's now ─────────► its shard: Input::PortsLost
//! ```
//! Nothing is signalled for it: the peer need not notice. All this is done before the first message is read, so that
//! none finds its call missing.

use std::net::SocketAddr;

use super::placing::every_address;
use super::ports::{PortError, PortPair};
use super::shard::{Post, Resumed};
use super::{Node, Ways, shard_of};
use crate::call::Call;
use crate::settings::Settings;
use crate::store::journal::SavedCall;
use crate::time::Timestamp;

impl Node {
    /// Hands each call to its shard; `alive` is when the process before is known to have lived last. A record that
    /// this build cannot read stays in the journal.
    pub(super) fn resume(&self, calls: Vec<SavedCall>, alive: Option<Timestamp>) {
        let settings = self.current().settings;
        let (mut resumed, mut unread) = (0_usize, 0_usize);
        for SavedCall { call_id, epoch, revision, record } in calls {
            let call = match Call::restore(&record) {
                Ok(call) => call,
                Err(error) => {
                    tracing::error!(call = %call_id, %error, "a call of the process before cannot be read");
                    unread += 1;
                    continue;
                }
            };
            let ways: Ways = call.trunks().map(|trunk| self.way_back(&call, trunk, &settings)).collect();
            self.look_for_peer(&call, &ways, &settings);
            let ports = call.needs_ports().then(|| self.ports_again(&call, &ways, &settings));
            let resumed_call = Resumed { call, saved: (epoch, revision), alive, ways, ports };
            self.load.resume();
            self.post(shard_of(call_id, self.shards.len()), Post::Resume(Box::new(resumed_call)));
            resumed += 1;
        }
        if resumed + unread > 0 {
            tracing::info!(resumed, unread, "going on with the calls of the process before");
        }
    }

    /// The local address that a trunk of a call is called from. One that is no longer in the settings is reached by
    /// the first that leads there.
    fn way_back(&self, call: &Call, trunk: &str, settings: &Settings) -> usize {
        let trunk = settings.trunks.get(trunk);
        let way = trunk.and_then(|trunk| self.way(trunk).ok()).map(|(way, _)| way);
        way.or_else(|| self.transport.ways().toward(None, call.first_hop().address)).unwrap_or(0)
    }

    /// Says so if the peer will speak to an address at which nobody listens any more.
    fn look_for_peer(&self, call: &Call, ways: &Ways, settings: &Settings) {
        let through = call.trunks().zip(ways.iter()).find(|(trunk, _)| *trunk == call.trunk());
        let way = through.map_or(0, |(_, &way)| way);
        let (before, now) = (call.sent_by(), self.transport.ways().at(way).local);
        let advertised = settings.trunks.get(call.trunk()).is_some_and(|trunk| trunk.advertise.is_some());
        if before.port() != now.port() && !advertised {
            tracing::warn!(
                call = %call.id(), %before, %now,
                "the peer of this call sends to another address than we listen at; see [sip] listen"
            );
        }
    }

    /// Its ports, at the address that all its trunks reach us at, else at every one.
    fn ports_again(&self, call: &Call, ways: &Ways, settings: &Settings) -> Result<PortPair, PortError> {
        let peer = call.first_hop().address;
        let mut bound = ways.iter().map(|&way| {
            let local: SocketAddr = self.transport.ways().at(way).local;
            let facing = self.transport.ways().facing(way, peer).unwrap_or(local);
            settings.media.address.facing(facing.ip()).unwrap_or(local.ip())
        });
        let first = bound.next().unwrap_or(peer.ip());
        let address = if bound.all(|other| other == first) { first } else { every_address(first) };
        self.ports.at(address).bind_at(call.rtp_port())
    }
}
