//! What does an open store keep up to date by itself? The pace of the queues, its plans, and what it knows of the database's
//! clock.

use std::sync::Arc;
use std::time::Duration;

use domain::Pace;
use sqlx::postgres::PgRow;
use store::StoreError;

use crate::connection::Connector;
use crate::fault::Fault;
use crate::lane::Lanes;
use crate::reader::Reader;
use crate::row::Columns;
use crate::tx::{Context, sql};
use crate::warm;

const LOOK_EVERY: Duration = Duration::from_secs(2);
/// The clock is compared at every so many looks: each minute.
const LOOKS_PER_CLOCK: u32 = 30;
/// How far back the pace of a queue counts.
const PACE_OF_LAST: Duration = Duration::from_secs(300);

pub(crate) struct Keeper {
    pub(crate) context: Arc<Context>,
    pub(crate) connector: Arc<Connector>,
    pub(crate) reader: Arc<Reader>,
    pub(crate) lanes: Arc<Lanes>,
}

/// What changes when a partition is made or dropped.
type Generation = (i64, i64);

impl Keeper {
    /// Looks until the task is aborted. What cannot be read now is read at the next look.
    pub(crate) async fn keep(self) {
        let mut looks = 0_u32;
        let mut planned_for = None;
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        loop {
            ticks.tick().await;
            match self.look().await {
                Ok(generation) => planned_for = Some(self.plan_again(planned_for, generation).await),
                Err(error) => tracing::debug!(%error, "the pace of the queues could not be read"),
            }
            if looks % LOOKS_PER_CLOCK == LOOKS_PER_CLOCK - 1 {
                self.compare_clock().await;
            }
            self.reader.close_idle().await;
            looks = looks.wrapping_add(1);
        }
    }

    async fn look(&self) -> Result<Generation, StoreError> {
        let since = (self.context.clock.now() - PACE_OF_LAST).micros();
        let statement = sql(include_str!("../queries/pace_list.sql")).bind(since).bind(self.context.clock.shift());
        let rows = self.reader.rows("reading the pace of queues", statement).await?;
        self.context.paces.set(rows.iter().filter_map(|row| pace(row).ok()).collect());
        let generation = sql(include_str!("../queries/partition_generation.sql"));
        let row = self.reader.row("looking for new partitions", generation).await?;
        let read = |row: &PgRow| -> Result<Generation, Fault> {
            let mut c = Columns::of(row);
            Ok((c.int()?, c.int()?))
        };
        Ok(row.and_then(|row| read(&row).ok()).unwrap_or_default())
    }

    /// A new partition makes the server plan anew what it had planned; better now than when the next job waits for it.
    async fn plan_again(&self, planned_for: Option<Generation>, generation: Generation) -> Generation {
        if planned_for.is_some_and(|before| before != generation)
            && let Err(error) = warm::again(&self.lanes).await
        {
            tracing::debug!(%error, "statements could not be planned anew");
        }
        generation
    }

    async fn compare_clock(&self) {
        let compared = self.reader.within("comparing clocks", async {
            let mut connection = self.reader.acquire().await?;
            self.connector.sample_clock(&mut connection).await?;
            connection.give_back();
            Ok(())
        });
        if let Err(error) = compared.await {
            tracing::debug!(%error, "the database's clock could not be read");
        }
    }
}

fn pace(row: &PgRow) -> Result<Pace, Fault> {
    let mut c = Columns::of(row);
    let queue = c.parsed()?;
    let mean = c.maybe_time()?.map(|mean| Duration::from_micros(u64::try_from(mean.micros()).unwrap_or(0)));
    Ok(Pace { queue, mean, slots: c.number()? })
}
