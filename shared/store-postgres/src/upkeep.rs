//! How does the port's upkeep reach the lanes?

use async_trait::async_trait;
use domain::{Class, Emission};
use store::{ClassNeed, Emitted, Prepared, Promoted, Released, Rescued, Retained, Retention, StoreError, Upkeep};

use crate::PostgresStore;
use crate::compact::Compact;
use crate::fault::Fault;
use crate::lane::{Lane, Write};
use crate::promote::{Promote, Release};
use crate::rescue::Rescue;
use crate::retain::Retain;
use crate::row::Columns;
use crate::tx::{Tx, sql};

#[async_trait]
impl Upkeep for PostgresStore {
    async fn promote(&self, limit: usize) -> Result<Promoted, StoreError> {
        self.lanes.write(Promote { limit }).await
    }

    async fn release(&self, limit: usize) -> Result<Released, StoreError> {
        self.lanes.write(Release { limit }).await
    }

    async fn rescue(&self, limit: usize) -> Result<Rescued, StoreError> {
        self.lanes.write(Rescue { limit }).await
    }

    /// Others may be working with this database: only their leases tell.
    async fn bury_predecessors(&self) -> Result<usize, StoreError> {
        Ok(0)
    }

    /// The unconfirmed emissions of these classes, as the ledger has them.
    async fn emissions_due(&self, needs: &[ClassNeed], limit: usize) -> Result<Emitted, StoreError> {
        let (mut left, mut emitted) = (limit, Emitted::default());
        for ClassNeed { class, room } in needs {
            let mut wanted = (*room).min(left);
            if wanted == 0 {
                continue;
            }
            for emission in self.unconfirmed_of(class, wanted).await? {
                if emission.jobs.len() > wanted {
                    break;
                }
                wanted -= emission.jobs.len();
                left -= emission.jobs.len();
                emitted.emissions.push(emission);
            }
        }
        Ok(emitted)
    }

    async fn prepare(&self) -> Result<Prepared, StoreError> {
        self.lanes.write(Prepare).await
    }

    /// Row by row where there are few to delete, and a partition at a time where there are many.
    async fn retain(&self, kept: &Retention, limit: usize) -> Result<Retained, StoreError> {
        let mut retained = self.lanes.write(Retain { kept: *kept, limit }).await?;
        match self.lanes.try_write(Compact { kept: *kept }).await {
            Ok(jobs) => retained.jobs += jobs,
            Err(fault) if fault.is_collision() || fault.is_a_lock_not_got() => {
                tracing::debug!(error = %fault, "an old partition is in use; it is compacted another time");
            }
            Err(fault) => return Err(fault.into_error(Compact::DOING)),
        }
        Ok(retained)
    }
}

/// Makes partitions ahead of time.
struct Prepare;

#[async_trait]
impl Write for Prepare {
    type Reply = Prepared;
    const DOING: &'static str = "making partitions";
    const LANE: Lane = Lane::Duties;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Prepared, Fault> {
        let (partitions, now) = (tx.context.partitions, tx.now);
        let made = partitions.ensure(tx.connection()?, now).await?;
        Ok(Prepared { made, ahead: partitions.ahead(tx.connection()?, now).await? })
    }
}

impl PostgresStore {
    async fn unconfirmed_of(&self, class: &Class, limit: usize) -> Result<Vec<Emission>, StoreError> {
        let doing = "finding queued jobs";
        let statement = sql(include_str!("../queries/emission_of_class.sql"))
            .bind(class.queue.to_string())
            .bind(i64::from(class.priority.code()))
            .bind(i64::try_from(limit).unwrap_or(i64::MAX));
        let emission = |row| -> Result<Emission, Fault> {
            let mut c = Columns::of(row);
            Ok(Emission { id: domain::EmissionId::from_bytes(c.bytes()?), class: class.clone(), jobs: c.job_list()? })
        };
        let rows = self.reader.rows(doing, statement).await?;
        rows.iter().map(emission).collect::<Result<_, _>>().map_err(|fault| fault.into_error(doing))
    }
}
