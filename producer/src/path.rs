//! Reads what a request's path names. What cannot be a name or an id does not exist: 404.

use std::str::FromStr;

use axum::RequestPartsExt;
use axum::extract::{FromRequestParts, Path};
use domain::{EndpointName, JobId, KeyId, KindName, OperationId, QueueName};
use http::request::Parts;

use crate::problem::Problem;

/// The one variable segment of a route's path.
pub struct Named<T>(pub T);

/// What can be named in a path, and how a refusal calls it.
pub trait Nameable: FromStr {
    const WHAT: &'static str;
}

impl Nameable for JobId {
    const WHAT: &'static str = "job";
}

impl Nameable for KeyId {
    const WHAT: &'static str = "API key";
}

impl Nameable for KindName {
    const WHAT: &'static str = "kind";
}

impl Nameable for OperationId {
    const WHAT: &'static str = "operation";
}

impl Nameable for QueueName {
    const WHAT: &'static str = "queue";
}

impl Nameable for EndpointName {
    const WHAT: &'static str = "webhook endpoint";
}

impl<S: Send + Sync, T: Nameable> FromRequestParts<S> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let text = parts.extract::<Path<String>>().await.map(|Path(text)| text);
        text.ok().and_then(|text| text.parse().ok()).map(Self).ok_or_else(|| Problem::not_found(T::WHAT))
    }
}
