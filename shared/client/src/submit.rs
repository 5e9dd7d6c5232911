//! How do jobs get in? One, or many at once, each sent as often as it takes and made once.

use serde::{Deserialize, Serialize};

use crate::call::{Call, NDJSON};
use crate::{Answer, Client, Error, Id, Job, NewJob, Priority, State};

/// The jobs of a batch, in its order.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Submitted {
    /// One for each that was sent.
    pub jobs: Vec<BatchLine>,
}

/// One job of a batch.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct BatchLine {
    /// Its id.
    pub id: Id,
    /// What it is; of a job that was there before only the id is said.
    #[serde(default)]
    pub kind: Option<String>,
    /// Where it waits.
    #[serde(default)]
    pub queue: Option<String>,
    /// Its share.
    #[serde(default)]
    pub priority: Option<Priority>,
    /// Where it is in its life.
    #[serde(default)]
    pub state: Option<State>,
    /// The same batch made it before.
    #[serde(default)]
    pub idempotency_replayed: bool,
    /// Another job has its unique key, and this is that job.
    #[serde(default)]
    pub unique_conflict: bool,
}

impl Client {
    /// Submits a job. When this returns, the job is durable.
    ///
    /// An answer that got lost is asked for again under the same `Idempotency-Key`, which makes no second job.
    ///
    /// # Errors
    /// `invalid_payload`, `unknown_kind`, … as [`Error::Problem`], and as every call.
    pub async fn submit(&self, job: &NewJob) -> Result<Answer<Job>, Error> {
        let key = job.idempotency_key.clone().unwrap_or_else(fresh_key);
        self.ask(&Call::post(&["v1", "jobs"]).json(job).keyed(key)).await
    }

    /// Submits up to 10 000 jobs, all or none. Without a key the batch gets one of its own.
    ///
    /// # Errors
    /// As [`Client::submit`]; the pointers of `errors` name the item: `/jobs/3/payload/url`.
    pub async fn submit_batch(&self, jobs: &[NewJob], idempotency_key: Option<&str>) -> Result<Answer<Submitted>, Error> {
        let call = Call::post(&["v1", "jobs", "batch"]).json(&Batch { jobs });
        self.ask(&call.keyed(idempotency_key.map_or_else(fresh_key, str::to_owned))).await
    }

    /// Submits up to 10 000 jobs, one JSON object in each line, all or none; they are sent byte for byte.
    ///
    /// # Errors
    /// As [`Client::submit_batch`].
    pub async fn submit_lines(&self, lines: String, idempotency_key: Option<&str>) -> Result<Answer<Submitted>, Error> {
        let call = Call::post(&["v1", "jobs", "batch"]).text(NDJSON, lines);
        self.ask(&call.keyed(idempotency_key.map_or_else(fresh_key, str::to_owned))).await
    }
}

#[derive(Serialize)]
struct Batch<'a> {
    jobs: &'a [NewJob],
}

fn fresh_key() -> String {
    format!("client-{}", uuid::Uuid::new_v4().simple())
}
