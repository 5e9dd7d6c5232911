//! Help, suggestions and completions.

use super::ended;
use crate::process::Home;

#[test]
fn every_command_explains_itself_with_an_example() {
    let home = Home::new();
    let rows = [
        "up",
        "migrate",
        "submit",
        "jobs list",
        "jobs show",
        "jobs result",
        "jobs tail",
        "jobs bulk",
        "dead replay",
        "queues list",
        "workers list",
        "kinds show",
        "stats",
        "operations show",
        "keys create",
        "endpoints create",
        "audit list",
        "doctor",
        "completions",
    ];
    for row in rows {
        let arguments: Vec<&str> = row.split(' ').chain(["--help"]).collect();
        let (code, told) = ended(&home.run(&arguments));
        assert!(code == Some(0) && told.contains("Example") && told.contains(&format!("flotilla {row}")), "{row}: {told}");
    }
    let (_, told) = ended(&home.run(&["--help"]));
    assert!(told.contains("Exit codes:") && !told.contains("reference"), "{told}");
}

#[test]
fn what_is_misspelt_gets_a_suggestion() {
    let home = Home::new();
    let rows: [(&[&str], &str); 5] = [
        (&["job", "list"], "jobs"),
        (&["jobs", "lst"], "list"),
        (&["jobs", "list", "--stat", "dead"], "--state"),
        (&["jobs", "list", "--state", "ded"], "dead"),
        (&["submit", "k", "--priority", "hihg"], "high"),
    ];
    for (arguments, suggestion) in rows {
        let (code, told) = ended(&home.run(arguments));
        assert!(code == Some(2) && told.contains("similar") && told.contains(suggestion), "{arguments:?}: {told}");
    }
}

#[test]
fn shells_get_their_completions() {
    for (shell, word) in [("bash", "_flotilla()"), ("zsh", "#compdef flotilla"), ("fish", "complete -c flotilla")] {
        let (code, told) = ended(&Home::new().run(&["completions", shell]));
        assert!(code == Some(0) && told.contains(word) && told.contains("reprioritize"), "{shell}");
    }
}

#[test]
fn a_payload_that_is_no_json_is_refused_with_a_hint() {
    let home = Home::new().with("FLOTILLA_URL", "http://127.0.0.1:1").with("FLOTILLA_KEY", "flt_x");
    let (code, told) = ended(&home.run(&["submit", "k", "--payload", "{n:1}"]));
    assert!(code == Some(2) && told.contains("not JSON") && told.contains("hint:"), "{told}");
    let (code, told) = ended(&home.run(&["submit", "k", "--payload", "@nowhere.json"]));
    assert!(code == Some(1) && told.contains("nowhere.json"), "{told}");
}
