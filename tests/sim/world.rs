//! Everything that happens, in its order: one instance, its disk, the network, and those who are called.
//!
//! ```text
//! agenda (time, number) ─► happening ─► process ◄─► disk
//!                                   └─► telephones ─► network: lost, doubled, late
//! ```

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use baton::call::{Assets, Call, Input, Listening, Output, Play, Start, Step, Terms};
use baton::dialplan::Failover;
use baton::id::{AttemptId, CallId, Digest, Epoch, Mint};
use baton::questionnaire::Questionnaire;
use baton::rtp::event::EventError;
use baton::rtp::{EventReceiver, MediaReport, Numbers, parse_packet};
use baton::sdp::{LocalMedia, Origin};
use baton::sip::local::Large;
use baton::sip::{self, Hop, Message, Method, NameAddr, Uri, stray};
use baton::time::Timestamp;
use bytes::Bytes;

use crate::cover::Coverage;
use crate::dice::Dice;
use crate::judge::{Judge, Wrong};
use crate::phone::{CODECS, Telephone, address, instance};
use crate::process::{Disk, Frame, Live, Parked, Playing, Process, Stream};
use crate::scenario::{Act, Callee, Fault, Phone, Room, Scenario};
use crate::switch::Switch;

const SURVEY: &str = include_str!("survey.xml");
/// How long it may ring; the longest conversation; then nothing more may go on.
const RING: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(120);
const END: Duration = Duration::from_secs(300);
/// A prompt lasts so long for each of its characters.
const CHARACTER: Duration = Duration::from_millis(40);
/// A stop of less than this is not noticed.
const NOTICED: Duration = Duration::from_secs(1);
/// RTP of so long waits in a socket for a process that is stopped.
const SOCKET: Duration = Duration::from_secs(3);
/// How often a process notes that it lives.
const BEAT_MS: u64 = 50;

/// What can happen next.
#[derive(Clone, Debug)]
enum Happening {
    Place(usize),
    /// A datagram of a phone.
    ToInstance(Bytes),
    ToPhone(usize, Bytes),
    /// A packet of a phone's stream.
    Rtp(usize, Vec<u8>),
    /// Ears notice that a key was let go though no packet said so.
    Ears(u32, CallId),
    PicksUp(usize),
    Refuses(usize, u16),
    Thinks(usize, u32, String),
    Presses(usize, char),
    Acts(usize, Act),
    PromptEnds(u32, CallId),
    DiskDone(u32),
    Stored(u32, CallId, AttemptId, Box<serde_json::Value>),
    Told(u32, CallId, Box<Input>),
    Fault(Fault),
    Restart,
    Wake,
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) wrong: Option<Wrong>,
    pub(crate) coverage: Coverage,
    /// Inputs of calls.
    pub(crate) inputs: u64,
    pub(crate) complete: u64,
    pub(crate) log: Vec<String>,
}

pub(crate) struct World<'a> {
    scenario: &'a Scenario,
    switch: Switch,
    dice: Dice,
    start: Timestamp,
    now: Timestamp,
    agenda: BTreeMap<(Timestamp, u64), Happening>,
    planned: u64,
    assets: Assets,
    digest: Digest,
    process: Option<Process>,
    processes: u32,
    died: Option<Timestamp>,
    disk: Disk,
    /// Calls to place when there is a process again.
    waiting: Vec<usize>,
    /// What came in while the process was stopped.
    stalled: Vec<Happening>,
    phones: Vec<Telephone>,
    placed: BTreeMap<usize, CallId>,
    offers: BTreeMap<usize, Bytes>,
    judge: Judge,
    coverage: Coverage,
    inputs: u64,
    log: Option<Vec<String>>,
}

