//! How does a test get a part of RabbitMQ that is its own? As a virtual host, made through the management API.

use std::time::Duration;

use private_servers::http::Api;
use serde_json::Value;
use url::Url;

use super::vhost::Vhost;
use super::{parsed, unique_name};

/// A busy broker takes its time, above all for new virtual hosts.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// A RabbitMQ in which we are administrator.
#[derive(Clone)]
pub struct RabbitServer {
    url: Url,
    admin: Admin,
}

impl RabbitServer {
    pub(super) fn at(url: &str, admin: &str) -> Option<Self> {
        if url.is_empty() || admin.is_empty() {
            return None;
        }
        Some(Self { url: parsed("TEST_RABBITMQ_URL", url), admin: Admin::at(&parsed("TEST_RABBITMQ_ADMIN", admin)) })
    }

    /// A virtual host of which nobody else knows, with all permissions in it. It goes when it is dropped.
    ///
    /// # Panics
    /// When the broker does not make it.
    pub async fn fresh_vhost(&self) -> Vhost {
        let name = unique_name("t");
        let url = self.url_of(&name);
        Vhost::create(name, url, self.url.username(), self.admin.clone()).await
    }

    /// The virtual host that each broker has, also after a wipe; for tests whose broker is their own.
    pub fn default_vhost(&self) -> Vhost {
        Vhost::that_stays("/", self.url_of("/"), self.admin.clone())
    }

    /// The URL of a virtual host by its name; `/` is the one that each broker has.
    pub fn url_of(&self, vhost: &str) -> String {
        format!("{}/{}", self.url.as_str().trim_end_matches('/'), private_servers::http::segment(vhost))
    }

    pub fn port(&self) -> u16 {
        self.url.port().unwrap_or(5672)
    }
}

/// Who asks the management API.
#[derive(Clone)]
pub struct Admin(Api);

impl Admin {
    fn at(url: &Url) -> Self {
        Self(Api::new(url.port().unwrap_or(15_672), url.username(), url.password().unwrap_or_default()))
    }

    /// Asks; what is not there is `None`.
    ///
    /// # Panics
    /// When the broker does not answer in time, or refuses.
    pub async fn ask(&self, method: &'static str, path: String, body: Option<Value>) -> Option<Value> {
        self.try_ask(method, path, body).await.unwrap_or_else(|refused| panic!("{refused}"))
    }

    /// The same, with what the broker says when it refuses.
    ///
    /// # Panics
    /// When the broker does not answer in time.
    pub async fn try_ask(&self, method: &'static str, path: String, body: Option<Value>) -> Result<Option<Value>, String> {
        let (api, body) = (self.0.clone(), body.map(|body| body.to_string()));
        let asked = format!("{method} {path}");
        let asking = tokio::task::spawn_blocking(move || api.call(method, &path, body.as_deref(), ANSWER_WITHIN));
        let answered = asking.await.unwrap_or_else(|error| panic!("`{asked}` panicked: {error}"));
        let answer = answered.unwrap_or_else(|error| panic!("`{asked}` was not answered: {error}"));
        let said = String::from_utf8_lossy(&answer.body);
        match answer.status {
            404 => Ok(None),
            200..300 => Ok(Some(serde_json::from_str(&said).unwrap_or(Value::Null))),
            status => Err(format!("`{asked}` was answered {status}: {said}")),
        }
    }

    /// Asks without waiting for the answer: for the end of a test, which must not fail any more.
    pub fn tell(&self, method: &'static str, path: String) {
        let api = self.0.clone();
        std::thread::spawn(move || api.call(method, &path, None, ANSWER_WITHIN));
    }
}
