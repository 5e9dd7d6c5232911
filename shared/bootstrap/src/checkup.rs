//! What is wrong with the servers, and how is it mended? For `flotilla doctor`.

use std::time::{SystemTime, UNIX_EPOCH};

use broker_rabbitmq::{CheckError, RabbitCheck};
use coordination_redis::{RedisCoordination, RedisOptions};
use domain::{QueueName, Timestamp};
use settings::ServerUrl;
use store::{Intake as _, Ledger as _, Reports as _};
use store_postgres::{Level, PostgresOptions, PostgresStore};
use telemetry::chain;

use crate::EngineError;
use crate::backends::Servers;
use crate::distributed::{certificates, is_tls};

/// Poison messages that are looked for: one is a sign.
const POISON_SHOWN: usize = 1;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub what: &'static str,
    pub verdict: Verdict,
    pub detail: String,
    /// What to do about it.
    pub mend: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Good,
    /// Works, but somebody should know.
    Warning,
    Bad,
    /// Could not be looked at; says nothing either way.
    Skipped,
}

impl Finding {
    pub fn new(what: &'static str, verdict: Verdict, detail: impl Into<String>) -> Self {
        Self { what, verdict, detail: detail.into(), mend: None }
    }

    #[must_use]
    pub fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = Some(mend.into());
        self
    }
}

/// Looks at PostgreSQL, RabbitMQ and Redis. Changes nothing but RabbitMQ's dead-letter exchange, which is made if it is missing.
pub async fn check_servers(servers: &Servers) -> Vec<Finding> {
    let tls_ca = match servers.tls_ca.as_deref().map(certificates).transpose() {
        Ok(tls_ca) => tls_ca,
        Err(error) => return vec![Finding::new("certificates", Verdict::Bad, error.to_string())],
    };
    let ((mut findings, queues), redis) = tokio::join!(database(servers), redis(servers, tls_ca.as_deref()));
    findings.extend(rabbit(servers, tls_ca, &queues).await);
    findings.extend(redis);
    findings
}

/// What the database says, and the queues it knows.
async fn database(servers: &Servers) -> (Vec<Finding>, Vec<QueueName>) {
    let options = PostgresOptions { readers: 2, ..PostgresOptions::new(servers.database.secret().clone()) };
    let store = match PostgresStore::open(options).await {
        Ok(store) => store,
        Err(error) => {
            let finding = Finding::new("database", Verdict::Bad, format!("{}: {}", servers.database, chain(&error)));
            return (vec![finding.mend(error.hint())], Vec::new());
        }
    };
    let mut findings = examined(&store, &servers.database).await;
    findings.extend(poison(&store).await);
    findings.push(workers(&store).await);
    let queues = store.queues().await.unwrap_or_default();
    store.close().await;
    (findings, queues)
}

/// Server, schema, role, settings, partitions, clocks and the ledger.
async fn examined(store: &PostgresStore, url: &ServerUrl) -> Vec<Finding> {
    let checkup = match store.checkup(host_now()).await {
        Ok(checkup) => checkup,
        Err(error) => {
            let finding = Finding::new("database", Verdict::Bad, format!("{url}: {}", chain(&error)));
            return vec![finding.mend("look at the cause, and at the server's log")];
        }
    };
    let (ahead, apart, emissions) = (checkup.partitions_ahead, checkup.clock_offset_ms, checkup.emissions);
    let (unconfirmed, confirmed) = (emissions.unconfirmed, emissions.confirmed);
    let mut findings = vec![
        Finding::new("database", Verdict::Good, format!("{url} answers, its schema has version {}", checkup.schema_found)),
        Finding::new("partitions", Verdict::Good, format!("{ahead} ahead of time")),
        Finding::new("clock", Verdict::Good, format!("{apart} ms from this host's")),
        Finding::new("ledger", Verdict::Good, format!("{unconfirmed} emissions to be confirmed, {confirmed} at the broker")),
    ];
    findings.extend(checkup.findings().into_iter().map(|found| {
        let store_postgres::Finding { level, what, mend } = found;
        match level {
            Level::Note => Finding::new("postgresql", Verdict::Good, what),
            Level::Warning => Finding::new("postgresql", Verdict::Warning, what).mend(mend),
            Level::Error => Finding::new("postgresql", Verdict::Bad, what).mend(mend),
        }
    }));
    findings
}

/// What this host's clock shows: only to say how far it is from the database's, which is the one that counts.
fn host_now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "the host's clock is what is looked at; nothing is decided by it")]
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

async fn poison(store: &PostgresStore) -> Option<Finding> {
    let row = store.poison(POISON_SHOWN).await.ok()?.into_iter().next()?;
    let detail = format!("the broker dead-lettered a message that was no hint, last at {}", row.at);
    Some(
        Finding::new("poison", Verdict::Warning, detail).mend(
            "find out who else publishes to Flotilla's queues, and give this fleet a virtual host of its own; nothing of ours was lost",
        ),
    )
}

