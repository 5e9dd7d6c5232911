//! How is a connection made, and what is it told first?

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, Row as _};
use tokio::time::timeout;

use crate::clock::{Clock, Sample};
use crate::fault::Fault;
use crate::lane::Lane;
use crate::server_run::ServerRun;
use crate::tx::sql;

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// Plans of the hot lanes are made once, for any number of ids, when tables may be empty: the planner must not be led by what it
/// believes about sizes. Statements over many jobs name them by `= any`, which leaves nothing but the primary key to choose, and look
/// up what belongs to each by its place (`width_bucket` is a binary search); what little is joined is joined by index.
const HOT: &str = "set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off; set enable_material = off";
/// Others go from a short list of rows to the jobs that those name, never through all jobs there are; planned anew each time.
const COLD: &str =
    "set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off; set plan_cache_mode = force_custom_plan";
/// A lease that is lost with the last second is renewed by the next.
const LEASES: &str = "set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off; \
    set plan_cache_mode = force_custom_plan; set synchronous_commit = off";

/// What walks through whole partitions.
const SPACE: &str = "set plan_cache_mode = force_custom_plan";

/// Makes connections, all alike but for their lane.
pub(crate) struct Connector {
    pub(crate) options: PgConnectOptions,
    pub(crate) clock: Arc<Clock>,
    pub(crate) server: Arc<ServerRun>,
    /// How long a write may take on lanes that have no deadline of their own.
    pub(crate) deadline: Duration,
}

/// What every session is set to. Plans of statements over arrays of ids must not depend on the ids (queue-core, decision 5), and
/// nothing may wait for ever, not even when we are gone.
pub(crate) fn session(options: PgConnectOptions) -> PgConnectOptions {
    options
        .options([
            ("plan_cache_mode", "force_generic_plan"),
            // Where the connection is not told otherwise.
            ("statement_timeout", "15s"),
            ("lock_timeout", "8s"),
            ("idle_in_transaction_session_timeout", "20s"),
            ("tcp_keepalives_idle", "10"),
            ("tcp_keepalives_interval", "5"),
            ("tcp_keepalives_count", "3"),
            ("jit", "off"),
            ("timezone", "UTC"),
        ])
        .statement_cache_capacity(192)
        .disable_statement_logging()
}

impl Connector {
    pub(crate) async fn connect(&self, lane: Lane) -> Result<PgConnection, Fault> {
        let deadline = lane.deadline(self.deadline);
        // The server gives up before we do: what it still did after that would be a surprise.
        let (statement, lock) = (format!("{}ms", deadline.as_millis() * 9 / 10), format!("{}ms", deadline.as_millis() * 8 / 10));
        let timeouts = [("statement_timeout", statement.as_str()), ("lock_timeout", lock.as_str())];
        let options = self.options.clone().application_name(&format!("flotilla {}", lane.name())).options(timeouts);
        let connecting = async {
            let mut connection = options.connect().await?;
            let first = match lane {
                Lane::Intake | Lane::Claims | Lane::Ends | Lane::Effects => HOT,
                Lane::Acts | Lane::Duties => COLD,
                Lane::Leases => LEASES,
                Lane::Space => SPACE,
            };
            connection.execute(first).await?;
            self.sample_clock(&mut connection).await?;
            for warm in crate::warm::statements(lane) {
                connection.execute(warm).await?;
            }
            Ok(connection)
        };
        timeout(CONNECT_WITHIN, connecting).await.unwrap_or(Err(Fault::Away("the database could not be reached in time")))
    }

    /// Asks the database for its time, three times: the quickest answer says most.
    pub(crate) async fn sample_clock(&self, connection: &mut PgConnection) -> Result<(), Fault> {
        let mut best: Option<Sample> = None;
        for _ in 0..3 {
            let asked = self.clock.ask();
            let row = connection.fetch_one(sql(include_str!("../queries/store_now.sql"))).await?;
            let sample = self.clock.answered(row.try_get(0)?, asked);
            self.server.meet(row.try_get(1)?);
            best = best.filter(|best| best.round_trip <= sample.round_trip).or(Some(sample));
        }
        best.into_iter().for_each(|sample| self.clock.believe(sample));
        Ok(())
    }

    pub(crate) async fn close(&self, connection: Option<PgConnection>) {
        if let Some(connection) = connection
            && !matches!(timeout(CLOSE_WITHIN, connection.close()).await, Ok(Ok(())))
        {
            tracing::debug!("a connection to the database was not closed cleanly");
        }
    }
}

/// What the sessions of a lane are told about planning, for tests of plans.
#[doc(hidden)]
pub fn plan_settings(lane: &str) -> &'static str {
    match lane {
        "intake" | "claims" | "ends" | "effects" => HOT,
        "leases" => LEASES,
        "acts" | "duties" | "reader" => COLD,
        _ => SPACE,
    }
}
