//! What the peer changes in the middle of a call, message by message: what is answered, and what the stream does.

use std::sync::Arc;

use bytes::Bytes;

use super::super::{Assets, Call, Input, Output, Play, Start, Step};
use super::world::start;
use crate::rtp::{Digit, EventKey, KeyEvent, Phase, Ssrc};
use crate::sdp::Direction;
use crate::sip::{Hop, parse};
use crate::time::Timestamp;

const PEER: &str = "127.0.0.1:5080";

/// A call, and what it has said.
pub(super) struct Line {
    pub(super) call: Call,
    assets: Assets,
    pub(super) now: Timestamp,
    pub(super) sent: Vec<String>,
    pub(super) outputs: Vec<Output>,
    /// What a person who watches was told so far.
    pub(super) told: Vec<Step>,
    cseq: u32,
    pressed: u32,
}

pub(super) fn sdp(media: &str) -> String {
    format!("v=0\r\no=p 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n{media}\r\n")
}

pub(super) fn value(text: &str, name: &str) -> String {
    let prefix = format!("{name}: ");
    text.split("\r\n").find_map(|line| line.strip_prefix(&prefix)).unwrap_or_default().to_owned()
}

impl Line {
    /// A call that has just sent its INVITE.
    pub(super) fn dialled() -> Self {
        Self::starting(|start| start)
    }

    /// The same with a start that is changed first.
    pub(super) fn starting(change: impl FnOnce(Start) -> Start) -> Self {
        Self::with(super::assets(), change)
    }

    /// The same with another survey.
    pub(super) fn asking(xml: &str) -> Self {
        Self::with(super::assets_of(xml), |start| start)
    }

    fn with((assets, digest): (Assets, crate::id::Digest), change: impl FnOnce(Start) -> Start) -> Self {
        let now = Timestamp::from_millis(1_795_416_217_000);
        let call = Call::new(now, change(start(digest)), &assets).unwrap();
        let mut line = Self {
            call,
            assets,
            now,
            sent: Vec::new(),
            outputs: Vec::new(),
            told: Vec::new(),
            cseq: 0,
            pressed: 0,
        };
        line.feed(Input::Started);
        line
    }

    /// A call that was answered.
    pub(super) fn answered(headers: &str) -> Self {
        let mut line = Self::dialled();
        line.respond(200, headers, &sdp("m=audio 30000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000"));
        assert!(line.outputs.iter().any(|output| matches!(output, Output::Tell(Step::Answered { .. }))));
        line
    }

    pub(super) fn feed(&mut self, input: Input) {
        self.call.handle(self.now, input, &self.assets);
        self.outputs = std::iter::from_fn(|| self.call.poll_output()).collect();
        for output in &self.outputs {
            if let Output::Send { message, .. } = output {
                self.sent.push(String::from_utf8(message.bytes.to_vec()).unwrap());
            } else if let Output::Tell(step) = output {
                self.told.push(step.clone());
            }
        }
    }

    fn give(&mut self, text: String) {
        let message = Arc::new(parse(Bytes::from(text)).unwrap());
        let from: Hop = PEER.parse().unwrap();
        self.feed(Input::Received { message, from });
    }

    /// The peer's response to the latest INVITE or other request.
    pub(super) fn respond(&mut self, status: u16, headers: &str, body: &str) {
        let request = self.sent.iter().rev().find(|text| !text.starts_with("SIP/2.0")).unwrap().clone();
        self.respond_to(&request, status, headers, body);
    }

    /// The same to a request of ours.
    pub(super) fn respond_to(&mut self, request: &str, status: u16, headers: &str, body: &str) {
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let to = value(request, "To");
        let to = if to.contains(";tag=") { to } else { format!("{to};tag=b") };
        self.give(format!(
            "SIP/2.0 {status} X\r\nVia: {}\r\nFrom: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {}\r\n\
             Contact: <sip:100@{PEER}>\r\n{headers}{kind}Content-Length: {}\r\n\r\n{body}",
            value(request, "Via"),
            value(request, "From"),
            value(request, "Call-ID"),
            value(request, "CSeq"),
            body.len()
        ));
    }

    /// The peer's request; its answer.
    pub(super) fn request(&mut self, method: &str, headers: &str, body: &str) -> String {
        self.cseq += 1;
        let invite = self.sent[0].clone();
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let (cseq, us) = (self.cseq, value(&invite, "From"));
        self.give(format!(
            "{method} sip:{}@127.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP {PEER};branch=z9hG4bKp{cseq}\r\n\
             From: {};tag=b\r\nTo: {us}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\nContact: <sip:100@{PEER}>\r\n\
             {headers}{kind}Content-Length: {}\r\n\r\n{body}",
            self.call.id(),
            value(&invite, "To"),
            value(&invite, "Call-ID"),
            body.len()
        ));
        self.sent.last().cloned().unwrap_or_default()
    }

