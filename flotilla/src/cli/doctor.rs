//! `flotilla doctor`: checks what can be wrong with this fleet, and says how to mend it.

mod directory;

use std::path::Path;

use bootstrap::{Backends, EngineSettings, Finding, LogSettings, Seats, Verdict, admin_listen, check_servers, read_slots};
use domain::QueueName;
use flotilla_client::{Error, Health, Workers};
use serde_json::{Value, json};
use settings::{ListenAddress, Reader, Source, vars};
use webhooks_worker::WebhooksSettings;

use super::say::Format;
use super::{Outcome, say};
use crate::Credentials;

pub async fn run(source: &Source, format: Format) -> anyhow::Result<Outcome> {
    let (settings, finding) = settings(source);
    let mut findings = vec![finding];
    match settings.map(|settings| settings.backends) {
        Some(Backends::Distributed(servers)) => {
            findings.extend(check_servers(&servers).await);
            findings.extend(api_of(source).await);
        }
        Some(Backends::Embedded { .. }) | None => {
            findings.extend(directory::check(Path::new(source.get(&vars::DATA_DIR).unwrap_or(vars::DATA_DIR.default))));
            findings.extend(server(source).await);
        }
    }
    let bad = findings.iter().any(|finding| finding.verdict == Verdict::Bad);
    if format == Format::Json {
        let row = |Finding { what, verdict, detail, mend }: &Finding| json!({ "check": what, "verdict": word(*verdict), "detail": detail, "hint": mend });
        say::made(&json!({ "checks": findings.iter().map(row).collect::<Vec<Value>>() }));
    } else {
        for Finding { what, verdict, detail, mend } in &findings {
            say::line(&format!("{:<8} {what:<12} {detail}", word(*verdict)));
            mend.iter().for_each(|mend| say::line(&format!("{:<8} {:<12} hint: {mend}", "", "")));
        }
    }
    Ok(if bad { Outcome::NotWell } else { Outcome::Done })
}

const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Good => "ok",
        Verdict::Warning => "warning",
        Verdict::Bad => "bad",
        Verdict::Skipped => "skipped",
    }
}

/// Every setting of every role; without them where some cannot be used.
fn settings(source: &Source) -> (Option<EngineSettings>, Finding) {
    let mut reader = Reader::new(source);
    let engine = EngineSettings::read(&mut reader, Seats::AllRoles);
    let _ = (LogSettings::read(&mut reader), WebhooksSettings::read(&mut reader), read_slots(&mut reader), admin_listen(&mut reader, 0));
    let (_, _): (ListenAddress, Vec<QueueName>) = (reader.get(&vars::LISTEN), reader.list(&vars::QUEUES));
    match reader.finish(engine) {
        Ok(engine) => (Some(engine), Finding::new("settings", Verdict::Good, "all can be used")),
        Err(error) => {
            let finding = Finding::new("settings", Verdict::Bad, error.to_string());
            (None, finding.mend("see docs/configuration.md for every setting"))
        }
    }
}

/// The API of a fleet of several processes: looked at if it is named, or if a local `up` that runs has left its address behind.
async fn api_of(source: &Source) -> Vec<Finding> {
    let is_named = source.get(&vars::URL).is_some();
    let found = if Credentials::find(source).is_ok() { server(source).await } else { Vec::new() };
    if found.iter().all(|finding| finding.verdict == Verdict::Bad) && !is_named {
        return vec![
            Finding::new("server", Verdict::Skipped, "no API is named").mend("set FLOTILLA_URL and FLOTILLA_KEY to look at a producer"),
        ];
    }
    // The database itself was asked for workers.
    found.into_iter().filter(|finding| finding.what != "workers").collect()
}

async fn server(source: &Source) -> Vec<Finding> {
    let client = match Credentials::find(source).map_err(anyhow::Error::from).and_then(|found| Ok(found.client_once()?)) {
        Ok(client) => client,
        Err(error) => return vec![Finding::new("server", Verdict::Skipped, format!("{error:#}"))],
    };
    let mut checks = Vec::new();
    match client.health().await {
        Ok(ready) => checks.push(Finding::new("server", Verdict::Good, format!("{} is ready: {}", client.url(), dependencies(&ready)))),
        Err(error @ Error::Unreachable { .. }) => {
            let check = Finding::new("server", Verdict::Bad, format!("{} does not answer", client.url()));
            tracing::debug!(%error, "not reachable");
            return vec![check.mend("start it with `flotilla up`, or set FLOTILLA_URL and FLOTILLA_KEY")];
        }
        Err(error) => checks.push(Finding::new("server", Verdict::Bad, error.to_string())),
    }
    match client.whoami().await {
        Ok(who) => checks.push(Finding::new("key", Verdict::Good, format!("`{}` of tenant `{}`", who.key, who.tenant))),
        Err(error) => {
            checks.push(Finding::new("key", Verdict::Bad, error.to_string()).mend("restart `flotilla up`, which leaves a new key"))
        }
    }
    checks.extend(client.workers().await.ok().map(|workers| live_workers(&workers)));
    checks
}

fn live_workers(workers: &Workers) -> Finding {
    match workers.workers.iter().filter(|worker| worker.live).count() {
        0 => Finding::new("workers", Verdict::Bad, "no worker is alive: jobs wait")
            .mend("look at the server's log for `lease` and `register`"),
        live => Finding::new("workers", Verdict::Good, format!("{live} alive")),
    }
}

fn dependencies(ready: &Health) -> String {
    let each = ready.dependencies.iter().map(|dependency| format!("{} {}", dependency.name, dependency.state));
    each.collect::<Vec<_>>().join(", ")
}
