//! Walks over the table of routes: scopes, tenants, methods - for every route there is, also those added later.

use std::sync::LazyLock;

use coordination::{Feed, FeedEntry, FeedEvent, FeedId};
use domain::{Failure, JobId};
use http::Method;
use producer::{Needs, RouteInfo, routes};
use serde_json::{Value, json};
use store::{End, Scopes, Steering};

use crate::bench::{ANY, Bench, EVERYTHING};
use crate::request::Call;

const UNKNOWN: &str = "0192f0c1-7b1e-7cc3-98c4-dc0c0c07398f";

/// A request to a route, with its variable segments filled in and the body that the document has as an example.
fn call(b: &Bench, route: &RouteInfo, id: &str, name: &str) -> Call {
    call_with(b, route, (id, name), "")
}

fn call_with(b: &Bench, route: &RouteInfo, (id, name): (&str, &str), query: &str) -> Call {
    let path = route.path.replace("{id}", id).replace("{name}", name).replace("{kind}", "demo.any").replace("{queue}", "demo");
    let call = b.call(route.method.as_str(), &format!("{path}{query}"));
    let example = &DOCUMENT["paths"][route.path]["post"]["requestBody"]["content"]["application/json"]["example"];
    if route.method == Method::POST && !example.is_null() { call.json(&example.to_string()) } else { call }
}

static DOCUMENT: LazyLock<Value> = LazyLock::new(producer::document);

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

/// Words that only the tenant `default` uses: whoever sees one of them sees what is not theirs.
const MARK: &str = "zebra";

/// A tenant with one of everything, marked.
async fn populated(b: &Bench) -> (JobId, String, String) {
    let body = json!({
        "kind": ANY, "payload": { "x": MARK }, "tags": [MARK], "group": MARK, "unique": { "key": MARK },
        "callback_url": "https://zebra.example/done",
    });
    let submit = async || -> JobId {
        b.post("/v1/jobs", &body.to_string()).send().await.json()["id"].as_str().expect("an id").parse().expect("an id")
    };
    let succeeded = submit().await;
    b.succeed(succeeded, "\"zebra\"").await;
    let job = submit().await;
    let output = FeedEvent::Output { text: MARK.to_owned() };
    b.coordination.append(job, FeedEntry { id: FeedId { run: 1, seq: 1 }, event: output }).await.expect("appended");
    b.end(job, End::Dead { failure: Failure::permanent("zebra_code", MARK).with_hint(MARK) }).await;
    let endpoint = b.post("/v1/webhook_endpoints", r#"{"name":"zebra","url":"https://zebra.example"}"#).send().await;
    assert_eq!(endpoint.status, 201);
    let key = b.post("/v1/api_keys", r#"{"name":"zebra","scopes":["read"]}"#).send().await.json()["id"].as_str().expect("an id").to_owned();
    let operation = json!({ "action": "cancel", "filter": { "tag": MARK }, "reason": MARK }).to_string();
    let operation = b.post("/v1/jobs/bulk", &operation).send().await.json()["id"].as_str().expect("an id").to_owned();
    (job, key, operation)
}

/// I17: what another tenant has does not exist, for a key with all scopes and also for an admin who does not name it.
#[tokio::test]
async fn every_route_hides_other_tenants() {
    let b = Bench::new().await;
    let (job, key, operation) = populated(&b).await;
    let without_admin = Scopes::SUBMIT.and(Scopes::READ).and(Scopes::OPERATE);
    for scopes in [without_admin, EVERYTHING] {
        let foreign = b.mint_key("other", scopes).await;
        for route in routes() {
            let id = match route.path {
                path if path.contains("api_keys") => key.clone(),
                path if path.contains("operations") => operation.clone(),
                _ => job.to_string(),
            };
            let is_one = route.path.contains("{id}") || route.path.contains("{name}");
            for query in ["", "?q=zebra", "?tenant=default", "?limit=200"] {
                let answer = call_with(&b, &route, (&id, MARK), query).key(&foreign).send().await;
                let status = answer.status.as_u16();
                let may_name = scopes == EVERYTHING && query == "?tenant=default";
                if is_one && !(may_name && route.path.contains("api_keys")) {
                    let hidden = [403, 404].contains(&status) || (!query.is_empty() && status == 422);
                    assert!(hidden, "{route:?}{query} with {scopes}: {status} {}", answer.text());
                }
                let body = answer.text();
                let shows = body.contains(MARK) || [job.to_string(), key.clone(), operation.clone()].iter().any(|id| body.contains(id));
                // A path in words repeats what the caller said, and a caller with `admin` may name the tenant.
                assert!(!shows || may_name, "{route:?}{query} with {scopes} shows {body}");
            }
        }
    }
    // Nothing of what they asked for was done, but for what an admin named.
    while b.store.operation_step(500).await.expect("steps").is_some() {}
    assert_eq!(b.get(&format!("/v1/jobs/{job}")).send().await.json()["state"], "dead");
    assert_eq!(b.get("/v1/webhook_endpoints").send().await.json()["webhook_endpoints"][0]["disabled_at"], Value::Null);
    let listed = b.get("/v1/jobs?limit=200").send().await.json();
    assert!(listed["jobs"].as_array().expect("a list").iter().all(|job| job["tenant"] == "default"), "{listed}");
}

/// What nobody reads would mislead who sent it.
#[tokio::test]
async fn every_route_refuses_parameters_it_does_not_know() {
    let b = Bench::new().await;
    for route in routes().iter().filter(|route| route.needs != Needs::Nothing) {
        let answer = call_with(&b, route, (UNKNOWN, "nobody"), "?stranger=1").send().await;
        assert_eq!((answer.status.as_u16(), answer.pointers()), (422, vec!["?stranger".to_owned()]), "{route:?}");
    }
}

#[tokio::test]
async fn other_methods_and_paths_are_problems() {
    let b = Bench::new().await;
    for route in routes() {
        let path = route.path.replace("{id}", UNKNOWN).replace("{name}", "n").replace("{kind}", "k").replace("{queue}", "q");
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
