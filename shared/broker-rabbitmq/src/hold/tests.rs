//! Does the hold give every id exactly once, whatever is taken, answered and given back in whatever order?

use std::collections::{BTreeMap, BTreeSet};

use broker::Answer;
use domain::{Class, EmissionId, JobId, Priority, QueueName, Timestamp};
use proptest::prelude::*;
use tokio::time::Instant;

use super::{Batch, Hold};
use crate::lane::{Arrival, Fate, Lane, UNCOUNTED};
use crate::message::Hint;

fn class(code: u8) -> Class {
    Class { queue: QueueName::of("q"), priority: Priority::from_code(code).expect("five") }
}

fn hint(n: u128, class: &Class, ids: u128) -> Hint {
    let jobs = (0..ids).map(|id| JobId::from_bytes((n * 100 + id).to_be_bytes())).collect();
    let published_at = Timestamp::from_micros(i64::try_from(n).expect("small"));
    Hint { emission: EmissionId::from_bytes(n.to_be_bytes()), published_at, class: class.clone(), jobs }
}

fn arrival(tag: u64) -> Arrival {
    Arrival { tag, deliveries: 0, at: Instant::now() }
}

/// What a worker does next.
#[derive(Debug, Clone)]
enum Step {
    Take(usize),
    /// Answers the nth of what is out.
    Answer(usize, bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let answer = (0_usize..4, prop::bool::weighted(0.7)).prop_map(|(nth, ack)| Step::Answer(nth, ack));
    prop::collection::vec(prop_oneof![(1_usize..12).prop_map(Step::Take), answer], 0..60)
}

/// A worker with what it has out, and a record of what was claimed.
#[derive(Default)]
struct Worker {
    hold: Hold,
    out: Vec<(Class, Batch)>,
    claimed: Vec<JobId>,
    rows: Vec<EmissionId>,
}

impl Worker {
    fn take(&mut self, ids_max: usize) {
        let taken = self.hold.take(ids_max);
        assert!(taken.iter().map(|(_, batch)| batch.jobs.len()).sum::<usize>() <= ids_max);
        self.out.extend(taken);
        let mut ids: Vec<JobId> = self.out.iter().flat_map(|(_, batch)| batch.jobs.clone()).collect();
        let all = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), all, "an id is out twice");
    }

    fn answer(&mut self, nth: usize, ack: bool) {
        if self.out.is_empty() {
            return;
        }
        let (class, mut batch) = self.out.remove(nth % self.out.len());
        let jobs = std::mem::take(&mut batch.jobs);
        let answer = if ack { Answer::Ack } else { Answer::Requeue };
        self.hold.answer(&class, &batch, &jobs, answer, Instant::now());
        if ack {
            self.claimed.extend(jobs);
            for row in batch.emissions {
                // I16: the row goes last.
                let whole = u128::from_be_bytes(*row.as_bytes());
                let of_row = |job: &&JobId| u128::from_be_bytes(*job.as_bytes()) / 100 == whole;
                assert!(!self.out.iter().flat_map(|(_, batch)| &batch.jobs).any(|job| of_row(&job)), "a part of it is still out");
                self.rows.push(row);
            }
        }
    }
}

proptest! {
    #[test]
    fn every_id_is_claimed_once_and_every_row_goes_last(
        hints in prop::collection::vec((0_u8..5, 1_u128..33), 1..12),
        steps in steps(),
    ) {
        let mut worker = Worker::default();
        let epochs: BTreeMap<u8, u64> = (0..5).map(|code| (code, worker.hold.begin(&class(code)))).collect();
        let mut expected = BTreeSet::new();
        for (n, (code, ids)) in (1_u128..).zip(&hints) {
            let hint = hint(n, &class(*code), *ids);
            expected.extend(hint.jobs.clone());
            let tag = u64::try_from(n).expect("small");
            prop_assert!(worker.hold.arrived(epochs[code], hint, arrival(tag)));
        }
        for step in steps {
            match step {
                Step::Take(ids_max) => worker.take(ids_max),
                Step::Answer(nth, ack) => worker.answer(nth, ack),
            }
        }
        // Whatever happened, a worker that goes on gets the rest.
        for _ in 0..hints.len() * 3 {
            (0..worker.out.len()).for_each(|_| worker.answer(0, true));
            worker.take(1_000);
        }
        prop_assert!(worker.out.is_empty());
        let claimed: BTreeSet<JobId> = worker.claimed.iter().copied().collect();
        prop_assert_eq!((claimed.len(), worker.rows.len()), (worker.claimed.len(), hints.len()));
        prop_assert_eq!(claimed, expected);
        let fates = (0..5).flat_map(|code| worker.hold.lane(&class(code), epochs[&code]).map(Lane::fates).expect("it is there"));
        let fates: BTreeMap<u64, Fate> = fates.collect();
        prop_assert_eq!(fates.len(), hints.len());
        prop_assert!(fates.values().all(|fate| *fate == Fate::Ack));
    }
}

