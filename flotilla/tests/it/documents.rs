//! The documents as a reader meets them: every command in them works, in order, and what they quote is what is there.

mod blocks;
mod guide;
pub mod live;
mod script;
mod settings;
mod tutorial;

use std::path::PathBuf;

/// A file of the checkout.
fn page(path: &str) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}
