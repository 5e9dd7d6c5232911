//! The one secret everything else is derived from.

use std::fmt;
use std::str::FromStr;

use zeroize::Zeroizing;

use crate::VaultError;

/// 32 random bytes; who has them can open everything sealed and mint any key. Wiped from memory when dropped.
#[derive(Clone)]
pub struct ServerSecret(Zeroizing<[u8; 32]>);

impl ServerSecret {
    pub fn generate() -> Result<Self, VaultError> {
        let mut bytes = Zeroizing::new([0; 32]);
        aws_lc_rs::rand::fill(bytes.as_mut_slice()).map_err(|_| VaultError::NoRandomness)?;
        Ok(Self(bytes))
    }

    pub fn to_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.as_bytes()))
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for ServerSecret {
    type Err = VaultError;

    /// Reads 64 hex digits of either case. The error never repeats the text.
    fn from_str(text: &str) -> Result<Self, VaultError> {
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text, bytes.as_mut_slice()).map_err(|_| VaultError::NotAServerSecret)?;
        Ok(Self(bytes))
    }
}

impl fmt::Debug for ServerSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerSecret(***)")
    }
}