#[test]
fn what_a_lost_consumer_held_is_the_brokers_again() {
    let mut hold = Hold::default();
    let normal = class(2);
    let first = hold.begin(&normal);
    assert!(hold.arrived(first, hint(1, &normal, 4), arrival(1)));
    assert!(hold.arrived(first, hint(2, &normal, 4), arrival(2)));
    let (_, mut out) = hold.take(6).pop().expect("ids");
    hold.end(&normal, first);
    assert_eq!(hold.take(10), []);
    // It comes again through the next consumer, and late answers to the first copy mean nothing.
    let second = hold.begin(&normal);
    assert!(hold.arrived(second, hint(1, &normal, 4), arrival(1)));
    let jobs = std::mem::take(&mut out.jobs);
    assert!(!hold.answer(&normal, &out, &jobs, Answer::Requeue, Instant::now()));
    let (_, again) = hold.take(10).pop().expect("ids");
    assert_eq!((again.jobs, again.emissions), (hint(1, &normal, 4).jobs, vec![hint(1, &normal, 4).emission]));
    assert_eq!(hold.lane(&normal, second).map(Lane::fates), Some(vec![]));
}

/// Given back only when there is somebody else, when nothing of it is out, and replaced before the broker gives it up.
#[test]
fn what_waits_is_given_back_within_limits() {
    let (mut hold, normal, start) = (Hold::default(), class(2), Instant::now());
    let epoch = hold.begin(&normal);
    for (n, deliveries) in [(1_u128, 0), (2, 2), (3, 3)] {
        let how = Arrival { tag: u64::try_from(n).expect("small"), deliveries, at: start };
        assert!(hold.arrived(epoch, hint(n, &normal, 4), how));
    }
    let (_, mut out) = hold.take(2).pop().expect("ids");
    let lane = |hold: &mut Hold| hold.lane(&normal, epoch).map(|lane| (lane.due(), lane.fates())).expect("it is there");
    assert_eq!(lane(&mut hold), (None, vec![]), "nobody else");
    hold.others(&normal, true);
    let later = start + std::time::Duration::from_millis(200);
    assert_eq!(lane(&mut hold).0, Some(later), "the second; a part of the first is out, and the third came too often");
    assert_eq!(hold.lane(&normal, epoch).expect("it is there").give_back(later), []);
    let tired = start + std::time::Duration::from_secs(20);
    assert_eq!(lane(&mut hold), (Some(tired), vec![(2, Fate::Return)]));
    let replaced = hold.lane(&normal, epoch).expect("it is there").give_back(tired);
    assert_eq!(replaced, [hint(3, &normal, 4).emission], "the ledger sends another one for it");
    assert_eq!(lane(&mut hold), (None, vec![(3, Fate::Ack)]));
    let mark = hold.marks().pop().expect("one class");
    assert_eq!((mark.claimed_until, mark.held_since), (None, Some(hint(1, &normal, 4).published_at)), "nothing of it was claimed");
    let jobs = std::mem::take(&mut out.jobs);
    hold.answer(&normal, &out, &jobs, Answer::Ack, later);
    assert_eq!(lane(&mut hold).0, Some(later + std::time::Duration::from_millis(200)), "the rest of the first");
}

/// Classic queues do not count, and have no limit: there it goes round, slowly, for as long as all are busy.
#[test]
fn what_is_not_counted_goes_round() {
    let (mut hold, normal, start) = (Hold::default(), class(2), Instant::now());
    let epoch = hold.begin(&normal);
    assert!(hold.arrived(epoch, hint(1, &normal, 4), Arrival { tag: 1, deliveries: UNCOUNTED, at: start }));
    hold.others(&normal, true);
    let lane = hold.lane(&normal, epoch).expect("it is there");
    let later = start + std::time::Duration::from_secs(5);
    assert_eq!((lane.due(), lane.give_back(later)), (Some(later), vec![]));
    assert_eq!(lane.fates(), [(1, Fate::Return)]);
}
