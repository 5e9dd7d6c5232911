//! Does any statement read more than it needs, however many partitions there are, and is every file of `queries/` in use?
//!
//! Each statement is prepared and planned with the settings of the lane that runs it, on empty tables: what the planner would
//! believe on a bad day. Its parameters are typed by the server; every id in them is of the present span.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor as _, Row as _};
use store::{Mint, Store as _, Upkeep as _};
use store_postgres::{PostgresOptions, PostgresStore, migrate, plan_settings};

use crate::fixture::{empty_database, options};

const SPAN: Duration = Duration::from_secs(3_600);

/// Tables of which a statement must not read the whole, unless it is named here: small ones, or what it asks for is the whole.
const WHOLE: [(&str, &str); 21] = [
    ("claim_forget_dead", "claim"),
    ("emission_count", "emission"),
    ("job_depths", "emission"),
    ("job_of_dead_workers", "claim"),
    ("job_running_count", "claim"),
    ("worker_list", "claim"),
    ("emission_overtaken", "emission"),
    ("emission_of_class", "emission"),
    ("emission_of_lost_class", "emission"),
    ("partition_survey", "job"),
    ("partition_survey", "job_dedup"),
    ("job_live_lock", "job"),
    ("job_kept_fill", "job"),
    ("job_kept_fill", "job_dedup"),
    ("job_event_kept_fill", "job_event"),
    ("job_log_kept_fill", "job_log"),
    ("effect_kept_fill", "effect"),
    ("dead_letter_drop", "dead_letter"),
    ("timer_drop", "job"),
    ("timer_drop", "timer"),
    ("job_dedup_drop", "job_dedup"),
];
/// Tables that grow with the work.
const GROWING: [&str; 15] = [
    "job",
    "timer",
    "parked",
    "emission",
    "claim",
    "effect",
    "job_dedup",
    "job_event",
    "job_log",
    "job_stat",
    "job_rate",
    "operation",
    "dead_letter",
    "poison",
    "audit",
];
/// Statements that go through the partitions one after the other, or from a list of ids of any age: all partitions are in the plan,
/// each by an index.
const ANY_AGE: [&str; 24] = [
    "claim_forget",
    "claim_forget_dead",
    "claim_strangers",
    "cancel_asked_forget",
    "cancel_asked_list",
    "emission_of_class",
    "emission_overtaken",
    "emission_unconfirmed",
    "job_adopt",
    "job_depths",
    "job_insert",
    "job_of_dead_workers",
    "job_event_insert",
    "job_log_insert",
    "job_past_retention",
    "job_running_count",
    "worker_list",
    "job_page",
    "job_page_end",
    "job_page_dead",
    "job_page_dead_end",
    "dead_letter_page",
    "dead_letter_groups",
    "effect_replace",
];
/// Hot statements, and the lane that runs each; the others run on the lanes of duties and people, or on readers.
const HOT: [(&str, &str); 7] = [
    ("job_insert", "intake"),
    ("job_claim", "claims"),
    ("job_adopt", "claims"),
    ("job_succeed", "ends"),
    ("job_settled_before", "ends"),
    ("effect_find", "effects"),
    ("job_runs", "effects"),
];
/// Statements for readers.
const READ: [&str; 17] = [
    "audit_page",
    "audit_page_end",
    "dead_letter_groups",
    "dead_letter_page",
    "dead_letter_page_end",
    "job_by_id",
    "job_depths",
    "job_log_list",
    "job_outline",
    "job_page",
    "job_page_dead",
    "job_page_dead_end",
    "job_page_end",
    "job_rate_sum",
    "job_story",
    "operation_find",
    "operation_list",
];
/// These need tables that only exist while a partition is compacted.
const KEPT: &str = "create table if not exists job_kept (like job); create table if not exists job_event_kept (like job_event);
    create table if not exists job_log_kept (like job_log); create table if not exists effect_kept (like effect)";

fn statements() -> BTreeMap<String, String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("queries");
    let files = std::fs::read_dir(directory).expect("the queries").map(|entry| entry.expect("a file").path());
    let name = |path: &Path| path.file_stem().expect("named").to_string_lossy().into_owned();
    files.map(|path| (name(&path), std::fs::read_to_string(path).expect("text"))).collect()
}

fn lane(name: &str) -> &'static str {
    HOT.iter().find(|(of, _)| *of == name).map_or(if READ.contains(&name) { "reader" } else { "duties" }, |(_, lane)| lane)
}

