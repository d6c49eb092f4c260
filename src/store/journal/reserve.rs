//! Room for the calls under way on a full disk: a file whose blocks are taken beforehand, and that becomes a segment
//! when no other can be written.
//!
//! ```text
//! whole ── the disk refuses a write ─► calls-0000000008.journal, written in its own blocks
//!   ▲                                        │ no new calls
//!   └──────── there is room again ◄──────────┘
//! ```
//! It is never given back to the disk and taken anew in between: whatever filled the disk would be faster.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};
use nix::sys::statvfs::statvfs;

use super::segment::{self, FILE_MODE, Segment};

/// Name of the file.
const FILE: &str = "reserve";
/// Of the reserve, the part that must be free on the disk besides for new calls to be taken: results and recordings of
/// the calls under way go there.
const FREE_PART: u64 = 8;
/// Bytes of zeros written at once where the file system takes no blocks beforehand.
const CHUNK: usize = 1 << 20;

/// The reserve of a journal.
#[derive(Debug)]
pub(super) struct Reserve {
    dir: PathBuf,
    bytes: u64,
    whole: bool,
}

impl Reserve {
    /// That of the journal in `dir`, not taken yet. Zero bytes: there is none.
    pub(super) fn new(dir: &Path, bytes: u64) -> Self {
        Self { dir: dir.to_owned(), bytes, whole: false }
    }

    /// Whether there is one.
    pub(super) const fn is_wanted(&self) -> bool {
        self.bytes > 0
    }

    /// Whether all its blocks are taken.
    pub(super) const fn is_whole(&self) -> bool {
        self.whole
    }

    /// Its bytes, when it is whole.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes that are free on its disk for whoever needs them.
    pub(super) fn free(&self) -> io::Result<u64> {
        let disk = statvfs(&self.dir)?;
        Ok(disk.blocks_available().saturating_mul(disk.fragment_size()))
    }

    /// Bytes that must be free for new calls to be taken, now that they are or are not taken.
    pub(super) const fn needed(&self, taking: bool) -> u64 {
        let least = self.bytes.div_ceil(FREE_PART);
        match (taking, self.whole) {
            (true, true) => least,
            // Twice, so that it does not change with every file that comes and goes.
            (false, true) => least.saturating_mul(2),
            (_, false) => self.bytes.saturating_add(least.saturating_mul(2)),
        }
    }

    /// Takes its blocks. Those that an earlier process took are kept.
    pub(super) fn fill(&mut self) -> io::Result<()> {
        let path = self.dir.join(FILE);
        if !self.is_wanted() {
            return match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false).mode(FILE_MODE);
        let taken = options.open(&path).and_then(|file| take(&file, self.bytes));
        if let Err(error) = taken {
            drop(fs::remove_file(&path)); // half of it is of no use, and others need the room
            return Err(error);
        }
        segment::sync_dir(&self.dir)?;
        self.whole = true;
        Ok(())
    }

    /// Keeps what an earlier process took, and takes nothing.
    pub(super) fn find(&mut self) -> io::Result<()> {
        match fs::metadata(self.dir.join(FILE)) {
            Ok(found) if found.len() >= self.bytes && has_blocks(&found) => self.fill(),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Makes it segment `number`.
    pub(super) fn spend(&mut self, number: u64) -> io::Result<Segment> {
        self.whole = false;
        Segment::of_reserve(&self.dir.join(FILE), &self.dir, number, self.bytes)
    }
}

/// Whether the blocks of a file are really there: a copy of it may have holes.
fn has_blocks(file: &fs::Metadata) -> bool {
    file.blocks().saturating_mul(512) >= file.len()
}

fn take(file: &File, bytes: u64) -> io::Result<()> {
    let found = file.metadata()?;
    if found.len() > bytes {
        file.set_len(bytes)?;
    }
    if found.len() < bytes || !has_blocks(&found) {
        let length = i64::try_from(bytes).unwrap_or(i64::MAX);
        match fallocate(file, FallocateFlags::empty(), 0, length) {
            Ok(()) => {}
            Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => write_zeros(file, bytes)?,
            Err(error) => return Err(error.into()),
        }
    }
    file.sync_all()
}

fn write_zeros(file: &File, bytes: u64) -> io::Result<()> {
    let zeros = vec![0; CHUNK];
    let mut at = 0;
    while at < bytes {
        let length = usize::try_from(bytes - at).unwrap_or(CHUNK).min(CHUNK);
        file.write_all_at(zeros.get(..length).expect("at most a chunk"), at)?;
        at += u64::try_from(length).expect("a chunk");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_blocks_are_real_and_those_of_an_earlier_process_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let mut reserve = Reserve::new(dir.path(), 3 << 20);
        reserve.find().unwrap();
        assert!(!reserve.is_whole());
        reserve.fill().unwrap();
        let first = fs::metadata(&path).unwrap();
        assert!(reserve.is_whole() && first.len() == 3 << 20 && has_blocks(&first), "{first:?}");
        let mut next = Reserve::new(dir.path(), 3 << 20);
        next.find().unwrap();
        assert!(next.is_whole() && fs::metadata(&path).unwrap().ino() == first.ino());
        // A copy with holes, and one of another size.
        fs::File::create(&path).unwrap().set_len(3 << 20).unwrap();
        let mut copied = Reserve::new(dir.path(), 3 << 20);
        copied.find().unwrap();
        assert!(!copied.is_whole());
        copied.fill().unwrap();
        assert!(has_blocks(&fs::metadata(&path).unwrap()));
        Reserve::new(dir.path(), 1 << 20).fill().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), 1 << 20);
        Reserve::new(dir.path(), 0).fill().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_file_system_without_preallocation_gets_zeros() {
        let dir = tempfile::tempdir().unwrap();
        let file = fs::File::create(dir.path().join("zeros")).unwrap();
        write_zeros(&file, (1 << 20) + 77).unwrap();
        let found = file.metadata().unwrap();
        assert!(found.len() == (1 << 20) + 77 && has_blocks(&found));
    }

    #[test]
    fn what_must_be_free_is_more_to_begin_again_than_to_go_on() {
        let mut reserve = Reserve::new(Path::new("/nowhere"), 64 << 20);
        assert_eq!(reserve.needed(false), 80 << 20, "the reserve is taken first");
        reserve.whole = true;
        assert_eq!((reserve.needed(true), reserve.needed(false)), (8 << 20, 16 << 20));
    }
}
