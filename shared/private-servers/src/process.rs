//! What becomes of a process that may not be our child? It is told by signals and seen in `/proc`.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::error::ServerError;
use crate::patience::wait_for;

/// Sends a signal by its name without `SIG`. An error means that nobody is there any more, which is as good.
///
/// The shell's own `kill`, because a bare Debian has no other and a system call would need `unsafe`.
pub fn signal(name: &str, targets: &[u32]) {
    let targets = targets.iter().map(ToString::to_string);
    send(name, &targets.collect::<Vec<_>>());
}

/// The same for a whole process group.
pub fn signal_group(name: &str, group: u32) {
    send(name, &[format!("-{group}")]);
}

fn send(name: &str, targets: &[String]) {
    let mut command = Command::new("sh");
    command.args(["-c", r#"name=$1; shift; kill -s "$name" -- "$@""#, "signal", name]).args(targets);
    drop(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status());
}

/// When it was started, in ticks since the machine was; `None` when it is not running. A number alone does not name a process:
/// numbers are used again.
pub fn started_at(pid: u32) -> Option<u64> {
    let fields = stat(pid)?;
    // A zombie has ended; that nobody asked how is not its fault.
    (fields.first()? != "Z").then_some(())?;
    fields.get(19)?.parse().ok()
}

/// The process and all that come from it.
pub fn family(pid: u32) -> Vec<u32> {
    let parents: BTreeMap<u32, u32> = pids().filter_map(|pid| Some((pid, stat(pid)?.get(1)?.parse().ok()?))).collect();
    let mut family = vec![pid];
    let mut next = 0;
    while let Some(parent) = family.get(next).copied() {
        family.extend(parents.iter().filter(|(_, of)| **of == parent).map(|(child, _)| *child));
        next += 1;
    }
    family
}

/// Ends the members of a group that work in `directory`. The group's leader has ended, so its number may be a stranger's by now;
/// the directory is nobody else's.
pub fn end_stragglers(group: u32, directory: &Path) {
    let is_member = |pid: &u32| stat(*pid).is_some_and(|fields| fields.get(2) == Some(&group.to_string()));
    let works_there = |pid: &u32| std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|place| place == directory);
    let stragglers: Vec<u32> = pids().filter(is_member).filter(works_there).collect();
    if !stragglers.is_empty() {
        signal("KILL", &stragglers);
    }
}

/// Runs a program with this input, and returns what it prints if its standard output is piped.
///
/// # Errors
/// When it fails or takes longer than `within`. What it says on standard error is its log's.
pub fn run_to_end(program: &str, command: &mut Command, input: &str, within: Duration) -> Result<String, ServerError> {
    let failed = |said: String| ServerError::Program { program: program.to_owned(), said };
    let mut child = command.spawn().map_err(ServerError::io(format!("start `{program}`")))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read it all says why by its status.
        drop(stdin.write_all(input.as_bytes()));
    }
    let reading = child.stdout.take().map(|mut stdout| {
        std::thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).map(|_| text).unwrap_or_default()
        })
    });
    let ended = wait_for(within, || child.try_wait().ok().flatten());
    if ended.is_none() {
        signal_group("KILL", child.id());
        drop(child.wait());
    }
    let said = reading.and_then(|reading| reading.join().ok()).unwrap_or_default();
    match ended {
        Some(status) if status.success() => Ok(said),
        Some(status) => Err(failed(format!("{status}; its log is beside its files. {said}"))),
        None => Err(failed(format!("it did not end within {} s", within.as_secs()))),
    }
}

fn pids() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The fields of `/proc/<pid>/stat` from the state on; the program's name before them may hold anything.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn we_are_running_and_have_children() {
        let us = std::process::id();
        assert!(started_at(us).is_some());
        let mut child = Command::new("sh").args(["-c", "read -r _"]).stdin(Stdio::piped()).spawn().expect("starts");
        let (pid, started) = (child.id(), started_at(child.id()));
        assert!(started.is_some() && started >= started_at(us));
        assert!(family(us).contains(&pid));
        signal("KILL", &[pid]);
        child.wait().expect("ended by the signal");
        assert_eq!(started_at(pid), None);
    }

    #[test]
    fn stragglers_are_told_from_strangers_by_where_they_work() {
        use std::os::unix::process::CommandExt;
        let (ours, theirs) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
        let start = |directory: &tempfile::TempDir, group: i32| {
            let mut command = Command::new("sh");
            command.args(["-c", "exec sleep 600"]).current_dir(directory.path()).stdin(Stdio::null()).process_group(group);
            command.spawn().expect("starts")
        };
        let mut stranger = start(&theirs, 0);
        let group = stranger.id();
        let mut straggler = start(&ours, i32::try_from(group).expect("a process number"));
        end_stragglers(group, ours.path());
        assert!(!straggler.wait().expect("ended").success());
        assert!(stranger.try_wait().expect("ours").is_none());
        stranger.kill().and_then(|()| stranger.wait()).expect("ended");
    }
}
