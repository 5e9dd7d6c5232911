//! What an operator allows deliveries to reach.

use settings::{Reader, vars};

use crate::guard::GuardPolicy;

/// Reads the guard's policy.
pub struct WebhooksSettings;

impl WebhooksSettings {
    pub fn read(reader: &mut Reader<'_>) -> GuardPolicy {
        let ports: Vec<u16> = reader.list(&vars::WEBHOOKS_PORTS);
        if ports.contains(&0) {
            reader.problem(&vars::WEBHOOKS_PORTS, "there is no port 0");
        }
        GuardPolicy { allow: reader.list(&vars::WEBHOOKS_ALLOW), http_public: reader.get(&vars::WEBHOOKS_HTTP), ports }
    }
}
