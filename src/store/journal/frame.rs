//! How one change of one call stands in a segment, and how it is found again in damaged bytes.
//!
//! ```text
//!  0        4         8        12     13         29        37         45
//!  | marker | length  | crc32  | kind | call id  | epoch   | revision | payload …
//!  | FRAME  | u32     | u32    | u8   | 16 bytes | u64     | u64      | length − 33 bytes
//!           |<-crc->|          |<------------------- crc ------------------------->|
//! ```
//! All numbers are little-endian. The checksum covers the length and everything after itself. The marker
//! lets a reader find the next whole frame behind a damaged one.

use crate::id::{CallId, Epoch, Revision};

/// Opens each frame.
pub(super) const MARKER: [u8; 4] = [0xBA, 0x70, 0x0E, 0x01];
/// Bytes before the checked body: marker, length, checksum.
const PREFIX_BYTES: usize = 12;
/// Bytes of a body before its payload: kind, call id, epoch, revision.
const HEAD_BYTES: usize = 33;
/// Bytes that a frame adds to its payload.
pub(super) const OVERHEAD_BYTES: usize = PREFIX_BYTES + HEAD_BYTES;
/// Bytes of payload that one record may have. A live call aims at less than 4 KB; sixteen times as much
/// is a fault of ours, and a length field beyond it is a damaged one.
pub const MAX_RECORD_BYTES: usize = 64 * 1024;

/// What a change does to its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The payload is the call's record from now on.
    Save,
    /// The call is over; its record is no longer wanted.
    Delete,
}

impl Kind {
    const fn code(self) -> u8 {
        match self {
            Self::Save => 1,
            Self::Delete => 2,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Save),
            2 => Some(Self::Delete),
            _ => None,
        }
    }
}

/// Which call a frame changes, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: Kind,
    pub(super) call_id: CallId,
    pub(super) epoch: Epoch,
    pub(super) revision: Revision,
}

/// Appends one frame to `out`. The caller has checked the payload against [`MAX_RECORD_BYTES`].
pub(super) fn write(out: &mut Vec<u8>, head: &Head, payload: &[u8]) {
    let length = u32::try_from(HEAD_BYTES + payload.len()).expect("payloads are bounded");
    let start = out.len();
    out.reserve(OVERHEAD_BYTES + payload.len());
    out.extend_from_slice(&MARKER);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    let body = out.len();
    out.push(head.kind.code());
    out.extend_from_slice(head.call_id.as_str().as_bytes());
    out.extend_from_slice(&head.epoch.0.to_le_bytes());
    out.extend_from_slice(&head.revision.0.to_le_bytes());
    out.extend_from_slice(payload);
    let crc = checksum(length, out.get(body..).expect("the body was just written"));
    let crc_at = start + 8;
    out.get_mut(crc_at..crc_at + 4).expect("the prefix was just written").copy_from_slice(&crc.to_le_bytes());
}

fn checksum(length: u32, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length.to_le_bytes());
    hasher.update(body);
    hasher.finalize()
}

/// A whole frame, read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    pub(super) head: Head,
    pub(super) payload: &'a [u8],
    /// Bytes of the frame, marker to end.
    pub(super) len: usize,
}

/// The frame at the start of `bytes`; `None` if it is cut short, damaged, or not one of ours.
pub(super) fn read(bytes: &[u8]) -> Option<Frame<'_>> {
    let rest = bytes.strip_prefix(&MARKER)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length);
    let body_bytes = usize::try_from(length).ok()?;
    if !(HEAD_BYTES..=HEAD_BYTES + MAX_RECORD_BYTES).contains(&body_bytes) {
        return None;
    }
    let body = rest.get(..body_bytes)?;
    if checksum(length, body) != u32::from_le_bytes(*crc) {
        return None;
    }
    let (kind, rest) = body.split_first()?;
    let (call_id, rest) = rest.split_first_chunk::<16>()?;
    let (epoch, rest) = rest.split_first_chunk::<8>()?;
    let (revision, payload) = rest.split_first_chunk::<8>()?;
    let head = Head {
        kind: Kind::from_code(*kind)?,
        call_id: std::str::from_utf8(call_id).ok()?.parse().ok()?,
        epoch: Epoch(u64::from_le_bytes(*epoch)),
        revision: Revision(u64::from_le_bytes(*revision)),
    };
    Some(Frame { head, payload, len: PREFIX_BYTES + body_bytes })
}

