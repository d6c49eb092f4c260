//! One call at a respondent's phone: signalling, stream, mind and mouth together.

mod change;

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::ear::Index;
use super::judge::{Arrival, Judge, Verdict};
use super::mouth::Mouth;
use super::respondent::{Act, Respondent};
use super::script::{Party, Pickup, Reliable, Since};
use super::sockets::MediaSockets;
use super::testimony::{End, Event, Line, Testimony};
use super::watch::Watch;
use crate::id::Mint;
use crate::rtp;
use crate::sdp::{self, LocalMedia, Negotiated, Origin};
use crate::sip::incoming::Incoming;
use crate::sip::session;
use crate::sip::transaction::Transmit;
use crate::sip::{Hop, Message, Reason, StatusCode};
use crate::time::Timestamp;
use change::Changes;

/// A pause in the stream that is worth a line in the log: five packets.
const NOTED_GAP: Duration = Duration::from_millis(100);
/// Events of one call that are kept in memory.
const MAX_EVENTS: usize = 20_000;

/// What a conversation is made of.
pub(super) struct Beginning {
    pub(super) incoming: Incoming,
    pub(super) party: Arc<Party>,
    pub(super) index: Arc<Index>,
    pub(super) media_address: IpAddr,
    pub(super) user: String,
    pub(super) call: String,
    pub(super) from: String,
    pub(super) source: SocketAddr,
    pub(super) watch: Arc<Watch>,
    pub(super) offer: Option<Bytes>,
}

/// One call at a respondent's phone.
pub(super) struct Conversation {
    incoming: Incoming,
    party: Arc<Party>,
    index: Arc<Index>,
    media_address: IpAddr,
    offer: Option<Bytes>,
    heard_from: SocketAddr,
    pickup_at: Option<Timestamp>,
    media: Option<Media>,
    changes: Changes,
    judge: Judge,
    watch: Arc<Watch>,
    testimony: Testimony,
    logged: usize,
    testified: bool,
    over: bool,
}

/// The media of an answered call.
struct Media {
    sockets: MediaSockets,
    local: LocalMedia,
    /// What the ringing has agreed on, before anybody picks up.
    early: Option<Negotiated>,
    /// `None` until the respondent has picked up, and the caller's answer to an offer of ours has come in the ACK.
    agreed: Option<Agreed>,
}

struct Agreed {
    negotiated: Negotiated,
    mouth: Mouth,
    respondent: Respondent,
}

impl Conversation {
    /// A call came in.
    pub(super) fn new(now: Timestamp, beginning: Beginning, mint: &mut Mint) -> Self {
        let Beginning { incoming, party, index, media_address, user, call, from, source, offer, watch } =
            beginning;
        let pickup_at = match party.pickup {
            Pickup::Answer { after } | Pickup::Refuse { after, .. } => Some(now + after),
            Pickup::Never => None,
        };
        let testimony = Testimony::new(now, call, user, party.name.clone());
        let mut conversation = Self {
            incoming,
            party,
            index,
            media_address,
            offer,
            heard_from: source,
            pickup_at,
            media: None,
            changes: Changes::default(),
            judge: Judge::default(),
            watch,
            testimony,
            logged: 0,
            testified: false,
            over: false,
        };
        conversation.note(now, Event::Invited { from });
        conversation.ring(now, mint);
        conversation
    }

    /// Rings as the party does it; reliably only where the caller knows of that.
    fn ring(&mut self, now: Timestamp, mint: &mut Mint) {
        let Some(ring) = self.party.ring else { return };
        let Ok(status) = StatusCode::new(ring) else { return };
        let body = if self.party.reliable == Reliable::Answer { self.answer_early(mint) } else { None };
        let reliable = self.party.reliable != Reliable::No
            && self.incoming.ring_reliably(now, status, body.as_ref(), mint);
        if !reliable {
            self.media = None;
            self.incoming.ring(now, status, None, mint);
        }
        self.note(now, Event::Rang { status: ring, reliable });
        self.changes.plan(now, &self.party, Since::Ringing);
    }

