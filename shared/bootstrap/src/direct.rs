//! What an operator does to PostgreSQL before there is an API: bring the schema up to date, and make the first key.

use domain::TenantId;
use settings::{Reader, Secret, ServerUrl, vars};
use store::{Access, Actor, ApiKey, Mint, NewApiKey, Scopes, Store};
use store_postgres::{PostgresOptions, PostgresStore};
use vault::Vault;

use crate::EngineError;
use crate::backends::Database;
use crate::engine_settings::secret_key;

/// Who did it, in the audit log.
const ACTOR: &str = "command line";

/// What [`migrate`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// The database, without the login.
    pub database: String,
    /// 0: there was no schema.
    pub from: i64,
    pub to: i64,
    /// Spans of time that partitions were made for.
    pub partitions: usize,
}

/// The database, and nothing else.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// `None`: SQLite.
    server: Option<ServerUrl>,
}

/// The database, and the secret that keys are hashed with.
#[derive(Debug, Clone)]
pub struct AccessSettings {
    server: Option<ServerUrl>,
    secret_key: Option<Secret>,
}

/// A key to be made.
#[derive(Debug, Clone)]
pub struct KeyOrder {
    pub name: String,
    pub tenant: TenantId,
    pub scopes: Scopes,
}

impl DatabaseSettings {
    pub fn read(reader: &mut Reader<'_>) -> Self {
        Self { server: Database::read(reader).into_server() }
    }
}

impl AccessSettings {
    pub fn read(reader: &mut Reader<'_>) -> Self {
        let database = Database::read(reader);
        if matches!(database, Database::File(_)) {
            let why = "with SQLite, keys are made by the process that has the file";
            reader.problem_with_hint(&vars::DATABASE_URL, why, "start `flotilla up` and leave out `--direct`");
        }
        Self { secret_key: secret_key(reader, &database), server: database.into_server() }
    }
}

/// Brings PostgreSQL's schema up to date; any number may try at once. `None`: SQLite, which is brought up to date when it is opened.
pub async fn migrate(settings: &DatabaseSettings) -> Result<Option<Migration>, EngineError> {
    let Some(server) = &settings.server else { return Ok(None) };
    let migrated = store_postgres::migrate(&PostgresOptions::new(server.secret().clone())).await.map_err(|why| refused(server, why))?;
    let store_postgres::Migrated { from, to, partitions } = migrated;
    Ok(Some(Migration { database: server.to_string(), from, to, partitions }))
}

/// Makes a key without an API, for the first administrator. Returns its text, which is nowhere else, and what was recorded.
pub async fn create_key(settings: &AccessSettings, order: KeyOrder) -> Result<(String, ApiKey), EngineError> {
    let Some(server) = &settings.server else { return Err(EngineError::NotPostgres) };
    let secret = crate::secret::parsed(settings.secret_key.as_ref())?;
    let store = PostgresStore::open(PostgresOptions { readers: 1, ..PostgresOptions::new(server.secret().clone()) }).await;
    let store = store.map_err(|why| refused(server, why))?;
    let made = make_key(&store, &Vault::new(secret), order).await;
    store.close().await;
    made
}

async fn make_key(store: &PostgresStore, vault: &Vault, order: KeyOrder) -> Result<(String, ApiKey), EngineError> {
    let KeyOrder { name, tenant, scopes } = order;
    let id = Mint::default().key(store.now());
    let (text, hash) = vault.mint_api_key(id).map_err(|why| EngineError::Secret { place: "`FLOTILLA_SECRET_KEY`".to_owned(), why })?;
    let by = Actor { tenant: tenant.clone(), name: ACTOR.to_owned(), request_id: "direct".to_owned() };
    let key = store.key_create(&by, &NewApiKey { id, tenant, name, scopes, hash }).await?;
    Ok((text, key))
}

fn refused(server: &ServerUrl, why: store_postgres::OpenError) -> EngineError {
    EngineError::Database { place: server.to_string(), why }
}
