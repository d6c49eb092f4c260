//! The invariants of the design, as far as they concern calls and can be seen from outside. Each is looked at after every step, by what a
//! peer, a disk or a person can see; nothing here knows how the call keeps them.

use std::collections::{BTreeMap, BTreeSet};

use baton::call::{Call, CallResult, Fault, Output, Record};
use baton::id::{AttemptId, CallId, Epoch, Revision};
use baton::interview::{Response, Status};
use baton::rtp::Numbers;
use baton::sip::{self, Message, Method};
use baton::time::Timestamp;
use bytes::Bytes;

use crate::phone::SPOKEN;
use crate::process::Disk;
use crate::scenario::Callee;

/// Bytes of a record; outputs of one turn; messages that one call may send in all.
const MAX_RECORD: usize = 16 * 1024;
const MAX_OUTPUTS: usize = 32;
const MAX_MESSAGES: usize = 400;

/// What was wrong: the number of the invariant in the design, and what was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) invariant: u8,
    pub(crate) what: String,
}

/// A stream as a callee hears it.
#[derive(Clone, Copy, Debug)]
struct Stream {
    numbers: Numbers,
    sends: bool,
    /// When the last packet before these numbers left, its sequence number and timestamp.
    sent: Option<(Timestamp, u16, u32)>,
    /// Another instance goes on: nobody there knows to the packet what was sent.
    moved: bool,
    /// Its node is silent, or stands still, since then.
    still: Option<Timestamp>,
}

#[derive(Debug, Default)]
pub(crate) struct Judge {
    pub(crate) wrong: Option<Wrong>,
    /// Every message of ours by what names it.
    sent: BTreeMap<(CallId, String), Bytes>,
    messages: BTreeMap<CallId, usize>,
    /// The highest CSeq of a request of ours, by the Call-ID of SIP.
    cseq: BTreeMap<String, u32>,
    /// Version and text of our last description.
    described: BTreeMap<CallId, (u64, Bytes)>,
    revisions: BTreeMap<CallId, (u64, u64)>,
    streams: BTreeMap<CallId, Stream>,
    /// Replies that were durable.
    replies: BTreeMap<CallId, BTreeMap<String, String>>,
    results: BTreeMap<AttemptId, serde_json::Value>,
    /// Keys behind a switchboard: once they have left they are not sent again.
    pressed: BTreeMap<CallId, String>,
    /// The ownership under which something left last.
    epochs: BTreeMap<CallId, Epoch>,
    /// A process was away, or messages are lost: then a session may run out.
    pub(crate) is_excused: bool,
    /// There are several instances.
    is_shared: bool,
    /// Calls that the phone of a callee was rung for.
    rung: BTreeMap<usize, BTreeSet<String>>,
}

impl Judge {
    /// Messages are lost; several instances go on with calls.
    pub(crate) fn new(is_lossy: bool, is_shared: bool) -> Self {
        Self { is_excused: is_lossy || is_shared, is_shared, ..Self::default() }
    }

    fn blame(&mut self, invariant: u8, what: impl FnOnce() -> String) {
        if self.wrong.is_none() {
            self.wrong = Some(Wrong { invariant, what: what() });
        }
    }

    /// Time does not go on: something is due again as soon as it was done.
    pub(crate) fn hangs(&mut self, now: Timestamp, calls: &[String]) {
        self.blame(8, || format!("the same is due again and again at {now:?}; calls: {calls:?}"));
    }

    /// What a call asks for after one input.
    pub(crate) fn turn(&mut self, call: CallId, outputs: &[Output]) {
        let repeats =
            outputs.iter().all(|output| matches!(output, Output::Send { message, .. } if message.again));
        let saves = outputs.iter().filter(|output| matches!(output, Output::Save(_))).count();
        let saved_first = saves == 1 && matches!(outputs.first(), Some(Output::Save(_)));
        if !repeats && !saved_first {
            self.blame(1, || format!("a turn does not begin with its save: {outputs:?}"));
        }
        if outputs.len() > MAX_OUTPUTS {
            self.blame(8, || format!("{} outputs in one turn", outputs.len()));
        }
        if let Some(Output::Save(record)) = outputs.first() {
            let number = (record.epoch.0, record.revision.0);
            let before = self.revisions.insert(call, number);
            // Who does not know yet that it owns a call no more may still turn: nothing of it leaves.
            if before.is_some_and(|before| before.0 > number.0) && !self.is_shared {
                self.blame(5, || format!("epoch and revision {number:?} after {before:?}"));
            }
            if record.bytes.len() > MAX_RECORD {
                self.blame(8, || format!("a record of {} bytes", record.bytes.len()));
            }
        }
    }

