//! The writer of compound packets (RFC 3550 §6.1, §6.4-§6.6).

use super::{BYE, CNAME, RR, ReportBlock, SDES, SR, SenderInfo};
use crate::rtp::Ssrc;

/// Report blocks that one packet can count (§6.4.1).
const MAX_BLOCKS: usize = 31;
/// Bytes of a text (§6.5, §6.6).
const MAX_TEXT: usize = 255;

/// What one compound says.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// Our stream.
    pub ssrc: Ssrc,
    /// Since the last report we sent media: a sender report, else a receiver report.
    pub sender: Option<SenderInfo>,
    /// The streams that we receive.
    pub blocks: &'a [ReportBlock],
    /// Our canonical name: the same through the session (RFC 7022).
    pub cname: &'a str,
    /// The stream ends, for this reason.
    pub bye: Option<&'a str>,
}

/// Appends one compound to `out`. Texts are cut at 255 bytes, blocks at 31.
pub fn write_compound(out: &mut Vec<u8>, report: &Report<'_>) {
    let blocks = report.blocks.get(..MAX_BLOCKS).unwrap_or(report.blocks);
    let count = u8::try_from(blocks.len()).expect("at most 31");
    part(out, count, if report.sender.is_some() { SR } else { RR }, |out| {
        word(out, report.ssrc.0);
        if let Some(info) = &report.sender {
            out.extend_from_slice(&info.ntp.to_be_bytes());
            word(out, info.rtp_timestamp);
            word(out, info.packets);
            word(out, info.octets);
        }
        for block in blocks {
            let [_, lost @ ..] = block.lost.clamp(-0x80_0000, 0x7F_FFFF).to_be_bytes();
            word(out, block.ssrc.0);
            out.push(block.fraction_lost);
            out.extend_from_slice(&lost);
            word(out, block.highest_sequence);
            word(out, block.jitter);
            word(out, block.last_sr);
            word(out, block.delay_since_last_sr);
        }
    });
    part(out, 1, SDES, |out| {
        word(out, report.ssrc.0);
        out.push(CNAME);
        text(out, report.cname);
        out.push(0); // the end of the items
    });
    if let Some(reason) = report.bye {
        part(out, 1, BYE, |out| {
            word(out, report.ssrc.0);
            if !reason.is_empty() {
                text(out, reason);
            }
        });
    }
}

/// One part: its header, its content, zeros up to a whole word, its length.
fn part(out: &mut Vec<u8>, count: u8, packet_type: u8, content: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0x80 | count, packet_type, 0, 0]);
    content(out);
    while !(out.len() - start).is_multiple_of(4) {
        out.push(0);
    }
    let words = u16::try_from((out.len() - start) / 4 - 1).expect("blocks and texts are bounded");
    if let Some(length) = out.get_mut(start + 2..start + 4) {
        length.copy_from_slice(&words.to_be_bytes());
    }
}

fn word(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_be_bytes());
}

/// A length and that many bytes, cut between characters.
fn text(out: &mut Vec<u8>, text: &str) {
    let text = text.get(..text.floor_char_boundary(MAX_TEXT)).unwrap_or(text);
    out.push(u8::try_from(text.len()).expect("at most 255"));
    out.extend_from_slice(text.as_bytes());
}
