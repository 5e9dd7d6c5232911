//! How does the space of old jobs come back? A partition past the shortest retention of which little is to be kept is replaced by a
//! table that holds just that, or by nothing.
//!
//! All of it is one transaction, so that there is no half of it. While the rest is copied, everybody else goes on: ended jobs do not
//! change because whoever makes one live again, or deletes one, shares a lock that is held alone here; live ones are locked row by
//! row, and there are few in a partition that old. Only the exchange itself stops others, for some milliseconds. Whatever stands in
//! the way for longer than [`PATIENCE`] is let through, and the next pass tries again.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use domain::Timestamp;
use domain::bounds::{COMPACT_KEPT_MAX, COMPACT_ROWS_MIN, FLUSH_JOBS_MAX};
use parking_lot::Mutex;
use sqlx::{AssertSqlSafe, Executor as _};
use store::Retention;
use uuid::Uuid;

use crate::fault::Fault;
use crate::lane::{Lane, Write};
use crate::partition::{SPACE_LOCK, TABLES, attach, existing, lowest_id_at, make_like};
use crate::retain::Limits;
use crate::row::Columns;
use crate::tx::{Sql, Tx, sql};

/// How long a pass waits for anybody: all others wait behind it meanwhile.
const PATIENCE: &str = "set local lock_timeout = '500ms'";
/// A partition of which enough is kept to leave it alone is looked at again after this long.
const SURVEY_AGAIN_AFTER: Duration = Duration::from_secs(600);

/// When partitions were looked at that were left alone.
#[derive(Default)]
pub(crate) struct Surveys(Mutex<HashMap<String, Timestamp>>);

impl Surveys {
    fn is_due(&self, name: &str, now: Timestamp) -> bool {
        self.0.lock().get(name).is_none_or(|at| *at + SURVEY_AGAIN_AFTER <= now)
    }

    fn note(&self, name: &str, now: Timestamp) {
        let mut looked = self.0.lock();
        looked.retain(|_, at| *at + SURVEY_AGAIN_AFTER > now);
        looked.insert(name.to_owned(), now);
    }
}

/// Drops or compacts one partition, if there is one to drop or to compact. Returns how many jobs went with it.
pub(crate) struct Compact {
    pub(crate) kept: Retention,
}

/// A partition of `job`, and what is in it.
struct Old {
    /// The end of its name, the same for all tables.
    span: String,
    low: Uuid,
    high: Uuid,
    jobs: usize,
    kept: usize,
}

impl Old {
    /// Empty ones always; others when it pays, and when what must be copied is not much.
    fn is_worth_it(&self) -> bool {
        let removable = self.jobs.saturating_sub(self.kept);
        self.jobs == 0 || (removable >= COMPACT_ROWS_MIN && self.kept <= COMPACT_KEPT_MAX && removable >= self.kept)
    }

    fn range(&self, text: &'static str) -> Sql {
        sql(text).bind(self.low).bind(self.high)
    }
}

#[async_trait]
impl Write for Compact {
    type Reply = usize;
    const DOING: &'static str = "compacting partitions";
    const LANE: Lane = Lane::Space;

