//! Who is talked to, with which key, and how patiently?

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use crate::call::{Call, JSON};
use crate::patience::{Patience, Repeat};
use crate::{Answer, Error};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const TRY_TIMEOUT: Duration = Duration::from_secs(30);
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A client of one server with one key. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

pub(crate) struct Inner {
    pub http: reqwest::Client,
    pub base: Url,
    /// As it may be shown.
    pub shown_url: String,
    pub authorization: Option<HeaderValue>,
    pub patience: Patience,
    pub try_timeout: Duration,
    pub answer_bytes_max: usize,
}

/// How a client is made.
///
/// ```
/// use flotilla_client::Client;
/// use std::time::Duration;
///
/// let client = Client::builder("https://jobs.example.com").key("flt_secret").tries(3).patience(Duration::from_secs(20)).build()?;
/// assert_eq!(client.url(), "https://jobs.example.com");
/// assert!(!format!("{client:?}").contains("flt_secret"));
/// # Ok::<(), flotilla_client::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "build it"]
pub struct Builder {
    url: String,
    key: Option<String>,
    patience: Patience,
    try_timeout: Duration,
    answer_bytes_max: usize,
}

impl Builder {
    /// The API key: `flt_…`. Without one only what is open to everybody can be asked for.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// How often a call is tried that can be repeated safely, the first try included; 5 unless said otherwise. With 1 every call
    /// is sent once.
    pub fn tries(mut self, tries: u32) -> Self {
        self.patience.tries_max = tries.max(1);
        self
    }

    /// How long one call may take with all its tries and the waits between them; 60 s unless said otherwise.
    pub fn patience(mut self, total: Duration) -> Self {
        self.patience.total = total;
        self
    }

    /// The wait after the first failure, doubled after each further one, and the longest wait; 100 ms and 5 s unless said
    /// otherwise. A `Retry-After` of the server that is longer is heeded.
    pub fn waits(mut self, first: Duration, longest: Duration) -> Self {
        (self.patience.wait_first, self.patience.wait_max) = (first, longest);
        self
    }

    /// How long one try may take; 30 s unless said otherwise.
    pub fn try_timeout(mut self, timeout: Duration) -> Self {
        self.try_timeout = timeout;
        self
    }

    /// How large an answer may be; 64 MiB unless said otherwise.
    pub fn answer_bytes_max(mut self, bytes: usize) -> Self {
        self.answer_bytes_max = bytes;
        self
    }

    /// # Errors
    /// [`Error::Unusable`] when the address or the key cannot be used.
    pub fn build(self) -> Result<Client, Error> {
        let base = address(&self.url)?;
        let authorization = self.key.map(|key| authorization(&key)).transpose()?;
        // The API is where the caller says: environment proxies are for other traffic, and a redirect would carry the key away.
        let http = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).redirect(Policy::none()).no_proxy().build();
        let http = http.map_err(|error| Error::Unusable { why: format!("no HTTP client could be made: {error}") })?;
        let shown_url = base.as_str().trim_end_matches('/').to_owned();
        let Self { patience, try_timeout, answer_bytes_max, .. } = self;
        Ok(Client(Arc::new(Inner { http, base, shown_url, authorization, patience, try_timeout, answer_bytes_max })))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("patience", &self.patience).finish_non_exhaustive()
    }
}

impl Client {
    /// A client of the API at `url` (such as `http://127.0.0.1:8080`), with an API key (`flt_…`).
    ///
    /// # Errors
    /// [`Error::Unusable`] when the address or the key cannot be used.
    pub fn new(url: &str, key: &str) -> Result<Self, Error> {
        Self::builder(url).key(key).build()
    }

    /// A client with its own ideas about patience.
    pub fn builder(url: &str) -> Builder {
        let (try_timeout, answer_bytes_max) = (TRY_TIMEOUT, ANSWER_BYTES_MAX);
        Builder { url: url.to_owned(), key: None, patience: Patience::default(), try_timeout, answer_bytes_max }
    }

    /// The server's address.
    pub fn url(&self) -> &str {
        &self.0.shown_url
    }

    /// Reads any path of the API, for what this client has no method for.
    ///
    /// # Errors
    /// As every call.
    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Answer<Value>, Error> {
        let query = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        self.ask(&Call::get(&segments(path)).query(query)).await
    }

