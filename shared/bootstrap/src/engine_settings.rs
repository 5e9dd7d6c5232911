//! Which engine, where its servers are, and where it keeps its things?

use std::path::PathBuf;
use std::time::Duration;

use domain::bounds::SUCCEEDED_KEPT;
use settings::{Reader, Secret, ServerUrl, vars};
use store::Retention;
use vault::ServerSecret;

use crate::backends::{Backends, Database, Seats};

/// Retention may be this long at most.
const KEPT_MAX: Duration = Duration::from_secs(400 * 86_400);
/// Dead, cancelled and expired jobs are kept at least this long: a person must have a chance to look.
const ENDED_BADLY_KEPT_MIN: Duration = Duration::from_secs(3_600);

/// What is needed to open an engine.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    pub backends: Backends,
    pub data_dir: PathBuf,
    /// Always there with PostgreSQL; otherwise, one is made in the data directory.
    pub secret_key: Option<Secret>,
    pub retention: Retention,
}

impl EngineSettings {
    pub fn read(reader: &mut Reader<'_>, seats: Seats) -> Self {
        let database = Database::read(reader);
        Self {
            backends: Backends::read(reader, &database, seats),
            secret_key: secret_key(reader, &database),
            data_dir: reader.get(&vars::DATA_DIR),
            retention: Retention {
                succeeded: reader.duration(&vars::SUCCEEDED_KEPT, SUCCEEDED_KEPT..=KEPT_MAX),
                dead: reader.duration(&vars::DEAD_KEPT, ENDED_BADLY_KEPT_MIN..=KEPT_MAX),
                stopped: reader.duration(&vars::STOPPED_KEPT, ENDED_BADLY_KEPT_MIN..=KEPT_MAX),
            },
        }
    }

    /// Where the servers are, for people: nothing in it is secret.
    pub fn servers(&self) -> String {
        match &self.backends {
            Backends::Embedded { database } => {
                let path = database.as_ref().map_or_else(|| self.data_dir.join(crate::engine::DATABASE_FILE), Clone::clone);
                format!("sqlite://{}", path.display())
            }
            Backends::Distributed(servers) => {
                let redis = servers.redis.as_ref().map_or_else(|| "embedded:".to_owned(), ServerUrl::to_string);
                format!("{}, {}, {redis}", servers.database, servers.broker)
            }
        }
    }
}

