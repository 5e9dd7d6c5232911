//! How are jobs looked at? One by one, or by filter.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::call::Call;
use crate::pages::{Page, Pages};
use crate::{Answer, Client, Error, Event, Id, Job, Logs, State, Time, Timeline};

/// Which jobs; an empty filter means all of the tenant's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct JobFilter {
    /// In this state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Of this kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Of this queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// With this tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Submitted after this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_after: Option<Time>,
    /// Submitted before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_before: Option<Time>,
    /// With this text in their kind, queue, group, unique key, a tag, or their error; or the beginning of their id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
}

/// A page of jobs, newest first, without payloads and results.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct JobPage {
    /// Its rows.
    pub jobs: Vec<Job>,
    /// Where to go on.
    #[serde(default)]
    pub cursor: Option<String>,
    /// The page is short because a bounded scan ended here: everything newer was looked at.
    #[serde(default)]
    pub scanned_until: Option<Time>,
}

/// What a job left.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It succeeded, and this is what its handler left, word for word; `null` if it left nothing.
    Ready(Box<RawValue>),
    /// It has not ended.
    NotYet(State),
}

impl JobFilter {
    /// Whether it lets every job through.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn query(&self) -> Vec<(&'static str, String)> {
        let Self { state, kind, queue, tag, created_after, created_before, q } = self;
        let time = |time: &Option<Time>| time.as_ref().map(rfc3339);
        let given = [
            ("state", state.as_ref().map(State::to_string)),
            ("kind", kind.clone()),
            ("queue", queue.clone()),
            ("tag", tag.clone()),
            ("created_after", time(created_after)),
            ("created_before", time(created_before)),
            ("q", q.clone()),
        ];
        given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

pub(crate) fn rfc3339(time: &Time) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

impl Page for JobPage {
    type Item = Job;

    fn into_items(self) -> Vec<Job> {
        self.jobs
    }

    fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }
}

impl Client {
    /// Jobs by filter, newest first, as many pages as are asked for.
    pub fn jobs(&self, filter: &JobFilter) -> Pages<JobPage> {
        self.jobs_by(filter, 200)
    }

    /// The same with so many rows in a page, at most 200.
    pub fn jobs_by(&self, filter: &JobFilter, rows: usize) -> Pages<JobPage> {
        let call = Call::get(&["v1", "jobs"]).query(filter.query()).query([("limit", rows.to_string())]);
        Pages::new(self, call)
    }

    /// One job, whole.
    ///
    /// # Errors
    /// `not_found`, and as every call.
    pub async fn job(&self, id: Id) -> Result<Answer<Job>, Error> {
        self.ask(&of_job(id, &[])).await
    }

    /// What a job left, if it has succeeded already.
    ///
    /// # Errors
    /// `job_dead`, `job_cancelled`, `job_expired`, `gone`, and as every call.
    pub async fn result(&self, id: Id) -> Result<Answer<Outcome>, Error> {
        #[derive(Deserialize)]
        struct NotYet {
            state: State,
        }
        let Answer { status, body, request_id, replayed, .. } = self.ask::<Box<RawValue>>(&of_job(id, &["result"])).await?;
        let text = body.get().to_owned();
        let body = match status {
            202 => serde_json::from_str(&text).map(|NotYet { state }| Outcome::NotYet(state)).map_err(|error| {
                let (url, why) = (self.url().to_owned(), error.to_string());
                Error::Unexpected { url, status, why }
            })?,
            _ => Outcome::Ready(body),
        };
        Ok(Answer::unread(status, request_id, replayed, text).with(body))
    }

    /// Waits until a job has ended, however it did, and returns it whole.
    ///
    /// # Errors
    /// [`Error::NotEnded`] when it has not ended `within` that time, and as every call.
    pub async fn wait(&self, id: Id, within: Duration) -> Result<Answer<Job>, Error> {
        let ended = async {
            let mut watch = self.watch(id);
            while let Some(event) = watch.next().await? {
                if matches!(&event, Event::State(job) if job.state.is_end()) {
                    break;
                }
            }
            self.job(id).await
        };
        tokio::time::timeout(within, ended).await.map_err(|_| Error::NotEnded { id, within })?
    }

    /// What happened to a job, oldest first.
    ///
    /// # Errors
    /// As [`Client::job`].
    pub async fn timeline(&self, id: Id) -> Result<Answer<Timeline>, Error> {
        self.ask(&of_job(id, &["timeline"])).await
    }

    /// What a job's handlers wrote.
    ///
    /// # Errors
    /// As [`Client::job`].
    pub async fn logs(&self, id: Id) -> Result<Answer<Logs>, Error> {
        self.ask(&of_job(id, &["logs"])).await
    }
}

fn of_job(id: Id, rest: &[&str]) -> Call {
    Call::get(&[&["v1", "jobs", &id.to_string()], rest].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_asks_for_what_it_names() {
        let filter = JobFilter {
            state: Some(State::Dead),
            created_after: Some("2026-11-20T10:00:00.25Z".parse().expect("a time")),
            q: Some("a b".to_owned()),
            ..JobFilter::default()
        };
        let query = [("state", "dead"), ("created_after", "2026-11-20T10:00:00.250Z"), ("q", "a b")];
        assert_eq!(filter.query(), query.map(|(name, value)| (name, value.to_owned())));
        let json = r#"{"state":"dead","created_after":"2026-11-20T10:00:00.250Z","q":"a b"}"#;
        assert_eq!(serde_json::to_string(&filter).expect("written"), json);
        assert!(!filter.is_empty() && JobFilter::default().is_empty());
    }
}
