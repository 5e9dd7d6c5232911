//! Finds where a delivery goes and the secret that signs it, and disables endpoints whose receiver is gone.

use std::sync::Arc;

use domain::{EndpointName, Failure, Timestamp};
use kinds::{DEFAULT_ENDPOINT, Target};
use store::{Access, Actor, Endpoint, StoreError};
use url::Url;
use vault::{Vault, VaultError, WebhookSecret};

/// Where one delivery goes.
#[derive(Debug)]
pub struct Route {
    pub url: Url,
    pub secret: WebhookSecret,
    /// The endpoint whose secret it is.
    pub signer: EndpointName,
    /// Whether the URL is that endpoint's own: only then does a receiver that is gone say something about the endpoint.
    pub is_own: bool,
}

/// The tenants' endpoints.
pub struct Routes {
    access: Arc<dyn Access>,
    vault: Arc<Vault>,
}

impl Routes {
    pub fn new(access: Arc<dyn Access>, vault: Arc<Vault>) -> Self {
        Self { access, vault }
    }

    /// Finds the route of `target` for the actor's tenant.
    pub async fn find(&self, target: &Target, by: &Actor, now: Timestamp) -> Result<Route, Failure> {
        let signer = target.signer();
        let endpoint = self.endpoint(&signer, by, now).await?;
        if endpoint.disabled_at.is_some() {
            return Err(disabled(&endpoint));
        }
        let own = endpoint.url.as_deref().map(Url::parse).transpose().map_err(|_| no_url(&signer))?;
        let url = target.url.clone().or_else(|| own.clone()).ok_or_else(|| no_url(&signer))?;
        let secret = self.vault.open_webhook_secret(&by.tenant, &signer, &endpoint.sealed_secret);
        Ok(Route { is_own: own.as_ref() == Some(&url), url, secret: secret.map_err(|error| unopened(&signer, error))?, signer })
    }

    /// Disables the route's endpoint, unless the delivery went elsewhere. A store that is away is no matter: the next
    /// delivery will be told again that the receiver is gone.
    pub async fn gone(&self, route: &Route, by: &Actor) {
        if !route.is_own {
            return;
        }
        match self.access.endpoint_disable(by, &route.signer, Some("the receiver answered 410 (gone)")).await {
            Ok(_) => tracing::info!(endpoint = %route.signer, "the receiver is gone, its endpoint is disabled now"),
            Err(error) => {
                tracing::warn!(endpoint = %route.signer, error = %error, "an endpoint whose receiver is gone could not be disabled")
            }
        }
    }

    async fn endpoint(&self, name: &EndpointName, by: &Actor, now: Timestamp) -> Result<Endpoint, Failure> {
        match self.access.endpoint(&by.tenant, name).await.map_err(|error| away(&error))? {
            Some(endpoint) => Ok(endpoint),
            None if name.as_str() == DEFAULT_ENDPOINT => self.create_default(name, by, now).await,
            None => Err(Failure::permanent("unknown_endpoint", format!("there is no endpoint `{name}`"))
                .with_hint("create the endpoint, then retry the job")),
        }
    }

    /// Two first deliveries may come here at once: both get the secret that was recorded first.
    async fn create_default(&self, name: &EndpointName, by: &Actor, now: Timestamp) -> Result<Endpoint, Failure> {
        let (sealed_secret, _) = self.vault.seal_webhook_secret(&by.tenant, name).map_err(|error| unopened(name, error))?;
        let (tenant, name) = (by.tenant.clone(), name.clone());
        let endpoint = Endpoint { tenant, name, url: None, sealed_secret, created_at: now, disabled_at: None, disabled_reason: None };
        let (recorded, _) = self.access.endpoint_create(by, &endpoint).await.map_err(|error| away(&error))?;
        Ok(recorded)
    }
}

fn disabled(endpoint: &Endpoint) -> Failure {
    let why = endpoint.disabled_reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
    Failure::permanent("endpoint_disabled", format!("the endpoint `{}` is disabled{why}", endpoint.name))
        .with_hint("enable the endpoint, then retry the job")
}

fn no_url(name: &EndpointName) -> Failure {
    Failure::permanent("endpoint_without_url", format!("the endpoint `{name}` has no URL of its own"))
        .with_hint("give the job a `url`, or name an endpoint that has one")
}

fn unopened(name: &EndpointName, error: VaultError) -> Failure {
    let message = format!("the secret of the endpoint `{name}` cannot be used: {error}");
    match error {
        VaultError::Damaged | VaultError::NotAWebhookSecret => {
            Failure::permanent("secret_unreadable", message).with_hint("create the endpoint anew")
        }
        // A worker with a wrong setting must not kill what another one, or the same one tomorrow, can deliver.
        _ => Failure::transient("secret_unavailable", message).with_hint("FLOTILLA_SECRET_KEY must be the same for all processes"),
    }
}

fn away(error: &StoreError) -> Failure {
    tracing::warn!(error = %error, "an endpoint could not be read or recorded");
    Failure::transient("store_unavailable", "the endpoint could not be read or recorded")
}
