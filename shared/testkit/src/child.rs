//! What becomes of a process that a test starts? It ends with the test, however that ends.

use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::eventually::eventually;

/// A running process, killed and reaped on drop.
#[derive(Debug)]
pub struct ChildGuard {
    child: Child,
    program: String,
}

impl ChildGuard {
    /// Starts it; without standard input, its outputs as the caller set them.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn spawn(command: &mut Command) -> Self {
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command.stdin(Stdio::null()).spawn().unwrap_or_else(|error| panic!("could not start `{program}`: {error}"));
        Self { child, program }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The process, to take its piped outputs from.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Ends it without a word, as `kill -9` and the out-of-memory killer do.
    ///
    /// # Panics
    /// When it cannot be reaped.
    pub fn kill(&mut self) -> ExitStatus {
        // An error means that it had already ended; waiting tells how.
        drop(self.child.kill());
        self.child.wait().unwrap_or_else(|error| panic!("could not wait for `{}`: {error}", self.program))
    }

    /// Asks it to end, as an orchestrator does before it loses patience.
    ///
    /// # Panics
    /// When it cannot be asked because it has already ended.
    pub fn terminate(&mut self) {
        self.signal("TERM");
    }

    /// Stops it where it is: its connections stay open, and nobody answers. Its clocks go on.
    ///
    /// # Panics
    /// When the process has already ended.
    pub fn pause(&mut self) {
        self.signal("STOP");
    }

    /// Lets it go on after [`ChildGuard::pause`].
    ///
    /// # Panics
    /// When the process has already ended.
    pub fn resume(&mut self) {
        self.signal("CONT");
    }

    /// Sends a signal by its name without `SIG`: `TERM`, `INT`, `STOP`, `CONT`.
    ///
    /// # Panics
    /// When the process has already ended.
    pub fn signal(&mut self, name: &str) {
        // The shell's own `kill`, because a bare Debian has no other and a system call would need `unsafe`.
        let sent = Command::new("sh").args(["-c", r#"kill -s "$1" "$2""#, "signal", name, &self.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "could not send {name} to `{}`", self.program);
    }

    /// How it ended, or `None` while it runs.
    ///
    /// # Panics
    /// When the system does not know it.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap_or_else(|error| panic!("could not ask after `{}`: {error}", self.program))
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it has not ended `within` the deadline.
    pub async fn end(&mut self, within: Duration) -> ExitStatus {
        let what = format!("`{}` ends", self.program);
        eventually(&what, within, async || self.ended()).await
    }
}

impl Drop for ChildGuard {
    fn drop(&mut self) {
        // Both fail only when somebody has reaped it already, which is as good.
        drop(self.child.kill().and_then(|()| self.child.wait()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);
    const SILENCE: Duration = Duration::from_millis(500);

    fn shell(script: &str) -> ChildGuard {
        ChildGuard::spawn(Command::new("sh").args(["-c", script]).stdout(Stdio::piped()))
    }

    #[tokio::test]
    async fn it_tells_how_it_ended() {
        assert_eq!(shell("exit 3").end(LONG).await.code(), Some(3));
    }

    #[tokio::test]
    async fn it_can_be_asked_to_end() {
        let mut child = shell("exec sleep 60");
        assert_eq!(child.ended(), None);
        child.terminate();
        assert!(!child.end(LONG).await.success());
    }

    #[tokio::test]
    async fn it_says_nothing_while_it_is_paused() {
        use tokio::io::{AsyncBufReadExt, BufReader};
        let mut child = shell("while true; do echo here; sleep 0.01; done");
        let output = tokio::process::ChildStdout::from_std(child.child().stdout.take().expect("piped")).expect("readable");
        let mut lines = BufReader::new(output).lines();
        let mut next = async |wait| tokio::time::timeout(wait, lines.next_line()).await.map(|line| line.expect("readable"));
        assert!(next(LONG).await.expect("a line").is_some());
        child.pause();
        // What it had said before is heard to its end.
        while next(SILENCE).await.is_ok() {}
        assert_eq!(child.ended(), None);
        child.resume();
        assert!(next(LONG).await.expect("a line").is_some());
    }

    #[test]
    fn it_is_killed_with_its_guard() {
        use std::io::Read;
        let mut child = shell("exec sleep 60");
        let mut output = child.child().stdout.take().expect("piped");
        drop(child);
        // Ends only because the process that held the other end is gone.
        output.read_to_string(&mut String::new()).expect("readable");
    }
}
