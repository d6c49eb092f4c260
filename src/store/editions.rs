//! The editions of questionnaires that calls are pinned to: each with its recordings, by its digest. Edge.
//!
//! ```text
//! DIR/<digest>/questionnaire.xml      the file as it was when calls were placed with it
//!             /en/hello.wav …         the recordings that it names
//! DIR/.new-…                          one that is being written; gone at the next start
//! ```
//! A call goes on with the edition that it began with, also after a restart, whatever became of the file meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::id::Digest;
use crate::questionnaire::Questionnaire;
use crate::xml::{self, Finding, Severity};

/// The questionnaire in its directory.
const FILE: &str = "questionnaire.xml";
/// How directories begin that are not finished.
const UNFINISHED: &str = ".new-";

/// A questionnaire whose file and recordings are kept.
#[derive(Clone, Debug)]
pub struct Edition {
    /// It, pinned to its recordings.
    pub questionnaire: Questionnaire,
    /// The kept file; the recordings stand below its directory.
    pub file: PathBuf,
    /// The bytes of the file.
    pub bytes: Vec<u8>,
    /// What is to be said about it, but no error.
    pub warnings: Vec<Finding>,
}

/// Why there is no edition.
#[derive(Debug, thiserror::Error)]
pub enum EditionError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The questionnaire has errors.
    #[error("{} cannot be used:\n{}", .path.display(), lines(.findings))]
    Broken {
        /// The file.
        path: PathBuf,
        /// All its findings.
        findings: Vec<Finding>,
    },
    /// A recording is far too long.
    #[error("{} has more than {limit} bytes; see [limits] prompt_file", .path.display())]
    TooLarge {
        /// The recording.
        path: PathBuf,
        /// What is read.
        limit: u64,
    },
    /// It cannot be kept.
    #[error("the edition cannot be kept in {}: {source}", .dir.display())]
    Unkept {
        /// Where.
        dir: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// What is kept is not what was written.
    #[error("the kept edition {} is damaged", .dir.display())]
    Damaged {
        /// Where.
        dir: PathBuf,
    },
}

fn lines(findings: &[Finding]) -> String {
    findings.iter().map(Finding::to_string).collect::<Vec<_>>().join("\n")
}

/// The directory of all editions.
#[derive(Clone, Debug)]
pub struct Editions {
    dir: PathBuf,
    /// Bytes of one recording.
    limit: u64,
}

impl Editions {
    /// Those in `dir`, with recordings of at most `limit` bytes. Nothing is made yet.
    #[must_use]
    pub const fn new(dir: PathBuf, limit: u64) -> Self {
        Self { dir, limit }
    }

    /// Reads a questionnaire with its recordings and keeps this edition of it.
    ///
    /// # Errors
    /// [`EditionError`]; a broken one is not kept.
    pub fn keep(&self, file: &Path) -> Result<Edition, EditionError> {
        let (read, recordings) = self.read(file, &file.display().to_string())?;
        let kept = self.dir.join(read.questionnaire.digest().to_string());
        if !kept.join(FILE).is_file() {
            let written = self.write(&kept, &read.bytes, &recordings);
            written.map_err(|source| EditionError::Unkept { dir: self.dir.clone(), source })?;
        }
        Ok(Edition { file: kept.join(FILE), ..read })
    }

    /// An edition that was kept before.
    ///
    /// # Errors
    /// [`EditionError`], if it is not there or not whole.
    pub fn load(&self, digest: Digest) -> Result<Edition, EditionError> {
        let dir = self.dir.join(digest.to_string());
        let file = dir.join(FILE);
        let (read, _) = self.read(&file, &file.display().to_string())?;
        if read.questionnaire.digest() == digest { Ok(read) } else { Err(EditionError::Damaged { dir }) }
    }