    /// Something that depends on the call's save leaves the process.
    pub(crate) fn leaves(
        &mut self,
        call: CallId,
        output: &Output,
        durable: Option<(Epoch, Revision)>,
        needed: (Epoch, Revision),
    ) {
        let latest = self.epochs.entry(call).or_default();
        *latest = needed.0.max(*latest);
        let latest = *latest;
        if needed.0 < latest {
            self.blame(2, || format!("{output:?} leaves of {:?}, after something of {latest:?}", needed.0));
        }
        let again = matches!(output, Output::Send { message, .. } if message.again);
        if !again && durable.unwrap_or_default() < needed {
            self.blame(1, || format!("{durable:?} is durable, and {output:?} of {needed:?} leaves"));
        }
    }

    /// A message of ours, on the wire.
    pub(crate) fn sends(&mut self, call: CallId, bytes: &Bytes) {
        let Ok(message) = sip::parse(bytes.clone()) else {
            return self.blame(5, || format!("no message: {bytes:?}"));
        };
        let headers = message.headers();
        let (Ok(cseq), Ok(via)) = (headers.cseq(), headers.via()) else {
            return self.blame(5, || format!("no CSeq or Via: {bytes:?}"));
        };
        let (what, ours) = match &message {
            Message::Request(request) => (request.method().to_string(), Some(request.method().clone())),
            Message::Response(response) => (response.status().as_u16().to_string(), None),
        };
        let name = format!("{what} {} {} {}", cseq.number, cseq.method, via.branch().unwrap_or_default());
        let count = self.messages.entry(call).or_default();
        *count += 1;
        if *count > MAX_MESSAGES {
            let count = *count;
            self.blame(8, || format!("{count} messages of one call"));
        }
        if let Some(before) = self.sent.get(&(call, name.clone())) {
            if before != bytes {
                let before = before.clone();
                self.blame(5, || format!("two bodies for {name}:\n{before:?}\n{bytes:?}"));
            }
            return;
        }
        if let Some(method) = ours
            && !matches!(method, Method::Ack | Method::Cancel)
        {
            let sip_call = headers.call_id().unwrap_or_default().to_owned();
            let highest = self.cseq.get(&sip_call).copied().unwrap_or_default();
            if cseq.number <= highest {
                self.blame(5, || format!("{name} after CSeq {highest}"));
            }
            self.cseq.insert(sip_call, highest.max(cseq.number));
        }
        self.describes(call, &message.body());
        self.sent.insert((call, name), bytes.clone());
    }

    /// The version of our description (RFC 3264 §8).
    fn describes(&mut self, call: CallId, body: &[u8]) {
        let text = String::from_utf8_lossy(body);
        let Some(origin) = text.lines().find_map(|line| line.strip_prefix("o=")) else { return };
        let version: u64 = origin.split(' ').nth(2).and_then(|word| word.parse().ok()).unwrap_or_default();
        let body = Bytes::copy_from_slice(body);
        if let Some((before, known)) = self.described.get(&call) {
            let (before, same) = (*before, *known == body);
            if version < before || (version == before && !same) {
                self.blame(5, || format!("description version {version} after {before}: {text}"));
            }
        }
        self.described.insert(call, (version, body));
    }

    /// The stream of a call goes by these numbers from now on; while we are held nothing is sent of it.
    pub(crate) fn streams(&mut self, now: Timestamp, call: CallId, numbers: Numbers, sends: bool) {
        let Some(before) = self.streams.get(&call).copied() else {
            self.streams.insert(call, Stream { numbers, sends, sent: None, moved: false, still: None });
            return;
        };
        let (old, new) = (before.numbers.anchor(), numbers.anchor());
        if before.moved {
            self.streams.insert(call, Stream { numbers, sends, sent: None, moved: false, still: None });
            if new.ssrc == old.ssrc {
                self.blame(5, || format!("another instance sends in the stream {before:?} by {numbers:?}"));
            }
            return;
        }
        let sent = if before.sends {
            let last = before.still.unwrap_or(now);
            let tick = old.tick_at(last);
            Some((last, before.numbers.sequence(tick), old.timestamp(tick)))
        } else {
            before.sent
        };
        self.streams.insert(call, Stream { numbers, sends, sent, moved: false, still: None });
        let unchanged = old == new && before.sends;
        if let Some((stopped, sequence, timestamp)) = sent.filter(|_| sends && !unchanged) {
            let begins = new.tick_at(now.max(new.t0));
            let ahead = numbers.sequence(begins).wrapping_sub(sequence);
            let later = new.timestamp(begins).wrapping_sub(timestamp);
            let goes_on = new.ssrc == old.ssrc && (1..1_000).contains(&ahead);
            // The timestamp goes on with the clock (RFC 3550 §5.1), however long nothing was sent.
            let silent = u32::try_from(now.since(stopped).as_millis() / 20).unwrap_or(u32::MAX / 160);
            if !goes_on || later > 160 * (silent + 50) {
                self.blame(5, || format!("the stream {before:?} goes on by {numbers:?} at {now}"));
            }
        }
    }

