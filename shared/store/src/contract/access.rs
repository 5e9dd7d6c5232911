//! Who may come in, and what is written down about those who do?

use domain::{EndpointName, KeyId, Timestamp};

use super::Fixture;
use super::bench::Bench;
use super::sample::{SECOND, operator, outsider, stranger, tenant};
use crate::{Actor, ApiKey, AuditRow, Endpoint, NewApiKey, Scopes};

fn a_key(b: &Bench, by: &Actor, name: &str) -> NewApiKey {
    let id = b.mint.key(b.now());
    let scopes = Scopes::SUBMIT.and(Scopes::READ);
    NewApiKey { id, tenant: by.tenant.clone(), name: name.to_owned(), scopes, hash: *b"\x00\xffhash of a secret, 32 bytes lon" }
}

pub async fn created(b: &Bench, by: &Actor, name: &str) -> ApiKey {
    b.store.key_create(by, &a_key(b, by, name)).await.expect("creates")
}

async fn read(b: &Bench, id: KeyId) -> ApiKey {
    b.store.key(id).await.expect("reads").expect("is there")
}

fn an_endpoint(by: &Actor, name: &'static str, url: &str) -> Endpoint {
    Endpoint {
        tenant: by.tenant.clone(),
        name: EndpointName::of(name),
        url: Some(url.to_owned()),
        sealed_secret: vec![0, 255, 7, 0],
        created_at: Timestamp::from_micros(0),
        disabled_at: None,
        disabled_reason: None,
    }
}

/// What is asked about an endpoint when its times do not matter.
fn seen(endpoint: &Endpoint) -> (&str, Option<&str>, &[u8], Option<&str>) {
    (endpoint.name.as_str(), endpoint.url.as_deref(), &endpoint.sealed_secret, endpoint.disabled_reason.as_deref())
}

async fn trail(b: &Bench, target: &str) -> Vec<AuditRow> {
    b.audit(&tenant()).await.into_iter().filter(|row| row.target.contains(target)).collect()
}

/// A key is found by its id, as it was created.
pub async fn a_key_is_kept_as_created(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (before, new) = (b.now(), a_key(&b, &operator(), "ci"));
    let key = b.store.key_create(&operator(), &new).await.expect("creates");
    assert_eq!((key.id, &key.tenant, &key.name, key.scopes, key.hash), (new.id, &new.tenant, &new.name, new.scopes, new.hash));
    assert!(key.created_at >= before && key.created_at <= b.now() && key.revoked_at.is_none());
    assert_eq!(read(&b, new.id).await, key);
    assert_eq!(b.store.key(b.mint.key(b.now())).await.expect("reads"), None);
}

/// A tenant's keys are listed newest first, and nobody else's.
pub async fn keys_are_listed_newest_first(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let mut keys = Vec::new();
    for name in ["one", "two", "three"] {
        keys.insert(0, created(&b, &operator(), name).await);
        f.advance(SECOND);
    }
    let foreign = created(&b, &outsider(), "foreign").await;
    assert_eq!(b.store.keys(&tenant()).await.expect("lists"), keys);
    assert_eq!(b.store.keys(&stranger()).await.expect("lists"), [foreign]);
}

/// A revoked key is still found, with the time it was revoked; twice is no error.
pub async fn a_revoked_key_says_so(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let key = created(&b, &operator(), "ci").await;
    for _ in 0..2 {
        assert!(b.store.key_revoke(&operator(), key.id).await.expect("revokes"));
        assert!(read(&b, key.id).await.revoked_at.is_some_and(|at| at >= key.created_at && at <= b.now()));
    }
    assert!(b.store.keys(&tenant()).await.expect("lists")[0].revoked_at.is_some());
}

/// Another tenant's key, or an unknown one, cannot be revoked. // I17
pub async fn a_foreign_key_cannot_be_revoked(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let key = created(&b, &operator(), "ci").await;
    assert!(!b.store.key_revoke(&outsider(), key.id).await.expect("answers"));
    assert!(!b.store.key_revoke(&operator(), b.mint.key(b.now())).await.expect("answers"));
    assert_eq!(read(&b, key.id).await.revoked_at, None);
}

/// Creating an endpoint twice returns the first, untouched.
pub async fn the_first_endpoint_of_a_name_stays(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let first = an_endpoint(&operator(), "orders", "https://one.example.com/");
    let (recorded, fresh) = b.store.endpoint_create(&operator(), &first).await.expect("creates");
    assert!(fresh && seen(&recorded) == seen(&first), "{recorded:?}");
    let second = Endpoint { sealed_secret: vec![9], ..an_endpoint(&operator(), "orders", "https://two.example.com/") };
    let (kept, fresh) = b.store.endpoint_create(&operator(), &second).await.expect("creates");
    assert_eq!((kept, fresh), (recorded.clone(), false));
    let name = EndpointName::of("orders");
    assert_eq!(b.store.endpoint(&tenant(), &name).await.expect("reads"), Some(recorded));
}

