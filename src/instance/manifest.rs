//! What all members of a cluster have alike, as one value: a manifest, named by its digest.
//!
//! ```text
//! { "format": 1,
//!   "questionnaires": { "clinic": { "file": {"digest": …, "bytes": …}, "recordings": {"en/hello.wav": …} } },
//!   "dialplan": {"digest": …, "bytes": …},
//!   "trunks": { "default_trunk": "a", "trunks": { "a": "address = …" } },
//!   "passwords": { "a": "…" } }
//! ```
//! Equal files make equal manifests, wherever they stand and whatever they are called there. A password is not in it: what
//! stands there tells it apart from others to who has the cluster's key for datagrams, and is nothing to anybody else.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::id::Digest;
use crate::settings::{Limits, SharedTrunks};
use crate::store::editions::Parts;
use crate::store::files::Content;
use crate::xml;

/// The format that this program writes, and the newest that it reads.
const FORMAT: u32 = 1;
/// Bytes of a manifest: 20,000 files with names of 100 characters.
pub(super) const MOST_BYTES: u64 = 4 << 20;
/// Files that it may name.
const MOST_FILES: usize = 20_000;

/// What all members have alike.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    format: u32,
    /// By their ids.
    pub(super) questionnaires: BTreeMap<String, Parts>,
    pub(super) dialplan: Option<Content>,
    pub(super) trunks: SharedTrunks,
    /// What tells the passwords of trunks apart.
    pub(super) passwords: BTreeMap<String, Digest>,
}

/// Why a manifest is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// A newer program wrote it.
    #[error(
        "the cluster's manifest is of format {format}, and this Baton reads up to {FORMAT}: update this instance"
    )]
    Newer {
        /// Its format.
        format: u32,
    },
    /// Nobody of ours wrote it.
    #[error("the cluster's manifest cannot be read: {0}")]
    Malformed(String),
    /// There is too much of it.
    #[error("{what}: {is}, and at most {limit} are taken{mend}")]
    TooMuch {
        /// Of what.
        what: String,
        /// How much there is.
        is: u64,
        /// How much there may be.
        limit: u64,
        /// What to do.
        mend: &'static str,
    },
}

impl Manifest {
    /// One of these.
    pub(super) fn new(
        questionnaires: BTreeMap<String, Parts>,
        dialplan: Option<Content>,
        trunks: SharedTrunks,
        passwords: BTreeMap<String, Digest>,
    ) -> Self {
        Self { format: FORMAT, questionnaires, dialplan, trunks, passwords }
    }

    /// From the file that it was.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, ManifestError> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let malformed = |error: serde_json::Error| ManifestError::Malformed(error.to_string());
        let Format { format } = serde_json::from_slice(bytes).map_err(malformed)?;
        if format > FORMAT {
            return Err(ManifestError::Newer { format });
        }
        serde_json::from_slice(bytes).map_err(malformed)
    }

    /// As a file.
    pub(super) fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("all of it has a form in JSON")
    }

    /// All files that it names, each once.
    pub(super) fn files(&self) -> BTreeSet<Content> {
        self.questionnaires.values().flat_map(Parts::all).chain(self.dialplan).collect()
    }

    /// Whether there is anything to be called with.
    pub(super) fn is_empty(&self) -> bool {
        self.questionnaires.is_empty()
    }

    /// Holds it against the limits, before anything of it is fetched or published.
    pub(super) fn check(&self, limits: &Limits) -> Result<(), ManifestError> {
        let bound = |what: &str, is: u64, limit: u64, mend| {
            let what = what.to_owned();
            if is > limit { Err(ManifestError::TooMuch { what, is, limit, mend }) } else { Ok(()) }
        };
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let files = self.files();
        bound("the manifest's bytes", number(self.bytes().len()), MOST_BYTES, "")?;
        bound("files of questionnaires and recordings", number(files.len()), number(MOST_FILES), "")?;
        let all = files.iter().fold(0_u64, |all, content| all.saturating_add(content.bytes));
        bound("bytes of all files", all, limits.assets, "; see [limits] assets")?;
        let most_xml = number(xml::MAX_BYTES);
        for (id, parts) in &self.questionnaires {
            bound(&format!("bytes of questionnaire {id}"), parts.file.bytes, most_xml, "")?;
            for (path, content) in &parts.recordings {
                let what = format!("bytes of {path} of questionnaire {id}");
                bound(&what, content.bytes, limits.prompt_file, "; see [limits] prompt_file")?;
            }
        }
        bound("bytes of the dialplan", self.dialplan.map_or(0, |dialplan| dialplan.bytes), most_xml, "")
    }

    /// What is not the same in another one, as people call it.
    pub(super) fn differs(&self, other: &Self) -> Vec<String> {
        let mut all = Vec::new();
        for id in keys(&self.questionnaires, &other.questionnaires) {
            match (self.questionnaires.get(id), other.questionnaires.get(id)) {
                (Some(one), Some(two)) => {
                    all.extend((one.file != two.file).then(|| format!("questionnaire {id}")));
                    let paths = keys(&one.recordings, &two.recordings).into_iter();
                    let other = paths.filter(|path| one.recordings.get(*path) != two.recordings.get(*path));
                    all.extend(other.map(|path| format!("{path} of questionnaire {id}")));
                }
                (_, _) => all.push(format!("questionnaire {id}")),
            }
        }
        all.extend((self.dialplan != other.dialplan).then(|| "dialplan".to_owned()));
        let (ours, theirs) = (&self.trunks, &other.trunks);
        for name in keys(&ours.trunks, &theirs.trunks) {
            all.extend((ours.trunks.get(name) != theirs.trunks.get(name)).then(|| format!("trunk {name}")));
        }
        all.extend((ours.default_trunk != theirs.default_trunk).then(|| "default_trunk".to_owned()));
        for name in keys(&self.passwords, &other.passwords) {
            let differs = self.passwords.get(name) != other.passwords.get(name);
            all.extend(differs.then(|| format!("password of trunk {name}")));
        }
        all
    }
}

