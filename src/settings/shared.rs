//! The trunks as all members of a cluster have them, and what each member keeps for itself.
//!
//! ```text
//! own file ─ [trunks.a] ─┬─ address, codecs, … ────────────────────► shared: the same at every member
//!                        └─ local, advertise, password_file, … ─┐
//! shared [trunks.a] of the cluster ─────────────────────────────┴─► the trunk here
//! ```
//! A password never travels; what is said of where it is does (a file by its path as it is written, which each member
//! takes from the directory of its own settings), and a member that says something else keeps to that.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Settings, SettingsError, Trunk, is_name};

/// Where a member is, as the trunk sees it: never shared.
const PLACE: [&str; 2] = ["local", "advertise"];
/// Where a password is: a member's own word counts before the shared one.
const PASSWORD: [&str; 2] = ["password_file", "password_env"];

/// Trunks without what is each member's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedTrunks {
    /// The trunk of a call that names none.
    pub default_trunk: Option<String>,
    /// By name, the keys of each as TOML, in the order of their names.
    pub trunks: BTreeMap<String, String>,
}

/// The tables of all trunks, as they are written.
pub(super) type Tables = BTreeMap<String, toml::Table>;

impl Settings {
    /// What of the trunks all members are to have alike.
    #[must_use]
    pub fn shared_trunks(&self) -> SharedTrunks {
        let shared = |(name, text): (&String, &String)| {
            let mut table: toml::Table = toml::from_str(text).unwrap_or_default();
            table.retain(|key, _| !PLACE.contains(&key));
            (name.clone(), table.to_string())
        };
        let trunks = self.written_trunks.iter().map(shared).collect();
        SharedTrunks { default_trunk: self.default_trunk.clone(), trunks }
    }

    /// These settings with the cluster's trunks in the place of their own. What is this member's own is kept for the
    /// trunks of the same name.
    ///
    /// # Errors
    /// If one of them cannot be used here; the text says which, and what to do.
    pub fn with_shared_trunks(&self, shared: &SharedTrunks) -> Result<Self, SettingsError> {
        let mut settings = self.clone();
        (settings.trunks, settings.written_trunks) = (BTreeMap::new(), BTreeMap::new());
        for (name, text) in &shared.trunks {
            let file = format!("the cluster's [trunks.{name}]");
            let wrong = |text: &str, error: &toml::de::Error| SettingsError::from_toml(&file, text, error);
            let mut table: toml::Table = toml::from_str(text).map_err(|error| wrong(text, &error))?;
            table.retain(|key, _| !PLACE.contains(&key));
            let own: toml::Table =
                self.written_trunks.get(name).and_then(|it| toml::from_str(it).ok()).unwrap_or_default();
            if PASSWORD.iter().any(|key| own.contains_key(*key)) {
                table.retain(|key, _| !PASSWORD.contains(&key));
            }
            let kept = PLACE
                .iter()
                .chain(&PASSWORD)
                .filter_map(|key| Some(((*key).to_owned(), own.get(*key)?.clone())));
            table.extend(kept);
            let text = table.to_string();
            let mut trunk: Trunk = toml::from_str(&text).map_err(|error| wrong(&text, &error))?;
            let misfit = trunk.misfit(self.sip.listen.addresses()).or_else(|| trunk.secret_misfit());
            let unnamed = || {
                (!is_name(name))
                    .then(|| ("has a name that is none".to_owned(), "see [trunks.NAME]".to_owned()))
            };
            if let Some((what, mend)) = misfit.or_else(unnamed) {
                return Err(SettingsError::at(&file, &text, 0, format!("trunk `{name}` {what}"), Some(mend)));
            }
            if let (Some(dir), Some(path)) = (&self.dir, &mut trunk.password_file) {
                *path = dir.join(&*path);
            }
            settings.trunks.insert(name.clone(), trunk);
            settings.written_trunks.insert(name.clone(), text);
        }
        let default = shared.default_trunk.clone();
        settings.default_trunk = default.filter(|name| settings.trunks.contains_key(name));
        Ok(settings)
    }
}

