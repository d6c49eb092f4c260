//! Batches of UDP datagrams: `recvmmsg` and `sendmmsg` through nix's safe wrappers.
//!
//! One system call carries up to a batch; buffers are allocated once and used again.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};

use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};

/// Reads datagrams in batches from sockets of one address family.
pub(crate) struct Reader {
    headers: MultiHeaders<SockaddrStorage>,
    buffers: Vec<u8>,
    size: usize,
}

/// How a read waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// For the first datagram, as long as the socket's own timeout allows; then what is there.
    First,
    /// Not at all.
    No,
}

impl Reader {
    /// Room for `slots` datagrams of up to `size` bytes; longer ones are cut (UDP has 65,507 at most).
    pub(crate) fn new(slots: usize, size: usize) -> Self {
        Self { headers: MultiHeaders::preallocate(slots, None), buffers: vec![0; slots * size], size }
    }

    /// How many datagrams one read can return: fewer than that means that the socket was empty.
    pub(crate) fn slots(&self) -> usize {
        self.buffers.len() / self.size
    }

    /// Reads what is there, up to the number of slots, and hands each datagram to `take`.
    ///
    /// # Errors
    /// The system's; `WouldBlock` when nothing was there in time. A pending ICMP error of an earlier send
    /// surfaces here too (`ConnectionRefused`), and the next read goes on.
    pub(crate) fn read(
        &mut self,
        socket: &impl AsRawFd,
        wait: Wait,
        mut take: impl FnMut(&[u8], SocketAddr),
    ) -> io::Result<usize> {
        let flags = match wait {
            Wait::First => MsgFlags::MSG_WAITFORONE,
            Wait::No => MsgFlags::MSG_DONTWAIT,
        };
        let mut slices: Vec<[IoSliceMut<'_>; 1]> =
            self.buffers.chunks_exact_mut(self.size).map(|buffer| [IoSliceMut::new(buffer)]).collect();
        let received = recvmmsg(socket.as_raw_fd(), &mut self.headers, slices.iter_mut(), flags, None)?;
        let mut count = 0;
        for message in received {
            count += 1;
            let from = message.address.as_ref().and_then(address);
            if let (Some(bytes), Some(from)) = (message.iovs().next(), from) {
                take(bytes, from);
            }
        }
        Ok(count)
    }
}

fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = storage.as_sockaddr_in() {
        return Some(SocketAddr::V4((*v4).into()));
    }
    storage.as_sockaddr_in6().map(|v6| SocketAddr::V6((*v6).into()))
}

/// Sends datagrams in batches.
pub(crate) struct Sender {
    headers: MultiHeaders<SockaddrStorage>,
    slots: usize,
}

impl Sender {
    /// Sends up to `slots` datagrams with one system call.
    pub(crate) fn new(slots: usize) -> Self {
        Self { headers: MultiHeaders::preallocate(slots, None), slots }
    }

    /// Sends all of `datagrams` in order, waiting while the socket's buffer is full if the socket blocks.
    /// A datagram that the system refuses is skipped; `refused` is told its place, where it was to go, and why.
    pub(crate) fn send<B: AsRef<[u8]>>(
        &mut self,
        socket: RawFd,
        datagrams: &[(SocketAddr, B)],
        mut refused: impl FnMut(usize, SocketAddr, io::Error),
    ) {
        let mut rest = datagrams;
        while !rest.is_empty() {
            let (batch, _) = rest.split_at(rest.len().min(self.slots));
            match self.send_batch(socket, batch) {
                Ok(sent) => rest = rest.get(sent.max(1)..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    // The error belongs to the first of the batch: what was sent before it is reported as sent.
                    if let [(to, _), after @ ..] = rest {
                        refused(datagrams.len() - rest.len(), *to, error);
                        rest = after;
                    }
                }
            }
        }
    }

    fn send_batch<B: AsRef<[u8]>>(&mut self, socket: RawFd, batch: &[(SocketAddr, B)]) -> io::Result<usize> {
        let slices: Vec<[IoSlice<'_>; 1]> =
            batch.iter().map(|(_, bytes)| [IoSlice::new(bytes.as_ref())]).collect();
        let to: Vec<Option<SockaddrStorage>> = batch.iter().map(|(to, _)| Some((*to).into())).collect();
        let sent = sendmmsg(socket, &mut self.headers, &slices, &to, [], MsgFlags::empty())?;
        Ok(sent.count())
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn a_batch_arrives_in_order_with_its_source() {
        let from = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = UdpSocket::bind("127.0.0.1:0").unwrap();
        to.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
        let to_address = to.local_addr().unwrap();
        let datagrams: Vec<_> = (0..10_u8).map(|n| (to_address, vec![n; 3])).collect();
        Sender::new(4).send(from.as_raw_fd(), &datagrams, |_, to, error| panic!("{to}: {error}"));

        let mut reader = Reader::new(8, 2_048);
        let mut seen = Vec::new();
        while seen.len() < 10 {
            let count = reader
                .read(&to, Wait::First, |bytes, source| {
                    assert_eq!(source, from.local_addr().unwrap());
                    seen.push(bytes.to_vec());
                })
                .unwrap();
            assert!(count <= reader.slots());
        }
        assert_eq!(seen, datagrams.into_iter().map(|(_, bytes)| bytes).collect::<Vec<_>>());
        let empty = reader.read(&to, Wait::No, |_, _| panic!("nothing was sent")).unwrap_err();
        assert_eq!(empty.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn a_refused_datagram_does_not_hold_up_the_others() {
        let from = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = UdpSocket::bind("127.0.0.1:0").unwrap();
        let good = to.local_addr().unwrap();
        let bad: SocketAddr = "127.0.0.1:0".parse().unwrap(); // port 0 cannot be sent to
        let datagrams = [(good, b"1"), (bad, b"2"), (good, b"3")];
        let mut refused = Vec::new();
        Sender::new(8).send(from.as_raw_fd(), &datagrams, |place, to, _| refused.push((place, to)));
        assert_eq!(refused, [(1, bad)]);
        let mut buffer = [0; 8];
        assert_eq!(to.recv(&mut buffer).unwrap(), 1);
        assert_eq!(to.recv(&mut buffer).unwrap(), 1);
        assert_eq!(buffer[0], b'3');
    }
}
