//! The RTP ports of a node: an even port for RTP and the odd one above it for RTCP (RFC 3550 §11).
//!
//! A pair is bound before the INVITE that offers it, stays the call's until the call ends, and rests
//! [`REST`] before another call gets it, so that a straggling packet of one callee is not heard by another.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use crate::node::clock::Clock;
use crate::settings::Ports;
use crate::time::Timestamp;

/// How long a pair rests after its call: longer than packets wander and than callees talk on after our BYE.
const REST: Duration = Duration::from_secs(5);

/// Why a call got no ports.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// Every pair is in use or resting.
    #[error("all RTP ports of {address} are in use; widen media.ports or place fewer calls at once")]
    Exhausted {
        /// The media address.
        address: IpAddr,
    },
    /// The system gave none.
    #[error("cannot bind RTP port {at}")]
    Bind {
        /// The address and port that could not be bound.
        at: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// The pools of all local addresses that calls have used: as many as the settings name.
#[derive(Debug)]
pub(crate) struct PortPools {
    ports: Ports,
    clock: Clock,
    pools: Mutex<BTreeMap<IpAddr, Arc<PortPool>>>,
}

impl PortPools {
    /// Pools of these ports.
    pub(crate) fn new(ports: Ports, clock: Clock) -> Self {
        Self { ports, clock, pools: Mutex::default() }
    }

    /// The pool of an address.
    pub(crate) fn at(&self, address: IpAddr) -> Arc<PortPool> {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        let pool = || PortPool::new(address, &(self.ports.first..=self.ports.last), self.clock);
        Arc::clone(pools.entry(address).or_insert_with(pool))
    }
}

/// The pairs that no call has.
#[derive(Debug)]
pub(crate) struct PortPool {
    address: IpAddr,
    clock: Clock,
    /// Those of the settings.
    ports: RangeInclusive<u16>,
    /// Even ports and the time from which each may be used, the longest rested first.
    free: Mutex<VecDeque<(u16, Timestamp)>>,
}

/// A call's bound pair of sockets, non-blocking. The ports go back when the lease is dropped.
#[derive(Debug)]
pub(crate) struct PortPair {
    pub(crate) rtp: UdpSocket,
    pub(crate) rtcp: UdpSocket,
    pub(crate) lease: Lease,
}

/// The right to a pair of ports.
#[derive(Debug)]
pub(crate) struct Lease {
    port: u16,
    pool: Arc<PortPool>,
}

impl PortPool {
    /// The pool of the pairs within `ports` on `address`.
    pub(crate) fn new(address: IpAddr, ports: &RangeInclusive<u16>, clock: Clock) -> Arc<Self> {
        let pairs = ports.clone().filter(|port| port % 2 == 0 && port < ports.end());
        let free = pairs.map(|port| (port, Timestamp::EPOCH)).collect();
        Arc::new(Self { address, clock, ports: ports.clone(), free: Mutex::new(free) })
    }

    /// Binds the pair that has rested longest. Pairs that another process holds are passed over.
    ///
    /// # Errors
    /// When none is left, or the system refuses a socket for another reason (too many open files).
    pub(crate) fn bind(self: &Arc<Self>) -> Result<PortPair, PortError> {
        // Each round takes a pair that the next ones do not see, because it rests: the loop ends.
        while let Some(lease) = self.lease() {
            match lease.bind() {
                Ok((rtp, rtcp)) => return Ok(PortPair { rtp, rtcp, lease }),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(source) => {
                    let at = SocketAddr::new(self.address, lease.port);
                    return Err(PortError::Bind { at, source });
                }
            }
        }
        Err(PortError::Exhausted { address: self.address })
    }

    /// Binds the pair that a call of the process before has, wherever it lies.
    ///
    /// # Errors
    /// When the system refuses it.
    pub(crate) fn bind_at(self: &Arc<Self>, port: u16) -> Result<PortPair, PortError> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        // Calls have the first ones of a young pool. A walk through all of them for each call was half of a start.
        if let Some(at) = free.iter().position(|(free, _)| *free == port) {
            free.remove(at);
        }
        drop(free);
        let lease = Lease { port, pool: Arc::clone(self) };
        match lease.bind() {
            Ok((rtp, rtcp)) => Ok(PortPair { rtp, rtcp, lease }),
            Err(source) => Err(PortError::Bind { at: SocketAddr::new(self.address, port), source }),
        }
    }

    fn lease(self: &Arc<Self>) -> Option<Lease> {
        let now = self.clock.now();
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let (port, _) = free.pop_front_if(|(_, from)| *from <= now)?;
        Some(Lease { port, pool: Arc::clone(self) })
    }
}

