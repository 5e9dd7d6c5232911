//! What can be done with a private server? Started, stopped gently or at once, frozen, left running, and emptied.

use std::process::{Child, Command};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::ServerError;
use crate::guard::{Guard, Sweeper};
use crate::home::Home;
use crate::patience::wait_for;
use crate::process::{end_stragglers, family, signal, signal_group, started_at};

/// A server that is not ready by then is ended.
pub const START_MAX: Duration = Duration::from_secs(60);
/// A server that has not ended by then is killed.
pub const STOP_MAX: Duration = Duration::from_secs(30);
/// After a kill only the system is to be waited for.
const KILLED_MAX: Duration = Duration::from_secs(10);

/// How one kind of server is set up and started.
pub trait Recipe: std::fmt::Debug + Clone + Send + 'static {
    /// `postgres`, `rabbitmq` or `redis`: also the name of the resource that a test is skipped for.
    const NAME: &'static str;

    fn home(&self) -> &Home;

    /// Writes what is not there yet; a second time it changes no data.
    ///
    /// # Errors
    /// When files cannot be written or a program fails.
    fn prepare(&self) -> Result<(), ServerError>;

    /// Runs in the foreground, as the leader of its group.
    ///
    /// # Errors
    /// When its log cannot be written.
    fn command(&self) -> Result<Command, ServerError>;

    /// Whether it serves; `pid` is the process that [`Recipe::command`] became.
    fn is_ready(&self, pid: u32) -> bool;

    /// The signal that ends it in this way; `KILL` is for its whole group.
    fn signal(stop: Stop) -> &'static str;
}

/// How a server ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// As an operator stops it: clients are sent away, data is brought to rest.
    Gently,
    /// As if it had crashed, but leaving nothing of the system behind.
    AtOnce,
}

/// A recipe, running or not. Dropped, it ends.
#[derive(Debug)]
pub struct Server<R: Recipe> {
    recipe: R,
    running: Option<Running>,
    /// After `running`, so that files go when nobody uses them any more.
    sweeper: Option<Arc<Sweeper>>,
}

/// The child is waited for before its guard, which looks whether it is still there.
#[derive(Debug)]
struct Running {
    child: Child,
    guard: Option<Guard>,
}

/// A server that was left running.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Kept {
    pid: u32,
    started: u64,
}

impl<R: Recipe> Server<R> {
    /// One that does not run yet. The sweeper, if there is one, waits for it to end.
    pub fn new(recipe: R, sweeper: Option<Arc<Sweeper>>) -> Self {
        Self { recipe, running: None, sweeper }
    }

    pub fn recipe(&self) -> &R {
        &self.recipe
    }

    /// Starts it, and returns when it serves. Does nothing when it runs.
    ///
    /// # Errors
    /// With the end of its log, when it ends or is not ready within [`START_MAX`].
    pub fn start(&mut self) -> Result<(), ServerError> {
        if self.running.is_some() {
            return Ok(());
        }
        self.recipe.prepare()?;
        let mut command = self.recipe.command()?;
        let child = command.spawn().map_err(ServerError::io(format!("start {}", R::NAME)))?;
        let mut running = Running { child, guard: None };
        running.guard = Some(Guard::over(running.child.id(), R::signal(Stop::AtOnce), self.sweeper.as_deref())?);
        running.wait_until_ready(&self.recipe)?;
        self.running = Some(running);
        Ok(())
    }

    /// Ends it; data stays. Does nothing when it does not run.
    pub fn stop(&mut self, stop: Stop) {
        let Some(mut running) = self.running.take() else { return };
        tell(R::signal(stop), running.child.id());
        wait_for(STOP_MAX, || running.child.try_wait().ok().flatten());
        // What is left of it, its guard ends on drop.
    }

    /// Removes its data and everything else it has written. It must not run.
    ///
    /// # Errors
    /// When files cannot be removed.
    pub fn wipe(&mut self) -> Result<(), ServerError> {
        self.stop(Stop::AtOnce);
        self.recipe.home().empty()
    }

    /// Stops all its processes where they are: connections stay open and nobody answers.
    pub fn freeze(&self) {
        self.signal_family("STOP");
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal_family("CONT");
    }

    fn signal_family(&self, name: &str) {
        if let Some(running) = &self.running {
            signal(name, &family(running.child.id()));
        }
    }

    /// Leaves it running when we end.
    ///
    /// # Errors
    /// When it does not run, or its guard cannot be told.
    pub fn keep(mut self) -> Result<Kept, ServerError> {
        let gone = || ServerError::Ended { server: R::NAME, log: self.recipe.home().log_tail() };
        let mut running = self.running.take().ok_or_else(gone)?;
        let pid = running.child.id();
        let started = started_at(pid).ok_or_else(gone)?;
        running.guard.take().map_or(Ok(()), Guard::dismiss)?;
        // The child is only forgotten: `Running` would end it.
        std::mem::forget(running);
        Ok(Kept { pid, started })
    }
}

impl Kept {
    pub fn is_running(self) -> bool {
        started_at(self.pid) == Some(self.started)
    }

    /// Ends it, gently at first, and what it has left behind; `recipe` is what it was started by.
    ///
    /// # Errors
    /// When it cannot even be killed.
    pub fn stop<R: Recipe>(self, recipe: &R) -> Result<(), ServerError> {
        if !self.is_running() {
            // Somebody else has ended it, but perhaps not all of it, like the port mapper of RabbitMQ.
            end_stragglers(self.pid, recipe.home().directory());
            return Ok(());
        }
        let has_ended = || (!self.is_running()).then_some(());
        tell(R::signal(Stop::Gently), self.pid);
        let ended = wait_for(STOP_MAX, has_ended);
        if ended.is_none() {
            signal_group("KILL", self.pid);
        }
        end_stragglers(self.pid, recipe.home().directory());
        let doing = format!("end {} (process {})", R::NAME, self.pid);
        ended.or_else(|| wait_for(KILLED_MAX, has_ended)).ok_or_else(|| ServerError::io(doing)(std::io::ErrorKind::TimedOut.into()))
    }
}

fn tell(name: &str, leader: u32) {
    if name == "KILL" {
        signal_group(name, leader);
    } else {
        signal(name, &[leader]);
        // Who is frozen hears nothing.
        signal("CONT", &family(leader));
    }
}

impl Running {
    fn wait_until_ready(&mut self, recipe: &impl Recipe) -> Result<(), ServerError> {
        let pid = self.child.id();
        let looked = wait_for(START_MAX, || match self.child.try_wait() {
            Ok(None) => recipe.is_ready(pid).then_some(true),
            Ok(Some(_)) | Err(_) => Some(false),
        });
        let (server, log) = (name_of(recipe), || recipe.home().log_tail());
        match looked {
            Some(true) => Ok(()),
            Some(false) => Err(ServerError::Ended { server, log: log() }),
            None => Err(ServerError::NotReady { server, secs: START_MAX.as_secs(), log: log() }),
        }
    }
}

fn name_of<R: Recipe>(_: &R) -> &'static str {
    R::NAME
}

impl Drop for Running {
    fn drop(&mut self) {
        match &mut self.guard {
            Some(guard) => guard.release(),
            // Nobody else will.
            None => signal_group("KILL", self.child.id()),
        }
        // The guard kills it before long. An error means that it was waited for already.
        drop(self.child.wait());
    }
}
