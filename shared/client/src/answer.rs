//! What does a call return? The typed body, with the text it was read from.

use std::fmt;
use std::ops::Deref;

use serde::de::DeserializeOwned;

/// A success. It can be used like its body: `client.job(id).await?.state`.
#[derive(Clone)]
pub struct Answer<T> {
    /// The status: `200`, `201`, `202` or `204`.
    pub status: u16,
    /// What was answered.
    pub body: T,
    /// By which the server's log knows the request.
    pub request_id: String,
    /// Whether the server had answered this submission before, under the same `Idempotency-Key`.
    pub replayed: bool,
    text: String,
}

impl<T> Answer<T> {
    /// The body word for word, as the server wrote it: JSON, with members that this version does not know.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The body alone.
    pub fn into_body(self) -> T {
        self.body
    }
}

impl Answer<()> {
    /// An answer that was not read yet.
    pub(crate) fn unread(status: u16, request_id: String, replayed: bool, text: String) -> Self {
        Self { status, body: (), request_id, replayed, text }
    }

    /// With a body that was read elsewhere.
    pub(crate) fn with<T>(self, body: T) -> Answer<T> {
        let Self { status, body: (), request_id, replayed, text } = self;
        Answer { status, body, request_id, replayed, text }
    }

    /// Reads the body; no body reads as `null`.
    pub(crate) fn read<T: DeserializeOwned>(self) -> Result<Answer<T>, (u16, serde_json::Error)> {
        let Self { status, body: (), request_id, replayed, text } = self;
        match serde_json::from_str(if text.is_empty() { "null" } else { &text }) {
            Ok(body) => Ok(Answer { status, body, request_id, replayed, text }),
            Err(error) => Err((status, error)),
        }
    }
}

impl<T> Deref for Answer<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.body
    }
}

/// Without the text: it may be large, and it may have secrets in it.
impl<T: fmt::Debug> fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("status", &self.status).field("body", &self.body).field("request_id", &self.request_id).finish()
    }
}
