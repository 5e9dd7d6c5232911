//! Standard Webhooks signatures, version `v1`: HMAC-SHA-256 over `id.timestamp.body`.
//! Source: github.com/standard-webhooks/standard-webhooks, `spec/standard-webhooks.md`.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::{hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::{SignatureError, VaultError};

const PREFIX: &str = "whsec_";
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;
const GENERATED_LEN: usize = 32;
const VERSION: &str = "v1";

/// The key that an endpoint's deliveries are signed with: 24 to 64 bytes, written as `whsec_` and base64.
#[derive(Clone)]
pub struct WebhookSecret(Zeroizing<Vec<u8>>);

impl WebhookSecret {
    pub fn generate() -> Result<Self, VaultError> {
        let mut bytes = Zeroizing::new(vec![0; GENERATED_LEN]);
        rand::fill(&mut bytes).map_err(|_| VaultError::NoRandomness)?;
        Ok(Self(bytes))
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, VaultError> {
        let fits = LENGTHS.contains(&bytes.len());
        if fits { Ok(Self(Zeroizing::new(bytes.to_vec()))) } else { Err(VaultError::NotAWebhookSecret) }
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn to_text(&self) -> Zeroizing<String> {
        let encoded = Zeroizing::new(STANDARD.encode(self.as_bytes()));
        Zeroizing::new(format!("{PREFIX}{}", *encoded))
    }

    /// The value of `webhook-signature` for exactly these body bytes. `id` must not contain a dot.
    pub fn sign(&self, id: &str, timestamp_secs: i64, body: &[u8]) -> String {
        debug_assert!(!id.contains('.'), "with a dot, id and timestamp could be cut apart in two ways");
        format!("{VERSION},{}", STANDARD.encode(self.mac(id, timestamp_secs, body).sign()))
    }

    /// Whether one of the listed signatures is ours and the timestamp is near `now_secs`.
    /// Several signatures are a rotation; those of other versions are passed over.
    #[expect(clippy::too_many_arguments, reason = "a request's three headers and body as they came, and the clock twice")]
    pub fn verify(
        &self,
        id: &str,
        timestamp_header: &str,
        signature_header: &str,
        body: &[u8],
        now_secs: i64,
        tolerance_secs: i64,
    ) -> Result<(), SignatureError> {
        if id.is_empty() || id.contains('.') {
            return Err(SignatureError::BadId);
        }
        let timestamp_secs: i64 = timestamp_header.parse().map_err(|_| SignatureError::BadTimestamp)?;
        if now_secs.abs_diff(timestamp_secs) > tolerance_secs.unsigned_abs() {
            return Err(SignatureError::OutsideTolerance);
        }
        let given = signature_header.split(' ').filter_map(|item| item.split_once(',')).filter(|(version, _)| *version == VERSION);
        let mut tags = given.filter_map(|(_, encoded)| STANDARD.decode(encoded).ok());
        let expected = self.mac(id, timestamp_secs, body);
        if tags.any(|tag| expected.is(&tag)) { Ok(()) } else { Err(SignatureError::NoMatch) }
    }

    fn mac(&self, id: &str, timestamp_secs: i64, body: &[u8]) -> Mac {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, self.as_bytes()));
        context.update(format!("{id}.{timestamp_secs}.").as_bytes());
        context.update(body);
        Mac(context.sign())
    }
}

/// The one signature that is right.
struct Mac(hmac::Tag);

impl Mac {
    fn sign(&self) -> &[u8] {
        self.0.as_ref()
    }

    fn is(&self, given: &[u8]) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(self.0.as_ref(), given).is_ok()
    }
}

impl FromStr for WebhookSecret {
    type Err = VaultError;

    /// Reads `whsec_` and base64. The error never repeats the text.
    fn from_str(text: &str) -> Result<Self, VaultError> {
        let encoded = text.strip_prefix(PREFIX).ok_or(VaultError::NotAWebhookSecret)?;
        let bytes = STANDARD.decode(encoded).map(Zeroizing::new).map_err(|_| VaultError::NotAWebhookSecret)?;
        Self::from_bytes(&bytes)
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(***)")
    }
}
