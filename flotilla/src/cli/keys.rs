//! `flotilla keys`: who may talk to the API.

use bootstrap::{AccessSettings, DEFAULT_TENANT, KeyOrder};
use clap::{Args, Subcommand};
use domain::bounds::NAME_CHARS_MAX;
use serde_json::{Value, json};
use settings::{Reader, Source};
use store::Scopes;

use super::{Outcome, client, say};
use crate::Client;

#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Create a key and print it, once
    #[command(after_help = "\
Examples:
  flotilla keys create ci --scopes submit,read --tenant acme
  flotilla keys create admin --direct --scopes admin      the first key of a fleet on PostgreSQL: needs FLOTILLA_DATABASE_URL
                                                          and FLOTILLA_SECRET_KEY instead of a running API")]
    Create(Create),
    /// List the keys of your tenant
    List,
    /// Revoke a key; requests with it are refused from now on
    Revoke { id: String },
}

#[derive(Debug, Args)]
pub struct Create {
    /// What it is for
    name: String,
    /// submit, read, operate, admin; several with commas
    #[arg(long, default_value = "submit,read", value_delimiter = ',')]
    scopes: Vec<String>,
    /// Whose key [default: your own tenant, or `default` with --direct]
    #[arg(long)]
    tenant: Option<String>,
    /// Write it to PostgreSQL itself, without an API: for the first key of a fleet
    #[arg(long)]
    direct: bool,
}

impl Keys {
    pub async fn run(self, source: &Source, json: bool) -> anyhow::Result<Outcome> {
        match self {
            Self::Create(create) => {
                let key = if create.direct { create.direct(source).await? } else { create.ask(&client(source)?).await? };
                if json {
                    say::json(&key);
                } else {
                    say::line(&say::field(&key, "key"));
                    say::aside("This is shown once. Keep it where secrets are kept.");
                }
            }
            Self::List => {
                let keys = client(source)?.get("/v1/api_keys", &[]).await?.body;
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
                client(source)?.delete(&format!("/v1/api_keys/{id}")).await?;
                if !json {
                    say::line(&format!("{id} revoked"));
                }
            }
        }
        Ok(Outcome::Done)
    }
}

impl Create {
    /// Through the API.
    async fn ask(self, client: &Client) -> anyhow::Result<Value> {
        let mut body = json!({ "name": self.name, "scopes": self.scopes });
        if let Some(tenant) = self.tenant {
            body["tenant"] = json!(tenant);
        }
        Ok(client.post("/v1/api_keys", &body).await?.body)
    }

    /// Past the API, in the same shape.
    async fn direct(self, source: &Source) -> anyhow::Result<Value> {
        let mut reader = Reader::new(source);
        let settings = AccessSettings::read(&mut reader);
        let settings = reader.finish(settings)?;
        let name = self.name.trim().to_owned();
        let is_plain = !name.is_empty() && name.chars().count() <= NAME_CHARS_MAX && !name.chars().any(char::is_control);
        anyhow::ensure!(is_plain, "a key's name has 1 to {NAME_CHARS_MAX} characters, none of them a control character");
        let tenant = self.tenant.as_deref().unwrap_or(DEFAULT_TENANT).parse()?;
        let scopes: Scopes = self.scopes.join(",").parse()?;
        let (text, key) = bootstrap::create_key(&settings, KeyOrder { name, tenant, scopes }).await?;
        Ok(json!({
            "id": key.id, "name": key.name, "tenant": key.tenant, "scopes": key.scopes.names(), "created_at": key.created_at,
            "revoked_at": key.revoked_at, "key": text,
        }))
    }
}
