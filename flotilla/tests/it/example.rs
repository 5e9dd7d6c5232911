//! The example that people start from does what it says.

use std::process::Command;

use crate::process::text;

#[test]
fn the_example_of_an_own_worker_runs() {
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--quiet", "--package", "flotilla", "--example", "own_worker"]);
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("cargo starts");
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout).trim(), "\"Hello, Ada!\"");
    assert!(text(&output.stderr).contains("greeting"), "its log line is readable: {}", text(&output.stderr));
}
