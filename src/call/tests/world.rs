//! One call, one phone, one wire, one clock; and a process that can die after any input.

mod callee;
mod parts;
pub(super) mod store;
pub(super) mod trunk;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::super::{Call, CallResult, Input, Listening, MediaPlan, Output, PlayId, Start, Step, TakenOver};
use super::person::{Person, Phone, Reaction, Room};
use crate::call::{Assets, RecordingId};
use crate::id::{AttemptId, CallId, Epoch, Mint};
use crate::interview::RecordingEnd;
use crate::rtp::tones::Signal;
use crate::rtp::{Anchor, Digit, EventKey, KeyEvent, MediaReport, Phase, Ssrc};
use crate::sdp::{self, Codec, Direction, LocalMedia, Origin};
use crate::sip::incoming::{self, Incoming};
use crate::sip::local::Large;
use crate::sip::session::Event;
use crate::sip::{self, Message, NameAddr, StatusCode, Uri, stray};
use crate::time::Timestamp;
use parts::{address, goes_on, header, local};
pub(super) use parts::{report, start, terms};

const WIRE: Duration = Duration::from_millis(10);
const PROMPT: Duration = Duration::from_millis(400);
const REACTION: Duration = Duration::from_millis(300);
/// After another process has asked again: longer than the rest of a row of keys is mistrusted.
const ROW_OVER: Duration = Duration::from_millis(2_100);
/// The same where one key is an answer.
const AT_ONCE: Duration = Duration::from_millis(600);
/// No call of these tests lasts longer.
const LONGEST: Duration = Duration::from_secs(300);

/// When the process dies, counted in inputs, and what it had done by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Crash {
    Never,
    /// Everything was carried out.
    After(usize),
    /// The save was durable, and nothing behind it left.
    Saved(usize),
    /// Not even the save was durable: as if the input had never come.
    Unsaved(usize),
}

/// What can happen next.
#[derive(Clone, Debug)]
enum Happening {
    AtCall(Bytes),
    AtPhone(Bytes),
    /// At the trunk of this place, before the one that leads to the phone.
    AtTrunk(usize, Bytes),
    /// A trunk that lets it ring refuses at last.
    TrunkRefuses(usize),
    PromptEnds(PlayId),
    PromptFails(PlayId),
    Presses(Digit, EventKey),
    Releases(Digit, EventKey),
    Tones(Digit, Phase),
    Informs(Digit),
    Hears(Signal),
    Silent(u32),
    Forgets,
    MediaCloses,
    HangsUp,
    Reinvites,
    Holds,
    Resumes,
    PicksUp,
    Operator,
    QuotaAnswered {
        full: Vec<String>,
    },
    /// Two more seconds of a recording are durable.
    Chunk(RecordingId),
    /// What was said has ended, or has had its greatest length.
    Spoken(RecordingId, RecordingEnd),
    /// The store has done what it was told.
    Taken(RecordingId, Option<RecordingEnd>),
    /// The process dies, with nothing under way.
    Dies,
    /// The process is stopped for so long.
    Stalls(Duration),
}

pub(super) struct World {
    pub(super) now: Timestamp,
    assets: Assets,
    person: Person,
    /// Trunks that are tried before the one that leads to the phone.
    pub(super) trunks: Vec<trunk::Trunk>,
    call: Call,
    /// All records, in order.
    pub(super) saves: Vec<Vec<u8>>,
    saved: Vec<u8>,
    crash: Crash,
    pub(super) inputs: usize,
    phone: Option<Incoming>,
    phone_mint: Mint,
    agenda: BTreeMap<(Timestamp, u64), Happening>,
    scheduled: u64,
    open: Option<String>,
    /// The words of what is open.
    words: String,
    held: Option<(Timestamp, Digit, EventKey)>,
    keys: u32,
    reinvited: bool,
    presses_on: bool,
    informed: u32,
    /// When another process began to ask.
    asked_again: Option<Timestamp>,
    /// Keys that the call sent.
    pub(super) dialled: Vec<String>,
    media: Option<MediaPlan>,
    /// Which way each stream that was opened, or went on under new terms, may flow.
    pub(super) directions: Vec<Direction>,
    pub(super) store: store::Store,
    pub(super) results: Vec<CallResult>,
    pub(super) forgotten: bool,
    /// How often a place in quotas was asked for.
    pub(super) reserved: usize,
    pub(super) said: Vec<String>,
    /// Texts that were asked for ahead of their time.
    pub(super) prepared: Vec<String>,
    /// What the call sent, by (start line, CSeq, branch).
    pub(super) sent: BTreeMap<String, Bytes>,
    pub(super) sent_in_order: Vec<String>,
    pub(super) codecs: Vec<Codec>,
    /// Where the call is reached; who speaks to another address is not heard.
    home: SocketAddr,
    /// What the phone describes.
    phone_direction: Direction,
    phone_version: u64,
    /// The next process is another instance: how many there were. `None`: it comes back at the same address.
    elsewhere: Option<u16>,
}

