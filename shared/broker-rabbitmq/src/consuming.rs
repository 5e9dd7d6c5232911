//! The receiving side: a consumer for each class that is subscribed to, kept alive one by one. A queue in trouble does not disturb
//! the others, and "connected, green, consuming nothing" cannot last: the broker is asked how many consumers it sees, and whether it has
//! messages for one to which nothing comes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::{Backoff, Class};
use telemetry::chain;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};

use crate::consumer::{Post, consume};
use crate::dead_letters;
use crate::declare::Asking;
use crate::error::CallError;
use crate::hub::Hub;
use crate::line::Line;
use crate::link::Session;
use crate::topology;
use crate::troubles::Deed;

const BACKOFF: Backoff = Backoff::Exponential { base_ms: 400, cap_ms: 5_000 };
const SHORTEST: Duration = Duration::from_millis(200);
/// How often the broker's view of our consumers is compared with ours. The first look comes sooner, to know who else is there.
const LOOK_EVERY: Duration = Duration::from_secs(10);
const FIRST_LOOK: Duration = Duration::from_secs(2);
/// A consumer that began just now need not be seen yet.
const SETTLED: Duration = Duration::from_secs(3);

/// A consumer: of a class for a subscription, or of the dead letters.
type Key = Option<(u64, Class)>;

pub(crate) struct Consumers {
    hub: Arc<Hub>,
}

/// The consumers of one connection.
struct Crew<'a> {
    hub: &'a Arc<Hub>,
    line: &'a Arc<Line>,
    tasks: JoinSet<()>,
    posts: HashMap<Key, (Option<Post>, AbortHandle)>,
    /// Consumers without a message in hand while some wait at the broker, and how many had come to them by then.
    hungry: HashMap<Key, u64>,
}

impl Consumers {
    pub fn new(hub: Arc<Hub>) -> Self {
        Self { hub }
    }
}

#[async_trait]
impl Session for Consumers {
    async fn wanted(&mut self) {
        while self.hub.subscriptions.open().is_empty() && self.hub.dead_letter_sink().is_none() {
            self.hub.consumers_changed.notified().await;
        }
    }

    async fn run(&mut self, line: &Arc<Line>) -> Result<(), CallError> {
        // Everything ends with this: the tasks are aborted when the set is dropped.
        let mut crew = Crew { hub: &self.hub, line, tasks: JoinSet::new(), posts: HashMap::new(), hungry: HashMap::new() };
        let mut look = interval_at(Instant::now() + FIRST_LOOK, LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            crew.fill();
            tokio::select! {
                () = self.hub.consumers_changed.notified() => {}
                Some(_) = crew.tasks.join_next(), if !crew.tasks.is_empty() => {}
                _ = look.tick() => crew.look().await?,
            }
        }
    }

    fn lost(&mut self) {}
}

