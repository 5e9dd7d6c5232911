//! The schema of the next release comes while the programs of this one run under load: they go on, and new ones of theirs refuse it.
//!
//! The next release is invented here, as far as migrations/README.md lets one go (*expand*): a column on everything that programs read
//! and write, a table, an index on the partitions of `job` built concurrently. What would not survive it: a `select *` that is prepared
//! (`cached plan must not change result type`), an insert that counts on the number of columns, a lock that is held for long.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use flotilla_client::Client;
use serde_json::json;
use testkit::eventually;
use testkit::servers::Database;
use tokio::task::JoinSet;

use chaos::fleet::{Fleet, SOON, Urls, default_secret};
use chaos::fresh_servers;
use chaos::judge::Judge;
use chaos::load::{Load, Pace};
use chaos::measured;
use chaos::process::Process;
use chaos::stage::done;

const PACE: Pace = Pace { clients: 2, every: Duration::from_millis(100), batch: 5 };
const SLOTS: u32 = 20;
const LATE_MS: [u32; 2] = [20, 300];
const ROLES: [&str; 3] = ["producer", "scheduler", "webhooks-worker"];
/// Those of which the next release wants to know more: all.
const TABLES: &str = "select relname from pg_class where relkind in ('r', 'p') and not relispartition
    and relnamespace = 'public'::regnamespace and relname <> '_sqlx_migrations' order by 1";
/// So many at a time that each connection for reading, of which a producer has four, has prepared whatever is read.
const READERS: usize = 12;
/// What everybody reads; each is asked before the migration and after it, over the same connections.
const READS: [&str; 14] = [
    "/v1/jobs",
    "/v1/jobs/{id}",
    "/v1/jobs/{id}/timeline",
    "/v1/jobs/{id}/logs",
    "/v1/queues",
    "/v1/kinds",
    "/v1/workers",
    "/v1/dead_letters",
    "/v1/dead_letters/groups",
    "/v1/operations",
    "/v1/webhook_endpoints",
    "/v1/api_keys",
    "/v1/audit",
    "/v1/stats",
];

/// I1, I14: to programs that run, a column more is nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_under_load_disturbs_no_program_of_before() {
    let servers = fresh_servers!();
    let database = &servers.database;
    let fleet = Fleet::found(&Urls::of(&servers));
    let (producers, scheduler) = ([fleet.producer().await, fleet.producer().await], fleet.scheduler().await);
    let workers = [fleet.worker(SLOTS).await, fleet.worker(SLOTS).await];
    let clients: Vec<Client> = producers.iter().map(|producer| fleet.client(producer)).collect();
    let mut judge = Judge::start(fleet.path(), &default_secret(&clients[0]).await);
    let load = Load::start(clients.clone(), LATE_MS.map(|ms| judge.late(ms)).to_vec(), PACE);
    eventually("the fleet is at work", SOON, async || judge.count() >= 50).await;
    let url = judge.late(0);
    let mut steered = BTreeSet::new();
    for client in &clients {
        steered.insert(used(client, &url).await);
    }
    let before = load.seen().batches;

    let began = Instant::now();
    expand(database).await;
    index_partitions(database).await;
    measured("migration", "an expanding migration and its index, under load", began.elapsed());
    for role in ROLES {
        let said = fleet.refusal(role).await;
        assert!(said.contains("9999") && said.contains("knows up to"), "{said}");
    }
    assert_eq!(database.count("select count(*) from worker").await, workers.len() as u64, "who refuses touches nothing");
    eventually("submission goes on", SOON, async || load.seen().batches >= before + 40).await;
    for client in &clients {
        steered.insert(used(client, &url).await);
    }
    let seen = load.stop().await;
    measured("migration", "longest wait of a submission", seen.longest);
    assert!(seen.refusals.is_empty(), "{seen}");

    let jobs: BTreeSet<String> = seen.ids.union(&steered).cloned().collect();
    done(database, jobs.len(), SOON * 2).await;
    let costly = database.ask("select run, attempt, crashes, count(*) from job group by 1, 2, 3").await;
    assert_eq!(costly, [["1", "1", "0", &jobs.len().to_string()]], "run, attempt, crashes, jobs");
    assert!(judge.accepted().keys().eq(&jobs), "{} jobs were accepted, {} delivered", jobs.len(), judge.count());
    assert!(judge.accepted().values().all(|accepted| accepted.times == 1), "something was delivered twice");
    for process in producers.into_iter().chain([scheduler]).chain(workers) {
        complained_of_nothing(&process);
        process.stop().await;
    }
}

