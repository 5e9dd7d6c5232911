//! Does the soak itself work? A minute of it, with a seed that is known: faults are felt, and nothing is lost or doubled.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use testkit::{ChildGuard, Scratch, program, servers, skip};

const SEED: u64 = 5;
const SECS: u64 = 60;
/// It is drawn seven faults; some may meet nobody on a busy machine.
const FELT_MIN: u64 = 4;
/// Servers start, a minute of load, and leases that end after it.
const ENDS_WITHIN: Duration = Duration::from_secs(420);
/// What the program ends with when it cannot be tried.
const UNTRIED: i32 = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_soak_ends_well() {
    if servers::postgres().is_none() || servers::rabbitmq().is_none() || servers::redis().is_none() {
        // It starts servers of its own; where none were started for this run, none can be.
        skip!("postgres", servers::HOW);
    }
    let place = Scratch::new();
    let log = std::fs::File::create(place.join("log")).expect("a log can be written");
    let arguments = ["--seconds", &SECS.to_string(), "--seed", &SEED.to_string(), "--bites", "0", "--rate", "30"].map(str::to_owned);
    let mut command = Command::new(program("chaos-soak"));
    let errors = log.try_clone().expect("a second handle");
    let mut soak = ChildGuard::spawn(command.args(arguments).current_dir(place.path()).stdout(log).stderr(Stdio::from(errors)));
    let status = soak.end(ENDS_WITHIN).await;
    let said = std::fs::read_to_string(place.join("log")).unwrap_or_default();
    assert_ne!(status.code(), Some(UNTRIED), "{said}");
    assert_eq!(status.code(), Some(0), "{said}");

    let result = std::fs::read_to_string(place.join(format!("target/soak/{SEED}.json"))).expect("it keeps its figures");
    let result: Value = serde_json::from_str(&result).expect("JSON");
    let figures = &result["figures"];
    for word in ["lost", "doubled", "stuck", "late", "strangers"] {
        assert_eq!(figures[word], serde_json::json!([]), "{said}");
    }
    assert!(figures["jobs"].as_u64() >= Some(SECS * 10), "it was loaded: {figures:#}");
    let rows = figures["coverage"].as_array().expect("a table");
    let felt: u64 = rows.iter().filter_map(|row| row["bit"].as_u64()).sum();
    assert!(felt >= FELT_MIN, "{felt} faults were felt\n{said}");
}