fn keys<'a, T>(one: &'a BTreeMap<String, T>, two: &'a BTreeMap<String, T>) -> BTreeSet<&'a String> {
    one.keys().chain(two.keys()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Mint;
    use crate::mutation::mutate;

    fn manifest() -> Manifest {
        let recordings = BTreeMap::from([("en/hello.wav".to_owned(), Content::of(b"hello"))]);
        let parts = Parts { file: Content::of(b"<questionnaire/>"), recordings };
        let trunks = SharedTrunks {
            default_trunk: Some("a".to_owned()),
            trunks: BTreeMap::from([("a".to_owned(), "address = \"192.0.2.1\"\n".to_owned())]),
        };
        Manifest::new(
            BTreeMap::from([("clinic".to_owned(), parts)]),
            Some(Content::of(b"d")),
            trunks,
            BTreeMap::new(),
        )
    }

    #[test]
    fn equal_files_make_one_manifest_and_it_reads_back() {
        let one = manifest();
        assert_eq!(one.bytes(), manifest().bytes());
        assert_eq!(Manifest::read(&one.bytes()).unwrap(), one);
        assert_eq!((one.files().len(), one.differs(&manifest())), (3, Vec::new()));
        assert!(matches!(Manifest::read(br#"{"format":2}"#), Err(ManifestError::Newer { format: 2 })));
        assert!(matches!(Manifest::read(b"{}"), Err(ManifestError::Malformed(_))));
    }

    #[test]
    fn what_differs_has_the_names_that_people_use() {
        let (one, mut two) = (manifest(), manifest());
        let parts = two.questionnaires.get_mut("clinic").unwrap();
        parts.recordings.insert("en/hello.wav".to_owned(), Content::of(b"other"));
        parts.recordings.insert("en/bye.wav".to_owned(), Content::of(b"new"));
        two.dialplan = None;
        two.trunks.trunks.insert("b".to_owned(), "address = \"192.0.2.2\"\n".to_owned());
        two.passwords.insert("a".to_owned(), Digest::of(b"x"));
        assert_eq!(
            one.differs(&two),
            [
                "en/bye.wav of questionnaire clinic",
                "en/hello.wav of questionnaire clinic",
                "dialplan",
                "trunk b",
                "password of trunk a"
            ]
        );
        two.questionnaires.clear();
        assert_eq!(one.differs(&two)[0], "questionnaire clinic");
    }

    #[test]
    fn damaged_manifests_are_refused_or_read_as_what_they_say() {
        let mut mint = Mint::seeded(8);
        let (whole, mut read) = (manifest().bytes(), 0);
        for _ in 0..20_000 {
            let mut bytes = whole.clone();
            mutate(&mut bytes, &mut mint);
            if let Ok(manifest) = Manifest::read(&bytes) {
                read += 1;
                assert_eq!(Manifest::read(&manifest.bytes()).unwrap(), manifest);
                drop(manifest.check(&Limits::default()));
            }
        }
        assert!(read > 100, "{read}");
    }

    #[test]
    fn what_is_too_much_is_refused_before_it_is_fetched() {
        let limits = Limits { prompt_file: 4, ..Limits::default() };
        let error = manifest().check(&limits).unwrap_err().to_string();
        assert_eq!(
            error,
            "bytes of en/hello.wav of questionnaire clinic: 5, and at most 4 are taken; see [limits] prompt_file"
        );
        let error = manifest().check(&Limits { assets: 20, ..Limits::default() }).unwrap_err().to_string();
        assert_eq!(error, "bytes of all files: 22, and at most 20 are taken; see [limits] assets");
        manifest().check(&Limits::default()).unwrap();
    }
}
