//! Do the promises hold together? A seeded random walk of everything workers, operators and duties do,
//! checked after each step, and drained at the end.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::{ClaimedJob, Event, Job, JobId, JobState, NewJob, Run, WaitingFor, WorkerId};

use super::Fixture;
use super::bench::Bench;
use super::sample::{LEASE_OVER, PLENTY, SECOND, a_death, a_failure, a_success, class, no_worker, operator, tenant};
use crate::{ActError, End, Until, WorkError};

const JOBS: usize = 20;
const WORKERS: usize = 3;
const STEPS: usize = 300;

/// A walk by the first seed keeps every promise. // I2, I3
pub async fn a_first_random_walk_keeps_every_promise(f: &mut dyn Fixture) {
    walk(f, 1).await;
}

/// A walk by the second seed keeps every promise. // I2, I3
pub async fn a_second_random_walk_keeps_every_promise(f: &mut dyn Fixture) {
    walk(f, 0x5eed).await;
}

/// A walk by the third seed keeps every promise. // I2, I3
pub async fn a_third_random_walk_keeps_every_promise(f: &mut dyn Fixture) {
    walk(f, 0x0dd_ba11).await;
}

async fn walk(f: &mut dyn Fixture, seed: u64) {
    let mut walker = Walker::new(f, seed).await;
    for step in 0..STEPS {
        let did = walker.step(f).await;
        walker.look(&format!("seed {seed}, step {step}: {did}")).await;
    }
    walker.drain(f).await;
}

/// Knuth's linear congruential generator: the same walk on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % bound
    }
}

/// What is known of a job from the last look.
struct Known {
    state: JobState,
    run: Run,
    job: Job,
    /// Times it was seen to end, and to be replayed.
    ends: u32,
    replays: u32,
}

struct Walker {
    bench: Bench,
    dice: Dice,
    workers: Vec<(WorkerId, Vec<ClaimedJob>)>,
    jobs: Vec<JobId>,
    known: BTreeMap<JobId, Known>,
    /// The job an operator replayed in this step.
    replayed: Option<JobId>,
    /// Settlements that were accepted or lost once, to be sent again.
    stale: Vec<(WorkerId, ClaimedJob)>,
}

impl Walker {
    async fn new(f: &dyn Fixture, seed: u64) -> Self {
        let bench = Bench::new(f).await;
        let mut workers = Vec::new();
        for _ in 0..WORKERS {
            workers.push((bench.worker().await, Vec::new()));
        }
        let (jobs, known, stale) = (Vec::new(), BTreeMap::new(), Vec::new());
        Self { bench, dice: Dice(seed), workers, jobs, known, replayed: None, stale }
    }

