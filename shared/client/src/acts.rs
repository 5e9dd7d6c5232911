//! What can be done to one job?

use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::call::{Call, JSON};
use crate::new_job::text_of;
use crate::{Answer, Client, Error, Id, InvalidPayload, Job, Priority, Time};

#[derive(Serialize, Default)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<&'a Priority>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay: Option<String>,
}

/// None of these is sent twice by itself: after a broken connection, look at the job.
impl Client {
    /// Cancels a job: at once (`200`), or by asking its handler to stop (`202`).
    ///
    /// # Errors
    /// `illegal_transition` when it has ended, `not_found`, and as every call.
    pub async fn cancel(&self, id: Id, reason: Option<&str>) -> Result<Answer<Job>, Error> {
        self.act(id, "cancel", &Body { reason, ..Body::default() }).await
    }

    /// Runs a dead, cancelled or expired job again, as it was.
    ///
    /// # Errors
    /// `illegal_transition`, `not_found`, and as every call.
    pub async fn retry(&self, id: Id) -> Result<Answer<Job>, Error> {
        self.act(id, "retry", &Body::default()).await
    }

    /// Runs it again with another payload, which is JSON text; its effects are then new ones.
    ///
    /// # Errors
    /// `invalid_payload`, and as [`Client::retry`].
    pub async fn retry_with(&self, id: Id, payload: &str) -> Result<Answer<Job>, Error> {
        let payload: &RawValue = serde_json::from_str(payload).map_err(|error| InvalidPayload::of(&error))?;
        let call = Call::post(&["v1", "jobs", &id.to_string(), "retry"]);
        self.ask(&call.text(JSON, format!("{{\"payload\":{payload}}}"))).await
    }

    /// Gives a waiting or queued job another share.
    ///
    /// # Errors
    /// `illegal_transition`, `not_found`, and as every call.
    pub async fn reprioritize(&self, id: Id, priority: &Priority, reason: Option<&str>) -> Result<Answer<Job>, Error> {
        self.act(id, "reprioritize", &Body { priority: Some(priority), reason, ..Body::default() }).await
    }

    /// Puts a job that waits for time, or is queued, off until this time.
    ///
    /// # Errors
    /// As [`Client::reprioritize`].
    pub async fn reschedule(&self, id: Id, run_at: Time, reason: Option<&str>) -> Result<Answer<Job>, Error> {
        self.act(id, "reschedule", &Body { run_at: Some(run_at), reason, ..Body::default() }).await
    }

    /// Puts it off by this much from now.
    ///
    /// # Errors
    /// As [`Client::reprioritize`].
    pub async fn reschedule_in(&self, id: Id, delay: Duration, reason: Option<&str>) -> Result<Answer<Job>, Error> {
        self.act(id, "reschedule", &Body { delay: Some(text_of(delay)), reason, ..Body::default() }).await
    }

    /// Queues a job that waits for time, for its next attempt or for a rate limit.
    ///
    /// # Errors
    /// As [`Client::reprioritize`].
    pub async fn run_now(&self, id: Id, reason: Option<&str>) -> Result<Answer<Job>, Error> {
        self.act(id, "run_now", &Body { reason, ..Body::default() }).await
    }

    async fn act(&self, id: Id, act: &str, body: &Body<'_>) -> Result<Answer<Job>, Error> {
        self.ask(&Call::post(&["v1", "jobs", &id.to_string(), act]).json(body)).await
    }
}
