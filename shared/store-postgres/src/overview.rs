//! How do the figures of the fleet and its dead letters reach those who read them?

use async_trait::async_trait;
use domain::{DeadFilter, TenantId, Timestamp};
use store::{DeadGroup, DeadLetterPage, DeadPage, Overview, StoreError, Throughput};

use crate::PostgresStore;
use crate::shelf::readable;
use crate::{dead_letter, rate};

#[async_trait]
impl Overview for PostgresStore {
    async fn dead_letters(&self, tenant: &TenantId, page: &DeadPage) -> Result<DeadLetterPage, StoreError> {
        let read = async {
            let mut connection = self.reader.acquire_for_list().await?;
            let page = dead_letter::page(&mut connection, tenant, page).await?;
            connection.give_back();
            Ok(page)
        };
        self.reader.within("listing dead letters", read).await
    }

    async fn dead_groups(&self, tenant: &TenantId, filter: &DeadFilter, limit: usize) -> Result<Vec<DeadGroup>, StoreError> {
        let rows = self.reader.list("grouping dead letters", dead_letter::groups(tenant, filter, limit)).await?;
        Ok(readable(&rows, dead_letter::group))
    }

    async fn throughput(&self, since: Timestamp) -> Result<Vec<Throughput>, StoreError> {
        let rows = self.reader.list("reading what has ended", rate::sums(since)).await?;
        Ok(readable(&rows, rate::throughput))
    }
}
