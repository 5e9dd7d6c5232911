//! Does any statement read more than it needs, and is every file of `queries/` in use?

use std::collections::BTreeMap;
use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};

use crate::fixture::SqliteFixture;

/// Tables that grow with the work; a full scan of one of them is never right.
const GROWING: [&str; 11] =
    ["job", "timer", "parked", "effect", "job_dedup", "job_event", "job_log", "dead_letter", "audit", "operation", "job_rate"];

fn statements() -> BTreeMap<String, String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("queries");
    let files = std::fs::read_dir(directory).expect("the queries").map(|entry| entry.expect("a file").path());
    files
        .map(|path| (path.file_name().expect("named").to_string_lossy().into_owned(), std::fs::read_to_string(path).expect("text")))
        .collect()
}

/// Indexes that hold few rows however many jobs there are.
const PARTIAL: [&str; 2] = ["job_queued", "job_running"];
/// Where the planner would have another choice, and a bad one: `statement`, the step it must take.
const STEPS: [(&str, &str); 9] = [
    ("job_claim.sql", "SEARCH job USING INDEX job_queued (queue=? AND prio=? AND id=?)"),
    ("job_succeed.sql", "SEARCH job USING INDEX sqlite_autoindex_job_1 (id=?)"),
    ("job_progress.sql", "SEARCH job USING INDEX sqlite_autoindex_job_1 (id=?)"),
    ("job_of_dead_workers.sql", "SEARCH job USING INDEX job_running (worker_id=?)"),
    ("job_page.sql", "SEARCH job USING INDEX job_by_tenant (tenant=? AND id>? AND id<?)"),
    ("job_page_dead.sql", "SEARCH dead_letter USING INDEX dead_letter_by_tenant (tenant=? AND job_id>? AND job_id<?)"),
    ("dead_letter_groups.sql", "SEARCH dead_letter USING COVERING INDEX dead_letter_by_group (tenant=?)"),
    ("operation_next.sql", "SEARCH operation USING INDEX operation_open (turn_at<?)"),
    ("parked_with_worker.sql", "SEARCH parked USING COVERING INDEX parked_by_kind (reason=? AND kind=?)"),
];

/// Whether a step walks the whole of a table that grows, or of an index over all of it.
fn walks(step: &str) -> bool {
    let Some((table, how)) = step.strip_prefix("SCAN ").map(|rest| rest.split_once(' ').unwrap_or((rest, ""))) else { return false };
    GROWING.contains(&table) && !PARTIAL.iter().any(|index| how.ends_with(index))
}

#[tokio::test]
async fn no_statement_scans_a_table_that_grows() {
    let f = SqliteFixture::new().await;
    let mut connection = SqliteConnectOptions::new().filename(f.path()).read_only(true).connect().await.expect("connects");
    let (mut bad, mut steps) = (Vec::new(), Vec::new());
    for (name, text) in statements() {
        let plan = sqlx::query(AssertSqlSafe(format!("explain query plan {text}"))).fetch_all(&mut connection).await;
        for row in plan.unwrap_or_else(|error| panic!("{name}: {error}")) {
            let step: String = row.get("detail");
            if walks(&step) {
                bad.push(format!("{name}: {step}"));
            }
            steps.push((name.clone(), step));
        }
    }
    connection.close().await.expect("closes");
    assert!(bad.is_empty(), "{bad:#?}");
    for (name, step) in STEPS {
        assert!(steps.iter().any(|(of, taken)| of == name && taken == step), "{name} must take the step `{step}`: {steps:#?}");
    }
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
        let uses = code.matches(&format!("queries/{name}\"")).count();
        assert_eq!(uses, 1, "{name} is used {uses} times");
    }
}
