//! A directory that keeps what the speech command said, so that a restart needs no speech.
//!
//! ```text
//! <digest of command, voice and text>.wav:  RIFF ─ fmt (8 kHz, 16 bits) ─ data ─ "sha2" (SHA-256 of the samples)
//! lock                                      held by whoever writes: several processes may share the directory
//! ```
//! Each file is a WAV file like any other, to be listened to. One that is cut short or damaged does not fit its
//! digest and counts as not there. A fault of the directory is told once in the log and costs nothing else: the
//! text is spoken anew. `rm` may take any file at any time.

use std::fs::{self, File, FileTimes};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use nix::fcntl::{Flock, FlockArg};

use super::wav::{HEAD_BYTES, head};
use crate::id::Digest;

/// Bytes of the chunk behind the samples: a digest in hexadecimal.
const TAIL_BYTES: usize = 8 + 64;
/// Its name and size.
const TAIL: &[u8] = b"sha2\x40\0\0\0";

/// The directory.
#[derive(Debug)]
pub(super) struct Cache {
    dir: PathBuf,
    /// Bytes that it may hold.
    limit: u64,
    complained: AtomicBool,
}

impl Cache {
    pub(super) const fn new(dir: PathBuf, limit: u64) -> Self {
        Self { dir, limit, complained: AtomicBool::new(false) }
    }

    fn path(&self, key: Digest) -> PathBuf {
        self.dir.join(format!("{key}.wav"))
    }

    /// The samples at 8 kHz that are kept under a key. They count as used: what nobody used for longest makes room
    /// first.
    pub(super) fn read(&self, key: Digest) -> Option<Vec<i16>> {
        let path = self.path(key);
        let bytes = fs::read(&path).ok()?;
        let Some(samples) = unpack(&bytes) else {
            tracing::info!(file = %path.display(), "a damaged file of the speech cache is made anew");
            return None;
        };
        let used = FileTimes::new().set_modified(SystemTime::now());
        if File::options().write(true).open(&path).and_then(|file| file.set_times(used)).is_err() {
            tracing::debug!(file = %path.display(), "its use is not noted");
        }
        Some(samples)
    }

    /// Keeps samples under a key; what nobody used for longest makes room.
    pub(super) fn write(&self, key: Digest, samples: &[i16]) {
        let bytes = pack(samples);
        if size(&bytes) > self.limit {
            return;
        }
        if let Err(error) = self.put(key, &bytes)
            && !self.complained.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(dir = %self.dir.display(), %error, "speech is not kept on disk ([speech] cache)");
        }
    }

    /// Whole or not at all: a reader never sees a part.
    fn put(&self, key: Digest, bytes: &[u8]) -> io::Result<()> {
        fs::create_dir_all(&self.dir)?;
        let lock = File::create(self.dir.join("lock"))?;
        let lock = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, error)| error)?;
        self.make_room(size(bytes))?;
        let all = fs::Permissions::from_mode(0o666); // less the umask: as any other file
        let mut unfinished =
            tempfile::Builder::new().suffix(".part").permissions(all).tempfile_in(&self.dir)?;
        unfinished.write_all(bytes)?;
        unfinished.persist(self.path(key)).map_err(|error| error.error)?;
        drop(lock);
        Ok(())
    }

    /// Whoever calls this holds the lock: what is unfinished was left by a process that is gone.
    fn make_room(&self, size: u64) -> io::Result<()> {
        for path in files(&self.dir, "part")? {
            gone(fs::remove_file(path))?;
        }
        let mut kept = kept(&self.dir)?;
        let mut total: u64 = kept.iter().map(|file| file.1).sum();
        kept.sort_unstable();
        let mut oldest = kept.into_iter();
        while total.saturating_add(size) > self.limit {
            let Some((_, bytes, path)) = oldest.next() else { break };
            gone(fs::remove_file(path))?;
            total = total.saturating_sub(bytes);
        }
        Ok(())
    }
}

