//! The file of an unfinished take: chunks, each of which is whole or not there.
//!
//! ```text
//! NAME.take
//!  0          8         10      12      16
//!  | BATONTAK | version | zeros | crc32 | chunk chunk chunk …
//! chunk: | length u32 | number u32 | crc32 of both and the samples | samples, 16-bit |   little-endian
//! ```
//! It is only appended to. A crash can tear the last chunk; a reader stops at the first that is not whole.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

const MAGIC: &[u8; 8] = b"BATONTAK";
const VERSION: u16 = 1;
const HEADER_BYTES: usize = 16;
const CHUNK_HEADER_BYTES: usize = 12;
/// Voices are for the owner's ears only.
pub(super) const FILE_MODE: u32 = 0o600;

/// A take that is being written. Its file is locked, so that no other process takes it for one that was left.
#[derive(Debug)]
pub(super) struct TakeFile {
    file: File,
    /// Bytes that are whole.
    bytes: u64,
    chunks: u32,
    pub(super) samples: u64,
}

impl TakeFile {
    /// A new file. One that is there already is of the same take, which was to be discarded when a process died.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let file = OpenOptions::new().append(true).create_new(true).mode(FILE_MODE).open(path)?;
        let locked = file.try_lock().map_err(|error| match error {
            TryLockError::Error(error) => error,
            TryLockError::WouldBlock => io::ErrorKind::ResourceBusy.into(),
        });
        let mut take = Self { file, bytes: 0, chunks: 0, samples: 0 };
        if let Err(error) = locked.and_then(|()| take.write(&header())) {
            // An empty file would stand in the way of the next try, and holds nothing.
            drop(std::fs::remove_file(path));
            return Err(error);
        }
        Ok(take)
    }

    /// Adds a chunk. On an error the file is as it was.
    pub(super) fn append(&mut self, samples: &[i16]) -> io::Result<()> {
        let length = u32::try_from(samples.len() * 2).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut bytes = Vec::with_capacity(CHUNK_HEADER_BYTES + samples.len() * 2);
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&self.chunks.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        samples.iter().for_each(|sample| bytes.extend_from_slice(&sample.to_le_bytes()));
        let crc = checksum(&bytes);
        bytes[8..CHUNK_HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
        self.write(&bytes)?;
        self.chunks += 1;
        self.samples += u64::try_from(samples.len()).unwrap_or_default();
        Ok(())
    }

    /// Makes what was added durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let written = self.file.write_all(bytes);
        if written.is_err() {
            self.file.set_len(self.bytes)?;
        } else {
            self.bytes += u64::try_from(bytes.len()).unwrap_or_default();
        }
        written
    }
}

/// The samples of all whole chunks of a take's file.
pub(super) fn read(bytes: &[u8]) -> Vec<i16> {
    let mut samples = Vec::new();
    let Some(mut rest) = bytes.strip_prefix(&header()) else { return samples };
    for number in 0_u32.. {
        let Some((head, body)) = rest.split_first_chunk::<CHUNK_HEADER_BYTES>() else { break };
        let [l0, l1, l2, l3, n0, n1, n2, n3, c0, c1, c2, c3] = *head;
        let length = usize::try_from(u32::from_le_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
        let Some(chunk) = CHUNK_HEADER_BYTES.checked_add(length).and_then(|bytes| rest.get(..bytes)) else {
            break;
        };
        let whole = u32::from_le_bytes([n0, n1, n2, n3]) == number
            && u32::from_le_bytes([c0, c1, c2, c3]) == checksum(chunk);
        if !whole {
            break;
        }
        samples.extend(body[..length].as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair)));
        rest = &body[length..];
    }
    samples
}

/// The checksum of a chunk, its own place left out.
fn checksum(chunk: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&chunk[..8]);
    crc.update(&chunk[CHUNK_HEADER_BYTES..]);
    crc.finalize()
}

fn header() -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..8].copy_from_slice(MAGIC);
    header[8..10].copy_from_slice(&VERSION.to_le_bytes());
    let crc = crc32fast::hash(&header[..12]);
    header[12..].copy_from_slice(&crc.to_le_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Mint;
    use crate::mutation::mutate;

    fn written(chunks: &[&[i16]]) -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.take");
        let mut take = TakeFile::create(&path).unwrap();
        chunks.iter().for_each(|chunk| take.append(chunk).unwrap());
        std::fs::read(path).unwrap()
    }

    #[test]
    fn what_is_whole_is_read_however_the_end_is_torn() {
        let bytes = written(&[&[1, 2, 3], &[-4; 500], &[i16::MAX, i16::MIN]]);
        let all = [vec![1, 2, 3], vec![-4; 500], vec![i16::MAX, i16::MIN]];
        assert_eq!(read(&bytes), all.concat());
        let ends = [16 + 12 + 6, 16 + 12 + 6 + 12 + 1_000];
        for cut in 0..bytes.len() {
            let whole = ends.iter().filter(|end| **end <= cut).count();
            assert_eq!(read(&bytes[..cut]), all[..whole].concat(), "cut at {cut}");
        }
        let mut zeros = bytes.clone();
        zeros.resize(bytes.len() + 4_096, 0); // a file system that grew the file before a crash
        assert_eq!(read(&zeros), all.concat());
    }

    #[test]
    fn damage_never_makes_up_sound() {
        let bytes = written(&[&[7; 400], &[8; 400], &[9; 400]]);
        let whole = read(&bytes);
        let mut mint = Mint::seeded(0x7A4E);
        for _ in 0..20_000 {
            let mut damaged = bytes.clone();
            mutate(&mut damaged, &mut mint);
            let found = read(&damaged);
            assert!(whole.starts_with(&found), "{} samples that were never said", found.len());
        }
    }
}