    async fn step(&mut self, f: &mut dyn Fixture) -> &'static str {
        self.replayed = None;
        match self.dice.below(100) {
            0..10 => self.submit().await,
            10..32 => self.claim().await,
            32..54 => self.settle().await,
            54..60 => self.settle_again().await,
            60..68 => self.renew().await,
            68..76 => self.pass_time(f),
            76..82 => self.promote().await,
            82..86 => self.rescue().await,
            86..90 => self.cancel().await,
            90..93 => self.replay().await,
            93..95 => self.park().await,
            95..97 => self.steer().await,
            97..99 => self.release().await,
            _ => self.restart(f).await,
        }
    }

    // === steps ===

    async fn submit(&mut self) -> &'static str {
        if self.jobs.len() < JOBS {
            let now = self.bench.now();
            let run_at = (self.dice.below(3) == 0).then(|| now + Duration::from_secs(10));
            let start_before = (self.dice.below(4) == 0).then(|| now + Duration::from_secs(25));
            let max_attempts = if self.dice.below(4) == 0 { 1 } else { 4 };
            let job = NewJob { run_at, start_before, max_attempts, ..self.bench.job() };
            self.jobs.push(self.bench.put(job).await);
        }
        "submit"
    }

    async fn claim(&mut self) -> &'static str {
        let n = self.dice.below(WORKERS);
        let mut asked = vec![self.bench.mint.job(self.bench.now())];
        for id in self.jobs.clone() {
            if self.dice.below(3) == 0 {
                asked.push(id);
            }
        }
        let claim = self.bench.claim_of(self.workers[n].0, &asked);
        let drop_reply = self.dice.below(8) == 0;
        match self.bench.store.claim(&claim).await {
            Ok(_) if drop_reply => return "claim whose reply is lost",
            Ok(claimed) => self.workers[n].1.extend(claimed.jobs),
            Err(WorkError::Fenced) => self.start_over(n).await,
            Err(error) => panic!("{error}"),
        }
        "claim"
    }

    async fn settle(&mut self) -> &'static str {
        let n = self.dice.below(WORKERS);
        if self.workers[n].1.is_empty() {
            return "settle nothing";
        }
        let at = self.dice.below(self.workers[n].1.len());
        let claimed = self.workers[n].1.swap_remove(at);
        let worker = self.workers[n].0;
        let end = self.an_end(claimed.attempt >= claimed.max_attempts);
        self.bench.settle(worker, &claimed, end).await;
        self.stale.push((worker, claimed));
        "settle"
    }

    /// Old settlements come again, with any end: nothing may come of it.
    async fn settle_again(&mut self) -> &'static str {
        if let Some(at) = self.stale.len().checked_sub(1).map(|last| self.dice.below(last + 1)) {
            let end = self.an_end(false);
            let (worker, claimed) = &self.stale[at];
            let before = self.bench.read(claimed.id).await;
            self.bench.settle(*worker, claimed, end).await;
            assert_eq!(self.bench.read(claimed.id).await, before, "a settlement of run {} came twice", claimed.run);
        }
        "settle again"
    }

    fn an_end(&mut self, last: bool) -> End {
        let at = self.bench.now() + SECOND * u32::try_from(self.dice.below(20)).expect("small");
        match self.dice.below(8) {
            0 | 1 => a_success(),
            2 => a_death(),
            3 => End::Cancelled,
            4 => End::Deferred { until: Until::Time { at, reason: WaitingFor::RateLimit }, failure: None },
            5 => End::Deferred { until: no_worker(), failure: Some(a_failure()) },
            _ if last => a_death(),
            _ => End::Retry { at, failure: a_failure() },
        }
    }

    async fn renew(&mut self) -> &'static str {
        let n = self.dice.below(WORKERS);
        let forget = self.dice.below(5) == 0;
        if forget {
            self.workers[n].1.clear();
        }
        let (worker, held) = &self.workers[n];
        let held: Vec<_> = held.iter().map(|job| job.claim).collect();
        match self.bench.renew(*worker, &held).await {
            Ok(_) => {}
            Err(WorkError::Fenced) => self.start_over(n).await,
            Err(error) => panic!("{error}"),
        }
        "renew"
    }

    /// A fenced worker aborts everything and goes on under a new id; late settlements may still come.
    async fn start_over(&mut self, n: usize) {
        let fresh = self.bench.worker().await;
        let (old, held) = std::mem::replace(&mut self.workers[n], (fresh, Vec::new()));
        if self.dice.below(2) == 0 {
            for claimed in held {
                self.bench.settle(old, &claimed, a_success()).await;
                self.look("a fenced worker's buffered settlement").await;
            }
        }
    }

    fn pass_time(&mut self, f: &dyn Fixture) -> &'static str {
        let long = self.dice.below(6) == 0;
        f.advance(if long { LEASE_OVER } else { SECOND * 4 });
        "time passes"
    }

    async fn promote(&mut self) -> &'static str {
        let limit = 1 + self.dice.below(6);
        let pass = self.bench.store.promote(limit).await.expect("promotes");
        assert!(pass.promoted + pass.expired + pass.noise <= limit, "{pass:?} of {limit}");
        "promote"
    }

    async fn rescue(&mut self) -> &'static str {
        let limit = 1 + self.dice.below(6);
        let pass = self.bench.store.rescue(limit).await.expect("rescues");
        assert!(pass.retried + pass.dead + pass.cancelled <= limit, "{pass:?} of {limit}");
        "rescue"
    }

    async fn cancel(&mut self) -> &'static str {
        if let Some(id) = self.any_job() {
            match self.bench.cancel(id).await {
                Ok(said) => assert!(said.job.state == JobState::Cancelled || said.job.cancel_requested),
                Err(ActError::Illegal(state)) => assert!(state.is_terminal()),
                Err(error) => panic!("{error}"),
            }
        }
        "cancel"
    }

    async fn replay(&mut self) -> &'static str {
        let Some(id) = self.any_job() else { return "replay nothing" };
        let edited = (self.dice.below(2) == 0).then(|| "{\"edited\":true}".into());
        match self.bench.store.retry(&operator(), id, edited).await {
            Ok(_) => self.replayed = Some(id),
            Err(ActError::Illegal(state)) => assert!(!JobState::REPLAYABLE.contains(&state), "{state}"),
            Err(error) => panic!("{error}"),
        }
        "replay"
    }

    async fn steer(&mut self) -> &'static str {
        let Some(id) = self.any_job() else { return "steer nothing" };
        let at = self.bench.now() + SECOND * u32::try_from(self.dice.below(10)).expect("small");
        let act = if self.dice.below(2) == 0 {
            self.bench.store.run_now(&operator(), id, None).await
        } else {
            self.bench.store.reschedule(&operator(), id, at, None).await
        };
        match act {
            Ok(said) => assert!(matches!(said.job.state, JobState::Queued | JobState::Waiting), "{:?}", said.job),
            Err(ActError::Illegal(state)) => assert_ne!(state, JobState::Queued),
            Err(error) => panic!("{error}"),
        }
        "steer"
    }

    async fn park(&mut self) -> &'static str {
        let at = self.bench.now() + SECOND * 5;
        let until = if self.dice.below(2) == 0 { no_worker() } else { Until::Time { at, reason: WaitingFor::Paused } };
        let jobs: Vec<JobId> = self.any_job().into_iter().chain(self.any_job()).collect();
        self.bench.store.park(&class(), &jobs, &until).await.expect("parks");
        "park"
    }

    async fn release(&mut self) -> &'static str {
        self.bench.release().await;
        "release"
    }

    async fn restart(&mut self, f: &mut dyn Fixture) -> &'static str {
        f.restart().await;
        self.bench.reopen(f);
        "restart"
    }

    fn any_job(&mut self) -> Option<JobId> {
        let count = self.jobs.len();
        (count > 0).then(|| self.jobs[self.dice.below(count)])
    }

    // === checks ===

    /// Reads everything and holds it against what was known before.
    async fn look(&mut self, at: &str) {
        let jobs = self.bench.store.jobs_by_id(&tenant(), &self.jobs).await.expect("reads");
        assert_eq!(jobs.len(), self.jobs.len(), "{at}: a job is gone");
        let count = |state| jobs.iter().filter(|job| job.state == state).count() as u64;
        let depths = self.bench.store.depths().await.expect("counts");
        assert_eq!(depths.iter().map(|depth| depth.queued).sum::<u64>(), count(JobState::Queued), "{at}: depths");
        assert_eq!(self.bench.store.running().await.expect("counts"), count(JobState::Running), "{at}: running");
        for job in jobs {
            check_shape(&job, at);
            self.check_step(job, at);
        }
    }

    fn check_step(&mut self, job: Job, at: &str) {
        let replayed = self.replayed == Some(job.id);
        let Some(known) = self.known.get_mut(&job.id) else {
            assert!(matches!(job.state, JobState::Queued | JobState::Waiting) && job.run == 0, "{at}: {job:?}");
            let (state, run) = (job.state, job.run);
            self.known.insert(job.id, Known { state, run, job, ends: 0, replays: 0 });
            return;
        };
        let (from, to) = (known.state, job.state);
        let moved = Event::ALL.into_iter().any(|event| (event != Event::Replayed || replayed) && from.after(event) == Some(to));
        assert!(moved || from == to, "{at}: {from} to {to}: {:?} became {job:?}", known.job);
        let claimed = from == JobState::Queued && to == JobState::Running;
        assert_eq!(job.run, known.run + Run::from(claimed), "{at}: the run of {job:?}");
        if from.is_terminal() && !replayed {
            assert_eq!(job, known.job, "{at}: an ended job changed");
        }
        known.ends += u32::from(to.is_terminal() && !from.is_terminal());
        known.replays += u32::from(replayed);
        (known.state, known.run, known.job) = (to, job.run, job);
    }

    /// Lets everything come to its end, and checks that each job ended once for each time it was started on its way.
    async fn drain(&mut self, f: &mut dyn Fixture) {
        self.replayed = None;
        for round in 0..40 {
            f.advance(Duration::from_secs(30));
            self.rescue_all(&format!("drain {round}: rescue")).await;
            self.bench.store.promote(PLENTY).await.expect("promotes");
            self.look(&format!("drain {round}: promote")).await;
            let worker = self.bench.worker().await;
            self.bench.release().await;
            self.look(&format!("drain {round}: release")).await;
            let claimed = self.bench.claim(worker, &self.jobs).await;
            self.look(&format!("drain {round}: claim")).await;
            for job in &claimed {
                self.bench.end(worker, job, a_success()).await;
            }
            self.look(&format!("drain {round}: settle")).await;
            if self.known.values().all(|known| known.state.is_terminal()) {
                break;
            }
        }
        for (id, known) in &self.known {
            assert!(known.state.is_terminal(), "{id} never ended: {:?}", known.job);
            assert_eq!(known.ends, 1 + known.replays, "{id} ended once for each start: {:?}", known.job);
        }
    }

    async fn rescue_all(&mut self, at: &str) {
        self.bench.rescue().await;
        self.look(at).await;
    }
}

/// What must be true of a job in its state, whatever happened before.
fn check_shape(job: &Job, at: &str) {
    assert_eq!(job.worker.is_some(), job.state == JobState::Running, "{at}: {job:?}");
    assert_eq!(job.finished_at.is_some(), job.state.is_terminal(), "{at}: {job:?}");
    assert_eq!(job.waiting_for.is_some(), job.state == JobState::Waiting, "{at}: {job:?}");
    assert!(u32::from(job.attempt) <= job.run, "{at}: more attempts than claims: {job:?}");
    assert!(job.crashes <= domain::bounds::CRASHES_MAX, "{at}: {job:?}");
    assert!(!job.cancel_requested || job.state == JobState::Running || job.state.is_terminal(), "{at}: {job:?}");
}
