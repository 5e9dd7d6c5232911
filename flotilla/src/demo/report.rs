//! Says per group what was expected and what happened.
#![expect(clippy::print_stdout, reason = "the demo speaks on standard output")]

use std::collections::BTreeMap;
use std::time::Duration;

use comfy_table::{Table, presets};
use flotilla_client::{Job, State};

use super::groups::{Expected, GROUPS, Group};
use super::receiver::Ledger;

/// Whether the demo went as it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    AsExpected,
    Otherwise,
}

/// Prints the table; the verdict is good only if every job of every group ended as expected and nothing was forged.
pub fn print(jobs: &[Job], ledger: &Ledger, took: Duration) -> Verdict {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_header(["group", "what the receiver does", "jobs", "expected", "happened", ""]);
    let mut all_good = ledger.forged == 0;
    for group in GROUPS {
        let mine: Vec<&Job> = jobs.iter().filter(|job| Group::of(job).is_some_and(|of| of.name == group.name)).collect();
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

fn as_expected(group: &Group, job: &Job, ledger: &Ledger) -> bool {
    let id = job.id.to_string();
    let accepted = ledger.deliveries.get(&id).map_or(0, |seen| seen.accepted);
    let told = ledger.callbacks.get(&id).copied().unwrap_or(0);
    let ended = match group.expected {
        Expected::Delivered { attempt } => job.state == State::Succeeded && job.attempt == attempt && accepted == 1,
        Expected::Refused { code } => {
            job.state == State::Dead && job.error.as_ref().is_some_and(|error| error.code == code) && accepted == 0
        }
        Expected::Cancelled => job.state == State::Cancelled && job.run == 1 && accepted == 0,
    };
    let on_time = group.delay.is_none_or(|delay| started_when_due(job, delay).unwrap_or(false));
    ended && on_time && told == u32::from(group.callback)
}

/// Due as late as was asked for (give or take the commit), and started not before that.
fn started_when_due(job: &Job, delay: Duration) -> Option<bool> {
    let put_off = (job.run_at - job.created_at).to_std().ok()?;
    Some(put_off + Duration::from_secs(1) >= delay && job.started_at? >= job.run_at)
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

fn happenings(group: &Group, jobs: &[&Job], ledger: &Ledger) -> String {
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    for job in jobs {
        let accepted = ledger.deliveries.get(&job.id.to_string()).map_or(0, |seen| seen.accepted);
        let attempt = if job.attempt == 1 { String::new() } else { format!(" at attempt {}", job.attempt) };
        *ends.entry(format!("{}{attempt}, accepted {accepted}×", job.state)).or_default() += 1;
    }
    let told: u32 = jobs.iter().filter_map(|job| ledger.callbacks.get(&job.id.to_string())).sum();
    let mut words: Vec<String> = ends.iter().map(|(end, n)| format!("{n} {end}")).collect();
    if group.callback {
        words.push(format!("{told} callbacks"));
    }
    words.join("; ")
}
