//! What does the database say? It is the judge: how many jobs succeeded, how often each ran, when the first started and the last ended.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tokio::process::Command;
use tokio::time::{Instant, interval};

const ANSWERS_WITHIN: Duration = Duration::from_secs(60);

/// `psql`, because no program of ours but the stores speaks to a database.
pub struct Database {
    psql: PathBuf,
    environment: [(&'static str, String); 5],
}

/// What became of the jobs since a mark.
#[derive(Debug, Clone, Copy, Default)]
pub struct Verdict {
    pub jobs: u64,
    pub queued: u64,
    pub succeeded: u64,
    /// Runs beyond the first, of all jobs together.
    pub reruns: u64,
    /// Microseconds of the database's clock.
    pub first_started: i64,
    pub last_finished: i64,
}

/// The lowest id that a job submitted from now on can have.
#[derive(Debug, Clone)]
pub struct Mark(String);

impl Database {
    pub fn new(psql: PathBuf, url: &str) -> anyhow::Result<Self> {
        let url: url::Url = url.parse().ok().context("the address of the database is no URL")?;
        let environment = [
            ("PGHOST", url.host_str().unwrap_or_default().to_owned()),
            ("PGPORT", url.port().unwrap_or(5432).to_string()),
            ("PGUSER", url.username().to_owned()),
            ("PGPASSWORD", url.password().unwrap_or_default().to_owned()),
            ("PGDATABASE", url.path().trim_start_matches('/').to_owned()),
        ];
        Ok(Self { psql, environment })
    }

    /// The rows of one statement, as text.
    pub async fn ask(&self, statement: &str) -> anyhow::Result<Vec<Vec<String>>> {
        let mut command = Command::new(&self.psql);
        command.args(["-qXAt", "-v", "ON_ERROR_STOP=1", "-F", "\t", "-c", statement]).stdin(Stdio::null()).kill_on_drop(true);
        let output = command.envs(self.environment.iter().cloned()).output();
        let output =
            tokio::time::timeout(ANSWERS_WITHIN, output).await.context("psql did not answer in time")?.context("could not run psql")?;
        if !output.status.success() {
            bail!("psql: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect())
    }

    pub async fn mark(&self) -> anyhow::Result<Mark> {
        let rows = self.ask("select lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0')").await?;
        let millis = rows.first().and_then(|row| row.first()).filter(|hex| hex.len() == 12).context("no clock")?;
        Ok(Mark(format!("{}-{}-7000-8000-000000000000", &millis[..8], &millis[8..])))
    }

    pub async fn verdict(&self, since: &Mark) -> anyhow::Result<Verdict> {
        let statement = format!(
            "select count(*), count(*) filter (where state = 1), count(*) filter (where state = 3), coalesce(sum(greatest(run - 1, 0)), 0), \
             coalesce(min(started_at), 0), coalesce(max(finished_at), 0) from job where id >= '{}'",
            since.0
        );
        let rows = self.ask(&statement).await?;
        let numbers: Vec<i64> = rows.first().into_iter().flatten().map(|text| text.parse()).collect::<Result<_, _>>()?;
        let [jobs, queued, succeeded, reruns, first_started, last_finished] = numbers[..] else { bail!("psql printed something else") };
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        Ok(Verdict {
            jobs: count(jobs),
            queued: count(queued),
            succeeded: count(succeeded),
            reruns: count(reruns),
            first_started,
            last_finished,
        })
    }

    /// Waits until all of these jobs have succeeded.
    ///
    /// # Errors
    /// When there are others than `jobs`, when one ran twice, or when they have not within `within`.
    pub async fn all_succeeded(&self, since: &Mark, jobs: u64, within: Duration) -> anyhow::Result<Verdict> {
        let deadline = Instant::now() + within;
        let mut looks = interval(Duration::from_millis(250));
        loop {
            looks.tick().await;
            let verdict = self.verdict(since).await?;
            ensure!(verdict.jobs == jobs, "{} jobs were recorded, not {jobs}", verdict.jobs);
            if verdict.succeeded == jobs {
                ensure!(verdict.reruns == 0, "{} runs too many", verdict.reruns);
                return Ok(verdict);
            }
            ensure!(Instant::now() < deadline, "only {} of {jobs} jobs succeeded in time", verdict.succeeded);
        }
    }

    /// Rows of the ledger: messages that the broker holds or is to get.
    pub async fn emissions(&self) -> anyhow::Result<u64> {
        let rows = self.ask("select count(*) from emission").await?;
        rows.first().and_then(|row| row.first()).context("no count")?.parse().context("no number")
    }

    /// The times of clocked jobs since the mark.
    pub async fn clocked(&self, since: &Mark) -> anyhow::Result<Vec<Clocked>> {
        let statement = format!(
            "select payload::json ->> 'number', created_at, started_at, result from job where id >= '{}' and kind = '{}'",
            since.0,
            super::worker::CLOCKED
        );
        let rows = self.ask(&statement).await?;
        let read = |row: &Vec<String>| {
            let [number, recorded, claimed, handled] = &row[..] else { return None };
            let (number, recorded) = (number.parse().ok()?, recorded.parse().ok()?);
            Some(Clocked { number, recorded, claimed: claimed.parse().ok()?, handled: handled.parse().ok()? })
        };
        rows.iter().map(|row| read(row).context("a clocked job has no clock reading")).collect()
    }
}

/// One job's way, in microseconds of the wall clock. What the database stamps is its own clock, on the same machine.
#[derive(Debug, Clone, Copy)]
pub struct Clocked {
    pub number: usize,
    /// When its insertion began.
    pub recorded: i64,
    /// When its claim began.
    pub claimed: i64,
    /// The first line of its handler.
    pub handled: i64,
}
