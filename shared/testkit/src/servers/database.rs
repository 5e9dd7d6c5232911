//! What does PostgreSQL itself say about a test's rows? Asked through `psql`, beside the store under test.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::{PostgresServer, unique_name};
use crate::environment;

/// A busy server takes its time, above all to make databases.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// Between the columns of a row. A control character: no text of ours has it.
const BETWEEN: &str = "\u{1f}";

/// A database that belongs to one test; dropped with it.
pub struct Database {
    server: PostgresServer,
    name: String,
}

impl PostgresServer {
    /// An empty database of which nobody else knows.
    ///
    /// # Panics
    /// When the server does not make it.
    pub async fn fresh_database(&self) -> Database {
        let name = unique_name("t");
        ask(&self.admin_url(), &format!("create database {name}")).await.unwrap_or_else(|why| panic!("no database can be made: {why}"));
        Database { server: self.clone(), name }
    }
}

impl Database {
    pub fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// The database of the same name on another server: a standby, or who was one.
    pub fn also_on(&self, server: &PostgresServer) -> Self {
        Self { server: server.clone(), name: self.name.clone() }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs statements and returns the rows of their results, columns as text; null is empty.
    ///
    /// # Panics
    /// When the server does not answer in time, or refuses.
    pub async fn ask(&self, statements: &str) -> Vec<Vec<String>> {
        self.try_ask(statements).await.unwrap_or_else(|why| panic!("`{statements}` was not answered: {why}"))
    }

    /// The same where a server may be away.
    ///
    /// # Errors
    /// What `psql` says.
    pub async fn try_ask(&self, statements: &str) -> Result<Vec<Vec<String>>, String> {
        let text = ask(&self.url(), statements).await?;
        Ok(text.lines().map(|line| line.split(BETWEEN).map(str::to_owned).collect()).collect())
    }

    /// The only number that a question has for an answer.
    ///
    /// # Panics
    /// When the answer is something else.
    pub async fn count(&self, question: &str) -> u64 {
        let rows = self.ask(question).await;
        let number = rows.first().and_then(|row| row.first()).map(|text| text.parse());
        number.and_then(Result::ok).unwrap_or_else(|| panic!("`{question}` has no number for an answer: {rows:?}"))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (mut command, statement) = (psql(&self.server.admin_url()), format!("drop database if exists {} with (force)", self.name));
        // A server that is gone has taken its databases along.
        drop(command.args(["-c", &statement]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status());
    }
}

async fn ask(url: &str, statements: &str) -> Result<String, String> {
    let mut command = Command::from(psql(url));
    let running = command.args(["-c", statements]).stdin(Stdio::null()).kill_on_drop(true).output();
    let late = |_| format!("no answer within {} s", ANSWER_WITHIN.as_secs());
    let output = timeout(ANSWER_WITHIN, running).await.map_err(late)?.map_err(|error| format!("`psql` does not start: {error}"))?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(said(&output.stdout)) } else { Err(said(&output.stderr)) }
}

/// Beside the server's own programs, or on the path. What is secret goes by the environment, which others cannot see.
fn psql(url: &str) -> std::process::Command {
    let url = super::parsed("the database's URL", url);
    let beside = super::private::programs().postgres.map(|bin| bin.join("psql")).filter(|program| program.is_file());
    let mut command = std::process::Command::new(beside.unwrap_or_else(|| PathBuf::from("psql")));
    command.env_clear().envs(environment::path().map(|path| ("PATH", path)));
    command.envs([
        ("PGHOST", url.host_str().unwrap_or("127.0.0.1")),
        ("PGPORT", &url.port().unwrap_or(5432).to_string()),
        ("PGUSER", url.username()),
        ("PGPASSWORD", url.password().unwrap_or_default()),
        ("PGDATABASE", url.path().trim_start_matches('/')),
        ("PGCONNECT_TIMEOUT", "10"),
    ]);
    command.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1", "--field-separator", BETWEEN]);
    command
}
