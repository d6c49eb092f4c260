//! SIP over UDP: one socket, one thread that reads it for every call, and senders that shards own.
//!
//! ```text
//! socket ─ recvmmsg ─► parse once ─► owner: top Via branch, or user part of the Request-URI ─► its shard
//!                        │ no call of ours named ─► stateless answer (sip::stray)
//!                        └ malformed ─► counted, dropped
//! ```

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use socket2::{Domain, Socket, Type};

use super::clock::Clock;
use super::datagrams::{Reader, Sender, Wait};
use super::faults::Faults;
use crate::id::CallId;
use crate::sip::transaction::Transmit;
use crate::sip::{Hop, Message, ParseError, parse, stray};

/// Messages of one read. Only the pages that arrive are resident.
const SLOTS: usize = 64;
/// Bytes of a datagram: the most that UDP carries.
const DATAGRAM_BYTES: usize = 65_535;
/// Bytes of the socket's buffers: half a second of 10,000 messages a second. The system gives what it allows.
const SOCKET_BUFFER_BYTES: usize = 4 << 20;
/// How long a read waits before the thread looks whether it should end.
const LOOK_UP: Duration = Duration::from_millis(200);
/// How long a send waits while the socket's buffer is full; then the message is lost as on the network.
const SEND_PATIENCE: Duration = Duration::from_millis(100);

/// A message that came in for a call of ours.
#[derive(Debug)]
pub(crate) struct Arrived {
    /// The call that it names; it may be long over.
    pub(crate) owner: CallId,
    /// The message.
    pub(crate) message: Arc<Message>,
    /// Where it came from.
    pub(crate) from: Hop,
}

/// The way to the shards: takes what arrived for calls, or gives back what it has no room for. Never waits.
pub(crate) type Inlet = Box<dyn Fn(Vec<Arrived>) -> Result<(), usize> + Send>;

/// A bound SIP socket and its reader thread.
#[derive(Debug)]
pub(crate) struct Transport {
    socket: Arc<UdpSocket>,
    local: SocketAddr,
    stopping: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl Transport {
    /// Binds `listen`; nothing is read before [`Transport::read_into`].
    ///
    /// # Errors
    /// The system's: the address is in use or not ours.
    pub(crate) fn bind(listen: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(listen), Type::DGRAM, None)?;
        // Smaller buffers than wished for are the operator's to widen (net.core.rmem_max).
        drop(socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES));
        drop(socket.set_send_buffer_size(SOCKET_BUFFER_BYTES));
        socket.bind(&listen.into())?;
        let socket = UdpSocket::from(socket);
        socket.set_read_timeout(Some(LOOK_UP))?;
        socket.set_write_timeout(Some(SEND_PATIENCE))?;
        let local = socket.local_addr()?;
        Ok(Self { socket: Arc::new(socket), local, stopping: Arc::default(), reader: None })
    }

    /// Where it is bound.
    pub(crate) const fn local(&self) -> SocketAddr {
        self.local
    }

    /// Our address in Via and Contact towards `peer`.
    ///
    /// # Errors
    /// When we listen on every address and no route leads to `peer`.
    pub(crate) fn sent_by(&self, peer: SocketAddr) -> io::Result<SocketAddr> {
        let ip = if self.local.ip().is_unspecified() { address_facing(peer)? } else { self.local.ip() };
        Ok(SocketAddr::new(ip, self.local.port()))
    }

    /// The socket, to send on.
    pub(crate) fn socket(&self) -> Arc<UdpSocket> {
        Arc::clone(&self.socket)
    }

    /// Starts the thread that reads the socket. `server` stands in answers to strays.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn read_into(
        &mut self,
        inlet: Inlet,
        server: String,
        clock: Clock,
        faults: Arc<Faults>,
    ) -> io::Result<()> {
        let socket = Arc::clone(&self.socket);
        let stopping = Arc::clone(&self.stopping);
        let run = move || {
            let outbox = Outbox::new(Arc::clone(&socket));
            let mut hand = Hand { inlet, server, clock, faults, outbox, arrived: Vec::new() };
            let mut reader = Reader::new(SLOTS, DATAGRAM_BYTES);
            while !stopping.load(Relaxed) {
                let read = reader.read(&socket, Wait::First, |datagram, from| hand.take(datagram, from));
                match read {
                    Ok(_) => hand.pass_on(),
                    Err(error) if is_passing(&error) => {}
                    Err(error) => {
                        hand.faults.count(clock.now(), "sip", "socket", format_args!("cannot read: {error}"));
                    }
                }
            }
        };
        self.reader = Some(std::thread::Builder::new().name("sip-udp".into()).spawn(run)?);
        Ok(())
    }
}

