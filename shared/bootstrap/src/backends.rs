//! Which servers does this process work with, and do they go together?

use std::path::PathBuf;
use std::str::FromStr;

use broker_rabbitmq::QueueType;
use settings::{Reader, ServerUrl, Var, vars};

const EMBEDDED: &str = "embedded:";
const POSTGRES: &str = "FLOTILLA_DATABASE_URL=postgres://user:password@host:5432/database";
const RABBIT: &str = "FLOTILLA_BROKER_URL=amqp://user:password@host:5672/vhost";
const REDIS: &str = "FLOTILLA_REDIS_URL=redis://user:password@host:6379/0";

/// Who shares the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seats {
    /// This process has all roles; others may or may not exist.
    AllRoles,
    /// This process has one role, so there are others, and nothing may be embedded.
    OneRole,
}

/// Where store, broker, feed and nudges are.
#[derive(Debug, Clone)]
pub enum Backends {
    /// SQLite, and what is in this process.
    Embedded {
        /// `None`: `flotilla.db` in the data directory.
        database: Option<PathBuf>,
    },
    Distributed(Servers),
}

/// PostgreSQL, RabbitMQ and Redis.
#[derive(Debug, Clone)]
pub struct Servers {
    pub database: ServerUrl,
    pub broker: ServerUrl,
    /// `None`: in this process.
    pub redis: Option<ServerUrl>,
    /// Whether hints take the express lane, too.
    pub express: bool,
    pub queue_type: QueueType,
    /// Certificates to trust, as a file.
    pub tls_ca: Option<PathBuf>,
}

/// Where the store is.
#[derive(Debug, Clone)]
pub(crate) enum Database {
    /// A SQLite file; `None`: the default one.
    File(Option<PathBuf>),
    Server(ServerUrl),
    /// A problem that was reported.
    Unusable,
}

/// Where something else is.
enum Place {
    Embedded,
    Server(ServerUrl),
    Unusable,
}

impl Backends {
    /// Whatever does not go together is a problem of `reader`.
    pub(crate) fn read(reader: &mut Reader<'_>, database: &Database, seats: Seats) -> Self {
        let broker = place(reader, &vars::BROKER_URL, ["amqp", "amqps"], RABBIT);
        let redis = place(reader, &vars::REDIS_URL, ["redis", "rediss"], REDIS);
        let express = reader.get(&vars::EXPRESS);
        let queue_type = reader.get::<QueueTypeName>(&vars::QUEUE_TYPE).0;
        let tls_ca = reader.optional(&vars::TLS_CA);
        match seats {
            Seats::OneRole => refuse_embedded(reader, database, &broker, &redis),
            Seats::AllRoles => refuse_mixed(reader, database, &broker, &redis),
        }
        match (database, broker) {
            (Database::Server(database), Place::Server(broker)) => Self::Distributed(Servers {
                database: database.clone(),
                broker,
                redis: if let Place::Server(redis) = redis { Some(redis) } else { None },
                express,
                queue_type,
                tls_ca,
            }),
            (Database::File(database), _) => Self::Embedded { database: database.clone() },
            (Database::Server(_) | Database::Unusable, _) => Self::Embedded { database: None },
        }
    }
}

