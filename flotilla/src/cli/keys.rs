//! `flotilla keys`: who may talk to the API.

use bootstrap::{AccessSettings, DEFAULT_TENANT, KeyOrder};
use clap::{Args, Subcommand};
use domain::bounds::NAME_CHARS_MAX;
use flotilla_client::{ApiKey, Client, Id, NewKey};
use serde_json::json;
use settings::{Reader, Source};
use store::Scopes;

use super::jobs::id;
use super::say::Format;
use super::{Outcome, client, clock, say, table};

#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Create a key and print it, once
    #[command(after_help = "\
Examples:
  flotilla keys create ci --scopes submit,read --tenant acme
  flotilla keys create admin --direct --scopes admin

With --direct it is the first key of a fleet on PostgreSQL: that needs FLOTILLA_DATABASE_URL and FLOTILLA_SECRET_KEY
instead of a running API.")]
    Create(Create),
    /// List the keys of your tenant
    #[command(after_help = "\
Example:
  flotilla keys list --tenant acme")]
    List {
        /// Of another tenant than your own
        #[arg(long)]
        tenant: Option<String>,
    },
    /// Revoke a key; requests with it are refused from now on
    #[command(after_help = "\
Example:
  flotilla keys revoke 0192f0c1-7b1e-7cc3-98c4-dc0c0c07398f")]
    Revoke {
        /// The key's id, as `flotilla keys list` shows it
        #[arg(value_parser = id)]
        id: Id,
        /// Of another tenant than your own
        #[arg(long)]
        tenant: Option<String>,
    },
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
    pub async fn run(self, source: &Source, format: Format) -> anyhow::Result<Outcome> {
        match self {
            Self::Create(create) => {
                let (text, key) = if create.direct { create.direct(source).await? } else { create.ask(&client(source)?).await? };
                match format {
                    Format::Json => say::json(&text),
                    Format::Text => {
                        say::line(&key);
                        say::aside("This is shown once. Keep it where secrets are kept.");
                    }
                }
            }
            Self::List { tenant } => {
                let found = client(source)?.keys(tenant.as_deref()).await?;
                match format {
                    Format::Json => say::json(found.text()),
                    Format::Text => show(&found.api_keys),
                }
            }
            Self::Revoke { id, tenant } => {
                client(source)?.revoke_key(id, tenant.as_deref()).await?;
                if format == Format::Text {
                    say::line(&format!("{id} revoked"));
                }
            }
        }
        Ok(Outcome::Done)
    }
}

fn show(keys: &[ApiKey]) {
    let now = clock::now();
    let row = |key: &ApiKey| {
        vec![
            table::text(key.id.to_string()),
            table::text(&key.name),
            table::text(&key.tenant),
            table::text(key.scopes.join(", ")),
            table::text(clock::relative(key.created_at, now)),
            table::text(clock::relative_if(key.revoked_at, now)),
        ]
    };
    table::show(&["ID", "NAME", "TENANT", "SCOPES", "CREATED", "REVOKED"], keys.iter().map(row).collect(), "no keys");
}

impl Create {
    /// Through the API: its answer, and the key.
    async fn ask(self, client: &Client) -> anyhow::Result<(String, String)> {
        let Self { name, scopes, tenant, direct: _ } = self;
        let made = client.create_key(&NewKey { name, scopes, tenant }).await?;
        Ok((made.text().to_owned(), made.into_body().key.unwrap_or_default()))
    }

    /// Past the API, in the same shape.
    async fn direct(self, source: &Source) -> anyhow::Result<(String, String)> {
        let mut reader = Reader::new(source);
        let settings = AccessSettings::read(&mut reader);
        let settings = reader.finish(settings)?;
        let name = self.name.trim().to_owned();
        let is_plain = !name.is_empty() && name.chars().count() <= NAME_CHARS_MAX && !name.chars().any(char::is_control);
        anyhow::ensure!(is_plain, "a key's name has 1 to {NAME_CHARS_MAX} characters, none of them a control character");
        let tenant = self.tenant.as_deref().unwrap_or(DEFAULT_TENANT).parse()?;
        let scopes: Scopes = self.scopes.join(",").parse()?;
        let (text, key) = bootstrap::create_key(&settings, KeyOrder { name, tenant, scopes }).await?;
        let shown = json!({
            "id": key.id, "name": key.name, "tenant": key.tenant, "scopes": key.scopes.names(), "created_at": key.created_at,
            "revoked_at": key.revoked_at, "key": text,
        });
        Ok((shown.to_string(), text))
    }
}
