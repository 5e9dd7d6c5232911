//! Which engine, and where it keeps its things.

use std::path::PathBuf;
use std::time::Duration;

use domain::bounds::SUCCEEDED_KEPT;
use settings::{Reader, Secret, Var, vars};
use store::Retention;

/// Retention may be this long at most.
const KEPT_MAX: Duration = Duration::from_secs(400 * 86_400);
/// Dead, cancelled and expired jobs are kept at least this long: a person must have a chance to look.
const ENDED_BADLY_KEPT_MIN: Duration = Duration::from_secs(3_600);

/// What is needed to open an engine.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    pub data_dir: PathBuf,
    /// The SQLite file; `None`: `flotilla.db` in the data directory.
    pub database: Option<PathBuf>,
    pub secret_key: Option<Secret>,
    pub retention: Retention,
}

impl EngineSettings {
    pub fn read(reader: &mut Reader<'_>) -> Self {
        embedded_only(reader, &vars::BROKER_URL);
        embedded_only(reader, &vars::REDIS_URL);
        Self {
            data_dir: reader.get(&vars::DATA_DIR),
            database: database(reader),
            secret_key: reader.optional(&vars::SECRET_KEY),
            retention: Retention {
                succeeded: reader.duration(&vars::SUCCEEDED_KEPT, SUCCEEDED_KEPT..=KEPT_MAX),
                dead: reader.duration(&vars::DEAD_KEPT, ENDED_BADLY_KEPT_MIN..=KEPT_MAX),
                stopped: reader.duration(&vars::STOPPED_KEPT, ENDED_BADLY_KEPT_MIN..=KEPT_MAX),
            },
        }
    }
}

fn embedded_only(reader: &mut Reader<'_>, var: &Var) {
    let url: String = reader.get(var);
    if url != "embedded:" {
        reader.problem(var, "this version has only the embedded engine: leave it unset or say `embedded:`");
    }
}

fn database(reader: &mut Reader<'_>) -> Option<PathBuf> {
    let url: String = reader.optional(&vars::DATABASE_URL)?;
    match url.strip_prefix("sqlite://") {
        Some(path) if !path.is_empty() && !path.contains('?') => Some(PathBuf::from(path)),
        Some(_) => {
            reader.problem(&vars::DATABASE_URL, "a `sqlite://` address is followed by a path and nothing else");
            None
        }
        None => {
            reader.problem(&vars::DATABASE_URL, "this version has only the embedded engine: say `sqlite://` and a path");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use settings::Source;

    #[test]
    fn what_this_version_cannot_do_is_refused_in_words() {
        let source =
            Source::of(&[(&vars::DATABASE_URL, "postgres://db/flotilla"), (&vars::BROKER_URL, "amqp://mq"), (&vars::SUCCEEDED_KEPT, "1h")]);
        let mut reader = Reader::new(&source);
        let read = EngineSettings::read(&mut reader);
        assert_eq!(reader.finish(read).expect_err("refused").problems.len(), 3);
    }

    #[test]
    fn a_database_elsewhere() {
        let source = Source::of(&[(&vars::DATABASE_URL, "sqlite:///var/lib/flotilla/jobs.db")]);
        let mut reader = Reader::new(&source);
        assert_eq!(EngineSettings::read(&mut reader).database, Some(PathBuf::from("/var/lib/flotilla/jobs.db")));
    }
}