/// The trunks of a settings file as they are written.
pub(super) fn written(text: &str) -> BTreeMap<String, String> {
    #[derive(Default, Deserialize)]
    struct Trunks {
        #[serde(default)]
        trunks: Tables,
    }
    let read: Trunks = toml::from_str(text).unwrap_or_default();
    read.trunks.into_iter().map(|(name, table)| (name, table.to_string())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Settings {
        Settings::parse("baton.toml", text).unwrap()
    }

    const FIRST: &str = "default_trunk = \"a\"\n[sip]\nlisten = \"192.0.2.1:5060\"\n\
        [trunks.a]\naddress = \"198.51.100.1\"\ncodecs = [\"PCMA\"]\nlocal = \"192.0.2.1\"\nadvertise = \"203.0.113.1\"\n\
        username = \"baton\"\npassword_env = \"A\"\n[trunks.b]\naddress = \"198.51.100.2\"\n";

    #[test]
    fn what_is_each_member_s_own_stays_its_own() {
        let shared = settings(FIRST).shared_trunks();
        assert_eq!(shared.trunks["b"], "address = \"198.51.100.2\"\n");
        assert!(
            !shared.trunks["a"].contains("advertise") && !shared.trunks["a"].contains("local"),
            "{shared:?}"
        );
        let other = settings(
            "[sip]\nlisten = \"192.0.2.2:5060\"\n[trunks.a]\naddress = \"198.51.100.9\"\nadvertise = \"203.0.113.2\"\n\
             username = \"x\"\npassword_file = \"a.secret\"\n[trunks.c]\naddress = \"198.51.100.3\"\n",
        );
        let other = Settings { dir: Some("/etc/baton".into()), ..other };
        let taken = other.with_shared_trunks(&shared).unwrap();
        let a = &taken.trunks["a"];
        assert_eq!(a.address, "198.51.100.1:5060".parse().unwrap());
        assert_eq!((a.local, a.advertise.map(|it| it.ip)), (None, Some("203.0.113.2".parse().unwrap())));
        assert_eq!((a.username.as_deref(), a.password_env.as_deref()), (Some("baton"), None));
        assert_eq!(a.password_file.as_deref(), Some(std::path::Path::new("/etc/baton/a.secret")));
        assert_eq!(taken.trunks.keys().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(taken.default_trunk.as_deref(), Some("a"));
        // Whoever has nothing of its own has all of the cluster's.
        let bare = settings("[sip]\nlisten = \"192.0.2.3:5060\"\n").with_shared_trunks(&shared).unwrap();
        assert_eq!(bare.trunks["a"].password_env.as_deref(), Some("A"));
        assert_eq!(bare.shared_trunks(), shared);
    }

    #[test]
    fn two_ways_to_write_the_same_are_the_same() {
        let other = FIRST
            .replace("codecs = [\"PCMA\"]", "codecs=[ 'PCMA' ] # only this")
            .replace("192.0.2.1", "192.0.2.7");
        assert_eq!(settings(&other).shared_trunks(), settings(FIRST).shared_trunks());
    }

    #[test]
    fn a_trunk_that_does_not_go_with_this_member_is_told() {
        let shared = settings(FIRST).shared_trunks();
        let v6 = settings("[sip]\nlisten = \"[2001:db8::1]:5060\"\n");
        let error = v6.with_shared_trunks(&shared).unwrap_err().to_string();
        assert!(
            error.starts_with("the cluster's [trunks.a]:1:1: error: trunk `a` is at an IPv4 address"),
            "{error}"
        );
        let newer = SharedTrunks {
            trunks: [("a".to_owned(), "address = \"192.0.2.1\"\ncolour = 3\n".to_owned())].into(),
            ..shared
        };
        let error = settings("").with_shared_trunks(&newer).unwrap_err().to_string();
        assert!(
            error.starts_with("the cluster's [trunks.a]:2:1: error: there is no setting `colour`"),
            "{error}"
        );
    }
}
