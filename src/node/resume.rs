//! How a node goes on with the calls of the process before it, at the same addresses and ports.
//!
//! ```text
//! journal ─► SavedCall ─► Call ─┬─ its pair of ports, bound again ─► its shard: Input::Restored
//!                               └─ they are another's now ─────────► its shard: Input::PortsLost
//! ```
//! Nothing is signalled for it: the peer need not notice. All this is done before the first message is read, so that
//! none finds its call missing.

use std::net::SocketAddr;

use super::ports::{PortError, PortPair};
use super::shard::{Post, Resumed};
use super::{Node, shard_of};
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
            let way = self.way_back(&call, &settings);
            let ports = call.needs_ports().then(|| self.ports_again(&call, way, &settings));
            let resumed_call = Resumed { call, saved: (epoch, revision), alive, way, ports };
            self.load.resume();
            self.post(shard_of(call_id, self.shards.len()), Post::Resume(Box::new(resumed_call)));
            resumed += 1;
        }
        if resumed + unread > 0 {
            tracing::info!(resumed, unread, "going on with the calls of the process before");
        }
    }

    /// The local address that a call's trunk is called from. A trunk that is no longer in the settings is reached by
    /// the first that leads there.
    fn way_back(&self, call: &Call, settings: &Settings) -> usize {
        let peer = call.first_hop().address;
        let trunk = settings.trunks.get(call.trunk());
        let way = trunk.and_then(|trunk| self.way(trunk).ok()).map(|(way, _)| way);
        let way = way.or_else(|| self.transport.ways().toward(None, peer)).unwrap_or(0);
        let (before, now) = (call.sent_by(), self.transport.ways().at(way).local);
        let advertised = trunk.is_some_and(|trunk| trunk.advertise.is_some());
        if before.port() != now.port() && !advertised {
            tracing::warn!(
                call = %call.id(), %before, %now,
                "the peer of this call sends to another address than we listen at; see [sip] listen"
            );
        }
        way
    }

    fn ports_again(&self, call: &Call, way: usize, settings: &Settings) -> Result<PortPair, PortError> {
        let local: SocketAddr = self.transport.ways().at(way).local;
        let facing = self.transport.ways().facing(way, call.first_hop().address).unwrap_or(local);
        let address = settings.media.address.facing(facing.ip()).unwrap_or(local.ip());
        self.ports.at(address).bind_at(call.rtp_port())
    }
}
