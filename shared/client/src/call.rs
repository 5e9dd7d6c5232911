//! What is one call made of? Method, path, query and body, and whether sending it twice is the same as sending it once.

use std::borrow::Cow;

use bytes::Bytes;
use reqwest::Method;
use serde::Serialize;
use url::Url;

use crate::patience::Repeat;

pub(crate) const JSON: &str = "application/json";
pub(crate) const NDJSON: &str = "application/x-ndjson";

/// Submissions: the only changes that the server does once however often they are sent under one key.
const KEYED: [&[&str]; 2] = [&["v1", "jobs"], &["v1", "jobs", "batch"]];

/// A call before it is sent; it may be sent several times.
#[derive(Clone)]
pub(crate) struct Call {
    pub method: Method,
    path: Vec<String>,
    query: Vec<(Cow<'static, str>, String)>,
    pub body: Option<(&'static str, Bytes)>,
    pub idempotency_key: Option<String>,
}

impl Call {
    fn new(method: Method, path: &[&str]) -> Self {
        let path = path.iter().map(|segment| (*segment).to_owned()).collect();
        Self { method, path, query: Vec::new(), body: None, idempotency_key: None }
    }

    /// The path's segments are data: whatever is in one of them stays one segment.
    pub fn get(path: &[&str]) -> Self {
        Self::new(Method::GET, path)
    }

    pub fn post(path: &[&str]) -> Self {
        Self::new(Method::POST, path)
    }

    pub fn delete(path: &[&str]) -> Self {
        Self::new(Method::DELETE, path)
    }

    pub fn query<N: Into<Cow<'static, str>>>(mut self, query: impl IntoIterator<Item = (N, String)>) -> Self {
        self.query.extend(query.into_iter().map(|(name, value)| (name.into(), value)));
        self
    }

    /// A body of ours; what we made can be written.
    pub fn json(self, body: &impl Serialize) -> Self {
        self.text(JSON, serde_json::to_string(body).unwrap_or_default())
    }

    pub fn text(mut self, content_type: &'static str, body: String) -> Self {
        self.body = Some((content_type, Bytes::from(body)));
        self
    }

    pub fn keyed(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    pub fn repeat(&self) -> Repeat {
        let is_keyed = || self.idempotency_key.is_some() && KEYED.iter().any(|path| self.path == *path);
        match self.method {
            Method::GET | Method::HEAD | Method::PUT | Method::DELETE => Repeat::Safe,
            _ if is_keyed() => Repeat::Safe,
            _ => Repeat::Unsafe,
        }
    }

    /// Below the server's address, which may have a path of its own.
    pub fn url(&self, base: &Url) -> Url {
        let mut url = base.clone();
        // An address with a host always has segments.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(&self.path);
        }
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(base: &str, call: &Call) -> String {
        call.url(&base.parse().expect("a URL")).to_string()
    }

    #[test]
    fn what_is_in_a_segment_stays_in_it() {
        let call = Call::get(&["v1", "kinds", "../api_keys?x#y/z"]).query([("q", "a&b=c d".to_owned())]);
        assert_eq!(url("http://127.0.0.1:8080", &call), "http://127.0.0.1:8080/v1/kinds/..%2Fapi_keys%3Fx%23y%2Fz?q=a%26b%3Dc+d");
    }

    #[test]
    fn a_server_may_have_a_path() {
        for base in ["https://x.example/flotilla", "https://x.example/flotilla/"] {
            assert_eq!(url(base, &Call::get(&["v1", "jobs"])), "https://x.example/flotilla/v1/jobs");
        }
    }

    #[test]
    fn only_what_does_nothing_twice_is_repeated() {
        let jobs = || Call::post(&["v1", "jobs"]);
        let batch = Call::post(&["v1", "jobs", "batch"]).keyed("k");
        for safe in [Call::get(&["v1", "jobs"]), Call::delete(&["v1", "api_keys", "1"]), jobs().keyed("k"), batch] {
            assert_eq!(safe.repeat(), Repeat::Safe);
        }
        // No other route looks at the key.
        for other in [jobs(), Call::post(&["v1", "jobs", "bulk"]).keyed("k"), Call::post(&["v1", "jobs", "1", "retry"])] {
            assert_eq!(other.repeat(), Repeat::Unsafe);
        }
    }
}
