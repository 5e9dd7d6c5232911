//! What is being said, and is anything said at all? Passes every line on as it comes, counts, and ends a run that has gone quiet.

use std::io::{BufRead, BufReader, Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use anyhow::Result;

use super::tally::Tally;
use crate::child_group::Leash;

/// libtest reports a test that is slow after a minute, so a run that is alive is never quiet for as long as this.
pub const QUIET_MAX: Duration = Duration::from_secs(600);
/// Lines on their way; the reader waits when there are more.
const LINES_MAX: usize = 1_024;

/// Reads to the end, and writes to `out`. A run that says nothing for `quiet_max` is ended, and the tally says so.
pub fn stream(output: impl Read + Send + 'static, mut out: impl Write, quiet_max: Duration, leash: &Leash) -> Result<Tally> {
    let lines = lines_of(output);
    let mut tally = Tally::default();
    loop {
        let line = match lines.recv_timeout(quiet_max) {
            Ok(line) => line?,
            Err(RecvTimeoutError::Disconnected) => return Ok(tally),
            // Ended already, and still somebody holds the pipe: nothing more can be done for it.
            Err(RecvTimeoutError::Timeout) if tally.is_stuck => return Ok(tally),
            Err(RecvTimeoutError::Timeout) => {
                tally.is_stuck = true;
                leash.cut();
                continue;
            }
        };
        out.write_all(&line)?;
        out.flush()?;
        tally.feed(String::from_utf8_lossy(&line).trim_end());
    }
}

/// Lines as they come, from a thread of their own: a pipe cannot be read with a deadline.
fn lines_of(output: impl Read + Send + 'static) -> Receiver<std::io::Result<Vec<u8>>> {
    let (sender, receiver) = sync_channel(LINES_MAX);
    std::thread::spawn(move || {
        let mut output = BufReader::new(output);
        loop {
            let mut line = Vec::new();
            let read = output.read_until(b'\n', &mut line).map(|_| line);
            if read.as_ref().is_ok_and(Vec::is_empty) || sender.send(read).is_err() {
                return;
            }
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::child_group::ChildGroup;

    fn streamed(script: &str, quiet_max: Duration) -> Tally {
        let (output, input) = std::io::pipe().expect("a pipe");
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdout(input);
        let group = ChildGroup::spawn(&mut command).expect("starts");
        drop(command);
        let leash = group.leash();
        let waiting = std::thread::spawn(move || group.wait());
        let tally = stream(output, std::io::sink(), quiet_max, &leash).expect("read");
        waiting.join().expect("no panic").expect("ended");
        tally
    }

    #[test]
    fn a_run_that_goes_quiet_is_ended_and_says_who_was_running() {
        let said = "echo '     Running tests/it.rs (t/it-0f)'; echo 'test a ... ok'; echo 'test b has been running for over 60 seconds'";
        let tally = streamed(&format!("{said}; sleep 600"), Duration::from_millis(300));
        assert!(tally.is_stuck);
        assert_eq!(tally.suites[0].slow, ["b"]);
        assert_eq!(tally.suites[0].tests.len(), 1);
    }

    #[test]
    fn a_run_that_speaks_is_left_alone() {
        let tally = streamed("echo '     Running tests/it.rs (t/it-0f)'; printf 'test a ... ok'", Duration::from_secs(60));
        assert!(!tally.is_stuck);
        assert_eq!(tally.suites[0].tests.len(), 1, "also the last line, which has no end");
    }
}
