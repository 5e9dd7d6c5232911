//! Reads a query string: every parameter is known, appears once and means something.

use std::fmt;

use axum::extract::FromRequestParts;
use domain::TenantId;
use http::request::Parts;
use store::Scopes;
use url::form_urlencoded;

use crate::principal::Principal;
use crate::problem::Problem;

/// The parameters of a request that were not read yet.
pub struct Query(Vec<(String, String)>);

impl Query {
    /// The parameter, read by `read`.
    pub fn take<T, E: fmt::Display>(&mut self, name: &str, read: impl FnOnce(&str) -> Result<T, E>) -> Result<Option<T>, Problem> {
        let Some(at) = self.0.iter().position(|(key, _)| key == name) else { return Ok(None) };
        let (_, value) = self.0.remove(at);
        if self.0.iter().any(|(key, _)| key == name) {
            return Err(Problem::invalid_query(name, "appears more than once"));
        }
        read(&value).map(Some).map_err(|error| Problem::invalid_query(name, error.to_string()))
    }

    /// A number from 1 to `max`.
    pub fn take_limit(&mut self, default: usize, max: usize) -> Result<usize, Problem> {
        let read = |text: &str| {
            let limit = text.parse().ok().filter(|limit| (1..=max).contains(limit));
            limit.ok_or_else(|| format!("must be a whole number from 1 to {max}"))
        };
        Ok(self.take("limit", read)?.unwrap_or(default))
    }

    /// Whose things to show: the caller's own, or for an admin those of the tenant that is named.
    pub fn take_tenant(&mut self, principal: &Principal) -> Result<TenantId, Problem> {
        let named = self.take("tenant", str::parse)?;
        if named.is_some() && !principal.scopes.allow(Scopes::ADMIN) {
            return Err(Problem::tenant_needs_admin());
        }
        Ok(named.unwrap_or_else(|| principal.tenant.clone()))
    }

    /// Refuses what nobody asked for.
    pub fn finish(self) -> Result<(), Problem> {
        match self.0.first() {
            Some((name, _)) => Err(Problem::invalid_query(name, "is not a parameter of this request")),
            None => Ok(()),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let text = parts.uri.query().unwrap_or_default();
        Ok(Self(form_urlencoded::parse(text.as_bytes()).into_owned().collect()))
    }
}