/// Endpoints are a tenant's own, and listed by name. // I17
pub async fn endpoints_are_the_tenants_own(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    for name in ["orders", "alerts", "mail"] {
        b.store.endpoint_create(&operator(), &an_endpoint(&operator(), name, "https://one.example.com/")).await.expect("creates");
    }
    let foreign = Endpoint { url: None, ..an_endpoint(&outsider(), "orders", "") };
    assert!(b.store.endpoint_create(&outsider(), &foreign).await.expect("creates").1, "the name is free there");
    let listed = b.store.endpoints(&tenant()).await.expect("lists");
    assert_eq!(listed.iter().map(|endpoint| endpoint.name.as_str()).collect::<Vec<_>>(), ["alerts", "mail", "orders"]);
    let theirs = b.store.endpoints(&stranger()).await.expect("lists");
    assert_eq!(theirs.iter().map(|endpoint| (&endpoint.name, &endpoint.url)).collect::<Vec<_>>(), [(&foreign.name, &None)]);
    assert_eq!(b.store.endpoint(&stranger(), &EndpointName::of("mail")).await.expect("reads"), None);
}

/// An endpoint is disabled with a reason and enabled again; an unknown or foreign one is not there.
pub async fn endpoints_are_disabled_and_enabled(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let name = EndpointName::of("orders");
    let new = an_endpoint(&operator(), "orders", "https://one.example.com/");
    b.store.endpoint_create(&operator(), &new).await.expect("creates");
    for _ in 0..2 {
        assert!(b.store.endpoint_disable(&operator(), &name, Some("410 gone")).await.expect("disables"));
        let endpoint = b.store.endpoint(&tenant(), &name).await.expect("reads").expect("is there");
        assert!(endpoint.disabled_at.is_some());
        assert_eq!(endpoint.disabled_reason.as_deref(), Some("410 gone"));
    }
    assert!(!b.store.endpoint_disable(&outsider(), &name, None).await.expect("answers"));
    assert!(!b.store.endpoint_disable(&operator(), &EndpointName::of("other"), None).await.expect("answers"));
    assert!(b.store.endpoint(&tenant(), &name).await.expect("reads").expect("is there").disabled_at.is_some());
    assert!(b.store.endpoint_disable(&operator(), &name, None).await.expect("enables"));
    let endpoint = b.store.endpoint(&tenant(), &name).await.expect("reads").expect("is there");
    assert_eq!((endpoint.disabled_at, seen(&endpoint)), (None, seen(&new)));
}

/// Every change of keys and endpoints leaves an audit row: who, what, when, by which request. // I12
pub async fn every_change_is_on_record(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let before = b.now();
    let key = created(&b, &operator(), "ci").await;
    b.store.key_revoke(&operator(), key.id).await.expect("revokes");
    let name = EndpointName::of("orders");
    b.store.endpoint_create(&operator(), &an_endpoint(&operator(), "orders", "https://one.example.com/")).await.expect("creates");
    b.store.endpoint_disable(&operator(), &name, Some("410 gone")).await.expect("disables");
    b.store.endpoint_disable(&operator(), &name, None).await.expect("enables");
    let actions = |rows: &[AuditRow]| rows.iter().map(|row| row.action.clone()).collect::<Vec<_>>();
    let (keys, endpoints) = (trail(&b, &key.id.to_string()).await, trail(&b, "orders").await);
    assert_eq!(actions(&keys), ["key.revoke", "key.create"], "newest first");
    assert_eq!(actions(&endpoints), ["endpoint.enable", "endpoint.disable", "endpoint.create"]);
    for row in keys.iter().chain(&endpoints) {
        assert!(row.actor.contains(&operator().name) && row.request_id == "req-1" && row.tenant == tenant(), "{row:?}");
        assert!(row.at >= before && row.at <= b.now(), "{row:?}");
    }
    assert!(endpoints[1].data.as_ref().is_some_and(|data| data.contains("410 gone")), "{:?}", endpoints[1]);
}

/// What changed nothing leaves no row.
pub async fn what_changes_nothing_is_not_on_record(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    b.store.key_revoke(&operator(), b.mint.key(b.now())).await.expect("answers");
    b.store.endpoint_disable(&operator(), &EndpointName::of("none"), None).await.expect("answers");
    drop(b.store.cancel(&operator(), b.mint.job(b.now()), None).await);
    assert_eq!(b.audit(&tenant()).await, []);
}