impl Lease {
    /// The RTP port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    fn bind(&self) -> io::Result<(UdpSocket, UdpSocket)> {
        let at = |port| bind(SocketAddr::new(self.pool.address, port));
        Ok((at(self.port)?, at(self.port + 1)?))
    }
}

/// A socket of its own family: one for all IPv6 addresses must leave the IPv4 ones to others.
fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    Ok(socket.into())
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.pool.ports.contains(&self.port) {
            return; // of the settings of the process before
        }
        let rested = self.pool.clock.now() + REST;
        let mut free = self.pool.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.push_back((self.port, rested));
    }
}

/// A loopback address that no other test process on this machine uses: Linux has all of 127.0.0.0/8.
#[cfg(test)]
pub(crate) fn own_loopback() -> IpAddr {
    let [.., high, low] = std::process::id().to_be_bytes();
    [127, high, low, 1].into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(ports: RangeInclusive<u16>) -> Arc<PortPool> {
        PortPool::new(own_loopback(), &ports, Clock::of_process())
    }

    #[test]
    fn another_instance_with_the_same_range_is_passed_over_however_many_calls_it_has() {
        let (one, other) = (pool(21_100..=21_299), pool(21_100..=21_299));
        let held: Vec<PortPair> = (0..60).map(|_| one.bind().unwrap()).collect();
        let pair = other.bind().unwrap();
        assert!(held.iter().all(|held| held.lease.port() != pair.lease.port()));
    }

    #[test]
    fn a_call_gets_an_even_port_and_the_one_above() {
        let pool = pool(21_001..=21_005); // whole pairs: 21002, 21004
        let one = pool.bind().unwrap();
        let two = pool.bind().unwrap();
        for (pair, port) in [(&one, 21_002), (&two, 21_004)] {
            assert_eq!(pair.lease.port(), port);
            assert_eq!(pair.rtp.local_addr().unwrap().port(), port);
            assert_eq!(pair.rtcp.local_addr().unwrap().port(), port + 1);
        }
        assert!(matches!(pool.bind(), Err(PortError::Exhausted { .. })));
        drop(one);
        assert!(matches!(pool.bind(), Err(PortError::Exhausted { .. })), "a port rests after its call");
    }

    #[test]
    fn a_call_of_the_process_before_has_its_pair_again_and_nobody_else_gets_it() {
        let pool = pool(21_020..=21_023);
        let again = pool.bind_at(21_020).unwrap();
        let outside = pool.bind_at(21_030).unwrap();
        assert_eq!(again.rtcp.local_addr().unwrap().port(), 21_021);
        assert_eq!(pool.bind().unwrap().lease.port(), 21_022);
        assert!(matches!(pool.bind(), Err(PortError::Exhausted { .. })));
        let other = UdpSocket::bind((own_loopback(), 21_033)).unwrap();
        assert!(
            matches!(pool.bind_at(21_032), Err(PortError::Bind { .. })),
            "another process has its RTCP port"
        );
        drop(other);
        drop((again, outside));
        let resting: Vec<u16> = pool.free.lock().unwrap().iter().map(|(port, _)| *port).collect();
        assert!(!resting.contains(&21_030), "{resting:?}: it is not of these settings");
    }

    #[test]
    fn a_pair_that_another_process_holds_is_passed_over() {
        let other = UdpSocket::bind((own_loopback(), 21_013)).unwrap();
        let pair = pool(21_012..=21_015).bind().unwrap();
        assert_eq!(pair.lease.port(), 21_014);
        drop(other);
    }
}
