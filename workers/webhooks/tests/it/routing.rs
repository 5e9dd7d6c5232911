//! Which URL and which secret a delivery gets, and what becomes of endpoints.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use domain::{EndpointName, KeyId, TenantId, Timestamp};
use kinds::Target;
use parking_lot::Mutex;
use store::{Access, Actor, ApiKey, AuditPage, AuditPageRows, Endpoint, NewApiKey, StoreError};
use vault::Vault;
use webhooks_worker::{Route, Routes};

const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

/// Endpoints in memory; nothing else of the port is used by deliveries.
#[derive(Default)]
struct Endpoints {
    rows: Mutex<BTreeMap<(TenantId, EndpointName), Endpoint>>,
    away: bool,
}

impl Endpoints {
    fn check(&self) -> Result<(), StoreError> {
        let error = || StoreError::Unavailable { doing: "a test", source: "away".into() };
        if self.away { Err(error()) } else { Ok(()) }
    }
}

#[async_trait]
impl Access for Endpoints {
    async fn endpoint_create(&self, _: &Actor, endpoint: &Endpoint) -> Result<(Endpoint, bool), StoreError> {
        self.check()?;
        let mut rows = self.rows.lock();
        let key = (endpoint.tenant.clone(), endpoint.name.clone());
        let is_new = !rows.contains_key(&key);
        Ok((rows.entry(key).or_insert_with(|| endpoint.clone()).clone(), is_new))
    }

    async fn endpoint(&self, tenant: &TenantId, name: &EndpointName) -> Result<Option<Endpoint>, StoreError> {
        self.check()?;
        Ok(self.rows.lock().get(&(tenant.clone(), name.clone())).cloned())
    }

    async fn endpoint_disable(&self, by: &Actor, name: &EndpointName, reason: Option<&str>) -> Result<bool, StoreError> {
        self.check()?;
        let mut rows = self.rows.lock();
        let found = rows.get_mut(&(by.tenant.clone(), name.clone()));
        Ok(found.map(|row| (row.disabled_at, row.disabled_reason) = (reason.map(|_| NOW), reason.map(str::to_owned))).is_some())
    }

    async fn key_create(&self, _: &Actor, _: &NewApiKey) -> Result<ApiKey, StoreError> {
        unreachable!("deliveries make no keys")
    }

    async fn key(&self, _: KeyId) -> Result<Option<ApiKey>, StoreError> {
        Ok(None)
    }

    async fn keys(&self, _: &TenantId) -> Result<Vec<ApiKey>, StoreError> {
        Ok(Vec::new())
    }

    async fn key_revoke(&self, _: &Actor, _: KeyId) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn endpoints(&self, _: &TenantId) -> Result<Vec<Endpoint>, StoreError> {
        Ok(self.rows.lock().values().cloned().collect())
    }

    async fn audit(&self, _: &TenantId, _: &AuditPage) -> Result<AuditPageRows, StoreError> {
        Ok(AuditPageRows::default())
    }
}

struct World {
    endpoints: Arc<Endpoints>,
    vault: Arc<Vault>,
    routes: Routes,
}

impl World {
    fn new() -> Self {
        Self::on(Endpoints::default())
    }

    fn on(endpoints: Endpoints) -> Self {
        let (endpoints, vault) = (Arc::new(endpoints), Arc::new(vault_of("2a")));
        let routes = Routes::new(Arc::clone(&endpoints) as Arc<dyn Access>, Arc::clone(&vault));
        Self { endpoints, vault, routes }
    }

    async fn add(&self, name: &'static str, url: Option<&str>) -> String {
        let (tenant, name) = (by().tenant, EndpointName::of(name));
        let (sealed_secret, secret) = self.vault.seal_webhook_secret(&tenant, &name).expect("seals");
        let url = url.map(str::to_owned);
        let row = Endpoint { tenant, name, url, sealed_secret, created_at: NOW, disabled_at: None, disabled_reason: None };
        self.endpoints.endpoint_create(&by(), &row).await.expect("recorded");
        secret.to_text().to_string()
    }

    async fn find(&self, url: Option<&str>, endpoint: Option<&'static str>) -> Result<Route, (String, &'static str)> {
        let target = Target { url: url.map(|url| url.parse().expect("a URL")), endpoint: endpoint.map(EndpointName::of) };
        self.routes.find(&target, &by(), NOW).await.map_err(|failure| (failure.code.clone(), failure.class.as_str()))
    }
}

