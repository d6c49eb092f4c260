//! Files by the digest of what is in them, as the members of a cluster hand them to each other. Edge.
//!
//! ```text
//! DIR/<digest>            whole, and held against its digest when it came
//!    /.part-<digest>      on its way; it goes on where it broke off, also after a restart
//! ```
//! Nothing gets a name here before its bytes are on disk and have that digest. An edition of a questionnaire is made of
//! such files by hard links, so that both take the disk's room once, and either may be removed.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::id::Digest;

/// How the names of files begin that are not whole.
const PART: &str = ".part-";

/// What is in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Content {
    /// Its digest.
    pub digest: Digest,
    /// How long it is.
    pub bytes: u64,
}

impl Content {
    /// Of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self { digest: Digest::of(bytes), bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX) }
    }
}

/// Why a file is not here.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The disk.
    #[error("{}: {source}", .path.display())]
    Disk {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// What came, or what is kept, is something else.
    #[error("what should be {} has another digest or length", .wanted.digest)]
    Other {
        /// What it should be.
        wanted: Content,
    },
}

/// The directory of all of them.
#[derive(Clone, Debug)]
pub struct Files {
    dir: PathBuf,
}

impl Files {
    /// Those in `dir`. Nothing is made yet.
    #[must_use]
    pub const fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Where a file is, or would be.
    #[must_use]
    pub fn path(&self, digest: Digest) -> PathBuf {
        self.dir.join(digest.to_string())
    }

    /// Whether it is here, whole.
    #[must_use]
    pub fn has(&self, content: Content) -> bool {
        fs::metadata(self.path(content.digest))
            .is_ok_and(|file| file.is_file() && file.len() == content.bytes)
    }

    /// Keeps these bytes.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn keep(&self, bytes: &[u8]) -> Result<Content, FileError> {
        let content = Content::of(bytes);
        if !self.has(content) {
            self.made()?;
            // Of a name of its own: another part of this process may be writing the same.
            let wrong = self.wrong(content);
            let mut new = tempfile::Builder::new().prefix(PART).tempfile_in(&self.dir).map_err(&wrong)?;
            new.write_all(bytes).and_then(|()| new.as_file().sync_all()).map_err(&wrong)?;
            new.persist(self.path(content.digest)).map_err(|error| wrong(error.error))?;
            self.synced()?;
        }
        Ok(content)
    }

    /// Keeps a file that stands elsewhere, by a link where that is possible. Its content is known.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn keep_file(&self, path: &std::path::Path, content: Content) -> Result<(), FileError> {
        if self.has(content) {
            return Ok(());
        }
        self.made()?;
        if fs::hard_link(path, self.path(content.digest)).is_ok() {
            return self.synced();
        }
        let bytes = fs::read(path).map_err(self.wrong(content))?;
        if self.keep(&bytes)? == content { Ok(()) } else { Err(FileError::Other { wanted: content }) }
    }

    /// The bytes of a file, held against its digest.
    ///
    /// # Errors
    /// If it is not here, or damaged: then it is removed, so that it can be had anew.
    pub fn read(&self, content: Content) -> Result<Vec<u8>, FileError> {
        let mut bytes = Vec::new();
        let file = File::open(self.path(content.digest)).map_err(self.wrong(content))?;
        file.take(content.bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(self.wrong(content))?;
        if Content::of(&bytes) == content {
            return Ok(bytes);
        }
        tracing::error!(digest = %content.digest, "a kept file is damaged; it is removed, to be had anew");
        drop(fs::remove_file(self.path(content.digest)));
        Err(FileError::Other { wanted: content })
    }

    /// Some bytes of a file from an offset on: fewer than `most` at its end, none behind it.
    ///
    /// # Errors
    /// If it is not here, or cannot be read.
    pub fn piece(&self, digest: Digest, offset: u64, most: usize) -> io::Result<Vec<u8>> {
        let mut file = File::open(self.path(digest))?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.take(u64::try_from(most).unwrap_or(u64::MAX)).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Begins to take a file, or goes on where it broke off.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn begin(&self, content: Content) -> Result<Part, FileError> {
        self.made()?;
        let path = self.dir.join(format!("{PART}{}", content.digest));
        let opened = OpenOptions::new().create(true).append(true).open(&path);
        let file = opened.map_err(self.wrong(content))?;
        let mut have = file.metadata().map_err(self.wrong(content))?.len();
        if have > content.bytes {
            file.set_len(0).map_err(self.wrong(content))?;
            have = 0;
        }
        Ok(Part { files: self.clone(), path, file, content, have })
    }

    /// Removes what nobody names: neither these nor, by a link, an edition. What cannot be removed stays.
    pub fn retain(&self, named: &BTreeSet<Digest>) {
        let Ok(entries) = fs::read_dir(&self.dir) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let whole = name.parse::<Digest>().ok();
            let part = name.strip_prefix(PART);
            let is_linked = entry.metadata().is_ok_and(|file| file.nlink() > 1);
            let goes = match (whole, part) {
                (Some(digest), _) => !is_linked && !named.contains(&digest),
                (None, Some(part)) => part.parse::<Digest>().is_ok_and(|digest| !named.contains(&digest)),
                // Only what is ours: somebody's own file is left alone.
                (None, None) => false,
            };
            if goes && let Err(error) = fs::remove_file(entry.path()) {
                tracing::warn!(file = %entry.path().display(), %error, "a file that nobody needs is not removed");
            }
        }
    }

    fn made(&self) -> Result<(), FileError> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.dir);
        made.map_err(|source| FileError::Disk { path: self.dir.clone(), source })
    }

    fn synced(&self) -> Result<(), FileError> {
        let synced = File::open(&self.dir).and_then(|dir| dir.sync_all());
        synced.map_err(|source| FileError::Disk { path: self.dir.clone(), source })
    }

    fn wrong(&self, content: Content) -> impl Fn(io::Error) -> FileError + use<> {
        let path = self.path(content.digest);
        move |source| FileError::Disk { path: path.clone(), source }
    }
}