/// The secret, checked; required where others must have the same.
pub(crate) fn secret_key(reader: &mut Reader<'_>, database: &Database) -> Option<Secret> {
    let hint = "make one with `openssl rand -hex 32`, keep it, and give the same one to every process of the fleet";
    match reader.optional::<Secret>(&vars::SECRET_KEY) {
        Some(given) => match given.expose().trim().parse::<ServerSecret>() {
            Ok(_) => Some(given),
            Err(why) => {
                reader.problem_with_hint(&vars::SECRET_KEY, why, hint);
                None
            }
        },
        None => {
            if matches!(database, Database::Server(_)) {
                reader.problem_with_hint(&vars::SECRET_KEY, "it is required with PostgreSQL", hint);
            }
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use settings::{Problem, Source, Var};

    const SECRET: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    const POSTGRES: (&Var, &str) = (&vars::DATABASE_URL, "postgres://u:hunter2@db:5432/jobs");
    const SQLITE: (&Var, &str) = (&vars::DATABASE_URL, "sqlite://jobs.db");
    const RABBIT: (&Var, &str) = (&vars::BROKER_URL, "amqp://u:hunter2@mq/v");
    const REDIS: (&Var, &str) = (&vars::REDIS_URL, "redis://:hunter2@redis");
    const KEY: (&Var, &str) = (&vars::SECRET_KEY, SECRET);

    fn read(given: &[(&Var, &str)], seats: Seats) -> Result<EngineSettings, Vec<Problem>> {
        let source = Source::of(given);
        let mut reader = Reader::new(&source);
        let read = EngineSettings::read(&mut reader, seats);
        let finished = reader.finish(read).map_err(|error| error.problems);
        // I10: whatever comes of it, nothing shows a password.
        assert!(!format!("{finished:?}").contains("hunter2"), "{finished:?}");
        finished
    }

    fn refused(given: &[(&Var, &str)], seats: Seats) -> Vec<&'static str> {
        let problems = read(given, seats).expect_err("refused");
        assert!(problems.iter().all(|problem| problem.why.contains("hint:")), "{problems:?}");
        problems.into_iter().map(|problem| problem.name).collect()
    }

    /// Everything that cannot work together, and who says so.
    #[test]
    fn mixed_settings_are_refused_all_at_once() {
        const DATABASE: &str = "FLOTILLA_DATABASE_URL";
        const BROKER: &str = "FLOTILLA_BROKER_URL";
        const SHARED: &str = "FLOTILLA_REDIS_URL";
        const SECRET_KEY: &str = "FLOTILLA_SECRET_KEY";
        let (all, one) = (Seats::AllRoles, Seats::OneRole);
        for (given, seats, named) in [
            (&[RABBIT][..], all, &[BROKER][..]),
            (&[SQLITE, REDIS], all, &[SHARED]),
            (&[SQLITE, RABBIT, REDIS], all, &[BROKER, SHARED]),
            (&[POSTGRES, KEY], all, &[BROKER]),
            (&[POSTGRES], all, &[BROKER, SECRET_KEY]),
            (&[POSTGRES, RABBIT, REDIS], all, &[SECRET_KEY]),
            (&[], one, &[DATABASE, BROKER, SHARED]),
            (&[SQLITE, RABBIT, REDIS, KEY], one, &[DATABASE]),
            (&[POSTGRES, RABBIT, KEY], one, &[SHARED]),
            (&[POSTGRES, REDIS], one, &[BROKER, SECRET_KEY]),
            (&[(&vars::DATABASE_URL, "mysql://u:hunter2@db")], all, &[DATABASE]),
            (&[(&vars::DATABASE_URL, "postgres://u:hunter2/x@db/jobs"), RABBIT, REDIS], all, &[DATABASE]),
            (&[POSTGRES, (&vars::BROKER_URL, "kafka://u:hunter2@mq"), REDIS, KEY], one, &[BROKER]),
            (&[POSTGRES, RABBIT, (&vars::REDIS_URL, "localhost:6379"), KEY], one, &[SHARED]),
            (&[POSTGRES, RABBIT, REDIS, (&vars::SECRET_KEY, "hunter2")], one, &[SECRET_KEY]),
        ] {
            assert_eq!(refused(given, seats), named, "{given:?} {seats:?}");
        }
    }

    #[test]
    fn what_works_is_taken() {
        let read = |given: &[(&Var, &str)], seats| read(given, seats).expect("taken");
        assert!(matches!(read(&[], Seats::AllRoles).backends, Backends::Embedded { database: None }));
        let file = read(&[(&vars::DATABASE_URL, "sqlite:///var/lib/flotilla/jobs.db")], Seats::AllRoles).backends;
        assert!(matches!(file, Backends::Embedded { database: Some(path) } if path.as_os_str() == "/var/lib/flotilla/jobs.db"));
        let distributed = read(&[POSTGRES, RABBIT, REDIS, KEY, (&vars::QUEUE_TYPE, "classic"), (&vars::EXPRESS, "false")], Seats::OneRole);
        assert_eq!(distributed.servers(), "postgres://db:5432/jobs, amqp://mq/v, redis://redis");
        let Backends::Distributed(servers) = distributed.backends else { panic!("embedded") };
        assert_eq!((servers.queue_type.as_str(), servers.express), ("classic", false));
        assert_eq!(read(&[POSTGRES, RABBIT, KEY], Seats::AllRoles).servers(), "postgres://db:5432/jobs, amqp://mq/v, embedded:");
    }

    #[test]
    fn other_values_are_refused() {
        let problems = read(&[(&vars::SUCCEEDED_KEPT, "1h"), (&vars::QUEUE_TYPE, "stream"), (&vars::EXPRESS, "perhaps")], Seats::AllRoles)
            .expect_err("refused");
        assert_eq!(problems.len(), 3, "{problems:?}");
    }
}