/// A value of the type, such that ids are those of the present span.
fn value(kind: &str, id: &str) -> String {
    match kind {
        "uuid" => format!("'{id}'"),
        "uuid[]" => format!("array['{id}']::uuid[]"),
        "text" | "character varying" => "'x'".to_owned(),
        "json" => "'[]'".to_owned(),
        "boolean" => "true".to_owned(),
        "bytea" => "'x'".to_owned(),
        kind if kind.ends_with("[]") => format!("'{{}}'::{kind}"),
        _ => "1".to_owned(),
    }
}

async fn plan(connection: &mut PgConnection, name: &str, text: &str, id: &str) -> Vec<String> {
    connection.execute("reset all; set jit = off; set plan_cache_mode = force_generic_plan").await.expect("sets");
    connection.execute(AssertSqlSafe(plan_settings(lane(name)).to_owned())).await.expect("sets");
    let prepare = format!("deallocate all; prepare statement as {text}");
    connection.execute(AssertSqlSafe(prepare)).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    let kinds = "select unnest(parameter_types)::text from pg_prepared_statements where name = 'statement'";
    let kinds: Vec<String> = connection.fetch_all(kinds).await.expect("types").iter().map(|row| row.get(0)).collect();
    let values: Vec<String> = kinds.iter().map(|kind| value(kind, id)).collect();
    let values = if values.is_empty() { String::new() } else { format!("({})", values.join(", ")) };
    let explain = format!("explain (costs off) execute statement{values}");
    let rows = connection.fetch_all(AssertSqlSafe(explain)).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    rows.iter().map(|row| row.get(0)).collect()
}

/// The table that a step of a plan reads, with the partition's span cut off; and whether it was a partition.
fn table_of(step: &str, marker: &str) -> Option<(String, Option<String>)> {
    let after = step.split_once(marker)?.1;
    let name = after.split_whitespace().next()?;
    match name.split_once("_p2") {
        // What follows the digits belongs to the name of an index.
        Some((table, span)) => Some((table.to_owned(), Some(span.chars().take_while(char::is_ascii_digit).collect()))),
        None => Some((name.to_owned(), None)),
    }
}

#[tokio::test]
async fn no_statement_reads_more_than_it_needs() {
    needs_postgres!();
    let database = empty_database().await;
    let options = PostgresOptions { partition_span: SPAN, ..options(&database.url()) };
    migrate(&options).await.expect("migrates");
    let store = PostgresStore::open(options).await.expect("opens");
    let id = Mint::default().job(store.now()).to_string();
    store.shift_clock(SPAN * 6);
    assert_eq!(store.prepare().await.expect("prepares").made, 6, "sixteen in all");
    store.close().await;
    let mut connection = database.connect().await;
    connection.execute(KEPT).await.expect("makes");
    let (mut bad, mut partitioned) = (Vec::new(), 0);
    for (name, text) in statements() {
        let steps = plan(&mut connection, &name, &text, &id).await;
        let whole = |table: &str| WHOLE.contains(&(name.as_str(), table));
        for step in &steps {
            if let Some((table, _)) = table_of(step, "Seq Scan on ")
                && GROWING.contains(&table.as_str())
                && !whole(&table)
            {
                bad.push(format!("{name}: {}", step.trim()));
            }
        }
        let read = steps.iter().filter_map(|step| table_of(step, "Scan using ").or(table_of(step, " Scan on ")));
        let spans: BTreeSet<String> = read.filter_map(|(_, span)| span).collect();
        partitioned += usize::from(!spans.is_empty());
        if spans.len() > 1 && !ANY_AGE.contains(&name.as_str()) {
            bad.push(format!("{name} looks into {} partitions: {steps:#?}", spans.len()));
        }
    }
    assert!(bad.is_empty(), "{bad:#?}");
    assert!(partitioned > 15, "{partitioned} statements look into partitions: the steps are read as they should");
}

#[test]
fn every_file_says_what_it_does_and_is_used_once() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut code = String::new();
    for entry in std::fs::read_dir(source).expect("the source") {
        code.push_str(&std::fs::read_to_string(entry.expect("a file").path()).expect("text"));
    }
    for (name, text) in statements() {
        assert!(text.starts_with("-- "), "{name} must say what it does");
        let uses = code.matches(&format!("queries/{name}.sql\"")).count();
        assert_eq!(uses, 1, "{name} is used {uses} times");
    }
}
