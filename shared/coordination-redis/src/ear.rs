//! What does this process listen to, and who is told what it hears?

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use coordination::Nudge;
use domain::JobId;
use domain::bounds::NUDGES_BEHIND_MAX;
use redis::aio::MultiplexedConnection;
use redis::{Msg, PushInfo, RedisError};
use tokio::sync::{broadcast, watch};
use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

use crate::follower::{Followed, Follower, LINGER};
use crate::link::{Link, State};
use crate::message;
use crate::names::Names;

/// How often it is seen whether a job need not be listened to any more, and what was refused is asked for again.
const TIDY_EVERY: Duration = Duration::from_secs(LINGER.as_secs() / 2);
/// Channels in one command.
const CHANNELS_AT_ONCE: usize = 256;

/// Listens for nudges and for events of followed jobs.
pub(crate) struct Ear {
    names: Arc<Names>,
    process: Uuid,
    followed: Arc<Followed>,
    nudges: broadcast::Sender<Option<Nudge>>,
}

impl Ear {
    pub(crate) fn new(names: Arc<Names>, process: Uuid) -> Self {
        Self { names, process, followed: Arc::default(), nudges: broadcast::channel(NUDGES_BEHIND_MAX).0 }
    }

    pub(crate) fn follow(&self, job: JobId) -> Follower {
        self.followed.follow(job)
    }

    pub(crate) fn nudges(&self) -> broadcast::Receiver<Option<Nudge>> {
        self.nudges.subscribe()
    }

    /// Tells the listeners of this process; `None`: look at everything.
    pub(crate) fn tell(&self, nudge: Option<Nudge>) {
        // An error means that nobody listens, which is no error.
        let _ = self.nudges.send(nudge);
    }

    /// Takes what the server sent. Called on the connection's task, so it only wakes others.
    pub(crate) fn hear(&self, push: PushInfo) {
        let Some(heard) = Msg::from_push_info(push) else { return };
        let channel = heard.get_channel_name();
        if let Some(job) = self.names.job_of(channel) {
            self.followed.tell(job);
        } else if channel == self.names.nudges() {
            match message::decode(heard.get_payload_bytes()) {
                Some((sender, _)) if sender == self.process => {}
                Some((_, nudge)) => self.tell(nudge),
                None => tracing::debug!("a nudge was passed over: it is not of this version"),
            }
        }
    }

    /// Keeps the subscriptions as they are wanted, over every connection that comes and goes. Ends with the link.
    pub(crate) async fn attend(self: Arc<Self>, link: Arc<Link>) {
        let mut states = link.states();
        let mut missed = false;
        loop {
            let state = states.borrow_and_update().clone();
            let lives = match state {
                State::Up(connection) => {
                    let lives = self.attend_one(connection, &link, &mut states, missed).await;
                    missed = true;
                    lives
                }
                State::Away(_) => {
                    missed = true;
                    states.changed().await.is_ok()
                }
                State::Opening => states.changed().await.is_ok(),
            };
            if !lives {
                return;
            }
        }
    }

    /// Returns when the link has another state: whether it lives.
    async fn attend_one(
        &self,
        connection: MultiplexedConnection,
        link: &Link,
        states: &mut watch::Receiver<State>,
        mut missed: bool,
    ) -> bool {
        let mut subscriptions = Subscriptions { connection, nudges: false, jobs: HashSet::new() };
        let mut is_refused = false;
        let mut ticks = interval(TIDY_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                changed = states.changed() => return changed.is_ok(),
                () = self.followed.grown.notified() => {}
                _ = ticks.tick() => {}
            }
            match self.subscribe(&mut subscriptions).await {
                Ok(()) if missed => {
                    missed = false;
                    self.tell(None);
                }
                Ok(()) => {}
                // The server will not, although it answers: said once for this connection.
                Err(error) if !error.is_io_error() && !is_refused => {
                    is_refused = true;
                    tracing::warn!(error = %telemetry::chain(&error), "Redis refused a subscription: nudges and events of others come late");
                }
                Err(_) => link.doubt(),
            }
        }
    }

    /// Brings the subscriptions of this connection in line with what is wanted.
    async fn subscribe(&self, subscriptions: &mut Subscriptions) -> Result<(), RedisError> {
        let Subscriptions { connection, nudges, jobs } = subscriptions;
        if !*nudges {
            connection.subscribe(self.names.nudges()).await?;
            *nudges = true;
        }
        let wanted: HashSet<JobId> = self.followed.wanted().into_iter().collect();
        for some in chunks(wanted.difference(jobs)) {
            connection.subscribe(self.channels(&some)).await?;
            jobs.extend(&some);
            // What came before the subscription was not told.
            some.into_iter().for_each(|job| self.followed.tell(job));
        }
        for some in chunks(jobs.difference(&wanted)) {
            connection.unsubscribe(self.channels(&some)).await?;
            some.iter().for_each(|job| {
                jobs.remove(job);
            });
        }
        Ok(())
    }

    fn channels(&self, jobs: &[JobId]) -> Vec<String> {
        jobs.iter().map(|job| self.names.told(*job)).collect()
    }
}

/// What one connection is subscribed to.
struct Subscriptions {
    connection: MultiplexedConnection,
    nudges: bool,
    jobs: HashSet<JobId>,
}

fn chunks<'a>(jobs: impl Iterator<Item = &'a JobId>) -> Vec<Vec<JobId>> {
    let jobs: Vec<JobId> = jobs.copied().collect();
    jobs.chunks(CHANNELS_AT_ONCE).map(<[JobId]>::to_vec).collect()
}
