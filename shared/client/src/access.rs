//! Who may do what, who did what, and who receives webhooks?

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::call::Call;
use crate::pages::{Page, Pages};
use crate::{Answer, Client, Error, Id, Time};

/// An API key. Its secret is there only in the answer that made it.
#[derive(Clone, Deserialize)]
#[non_exhaustive]
pub struct ApiKey {
    /// Its id, which is no secret.
    pub id: Id,
    /// What it is for.
    pub name: String,
    /// Whose it is.
    #[serde(default)]
    pub tenant: String,
    /// `submit`, `read`, `operate`, `admin`.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: Time,
    /// Since when it is refused.
    #[serde(default)]
    pub revoked_at: Option<Time>,
    /// The key itself, shown once.
    #[serde(default)]
    pub key: Option<String>,
}

/// Without the key.
impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, name, scopes, .. } = self;
        f.debug_struct("ApiKey").field("id", id).field("name", name).field("scopes", scopes).finish_non_exhaustive()
    }
}

/// The keys of a tenant.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct ApiKeys {
    /// Revoked ones, too.
    pub api_keys: Vec<ApiKey>,
}

/// A key to make.
#[derive(Debug, Clone, Serialize)]
pub struct NewKey {
    /// What it is for.
    pub name: String,
    /// `submit`, `read`, `operate`, `admin`; at least one.
    pub scopes: Vec<String>,
    /// Whose it is, if not the caller's; a new tenant exists from its first key on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
}

/// Whom a key belongs to.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Whoami {
    /// Its name.
    pub key: String,
    /// What it may do.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Whose things it sees.
    pub tenant: String,
}

/// A receiver of webhooks. Its secret is there only in the answer that made it.
#[derive(Clone, Deserialize)]
#[non_exhaustive]
pub struct Endpoint {
    /// What submissions call it.
    pub name: String,
    /// Where deliveries go; without it each names its own.
    #[serde(default)]
    pub url: Option<String>,
    /// When it was made.
    #[serde(default)]
    pub created_at: Option<Time>,
    /// Since when nothing is delivered to it.
    #[serde(default)]
    pub disabled_at: Option<Time>,
    /// Why.
    #[serde(default)]
    pub disabled_reason: Option<String>,
    /// What its deliveries are signed with.
    #[serde(default)]
    pub secret: Option<String>,
}

/// Without secret and address.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The endpoints of a tenant.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Endpoints {
    /// By name.
    pub webhook_endpoints: Vec<Endpoint>,
}

/// Which rows of the audit log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// By whom: a key's name.
    pub actor: Option<String>,
    /// What: `job.cancel`.
    pub action: Option<String>,
    /// On what: an id or a name.
    pub target: Option<String>,
    /// Of another tenant than the key's.
    pub tenant: Option<String>,
}

/// Who did what.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct AuditRow {
    /// When.
    pub at: Time,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// On what.
    pub target: String,
    /// In which request.
    #[serde(default)]
    pub request_id: String,
    /// What else is known.
    #[serde(default)]
    pub data: Option<Value>,
}

/// A page of the audit log, newest first.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct AuditPage {
    /// Its rows.
    pub audit: Vec<AuditRow>,
    /// Where to go on.
    #[serde(default)]
    pub cursor: Option<String>,
}

impl Page for AuditPage {
    type Item = AuditRow;

    fn into_items(self) -> Vec<AuditRow> {
        self.audit
    }

    fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }
}

impl Client {
    /// Whom the key of this client belongs to.
    ///
    /// # Errors
    /// `unauthorized`, and as every call.
    pub async fn whoami(&self) -> Result<Answer<Whoami>, Error> {
        self.ask(&Call::get(&["v1", "whoami"])).await
    }

    /// Makes a key, which is shown in this answer only.
    ///
    /// # Errors
    /// As every call. It is sent once.
    pub async fn create_key(&self, key: &NewKey) -> Result<Answer<ApiKey>, Error> {
        self.ask(&Call::post(&["v1", "api_keys"]).json(key)).await
    }

    /// The keys of the tenant, or of another if the key's scopes allow it.
    ///
    /// # Errors
    /// As every call.
    pub async fn keys(&self, tenant: Option<&str>) -> Result<Answer<ApiKeys>, Error> {
        self.ask(&Call::get(&["v1", "api_keys"]).query(tenant.map(|tenant| ("tenant", tenant.to_owned())))).await
    }

    /// Revokes a key; also twice.
    ///
    /// # Errors
    /// `not_found`, and as every call.
    pub async fn revoke_key(&self, id: Id, tenant: Option<&str>) -> Result<Answer<Value>, Error> {
        let call = Call::delete(&["v1", "api_keys", &id.to_string()]);
        self.ask(&call.query(tenant.map(|tenant| ("tenant", tenant.to_owned())))).await
    }

    /// Makes a webhook endpoint; the secret is in the answer if it is new.
    ///
    /// # Errors
    /// `endpoint_exists`, and as every call. It is sent once.
    pub async fn create_endpoint(&self, name: &str, url: Option<&str>) -> Result<Answer<Endpoint>, Error> {
        self.ask(&Call::post(&["v1", "webhook_endpoints"]).json(&serde_json::json!({ "name": name, "url": url }))).await
    }

    /// The webhook endpoints of the tenant.
    ///
    /// # Errors
    /// As every call.
    pub async fn endpoints(&self) -> Result<Answer<Endpoints>, Error> {
        self.ask(&Call::get(&["v1", "webhook_endpoints"])).await
    }

    /// What an endpoint's deliveries are signed with.
    ///
    /// # Errors
    /// `not_found`, and as every call.
    pub async fn endpoint_secret(&self, name: &str) -> Result<Answer<Endpoint>, Error> {
        self.ask(&Call::get(&["v1", "webhook_endpoints", name, "secret"])).await
    }

    /// Delivers to an endpoint again.
    ///
    /// # Errors
    /// `not_found`, and as every call. It is sent once.
    pub async fn enable_endpoint(&self, name: &str) -> Result<Answer<Endpoint>, Error> {
        self.ask(&Call::post(&["v1", "webhook_endpoints", name, "enable"])).await
    }

    /// Delivers nothing to an endpoint.
    ///
    /// # Errors
    /// `not_found`, and as every call. It is sent once.
    pub async fn disable_endpoint(&self, name: &str, reason: Option<&str>) -> Result<Answer<Endpoint>, Error> {
        let body = reason.map_or_else(|| serde_json::json!({}), |reason| serde_json::json!({ "reason": reason }));
        self.ask(&Call::post(&["v1", "webhook_endpoints", name, "disable"]).json(&body)).await
    }

    /// Who did what, newest first, with so many rows in a page, at most 200.
    pub fn audit(&self, filter: &AuditFilter, rows: usize) -> Pages<AuditPage> {
        let AuditFilter { actor, action, target, tenant } = filter.clone();
        let given = [("actor", actor), ("action", action), ("target", target), ("tenant", tenant)];
        let given = given.into_iter().filter_map(|(name, value)| Some((name, value?)));
        Pages::new(self, Call::get(&["v1", "audit"]).query(given).query([("limit", rows.to_string())]))
    }
}
