//! How is a test run steered? By variables that `cargo xtask test` sets, and that nobody else needs to.
#![expect(clippy::disallowed_methods, reason = "the settings of test runs are none of the product's")]

use std::ffi::OsString;

/// A variable, blank when it is absent.
pub fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default().trim().to_owned()
}

/// Where programs are looked for.
pub fn path() -> Option<OsString> {
    std::env::var_os("PATH")
}
