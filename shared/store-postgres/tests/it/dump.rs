//! What is in the database, as text, and which of the promises between its tables are broken?

use std::fmt::Write as _;

use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use crate::fixture::connect;

/// Every row of every table, in the order of its text.
pub async fn tables(url: &str) -> String {
    let mut connection = connect(url).await;
    let names = "select tablename::text from pg_tables where schemaname = 'public' and tablename not like '\\_sqlx%' and tablename !~ '_p[0-9]{8,14}$'
        order by 1";
    let mut text = String::new();
    for table in sqlx::query(names).fetch_all(&mut connection).await.expect("a schema") {
        let table: String = table.get(0);
        let rows = sqlx::query(AssertSqlSafe(format!("select t::text as line from {table} as t order by line")));
        for row in rows.fetch_all(&mut connection).await.expect("rows") {
            writeln!(text, "{table}: {}", row.get::<String, _>(0)).expect("text");
        }
    }
    connection.close().await.expect("closes");
    text
}

/// Each a query that finds what must not be, with the promise that it would break.
const PROMISES: [(&str, &str); 13] = [
    (
        "a waiting job has exactly its timer or its parking place",
        "select j.id::text from job j where j.state = 0 and
            (select count(*) from timer t where t.job_id = j.id and t.what = 0 and t.run_at = j.run_at)
            + (select count(*) from parked p where p.job_id = j.id) <> 1",
    ),
    (
        "a due timer belongs to a waiting job and agrees with it",
        "select t.job_id::text from timer t where t.what = 0
            and not exists (select 1 from job j where j.id = t.job_id and j.state = 0 and j.run_at = t.run_at)",
    ),
    (
        "a parking place is that of a job that waits for its reason",
        "select p.job_id::text from parked p where not exists (select 1 from job j where j.id = p.job_id and j.state = 0
            and j.waiting_for = p.reason and j.prio = p.prio and j.tenant = p.tenant and j.queue = p.queue and j.kind = p.kind)",
    ),
    (
        "a job that can expire has its timer",
        "select j.id::text from job j where j.state in (0, 1) and not j.ever_started and j.start_before is not null
            and not exists (select 1 from timer t where t.job_id = j.id and t.what = 1 and t.run_at = j.start_before)",
    ),
    (
        "dead jobs, and no others, have a dead letter",
        "select id::text from (select id from job where state = 4 except select job_id from dead_letter) as missing
            union all select job_id::text from (select job_id from dead_letter except select id from job where state = 4) as surplus",
    ),
    (
        "a window until the end is that of a job that has not ended",
        "select d.key from job_dedup d where d.expires_at is null
            and not exists (select 1 from job j where j.id = d.job_id and j.state < 3 and j.unique_key = d.key and j.tenant = d.tenant)",
    ),
    (
        "a running job's worker is known",
        "select j.id::text from job j where j.state = 2 and not exists (select 1 from worker w where w.id = j.worker_id)",
    ),
    (
        "what belongs to a job goes with it",
        "select job_id::text from (select job_id from effect union all select job_id from job_event union all select job_id from job_log
            union all select job_id from timer where what = 0) as left_over where job_id not in (select id from job)",
    ),
    (
        "a timeline is a walk: each entry starts where the one before ended, or in the happy step after it",
        "select job_id::text || ': ' || before || ' then ' || from_state from (
            select job_id, from_state, lag(to_state) over (partition by job_id order by id) as before from job_event
        ) as step where before is not null and before <> from_state and not (before = 1 and from_state = 2)",
    ),
    (
        "the last recorded transition leads to where the job is, or to a happy step before it",
        "select j.id::text || ': ' || v.to_state || ' then ' || j.state from job j
            join job_event v on v.id = (select max(id) from job_event where job_id = j.id)
            where v.to_state <> j.state and not (v.to_state = 1 and j.state in (2, 3)) and not (v.to_state = 2 and j.state = 3)",
    ),
    (
        "a queued job is listed by its ledger row (I16)",
        "select j.id::text from job j where j.state = 1 and not exists (select 1 from emission e where e.id = j.emission_id
            and j.id = any(e.job_ids) and e.queue = j.queue and e.prio = j.prio)",
    ),
    (
        "a running job is in the claim that took it",
        "select j.id::text from job j where j.state = 2 and not exists (select 1 from claim c where c.id = j.claim_id
            and c.worker_id = j.worker_id and j.id = any(c.job_ids))",
    ),
    (
        "a running job that shall be cancelled is shown to its worker",
        "select j.id::text from job j where j.state = 2 and j.cancel_requested and not exists (select 1 from cancel_asked a
            where a.job_id = j.id and a.worker_id = j.worker_id and a.run = j.run)",
    ),
];

pub async fn violations(url: &str) -> Vec<String> {
    let mut connection = connect(url).await;
    let mut broken = Vec::new();
    for (promise, query) in PROMISES {
        let rows = sqlx::query(query).fetch_all(&mut connection).await.expect("a promise can be checked");
        broken.extend(rows.iter().map(|row| format!("{promise}: {}", row.get::<String, _>(0))));
    }
    connection.close().await.expect("closes");
    broken
}
