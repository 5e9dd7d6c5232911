//! What is in the database, as text, and which of the promises between its tables are broken?

use std::fmt::Write as _;
use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};

async fn connect(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).read_only(true).connect().await.expect("a second reader connects")
}

/// Every row of every table, in the order of its text.
pub async fn tables(path: &Path) -> String {
    let mut connection = connect(path).await;
    let names = "select name from sqlite_schema where type = 'table' and name not like '\\_sqlx%' escape '\\' order by name";
    let mut text = String::new();
    for table in sqlx::query(names).fetch_all(&mut connection).await.expect("a schema") {
        let table: String = table.get(0);
        let columns = sqlx::query("select group_concat('quote(' || name || ')', ' || '', '' || ') from pragma_table_info(?)");
        let columns: String = columns.bind(&table).fetch_one(&mut connection).await.expect("columns").get(0);
        let rows = sqlx::query(AssertSqlSafe(format!("select {columns} as line from {table} order by line")));
        for row in rows.fetch_all(&mut connection).await.expect("rows") {
            writeln!(text, "{table}: {}", row.get::<String, _>(0)).expect("text");
        }
    }
    connection.close().await.expect("closes");
    text
}

/// Each a query that finds what must not be, with the promise that it would break.
const PROMISES: [(&str, &str); 11] = [
    (
        "a waiting job has exactly its timer or its parking place",
        "select hex(j.id) from job j where j.state = 0 and
            (select count(*) from timer t where t.job_id = j.id and t.what = 0 and t.run_at = j.run_at)
            + (select count(*) from parked p where p.job_id = j.id) <> 1",
    ),
    (
        "a due timer belongs to a waiting job and agrees with it",
        "select hex(t.job_id) from timer t where t.what = 0
            and not exists (select 1 from job j where j.id = t.job_id and j.state = 0 and j.run_at = t.run_at)",
    ),
    (
        "a parking place is that of a job that waits for its reason",
        "select hex(p.job_id) from parked p where not exists (select 1 from job j where j.id = p.job_id and j.state = 0
            and j.waiting_for = p.reason and j.prio = p.prio and j.tenant = p.tenant and j.queue = p.queue and j.kind = p.kind)",
    ),
    (
        "a job that can expire has its timer",
        "select hex(j.id) from job j where j.state in (0, 1) and j.ever_started = 0 and j.start_before is not null
            and not exists (select 1 from timer t where t.job_id = j.id and t.what = 1 and t.run_at = j.start_before)",
    ),
    (
        "dead jobs, and no others, have a dead letter",
        "select hex(id) from (select id from job where state = 4 except select job_id from dead_letter)
            union all select hex(job_id) from (select job_id from dead_letter except select id from job where state = 4)",
    ),
    (
        "a window until the end is that of a job that has not ended",
        "select d.key from job_dedup d where d.expires_at is null
            and not exists (select 1 from job j where j.id = d.job_id and j.state < 3 and j.unique_key = d.key and j.tenant = d.tenant)",
    ),
    (
        "a running job's worker is known",
        "select hex(j.id) from job j where j.state = 2 and not exists (select 1 from worker w where w.id = j.worker_id)",
    ),
    (
        "what belongs to a job goes with it",
        "select hex(job_id) from (select job_id from effect union all select job_id from job_event union all select job_id from job_log
            union all select job_id from timer where what = 0) where job_id not in (select id from job)",
    ),
    (
        "a timeline is a walk: each entry starts where the one before ended, or in the happy step after it",
        "select hex(job_id) || ': ' || before || ' then ' || from_state from (
            select job_id, from_state, lag(to_state) over (partition by job_id order by id) as before from job_event
        ) where before is not null and before <> from_state and not (before = 1 and from_state = 2)",
    ),
    (
        "the last recorded transition leads to where the job is, or to a happy step before it",
        "select hex(j.id) || ': ' || v.to_state || ' then ' || j.state from job j
            join job_event v on v.id = (select max(id) from job_event where job_id = j.id)
            where v.to_state <> j.state and not (v.to_state = 1 and j.state in (2, 3)) and not (v.to_state = 2 and j.state = 3)",
    ),
    ("the file is sound", "select integrity_check from pragma_integrity_check where integrity_check <> 'ok'"),
];

pub async fn violations(path: &Path) -> Vec<String> {
    let mut connection = connect(path).await;
    let mut broken = Vec::new();
    for (promise, query) in PROMISES {
        let rows = sqlx::query(query).fetch_all(&mut connection).await.expect("a promise can be checked");
        broken.extend(rows.iter().map(|row| format!("{promise}: {}", row.get::<String, _>(0))));
    }
    connection.close().await.expect("closes");
    broken
}
