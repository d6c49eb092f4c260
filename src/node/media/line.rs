//! One call's media, without its sockets: what to send in each tick, and what came in. Pure.
//!
//! ```text
//! tick(due) ──► Numbers: k ─► sequence, timestamp ─┬─► packet, and where to
//!               Playout: frame ───────────────────┘
//! datagram ──► parse_packet ─► Latch ─┬─► EventReceiver ─► Key
//!                                     ├─► Reception ─► report blocks
//!                                     └─► Tap ─► Block of 20 ms ─► Ears, and whoever listens
//! ```
//! The stream is continuous from its first tick to its end (RFC 3550 §5.1, RFC 3551 §4.1): between prompts it
//! carries silence, so that a callee's jitter buffer, NAT binding and media timeout see a steady 50 packets a second.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::Clip;
use super::control::Control;
use super::dialler::{Dialler, Sent};
use super::ears::Ears;
use super::playout::{End, Over, Playout};
use super::recorder::{Recorder, Untaken, beep};
use super::tap::{Block, Tap, dbfs};
use super::{MediaPlan, PlayId};
use crate::call::{BEEP, Recording, RecordingId, Stop};
use crate::dialplan::PostDial;
use crate::rtp::event::{EventError, EventPacket};
use crate::rtp::report::{self, MediaReport, ms_of_micros};
use crate::rtp::tones::{Signal, key_samples};
use crate::rtp::{
    Admission, Digit, EventReceiver, Header, KeyEvent, Latch, Numbers, Packet, PacketError, Phase,
    SAMPLES_PER_TICK, g711, parse_packet, write_packet,
};
use crate::sdp::{Codec, Negotiated};
use crate::store::recordings::{Order, Take};
use crate::time::Timestamp;

/// What the media of a call tells its shard.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Told {
    /// A key went down or up, as a telephone-event tells.
    Key(KeyEvent),
    /// The same, as the tones in the audio tell.
    ToneKey {
        /// Which key.
        digit: Digit,
        /// Down or up.
        phase: Phase,
        /// When that was heard.
        at: Timestamp,
    },
    /// A machine or the network was heard.
    Signal(Signal),
    /// Neither RTP nor RTCP has come for this many times the timeout.
    Silent {
        /// 1 at first.
        times: u32,
    },
    /// A prompt has ended.
    PlayEnded {
        /// Which.
        play: PlayId,
        /// Was it heard?
        end: End,
    },
    /// A recording is over without a file to come.
    Untaken(Untaken),
    /// The peer's packets come from another address than its description named, and ours go there now.
    Latched(SocketAddr),
    /// The stream has ended; nothing follows.
    Closed(Box<Statistics>),
}

/// What passed over a stream, for the line at a call's end.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Statistics {
    /// RTP packets sent.
    pub(crate) sent: u64,
    /// RTP packets of the peer.
    pub(crate) received: u64,
    /// Packets of the peer that never came, of all its streams (RFC 3550 §6.4.1; late doubles count against them).
    pub(crate) lost: u64,
    /// Datagrams that were no RTP packets.
    pub(crate) malformed: u64,
    /// Ticks in which nothing was sent because the media thread was too far behind.
    pub(crate) skipped: u64,
    /// Packets that the system would not take.
    pub(crate) unsent: u64,
    /// Packets from addresses that are not the peer's.
    pub(crate) strangers: u64,
    /// Packets that came too early to be anybody's, see [`MediaReport::early`].
    pub(crate) early: u64,
    /// The loudest 20 ms of the callee, in dBFS: -90 if nothing was ever heard.
    pub(crate) loudest_dbfs: i8,
    /// All that belongs to the result.
    pub(crate) report: Option<MediaReport>,
}

/// So long after our first packet others than the peer may still send what they began before the answer: a ringing tone
/// of the network, the announcement of another fork.
const EARLY: Duration = Duration::from_millis(500);

/// The media of one call.
#[derive(Debug)]
pub(crate) struct Line {
    negotiated: Negotiated,
    numbers: Numbers,
    playout: Playout,
    dialler: Option<Dialler>,
    /// The tick after the last one; `None` before the first.
    next: Option<u64>,
    /// The next packet is the first after a time without packets.
    marker: bool,
    latch: Latch,
    keys: EventReceiver,
    tap: Tap,
    ears: Ears,
    /// When its first packet was due; `None`: it only listens yet.
    talks_since: Option<Timestamp>,
    /// Those of the latch's strangers that were early.
    early_strangers: u64,
    /// The highest power of a block.
    loudest: u32,
    recorder: Recorder,
    control: Control,
    statistics: Statistics,
    told: VecDeque<Told>,
}

