//! Why can the setting of Redis not be used, and what can a person do about it?

/// The options cannot be used, whatever Redis does. Each variant is a sentence; [`OpenError::hint`] says what to do. None tells a password.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the address of Redis is not a URL: {why}")]
    NotAUrl { why: url::ParseError },
    #[error("the address of Redis begins with `{scheme}`, which is neither `redis` nor `rediss`")]
    Scheme { scheme: String },
    #[error("the address of Redis names no host")]
    NoHost,
    #[error("the address of Redis has parts after `?` or `#`, which would change nothing")]
    Extras,
    #[error("the address of Redis ends with something that is not the number of a database")]
    Database,
    #[error("the address of Redis cannot be used: {why}")]
    Refused { why: String },
    #[error("certificates to trust were given, but the address of Redis does not ask for TLS")]
    TrustWithoutTls,
    #[error("the certificates to trust for Redis cannot be read: {why}")]
    Trust { why: String },
}

impl OpenError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotAUrl { .. } | Self::Scheme { .. } | Self::NoHost | Self::Refused { .. } => {
                "write it as redis://[user]:password@host:6379/0, or rediss:// for TLS; `@`, `:` and `/` in a password are %40, %3A and %2F"
            }
            Self::Extras => "leave them out; a `?` or `#` in a password is written %3F or %23",
            Self::Database => "end it with a number such as /0, or leave that out",
            Self::TrustWithoutTls => "begin the address with rediss://, or give no certificates",
            Self::Trust { .. } => "give a file with one or more blocks of -----BEGIN CERTIFICATE-----",
        }
    }
}
