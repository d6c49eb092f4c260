//! A description: as an offer that we answer, as an answer to ours.

use std::collections::BTreeSet;
use std::net::IpAddr;

use baton::sdp::{Description, Direction, LocalMedia, Negotiated, Origin, Refused, answer, negotiate, offer};

/// Reads a body as both, with our side in either family of addresses.
pub(crate) fn run(data: &[u8]) -> bool {
    let Ok(description) = Description::parse(data) else {
        for local in locals() {
            assert!(answer(&local, data).is_err() && negotiate(&local, data).is_err());
        }
        return false;
    };
    assert!(!description.media.is_empty());
    let mut taken = false;
    for local in locals() {
        match answer(&local, data) {
            Ok((bytes, negotiated)) => {
                taken = true;
                holds(&local, &negotiated);
                answers(&local, &description, &bytes, &negotiated);
            }
            Err(error) => assert!(matches!(error.status(), 400 | 488) && !error.reason().is_empty()),
        }
        if let Ok(negotiated) = negotiate(&local, data) {
            taken = true;
            holds(&local, &negotiated);
            assert_eq!(negotiated.refused, local.refused);
        }
    }
    taken
}

fn locals() -> Vec<LocalMedia> {
    let local = |address: &str| {
        let address: IpAddr = address.parse().expect("an address");
        LocalMedia::new(Origin { session_id: 7, version: 1, address }, address, 40_000)
    };
    let listening = LocalMedia {
        codecs: vec![baton::sdp::Codec::Pcma],
        telephone_event: None,
        direction: Direction::RecvOnly,
        ..local("192.0.2.1")
    };
    vec![local("192.0.2.1"), local("2001:db8::1"), listening]
}

/// What any agreement keeps.
fn holds(local: &LocalMedia, negotiated: &Negotiated) {
    assert!(local.codecs.contains(&negotiated.codec));
    assert_ne!(negotiated.remote.port(), 0);
    assert_eq!(negotiated.remote.is_ipv4(), local.address.is_ipv4());
    assert_eq!(negotiated.remote_rtcp.is_ipv4(), local.address.is_ipv4());
    assert!(!negotiated.remote.ip().is_multicast());
    assert!((10..=200).contains(&negotiated.ptime_ms), "{}", negotiated.ptime_ms);
    assert_eq!(negotiated.direction.and(local.direction), negotiated.direction);
    assert!(!(negotiated.direction.sends() && negotiated.remote.ip().is_unspecified()));
    let codecs = negotiated.receive.iter().map(|(number, _)| *number);
    let events = negotiated.receive_events.iter().map(|format| format.payload_type);
    let numbers: Vec<u8> = codecs.chain(events).collect();
    assert_eq!(numbers.iter().collect::<BTreeSet<_>>().len(), numbers.len(), "{numbers:?} have two meanings");
    assert!(numbers.iter().all(|number| *number < 128));
    assert!(negotiated.receive_events.iter().all(|format| format.clock_hz > 0));
    if local.telephone_event.is_none() {
        assert!(negotiated.send_event.is_none() && negotiated.receive_events.is_empty());
    }
}

/// What RFC 3264 §6 wants of an answer, and what the next offer of ours keeps of it (§8).
fn answers(local: &LocalMedia, offered: &Description<'_>, bytes: &[u8], negotiated: &Negotiated) {
    let answered = Description::parse(bytes).expect("what we write can be read");
    assert_eq!(answered.skipped, 0);
    assert_eq!(answered.media.len(), offered.media.len(), "one section for each");
    assert_eq!(answered.time, offered.time.or(Some("0 0")));
    let mut open = 0;
    for (index, (ours, theirs)) in answered.media.iter().zip(&offered.media).enumerate() {
        assert!(ours.media.eq_ignore_ascii_case(theirs.media), "{} for {}", ours.media, theirs.media);
        assert_eq!(ours.protocol, theirs.protocol);
        let refused = negotiated.refused.iter().any(|section| usize::from(section.index) == index);
        assert_eq!(ours.port == 0, refused);
        if ours.port == 0 {
            continue;
        }
        open += 1;
        let offered_numbers: Vec<u8> = theirs.payload_types().collect();
        assert!(ours.payload_types().all(|number| offered_numbers.contains(&number)));
        assert_eq!(answered.direction(ours), negotiated.direction);
        let theirs = offered.direction(theirs).reversed();
        assert_eq!(negotiated.direction.and(theirs), negotiated.direction, "no more than was offered");
    }
    assert_eq!(open, 1);
    let refused: Vec<Refused> = negotiated.refused.clone();
    let again = offer(&LocalMedia { refused: refused.clone(), ..local.clone() });
    let again = Description::parse(&again).expect("our offer can be read");
    assert_eq!(again.media.len(), refused.len() + 1);
    for section in &refused {
        let kept = &again.media[usize::from(section.index)];
        assert_eq!((kept.media, kept.port), (section.media.as_str(), 0));
    }
}
