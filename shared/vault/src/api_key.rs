//! API keys: the text is shown once, the store keeps a keyed hash of it.
//!
//! The secret is 32 random bytes, so a fast hash is enough; keyed, so that a stolen table alone cannot even be tested
//! against a found key, and nobody who can write to the table can plant one.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::{hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::KeyId;
use zeroize::Zeroizing;

use crate::derive::{Use, derive};
use crate::{Vault, VaultError};

const PREFIX: &str = "flt_";

/// An API key as a request carries it: what it claims to be, not yet checked.
#[derive(Clone)]
pub struct PresentedKey {
    pub id: KeyId,
    secret: Zeroizing<[u8; 32]>,
}

impl FromStr for PresentedKey {
    type Err = VaultError;

    /// Reads `flt_<id as 32 hex digits>_<43 characters>`. The error never repeats the text.
    fn from_str(text: &str) -> Result<Self, VaultError> {
        let (id_text, secret_text) = text.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_')).ok_or(VaultError::NotAnApiKey)?;
        let mut id = [0; 16];
        hex::decode_to_slice(id_text, &mut id).map_err(|_| VaultError::NotAnApiKey)?;
        let decoded = URL_SAFE_NO_PAD.decode(secret_text).map(Zeroizing::new).map_err(|_| VaultError::NotAnApiKey)?;
        let secret: [u8; 32] = decoded.as_slice().try_into().map_err(|_| VaultError::NotAnApiKey)?;
        Ok(Self { id: KeyId::from_bytes(id), secret: Zeroizing::new(secret) })
    }
}

impl fmt::Debug for PresentedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PresentedKey({}, ***)", self.id)
    }
}

impl Vault {
    /// A new key: its text, to be shown once, and the hash to be stored.
    pub fn mint_api_key(&self, id: KeyId) -> Result<(String, [u8; 32]), VaultError> {
        let mut secret = Zeroizing::new([0; 32]);
        rand::fill(secret.as_mut_slice()).map_err(|_| VaultError::NoRandomness)?;
        let text = format!("{PREFIX}{}_{}", hex::encode(id.as_bytes()), URL_SAFE_NO_PAD.encode(secret.as_slice()));
        let tag = hmac::sign(&self.api_key_key()?, &hashed(id, &secret));
        Ok((text, tag.as_ref().try_into().map_err(|_| VaultError::Refused)?))
    }

    /// Whether the presented key is the one with this stored hash. Takes the same time for every wrong key.
    pub fn matches(&self, presented: &PresentedKey, hash: &[u8; 32]) -> bool {
        self.api_key_key().is_ok_and(|key| hmac::verify(&key, &hashed(presented.id, &presented.secret), hash).is_ok())
    }

    fn api_key_key(&self) -> Result<hmac::Key, VaultError> {
        derive(&self.secret, Use::ApiKey, &[]).map(|key| hmac::Key::new(hmac::HMAC_SHA256, key.as_slice()))
    }
}

/// The id is hashed too: a stored hash cannot be moved to another key's row.
fn hashed(id: KeyId, secret: &[u8; 32]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([id.as_bytes().as_slice(), secret].concat())
}
