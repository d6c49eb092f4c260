//! A datagram on the RTCP port: what it reports can be written, and is read as the same.

use baton::rtp::Ssrc;
use baton::rtp::rtcp::{Part, Report, parse_compound, write_compound};
use baton::time::Timestamp;

/// Reads a compound and writes its reports again.
pub(crate) fn run(data: &[u8]) -> bool {
    let compound = match parse_compound(data) {
        Ok(compound) => compound,
        Err(error) => {
            assert!(!error.reason().is_empty());
            return false;
        }
    };
    let parts: Vec<Part<'_>> = compound.collect();
    assert!(parts.len() <= data.len() / 4, "each part has a header");
    let mut reports = false;
    for part in &parts {
        match part {
            Part::SenderReport { ssrc, info, blocks } => {
                reports = true;
                is_written_again(&Report {
                    ssrc: *ssrc,
                    sender: Some(*info),
                    blocks,
                    cname: "a@b",
                    bye: None,
                });
            }
            Part::ReceiverReport { ssrc, blocks } => {
                reports = true;
                is_written_again(&Report {
                    ssrc: *ssrc,
                    sender: None,
                    blocks,
                    cname: "a@b",
                    bye: Some("end"),
                });
            }
            Part::SourceDescription { cname, .. } => assert!(cname.is_none_or(|name| name.len() <= 255)),
            Part::Bye { sources, reason } => {
                assert!(sources.len() <= 31 && reason.is_none_or(|reason| reason.len() <= 255));
            }
            Part::Other { .. } => {}
        }
    }
    reports
}

fn is_written_again(report: &Report<'_>) {
    for ms in [0, 1_795_000_000_000, u64::MAX / 1_000] {
        let now = Timestamp::from_millis(ms);
        for trip in report.blocks.iter().filter_map(|block| block.round_trip(now)) {
            assert!(trip.as_secs() < 60, "{trip:?} is no round trip");
        }
    }
    let mut bytes = vec![];
    write_compound(&mut bytes, report);
    assert_eq!(bytes.len() % 4, 0);
    let again: Vec<Part<'_>> = parse_compound(&bytes).expect("what we write can be read").collect();
    let blocks = report.blocks.to_vec();
    let expected = match report.sender {
        Some(info) => Part::SenderReport { ssrc: report.ssrc, info, blocks },
        None => Part::ReceiverReport { ssrc: report.ssrc, blocks },
    };
    assert_eq!(again[0], expected);
    assert_eq!(again[1], Part::SourceDescription { ssrc: report.ssrc, cname: Some(report.cname.as_bytes()) });
    assert_eq!(again.len(), 2 + usize::from(report.bye.is_some()));
    if let Some(Part::Bye { sources, .. }) = again.get(2) {
        assert_eq!(sources, &[Ssrc(report.ssrc.0)]);
    }
}
