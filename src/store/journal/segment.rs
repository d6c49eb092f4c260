//! One file of the journal: its name, its header, and appends that are durable or undone.
//!
//! ```text
//! calls-0000000007.journal
//!  0          8         10      12      16
//!  | BATONJNL | version | zeros | crc32 | frame frame frame …
//! ```
//! A segment is only ever appended to by the process that created it; a process that starts begins a new
//! one, unless the newest was the reserve and has room left. So a torn write can only stand at a segment's end.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"BATONJNL";
/// Version of the format that this program writes, and the newest that it reads.
pub const FORMAT_VERSION: u16 = 1;
/// Bytes of a segment before its first frame.
pub(super) const HEADER_BYTES: usize = 16;
/// Records hold phone numbers and replies: for the owner's eyes only.
pub(super) const FILE_MODE: u32 = 0o600;

/// What a segment's file is, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// Ours; frames follow.
    Ours,
    /// A crash came between creating the file and writing its header: it holds nothing.
    Unfinished,
    /// Written by a newer Baton.
    Newer(u16),
    /// Not written by Baton, or its header is damaged.
    Foreign,
}

fn header() -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..8].copy_from_slice(MAGIC);
    header[8..10].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    let crc = crc32fast::hash(&header[..12]);
    header[12..].copy_from_slice(&crc.to_le_bytes());
    header
}

impl Header {
    /// Reads what stands at the start of a segment's bytes.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let Some((found, rest)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
            let unfinished = header().starts_with(bytes) || bytes.iter().all(|&byte| byte == 0);
            return if unfinished { Self::Unfinished } else { Self::Foreign };
        };
        if found.iter().chain(rest).all(|&byte| byte == 0) {
            return Self::Unfinished;
        }
        let version = u16::from_le_bytes([found[8], found[9]]);
        if !found.starts_with(MAGIC) {
            Self::Foreign
        } else if version > FORMAT_VERSION {
            Self::Newer(version)
        } else if found == &header() {
            Self::Ours
        } else {
            Self::Foreign
        }
    }
}

/// The segments of a directory in the order in which they were written.
pub(super) fn list(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name
            .to_str()
            .and_then(|name| name.strip_prefix("calls-")?.strip_suffix(".journal")?.parse::<u64>().ok());
        if let Some(number) = number {
            found.push((number, entry.path()));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Where segment `number` stands.
pub(super) fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("calls-{number:010}.journal"))
}

/// Makes creations and removals in a directory durable.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Room in a segment that its process did not come to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unused {
    pub(super) number: u64,
    /// Where its last whole frame ends.
    pub(super) end: u64,
    /// From where on it is zeros.
    pub(super) written: u64,
    /// Bytes of the file.
    pub(super) bytes: u64,
}

/// The segment that is being written.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) number: u64,
    pub(super) path: PathBuf,
    file: File,
    /// Bytes that are known to be on disk.
    durable: u64,
    /// Bytes whose blocks were taken beforehand.
    reserved: u64,
}

impl Segment {
    /// Creates segment `number`; its header and its name are durable on return.
    pub(super) fn create(dir: &Path, number: u64) -> io::Result<Self> {
        let path = path(dir, number);
        let file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(&path)?;
        let written =
            file.write_all_at(&header(), 0).and_then(|()| file.sync_all()).and_then(|()| sync_dir(dir));
        if let Err(error) = written {
            fs::remove_file(&path).unwrap_or_else(|_| {
                tracing::warn!(file = %path.display(), "an empty journal segment could not be removed");
            });
            return Err(error);
        }
        Ok(Self { number, path, file, durable: u64::try_from(HEADER_BYTES).expect("16"), reserved: 0 })
    }

    /// Makes the file at `from`, whose `bytes` blocks are taken and zero, segment `number`; as durable on return as a
    /// created one.
    pub(super) fn of_reserve(from: &Path, dir: &Path, number: u64, bytes: u64) -> io::Result<Self> {
        let path = path(dir, number);
        let file = OpenOptions::new().write(true).open(from)?;
        file.write_all_at(&header(), 0)?;
        file.sync_all()?;
        fs::rename(from, &path)?;
        sync_dir(dir)?;
        Ok(Self { number, path, file, durable: u64::try_from(HEADER_BYTES).expect("16"), reserved: bytes })
    }

    /// Goes on in a segment that was the reserve, whose process died before it was used up: on a full disk there is no
    /// other room. What a crash cut short behind the last whole frame was never acknowledged, and is wiped out.
    pub(super) fn again(dir: &Path, unused: Unused) -> io::Result<Self> {
        let Unused { number, end, written, bytes } = unused;
        let path = path(dir, number);
        let file = OpenOptions::new().write(true).open(&path)?;
        let torn = usize::try_from(written - end).expect("less than a file that was read");
        file.write_all_at(&vec![0; torn], end)?;
        file.sync_all()?;
        Ok(Self { number, path, file, durable: end, reserved: bytes })
    }

    /// Bytes of blocks that were taken beforehand and are not used yet.
    pub(super) const fn reserved(&self) -> u64 {
        self.reserved.saturating_sub(self.durable)
    }

    /// Whether it was the reserve.
    pub(super) const fn was_reserve(&self) -> bool {
        self.reserved > 0
    }

    /// Ends it: nothing more is appended. Blocks that it does not need are given back.
    pub(super) fn seal(self) {
        if self.was_reserve()
            && let Err(error) = self.file.set_len(self.durable)
        {
            tracing::warn!(file = %self.path.display(), %error, "unused room stays in the journal");
        }
    }

    /// Bytes that are known to be on disk: where the next append begins.
    pub(super) const fn durable(&self) -> u64 {
        self.durable
    }

    /// Whether it holds no frame.
    pub(super) fn is_empty(&self) -> bool {
        usize::try_from(self.durable) == Ok(HEADER_BYTES)
    }

    /// Appends `bytes`; they are durable on return. After an error the segment must be [closed](Self::close):
    /// what `fdatasync` refused once may be lost although it succeeds the next time.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, self.durable)?;
        self.file.sync_data()?;
        self.durable += u64::try_from(bytes.len()).expect("a length fits u64");
        Ok(())
    }

    /// Gives the segment up after a failed append: cuts off what was not acknowledged, as far as the disk
    /// still allows, and removes a file that holds nothing. A reader needs neither; they keep it tidy.
    pub(super) fn close(self) {
        let tidied =
            if self.is_empty() { fs::remove_file(&self.path) } else { self.file.set_len(self.durable) };
        if let Err(error) = tidied {
            tracing::warn!(file = %self.path.display(), %error, "an unfinished append stays in the journal");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_says_whose_file_it_is() {
        let ours = header();
        assert_eq!(Header::of(&ours), Header::Ours);
        for cut in 0..HEADER_BYTES {
            assert_eq!(Header::of(&ours[..cut]), Header::Unfinished, "cut at {cut}");
        }
        assert_eq!(Header::of(&[0; 40]), Header::Unfinished);
        assert_eq!(Header::of(b"SQLite format 3\0and so on"), Header::Foreign);
        let mut newer = ours;
        newer[8] = 2;
        assert_eq!(Header::of(&newer), Header::Newer(2));
        for byte in 0..8 {
            let mut damaged = ours;
            damaged[byte] ^= 0x10;
            assert_eq!(Header::of(&damaged), Header::Foreign, "byte {byte}");
        }
    }
}
