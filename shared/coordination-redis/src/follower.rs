//! Who follows which job, and who wakes them?

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use domain::JobId;
use domain::bounds::FEED_FOLLOWED_MAX;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

/// A follower looks by itself this often: a message can get lost, and a job beyond the bound has none.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A job nobody follows any more is listened to a while longer: a reader of pages follows again at once.
pub(crate) const LINGER: Duration = Duration::from_secs(10);

/// The jobs this process follows.
#[derive(Default)]
pub(crate) struct Followed {
    jobs: Mutex<HashMap<JobId, Followers>>,
    /// Told when a job came that was not followed before.
    pub(crate) grown: Notify,
}

struct Followers {
    count: usize,
    left_at: Instant,
    told: Arc<Notify>,
}

/// One who follows a job, until it is dropped.
pub(crate) struct Follower {
    followed: Arc<Followed>,
    job: JobId,
    told: Option<Arc<Notify>>,
}

impl Followed {
    pub(crate) fn follow(self: &Arc<Self>, job: JobId) -> Follower {
        let mut jobs = self.jobs.lock();
        let is_full = jobs.len() >= FEED_FOLLOWED_MAX;
        let told = match jobs.entry(job) {
            Entry::Occupied(mut entry) => {
                entry.get_mut().count += 1;
                Some(Arc::clone(&entry.get().told))
            }
            Entry::Vacant(_) if is_full => None,
            Entry::Vacant(entry) => {
                let followers = entry.insert(Followers { count: 1, left_at: Instant::now(), told: Arc::default() });
                self.grown.notify_one();
                Some(Arc::clone(&followers.told))
            }
        };
        Follower { followed: Arc::clone(self), job, told }
    }

    /// Wakes those who follow the job.
    pub(crate) fn tell(&self, job: JobId) {
        if let Some(followers) = self.jobs.lock().get(&job) {
            followers.told.notify_waiters();
        }
    }

    /// The jobs to listen to; those left for longer than a while are forgotten.
    pub(crate) fn wanted(&self) -> Vec<JobId> {
        let mut jobs = self.jobs.lock();
        jobs.retain(|_, followers| followers.count > 0 || followers.left_at.elapsed() < LINGER);
        jobs.keys().copied().collect()
    }

    fn leave(&self, job: JobId) {
        if let Some(followers) = self.jobs.lock().get_mut(&job) {
            followers.count -= 1;
            followers.left_at = Instant::now();
        }
    }
}

impl Follower {
    /// Returns when there may be something new: also for an event that arrives after this call and before the wait.
    pub(crate) fn told(&self) -> impl Future<Output = ()> + Send + use<'_> {
        let told = self.told.as_ref().map(|told| told.notified());
        async move {
            let arriving = async {
                match told {
                    Some(told) => told.await,
                    None => std::future::pending().await,
                }
            };
            let _ = timeout(LOOK_EVERY, arriving).await;
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        if self.told.is_some() {
            self.followed.leave(self.job);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(n: usize) -> JobId {
        JobId::from_bytes((n as u128).to_be_bytes())
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_is_listened_to_a_while_after_its_last_follower_left() {
        let followed = Arc::new(Followed::default());
        let (a, b) = (followed.follow(job(1)), followed.follow(job(1)));
        drop(a);
        tokio::time::advance(2 * LINGER).await;
        assert_eq!(followed.wanted(), [job(1)], "one is left");
        drop(b);
        assert_eq!(followed.wanted(), [job(1)], "it lingers");
        tokio::time::advance(LINGER).await;
        assert_eq!(followed.wanted(), []);
    }

    /// I7: what a process listens to is bounded; who follows more looks by himself.
    #[tokio::test(start_paused = true)]
    async fn beyond_the_bound_followers_look_by_themselves() {
        let followed = Arc::new(Followed::default());
        let all: Vec<Follower> = (0..FEED_FOLLOWED_MAX + 2).map(|n| followed.follow(job(n))).collect();
        assert_eq!(followed.wanted().len(), FEED_FOLLOWED_MAX);
        let since = Instant::now();
        all[FEED_FOLLOWED_MAX].told().await;
        assert_eq!(since.elapsed().as_secs(), LOOK_EVERY.as_secs());
        drop(all);
        tokio::time::advance(LINGER).await;
        assert_eq!(followed.wanted(), []);
    }

    #[tokio::test(start_paused = true)]
    async fn what_arrives_before_the_wait_is_not_missed() {
        let followed = Arc::new(Followed::default());
        let follower = followed.follow(job(1));
        let (since, told) = (Instant::now(), follower.told());
        followed.tell(job(1));
        told.await;
        assert_eq!(since.elapsed(), Duration::ZERO);
    }
}
