//! Who a member is to the others: its certificate, the CA of its cluster, and the key that signs datagrams.
//!
//! ```text
//! DIR/ca.key                     makes further members; keep it off them
//! DIR/ca.pem  DIR/beat.key       of the whole cluster
//! DIR/NAME/   ca.pem member.pem member.key beat.key        to be copied to member NAME, as its [cluster] dir
//! ```
//! A certificate names its member as `NAME.baton`; nobody else's name is believed on a link. Certificates have no end:
//! whoever wants new ones makes a new cluster's and copies them anew.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use crate::id::NodeId;

const CA_KEY: &str = "ca.key";
const CA: &str = "ca.pem";
const CERTIFICATE: &str = "member.pem";
const KEY: &str = "member.key";
const BEAT_KEY: &str = "beat.key";
/// Below this domain certificates name members.
const DOMAIN: &str = "baton";
/// Bytes of a file that are read; a certificate has about a thousand.
const MAX_FILE_BYTES: u64 = 1 << 16;

/// Signs datagrams; all members of a cluster have the same.
#[derive(Clone, PartialEq, Eq)]
pub struct BeatKey([u8; 32]);

impl std::fmt::Debug for BeatKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BeatKey")
    }
}

impl BeatKey {
    /// A new one, from the machine's randomness.
    ///
    /// # Errors
    /// If it has none.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// From 64 hexadecimal digits; `None`: it is none.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        text.trim().parse::<crate::id::Digest>().ok().map(|digits| Self(*digits.as_bytes()))
    }

    /// What tells secrets apart and gives nothing away of them to who has not this key.
    #[must_use]
    pub fn fingerprint(&self, said: &[&str]) -> crate::id::Digest {
        use hmac::{KeyInit as _, Mac as _};
        let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(&self.0).expect("any length is a key");
        for one in said {
            mac.update(&u64::try_from(one.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(one.as_bytes());
        }
        crate::id::Digest::of(&mac.finalize().into_bytes())
    }

    fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(super) const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// What a member shows to others and knows them by, as PEM.
#[derive(Clone)]
pub struct Identity {
    pub(super) ca: String,
    pub(super) certificate: String,
    pub(super) key: String,
    beat_key: BeatKey,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity")
    }
}

/// Why a member has no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file is not there or cannot be read.
    #[error(
        "cannot read {}: {source}; `baton cluster init` makes it, and the member's directory is copied whole",
        .path.display()
    )]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file holds something else.
    #[error("{} is no {what}", .path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// What it should be.
        what: &'static str,
    },
    /// The certificate is another member's.
    #[error("the certificate {} is not that of member `{member}`: copy that one's directory here", .path.display())]
    OfAnother {
        /// Where.
        path: PathBuf,
        /// Who this is, by the settings.
        member: NodeId,
    },
}

impl Identity {
    /// Reads a member's directory.
    ///
    /// # Errors
    /// If a file of it is missing or wrong, or it is another member's.
    pub fn load(dir: &Path, member: NodeId) -> Result<Self, IdentityError> {
        let read = |name: &str| {
            let path = dir.join(name);
            read_file(&path).map_err(|source| IdentityError::Unreadable { path, source })
        };
        let beat_key = BeatKey::from_hex(&read(BEAT_KEY)?).ok_or_else(|| IdentityError::Malformed {
            path: dir.join(BEAT_KEY),
            what: "key of 64 hexadecimal digits",
        })?;
        let identity = Self { ca: read(CA)?, certificate: read(CERTIFICATE)?, key: read(KEY)?, beat_key };
        let path = dir.join(CERTIFICATE);
        let Some(der) = der_of(&identity.certificate) else {
            return Err(IdentityError::Malformed { path, what: "certificate" });
        };
        if !shows(&der, member) {
            return Err(IdentityError::OfAnother { path, member });
        }
        Ok(identity)
    }

    /// Signs datagrams.
    #[must_use]
    pub const fn beat_key(&self) -> &BeatKey {
        &self.beat_key
    }
}

