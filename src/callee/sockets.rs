//! The sockets of one phone: RTP on an even port, RTCP on the odd one above (RFC 3550 §11).
//!
//! Arrival times are the kernel's (`SO_TIMESTAMPNS`), so a busy respondent does not blame the sender for
//! gaps that it made itself.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use mio::net::UdpSocket;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt::ReceiveTimestampns,
};
use nix::sys::time::TimeSpec;

use crate::node::clock::Clock;
use crate::time::Timestamp;

/// Bytes of the largest datagram that is read whole: an Ethernet frame's worth.
const DATAGRAM_BYTES: usize = 1_500;
/// Tries to find two neighbouring free ports.
const PORT_TRIES: usize = 64;
/// A kernel time further from the process's clock than this is not believed: the wall clock was set.
const CLOCKS_APART: Duration = Duration::from_secs(1);

/// Lets this process open as many files as the hard limit allows: the usual soft limit of 1,024 is 500
/// telephones.
pub fn raise_open_files() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        if soft < hard { setrlimit(Resource::RLIMIT_NOFILE, hard, hard) } else { Ok(()) }
    });
    if let Err(error) = raised {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

/// RTP and RTCP sockets of one phone.
#[derive(Debug)]
pub struct MediaSockets {
    /// Even port.
    pub rtp: UdpSocket,
    /// The port above.
    pub rtcp: UdpSocket,
    /// The RTP port.
    pub port: u16,
}

impl MediaSockets {
    /// Binds two neighbouring ports that the system has free.
    ///
    /// # Errors
    /// When there are none, or no more sockets.
    pub fn bind(address: IpAddr) -> io::Result<Self> {
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for _ in 0..PORT_TRIES {
            let first = UdpSocket::bind(SocketAddr::new(address, 0))?;
            let port = first.local_addr()?.port();
            match UdpSocket::bind(SocketAddr::new(address, port ^ 1)) {
                Ok(second) => {
                    let (rtp, rtcp) = if port % 2 == 0 { (first, second) } else { (second, first) };
                    setsockopt(&rtp, ReceiveTimestampns, &true)?;
                    return Ok(Self { rtp, rtcp, port: port & !1 });
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// A datagram that was received; [`Receiver::bytes`] has its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram {
    length: usize,
    /// Who sent it.
    pub from: SocketAddr,
    /// When it came, by the kernel.
    pub at: Timestamp,
}

/// Reads datagrams with their kernel times; one for all sockets of a thread.
#[derive(Debug)]
pub struct Receiver {
    clock: Clock,
    buffer: Vec<u8>,
    control: Vec<u8>,
}

impl Receiver {
    /// A receiver with its buffers.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, buffer: vec![0; DATAGRAM_BYTES], control: nix::cmsg_space!(TimeSpec) }
    }

    /// The next datagram that waits; `None` when none does.
    ///
    /// # Errors
    /// What the system says, but for an ICMP error of an earlier send, which is passed over.
    pub fn receive(&mut self, socket: &UdpSocket) -> io::Result<Option<Datagram>> {
        loop {
            match self.try_receive(socket) {
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                done => return done,
            }
        }
    }

    /// The bytes of the datagram received last.
    #[must_use]
    pub fn bytes(&self, datagram: Datagram) -> &[u8] {
        self.buffer.get(..datagram.length).unwrap_or_default()
    }

    fn try_receive(&mut self, socket: &UdpSocket) -> io::Result<Option<Datagram>> {
        let mut parts = [io::IoSliceMut::new(&mut self.buffer)];
        let fd = socket.as_raw_fd();
        let received =
            recvmsg::<SockaddrStorage>(fd, &mut parts, Some(&mut self.control), MsgFlags::MSG_DONTWAIT);
        let message = match received {
            Ok(message) => message,
            Err(nix::errno::Errno::EAGAIN) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let stamp = message.cmsgs()?.find_map(|control| {
            if let ControlMessageOwned::ScmTimestampns(time) = control {
                Some(Duration::from(time))
            } else {
                None
            }
        });
        let from = message.address.as_ref().and_then(socket_address);
        let from = from.ok_or_else(|| io::Error::other("a datagram without sender"))?;
        let length = message.bytes;
        Ok(Some(Datagram { length, from, at: self.arrival(stamp) }))
    }

    fn arrival(&self, stamp: Option<Duration>) -> Timestamp {
        let now = self.clock.now();
        let stamp = stamp.map(|since_epoch| Timestamp::EPOCH + since_epoch);
        stamp.filter(|at| at.since(now).max(now.since(*at)) < CLOCKS_APART).unwrap_or(now)
    }
}

fn socket_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| SocketAddr::from((v4.ip(), v4.port())));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| SocketAddr::from((v6.ip(), v6.port()))))
}