impl Database {
    pub(crate) fn into_server(self) -> Option<ServerUrl> {
        if let Self::Server(url) = self { Some(url) } else { None }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Self {
        let Some(text) = reader.optional::<settings::Secret>(&vars::DATABASE_URL) else { return Self::File(None) };
        let text = text.expose().trim();
        let hint = format!("say `sqlite://` and a path, or {POSTGRES}");
        match (text.strip_prefix("sqlite://"), scheme(text)) {
            (Some(path), _) if !path.is_empty() && !path.contains('?') => Self::File(Some(PathBuf::from(path))),
            (Some(_), _) => {
                reader.problem(&vars::DATABASE_URL, "a `sqlite://` address is followed by a path and nothing else");
                Self::Unusable
            }
            (None, Some("postgres" | "postgresql")) => match ServerUrl::parse(text) {
                Ok(url) => Self::Server(url),
                Err(why) => {
                    reader.problem_with_hint(&vars::DATABASE_URL, why, format!("say {POSTGRES}"));
                    Self::Unusable
                }
            },
            (None, _) => {
                reader.problem_with_hint(&vars::DATABASE_URL, "it is neither SQLite nor PostgreSQL", hint);
                Self::Unusable
            }
        }
    }
}

/// What stands before `://`, so that nothing else of an address is looked at.
fn scheme(text: &str) -> Option<&str> {
    text.split_once("://").map(|(scheme, _)| scheme)
}

fn place(reader: &mut Reader<'_>, var: &Var, schemes: [&str; 2], example: &str) -> Place {
    let Some(text) = reader.optional::<settings::Secret>(var).filter(|text| text.expose().trim() != EMBEDDED) else {
        return Place::Embedded;
    };
    let text = text.expose().trim();
    let parsed = match scheme(text) {
        Some(scheme) if schemes.contains(&scheme) => ServerUrl::parse(text).map_err(|error| error.to_string()),
        _ => Err(format!("it starts with none of `{EMBEDDED}`, `{}://` and `{}://`", schemes[0], schemes[1])),
    };
    parsed.map_or_else(
        |why| {
            reader.problem_with_hint(var, why, format!("say {example}, or leave it unset for what is in this process"));
            Place::Unusable
        },
        Place::Server,
    )
}

/// A role process has company, which cannot see into it.
fn refuse_embedded(reader: &mut Reader<'_>, database: &Database, broker: &Place, redis: &Place) {
    let hint = |example| format!("set {example}; everything in one process, without servers, is `flotilla up`");
    if matches!(database, Database::File(_)) {
        let why = "this program is one of several processes, and a SQLite file belongs to one alone";
        reader.problem_with_hint(&vars::DATABASE_URL, why, hint(POSTGRES));
    }
    for (place, var, why, example) in [
        (broker, &vars::BROKER_URL, "this program is one of several processes, and the embedded broker reaches one alone", RABBIT),
        (redis, &vars::REDIS_URL, "this program is one of several processes, and the embedded feed and nudges reach one alone", REDIS),
    ] {
        if matches!(place, Place::Embedded) {
            reader.problem_with_hint(var, why, hint(example));
        }
    }
}

fn refuse_mixed(reader: &mut Reader<'_>, database: &Database, broker: &Place, redis: &Place) {
    match database {
        Database::File(_) => {
            let hint = |name| format!("set {POSTGRES}, or leave {name} unset");
            if matches!(broker, Place::Server(_)) {
                let why = "RabbitMQ goes with PostgreSQL: a SQLite file belongs to one process, which needs no broker outside";
                reader.problem_with_hint(&vars::BROKER_URL, why, hint(vars::BROKER_URL.name));
            }
            if matches!(redis, Place::Server(_)) {
                let why = "Redis goes with PostgreSQL: a SQLite file belongs to one process, which has nobody to share with";
                reader.problem_with_hint(&vars::REDIS_URL, why, hint(vars::REDIS_URL.name));
            }
        }
        Database::Server(_) if matches!(broker, Place::Embedded) => {
            let why = "PostgreSQL goes with RabbitMQ: the embedded broker reaches this process alone";
            reader.problem_with_hint(&vars::BROKER_URL, why, format!("set {RABBIT}, or use SQLite"));
        }
        Database::Server(_) | Database::Unusable => {}
    }
}

/// A [`QueueType`] by its name.
struct QueueTypeName(QueueType);

impl FromStr for QueueTypeName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = [QueueType::Quorum, QueueType::Classic].into_iter().find(|known| known.as_str() == text);
        known.map(Self).ok_or("say `quorum` or `classic`")
    }
}
