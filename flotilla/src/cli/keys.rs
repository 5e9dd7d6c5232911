//! `flotilla keys`: who may talk to the API.

use clap::Subcommand;
use serde_json::{Value, json};

use super::{Outcome, say};
use crate::Client;

#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Create a key and print it, once
    #[command(after_help = "Example: flotilla keys create ci --scopes submit,read --tenant acme")]
    Create {
        /// What it is for
        name: String,
        /// submit, read, operate, admin; several with commas
        #[arg(long, default_value = "submit,read", value_delimiter = ',')]
        scopes: Vec<String>,
        /// Whose key [default: your own tenant]
        #[arg(long)]
        tenant: Option<String>,
    },
    /// List the keys of your tenant
    List,
    /// Revoke a key; requests with it are refused from now on
    Revoke { id: String },
}

impl Keys {
    pub async fn run(self, client: &Client, json: bool) -> anyhow::Result<Outcome> {
        match self {
            Self::Create { name, scopes, tenant } => {
                let mut body = json!({ "name": name, "scopes": scopes });
                if let Some(tenant) = tenant {
                    body["tenant"] = json!(tenant);
                }
                let key = client.post("/v1/api_keys", &body).await?.body;
                if json {
                    say::json(&key);
                } else {
                    say::line(&say::field(&key, "key"));
                    say::aside("This is shown once. Keep it where secrets are kept.");
                }
            }
            Self::List => {
                let keys = client.get("/v1/api_keys", &[]).await?.body;
                if json {
                    say::json(&keys);
                } else {
                    let columns = ["id", "name", "tenant", "scopes", "created_at", "revoked_at"];
                    let rows = keys["api_keys"].as_array().map(Vec::as_slice).unwrap_or_default();
                    let row = |key: &Value| columns.iter().map(|name| say::field(key, name)).collect();
                    say::table(&["ID", "NAME", "TENANT", "SCOPES", "CREATED", "REVOKED"], rows.iter().map(row).collect());
                }
            }
            Self::Revoke { id } => {
                client.delete(&format!("/v1/api_keys/{id}")).await?;
                if !json {
                    say::line(&format!("{id} revoked"));
                }
            }
        }
        Ok(Outcome::Done)
    }
}