impl World {
    pub(super) fn new(person: Person, crash: Crash) -> Self {
        Self::asking(super::SURVEY, person, crash)
    }

    /// A call with another survey.
    pub(super) fn asking(xml: &str, person: Person, crash: Crash) -> Self {
        let mut world = Self::at_rest(xml, person, crash);
        world.feed(Input::Started);
        world
    }

    /// The call is not started.
    pub(super) fn withdrawn(person: Person, why: &str) -> Self {
        let mut world = Self::at_rest(super::SURVEY, person, Crash::Never);
        world.feed(Input::Withdrawn { why: why.to_owned() });
        world
    }

    fn at_rest(xml: &str, person: Person, crash: Crash) -> Self {
        Self::by_trunks(xml, person, crash, Vec::new())
    }

    fn by_trunks(xml: &str, person: Person, crash: Crash, trunks: Vec<trunk::Trunk>) -> Self {
        let (assets, digest) = super::assets_of(xml);
        let now = Timestamp::from_millis(1_795_416_217_000);
        let call = Call::new(now, trunk::by(&trunks, start(digest)), &assets).unwrap();
        Self {
            now,
            assets,
            person,
            trunks,
            saves: Vec::new(),
            saved: Vec::new(),
            call,
            crash,
            inputs: 0,
            phone: None,
            phone_mint: Mint::seeded(6),
            agenda: BTreeMap::new(),
            scheduled: 0,
            open: None,
            words: String::new(),
            held: None,
            keys: 0,
            reinvited: false,
            presses_on: false,
            informed: 0,
            asked_again: None,
            dialled: Vec::new(),
            media: None,
            directions: Vec::new(),
            store: store::Store::default(),
            results: Vec::new(),
            forgotten: false,
            reserved: 0,
            said: Vec::new(),
            prepared: Vec::new(),
            sent: BTreeMap::new(),
            sent_in_order: Vec::new(),
            codecs: Vec::new(),
            home: address(5060),
            phone_direction: Direction::SendRecv,
            phone_version: 1,
            elsewhere: None,
        }
    }

    /// The person presses all keys of a row, whatever is asked meanwhile.
    pub(super) const fn pressing_on(mut self) -> Self {
        self.presses_on = true;
        self
    }

    /// The operator stops the call after this long.
    pub(super) fn stopped_after(mut self, after: Duration) -> Self {
        self.plan(after, Happening::Operator);
        self
    }

    /// The callee is behind a switchboard.
    pub(super) fn post_dial(mut self, keys: &str) -> Self {
        self.call.post_dial = Some(keys.parse().unwrap());
        self
    }

    /// The call listens to this.
    pub(super) fn listening(mut self, listening: Listening) -> Self {
        self.call.listening = listening;
        self
    }

    /// After this long the callee's voice is this tone.
    pub(super) fn hears_after(mut self, after: Duration, signal: Signal) -> Self {
        self.plan(after, Happening::Hears(signal));
        self
    }

    /// After this long somebody presses a key.
    pub(super) fn pressed_after(mut self, after: Duration, key: char) -> Self {
        self.keys += 1;
        let name = EventKey { ssrc: Ssrc(4), timestamp: self.keys * 8_000, again: 0 };
        self.plan(after, Happening::Presses(Digit::from_char(key).unwrap(), name));
        self
    }

    /// After this long nothing has come in for so many timeouts.
    pub(super) fn silent_after(mut self, after: Duration, times: u32) -> Self {
        self.plan(after, Happening::Silent(times));
        self
    }

    /// The process dies after this long.
    pub(super) fn dies_after(mut self, after: Duration) -> Self {
        self.plan(after, Happening::Dies);
        self
    }

