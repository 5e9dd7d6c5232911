//! Who may do what: tenants, API keys, sealed endpoint secrets, the audit log.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use domain::{EndpointName, KeyId, TenantId, Timestamp};

use crate::{Actor, StoreError};

/// What a key may do. Each scope is asked for by itself; `admin` includes the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Scopes(u8);

impl Scopes {
    pub const SUBMIT: Self = Self(1);
    pub const READ: Self = Self(2);
    pub const OPERATE: Self = Self(4);
    pub const ADMIN: Self = Self(8);
    const NAMES: [(&'static str, Self); 4] =
        [("submit", Self::SUBMIT), ("read", Self::READ), ("operate", Self::OPERATE), ("admin", Self::ADMIN)];

    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Unknown bits are dropped: a newer version's scope grants nothing here.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 15)
    }

    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether a key with these scopes may do what needs `needed`.
    pub const fn allow(self, needed: Self) -> bool {
        self.0 & Self::ADMIN.0 != 0 || self.0 & needed.0 == needed.0
    }

    pub fn names(self) -> Vec<&'static str> {
        Self::NAMES.iter().filter(|(_, scope)| self.0 & scope.0 != 0).map(|(name, _)| *name).collect()
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.names().join(","))
    }
}

/// The text is no list of scopes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a scope (submit, read, operate or admin)")]
pub struct UnknownScope(String);

impl FromStr for Scopes {
    type Err = UnknownScope;

    /// Reads one scope, or several with commas between them.
    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        text.split(',').try_fold(Self::default(), |all, part| {
            let found = Self::NAMES.iter().find(|(name, _)| *name == part.trim());
            found.map(|(_, scope)| all.and(*scope)).ok_or_else(|| UnknownScope(part.chars().take(32).collect()))
        })
    }
}

/// A key to be recorded: the secret itself never reaches the store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewApiKey {
    pub id: KeyId,
    pub tenant: TenantId,
    pub name: String,
    pub scopes: Scopes,
    /// HMAC-SHA-256 of the secret under the server's key.
    pub hash: [u8; 32],
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApiKey {
    pub id: KeyId,
    pub tenant: TenantId,
    pub name: String,
    pub scopes: Scopes,
    pub hash: [u8; 32],
    pub created_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
}

/// A tenant's webhook endpoint. `sealed_secret` is encrypted under the tenant's key; the store cannot read it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    pub tenant: TenantId,
    pub name: EndpointName,
    /// `None`: only a secret, for deliveries that name their own URL.
    pub url: Option<String>,
    pub sealed_secret: Vec<u8>,
    pub created_at: Timestamp,
    /// Set when a receiver said that it is gone (410), or an operator did.
    pub disabled_at: Option<Timestamp>,
    pub disabled_reason: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditRow {
    pub at: Timestamp,
    pub tenant: TenantId,
    pub actor: String,
    pub request_id: String,
    /// `job.cancel`, `key.create`.
    pub action: String,
    pub target: String,
    /// Details as JSON text; never a secret.
    pub data: Option<String>,
}

/// Which audit rows to read; what is not named does not matter.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AuditPage {
    /// The name of the key or the user.
    pub actor: Option<String>,
    /// Such as `job.cancel`.
    pub action: Option<String>,
    pub target: Option<String>,
    /// Where to go on: the `next` of the page before.
    pub after: Option<u64>,
    /// 1 to [`domain::bounds::PAGE_ROWS_MAX`].
    pub limit: usize,
}

/// A page of audit rows, newest first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AuditPageRows {
    pub rows: Vec<AuditRow>,
    /// Where to go on; `None`: that was all. A rare filter may return a short page, or an empty one, although there is more.
    pub next: Option<u64>,
}

/// Keys, endpoints and the audit log. Every change leaves an audit row in its own transaction (I12).
#[async_trait]
pub trait Access: Send + Sync {
    /// Records a key, and its tenant if that is new.
    async fn key_create(&self, by: &Actor, key: &NewApiKey) -> Result<ApiKey, StoreError>;

    /// The key with this id, also a revoked one.
    async fn key(&self, id: KeyId) -> Result<Option<ApiKey>, StoreError>;

    /// The tenant's keys, newest first.
    async fn keys(&self, tenant: &TenantId) -> Result<Vec<ApiKey>, StoreError>;

    /// Revokes a key of the tenant. `false`: there is none with this id. Twice is no error.
    async fn key_revoke(&self, by: &Actor, id: KeyId) -> Result<bool, StoreError>;

    /// Records an endpoint unless there is one of this name; returns the one that is recorded now. A new tenant is recorded too.
    async fn endpoint_create(&self, by: &Actor, endpoint: &Endpoint) -> Result<(Endpoint, bool), StoreError>;

    async fn endpoint(&self, tenant: &TenantId, name: &EndpointName) -> Result<Option<Endpoint>, StoreError>;

    /// The tenant's endpoints by name.
    async fn endpoints(&self, tenant: &TenantId) -> Result<Vec<Endpoint>, StoreError>;

    /// Disables with a reason, or enables (`None`). `false`: there is none of this name.
    async fn endpoint_disable(&self, by: &Actor, name: &EndpointName, reason: Option<&str>) -> Result<bool, StoreError>;

    /// The tenant's audit rows, newest first.
    async fn audit(&self, tenant: &TenantId, page: &AuditPage) -> Result<AuditPageRows, StoreError>;
}
