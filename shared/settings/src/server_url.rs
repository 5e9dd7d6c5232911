//! Where is a server, and what of its address may be shown?

use std::fmt;

use url::Url;

use crate::Secret;

/// The address of a server, with the login that leads in. It shows scheme, host, port and name only.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerUrl {
    text: Secret,
    shown: String,
}

/// The text is no address of a server. It is not quoted: there may be a password in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ServerUrlError {
    #[error("it is not a URL: {0}")]
    NotAUrl(#[from] url::ParseError),
    #[error("it names no host")]
    NoHost,
    /// Otherwise a part of a password would be taken for the host or the name, and shown.
    #[error(
        "it has a `#`, or an `@` after the host: in a user or password, write `@` as %40, `:` as %3A, `/` as %2F, `?` as %3F, `#` as %23"
    )]
    Unescaped,
}

impl ServerUrl {
    pub fn parse(text: &str) -> Result<Self, ServerUrlError> {
        let text = text.trim();
        let url = Url::parse(text)?;
        if url.fragment().is_some() || url.path().contains('@') || url.query().is_some_and(|query| query.contains('@')) {
            return Err(ServerUrlError::Unescaped);
        }
        // PostgreSQL's sockets are a directory, which cannot stand where a host does.
        let socket = url.query_pairs().find(|(name, _)| name == "host").map(|(_, host)| host.into_owned());
        let host = url.host_str().filter(|host| !host.is_empty()).map(str::to_owned).or(socket).ok_or(ServerUrlError::NoHost)?;
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let name = url.path().trim_end_matches('/');
        let shown = format!("{}://{host}{port}{name}", url.scheme());
        let text = text.parse().unwrap_or_else(|never: std::convert::Infallible| match never {});
        Ok(Self { text, shown })
    }

    /// The whole address; for the one place that connects.
    pub fn secret(&self) -> &Secret {
        &self.text
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_leads_there_but_not_in() {
        for (text, shown) in [
            ("postgres://bench:hunter2@db.internal:5433/jobs?sslmode=require", "postgres://db.internal:5433/jobs"),
            ("postgres:///jobs?host=/run/postgresql&password=hunter2", "postgres:///run/postgresql/jobs"),
            (" amqp://guest:hunter2@127.0.0.1:5672/%2f ", "amqp://127.0.0.1:5672/%2f"),
            ("amqps://guest:hunter2@mq", "amqps://mq"),
            ("redis://:hunter2@[::1]:6380/3", "redis://[::1]:6380/3"),
        ] {
            let url = ServerUrl::parse(text).expect(text);
            assert_eq!((url.to_string(), format!("{url:?}")), (shown.to_owned(), shown.to_owned()));
            assert_eq!(url.secret().expose(), text.trim());
        }
    }

    /// I10: a password that was not escaped does not come out as a host, a port or a name.
    #[test]
    fn addresses_that_would_show_a_password_are_refused_without_it() {
        for text in [
            "amqp://u:12/hunter2@h",
            "amqp://u:12#hunter2@h",
            "amqp://u:12?hunter2@h",
            "amqp://u:hunter2/x@h",
            "hunter2",
            "redis:///hunter2",
        ] {
            let error = ServerUrl::parse(text).expect_err(text);
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }
}
