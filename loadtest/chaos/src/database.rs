//! How is a database broken from within? Its processes are killed, its connections ended, its tables locked, its clients sent away.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use testkit::eventually;
use testkit::servers::Database;
use tokio::task::JoinHandle;

const SOON: Duration = Duration::from_secs(30);
/// The postmaster first: it would start again what it sees dying.
const PROCESSES: &str =
    "select split_part(pg_read_file('postmaster.pid'), e'\\n', 1) || ' ' || string_agg(pid::text, ' ') from pg_stat_activity";
const CLIENTS: &str = "select count(pg_terminate_backend(pid)) from pg_stat_activity
    where datname = current_database() and application_name like 'flotilla%' and pid <> pg_backend_pid()";

/// Kills the server's processes, all at once: as if its host had lost its power. It is the test's own.
///
/// # Panics
/// When they do not end.
pub async fn kill(server: &Database) {
    let pids = server.ask(PROCESSES).await.remove(0).remove(0);
    let mut command = Command::new("sh");
    command.args(["-c", r#"kill -s KILL "$@""#, "kill"]).args(pids.split(' ')).stderr(std::process::Stdio::null());
    // Who asked for the list is gone by now, and named in it.
    command.status().expect("there is a shell");
    eventually("nobody answers", SOON, async || server.try_ask("select 1").await.is_err()).await;
}

/// Ends every connection of a fleet to this database.
pub async fn disconnect(database: &Database) -> u64 {
    database.count(CLIENTS).await
}

/// A session that keeps a table from everybody else.
pub struct Lock {
    database: Arc<Database>,
    session: JoinHandle<()>,
}

impl Lock {
    /// Returns when it has the lock.
    ///
    /// # Panics
    /// When it does not get it.
    pub async fn on(database: &Arc<Database>, table: &str) -> Self {
        let statements =
            format!("set application_name = 'holder'; begin; lock table {table} in access exclusive mode; select pg_sleep(55)");
        let session = tokio::spawn({
            let database = Arc::clone(database);
            async move { drop(database.try_ask(&statements).await) }
        });
        let held = format!(
            "select 1 from pg_locks join pg_stat_activity using (pid)
             where application_name = 'holder' and relation = '{table}'::regclass and mode = 'AccessExclusiveLock' and granted"
        );
        eventually("the table is locked", SOON, async || !database.ask(&held).await.is_empty()).await;
        Self { database: Arc::clone(database), session }
    }

    /// # Panics
    /// When the session does not end.
    pub async fn release(self) {
        let ended = "select count(pg_terminate_backend(pid)) from pg_stat_activity
            where datname = current_database() and application_name = 'holder'";
        assert_eq!(self.database.count(ended).await, 1, "it was held until now");
        self.session.await.expect("no panic");
    }
}
