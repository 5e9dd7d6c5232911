//! Does a fleet survive ten minutes of everything at once? Continuous load on separate processes, random faults, and a verdict from
//! outside: `cargo xtask soak`.

mod broker_away;
mod coverage;
mod crew;
mod dice;
mod ending;
mod fault;
mod faults;
mod load;
mod mix;
mod options;
mod report;
mod schedule;
mod site;
mod strike;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use faults::Book;
use report::{Outcome, say};
use site::Site;

pub use options::{HELP, Options, Scenario};
pub use report::Ending;

const TOLD_EVERY: Duration = Duration::from_secs(5);
/// When everything works again, nobody waits longer for an answer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(90);

/// Runs it, and leaves what it found in the folder `results`.
pub async fn run(options: Options, results: &Path) -> Ending {
    say(&format!("seed {}, {} s, {} jobs/s: starting servers and processes", options.seed, options.lasts.as_secs(), options.jobs_per_sec));
    let site = match Site::found(options.seed).await {
        Ok(site) => site,
        Err(missing) => {
            say(missing);
            return Ending::Untried;
        }
    };
    let supervisor = tokio::spawn(Arc::clone(&site).supervise());
    let outcome = async {
        match options.scenario {
            Scenario::Drawn => drawn(&site, options).await,
            Scenario::BrokerAway => broker_away::run(&site, options).await,
        }
    };
    let outcome = tokio::select! {
        outcome = outcome => outcome,
        () = interrupted() => {
            supervisor.abort();
            site.abandon();
            return Ending::Interrupted;
        }
    };
    supervisor.abort();
    report::finish(&site, options, outcome, results).await
}

/// Somebody has lost patience.
async fn interrupted() {
    let mut asked = signal(SignalKind::terminate()).expect("signals can be listened to");
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = asked.recv() => {}
    }
    say("interrupted: ending everything");
}

async fn drawn(site: &Arc<Site>, options: Options) -> Outcome {
    let schedule = schedule::schedule(options.seed, options.lasts);
    let (began, book) = (Instant::now(), Arc::new(Book::default()));
    let submitting = tokio::spawn(Arc::clone(&site.load).go_on(options.jobs_per_sec));
    let telling = tokio::spawn(tell(Arc::clone(site), Arc::clone(&book), began, schedule.len()));
    let faults = faults::throw(site, &schedule, began, Arc::clone(&book)).await;
    sleep_until(began + options.lasts).await;
    let found_broken = site.heal().await;
    let unanswered = site.load.stop(ANSWERED_WITHIN).await;
    submitting.abort();
    say("everything is healed and nothing more is submitted; waiting for the ends");
    let resolved = ending::settle(site).await;
    telling.abort();
    let left_overs = ending::left_overs(site).await;
    let coverage = faults.coverage(&schedule).await;
    let verdict = ending::verdict(site).await;
    let took = began.elapsed();
    Outcome {
        schedule,
        coverage,
        verdict,
        unanswered,
        resolved,
        left_overs,
        found_broken,
        diary: book.diary(),
        took,
        complaints: Vec::new(),
    }
}

/// A line every few seconds, for whoever watches.
async fn tell(site: Arc<Site>, book: Arc<Book>, began: Instant, faults: usize) {
    let mut ticks = interval(TOLD_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let (counts, states) = (site.load.counts(), site.states().await);
        let of = |wanted: &[u64]| -> String {
            let sum =
                |states: Vec<(u64, u64)>| states.iter().filter(|(state, _)| wanted.contains(state)).map(|(_, jobs)| jobs).sum::<u64>();
            states.clone().map_or("?".to_owned(), |states| sum(states).to_string())
        };
        say(&format!(
            "{:4} s: {} jobs accepted, {} ended, {} running, {} queued, {} waiting; {} requests unanswered, {} tries failed; faults {} of {faults}: {}",
            began.elapsed().as_secs(),
            counts.jobs,
            of(&[3, 4, 5, 6]),
            of(&[2]),
            of(&[1]),
            of(&[0]),
            counts.sent - counts.answered,
            counts.failed_tries,
            book.thrown(),
            book.active().join(", ")
        ));
    }
}
