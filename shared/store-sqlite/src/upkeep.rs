//! How does the port's upkeep reach the writer and the readers?

use async_trait::async_trait;
use store::{ClassNeed, Emitted, Mint, Promoted, Released, Rescued, Retained, Retention, Store, StoreError, Upkeep};

use crate::SqliteStore;
use crate::emission::emissions;
use crate::promote::{Promote, Release};
use crate::rescue::{BuryPredecessors, Rescue};
use crate::retain::Retain;
use crate::row::job_ids;
use crate::tx::sql;

#[async_trait]
impl Upkeep for SqliteStore {
    async fn promote(&self, limit: usize) -> Result<Promoted, StoreError> {
        self.queue.write(Promote { limit }).await
    }

    async fn release(&self, limit: usize) -> Result<Released, StoreError> {
        self.queue.write(Release { limit }).await
    }

    async fn rescue(&self, limit: usize) -> Result<Rescued, StoreError> {
        self.queue.write(Rescue { limit }).await
    }

    async fn bury_predecessors(&self) -> Result<usize, StoreError> {
        self.queue.write(BuryPredecessors).await
    }

    async fn emissions_due(&self, needs: &[ClassNeed], limit: usize) -> Result<Emitted, StoreError> {
        let doing = "finding queued jobs";
        let mint = Mint::default();
        let (mut left, mut emitted) = (limit, Emitted::default());
        for ClassNeed { class, room } in needs {
            let wanted = (*room).min(left);
            if wanted == 0 {
                continue;
            }
            let statement = sql(include_str!("../queries/job_queued_of.sql"))
                .bind(class.queue.to_string())
                .bind(i64::from(class.priority.code()))
                .bind(i64::try_from(wanted).unwrap_or(i64::MAX));
            let ids = job_ids(&self.reader.rows(doing, statement).await?).map_err(|fault| fault.into_error(doing))?;
            left -= ids.len();
            let queued: Vec<_> = ids.into_iter().map(|id| (class.queue.clone(), class.priority, id)).collect();
            emitted.emissions.extend(emissions(&queued, &mint, self.now()));
        }
        Ok(emitted)
    }

    async fn retain(&self, kept: &Retention, limit: usize) -> Result<Retained, StoreError> {
        self.queue.write(Retain { kept: *kept, limit }).await
    }
}