fn by() -> Actor {
    Actor { tenant: TenantId::of("acme"), name: "worker:x".to_owned(), request_id: "job".to_owned() }
}

fn vault_of(byte: &str) -> Vault {
    Vault::new(byte.repeat(32).parse().expect("64 hex digits"))
}

#[tokio::test]
async fn the_endpoint_signs_and_the_jobs_url_goes_before_its_own() {
    let world = World::new();
    let secret = world.add("orders", Some("https://own.example/")).await;
    let rows = [
        (None, "https://own.example/", true),
        (Some("https://other.example/"), "https://other.example/", false),
        (Some("https://own.example/"), "https://own.example/", true),
    ];
    for (url, goes_to, is_own) in rows {
        let route = world.find(url, Some("orders")).await.expect("a route");
        assert_eq!((route.url.as_str(), route.is_own), (goes_to, is_own));
        assert_eq!(*route.secret.to_text(), secret);
    }
}

#[tokio::test]
async fn the_default_endpoint_is_made_once_and_kept() {
    let world = World::new();
    let first = world.find(Some("https://a.example/"), None).await.expect("a route");
    let second = world.find(Some("https://b.example/"), Some("default")).await.expect("a route");
    assert_eq!(first.secret.as_bytes(), second.secret.as_bytes());
    assert_eq!(world.endpoints.rows.lock().len(), 1);
    let racing = World::new();
    let (a, b) = tokio::join!(racing.find(Some("https://a.example/"), None), racing.find(Some("https://a.example/"), None));
    assert_eq!(a.expect("a route").secret.as_bytes(), b.expect("a route").secret.as_bytes());
}

#[tokio::test]
async fn what_cannot_be_routed_says_why() {
    let world = World::new();
    world.add("bare", None).await;
    let refused = |code: &str| (code.to_owned(), "permanent");
    assert_eq!(world.find(None, Some("missing")).await.expect_err("unknown"), refused("unknown_endpoint"));
    assert_eq!(world.find(Some("https://a.example/"), Some("missing")).await.expect_err("unknown"), refused("unknown_endpoint"));
    assert_eq!(world.find(None, Some("bare")).await.expect_err("no URL"), refused("endpoint_without_url"));
    assert_eq!(world.find(None, Some("default")).await.expect_err("no URL"), refused("endpoint_without_url"));

    let away = World::on(Endpoints { away: true, ..Endpoints::default() });
    assert_eq!(away.find(None, Some("orders")).await.expect_err("away"), ("store_unavailable".to_owned(), "transient"));
}

#[tokio::test]
async fn a_receiver_that_is_gone_disables_its_own_endpoint_only() {
    let world = World::new();
    world.add("orders", Some("https://own.example/")).await;
    let elsewhere = world.find(Some("https://other.example/"), Some("orders")).await.expect("a route");
    world.routes.gone(&elsewhere, &by()).await;
    let own = world.find(None, Some("orders")).await.expect("still enabled");
    world.routes.gone(&own, &by()).await;
    for url in [None, Some("https://other.example/")] {
        assert_eq!(world.find(url, Some("orders")).await.expect_err("disabled"), ("endpoint_disabled".to_owned(), "permanent"));
    }
    world.endpoints.endpoint_disable(&by(), &EndpointName::of("orders"), None).await.expect("enabled again");
    world.find(None, Some("orders")).await.expect("a route");
}

/// A worker with a wrong setting must not kill jobs; a secret that is damaged will never be readable.
#[tokio::test]
async fn a_wrong_server_secret_is_temporary_and_a_damaged_secret_is_not() {
    let world = World::new();
    world.add("orders", Some("https://own.example/")).await;
    let other = Routes::new(Arc::clone(&world.endpoints) as Arc<dyn Access>, Arc::new(vault_of("2b")));
    let target = Target { url: None, endpoint: Some(EndpointName::of("orders")) };
    let failure = other.find(&target, &by(), NOW).await.expect_err("another secret");
    assert_eq!((failure.code.as_str(), failure.class.as_str()), ("secret_unavailable", "transient"));

    world.endpoints.rows.lock().values_mut().for_each(|row| *row.sealed_secret.last_mut().expect("bytes") ^= 1);
    assert_eq!(world.find(None, Some("orders")).await.expect_err("damaged"), ("secret_unreadable".to_owned(), "permanent"));
}
