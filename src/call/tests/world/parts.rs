//! What the world is made of: addresses, descriptions, the start of a call; and what it looks at.

use super::*;
use crate::call::Terms;
use crate::dialplan::Failover;

/// The value of a header of a message of ours.
pub(in crate::call::tests) fn header(message: &str, name: &str) -> String {
    let line =
        message.lines().find(|line| line.starts_with(&format!("{name}: "))).expect("it has this header");
    line.split_once(": ").unwrap().1.trim().to_owned()
}

/// What passed over the stream.
pub(in crate::call::tests) fn report() -> MediaReport {
    MediaReport {
        codec: "PCMU".into(),
        sent: 500,
        received: 480,
        expected: 490,
        lost: 10,
        duplicated: 0,
        reordered: 1,
        malformed: 0,
        strangers: 0,
        early: 0,
        streams: 1,
        jitter_ms: 1.5,
        max_jitter_ms: 4.0,
        round_trip_ms: Some(20),
        peer: None,
        mos: Some(4.1),
    }
}

pub(in crate::call::tests) fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

pub(in crate::call::tests) fn local(port: u16, codecs: &[Codec]) -> LocalMedia {
    let origin = Origin { session_id: 77, version: 1, address: address(0).ip() };
    LocalMedia { codecs: codecs.to_vec(), ..LocalMedia::new(origin, address(0).ip(), port) }
}

pub(in crate::call::tests) fn start(questionnaire: crate::id::Digest) -> Start {
    let mut mint = Mint::seeded(5);
    Start {
        call_id: CallId::mint(&mut mint),
        attempt_id: AttemptId::mint(&mut mint),
        case_id: None,
        epoch: Epoch(1),
        seed: [9; 32],
        to: "100".into(),
        terms: terms("test", 5080),
        others: Vec::new(),
        failover: Failover::usual(),
        passed_over: Vec::new(),
        post_dial: None,
        longest: Duration::from_secs(200),
        user_agent: "Baton".into(),
        questionnaire,
        order_seed: 0,
        fields: BTreeMap::new(),
    }
}

/// What a call through a trunk at this port is made of.
pub(in crate::call::tests) fn terms(trunk: &str, port: u16) -> Terms {
    Terms {
        trunk: trunk.to_owned(),
        target: Uri::sip_at(Some("100"), address(port)),
        from: NameAddr::new(Uri::sip_at(Some("survey"), address(5060))),
        destination: address(port).into(),
        large: Large::ByUdp,
        sent_by: address(5060),
        local: local(16_384, &[Codec::Pcmu, Codec::Pcma]),
        listening: Listening::default(),
        ring_timeout: Duration::from_secs(20),
        redirects: 5,
        session_expires: Some(Duration::from_secs(90)),
    }
}

/// The same stream: as it was, or resumed by another process, or after a hold, with the clock's timestamps and numbers
/// that nobody sent.
pub(in crate::call::tests) fn goes_on(before: &MediaPlan, now: &Anchor) -> bool {
    // What is listened to before the answer has sent nothing yet, so that any number may be the first.
    let is_held = !before.negotiated.direction.sends() && before.ears.silence_ms > 0;
    let before = &before.anchor;
    let tick = before.tick_at(now.t0);
    let sent = if is_held { before.seq0 } else { before.sequence(tick) };
    let ahead = now.seq0.wrapping_sub(sent);
    let resumed = now.ssrc == before.ssrc
        && now.t0 == before.due(tick)
        && now.ts0 == before.timestamp(tick)
        && (1..100).contains(&ahead);
    now == before || resumed
}
