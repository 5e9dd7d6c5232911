//! How are API keys and webhook endpoints recorded and withdrawn?

use async_trait::async_trait;
use domain::{EndpointName, KeyId, TenantId, Timestamp};
use store::{Actor, ApiKey, Endpoint, NewApiKey};

use crate::access_row::{api_key, endpoint};
use crate::audit::{Audit, write_audit};
use crate::fault::Fault;
use crate::tx::{Tx, sql};
use crate::write_queue::Write;

pub(crate) const ENDPOINT_FIND: &str = include_str!("../queries/endpoint_find.sql");

async fn insert_tenant(tx: &mut Tx<'_>, tenant: &TenantId) -> Result<(), Fault> {
    tx.execute(sql(include_str!("../queries/tenant_insert.sql")).bind(tenant.to_string()).bind(tx.now.micros())).await?;
    Ok(())
}

pub(crate) struct CreateKey {
    pub(crate) by: Actor,
    pub(crate) key: NewApiKey,
}

#[async_trait]
impl Write for CreateKey {
    type Reply = ApiKey;
    const DOING: &'static str = "creating an API key";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<ApiKey, Fault> {
        let key = &self.key;
        insert_tenant(tx, &key.tenant).await?;
        let statement = sql(include_str!("../queries/api_key_insert.sql"))
            .bind(key.id.as_bytes().to_vec())
            .bind(key.tenant.to_string())
            .bind(key.name.clone())
            .bind(i64::from(key.scopes.bits()))
            .bind(key.hash.to_vec())
            .bind(tx.now.micros());
        let row = tx.row(statement).await?.ok_or_else(|| Fault::rule("a key was not recorded"))?;
        let data = serde_json::json!({ "name": key.name, "scopes": key.scopes.names() }).to_string();
        let audit = Audit { tenant: &key.tenant, action: "key.create", target: key.id.to_string(), data: Some(data) };
        write_audit(tx, &self.by, audit).await?;
        api_key(&row)
    }
}

pub(crate) struct RevokeKey {
    pub(crate) by: Actor,
    pub(crate) id: KeyId,
}

#[async_trait]
impl Write for RevokeKey {
    type Reply = bool;
    const DOING: &'static str = "revoking an API key";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, Fault> {
        let statement = sql(include_str!("../queries/api_key_revoke.sql"))
            .bind(self.id.as_bytes().to_vec())
            .bind(self.by.tenant.to_string())
            .bind(tx.now.micros());
        let found = tx.execute(statement).await? > 0;
        if found {
            let audit = Audit { tenant: &self.by.tenant, action: "key.revoke", target: self.id.to_string(), data: None };
            write_audit(tx, &self.by, audit).await?;
        }
        Ok(found)
    }
}

pub(crate) struct CreateEndpoint {
    pub(crate) by: Actor,
    pub(crate) endpoint: Endpoint,
}

#[async_trait]
impl Write for CreateEndpoint {
    type Reply = (Endpoint, bool);
    const DOING: &'static str = "creating an endpoint";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Reply, Fault> {
        let new = &self.endpoint;
        insert_tenant(tx, &new.tenant).await?;
        let statement = sql(include_str!("../queries/endpoint_insert.sql"))
            .bind(new.tenant.to_string())
            .bind(new.name.to_string())
            .bind(new.url.clone())
            .bind(new.sealed_secret.clone())
            .bind(tx.now.micros())
            .bind(new.disabled_at.map(Timestamp::micros))
            .bind(new.disabled_reason.clone());
        let made = tx.execute(statement).await? > 0;
        if made {
            let data = new.url.as_ref().map(|url| serde_json::json!({ "url": url }).to_string());
            let audit = Audit { tenant: &new.tenant, action: "endpoint.create", target: new.name.to_string(), data };
            write_audit(tx, &self.by, audit).await?;
        }
        let found = sql(ENDPOINT_FIND).bind(new.tenant.to_string()).bind(new.name.to_string());
        let row = tx.row(found).await?.ok_or_else(|| Fault::rule("an endpoint was not recorded"))?;
        Ok((endpoint(&row)?, made))
    }
}

/// Disables with a reason, or enables.
pub(crate) struct DisableEndpoint {
    pub(crate) by: Actor,
    pub(crate) name: EndpointName,
    pub(crate) reason: Option<String>,
}

#[async_trait]
impl Write for DisableEndpoint {
    type Reply = bool;
    const DOING: &'static str = "disabling an endpoint";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, Fault> {
        let at = self.reason.as_ref().map(|_| tx.now.micros());
        let statement = sql(include_str!("../queries/endpoint_disable.sql"))
            .bind(self.by.tenant.to_string())
            .bind(self.name.to_string())
            .bind(at)
            .bind(self.reason.clone());
        let found = tx.execute(statement).await? > 0;
        if found {
            let action = if self.reason.is_some() { "endpoint.disable" } else { "endpoint.enable" };
            let data = self.reason.as_ref().map(|reason| serde_json::json!({ "reason": reason }).to_string());
            write_audit(tx, &self.by, Audit { tenant: &self.by.tenant, action, target: self.name.to_string(), data }).await?;
        }
        Ok(found)
    }
}
