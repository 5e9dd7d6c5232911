//! Sealing at rest: AES-256-GCM under a key per tenant, bound to what the value is.
//!
//! Layout: version (1 byte) · key id (4) · nonce (12) · ciphertext and tag.
//!
//! The key id is derived from the server secret, so that a wrong secret is *said* ([`VaultError::OtherKey`]) and not
//! mistaken for damage. It is also the room for rotation: a vault that is given older secrets besides the present one
//! can pick by id when it opens, always seals with the present one, and a duty re-seals what still carries an old id.
//!
//! Nonces are random: with a key per tenant, 2^32 values of one tenant keep the chance of a repeat below 2^-32.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;
use domain::{EndpointName, TenantId};
use zeroize::Zeroizing;

use crate::derive::{Use, derive};
use crate::{ServerSecret, VaultError, WebhookSecret};

const VERSION: u8 = 1;
const KEY_ID_LEN: usize = 4;
const HEAD_LEN: usize = 1 + KEY_ID_LEN + NONCE_LEN;
/// The purpose under which endpoint secrets are sealed.
const WEBHOOK_ENDPOINT: &str = "webhook_endpoint";

/// Seals and opens secrets, and checks API keys, under one server secret.
pub struct Vault {
    pub(crate) secret: ServerSecret,
}

impl Vault {
    pub const fn new(secret: ServerSecret) -> Self {
        Self { secret }
    }

    /// Encrypts `plain`; only the same tenant, purpose and name open it again.
    pub fn seal(&self, tenant: &TenantId, purpose: &str, name: &str, plain: &[u8]) -> Result<Vec<u8>, VaultError> {
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).map_err(|_| VaultError::NoRandomness)?;
        let mut body = plain.to_vec();
        self.tenant_key(tenant)?
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), bound_to(purpose, tenant, name), &mut body)
            .map_err(|_| VaultError::Refused)?;
        let key_id = self.key_id()?;
        Ok([&[VERSION], key_id.as_slice(), &nonce, &body].concat())
    }

    /// Decrypts what [`Vault::seal`] made for the same tenant, purpose and name.
    pub fn open(&self, tenant: &TenantId, purpose: &str, name: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        if sealed.first().is_some_and(|version| *version != VERSION) {
            return Err(VaultError::UnknownLayout);
        }
        let (head, body) = sealed.split_at_checked(HEAD_LEN).ok_or(VaultError::Damaged)?;
        let (key_id, nonce) = head[1..].split_at(KEY_ID_LEN);
        if key_id != self.key_id()? {
            return Err(VaultError::OtherKey);
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| VaultError::Damaged)?;
        let mut body = Zeroizing::new(body.to_vec());
        let opened = self.tenant_key(tenant)?.open_in_place(nonce, bound_to(purpose, tenant, name), &mut body);
        let plain_len = opened.map_err(|_| VaultError::Damaged)?.len();
        body.truncate(plain_len);
        Ok(body)
    }

    /// A new secret for an endpoint, sealed for the store and in the clear to be shown once.
    pub fn seal_webhook_secret(&self, tenant: &TenantId, endpoint: &EndpointName) -> Result<(Vec<u8>, WebhookSecret), VaultError> {
        let secret = WebhookSecret::generate()?;
        Ok((self.seal(tenant, WEBHOOK_ENDPOINT, endpoint.as_str(), secret.as_bytes())?, secret))
    }

    /// The secret of an endpoint as [`Vault::seal_webhook_secret`] sealed it.
    pub fn open_webhook_secret(&self, tenant: &TenantId, endpoint: &EndpointName, sealed: &[u8]) -> Result<WebhookSecret, VaultError> {
        WebhookSecret::from_bytes(&self.open(tenant, WEBHOOK_ENDPOINT, endpoint.as_str(), sealed)?)
    }

    fn key_id(&self) -> Result<[u8; KEY_ID_LEN], VaultError> {
        let derived = derive(&self.secret, Use::KeyId, &[])?;
        let [a, b, c, d, ..] = *derived;
        Ok([a, b, c, d])
    }

    fn tenant_key(&self, tenant: &TenantId) -> Result<LessSafeKey, VaultError> {
        let key = derive(&self.secret, Use::Seal, tenant.as_str().as_bytes())?;
        UnboundKey::new(&AES_256_GCM, key.as_slice()).map(LessSafeKey::new).map_err(|_| VaultError::Refused)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(***)")
    }
}

/// Each part with its length in front: (`ab`, `c`) and (`a`, `bc`) differ.
fn bound_to(purpose: &str, tenant: &TenantId, name: &str) -> Aad<Vec<u8>> {
    let parts = [purpose, tenant.as_str(), name];
    let with_length = |part: &str| [&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes(), part.as_bytes()].concat();
    Aad::from(parts.into_iter().flat_map(with_length).collect())
}
