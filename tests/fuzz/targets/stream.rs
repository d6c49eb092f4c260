//! A TCP connection's bytes: the same messages however they are cut, and never more kept than a message.

use baton::sip::parse::MAX_MESSAGE_BYTES;
use baton::sip::stream::{Frame, Framer};

use super::feed::Feed;

/// What a stream came to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    messages: Vec<Vec<u8>>,
    blanks: usize,
    failed: Option<&'static str>,
    /// Bytes that wait for more.
    left: usize,
}

/// Three bytes say how the stream is cut and where it is padded, to reach the sizes that are bounded.
pub(crate) fn run(data: &[u8]) -> bool {
    let mut feed = Feed(data);
    let (cut, place, padding) = (feed.byte(), feed.byte(), feed.byte());
    let mut stream = feed.0.to_vec();
    let at = usize::from(place).min(stream.len());
    stream.splice(at..at, std::iter::repeat_n(b'x', usize::from(padding / 16) * 8_000));
    let whole = read(&stream, std::iter::once(stream.len()));
    assert_eq!(read(&stream, std::iter::repeat(usize::from(cut % 64) + 1)), whole, "in equal pieces");
    let mut state = u32::from(cut) + 1;
    let uneven = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        usize::try_from(state >> 20).expect("12 bits") + 1
    });
    assert_eq!(read(&stream, uneven), whole, "in uneven pieces");
    !whole.messages.is_empty()
}

fn read(stream: &[u8], pieces: impl Iterator<Item = usize>) -> Seen {
    let mut framer = Framer::default();
    let mut seen = Seen::default();
    let mut feed = Feed(stream);
    for size in pieces {
        if feed.is_empty() {
            break;
        }
        let piece = feed.bytes(size);
        seen.left += piece.len();
        framer.push(piece);
        if let Err(reason) = drain(&mut framer, &mut seen) {
            // What came behind the fault was pushed or not, by the cut: it counts for nothing.
            return Seen { failed: Some(reason), left: 0, ..seen };
        }
        assert_eq!(framer.is_partial(), seen.left > 0);
        assert!(seen.left <= MAX_MESSAGE_BYTES, "{} bytes are kept", seen.left);
    }
    seen
}

fn drain(framer: &mut Framer, seen: &mut Seen) -> Result<(), &'static str> {
    loop {
        match framer.poll_frame().map_err(|error| error.reason())? {
            Some(Frame::Message(message)) => {
                let bytes = message.bytes();
                seen.left -= bytes.len();
                let alone = parse(bytes);
                assert_eq!(alone, Some(message.body().len()), "a datagram of the same bytes is the same");
                seen.messages.push(bytes.to_vec());
            }
            Some(Frame::Blank) => {
                seen.left -= 2;
                seen.blanks += 1;
            }
            None => return Ok(()),
        }
    }
}

/// Bytes of its body, if it is a message.
fn parse(bytes: &bytes::Bytes) -> Option<usize> {
    baton::sip::parse(bytes.clone()).ok().map(|message| message.body().len())
}