/// One step through a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// A whole frame and where it starts.
    Frame(usize, Frame<'a>),
    /// Bytes that are no frame, although whole frames follow: something damaged a written file.
    Damaged { at: usize, bytes: usize },
    /// Bytes at the end that are no frame: a write that a crash cut short. It was never acknowledged.
    Torn { at: usize, bytes: usize },
}

/// Walks through the frames of a segment.
pub(super) struct Frames<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Frames<'a> {
    /// Walks `bytes` from `at`.
    pub(super) const fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Step<'a>;

    fn next(&mut self) -> Option<Step<'a>> {
        let at = self.at;
        let rest = self.bytes.get(at..).filter(|rest| !rest.is_empty())?;
        if let Some(frame) = read(rest) {
            self.at += frame.len;
            return Some(Step::Frame(at, frame));
        }
        if rest.iter().all(|&byte| byte == 0) {
            self.at = self.bytes.len(); // blocks of a reserve that were not written
            return None;
        }
        let next = memchr::memmem::find_iter(rest, &MARKER)
            .skip_while(|&found| found == 0)
            .find(|&found| rest.get(found..).and_then(read).is_some());
        match next {
            Some(bytes) => {
                self.at += bytes;
                Some(Step::Damaged { at, bytes })
            }
            None => {
                self.at = self.bytes.len();
                Some(Step::Torn { at, bytes: rest.len() })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Mint;

    fn head(seed: u64, kind: Kind) -> Head {
        let call_id = CallId::mint(&mut Mint::seeded(seed));
        Head { kind, call_id, epoch: Epoch(3), revision: Revision(seed) }
    }

    #[test]
    fn a_frame_reads_back_and_every_flipped_bit_is_noticed() {
        let mut bytes = Vec::new();
        write(&mut bytes, &head(1, Kind::Save), b"twenty bytes of state");
        let frame = read(&bytes).unwrap();
        assert_eq!((frame.head, frame.payload), (head(1, Kind::Save), b"twenty bytes of state".as_slice()));
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read(&bytes), None, "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        for cut in 0..bytes.len() {
            assert_eq!(read(&bytes[..cut]), None, "cut at {cut}");
        }
    }

    #[test]
    fn zeros_behind_the_last_frame_are_room_that_was_not_used() {
        let mut bytes = Vec::new();
        write(&mut bytes, &head(1, Kind::Save), b"ends in zeros\0\0\0");
        let end = bytes.len();
        bytes.resize(end + 4_096, 0);
        let steps: Vec<_> = Frames::new(&bytes, 0).collect();
        assert!(
            matches!(steps[..], [Step::Frame(0, frame)] if frame.payload.ends_with(b"\0\0\0")),
            "{steps:?}"
        );
        // A write that was cut off in such a file ends in zeros too.
        let mut torn = Vec::new();
        write(&mut torn, &head(2, Kind::Save), b"cut off");
        bytes[end..end + 30].copy_from_slice(&torn[..30]);
        let steps: Vec<_> = Frames::new(&bytes, 0).collect();
        assert_eq!(steps[1], Step::Torn { at: end, bytes: 4_096 });
    }

    #[test]
    fn a_damaged_frame_costs_only_itself_even_if_its_payload_looks_like_a_frame() {
        let mut bytes = Vec::new();
        write(&mut bytes, &head(1, Kind::Save), b"first");
        let second = bytes.len();
        write(&mut bytes, &head(2, Kind::Save), &MARKER.repeat(9));
        let third = bytes.len();
        write(&mut bytes, &head(3, Kind::Delete), b"");
        bytes[second + 30] ^= 0xFF;
        let steps: Vec<_> = Frames::new(&bytes, 0).collect();
        assert!(matches!(steps[0], Step::Frame(0, frame) if frame.head == head(1, Kind::Save)));
        assert_eq!(steps[1], Step::Damaged { at: second, bytes: third - second });
        assert!(
            matches!(steps[2], Step::Frame(at, frame) if at == third && frame.head == head(3, Kind::Delete))
        );
        assert_eq!(steps.len(), 3);
    }
}