    /// The direction and remote address of the stream that this turn asks for.
    pub(super) fn stream(&self) -> Option<(Direction, String)> {
        self.outputs.iter().find_map(|output| {
            let Output::OpenMedia(plan) = output else { return None };
            Some((plan.negotiated.direction, plan.negotiated.remote.to_string()))
        })
    }

    pub(super) fn responses(&self) -> Vec<crate::interview::Response> {
        self.call.responses(&self.assets)
    }

    /// Another process goes on with it, from its last record.
    pub(super) fn restart(&mut self, alive: Option<Timestamp>) {
        self.call = Call::restore(&self.call.record().bytes).unwrap();
        self.feed(Input::Restored { alive, epoch: None });
    }

    /// The prompt that this turn plays.
    pub(super) fn play(&self) -> Option<&Play> {
        self.outputs.iter().find_map(|output| {
            let Output::Play(play) = output else { return None };
            Some(play)
        })
    }

    /// Lets the prompt that this turn plays end, after so long.
    pub(super) fn hear_out(&mut self, ms: u64) {
        let play = self.play().expect("something is said").play;
        self.pass_ms(ms);
        self.feed(Input::PromptEnded { play });
    }

    /// A key goes down, by telephone-event.
    pub(super) fn press(&mut self, digit: char) {
        self.pressed_ago(digit, 0);
    }

    /// A key that went down so many milliseconds ago, and waited since then until we had time.
    pub(super) fn pressed_ago(&mut self, digit: char, ms: u64) {
        self.pressed += 1;
        let key = EventKey { ssrc: Ssrc(4), timestamp: self.pressed, again: 0 };
        let digit = Digit::from_char(digit).unwrap();
        let at = self.now - std::time::Duration::from_millis(ms);
        self.feed(Input::Key(KeyEvent { key, digit, phase: Phase::Pressed, at }));
    }

    /// The peer's ACK of our 200 to its INVITE, with an answer.
    pub(super) fn acknowledge(&mut self, body: &str) {
        self.cseq -= 1;
        self.request("ACK", "", body);
    }

    /// Lets timers run until this many seconds have passed.
    pub(super) fn pass(&mut self, seconds: u64) {
        self.pass_ms(seconds * 1_000);
    }

    /// The same in milliseconds.
    pub(super) fn pass_ms(&mut self, ms: u64) {
        let until = self.now + std::time::Duration::from_millis(ms);
        while let Some(due) = self.call.poll_timeout().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.feed(Input::TimedOut);
        }
        self.now = until;
    }
}

#[test]
fn a_hold_and_a_resume_by_reinvite_or_update() {
    // RFC 3264 §8.4
    let both = "m=audio 30000 RTP/AVP 0\r\n";
    for method in ["INVITE", "UPDATE"] {
        for (hold, answer, direction) in [
            (format!("{both}a=sendonly"), "a=recvonly", Direction::RecvOnly),
            (format!("{both}a=inactive"), "a=inactive", Direction::Inactive),
            ("c=IN IP4 0.0.0.0\r\nm=audio 30000 RTP/AVP 0".to_owned(), "a=recvonly", Direction::RecvOnly),
        ] {
            let mut line = Line::answered("");
            let body = sdp(&hold).replace(
                "c=IN IP4 127.0.0.1\r\nt=0 0\r\nc=IN IP4 0.0.0.0\r\n",
                "c=IN IP4 0.0.0.0\r\nt=0 0\r\n",
            );
            let said = line.request(method, "", &body);
            assert!(said.starts_with("SIP/2.0 200 ") && said.contains(answer), "{method} {hold}\n{said}");
            assert_eq!(line.stream().unwrap().0, direction, "{method} {hold}");
            if method == "INVITE" {
                line.request("ACK", "", "");
            }
            let said = line.request(method, "", &sdp("m=audio 30002 RTP/AVP 0"));
            assert!(said.starts_with("SIP/2.0 200 ") && !said.contains("a=recvonly"), "{said}");
            assert_eq!(line.stream(), Some((Direction::SendRecv, "127.0.0.1:30002".into())), "{method}");
            // Each description of ours has the next version (RFC 3264 §8).
            let origins: Vec<String> = line
                .sent
                .iter()
                .filter_map(|text| {
                    text.split("\r\n").find_map(|line| line.strip_prefix("o=")).map(str::to_owned)
                })
                .collect();
            let versions: Vec<&str> =
                origins.iter().map(|origin| origin.split(' ').nth(2).unwrap()).collect();
            assert_eq!(versions, ["1", "2", "3"], "{origins:?}");
        }
    }
}