    /// Who goes on after the process died is another instance, at another address.
    pub(super) const fn elsewhere(mut self) -> Self {
        self.elsewhere = Some(0);
        self
    }

    /// After this long the process is stopped for a while.
    pub(super) fn stalls_after(mut self, after: Duration, stopped: Duration) -> Self {
        self.plan(after, Happening::Stalls(stopped));
        self
    }

    /// After this long the phone knows nothing of the call any more.
    pub(super) fn forgets_after(mut self, after: Duration) -> Self {
        self.plan(after, Happening::Forgets);
        self
    }

    /// What calls share, before it runs.
    pub(super) const fn assets_mut(&mut self) -> &mut Assets {
        &mut self.assets
    }

    /// Lives until the call is forgotten.
    pub(super) fn run(mut self) -> Self {
        let end = self.now + LONGEST;
        while !self.forgotten {
            let next = self.agenda.first_key_value().map(|((at, _), _)| *at);
            let phone = self.phone.as_ref().and_then(Incoming::poll_timeout);
            let trunk = self.trunks.iter().filter_map(trunk::Trunk::poll_timeout).min();
            let phone = Timestamp::earliest(phone, trunk);
            let due = Timestamp::earliest(next, Timestamp::earliest(self.call.poll_timeout(), phone))
                .unwrap_or_else(|| panic!("the call hangs: {:?}", self.said));
            assert!(due <= end, "the call does not end: {:?}", self.said);
            self.now = self.now.max(due);
            if next == Some(due) {
                let (_, happening) = self.agenda.pop_first().unwrap();
                self.happen(happening);
            } else if phone == Some(due) {
                if let Some(phone) = &mut self.phone {
                    phone.timeout(self.now, &mut self.phone_mint);
                    self.follow_phone();
                }
                self.trunks_timed_out();
            } else {
                self.feed(Input::TimedOut);
            }
        }
        self
    }

    pub(super) fn result(&self) -> &CallResult {
        let first = self.results.first().expect("an outcome");
        assert!(self.results.iter().all(|result| result == first), "one outcome: {:?}", self.results);
        first
    }

