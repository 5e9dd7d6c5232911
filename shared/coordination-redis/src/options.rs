//! Where is Redis, and what is checked before the first connection?

use std::fmt;

use redis::{Client, IntoConnectionInfo, ProtocolVersion, TlsCertificates};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use url::Url;

use crate::OpenError;
use crate::server::Server;

/// What all processes of a fleet share: the layout's version is part of it.
const PREFIX: &str = "flotilla:v1";

/// How to reach Redis. `Debug` shows neither user nor password.
#[derive(Clone)]
pub struct RedisOptions {
    /// `redis://[[user]:password@]host[:port][/database]`, or `rediss://` for TLS.
    pub url: String,
    /// Begins every key and channel. Fleets that share a Redis need one each: channels know no database numbers.
    pub prefix: String,
    /// Certificates (PEM) to trust for `rediss://` instead of the operating system's.
    pub trust: Option<Vec<u8>>,
}

impl RedisOptions {
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), prefix: PREFIX.to_owned(), trust: None }
    }

    /// Checks everything that can be checked without a connection.
    pub(crate) fn server(&self) -> Result<Server, OpenError> {
        let url = checked(&self.url)?;
        let is_tls = url.scheme() == "rediss";
        if is_tls {
            // An error means that there is a provider already, which serves as well.
            let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        }
        let refused = |error: redis::RedisError| OpenError::Refused { why: error.to_string() };
        let info = url.into_connection_info().map_err(refused)?;
        // RESP3 pushes messages and tells of a lost connection without being asked.
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let info = info.set_redis_settings(settings);
        let client = match &self.trust {
            Some(_) if !is_tls => return Err(OpenError::TrustWithoutTls),
            // None at all would be taken, and then trust nobody.
            Some(pem) if CertificateDer::pem_slice_iter(pem).next().is_none() => {
                return Err(OpenError::Trust { why: "there are none".to_owned() });
            }
            Some(pem) => {
                let certificates = TlsCertificates { client_tls: None, root_cert: Some(pem.clone()) };
                Client::build_with_tls(info, certificates).map_err(|error| OpenError::Trust { why: error.to_string() })?
            }
            None => Client::open(info).map_err(refused)?,
        };
        Ok(Server::new(client))
    }
}

impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, prefix, trust } = self;
        let place = Url::parse(url).ok().and_then(|url| Some(format!("{}://***@{}", url.scheme(), url.host_str()?)));
        f.debug_struct("RedisOptions")
            .field("url", &place.as_deref().unwrap_or("***"))
            .field("prefix", prefix)
            .field("trust", &trust.as_ref().map(Vec::len))
            .finish()
    }
}

/// The URL, if nothing in it is wrong or would be ignored silently.
fn checked(text: &str) -> Result<Url, OpenError> {
    let url = Url::parse(text.trim()).map_err(|why| OpenError::NotAUrl { why })?;
    match url.scheme() {
        "redis" | "rediss" => {}
        // A scheme can be a secret that was pasted without one.
        scheme => return Err(OpenError::Scheme { scheme: scheme.chars().take(16).collect() }),
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(OpenError::NoHost);
    }
    // `#insecure` among them: who does not check certificates needs no TLS.
    if url.fragment().is_some() || url.query().is_some() {
        return Err(OpenError::Extras);
    }
    let database = url.path().trim_matches('/');
    if !database.is_empty() && database.parse::<u16>().is_err() {
        return Err(OpenError::Database);
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(url: &str) -> OpenError {
        RedisOptions::new(url).server().err().unwrap_or_else(|| panic!("`{url}` was taken"))
    }

    /// I10: whatever is wrong with the URL, its password is not told.
    #[test]
    fn bad_urls_are_refused_in_a_sentence_without_the_password() {
        let cases = [
            ("redis//:hunter2@localhost", "not a URL"),
            ("http://:hunter2@localhost", "`http`"),
            ("redis+unix://:hunter2@localhost/x", "`redis+unix`"),
            ("redis://:hunter2@localhost:port", "not a URL"),
            ("redis:///0", "no host"),
            ("redis://:hunter2@localhost/zero", "database"),
            ("redis://:hunter2@localhost/-1", "database"),
            ("redis://:hunter2@localhost/?protocol=resp2", "`?`"),
            ("rediss://:hunter2@localhost/#insecure", "`#`"),
            ("redis://:hunter2@0.0.0.0", "wildcard"),
            ("hunter2", "not a URL"),
        ];
        for (url, words) in cases {
            let error = error_of(url);
            let text = format!("{} {error:?} {}", telemetry::chain(&error), error.hint());
            assert!(text.contains(words), "{url}: {text}");
            assert!(!text.contains("hunter2"), "{url}: {text}");
        }
    }

    #[test]
    fn good_urls_are_taken() {
        for url in ["redis://localhost", "redis://user:p%40ss@10.0.0.1:6380/3", "rediss://:x@redis.example.com", " redis://[::1]:7000/ "] {
            RedisOptions::new(url).server().unwrap_or_else(|error| panic!("{url}: {error}"));
        }
    }

    #[test]
    fn trust_must_be_certificates_and_needs_tls() {
        let with = |url: &str, pem: &[u8]| RedisOptions { trust: Some(pem.to_vec()), ..RedisOptions::new(url) }.server().err();
        assert!(matches!(with("redis://localhost", b"x"), Some(OpenError::TrustWithoutTls)));
        for pem in [
            "",
            "x",
            "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ] {
            assert!(matches!(with("rediss://localhost", pem.as_bytes()), Some(OpenError::Trust { .. })), "{pem}");
        }
    }

    /// I10: secrets do not get out through `Debug`.
    #[test]
    fn debug_keeps_the_secret() {
        let options = RedisOptions::new("rediss://user:hunter2@redis.example.com:6380/2");
        assert_eq!(format!("{options:?}"), r#"RedisOptions { url: "rediss://***@redis.example.com", prefix: "flotilla:v1", trust: None }"#);
        assert!(!format!("{:?}", RedisOptions::new("hunter2")).contains("hunter2"));
    }
}