/// Runs a scenario.
pub(crate) fn run(scenario: &Scenario, switch: Switch, logged: bool) -> Ran {
    let (questionnaire, _) = Questionnaire::load("survey.xml", SURVEY.as_bytes()).expect("it is checked");
    let mut assets = Assets::default();
    let digest = assets.insert(Arc::new(questionnaire));
    let start = Timestamp::from_millis(1_795_416_217_000);
    // Those of the callees, then their trunks', each of which is a telephone too.
    let trunks = scenario.callees.iter().flat_map(|callee| {
        callee.trunks.iter().map(|phone| Callee { phone: *phone, acts: Vec::new(), ..callee.clone() })
    });
    let phones = scenario.callees.iter().cloned().chain(trunks).enumerate();
    let mut world = World {
        scenario,
        switch,
        dice: Dice::new(scenario.seed ^ 0x51),
        start,
        now: start,
        agenda: BTreeMap::new(),
        planned: 0,
        assets,
        digest,
        process: Some(Process::new(0)),
        processes: 1,
        died: None,
        disk: Disk::default(),
        waiting: Vec::new(),
        stalled: Vec::new(),
        phones: phones.map(|(place, terms)| Telephone::new(place, terms, scenario.seed)).collect(),
        placed: BTreeMap::new(),
        offers: BTreeMap::new(),
        judge: Judge::default(),
        coverage: Coverage::default(),
        inputs: 0,
        log: logged.then(Vec::new),
    };
    for (place, callee) in scenario.callees.iter().enumerate() {
        world.plan(Duration::from_millis(callee.placed_ms), Happening::Place(place));
    }
    let comes_by_itself =
        |fault: &&Fault| !matches!(fault, Fault::CrashAtEnd { .. } | Fault::StopAtEnd { .. });
    for fault in scenario.faults.iter().filter(comes_by_itself) {
        world.plan(Duration::from_millis(fault.at_ms()), Happening::Fault(*fault));
    }
    world.live();
    world.close()
}

