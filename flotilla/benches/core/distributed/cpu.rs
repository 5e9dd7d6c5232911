//! Who used the processor, and how much memory has a process? As the kernel counts it, in `/proc`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;

/// Ticks a second in `/proc/<pid>/stat`: the same on all Linux machines that we can meet.
const TICKS: f64 = 100.0;

/// Seconds by who used them.
pub type Usage = BTreeMap<&'static str, f64>;

/// Seconds that a process has used.
pub fn of_process(pid: u32) -> f64 {
    ticks(pid, 2) / TICKS
}

/// Seconds that the processes working in a directory have used, with their children that have ended.
pub fn of_directory(directory: &Path) -> f64 {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let works_there = |pid: &u32| std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|place| place.starts_with(directory));
    pids.filter(works_there).map(|pid| ticks(pid, 4)).sum::<f64>() / TICKS
}

/// What was used between two looks; whoever was not there at the first had used nothing.
pub fn between(before: &Usage, after: &Usage) -> Usage {
    let used = |(name, secs): (&&'static str, &f64)| {
        let used = secs - before.get(name).copied().unwrap_or(0.0);
        (*name, (used * 100.0).round() / 100.0)
    };
    after.iter().map(used).collect()
}

/// User and system time, and with `fields` 4 those of children that were waited for.
fn ticks(pid: u32, fields: usize) -> f64 {
    let Ok(text) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return 0.0 };
    // The program's name may hold anything; counted from behind it, user time is the twelfth.
    let Some((_, rest)) = text.rsplit_once(')') else { return 0.0 };
    rest.split_whitespace().skip(11).take(fields).filter_map(|ticks| ticks.parse::<f64>().ok()).sum()
}

/// Resident memory in MiB: `VmRSS` now, `VmHWM` at most so far.
pub fn resident(pid: u32, what: &str) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).context("the process is gone")?;
    let line = status.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':')).context("no such field")?;
    let kib: f64 = line.split_whitespace().next().context("no number")?.parse()?;
    Ok((kib / 102.4).round() / 10.0)
}