async fn workers(store: &PostgresStore) -> Finding {
    match store.workers().await {
        Ok(workers) => match workers.iter().filter(|worker| worker.live).count() {
            0 => Finding::new("workers", Verdict::Bad, "no worker is alive: jobs wait")
                .mend("start a worker, such as `webhooks-worker`; if one runs, its log and `/health/ready` say why it cannot register"),
            live => {
                let slots: u64 = workers.iter().filter(|worker| worker.live).map(|worker| u64::from(worker.slots)).sum();
                Finding::new("workers", Verdict::Good, format!("{live} alive, {slots} slots"))
            }
        },
        Err(error) => Finding::new("workers", Verdict::Bad, chain(&error)),
    }
}

async fn rabbit(servers: &Servers, tls_ca: Option<String>, queues: &[QueueName]) -> Vec<Finding> {
    let tls_ca = tls_ca.filter(|_| is_tls(&servers.broker));
    let checked = broker_rabbitmq::check(servers.broker.secret().expose(), tls_ca, servers.queue_type, queues).await;
    let RabbitCheck { version, forbidden, mend, takes_messages, missing_queues, different_queues } = match checked {
        Ok(checked) => checked,
        Err(error) => {
            let finding = Finding::new("broker", Verdict::Bad, format!("{}: {}", servers.broker, chain(&error)));
            return vec![finding.mend(match error {
                CheckError::Refused { advice, .. } => advice,
                CheckError::Address(_) | CheckError::Unreachable(_) => {
                    "check that RabbitMQ runs, that host and port are right, and that nothing stands between".to_owned()
                }
            })];
        }
    };
    let version = version.unwrap_or_else(|| "of an unknown version".to_owned());
    let mut findings = vec![Finding::new("broker", Verdict::Good, format!("{} is RabbitMQ {version}", servers.broker))];
    if let Some(why) = forbidden {
        findings.push(Finding::new("permissions", Verdict::Bad, why).mend(mend.unwrap_or_else(|| "look into RabbitMQ's log".to_owned())));
    }
    if takes_messages == Some(false) {
        findings.push(
            Finding::new("alarms", Verdict::Bad, "RabbitMQ takes no messages: a memory or disk alarm is on; jobs are accepted and wait")
                .mend("`rabbitmq-diagnostics alarms` names it: free disk space, or give it more memory; then it goes on by itself"),
        );
    }
    findings.push(queues_of(servers, &missing_queues, &different_queues));
    findings
}

fn queues_of(servers: &Servers, missing: &[String], different: &[String]) -> Finding {
    let wanted = servers.queue_type.as_str();
    if !different.is_empty() {
        let detail = format!("{} exist with other arguments than {wanted} queues have: {}", different.len(), different.join(", "));
        return Finding::new("queues", Verdict::Warning, detail).mend(
            "they are used as they are. To change them, set FLOTILLA_QUEUE_TYPE back, or stop the fleet, delete them (jobs are in the database and are sent again) and start it",
        );
    }
    if !missing.is_empty() {
        return Finding::new("queues", Verdict::Warning, format!("{} do not exist yet", missing.len()))
            .mend("they are made by the first process that starts");
    }
    Finding::new("queues", Verdict::Good, format!("all are there, as {wanted} queues"))
}

async fn redis(servers: &Servers, tls_ca: Option<&str>) -> Vec<Finding> {
    let Some(url) = &servers.redis else {
        return vec![
            Finding::new("redis", Verdict::Warning, "feed and nudges are embedded: other processes do not hear them")
                .mend("set FLOTILLA_REDIS_URL before more processes are started"),
        ];
    };
    let trust = tls_ca.filter(|_| is_tls(url)).map(|pem| pem.as_bytes().to_vec());
    let redis = match RedisCoordination::open(RedisOptions { trust, ..RedisOptions::new(url.secret().expose()) }) {
        Ok(redis) => redis,
        Err(why) => return vec![Finding::new("redis", Verdict::Bad, EngineError::Redis { place: url.to_string(), why }.to_string())],
    };
    match redis.ping().await {
        Ok(health) if !health.is_supported() => {
            vec![Finding::new("redis", Verdict::Bad, format!("{url} is Redis {}, which is too old", health.version)).mend("upgrade it to 6.2 or newer")]
        }
        Ok(health) => {
            let millis = health.round_trip.as_millis();
            vec![Finding::new("redis", Verdict::Good, format!("{url} is Redis {}, answers in {millis} ms", health.version))]
        }
        Err(error) => vec![Finding::new("redis", Verdict::Warning, format!("{url}: {}", chain(&error))).mend(
            "check that Redis runs and that host, port and password are right; without it, feeds and cancels are slower, and nothing is lost",
        )],
    }
}
