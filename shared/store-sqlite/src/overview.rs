//! How does the port's overview reach the readers?

use async_trait::async_trait;
use domain::{DeadFilter, TenantId, Timestamp};
use store::{DeadGroup, DeadLetterPage, DeadPage, Overview, StoreError, Throughput};

use crate::SqliteStore;
use crate::dead_letters::{self, dead_group, groups};
use crate::rate::{RATE_LIST, throughput};
use crate::shelf::readable;
use crate::tx::sql;

#[async_trait]
impl Overview for SqliteStore {
    async fn dead_letters(&self, tenant: &TenantId, page: &DeadPage) -> Result<DeadLetterPage, StoreError> {
        self.reader.within("listing dead letters", dead_letters::page(&self.reader.pool, tenant, page)).await
    }

    async fn dead_groups(&self, tenant: &TenantId, filter: &DeadFilter, limit: usize) -> Result<Vec<DeadGroup>, StoreError> {
        let rows = self.reader.rows("grouping dead letters", groups(tenant, filter, limit)).await?;
        Ok(readable(&rows, dead_group))
    }

    async fn throughput(&self, since: Timestamp) -> Result<Vec<Throughput>, StoreError> {
        let rows = self.reader.rows("reading figures", sql(RATE_LIST).bind(since.micros())).await?;
        Ok(readable(&rows, throughput))
    }
}
