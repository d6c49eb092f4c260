//! Passwords of trunks and of the engine: they stand in a file or an environment variable, never in the settings.

use std::io;
use std::path::{Path, PathBuf};

use super::Trunk;
use crate::sip::digest::Credentials;

/// Bytes of a password file that are read; a password has far fewer.
const MAX_PASSWORD_BYTES: usize = 1_024;

/// Why a password cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("{whose}: cannot read the password in {}: {source}", .path.display())]
    File {
        /// Whose: a trunk's, or the engine's.
        whose: String,
        /// The `password_file`.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The variable is not set, or not text.
    #[error("{whose}: the environment variable {variable} holds no password; set it before Baton starts")]
    Variable {
        /// Whose: a trunk's, or the engine's.
        whose: String,
        /// The `password_env`.
        variable: String,
    },
    /// What was found is no password.
    #[error("{whose}: what {place} holds is no password: one line of 1 to {MAX_PASSWORD_BYTES} bytes")]
    Form {
        /// Whose: a trunk's, or the engine's.
        whose: String,
        /// The file or variable.
        place: String,
    },
}

impl Trunk {
    /// What is wrong with its name and password, and what to do about it.
    pub(super) fn secret_misfit(&self) -> Option<(String, String)> {
        let named = usize::from(self.password_file.is_some()) + usize::from(self.password_env.is_some());
        let (what, mend) = match (&self.username, named) {
            (None, 0) | (Some(_), 1) => return None,
            (None, _) => ("has a password and no username", "add `username`"),
            (Some(_), 0) => (
                "has a username and no password",
                "name the file that holds it by `password_file`, or its environment variable by `password_env`",
            ),
            (Some(_), _) => ("has two passwords", "keep `password_file` or `password_env`, not both"),
        };
        Some((what.to_owned(), mend.to_owned()))
    }

    /// Name and password of the trunk, read from where the settings say; `None` if it has no `username`.
    ///
    /// # Errors
    /// [`SecretError`] if there is no password there.
    pub fn credentials(&self, name: &str) -> Result<Option<Credentials>, SecretError> {
        let Some(username) = self.username.clone() else { return Ok(None) };
        let whose = format!("trunk `{name}`");
        let password = password(&whose, self.password_file.as_deref(), self.password_env.as_deref())?;
        Ok(Some(Credentials { username, password, realm: self.realm.clone() }))
    }
}

/// The password that a file or a variable holds.
pub(super) fn password(
    whose: &str,
    file: Option<&Path>,
    variable: Option<&str>,
) -> Result<String, SecretError> {
    let (place, password) = match (file, variable.unwrap_or_default()) {
        (Some(path), _) => (path.display().to_string(), of_file(whose, path)?),
        (None, variable) => (variable.to_owned(), of_variable(whose, variable)?),
    };
    let password = password.trim_end_matches(['\n', '\r']).to_owned();
    if password.is_empty() || password.len() > MAX_PASSWORD_BYTES || password.chars().any(char::is_control) {
        return Err(SecretError::Form { whose: whose.to_owned(), place });
    }
    Ok(password)
}

fn of_file(whose: &str, path: &Path) -> Result<String, SecretError> {
    std::fs::read_to_string(path).map_err(|source| SecretError::File {
        whose: whose.to_owned(),
        path: path.to_owned(),
        source,
    })
}

fn of_variable(whose: &str, variable: &str) -> Result<String, SecretError> {
    std::env::var(variable)
        .map_err(|_| SecretError::Variable { whose: whose.to_owned(), variable: variable.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trunk(path: Option<PathBuf>, variable: Option<&str>) -> Trunk {
        Trunk {
            username: Some("baton".into()),
            password_file: path,
            password_env: variable.map(str::to_owned),
            ..Trunk::direct("192.0.2.1:5060".parse().unwrap())
        }
    }

    #[test]
    fn a_password_is_the_line_of_its_file() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("secret");
        for (text, password) in
            [("s3cret\n", Some("s3cret")), (" two words\r\n", Some(" two words")), ("\n", None)]
        {
            std::fs::write(&file, text).unwrap();
            let read = trunk(Some(file.clone()), None).credentials("mno");
            assert_eq!(read.ok().flatten().map(|found| found.password).as_deref(), password, "{text:?}");
        }
        std::fs::write(&file, "two\nlines").unwrap();
        let error = trunk(Some(file.clone()), None).credentials("mno").unwrap_err().to_string();
        assert!(
            error.contains("trunk `mno`") && error.contains("secret") && !error.contains("lines"),
            "{error}"
        );
        std::fs::remove_file(&file).unwrap();
        let error = trunk(Some(file), None).credentials("mno").unwrap_err();
        assert!(matches!(error, SecretError::File { .. }), "{error}");
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        let error = trunk(None, Some("BATON_TEST_NOT_SET")).credentials("mno").unwrap_err().to_string();
        assert!(error.contains("BATON_TEST_NOT_SET"), "{error}");
        // A variable that every process has.
        assert!(trunk(None, Some("PATH")).credentials("mno").unwrap().is_some());
        assert!(Trunk::direct("192.0.2.1:5060".parse().unwrap()).credentials("mno").unwrap().is_none());
    }
}
