//! The API as programs in Python meet it: examined by schemathesis, and used through a client that is made of its own description.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use testkit::ChildGuard;

use crate::documents::live::{Live, terminal};
use crate::process::{Home, text};
use crate::servers::fresh_servers;

/// Two hundred examples for each operation, all checks.
const EXAMINED_WITHIN: Duration = Duration::from_secs(540);
const USED_WITHIN: Duration = Duration::from_secs(180);
/// Of the server's log, in the message of a failure.
const LOG_LINES: usize = 40;
/// Nobody is as fast as a test; how limits are told has tests of its own.
const NO_LIMIT: (&str, &str) = ("FLOTILLA_RATE_LIMIT", "0");

/// A script of `tests/python` against a server, with the packages of the run.
struct Script<'a> {
    python: PathBuf,
    name: &'a str,
    url: &'a str,
    key: &'a str,
    /// Where it writes.
    directory: &'a Path,
}

impl Script<'_> {
    /// Returns what it said, when it has ended well.
    ///
    /// # Panics
    /// When it has not.
    async fn run(&self, within: Duration) -> String {
        let out = self.directory.join("script.out");
        let file = std::fs::File::create(&out).expect("writable");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python").join(self.name);
        let mut command = Command::new(&self.python);
        command.arg(script).current_dir(self.directory).env_clear().envs(terminal(self.directory));
        command.env("FLOTILLA_URL", self.url).env("FLOTILLA_KEY", self.key).env("PYTHONDONTWRITEBYTECODE", "1");
        let mut child = ChildGuard::spawn(command.stdout(file.try_clone().expect("a copy")).stderr(file));
        let status = child.end(within).await;
        let said = std::fs::read_to_string(&out).unwrap_or_default();
        // That of `Live`, whose directory this is; other servers are asked by their tests.
        let log = std::fs::read_to_string(self.directory.join("log")).unwrap_or_default();
        let last = log.lines().rev().take(LOG_LINES).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n");
        assert!(status.success(), "{}: {status}\n{said}\n--- the server said\n{last}", self.name);
        said
    }
}

/// No answer but those that the document has, whatever is asked; nothing is taken that it forbids, nothing refused that it allows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_keeps_what_its_description_promises() {
    let Some(python) = testkit::python::interpreter() else { testkit::skip!("python", testkit::python::HOW) };
    let live = Live::start("flotilla", &["up"], &[NO_LIMIT]).await;
    let (directory, key) = (live.directory(), live.key());
    let script = Script { python, name: "examine.py", url: &live.url, key: &key, directory: &directory };
    let said = script.run(EXAMINED_WITHIN).await;
    assert!(said.contains(" cases\n"), "{said}");
    assert!(!live.said().contains("panicked"), "{}", live.said());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_generated_client_works_with_the_embedded_engine() {
    let Some(python) = testkit::python::interpreter() else { testkit::skip!("python", testkit::python::HOW) };
    let live = Live::start("flotilla", &["up"], &[NO_LIMIT]).await;
    let (directory, key) = (live.directory(), live.key());
    let script = Script { python, name: "generated_client.py", url: &live.url, key: &key, directory: &directory };
    let said = script.run(USED_WITHIN).await;
    assert!(said.ends_with("all of it worked\n"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_generated_client_works_with_the_distributed_engine() {
    let servers = fresh_servers!();
    let Some(python) = testkit::python::interpreter() else { testkit::skip!("python", testkit::python::HOW) };
    let home = Home::new().on(&servers);
    assert!(home.run(&["migrate"]).status.success());
    let made = home.run(&["keys", "create", "python", "--direct", "--scopes", "admin"]);
    let (producer, _scheduler, _worker) = tokio::join!(home.role("producer"), home.role("scheduler"), home.role("webhooks-worker"));
    let key = text(&made.stdout).trim().to_owned();
    let script = Script { python, name: "generated_client.py", url: &producer.url, key: &key, directory: home.path() };
    let said = script.run(USED_WITHIN).await;
    assert!(said.ends_with("all of it worked\n"), "{said}\n{}", producer.said());
}
