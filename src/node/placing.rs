//! From a placement to a call: each of its trunks with its terms, one pair of ports for all of them.
//!
//! ```text
//! trunk, others ─┬─ closed (Retry-After), full, no route ─► passed over, and told in the result
//!                └─ way, addresses, identity, codecs ─► Terms
//! ports: at the one address that all of them reach us at, else at every address of their family
//! ```

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering::SeqCst;

use super::budgets::{Channel, LONGEST_WAIT, NoRoom};
use super::placement::{self, PlaceError, Placement};
use super::renew::Current;
use super::{Node, Reserved, Ways};
use crate::call::{Listening, Start, Terms, Tried, TryEnd};
use crate::id::{CallId, Epoch};
use crate::interview::Method;
use crate::sdp::{LocalMedia, Origin};
use crate::settings::{Settings, Trunk};
use crate::sip::{Hop, NameAddr, Uri};
use crate::time::Timestamp;

/// A trunk that can be called through.
struct Usable<'a> {
    name: &'a str,
    trunk: &'a Trunk,
    way: usize,
    sent_by: SocketAddr,
    target: Uri,
    from: NameAddr,
    /// Where its media comes in, and how it sees that address.
    bound: IpAddr,
    address: IpAddr,
}

/// The trunks of a call.
struct Sorted<'a> {
    usable: Vec<Usable<'a>>,
    passed_over: Vec<Tried>,
    /// Its place on the first of them.
    channel: Option<Channel>,
}

fn of_budget(trunk: &str, full: NoRoom) -> PlaceError {
    let trunk = trunk.to_owned();
    match full {
        NoRoom::Channels(channels) => PlaceError::Channels { trunk, channels },
        NoRoom::Starts(cps) => PlaceError::Starts { trunk, cps, seconds: LONGEST_WAIT.as_secs() },
    }
}

impl Node {
    pub(super) fn place_reserved(
        &self,
        placement: Placement,
        current: &Current,
    ) -> Result<CallId, PlaceError> {
        let settings = current.settings.as_ref();
        let names =
            std::iter::once(placement.trunk.as_str()).chain(placement.others.iter().map(String::as_str));
        let Sorted { usable, passed_over, channel } = self.sort(names, &placement, settings)?;
        let ([first, others @ ..], Some(channel)) = (usable.as_slice(), channel) else {
            unreachable!("an error says so")
        };
        let one_address = others.iter().all(|other| other.bound == first.bound);
        let bound = if one_address { first.bound } else { every_address(first.bound) };
        let ports = self.ports.at(bound).bind()?;
        let (drawn, seed, origin) = self.draw(first.address);
        let (call_id, attempt_id) = placement.names.unwrap_or(drawn);
        let case_id = placement.attempt.map(|(case, _)| case);
        let order_seed = placement.order_seed.or_else(|| case_id.map(placement::order_seed));
        let port = ports.lease.port();
        // By the numbers that the trunks will have: those that were passed over have no way.
        let ways = passed_over.iter().map(|_| first.way).chain([first.way]);
        let ways: Ways = ways.chain(others.iter().map(|other| other.way)).collect();
        let start = Start {
            call_id,
            attempt_id: placement.attempt.map_or(attempt_id, |(_, attempt)| attempt),
            case_id,
            epoch: Epoch(self.epoch.load(SeqCst)),
            seed,
            terms: first.terms(&placement, origin, port),
            others: others.iter().map(|other| other.terms(&placement, origin, port)).collect(),
            failover: placement.failover.clone(),
            passed_over,
            to: placement.to,
            post_dial: placement.post_dial,
            longest: self.longest,
            user_agent: settings.sip.user_agent.clone(),
            questionnaire: placement.questionnaire,
            fields: placement.fields,
            order_seed: order_seed
                .unwrap_or_else(|| u32::from_be_bytes([seed[0], seed[1], seed[2], seed[3]])),
        };
        self.hand_over(start, Reserved { ways, ports, channel }, &current.assets)
    }

