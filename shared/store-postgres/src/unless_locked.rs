//! How does a transaction try what it can do without? Within a savepoint, and not for long where others hold a lock.

use sqlx::Executor as _;

use crate::fault::Fault;
use crate::tx::Tx;

/// Less than any deadline of what it is a part of.
const TRY: &str = "savepoint trying; set local lock_timeout = '500ms'";
const DONE: &str = "set local lock_timeout to default; release savepoint trying";
/// The shorter patience goes with it.
const GIVE_UP: &str = "rollback to savepoint trying; release savepoint trying";

/// Does all of `work`, or nothing when a lock was not got; whatever came before it in the transaction stays. `None`: nothing.
pub(crate) async fn unless_locked<T>(tx: &mut Tx<'_>, work: impl AsyncFnOnce(&mut Tx<'_>) -> Result<T, Fault>) -> Result<Option<T>, Fault> {
    tx.connection()?.execute(TRY).await?;
    match work(tx).await {
        Ok(done) => {
            tx.connection()?.execute(DONE).await?;
            Ok(Some(done))
        }
        Err(fault) if fault.is_a_lock_not_got() => {
            tracing::debug!(error = %fault, "rows are locked; what can wait was put off");
            tx.connection()?.execute(GIVE_UP).await?;
            Ok(None)
        }
        Err(fault) => Err(fault),
    }
}
