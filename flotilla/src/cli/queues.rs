//! `flotilla queues`: what waits where.

use clap::Subcommand;
use comfy_table::Cell;
use flotilla_client::{ClassView, Client, Queue, Rates};

use super::say::Format;
use super::{Outcome, clock, say, table};

const HEAD: [&str; 7] = ["QUEUE", "PRIORITY", "WAITING", "OLDEST", "DONE/MIN", "RETRIED/MIN", "DEAD/MIN"];

#[derive(Debug, Subcommand)]
pub enum Queues {
    /// List queues with what waits in them, of all tenants
    #[command(after_help = "\
Examples:
  flotilla queues list
  flotilla queues list --json | jq '.queues[] | {name, depth}'")]
    List,
    /// Show a queue by priority
    #[command(after_help = "\
Example:
  flotilla queues show webhooks")]
    Show {
        /// The queue's name
        name: String,
    },
}

impl Queues {
    pub async fn run(self, client: &Client, format: Format) -> anyhow::Result<Outcome> {
        match self {
            Self::List => {
                let found = client.queues().await?;
                match format {
                    Format::Json => say::json(found.text()),
                    Format::Text => table::show(&HEAD, found.queues.iter().flat_map(rows_that_matter).collect(), "no queues"),
                }
            }
            Self::Show { name } => {
                let queue = client.queue(&name).await?;
                match format {
                    Format::Json => say::json(queue.text()),
                    Format::Text => table::show(&HEAD, rows(&queue, |_| true), "no such queue"),
                }
            }
        }
        Ok(Outcome::Done)
    }
}

/// The queue, and its priorities where something waits or happens.
fn rows_that_matter(queue: &Queue) -> Vec<Vec<Cell>> {
    rows(queue, |class| class.depth > 0 || class.rates.is_some_and(|rates| rates != Rates::default()))
}

fn rows(queue: &Queue, which: impl Fn(&ClassView) -> bool) -> Vec<Vec<Cell>> {
    let whole = row(&queue.name, "", queue.depth, queue.oldest_age.as_deref(), queue.rates.or_else(|| sum(&queue.priorities)));
    let classes = queue.priorities.iter().filter(|class| which(class));
    let classes = classes.map(|class| row("", class.priority.as_str(), class.depth, class.oldest_age.as_deref(), class.rates));
    std::iter::once(whole).chain(classes).collect()
}

fn sum(classes: &[ClassView]) -> Option<Rates> {
    let each = classes.iter().filter_map(|class| class.rates);
    each.reduce(|mut all, rates| {
        all.succeeded_per_minute += rates.succeeded_per_minute;
        all.retried_per_minute += rates.retried_per_minute;
        all.dead_per_minute += rates.dead_per_minute;
        all
    })
}

fn row(queue: &str, priority: &str, depth: u64, oldest_age: Option<&str>, rates: Option<Rates>) -> Vec<Cell> {
    let rate = |rate: fn(Rates) -> f64| table::number(rates.map_or_else(|| "-".to_owned(), |rates| per_minute(rate(rates))));
    vec![
        table::text(queue),
        table::text(priority),
        table::number(depth),
        table::text(clock::shortened(oldest_age)),
        rate(|rates| rates.succeeded_per_minute),
        rate(|rates| rates.retried_per_minute),
        rate(|rates| rates.dead_per_minute),
    ]
}

/// Small rates with a decimal, none as 0.
fn per_minute(rate: f64) -> String {
    if rate > 0.0 && rate < 10.0 { format!("{rate:.1}") } else { format!("{rate:.0}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_shown_with_the_priorities_that_matter() {
        let rates = |n: f64| serde_json::json!({ "succeeded_per_minute": n, "retried_per_minute": 0, "dead_per_minute": 0.2 });
        let queue = serde_json::json!({
            "name": "mail", "depth": 12, "oldest_age": "90s", "rates": rates(1_200.4),
            "priorities": [{ "priority": "high", "depth": 12, "oldest_age": "90s", "rates": rates(2.5) }, { "priority": "low", "depth": 0 }],
        });
        let queue: Queue = serde_json::from_value(queue).expect("a queue");
        let shown = table::rendered(&HEAD, rows_that_matter(&queue));
        let bare = anstream::adapter::strip_str(&shown).to_string();
        let lines: Vec<&str> = bare.lines().map(str::trim_end).collect();
        assert_eq!(
            lines,
            [
                "QUEUE  PRIORITY  WAITING  OLDEST  DONE/MIN  RETRIED/MIN  DEAD/MIN",
                "mail                  12  1m30s       1200            0       0.2",
                "       high           12  1m30s        2.5            0       0.2",
            ]
        );
    }
}