    /// Removes all other editions, and what is unfinished. What cannot be removed stays, and is told in the log.
    pub fn retain(&self, needed: &BTreeSet<Digest>) {
        let needed: BTreeSet<String> = needed.iter().map(Digest::to_string).collect();
        let Ok(entries) = fs::read_dir(&self.dir) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            // Only what is ours: somebody's own file is left alone.
            let is_edition = name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
            let goes = (is_edition && !needed.contains(&name)) || name.starts_with(UNFINISHED);
            if goes && let Err(error) = fs::remove_dir_all(entry.path()) {
                tracing::warn!(dir = %entry.path().display(), %error, "an old edition is not removed");
            }
        }
    }

    /// Reads file and recordings, each once: what is checked is what is kept.
    fn read(&self, file: &Path, name: &str) -> Result<(Edition, Recordings), EditionError> {
        let most = u64::try_from(xml::MAX_BYTES).unwrap_or(u64::MAX);
        // One byte more: the check says how long it may be.
        let bytes = read_most(file, most.saturating_add(1))?;
        let dir = file.parent().unwrap_or(Path::new(""));
        let has_audio = |path: &str| dir.join(path).is_file();
        let loaded = Questionnaire::load_with(name, &bytes, &has_audio);
        let broken = |findings| EditionError::Broken { path: file.to_owned(), findings };
        let (questionnaire, warnings) = loaded.map_err(broken)?;
        if warnings.iter().any(|finding| finding.severity == Severity::Error) {
            return Err(broken(warnings));
        }
        let mut recordings = Recordings::new();
        for path in questionnaire.recordings() {
            let place = dir.join(&path);
            let recording = read_most(&place, self.limit.saturating_add(1))?;
            if u64::try_from(recording.len()).is_ok_and(|bytes| bytes > self.limit) {
                return Err(EditionError::TooLarge { path: place, limit: self.limit });
            }
            recordings.insert(path, recording);
        }
        let digests: BTreeMap<String, Digest> =
            recordings.iter().map(|(path, recording)| (path.clone(), Digest::of(recording))).collect();
        let questionnaire = questionnaire.with_recordings(&digests);
        Ok((Edition { questionnaire, file: file.to_owned(), bytes, warnings }, recordings))
    }

    /// Whole or not at all, and durable before any call names it.
    fn write(&self, kept: &Path, bytes: &[u8], recordings: &Recordings) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        let unfinished = tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(&self.dir)?;
        let root = unfinished.path();
        let mut dirs = BTreeSet::from([root.to_owned()]);
        put(&root.join(FILE), bytes)?;
        for (path, recording) in recordings {
            let place = root.join(path);
            let dir = place.parent().unwrap_or(root).to_owned();
            fs::create_dir_all(&dir)?;
            dirs.extend(dir.ancestors().take_while(|dir| dir.starts_with(root)).map(Path::to_owned));
            put(&place, recording)?;
        }
        for dir in &dirs {
            File::open(dir)?.sync_all()?;
        }
        if kept.exists() {
            // What is there has no questionnaire in it: somebody took it away.
            fs::remove_dir_all(kept)?;
        }
        fs::rename(unfinished.keep(), kept)?;
        File::open(&self.dir)?.sync_all()
    }
}

/// Recordings by their paths.
type Recordings = BTreeMap<String, Vec<u8>>;

fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn read_most(path: &Path, most: u64) -> Result<Vec<u8>, EditionError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes));
    read.map_err(|source| EditionError::Unreadable { path: path.to_owned(), source })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const XML: &str = "<questionnaire id='q' version='1' languages='en' xmlns='urn:baton:questionnaire:1'>\
        <section id='s'><statement id='hello'><say lang='en' audio='en/hello.wav'>Hello</say></statement></section>\
        <end id='done' outcome='complete'/></questionnaire>";

    struct Place {
        dir: tempfile::TempDir,
        editions: Editions,
    }

    impl Place {
        fn new() -> Self {
            let dir = tempfile::TempDir::new().unwrap();
            fs::create_dir_all(dir.path().join("files/en")).unwrap();
            fs::write(dir.path().join("files/q.xml"), XML).unwrap();
            fs::write(dir.path().join("files/en/hello.wav"), "first").unwrap();
            let editions = Editions::new(dir.path().join("editions"), 100);
            Self { dir, editions }
        }

        fn write(&self, path: &str, text: &str) {
            fs::write(self.dir.path().join("files").join(path), text).unwrap();
        }

        fn keep(&self) -> Result<Edition, EditionError> {
            self.editions.keep(&self.dir.path().join("files/q.xml"))
        }
    }

    #[test]
    fn an_edition_outlives_the_edit_of_its_file_and_of_its_recordings() {
        let place = Place::new();
        let first = place.keep().unwrap();
        let digest = first.questionnaire.digest();
        assert_eq!(place.keep().unwrap().questionnaire.digest(), digest, "nothing changed");
        place.write("en/hello.wav", "second");
        let second = place.keep().unwrap().questionnaire.digest();
        assert_ne!(second, digest, "another recording is another edition");
        place.write("q.xml", &XML.replace("Hello", "Good day"));
        let third = place.keep().unwrap().questionnaire.digest();
        let all = BTreeSet::from([digest, second, third]);
        assert_eq!(all.len(), 3);
        let old = place.editions.load(digest).unwrap();
        assert_eq!((old.questionnaire, old.bytes.as_slice()), (first.questionnaire, XML.as_bytes()));
        assert_eq!(fs::read(old.file.with_file_name("en/hello.wav")).unwrap(), b"first");
        place.editions.retain(&BTreeSet::from([third]));
        assert!(place.editions.load(digest).is_err() && place.editions.load(third).is_ok());
    }

    #[test]
    fn what_is_damaged_or_broken_is_told() {
        let place = Place::new();
        let kept = place.keep().unwrap();
        fs::write(kept.file.with_file_name("en/hello.wav"), "other").unwrap();
        let error = place.editions.load(kept.questionnaire.digest()).unwrap_err();
        assert!(matches!(error, EditionError::Damaged { .. }), "{error}");
        place.write("en/hello.wav", &"x".repeat(101));
        assert!(matches!(place.keep(), Err(EditionError::TooLarge { .. })));
        fs::remove_file(place.dir.path().join("files/en/hello.wav")).unwrap();
        let error = place.keep().unwrap_err().to_string();
        assert!(error.contains("q.xml:1:") && error.contains("hello.wav"), "{error}");
    }

    #[test]
    fn what_a_crash_left_unfinished_is_removed_and_others_files_are_not() {
        let place = Place::new();
        place.keep().unwrap();
        let dir = place.dir.path().join("editions");
        fs::create_dir(dir.join(".new-1")).unwrap();
        fs::write(dir.join("README"), "mine").unwrap();
        place.editions.retain(&BTreeSet::new());
        let left: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["README"]);
    }
}
