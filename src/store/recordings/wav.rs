//! WAV files of recordings: 8 kHz, one channel, 16-bit PCM or μ-law (RFC 2361).
//!
//! ```text
//! RIFF size WAVE ─ fmt (16 or 18 bytes) ─ [fact: samples, of μ-law] ─ data (samples)
//! ```

use std::io;

use crate::rtp::g711;
use crate::settings::RecordingFormat as Format;

const RATE_HZ: u32 = 8_000;

/// The file of these samples.
pub(super) fn write(samples: &[i16], format: Format) -> io::Result<Vec<u8>> {
    let (tag, bits, data): (u16, u16, Vec<u8>) = match format {
        Format::Pcm => (1, 16, samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()),
        Format::Mulaw => (7, 8, g711::ulaw_encode_all(samples)),
    };
    let size = |bytes: usize| u32::try_from(bytes).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge));
    let mut fmt = Vec::with_capacity(18);
    fmt.extend_from_slice(&tag.to_le_bytes());
    fmt.extend_from_slice(&1_u16.to_le_bytes());
    fmt.extend_from_slice(&RATE_HZ.to_le_bytes());
    fmt.extend_from_slice(&(RATE_HZ * u32::from(bits) / 8).to_le_bytes());
    fmt.extend_from_slice(&(bits / 8).to_le_bytes());
    fmt.extend_from_slice(&bits.to_le_bytes());
    let mut chunks = Vec::new();
    if format == Format::Mulaw {
        fmt.extend_from_slice(&0_u16.to_le_bytes());
        chunk(&mut chunks, *b"fmt ", &fmt, size(fmt.len())?);
        chunk(&mut chunks, *b"fact", &size(samples.len())?.to_le_bytes(), 4);
    } else {
        chunk(&mut chunks, *b"fmt ", &fmt, size(fmt.len())?);
    }
    chunk(&mut chunks, *b"data", &data, size(data.len())?);
    let mut file = Vec::with_capacity(12 + chunks.len());
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&size(4 + chunks.len())?.to_le_bytes());
    file.extend_from_slice(b"WAVE");
    file.extend_from_slice(&chunks);
    Ok(file)
}

fn chunk(out: &mut Vec<u8>, name: [u8; 4], body: &[u8], size: u32) {
    out.extend_from_slice(&name);
    out.extend_from_slice(&size.to_le_bytes());
    out.extend_from_slice(body);
    if body.len() % 2 == 1 {
        out.push(0); // chunks begin at even offsets
    }
}

/// The samples of a file that [`write`] wrote.
pub(super) fn read(file: &[u8]) -> io::Result<Vec<i16>> {
    let foreign = || io::Error::new(io::ErrorKind::InvalidData, "it is no recording of ours");
    let mut rest = file.strip_prefix(b"RIFF").and_then(|rest| rest.get(4..)).ok_or_else(foreign)?;
    rest = rest.strip_prefix(b"WAVE").ok_or_else(foreign)?;
    let mut tag = None;
    loop {
        let (head, body) = rest.split_first_chunk::<8>().ok_or_else(foreign)?;
        let [a, b, c, d, size @ ..] = *head;
        let size = usize::try_from(u32::from_le_bytes(size)).map_err(|_| foreign())?;
        let chunk = body.get(..size).ok_or_else(foreign)?;
        match (&[a, b, c, d], tag) {
            (b"fmt ", _) => tag = chunk.first().copied(),
            (b"data", Some(1)) => {
                return Ok(chunk.as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect());
            }
            (b"data", Some(7)) => return Ok(chunk.iter().map(|&octet| g711::ulaw_decode(octet)).collect()),
            (b"data", _) => return Err(foreign()),
            _ => {}
        }
        rest = body.get(size + size % 2..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_by_us_and_by_others() {
        let samples: Vec<i16> = (0..801).map(|n| n * 37 - 14_000).collect();
        let pcm = write(&samples, Format::Pcm).unwrap();
        assert_eq!(read(&pcm).unwrap(), samples);
        let mut reader = hound::WavReader::new(std::io::Cursor::new(&pcm)).unwrap();
        assert_eq!((reader.spec().sample_rate, reader.spec().bits_per_sample), (8_000, 16));
        assert_eq!(reader.samples::<i16>().map(Result::unwrap).collect::<Vec<_>>(), samples);
        let mulaw = write(&samples, Format::Mulaw).unwrap();
        assert_eq!(mulaw.len(), 12 + 26 + 12 + 8 + 801 + 1);
        let through: Vec<i16> =
            samples.iter().map(|&sample| g711::ulaw_decode(g711::ulaw_encode(sample))).collect();
        assert_eq!(read(&mulaw).unwrap(), through);
    }

    #[test]
    fn what_is_no_recording_is_refused() {
        let file = write(&[1; 100], Format::Pcm).unwrap();
        for cut in 0..file.len() {
            assert!(read(&file[..cut]).is_err(), "cut at {cut}");
        }
        assert!(read(b"RIFF\0\0\0\0WAVEdata\0\0\0\0").is_err());
    }
}
