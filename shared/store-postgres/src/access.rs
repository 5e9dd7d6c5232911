//! How does the port's access reach the writer and the readers?

use async_trait::async_trait;
use domain::{EndpointName, KeyId, TenantId};
use sqlx::postgres::PgRow;
use store::{Access, Actor, ApiKey, AuditPage, AuditPageRows, Endpoint, NewApiKey, StoreError};

use crate::PostgresStore;
use crate::access_row::{api_key, endpoint};
use crate::audit;
use crate::fault::Fault;
use crate::keys::{CreateEndpoint, CreateKey, DisableEndpoint, ENDPOINT_FIND, RevokeKey};
use crate::tx::{Sql, sql};

impl PostgresStore {
    pub(crate) async fn read_all<T>(
        &self,
        doing: &'static str,
        statement: Sql,
        read: fn(&PgRow) -> Result<T, Fault>,
    ) -> Result<Vec<T>, StoreError> {
        let rows = self.reader.list(doing, statement).await?;
        rows.iter().map(read).collect::<Result<_, _>>().map_err(|fault| fault.into_error(doing))
    }

    pub(crate) async fn read_one<T>(
        &self,
        doing: &'static str,
        statement: Sql,
        read: fn(&PgRow) -> Result<T, Fault>,
    ) -> Result<Option<T>, StoreError> {
        let row = self.reader.row(doing, statement).await?;
        row.as_ref().map(read).transpose().map_err(|fault| fault.into_error(doing))
    }
}

#[async_trait]
impl Access for PostgresStore {
    async fn key_create(&self, by: &Actor, key: &NewApiKey) -> Result<ApiKey, StoreError> {
        self.lanes.write(CreateKey { by: by.clone(), key: key.clone() }).await
    }

    async fn key(&self, id: KeyId) -> Result<Option<ApiKey>, StoreError> {
        let statement = sql(include_str!("../queries/api_key_find.sql")).bind(*id.as_uuid());
        self.read_one("reading an API key", statement, api_key).await
    }

    async fn keys(&self, tenant: &TenantId) -> Result<Vec<ApiKey>, StoreError> {
        let statement = sql(include_str!("../queries/api_key_list.sql")).bind(tenant.to_string());
        self.read_all("listing API keys", statement, api_key).await
    }

    async fn key_revoke(&self, by: &Actor, id: KeyId) -> Result<bool, StoreError> {
        self.lanes.write(RevokeKey { by: by.clone(), id }).await
    }

    async fn endpoint_create(&self, by: &Actor, endpoint: &Endpoint) -> Result<(Endpoint, bool), StoreError> {
        self.lanes.write(CreateEndpoint { by: by.clone(), endpoint: endpoint.clone() }).await
    }

    async fn endpoint(&self, tenant: &TenantId, name: &EndpointName) -> Result<Option<Endpoint>, StoreError> {
        let statement = sql(ENDPOINT_FIND).bind(tenant.to_string()).bind(name.to_string());
        self.read_one("reading an endpoint", statement, endpoint).await
    }

    async fn endpoints(&self, tenant: &TenantId) -> Result<Vec<Endpoint>, StoreError> {
        let statement = sql(include_str!("../queries/endpoint_list.sql")).bind(tenant.to_string());
        self.read_all("listing endpoints", statement, endpoint).await
    }

    async fn endpoint_disable(&self, by: &Actor, name: &EndpointName, reason: Option<&str>) -> Result<bool, StoreError> {
        let disable = DisableEndpoint { by: by.clone(), name: name.clone(), reason: reason.map(str::to_owned) };
        self.lanes.write(disable).await
    }

    async fn audit(&self, tenant: &TenantId, page: &AuditPage) -> Result<AuditPageRows, StoreError> {
        let read = async {
            let mut connection = self.reader.acquire_for_list().await?;
            let page = audit::page(&mut connection, tenant, page).await?;
            connection.give_back();
            Ok(page)
        };
        self.reader.within("reading the audit log", read).await
    }
}
