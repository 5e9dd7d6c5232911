//! Where the broker is: one URL, checked once, with the parameters that make a dead peer show. Nothing here prints a password.

use std::fmt;

use lapin::tcp::OwnedTLSConfig;
use lapin::uri::{AMQPScheme, AMQPUri};
use url::{Host, Url};

/// Seconds between heartbeats when the URL names none: a silent peer is given up after twice this.
const HEARTBEAT_SECS: u16 = 10;
/// Longest frame when the URL names none. The library keeps 64 of them per connection; hints are short.
const FRAME_BYTES_MAX: u32 = 16 * 1024;

/// The URL cannot be that of a RabbitMQ. It is not quoted: there is a password in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("the broker's URL is not a URL; expected `amqp://user:password@host:5672/vhost`")]
    NoUrl,
    #[error("the broker's URL starts with `{0}:`; expected `amqp:` or `amqps:`")]
    Scheme(String),
    #[error("the broker's URL names no host")]
    NoHost,
    #[error("the certificates to be trusted with the broker are no PEM text with a `CERTIFICATE` in it")]
    NoCertificate,
    #[error("the broker's URL has a part that cannot be read: {0}")]
    Part(&'static str),
}

/// A checked URL.
#[derive(Clone)]
pub(crate) struct Address {
    pub uri: AMQPUri,
    /// PEM certificates that are trusted besides those of the operating system.
    pub extra_ca: Option<String>,
}

impl Address {
    pub fn parse(url: &str, extra_ca: Option<String>) -> Result<Self, AddressError> {
        if extra_ca.as_ref().is_some_and(|pem| !pem.contains("-----BEGIN CERTIFICATE-----")) {
            return Err(AddressError::NoCertificate);
        }
        let parsed = Url::parse(url).map_err(|_| AddressError::NoUrl)?;
        if !matches!(parsed.scheme(), "amqp" | "amqps") {
            return Err(AddressError::Scheme(parsed.scheme().to_owned()));
        }
        let host = parsed.host().ok_or(AddressError::NoHost)?;
        let part = "user, password or virtual host is not UTF-8, or a number in the query is none";
        let mut uri: AMQPUri = url.parse().map_err(|_| AddressError::Part(part))?;
        if let Host::Ipv6(address) = host {
            // The library takes no notice of it and would go to `localhost`.
            uri.authority.host = address.to_string();
        }
        if uri.authority.host.is_empty() {
            return Err(AddressError::NoHost);
        }
        if uri.vhost.is_empty() {
            // `amqp://host/` is how most people write the default one.
            "/".clone_into(&mut uri.vhost);
        }
        uri.query.heartbeat = uri.query.heartbeat.filter(|secs| *secs > 0).or(Some(HEARTBEAT_SECS));
        uri.query.frame_max = uri.query.frame_max.or(Some(FRAME_BYTES_MAX));
        Ok(Self { uri, extra_ca })
    }

    /// Who logs in: no secret.
    pub fn user(&self) -> &str {
        &self.uri.authority.userinfo.username
    }

    pub fn is_tls(&self) -> bool {
        self.uri.scheme == AMQPScheme::AMQPS
    }

    pub fn tls(&self) -> OwnedTLSConfig {
        OwnedTLSConfig { identity: None, cert_chain: self.extra_ca.clone() }
    }
}

/// Host, port and virtual host: what an operator needs, and no secret.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls() { "amqps" } else { "amqp" };
        write!(f, "{scheme}://{}:{} (virtual host `{}`)", self.uri.authority.host, self.uri.authority.port, self.uri.vhost)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> Address {
        Address::parse(url, None).expect("a good URL")
    }

    #[test]
    fn what_is_missing_is_added() {
        let address = parsed("amqp://u:p@broker.internal");
        assert_eq!((address.uri.query.heartbeat, address.uri.query.frame_max), (Some(10), Some(16_384)));
        assert_eq!((address.uri.authority.port, address.uri.vhost.as_str()), (5672, "/"));
        assert_eq!(parsed("amqp://h/?heartbeat=5").uri.query.heartbeat, Some(5));
        assert_eq!(parsed("amqp://h/?heartbeat=0").uri.query.heartbeat, Some(10), "without heartbeats a dead peer never shows");
        assert_eq!(parsed("amqps://h").uri.authority.port, 5671);
    }

    #[test]
    fn hosts_of_every_form_are_kept() {
        assert_eq!(parsed("amqp://[::1]:5673/v").uri.authority.host, "::1");
        assert_eq!(parsed("amqp://127.0.0.1/v").uri.authority.host, "127.0.0.1");
        assert_eq!(parsed("amqp://h/a%2fb").uri.vhost, "a/b");
        assert_eq!(parsed("amqp://h/").uri.vhost, "/");
    }

    #[test]
    fn passwords_are_never_shown() {
        let address = parsed("amqp://user:s3cret@h:1/v");
        assert!(!format!("{address} {address:?}").contains("s3cret"));
        for bad in ["amqp//u:s3cret@h", "http://u:s3cret@h", "amqp://u:s3cret@h/?heartbeat=x", "amqp://u:s3cret%ff@h", "amqp:///v"] {
            let error = Address::parse(bad, None).expect_err(bad);
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
        }
    }
}
