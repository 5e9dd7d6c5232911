//! Says per group what was expected and what happened.
#![expect(clippy::print_stdout, reason = "the demo speaks on standard output")]

use std::collections::BTreeMap;
use std::time::Duration;

use comfy_table::{Table, presets};
use serde_json::Value;

use super::groups::{Expected, GROUPS, Group};
use super::receiver::Ledger;

/// Whether the demo went as it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    AsExpected,
    Otherwise,
}

/// Prints the table; the verdict is good only if every job of every group ended as expected and nothing was forged.
pub fn print(jobs: &[Value], ledger: &Ledger, took: Duration) -> Verdict {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_header(["group", "what the receiver does", "jobs", "expected", "happened", ""]);
    let mut all_good = ledger.forged == 0;
    for group in GROUPS {
        let mine: Vec<&Value> = jobs.iter().filter(|job| Group::of(job).is_some_and(|of| of.name == group.name)).collect();
        let good = mine.len() == group.jobs && mine.iter().all(|job| as_expected(group, job, ledger));
        all_good &= good;
        let (expected, happened) = (expectation(group), happenings(group, &mine, ledger));
        table.add_row([group.name, group.about, &group.jobs.to_string(), &expected, &happened, if good { "ok" } else { "NOT OK" }]);
    }
    println!("{table}");
    let requests: u32 = ledger.deliveries.values().map(|seen| seen.requests).sum();
    let (secs, forged) = (took.as_secs_f64(), ledger.forged);
    println!("{} jobs in {secs:.1} s; {requests} signed requests, {forged} with a bad signature", jobs.len());
    println!("{}", if all_good { "every group ended as expected" } else { "NOT every group ended as expected" });
    if all_good { Verdict::AsExpected } else { Verdict::Otherwise }
}

fn as_expected(group: &Group, job: &Value, ledger: &Ledger) -> bool {
    let id = job["id"].as_str().unwrap_or_default();
    let accepted = ledger.deliveries.get(id).map_or(0, |seen| seen.accepted);
    let told = ledger.callbacks.get(id).copied().unwrap_or(0);
    let ended = match group.expected {
        Expected::Delivered { attempt } => job["state"] == "succeeded" && job["attempt"] == attempt && accepted == 1,
        Expected::Refused { code } => job["state"] == "dead" && job["error"]["code"] == code && accepted == 0,
        Expected::Cancelled => job["state"] == "cancelled" && job["run"] == 1 && accepted == 0,
    };
    let on_time = group.delay.is_none_or(|delay| started_when_due(job, delay).unwrap_or(false));
    ended && on_time && told == u32::from(group.callback)
}

/// Due as late as was asked for (give or take the commit), and started not before that.
fn started_when_due(job: &Value, delay: Duration) -> Option<bool> {
    let time = |name: &str| job[name].as_str()?.parse::<domain::Timestamp>().ok();
    let (created, due, started) = (time("created_at")?, time("run_at")?, time("started_at")?);
    Some(due.since(created) + Duration::from_secs(1) >= delay && started >= due)
}

fn expectation(group: &Group) -> String {
    let end = match group.expected {
        Expected::Delivered { attempt: 1 } => "succeeded, accepted once".to_owned(),
        Expected::Delivered { attempt } => format!("succeeded at attempt {attempt}, accepted once"),
        Expected::Refused { code } => format!("dead ({code}), never accepted"),
        Expected::Cancelled => "cancelled, never accepted".to_owned(),
    };
    let extra = if group.callback { ", one callback each" } else { "" };
    let late = group.delay.map_or_else(String::new, |delay| format!(", not before {}", domain::format_duration(delay)));
    format!("{end}{extra}{late}")
}

fn happenings(group: &Group, jobs: &[&Value], ledger: &Ledger) -> String {
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    for job in jobs {
        let id = job["id"].as_str().unwrap_or_default();
        let accepted = ledger.deliveries.get(id).map_or(0, |seen| seen.accepted);
        let attempt = if job["attempt"] == 1 { String::new() } else { format!(" at attempt {}", job["attempt"]) };
        let state = job["state"].as_str().unwrap_or("?");
        *ends.entry(format!("{state}{attempt}, accepted {accepted}×")).or_default() += 1;
    }
    let told: u32 = jobs.iter().filter_map(|job| ledger.callbacks.get(job["id"].as_str()?)).sum();
    let mut words: Vec<String> = ends.iter().map(|(end, n)| format!("{n} {end}")).collect();
    if group.callback {
        words.push(format!("{told} callbacks"));
    }
    words.join("; ")
}
