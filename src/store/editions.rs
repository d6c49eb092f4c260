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
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::files::{Content, FileError, Files};
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
    /// All files that it is made of.
    pub parts: Parts,
    /// What is to be said about it, but no error.
    pub warnings: Vec<Finding>,
}

/// The files of an edition: its digest follows from theirs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts {
    /// The questionnaire.
    pub file: Content,
    /// The recordings, by the paths that it names.
    pub recordings: BTreeMap<String, Content>,
}

impl Parts {
    /// The edition that they make.
    #[must_use]
    pub fn edition(&self) -> Digest {
        let recordings = self.recordings.iter().map(|(path, content)| (path.clone(), content.digest));
        Questionnaire::pinned(self.file.digest, &recordings.collect())
    }

    /// Each file, the questionnaire first.
    pub fn all(&self) -> impl Iterator<Item = Content> {
        std::iter::once(self.file).chain(self.recordings.values().copied())
    }

    /// Whether every path stays below the edition's directory.
    fn is_inside(&self) -> bool {
        let plain =
            |path: &String| Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        self.recordings.keys().all(plain)
    }
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
    /// One of its files is not there.
    #[error(transparent)]
    Part(#[from] FileError),
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
            let recordings = recordings.iter().map(|(path, bytes)| (path.as_str(), Source::Bytes(bytes)));
            let all = std::iter::once((FILE, Source::Bytes(&read.bytes))).chain(recordings);
            let written = self.write(&kept, all);
            written.map_err(|source| EditionError::Unkept { dir: self.dir.clone(), source })?;
        }
        Ok(Edition { file: kept.join(FILE), ..read })
    }

    /// What an edition of this file would be; nothing is kept.
    ///
    /// # Errors
    /// [`EditionError`].
    pub fn look(&self, file: &Path) -> Result<Edition, EditionError> {
        self.read(file, &file.display().to_string()).map(|(read, _)| read)
    }

    /// The editions that are kept.
    #[must_use]
    pub fn kept(&self) -> BTreeSet<Digest> {
        let Ok(entries) = fs::read_dir(&self.dir) else { return BTreeSet::new() };
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
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

    /// An edition made of files that are here; one that is kept already is that one.
    ///
    /// # Errors
    /// [`EditionError`]. Files that turn out to be damaged are removed, so that they can be had anew.
    pub fn assemble(&self, parts: &Parts, files: &Files) -> Result<Edition, EditionError> {
        let kept = self.dir.join(parts.edition().to_string());
        if kept.join(FILE).is_file() {
            match self.load(parts.edition()) {
                Err(EditionError::Damaged { .. }) => {}
                loaded => return loaded,
            }
        }
        let unkept = |source| EditionError::Unkept { dir: self.dir.clone(), source };
        if !parts.is_inside() {
            return Err(unkept(io::Error::other("a recording's path leads out of its directory")));
        }
        let paths: Vec<PathBuf> =
            parts.recordings.values().map(|content| files.path(content.digest)).collect();
        let file = files.path(parts.file.digest);
        let recordings = parts.recordings.keys().zip(&paths);
        let recordings = recordings.map(|(path, from)| (path.as_str(), Source::File(from)));
        let all = std::iter::once((FILE, Source::File(&file))).chain(recordings);
        self.write(&kept, all).map_err(unkept)?;
        let loaded = self.load(parts.edition());
        if matches!(loaded, Err(EditionError::Damaged { .. })) {
            drop(fs::remove_dir_all(&kept));
            for content in parts.all() {
                files.read(content)?;
            }
        }
        loaded
    }

    /// Puts the files of a kept edition among these, so that others can have them; what they are.
    ///
    /// # Errors
    /// [`EditionError`], if it is not here or not whole.
    pub fn share(&self, digest: Digest, files: &Files) -> Result<Parts, EditionError> {
        let Edition { file, parts, .. } = self.load(digest)?;
        files.keep_file(&file, parts.file)?;
        for (path, content) in &parts.recordings {
            files.keep_file(&file.with_file_name(path), *content)?;
        }
        Ok(parts)
    }

    /// Where an edition is kept, or would be.
    #[must_use]
    pub fn dir_of(&self, digest: Digest) -> PathBuf {
        self.dir.join(digest.to_string())
    }

    /// Whether an edition is kept here.
    #[must_use]
    pub fn has(&self, digest: Digest) -> bool {
        self.dir.join(digest.to_string()).join(FILE).is_file()
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
        let contents = recordings.iter().map(|(path, recording)| (path.clone(), Content::of(recording)));
        let parts = Parts { file: Content::of(&bytes), recordings: contents.collect() };
        let digests = parts.recordings.iter().map(|(path, content)| (path.clone(), content.digest)).collect();
        let questionnaire = questionnaire.with_recordings(&digests);
        Ok((Edition { questionnaire, file: file.to_owned(), bytes, parts, warnings }, recordings))
    }

    /// Whole or not at all, and durable before any call names it.
    fn write<'a>(&self, kept: &Path, parts: impl Iterator<Item = (&'a str, Source<'a>)>) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        let unfinished = tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(&self.dir)?;
        let root = unfinished.path();
        let mut dirs = BTreeSet::from([root.to_owned()]);
        for (path, from) in parts {
            let place = root.join(path);
            let dir = place.parent().unwrap_or(root).to_owned();
            fs::create_dir_all(&dir)?;
            dirs.extend(dir.ancestors().take_while(|dir| dir.starts_with(root)).map(Path::to_owned));
            put(&place, from)?;
        }
        for dir in &dirs {
            File::open(dir)?.sync_all()?;
        }
        if kept.exists() {
            // What is there has no questionnaire in it, or is damaged.
            fs::remove_dir_all(kept)?;
        }
        fs::rename(unfinished.keep(), kept)?;
        File::open(&self.dir)?.sync_all()
    }
}

