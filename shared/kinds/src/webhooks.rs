//! `webhooks.deliver`: one signed POST to one receiver.

mod rules;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use domain::{Backoff, EffectPolicy, EndpointName, Failure, RetryPolicy, Stop};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use url::Url;

use crate::Kind;

/// A webhook to deliver. What JSON Schema can say is in the schema, because that is all intake checks; [`Deliver::check`]
/// says the rest when it is delivered.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "webhooks.deliver", description = "One signed POST to one receiver.", transform = rules::url_or_endpoint)]
pub struct Deliver {
    /// Where to send it. Without it, the endpoint's own URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "rules::url")]
    pub url: Option<String>,
    /// The endpoint whose secret signs. Without it, the one named `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "rules::endpoint")]
    pub endpoint: Option<EndpointName>,
    /// The body, sent byte for byte as it was submitted.
    #[schemars(schema_with = "rules::data")]
    pub data: Box<RawValue>,
    /// Headers to add to the request.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "rules::headers")]
    pub headers: BTreeMap<String, String>,
    /// Content type of the body. Without it, `application/json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "rules::content_type")]
    pub content_type: Option<String>,
}

/// Where a delivery goes and whose secret signs it: at least one of the two is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// `None`: the endpoint's own.
    pub url: Option<Url>,
    /// `None`: the tenant's endpoint `default` signs.
    pub endpoint: Option<EndpointName>,
}

impl Target {
    /// The endpoint that signs.
    pub fn signer(&self) -> EndpointName {
        self.endpoint.clone().unwrap_or_else(|| EndpointName::of(DEFAULT_ENDPOINT))
    }
}

/// The endpoint that signs when none is named; made for a tenant at its first use.
pub const DEFAULT_ENDPOINT: &str = "default";

/// What a delivered webhook leaves as its job's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    /// The receiver's HTTP status, 2xx.
    pub status: u16,
    pub duration_ms: u64,
    /// The beginning of the receiver's answer as text, at most 1 KiB, unprintable characters replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<String>,
    /// Whether the answer went on after `response`.
    #[serde(default)]
    pub response_truncated: bool,
}

impl Kind for Deliver {
    const NAME: &'static str = "webhooks.deliver";
    const QUEUE: &'static str = "webhooks";
    /// With the backoff below, about half a day on average and a day at most: a receiver may be away for a night.
    const MAX_ATTEMPTS: u16 = 16;
    const TIMEOUT: Duration = Duration::from_secs(30);
    /// The receiver tells repeats from news by `webhook-id`.
    const EFFECTS: EffectPolicy = EffectPolicy::RepeatSameKey;

    fn retry() -> RetryPolicy {
        RetryPolicy { backoff: Backoff::Exponential { base_ms: 5_000, cap_ms: 6 * 3_600_000 }, stop: Stop::Attempts }
    }
}

impl Deliver {
    /// Where it goes; refuses a payload that names nothing or no URL.
    pub fn target(&self) -> Result<Target, Failure> {
        let url = self.url.as_deref().map(|text| text.parse::<Url>().map_err(|why| invalid(format!("`url` cannot be read: {why}"))));
        let target = Target { url: url.transpose()?, endpoint: self.endpoint.clone() };
        if target.url.is_none() && target.endpoint.is_none() { Err(invalid("one of `url` and `endpoint` is needed")) } else { Ok(target) }
    }

    /// What the schema says (a payload may have come past it) and what it cannot say.
    pub fn check(&self) -> Result<(), Failure> {
        self.target()?;
        rules::check_headers(&self.headers).map_err(invalid)?;
        let known = self.content_type.as_deref().is_none_or(rules::is_content_type);
        if known { Ok(()) } else { Err(invalid("`content_type` is no media type")) }
    }

    /// The exact bytes to send.
    pub fn body(&self) -> &str {
        self.data.get()
    }

    pub fn content_type(&self) -> &str {
        self.content_type.as_deref().unwrap_or("application/json")
    }
}

/// Never shows the body, a header's value or the URL's query: any of them may hold a secret.
impl fmt::Debug for Deliver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deliver")
            .field("endpoint", &self.endpoint)
            .field("url", &self.url.as_ref().map(|_| "***"))
            .field("data_bytes", &self.data.get().len())
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

fn invalid(message: impl Into<String>) -> Failure {
    Failure::permanent("invalid_payload", message).with_hint("submit a corrected payload, or replay the job with an edited one")
}
