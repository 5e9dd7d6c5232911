//! Where settings come from: the environment, a file, or a test's map. The environment wins.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::vars::{self, Var};

/// The settings file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("could not read the settings file `{path}`")]
    Unreadable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("`{path}` is not valid TOML")]
    Invalid {
        path: PathBuf,
        #[source]
        source: Box<toml::de::Error>,
    },
    #[error("`{path}` has {keys}, which no setting is called (known: {known})")]
    Unknown { path: PathBuf, keys: String, known: String },
    #[error("`{path}`: `{key}` must be text, a number, a boolean or a list of those")]
    Shape { path: PathBuf, key: String },
}

/// Values by setting name. `Debug` shows the names: some values are secrets.
#[derive(Clone, Default)]
pub struct Source {
    values: BTreeMap<String, String>,
    /// Variables of the environment that look like settings and are none.
    unknown: Vec<String>,
}

impl Source {
    /// The process's environment over the settings file, if there is one.
    pub fn from_process() -> Result<Self, SourceError> {
        let environment = Self::from_environment();
        let mut all = match environment.get(&vars::CONFIG) {
            // Named on purpose, so it must be there.
            Some(named) => Self::from_file(Path::new(named))?,
            None if Path::new(vars::CONFIG.default).exists() => Self::from_file(Path::new(vars::CONFIG.default))?,
            None => Self::default(),
        };
        all.values.extend(environment.values);
        all.unknown = unknown_in_environment();
        Ok(all)
    }

    /// Only what is given, for tests and for tools that start other processes.
    pub fn of(values: &[(&Var, &str)]) -> Self {
        let values = values.iter().map(|(var, value)| (var.name.to_owned(), (*value).to_owned()));
        Self { values: values.collect(), unknown: Vec::new() }
    }

    /// Replaces one value.
    #[must_use]
    pub fn with(mut self, var: &Var, value: impl Into<String>) -> Self {
        self.values.insert(var.name.to_owned(), value.into());
        self
    }

    /// The value as given; an empty one counts as not given.
    pub fn get(&self, var: &Var) -> Option<&str> {
        self.values.get(var.name).map(String::as_str).filter(|value| !value.trim().is_empty())
    }

    /// Variables called `FLOTILLA_…` that no setting is called: most likely misspelt.
    pub fn unknown(&self) -> &[String] {
        &self.unknown
    }

    fn from_environment() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment (I11)")]
        let read = |var: &Var| std::env::var(var.name).ok().map(|value| (var.name.to_owned(), value));
        Self { values: vars::ALL.iter().filter_map(read).collect(), unknown: Vec::new() }
    }

    fn from_file(path: &Path) -> Result<Self, SourceError> {
        let text = std::fs::read_to_string(path).map_err(|source| SourceError::Unreadable { path: path.to_owned(), source })?;
        Self::from_toml(path, &text)
    }

    fn from_toml(path: &Path, text: &str) -> Result<Self, SourceError> {
        let table: toml::Table = text.parse().map_err(|source| SourceError::Invalid { path: path.to_owned(), source: Box::new(source) })?;
        let allowed = || vars::ALL.iter().filter(|var| **var != vars::CONFIG);
        let unknown: Vec<String> =
            table.keys().filter(|key| allowed().all(|var| var.key() != **key)).map(|key| format!("`{key}`")).collect();
        if !unknown.is_empty() {
            let known = allowed().map(Var::key).collect::<Vec<_>>().join(", ");
            return Err(SourceError::Unknown { path: path.to_owned(), keys: unknown.join(", "), known });
        }
        let given = vars::ALL.iter().filter_map(|var| Some((var, table.get(&var.key())?)));
        let values = given.map(|(var, value)| {
            let text = text_of(value).ok_or_else(|| SourceError::Shape { path: path.to_owned(), key: var.key() })?;
            Ok((var.name.to_owned(), text))
        });
        Ok(Self { values: values.collect::<Result<_, SourceError>>()?, unknown: Vec::new() })
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

fn unknown_in_environment() -> Vec<String> {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment (I11)")]
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    names.filter(|name| name.starts_with("FLOTILLA_") && vars::ALL.iter().all(|var| var.name != name)).collect()
}

fn text_of(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(yes) => Some(yes.to_string()),
        toml::Value::Array(items) => Some(items.iter().map(text_of).collect::<Option<Vec<_>>>()?.join(",")),
        toml::Value::Table(_) | toml::Value::Datetime(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_hold_text_numbers_and_lists() {
        let source = Source::from_toml(Path::new("f.toml"), "worker_slots = 4\nqueues = [\"a\", \"b\"]\nlog = \"debug\"").expect("valid");
        assert_eq!(source.get(&vars::WORKER_SLOTS), Some("4"));
        assert_eq!(source.get(&vars::QUEUES), Some("a,b"));
        assert_eq!(source.get(&vars::LISTEN), None);
    }

    /// I10: a password in a URL does not get out through `Debug`.
    #[test]
    fn values_are_not_shown() {
        let source = Source::of(&[(&vars::DATABASE_URL, "postgres://u:hunter2@db/jobs")]);
        assert_eq!(format!("{source:?}"), r#"{"FLOTILLA_DATABASE_URL"}"#);
    }

    #[test]
    fn a_misspelt_key_is_named() {
        let error = Source::from_toml(Path::new("f.toml"), "worker_slot = 4").expect_err("unknown");
        assert!(error.to_string().contains("`worker_slot`"), "{error}");
    }
}