impl Drop for Transport {
    fn drop(&mut self) {
        self.stopping.store(true, Relaxed);
        if self.reader.take().is_some_and(|reader| reader.join().is_err()) {
            tracing::error!("the SIP reader did not end cleanly");
        }
    }
}

/// Is this no more than "nothing came", or an ICMP error of an earlier send?
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock
            | io::ErrorKind::TimedOut
            | io::ErrorKind::Interrupted
            | io::ErrorKind::ConnectionRefused
    )
}

/// The local address from which the system would send to `peer`. No packet leaves.
pub(crate) fn address_facing(peer: SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr = if peer.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
    let probe = UdpSocket::bind((any, 0))?;
    probe.connect(peer)?;
    Ok(probe.local_addr()?.ip())
}

/// What the reader does with each datagram.
struct Hand {
    inlet: Inlet,
    server: String,
    clock: Clock,
    faults: Arc<Faults>,
    outbox: Outbox,
    arrived: Vec<Arrived>,
}

impl Hand {
    fn take(&mut self, datagram: &[u8], from: SocketAddr) {
        let message = match parse(Bytes::copy_from_slice(datagram)) {
            Ok(message) => message,
            Err(ParseError::Keepalive) => return,
            Err(error) => {
                let now = self.clock.now();
                return self.faults.count(now, "sip", error.reason(), format_args!("from {from}: {error}"));
            }
        };
        match stray::owner(&message) {
            Some(owner) => {
                self.arrived.push(Arrived { owner, message: Arc::new(message), from: from.into() })
            }
            None => self.outbox.answer_stray(&message, from.into(), &self.server),
        }
    }

    fn pass_on(&mut self) {
        self.outbox.flush(|_| {});
        if self.arrived.is_empty() {
            return;
        }
        if let Err(lost) = (self.inlet)(std::mem::take(&mut self.arrived)) {
            let detail = format_args!("{lost} messages are lost; a shard has too much to do");
            self.faults.count(self.clock.now(), "sip", "overload", detail);
        }
    }
}

/// SIP messages that leave together. Lives on the thread that uses it.
pub(crate) struct Outbox {
    socket: Arc<UdpSocket>,
    sender: Sender,
    waiting: Vec<(SocketAddr, Bytes)>,
    /// The call of each waiting message, where a call's it is.
    owners: BTreeMap<usize, CallId>,
}

impl Outbox {
    pub(crate) fn new(socket: Arc<UdpSocket>) -> Self {
        Self { socket, sender: Sender::new(SLOTS), waiting: Vec::new(), owners: BTreeMap::new() }
    }

    /// Puts a message of a call behind those that wait.
    pub(crate) fn put(&mut self, call: CallId, transmit: Transmit) {
        self.owners.insert(self.waiting.len(), call);
        self.waiting.push((transmit.to.address, transmit.bytes));
    }

    /// Puts the stateless answer to a message that belongs to no call, if it gets one.
    pub(crate) fn answer_stray(&mut self, message: &Message, from: Hop, server: &str) {
        match message {
            Message::Request(request) => {
                let reply = stray::reply(request, from, server);
                self.waiting.extend(reply.map(|reply| (reply.to.address, reply.bytes)));
            }
            // A response to a transaction that is over (RFC 3261 §18.1.2: silently discarded).
            Message::Response(_) => {}
        }
    }

