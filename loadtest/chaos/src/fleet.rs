//! A fleet of processes on real servers: a database and a virtual host of its own, a first key, and roles that share settings.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use flotilla_client::Client;
use serde_json::{Value, json};
use testkit::servers::Database;
use testkit::{ChildGuard, Scratch, eventually};

use crate::client::{client, text};
use crate::process::Process;
use crate::servers::Servers;

/// A fact that is a moment away, on a busy machine.
pub const SOON: Duration = Duration::from_secs(30);

/// Where a fleet's servers are.
#[derive(Clone)]
pub struct Urls {
    pub database: String,
    pub broker: String,
    pub redis: String,
}

impl Urls {
    pub fn of(servers: &Servers) -> Self {
        Self { database: servers.database.url(), broker: servers.vhost.url(), redis: servers.redis.url() }
    }
}

pub struct Fleet {
    directory: Scratch,
    settings: Vec<(&'static str, String)>,
    key: String,
    started: AtomicU32,
}

impl Fleet {
    /// Brings the schema up to date and makes the first key, as an operator does.
    pub fn found(urls: &Urls) -> Self {
        let settings = vec![
            ("FLOTILLA_DATABASE_URL", urls.database.clone()),
            ("FLOTILLA_BROKER_URL", urls.broker.clone()),
            ("FLOTILLA_REDIS_URL", urls.redis.clone()),
            ("FLOTILLA_QUEUE_TYPE", testkit::servers::queue_type()),
            ("FLOTILLA_SECRET_KEY", "0123456789abcdef".repeat(4)),
            ("FLOTILLA_LISTEN", "127.0.0.1:0".to_owned()),
            ("FLOTILLA_ADMIN_LISTEN", "127.0.0.1:0".to_owned()),
            ("FLOTILLA_WEBHOOKS_ALLOW", "127.0.0.1".to_owned()),
        ];
        let mut fleet = Self { directory: Scratch::new(), settings, key: String::new(), started: AtomicU32::new(0) };
        fleet.run(&["migrate"]);
        fleet.key = fleet.run(&["keys", "create", "test", "--direct", "--scopes", "admin"]).trim().to_owned();
        fleet
    }

    /// What a command of `flotilla` prints.
    fn run(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(testkit::program("flotilla"));
        command.env_clear().current_dir(self.path()).envs(self.settings.iter().map(|(name, value)| (name, value))).args(arguments);
        let output = command.output().expect("the program starts");
        assert!(output.status.success(), "`flotilla {}`: {}", arguments.join(" "), text(&output.stderr));
        text(&output.stdout)
    }

    /// What `flotilla doctor` says, and whether it finds everything well; with settings of its own over those of the fleet.
    pub fn doctor(&self, own: &[(&'static str, String)]) -> (bool, String) {
        let mut command = Command::new(testkit::program("flotilla"));
        let settings = self.settings.iter().chain(own).map(|(name, value)| (name, value));
        let output = command.env_clear().current_dir(self.path()).envs(settings).arg("doctor").output().expect("the program starts");
        (output.status.success(), text(&output.stdout) + &text(&output.stderr))
    }

    /// What a role says that will not start.
    ///
    /// # Panics
    /// When it does.
    pub async fn refusal(&self, role: &str) -> String {
        let log = self.path().join(format!("refused-{role}.log"));
        let file = std::fs::File::create(&log).expect("a log can be written");
        let mut command = Command::new(testkit::program(role));
        command.env_clear().current_dir(self.path()).envs(self.settings.iter().map(|(name, value)| (name, value)));
        let mut process = ChildGuard::spawn(command.stdout(Stdio::null()).stderr(file));
        let (status, said) = (process.end(SOON).await, std::fs::read_to_string(&log).unwrap_or_default());
        assert_eq!(status.code(), Some(1), "{said}");
        said
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Starts a role, with settings of its own over those of the fleet.
    pub async fn start(&self, role: &str, own: &[(&'static str, String)]) -> Process {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let mut settings = self.settings.clone();
        settings.extend_from_slice(own);
        Process::start(role, &settings, self.path().join(format!("{number}-{role}.log"))).await
    }

    /// The same where it may end at once, because a server is away.
    ///
    /// # Errors
    /// With what it said, when it has ended.
    pub async fn try_start(&self, role: &str, own: &[(&'static str, String)]) -> Result<Process, String> {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let mut settings = self.settings.clone();
        settings.extend_from_slice(own);
        Process::try_start(role, &settings, self.path().join(format!("{number}-{role}.log"))).await
    }

    pub async fn producer(&self) -> Process {
        let producer = self.start("producer", &[]).await;
        producer.ready().await;
        producer
    }

    pub async fn scheduler(&self) -> Process {
        self.start("scheduler", &[]).await
    }

    /// One that has registered, and its kinds with it.
    pub async fn worker(&self, slots: u32) -> Process {
        let worker = self.start("webhooks-worker", &[("FLOTILLA_WORKER_SLOTS", slots.to_string())]).await;
        worker.ready().await;
        worker
    }

    pub fn key(&self) -> &str {
        &self.key
    }

    pub fn client(&self, producer: &Process) -> Client {
        client(&producer.url(), &self.key)
    }
}

/// The secret that signs what names no endpoint.
pub async fn default_secret(client: &Client) -> String {
    let made = client.post("/v1/webhook_endpoints", &json!({ "name": "default" })).await.expect("made").body;
    made["secret"].as_str().expect("shown once").to_owned()
}

/// The body of a batch of deliveries to `url`.
pub fn batch(url: &str, number: usize, jobs: usize) -> String {
    let job = |item: usize| json!({ "kind": "webhooks.deliver", "payload": { "url": url, "data": { "batch": number, "item": item } } });
    json!({ "jobs": (0..jobs).map(job).collect::<Vec<_>>() }).to_string()
}

/// The ids of a batch's answer.
pub fn ids(answer: &Value) -> Vec<String> {
    answer["jobs"].as_array().expect("a list").iter().map(|job| job["id"].as_str().expect("an id").to_owned()).collect()
}

/// The id under which the store knows a worker process.
pub async fn worker_id(database: &Database, worker: &Process) -> String {
    let question = format!("select id from worker where pid = {} and state = 0", worker.pid());
    eventually("the worker is known to the store", SOON, async || database.ask(&question).await.first().map(|row| row[0].clone())).await
}

/// Jobs that the store knows to run on this worker.
pub async fn running_on(database: &Database, worker: &str) -> BTreeSet<String> {
    let rows = database.ask(&format!("select id from job where worker_id = '{worker}' and state = 2")).await;
    rows.into_iter().map(|mut row| row.remove(0)).collect()
}
