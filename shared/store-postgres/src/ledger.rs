//! How do store and broker stay in step? What the broker has not confirmed is sent again, and what it has lost is found.

use async_trait::async_trait;
use domain::bounds::{EMISSION_RETRY_AFTER, EMISSION_RETRY_MAX, FLUSH_JOBS_MAX, POISON_KEPT_MAX, RECONCILE_AFTER};
use domain::{Class, DeadNotice, Doubt, Emission, EmissionId, PoisonMessage, Timestamp, Unsent};
use sqlx::postgres::PgRow;
use store::{Ledger, Outstanding, PoisonRow, Reconciled, StoreError};
use uuid::Uuid;

use crate::PostgresStore;
use crate::fault::Fault;
use crate::lane::{Alone, Lane, Write};
use crate::row::{Columns, clean};
use crate::tx::{Tx, sql};

#[async_trait]
impl Ledger for PostgresStore {
    async fn unconfirmed(&self, limit: usize) -> Result<Vec<Emission>, StoreError> {
        self.lanes.write(TakeUnconfirmed { limit }).await
    }

    async fn sent(&self, confirmed: &[(EmissionId, Timestamp)]) -> Result<(), StoreError> {
        for confirmed in confirmed.chunks(FLUSH_JOBS_MAX) {
            self.lanes.write(Confirm { confirmed: confirmed.to_vec() }).await?;
        }
        Ok(())
    }

    async fn unsent(&self, what: &Unsent, limit: usize) -> Result<usize, StoreError> {
        self.lanes.write(MakeUnsent { what: what.clone(), limit }).await
    }

    async fn reconcile(&self, limit: usize) -> Result<Reconciled, StoreError> {
        self.lanes.write(Reconcile { limit }).await
    }

    async fn unannounced(&self, limit: usize) -> Result<Vec<DeadNotice>, StoreError> {
        let statement = sql(include_str!("../queries/dead_letter_unannounced.sql")).bind(count(limit));
        self.read_all("reading dead letters", statement, dead_notice).await
    }

    async fn announced(&self, notices: &[DeadNotice]) -> Result<(), StoreError> {
        self.lanes.write(Announced { notices: notices.to_vec() }).await
    }

    async fn record_poison(&self, messages: &[PoisonMessage]) -> Result<(), StoreError> {
        self.lanes.write(RecordPoison { messages: messages.to_vec() }).await
    }

    async fn poison(&self, limit: usize) -> Result<Vec<PoisonRow>, StoreError> {
        let statement = sql(include_str!("../queries/poison_list.sql")).bind(count(limit));
        self.read_all("reading poison messages", statement, poison_row).await
    }

    async fn outstanding(&self) -> Result<Outstanding, StoreError> {
        let read = |row: &PgRow| {
            let mut c = Columns::of(row);
            Ok(Outstanding { unconfirmed: c.number()?, confirmed: c.number()? })
        };
        let counted = self.read_one("counting emissions", sql(include_str!("../queries/emission_count.sql")), read).await?;
        Ok(counted.unwrap_or_default())
    }
}

fn dead_notice(row: &PgRow) -> Result<DeadNotice, Fault> {
    let mut c = Columns::of(row);
    Ok(DeadNotice {
        job: c.job_id()?,
        run: c.number()?,
        queue: c.parsed()?,
        kind: c.parsed()?,
        reason: c.text()?,
        fingerprint: c.text()?,
        attempts: c.number()?,
        at: c.time()?,
    })
}

fn poison_row(row: &PgRow) -> Result<PoisonRow, Fault> {
    let mut c = Columns::of(row);
    let at = c.time()?;
    let (queue, reason, message_id) = (c.text()?, c.text()?, c.maybe_text()?);
    Ok(PoisonRow { at, message: PoisonMessage { queue, reason, message_id, bytes: c.number()?, sample: c.blob()? } })
}

/// Those of the rows that list queued jobs, and the others.
fn split(rows: &[PgRow], flag_at: usize) -> Result<(Vec<&PgRow>, Vec<Uuid>), Fault> {
    let (mut queued, mut settled) = (Vec::new(), Vec::new());
    for row in rows {
        if Columns::of(row).skip(flag_at).flag()? { queued.push(row) } else { settled.push(Uuid::from_bytes(Columns::of(row).bytes()?)) }
    }
    Ok((queued, settled))
}

async fn forget(tx: &mut Tx<'_>, settled: Vec<Uuid>) -> Result<(), Fault> {
    if !settled.is_empty() {
        tx.execute(sql(include_str!("../queries/emission_forget.sql")).bind(settled)).await?;
    }
    Ok(())
}

struct TakeUnconfirmed {
    limit: usize,
}

#[async_trait]
impl Write for TakeUnconfirmed {
    type Reply = Vec<Emission>;
    const DOING: &'static str = "taking up unconfirmed emissions";
    const LANE: Lane = Lane::Duties;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Emission>, Fault> {
        let statement = sql(include_str!("../queries/emission_unconfirmed.sql"))
            .bind(count(self.limit))
            .bind(micros(EMISSION_RETRY_AFTER))
            .bind(micros(EMISSION_RETRY_MAX))
            .bind(tx.shift());
        let rows = tx.rows(statement).await?;
        let (queued, settled) = split(&rows, 4)?;
        forget(tx, settled).await?;
        queued.into_iter().map(emission).collect()
    }
}