    /// Another instance goes on with all calls.
    pub(crate) fn all_move(&mut self) {
        self.streams.values_mut().for_each(|stream| stream.moved = true);
    }

    /// Another instance goes on with a call, unless it has only not heard yet that it is a later owner's.
    pub(crate) fn moves(&mut self, call: CallId, epoch: Epoch) {
        let is_later = self.epochs.get(&call).is_none_or(|latest| *latest < epoch);
        self.streams.get_mut(&call).filter(|_| is_later).into_iter().for_each(|stream| stream.moved = true);
    }

    /// Nothing leaves of these calls' streams from then on, though nobody stopped them: the node is silent, or stands still, that
    /// has them by this ownership. It may not have heard that they are another's.
    pub(crate) fn stands_still(&mut self, since: Timestamp, calls: impl Iterator<Item = (CallId, Epoch)>) {
        for (call, epoch) in calls {
            if self.epochs.get(&call) == Some(&epoch)
                && let Some(stream) = self.streams.get_mut(&call)
            {
                stream.still.get_or_insert(since);
            }
        }
    }

    /// And again it does.
    pub(crate) fn moves_again(&mut self, calls: impl Iterator<Item = CallId>) {
        for call in calls {
            if let Some(stream) = self.streams.get_mut(&call) {
                stream.still = None;
            }
        }
    }

    /// What is known of a call may be lost: more than one thing went wrong, and who goes on says so.
    pub(crate) fn forgives(&mut self, call: CallId, attempt: AttemptId) {
        self.replies.remove(&call);
        self.results.remove(&attempt);
        // Who does not know that it was cancelled cancels it in the same transaction, and may say another reason.
        self.sent.retain(|(of, name), _| *of != call || !name.starts_with("CANCEL"));
    }

    /// A call is lost: nobody goes on with it.
    pub(crate) fn excuses(&mut self, callee: usize) {
        self.rung.remove(&callee);
    }

    /// Whose a call is was not kept to.
    pub(crate) fn owners(&mut self, what: impl FnOnce() -> String) {
        self.blame(2, what);
    }

    /// A record is durable: what was replied before is in it.
    pub(crate) fn durable(&mut self, record: &Record, assets: &baton::call::Assets) {
        let Ok(call) = Call::restore(&record.bytes) else {
            return self.blame(3, || "a record cannot be read back".to_owned());
        };
        if call.record() != *record {
            return self.blame(3, || "a record does not read back as it was".to_owned());
        }
        let replies = replies(&call.responses(assets));
        let before = self.replies.entry(record.call_id).or_default();
        let lost = before.iter().find(|(question, value)| replies.get(*question) != Some(value));
        if let Some((question, value)) = lost.map(|(question, value)| (question.clone(), value.clone())) {
            return self.blame(3, || format!("the reply {value} to {question} is gone: {replies:?}"));
        }
        *before = replies;
    }

    /// Keys for the switchboard in front of the phone leave.
    pub(crate) fn presses(&mut self, call: CallId, keys: &str, callee: &Callee) {
        if callee.post_dial != Some(keys) {
            self.blame(4, || format!("{keys} is pressed instead of {:?}", callee.post_dial));
        }
        if let Some(before) = self.pressed.insert(call, keys.to_owned()) {
            self.blame(4, || format!("{keys} is pressed after {before}: another extension"));
        }
    }

    /// Calls for which keys were sent to a switchboard.
    pub(crate) fn dialled(&self) -> usize {
        self.pressed.len()
    }

    /// A phone's session ran out although somebody was there to refresh it.
    pub(crate) fn expires(&mut self, phone: usize) {
        if !self.is_excused {
            self.blame(6, || format!("nobody refreshed the session of phone {phone}"));
        }
    }

    /// A take is a file, and durable.
    pub(crate) fn files(&mut self, file: &str, before: Option<u32>) {
        if let Some(before) = before {
            self.blame(3, || format!("{file} of {before} ms is written over"));
        }
    }

