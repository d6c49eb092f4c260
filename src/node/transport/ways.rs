//! The local addresses of SIP: at each a UDP socket and a TCP listener on the same port (RFC 3261 §18).

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

/// Bytes of the UDP socket's buffers: half a second of 10,000 messages a second. The system gives what it allows.
const SOCKET_BUFFER_BYTES: usize = 4 << 20;
/// How long a read waits before the thread looks whether it should end.
const LOOK_UP: Duration = Duration::from_millis(200);
/// How long a send waits while the socket's buffer is full; then the message is lost as on the network.
const SEND_PATIENCE: Duration = Duration::from_millis(100);
/// Connections that the system keeps until they are accepted.
const BACKLOG: i32 = 128;
/// Tries to find a port that is free for both.
const PORT_TRIES: usize = 64;

/// One local address.
#[derive(Debug)]
pub(crate) struct Way {
    /// Its UDP socket; reads and writes wait a little.
    pub(crate) udp: UdpSocket,
    /// Address and port, the port drawn by the system if it was asked to.
    pub(crate) local: SocketAddr,
}

/// All local addresses, in the order of the settings.
#[derive(Debug)]
pub(crate) struct Ways(Vec<Way>);

impl Ways {
    /// Binds each address; the listeners belong to the ways of the same place.
    ///
    /// # Errors
    /// The address that could not be bound, and what the system says.
    pub(crate) fn bind(listen: &[SocketAddr]) -> Result<(Self, Vec<TcpListener>), (SocketAddr, io::Error)> {
        let bound = listen.iter().map(|&address| bind(address).map_err(|error| (address, error)));
        let (ways, listeners) = bound.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
        Ok((Self(ways), listeners))
    }

    /// Each way with its number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &Way)> {
        self.0.iter().enumerate()
    }

    /// The way of this number, which came from [`Ways::iter`] or [`Ways::toward`].
    pub(crate) fn at(&self, number: usize) -> &Way {
        &self.0[number]
    }

    /// The way to `to`: the preferred one if it speaks that family of addresses, else the first that does.
    pub(crate) fn toward(&self, preferred: Option<usize>, to: SocketAddr) -> Option<usize> {
        let speaks = |way: &Way| way.local.is_ipv4() == to.is_ipv4();
        let preferred = preferred.filter(|&number| self.0.get(number).is_some_and(speaks));
        preferred.or_else(|| self.0.iter().position(speaks))
    }

    /// Our address on a way, as `peer` sees it where no NAT stands between.
    ///
    /// # Errors
    /// When we listen on every address and no route leads to `peer`.
    pub(crate) fn facing(&self, number: usize, peer: SocketAddr) -> io::Result<SocketAddr> {
        let local = self.at(number).local;
        let ip = if local.ip().is_unspecified() { address_facing(peer)? } else { local.ip() };
        Ok(SocketAddr::new(ip, local.port()))
    }
}

/// The local address from which the system would send to `peer`. No packet leaves.
fn address_facing(peer: SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr = if peer.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
    let probe = UdpSocket::bind((any, 0))?;
    probe.connect(peer)?;
    Ok(probe.local_addr()?.ip())
}

fn bind(address: SocketAddr) -> io::Result<(Way, TcpListener)> {
    let mut tries = if address.port() == 0 { PORT_TRIES } else { 1 };
    loop {
        let udp = bind_udp(address)?;
        let local = udp.local_addr()?;
        tries -= 1;
        match listen(local) {
            Ok(listener) => return Ok((Way { udp, local }, listener)),
            Err(error) if error.kind() != io::ErrorKind::AddrInUse || tries == 0 => return Err(error),
            Err(_) => {} // drawn for UDP, taken for TCP: draw again
        }
    }
}

fn bind_udp(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    // Smaller buffers than wished for are the operator's to widen (net.core.rmem_max).
    drop(socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES));
    drop(socket.set_send_buffer_size(SOCKET_BUFFER_BYTES));
    own_family(&socket, address)?;
    socket.bind(&address.into())?;
    let socket = UdpSocket::from(socket);
    socket.set_read_timeout(Some(LOOK_UP))?;
    socket.set_write_timeout(Some(SEND_PATIENCE))?;
    Ok(socket)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart finds connections of the run before in TIME_WAIT.
    socket.set_reuse_address(true)?;
    own_family(&socket, address)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// An IPv6 socket takes IPv6 alone: IPv4 peers would show there with addresses that fit no setting.
fn own_family(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    if address.is_ipv6() { socket.set_only_v6(true) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ways(listen: &[&str]) -> Ways {
        let listen: Vec<SocketAddr> = listen.iter().map(|address| address.parse().unwrap()).collect();
        Ways::bind(&listen).unwrap().0
    }

    #[test]
    fn it_names_the_address_that_the_peer_can_reach() {
        let everywhere = ways(&["0.0.0.0:0", "[::]:0"]);
        for (number, peer) in [(0, "127.0.0.1:5060"), (1, "[::1]:5060")] {
            let peer: SocketAddr = peer.parse().unwrap();
            assert_eq!(everywhere.toward(None, peer), Some(number));
            let port = everywhere.at(number).local.port();
            assert_eq!(everywhere.facing(number, peer).unwrap(), SocketAddr::new(peer.ip(), port));
        }
    }

    #[test]
    fn the_preferred_way_is_taken_where_it_leads_there() {
        let ways = ways(&["127.0.0.1:0", "127.0.0.2:0", "[::1]:0"]);
        let (v4, v6) = ("192.0.2.1:5060".parse().unwrap(), "[2001:db8::1]:5060".parse().unwrap());
        assert_eq!((ways.toward(None, v4), ways.toward(Some(1), v4)), (Some(0), Some(1)));
        assert_eq!((ways.toward(Some(1), v6), ways.toward(Some(9), v6)), (Some(2), Some(2)));
        assert_eq!(super::tests::ways(&["127.0.0.1:0"]).toward(Some(0), v6), None);
    }

    #[test]
    fn both_transports_have_one_port() {
        let (ways, listeners) = Ways::bind(&["127.0.0.1:0".parse().unwrap()]).unwrap();
        assert_eq!(listeners[0].local_addr().unwrap(), ways.at(0).local);
        let taken = ways.at(0).local;
        assert_eq!(Ways::bind(&[taken]).unwrap_err().0, taken);
    }
}
