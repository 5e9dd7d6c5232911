//! The README's first command, as a check.

use crate::process::{Home, text};

#[test]
fn the_demo_ends_as_expected() {
    let home = Home::new();
    let output = home.run(&["up", "--demo", "--exit", "--listen", "127.0.0.1:0"]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}\n{}", text(&output.stderr));
    assert!(said.contains("every group ended as expected") && !said.contains("NOT OK"), "{said}");
    assert!(said.contains("drained:"), "{said}");
}
