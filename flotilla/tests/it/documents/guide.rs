//! The guides to the API: each command and each piece of Python in them, against a server that runs.

use std::process::Command;
use std::time::Duration;

use testkit::ChildGuard;

use super::blocks::of_kind;
use super::live::{Live, has, terminal};
use super::page;
use crate::process::text;

const API: &str = "docs/api.md";
const PYTHON: &str = "docs/guide-python.md";
const WEBHOOKS: &str = "docs/webhooks.md";
const PROGRAM: &str = "examples/python/first_jobs.py";

/// Those who read with a mouse copy any of them, in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_of_the_api_guide_is_answered_as_it_says() {
    if !has("curl") {
        testkit::skip!("curl", "there is no `curl`");
    }
    let live = Live::start("flotilla", &["up"], &[]).await;
    let blocks = of_kind(&page(API), "sh");
    assert!(blocks.len() > 20, "{API} has only {} blocks", blocks.len());
    live.scene().run(API, &blocks).await;
}

/// What the guide shows is what the program does, and the program runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_python_of_the_guide_runs() {
    let program = page(PROGRAM);
    let quoted = of_kind(&page(PYTHON), "python");
    assert!(quoted.len() >= 4, "{PYTHON} shows too little");
    for block in &quoted {
        assert!(program.contains(&block.text), "{PYTHON}:{}: this is not in {PROGRAM}", block.line);
    }
    let Some(python) = testkit::python::interpreter() else { testkit::skip!("python", testkit::python::HOW) };
    let live = Live::start("greeter-up", &[], &[]).await;
    let (out, directory) = (live.directory().join("python.out"), live.directory());
    let file = std::fs::File::create(&out).expect("writable");
    let mut command = Command::new(python);
    command.arg(super::root().join(PROGRAM)).current_dir(&directory).env_clear().envs(terminal(&directory));
    command.env("FLOTILLA_URL", &live.url).env("FLOTILLA_KEY", live.key());
    let mut child = ChildGuard::spawn(command.stdout(file.try_clone().expect("a copy")).stderr(file));
    let status = child.end(Duration::from_secs(60)).await;
    let said = std::fs::read_to_string(&out).unwrap_or_default();
    assert!(status.success(), "{said}\n{}", live.said());
    for line in ["Hello, Ada!", "state succeeded", "log greeting somebody", "3 of 3 greeted", "invalid_payload"] {
        assert!(said.contains(line), "`{line}` is missing in\n{said}");
    }
}

/// The page tells receivers how to know that a delivery is genuine: what we sign is, what was changed on its way is not.
#[test]
fn the_python_of_the_webhooks_page_knows_our_signatures() {
    let Some(python) = testkit::python::interpreter() else { testkit::skip!("python", testkit::python::HOW) };
    let secret: vault::WebhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().expect("a secret");
    let signature = secret.sign("msg_1", 1_700_000_000, b"{\"id\":7}");
    let shown = of_kind(&page(WEBHOOKS), "python").remove(0).text;
    let script = format!(
        "{shown}
headers = {{'webhook-id': 'msg_1', 'webhook-timestamp': '1700000000', 'webhook-signature': '{signature}'}}
judge = lambda body, secret='whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', late=10**10: verify(secret, headers, body, late)
print(judge(b'{{\"id\":7}}'), judge(b'{{\"id\":8}}'), judge(b'{{\"id\":7}}', late=300), judge(b'{{\"id\":7}}', 'whsec_' + 'A' * 32))
"
    );
    let output = Command::new(python).args(["-c", &script]).env_clear().output().expect("starts");
    assert_eq!(text(&output.stdout).trim(), "msg_1 None None None", "{}", text(&output.stderr));
}
