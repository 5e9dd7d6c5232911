//! Handlers of `/v1/api_keys`, and `GET /v1/whoami`: who may do what.

use std::str::FromStr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use domain::bounds::{NAME_CHARS_MAX, SMALL_REQUEST_BYTES_MAX};
use domain::{KeyId, TenantId, Timestamp};
use http::StatusCode;
use serde_json::{Value, json};
use store::{Access, ApiKey, Mint, NewApiKey, Scopes};
use vault::Vault;

use crate::body;
use crate::form::{Form, plain};
use crate::path::Named;
use crate::principal::{Gate, Principal};
use crate::problem::Problem;
use crate::query::Query;

/// Makes, lists and revokes keys.
#[derive(Clone)]
pub struct Keyring {
    pub access: Arc<dyn Access>,
    pub vault: Arc<Vault>,
    pub mint: Arc<Mint>,
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

pub async fn whoami(principal: Principal) -> Json<Value> {
    let Principal { tenant, name, scopes, request_id: _ } = principal;
    Json(json!({ "tenant": tenant, "key": name, "scopes": scopes.names() }))
}

pub async fn list(State(keyring): State<Keyring>, principal: Principal, mut query: Query) -> Result<Response, Problem> {
    let tenant = query.take_tenant(&principal)?;
    query.finish()?;
    let keys = keyring.access.keys(&tenant).await?;
    Ok(Json(json!({ "api_keys": keys.iter().map(view).collect::<Vec<_>>() })).into_response())
}

/// The answer is the only one that ever shows the key.
pub async fn create(State(keyring): State<Keyring>, principal: Principal, request: Request) -> Result<Response, Problem> {
    let body = body::json(request, SMALL_REQUEST_BYTES_MAX).await?;
    let mut form = Form::of(body::text(&body)?, "", "invalid_request")?;
    let name = form.required_text("name", plain(NAME_CHARS_MAX));
    let tenant: Option<TenantId> = form.text("tenant", str::parse);
    let scopes = scopes(&mut form);
    form.close()?;
    let (Some(name), Some(scopes)) = (name, scopes) else { return Err(Problem::invalid("invalid_request", Vec::new())) };
    let tenant = tenant.unwrap_or_else(|| principal.tenant.clone());
    let id = keyring.mint.key((keyring.clock)());
    let (text, hash) = keyring.vault.mint_api_key(id).map_err(|error| Problem::internal(&error))?;
    let new = NewApiKey { id, tenant: tenant.clone(), name, scopes, hash };
    let key = keyring.access.key_create(&principal.actor_for(tenant), &new).await?;
    let mut shown = view(&key);
    shown["key"] = json!(text);
    Ok((StatusCode::CREATED, Json(shown)).into_response())
}

pub async fn revoke(
    State(keyring): State<Keyring>,
    State(gate): State<Gate>,
    principal: Principal,
    Named(id): Named<KeyId>,
    mut query: Query,
) -> Result<StatusCode, Problem> {
    let tenant = query.take_tenant(&principal)?;
    query.finish()?;
    let revoked = keyring.access.key_revoke(&principal.actor_for(tenant), id).await?;
    gate.forget(id);
    if revoked { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found("API key")) }
}

/// At least one scope, each by its name.
fn scopes(form: &mut Form) -> Option<Scopes> {
    let Some(names) = form.texts("scopes") else {
        form.fault("scopes", "must be a list of `submit`, `read`, `operate` and `admin`");
        return None;
    };
    if let Some(name) = names.iter().find(|name| name.contains(|c: char| !c.is_ascii_lowercase())) {
        form.fault("scopes", format!("`{}` is not a scope (submit, read, operate or admin)", name.chars().take(32).collect::<String>()));
        return None;
    }
    let all = names.iter().try_fold(Scopes::default(), |all, name| Scopes::from_str(name).map(|scope| all.and(scope)));
    match all {
        Ok(scopes) if scopes != Scopes::default() => Some(scopes),
        Ok(_) => {
            form.fault("scopes", "must name at least one scope");
            None
        }
        Err(error) => {
            form.fault("scopes", error.to_string());
            None
        }
    }
}

fn view(key: &ApiKey) -> Value {
    let ApiKey { id, tenant, name, scopes, hash: _, created_at, revoked_at } = key;
    json!({ "id": id, "tenant": tenant, "name": name, "scopes": scopes.names(), "created_at": created_at, "revoked_at": revoked_at })
}