impl Line {
    /// A line on these terms. `cname` names its endpoint in RTCP (RFC 3550 §6.5.1). A key that is still held after
    /// a restart is told again; the call knows that it has counted it.
    pub(crate) fn new(now: Timestamp, cname: String, plan: MediaPlan) -> Self {
        let MediaPlan { negotiated, anchor, ears } = plan;
        Self {
            playout: Playout::new(negotiated.codec),
            dialler: None,
            latch: Latch::new(negotiated.remote),
            control: Control::new(now, anchor.ssrc, cname, negotiated.remote_rtcp),
            negotiated,
            numbers: Numbers::new(anchor),
            next: None,
            marker: true,
            keys: EventReceiver::new(None),
            tap: Tap::new(now),
            ears: Ears::new(now, ears),
            talks_since: None,
            early_strangers: 0,
            loudest: 0,
            recorder: Recorder::new(),
            statistics: Statistics::default(),
            told: VecDeque::new(),
        }
    }

    /// Goes on under new terms: a re-INVITE of the peer moved its address, changed the codec or holds us.
    pub(crate) fn retune(&mut self, plan: MediaPlan) {
        let MediaPlan { negotiated, anchor, ears } = plan;
        self.ears.retune(ears);
        self.playout.recode(negotiated.codec);
        self.latch.signal(negotiated.remote);
        self.control.signal(negotiated.remote_rtcp);
        if self.numbers.retune(anchor) {
            self.marker = true;
            self.next = None;
        }
        self.negotiated = negotiated;
    }

    /// When its stream begins.
    pub(crate) fn begins(&self) -> Timestamp {
        self.numbers.begins()
    }

    /// Plays clips, or waits for them; without the first `skip` frames.
    pub(crate) fn play(&mut self, play: PlayId, clips: Option<Vec<Arc<Clip>>>, skip: usize) {
        let over = match clips {
            Some(clips) => self.playout.play(play, clips, skip),
            None => self.playout.await_clips(play, skip),
        };
        self.tell_over(over);
    }

    /// The clips that a play waits for have come; `None`: they could not be rendered.
    pub(crate) fn rendered(&mut self, play: PlayId, clips: Option<Vec<Arc<Clip>>>) {
        let over = self.playout.rendered(play, clips);
        self.tell_over(over);
    }

    /// Sends keys from the next packet on.
    pub(crate) fn press(&mut self, play: PlayId, keys: &PostDial) {
        self.dialler = Some(Dialler::new(play, keys));
    }

    /// Stops a play with the next packet.
    pub(crate) fn stop(&mut self, play: PlayId) {
        self.playout.stop(play);
    }

    /// Begins to record what the callee says.
    pub(crate) fn record(&mut self, recording: Recording, take: Arc<Take>) {
        let beeps = recording.beep;
        self.recorder.begin(recording, take);
        if beeps && self.playout.play(BEEP, vec![beep()], 0).is_some() {
            self.recorder.beeped(); // too much is being played; the callee does without the tone
        }
    }

    /// Stops a recording.
    pub(crate) fn stop_recording(&mut self, recording: RecordingId, stop: Stop) {
        self.playout.stop(BEEP);
        self.told.extend(self.recorder.stop(recording, stop).map(Told::Untaken));
    }

    /// The stream is going to end: what was said of an open recording is kept.
    pub(crate) fn leave_recording(&mut self) {
        self.recorder.leave();
    }

    /// What the store of recordings has to do; drain until `None`. What it does not take is put back.
    pub(crate) fn poll_order(&mut self) -> Option<Order> {
        self.recorder.poll_order()
    }

    /// The store has no room for this order now.
    pub(crate) fn put_back(&mut self, order: Order) {
        self.recorder.put_back(order);
    }