    /// Each take that a result names is there, and who is said to have spoken has a take.
    fn recorded(&mut self, result: &CallResult, disk: &Disk) {
        for take in &result.recordings {
            let there = take.file.as_ref().and_then(|file| disk.files.get(file));
            if take.file.is_some() && there != Some(&take.duration_ms) {
                return self.blame(3, || format!("{take:?} is promised, and {there:?} ms are there"));
            }
            if take.file.is_none() && take.fault.is_none() {
                return self.blame(3, || format!("{take:?} is neither there nor lost"));
            }
        }
        let spoke = result.responses.iter().find(|one| one.question == SPOKEN);
        let answered = spoke.is_some_and(|one| one.status == Status::Answered);
        if answered && result.recordings.is_empty() {
            self.blame(3, || format!("{spoke:?} has no recording"));
        }
    }

    /// An attempt has its outcome.
    pub(crate) fn ended(&mut self, result: &CallResult, callee: &Callee, disk: &Disk) {
        self.recorded(result, disk);
        if result.fault == Some(Fault::SessionExpired) && !self.is_excused {
            return self.blame(6, || format!("the session ran out: {result:?}"));
        }
        let json = serde_json::to_value(result).expect("a result is JSON");
        let before = self.results.insert(result.attempt_id, json.clone());
        // What passed over the stream is soft: the process that knew it died.
        let essence = |json: &serde_json::Value| {
            let mut json = json.clone();
            json["media"] = serde_json::Value::Null;
            json
        };
        if let Some(before) = before
            && essence(&before) != essence(&json)
        {
            return self.blame(4, || format!("two outcomes:\n{before}\n{json}"));
        }
        let last = result.tries.last().map(|tried| tried.trunk.as_str());
        let mut names: Vec<&str> = result.tries.iter().map(|tried| tried.trunk.as_str()).collect();
        names.dedup();
        if last != Some(result.trunk.as_str()) || names.len() != result.tries.len() {
            return self.blame(4, || format!("trunk {} after {:?}", result.trunk, result.tries));
        }
        let found = replies(&result.responses);
        let known = self.replies.get(&result.call_id).cloned().unwrap_or_default();
        if let Some((question, value)) =
            known.iter().find(|(question, value)| found.get(*question) != Some(value))
        {
            return self.blame(3, || format!("the durable reply {value} to {question} is not in the result"));
        }
        let is_keyed = |one: &&Response| one.status == Status::Answered && one.question != SPOKEN;
        for response in result.responses.iter().filter(is_keyed) {
            let meant = callee.meant(&response.question);
            let keyed: String = response.digits.iter().map(|press| press.key.as_char()).collect();
            let value = response.value.as_ref().map(ToString::to_string).unwrap_or_default();
            if keyed.trim_end_matches('#') != meant.keys.trim_end_matches('#') || value != meant.value {
                return self.blame(3, || {
                    format!("{} was answered {} and is {value} ({keyed})", response.question, meant.keys)
                });
            }
        }
    }

    /// A phone is rung by a new INVITE.
    pub(crate) fn rings(&mut self, callee: usize, call_id: &str) {
        let rung = self.rung.entry(callee).or_default();
        rung.insert(call_id.to_owned());
        if rung.len() > 1 {
            let rung = rung.clone();
            self.blame(4, || format!("one attempt rings twice: {rung:?}"));
        }
    }

    /// A callee is invited by one way while another way may still ring.
    pub(crate) fn invited_twice(&mut self, callee: usize, other: usize) {
        self.blame(4, || format!("callee {callee} is invited while trunk phone {other} may ring"));
    }

    /// A prompt is heard.
    pub(crate) fn hears(&mut self, text: &str) {
        if text.contains("second edition") {
            self.blame(7, || format!("a running call says the words of another edition: {text}"));
        }
    }

    /// Nothing more is going to happen.
    pub(crate) fn close(&mut self, disk: &Disk, open: &[String], placed: &BTreeMap<usize, CallId>) {
        if !open.is_empty() {
            self.blame(6, || format!("left ringing or talking: {open:?}"));
        }
        if !disk.records.is_empty() {
            self.blame(8, || format!("{} records stay in the journal", disk.records.len()));
        }
        for callee in self.rung.clone().into_keys() {
            let call = placed.get(&callee);
            let kept = disk
                .results
                .values()
                .any(|result| call.is_some_and(|call| result["call_id"] == serde_json::json!(call.as_str())));
            if !kept {
                self.blame(4, || format!("callee {callee} was rung, and no result is kept"));
            }
        }
    }
}

fn replies(responses: &[Response]) -> BTreeMap<String, String> {
    let answered = responses.iter().filter(|response| response.status == Status::Answered);
    let said = |response: &Response| {
        let keys: String = response.digits.iter().map(|press| press.key.as_char()).collect();
        let value = response.value.as_ref().map(ToString::to_string).unwrap_or_default();
        (response.question.clone(), format!("{value} by {keys}"))
    };
    answered.map(said).collect()
}