    fn plan(&mut self, after: Duration, happening: Happening) {
        self.scheduled += 1;
        self.agenda.insert((self.now + after, self.scheduled), happening);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::AtCall(bytes) => {
                let message = Arc::new(sip::parse(bytes).unwrap());
                assert_eq!(stray::owner(&message), Some(self.call.id()));
                self.feed(Input::Received { message, from: address(5080).into() });
            }
            Happening::AtPhone(bytes) => self.at_phone(bytes),
            Happening::AtTrunk(place, bytes) => self.at_trunk(place, bytes),
            Happening::TrunkRefuses(place) => self.trunk_refuses(place),
            Happening::PromptEnds(play) => self.feed(Input::PromptEnded { play }),
            Happening::PromptFails(play) => self.feed(Input::PromptFailed { play }),
            Happening::Presses(digit, key) => {
                self.held = Some((self.now, digit, key));
                self.key(self.now, digit, key, Phase::Pressed);
            }
            Happening::Releases(digit, key) => {
                self.held = None;
                self.key(self.now, digit, key, Phase::Released { duration_ms: 100 });
            }
            Happening::Tones(digit, phase) => {
                self.feed(Input::ToneKey { digit, phase, at: self.now });
            }
            Happening::Informs(digit) => self.inform(digit),
            Happening::Hears(signal) => self.feed(Input::Signal(signal)),
            Happening::Silent(times) => self.feed(Input::MediaSilent { times }),
            Happening::Forgets => {
                self.stop_listening();
                self.person.phone = Phone::Forgetful;
            }
            Happening::MediaCloses => self.feed(Input::MediaClosed(Box::new(report()))),
            Happening::HangsUp => {
                self.store.is_gone = true;
                self.phone.as_mut().unwrap().bye(self.now, None, &mut self.phone_mint);
                self.follow_phone();
            }
            Happening::Reinvites => {
                let mut media = local(30_000, &[Codec::Pcma, Codec::Pcmu]);
                media.origin.version = 2;
                let offer = sdp::offer(&media);
                self.phone.as_mut().unwrap().reinvite(self.now, Some(&offer), &mut self.phone_mint);
                self.follow_phone();
            }
            Happening::Holds => {
                self.stop_listening(); // the person has turned away
                self.offers(Direction::SendOnly, 2);
                self.plan(Duration::from_secs(6), Happening::Resumes);
            }
            Happening::Resumes => self.offers(Direction::SendRecv, 3),
            Happening::PicksUp => {
                let answer = sdp::offer(&local(30_000, &[Codec::Pcmu]));
                self.phone.as_mut().unwrap().accept(self.now, Some(&answer), &mut self.phone_mint);
                self.follow_phone();
            }
            Happening::Operator => self.feed(Input::HangUpAsked),
            Happening::QuotaAnswered { full } => self.feed(Input::QuotaAnswered { full }),
            Happening::Chunk(recording) => self.store.chunk(recording),
            Happening::Spoken(recording, end) => self.finish(recording, end),
            Happening::Taken(recording, end) => {
                let taken = self.store.file(recording, end);
                self.feed(Input::Taken { recording, taken });
            }
            Happening::Dies if self.saved.is_empty() => {}
            Happening::Dies => self.restart(),
            Happening::Stalls(stopped) => {
                let since = self.now;
                self.now = self.now + stopped;
                self.asked_again = Some(self.now);
                self.feed(Input::Stalled { since });
            }
        }
    }

    fn key(&mut self, at: Timestamp, digit: Digit, key: EventKey, phase: Phase) {
        self.feed(Input::Key(KeyEvent { key, digit, phase, at }));
    }

    /// Gives the call an input; then the process may die.
    fn feed(&mut self, input: Input) {
        self.inputs += 1;
        self.call.handle(self.now, input, &self.assets);
        let outputs: VecDeque<Output> = std::iter::from_fn(|| self.call.poll_output()).collect();
        let repeats =
            outputs.iter().all(|output| matches!(output, Output::Send { message, .. } if message.again));
        assert!(repeats || matches!(outputs.front(), Some(Output::Save(_))), "save before send: {outputs:?}");
        let inputs = self.inputs;
        match self.crash {
            Crash::Unsaved(at) if at == inputs && !self.saved.is_empty() => self.restart(),
            Crash::Saved(at) if at == inputs => {
                outputs.into_iter().take(1).for_each(|output| self.carry_out(output));
                self.restart();
            }
            Crash::After(at) if at == inputs => {
                outputs.into_iter().for_each(|output| self.carry_out(output));
                self.restart();
            }
            Crash::Never | Crash::After(_) | Crash::Saved(_) | Crash::Unsaved(_) => {
                outputs.into_iter().for_each(|output| self.carry_out(output));
            }
        }
    }

    /// The process died and another one read the journal. Soft state is gone: what was played stopped, and
    /// a key that is still held
    /// looks new to the new receiver, which can tell from its duration when it went down.
    fn restart(&mut self) {
        if self.forgotten {
            return;
        }
        self.call = Call::restore(&self.saved).unwrap();
        self.store.lose();
        self.stop_listening();
        self.agenda.retain(|_, happening| {
            let soft = matches!(
                happening,
                Happening::PromptEnds(_)
                    | Happening::QuotaAnswered { .. }
                    | Happening::MediaCloses
                    | Happening::Chunk(_)
                    | Happening::Spoken(..)
                    | Happening::Taken(..)
            );
            !soft
        });
        self.asked_again = Some(self.now);
        match self.elsewhere {
            None => self.feed(Input::Restored { alive: Some(self.now), epoch: None }),
            Some(count) => self.take_over(count + 1),
        }
        if let Some((at, digit, key)) = self.held {
            self.key(at, digit, key, Phase::Pressed);
        }
    }

    /// The next instance: what was on its way to the one before is lost.
    fn take_over(&mut self, count: u16) {
        (self.elsewhere, self.home, self.media) = (Some(count), address(5060 + count), None);
        self.agenda.retain(|_, happening| !matches!(happening, Happening::AtCall(_)));
        self.feed(Input::TakenOver(Box::new(TakenOver {
            epoch: Epoch(1 + u64::from(count)),
            claims: 1,
            stale: false,
            alive: Some(self.now),
            sent_by: vec![self.home],
            media: Some(address(17_000 + 2 * count)),
        })));
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Save(record) => {
                assert!(record.bytes.len() < 8_192, "{} bytes", record.bytes.len());
                let restored = Call::restore(&record.bytes).unwrap();
                assert_eq!(restored.record(), record, "a record reads back as it was");
                self.saves.push(record.bytes.clone());
                self.saved = record.bytes;
            }
            Output::CloseTrunk { .. } => {}
            Output::Send { message, .. } => {
                self.note_sent(&message.bytes);
                let place = trunk::place(message.to.address.port());
                let arrives = place.map_or(Happening::AtPhone(message.bytes.clone()), |place| {
                    Happening::AtTrunk(place, message.bytes)
                });
                self.plan(WIRE, arrives);
            }
            Output::OpenMedia(plan) => {
                if let Some(before) = &self.media {
                    assert!(goes_on(before, &plan.anchor), "one stream: {before:?}, {plan:?}");
                }
                self.codecs.push(plan.negotiated.codec);
                self.directions.push(plan.negotiated.direction);
                self.media = Some(*plan);
            }
            Output::Play(play) if self.person.unsaid.is_some_and(|text| play.prompt.text().contains(text)) => {
                self.plan(PROMPT, Happening::PromptFails(play.play));
            }
            Output::Play(play) => {
                self.plan(PROMPT.saturating_sub(play.from), Happening::PromptEnds(play.play));
                self.listen();
            }
            Output::Press { play, keys } => {
                self.dialled.push(keys.to_string());
                self.plan(PROMPT, Happening::PromptEnds(play));
            }
            Output::StopPlay(play) => self.agenda.retain(|_, happening| {
                !matches!(happening, Happening::PromptEnds(p) | Happening::PromptFails(p) if *p == play)
            }),
            Output::ReserveQuota { quotas, .. } => {
                self.reserved += 1;
                let full = match self.person.quota {
                    Room::Left => Vec::new(),
                    Room::None => quotas,
                    Room::Unknown => return,
                };
                self.plan(WIRE, Happening::QuotaAnswered { full });
            }
            Output::Record(order) => self.record(&order),
            Output::StopRecord { recording, stop } => self.stop_recording(recording, stop),
            Output::KeepRecording { recording, .. } => self.plan(WIRE, Happening::Taken(recording, None)),
            Output::Prepare { texts, .. } => {
                self.prepared.extend(texts.into_iter().map(|text| text.text));
            }
            Output::CloseMedia => {
                self.stop_listening();
                self.plan(Duration::from_millis(3), Happening::MediaCloses);
            }
            Output::Tell(step) => self.told(&step),
            Output::Ended(result) => self.results.push(*result),
            Output::Forget => self.forgotten = true,
        }
    }

    fn told(&mut self, step: &Step) {
        self.open = match step {
            Step::Asked { item, text } => {
                self.words.clone_from(text);
                Some(item.clone())
            }
            Step::Said { .. } => None,
            Step::Dialling { .. }
            | Step::Withdrawn { .. }
            | Step::Unsaid
            | Step::Held
            | Step::Resumed
            | Step::TakenOver
            | Step::NotFollowed { .. }
            | Step::Progress { .. }
            | Step::Refused { .. }
            | Step::NextTrunk { .. }
            | Step::Answered { .. }
            | Step::Key { .. }
            | Step::Entered { .. }
            | Step::Dialled { .. }
            | Step::Silent { .. }
            | Step::ToneHeard { .. }
            | Step::Recording { .. }
            | Step::Recorded { .. }
            | Step::Ended { .. } => self.open.take(),
        };
        self.said.push(step.to_string());
    }

    /// No (start line, CSeq, branch) may ever have two bodies.
    fn note_sent(&mut self, bytes: &Bytes) {
        let message = sip::parse(bytes.clone()).expect("we send what we can read");
        let headers = message.headers();
        let cseq = headers.cseq().expect("a CSeq");
        let branch = headers.via().expect("a Via").branch().expect("a branch").to_string();
        let what = match &message {
            Message::Request(request) => request.method().to_string(),
            Message::Response(response) => response.status().as_u16().to_string(),
        };
        let name = format!("{what} {} {} {branch}", cseq.number, cseq.method);
        let before = self.sent.insert(name.clone(), bytes.clone());
        match before {
            Some(before) => assert_eq!(before, bytes, "two bodies for {name}"),
            None => {
                if what == "INVITE" {
                    self.nobody_rings();
                }
                self.sent_in_order.push(what);
            }
        }
    }
}
