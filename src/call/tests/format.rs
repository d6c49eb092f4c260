//! Records as this format has them, and as the one before had them. postcard writes no names, so a change of what is
//! saved of a call changes how every record is read, and a running call of the build before would be lost.
//!
//! Where the first of these tests fails, `Call` has another shape: see "The record of a call changes" in
//! CONTRIBUTING.md.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;

use super::endings::willing;
use super::world::trunk::Manner::Refuses;
use super::world::{Crash, World, report};
use crate::call::{Assets, Call, CallResult, FORMAT_VERSION, Input, OLDEST_FORMAT, Output, Progress, Step};
use crate::outcome::Disposition;
use crate::rtp::{Digit, EventKey, KeyEvent, Phase, Ssrc};
use crate::sip::reply::Reply;
use crate::sip::{self, Message, Method, StatusCode};
use crate::time::Timestamp;

/// Records that are kept: enough for each stage of a call.
const KEPT: usize = 16;

/// Records of a call that is refused by its first trunk, answered by the second, and asks its questionnaire.
fn saved() -> Vec<Vec<u8>> {
    let world = World::after(&[Refuses(503)], willing(), Crash::Never).run();
    let every = world.saves.len().div_ceil(KEPT);
    world.saves.into_iter().step_by(every).collect()
}