impl Crew<'_> {
    /// Starts what is missing; what ended is started again.
    fn fill(&mut self) {
        self.posts.retain(|_, (_, task)| !task.is_finished());
        self.hungry.retain(|key, _| self.posts.contains_key(key));
        let known = self.hub.known.borrow().clone();
        for subscription in self.hub.subscriptions.open() {
            let wanted = subscription.wants(&known);
            for class in wanted.iter().filter(|queue| topology::usable(queue).is_ok()).flat_map(topology::classes) {
                let key = Some((subscription.id, class.clone()));
                if !self.posts.contains_key(&key) {
                    let post = Post { subscription: Arc::clone(&subscription), class };
                    let task = self.tasks.spawn(keep(post.clone(), Arc::clone(self.line), Arc::clone(self.hub)));
                    self.posts.insert(key, (Some(post), task));
                }
            }
        }
        if let Some(sink) = self.hub.dead_letter_sink().filter(|_| !self.posts.contains_key(&None)) {
            let task = self.tasks.spawn(dead_letters::keep(sink, Arc::clone(self.line), Arc::clone(self.hub)));
            self.posts.insert(None, (None, task));
        }
    }

    /// Compares. A class the broker sees too few consumers of is begun anew.
    async fn look(&mut self) -> Result<(), CallError> {
        let mut ours: BTreeMap<Class, Vec<Key>> = BTreeMap::new();
        for (key, (post, _)) in &self.posts {
            if let Some(post) = post {
                ours.entry(post.class.clone()).or_default().push(key.clone());
            }
        }
        let mut asking = Asking::new(self.line);
        for (class, keys) in ours {
            if self.hub.made.borrow().is_withheld(&class.queue) {
                continue;
            }
            // A queue that cannot be looked at just now is looked at the next time.
            let Ok(found) = asking.find(&topology::class_queue(&class)).await else { continue };
            let (seen, waiting) = found.map_or((0, 0), |found| (found.consumers, found.messages));
            let seen = usize::try_from(seen).unwrap_or(usize::MAX);
            let posts = keys.iter().filter_map(|key| self.posts.get(key)).filter_map(|(post, task)| Some((post.as_ref()?, task)));
            let posts: Vec<(&Post, &AbortHandle)> = posts.collect();
            let settled = |post: &Post| post.subscription.hold.lock().consuming_since(&class).is_some_and(|at| at.elapsed() > SETTLED);
            let expected = posts.iter().filter(|(post, _)| settled(post)).count();
            if seen < expected {
                tracing::warn!("RabbitMQ sees {seen} of our {expected} consumers of `{}`; beginning anew", topology::class_queue(&class));
                posts.iter().for_each(|(_, task)| task.abort());
            }
            posts.iter().for_each(|(post, _)| post.subscription.others(&class, seen > 1));
            for key in keys.iter().filter(|_| seen >= expected) {
                self.feed(key, waiting);
            }
        }
        self.look_at_dead_letters(&mut asking).await;
        Ok(())
    }

    /// Where others consume as well, a consumer too few does not show in the number. But messages wait, it has room for all of its
    /// prefetch, and between two looks nothing came: the broker has forgotten it.
    fn feed(&mut self, key: &Key, waiting: u32) {
        let Some((Some(post), task)) = self.posts.get(key) else { return };
        let idle = post.subscription.hold.lock().idle(&post.class).filter(|_| waiting > 0);
        let Some(arrivals) = idle else {
            self.hungry.remove(key);
            return;
        };
        if self.hungry.insert(key.clone(), arrivals) == Some(arrivals) {
            let queue = topology::class_queue(&post.class);
            tracing::warn!("{waiting} messages wait in `{queue}` of RabbitMQ, and none comes to our consumer; beginning anew");
            task.abort();
            self.hungry.remove(key);
        }
    }

    async fn look_at_dead_letters(&self, asking: &mut Asking<'_>) {
        let Some((_, task)) = self.posts.get(&None) else { return };
        if self.hub.reading_since.lock().is_none_or(|at| at.elapsed() <= SETTLED) {
            return;
        }
        if asking.find(topology::DEAD_RECORDER).await.is_ok_and(|found| found.is_none_or(|found| found.consumers == 0)) {
            tracing::warn!("RabbitMQ does not see that we read `{}`; beginning anew", topology::DEAD_RECORDER);
            task.abort();
        }
    }
}

/// One consumer, for as long as its subscription and the connection last.
async fn keep(post: Post, line: Arc<Line>, hub: Arc<Hub>) {
    let mut failures = 0_u16;
    while !post.subscription.closed.is_cancelled() {
        let since = Instant::now();
        let Err(trouble) = consume(&post, &line, &hub).await else { break };
        // Whatever it is, its queue may be gone.
        hub.missing(&post.class.queue);
        let refused = hub.failed(Deed::Receive(post.class.clone()), &trouble);
        failures = if since.elapsed() > Duration::from_secs(10) { 1 } else { failures.saturating_add(1) };
        // What the sending side has told of needs no second word.
        if failures == 1 && !refused && hub.made.borrow().trouble(&post.class.queue).is_none() {
            tracing::warn!(error = %chain(&trouble), "lost the consumer of `{}`; beginning anew", topology::class_queue(&post.class));
        }
        let delay = BACKOFF.delay(failures, rand::random::<f64>()).max(SHORTEST);
        tokio::select! {
            () = post.subscription.closed.cancelled() => break,
            () = sleep_until(Instant::now() + delay) => {}
        }
    }
    hub.troubles.over(&Deed::Receive(post.class));
}
