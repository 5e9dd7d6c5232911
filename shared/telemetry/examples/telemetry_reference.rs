//! Prints a table of docs/telemetry.md, `metrics` or `fields`; `cargo xtask gen` puts both there.
#![expect(clippy::print_stdout, reason = "the table is what is asked for")]

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("fields") => print!("{}", telemetry::reference::fields()),
        _ => print!("{}", telemetry::reference::metrics()),
    }
}
