//! How is the store opened? Check the server and its schema, then the lanes and the readers.

use std::sync::Arc;
use std::time::Duration;

use settings::Secret;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Row as _};
use store::Mint;
use tokio::time::timeout;

use crate::PostgresStore;
use crate::batcher::Batcher;
use crate::clock::Clock;
use crate::compact::Surveys;
use crate::connection::{Connector, session};
use crate::health::Health;
use crate::keeper::Keeper;
use crate::lane::Lanes;
use crate::open_error::OpenError;
use crate::options::PostgresOptions;
use crate::paces::Paces;
use crate::partition::Partitions;
use crate::planned::PlannedFailures;
use crate::reader::Reader;
use crate::retain::RetainedFrom;
use crate::schema;
use crate::server_run::ServerRun;
use crate::tx::{Context, sql};

/// `server_version_num` of the oldest server that is known to do: 15.0.
const SERVER_MIN: i32 = 150_000;
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
const MIGRATE_WITHIN: Duration = Duration::from_secs(600);

const MIGRATING: &str = "select set_config('statement_timeout', '0', false), set_config('lock_timeout', '0', false)";

/// What [`migrate`] did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Migrated {
    /// The schema's version before; 0: there was none.
    pub from: i64,
    pub to: i64,
    /// Spans of time that partitions were made for.
    pub partitions: usize,
}

/// Brings the database's schema up to date and makes the first partitions. Any number of processes may try at once.
pub async fn migrate(options: &PostgresOptions) -> Result<Migrated, OpenError> {
    let work = async {
        let mut connection = connect(&options.url).await?;
        // A migration may take long, and so may the wait for another one that is under way; the deadline is that of the whole.
        sql(MIGRATING).execute(&mut connection).await.map_err(OpenError::of_sql)?;
        let from = schema::migrate(&mut connection).await?;
        let connector = Connector {
            options: connect_options(&options.url)?,
            clock: Arc::new(Clock::new()),
            server: Arc::default(),
            deadline: options.write_deadline,
        };
        let other = |fault: crate::fault::Fault| OpenError::Other(sqlx::Error::Protocol(fault.to_string()));
        connector.sample_clock(&mut connection).await.map_err(other)?;
        let partitions = Partitions { span: options.partition_span };
        let partitions = partitions.make_ahead(&mut connection, connector.clock.now()).await.map_err(other)?;
        connector.close(Some(connection)).await;
        Ok(Migrated { from, to: schema::KNOWN, partitions })
    };
    timeout(MIGRATE_WITHIN, work).await.unwrap_or(Err(OpenError::Late(MIGRATE_WITHIN.as_secs())))
}

impl PostgresStore {
    /// Opens the store. The schema must be the one that this program knows: see [`migrate`].
    pub async fn open(options: PostgresOptions) -> Result<Self, OpenError> {
        let mut connection = connect(&options.url).await?;
        schema::check(&mut connection).await?;
        let clock = Arc::new(Clock::new());
        let server = Arc::<ServerRun>::default();
        let connector = Arc::new(Connector {
            options: connect_options(&options.url)?,
            clock: Arc::clone(&clock),
            server: Arc::clone(&server),
            deadline: options.write_deadline,
        });
        let unanswered = |_| OpenError::Late(CONNECT_WITHIN.as_secs());
        connector.sample_clock(&mut connection).await.map_err(unanswered)?;
        connector.close(Some(connection)).await;
        let planned = PlannedFailures::default();
        let context = Arc::new(Context {
            clock,
            server,
            mint: Mint::default(),
            callback: options.callback.clone(),
            planned: planned.clone(),
            paces: Paces::default(),
            partitions: Partitions { span: options.partition_span },
            retained_from: RetainedFrom::default(),
            health: Health::default(),
            surveys: Surveys::default(),
        });
        let reader = Arc::new(Reader::new(connector.options.clone(), options.readers, options.read_deadline));
        let lanes = Arc::new(Lanes::start(&connector, &context, options.write_deadline));
        let keeper = Keeper { context: Arc::clone(&context), connector, reader: Arc::clone(&reader), lanes: Arc::clone(&lanes) };
        let keeper = tokio::spawn(keeper.keep());
        let batcher = Batcher::start(Arc::clone(&lanes), options.write_deadline);
        Ok(Self { context, lanes, batcher, reader, keeper, planned })
    }
}

/// What may follow the `?` of an address. Others are refused: what is misspelt would be ignored, and shown in a log line.
const PARAMETERS: [&str; 17] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "options",
];

fn connect_options(url: &Secret) -> Result<PgConnectOptions, OpenError> {
    let text = url.expose();
    let parsed = url::Url::parse(text).map_err(|_| OpenError::Url)?;
    let is_known = |name: &str| PARAMETERS.contains(&name) || name.starts_with("options[");
    if !["postgres", "postgresql"].contains(&parsed.scheme()) || !parsed.query_pairs().all(|(name, _)| is_known(&name)) {
        return Err(OpenError::Url);
    }
    text.parse().map(session).map_err(|_| OpenError::Url)
}

/// Refuses servers of which nobody knows that they will do.
fn check_server(number: i32, found: String) -> Result<(), OpenError> {
    if number < SERVER_MIN { Err(OpenError::ServerTooOld { found, needed: 15 }) } else { Ok(()) }
}

/// Connects once, and looks whom it has reached.
async fn connect(url: &Secret) -> Result<PgConnection, OpenError> {
    let options = connect_options(url)?.application_name("flotilla opening");
    let connecting = async {
        let mut connection = options.connect().await.map_err(OpenError::of_sql)?;
        let row = sql(include_str!("../queries/server_version.sql")).fetch_one(&mut connection).await.map_err(OpenError::of_sql)?;
        let number: i32 = row.try_get(0).map_err(OpenError::of_sql)?;
        check_server(number, row.try_get(1).map_err(OpenError::of_sql)?)?;
        Ok(connection)
    };
    timeout(CONNECT_WITHIN, connecting).await.unwrap_or(Err(OpenError::Late(CONNECT_WITHIN.as_secs())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_of_old_are_refused() {
        assert!(check_server(150_000, "15.0".to_owned()).is_ok() && check_server(180_001, "18.1".to_owned()).is_ok());
        let refused = check_server(140_013, "14.13".to_owned()).expect_err("too old").to_string();
        assert_eq!(refused, "the server is PostgreSQL 14.13, this program needs 15 or newer");
    }

    #[test]
    fn addresses_are_read_strictly() {
        let reads = |url: &str| connect_options(&url.parse().expect("any text is a secret"));
        for good in [
            "postgres://u:p@h:5432/d",
            "postgresql://u@h/d?sslmode=verify-full&sslrootcert=/etc/ca.pem",
            "postgres:///d?host=/run/postgresql&user=u",
            "postgres://u:p%40%2F@[::1]/d?options=-c%20search_path%3Dflotilla",
        ] {
            assert!(reads(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "x",
            "mysql://u:secret@h/d",
            "postgres://u:secret@h:99999/d",
            "postgres://h/d?sslmode=maybe",
            "postgres://h/d?pasword=secret",
        ] {
            let error = reads(bad).err().unwrap_or_else(|| panic!("{bad}"));
            assert!(matches!(error, OpenError::Url) && !format!("{error} {error:?}").contains("secret"), "{error:?}");
        }
        let socket = reads("postgres:///d?host=/run/postgresql").expect("reads");
        assert_eq!(socket.get_socket().map(|path| path.display().to_string()).as_deref(), Some("/run/postgresql"));
    }
}
