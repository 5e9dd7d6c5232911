//! `flotilla endpoints`: receivers of webhooks and the secrets that sign for them.

use clap::Subcommand;
use flotilla_client::{Answer, Client, Endpoint};

use super::say::Format;
use super::{Outcome, clock, say, table};

#[derive(Debug, Subcommand)]
pub enum Endpoints {
    /// Create an endpoint and print its signing secret
    #[command(after_help = "\
Example:
  flotilla endpoints create orders --url https://example.com/hooks/orders")]
    Create {
        /// What submissions call it
        name: String,
        /// Where deliveries go; without it, each delivery names its own URL
        #[arg(long)]
        url: Option<String>,
    },
    /// List the endpoints of your tenant
    #[command(after_help = "\
Example:
  flotilla endpoints list")]
    List,
    /// Print an endpoint's signing secret, for its receiver
    #[command(after_help = "\
Example:
  flotilla endpoints secret orders")]
    Secret {
        /// The endpoint's name
        name: String,
    },
    /// Deliver to it again
    #[command(after_help = "\
Example:
  flotilla endpoints enable orders")]
    Enable {
        /// The endpoint's name
        name: String,
    },
    /// Stop delivering to it
    #[command(after_help = "\
Example:
  flotilla endpoints disable orders --reason moving")]
    Disable {
        /// The endpoint's name
        name: String,
        /// Why: it is shown, and in the audit log
        #[arg(long)]
        reason: Option<String>,
    },
}

impl Endpoints {
    pub async fn run(self, client: &Client, format: Format) -> anyhow::Result<Outcome> {
        match self {
            Self::Create { name, url } => {
                let made = client.create_endpoint(&name, url.as_deref()).await?;
                match (&made.secret, format) {
                    (Some(secret), Format::Text) => say::line(secret),
                    (_, Format::Json) => say::json(made.text()),
                    (None, Format::Text) => say::aside(&format!("`{name}` exists already; its secret: flotilla endpoints secret {name}")),
                }
            }
            Self::List => {
                let found = client.endpoints().await?;
                match format {
                    Format::Json => say::json(found.text()),
                    Format::Text => show(&found.webhook_endpoints),
                }
            }
            Self::Secret { name } => {
                let found = client.endpoint_secret(&name).await?;
                match format {
                    Format::Json => say::json(found.text()),
                    Format::Text => say::line(found.secret.as_deref().unwrap_or("-")),
                }
            }
            Self::Enable { name } => say_one(&client.enable_endpoint(&name).await?, format),
            Self::Disable { name, reason } => say_one(&client.disable_endpoint(&name, reason.as_deref()).await?, format),
        }
        Ok(Outcome::Done)
    }
}

fn show(endpoints: &[Endpoint]) {
    let now = clock::now();
    let row = |endpoint: &Endpoint| {
        vec![
            table::text(&endpoint.name),
            table::maybe(endpoint.url.as_ref()),
            table::text(clock::relative_if(endpoint.created_at, now)),
            table::text(clock::relative_if(endpoint.disabled_at, now)),
            table::maybe(endpoint.disabled_reason.as_ref()),
        ]
    };
    table::show(&["NAME", "URL", "CREATED", "DISABLED", "WHY"], endpoints.iter().map(row).collect(), "no endpoints");
}

fn say_one(endpoint: &Answer<Endpoint>, format: Format) {
    match format {
        Format::Json => say::json(endpoint.text()),
        Format::Text => say::line(&format!("{} {}", endpoint.name, if endpoint.disabled_at.is_some() { "disabled" } else { "enabled" })),
    }
}
