//! The crowd: one thread, one SIP address (UDP and TCP), and the phones of all who are being called.
//!
//! ```text
//! mio poll ─┬─ SIP message ──► Call-ID ─► Conversation (a new INVITE: user ─► party)
//!           ├─ RTP datagrams ────────────► Conversation::hear
//!           └─ deadline ─────────────────► Conversation::timeout (ticks of 20 ms among them)
//! ```

use std::collections::{BTreeSet, HashMap};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token, Waker};

use super::conversation::{Beginning, Conversation};
use super::ear::Index;
use super::phones::{FIRST_PHONE, Phone, Slots, register};
use super::script::{Party, Script};
use super::sockets::{Receiver, raise_open_files};
use super::streams::{LISTENER, Streams};
use super::testimony::Testimony;
use super::watch::Watch;
use crate::id::{CallId, Epoch, Mint};
use crate::node::clock::Clock;
use crate::sip::incoming::{Incoming, Parameters};
use crate::sip::transaction::Transmit;
use crate::sip::{self, Hop, Message, Method, Protocol, Request, StatusCode, Uri, stray};
use crate::time::Timestamp;

/// Open calls at once: two sockets each, within the usual limit of open files.
pub const MAX_CALLS: usize = 9_000;
/// Testimonies that are kept for [`Crowd::stop`]; later calls only reach the log.
const MAX_TESTIMONIES: usize = 200_000;
/// Bytes of the socket's buffers: a burst of a few thousand messages.
const SOCKET_BUFFER_BYTES: usize = 4 << 20;
/// Tries to find a free port that UDP and TCP both have.
const PORT_TRIES: usize = 16;
/// The largest SIP datagram.
const SIP_BYTES: usize = 65_535;
/// How long the callers have to answer the BYEs when the crowd is stopped.
const GOODBYE: Duration = Duration::from_millis(300);
const SERVER: &str = concat!("baton-callee/", env!("CARGO_PKG_VERSION"));

const SIP: Token = Token(0);
const WAKE: Token = Token(1);

/// What a crowd is made of.
pub struct CrowdConfig {
    /// Where it answers; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Who it is and what they do.
    pub script: Script,
    /// How the prompts sound that may be heard; empty: respondents go by silence.
    pub prompts: Arc<Index>,
    /// Where the log goes, a JSON object a line.
    pub log: Option<Box<dyn Write + Send>>,
    /// Seed of tags, SSRCs and ports' noise.
    pub seed: [u8; 32],
}

/// Why a crowd cannot gather.
#[derive(Debug, thiserror::Error)]
pub enum CrowdError {
    /// The address is taken, or not of this machine.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The wildcard address says nothing to a caller.
    #[error("cannot listen on {address}: give the address that callers reach, such as 127.0.0.1")]
    Wildcard {
        /// The address that was asked for.
        address: SocketAddr,
    },
}

/// A running crowd.
#[derive(Debug)]
pub struct Crowd {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    waker: Arc<Waker>,
    watch: Arc<Watch>,
    finished: Arc<Mutex<Vec<Testimony>>>,
    thread: JoinHandle<Vec<Testimony>>,
}

