//! Does the broker's news reach the ledger, whatever the store does meanwhile, and never make the broker wait?

use async_trait::async_trait;
use broker::Ledger as _;
use coordination::InProcess;
use domain::{Class, DeadNotice, Doubt, Emission, PoisonMessage, Priority, QueueName};
use store::{Outstanding, PoisonRow, Reconciled};
use testkit::eventually;

use super::*;

const LONG: Duration = Duration::from_secs(600);
const SECOND: Duration = Duration::from_secs(1);

/// What the ledger was told, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    Confirmed(Vec<u32>),
    Unsent(Unsent),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Mood {
    #[default]
    Well,
    Away,
    Hangs,
    Refuses,
}

struct DoubleLedger {
    mood: Mutex<Mood>,
    told: Mutex<Vec<(Duration, Told)>>,
    /// How many rows are found to be unsent, call by call; then none.
    found: Mutex<Vec<usize>>,
    tries: Mutex<Vec<Duration>>,
    started: Instant,
}

impl DoubleLedger {
    async fn note(&self, told: Told) -> Result<(), StoreError> {
        self.tries.lock().push(self.started.elapsed());
        let mood = *self.mood.lock();
        match mood {
            Mood::Well => self.told.lock().push((self.started.elapsed(), told)),
            Mood::Away => return Err(StoreError::Unavailable { doing: "writing", source: "the line is cut".into() }),
            Mood::Refuses => return Err(StoreError::Broken { doing: "writing", source: "a rule is broken".into() }),
            Mood::Hangs => std::future::pending().await,
        }
        Ok(())
    }
}

#[async_trait]
impl Ledger for DoubleLedger {
    async fn sent(&self, confirmed: &[(EmissionId, Timestamp)]) -> Result<(), StoreError> {
        assert!(confirmed.len() <= FLUSH_JOBS_MAX);
        self.note(Told::Confirmed(confirmed.iter().map(|(id, _)| number_of(*id)).collect())).await
    }

    async fn unsent(&self, what: &Unsent, limit: usize) -> Result<usize, StoreError> {
        assert_eq!(limit, FLUSH_JOBS_MAX);
        self.note(Told::Unsent(what.clone())).await?;
        let mut found = self.found.lock();
        Ok(if found.is_empty() { 0 } else { found.remove(0) })
    }

    async fn unconfirmed(&self, _: usize) -> Result<Vec<Emission>, StoreError> {
        unreachable!("a duty's")
    }

    async fn reconcile(&self, _: usize) -> Result<Reconciled, StoreError> {
        unreachable!("a duty's")
    }

    async fn unannounced(&self, _: usize) -> Result<Vec<DeadNotice>, StoreError> {
        unreachable!("a duty's")
    }

    async fn announced(&self, _: &[DeadNotice]) -> Result<(), StoreError> {
        unreachable!("a duty's")
    }

    async fn record_poison(&self, _: &[PoisonMessage]) -> Result<(), StoreError> {
        unreachable!("a duty's")
    }

    async fn poison(&self, _: usize) -> Result<Vec<PoisonRow>, StoreError> {
        unreachable!("a person's")
    }

    async fn outstanding(&self) -> Result<Outstanding, StoreError> {
        unreachable!("a duty's")
    }
}

struct Bench {
    outbox: Arc<Outbox>,
    ledger: Arc<DoubleLedger>,
    nudges: Arc<InProcess>,
    metrics: Arc<Metrics>,
}

impl Bench {
    /// Past its first look, so that whatever follows waits for the next second.
    async fn new() -> Self {
        let ledger = Arc::new(DoubleLedger {
            mood: Mutex::default(),
            told: Mutex::default(),
            found: Mutex::default(),
            tries: Mutex::default(),
            started: Instant::now(),
        });
        let (nudges, metrics) = (Arc::<InProcess>::default(), Arc::new(Metrics::new().expect("declared once")));
        let outbox = Outbox::start(Arc::clone(&ledger) as _, Arc::clone(&nudges) as _, Arc::clone(&metrics));
        tokio::task::yield_now().await;
        Self { outbox, ledger, nudges, metrics }
    }

    fn confirm(&self, numbers: std::ops::Range<u32>) {
        numbers.for_each(|n| self.outbox.confirmed(id(n), Timestamp::from_micros(n.into())));
    }

    fn set(&self, mood: Mood) {
        *self.ledger.mood.lock() = mood;
    }

    fn told(&self) -> Vec<Told> {
        self.ledger.told.lock().iter().map(|(_, told)| told.clone()).collect()
    }

    fn confirmations(&self) -> Vec<u32> {
        let numbers = |told| if let Told::Confirmed(numbers) = told { numbers } else { Vec::new() };
        self.told().into_iter().flat_map(numbers).collect()
    }

    async fn told_in_all(&self, calls: usize) {
        eventually("the ledger is told", LONG, async || {
            let told = self.ledger.told.lock().len();
            if told >= calls { Ok(()) } else { Err(format!("{told} calls, {} waiting", self.waiting())) }
        })
        .await;
    }

