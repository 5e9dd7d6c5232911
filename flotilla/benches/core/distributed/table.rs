//! How do the figures stand against what is to be reached? A row each: the median of the rounds, their range, the target.

use serde_json::Value;

/// What a figure is to be.
#[derive(Debug, Clone, Copy)]
enum Target {
    AtLeast(f64),
    AtMost(f64),
    None,
}

impl Target {
    fn shown(self, value: f64) -> String {
        let (words, reached) = match self {
            Self::AtLeast(bound) => (format!(">= {bound}"), value >= bound),
            Self::AtMost(bound) => (format!("<= {bound}"), value <= bound),
            Self::None => return String::new(),
        };
        format!("{words:<14} {}", if reached { "reached" } else { "MISSED" })
    }
}

const ROUNDS: [(&str, &str, Target); 13] = [
    ("drain, 1 worker, jobs/s", "/drain_1/per_second", Target::None),
    ("  broker messages before it", "/drain_1/messages", Target::None),
    ("drain, 2 workers, jobs/s", "/drain_2/per_second", Target::None),
    ("  broker messages before it", "/drain_2/messages", Target::None),
    ("bulk submit, 4 connections, jobs/s", "/bulk/per_second", Target::AtLeast(60_000.0)),
    ("single submit, 64 connections, jobs/s", "/single_64/per_second", Target::AtLeast(8_000.0)),
    ("  p99, ms", "/single_64/p99_ms", Target::None),
    ("single submit, 256 connections, jobs/s", "/single_256/per_second", Target::None),
    ("  p99, ms", "/single_256/p99_ms", Target::None),
    ("drain of single submits, jobs/s", "/drain_singles/per_second", Target::None),
    ("bulk and drain together, jobs/s", "/together/per_second", Target::None),
    ("worker in a drain, peak MiB", "/drain_1/rss_peak_mib/worker", Target::None),
    ("producer in single submits, peak MiB", "/single_256/rss_peak_mib/producer", Target::None),
];

const ONCE: [(&str, &str, Target); 14] = [
    ("pick-up at 50/s, p50 ms", "/pickup/p50_ms", Target::AtMost(3.0)),
    ("pick-up at 50/s, p99 ms", "/pickup/p99_ms", Target::AtMost(10.0)),
    ("pick-up at 50/s, max ms", "/pickup/max_ms", Target::None),
    ("  send to insertion, p50 ms", "/pickup/send_to_insert/p50_ms", Target::None),
    ("  send to insertion, p99 ms", "/pickup/send_to_insert/p99_ms", Target::None),
    ("  insertion to claim, p50 ms", "/pickup/insert_to_claim/p50_ms", Target::None),
    ("  insertion to claim, p99 ms", "/pickup/insert_to_claim/p99_ms", Target::None),
    ("  claim to handler, p50 ms", "/pickup/claim_to_handler/p50_ms", Target::None),
    ("  claim to handler, p99 ms", "/pickup/claim_to_handler/p99_ms", Target::None),
    ("idle webhooks-worker, MiB", "/idle/rss_mib/webhooks_worker", Target::AtMost(25.0)),
    ("idle worker of this benchmark, MiB", "/idle/rss_mib/worker", Target::None),
    ("idle producer, MiB", "/idle/rss_mib/producer", Target::None),
    ("idle scheduler, MiB", "/idle/rss_mib/scheduler", Target::None),
    ("load average before pick-up", "/pickup/load_before", Target::None),
];

const PHASES: [&str; 7] = ["bulk", "drain_1", "drain_2", "single_64", "single_256", "drain_singles", "together"];

pub fn print_conditions(conditions: &Value) {
    println!("servers: {conditions}");
}

pub fn rows(measured: &Value, raw: &Value) -> Vec<String> {
    let rounds: Vec<Value> = measured["rounds"].as_array().cloned().unwrap_or_default();
    let mut rows: Vec<String> = ROUNDS.iter().filter_map(|row| of_rounds(row, &rounds)).collect();
    for (label, path, target) in ONCE {
        rows.extend(measured.pointer(path).and_then(Value::as_f64).map(|value| row(label, value, None, target)));
    }
    rows.extend(ratio(&rounds, raw));
    rows.push("processor time of the last round, microseconds a job:".to_owned());
    rows.extend(PHASES.iter().filter_map(|phase| spent(phase, rounds.last()?)));
    rows
}

/// Who used the processor in a phase; what is told is of little worth for parts below one microsecond.
fn spent(phase: &str, round: &Value) -> Option<String> {
    let jobs = round[phase]["jobs"].as_f64()?;
    let per_job = |(name, secs): (&String, &Value)| Some(format!("{name} {:.1}", secs.as_f64()? * 1_000_000.0 / jobs));
    let parts: Vec<String> = round[phase]["cpu_secs"].as_object()?.iter().filter_map(per_job).collect();
    Some(format!("  {phase:<14} {}", parts.join(" · ")))
}

fn of_rounds((label, path, target): &(&str, &str, Target), rounds: &[Value]) -> Option<String> {
    let mut values: Vec<f64> = rounds.iter().filter_map(|round| round.pointer(path)?.as_f64()).collect();
    values.sort_by(f64::total_cmp);
    let (first, last) = (*values.first()?, *values.last()?);
    Some(row(label, values[values.len() / 2], Some((first, last)), *target))
}

/// Against what the same servers do for a bare program in the same run.
fn ratio(rounds: &[Value], raw: &Value) -> Option<String> {
    let Some(raw) = raw["mean"].as_f64() else {
        return Some(format!("{:<42} skipped: {}", "drain against the raw combined drain", raw["before"]["skipped"]));
    };
    let mut drains: Vec<f64> = rounds.iter().filter_map(|round| round.pointer("/drain_1/per_second")?.as_f64()).collect();
    drains.sort_by(f64::total_cmp);
    let range = (drains.first()? / raw, drains.last()? / raw);
    let label = format!("drain, 1 worker, of the raw {raw:.0}/s");
    Some(row(&label, drains[drains.len() / 2] / raw, Some(range), Target::AtLeast(0.6)))
}

fn row(label: &str, value: f64, range: Option<(f64, f64)>, target: Target) -> String {
    let range = range.map(|(first, last)| format!("({} - {})", shown(first), shown(last))).unwrap_or_default();
    format!("{label:<42} {:>9} {range:<22} {}", shown(value), target.shown(value)).trim_end().to_owned()
}

fn shown(value: f64) -> String {
    if value >= 1_000.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}
