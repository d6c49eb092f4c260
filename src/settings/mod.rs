//! The settings file: TOML with typed units, unknown keys refused, each error with its line and column.
//!
//! ```text
//! [sip] [media]      where this instance speaks        [journal]  where it keeps its calls
//! [trunks.NAME]      through whom it calls             [speech]   who reads out what has no recording
//! default_trunk, dialplan                              [prompts]  how loud everything is said
//! [recordings]       where what callees say is kept     [limits]   what it never exceeds
//! [outcomes]         what endings mean
//! [cluster]          with whom it works as one
//! questionnaires, [data], [http], [drain]   what an instance asks, keeps, lets in, and waits for
//! ```
//! docs/settings.md describes every key; docs/baton.toml is an example with all of them. Without a file
//! [`Settings::default`] holds: enough to call one address directly.

mod addresses;
mod cluster;
mod error;
mod hearing;
mod http;
mod limits;
mod outcomes;
mod recordings;
mod secret;
mod shared;
mod speech;
mod trunk;
mod units;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

pub use addresses::{Advertised, Listen, MediaAddress, Prefix, PrefixError};
pub use cluster::{Cluster, ClusterEngine, Mirror, is_member_name};
pub use error::SettingsError;
pub use http::{Drain, Http, TokenDigest};
pub use limits::Limits;
pub use outcomes::Outcomes;
pub use recordings::{RecordingFormat, Recordings};
pub use secret::SecretError;
pub use shared::SharedTrunks;
pub use speech::{Lufs, Prompts, Speech};
pub use trunk::Trunk;
pub use units::Ports;

use crate::xml;

/// Bytes that a settings file may have: a thousand trunks with room to spare.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// All settings of one instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// SIP: where we listen, and our name.
    pub sip: Sip,
    /// RTP: address and ports.
    pub media: Media,
    /// The trunks, by name.
    pub trunks: BTreeMap<String, Trunk>,
    /// The trunk of a call that names none; it stands in `trunks`. The only trunk, if there is one.
    pub default_trunk: Option<String>,
    /// The dialplan that turns numbers into routes.
    pub dialplan: Option<PathBuf>,
    /// What an instance asks.
    pub questionnaires: Vec<PathBuf>,
    /// Where an instance keeps everything.
    pub data: Data,
    /// Its API.
    pub http: Http,
    /// How it ends.
    pub drain: Drain,
    /// Where call records are kept.
    pub journal: Journal,
    /// Who reads out what has no recording.
    pub speech: Speech,
    /// Where what callees say is kept.
    pub recordings: Recordings,
    /// What is done to the sound of every prompt.
    pub prompts: Prompts,
    /// What endings mean.
    pub outcomes: Outcomes,
    /// With whom this instance works as one; absent: it stands alone.
    pub cluster: Option<Cluster>,
    /// Bounds.
    pub limits: Limits,
    /// The file that they were read from.
    pub file: Option<PathBuf>,
    /// Its directory, from which relative paths are taken.
    pub dir: Option<PathBuf>,
    /// The trunks as they are written, each as TOML.
    pub written_trunks: BTreeMap<String, String>,
}

/// `[sip]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sip {
    /// Local addresses for SIP, each for UDP and TCP. `0.0.0.0` and `::` take the address that faces the trunk, port
    /// 0 any free port. See [`Settings::listens_at`].
    pub listen: Listen,
    /// What becomes of messages that belong to no trunk and no call.
    #[serde(deserialize_with = "units::strangers")]
    pub strangers: Strangers,
    /// `User-Agent` (RFC 3261 §20.41).
    #[serde(deserialize_with = "units::header_text")]
    pub user_agent: String,
}

/// What becomes of messages from addresses of no trunk that belong to no call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strangers {
    /// They are counted, and hear nothing: whoever looks for SIP servers finds none.
    #[default]
    Drop,
    /// They are answered as RFC 3261 says: OPTIONS 200, INVITE 403.
    Answer,
}

impl Default for Sip {
    fn default() -> Self {
        let user_agent = format!("baton/{}", env!("CARGO_PKG_VERSION"));
        Self { listen: Listen::default(), strangers: Strangers::default(), user_agent }
    }
}