/// The name by which a certificate names a member.
pub(super) fn domain(member: NodeId) -> String {
    format!("{member}.{DOMAIN}")
}

/// Whether a certificate is a member's.
pub(super) fn shows(der: &[u8], member: NodeId) -> bool {
    let der = der.into();
    let Ok(certificate) = webpki::EndEntityCert::try_from(&der) else { return false };
    let Ok(name) = domain(member).try_into() else { return false };
    certificate.verify_is_valid_for_subject_name(&name).is_ok()
}

/// The first certificate of a PEM text.
fn der_of(pem: &str) -> Option<Vec<u8>> {
    let body = pem.split_once("-----BEGIN CERTIFICATE-----")?.1.split_once("-----END CERTIFICATE-----")?.0;
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0_u32);
    for byte in body.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=') {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        (bits, count) = (bits << 6 | u32::from(digit), count + 6);
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xFF).expect("eight bits"));
        }
    }
    Some(bytes)
}

fn read_file(path: &Path) -> io::Result<String> {
    if fs::metadata(path)?.len() > MAX_FILE_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is far too long"));
    }
    fs::read_to_string(path)
}

// ── making them ──

/// Why no certificates were made.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    /// There is something already.
    #[error("{} is there already, and is not overwritten", .path.display())]
    There {
        /// Where.
        path: PathBuf,
    },
    /// No cluster to which a member could be added.
    #[error("cannot read {}: {source}; members are added where `baton cluster init` made the cluster", .path.display())]
    NoCluster {
        /// What is missing.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file could not be written.
    #[error("cannot write {}: {source}", .path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A key or certificate could not be made.
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The machine gives no randomness.
    #[error("the machine gives no randomness: {0}")]
    Randomness(#[from] getrandom::Error),
}

/// A member's directory that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// Whose.
    pub member: NodeId,
    /// Where it is.
    pub dir: PathBuf,
}

/// Makes a cluster's CA and key, and the directory of each member.
///
/// # Errors
/// If the directory is there already, or cannot be written. Nothing that is there is overwritten.
pub fn init(dir: &Path, members: &[NodeId]) -> Result<Vec<Issued>, MakeError> {
    if dir.join(CA_KEY).exists() || dir.join(CA).exists() {
        return Err(MakeError::There { path: dir.join(CA) });
    }
    directory(dir, true)?;
    let key = KeyPair::generate()?;
    let ca = authority().self_signed(&key)?.pem();
    let beat_key = BeatKey::random()?;
    write(&dir.join(CA_KEY), &key.serialize_pem())?;
    write(&dir.join(CA), &ca)?;
    write(&dir.join(BEAT_KEY), &format!("{}\n", beat_key.hex()))?;
    let issuer = Issuer::new(authority(), key);
    members.iter().map(|member| issue(dir, *member, &issuer, &ca, &beat_key.hex())).collect()
}

/// Makes the directories of further members of a cluster.
///
/// # Errors
/// If there is no cluster, or one of them has a directory already.
pub fn add(dir: &Path, members: &[NodeId]) -> Result<Vec<Issued>, MakeError> {
    let read = |name: &str| {
        let path = dir.join(name);
        read_file(&path).map_err(|source| MakeError::NoCluster { path, source })
    };
    let (key, ca, beat_key) = (read(CA_KEY)?, read(CA)?, read(BEAT_KEY)?);
    if let Some(member) = members.iter().find(|member| dir.join(member.as_str()).exists()) {
        return Err(MakeError::There { path: dir.join(member.as_str()) });
    }
    let issuer = Issuer::new(authority(), KeyPair::from_pem(&key)?);
    members.iter().map(|member| issue(dir, *member, &issuer, &ca, beat_key.trim())).collect()
}

