//! The file that tells clients of this machine where the server is and how to sign.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sigv4::SecretKey;

use crate::state_directory::write_private;

/// What a client needs: the contents of `DIR/client.env`.
#[derive(Debug, Clone)]
pub struct ClientEnvironment {
    /// `AWS_ENDPOINT_URL`.
    pub endpoint: String,
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret: SecretKey,
    /// `AWS_REGION` and `AWS_DEFAULT_REGION`.
    pub region: String,
    /// `AWS_CA_BUNDLE`: the certificate to trust, where TLS is on.
    pub ca_bundle: Option<PathBuf>,
}

/// Why there is no client environment.
#[derive(Debug, thiserror::Error)]
pub enum ClientEnvironmentError {
    /// The file cannot be read or written.
    #[error("cannot use `{}`: check that `portcullis up` was started with this state directory and that you may read it", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A variable is missing.
    #[error("`{variable}` is not set in {origin}")]
    Missing {
        /// The variable.
        variable: &'static str,
        /// Where it was looked for.
        origin: String,
    },
}

impl ClientEnvironment {
    /// Where a state directory keeps it.
    pub fn path(state_directory: &Path) -> PathBuf {
        state_directory.join("client.env")
    }

    /// Writes it to the state directory, mode 0600, in one step.
    ///
    /// # Errors
    /// [`ClientEnvironmentError::File`].
    pub fn write(&self, state_directory: &Path) -> Result<(), ClientEnvironmentError> {
        let path = Self::path(state_directory);
        write_private(&path, &self.text())
            .map_err(|source| ClientEnvironmentError::File { path, source })
    }

    /// Reads what [`ClientEnvironment::write`] wrote.
    ///
    /// # Errors
    /// When the file cannot be read, or something is not in it.
    pub fn read(state_directory: &Path) -> Result<Self, ClientEnvironmentError> {
        let path = Self::path(state_directory);
        let text = fs::read_to_string(&path)
            .map_err(|source| ClientEnvironmentError::File { path: path.clone(), source })?;
        let variables: BTreeMap<&str, String> = text
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name, unquoted(value)))
            .collect();
        Self::from_variables(&format!("`{}`", path.display()), |name| variables.get(name).cloned())
    }

    /// Takes it from variables; `origin` says where they are, for messages.
    ///
    /// # Errors
    /// [`ClientEnvironmentError::Missing`].
    pub fn from_variables(
        origin: &str,
        variable: impl Fn(&'static str) -> Option<String>,
    ) -> Result<Self, ClientEnvironmentError> {
        let needed = |name| {
            variable(name).filter(|value| !value.is_empty()).ok_or_else(|| {
                ClientEnvironmentError::Missing { variable: name, origin: origin.to_owned() }
            })
        };
        Ok(Self {
            endpoint: needed("AWS_ENDPOINT_URL")?,
            access_key_id: needed("AWS_ACCESS_KEY_ID")?,
            secret: SecretKey::new(needed("AWS_SECRET_ACCESS_KEY")?),
            region: needed("AWS_REGION").or_else(|_| needed("AWS_DEFAULT_REGION"))?,
            ca_bundle: variable("AWS_CA_BUNDLE").filter(|value| !value.is_empty()).map(Into::into),
        })
    }

    fn text(&self) -> String {
        let Self { endpoint, access_key_id, secret, region, ca_bundle } = self;
        let secret = secret.expose();
        let mut text = format!(
            "AWS_ENDPOINT_URL={endpoint}\n\
             AWS_ACCESS_KEY_ID={access_key_id}\n\
             AWS_SECRET_ACCESS_KEY={secret}\n\
             AWS_REGION={region}\n\
             AWS_DEFAULT_REGION={region}\n"
        );
        if let Some(path) = ca_bundle {
            // Only a path may have characters that mean something to a shell.
            let quoted = path.display().to_string().replace('\'', r"'\''");
            // Writing to a string cannot fail.
            let _written = writeln!(text, "AWS_CA_BUNDLE='{quoted}'");
        }
        text
    }
}

fn unquoted(value: &str) -> String {
    match value.strip_prefix('\'').and_then(|value| value.strip_suffix('\'')) {
        Some(inner) => inner.replace(r"'\''", "'"),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(ca_bundle: Option<&str>) -> ClientEnvironment {
        ClientEnvironment {
            endpoint: "https://127.0.0.1:4510".to_owned(),
            access_key_id: "AKIAEXAMPLEEXAMPLEXX".to_owned(),
            secret: SecretKey::new("a/b+c=defghijklmnopq".to_owned()),
            region: "eu-west-1".to_owned(),
            ca_bundle: ca_bundle.map(PathBuf::from),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for ca_bundle in [None, Some("/srv/it's here/ca.pem")] {
            let directory = tempfile::tempdir().unwrap();
            let written = environment(ca_bundle);
            written.write(directory.path()).unwrap();
            let read = ClientEnvironment::read(directory.path()).unwrap();
            assert_eq!(read.text(), written.text());
        }
    }

    #[test]
    fn a_missing_variable_is_named() {
        let error = ClientEnvironment::from_variables("the environment", |name| {
            (name != "AWS_ACCESS_KEY_ID").then(|| "x".to_owned())
        });
        assert_eq!(
            error.unwrap_err().to_string(),
            "`AWS_ACCESS_KEY_ID` is not set in the environment"
        );
    }

    #[test]
    fn printing_shows_no_secret() {
        assert!(!format!("{:?}", environment(None)).contains("defghijk"));
    }
}