/// `[media]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Media {
    /// Local address for RTP and `c=`, for each family of addresses; absent: the address that faces the trunk.
    pub address: MediaAddress,
    /// RTP and RTCP ports.
    pub ports: Ports,
}

/// `[data]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Data {
    /// Directory below which an instance keeps its records and its assets, and the journal and the recordings unless
    /// they have places of their own.
    #[serde(deserialize_with = "units::some_path")]
    pub dir: Option<PathBuf>,
}

/// `[journal]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Journal {
    /// Directory of the call records. Absent: one in the system's temporary directory for each run, so that
    /// single calls need no preparation; nothing outlives the run then.
    #[serde(deserialize_with = "units::some_path")]
    pub dir: Option<PathBuf>,
    /// Bytes after which a new file is begun.
    #[serde(deserialize_with = "units::segment_bytes")]
    pub segment: u64,
    /// Bytes of disk that are taken beforehand for the calls under way, should it become full.
    #[serde(deserialize_with = "units::reserve_bytes")]
    pub reserve: u64,
}

impl Default for Journal {
    fn default() -> Self {
        Self { dir: None, segment: 64 << 20, reserve: 64 << 20 }
    }
}

/// The file as it is written, before its parts are checked against each other.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    sip: Sip,
    #[serde(default)]
    media: Media,
    #[serde(default)]
    trunks: BTreeMap<Spanned<String>, Trunk>,
    default_trunk: Option<Spanned<String>>,
    #[serde(default, deserialize_with = "units::some_path")]
    dialplan: Option<PathBuf>,
    #[serde(default)]
    questionnaires: Vec<PathBuf>,
    #[serde(default)]
    data: Data,
    http: Option<Spanned<Http>>,
    #[serde(default)]
    drain: Drain,
    #[serde(default)]
    journal: Journal,
    #[serde(default)]
    speech: Speech,
    #[serde(default)]
    recordings: Recordings,
    #[serde(default)]
    prompts: Prompts,
    #[serde(default)]
    outcomes: Outcomes,
    cluster: Option<Spanned<Cluster>>,
    #[serde(default)]
    limits: Limits,
}

