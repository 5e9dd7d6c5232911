//! `vault` seals secrets at rest, signs and verifies webhooks, and mints and checks API keys, all under one server secret.
//! It does not store, send or log anything.

mod api_key;
mod derive;
mod error;
mod seal;
mod server_secret;
mod webhook;

pub use api_key::PresentedKey;
pub use error::{SignatureError, VaultError};
pub use seal::Vault;
pub use server_secret::ServerSecret;
pub use webhook::WebhookSecret;
