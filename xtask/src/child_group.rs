//! How does nothing we started outlive us? A child runs in a process group of its own, with a watch in it.
//!
//! The watch is a shell that reads from a pipe whose other end only we hold. When we end, however we end, the
//! pipe closes and the watch kills the group: cargo, compilers, test binaries and whatever those started.
//! That needs neither a signal handler nor `unsafe`, and holds even when we are killed with SIGKILL.

use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};

/// `kill -s KILL -- -1` is the one spelling that both dash and bash take as a group.
const WATCH: &str = r#"cat >/dev/null; kill -s KILL -- "-$1""#;

/// A running child and everything it starts.
pub struct ChildGroup {
    child: Child,
    watch: Child,
    leash: Leash,
}

/// Ends a group when it is cut, or when the last of its copies is gone. Somebody else may hold it while the group is waited for.
#[derive(Clone)]
pub struct Leash(Arc<Mutex<Option<ChildStdin>>>);

impl Leash {
    /// Ends the child and everything it has started.
    pub fn cut(&self) {
        drop(self.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

impl ChildGroup {
    /// Starts `command` without standard input; its outputs stay as the caller set them.
    pub fn spawn(command: &mut Command) -> Result<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = command.stdin(Stdio::null()).process_group(0).spawn().with_context(|| format!("could not start `{program}`"))?;
        match watch(child.id()) {
            Ok(mut watch) => {
                let leash = Leash(Arc::new(Mutex::new(watch.stdin.take())));
                Ok(Self { child, watch, leash })
            }
            Err(error) => {
                child.kill().and_then(|()| child.wait()).context("could not end an unwatched child")?;
                Err(error)
            }
        }
    }

    /// The child's standard output, once, if it was piped.
    pub fn take_stdout(&mut self) -> Option<std::process::ChildStdout> {
        self.child.stdout.take()
    }

    pub fn leash(&self) -> Leash {
        self.leash.clone()
    }

    /// Waits for the child, then ends what it left behind: a forgotten server would keep our pipes open forever.
    pub fn wait(mut self) -> Result<ExitStatus> {
        let status = self.child.wait().context("could not wait for a child")?;
        self.leash.cut();
        self.watch.wait().context("could not wait for the watch of a child")?;
        Ok(status)
    }

    /// The same with a deadline, at which it is ended and there is no status.
    pub fn wait_within(self, deadline: Duration) -> Result<Option<ExitStatus>> {
        let (leash, (told, ended)) = (self.leash(), channel());
        std::thread::spawn(move || told.send(self.wait()));
        let status = ended.recv_timeout(deadline).ok();
        if status.is_none() {
            leash.cut();
        }
        status.transpose()
    }
}

/// Being a member, the watch keeps the group's number from being given to strangers after the child has ended.
fn watch(group: u32) -> Result<Child> {
    let id = i32::try_from(group).context("a process number does not fit")?;
    let mut command = Command::new("sh");
    command.args(["-c", WATCH, "watch", &group.to_string()]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.process_group(id).spawn().context("could not start `sh`, which ends the children of an interrupted run")
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn the_status_is_the_childs() {
        let status = ChildGroup::spawn(&mut shell("exit 3")).and_then(ChildGroup::wait).expect("runs");
        assert_eq!(status.code(), Some(3));
    }

    #[test]
    fn what_the_child_leaves_behind_is_ended() {
        let (mut output, input) = std::io::pipe().expect("a pipe");
        let mut command = shell("sleep 60 & exit 0");
        command.stdout(input);
        let status = ChildGroup::spawn(&mut command).and_then(ChildGroup::wait).expect("runs");
        drop(command);
        assert!(status.success());
        let mut text = String::new();
        output.read_to_string(&mut text).expect("ends, because nobody holds the other end any more");
        assert_eq!(text, "");
    }

    #[test]
    fn a_child_that_takes_too_long_is_ended() {
        let wait =
            |script: &str, deadline| ChildGroup::spawn(&mut shell(script)).and_then(|group| group.wait_within(deadline)).expect("runs");
        assert_eq!(wait("exit 3", Duration::from_secs(60)).and_then(|status| status.code()), Some(3));
        assert_eq!(wait("sleep 60", Duration::from_millis(50)), None);
    }

    #[test]
    fn children_end_when_the_leash_is_cut() {
        let group = ChildGroup::spawn(&mut shell("sleep 60; exit 0")).expect("starts");
        group.leash().cut();
        let status = group.wait().expect("ends");
        assert!(!status.success());
    }
}
