//! What every test of the API stands on: the embedded parts, a router over them, keys, and a worker's hand.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use broker::EmbeddedBroker;
use coordination::InProcess;
use domain::{
    ClaimedJob, Class, EffectPolicy, Failure, JobFilter, JobId, KindInfo, KindName, Priority, QueueName, RetryPolicy, TenantId, WorkerId,
};
use producer::{Edge, Parts};
use store::{
    Access, Actor, Claim, End, Intake, Mint, NewApiKey, PageRequest, Reports, Scopes, Settlement, Store, Work, WorkerRegistration,
};
use store_sqlite::{SqliteOptions, SqliteStore};
use telemetry::Metrics;
use testkit::Scratch;
use tokio_util::sync::CancellationToken;
use vault::{ServerSecret, Vault};

use crate::request::Call;

pub const RETENTION: Duration = Duration::from_secs(24 * 3_600);
pub const EVERYTHING: Scopes = Scopes::SUBMIT.and(Scopes::READ).and(Scopes::OPERATE).and(Scopes::ADMIN);

/// Takes any payload.
pub const ANY: &str = "demo.any";
/// Takes `{"to": string, "copies"?: 1..3, "mode"?: "fast" | "safe"}` and nothing else.
pub const MAIL: &str = "mail.send";
const MAIL_SCHEMA: &str = r#"{"type":"object","required":["to"],"additionalProperties":false,"properties":{
    "to":{"type":"string","maxLength":100},"copies":{"type":"integer","minimum":1,"maximum":3},"mode":{"enum":["fast","safe"]}}}"#;

pub struct Bench {
    pub store: Arc<SqliteStore>,
    pub broker: EmbeddedBroker,
    pub coordination: Arc<InProcess>,
    pub metrics: Arc<Metrics>,
    pub router: Router,
    pub stopping: CancellationToken,
    pub mint: Arc<Mint>,
    pub worker: WorkerId,
    /// A key of the tenant `default` with every scope.
    pub key: String,
    vault: Arc<Vault>,
    _scratch: Scratch,
}

impl Bench {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// With some parts exchanged for others.
    pub async fn with(exchange: impl FnOnce(&mut Parts)) -> Self {
        let scratch = Scratch::new();
        let store = SqliteStore::open(SqliteOptions::new(scratch.join("flotilla.db"))).await.expect("opens");
        let store = Arc::new(store);
        let broker = EmbeddedBroker::default();
        let coordination = Arc::new(InProcess::default());
        let metrics = Arc::new(Metrics::new().expect("metrics"));
        let vault = Arc::new(Vault::new(ServerSecret::generate().expect("random")));
        let mint = Arc::new(Mint::default());
        let stopping = CancellationToken::new();
        let clock = Arc::clone(&store);
        let mut parts = Parts {
            intake: store.clone(),
            steering: store.clone(),
            reports: store.clone(),
            overview: store.clone(),
            access: store.clone(),
            publisher: Arc::new(broker.clone()),
            nudges: coordination.clone(),
            express: None,
            feed: coordination.clone(),
            clock: Arc::new(move || clock.now()),
            vault: vault.clone(),
            metrics: metrics.clone(),
            mint: mint.clone(),
            retention_shortest: RETENTION,
            edge: Edge::default(),
            stopping: stopping.clone(),
        };
        exchange(&mut parts);
        let worker = mint.worker(store.now());
        let router = producer::router(parts);
        let mut bench =
            Self { store, broker, coordination, metrics, router, stopping, mint, worker, key: String::new(), vault, _scratch: scratch };
        bench.store.register(&bench.registration()).await.expect("registers");
        bench.key = bench.mint_key("default", EVERYTHING).await;
        bench
    }

    fn registration(&self) -> WorkerRegistration {
        let kind = |name, queue, schema: &str| KindInfo {
            name: KindName::of(name),
            queue: QueueName::of(queue),
            schema: schema.into(),
            max_attempts: 3,
            timeout: Duration::from_secs(60),
            retry: RetryPolicy::default(),
            effects: EffectPolicy::Hold,
        };
        WorkerRegistration {
            id: self.worker,
            name: "worker-1".to_owned(),
            host: "host-1".to_owned(),
            pid: 1,
            slots: 10,
            version: "0.1.0".to_owned(),
            kinds: vec![
                kind(ANY, "demo", "true"),
                kind(MAIL, "mail", MAIL_SCHEMA),
                kind("odd.schema", "demo", r#"{"$ref":"https://x.example/s"}"#),
            ],
        }
    }

    pub async fn mint_key(&self, tenant: &'static str, scopes: Scopes) -> String {
        let id = self.mint.key(self.store.now());
        let (text, hash) = self.vault.mint_api_key(id).expect("random");
        let tenant = TenantId::of(tenant);
        let by = Actor { tenant: tenant.clone(), name: "setup".to_owned(), request_id: "setup".to_owned() };
        let key = NewApiKey { id, tenant, name: format!("key of {scopes}"), scopes, hash };
        self.store.key_create(&by, &key).await.expect("creates");
        text
    }

    /// A request under the bench's own key.
    pub fn call(&self, method: &str, path: &str) -> Call {
        Call::new(self.router.clone(), method, path).key(&self.key)
    }

    pub fn get(&self, path: &str) -> Call {
        self.call("GET", path)
    }

    pub fn post(&self, path: &str, body: &str) -> Call {
        self.call("POST", path).json(body)
    }

    /// Submits a job of the kind that takes anything.
    pub async fn submitted(&self) -> JobId {
        let answer = self.post("/v1/jobs", &format!(r#"{{"kind":"{ANY}","payload":{{}}}}"#)).send().await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        answer.json()["id"].as_str().expect("an id").parse().expect("an id")
    }

    /// How many jobs the tenant `default` has.
    pub async fn jobs(&self) -> usize {
        let page = PageRequest { filter: JobFilter::default(), after: None, limit: 200 };
        self.store.jobs(&TenantId::of("default"), &page).await.expect("lists").jobs.len()
    }

    /// Claims a job of [`ANY`], as a worker does.
    pub async fn run(&self, job: JobId) -> ClaimedJob {
        let class = Class { queue: QueueName::of("demo"), priority: Priority::Normal };
        let claim = Claim { id: self.mint.claim(self.store.now()), worker: self.worker, class, jobs: vec![job], hints: Vec::new() };
        self.store.claim(&claim).await.expect("claims").jobs.into_iter().next().expect("there to claim")
    }

    /// Runs a job to an end.
    pub async fn end(&self, job: JobId, end: End) {
        let claimed = self.run(job).await;
        let settlement = Settlement { job, run: claimed.run, end, logs: Vec::new(), output: None, progress: None };
        let settled = self.store.settle(self.worker, &[settlement]).await.expect("settles");
        assert_eq!(settled.lost, Vec::new());
    }

    pub async fn succeed(&self, job: JobId, result: &str) {
        self.end(job, End::Succeeded { result: Some(result.into()) }).await;
    }

    pub async fn kill(&self, job: JobId) {
        self.end(job, End::Dead { failure: Failure::permanent("no_such_user", "the user does not exist").with_hint("check `to`") }).await;
    }

    pub async fn cancelled(&self) -> JobId {
        let job = self.submitted().await;
        let by = Actor { tenant: TenantId::of("default"), name: "setup".to_owned(), request_id: "setup".to_owned() };
        self.store.cancel(&by, job, None).await.expect("cancels");
        job
    }
}