/// Recordings by their paths.
type Recordings = BTreeMap<String, Vec<u8>>;

/// What a file of an edition is made from.
#[derive(Clone, Copy)]
enum Source<'a> {
    Bytes(&'a [u8]),
    /// Another file, on disk already.
    File(&'a Path),
}

fn put(path: &Path, from: Source<'_>) -> io::Result<()> {
    let bytes = match from {
        Source::Bytes(bytes) => bytes,
        Source::File(other) => {
            if fs::hard_link(other, path).is_ok() {
                return Ok(());
            }
            &fs::read(other)?
        }
    };
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
    fn an_edition_is_made_of_the_files_of_another_s_and_of_nothing_else() {
        let (theirs, ours) = (Place::new(), Place::new());
        let [from, to] = [&theirs, &ours].map(|place| Files::new(place.dir.path().join("by-digest")));
        let kept = theirs.keep().unwrap();
        let digest = kept.questionnaire.digest();
        let parts = theirs.editions.share(digest, &from).unwrap();
        assert_eq!((parts.edition(), &parts), (digest, &kept.parts));
        assert!(ours.editions.assemble(&parts, &to).is_err(), "its files are not here");
        for content in parts.all() {
            to.keep(&from.read(content).unwrap()).unwrap();
        }
        let made = ours.editions.assemble(&parts, &to).unwrap();
        assert_eq!((made.questionnaire, made.parts.clone()), (kept.questionnaire, parts.clone()));
        assert_eq!(fs::read(made.file.with_file_name("en/hello.wav")).unwrap(), b"first");
        to.retain(&BTreeSet::new());
        assert!(parts.all().all(|content| to.has(content)), "the edition needs them");

        // One that is damaged on disk is made anew from files; where these are damaged, they go.
        fs::remove_file(made.file.with_file_name("en/hello.wav")).unwrap();
        fs::write(made.file.with_file_name("en/hello.wav"), "evil").unwrap();
        assert!(ours.editions.assemble(&parts, &to).is_ok());
        let recording = parts.recordings["en/hello.wav"];
        fs::write(to.path(recording.digest), "evil!").unwrap();
        assert!(ours.editions.assemble(&parts, &to).is_err());
        assert!(!to.has(recording) && !ours.editions.has(digest));

        let outside = BTreeMap::from([("../../outside.wav".to_owned(), parts.file)]);
        let error = ours.editions.assemble(&Parts { recordings: outside, ..parts }, &from).unwrap_err();
        assert!(error.to_string().contains("leads out"), "{error}");
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