    /// Sends everything that waits; tells the calls whose message the system refused.
    pub(crate) fn flush(&mut self, mut failed: impl FnMut(CallId)) {
        if self.waiting.is_empty() {
            return;
        }
        self.sender.send(self.socket.as_raw_fd(), &self.waiting, |index, to, error| {
            let call = self.owners.get(&index);
            tracing::debug!(%to, %error, ?call, "a SIP message was not sent");
            // A full buffer is a loss as on the network, which timers make good; the rest is final (§18.4).
            if error.kind() != io::ErrorKind::WouldBlock
                && let Some(&call) = call
            {
                failed(call);
            }
        });
        self.waiting.clear();
        self.owners.clear();
    }
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::unbounded;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    fn peer() -> UdpSocket {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    }

    fn received(socket: &UdpSocket) -> String {
        let mut buffer = [0; 4_096];
        let length = socket.recv(&mut buffer).expect("an answer");
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    fn request(line: &str, port: u16) -> String {
        let method = line.split(' ').next().unwrap();
        format!(
            "{line} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bKabc;rport\r\nMax-Forwards: 70\r\n\
             From: <sip:a@127.0.0.1>;tag=1\r\nTo: <sip:b@127.0.0.1>\r\nCall-ID: c@127.0.0.1\r\n\
             CSeq: 1 {method}\r\nContact: <sip:a@127.0.0.1:{port}>\r\nContent-Length: 0\r\n\r\n"
        )
    }

    #[test]
    fn messages_find_their_call_strays_their_answer_and_noise_its_count() {
        let mut transport = Transport::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let (inlet, arrived) = unbounded();
        let inlet: Inlet = Box::new(move |batch| inlet.send(batch).map_err(|back| back.0.len()));
        let faults = Arc::new(Faults::default());
        let clock = Clock::of_process();
        transport.read_into(inlet, "baton/test".into(), clock, Arc::clone(&faults)).unwrap();
        let peer = peer();
        let (to, port) = (transport.local, peer.local_addr().unwrap().port());

        peer.send_to(b"\r\n\r\n", to).unwrap();
        peer.send_to(b"hello", to).unwrap();
        peer.send_to(request("OPTIONS sip:baton@127.0.0.1", port).as_bytes(), to).unwrap();
        let answer = received(&peer);
        assert!(answer.starts_with("SIP/2.0 200 ") && answer.contains("Allow: "), "{answer}");
        let bye = "BYE sip:abcdefgh01234567@127.0.0.1";
        peer.send_to(request(bye, port).as_bytes(), to).unwrap();
        let batch = arrived.recv_timeout(PATIENCE).unwrap();
        assert_eq!((batch.len(), batch[0].owner.as_str()), (1, "abcdefgh01234567"));
        assert_eq!(batch[0].from, peer.local_addr().unwrap().into());
        let counts = faults.snapshot();
        assert_eq!((counts.len(), counts[0].kind, counts[0].count), (1, "sip", 1), "{counts:?}");
    }

    #[test]
    fn it_names_the_address_that_the_peer_can_reach() {
        let peer: SocketAddr = "127.0.0.1:5060".parse().unwrap();
        let everywhere = Transport::bind("0.0.0.0:0".parse().unwrap()).unwrap();
        let sent_by = everywhere.sent_by(peer).unwrap();
        assert_eq!(sent_by, SocketAddr::new(peer.ip(), everywhere.local.port()));
    }

    #[test]
    fn a_call_is_told_that_its_message_cannot_leave() {
        let transport = Transport::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let peer = peer();
        let mut outbox = Outbox::new(transport.socket());
        let (good, bad): (CallId, CallId) =
            ("abcdefgh01234567".parse().unwrap(), "bbcdefgh01234567".parse().unwrap());
        let bytes = Bytes::from_static(b"x");
        outbox.put(bad, Transmit::first("127.0.0.1:0".parse().unwrap(), bytes.clone()));
        outbox.put(good, Transmit::first(peer.local_addr().unwrap().into(), bytes));
        let mut failed = Vec::new();
        outbox.flush(|call| failed.push(call));
        assert_eq!(failed, [bad]);
        assert_eq!(received(&peer), "x");
    }
}