fn file(format: u8) -> PathBuf {
    let name = format!("src/call/tests/records/{format}.postcard");
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn kept(format: u8) -> Vec<Vec<u8>> {
    let records: Vec<Vec<u8>> = postcard::from_bytes(&std::fs::read(file(format)).unwrap()).unwrap();
    assert!(records.len() > KEPT / 2, "{} records", records.len());
    records
}

fn restored(record: &[u8]) -> Call {
    Call::restore(record).unwrap_or_else(|error| panic!("see the head of this file: {error}"))
}

#[test]
fn records_of_this_format_are_read_and_written_as_they_were() {
    if std::env::var_os("BATON_RECORDS").is_some() {
        std::fs::write(file(FORMAT_VERSION), postcard::to_stdvec(&saved()).unwrap()).unwrap();
    }
    let mut phases = std::collections::BTreeSet::new();
    for record in kept(FORMAT_VERSION) {
        let call = restored(&record);
        assert_eq!(call.record().bytes, record, "see the head of this file");
        phases.insert(format!("{:?}", call.phase()));
    }
    assert!(phases.len() >= 4, "{phases:?}");
}

/// Every one of them, whatever the call was doing when the build before was killed.
#[test]
fn calls_of_earlier_formats_go_on() {
    for format in OLDEST_FORMAT..FORMAT_VERSION {
        let mut progress = std::collections::BTreeSet::new();
        for record in kept(format) {
            assert_eq!(record.first(), Some(&format));
            let call = restored(&record);
            let of_today = restored(&call.record().bytes);
            assert_eq!(of_today.record(), call.record(), "it is saved as one of today");
            progress.insert(call.progress());
            let was = call.progress();
            let result = to_its_end(call);
            let values: Vec<String> = result
                .responses
                .iter()
                .filter_map(|one| one.value.as_ref())
                .map(ToString::to_string)
                .collect();
            assert!(!result.trunk.is_empty(), "{result:?}");
            assert_eq!(result.tries.last().map(|tried| &tried.trunk), Some(&result.trunk));
            if was == Progress::Dialling {
                assert_eq!(result.disposition, Disposition::Busy, "format {format}: {result:?}");
            } else if was == Progress::Ringing {
                // An INVITE that was heard is not sent again: nobody picks up.
                let ends = [Disposition::Busy, Disposition::NoAnswer];
                assert!(ends.contains(&result.disposition), "format {format}: {result:?}");
            } else {
                assert_eq!(result.disposition, Disposition::Complete, "format {format}, {was:?}: {result:?}");
                assert_eq!(values, ["yes", "42", "no"], "format {format}, {was:?}");
            }
        }
        assert!(progress.len() >= 3, "format {format}: {progress:?}");
    }
}

/// A call of another process, and somebody who takes part in it as they are asked.
struct Rest {
    now: Timestamp,
    call: Call,
    assets: Assets,
    /// What happens next.
    next: Vec<Input>,
    asked: Option<String>,
    presses: u32,
    result: Option<CallResult>,
}

/// The next process takes the call up; the result. Who is rung is busy; who is asked answers; BYE and CANCEL are heard.
fn to_its_end(call: Call) -> CallResult {
    let (assets, _) = super::assets();
    let now = Timestamp::from_millis(1_795_416_217_000) + Duration::from_secs(20);
    let next = vec![Input::Restored { alive: None, epoch: None }];
    let mut rest = Rest { now, call, assets, next, asked: None, presses: 0, result: None };
    for _ in 0..500 {
        if rest.step() {
            return rest.result.expect("an outcome before it is forgotten");
        }
    }
    panic!("it does not end: {:?}", rest.call.phase());
}

impl Rest {
    /// Something happens. True: nothing more will.
    fn step(&mut self) -> bool {
        let answer = if self.next.is_empty() { self.asked.take() } else { None };
        let input = match (self.next.is_empty(), answer) {
            (false, _) => self.next.remove(0),
            (true, Some(question)) => return self.press(&question),
            (true, None) => {
                self.now = self.now.max(self.call.poll_timeout().expect("it waits for something"));
                Input::TimedOut
            }
        };
        self.tell(input)
    }

    fn tell(&mut self, input: Input) -> bool {
        self.call.handle(self.now, input, &self.assets);
        let mut is_over = false;
        while let Some(output) = self.call.poll_output() {
            match output {
                Output::Send { message, .. } => self.next.extend(answer(&message.bytes)),
                Output::Play(play) => self.next.push(Input::PromptEnded { play: play.play }),
                Output::Tell(Step::Asked { item, .. }) => self.asked = Some(item),
                Output::ReserveQuota { .. } => self.next.push(Input::QuotaAnswered { full: Vec::new() }),
                Output::CloseMedia => self.next.push(Input::MediaClosed(Box::new(report()))),
                Output::Ended(result) => self.result = Some(*result),
                Output::Forget => is_over = true,
                Output::Save(_)
                | Output::OpenMedia(_)
                | Output::StopPlay(_)
                | Output::Press { .. }
                | Output::Record(_)
                | Output::StopRecord { .. }
                | Output::KeepRecording { .. }
                | Output::Prepare { .. }
                | Output::CloseTrunk { .. }
                | Output::Tell(_) => {}
            }
        }
        is_over
    }

    fn press(&mut self, question: &str) -> bool {
        let keys = match question {
            "consent" => "1",
            "age" => "42#",
            "well" => "2",
            other => panic!("asked {other}"),
        };
        self.now = self.now + Duration::from_secs(1);
        keys.chars().any(|key| {
            self.presses += 1;
            let name = EventKey { ssrc: Ssrc(9), timestamp: self.presses * 8_000, again: 0 };
            let digit = Digit::from_char(key).unwrap();
            [Phase::Pressed, Phase::Released { duration_ms: 100 }].into_iter().any(|phase| {
                self.now = self.now + Duration::from_millis(100);
                self.tell(Input::Key(KeyEvent { key: name, digit, phase, at: self.now }))
            })
        })
    }
}

/// What the peer says to it.
fn answer(message: &Bytes) -> Option<Input> {
    let Message::Request(request) = sip::parse(message.clone()).unwrap() else { return None };
    if *request.method() == Method::Ack {
        return None;
    }
    let is_invite = *request.method() == Method::Invite;
    let status = if is_invite { StatusCode::BUSY_HERE } else { StatusCode::OK };
    let peer = std::net::SocketAddr::from(([127, 0, 0, 1], 5_080)).into();
    let bytes = Reply::to(&request, peer, "callee", "Phone")?.bare(status, &[])?;
    Some(Input::Received { message: std::sync::Arc::new(sip::parse(bytes).unwrap()), from: peer })
}
