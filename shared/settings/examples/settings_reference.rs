//! Prints the table of docs/configuration.md; `cargo xtask gen` puts it there.
#![expect(clippy::print_stdout, reason = "the table is what is asked for")]

fn main() {
    print!("{}", settings::reference::table());
}
