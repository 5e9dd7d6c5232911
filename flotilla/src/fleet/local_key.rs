//! The key with which the command line of this machine finds its fleet by itself.

use std::path::PathBuf;

use bootstrap::{DEFAULT_TENANT, DataDir, Engine};
use domain::TenantId;
use store::{Actor, NewApiKey, Scopes};

use crate::Credentials;

/// Its name among the tenant's keys.
const LOCAL_KEY: &str = "local";

/// The key the command line used before, if it still works; otherwise a new one. Left in the data directory.
pub async fn local_credentials(engine: &Engine, data_dir: &DataDir, url: String) -> anyhow::Result<(Credentials, PathBuf)> {
    let kept = Credentials::read(data_dir).ok().flatten();
    let key = match kept {
        Some(kept) if still_works(engine, &kept.key).await? => kept.key,
        _ => new_key(engine).await?,
    };
    let credentials = Credentials { url, key };
    let file = credentials.write(data_dir)?;
    Ok((credentials, file))
}

async fn still_works(engine: &Engine, key: &str) -> anyhow::Result<bool> {
    let Ok(presented) = key.parse::<vault::PresentedKey>() else { return Ok(false) };
    let known = engine.store.key(presented.id).await?;
    Ok(known.is_some_and(|known| known.revoked_at.is_none() && engine.vault.matches(&presented, &known.hash)))
}

async fn new_key(engine: &Engine) -> anyhow::Result<String> {
    let id = engine.mint.key((engine.clock)());
    let (text, hash) = engine.vault.mint_api_key(id)?;
    let tenant = TenantId::of(DEFAULT_TENANT);
    let by = Actor { tenant: tenant.clone(), name: "up".to_owned(), request_id: "start".to_owned() };
    engine.store.key_create(&by, &NewApiKey { id, tenant, name: LOCAL_KEY.to_owned(), scopes: Scopes::ADMIN, hash }).await?;
    Ok(text)
}
