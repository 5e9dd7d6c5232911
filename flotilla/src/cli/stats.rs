//! `flotilla stats`: the fleet's numbers of late, once or again and again.

use std::time::Duration;

use clap::Args;
use comfy_table::Cell;
use flotilla_client::{Client, Minute, Stats as Numbers, Totals};

use super::say::{Format, Readers};
use super::screen::Screen;
use super::{Outcome, clock, say, table};

/// Minutes of the little picture.
const SHOWN_MINUTES: usize = 60;

/// Show the fleet's numbers of late.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flotilla stats
  flotilla stats --window 24h
  flotilla stats --watch
  flotilla stats --watch --every 10s --json | jq -c '{at, queued, running}'")]
pub struct Stats {
    /// How far back, from 5m to 24h
    #[arg(long, default_value = "1h", value_name = "DURATION", value_parser = domain::parse_duration)]
    window: Duration,
    /// Look again and again, until Ctrl-C
    #[arg(long)]
    watch: bool,
    /// With --watch: how often
    #[arg(long, default_value = "2s", value_name = "DURATION", value_parser = often, requires = "watch")]
    every: Duration,
}

impl Stats {
    pub async fn run(self, client: &Client, format: Format) -> anyhow::Result<Outcome> {
        let mut looks = tokio::time::interval(self.every);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut screen = Screen::default();
        loop {
            looks.tick().await;
            let numbers = client.stats(self.window).await?;
            let readers = match format {
                Format::Json => say::json_piece(numbers.text()),
                Format::Text if self.watch && say::on_terminal() => screen.draw(&picture(&numbers)),
                Format::Text if self.watch => say::piece(&format!("{}\n", summary(&numbers))),
                Format::Text => say::piece(&format!("{}\n", picture(&numbers))),
            };
            if !self.watch || readers == Readers::Left {
                return Ok(Outcome::Done);
            }
        }
    }
}

fn often(text: &str) -> Result<Duration, String> {
    let every = domain::parse_duration(text).map_err(|error| error.to_string())?;
    if every < Duration::from_millis(500) { Err("at least 500ms".to_owned()) } else { Ok(every) }
}

/// In one line.
fn summary(numbers: &Numbers) -> String {
    let Numbers { at, workers, running, queued, totals, window, .. } = numbers;
    let (at, oldest) = (at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true), clock::shortened(numbers.oldest_age.as_deref()));
    let Totals { succeeded, retried, dead, .. } = totals;
    format!(
        "{at}  {running} running on {} slots  {queued} queued (oldest {oldest})  in {window}: {succeeded} done, {retried} retried, {dead} dead",
        workers.slots
    )
}

fn picture(numbers: &Numbers) -> String {
    let Numbers { workers, running, queued, window, .. } = numbers;
    let oldest = clock::shortened(numbers.oldest_age.as_deref());
    let head = format!(
        "workers {} with {} slots · {running} running · {queued} queued, oldest {oldest} · the last {window}",
        workers.live, workers.slots
    );
    let mut rows = vec![row("all", &numbers.totals.name, &numbers.totals)];
    rows.extend(numbers.queues.iter().map(|queue| row("queue", &queue.name, queue)));
    rows.extend(numbers.kinds.iter().map(|kind| row("kind", &kind.name, kind)));
    let table = table::rendered(&["", "NAME", "DONE", "RETRIED", "DEAD", "MEAN RUN", "MEAN WAIT"], rows);
    let first = numbers.minutes.len().saturating_sub(SHOWN_MINUTES);
    let bars = bars(&numbers.minutes[first..]);
    let bars = if bars.is_empty() { bars } else { format!("{bars}\n") };
    format!("{head}\n{bars}\n{table}")
}

fn row(what: &str, name: &str, totals: &Totals) -> Vec<Cell> {
    vec![
        table::text(what),
        table::text(name),
        table::number(totals.succeeded),
        table::number(totals.retried),
        table::bad_number(totals.dead),
        table::text(clock::shortened(totals.mean_run.as_deref())),
        table::text(clock::shortened(totals.mean_wait.as_deref())),
    ]
}

/// A bar for each minute, as high as its share of the best one.
fn bars(minutes: &[Minute]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let Some(most) = minutes.iter().map(|minute| minute.succeeded).max().filter(|most| *most > 0) else { return String::new() };
    let bar = |minute: &Minute| BARS[usize::try_from(minute.succeeded * 7 / most).unwrap_or(0).min(7)];
    let picture: String = minutes.iter().map(bar).collect();
    format!("{picture} at most {most} done in a minute")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers() -> Numbers {
        let minute = |n: u64| serde_json::json!({ "minute": format!("2026-11-20T10:0{n}:00Z"), "succeeded": n * 10 });
        let numbers = serde_json::json!({
            "at": "2026-11-20T10:03:00Z", "window": "1h", "workers": { "live": 2, "slots": 20 }, "running": 5, "queued": 12,
            "oldest_age": "90s", "totals": { "succeeded": 60, "retried": 3, "dead": 1, "mean_run": "120ms", "mean_wait": "4s" },
            "queues": [{ "queue": "mail", "succeeded": 60 }], "kinds": [], "minutes": [minute(0), minute(1), minute(2), minute(3)],
        });
        serde_json::from_value(numbers).expect("numbers")
    }

    #[test]
    fn the_picture_has_everything() {
        let picture = anstream::adapter::strip_str(&picture(&numbers())).to_string();
        let lines: Vec<&str> = picture.lines().map(str::trim_end).collect();
        assert_eq!(lines[0], "workers 2 with 20 slots · 5 running · 12 queued, oldest 1m30s · the last 1h");
        assert_eq!(lines[1], "▁▃▅█ at most 30 done in a minute");
        assert_eq!(lines[3], "       NAME  DONE  RETRIED  DEAD  MEAN RUN  MEAN WAIT");
        assert_eq!(lines[4], "all            60        3     1  120ms     4s");
        assert_eq!(lines[5], "queue  mail    60        0     0  -         -");
    }

    #[test]
    fn a_line_has_what_matters() {
        let line = summary(&numbers());
        assert_eq!(line, "2026-11-20T10:03:00Z  5 running on 20 slots  12 queued (oldest 1m30s)  in 1h: 60 done, 3 retried, 1 dead");
    }
}