    /// The trunks that can be called through now, and those that are passed over. One at least can, or the first
    /// that cannot says why.
    fn sort<'a>(
        &self,
        names: impl Iterator<Item = &'a str>,
        placement: &Placement,
        settings: &'a Settings,
    ) -> Result<Sorted<'a>, PlaceError> {
        let now = self.clock.now();
        let (mut usable, mut passed_over, mut refused) = (Vec::<Usable<'_>>::new(), Vec::new(), None);
        let mut channel = None;
        for name in names {
            let found = self.usable(name, placement, settings, now).and_then(|one| {
                // Only the one that is called first needs room now.
                if channel.is_none() {
                    channel = Some(self.budgets.admit(name, now).map_err(|full| of_budget(name, full))?);
                }
                Ok(one)
            });
            let end = match found {
                // One pair of ports serves one family of addresses; dialplans are held against this.
                Ok(one)
                    if usable.first().is_some_and(|first| first.bound.is_ipv4() != one.bound.is_ipv4()) =>
                {
                    TryEnd::NoRoute
                }
                Ok(one) => {
                    usable.push(one);
                    continue;
                }
                Err(
                    error @ (PlaceError::Closed { .. }
                    | PlaceError::Channels { .. }
                    | PlaceError::Starts { .. }),
                ) => {
                    refused.get_or_insert(error);
                    TryEnd::Closed
                }
                Err(error @ PlaceError::Route { .. }) => {
                    refused.get_or_insert(error);
                    TryEnd::NoRoute
                }
                Err(error) => return Err(error),
            };
            passed_over.push(Tried::passed_over(name.to_owned(), end, now));
        }
        match refused {
            Some(error) if usable.is_empty() => Err(error),
            Some(_) | None => Ok(Sorted { usable, passed_over, channel }),
        }
    }

    fn usable<'a>(
        &self,
        name: &str,
        placement: &Placement,
        settings: &'a Settings,
        now: Timestamp,
    ) -> Result<Usable<'a>, PlaceError> {
        let Some((name, trunk)) = settings.trunks.get_key_value(name) else {
            let known: Vec<&str> = settings.trunks.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(PlaceError::Trunk { name: name.to_owned(), known });
        };
        let target = placement::target(&placement.to, trunk.address)?;
        if let Some(left) = self.closed.left(name, now) {
            return Err(PlaceError::Closed { trunk: name.clone(), seconds: left.as_secs().max(1) });
        }
        let (way, local) = self.way(trunk).map_err(|source| PlaceError::Route {
            trunk: name.clone(),
            address: trunk.address,
            source,
        })?;
        let sent_by = seen(Some(trunk), local);
        let from = placement::from(name, trunk, placement.caller_id.as_deref(), sent_by)?;
        let (bound, address) = self.media(settings, Some(trunk), way, local.ip());
        Ok(Usable { name, trunk, way, sent_by, target, from, bound, address })
    }

    /// The local address that a trunk is called from, and how that looks in Via and Contact.
    pub(super) fn way(&self, trunk: &Trunk) -> io::Result<(usize, SocketAddr)> {
        let ways = self.transport.ways();
        let asked = trunk.local.and_then(|ip| ways.iter().find(|(_, way)| way.local.ip() == ip));
        let way = ways.toward(asked.map(|(number, _)| number), trunk.address);
        let way = way.ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok((way, ways.facing(way, trunk.address)?))
    }

    /// Our address on a way, as a peer sees it; where no route leads there, as it is bound.
    pub(super) fn local_facing(&self, way: usize, peer: SocketAddr) -> SocketAddr {
        let ways = self.transport.ways();
        ways.facing(way, peer).unwrap_or(ways.at(way).local)
    }

    /// Where the RTP of a call comes in that leaves by a way, where it has this address: what is bound, and what the peer
    /// of its trunk is told.
    pub(super) fn media(
        &self,
        settings: &Settings,
        trunk: Option<&Trunk>,
        way: usize,
        facing: IpAddr,
    ) -> (IpAddr, IpAddr) {
        let set = settings.media.address.facing(facing);
        let bound = set.unwrap_or(self.transport.ways().at(way).local.ip());
        let advertised = trunk.and_then(|trunk| trunk.advertise).map(|seen| seen.ip);
        (bound, advertised.or(set).unwrap_or(facing))
    }
}

/// How a local address looks to the peer of a trunk, in Via and Contact.
pub(super) fn seen(trunk: Option<&Trunk>, local: SocketAddr) -> SocketAddr {
    let advertised = trunk.and_then(|trunk| trunk.advertise);
    advertised.map_or(local, |seen| SocketAddr::new(seen.ip, seen.port.unwrap_or(local.port())))
}

/// Every address of the same family.
pub(super) const fn every_address(like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED),
    }
}

impl Usable<'_> {
    fn terms(&self, placement: &Placement, origin: Origin, port: u16) -> Terms {
        let trunk = self.trunk;
        let origin = Origin { address: self.address, ..origin };
        let ours = LocalMedia::new(origin, self.address, port);
        let local = LocalMedia {
            codecs: trunk.codecs.clone(),
            telephone_event: ours.telephone_event.filter(|_| trunk.dtmf.contains(&Method::Rfc4733)),
            ..ours
        };
        let listening = Listening {
            keys: trunk.dtmf.clone(),
            on_tone: trunk.on_tone,
            media_timeout: trunk.media_timeout,
        };
        Terms {
            trunk: self.name.to_owned(),
            target: self.target.clone(),
            from: self.from.clone(),
            destination: Hop { protocol: trunk.transport, address: trunk.address },
            large: trunk.large_requests,
            sent_by: self.sent_by,
            local,
            listening,
            ring_timeout: placement.ring_timeout.unwrap_or(trunk.ring_timeout),
            redirects: trunk.redirects,
            session_expires: trunk.session_expires,
        }
    }
}
