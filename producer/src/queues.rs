//! Handlers of `/v1/queues`: how much waits, since when, and how quickly it gets done.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use domain::{Priority, QueueName, Timestamp, format_duration};
use serde::Serialize;
use store::{Depth, Overview, Throughput};

use crate::backlog::Backlog;
use crate::desk::Desk;
use crate::path::Named;
use crate::problem::Problem;

pub const MINUTE: Duration = Duration::from_secs(60);
/// Rates are the mean of so many whole minutes.
const RATE_MINUTES: u32 = 5;

#[derive(Serialize)]
pub struct Queues {
    queues: Vec<QueueView>,
}

#[derive(Serialize)]
pub struct QueueView {
    name: QueueName,
    depth: u64,
    oldest_age: Option<String>,
    rates: Rates,
    /// All five, most important first.
    priorities: Vec<ClassView>,
}

#[derive(Serialize)]
struct ClassView {
    priority: Priority,
    depth: u64,
    oldest_age: Option<String>,
    rates: Rates,
}

#[derive(Serialize)]
struct Rates {
    succeeded_per_minute: f64,
    retried_per_minute: f64,
    dead_per_minute: f64,
}

pub async fn list(State(desk): State<Desk>, State(backlog): State<Backlog>, State(overview): Overseer) -> Result<Json<Queues>, Problem> {
    let known = desk.catalog.read().await?;
    let moment = Moment::look(&desk, &backlog, &*overview).await?;
    let names: BTreeSet<&QueueName> = known.queues.iter().chain(moment.depths.iter().map(|depth| &depth.queue)).collect();
    Ok(Json(Queues { queues: names.into_iter().map(|name| moment.queue(name)).collect() }))
}

pub async fn queue(
    State(desk): State<Desk>,
    State(backlog): State<Backlog>,
    State(overview): Overseer,
    Named(name): Named<QueueName>,
) -> Result<Json<QueueView>, Problem> {
    let known = desk.catalog.covering(|known| known.queues.contains(&name)).await?;
    let moment = Moment::look(&desk, &backlog, &*overview).await?;
    let is_there = known.queues.contains(&name) || moment.depths.iter().any(|depth| depth.queue == name);
    if is_there { Ok(Json(moment.queue(&name))) } else { Err(Problem::not_found("queue")) }
}

type Overseer = State<Arc<dyn Overview>>;

/// How the queues are now, and how they did in the last minutes.
struct Moment {
    now: Timestamp,
    depths: Arc<Vec<Depth>>,
    /// Of the minutes that are over.
    done: Vec<Throughput>,
}

impl Moment {
    async fn look(desk: &Desk, backlog: &Backlog, overview: &dyn Overview) -> Result<Self, Problem> {
        let now = desk.now();
        let depths = backlog.depths().await?;
        let done = overview.throughput(minute_of(now) - MINUTE * RATE_MINUTES).await?;
        Ok(Self::of(now, depths, done))
    }

    /// The minute that is not over would make every rate look too low.
    fn of(now: Timestamp, depths: Arc<Vec<Depth>>, mut done: Vec<Throughput>) -> Self {
        done.retain(|row| row.minute < minute_of(now));
        Self { now, depths, done }
    }

    fn queue(&self, name: &QueueName) -> QueueView {
        let ours: Vec<&Depth> = self.depths.iter().filter(|depth| depth.queue == *name).collect();
        let class = |priority: Priority| {
            let depth = ours.iter().find(|depth| depth.priority == priority);
            ClassView {
                priority,
                depth: depth.map_or(0, |depth| depth.queued),
                oldest_age: age(depth.and_then(|depth| depth.oldest), self.now),
                rates: self.rates(|row| row.queue == *name && row.priority == priority),
            }
        };
        QueueView {
            name: name.clone(),
            depth: ours.iter().map(|depth| depth.queued).sum(),
            oldest_age: age(ours.iter().filter_map(|depth| depth.oldest).min(), self.now),
            rates: self.rates(|row| row.queue == *name),
            priorities: Priority::ALL.into_iter().map(class).collect(),
        }
    }

    fn rates(&self, of: impl Fn(&Throughput) -> bool) -> Rates {
        let sum = |count: fn(&Throughput) -> u64| {
            let sum: u64 = self.done.iter().filter(|row| of(row)).map(count).sum();
            // Counts of five minutes are far below what a float holds exactly.
            sum as f64 / f64::from(RATE_MINUTES)
        };
        Rates {
            succeeded_per_minute: sum(|row| row.succeeded),
            retried_per_minute: sum(|row| row.retried),
            dead_per_minute: sum(|row| row.dead),
        }
    }
}

/// When the minute of `at` began.
pub fn minute_of(at: Timestamp) -> Timestamp {
    let minute = i64::try_from(MINUTE.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(at.micros() - at.micros().rem_euclid(minute))
}

/// In whole seconds: nobody reads more of a backlog's age.
pub fn age(oldest: Option<Timestamp>, now: Timestamp) -> Option<String> {
    oldest.map(|oldest| format_duration(Duration::from_secs(now.since(oldest).as_secs())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::KindName;

    #[test]
    fn rates_are_means_of_whole_minutes() {
        let minute = |n: i64| Timestamp::from_micros(n * 60_000_000);
        let row = |at: i64, priority, succeeded| Throughput {
            minute: minute(at),
            queue: QueueName::of("q"),
            priority,
            kind: KindName::of("a.a"),
            succeeded,
            retried: 1,
            dead: 0,
            run: Duration::ZERO,
            wait: Duration::ZERO,
        };
        let done = vec![row(5, Priority::High, 7), row(9, Priority::Low, 5), row(10, Priority::High, 1_000)];
        let moment = Moment::of(minute(10) + Duration::from_secs(59), Arc::default(), done);
        let shown = moment.queue(&QueueName::of("q"));
        assert_eq!((shown.rates.succeeded_per_minute, shown.rates.retried_per_minute, shown.rates.dead_per_minute), (2.4, 0.4, 0.0));
        let of_class =
            |priority| shown.priorities.iter().find(|class| class.priority == priority).map(|class| class.rates.succeeded_per_minute);
        assert_eq!((of_class(Priority::High), of_class(Priority::Low), of_class(Priority::Bulk)), (Some(1.4), Some(1.0), Some(0.0)));
        assert_eq!(moment.queue(&QueueName::of("other")).rates.succeeded_per_minute, 0.0);
    }
}