/// A file on its way here.
#[derive(Debug)]
pub struct Part {
    files: Files,
    path: PathBuf,
    file: File,
    content: Content,
    have: u64,
}

impl Part {
    /// How much of it is here.
    #[must_use]
    pub const fn have(&self) -> u64 {
        self.have
    }

    /// Whether all of it is here, whatever it is.
    #[must_use]
    pub const fn is_long_enough(&self) -> bool {
        self.have >= self.content.bytes
    }

    /// Adds what comes next. What is too long is wrong as a whole: it begins anew.
    ///
    /// # Errors
    /// If it is, or if the disk refuses.
    pub fn add(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        let have = self.have.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if have > self.content.bytes {
            self.drop_all()?;
            return Err(FileError::Other { wanted: self.content });
        }
        self.file.write_all(bytes).map_err(self.files.wrong(self.content))?;
        self.have = have;
        Ok(())
    }

    /// Holds it against its digest and gives it its name. Waits for the disk.
    ///
    /// # Errors
    /// If it is something else (nothing of it is kept then), or if the disk refuses.
    pub fn finish(mut self) -> Result<(), FileError> {
        let wrong = self.files.wrong(self.content);
        let bytes = fs::read(&self.path).map_err(&wrong)?;
        if Content::of(&bytes) != self.content {
            self.drop_all()?;
            return Err(FileError::Other { wanted: self.content });
        }
        self.file.sync_all().map_err(&wrong)?;
        fs::rename(&self.path, self.files.path(self.content.digest)).map_err(&wrong)?;
        self.files.synced()
    }

    fn drop_all(&mut self) -> Result<(), FileError> {
        self.have = 0;
        self.file.set_len(0).map_err(self.files.wrong(self.content))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world() -> (tempfile::TempDir, Files) {
        let dir = tempfile::TempDir::new().unwrap();
        let files = Files::new(dir.path().join("files"));
        (dir, files)
    }

    #[test]
    fn a_file_goes_on_where_it_broke_off_and_is_named_when_it_is_whole() {
        let (_dir, files) = world();
        let content = Content::of(b"what is said");
        let mut part = files.begin(content).unwrap();
        part.add(b"what ").unwrap();
        drop(part); // the process dies
        assert!(!files.has(content));
        let mut part = files.begin(content).unwrap();
        assert_eq!(part.have(), 5);
        part.add(b"is said").unwrap();
        assert!(part.is_long_enough());
        part.finish().unwrap();
        assert!(files.has(content));
        assert_eq!(files.read(content).unwrap(), b"what is said");
        assert_eq!(files.piece(content.digest, 8, 100).unwrap(), b"said");
        assert_eq!(files.piece(content.digest, 100, 100).unwrap(), b"");
    }

    #[test]
    fn what_is_something_else_or_too_long_leaves_nothing() {
        let (dir, files) = world();
        let content = Content::of(b"good");
        let mut part = files.begin(content).unwrap();
        part.add(b"evil").unwrap();
        assert!(matches!(part.finish(), Err(FileError::Other { wanted }) if wanted == content));
        let mut part = files.begin(content).unwrap();
        assert_eq!(part.have(), 0, "it begins anew");
        assert!(part.add(b"good and more").is_err());
        part.add(b"good").unwrap();
        part.finish().unwrap();
        assert!(files.has(content));
        fs::write(dir.path().join("files").join(content.digest.to_string()), "evil").unwrap();
        assert!(files.read(content).is_err());
        assert!(!files.has(content), "it can be had anew");
    }

    #[test]
    fn only_what_nobody_names_goes() {
        let (dir, files) = world();
        let [kept, linked, old] = [b"kept".as_slice(), b"linked", b"old"].map(|it| files.keep(it).unwrap());
        fs::hard_link(files.path(linked.digest), dir.path().join("edition")).unwrap();
        let (wanted, unwanted) = (Content::of(b"wanted"), Content::of(b"unwanted"));
        for content in [wanted, unwanted] {
            files.begin(content).unwrap().add(b"w").unwrap();
        }
        fs::write(dir.path().join("files/README"), "mine").unwrap();
        files.retain(&BTreeSet::from([kept.digest, wanted.digest]));
        assert!(files.has(kept) && files.has(linked) && !files.has(old));
        assert_eq!((files.begin(wanted).unwrap().have(), files.begin(unwanted).unwrap().have()), (1, 0));
        assert!(dir.path().join("files/README").exists());
        files.keep_file(&dir.path().join("edition"), linked).unwrap();
    }
}
