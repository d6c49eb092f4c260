//! SIP over TCP for a crowd (RFC 3261 §18): the connections that callers open, and those that its own requests need.
//!
//! ```text
//! listener ─► accept ─┐
//!                     ├─► Connection: bytes ─► Framer ─► messages, each from the far end's address
//! send(to) ─► connect ┘               └ what does not go at once waits until the socket takes it
//! ```
//! A response goes back on the connection that its request came by, as long as that is open (§18.2.2).

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Poll, Registry, Token};

use crate::sip::Message;
use crate::sip::stream::{Frame, Framer};

/// Connections at once: a caller needs one, and so does each test beside it.
const MAX_CONNECTIONS: usize = 256;
/// Bytes that wait for a far end that reads slowly; then its connection is closed.
const MAX_WAITING: usize = 1 << 20;
/// Bytes of one read.
const READ_BYTES: usize = 16 * 1024;
/// Tokens of connections begin here, far above those of telephones.
const FIRST: usize = usize::MAX / 2;
/// What answers a ping (RFC 5626 §4.4.1).
const PONG: &[u8] = b"\r\n";

/// The listener's token.
pub(super) const LISTENER: Token = Token(FIRST - 1);

/// All connections of a crowd.
pub(super) struct Streams {
    listener: TcpListener,
    registry: Registry,
    open: BTreeMap<usize, Connection>,
    next: usize,
}

struct Connection {
    socket: TcpStream,
    far_end: SocketAddr,
    framer: Framer,
    waiting: Vec<u8>,
    /// The last frame was one blank line: another makes a ping.
    blank: bool,
}

impl Streams {
    /// Listens at this address.
    pub(super) fn listen(address: SocketAddr, poll: &Poll) -> io::Result<Self> {
        let mut listener = TcpListener::bind(address)?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self { listener, registry: poll.registry().try_clone()?, open: BTreeMap::new(), next: FIRST })
    }

    /// Whether this token is one of its connections.
    pub(super) const fn owns(token: Token) -> bool {
        token.0 >= FIRST && token.0 != usize::MAX
    }

    /// Takes the connections that wait.
    pub(super) fn accept(&mut self) {
        while let Ok((socket, far_end)) = self.listener.accept() {
            self.insert(socket, far_end);
        }
    }

    /// Reads and writes what the connection is ready for; the messages that came, each with the far end's address.
    pub(super) fn ready(&mut self, token: Token) -> Vec<(Message, SocketAddr)> {
        let Some(connection) = self.open.get_mut(&token.0) else { return Vec::new() };
        let mut messages = Vec::new();
        let alive = connection.flush().is_ok() && connection.read(&mut messages);
        if !alive {
            self.open.remove(&token.0); // which takes it out of the poll
        }
        messages
    }

    /// Sends on the connection to this address, or on a new one. What cannot be sent is lost: the far end has gone.
    pub(super) fn send(&mut self, to: SocketAddr, bytes: &[u8]) {
        let known =
            self.open.iter().find(|(_, connection)| connection.far_end == to).map(|(token, _)| *token);
        let Some(token) = known.or_else(|| self.insert(TcpStream::connect(to).ok()?, to)) else {
            return tracing::debug!(%to, "no connection");
        };
        let Some(connection) = self.open.get_mut(&token) else { return };
        connection.waiting.extend_from_slice(bytes);
        if connection.flush().is_err() || connection.waiting.len() > MAX_WAITING {
            self.open.remove(&token);
        }
    }

    fn insert(&mut self, mut socket: TcpStream, far_end: SocketAddr) -> Option<usize> {
        if self.open.len() >= MAX_CONNECTIONS {
            tracing::warn!(%far_end, "more than {MAX_CONNECTIONS} connections: this one is closed");
            return None;
        }
        let token = self.next;
        self.next += 1;
        socket.set_nodelay(true).ok();
        let both = Interest::READABLE | Interest::WRITABLE;
        self.registry.register(&mut socket, Token(token), both).ok()?;
        let (framer, waiting) = (Framer::default(), Vec::new());
        self.open.insert(token, Connection { socket, far_end, framer, waiting, blank: false });
        Some(token)
    }
}

impl Connection {
    /// Writes what waits, as far as the socket takes it.
    fn flush(&mut self) -> io::Result<()> {
        while !self.waiting.is_empty() {
            match self.socket.write(&self.waiting) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => drop(self.waiting.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Not connected yet, or full: the poll tells when it goes on.
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected) =>
                {
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads all that is there. False once the far end has closed, or sends what is no SIP.
    fn read(&mut self, messages: &mut Vec<(Message, SocketAddr)>) -> bool {
        let mut buffer = [0; READ_BYTES];
        loop {
            match self.socket.read(&mut buffer) {
                Ok(0) => return false,
                Ok(length) => {
                    self.framer.push(buffer.get(..length).unwrap_or_default());
                    if !self.frames(messages) {
                        return false;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    return matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected);
                }
            }
        }
    }

    fn frames(&mut self, messages: &mut Vec<(Message, SocketAddr)>) -> bool {
        loop {
            match self.framer.poll_frame() {
                Ok(Some(Frame::Message(message))) => {
                    self.blank = false;
                    messages.push((message, self.far_end));
                }
                Ok(Some(Frame::Blank)) => {
                    self.blank = !self.blank;
                    if !self.blank {
                        self.waiting.extend_from_slice(PONG); // the second of two: a ping
                        if self.flush().is_err() {
                            return false;
                        }
                    }
                }
                Ok(None) => return true,
                Err(error) => {
                    tracing::debug!(from = %self.far_end, reason = error.reason(), "no SIP message");
                    return false;
                }
            }
        }
    }
}