    async fn tried(&self, calls: usize) {
        eventually("the ledger is asked", LONG, async || self.ledger.tries.lock().len() >= calls).await;
    }

    fn waiting(&self) -> i64 {
        self.metrics.outbox_waiting.get()
    }

    fn items(&self, what: &str) -> u64 {
        self.metrics.outbox_items.with_label_values(&[what]).get()
    }
}

fn id(n: u32) -> EmissionId {
    EmissionId::from_bytes(u128::from(n).to_be_bytes())
}

fn number_of(id: EmissionId) -> u32 {
    let bytes = id.as_bytes();
    u32::from_be_bytes([bytes[12], bytes[13], bytes[14], bytes[15]])
}

fn class(name: &'static str) -> Class {
    Class { queue: QueueName::of(name), priority: Priority::Normal }
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

fn lost(name: &'static str, before: i64) -> Unsent {
    Unsent::Class { class: class(name), doubt: Doubt::Lost { before: at(before) } }
}

fn drained(name: &'static str, before: i64) -> Unsent {
    Unsent::Class { class: class(name), doubt: Doubt::Drained { before: at(before) } }
}

#[tokio::test(start_paused = true)]
async fn confirmations_are_told_in_bulk_once_a_second() {
    let bench = Bench::new().await;
    bench.confirm(0..2_500);
    assert_eq!((bench.told(), bench.waiting()), (Vec::new(), 2_500));
    bench.told_in_all(3).await;
    let told = bench.ledger.told.lock().clone();
    assert_eq!(told.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [SECOND; 3]);
    assert_eq!(bench.confirmations(), (0..2_500).collect::<Vec<_>>());
    assert_eq!((bench.waiting(), bench.items("confirmed"), bench.items("dropped")), (0, 2_500, 0));
}

/// Nothing is forgotten before it was told, and what comes meanwhile keeps its place.
#[tokio::test(start_paused = true)]
async fn what_the_store_does_not_take_is_told_later() {
    for mood in [Mood::Away, Mood::Hangs] {
        let bench = Bench::new().await;
        bench.set(mood);
        bench.confirm(0..1_500);
        bench.tried(3).await;
        bench.confirm(1_500..2_000);
        bench.tried(5).await;
        assert_eq!((bench.told(), bench.waiting()), (Vec::new(), 2_000), "{mood:?}");
        bench.set(Mood::Well);
        bench.told_in_all(2).await;
        assert_eq!(bench.confirmations(), (0..2_000).collect::<Vec<_>>(), "{mood:?}");
        let tries = bench.ledger.tries.lock().clone();
        let pauses: Vec<Duration> = tries.windows(2).take(3).map(|pair| pair[1] - pair[0]).collect();
        let pause = if mood == Mood::Hangs { CALL_TIMEOUT } else { SECOND };
        assert!(pauses.iter().all(|between| (pause..=pause + SECOND).contains(between)), "{mood:?}: {pauses:?}");
    }
}

/// I7: the broker's tasks are never made to wait, and a store that is away costs a bounded amount of memory.
#[tokio::test(start_paused = true)]
async fn when_it_is_full_the_oldest_go() {
    let bench = Bench::new().await;
    bench.set(Mood::Hangs);
    bench.confirm(0..1_000);
    bench.tried(1).await;
    bench.confirm(1_000..150_000);
    assert_eq!((bench.waiting(), bench.items("dropped")), (100_000, 50_000));
    bench.set(Mood::Well);
    bench.told_in_all(100).await;
    assert_eq!(bench.confirmations(), (50_000..150_000).collect::<Vec<_>>());
}

/// The call that hung was about rows that have left the backlog since: it must take no others along.
#[tokio::test(start_paused = true)]
async fn an_overflow_in_the_middle_of_a_call_loses_nothing_else() {
    let mut backlog = Backlog::default();
    (0..1_000).for_each(|n| _ = backlog.confirm(id(n), at(0)));
    let (batch, upto) = backlog.confirmed(400, backlog.confirmed_end());
    assert_eq!((batch.len(), upto), (400, 400));
    let dropped: usize = (1_000..100_300).map(|n| backlog.confirm(id(n), at(0))).sum();
    assert_eq!(dropped, 300);
    backlog.forget_confirmed(upto);
    let (rest, _) = backlog.confirmed(1, backlog.confirmed_end());
    assert_eq!((number_of(rest[0].0), backlog.waiting()), (400, 99_900));
}

/// A doubt about a row whose confirmation is recorded only afterwards would do nothing, and the loss would stay.
#[tokio::test(start_paused = true)]
async fn a_doubt_is_told_at_once_and_after_the_confirmations() {
    let bench = Bench::new().await;
    let mut nudges = bench.nudges.listen();
    bench.ledger.found.lock().extend([1_000, 1_000, 7]);
    bench.confirm(0..2);
    bench.outbox.doubt(lost("q", 50));
    bench.told_in_all(4).await;
    let unsent = Told::Unsent(lost("q", 50));
    assert_eq!(bench.told(), [Told::Confirmed(vec![0, 1]), unsent.clone(), unsent.clone(), unsent], "until fewer come than could");
    assert_eq!(bench.ledger.told.lock()[3].0, Duration::ZERO);
    assert_eq!(testkit::within("a nudge", LONG, nudges.next()).await, Some(Nudge::Emissions));
    assert_eq!((bench.waiting(), bench.items("unsent")), (0, 2_007));
}

/// Other processes may record confirmations of what was lost for a second or two.
#[tokio::test(start_paused = true)]
async fn a_loss_is_looked_into_twice() {
    let bench = Bench::new().await;
    let mut nudges = bench.nudges.listen();
    bench.outbox.doubt(lost("q", 50));
    bench.outbox.doubt(drained("r", 60));
    bench.told_in_all(3).await;
    let told = bench.ledger.told.lock().clone();
    let expected = [(Duration::ZERO, lost("q", 50)), (Duration::ZERO, drained("r", 60)), (5 * SECOND, lost("q", 50))];
    assert_eq!(told, expected.map(|(at, unsent)| (at, Told::Unsent(unsent))));
    assert!(timeout(60 * SECOND, nudges.next()).await.is_err(), "nothing was found: nobody is nudged");
    assert_eq!(bench.told().len(), 3, "and no more");
}

#[tokio::test(start_paused = true)]
async fn doubts_of_one_class_are_one() {
    let bench = Bench::new().await;
    bench.set(Mood::Away);
    for before in [30, 70, 50] {
        bench.outbox.doubt(lost("q", before));
        bench.outbox.doubt(drained("q", before + 1));
        bench.outbox.doubt(lost("r", before + 2));
    }
    bench.outbox.doubt(Unsent::Emissions(vec![id(1), id(2)]));
    bench.tried(4).await;
    assert_eq!(bench.waiting(), 5);
    bench.outbox.doubt(lost("r", 1));
    bench.tried(5).await;
    let expected = [0, 1, 2, 3, 4].map(|second| second * SECOND);
    assert_eq!(bench.ledger.tries.lock()[..5], expected, "doubts do not hasten it while the store is away");
    bench.set(Mood::Well);
    bench.told_in_all(4).await;
    let expected = [Unsent::Emissions(vec![id(1), id(2)]), lost("q", 70), drained("q", 71), lost("r", 72)];
    assert_eq!(bench.told(), expected.map(Told::Unsent));
}

/// A doubt that arrives while an earlier one of its class is told is not taken for it.
#[test]
fn a_doubt_that_came_meanwhile_is_kept() {
    let (mut backlog, now) = (Backlog::default(), Instant::now());
    backlog.doubt(lost("q", 30));
    let first = backlog.next_doubt().expect("a doubt");
    backlog.doubt(lost("q", 40));
    backlog.settle(&first, now + LOOK_AGAIN_AFTER);
    assert_eq!(backlog.next_doubt().map(|doubted| doubted.unsent()), Some(lost("q", 40)));
    assert_eq!((backlog.doubts(now), backlog.doubts(now + LOOK_AGAIN_AFTER)), (1, 2));
}

/// One thing that the store will never take does not keep the rest.
#[tokio::test(start_paused = true)]
async fn what_the_store_refuses_for_good_is_given_up() {
    let bench = Bench::new().await;
    bench.set(Mood::Refuses);
    bench.confirm(0..3);
    bench.outbox.doubt(lost("q", 1));
    bench.tried(2).await;
    eventually("it is given up", LONG, async || bench.waiting() == 0).await;
    assert_eq!((bench.items("dropped"), bench.items("confirmed")), (3, 0));
    bench.set(Mood::Well);
    bench.confirm(3..4);
    eventually("the rest is told", LONG, async || bench.confirmations() == [3]).await;
}

#[tokio::test(start_paused = true)]
async fn closing_tells_what_is_left() {
    let bench = Bench::new().await;
    bench.confirm(0..1_200);
    bench.outbox.close().await;
    assert_eq!(bench.confirmations(), (0..1_200).collect::<Vec<_>>());
    assert_eq!(bench.ledger.started.elapsed(), Duration::ZERO);
    // Once more, and later news: neither hangs.
    bench.confirm(1_200..1_201);
    bench.outbox.close().await;
    assert_eq!(bench.waiting(), 1);
}

/// Also in the middle of a call that hangs.
#[tokio::test(start_paused = true)]
async fn closing_takes_two_seconds_at_most() {
    let bench = Bench::new().await;
    bench.set(Mood::Hangs);
    bench.confirm(0..10);
    bench.tried(1).await;
    let before = Instant::now();
    bench.outbox.close().await;
    assert_eq!(before.elapsed(), CLOSE_TIMEOUT);
    assert_eq!(bench.waiting(), 10);
}
