//! How does a test give a process a clock of its own? With libfaketime, which goes before the system's clock in that process.

use std::path::PathBuf;

use crate::environment::variable;

/// Where the library is, if not where Debian's package `libfaketime` puts it.
const VARIABLE: &str = "TEST_FAKETIME";
const NAME: &str = "faketime/libfaketimeMT.so.1";

/// Why a test that needs it is skipped.
pub const NO_FAKETIME: &str = "the package `libfaketime` is not installed, and TEST_FAKETIME does not say where it is";

/// The library, if there is one.
pub fn faketime() -> Option<PathBuf> {
    let given = variable(VARIABLE);
    if !given.is_empty() {
        return Some(PathBuf::from(given));
    }
    // One directory per architecture.
    let architectures = std::fs::read_dir("/usr/lib").ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    architectures.map(|directory| directory.join(NAME)).find(|library| library.is_file())
}

/// What a process is started with whose clock is off by so many seconds; durations pass as they do everywhere.
pub fn clock_off_by(library: &std::path::Path, seconds: i64) -> [(&'static str, String); 3] {
    [("LD_PRELOAD", library.display().to_string()), ("FAKETIME", format!("{seconds:+}")), ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned())]
}