fn size(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// A file that somebody else removed is removed.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    removed.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

/// The files with this extension.
fn files(dir: &Path, extension: &str) -> io::Result<Vec<PathBuf>> {
    let paths: io::Result<Vec<PathBuf>> = fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect();
    Ok(paths?.into_iter().filter(|path| path.extension().is_some_and(|it| it == extension)).collect())
}

/// What is kept: when each file was used, its size, its path.
fn kept(dir: &Path) -> io::Result<Vec<(SystemTime, u64, PathBuf)>> {
    let mut kept = Vec::new();
    for path in files(dir, "wav")? {
        match fs::metadata(&path) {
            Ok(about) => kept.push((about.modified()?, about.len(), path)),
            Err(error) => gone(Err(error))?,
        }
    }
    Ok(kept)
}

/// Samples as a file of the cache.
fn pack(samples: &[i16]) -> Vec<u8> {
    let data: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let digest = Digest::of(&data).to_string();
    [head(data.len(), TAIL_BYTES).as_slice(), &data, TAIL, digest.as_bytes()].concat()
}

/// The samples of a file of the cache, if it is whole.
fn unpack(bytes: &[u8]) -> Option<Vec<i16>> {
    let (start, rest) = bytes.split_first_chunk::<HEAD_BYTES>()?;
    let (data, tail) = rest.split_at_checked(rest.len().checked_sub(TAIL_BYTES)?)?;
    let digest = Digest::of(data).to_string();
    let whole = *start == head(data.len(), TAIL_BYTES) && tail.strip_prefix(TAIL)? == digest.as_bytes();
    whole.then(|| data.as_chunks().0.iter().map(|bytes| i16::from_le_bytes(*bytes)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_file_counts_as_not_there() {
        let dir = tempfile::TempDir::new().unwrap();
        let cache = Cache::new(dir.path().join("new"), 10_000);
        let (key, samples) = (Digest::of(b"hello"), vec![1, -2, 300, i16::MIN]);
        assert_eq!(cache.read(key), None);
        cache.write(key, &samples);
        assert_eq!(cache.read(key), Some(samples.clone()));
        let path = cache.path(key);
        let whole = fs::read(&path).unwrap();
        let audio = super::super::wav::read(&whole, std::time::Duration::MAX).unwrap();
        assert_eq!((audio.hz, audio.samples.len()), (8_000, samples.len()), "it can be listened to");
        for cut in 0..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            assert_eq!(cache.read(key), None, "cut after {cut} bytes");
        }
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            fs::write(&path, damaged).unwrap();
            assert_eq!(cache.read(key), None, "byte {at}");
        }
        cache.write(key, &samples);
        assert_eq!(cache.read(key), Some(samples), "it is made anew");
    }

    #[test]
    fn processes_that_share_it_stay_within_its_bound_together() {
        let dir = tempfile::TempDir::new().unwrap();
        let limit = 3 * size(&pack(&[0; 100]));
        let caches = [Cache::new(dir.path().into(), limit), Cache::new(dir.path().into(), limit)];
        fs::write(dir.path().join("left_by_a_crash.part"), [0; 5_000]).unwrap();
        fs::write(dir.path().join("README"), "somebody's own").unwrap();
        std::thread::scope(|scope| {
            for cache in &caches {
                scope.spawn(|| {
                    for number in 0..50_i16 {
                        let key = Digest::of(&number.to_le_bytes());
                        if let Some(samples) = cache.read(key) {
                            assert_eq!(samples, vec![number; 100], "never a part, never another's");
                        }
                        cache.write(key, &[number; 100]);
                        let held: u64 = kept(dir.path()).unwrap().iter().map(|file| file.1).sum();
                        assert!(held <= limit, "{held} bytes");
                    }
                });
            }
        });
        assert!(
            !caches[0].complained.load(Ordering::Relaxed) && !caches[1].complained.load(Ordering::Relaxed)
        );
        assert!(dir.path().join("README").exists() && !dir.path().join("left_by_a_crash.part").exists());
        assert!(caches[0].read(Digest::of(&49_i16.to_le_bytes())).is_some());
    }

    #[test]
    fn what_is_used_stays() {
        let dir = tempfile::TempDir::new().unwrap();
        let cache = Cache::new(dir.path().into(), 2 * size(&pack(&[0; 100])));
        let key = |number: u8| Digest::of(&[number]);
        let later = || std::thread::sleep(std::time::Duration::from_millis(15)); // file times tell them apart
        cache.write(key(1), &[1; 100]);
        later();
        cache.write(key(2), &[2; 100]);
        later();
        assert!(cache.read(key(1)).is_some());
        later();
        cache.write(key(3), &[3; 100]);
        assert!(cache.read(key(1)).is_some() && cache.read(key(2)).is_none());
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_told_once() {
        let dir = tempfile::TempDir::new().unwrap();
        let file = dir.path().join("no_directory");
        fs::write(&file, "").unwrap();
        let cache = Cache::new(file, 10_000);
        cache.write(Digest::of(b"a"), &[1]);
        assert!(cache.complained.load(Ordering::Relaxed));
        assert_eq!(cache.read(Digest::of(b"a")), None);
    }
}
