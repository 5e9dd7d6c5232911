//! Keys derived from the server secret: HKDF-SHA-256 (RFC 5869), one label per use.

use aws_lc_rs::hkdf;
use zeroize::Zeroizing;

use crate::{ServerSecret, VaultError};

const SALT: &[u8] = b"flotilla.vault.v1";

/// What a derived key is for. Labels end in NUL, so that no label and context spell another label.
#[derive(Clone, Copy)]
pub enum Use {
    Seal,
    ApiKey,
    KeyId,
}

impl Use {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Seal => b"seal\0",
            Self::ApiKey => b"api-key\0",
            Self::KeyId => b"key-id\0",
        }
    }
}

/// 32 bytes for one use and one context (a tenant, or nothing).
pub fn derive(secret: &ServerSecret, purpose: Use, context: &[u8]) -> Result<Zeroizing<[u8; 32]>, VaultError> {
    let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, SALT).extract(secret.as_bytes());
    let info = [purpose.label(), context];
    let mut key = Zeroizing::new([0; 32]);
    let okm = prk.expand(&info, hkdf::HKDF_SHA256).map_err(|_| VaultError::Refused)?;
    okm.fill(key.as_mut_slice()).map_err(|_| VaultError::Refused)?;
    Ok(key)
}