    /// Posts JSON to any path of the API. It is sent once.
    ///
    /// # Errors
    /// As every call.
    pub async fn post(&self, path: &str, body: &impl Serialize) -> Result<Answer<Value>, Error> {
        self.ask(&Call::post(&segments(path)).json(body)).await
    }

    /// Posts JSON text exactly as it is. A submission with an `Idempotency-Key` is sent again when that may help.
    ///
    /// # Errors
    /// As every call.
    pub async fn post_text(&self, path: &str, body: String, idempotency_key: Option<&str>) -> Result<Answer<Value>, Error> {
        let call = Call::post(&segments(path)).text(JSON, body);
        self.ask(&idempotency_key.into_iter().fold(call, Call::keyed)).await
    }

    /// Deletes any path of the API.
    ///
    /// # Errors
    /// As every call.
    pub async fn delete(&self, path: &str) -> Result<Answer<Value>, Error> {
        self.ask(&Call::delete(&segments(path))).await
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }

    /// Sends it as often as its nature and our patience allow, and reads the answer.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, call: &Call) -> Result<Answer<T>, Error> {
        let answer = self.0.patience.through(call.repeat(), &self.0.shown_url, || self.0.exchange(call)).await?;
        self.read(answer)
    }

    /// Sends it once, whatever it is.
    pub(crate) async fn ask_once<T: DeserializeOwned>(&self, call: &Call) -> Result<Answer<T>, Error> {
        let answer = self.0.patience.through(Repeat::Unsafe, &self.0.shown_url, || self.0.exchange(call)).await?;
        self.read(answer)
    }

    fn read<T: DeserializeOwned>(&self, answer: Answer<()>) -> Result<Answer<T>, Error> {
        answer.read().map_err(|(status, error)| {
            let why = format!("line {}, column {} of its body is not as expected", error.line(), error.column());
            Error::Unexpected { url: self.0.shown_url.clone(), status, why }
        })
    }
}

/// The key is nobody's business.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client {{ url: {:?}, key: *** }}", self.0.shown_url)
    }
}

fn segments(path: &str) -> Vec<&str> {
    path.trim_start_matches('/').split('/').collect()
}

fn address(text: &str) -> Result<Url, Error> {
    let unusable = |why: &str| Error::Unusable { why: format!("the server's address {why} (expected such as http://127.0.0.1:8080)") };
    let url: Url = text.trim().parse().map_err(|_| unusable("is not a URL"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(unusable("is neither http:// nor https://"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(unusable("has a login, a query or a fragment in it"));
    }
    Ok(url)
}

fn authorization(key: &str) -> Result<HeaderValue, Error> {
    let usable = !key.trim().is_empty() && key.trim().bytes().all(|byte| byte.is_ascii_graphic());
    let value = usable.then(|| HeaderValue::from_str(&format!("Bearer {}", key.trim())).ok()).flatten();
    let mut value = value.ok_or_else(|| Error::Unusable { why: "the API key is empty, or has characters that no key has".to_owned() })?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_cannot_be_used_is_refused_without_repeating_it() {
        for bad in ["", "127.0.0.1:8080", "ftp://x", "http://u:hunter2@x", "http://x/?key=hunter2", "unix:/hunter2"] {
            let error = Client::new(bad, "flt_x").expect_err("refused").to_string();
            assert!(error.contains("http://127.0.0.1:8080") && !error.contains("hunter2"), "{bad}: {error}");
        }
    }

    #[test]
    fn a_key_that_cannot_be_sent_is_refused_without_repeating_it() {
        for bad in ["", "  ", "hunter2\nx", "hunter2 x", "hunter2é"] {
            let error = Client::new("http://127.0.0.1:1", bad).expect_err("refused").to_string();
            assert!(error.contains("API key") && !error.contains("hunter2"), "{bad:?}: {error}");
        }
    }

    #[test]
    fn the_key_is_never_shown() {
        let builder = Client::builder("http://127.0.0.1:1").key("hunter2");
        let client = builder.clone().build().expect("built");
        let shown = format!("{builder:?} {client:?} {:?}", client.0.authorization);
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
