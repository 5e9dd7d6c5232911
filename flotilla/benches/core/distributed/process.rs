//! A role as a process of its own: started with settings, waited for until it is ready, asked to stop, and never left behind.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tokio::process::{Child, Command};
use tokio::time::{Instant, interval, timeout};

use super::http::{self, Connection};
use crate::report;

const READY_WITHIN: Duration = Duration::from_secs(60);
const STOPS_WITHIN: Duration = Duration::from_secs(60);

/// A role that runs. Dropped, it is killed.
pub struct Process {
    name: &'static str,
    child: Child,
    pub pid: u32,
    /// Of its health and metrics; the producer's is the API's.
    pub port: u16,
}

impl Process {
    /// Starts a program; returns when it says that it is ready.
    pub async fn start(name: &'static str, mut command: Command, port: u16) -> anyhow::Result<Self> {
        let log = report::directory("logs")?.join(format!("{name}-{port}.log"));
        let output = File::create(&log).with_context(|| format!("could not write `{}`", log.display()))?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).kill_on_drop(true);
        let child = command.spawn().with_context(|| format!("could not start {name}"))?;
        let pid = child.id().context("it ended at once")?;
        let mut process = Self { name, child, pid, port };
        process.ready(&log).await?;
        Ok(process)
    }

    async fn ready(&mut self, log: &Path) -> anyhow::Result<()> {
        let deadline = Instant::now() + READY_WITHIN;
        let mut looks = interval(Duration::from_millis(50));
        loop {
            looks.tick().await;
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended ({status}); `{}` says why", self.name, log.display());
            }
            let looked = async { Connection::open(self.port).await?.call(&http::get("/health/ready")).await };
            if looked.await.is_ok_and(|answer| answer.status == 200) {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "{} was not ready in time; `{}` says why", self.name, log.display());
        }
    }

    /// The sum of a counter's values over all its labels.
    pub async fn counter(&self, name: &str) -> anyhow::Result<f64> {
        let answer = Connection::open(self.port).await?.call(&http::get("/metrics")).await?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let values = text.lines().filter_map(|line| line.strip_prefix(name)?.starts_with(['{', ' ']).then(|| line.rsplit_once(' '))?);
        Ok(values.filter_map(|(_, value)| value.parse::<f64>().ok()).sum())
    }

    /// Asks it to drain, and waits for its end.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let mut kill = Command::new("sh");
        kill.args(["-c", "kill -s TERM \"$1\"", "kill", &self.pid.to_string()]).stdin(Stdio::null());
        kill.status().await.context("could not run sh")?;
        let status = timeout(STOPS_WITHIN, self.child.wait()).await.with_context(|| format!("{} did not end in time", self.name))??;
        ensure!(status.success(), "{} did not end cleanly ({status})", self.name);
        Ok(())
    }
}
