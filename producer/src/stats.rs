//! `GET /v1/stats`: the fleet in figures.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use domain::{KindName, QueueName, Timestamp, format_duration, parse_duration};
use serde::Serialize;
use store::{Overview, Reports, Throughput};

use crate::backlog::Backlog;
use crate::desk::Desk;
use crate::problem::Problem;
use crate::query::Query;
use crate::queues::{MINUTE, age, minute_of};

const WINDOW: Duration = Duration::from_secs(3_600);
const WINDOW_MIN: Duration = Duration::from_secs(300);
const WINDOW_MAX: Duration = Duration::from_secs(24 * 3_600);

const _: () = assert!(WINDOW_MAX.as_secs() < domain::bounds::STATS_KEPT.as_secs(), "what can be asked for must be kept");

#[derive(Serialize)]
pub struct Stats {
    at: Timestamp,
    window: String,
    workers: Workers,
    running: u64,
    queued: u64,
    oldest_age: Option<String>,
    totals: Figures,
    queues: Vec<QueueFigures>,
    kinds: Vec<KindFigures>,
    minutes: Vec<Minute>,
}

#[derive(Serialize)]
struct Workers {
    live: u64,
    slots: u64,
}

#[derive(Serialize)]
struct Figures {
    succeeded: u64,
    retried: u64,
    dead: u64,
    mean_run: Option<String>,
    mean_wait: Option<String>,
}

#[derive(Serialize)]
struct QueueFigures {
    queue: QueueName,
    #[serde(flatten)]
    figures: Figures,
}

#[derive(Serialize)]
struct KindFigures {
    kind: KindName,
    #[serde(flatten)]
    figures: Figures,
}

#[derive(Serialize)]
struct Minute {
    minute: Timestamp,
    succeeded: u64,
    retried: u64,
    dead: u64,
}

/// What rows add up to.
#[derive(Clone, Copy, Default)]
struct Sums {
    succeeded: u64,
    retried: u64,
    dead: u64,
    run: Duration,
    wait: Duration,
}

impl Sums {
    fn add(&mut self, row: &Throughput) {
        self.succeeded += row.succeeded;
        self.retried += row.retried;
        self.dead += row.dead;
        self.run = self.run.saturating_add(row.run);
        self.wait = self.wait.saturating_add(row.wait);
    }

    fn figures(self) -> Figures {
        let mean = |sum: Duration| {
            let count = u32::try_from(self.succeeded).unwrap_or(u32::MAX);
            (count > 0).then(|| format_duration(sum / count))
        };
        Figures { succeeded: self.succeeded, retried: self.retried, dead: self.dead, mean_run: mean(self.run), mean_wait: mean(self.wait) }
    }
}

pub async fn stats(
    State(desk): State<Desk>,
    State(reports): State<Arc<dyn Reports>>,
    State(backlog): State<Backlog>,
    State(overview): State<Arc<dyn Overview>>,
    mut query: Query,
) -> Result<Json<Stats>, Problem> {
    let window = query.take("window", window).unwrap_or(WINDOW);
    query.finish()?;
    let at = desk.now();
    let since = minute_of(at - window);
    let rows = overview.throughput(since).await?;
    let workers: Vec<_> = reports.workers().await?.into_iter().filter(|worker| worker.live).collect();
    let depths = backlog.depths().await?;
    let queues = by(&rows, |row| row.queue.clone()).into_iter().map(|(queue, sums)| QueueFigures { queue, figures: sums.figures() });
    let kinds = by(&rows, |row| row.kind.clone()).into_iter().map(|(kind, sums)| KindFigures { kind, figures: sums.figures() });
    Ok(Json(Stats {
        at,
        window: format_duration(window),
        workers: Workers {
            live: u64::try_from(workers.len()).unwrap_or(u64::MAX),
            slots: workers.iter().map(|w| u64::from(w.slots)).sum(),
        },
        running: reports.running().await?,
        queued: depths.iter().map(|depth| depth.queued).sum(),
        oldest_age: age(depths.iter().filter_map(|depth| depth.oldest).min(), at),
        totals: by(&rows, |_| ()).remove(&()).unwrap_or_default().figures(),
        queues: queues.collect(),
        kinds: kinds.collect(),
        minutes: minutes(&rows, since, at),
    }))
}

fn window(text: &str) -> Result<Duration, String> {
    let window = parse_duration(text).map_err(|error| error.to_string())?;
    let bounds = || format!("must be from {} to {}", format_duration(WINDOW_MIN), format_duration(WINDOW_MAX));
    if (WINDOW_MIN..=WINDOW_MAX).contains(&window) { Ok(window) } else { Err(bounds()) }
}

fn by<K: Ord>(rows: &[Throughput], key: impl Fn(&Throughput) -> K) -> BTreeMap<K, Sums> {
    let mut sums: BTreeMap<K, Sums> = BTreeMap::new();
    for row in rows {
        sums.entry(key(row)).or_default().add(row);
    }
    sums
}

/// Every minute from `since` on, also those in which nothing was done. At most a day of them.
fn minutes(rows: &[Throughput], since: Timestamp, until: Timestamp) -> Vec<Minute> {
    let done = by(rows, |row| row.minute);
    let all = std::iter::successors(Some(since), |minute| Some(*minute + MINUTE)).take_while(|minute| *minute <= until);
    all.map(|minute| {
        let Sums { succeeded, retried, dead, .. } = done.get(&minute).copied().unwrap_or_default();
        Minute { minute, succeeded, retried, dead }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Priority;

    fn row(minute: i64, kind: &'static str, succeeded: u64) -> Throughput {
        Throughput {
            minute: Timestamp::from_micros(minute * 60_000_000),
            queue: QueueName::of("q"),
            priority: Priority::Normal,
            kind: KindName::of(kind),
            succeeded,
            retried: 1,
            dead: 0,
            run: Duration::from_millis(10 * succeeded),
            wait: Duration::ZERO,
        }
    }

    #[test]
    fn rows_add_up_and_idle_minutes_are_there() {
        let rows = [row(1, "a.a", 2), row(1, "b.b", 4), row(3, "a.a", 0)];
        let kinds = by(&rows, |row| row.kind.clone());
        let figures = |name| kinds[&KindName::of(name)].figures();
        assert_eq!((figures("a.a").succeeded, figures("a.a").retried, figures("a.a").mean_run.as_deref()), (2, 2, Some("10ms")));
        let all = minutes(&rows, Timestamp::from_micros(60_000_000), Timestamp::from_micros(200_000_000));
        assert_eq!(all.iter().map(|m| m.succeeded).collect::<Vec<_>>(), [6, 0, 0], "the third minute has a retry only");
        assert_eq!(all.iter().map(|m| m.retried).collect::<Vec<_>>(), [2, 0, 1]);
        assert_eq!(by(&rows[2..], |_| ())[&()].figures().mean_run, None, "nothing succeeded, so there is no mean");
    }

    #[test]
    fn a_window_has_bounds() {
        for (text, is_good) in [("5m", true), ("24h", true), ("1d", true), ("4m", false), ("25h", false), ("x", false)] {
            assert_eq!(window(text).is_ok(), is_good, "{text}");
        }
    }
}