    /// More than any group holds: it stays alone.
    fn rows(&self) -> usize {
        FLUSH_JOBS_MAX * 1_000
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<usize, Fault> {
        tx.connection()?.execute(PATIENCE).await?;
        let alone = tx.row(sql(include_str!("../queries/space_try_take.sql")).bind(SPACE_LOCK)).await?;
        if !alone.is_some_and(|row| Columns::of(&row).flag().unwrap_or(false)) {
            return Ok(0);
        }
        let limits = Limits::of(&self.kept, tx.now);
        let Some(old) = self.next(tx, &limits).await? else { return Ok(0) };
        make_tables(tx).await?;
        // Ended jobs stand still by themselves, so the many are copied while nobody waits. Live ones are locked from here to the end,
        // which is only as long as it takes to copy those few, and what has ended meanwhile.
        let ended = copy(tx, &old, &limits, false).await?;
        tx.execute(old.range(include_str!("../queries/job_live_lock.sql"))).await?;
        let kept = ended + copy(tx, &old, &limits, true).await?;
        forget(tx, &old).await?;
        exchange(tx, &old, kept).await?;
        let gone = old.jobs.saturating_sub(kept);
        tracing::info!(count = gone, "an old partition was {}", if kept == 0 { "dropped" } else { "compacted" });
        Ok(gone)
    }
}

impl Compact {
    /// The oldest partition that is worth it.
    async fn next(&self, tx: &mut Tx<'_>, limits: &Limits) -> Result<Option<Old>, Fault> {
        let (context, now) = (tx.context, tx.now);
        let spared = context.partitions.wanted(now).first().map_or(Uuid::nil(), |span| lowest_id_at(span.from));
        let past = lowest_id_at((now - self.kept.shortest()).micros()).min(spared);
        for (name, low, high) in existing(tx.connection()?, "job").await? {
            if high > past || !context.surveys.is_due(&name, now) {
                continue;
            }
            let Some(span) = name.strip_prefix("job_p").map(str::to_owned) else { continue };
            let mut old = Old { span, low, high, jobs: 0, kept: 0 };
            let survey = bind_limits(old.range(include_str!("../queries/partition_survey.sql")), limits).bind(now.micros());
            let row = tx.row(survey).await?.ok_or_else(|| Fault::rule("a survey did not answer"))?;
            let mut c = Columns::of(&row);
            (old.jobs, old.kept) = (c.number()?, c.number()?);
            if old.is_worth_it() {
                return Ok(Some(old));
            }
            context.surveys.note(&name, now);
        }
        Ok(None)
    }
}

fn bind_limits(statement: Sql, limits: &Limits) -> Sql {
    statement.bind(limits.succeeded).bind(limits.dead).bind(limits.stopped)
}

/// Makes the tables that take the partition's place.
async fn make_tables(tx: &mut Tx<'_>) -> Result<(), Fault> {
    for table in TABLES {
        make_like(tx.connection()?, table, &format!("{}_kept", table.name)).await?;
    }
    Ok(())
}

/// Copies what is kept and not copied yet, with live jobs or without. Returns how many jobs that are.
async fn copy(tx: &mut Tx<'_>, old: &Old, limits: &Limits, with_live: bool) -> Result<usize, Fault> {
    let jobs = bind_limits(old.range(include_str!("../queries/job_kept_fill.sql")), limits).bind(tx.now.micros()).bind(with_live);
    let kept = tx.execute(jobs).await?;
    tx.execute(old.range(include_str!("../queries/job_event_kept_fill.sql"))).await?;
    tx.execute(old.range(include_str!("../queries/job_log_kept_fill.sql"))).await?;
    tx.execute(old.range(include_str!("../queries/effect_kept_fill.sql"))).await?;
    usize::try_from(kept).map_err(|_| Fault::rule("more rows than memory"))
}

/// What is kept elsewhere of jobs that are not kept.
async fn forget(tx: &mut Tx<'_>, old: &Old) -> Result<(), Fault> {
    tx.execute(old.range(include_str!("../queries/dead_letter_drop.sql"))).await?;
    tx.execute(old.range(include_str!("../queries/timer_drop.sql"))).await?;
    let now = tx.now.micros();
    tx.execute(old.range(include_str!("../queries/job_dedup_drop.sql")).bind(now)).await?;
    Ok(())
}

/// Puts the new tables, if anything is in them, into the place of the old ones. This is what others have to wait for.
async fn exchange(tx: &mut Tx<'_>, old: &Old, kept: usize) -> Result<(), Fault> {
    let Old { span, low, high, .. } = old;
    if kept > 0 {
        for table in TABLES {
            let (name, key) = (table.name, table.key);
            // Known before it is attached: nobody has to wait while the rows are looked through.
            let bounds = format!("alter table {name}_kept add constraint span check ({key} >= '{low}' and {key} < '{high}')");
            tx.connection()?.execute(AssertSqlSafe(bounds)).await?;
        }
    }
    tx.connection()?.execute("lock table only job, only job_event, only job_log, only effect in access exclusive mode").await?;
    for table in TABLES {
        let name = table.name;
        let away = format!("alter table {name} detach partition {name}_p{span}; drop table {name}_p{span}");
        tx.connection()?.execute(AssertSqlSafe(away)).await?;
        if kept == 0 {
            tx.connection()?.execute(AssertSqlSafe(format!("drop table {name}_kept"))).await?;
            continue;
        }
        let rename = format!("alter table {name}_kept rename to {name}_p{span}");
        tx.connection()?.execute(AssertSqlSafe(rename)).await?;
        attach(tx.connection()?, table, span, *low, *high).await?;
        let known = format!("alter table {name}_p{span} drop constraint span");
        tx.connection()?.execute(AssertSqlSafe(known)).await?;
    }
    Ok(())
}
