//! `flotilla doctor`: checks what can be wrong on this machine, and says how to mend it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use bootstrap::{EngineSettings, LogSettings};
use serde_json::{Value, json};
use settings::{ListenAddress, Reader, Source, vars};
use webhooks_worker::WebhooksSettings;

use super::{Outcome, say};
use crate::{Client, Credentials};

/// One thing that was looked at.
struct Check {
    what: &'static str,
    verdict: Verdict,
    detail: String,
    hint: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Good,
    /// Works, but somebody should know.
    Warning,
    Bad,
    /// Could not be looked at; says nothing either way.
    Skipped,
}

impl Verdict {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Warning => "warning",
            Self::Bad => "bad",
            Self::Skipped => "skipped",
        }
    }
}

impl Check {
    fn new(what: &'static str, verdict: Verdict, detail: impl Into<String>) -> Self {
        Self { what, verdict, detail: detail.into(), hint: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

pub async fn run(source: &Source, json: bool) -> anyhow::Result<Outcome> {
    let data_dir = PathBuf::from(source.get(&vars::DATA_DIR).unwrap_or(vars::DATA_DIR.default));
    let mut checks = vec![settings(source), directory(&data_dir), secrets(&data_dir), database(&data_dir)];
    checks.extend(server(source).await);
    let bad = checks.iter().any(|check| check.verdict == Verdict::Bad);
    if json {
        let row =
            |check: &Check| json!({ "check": check.what, "verdict": check.verdict.as_str(), "detail": check.detail, "hint": check.hint });
        say::json(&json!({ "checks": checks.iter().map(row).collect::<Vec<Value>>() }));
    } else {
        for Check { what, verdict, detail, hint } in &checks {
            say::line(&format!("{:<8} {what:<12} {detail}", verdict.as_str()));
            hint.iter().for_each(|hint| say::line(&format!("{:<8} {:<12} hint: {hint}", "", "")));
        }
    }
    Ok(if bad { Outcome::NotWell } else { Outcome::Done })
}

fn settings(source: &Source) -> Check {
    let mut reader = Reader::new(source);
    let _ = (EngineSettings::read(&mut reader), LogSettings::read(&mut reader), WebhooksSettings::read(&mut reader));
    let _: ListenAddress = reader.get(&vars::LISTEN);
    match reader.finish(()) {
        Ok(()) => Check::new("settings", Verdict::Good, "all can be used"),
        Err(error) => Check::new("settings", Verdict::Bad, error.to_string()).hint("see docs/configuration.md for every setting"),
    }
}

fn directory(data_dir: &Path) -> Check {
    let shown = data_dir.display();
    match std::fs::metadata(data_dir) {
        Err(_) => Check::new("directory", Verdict::Skipped, format!("`{shown}` does not exist yet")).hint("`flotilla up` makes it"),
        Ok(meta) if !meta.is_dir() => {
            Check::new("directory", Verdict::Bad, format!("`{shown}` is not a directory")).hint("move it away, or set FLOTILLA_DATA_DIR")
        }
        Ok(meta) if meta.permissions().mode() & 0o077 != 0 => {
            Check::new("directory", Verdict::Warning, format!("others may look into `{shown}`")).hint(format!("chmod 700 {shown}"))
        }
        Ok(_) => Check::new("directory", Verdict::Good, format!("`{shown}` is there, for its owner alone")),
    }
}

fn secrets(data_dir: &Path) -> Check {
    let open = ["secret.key", "cli.json", "flotilla.db"].into_iter().find(|name| {
        let meta = std::fs::metadata(data_dir.join(name));
        meta.is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0)
    });
    match open {
        Some(name) => {
            let path = data_dir.join(name);
            Check::new("secrets", Verdict::Bad, format!("others may read `{}`", path.display()))
                .hint(format!("chmod 600 {}", path.display()))
        }
        None if !data_dir.exists() => Check::new("secrets", Verdict::Skipped, "there are none yet"),
        None => Check::new("secrets", Verdict::Good, "for their owner alone"),
    }
}

/// A log much larger than this means that something keeps SQLite from folding it into the database.
const WAL_LARGE_BYTES: u64 = 256 * 1024 * 1024;

/// What can be seen from outside: the file belongs to the process that runs, if one does.
fn database(data_dir: &Path) -> Check {
    let path = data_dir.join("flotilla.db");
    let Ok(mut file) = std::fs::File::open(&path) else {
        return Check::new("database", Verdict::Skipped, format!("`{}` does not exist yet or cannot be read", path.display()));
    };
    let mut head = [0; 16];
    let is_sqlite = std::io::Read::read_exact(&mut file, &mut head).is_ok() && &head == b"SQLite format 3\0";
    let bytes = |path: &Path| std::fs::metadata(path).map_or(0, |meta| meta.len());
    let (size, wal) = (bytes(&path), bytes(&data_dir.join("flotilla.db-wal")));
    let mib = |bytes: u64| bytes.div_ceil(1024 * 1024);
    if size > 0 && !is_sqlite {
        let check = Check::new("database", Verdict::Bad, format!("`{}` is no database", path.display()));
        return check.hint("restore a backup, or move the file away to start with an empty one");
    }
    let detail = format!("{} MiB, and {} MiB not folded in yet", mib(size), mib(wal));
    if wal > WAL_LARGE_BYTES {
        return Check::new("database", Verdict::Warning, detail)
            .hint("restart the process; if that does not help, look for another program that reads the file");
    }
    Check::new("database", Verdict::Good, detail)
}

async fn server(source: &Source) -> Vec<Check> {
    let client = match Credentials::find(source).map_err(anyhow::Error::from).and_then(|found| Ok(Client::new(found)?)) {
        Ok(client) => client,
        Err(error) => return vec![Check::new("server", Verdict::Skipped, format!("{error:#}"))],
    };
    let mut checks = Vec::new();
    match client.get("/health/ready", &[]).await {
        Ok(ready) => checks.push(Check::new("server", Verdict::Good, format!("{} is ready: {}", client.url(), dependencies(&ready.body)))),
        Err(error @ crate::ClientError::Unreachable { .. }) => {
            let check = Check::new("server", Verdict::Bad, format!("{} does not answer", client.url()));
            tracing::debug!(%error, "not reachable");
            return vec![check.hint("start it with `flotilla up`, or set FLOTILLA_URL and FLOTILLA_KEY")];
        }
        Err(error) => checks.push(Check::new("server", Verdict::Bad, error.to_string())),
    }
    match client.get("/v1/whoami", &[]).await {
        Ok(who) => checks.push(Check::new(
            "key",
            Verdict::Good,
            format!("`{}` of tenant `{}`", say::field(&who.body, "key"), say::field(&who.body, "tenant")),
        )),
        Err(error) => checks.push(Check::new("key", Verdict::Bad, error.to_string()).hint("restart `flotilla up`, which leaves a new key")),
    }
    checks.extend(client.get("/v1/workers", &[]).await.ok().map(|workers| live_workers(&workers.body)));
    checks
}

fn live_workers(workers: &Value) -> Check {
    let all = workers["workers"].as_array().map(Vec::as_slice).unwrap_or_default();
    match all.iter().filter(|worker| worker["live"] == true).count() {
        0 => {
            Check::new("workers", Verdict::Bad, "no worker is alive: jobs wait").hint("look at the server's log for `lease` and `register`")
        }
        live => Check::new("workers", Verdict::Good, format!("{live} alive")),
    }
}

fn dependencies(ready: &Value) -> String {
    let all = ready["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
    let each = all.iter().map(|dependency| format!("{} {}", say::field(dependency, "name"), say::field(dependency, "state")));
    each.collect::<Vec<_>>().join(", ")
}
