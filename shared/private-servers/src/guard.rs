//! Who stops a server when whoever started it ends, however that ends? Two shells that read from pipes only we hold.
//!
//! The *guard* is a member of the server's process group, which keeps the group's number from being given to strangers. At the
//! end of its input it asks the server to end, and then kills the group, itself included. The *sweeper* is outside of every
//! group. Guards hold its input as well, so it removes the files when the last server is gone. Neither needs `unsafe` nor a
//! signal handler, and both work when we are killed with SIGKILL.

use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::error::ServerError;

/// Input `keep` lets the server go on without a guard. `kill -s KILL -- -1` is the one spelling that dash and bash take as a group.
/// Being asked means nothing to a process that is stopped, hence CONT, also for children that lead groups of their own.
///
/// HUP is what the system sends to a group that has lost its parent while a member was stopped: to the guard as well.
const GUARD: &str = r#"trap '' HUP
read -r word || word=end
[ "$word" = keep ] && exit 0
if [ "$1" != KILL ]; then
    kill -s "$1" "$2"
    read -r children <"/proc/$2/task/$2/children"
    kill -s CONT -- "-$2" $children
    looks=0
    while [ "$looks" -lt 100 ] && kill -s 0 "$2"; do looks=$((looks + 1)); sleep 0.1; done
fi
kill -s KILL -- "-$2""#;

/// Repeated, because what was killed a moment ago may still be writing.
const SWEEP: &str = r#"cat >/dev/null
for _ in 1 2 3 4 5 6 7 8 9 10; do rm -rf -- "$@" && exit 0; sleep 0.2; done
exit 1"#;

/// Removes directories when it is dropped and the last server below them has ended.
#[derive(Debug)]
pub struct Sweeper(Watcher);

impl Sweeper {
    /// # Errors
    /// When there is no `sh`.
    pub fn over(directories: &[PathBuf]) -> Result<Self, ServerError> {
        let mut command = Command::new("sh");
        command.args(["-c", SWEEP, "sweeper"]).args(directories).stdout(Stdio::null());
        Watcher::spawn(command.process_group(0)).map(Self)
    }

    /// Another writing end of its input, to be held by a guard.
    fn input(&self) -> Result<Stdio, ServerError> {
        let Some(input) = &self.0.input else { return Ok(Stdio::null()) };
        let input = input.as_fd().try_clone_to_owned().map_err(ServerError::io("hand a pipe to a guard"))?;
        Ok(input.into())
    }
}

/// Stops one server when it is dropped.
#[derive(Debug)]
pub struct Guard(Watcher);

impl Guard {
    /// Over the process group that `server` leads; `signal` is what ends it soon and cleanly.
    pub fn over(server: u32, signal: &str, sweeper: Option<&Sweeper>) -> Result<Self, ServerError> {
        let group = i32::try_from(server).map_err(|_| ServerError::io("guard a server")(std::io::ErrorKind::InvalidInput.into()))?;
        let mut command = Command::new("sh");
        command.args(["-c", GUARD, "guard", signal, &server.to_string()]);
        command.stdout(sweeper.map_or_else(|| Ok(Stdio::null()), Sweeper::input)?);
        Watcher::spawn(command.process_group(group)).map(Self)
    }

    /// Leaves the server running.
    pub fn dismiss(mut self) -> Result<(), ServerError> {
        let Some(input) = &mut self.0.input else { return Ok(()) };
        input.write_all(b"keep\n").map_err(ServerError::io("dismiss a guard"))
    }

    /// Tells it to act, without waiting for it.
    pub fn release(&mut self) {
        drop(self.0.input.take());
    }
}

/// A shell that acts at the end of its input.
#[derive(Debug)]
struct Watcher {
    shell: Child,
    input: Option<ChildStdin>,
}

impl Watcher {
    fn spawn(command: &mut Command) -> Result<Self, ServerError> {
        command.stdin(Stdio::piped()).stderr(Stdio::null());
        let mut shell = command.spawn().map_err(ServerError::io("start `sh`, which ends private servers with us"))?;
        let input = shell.stdin.take();
        Ok(Self { shell, input })
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        drop(self.input.take());
        // It has a bound of its own. What it could not do is told by nobody: there is nobody left to be told.
        drop(self.shell.wait());
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::patience::wait_for;
    use crate::process::started_at;

    const LONG: Duration = Duration::from_secs(60);

    fn leader(script: &str, directory: &Path) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", script]).current_dir(directory).stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0);
        let mut child = command.spawn().expect("starts");
        // The trap must be set before anybody is asked to end.
        let mut line = [0; 1];
        std::io::Read::read_exact(child.stdout.as_mut().expect("piped"), &mut line).expect("it says that it runs");
        child
    }

    #[test]
    fn a_server_is_asked_first_and_files_go_after_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let inner = directory.path().join("inner");
        std::fs::create_dir(&inner).expect("made");
        // Its end takes a while, and it looks whether its directory is still there.
        let script = "trap 'sleep 0.5; test -d \"$PWD\" && exit 7; exit 8' INT; echo; while :; do sleep 0.05; done";
        let mut server = leader(script, &inner);
        let mut sweeper = Sweeper::over(std::slice::from_ref(&inner)).expect("sweeps");
        let mut guard = Guard::over(server.id(), "INT", Some(&sweeper)).expect("guards");
        // As when we are killed: both see the end of their input at once.
        drop((sweeper.0.input.take(), guard.0.input.take()));
        assert_eq!(server.wait().expect("ended").code(), Some(7));
        drop((guard, sweeper));
        assert!(!inner.exists());
    }

    #[test]
    fn a_server_that_does_not_listen_is_killed_with_its_group() {
        let mut server = leader("trap '' INT; sleep 600 & echo; kill -s STOP $$; wait", Path::new("/"));
        let guard = Guard::over(server.id(), "KILL", None).expect("guards");
        drop(guard);
        assert!(!server.wait().expect("ended").success());
    }

    #[test]
    fn a_dismissed_guard_leaves_the_server_alone() {
        let mut server = leader("echo; exec sleep 600", Path::new("/"));
        let mut guard = Guard::over(server.id(), "KILL", None).expect("guards");
        let shell = guard.0.shell.id();
        let input = guard.0.input.as_mut().expect("piped");
        input.write_all(b"keep\n").expect("written");
        let gone = wait_for(LONG, || started_at(shell).is_none().then_some(()));
        assert_eq!(gone, Some(()));
        drop(guard);
        assert!(server.try_wait().expect("ours").is_none());
        server.kill().and_then(|()| server.wait()).expect("ended");
    }
}
