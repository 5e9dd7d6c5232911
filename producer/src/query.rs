//! Reads a query string: every parameter is known, appears once and means something; all faults are told at once.

use std::fmt;

use axum::extract::{FromRequestParts, Request};
use axum::middleware::Next;
use axum::response::Response;
use domain::TenantId;
use domain::bounds::VIOLATIONS_MAX;
use http::request::Parts;
use store::Scopes;
use url::form_urlencoded;

use crate::principal::Principal;
use crate::problem::{Problem, Violation};

const INVALID_QUERY: &str = "invalid_query";
/// Characters of a parameter's name that are repeated to the caller.
const SHOWN_NAME_CHARS_MAX: usize = 64;

/// The parameters of a request that were not read yet, and what was wrong with those that were.
pub struct Query {
    parameters: Vec<(String, String)>,
    faults: Vec<Violation>,
}

impl Query {
    /// The parameter, read by `read`. What is wrong with it is said by [`Query::finish`].
    pub fn take<T, E: fmt::Display>(&mut self, name: &str, read: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        let at = self.parameters.iter().position(|(key, _)| key == name)?;
        let (_, value) = self.parameters.remove(at);
        if self.parameters.iter().any(|(key, _)| key == name) {
            self.parameters.retain(|(key, _)| key != name);
            self.fault(name, "appears more than once");
            return None;
        }
        match read(&value) {
            Ok(value) => Some(value),
            Err(error) => {
                self.fault(name, error.to_string());
                None
            }
        }
    }

    /// What came otherwise than in the query string, judged with it.
    pub fn read<T, E: fmt::Display>(&mut self, name: &str, text: &str, read: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        read(text).map_err(|error| self.fault(name, error.to_string())).ok()
    }

    /// A number from 1 to `max`.
    pub fn take_limit(&mut self, default: usize, max: usize) -> usize {
        let read = |text: &str| {
            let limit = text.parse().ok().filter(|limit| (1..=max).contains(limit));
            limit.ok_or_else(|| format!("must be a whole number from 1 to {max}"))
        };
        self.take("limit", read).unwrap_or(default)
    }

    /// Whose things to show: the caller's own, or for an admin those of the tenant that is named.
    pub fn take_tenant(&mut self, principal: &Principal) -> Result<TenantId, Problem> {
        let named = self.take("tenant", str::parse);
        if named.is_some() && !principal.scopes.allow(Scopes::ADMIN) {
            return Err(Problem::tenant_needs_admin());
        }
        Ok(named.unwrap_or_else(|| principal.tenant.clone()))
    }

    /// Refuses everything that is wrong, what nobody asked for included.
    pub fn finish(mut self) -> Result<(), Problem> {
        let mut strangers: Vec<String> = Vec::new();
        for (name, _) in std::mem::take(&mut self.parameters) {
            if strangers.len() <= VIOLATIONS_MAX && !strangers.contains(&name) {
                strangers.push(name);
            }
        }
        for name in strangers {
            self.fault(&name, "is not a parameter of this request");
        }
        if self.faults.is_empty() { Ok(()) } else { Err(Problem::invalid(INVALID_QUERY, self.faults)) }
    }

    fn fault(&mut self, name: &str, message: impl Into<String>) {
        let name: String = name.chars().take(SHOWN_NAME_CHARS_MAX).collect();
        self.faults.push(Violation::new(INVALID_QUERY, format!("?{name}"), message));
    }
}

/// The middleware of routes that take no parameters: what nobody reads would mislead who sent it.
pub async fn refuse_all(query: Query, request: Request, next: Next) -> Result<Response, Problem> {
    query.finish()?;
    Ok(next.run(request).await)
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let text = parts.uri.query().unwrap_or_default();
        Ok(Self { parameters: form_urlencoded::parse(text.as_bytes()).into_owned().collect(), faults: Vec::new() })
    }
}
