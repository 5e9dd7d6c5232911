//! What does the broker keep us from doing at present? Shown until the same thing has succeeded. What it refuses is an error that a person
//! must see: told when it begins and every minute that it lasts, however often it is tried.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::Class;
use parking_lot::Mutex;
use telemetry::chain;
use tokio::time::Instant;

use crate::address::Address;
use crate::advice;
use crate::error::CallError;
use crate::made::Of;

const TOLD_EVERY: Duration = Duration::from_secs(60);

/// Something that is done again and again until it succeeds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deed {
    /// Log in and enter the virtual host: to publish, or to consume.
    Enter(&'static str),
    Make(Of),
    Send,
    Receive(Class),
    ReadDeadLetters,
}

impl Deed {
    /// One line of the log is enough for all of a sort: what mends one mends them all.
    const fn sort(&self) -> &'static str {
        match self {
            Self::Enter(_) => "enter",
            Self::Make(_) => "make its queues",
            Self::Send => "send",
            Self::Receive(_) => "receive",
            Self::ReadDeadLetters => "read dead letters",
        }
    }
}

struct Trouble {
    says: String,
    is_refusal: bool,
}

#[derive(Default)]
pub(crate) struct Troubles(Mutex<State>);

#[derive(Default)]
struct State {
    all: BTreeMap<Deed, Trouble>,
    /// When a refusal of this sort was last told of.
    told: BTreeMap<&'static str, Instant>,
}

impl Troubles {
    /// It did not succeed. `true`: it is refused, and a person has been told so.
    pub fn failed(&self, deed: Deed, error: &CallError, address: &Address) -> bool {
        let mut state = self.0.lock();
        let advice = advice::of(error, address);
        let is_refusal = advice.is_some();
        let says = advice.map_or_else(|| chain(error), |advice| format!("{advice} ({})", chain(error)));
        let sort = deed.sort();
        if is_refusal && state.told.get(sort).is_none_or(|at| at.elapsed() >= TOLD_EVERY) {
            tracing::error!("RabbitMQ at {address} does not let this process {sort}; it is tried again and again: {says}");
            state.told.insert(sort, Instant::now());
        }
        state.all.insert(deed, Trouble { says, is_refusal });
        is_refusal
    }

    /// It succeeded, or nobody wants it any more.
    pub fn over(&self, deed: &Deed) {
        let mut state = self.0.lock();
        if state.all.remove(deed).is_none_or(|trouble| !trouble.is_refusal) {
            return;
        }
        let sort = deed.sort();
        if !state.all.iter().any(|(other, trouble)| trouble.is_refusal && other.sort() == sort) {
            state.told.remove(sort);
            tracing::info!("RabbitMQ lets this process {sort} again");
        }
    }

    pub fn has(&self, deed: &Deed) -> bool {
        self.0.lock().all.contains_key(deed)
    }

    /// What is refused, for people, with what to do about it.
    pub fn refused(&self) -> Option<String> {
        self.first(|_, trouble| trouble.is_refusal)
    }

    /// Why something that should be consumed is not, at this moment.
    pub fn not_received(&self) -> Option<String> {
        self.first(|deed, trouble| matches!(deed, Deed::Receive(_) | Deed::ReadDeadLetters) && !trouble.is_refusal)
    }

    fn first(&self, is_it: impl Fn(&Deed, &Trouble) -> bool) -> Option<String> {
        let state = self.0.lock();
        state.all.iter().find(|(deed, trouble)| is_it(deed, trouble)).map(|(_, trouble)| trouble.says.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Priority, QueueName};

    #[test]
    fn what_failed_is_shown_until_it_succeeds() {
        let (troubles, address) = (Troubles::default(), Address::parse("amqp://u:p@h/v", None).expect("a good URL"));
        let receive = |priority| Deed::Receive(Class { queue: QueueName::of("q"), priority });
        let gone = CallError::ended("consuming", "the broker ended the consumer");
        assert!(!troubles.failed(receive(Priority::High), &gone, &address), "no refusal");
        troubles.failed(receive(Priority::Low), &gone, &address);
        troubles.failed(Deed::Send, &gone, &address);
        troubles.over(&receive(Priority::High));
        assert!(troubles.not_received().is_some_and(|says| says.contains("ended the consumer")));
        troubles.over(&receive(Priority::Low));
        assert_eq!((troubles.not_received(), troubles.refused(), troubles.has(&Deed::Send)), (None, None, true));
    }
}
