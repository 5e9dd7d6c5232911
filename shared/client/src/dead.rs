//! What died, of what, and how is it run again?

use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::jobs::rfc3339;
use crate::pages::{Page, Pages};
use crate::{Answer, Client, Error, Id, Operation, Time};

/// Which dead jobs; an empty filter means all of the tenant's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DeadFilter {
    /// Of this queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// Of this kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Of this error, as groups name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// With this code of their error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Died after this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_after: Option<Time>,
    /// Died before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_before: Option<Time>,
}

/// A dead job.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct DeadLetter {
    /// Its id.
    pub job_id: Id,
    /// Where it waited.
    pub queue: String,
    /// What it was.
    pub kind: String,
    /// The same for errors that are alike.
    pub fingerprint: String,
    /// The code of its error.
    pub reason: String,
    /// Its error.
    pub message: String,
    /// What to do about it.
    #[serde(default)]
    pub hint: Option<String>,
    /// How often it was tried.
    #[serde(default)]
    pub attempts: u32,
    /// When it died.
    pub at: Time,
}

/// A page of dead jobs, newest first.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct DeadLetters {
    /// Its rows.
    pub dead_letters: Vec<DeadLetter>,
    /// Where to go on.
    #[serde(default)]
    pub cursor: Option<String>,
}

/// Dead jobs whose errors are alike.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct DeadGroup {
    /// Names the group in a filter.
    pub fingerprint: String,
    /// Where they waited.
    pub queue: String,
    /// What they were.
    pub kind: String,
    /// The code of their error.
    pub reason: String,
    /// The error of one of them.
    pub message: String,
    /// How many.
    pub count: u64,
    /// When the first died.
    pub first_at: Time,
    /// When the last died.
    pub last_at: Time,
    /// One of them.
    pub sample: Id,
}

/// Groups of dead jobs, most recent first.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct DeadGroups {
    /// Each kind of error.
    pub groups: Vec<DeadGroup>,
}

/// Which dead jobs to run again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Replayed {
    /// These; at most 1 000.
    Ids(Vec<Id>),
    /// Those that a filter lets through.
    Filter(DeadFilter),
}

#[derive(Serialize)]
struct Order<'a> {
    #[serde(flatten)]
    which: &'a Replayed,
    #[serde(skip_serializing_if = "Option::is_none")]
    canary: Option<u32>,
    reason: &'a str,
}

impl DeadFilter {
    /// Whether it lets every dead job through.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn query(&self) -> Vec<(&'static str, String)> {
        let Self { queue, kind, fingerprint, reason, dead_after, dead_before } = self;
        let time = |time: &Option<Time>| time.as_ref().map(rfc3339);
        let given = [
            ("queue", queue.clone()),
            ("kind", kind.clone()),
            ("fingerprint", fingerprint.clone()),
            ("reason", reason.clone()),
            ("dead_after", time(dead_after)),
            ("dead_before", time(dead_before)),
        ];
        given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

impl Page for DeadLetters {
    type Item = DeadLetter;

    fn into_items(self) -> Vec<DeadLetter> {
        self.dead_letters
    }

    fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }
}

impl Client {
    /// Dead jobs by filter, newest first, with so many rows in a page, at most 200.
    pub fn dead_letters(&self, filter: &DeadFilter, rows: usize) -> Pages<DeadLetters> {
        let call = Call::get(&["v1", "dead_letters"]).query(filter.query());
        Pages::new(self, call.query([("limit", rows.to_string())]))
    }

    /// Dead jobs by what they died of, most recent first: so many groups, at most 200.
    ///
    /// # Errors
    /// As every call.
    pub async fn dead_groups(&self, filter: &DeadFilter, groups: usize) -> Result<Answer<DeadGroups>, Error> {
        let call = Call::get(&["v1", "dead_letters", "groups"]).query(filter.query());
        self.ask(&call.query([("limit", groups.to_string())])).await
    }

    /// Runs dead jobs again; with a canary, so many first, and the rest only when all of those succeeded. It goes on by itself:
    /// see [`Client::operation`].
    ///
    /// # Errors
    /// `invalid_request`, and as every call. It is sent once.
    pub async fn replay(&self, which: &Replayed, canary: Option<u32>, reason: &str) -> Result<Answer<Operation>, Error> {
        self.ask(&Call::post(&["v1", "dead_letters", "replay"]).json(&Order { which, canary, reason })).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_names_ids_or_a_filter() {
        let order = |which: &Replayed, canary| serde_json::to_string(&Order { which, canary, reason: "mended" }).expect("written");
        let filter = Replayed::Filter(DeadFilter { reason: Some("http_500".to_owned()), ..DeadFilter::default() });
        assert_eq!(order(&filter, Some(5)), r#"{"filter":{"reason":"http_500"},"canary":5,"reason":"mended"}"#);
        assert_eq!(order(&Replayed::Ids(vec![Id::nil()]), None), format!(r#"{{"ids":["{}"],"reason":"mended"}}"#, Id::nil()));
    }
}