    /// The answer to the caller's offer, for a ringing that carries it. What cannot be answered is refused when it is
    /// picked up.
    fn answer_early(&mut self, mint: &mut Mint) -> Option<Bytes> {
        let offer = self.offer.as_ref()?;
        let sockets = MediaSockets::bind(self.media_address).ok()?;
        let local = LocalMedia::new(Origin::new(self.media_address, mint), self.media_address, sockets.port);
        let (body, negotiated) = sdp::answer(&local, offer).ok()?;
        self.media = Some(Media { sockets, local, early: Some(negotiated), agreed: None });
        Some(body)
    }

    /// When [`timeout`](Self::timeout) is wanted next.
    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        let tick =
            self.media.as_ref().and_then(|media| media.agreed.as_ref()).map(|agreed| agreed.mouth.due());
        let change = self.changes.poll_timeout();
        [self.incoming.poll_timeout(), self.pickup_at, tick, change].into_iter().flatten().min()
    }

    /// Everything has ended and is told.
    pub(super) const fn is_over(&self) -> bool {
        self.over
    }

    /// The sockets, once they are open.
    pub(super) fn sockets(&mut self) -> Option<&mut MediaSockets> {
        self.media.as_mut().map(|media| &mut media.sockets)
    }

    /// A SIP message of this call.
    pub(super) fn receive(&mut self, now: Timestamp, message: &Message, from: Hop, mint: &mut Mint) {
        self.heard_from = from.address;
        self.incoming.receive(now, message, from, mint);
    }

    /// Runs what is due.
    pub(super) fn timeout(&mut self, now: Timestamp, mint: &mut Mint) {
        self.incoming.timeout(now, mint);
        if self.pickup_at.take_if(|due| *due <= now).is_some() {
            match self.party.pickup {
                Pickup::Answer { .. } => self.pick_up(now, mint),
                Pickup::Refuse { status, .. } => self.refuse(now, status, mint),
                Pickup::Never => {}
            }
        }
        self.change(now, mint);
        self.speak(now, mint);
    }

    /// What the session wants sent; drain until `None`. Carries out its other events on the way.
    pub(super) fn poll_transmit(&mut self, now: Timestamp, mint: &mut Mint) -> Option<Transmit> {
        while let Some(event) = self.incoming.poll_event() {
            match event {
                session::Event::Transmit(transmit) => return Some(transmit),
                session::Event::Acked { body } => self.acked(now, body.as_deref(), mint),
                session::Event::Offered { body } => self.offered(now, body.as_deref(), mint),
                session::Event::Cancelled { .. } => self.ended(now, End::Cancelled, Event::Cancelled),
                session::Event::PeerBye { reasons } => {
                    let reason = reasons.first().map(Reason::to_string);
                    self.ended(now, End::CallerHungUp, Event::CallerHungUp { reason });
                }
                session::Event::Unacked | session::Event::Expired | session::Event::ByeDone { .. } => {
                    self.ended(now, End::HungUp, Event::HungUp);
                }
                session::Event::Over => self.finish(now),
                session::Event::ReinviteAnswered { body } => self.changed(now, body.as_deref(), mint),
                session::Event::ReinviteRefused { status, .. } => self.unchanged(now, status),
                session::Event::RefreshDue => self.refresh(now, mint),
                session::Event::Progress { .. }
                | session::Event::Answered { .. }
                | session::Event::CancelCrossed
                | session::Event::Failed { .. }
                | session::Event::Info { .. }
                | session::Event::Probed { .. } => {}
            }
        }
        None
    }

    /// Hangs up, or refuses what still rings.
    pub(super) fn hang_up(&mut self, now: Timestamp, mint: &mut Mint) {
        self.pickup_at = None;
        self.incoming.bye(now, None, mint);
        self.ended(now, End::HungUp, Event::HungUp);
    }

    /// A datagram came to the RTP socket.
    pub(super) fn hear(&mut self, at: Timestamp, from: SocketAddr, datagram: &[u8]) {
        let Ok(packet) = rtp::parse_packet(datagram) else {
            self.judge.unreadable += 1;
            return;
        };
        let header = packet.header;
        let arrival = Arrival {
            at,
            from,
            ssrc: header.ssrc.0,
            sequence: header.sequence,
            timestamp: header.timestamp,
            marker: header.marker,
        };
        let Verdict::Play { gap } = self.judge.arrive(&arrival) else { return };
        if self.testimony.heard_again_at.is_none() && self.watch.dead_since().is_some_and(|dead| dead <= at) {
            self.testimony.heard_again_at = Some(at);
        }
        if let Some(gap) = gap.filter(|gap| *gap >= NOTED_GAP) {
            self.note(at, Event::Gap { ms: gap.as_secs_f64() * 1_000.0, from });
        }
        let Some(agreed) = self.media.as_mut().and_then(|media| media.agreed.as_mut()) else { return };
        if agreed.negotiated.codec_of(header.payload_type) != Some(agreed.negotiated.codec)
            && let Some(codec) = agreed.negotiated.codec_of(header.payload_type)
        {
            agreed.respondent.tune(codec);
        }
        agreed.respondent.hear(at, packet.payload);
    }

    /// Sends the packets that are due and lets the respondent think.
    fn speak(&mut self, now: Timestamp, mint: &mut Mint) {
        let mut hangs_up = false;
        let mut notes = Vec::new();
        if let Some(media) = &mut self.media
            && let Some(agreed) = &mut media.agreed
        {
            let mut packet = Vec::with_capacity(172);
            while agreed.mouth.packet(now, &agreed.negotiated, &mut packet) {
                if !packet.is_empty() {
                    // What the network refuses is lost like any packet; the caller's ear tells.
                    drop(media.sockets.rtp.send_to(&packet, agreed.negotiated.remote));
                }
            }
            agreed.respondent.tick(now);
            while let Some(act) = agreed.respondent.poll_act(now) {
                match act {
                    Act::Say(samples) => agreed.mouth.say(samples),
                    Act::Press { digit, duration_ms } => agreed.mouth.press(digit, duration_ms),
                    Act::HangUp => hangs_up = true,
                }
            }
            notes.extend(std::iter::from_fn(|| agreed.respondent.poll_note()));
        }
        for (at, event) in notes {
            self.note(at, event);
        }
        if hangs_up {
            self.hang_up(now, mint);
        }
    }

    fn refuse(&mut self, now: Timestamp, status: u16, mint: &mut Mint) {
        if let Ok(code) = StatusCode::new(status) {
            self.incoming.refuse(now, code, Vec::new(), mint);
        }
        self.ended(now, End::Refused(status), Event::Refused { status });
    }

    fn pick_up(&mut self, now: Timestamp, mint: &mut Mint) {
        if let Some(negotiated) = self.media.as_mut().and_then(|media| media.early.take()) {
            self.incoming.accept(now, None, mint); // the ringing had the answer
            self.picked_up(now);
            return self.agree(now, negotiated, mint);
        }
        let Ok(sockets) = MediaSockets::bind(self.media_address) else {
            tracing::warn!(user = self.testimony.user, "no free ports: refused with 500");
            return self.refuse(now, 500, mint);
        };
        let local = LocalMedia::new(Origin::new(self.media_address, mint), self.media_address, sockets.port);
        let (body, agreed) = match self.offer.take() {
            Some(offer) => match sdp::answer(&local, &offer) {
                Ok((body, negotiated)) => (body, Some(negotiated)),
                Err(error) => {
                    tracing::info!(user = self.testimony.user, %error, "the offer cannot be answered");
                    return self.refuse(now, error.status(), mint);
                }
            },
            None => (sdp::offer(&local), None),
        };
        self.incoming.accept(now, Some(&body), mint);
        self.picked_up(now);
        self.media = Some(Media { sockets, local, early: None, agreed: None });
        if let Some(negotiated) = agreed {
            self.agree(now, negotiated, mint);
        }
    }

    fn picked_up(&mut self, now: Timestamp) {
        self.testimony.answered_at = Some(now);
        self.watch.picked_up();
        self.changes.plan(now, &self.party, Since::Answer);
    }

    fn agree(&mut self, now: Timestamp, negotiated: Negotiated, mint: &mut Mint) {
        let Some(media) = &mut self.media else { return };
        let (codec, remote) = (negotiated.codec, negotiated.remote);
        if self.testimony.answered_at.is_none() {
            media.early = Some(negotiated);
            return;
        }
        if let Some(agreed) = &mut media.agreed {
            agreed.respondent.tune(codec);
            agreed.negotiated = negotiated;
            return;
        }
        let (party, index) = (Arc::clone(&self.party), Arc::clone(&self.index));
        let mouth = Mouth::new(now, party.talk, party.lose, mint);
        let respondent = Respondent::new(now, party, index, codec);
        media.agreed = Some(Agreed { negotiated, mouth, respondent });
        self.note(now, Event::Answered { codec: codec.name().to_owned(), media: remote });
    }

    /// The ACK came, with the caller's answer where the offer was ours.
    fn acked(&mut self, now: Timestamp, body: Option<&[u8]>, mint: &mut Mint) {
        let Some(media) = &self.media else { return };
        if media.agreed.is_some() && body.is_none() {
            return;
        }
        match sdp::negotiate(&media.local, body.unwrap_or_default()) {
            Ok(negotiated) => self.agree(now, negotiated, mint),
            Err(error) => {
                tracing::info!(user = self.testimony.user, %error, "the answer in the ACK cannot be used");
                self.hang_up(now, mint);
            }
        }
    }

    /// The caller's re-INVITE, or its UPDATE or PRACK with an offer.
    fn offered(&mut self, now: Timestamp, body: Option<&[u8]>, mint: &mut Mint) {
        let Some(media) = &mut self.media else {
            return self.incoming.refuse(now, StatusCode::NOT_ACCEPTABLE_HERE, Vec::new(), mint);
        };
        let changed = LocalMedia { origin: media.local.origin.next(), ..media.local.clone() };
        let answer = match body {
            Some(offer) => sdp::answer(&changed, offer),
            None => {
                self.incoming.accept(now, Some(&sdp::offer(&changed)), mint);
                media.local = changed;
                return; // the caller's answer comes with the ACK
            }
        };
        match answer {
            Ok((body, negotiated)) => {
                media.local = changed;
                self.incoming.accept(now, Some(&body), mint);
                self.note(now, Event::Moved { signalling: self.heard_from, media: negotiated.remote });
                self.agree(now, negotiated, mint);
            }
            Err(error) => {
                let status = StatusCode::new(error.status()).unwrap_or(StatusCode::NOT_ACCEPTABLE_HERE);
                self.incoming.refuse(now, status, Vec::new(), mint);
            }
        }
    }

    /// The call ended, the first time it does.
    fn ended(&mut self, now: Timestamp, end: End, event: Event) {
        if self.testimony.end != End::Open {
            return;
        }
        self.pickup_at = None;
        self.testimony.end = end;
        self.testimony.ended_at = Some(now);
        self.note(now, event);
        self.media = None;
        let stream = self.judge.report();
        self.testimony.stream = stream.clone();
        self.testimony.gaps = self.judge.gaps.clone();
        self.note(now, Event::Over { stream: Box::new(stream) });
    }

    fn finish(&mut self, now: Timestamp) {
        self.ended(now, End::HungUp, Event::HungUp);
        self.over = true;
    }

    fn note(&mut self, at: Timestamp, event: Event) {
        if self.testimony.events.len() < MAX_EVENTS {
            self.testimony.events.push((at, event));
        } else {
            self.testimony.events_left_out += 1;
        }
    }

    /// Writes the events that were not written before.
    pub(super) fn write_log(&mut self, log: &mut impl Write) -> io::Result<()> {
        let from = std::mem::replace(&mut self.logged, self.testimony.events.len());
        let Testimony { call, user, party, events, .. } = &self.testimony;
        for (at, event) in events.get(from..).unwrap_or_default() {
            let line = Line { at: *at, call, user, party, event };
            serde_json::to_writer(&mut *log, &line)?;
            log.write_all(b"\n")?;
        }
        Ok(())
    }

    /// The testimony, once, when the call has ended (its last transactions live on for 64*T1) or when
    /// `anyway`.
    pub(super) fn take_testimony(&mut self, anyway: bool) -> Option<Testimony> {
        let whole = anyway || self.testimony.end != End::Open;
        if self.testified || !whole {
            return None;
        }
        self.testified = true;
        self.logged = 0;
        let Testimony { call, user, party, .. } = &self.testimony;
        let mut left = Testimony::new(self.testimony.invited_at, call.clone(), user.clone(), party.clone());
        left.end = self.testimony.end;
        Some(std::mem::replace(&mut self.testimony, left))
    }

    /// The call has not ended.
    pub(super) fn is_open(&self) -> bool {
        self.testimony.end == End::Open
    }
}
