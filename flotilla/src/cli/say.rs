//! The one place that prints: text for people, JSON for machines.
#![expect(clippy::print_stderr, reason = "a command line tool speaks on its standard streams")]

use std::io::Write;

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;

/// A line of output. When nobody reads any more (`| head`), the rest is nobody's business: a quiet end.
pub fn line(text: &str) {
    if let Err(error) = writeln!(std::io::stdout().lock(), "{text}") {
        let code = if error.kind() == std::io::ErrorKind::BrokenPipe { 0 } else { 1 };
        #[expect(clippy::disallowed_methods, reason = "there is nobody left to tell and nothing to tidy up")]
        std::process::exit(code);
    }
}

pub fn error(text: &str) {
    eprintln!("error: {text}");
}

pub fn json(value: &Value) {
    line(&format!("{value:#}"));
}

/// A table for people; its columns fit the terminal.
pub fn table(head: &[&str], rows: Vec<Vec<String>>) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_header(head);
    table.add_rows(rows);
    line(&table.to_string());
}

/// A field as people read it: text without quotes, nothing as `-`.
pub fn field(value: &Value, name: &str) -> String {
    match &value[name] {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(Value::is_string) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// Something for the person that is not the command's output.
pub fn aside(text: &str) {
    eprintln!("{text}");
}
