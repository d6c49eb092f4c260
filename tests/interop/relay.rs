//! A wire between Baton and a peer's SIP port, that can be cut in one direction for some of its messages.
//!
//! ```text
//! baton ──► relay ──unless it begins so──► SIPp         SIPp names the relay in its Contact
//!       ◄────────────────────────────────
//! ```

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// A running relay; it ends with the test.
pub(crate) struct Relay {
    pub(crate) port: u16,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    over: AtomicBool,
    peer: Mutex<Option<SocketAddr>>,
    /// Messages to the peer that begin so are lost.
    cut: Mutex<Option<&'static str>>,
    /// How many were.
    lost: Mutex<Vec<Vec<u8>>>,
}

impl Relay {
    pub(crate) fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let (port, shared) = (socket.local_addr().unwrap().port(), Arc::<Shared>::default());
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::spawn(move || of_thread.run(&socket));
        Self { port, shared, thread: Some(thread) }
    }

    /// The peer is at this port.
    pub(crate) fn leads_to(&self, port: u16) {
        *self.shared.peer.lock().unwrap() = Some(SocketAddr::from(([127, 0, 0, 1], port)));
    }

    /// From now on, messages to the peer that begin so are lost; `None`: no more.
    pub(crate) fn cut(&self, start: Option<&'static str>) {
        *self.shared.cut.lock().unwrap() = start;
    }

    /// What was lost.
    pub(crate) fn lost(&self) -> Vec<Vec<u8>> {
        self.shared.lost.lock().unwrap().clone()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Release);
        drop(self.thread.take().map(JoinHandle::join));
    }
}

impl Shared {
    fn run(&self, socket: &UdpSocket) {
        let mut datagram = vec![0; 65_535];
        let mut baton = None;
        while !self.over.load(Ordering::Acquire) {
            let Ok((length, from)) = socket.recv_from(&mut datagram) else { continue };
            let (bytes, peer) = (&datagram[..length], *self.peer.lock().unwrap());
            if Some(from) == peer {
                baton.map(|baton| socket.send_to(bytes, baton));
                continue;
            }
            baton = Some(from);
            let is_cut = self.cut.lock().unwrap().is_some_and(|start| bytes.starts_with(start.as_bytes()));
            if is_cut {
                self.lost.lock().unwrap().push(bytes.to_vec());
            } else if let Some(peer) = peer {
                drop(socket.send_to(bytes, peer));
            }
        }
    }
}