impl Settings {
    /// Reads a settings file. Relative paths in it are taken from its directory.
    ///
    /// # Errors
    /// If the file cannot be read, or the first thing that is wrong in it.
    pub fn load(path: &Path) -> Result<Self, SettingsError> {
        let unreadable = |source| SettingsError::Unreadable { path: path.to_owned(), source };
        let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
        if bytes > MAX_FILE_BYTES {
            return Err(SettingsError::TooLarge { path: path.to_owned(), bytes, limit: MAX_FILE_BYTES });
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        let mut settings = Self::parse(&path.display().to_string(), &text)?;
        let dir = path.parent().unwrap_or(Path::new(""));
        settings.resolve(dir);
        (settings.file, settings.dir) = (Some(path.to_owned()), Some(dir.to_owned()));
        Ok(settings)
    }

    /// Reads the text of a settings file; `file` is its name in errors. Paths stay as they are written.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line and column.
    pub fn parse(file: &str, text: &str) -> Result<Self, SettingsError> {
        let written: Written =
            toml::from_str(text).map_err(|error| SettingsError::from_toml(file, text, &error))?;
        let wrong = |span: std::ops::Range<usize>, what: String, mend: Option<String>| {
            SettingsError::at(file, text, span.start, what, mend)
        };
        if let Some(name) = written.trunks.keys().find(|name| !is_name(name.get_ref())) {
            let what = format!("`{}` is no name for a trunk", name.get_ref());
            let mend = Some("letters, digits, `_` and `-`, at most 64".to_owned());
            return Err(wrong(name.span(), what, mend));
        }
        if let Some((name, what, mend)) = written.trunks.iter().find_map(|(name, trunk)| {
            let misfit = trunk.misfit(written.sip.listen.addresses());
            let (what, mend) = misfit.or_else(|| trunk.secret_misfit())?;
            Some((name, what, mend))
        }) {
            return Err(wrong(name.span(), format!("trunk `{}` {what}", name.get_ref()), Some(mend)));
        }
        if let Some(http) = &written.http
            && let Some((what, mend)) = http.get_ref().misfit()
        {
            return Err(wrong(http.span(), what, Some(mend)));
        }
        if let Some(cluster) = &written.cluster
            && let Some((what, mend)) = cluster.get_ref().misfit()
        {
            return Err(wrong(cluster.span(), what, Some(mend)));
        }
        let trunks: BTreeMap<String, Trunk> =
            written.trunks.into_iter().map(|(name, trunk)| (name.into_inner(), trunk)).collect();
        let default_trunk = match written.default_trunk {
            Some(name) if trunks.contains_key(name.get_ref()) => Some(name.into_inner()),
            Some(name) => {
                let what = format!("`default_trunk` names `{}`, and there is no such trunk", name.get_ref());
                let mend = xml::did_you_mean(name.get_ref(), trunks.keys().map(String::as_str))
                    .or_else(|| Some(format!("add [trunks.{}]", name.get_ref())));
                return Err(wrong(name.span(), what, mend));
            }
            None if trunks.len() == 1 => trunks.keys().next().cloned(),
            None => None,
        };
        let mut settings = Self {
            sip: written.sip,
            media: written.media,
            trunks,
            default_trunk,
            dialplan: written.dialplan,
            questionnaires: written.questionnaires,
            data: written.data,
            http: written.http.map(Spanned::into_inner).unwrap_or_default(),
            drain: written.drain,
            journal: written.journal,
            speech: written.speech,
            recordings: written.recordings,
            prompts: written.prompts,
            outcomes: written.outcomes,
            cluster: written.cluster.map(Spanned::into_inner),
            limits: written.limits,
            file: None,
            dir: None,
            written_trunks: shared::written(text),
        };
        settings.place();
        Ok(settings)
    }

    /// Gives what has no place of its own one below `[data] dir`.
    fn place(&mut self) {
        let below = |name: &str| self.data.dir.as_ref().map(|dir| dir.join(name));
        let (journal, recordings) = (below("journal"), below("recordings"));
        self.journal.dir = self.journal.dir.take().or(journal);
        if self.recordings.dir.as_os_str().is_empty() {
            self.recordings.dir = recordings.unwrap_or(Recordings::default().dir);
        }
    }

    /// The trunks of another settings file in the place of these.
    pub fn take_trunks(&mut self, other: &Self) {
        self.trunks.clone_from(&other.trunks);
        self.written_trunks.clone_from(&other.written_trunks);
        self.default_trunk.clone_from(&other.default_trunk);
    }

    /// Where we listen for SIP: what `[sip] listen` says, else every address of each family that a trunk has, on a
    /// free port.
    #[must_use]
    pub fn listens_at(&self) -> Vec<SocketAddr> {
        if let said @ [_, ..] = self.sip.listen.addresses() {
            return said.to_vec();
        }
        let has = |v6: bool| self.trunks.values().any(|trunk| trunk.address.is_ipv6() == v6);
        let v4 = (has(false) || !has(true)).then(|| SocketAddr::from(([0; 4], 0)));
        let v6 = has(true).then(|| SocketAddr::from(([0_u16; 8], 0)));
        v4.into_iter().chain(v6).collect()
    }

    /// Takes relative paths from `dir`.
    fn resolve(&mut self, dir: &Path) {
        let paths = [&mut self.dialplan, &mut self.journal.dir, &mut self.speech.cache, &mut self.data.dir];
        let secrets = self.trunks.values_mut().map(|trunk| &mut trunk.password_file);
        for path in paths.into_iter().chain(secrets).flatten() {
            *path = dir.join(&*path);
        }
        self.recordings.dir = dir.join(&self.recordings.dir);
        if let Some(cluster) = &mut self.cluster {
            cluster.resolve(dir);
        }
        for path in &mut self.questionnaires {
            *path = dir.join(&*path);
        }
    }
}

/// Names that stand in dialplans, logs and metrics.
fn is_name(name: &str) -> bool {
    let character = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (1..=64).contains(&name.len()) && name.chars().all(character)
}

#[cfg(test)]
mod tests;