/// What the CA says of itself: always the same, so that it can be made again from its key.
fn authority() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Baton cluster");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn issue(
    dir: &Path,
    member: NodeId,
    issuer: &Issuer<'_, KeyPair>,
    ca: &str,
    beat_key: &str,
) -> Result<Issued, MakeError> {
    let mut params = CertificateParams::new(vec![domain(member)])?;
    params.distinguished_name.push(DnType::CommonName, member.as_str());
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, issuer)?.pem();
    let own = dir.join(member.as_str());
    directory(&own, false)?;
    write(&own.join(CA), ca)?;
    write(&own.join(CERTIFICATE), &certificate)?;
    write(&own.join(KEY), &key.serialize_pem())?;
    write(&own.join(BEAT_KEY), &format!("{beat_key}\n"))?;
    Ok(Issued { member, dir: own })
}

/// Makes a directory that only its owner may look into.
fn directory(path: &Path, may_be_there: bool) -> Result<(), MakeError> {
    if path.is_dir() && may_be_there {
        return Ok(());
    }
    let made = DirBuilder::new().mode(0o700).recursive(may_be_there).create(path);
    made.map_err(|source| failed(path, source))
}

/// Writes a new file that only its owner may read.
fn write(path: &Path, text: &str) -> Result<(), MakeError> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
    written.map_err(|source| failed(path, source))
}

fn failed(path: &Path, source: io::Error) -> MakeError {
    let path = path.to_owned();
    if source.kind() == io::ErrorKind::AlreadyExists {
        MakeError::There { path }
    } else {
        MakeError::Write { path, source }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn node(name: &str) -> NodeId {
        name.parse().unwrap()
    }

    #[test]
    fn a_cluster_is_made_once_and_members_are_added() {
        let place = tempfile::tempdir().unwrap();
        let dir = place.path().join("new/cluster");
        let issued = init(&dir, &[node("a"), node("b.example")]).unwrap();
        assert_eq!(issued[1], Issued { member: node("b.example"), dir: dir.join("b.example") });
        let a = Identity::load(&dir.join("a"), node("a")).unwrap();
        let b = Identity::load(&dir.join("b.example"), node("b.example")).unwrap();
        assert_eq!((&a.ca, a.beat_key()), (&b.ca, b.beat_key()));
        for (path, mode) in
            [(dir.join("ca.key"), 0o600), (dir.join("a"), 0o700), (dir.join("a/member.key"), 0o600)]
        {
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode, "{}", path.display());
        }
        let before = fs::read(dir.join("ca.pem")).unwrap();
        let error = init(&dir, &[node("a")]).unwrap_err().to_string();
        assert!(error.contains("ca.pem is there already, and is not overwritten"), "{error}");
        assert!(matches!(add(&dir, &[node("c"), node("a")]), Err(MakeError::There { .. })));
        assert!(!dir.join("c").exists(), "nothing is done by halves");
        add(&dir, &[node("c")]).unwrap();
        let c = Identity::load(&dir.join("c"), node("c")).unwrap();
        assert_eq!((&c.ca, c.beat_key()), (&a.ca, a.beat_key()));
        assert_eq!(fs::read(dir.join("ca.pem")).unwrap(), before);
        let error = add(place.path(), &[node("d")]).unwrap_err().to_string();
        assert!(error.contains("baton cluster init"), "{error}");
    }

    #[test]
    fn a_directory_that_is_another_s_or_not_whole_is_refused() {
        let place = tempfile::tempdir().unwrap();
        init(place.path(), &[node("a")]).unwrap();
        let dir = place.path().join("a");
        let error = Identity::load(&dir, node("b")).unwrap_err().to_string();
        assert!(error.contains("not that of member `b`"), "{error}");
        fs::write(dir.join("beat.key"), "secret").unwrap();
        let error = Identity::load(&dir, node("a")).unwrap_err().to_string();
        assert!(error.contains("beat.key is no key") && !error.contains("secret"), "{error}");
        fs::remove_file(dir.join("beat.key")).unwrap();
        let error = Identity::load(&dir, node("a")).unwrap_err().to_string();
        assert!(error.contains("beat.key") && error.contains("baton cluster init"), "{error}");
    }
}