impl World<'_> {
    fn live(&mut self) {
        while self.judge.wrong.is_none() {
            let Some(due) = self.next_due() else { return };
            if due > self.start + END {
                return;
            }
            self.now = self.now.max(due);
            if self.agenda.first_key_value().is_some_and(|((at, _), _)| *at == due) {
                let (_, happening) = self.agenda.pop_first().expect("it was looked at");
                self.happen(happening);
                continue;
            }
            for phone in 0..self.phones.len() {
                if self.phones[phone].poll_timeout().is_some_and(|at| at <= self.now) {
                    self.phones[phone].timeout(self.now);
                    self.follow_phone(phone);
                }
            }
            for call in self.due_calls() {
                self.feed(call, Input::TimedOut);
            }
        }
    }

    fn next_due(&self) -> Option<Timestamp> {
        let agenda = self.agenda.first_key_value().map(|((at, _), _)| *at);
        let phones = self.phones.iter().filter_map(Telephone::poll_timeout).min();
        let awake = self.process.as_ref().filter(|process| process.stopped.is_none());
        let calls = awake
            .and_then(|process| process.calls.values().filter_map(|live| live.call.poll_timeout()).min());
        [agenda, phones, calls].into_iter().flatten().min()
    }

    fn due_calls(&self) -> Vec<CallId> {
        let Some(process) = self.process.as_ref().filter(|process| process.stopped.is_none()) else {
            return Vec::new();
        };
        let due = |live: &Live| live.call.poll_timeout().is_some_and(|at| at <= self.now);
        process.calls.iter().filter(|(_, live)| due(live)).map(|(id, _)| *id).collect()
    }

    fn close(mut self) -> Ran {
        let mut open: Vec<String> = Vec::new();
        open.extend(
            self.phones
                .iter()
                .enumerate()
                .filter(|(_, phone)| phone.is_open())
                .map(|(n, _)| format!("the phone of callee {n}")),
        );
        if let Some(process) = &self.process {
            open.extend(
                process
                    .calls
                    .values()
                    .map(|live| format!("call of {}: {:?}", live.callee, live.call.phase())),
            );
        }
        if self.judge.wrong.is_none() {
            self.judge.close(&self.disk, &open, &self.placed);
        }
        let complete =
            self.disk.results.values().filter(|result| result["disposition"] == "complete").count();
        Ran {
            wrong: self.judge.wrong,
            coverage: self.coverage,
            inputs: self.inputs,
            complete: complete as u64,
            log: self.log.unwrap_or_default(),
        }
    }

    fn plan(&mut self, after: Duration, happening: Happening) {
        self.planned += 1;
        self.agenda.insert((self.now + after, self.planned), happening);
    }

    fn say(&mut self, what: impl FnOnce() -> String) {
        let at = self.now.since(self.start);
        if let Some(log) = &mut self.log {
            log.push(format!("{:>9.3} s  {}", at.as_secs_f64(), what()));
        }
    }

    fn number(&self) -> Option<u32> {
        self.process.as_ref().map(|process| process.number)
    }

    fn happen(&mut self, happening: Happening) {
        let stopped = self.process.as_ref().and_then(|process| process.stopped);
        match happening {
            Happening::PicksUp(phone) => {
                let offer = self.offers.get(&phone).cloned();
                self.phones[phone].picks_up(self.now, offer.as_ref());
                self.follow_phone(phone);
                for (at_ms, act) in self.phones[phone].terms.acts.clone() {
                    self.plan(Duration::from_millis(at_ms), Happening::Acts(phone, act));
                }
            }
            Happening::Refuses(phone, status) => {
                self.phones[phone].refuses(self.now, status);
                self.follow_phone(phone);
            }
            Happening::Acts(phone, act) => {
                self.say(|| format!("callee {phone}: {act:?}"));
                self.phones[phone].acts(self.now, act);
                if act == Act::Hold {
                    // Who puts the telephone away presses nothing any more.
                    self.phones[phone].thought += 1;
                    self.agenda.retain(|_, one| !matches!(one, Happening::Presses(of, _) if *of == phone));
                }
                self.follow_phone(phone);
            }
            Happening::ToPhone(phone, bytes) => self.at_phone(phone, bytes),
            Happening::Thinks(phone, thought, question) => self.think(phone, thought, &question),
            Happening::Presses(phone, digit) => {
                self.say(|| format!("callee {phone} presses {digit}"));
                for (after, packet) in self.phones[phone].key(digit) {
                    if !self.lost() {
                        let way = self.way();
                        self.plan(after + way, Happening::Rtp(phone, packet));
                    }
                }
            }
            Happening::Fault(fault) => self.befall(fault),
            Happening::Restart => self.restart(),
            Happening::Wake => self.wake(),
            // The socket is full.
            Happening::Rtp(..) if stopped.is_some_and(|since| self.now.since(since) > SOCKET) => {}
            other if stopped.is_some() => self.stalled.push(other),
            other => self.at_process(other),
        }
    }

    /// What reaches the process, if there is one.
    fn at_process(&mut self, happening: Happening) {
        match happening {
            Happening::Place(callee) => self.place(callee),
            Happening::ToInstance(bytes) => {
                let message = Arc::new(sip::parse(bytes).expect("phones send what we can read"));
                let Some(owner) = stray::owner(&message) else { return };
                // Of a call that is not here: 481 by the stateless side of the edge.
                if !self.feed(
                    owner,
                    Input::Received { message: Arc::clone(&message), from: Hop::from(address(0)) },
                ) {
                    self.answer_stray(&message);
                }
            }
            Happening::Rtp(callee, packet) => self.hear(callee, &packet),
            Happening::Ears(number, call) if self.number() == Some(number) => {
                self.listen(call, |_, _| Ok(()))
            }
            Happening::PromptEnds(number, call) if self.number() == Some(number) => self.prompt_ends(call),
            Happening::DiskDone(number) if self.number() == Some(number) => self.disk_done(),
            Happening::Stored(number, call, attempt, result) if self.number() == Some(number) => {
                self.disk.results.insert(attempt, *result);
                if let Some(live) = self.process.as_mut().and_then(|process| process.calls.get_mut(&call)) {
                    live.stored = true;
                }
                self.forget_if_done(call);
            }
            Happening::Told(number, call, input) if self.number() == Some(number) => {
                self.feed(call, *input);
            }
            _ => {}
        }
    }

    fn answer_stray(&mut self, message: &Message) {
        if self.process.is_none() {
            return;
        }
        if let Message::Request(request) = message
            && let Some(reply) = stray::reply(request, Hop::from(address(0)), "Baton")
        {
            let to = reply.to.address;
            self.transmit(to, &reply.bytes);
        }
    }

    fn befall(&mut self, fault: Fault) {
        match fault {
            Fault::Crash { down_ms, torn, .. } | Fault::CrashAtEnd { down_ms, torn, .. } => {
                let Some(process) = self.process.take() else { return };
                self.say(|| format!("the process dies, for {down_ms} ms"));
                let flying = process.flying.unwrap_or_default();
                let whole = flying.len() * usize::from(torn) / 256;
                for frame in flying.iter().take(whole) {
                    self.write(frame);
                }
                self.died = Some(self.now);
                self.stalled.clear();
                self.plan(Duration::from_millis(down_ms), Happening::Restart);
            }
            Fault::Pause { for_ms, .. } => {
                if let Some(process) = self.process.as_mut().filter(|process| process.stopped.is_none()) {
                    process.stopped = Some(self.now);
                    self.say(|| format!("the process is stopped for {for_ms} ms"));
                    self.plan(Duration::from_millis(for_ms), Happening::Wake);
                }
            }
            Fault::Stop { callee, .. } | Fault::StopAtEnd { callee, .. } => {
                if let Some(call) = self.placed.get(&callee).copied()
                    && self.process.as_ref().is_some_and(|process| process.stopped.is_none())
                {
                    self.say(|| format!("the operator stops the call to {callee}"));
                    self.feed(call, Input::HangUpAsked);
                }
            }
            Fault::Edit { .. } => {
                let edited = SURVEY
                    .replace("first edition", "second edition")
                    .replace("Press 1", "In the second edition press 1");
                let (edited, _) =
                    Questionnaire::load("survey.xml", edited.as_bytes()).expect("it is checked");
                self.assets.insert(Arc::new(edited));
            }
        }
    }

    fn wake(&mut self) {
        let Some(process) = self.process.as_mut() else { return };
        let Some(since) = process.stopped.take() else { return };
        let calls: Vec<CallId> = process.calls.keys().copied().collect();
        // By the end of a wait of 250 ms the process knows of a second that it did not wait.
        let waited = Duration::from_millis(self.dice.below(250));
        if self.now.since(since) >= NOTICED + waited {
            for call in calls {
                self.feed(call, Input::Stalled { since });
            }
        }
        // Sockets, the disk and the clock are looked at by threads of their own: which is first is chance.
        let mut after = Duration::ZERO;
        for happening in std::mem::take(&mut self.stalled) {
            if self.dice.one_in(4) {
                after += Duration::from_micros(self.dice.below(3_000));
            }
            self.plan(after, happening);
        }
    }

    fn restart(&mut self) {
        self.process = Some(Process::new(self.processes));
        self.processes += 1;
        let last = self.died.map(|died| died.as_micros() / (BEAT_MS * 1_000) * (BEAT_MS * 1_000));
        let alive = last.map(Timestamp::from_micros);
        self.say(|| "the next process begins".to_owned());
        let source = if self.switch == Switch::StaleRecords { &self.disk.older } else { &self.disk.records };
        let records: Vec<_> = source
            .values()
            .filter(|record| self.disk.records.contains_key(&record.call_id))
            .cloned()
            .collect();
        for record in records {
            let call = Call::restore(&record.bytes).expect("it was written by us");
            let callee = self.placed.iter().find(|(_, id)| **id == record.call_id).map(|(callee, _)| *callee);
            let callee = callee.expect("every call was placed");
            let live = Live::new(call, callee, (record.epoch, record.revision));
            let process = self.process.as_mut().expect("it has begun");
            process.calls.insert(record.call_id, live);
            self.feed(record.call_id, Input::Restored { alive });
        }
        if self.switch == Switch::PlacesAgain {
            self.waiting.extend(self.placed.keys().copied());
        }
        for callee in std::mem::take(&mut self.waiting) {
            self.place(callee);
        }
    }

    fn place(&mut self, callee: usize) {
        if self.process.is_none() {
            return self.waiting.push(callee);
        }
        let mut mint =
            Mint::seeded(self.scenario.seed ^ (callee as u64) << 16 ^ u64::from(self.processes) << 40);
        let call_id = CallId::mint(&mut mint);
        let host = instance().ip();
        let port = 16_384 + 2 * u16::try_from(callee).expect("few");
        let local = LocalMedia {
            codecs: CODECS.to_vec(),
            ..LocalMedia::new(Origin::new(host, &mut mint), host, port)
        };
        let ways = self.trunks_of(callee).chain([callee]);
        let mut terms_of: Vec<Terms> = ways
            .map(|phone| Terms {
                trunk: format!("sim{phone}"),
                target: Uri::sip_at(Some("callee"), address(phone)),
                from: NameAddr::new(Uri::sip_at(Some("survey"), instance())),
                destination: address(phone).into(),
                large: Large::ByUdp,
                sent_by: instance(),
                local: local.clone(),
                listening: Listening::default(),
                ring_timeout: RING,
                redirects: 0,
                session_expires: None,
            })
            .collect();
        let terms = terms_of.remove(0);
        let start = Start {
            call_id,
            attempt_id: AttemptId::mint(&mut mint),
            case_id: None,
            epoch: Epoch(0),
            seed: [u8::try_from(callee).expect("few"); 32],
            to: format!("10{callee}"),
            terms,
            others: terms_of,
            failover: Failover::usual(),
            passed_over: Vec::new(),
            post_dial: None,
            longest: LONGEST,
            user_agent: "Baton".into(),
            questionnaire: self.digest,
            fields: BTreeMap::new(),
            order_seed: 1,
        };
        let call = Call::new(self.now, start, &self.assets).expect("a whole start");
        self.say(|| format!("placed: {call_id}, to callee {callee}"));
        self.placed.insert(callee, call_id);
        let live = Live::new(call, callee, Default::default());
        self.process.as_mut().expect("it is there").calls.insert(call_id, live);
        self.feed(call_id, Input::Started);
    }

    // ── the process ──

    /// Gives a call an input. False if there is no such call.
    fn feed(&mut self, id: CallId, input: Input) -> bool {
        let Some(process) = &mut self.process else { return false };
        let Some(live) = process.calls.get_mut(&id) else { return false };
        self.inputs += 1;
        self.coverage.note(live.call.phase(), &input);
        live.call.handle(self.now, input, &self.assets);
        let outputs: Vec<Output> = std::iter::from_fn(|| live.call.poll_output()).collect();
        self.judge.turn(id, &outputs);
        for output in outputs {
            match output {
                Output::Save(record) => {
                    live.saved = (record.epoch, record.revision);
                    live.parked.push_back(Parked::For(process.group));
                    process.gathering.push(Frame::Save(record));
                }
                output => live.parked.push_back(Parked::Output(Box::new(output), live.saved.1.0)),
            }
        }
        self.fly();
        self.release(id);
        true
    }

    /// Sends the group that gathers on its way, if none is.
    fn fly(&mut self) {
        let Some(process) = &mut self.process else { return };
        if process.flying.is_some() || process.gathering.is_empty() {
            return;
        }
        process.flying = Some(std::mem::take(&mut process.gathering));
        process.group += 1;
        let number = process.number;
        let micros = 200 + self.dice.below(self.scenario.disk_ms * 1_000);
        self.plan(Duration::from_micros(micros), Happening::DiskDone(number));
    }

    fn disk_done(&mut self) {
        let Some(process) = &mut self.process else { return };
        let frames = process.flying.take().unwrap_or_default();
        process.durable += 1;
        for frame in &frames {
            self.write(frame);
        }
        for frame in &frames {
            if let Frame::Save(record) = frame {
                self.release(record.call_id);
            }
        }
        self.fly();
    }

    fn write(&mut self, frame: &Frame) {
        if let Frame::Save(record) = frame {
            self.judge.durable(record, &self.assets);
        }
        if self.switch == Switch::NeverDeletes && matches!(frame, Frame::Delete(..)) {
            return;
        }
        self.disk.write(frame);
    }

    /// Carries out what waits for nothing any more.
    fn release(&mut self, id: CallId) {
        loop {
            let Some(process) = &mut self.process else { return };
            let Some(live) = process.calls.get_mut(&id) else { return };
            let is_free = match live.parked.front() {
                None => break,
                Some(Parked::Output(..)) => true,
                Some(Parked::For(group)) => *group < process.durable || self.switch == Switch::SendsUnsaved,
            };
            if !is_free {
                break;
            }
            if let Some(Parked::Output(output, revision)) = live.parked.pop_front() {
                self.judge.leaves(&output, self.disk.records.get(&id), revision);
                self.carry_out(id, *output);
            }
        }
        self.forget_if_done(id);
    }

    fn forget_if_done(&mut self, id: CallId) {
        let Some(process) = &mut self.process else { return };
        if let Some(live) = process.calls.get(&id)
            && live.is_done()
        {
            let (epoch, revision) = live.saved;
            process.gathering.push(Frame::Delete(id, epoch, revision));
            process.calls.remove(&id);
            self.fly();
        }
    }

    fn live_call(&mut self, id: CallId) -> &mut Live {
        self.process.as_mut().and_then(|process| process.calls.get_mut(&id)).expect("it asked for this")
    }

    fn carry_out(&mut self, id: CallId, output: Output) {
        let number = self.number().expect("a process carries it out");
        match output {
            Output::Save(_) => {}
            Output::Send { message, .. } => {
                self.judge.sends(id, &message.bytes);
                self.transmit(message.to.address, &message.bytes);
            }
            Output::CloseTrunk { .. } => {}
            Output::OpenMedia(plan) => {
                let sends = plan.negotiated.direction.sends();
                let before = self.live_call(id).stream;
                let mut numbers = before.map_or(Numbers::new(plan.anchor), |before| before.numbers);
                if before.is_some_and(|before| before.sends) {
                    numbers.send(numbers.anchor().tick_at(self.now));
                }
                numbers.retune(plan.anchor);
                self.judge.streams(self.now, id, numbers, sends);
                self.tune(id, Stream { sends, since: self.now, numbers });
            }
            Output::Play(play) => self.play(id, &play),
            Output::StopPlay(play) => self.live_call(id).playing.retain(|playing| playing.play != play),
            Output::ReserveQuota { quotas, .. } => {
                let callee = self.live_call(id).callee;
                let full = match self.scenario.callees[callee].room {
                    Room::Left => Vec::new(),
                    Room::None => quotas,
                    Room::Unknown => return,
                };
                let input = Box::new(Input::QuotaAnswered { full });
                self.plan(Duration::from_millis(1), Happening::Told(number, id, input));
            }
            Output::CloseMedia => {
                let live = self.live_call(id);
                live.stream = None;
                live.playing.clear();
                self.end_begins(id);
                // A media thread that is too busy says nothing in time.
                if !self.dice.one_in(10) {
                    let input = Box::new(Input::MediaClosed(Box::new(report())));
                    self.plan(Duration::from_millis(3), Happening::Told(number, id, input));
                }
            }
            Output::Tell(step) => {
                self.say(|| format!("{id}: {step}"));
                if let Step::Asked { item, .. } = step {
                    self.live_call(id).asked = Some(item);
                }
            }
            Output::Ended(result) => {
                let live = self.live_call(id);
                live.told = true;
                let callee = live.callee;
                self.judge.ended(&result, &self.scenario.callees[callee]);
                let json = Box::new(serde_json::to_value(&*result).expect("JSON"));
                let after = Duration::from_micros(500 + self.dice.below(20_000));
                self.plan(after, Happening::Stored(number, id, result.attempt_id, json));
            }
            Output::Forget => self.live_call(id).forgotten = true,
            Output::Prepare { .. } => {}
            Output::Press { .. }
            | Output::Record(_)
            | Output::StopRecord { .. }
            | Output::KeepRecording { .. } => {
                panic!("nothing is dialled or recorded in this survey")
            }
        }
    }

    fn play(&mut self, id: CallId, play: &Play) {
        let number = self.number().expect("a process plays it");
        let text = play.prompt.text();
        let text = if self.switch == Switch::SpeaksEdited { "the second edition".to_owned() } else { text };
        self.judge.hears(&text);
        let length = CHARACTER * u32::try_from(text.len()).expect("short");
        let left = length.saturating_sub(play.from).max(Duration::from_millis(20));
        let ends_at = self.now + left;
        let live = self.live_call(id);
        let question = live.asked.take();
        let sends = live.stream.is_some_and(|stream| stream.sends);
        live.playing.push_back(Playing { play: play.play, question, ends_at });
        if sends {
            self.plan(left, Happening::PromptEnds(number, id));
            self.heard(id);
        }
    }

    /// A call is being hung up: the moment of some crashes.
    fn end_begins(&mut self, id: CallId) {
        let of = self.live_call(id).callee;
        for fault in &self.scenario.faults {
            if let Fault::CrashAtEnd { callee, after_ms, .. } | Fault::StopAtEnd { callee, after_ms } = fault
                && *callee == of
            {
                self.plan(Duration::from_millis(*after_ms), Happening::Fault(*fault));
            }
        }
    }

    /// The stream goes on under new terms: while we are held a prompt waits.
    fn tune(&mut self, id: CallId, stream: Stream) {
        let (number, now) = (self.number().expect("it runs"), self.now);
        let live = self.live_call(id);
        let before = live.stream.replace(stream);
        let held = before.is_some_and(|before| !before.sends);
        if before.is_some_and(|before| before.sends) && !stream.sends {
            for playing in &mut live.playing {
                // What is left of it, told as if it ended in the far future.
                playing.ends_at = Timestamp::EPOCH + playing.ends_at.since(now);
            }
        } else if held && stream.sends && !live.playing.is_empty() {
            let mut after = Duration::ZERO;
            for playing in &mut live.playing {
                let left = playing.ends_at.since(Timestamp::EPOCH).min(LONGEST);
                playing.ends_at = now + left;
                after = left;
            }
            self.plan(after, Happening::PromptEnds(number, id));
            self.heard(id);
        }
    }

    fn prompt_ends(&mut self, id: CallId) {
        let now = self.now;
        let Some(process) = &mut self.process else { return };
        let Some(live) = process.calls.get_mut(&id) else { return };
        if live.stream.is_none_or(|stream| !stream.sends) {
            return;
        }
        if let Some(playing) = live.playing.front()
            && playing.ends_at <= now
        {
            let play = playing.play;
            live.playing.pop_front();
            self.feed(id, Input::PromptEnded { play });
        }
    }

    // ── the network ──

    fn lost(&mut self) -> bool {
        self.dice.below(1_000) < self.scenario.loss
    }

    fn way(&mut self) -> Duration {
        Duration::from_micros(1_000 + self.dice.below(self.scenario.delay_ms * 1_000))
    }

    /// A datagram of the instance.
    fn transmit(&mut self, to: SocketAddr, bytes: &Bytes) {
        let Some(phone) = (0..self.phones.len()).find(|phone| address(*phone) == to) else { return };
        if self.switch == Switch::LosesBye && bytes.starts_with(b"BYE") {
            return;
        }
        let copies = 1 + u64::from(self.dice.below(1_000) < self.scenario.doubles);
        for _ in 0..copies {
            if !self.lost() {
                let way = self.way();
                self.plan(way, Happening::ToPhone(phone, bytes.clone()));
            }
        }
    }

    fn follow_phone(&mut self, phone: usize) {
        for bytes in self.phones[phone].drain(self.now) {
            let copies = 1 + u64::from(self.dice.below(1_000) < self.scenario.doubles);
            for _ in 0..copies {
                if !self.lost() {
                    self.phones[phone].is_heard = true;
                    let way = self.way();
                    self.plan(way, Happening::ToInstance(bytes.clone()));
                }
            }
        }
    }

    // ── those who are called ──

    fn at_phone(&mut self, phone: usize, bytes: Bytes) {
        let message = sip::parse(bytes).expect("we send what can be read");
        if let Message::Request(request) = &message
            && *request.method() == Method::Invite
            && let Ok(call_id) = request.headers().call_id()
        {
            if phone < self.scenario.callees.len() {
                self.judge.rings(phone, call_id);
            }
            self.offers.entry(phone).or_insert_with(|| request.body().clone());
            self.look_for_others(phone, call_id);
        }
        if self.phones[phone].receive(self.now, &message) {
            match self.phones[phone].terms.phone {
                Phone::PicksUp { after_ms } => {
                    self.plan(Duration::from_millis(after_ms), Happening::PicksUp(phone));
                }
                Phone::RingsThenRefuses { after_ms, status } => {
                    self.plan(Duration::from_millis(after_ms), Happening::Refuses(phone, status));
                }
                Phone::Dead | Phone::Refuses(_) | Phone::Rings | Phone::Tries => {}
            }
        }
        self.follow_phone(phone);
    }

    /// The telephones of the trunks that are tried before a callee's own, in their order.
    fn trunks_of(&self, callee: usize) -> impl Iterator<Item = usize> + use<> {
        let callees = &self.scenario.callees;
        let before: usize = callees.iter().take(callee).map(|one| one.trunks.len()).sum();
        let first = callees.len() + before;
        first..first + callees[callee].trunks.len()
    }

    /// While a new INVITE comes by one way, no other way to the same callee may ring: one that heard neither a CANCEL
    /// nor our ACK for 64*T1 is taken to ring no more. One of which nothing ever got through cannot be cancelled (RFC 3261
    /// §9.1): after timer B the next way is taken, and whoever picks up there later is hung up on (seed 4089).
    fn look_for_others(&mut self, phone: usize, call_id: &str) {
        let callees = 0..self.scenario.callees.len();
        let of = |callee: usize| self.trunks_of(callee).chain([callee]);
        let Some(callee) = callees.into_iter().find(|callee| of(*callee).any(|one| one == phone)) else {
            return;
        };
        if self.phones[phone].call_id.as_deref() == Some(call_id) {
            return; // a repeat
        }
        let rings = |other: &usize| {
            let is_another = *other != phone && self.phones[*other].is_heard;
            let since = self.phones[*other].rings_since.filter(|_| is_another);
            since.is_some_and(|since| self.now.since(since) < Duration::from_secs(32))
        };
        if let Some(other) = of(callee).find(rings) {
            self.judge.invited_twice(callee, other);
        }
    }

    /// A prompt begins to be heard: who is asked something will answer it.
    fn heard(&mut self, id: CallId) {
        let now = self.now;
        let live = self.live_call(id);
        let Some(playing) = live.playing.front() else { return };
        let (callee, question, ends_at) = (live.callee, playing.question.clone(), playing.ends_at);
        let phone = &mut self.phones[callee];
        phone.thought += 1;
        let thought = phone.thought;
        let Some(question) = question else {
            if phone.terms.impatient {
                self.plan(
                    Duration::from_millis(300),
                    Happening::Thinks(callee, thought, "consent".to_owned()),
                );
            }
            return;
        };
        let reaction = phone.terms.reaction_ms;
        let reacts = if reaction < 0 {
            ends_at - Duration::from_millis(reaction.unsigned_abs())
        } else {
            ends_at + Duration::from_millis(reaction.unsigned_abs())
        };
        // Nobody answers what has only begun, or while still pressing.
        let reacts =
            reacts.max(now + Duration::from_millis(700)).max(phone.typing_until + Duration::from_millis(700));
        self.plan(reacts.since(now), Happening::Thinks(callee, thought, question));
    }

    fn think(&mut self, phone: usize, thought: u32, question: &str) {
        if self.phones[phone].thought != thought || self.phones[phone].holds() {
            return;
        }
        let keys = self.phones[phone].decides(question);
        let pace = Duration::from_millis(self.phones[phone].terms.pace_ms + self.phones[phone].terms.hold_ms);
        let mut after = Duration::ZERO;
        for digit in keys.chars() {
            self.plan(after, Happening::Presses(phone, digit));
            after += pace;
        }
        self.phones[phone].typing_until = self.now + after;
    }

    /// A packet of a callee's stream.
    fn hear(&mut self, callee: usize, packet: &[u8]) {
        let Some(id) = self.placed.get(&callee).copied() else { return };
        let packet = parse_packet(packet).expect("a packet");
        let twice = self.switch == Switch::HearsTwice;
        self.listen(id, |ears, now| {
            let heard = ears.receive(now, &packet, 8_000);
            if twice {
                // As if a press were not known by its time.
                let header =
                    baton::rtp::Header { timestamp: packet.header.timestamp + 4_000, ..packet.header };
                let again = baton::rtp::Packet { header, ..packet };
                return heard.and(ears.receive(now, &again, 8_000));
            }
            heard
        });
        let number = self.number();
        if let Some(number) = number {
            self.plan(Duration::from_millis(250), Happening::Ears(number, id));
        }
    }

    fn listen(
        &mut self,
        id: CallId,
        hear: impl FnOnce(&mut EventReceiver, Timestamp) -> Result<(), EventError>,
    ) {
        let now = self.now;
        let Some(process) = &mut self.process else { return };
        let Some(live) = process.calls.get_mut(&id) else { return };
        if live.stream.is_none_or(|stream| now < stream.since) {
            return;
        }
        // What comes too late is counted by the edge, and no more.
        hear(&mut live.ears, now).ok();
        live.ears.timeout(now);
        let events: Vec<_> = std::iter::from_fn(|| live.ears.poll_event()).collect();
        for event in events {
            self.feed(id, Input::Key(event));
        }
    }
}

fn report() -> MediaReport {
    MediaReport {
        codec: "PCMU".into(),
        sent: 1,
        received: 1,
        expected: 1,
        lost: 0,
        duplicated: 0,
        reordered: 0,
        malformed: 0,
        strangers: 0,
        early: 0,
        streams: 1,
        jitter_ms: 0.0,
        max_jitter_ms: 0.0,
        round_trip_ms: None,
        peer: None,
        mos: None,
    }
}
