//! Handlers of `/v1/webhook_endpoints`: receivers of webhooks and the secrets that sign for them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use domain::EndpointName;
use domain::bounds::{REASON_CHARS_MAX, SMALL_REQUEST_BYTES_MAX};
use http::StatusCode;
use serde_json::{Value, json};
use store::{Access, Endpoint};

use crate::api_keys::Keyring;
use crate::body;
use crate::form::{Form, plain};
use crate::path::Named;
use crate::principal::Principal;
use crate::problem::Problem;
use crate::query::Query;
use crate::submission::http_url;

pub async fn list(State(access): State<Arc<dyn Access>>, principal: Principal, mut query: Query) -> Result<Response, Problem> {
    let tenant = query.take_tenant(&principal)?;
    query.finish()?;
    let endpoints = access.endpoints(&tenant).await?;
    Ok(Json(json!({ "webhook_endpoints": endpoints.iter().map(view).collect::<Vec<_>>() })).into_response())
}

/// 201 with the new secret, or 200 without it when the same endpoint is there already.
pub async fn create(State(keyring): State<Keyring>, principal: Principal, request: Request) -> Result<Response, Problem> {
    let body = body::json(request, SMALL_REQUEST_BYTES_MAX).await?;
    let mut form = Form::of(body::text(&body)?, "", "invalid_request")?;
    let name: Option<EndpointName> = form.required_text("name", str::parse);
    let url = form.text("url", http_url);
    form.close()?;
    let Some(name) = name else { return Err(Problem::invalid("invalid_request", Vec::new())) };
    let tenant = principal.tenant.clone();
    let (sealed_secret, secret) = keyring.vault.seal_webhook_secret(&tenant, &name).map_err(|error| Problem::internal(&error))?;
    let created_at = (keyring.clock)();
    let wanted = Endpoint { tenant, name, url, sealed_secret, created_at, disabled_at: None, disabled_reason: None };
    let (endpoint, is_new) = keyring.access.endpoint_create(&principal.actor(), &wanted).await?;
    let mut shown = view(&endpoint);
    if is_new {
        shown["secret"] = json!(secret.to_text().as_str());
        return Ok((StatusCode::CREATED, Json(shown)).into_response());
    }
    if endpoint.url == wanted.url { Ok(Json(shown).into_response()) } else { Err(Problem::endpoint_exists(endpoint.name.as_str())) }
}

pub async fn secret(
    State(keyring): State<Keyring>,
    principal: Principal,
    Named(name): Named<EndpointName>,
) -> Result<Json<Value>, Problem> {
    let endpoint = keyring.access.endpoint(&principal.tenant, &name).await?.ok_or_else(missing)?;
    let secret = keyring.vault.open_webhook_secret(&principal.tenant, &name, &endpoint.sealed_secret);
    let secret = secret.map_err(|error| Problem::internal(&error))?;
    Ok(Json(json!({ "name": name, "secret": secret.to_text().as_str() })))
}

pub async fn enable(
    State(access): State<Arc<dyn Access>>,
    principal: Principal,
    Named(name): Named<EndpointName>,
) -> Result<Json<Value>, Problem> {
    set_disabled(&*access, &principal, &name, None).await
}

pub async fn disable(
    State(access): State<Arc<dyn Access>>,
    principal: Principal,
    Named(name): Named<EndpointName>,
    request: Request,
) -> Result<Json<Value>, Problem> {
    let body = body::optional_json(request, SMALL_REQUEST_BYTES_MAX).await?;
    let mut reason = None;
    if let Some(body) = &body {
        let mut form = Form::of(body::text(body)?, "", "invalid_request")?;
        reason = form.text("reason", plain(REASON_CHARS_MAX));
        form.close()?;
    }
    let reason = reason.unwrap_or_else(|| format!("disabled by key `{}`", principal.name));
    set_disabled(&*access, &principal, &name, Some(&reason)).await
}

async fn set_disabled(
    access: &dyn Access,
    principal: &Principal,
    name: &EndpointName,
    reason: Option<&str>,
) -> Result<Json<Value>, Problem> {
    if !access.endpoint_disable(&principal.actor(), name, reason).await? {
        return Err(missing());
    }
    let endpoint = access.endpoint(&principal.tenant, name).await?.ok_or_else(missing)?;
    Ok(Json(view(&endpoint)))
}

fn missing() -> Problem {
    Problem::not_found("webhook endpoint")
}

fn view(endpoint: &Endpoint) -> Value {
    let Endpoint { tenant: _, name, url, sealed_secret: _, created_at, disabled_at, disabled_reason } = endpoint;
    json!({ "name": name, "url": url, "created_at": created_at, "disabled_at": disabled_at, "disabled_reason": disabled_reason })
}
