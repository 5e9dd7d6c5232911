//! Walks over the table of routes: scopes, tenants, methods - for every route there is, also those added later.

use http::Method;
use producer::{Needs, RouteInfo, routes};
use store::Scopes;

use crate::bench::{Bench, EVERYTHING};
use crate::request::Call;

const UNKNOWN: &str = "0192f0c1-7b1e-7cc3-98c4-dc0c0c07398f";

/// A request to a route, with its variable segments filled in and a body that is fine as far as it goes.
fn call(b: &Bench, route: &RouteInfo, id: &str, name: &str) -> Call {
    let path = route.path.replace("{id}", id).replace("{name}", name).replace("{kind}", "demo.any");
    let call = b.call(route.method.as_str(), &path);
    if route.method == Method::POST { call.json("{}") } else { call }
}

#[tokio::test]
async fn every_route_asks_for_its_key_and_scope() {
    let b = Bench::new().await;
    let single = [Scopes::SUBMIT, Scopes::READ, Scopes::OPERATE, Scopes::ADMIN];
    let mut keys = Vec::new();
    for scope in single {
        keys.push((scope, b.mint_key("default", scope).await));
    }
    for route in routes() {
        let open = call(&b, &route, UNKNOWN, "nobody").without_key().send().await;
        if route.needs == Needs::Nothing {
            assert_eq!(open.status, 200, "{route:?}");
            continue;
        }
        assert_eq!(
            (open.status.as_u16(), open.code().as_str(), open.header("www-authenticate")),
            (401, "unauthorized", "Bearer"),
            "{route:?}"
        );
        if route.method == Method::GET {
            let head = b.call("HEAD", &route.path.replace("{id}", UNKNOWN)).without_key().send().await;
            assert_eq!(head.status, 401, "{route:?} by HEAD");
        }
        for (scope, key) in &keys {
            let answer = call(&b, &route, UNKNOWN, "nobody").key(key).send().await;
            let allowed = match route.needs {
                Needs::Nothing | Needs::Key => true,
                Needs::Scope(needed) => scope.allow(needed),
            };
            assert_eq!(answer.status == 403, !allowed, "{route:?} with {scope}: {}", answer.status);
            assert!(!answer.status.is_server_error(), "{route:?}");
            if let (false, Needs::Scope(needed)) = (allowed, route.needs) {
                assert!(answer.json()["detail"].as_str().expect("text").contains(&format!("`{needed}`")), "{}", answer.text());
            }
        }
    }
}

/// I17: what another tenant has does not exist.
#[tokio::test]
async fn every_route_hides_other_tenants() {
    let b = Bench::new().await;
    let job = b.submitted().await;
    let endpoint = b.post("/v1/webhook_endpoints", r#"{"name":"orders","url":"https://example.com"}"#).send().await;
    assert_eq!(endpoint.status, 201);
    let key_id = b.get("/v1/api_keys").send().await.json()["api_keys"][0]["id"].as_str().expect("an id").to_owned();
    let foreign = b.mint_key("other", EVERYTHING).await;
    for route in routes() {
        let id = if route.path.contains("api_keys") { key_id.clone() } else { job.to_string() };
        let answer = call(&b, &route, &id, "orders").key(&foreign).send().await;
        if route.path.contains("{id}") || route.path.contains("{name}") {
            assert_eq!((answer.status.as_u16(), answer.code().as_str()), (404, "not_found"), "{route:?} {}", answer.text());
        }
        let body = answer.text();
        assert!(!body.contains(&job.to_string()) && !body.contains(&key_id) && !body.contains("\"orders\""), "{route:?} shows {body}");
    }
    assert_eq!(b.get("/v1/whoami").send().await.status, 200, "the key that was not theirs to revoke still works");
}

#[tokio::test]
async fn other_methods_and_paths_are_problems() {
    let b = Bench::new().await;
    for route in routes() {
        let path = route.path.replace("{id}", UNKNOWN).replace("{name}", "n").replace("{kind}", "k");
        let answer = b.call("PATCH", &path).without_key().send().await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (405, "method_not_allowed"), "{path}");
        assert!(answer.header("allow").contains(route.method.as_str()), "{path}: {}", answer.header("allow"));
    }
    for path in ["/", "/v1", "/v1/nothing", "/v1/jobs/", "/v2/jobs", "/v1/jobs/x/y/z", "//v1/jobs"] {
        let answer = b.get(path).send().await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (404, "not_found"), "{path}");
    }
    assert_eq!(b.call("BREW", "/v1/jobs").send().await.status, 405);
}

#[tokio::test]
async fn what_is_no_id_does_not_exist() {
    let b = Bench::new().await;
    for route in routes().iter().filter(|route| route.path.contains("{id}")) {
        for id in ["x", "%ff", "%00", "0192f0c17b1e7cc398c4dc0c0c07398f", "..%2f..", &"a".repeat(2_000)] {
            let answer = call(&b, route, id, "n").send().await;
            assert_eq!((answer.status.as_u16(), answer.code().as_str()), (404, "not_found"), "{route:?} {id}");
        }
    }
}