fn emission(row: &PgRow) -> Result<Emission, Fault> {
    let mut c = Columns::of(row);
    let id = EmissionId::from_bytes(c.bytes()?);
    Ok(Emission { id, class: Class { queue: c.parsed()?, priority: c.priority()? }, jobs: c.job_list()? })
}

struct Confirm {
    confirmed: Vec<(EmissionId, Timestamp)>,
}

#[async_trait]
impl Write for Confirm {
    type Reply = ();
    const DOING: &'static str = "confirming emissions";
    const LANE: Lane = Lane::Duties;

    fn alone(&self) -> Alone {
        Alone::Repeatable
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        let mut confirmed = self.confirmed.clone();
        confirmed.sort_unstable_by_key(|(id, _)| *id);
        confirmed.dedup_by_key(|(id, _)| *id);
        let statement = sql(include_str!("../queries/emission_confirm.sql"))
            .bind(confirmed.iter().map(|(id, _)| *id.as_uuid()).collect::<Vec<_>>())
            .bind(confirmed.iter().map(|(_, at)| at.micros()).collect::<Vec<_>>());
        tx.execute(statement).await?;
        Ok(())
    }
}

struct MakeUnsent {
    what: Unsent,
    limit: usize,
}

#[async_trait]
impl Write for MakeUnsent {
    type Reply = usize;
    const DOING: &'static str = "doubting emissions";
    const LANE: Lane = Lane::Duties;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<usize, Fault> {
        let ids = match &self.what {
            Unsent::Emissions(ids) => ids.iter().take(self.limit).map(|id| *id.as_uuid()).collect(),
            Unsent::Class { class, doubt } => self.of_class(tx, class, *doubt).await?,
        };
        doubt(tx, ids).await
    }
}

impl MakeUnsent {
    async fn of_class(&self, tx: &mut Tx<'_>, class: &Class, doubt: Doubt) -> Result<Vec<Uuid>, Fault> {
        let (before, spares_held) = match doubt {
            Doubt::Lost { before } => (before, false),
            Doubt::Drained { before } => (before, true),
        };
        let statement = sql(include_str!("../queries/emission_of_lost_class.sql"))
            .bind(class.queue.to_string())
            .bind(i64::from(class.priority.code()))
            .bind(before.micros())
            .bind(spares_held)
            .bind(count(self.limit))
            .bind(tx.shift());
        let rows = tx.rows(statement).await?;
        rows.iter().map(|row| Ok(Uuid::from_bytes(Columns::of(row).bytes()?))).collect()
    }
}

async fn doubt(tx: &mut Tx<'_>, ids: Vec<Uuid>) -> Result<usize, Fault> {
    if ids.is_empty() {
        return Ok(0);
    }
    let doubted = tx.execute(sql(include_str!("../queries/emission_doubt.sql")).bind(ids).bind(tx.shift())).await?;
    Ok(usize::try_from(doubted).unwrap_or(usize::MAX))
}

struct Reconcile {
    limit: usize,
}

#[async_trait]
impl Write for Reconcile {
    type Reply = Reconciled;
    const DOING: &'static str = "reconciling the ledger with what workers have claimed";
    const LANE: Lane = Lane::Duties;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Reconciled, Fault> {
        let statement = sql(include_str!("../queries/emission_overtaken.sql"));
        let rows = tx.rows(statement.bind(micros(RECONCILE_AFTER)).bind(count(self.limit)).bind(tx.shift())).await?;
        let (queued, settled) = split(&rows, 1)?;
        let ids = queued.into_iter().map(|row| Ok(Uuid::from_bytes(Columns::of(row).bytes()?))).collect::<Result<Vec<_>, Fault>>()?;
        let reconciled = Reconciled { unsent: doubt(tx, ids).await?, settled: settled.len() };
        forget(tx, settled).await?;
        Ok(reconciled)
    }
}

struct Announced {
    notices: Vec<DeadNotice>,
}

#[async_trait]
impl Write for Announced {
    type Reply = ();
    const DOING: &'static str = "noting announced deaths";
    const LANE: Lane = Lane::Duties;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        let statement = sql(include_str!("../queries/dead_letter_announce.sql"))
            .bind(self.notices.iter().map(|notice| *notice.job.as_uuid()).collect::<Vec<_>>())
            .bind(self.notices.iter().map(|notice| i32::try_from(notice.run).unwrap_or(i32::MAX)).collect::<Vec<_>>());
        tx.execute(statement).await?;
        Ok(())
    }
}

struct RecordPoison {
    messages: Vec<PoisonMessage>,
}

#[async_trait]
impl Write for RecordPoison {
    type Reply = ();
    const DOING: &'static str = "recording poison messages";
    const LANE: Lane = Lane::Duties;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        let messages = &self.messages;
        let statement = sql(include_str!("../queries/poison_insert.sql"))
            .bind(messages.iter().map(|message| clean(&message.queue).into_owned()).collect::<Vec<_>>())
            .bind(messages.iter().map(|message| clean(&message.reason).into_owned()).collect::<Vec<_>>())
            .bind(messages.iter().map(|message| message.message_id.as_deref().map(|id| clean(id).into_owned())).collect::<Vec<_>>())
            .bind(messages.iter().map(|message| count(message.bytes)).collect::<Vec<_>>())
            .bind(messages.iter().map(|message| message.sample.clone()).collect::<Vec<_>>())
            .bind(tx.now.micros());
        tx.execute(statement).await?;
        tx.execute(sql(include_str!("../queries/poison_forget.sql")).bind(count(POISON_KEPT_MAX))).await?;
        Ok(())
    }
}

fn count(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

fn micros(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