    /// The tick that was due at `due`: writes its packet into `out` (emptied before) and says where to send it.
    pub(crate) fn tick(&mut self, due: Timestamp, out: &mut Vec<u8>) -> Option<SocketAddr> {
        self.keys.timeout(due);
        self.drain_keys();
        self.drain_sound(due);
        self.ears.tick(due, self.negotiated.direction, &mut self.told);
        if due < self.begins() {
            return None;
        }
        let tick = self.numbers.anchor().tick_at(due);
        let missed = self.next.map_or(0, |next| tick.saturating_sub(next));
        self.statistics.skipped += missed;
        self.next = Some(tick + 1);
        if !self.negotiated.direction.sends() {
            // Held: the prompt waits, the clock of the stream goes on.
            self.marker = true;
            return None;
        }
        let header = Header {
            payload_type: self.negotiated.send_payload_type,
            marker: std::mem::take(&mut self.marker) || missed > 0,
            sequence: self.numbers.send(tick),
            timestamp: self.numbers.anchor().timestamp(tick),
            ssrc: self.numbers.anchor().ssrc,
        };
        out.clear();
        let octets = self.write(header, out);
        self.control.sent(due, header.timestamp, octets);
        self.talks_since.get_or_insert(due);
        self.statistics.sent += 1;
        Some(self.latch.target())
    }

    /// Writes what this tick says: a key that we send, or the prompt. Returns the payload's bytes.
    fn write(&mut self, header: Header, out: &mut Vec<u8>) -> usize {
        let event = self.negotiated.send_event;
        let key = self.dialler.as_mut().map(|dialler| dialler.next(header.timestamp, event.is_some()));
        match key {
            Some(Some(Sent::Event(EventPacket { marker, timestamp, payload }))) => {
                let payload_type = event.unwrap_or(header.payload_type);
                write_packet(out, &Header { payload_type, marker, timestamp, ..header }, &payload);
                return payload.len();
            }
            Some(Some(Sent::Tones { digit, tick })) => {
                let samples = key_samples(digit, tick * SAMPLES_PER_TICK, SAMPLES_PER_TICK);
                let payload = match self.negotiated.codec {
                    Codec::Pcmu => g711::ulaw_encode_all(&samples),
                    Codec::Pcma => g711::alaw_encode_all(&samples),
                };
                write_packet(out, &header, &payload);
                return payload.len();
            }
            Some(None) => {
                let play = self.dialler.take().map(|dialler| dialler.play());
                self.told.extend(play.map(|play| Told::PlayEnded { play, end: End::Played }));
            }
            Some(Some(Sent::Silence)) | None => {}
        }
        let frame = self.playout.frame();
        write_packet(out, &header, frame);
        let octets = frame.len();
        let over = self.playout.advance();
        self.tell_over(over);
        octets
    }

    /// The system would not take the last packet.
    pub(crate) fn unsent(&mut self) {
        self.statistics.sent -= 1;
        self.statistics.unsent += 1;
    }

    /// A datagram that waited on the RTP port when the line was opened. When it was sent nobody knows, and nobody was
    /// asked anything yet; and there may be thousands less than there were, so that their numbers would tell of loss.
    pub(crate) fn waited(&mut self, datagram: &[u8]) {
        match parse_packet(datagram) {
            Ok(_) => self.statistics.early += 1,
            Err(_) => self.statistics.malformed += 1,
        }
    }

