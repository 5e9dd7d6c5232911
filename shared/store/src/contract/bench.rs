//! How does a case move jobs along in one line? A store with a mint, and the short ways through the port.

use std::sync::Arc;
use std::time::Duration;

use domain::bounds::LEASE_FOR;
use domain::{
    Act, ClaimId, ClaimedJob, Class, Job, JobFilter, JobId, JobState, KindName, NewJob, NewOperation, Operation, OperationId, Priority,
    Target, TenantId, Timestamp, WorkerId,
};

use super::Fixture;
use super::sample::{LEASE_OVER, PLENTY, SLACK, class, kind, kind_info, operator, other_kind, other_queue, queue, tenant, trace};
use crate::{
    Acceptance, ActError, AuditPage, AuditRow, Claim, End, Enqueued, Mint, PageRequest, Promoted, Renewal, Renewed, Rescued, Settled,
    Settlement, Step, Store, WorkError, WorkerRegistration,
};

/// A store and a source of ids.
pub struct Bench {
    pub store: Arc<dyn Store>,
    pub mint: Mint,
}

impl Bench {
    /// The fixture's store with the queues of the samples declared.
    pub async fn new(f: &dyn Fixture) -> Self {
        let store = f.store();
        store.declare_queues(&[queue(), other_queue()]).await.expect("declares queues");
        Self { store, mint: Mint::default() }
    }

    /// Looks at the store as it is after a restart.
    pub fn reopen(&mut self, f: &dyn Fixture) {
        self.store = f.store();
    }

    pub fn now(&self) -> Timestamp {
        self.store.now()
    }

    // === taking in ===

