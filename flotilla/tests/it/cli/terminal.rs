//! On a terminal there are colours, pictures are drawn in place, and people are asked; `script` is the terminal.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::{delayed, ended, said};
use crate::process::{Home, text};

/// `script` is part of every Debian, and of most other systems in a form of its own.
fn is_there() -> bool {
    let tried = Command::new("script").args(["-qec", "true", "/dev/null"]).stdin(Stdio::null()).output();
    tried.is_ok_and(|output| output.status.success())
}

/// Runs a shell's line on a terminal of 200 columns, with `flotilla` as the command; answers with these lines.
fn on_terminal(home: &Home, line: &str, variable: (&str, &str), answer: &str) -> (Option<i32>, String) {
    let shell = format!("stty cols 200; {}", line.replace("flotilla", concat!(env!("CARGO_BIN_EXE_flotilla"), " --data-dir data")));
    let mut command = Command::new("script");
    command.current_dir(home.path()).env_clear().env("PATH", "/usr/bin:/bin").env("TERM", "xterm").env(variable.0, variable.1);
    command.args(["-qec", &shell, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("starts");
    child.stdin.take().expect("piped").write_all(answer.as_bytes()).expect("written");
    ended(&child.wait_with_output().expect("ends"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn colours_are_for_terminals_whose_people_want_them() {
    if !is_there() {
        testkit::skip!("script", "`script` is not there to be the terminal");
    }
    let home = Home::new();
    let up = home.up();
    delayed(&home, "seen");
    let (_, coloured) = on_terminal(&home, "flotilla jobs list", ("LANG", "C"), "");
    assert!(coloured.contains("\u{1b}[") && coloured.contains("waiting"), "{coloured:?}");
    for variable in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let (_, plain) = on_terminal(&home, "flotilla jobs list", variable, "");
        assert!(!plain.contains('\u{1b}') && plain.contains("waiting"), "{variable:?}: {plain:?}");
    }
    let (_, drawn) = on_terminal(&home, "timeout 5 flotilla stats --watch --every 500ms", ("LANG", "C"), "");
    assert!(drawn.matches("MEAN WAIT").count() > 1 && drawn.contains("A\r\u{1b}[J"), "{drawn:?}");
    up.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_is_asked_before_many_jobs_are_touched() {
    if !is_there() {
        testkit::skip!("script", "`script` is not there to be the terminal");
    }
    let home = Home::new();
    let up = home.up();
    let id = delayed(&home, "asked");
    let bulk = "flotilla jobs bulk cancel --tag asked --reason x --watch";
    for (answer, code, state) in [("n\n", 2, "waiting"), ("\n", 2, "waiting"), ("y\n", 0, "cancelled")] {
        let (ended, told) = on_terminal(&home, bulk, ("LANG", "C"), answer);
        assert!(ended == Some(code) && told.contains("1 job matches it now. Go on? [y/N]"), "{answer:?}: {ended:?} {told}");
        assert_eq!(said(&home, &["jobs", "show", &id])["job"]["state"], state, "{answer:?}");
    }
    let told = text(&home.run(&["audit", "list"]).stdout);
    assert!(told.contains("operation.begin"), "{told}");
    up.stop().await;
}