    /// A datagram came in on the RTP port.
    ///
    /// # Errors
    /// What was wrong with it, as a word for counters.
    pub(crate) fn receive(
        &mut self,
        now: Timestamp,
        from: SocketAddr,
        datagram: &[u8],
    ) -> Result<(), &'static str> {
        let packet = parse_packet(datagram).map_err(|error| {
            self.statistics.malformed += 1;
            PacketError::reason(error)
        })?;
        let header = &packet.header;
        match self.latch.admit(now, from, header.ssrc, header.sequence) {
            Admission::Peer => {}
            Admission::Moved => {
                self.control.follow(from);
                self.told.push_back(Told::Latched(from));
            }
            Admission::Stranger if self.talks_since.is_none_or(|since| now.since(since) < EARLY) => {
                self.early_strangers += 1;
                self.statistics.early += 1;
                return Ok(());
            }
            Admission::Stranger => return Err("stranger"),
        }
        self.hear(now, &packet)
    }

    fn hear(&mut self, now: Timestamp, packet: &Packet<'_>) -> Result<(), &'static str> {
        let payload_type = packet.header.payload_type;
        self.ears.heard(now);
        let codec = self.negotiated.codec_of(payload_type);
        self.control.received(now, &packet.header, codec.map(Codec::clock_hz));
        if let Some(clock_hz) = self.negotiated.event_clock_hz(payload_type) {
            let heard = self.keys.receive(now, packet, clock_hz).map_err(EventError::reason);
            self.drain_keys();
            return heard;
        }
        if let Some(codec) = codec {
            self.drain_sound(now);
            self.tap.receive(now, &packet.header, codec, packet.payload);
            self.drain_sound(now);
        }
        // Comfort noise (RFC 3389) is silence, which the tap makes by itself; other payloads are no fault.
        Ok(())
    }

    fn drain_sound(&mut self, now: Timestamp) {
        while let Some(block) = self.tap.poll_block(now) {
            self.listen(&block);
        }
    }

    /// Whoever wants to know what the callee says is told here, block by block.
    fn listen(&mut self, block: &Block) {
        self.loudest = self.loudest.max(block.power());
        self.ears.listen(block, &mut self.told);
        let held = !self.negotiated.direction.receives();
        self.told.extend(self.recorder.hear(block, held).map(Told::Untaken));
    }

    /// A datagram came in on the RTCP port.
    ///
    /// # Errors
    /// What was wrong with it, as a word for counters.
    pub(crate) fn receive_control(
        &mut self,
        now: Timestamp,
        from: SocketAddr,
        datagram: &[u8],
    ) -> Result<(), &'static str> {
        self.control.receive(now, from, self.latch.target(), datagram)?;
        self.ears.heard(now);
        Ok(())
    }

    /// The RTCP report, if it is time for one: written into `out`, and where to send it.
    pub(crate) fn report(&mut self, now: Timestamp, out: &mut Vec<u8>) -> Option<SocketAddr> {
        self.control.report(now, out)
    }

    /// The RTCP BYE of a stream that ends (RFC 3550 §6.6): written into `out`, and where to send it.
    pub(crate) fn bye(&mut self, now: Timestamp, out: &mut Vec<u8>) -> Option<SocketAddr> {
        self.control.bye(now, out)
    }

    /// What is there to tell; drain until `None`.
    pub(crate) fn poll_told(&mut self) -> Option<Told> {
        self.told.pop_front()
    }

    /// What has passed so far.
    pub(crate) fn statistics(&self) -> Statistics {
        let heard = self.control.reception();
        #[expect(clippy::cast_possible_truncation, reason = "-90 to 0")]
        let loudest_dbfs = dbfs(self.loudest).round() as i8;
        let report = self.report_of(&heard);
        let (received, lost, strangers) = (heard.received, heard.lost, self.strangers());
        Statistics { received, lost, strangers, loudest_dbfs, report: Some(report), ..self.statistics }
    }

    /// What belongs to the result.
    fn report_of(&self, heard: &crate::rtp::Statistics) -> MediaReport {
        let (peer, round_trip_ms) = self.control.peer();
        MediaReport {
            codec: self.negotiated.codec.name().into(),
            sent: self.statistics.sent,
            received: heard.received,
            expected: heard.expected,
            lost: heard.lost,
            duplicated: heard.duplicated,
            reordered: heard.reordered,
            malformed: self.statistics.malformed,
            strangers: self.strangers(),
            early: self.statistics.early,
            streams: heard.streams,
            jitter_ms: ms_of_micros(heard.jitter_micros),
            max_jitter_ms: ms_of_micros(heard.max_jitter_micros),
            round_trip_ms,
            peer,
            mos: report::mos(heard, round_trip_ms),
        }
    }

    const fn strangers(&self) -> u64 {
        self.latch.strangers().saturating_sub(self.early_strangers)
    }

    fn tell_over(&mut self, over: Option<Over>) {
        match over {
            Some(Over { play: BEEP, .. }) => self.recorder.beeped(),
            Some(Over { play, end }) => self.told.push_back(Told::PlayEnded { play, end }),
            None => {}
        }
    }

    fn drain_keys(&mut self) {
        while let Some(event) = self.keys.poll_event() {
            self.told.push_back(Told::Key(event));
        }
    }
}
