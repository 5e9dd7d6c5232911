//! Which queues this process has made sure of since it connected, and which it could not make. One in trouble is tried again after a
//! while, and stops none of the others.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::QueueName;
use telemetry::chain;
use tokio::time::Instant;

use crate::error::{CallError, Why};

/// How long after it failed a queue is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(10);
/// The same, where the broker closed the connection over it.
const AGAIN_AFTER_A_BREAK: Duration = Duration::from_secs(30);

/// What is in trouble: one queue, or what all queues share.
pub(crate) type Of = Option<QueueName>;

#[derive(Debug)]
struct Trouble {
    error: CallError,
    again_at: Instant,
}

#[derive(Debug, Default)]
pub(crate) struct Made {
    queues: BTreeSet<QueueName>,
    troubles: BTreeMap<Of, Trouble>,
    /// The broker answers nothing about these, or they must not be: a message to one is never confirmed, and keeps a place from others.
    withheld: BTreeSet<QueueName>,
}

impl Made {
    pub fn contains(&self, queue: &QueueName) -> bool {
        self.queues.contains(queue)
    }

    pub fn queues(&self) -> Vec<QueueName> {
        self.queues.iter().cloned().collect()
    }

    /// Why a queue that is not there could not be made.
    pub fn trouble(&self, queue: &QueueName) -> Option<&CallError> {
        let trouble = self.troubles.get(&Some(queue.clone()))?;
        (!self.contains(queue)).then_some(&trouble.error)
    }

    /// Whether it has been tried, with whatever success.
    pub fn is_settled(&self, queue: &QueueName) -> bool {
        self.contains(queue) || self.trouble(queue).is_some()
    }

    pub fn is_withheld(&self, queue: &QueueName) -> bool {
        self.withheld.contains(queue)
    }

    /// It was found missing. `false`: nobody believed it was there.
    pub fn gone(&mut self, queue: &QueueName) -> bool {
        self.queues.remove(queue)
    }

    /// The connection is gone: who knows what the next one finds. What was in trouble is still not to be tried too soon.
    pub fn forget(&mut self) {
        self.queues.clear();
    }

    pub fn made(&mut self, queue: &QueueName) {
        self.queues.insert(queue.clone());
        self.withheld.remove(queue);
    }

    pub fn withhold(&mut self, queue: &QueueName) {
        self.withheld.insert(queue.clone());
    }

    pub fn is_well(&self, of: &Of) -> bool {
        !self.troubles.contains_key(of)
    }

    /// Nothing is wrong with it. `true`: something was.
    pub fn well(&mut self, of: &Of) -> bool {
        self.troubles.remove(of).is_some()
    }

    /// Something is wrong with it. `true`: nobody knew, or it was something else.
    pub fn failed(&mut self, of: &Of, error: CallError, now: Instant) -> bool {
        let again_at = now + if error.breaks_the_line() { AGAIN_AFTER_A_BREAK } else { AGAIN_AFTER };
        let news = self.troubles.get(of).is_none_or(|known| chain(&known.error) != chain(&error));
        if let Some(queue) = of {
            self.withheld.remove(queue);
            if matches!(error.why, Why::TooLong(_)) && !self.contains(queue) {
                self.withhold(queue);
            }
        }
        self.troubles.insert(of.clone(), Trouble { error, again_at });
        news
    }

    fn may_be_tried(&self, of: &Of, now: Instant) -> bool {
        self.troubles.get(of).is_none_or(|trouble| trouble.again_at <= now)
    }

    /// Whether to look at what all queues share, because it failed, or because one of them is due.
    pub fn shared_is_due(&self, one_is_due: bool, now: Instant) -> bool {
        self.troubles.get(&None).map_or(one_is_due, |trouble| trouble.again_at <= now)
    }

    /// Those to be tried now; those that have not failed yet come first.
    pub fn due(&self, known: &BTreeSet<QueueName>, now: Instant) -> Vec<QueueName> {
        let failed = |queue: &QueueName| self.troubles.contains_key(&Some(queue.clone()));
        let due = known.iter().filter(|queue| !self.contains(queue) || failed(queue));
        let mut due: Vec<QueueName> = due.filter(|queue| self.may_be_tried(&Some((*queue).clone()), now)).cloned().collect();
        due.sort_by_key(failed);
        due
    }

    /// When something that failed is to be tried again.
    pub fn again_at(&self) -> Option<Instant> {
        self.troubles.values().map(|trouble| trouble.again_at).min()
    }

    /// One trouble, for operators.
    pub fn shown(&self) -> Option<String> {
        self.troubles.iter().next().map(|(of, trouble)| format!("{}: {}", called(of), chain(&trouble.error)))
    }
}

/// What operators call it.
pub(crate) fn called(of: &Of) -> String {
    of.as_ref().map_or_else(|| "RabbitMQ's dead-letter exchange and its recorder".to_owned(), |queue| format!("the queue `{queue}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silence() -> CallError {
        CallError { doing: "declaring queues", why: Why::TooLong(Duration::from_secs(5)) }
    }

    fn refusal() -> CallError {
        CallError::ended("declaring queues", "not for you")
    }

    #[test]
    fn one_in_trouble_waits_and_the_others_do_not() {
        let (mut made, now) = (Made::default(), Instant::now());
        let (bad, good) = (QueueName::of("bad"), QueueName::of("good"));
        let known = BTreeSet::from([bad.clone(), good.clone()]);
        assert_eq!(made.due(&known, now), [bad.clone(), good.clone()]);
        assert!(made.failed(&Some(bad.clone()), refusal(), now), "news");
        assert!(!made.failed(&Some(bad.clone()), refusal(), now), "told already");
        assert_eq!(made.due(&known, now), std::slice::from_ref(&good));
        made.made(&good);
        assert_eq!((made.due(&known, now), made.again_at()), (vec![], Some(now + AGAIN_AFTER)));
        assert_eq!(made.due(&known, now + AGAIN_AFTER), std::slice::from_ref(&bad));
        assert!(made.is_settled(&bad) && !made.is_withheld(&bad), "the broker answers: it may be there, made by somebody else");
        made.forget();
        assert_eq!(made.due(&known, now + AGAIN_AFTER), [good, bad.clone()], "what failed comes last");
        assert!(made.shown().expect("a trouble").starts_with("the queue `bad`: "));
        made.made(&bad);
        assert!(made.well(&Some(bad)));
        assert_eq!((made.shown(), made.again_at()), (None, None));
    }

    #[test]
    fn nothing_is_sent_to_a_queue_that_the_broker_says_nothing_about() {
        let (mut made, now, bad) = (Made::default(), Instant::now(), QueueName::of("bad"));
        assert!(made.failed(&Some(bad.clone()), silence(), now));
        assert!(made.is_withheld(&bad));
        assert!(made.failed(&Some(bad.clone()), refusal(), now), "another reason");
        assert!(!made.is_withheld(&bad));
        made.failed(&Some(bad.clone()), silence(), now);
        made.made(&bad);
        assert!(!made.is_withheld(&bad));
    }
}