/// One transaction per file, with its bookkeeping, as `flotilla migrate` does it; what waits for a lock for too long is tried again.
async fn expand(database: &Database) {
    let tables = database.ask(TABLES).await;
    assert!(tables.len() >= 20, "{tables:?}");
    let columns: Vec<String> = tables.iter().map(|row| format!("alter table {} add column region text", row[0])).collect();
    let others = ["create table region (name text not null primary key)", "create index region_by_name on region (name)"];
    let files = columns.iter().map(String::as_str).chain(others);
    for file in files {
        let transaction = format!("begin; set local lock_timeout = '2s'; {file}; commit");
        eventually(file, SOON, async || database.try_ask(&transaction).await).await;
    }
    let noted =
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time) values (9999, 'region', true, '', 0)";
    database.ask(noted).await;
}

/// As the README says: on the table alone, then on each partition without a lock that anybody waits for, and attached.
async fn index_partitions(database: &Database) {
    let partitions = database.ask("select inhrelid::regclass::text from pg_inherits where inhparent = 'job'::regclass").await;
    assert!(!partitions.is_empty());
    eventually("the index of the table", SOON, async || {
        database.try_ask("begin; set local lock_timeout = '2s'; create index job_by_region on only job (region, id); commit").await
    })
    .await;
    for partition in partitions.iter().map(|row| &row[0]) {
        let index = format!("{partition}_by_region");
        database.ask(&format!("create index concurrently {index} on {partition} (region, id)")).await;
        database.ask(&format!("alter index job_by_region attach partition {index}")).await;
    }
    let is_whole = "select indisvalid from pg_index where indexrelid = 'job_by_region'::regclass";
    assert_eq!(database.ask(is_whole).await, [["t"]], "all partitions have it");
}

/// Whatever the API can do, done with a job that would have waited: moved, let go, looked at.
async fn used(client: &Client, url: &str) -> String {
    let job = json!({ "kind": "webhooks.deliver", "delay": "1h", "payload": { "url": url, "data": "later" } });
    let made = client.post("/v1/jobs", &job).await.expect("accepted").body;
    let id = made["id"].as_str().expect("an id").to_owned();
    for (act, body) in [("reprioritize", json!({ "priority": "low" })), ("reschedule", json!({ "delay": "2h" })), ("run_now", json!({}))] {
        client.post(&format!("/v1/jobs/{id}/{act}"), &body).await.unwrap_or_else(|error| panic!("{act}: {error}"));
    }
    let mut readers = JoinSet::new();
    for _ in 0..READERS {
        readers.spawn(everything_is_read(client.clone(), id.clone()));
    }
    while let Some(read) = readers.join_next().await {
        read.expect("everything is answered");
    }
    id
}

async fn everything_is_read(client: Client, id: String) {
    for path in READS {
        let path = path.replace("{id}", &id);
        client.get(&path, &[]).await.unwrap_or_else(|error| panic!("{path}: {error}"));
    }
    client.get("/v1/jobs", &[("state", "succeeded"), ("limit", "20")]).await.expect("listed");
}

/// A statement that broke is an error of ours in somebody's log.
fn complained_of_nothing(process: &Process) {
    let said = process.log_text();
    let complaints: Vec<&str> = said.lines().filter(|line| line.contains("\"level\":\"ERROR\"") || line.contains("cached plan")).collect();
    assert!(complaints.is_empty(), "{complaints:#?}\n{}", process.said());
}
