//! How long did it take? Said on standard error, and kept for docs/reliability.md when somebody collects it.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::environment::variable;

/// The file that collects measurements, a line of JSON each.
const MEASURED: &str = "TEST_MEASURED";

/// Tells how long `what` took in this row of the failure matrix.
///
/// # Panics
/// When it cannot be kept where `TEST_MEASURED` says.
pub fn measured(row: &str, what: &str, took: Duration) {
    // One write per line: rows run side by side.
    let _told = std::io::stderr().write_all(format!("measured: {row}: {what}: {} ms\n", took.as_millis()).as_bytes());
    let path = variable(MEASURED);
    if !path.is_empty() {
        let kept = keep(Path::new(&path), row, what, took);
        kept.unwrap_or_else(|error| panic!("a measurement cannot be kept in `{path}`: {error}"));
    }
}

fn keep(path: &Path, row: &str, what: &str, took: Duration) -> std::io::Result<()> {
    let line = format!("{}\n", json!({ "row": row, "what": what, "ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX) }));
    std::fs::File::options().append(true).create(true).open(path)?.write_all(line.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scratch;

    #[test]
    fn a_measurement_is_one_line() {
        let scratch = Scratch::new();
        let path = scratch.join("measured.jsonl");
        for took in [Duration::from_millis(1_500), Duration::ZERO] {
            keep(&path, "worker killed", "running\nelsewhere", took).expect("writable");
        }
        let text = std::fs::read_to_string(&path).expect("readable");
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0], json!({ "row": "worker killed", "what": "running\nelsewhere", "ms": 1_500 }));
    }
}
