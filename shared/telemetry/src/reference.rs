//! What does docs/telemetry.md say about each metric and each field? Made of the declarations, so that it cannot differ from them.

use crate::fields::FIELDS;
use crate::{MetricSpec, SPECS};

/// The table of all metrics, in Markdown.
pub fn metrics() -> String {
    let head = "| name | type | labels | meaning |\n|---|---|---|---|\n";
    SPECS.iter().map(metric).fold(head.to_owned(), |table, row| table + &row)
}

/// The table of all fields of log lines, in Markdown.
pub fn fields() -> String {
    let rows = FIELDS.iter().map(|(name, meaning)| format!("| `{name}` | {meaning} |\n"));
    rows.fold("| field | meaning |\n|---|---|\n".to_owned(), |table, row| table + &row)
}

fn metric(spec: &MetricSpec) -> String {
    let MetricSpec { name, sort, labels, help } = spec;
    let labels = labels.iter().map(|label| format!("`{label}` ")).collect::<String>();
    format!("| `{name}` | {sort} | {labels}| {help} |\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_the_tables_of_the_declarations() {
        let page = include_str!("../../../docs/telemetry.md");
        assert!(page.contains(&metrics()), "docs/telemetry.md is not what `cargo xtask gen` makes of shared/telemetry/src/metrics.rs");
        assert!(page.contains(&fields()), "docs/telemetry.md is not what `cargo xtask gen` makes of shared/telemetry/src/fields.rs");
    }
}