    /// A submission due now, with nothing special about it.
    pub fn job(&self) -> NewJob {
        NewJob {
            id: self.mint.job(self.now()),
            tenant: tenant(),
            kind: kind(),
            queue: queue(),
            priority: Priority::Normal,
            payload: Arc::from(r#"{"to":"a@example.com"}"#),
            run_at: None,
            start_before: None,
            max_attempts: 3,
            timeout: Duration::from_secs(60),
            tags: Vec::new(),
            group: None,
            callback_url: None,
            unique: None,
            idempotency: None,
            trace: trace(),
        }
    }

    pub async fn enqueue(&self, jobs: Vec<NewJob>) -> Enqueued {
        self.store.enqueue(jobs).await.expect("enqueues")
    }

    /// Takes in one job as a new one.
    pub async fn put(&self, job: NewJob) -> JobId {
        let id = job.id;
        let accepted = self.enqueue(vec![job]).await.accepted;
        assert_eq!(accepted.len(), 1, "one submission, one answer");
        assert_eq!((accepted[0].job, accepted[0].how), (id, Acceptance::New));
        id
    }

    pub async fn queued(&self) -> JobId {
        self.put(self.job()).await
    }

    pub async fn queued_many(&self, count: usize) -> Vec<JobId> {
        let jobs: Vec<NewJob> = (0..count).map(|_| self.job()).collect();
        let ids = jobs.iter().map(|job| job.id).collect();
        self.enqueue(jobs).await;
        ids
    }

    pub async fn waiting_until(&self, at: Timestamp) -> JobId {
        self.put(NewJob { run_at: Some(at), ..self.job() }).await
    }

    // === working ===

    pub fn registration(&self, kinds: &[KindName]) -> WorkerRegistration {
        let queue_of = |name: &KindName| if *name == other_kind() { other_queue() } else { queue() };
        WorkerRegistration {
            id: self.mint.worker(self.now()),
            name: "worker-1".to_owned(),
            host: "host-1".to_owned(),
            pid: 4_242,
            slots: 10,
            version: "0.1.0".to_owned(),
            kinds: kinds.iter().map(|name| kind_info(name.clone(), queue_of(name))).collect(),
        }
    }

    /// A worker with a fresh lease that knows these kinds.
    pub async fn worker_for(&self, kinds: &[KindName]) -> WorkerId {
        let registration = self.registration(kinds);
        self.store.register(&registration).await.expect("registers");
        registration.id
    }

    pub async fn worker(&self) -> WorkerId {
        self.worker_for(&[kind()]).await
    }

    pub fn claim_of(&self, worker: WorkerId, jobs: &[JobId]) -> Claim {
        self.claim_in(&class(), worker, jobs)
    }

    pub fn claim_in(&self, class: &Class, worker: WorkerId, jobs: &[JobId]) -> Claim {
        Claim { id: self.mint.claim(self.now()), worker, class: class.clone(), jobs: jobs.to_vec(), hints: Vec::new() }
    }

    pub async fn claim(&self, worker: WorkerId, jobs: &[JobId]) -> Vec<ClaimedJob> {
        self.store.claim(&self.claim_of(worker, jobs)).await.expect("claims").jobs
    }

    /// Claims one job of the samples' class, which must be there to take.
    pub async fn take(&self, worker: WorkerId, job: JobId) -> ClaimedJob {
        let mut claimed = self.claim(worker, &[job]).await;
        assert_eq!(claimed.len(), 1, "{job} must be there to claim");
        claimed.remove(0)
    }

    /// A fresh job, running under a fresh worker.
    pub async fn running(&self) -> (WorkerId, ClaimedJob) {
        self.running_of(self.job()).await
    }

    pub async fn running_of(&self, job: NewJob) -> (WorkerId, ClaimedJob) {
        let id = self.put(job).await;
        let worker = self.worker().await;
        (worker, self.take(worker, id).await)
    }

    pub async fn renew(&self, worker: WorkerId, held: &[ClaimId]) -> Result<Renewed, WorkError> {
        // Everything so far lies before it, also what happened in this very microsecond.
        let as_of = self.now() + Duration::from_micros(1);
        self.store.renew(&Renewal { worker, as_of, held: held.to_vec(), progress: Vec::new(), marks: Vec::new(), ended: Vec::new() }).await
    }

    pub async fn settle(&self, worker: WorkerId, claimed: &ClaimedJob, end: End) -> Settled {
        self.store.settle(worker, &[settlement(claimed, end)]).await.expect("settles")
    }

    /// Settles what must still be this worker's.
    pub async fn end(&self, worker: WorkerId, claimed: &ClaimedJob, end: End) -> Settled {
        let settled = self.settle(worker, claimed, end).await;
        assert_eq!(settled.lost, [], "{} must still be this worker's", claimed.id);
        settled
    }

    // === duties ===

    pub async fn promote(&self) -> Promoted {
        self.store.promote(PLENTY).await.expect("promotes")
    }

    pub async fn rescue(&self) -> Rescued {
        self.store.rescue(PLENTY).await.expect("rescues")
    }

    pub async fn release(&self) -> Vec<JobId> {
        let released = self.store.release(PLENTY).await.expect("releases");
        let ids = super::sample::listed(&released.emissions);
        assert_eq!(ids.len(), released.released, "every released job is listed");
        ids
    }

    /// Lets the time pass until the waiting job is due, and promotes it.
    pub async fn let_it_fall_due(&self, f: &dyn Fixture, id: JobId) {
        let due = self.read(id).await.run_at;
        f.advance(due.since(self.now()) + SLACK);
        self.promote().await;
        assert_eq!(self.state(id).await, JobState::Queued, "{id} was due at {due}");
    }

    /// Claims the queued job under a fresh worker, and lets that worker die and be rescued from.
    pub async fn crash(&self, f: &dyn Fixture, id: JobId) -> Rescued {
        let worker = self.worker().await;
        self.take(worker, id).await;
        f.advance(LEASE_OVER);
        self.rescue().await
    }

    /// Lets one worker that runs all of these jobs die again and again, until they have.
    pub async fn crash_all(&self, f: &dyn Fixture, ids: &[JobId]) -> usize {
        let mut dead = 0;
        for _ in 0..domain::bounds::CRASHES_MAX {
            let worker = self.worker().await;
            self.claim(worker, ids).await;
            f.advance(LEASE_OVER);
            dead += self.rescue().await.dead;
            f.advance(Duration::from_secs(10));
            self.promote().await;
        }
        dead
    }

    /// Lets `span` pass in steps no longer than a renewal's, keeping the worker alive and its claims held.
    pub async fn keep_alive(&self, f: &dyn Fixture, worker: WorkerId, held: &[ClaimId], span: Duration) {
        let step = LEASE_FOR - Duration::from_secs(2);
        let mut left = span;
        while !left.is_zero() {
            f.advance(step.min(left));
            left = left.saturating_sub(step);
            self.renew(worker, held).await.expect("the lease is live");
        }
    }

    // === reading and acting ===

    pub async fn find(&self, id: JobId) -> Option<Job> {
        self.store.job(&tenant(), id).await.expect("reads")
    }

    pub async fn read(&self, id: JobId) -> Job {
        self.find(id).await.expect("the job exists")
    }

    pub async fn state(&self, id: JobId) -> JobState {
        self.read(id).await.state
    }

    /// All jobs of the samples' tenant that pass the filter (at most a page).
    pub async fn jobs(&self, filter: JobFilter) -> Vec<Job> {
        let page = PageRequest { filter, after: None, limit: domain::bounds::PAGE_ROWS_MAX };
        self.store.jobs(&tenant(), &page).await.expect("lists").jobs
    }

    pub async fn cancel(&self, id: JobId) -> Result<crate::Replay, ActError> {
        self.store.cancel(&operator(), id, Some("not needed")).await
    }

    /// The tenant's latest audit rows (at most a page), newest first.
    pub async fn audit(&self, tenant: &TenantId) -> Vec<AuditRow> {
        let page = AuditPage { limit: domain::bounds::PAGE_ROWS_MAX, ..AuditPage::default() };
        self.store.audit(tenant, &page).await.expect("reads").rows
    }

    // === operations ===

    pub fn operation(&self, act: Act, target: Target) -> NewOperation {
        let id = self.mint.operation(self.now());
        NewOperation { id, act, target, reason: "spring cleaning".to_owned(), canary: None }
    }

    pub async fn begin(&self, new: &NewOperation) -> OperationId {
        self.store.operation_begin(&operator(), new).await.expect("begins").id
    }

    pub async fn read_operation(&self, id: OperationId) -> Operation {
        self.store.operation(&tenant(), id).await.expect("reads").expect("it was begun")
    }

    pub async fn step(&self, limit: usize) -> Option<Step> {
        self.store.operation_step(limit).await.expect("steps")
    }

    /// Steps of at most `limit` jobs until nothing is to be done now.
    pub async fn steps(&self, limit: usize) -> Vec<Step> {
        let mut steps = Vec::new();
        while let Some(step) = self.step(limit).await {
            steps.push(step);
            assert!(steps.len() < 1_000, "it never ends");
        }
        steps
    }

    /// Begins an operation, carries it out, and returns it as it is then.
    pub async fn carry_out(&self, act: Act, target: Target) -> Operation {
        let id = self.begin(&self.operation(act, target)).await;
        self.steps(PLENTY).await;
        self.read_operation(id).await
    }

    /// Replays what must be replayable.
    pub async fn replay(&self, id: JobId) -> Job {
        self.store.retry(&operator(), id, None).await.expect("replays").job
    }
}

/// The plain end of what was claimed: no logs, no output.
pub fn settlement(claimed: &ClaimedJob, end: End) -> Settlement {
    Settlement { job: claimed.id, run: claimed.run, end, logs: Vec::new(), output: None, progress: None }
}
