//! `flotilla endpoints`: receivers of webhooks and the secrets that sign for them.

use clap::Subcommand;
use serde_json::{Value, json};

use super::{Outcome, say};
use crate::Client;

#[derive(Debug, Subcommand)]
pub enum Endpoints {
    /// Create an endpoint and print its signing secret
    #[command(after_help = "Example: flotilla endpoints create orders --url https://example.com/hooks/orders")]
    Create {
        /// What submissions call it
        name: String,
        /// Where deliveries go; without it, each delivery names its own URL
        #[arg(long)]
        url: Option<String>,
    },
    /// List the endpoints of your tenant
    List,
    /// Print an endpoint's signing secret, for its receiver
    Secret { name: String },
    /// Deliver to it again
    Enable { name: String },
    /// Stop delivering to it
    Disable {
        name: String,
        #[arg(long)]
        reason: Option<String>,
    },
}

impl Endpoints {
    pub async fn run(self, client: &Client, json: bool) -> anyhow::Result<Outcome> {
        match self {
            Self::Create { name, url } => {
                let made = client.post("/v1/webhook_endpoints", &json!({ "name": name, "url": url })).await?.body;
                match made["secret"].as_str() {
                    Some(_) => shown(&made, "secret", json),
                    None if json => say::json(&made),
                    None => say::aside(&format!("`{name}` exists already; its secret: flotilla endpoints secret {name}")),
                }
            }
            Self::List => {
                let found = client.get("/v1/webhook_endpoints", &[]).await?.body;
                if json {
                    say::json(&found);
                } else {
                    let columns = ["name", "url", "created_at", "disabled_at", "disabled_reason"];
                    let rows = found["webhook_endpoints"].as_array().map(Vec::as_slice).unwrap_or_default();
                    let row = |endpoint: &Value| columns.iter().map(|name| say::field(endpoint, name)).collect();
                    say::table(&["NAME", "URL", "CREATED", "DISABLED", "WHY"], rows.iter().map(row).collect());
                }
            }
            Self::Secret { name } => {
                let found = client.get(&format!("/v1/webhook_endpoints/{name}/secret"), &[]).await?.body;
                shown(&found, "secret", json);
            }
            Self::Enable { name } => {
                let found = client.post(&format!("/v1/webhook_endpoints/{name}/enable"), &json!({})).await?.body;
                shown(&found, "name", json);
            }
            Self::Disable { name, reason } => {
                let found = client.post(&format!("/v1/webhook_endpoints/{name}/disable"), &json!({ "reason": reason })).await?.body;
                shown(&found, "name", json);
            }
        }
        Ok(Outcome::Done)
    }
}

fn shown(value: &Value, field: &str, json: bool) {
    if json { say::json(value) } else { say::line(&say::field(value, field)) }
}