impl Crowd {
    /// Opens the socket and starts the thread.
    ///
    /// # Errors
    /// If the address cannot be had.
    pub fn start(config: CrowdConfig) -> Result<Self, CrowdError> {
        let address = config.listen;
        if address.ip().is_unspecified() {
            return Err(CrowdError::Wildcard { address });
        }
        let failed = |source| CrowdError::Listen { address, source };
        raise_open_files();
        let poll = Poll::new().map_err(failed)?;
        let (mut socket, streams) = open_both(address, &poll).map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        poll.registry().register(&mut socket, SIP, Interest::READABLE).map_err(failed)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE).map_err(failed)?);
        let stop = Arc::new(AtomicBool::new(false));
        let finished = Arc::default();
        let watch = Arc::<Watch>::default();
        let clock = Clock::of_process();
        let room = Room {
            address,
            socket,
            streams,
            parties: config.script.parties.iter().cloned().map(Arc::new).collect(),
            script: config.script,
            index: config.prompts,
            log: config.log,
            mint: Mint::new(config.seed, Epoch(0)),
            clock,
            calls: Slots::default(),
            open: 0,
            by_call: HashMap::new(),
            by_id: HashMap::new(),
            due: BTreeSet::new(),
            stop: Arc::clone(&stop),
            finished: Arc::clone(&finished),
            watch: Arc::clone(&watch),
        };
        let thread = std::thread::Builder::new().name("callee".to_owned()).spawn(move || room.run(poll));
        let thread = thread.map_err(failed)?;
        Ok(Self { address, stop, waker, watch, finished, thread })
    }

    /// Where it answers.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many have answered; and who is told that the caller has died.
    #[must_use]
    pub fn watch(&self) -> &Watch {
        &self.watch
    }

    /// The testimonies of calls that have ended since this was asked last.
    #[must_use]
    pub fn take_finished(&self) -> Vec<Testimony> {
        self.finished.lock().map(|mut finished| std::mem::take(&mut *finished)).unwrap_or_default()
    }

    /// Hangs up what is still open, and returns the testimonies that were not taken yet.
    #[must_use]
    pub fn stop(self) -> Vec<Testimony> {
        self.stop.store(true, Ordering::Release);
        // A waker fails only with its poll gone, and then the thread is gone too.
        drop(self.waker.wake());
        let open = self.thread.join().unwrap_or_default();
        let mut all = self.finished.lock().map(|mut all| std::mem::take(&mut *all)).unwrap_or_default();
        all.extend(open);
        all
    }
}

/// Both transports at one address (RFC 3261 §18.2.1).
fn open_both(address: SocketAddr, poll: &Poll) -> io::Result<(UdpSocket, Streams)> {
    let mut tries = 0;
    loop {
        let socket = open(address)?;
        tries += 1;
        match Streams::listen(socket.local_addr()?, poll) {
            Ok(streams) => return Ok((socket, streams)),
            Err(_) if address.port() == 0 && tries < PORT_TRIES => {}
            Err(error) => return Err(error),
        }
    }
}

fn open(address: SocketAddr) -> io::Result<UdpSocket> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::DGRAM, None)?;
    socket.set_nonblocking(true)?;
    socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES)?;
    socket.set_send_buffer_size(SOCKET_BUFFER_BYTES)?;
    socket.bind(&address.into())?;
    Ok(UdpSocket::from_std(socket.into()))
}

/// All that the thread owns.
struct Room {
    address: SocketAddr,
    socket: UdpSocket,
    streams: Streams,
    script: Script,
    parties: Vec<Arc<Party>>,
    index: Arc<Index>,
    log: Option<Box<dyn Write + Send>>,
    mint: Mint,
    clock: Clock,
    calls: Slots,
    /// Calls that have not ended.
    open: usize,
    by_call: HashMap<String, usize>,
    by_id: HashMap<CallId, usize>,
    due: BTreeSet<(Timestamp, usize)>,
    stop: Arc<AtomicBool>,
    finished: Arc<Mutex<Vec<Testimony>>>,
    watch: Arc<Watch>,
}

