//! A fleet that documents talk about: everything in one process, and a receiver that takes every delivery.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use axum::Router;
use axum::http::StatusCode;
use serde_json::Value;
use testkit::{ChildGuard, Scratch, program};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::script::Scene;

/// Answers 204 to everything; ends with its guard.
pub struct Receiver {
    pub address: String,
    serving: JoinHandle<()>,
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound").to_string();
        let app = Router::new().fallback(|| async { StatusCode::NO_CONTENT });
        let serving = tokio::spawn(async move { axum::serve(listener, app).await.expect("serves until it is dropped") });
        Self { address, serving }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// `flotilla up`, or a program like it.
pub struct Live {
    pub url: String,
    pub receiver: Receiver,
    scratch: Scratch,
    _child: ChildGuard,
}

impl Live {
    /// Returns when the API answers. `settings` come over those that such a test needs.
    pub async fn start(program_name: &str, arguments: &[&str], settings: &[(&str, &str)]) -> Self {
        let (scratch, receiver) = (Scratch::new(), Receiver::start().await);
        let log = std::fs::File::create(scratch.join("log")).expect("writable");
        let mut command = Command::new(program(program_name));
        command.args(arguments).current_dir(scratch.path()).env_clear().stdout(Stdio::piped()).stderr(log);
        command
            .envs([("FLOTILLA_LISTEN", "127.0.0.1:0"), ("FLOTILLA_WEBHOOKS_ALLOW", receiver.address.as_str())])
            .envs(settings.iter().copied());
        let mut child = ChildGuard::spawn(&mut command);
        let mut first = String::new();
        let mut output = BufReader::new(child.child().stdout.take().expect("piped"));
        output.read_line(&mut first).expect("readable");
        let said = || std::fs::read_to_string(scratch.join("log")).unwrap_or_default();
        let url = first.strip_prefix("API").unwrap_or_else(|| panic!("{first}{}", said())).trim().to_owned();
        // Nobody reads on, and nobody may be stopped by that.
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        Self { url, receiver, scratch, _child: child }
    }

    pub fn directory(&self) -> PathBuf {
        self.scratch.path().to_owned()
    }

    /// What it wrote to standard error.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.scratch.join("log")).unwrap_or_default()
    }

    /// The key that it leaves behind for the command line.
    pub fn key(&self) -> String {
        let left = std::fs::read_to_string(self.scratch.join(".flotilla/cli.json")).expect("credentials are left behind");
        serde_json::from_str::<Value>(&left).expect("JSON")["key"].as_str().expect("a key").to_owned()
    }

    /// A terminal in its directory, as a reader has one.
    pub fn scene(&self) -> Scene {
        let replaced = [("http://127.0.0.1:8080", self.url.as_str()), ("127.0.0.1:9000", self.receiver.address.as_str())];
        Scene {
            directory: self.directory(),
            environment: terminal(&self.directory()),
            replaced: replaced.map(|(said, meant)| (said.to_owned(), meant.to_owned())).to_vec(),
        }
    }
}

/// The variables of a terminal: our programs come first, then the Python of the run, then the system's.
pub fn terminal(home: &std::path::Path) -> Vec<(String, String)> {
    let programs = program("producer").parent().map(|directory| directory.display().to_string());
    let python = testkit::python::interpreter().and_then(|python| Some(python.parent()?.display().to_string()));
    let path: Vec<String> = programs.into_iter().chain(python).chain(["/usr/local/bin:/usr/bin:/bin".to_owned()]).collect();
    [("PATH", path.join(":")), ("HOME", home.display().to_string()), ("LC_ALL", "C.UTF-8".to_owned())]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
}

/// Whether a program of the reader's is here.
pub fn has(program: &str) -> bool {
    Command::new("sh").args(["-c", r#"command -v "$1""#, "has", program]).output().is_ok_and(|output| output.status.success())
}
