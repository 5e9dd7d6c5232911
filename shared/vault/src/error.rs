//! What can go wrong with secrets. No variant carries any part of one.

/// A secret could not be made, read, sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    #[error("the server secret is not 32 bytes as 64 hex digits (`openssl rand -hex 32` prints such a secret)")]
    NotAServerSecret,
    #[error("not an API key of this server (expected `flt_` and 32 hex digits, `_`, 43 characters)")]
    NotAnApiKey,
    #[error("not a webhook secret (expected `whsec_` and 24 to 64 bytes in base64)")]
    NotAWebhookSecret,
    /// Sealed under another server secret: nothing is damaged, the setting is wrong.
    #[error("sealed under another server secret than the present one")]
    OtherKey,
    /// Written by a newer version of this program, or not sealed at all.
    #[error("sealed in a layout this version does not know")]
    UnknownLayout,
    /// Cut, changed, or sealed for another tenant, purpose or name.
    #[error("the sealed value is damaged or was sealed for something else")]
    Damaged,
    #[error("the system gave no random bytes")]
    NoRandomness,
    #[error("the cryptographic library refused")]
    Refused,
}

/// A webhook's signature does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// With a dot, id and timestamp could be cut apart in two ways.
    #[error("the webhook id is empty or contains a dot")]
    BadId,
    #[error("the webhook timestamp is not a number of seconds")]
    BadTimestamp,
    #[error("the webhook timestamp is too far from now")]
    OutsideTolerance,
    #[error("no signature of the webhook matches")]
    NoMatch,
}
