//! What `vault` promises, seen from outside.

mod api_keys;
mod sealing;
mod webhooks;

use vault::{ServerSecret, Vault};

/// A vault under a secret whose every byte is `fill`.
fn vault_of(fill: u8) -> Vault {
    Vault::new(secret_of(fill))
}

fn secret_of(fill: u8) -> ServerSecret {
    format!("{fill:02x}").repeat(32).parse().expect("64 hex digits")
}
