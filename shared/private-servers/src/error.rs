//! Why does a server not run? Each sentence is for the person who wanted it.

use std::io;
use std::path::Path;

use thiserror::Error;

/// What goes wrong around a private server.
#[derive(Debug, Error)]
pub enum ServerError {
    #[error("could not {doing}")]
    Io {
        doing: String,
        #[source]
        source: io::Error,
    },
    #[error("no directory can hold the files of {server}: the system user it runs as cannot enter any of: {tried}")]
    NoPlace { server: &'static str, tried: String },
    #[error("only root can run a {server} of another version than the system's")]
    NotRoot { server: &'static str },
    #[error("{server} ended while it started; its log says:\n{log}")]
    Ended { server: &'static str, log: String },
    #[error("{server} was not ready within {secs} s; its log says:\n{log}")]
    NotReady { server: &'static str, secs: u64, log: String },
    #[error("`{program}` failed: {said}")]
    Program { program: String, said: String },
}

impl ServerError {
    /// For `map_err`: names what was being done.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    /// The same for a file.
    pub(crate) fn file(verb: &str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        Self::io(format!("{verb} `{}`", path.display()))
    }
}
