//! Where are the programs of the other packages? Beside ours: a build of the whole workspace puts all of them into one directory.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The packages whose programs a fleet is made of, and that of the judge.
const PACKAGES: [&str; 5] = ["producer", "scheduler", "webhooks-worker", "greeter", "testkit"];

/// The program of this name.
///
/// # Panics
/// When it is not there and cannot be built.
pub fn program(name: &str) -> PathBuf {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_flotilla")).with_file_name(name);
    if !program.exists() {
        built();
    }
    assert!(program.exists(), "the program `{name}` is not beside `flotilla`; `cargo build --workspace --bins` puts it there");
    program
}

/// In a run of this package alone nobody has built them. All at once, and once for all tests.
fn built() {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        let packages = PACKAGES.iter().flat_map(|package| ["--package", package]);
        let status = Command::new(env!("CARGO")).args(["build", "--quiet", "--bins"]).args(packages).status();
        assert!(status.is_ok_and(|status| status.success()), "the programs of the roles cannot be built");
    });
}