#[test]
fn a_hold_is_no_loss_to_the_peer() {
    // RFC 3550 §5.1: one number a packet that is sent; the timestamp goes on with the clock
    let mut line = Line::answered("");
    let numbers = |line: &Line| {
        let anchor = line.outputs.iter().find_map(|output| {
            let Output::OpenMedia(plan) = output else { return None };
            Some(plan.anchor)
        });
        let (anchor, now) = (anchor.unwrap(), line.now);
        (anchor.sequence(anchor.tick_at(now)), anchor.timestamp(anchor.tick_at(now)))
    };
    line.pass(1);
    line.request("INVITE", "", &sdp("m=audio 30000 RTP/AVP 0\r\na=sendonly"));
    let (held, held_at) = numbers(&line);
    line.request("ACK", "", "");
    line.pass(3);
    line.request("INVITE", "", &sdp("m=audio 30000 RTP/AVP 0"));
    let (resumed, resumed_at) = numbers(&line);
    let (left_out, samples) = (resumed.wrapping_sub(held), resumed_at.wrapping_sub(held_at));
    assert!((1..=12).contains(&left_out), "{left_out} numbers left out");
    assert!((23_680..=24_320).contains(&samples), "3 s are 24,000 samples, not {samples}");
}

#[test]
fn an_offer_that_changes_nothing_gets_the_same_answer() {
    // RFC 3264 §8: as for a session refresh, the version stays with the description
    let mut line = Line::answered("");
    let offer = sdp("m=audio 30000 RTP/AVP 8");
    let body = |said: &str| said.split_once("\r\n\r\n").unwrap().1.to_owned();
    let first = line.request("UPDATE", "", &offer);
    let second = line.request("UPDATE", "", &offer);
    assert_eq!(body(&first), body(&second));
    let third = line.request("UPDATE", "", &sdp("m=audio 30000 RTP/AVP 0"));
    assert_ne!(body(&second), body(&third));
}

#[test]
fn an_offer_that_cannot_be_met_is_refused_with_the_reason() {
    // RFC 3261 §21.4.26, §20.43
    let mut line = Line::answered("");
    let said = line.request("UPDATE", "", &sdp("m=audio 30000 RTP/AVP 9"));
    assert!(said.starts_with("SIP/2.0 488 "), "{said}");
    assert_eq!(value(&said, "Warning"), "305 127.0.0.1 \"sdp-no-codec\"");
    assert_eq!(line.stream(), None, "the stream goes on as it was");
    let said = line.request("INVITE", "", "nonsense");
    assert!(said.starts_with("SIP/2.0 400 "), "{said}");
}

#[test]
fn an_early_update_changes_where_the_stream_will_go() {
    // RFC 3311 §4
    let mut line = Line::dialled();
    line.respond(183, "Require: 100rel\r\nRSeq: 1\r\n", &sdp("m=audio 30000 RTP/AVP 0"));
    assert!(line.sent.last().unwrap().starts_with("PRACK "));
    assert_eq!(line.stream(), Some((Direction::RecvOnly, "127.0.0.1:30000".into())), "it is listened to");
    line.respond(200, "", "");
    let said = line.request("UPDATE", "", &sdp("m=audio 31000 RTP/AVP 8"));
    assert!(said.starts_with("SIP/2.0 200 ") && said.contains("m=audio 16384 RTP/AVP 8"), "{said}");
    assert_eq!(
        line.stream(),
        Some((Direction::RecvOnly, "127.0.0.1:31000".into())),
        "nobody has answered yet"
    );
    line.sent.retain(|text| !text.starts_with("PRACK "));
    line.respond(200, "", "");
    assert_eq!(line.stream(), Some((Direction::SendRecv, "127.0.0.1:31000".into())));
}

#[test]
fn a_session_that_nobody_refreshes_ends_as_a_fault() {
    // RFC 4028 §10
    let mut line = Line::answered("Session-Expires: 90;refresher=uas\r\n");
    line.pass(61);
    let bye = line.sent.iter().find(|text| text.starts_with("BYE "));
    assert!(bye.is_some(), "{:?}", line.sent);
}

#[test]
fn a_refresh_by_reinvite_offers_what_stands() {
    // RFC 4028 §7.4: the same description, unless an answer of ours said less
    let mut line = Line::answered("Session-Expires: 90;refresher=uac\r\n");
    line.pass(45);
    let invite = line.sent.last().unwrap().clone();
    assert!(invite.starts_with("INVITE "), "{invite}");
    assert_eq!(invite.split("\r\n\r\n").nth(1), line.sent[0].split("\r\n\r\n").nth(1), "not a byte differs");
    line.respond(
        200,
        "Session-Expires: 90;refresher=uac\r\n",
        &sdp("m=audio 30000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000"),
    );
    assert!(line.sent.last().unwrap().starts_with("ACK "));
    assert_eq!(line.stream(), None, "nothing changed");
    line.pass(45);
    line.respond(481, "", "");
    assert!(line.sent.iter().any(|text| text.starts_with("BYE ")), "{:?}", line.sent.last());
}

