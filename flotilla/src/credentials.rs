//! How the command line finds a local server and its key by itself.

use std::path::Path;

use bootstrap::{DataDir, DataDirError};
use flotilla_client::{Client, Error};
use serde::{Deserialize, Serialize};
use settings::{Source, vars};

/// In the data directory, for its owner's eyes only.
const FILE: &str = "cli.json";

/// Where to talk to, and with which key.
#[derive(Clone, Serialize, Deserialize)]
pub struct Credentials {
    pub url: String,
    pub key: String,
}

/// There is nothing to talk to.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    #[error(
        "no server is known here: `{place}` does not exist\n  hint: start one with `flotilla up`, run this in its directory, or set FLOTILLA_URL and FLOTILLA_KEY"
    )]
    Missing { place: String },
    #[error("`{place}` is damaged\n  hint: restart `flotilla up`, which writes it anew")]
    Damaged { place: String },
    #[error("FLOTILLA_URL and FLOTILLA_KEY belong together: set both or neither")]
    Half,
    #[error(transparent)]
    DataDir(#[from] DataDirError),
}

impl Credentials {
    /// From the settings if both are given, otherwise what a local `up` left behind.
    pub fn find(source: &Source) -> Result<Self, CredentialsError> {
        match (source.get(&vars::URL), source.get(&vars::KEY)) {
            (Some(url), Some(key)) => Ok(Self { url: url.to_owned(), key: key.to_owned() }),
            (None, None) => Self::left_in(Path::new(source.get(&vars::DATA_DIR).unwrap_or(vars::DATA_DIR.default))),
            _ => Err(CredentialsError::Half),
        }
    }

    fn left_in(data_dir: &Path) -> Result<Self, CredentialsError> {
        let place = || data_dir.join(FILE).display().to_string();
        if !data_dir.exists() {
            return Err(CredentialsError::Missing { place: place() });
        }
        let found = Self::read(&DataDir::open(data_dir)?)?;
        found.ok_or_else(|| CredentialsError::Missing { place: place() })
    }

    /// A client that is as patient as clients are.
    pub fn client(&self) -> Result<Client, Error> {
        Client::new(&self.url, &self.key)
    }

    /// A client that sends everything once, for those who want to see each failure.
    pub fn client_once(&self) -> Result<Client, Error> {
        Client::builder(&self.url).key(&self.key).tries(1).build()
    }

    /// What is in the data directory, if anything.
    pub fn read(dir: &DataDir) -> Result<Option<Self>, CredentialsError> {
        let Some(text) = dir.read(FILE)? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|_| CredentialsError::Damaged { place: dir.file(FILE).display().to_string() })
    }

    /// Leaves them for the command line; returns where.
    pub fn write(&self, dir: &DataDir) -> Result<std::path::PathBuf, DataDirError> {
        let text = serde_json::json!({ "url": self.url, "key": self.key }).to_string();
        dir.write_private(FILE, &text)
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials {{ url: {:?}, key: *** }}", self.url)
    }
}
