//! How does a read reach the database? On one of a few connections, within a deadline.
//!
//! The connections are kept here and not in sqlx's pool, whose permits leak when a connection to a silently dead peer is dropped
//! (launchbadge/sqlx#4349). Here a connection that a read was not done with is closed, and its permit is free at once.

use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use parking_lot::Mutex;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::{ConnectOptions as _, Connection as _};
use store::StoreError;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout};

use crate::fault::Fault;
use crate::tx::Sql;

/// Begins a read of several statements that see the same.
pub(crate) const SNAPSHOT: &str = "begin isolation level repeatable read read only";
/// An idle process gives connections back.
const IDLE_MAX: Duration = Duration::from_secs(60);
/// A connection that was not used for this long is asked first whether it lives.
const TRUSTED_FOR: Duration = Duration::from_secs(1);
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// Readers see every commit that was answered before they began.
pub(crate) struct Reader {
    connect: PgConnectOptions,
    permits: Semaphore,
    /// For reads of many rows: one place fewer, so that however many look through lists, a single row is always found.
    lists: Semaphore,
    idle: Mutex<Vec<Idle>>,
    deadline: Duration,
}

struct Idle {
    connection: PgConnection,
    since: Instant,
}

/// A connection for one read. Dropped before [`Borrowed::give_back`], it is closed: nobody knows what is still on its way.
pub(crate) struct Borrowed<'r> {
    connection: PgConnection,
    reader: &'r Reader,
    _permit: SemaphorePermit<'r>,
    _list: Option<SemaphorePermit<'r>>,
}

impl Reader {
    /// Connects when first read from.
    pub(crate) fn new(connect: PgConnectOptions, readers: u32, deadline: Duration) -> Self {
        let connect = connect.application_name("flotilla reader").options([
            // From short lists of rows to the jobs that those name, however many there are; planned by what is asked for.
            ("plan_cache_mode", "force_custom_plan"),
            ("enable_seqscan", "off"),
            ("enable_hashjoin", "off"),
            ("enable_mergejoin", "off"),
            ("default_transaction_read_only", "on"),
            ("statement_timeout", &format!("{}ms", deadline.as_millis())),
        ]);
        let readers = usize::try_from(readers).unwrap_or(1).max(1);
        let (permits, lists) = (Semaphore::new(readers), Semaphore::new((readers - 1).max(1)));
        Self { connect, permits, lists, idle: Mutex::default(), deadline }
    }

    pub(crate) async fn rows(&self, doing: &'static str, statement: Sql) -> Result<Vec<PgRow>, StoreError> {
        let read = async {
            let mut connection = self.acquire().await?;
            let rows = statement.fetch_all(&mut *connection).await?;
            connection.give_back();
            Ok(rows)
        };
        self.within(doing, read).await
    }

    pub(crate) async fn row(&self, doing: &'static str, statement: Sql) -> Result<Option<PgRow>, StoreError> {
        let read = async {
            let mut connection = self.acquire().await?;
            let row = statement.fetch_optional(&mut *connection).await?;
            connection.give_back();
            Ok(row)
        };
        self.within(doing, read).await
    }

    /// Runs a read under the deadline. After a broken connection the idle ones are not trusted either.
    pub(crate) async fn within<T>(
        &self,
        doing: &'static str,
        read: impl Future<Output = Result<T, Fault>> + Send,
    ) -> Result<T, StoreError> {
        let outcome = timeout(self.deadline, read).await.unwrap_or(Err(Fault::Away("the read did not end within its deadline")));
        if outcome.as_ref().is_err_and(Fault::is_of_the_connection) {
            self.idle.lock().clear();
        }
        outcome.map_err(|fault| fault.into_error(doing))
    }

    /// Like [`Reader::rows`], for what may be long.
    pub(crate) async fn list(&self, doing: &'static str, statement: Sql) -> Result<Vec<PgRow>, StoreError> {
        let read = async {
            let mut connection = self.acquire_for_list().await?;
            let rows = statement.fetch_all(&mut *connection).await?;
            connection.give_back();
            Ok(rows)
        };
        self.within(doing, read).await
    }

    /// Like [`Reader::acquire`], but leaves one connection to those who want a single row.
    pub(crate) async fn acquire_for_list(&self) -> Result<Borrowed<'_>, Fault> {
        let list = self.lists.acquire().await.map_err(|_| Fault::Away("the store is shut down"))?;
        let mut borrowed = self.acquire().await?;
        borrowed._list = Some(list);
        Ok(borrowed)
    }

    /// Waits for a turn, and takes an idle connection that lives, or makes one. Under the deadline of [`Reader::within`].
    pub(crate) async fn acquire(&self) -> Result<Borrowed<'_>, Fault> {
        let permit = self.permits.acquire().await.map_err(|_| Fault::Away("the store is shut down"))?;
        let idle = self.idle.lock().pop();
        let connection = match idle {
            Some(idle) => self.trusted(idle).await,
            None => None,
        };
        let connection = match connection {
            Some(connection) => connection,
            None => self.connect.connect().await?,
        };
        Ok(Borrowed { connection, reader: self, _permit: permit, _list: None })
    }

    async fn trusted(&self, idle: Idle) -> Option<PgConnection> {
        let Idle { mut connection, since } = idle;
        if since.elapsed() < TRUSTED_FOR || matches!(timeout(ANSWER_WITHIN, connection.ping()).await, Ok(Ok(()))) {
            return Some(connection);
        }
        self.idle.lock().clear();
        None
    }

    /// Closes the connections that nobody has used for a while.
    pub(crate) async fn close_idle(&self) {
        let old: Vec<Idle> = self.idle.lock().extract_if(.., |idle| idle.since.elapsed() > IDLE_MAX).collect();
        close(old).await;
    }

    /// Later reads are `Unavailable`; those under way end as they would.
    pub(crate) async fn close(&self) {
        self.permits.close();
        self.lists.close();
        let all = std::mem::take(&mut *self.idle.lock());
        close(all).await;
    }
}

async fn close(connections: Vec<Idle>) {
    for idle in connections {
        // One that is deaf is dropped: that closes it on our side.
        let _ = timeout(CLOSE_WITHIN, idle.connection.close()).await;
    }
}

impl Borrowed<'_> {
    /// The read is done, and nothing of it is on its way any more.
    pub(crate) fn give_back(self) {
        if !self.reader.permits.is_closed() {
            self.reader.idle.lock().push(Idle { connection: self.connection, since: Instant::now() });
        }
    }
}

impl Deref for Borrowed<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Borrowed<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}