#[test]
fn a_trunk_that_is_busy_says_how_long() {
    // RFC 3261 §21.5.4
    let mut line = Line::dialled();
    line.respond(503, "Retry-After: 120\r\n", "");
    let result = line.outputs.iter().find_map(|output| {
        let Output::Ended(result) = output else { return None };
        Some(result)
    });
    assert_eq!(result.unwrap().retry_after_s, Some(120));
}

/// An offer or answer with SRTP (RFC 4568) and nothing else.
const SECURE: &str = "m=audio 30000 RTP/SAVP 0 101\r\n\
    a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4\r\n\
    a=rtpmap:101 telephone-event/8000";

#[test]
fn an_offer_of_srtp_alone_is_refused_and_the_call_goes_on() {
    // RFC 3264 §6, RFC 4568 §5.1.2, RFC 3261 §20.43: 302 is "incompatible transport protocol"
    for method in ["INVITE", "UPDATE"] {
        let mut line = Line::answered("");
        let said = line.request(method, "", &sdp(SECURE));
        assert!(said.starts_with("SIP/2.0 488 "), "{said}");
        assert_eq!(value(&said, "Warning"), "302 127.0.0.1 \"sdp-protocol\"");
        assert_eq!(line.stream(), None);
        assert_eq!(line.call.progress(), crate::call::Progress::Talking);
    }
}

#[test]
fn of_srtp_and_rtp_the_plain_one_is_taken_and_the_other_refused_in_its_place() {
    // RFC 3264 §6: a section is refused with port 0, in the order of the offer and with its protocol
    let mut line = Line::answered("");
    let said = line.request("INVITE", "", &sdp(&format!("{SECURE}\r\nm=audio 30004 RTP/AVP 0")));
    assert!(said.starts_with("SIP/2.0 200 "), "{said}");
    let sections: Vec<&str> = said.split("\r\n").filter(|line| line.starts_with("m=")).collect();
    assert_eq!(sections, ["m=audio 0 RTP/SAVP 0", "m=audio 16384 RTP/AVP 0"], "{said}");
    assert!(!said.contains("a=crypto"), "nobody's key is repeated");
    assert_eq!(line.stream().unwrap().1, "127.0.0.1:30004");
}

#[test]
fn keys_beside_plain_rtp_are_an_offer_that_is_passed_over() {
    // "Best effort" SRTP: a=crypto under RTP/AVP, which means nothing there (RFC 4568 §5.1.2)
    let mut line = Line::answered("");
    let body = SECURE.replace("RTP/SAVP", "RTP/AVP");
    let said = line.request("INVITE", "", &sdp(&body));
    assert!(said.starts_with("SIP/2.0 200 ") && said.contains("m=audio 16384 RTP/AVP 0"), "{said}");
    assert!(!said.contains("a=crypto"), "{said}");
}

#[test]
fn an_answer_of_srtp_to_our_offer_ends_the_call_in_order() {
    // RFC 3264 §6: an answer has the protocol of its offer. RFC 3261 §13.2.2.4: ACK, then BYE
    let mut line = Line::dialled();
    line.respond(200, "", &sdp(SECURE));
    let sent: Vec<&str> = line.sent.iter().map(|text| text.split(' ').next().unwrap()).collect();
    assert_eq!(sent, ["INVITE", "ACK", "BYE"]);
    line.respond(200, "", "");
    let ended = Step::Ended { disposition: crate::outcome::Disposition::TechnicalFault };
    assert_eq!(line.told.last(), Some(&ended));
}

#[test]
fn an_offerless_reinvite_is_offered_plain_rtp_and_ended_if_it_is_answered_with_something_else() {
    for (answer, ends) in [(SECURE, true), ("m=audio 0 RTP/AVP 0", true), ("m=audio 30002 RTP/AVP 0", false)]
    {
        let mut line = Line::answered("");
        let said = line.request("INVITE", "", "");
        assert!(said.starts_with("SIP/2.0 200 ") && said.contains("m=audio 16384 RTP/AVP 0 8"), "{said}");
        line.acknowledge(&sdp(answer));
        let byes = line.sent.iter().filter(|text| text.starts_with("BYE ")).count();
        assert_eq!(byes, usize::from(ends), "{answer}: {:?}", line.sent);
    }
}