impl Room {
    fn run(mut self, mut poll: Poll) -> Vec<Testimony> {
        let mut events = Events::with_capacity(1_024);
        let mut receiver = Receiver::new(self.clock);
        let mut datagram = vec![0; SIP_BYTES];
        let mut leave_at = None;
        loop {
            let wait = self.due.first().map(|(due, _)| self.clock.until(*due));
            let wait = wait.unwrap_or(Duration::from_secs(1));
            if let Err(error) = poll.poll(&mut events, Some(wait))
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "the respondents' poll failed; nobody answers any more");
                break;
            }
            for event in &events {
                match event.token() {
                    SIP => self.read_sip(&poll, &mut datagram),
                    WAKE => {}
                    LISTENER => self.streams.accept(),
                    stream if Streams::owns(stream) => self.read_stream(&poll, stream),
                    Token(phone) => self.read_media(phone - FIRST_PHONE, &mut receiver),
                }
            }
            self.run_timers(&poll);
            let now = self.clock.now();
            if leave_at.is_none() && self.stop.load(Ordering::Acquire) {
                leave_at = Some(if self.open == 0 { now } else { now + GOODBYE });
                self.hang_up_all(&poll);
            }
            if leave_at.is_some_and(|at| at <= now) {
                break;
            }
        }
        flush(&mut self.log);
        let phones = self.calls.phones.into_iter().flatten();
        phones.filter_map(|mut phone| phone.conversation.take_testimony(true)).collect()
    }

    fn read_sip(&mut self, poll: &Poll, datagram: &mut [u8]) {
        loop {
            let (length, from) = match self.socket.recv_from(datagram) {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_refused) => continue, // the ICMP error of an earlier send
            };
            let Some(bytes) = datagram.get(..length) else { continue };
            match sip::parse(Bytes::copy_from_slice(bytes)) {
                Ok(message) => self.take(poll, &message, Hop::udp(from)),
                Err(error) => tracing::debug!(%from, reason = error.reason(), "no SIP message"),
            }
        }
    }

    fn read_stream(&mut self, poll: &Poll, stream: Token) {
        for (message, from) in self.streams.ready(stream) {
            self.take(poll, &message, Hop::tcp(from));
        }
    }

    fn take(&mut self, poll: &Poll, message: &Message, from: Hop) {
        let slot = match message {
            Message::Response(_) => stray::owner(message).and_then(|id| self.by_id.get(&id).copied()),
            Message::Request(request) => {
                request.headers().call_id().ok().and_then(|call| self.by_call.get(call).copied())
            }
        };
        let now = self.clock.now();
        match (slot, message) {
            (Some(slot), message) => {
                if let Some(phone) = self.calls.at(slot) {
                    phone.conversation.receive(now, message, from, &mut self.mint);
                }
                self.settle(poll, slot);
            }
            (None, Message::Request(request)) => self.begin(poll, now, request, from),
            (None, Message::Response(_)) => {}
        }
    }

    /// A request of no call that we know: a new call, or something stray.
    fn begin(&mut self, poll: &Poll, now: Timestamp, request: &Request, from: Hop) {
        let user = request.uri().ok().and_then(|uri| uri.user_unescaped()).unwrap_or_default();
        let invites = *request.method() == Method::Invite;
        let party = self.script.party_for(&user).and_then(|party| self.parties.get(party)).cloned();
        let refusal = match (&party, invites) {
            (None, true) => Some(StatusCode::NOT_FOUND),
            (Some(_), true) if self.open >= MAX_CALLS => Some(StatusCode::SERVICE_UNAVAILABLE),
            (_, _) => None,
        };
        if let Some(status) = refusal {
            return self.answer_stray(stray::refuse(request, from, SERVER, status));
        }
        let id = CallId::mint(&mut self.mint);
        let contact = Uri::sip_at(Some(id.as_str()), self.address);
        let contact = match from.protocol {
            Protocol::Udp => contact,
            Protocol::Tcp => contact.with_param("transport", from.protocol.param()),
        };
        let timer = party.as_ref().and_then(|party| party.timer);
        let user_agent = SERVER.to_owned();
        let parameters = Parameters { id, sent_by: self.address, contact, user_agent, timer };
        let incoming = Incoming::new(now, request, from, parameters, &mut self.mint);
        let (Some(incoming), Some(party), Ok(call)) = (incoming, party, request.headers().call_id()) else {
            return self.answer_stray(stray::reply(request, from, SERVER));
        };
        let body = request.body();
        let index = party.knows.as_ref().unwrap_or(&self.index);
        let beginning = Beginning {
            incoming,
            index: Arc::clone(index),
            party,
            media_address: self.address.ip(),
            user,
            call: call.to_owned(),
            from: request.headers().from().map(|from| from.uri.to_string()).unwrap_or_default(),
            source: from.address,
            watch: Arc::clone(&self.watch),
            offer: if body.is_empty() { None } else { Some(body) },
        };
        let conversation = Conversation::new(now, beginning, &mut self.mint);
        let call = call.to_owned();
        let phone = Phone { conversation, call: call.clone(), id, due: None, registered: false };
        let slot = self.calls.insert(phone);
        self.open += 1;
        self.by_call.insert(call, slot);
        self.by_id.insert(id, slot);
        self.settle(poll, slot);
    }

    fn answer_stray(&mut self, reply: Option<Transmit>) {
        if let Some(reply) = reply {
            send(&self.socket, &mut self.streams, &reply);
        }
    }

    fn read_media(&mut self, token: usize, receiver: &mut Receiver) {
        let Some(phone) = self.calls.at(token / 2) else { return };
        let is_rtp = token.is_multiple_of(2);
        while let Some(sockets) = phone.conversation.sockets() {
            let socket = if is_rtp { &sockets.rtp } else { &sockets.rtcp };
            let Ok(Some(datagram)) = receiver.receive(socket) else { return };
            if is_rtp {
                phone.conversation.hear(datagram.at, datagram.from, receiver.bytes(datagram));
            }
        }
    }

    fn run_timers(&mut self, poll: &Poll) {
        loop {
            let now = self.clock.now();
            let Some((due, slot)) = self.due.first().copied().filter(|(due, _)| *due <= now) else { return };
            self.due.remove(&(due, slot));
            if let Some(phone) = self.calls.at(slot) {
                phone.due = None;
                phone.conversation.timeout(now, &mut self.mint);
            }
            self.settle(poll, slot);
        }
    }

    fn hang_up_all(&mut self, poll: &Poll) {
        let now = self.clock.now();
        for slot in 0..self.calls.phones.len() {
            if let Some(phone) = self.calls.at(slot).filter(|phone| phone.conversation.is_open()) {
                phone.conversation.hang_up(now, &mut self.mint);
            }
            self.settle(poll, slot);
        }
    }

    /// Sends what a conversation wants sent, logs what happened, and notes when it wants to be woken.
    fn settle(&mut self, poll: &Poll, slot: usize) {
        let now = self.clock.now();
        let Some(phone) = self.calls.at(slot) else { return };
        let conversation = &mut phone.conversation;
        while let Some(transmit) = conversation.poll_transmit(now, &mut self.mint) {
            send(&self.socket, &mut self.streams, &transmit);
        }
        if let Some(log) = &mut self.log
            && let Err(error) = conversation.write_log(log)
        {
            tracing::error!(%error, "the respondents' log cannot be written");
        }
        if !phone.registered
            && let Some(sockets) = conversation.sockets()
        {
            phone.registered = true;
            if let Err(error) = register(poll, sockets, slot) {
                tracing::error!(%error, "a respondent is deaf");
            }
        }
        if let Some(testimony) = conversation.take_testimony(false) {
            self.open -= 1;
            hand_over(&self.finished, testimony);
            flush(&mut self.log);
        }
        let over = conversation.is_over();
        let due = if over { None } else { conversation.poll_timeout() };
        if due != phone.due {
            if let Some(before) = phone.due {
                self.due.remove(&(before, slot));
            }
            if let Some(due) = due {
                self.due.insert((due, slot));
            }
            phone.due = due;
        }
        if over {
            self.forget(slot);
        }
    }

    fn forget(&mut self, slot: usize) {
        let Some(phone) = self.calls.remove(slot) else { return };
        self.by_call.remove(&phone.call);
        self.by_id.remove(&phone.id);
    }
}

/// What does not leave is repeated by whoever waits for it, or ends by a timer.
fn send(socket: &UdpSocket, streams: &mut Streams, transmit: &Transmit) {
    match transmit.to.protocol {
        Protocol::Udp => drop(socket.send_to(&transmit.bytes, transmit.to.address)),
        Protocol::Tcp => streams.send(transmit.to.address, &transmit.bytes),
    }
}

/// Keeps a testimony for whoever asks.
fn hand_over(finished: &Mutex<Vec<Testimony>>, testimony: Testimony) {
    if let Ok(mut finished) = finished.lock()
        && finished.len() < MAX_TESTIMONIES
    {
        finished.push(testimony);
    }
}

fn flush(log: &mut Option<Box<dyn Write + Send>>) {
    if let Some(log) = log
        && let Err(error) = log.flush()
    {
        tracing::error!(%error, "the respondents' log cannot be written");
    }
}
